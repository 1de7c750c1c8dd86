/*
 * The counter mode that makes its key stream ahead, against NIST's vectors (SP 800-38A, F.5) and
 * against libcrypto's own, in the pieces that libssh2 and others ask for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <pgoncall/ssh/cipher.h>

#define STREAM 100000

static const unsigned char counter[16] = { 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
	0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff };
static const unsigned char plain[32] = { 0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d,
	0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a, 0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e,
	0xb7, 0x6f, 0xac, 0x45, 0xaf, 0x8e, 0x51 };

static const struct vector {
	const char *name;
	unsigned char key[32];
	unsigned char cipher[32];
} vectors[] = {
	{ "AES-128-CTR",
		{ 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09,
			0xcf, 0x4f, 0x3c },
		{ 0x87, 0x4d, 0x61, 0x91, 0xb6, 0x20, 0xe3, 0x26, 0x1b, 0xef, 0x68, 0x64, 0x99,
			0x0d, 0xb6, 0xce, 0x98, 0x06, 0xf6, 0x6b, 0x79, 0x70, 0xfd, 0xff, 0x86,
			0x17, 0x18, 0x7b, 0xb9, 0xff, 0xfd, 0xff } },
	{ "AES-192-CTR",
		{ 0x8e, 0x73, 0xb0, 0xf7, 0xda, 0x0e, 0x64, 0x52, 0xc8, 0x10, 0xf3, 0x2b, 0x80,
			0x90, 0x79, 0xe5, 0x62, 0xf8, 0xea, 0xd2, 0x52, 0x2c, 0x6b, 0x7b },
		{ 0x1a, 0xbc, 0x93, 0x24, 0x17, 0x52, 0x1c, 0xa2, 0x4f, 0x2b, 0x04, 0x59, 0xfe,
			0x7e, 0x6e, 0x0b, 0x09, 0x03, 0x39, 0xec, 0x0a, 0xa6, 0xfa, 0xef, 0xd5,
			0xcc, 0xc2, 0xc6, 0xf4, 0xce, 0x8e, 0x94 } },
	{ "AES-256-CTR",
		{ 0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85,
			0x7d, 0x77, 0x81, 0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d,
			0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4 },
		{ 0x60, 0x1e, 0xc3, 0x13, 0x77, 0x57, 0x89, 0xa5, 0xb7, 0xa7, 0xf5, 0x04, 0xbb,
			0xf3, 0xd2, 0x28, 0xf4, 0x43, 0xe3, 0xca, 0x4d, 0x62, 0xb5, 0x9a, 0xca,
			0x84, 0xe9, 0x90, 0xca, 0xca, 0xf5, 0xc5 } },
};

#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static int setup(void **state)
{
	*state = cipher_context_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	cipher_context_free(*state);
	return 0;
}

/* As libssh2 finds it: by its name, with no property. */
static EVP_CIPHER *find(OSSL_LIB_CTX *context, const char *name)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(context, name, "");

	assert_non_null(cipher);
	if (context)
		assert_string_equal(
			OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher)), "pgoncall");
	return cipher;
}

/* A key with ours (or, without a context, libcrypto's own). */
static EVP_CIPHER_CTX *key(const struct cipher_context *context, const char *name,
	const unsigned char *bytes, const unsigned char *iv)
{
	EVP_CIPHER *cipher = find(context ? context->lib : NULL, name);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	assert_int_equal(EVP_CipherInit_ex2(ctx, cipher, bytes, iv, 0, NULL), 1);
	EVP_CIPHER_free(cipher);
	return ctx;
}

static void cipher_gives_nist_vectors(void **state)
{
	unsigned char out[sizeof(plain)];
	EVP_CIPHER_CTX *ctx;
	size_t i;

	for (i = 0; i < VECTORS; i++) {
		ctx = key(*state, vectors[i].name, vectors[i].key, counter);
		assert_int_equal(EVP_Cipher(ctx, out, plain, 16), 16);
		assert_int_equal(EVP_Cipher(ctx, out + 16, plain + 16, 16), 16);
		assert_memory_equal(out, vectors[i].cipher, sizeof(out));
		EVP_CIPHER_CTX_free(ctx);
	}
}

/* Also across the wrap of a counter that is all ones. */
static void cipher_equals_libcrypto_in_any_pieces(void **state)
{
	static const size_t pieces[] = { 16, 1, 4096, 16, 127, 129, 8192, 15, 33, 5000, 16 };
	static unsigned char in[STREAM], ours[STREAM], theirs[STREAM];
	unsigned char iv[16];
	EVP_CIPHER_CTX *a, *b;
	size_t i, at, n, turn;
	int len;

	memset(iv, 0xff, sizeof(iv));
	assert_int_equal(RAND_bytes(in, sizeof(in)), 1);
	for (i = 0; i < VECTORS; i++) {
		a = key(*state, vectors[i].name, vectors[i].key, iv);
		b = key(NULL, vectors[i].name, vectors[i].key, iv);
		for (at = turn = 0; at < STREAM; at += n, turn++) {
			n = pieces[turn % (sizeof(pieces) / sizeof(pieces[0]))];
			n = n < STREAM - at ? n : STREAM - at;
			assert_int_equal(EVP_CipherUpdate(a, ours + at, &len, in + at, (int)n), 1);
			assert_int_equal(len, n);
		}
		assert_int_equal(EVP_CipherUpdate(b, theirs, &len, in, STREAM), 1);
		assert_memory_equal(ours, theirs, STREAM);
		EVP_CIPHER_CTX_free(a);
		EVP_CIPHER_CTX_free(b);
	}
}

/* What was made ahead under an old key or counter is gone. */
static void cipher_starts_afresh(void **state)
{
	EVP_CIPHER_CTX *ctx = key(*state, "AES-128-CTR", vectors[1].key, counter);
	unsigned char out[sizeof(plain)];

	assert_int_equal(EVP_Cipher(ctx, out, plain, 16), 16);
	assert_int_equal(EVP_CipherInit_ex2(ctx, NULL, vectors[0].key, counter, 0, NULL), 1);
	assert_int_equal(EVP_Cipher(ctx, out, plain, 32), 32);
	assert_memory_equal(out, vectors[0].cipher, 32);
	/* The counter alone, the key stays. */
	assert_int_equal(EVP_CipherInit_ex2(ctx, NULL, NULL, counter, 0, NULL), 1);
	assert_int_equal(EVP_Cipher(ctx, out, plain, 32), 32);
	assert_memory_equal(out, vectors[0].cipher, 32);
	EVP_CIPHER_CTX_free(ctx);
}

/* The context's generator runs on this cipher too: it must not repeat itself. */
static void cipher_leaves_randomness_random(void **state)
{
	const struct cipher_context *context = *state;
	unsigned char a[64], b[64];

	assert_int_equal(RAND_bytes_ex(context->lib, a, sizeof(a), 0), 1);
	assert_int_equal(RAND_bytes_ex(context->lib, b, sizeof(b), 0), 1);
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cipher_gives_nist_vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(
			cipher_equals_libcrypto_in_any_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(cipher_starts_afresh, setup, teardown),
		cmocka_unit_test_setup_teardown(cipher_leaves_randomness_random, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
