/*
 * An OpenSSL provider (provider-cipher(7)) with AES-CTR and nothing else. Owns the key stream that
 * was made ahead; key schedule, counter and AES are those of the implementation behind it, which is
 * whatever the same context would use without this one.
 */
#include <pgoncall/ssh/cipher.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/conf.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <pgoncall/base/mem.h>

#define CTR_PROVIDER "pgoncall"
#define CTR_BLOCK    16
/* A key that serves only a few blocks (a random generator's) makes little more than those. */
#define CTR_AHEAD_MIN 128
#define CTR_AHEAD_MAX 4096

enum { CTR_128, CTR_192, CTR_256 };

static const struct ctr_kind {
	const char *name;
	size_t key_bytes;
} ctr_kinds[] = {
	[CTR_128] = { "AES-128-CTR", 16 },
	[CTR_192] = { "AES-192-CTR", 24 },
	[CTR_256] = { "AES-256-CTR", 32 },
};

struct ctr {
	const struct ctr_kind *kind;
	EVP_CIPHER_CTX *aes;
	size_t used, made; /* bytes of `ahead` */
	size_t next;       /* bytes to make the next time */
	unsigned char ahead[CTR_AHEAD_MAX];
};

/* --- one key ---------------------------------------------------------------------------------- */

static void ctr_free(void *arg)
{
	struct ctr *ctr = arg;

	if (!ctr)
		return;
	EVP_CIPHER_CTX_free(ctr->aes);
	mem_wipe(ctr, sizeof(*ctr));
	free(ctr);
}

/* provider: the context, see ctr_provider_init. */
static void *ctr_new(void *provider, int kind)
{
	struct ctr *ctr = mem_calloc(1, sizeof(*ctr));
	EVP_CIPHER *cipher;
	bool ready;

	ctr->kind = &ctr_kinds[kind];
	ctr->aes = EVP_CIPHER_CTX_new();
	cipher = EVP_CIPHER_fetch(provider, ctr->kind->name, "provider!=" CTR_PROVIDER);
	ready = ctr->aes && cipher && EVP_EncryptInit_ex2(ctr->aes, cipher, NULL, NULL, NULL) == 1;
	EVP_CIPHER_free(cipher);
	if (ready)
		return ctr;
	ctr_free(ctr);
	return NULL;
}

static void *ctr_new_128(void *provider)
{
	return ctr_new(provider, CTR_128);
}

static void *ctr_new_192(void *provider)
{
	return ctr_new(provider, CTR_192);
}

static void *ctr_new_256(void *provider)
{
	return ctr_new(provider, CTR_256);
}

/* Both directions are the same. Without a key the one before stays, and without a counter, that. */
static int ctr_start(void *arg, const unsigned char *key, size_t key_len, const unsigned char *iv,
	size_t iv_len, const OSSL_PARAM params[])
{
	struct ctr *ctr = arg;

	if ((key && key_len != ctr->kind->key_bytes) || (iv && iv_len != CTR_BLOCK))
		return 0;
	mem_wipe(ctr->ahead, ctr->made);
	ctr->used = ctr->made = 0;
	ctr->next = CTR_AHEAD_MIN;
	return EVP_EncryptInit_ex2(ctr->aes, NULL, key, iv, params);
}

static bool ctr_make(struct ctr *ctr)
{
	int n = 0;

	memset(ctr->ahead, 0, ctr->next);
	if (EVP_EncryptUpdate(ctr->aes, ctr->ahead, &n, ctr->ahead, (int)ctr->next) != 1)
		return false;
	ctr->made = (size_t)n;
	ctr->used = 0;
	ctr->next = ctr->next * 2 < CTR_AHEAD_MAX ? ctr->next * 2 : CTR_AHEAD_MAX;
	return true;
}

/* One register's worth, so that whoever copies the block on need not wait for two halves. */
typedef unsigned char ctr_block __attribute__((vector_size(CTR_BLOCK)));

static inline void ctr_xor_block(
	unsigned char *out, const unsigned char *in, const unsigned char *stream)
{
	ctr_block a, b;

	memcpy(&a, in, CTR_BLOCK);
	memcpy(&b, stream, CTR_BLOCK);
	a ^= b;
	memcpy(out, &a, CTR_BLOCK);
}

static void ctr_xor(
	unsigned char *out, const unsigned char *in, const unsigned char *stream, size_t len)
{
	for (; len >= CTR_BLOCK; len -= CTR_BLOCK) {
		ctr_xor_block(out, in, stream);
		in += CTR_BLOCK;
		stream += CTR_BLOCK;
		out += CTR_BLOCK;
	}
	while (len--)
		*out++ = *in++ ^ *stream++;
}

static __attribute__((noinline)) int ctr_crypt_some(
	struct ctr *ctr, unsigned char *out, const unsigned char *in, size_t len)
{
	size_t n;

	while (len) {
		if (ctr->used == ctr->made && !ctr_make(ctr))
			return 0;
		n = ctr->made - ctr->used;
		if (n > len)
			n = len;
		ctr_xor(out, in, ctr->ahead + ctr->used, n);
		ctr->used += n;
		out += n;
		in += n;
		len -= n;
	}
	return 1;
}

/* Called for every 16 bytes: what does not fit that is kept out of line. */
static int ctr_crypt(void *arg, unsigned char *out, size_t *out_len, size_t out_size,
	const unsigned char *in, size_t len)
{
	struct ctr *ctr = arg;

	if (out_size < len)
		return 0;
	*out_len = len;
	if (len != CTR_BLOCK || ctr->made - ctr->used < CTR_BLOCK)
		return ctr_crypt_some(ctr, out, in, len);
	ctr_xor_block(out, in, ctr->ahead + ctr->used);
	ctr->used += CTR_BLOCK;
	return 1;
}

static int ctr_finish(void *arg, unsigned char *out, size_t *out_len, size_t out_size)
{
	(void)arg;
	(void)out;
	(void)out_size;
	*out_len = 0;
	return 1;
}

/* --- what libcrypto asks ---------------------------------------------------------------------- */

static bool ctr_set(OSSL_PARAM params[], const char *name, size_t value)
{
	OSSL_PARAM *param = OSSL_PARAM_locate(params, name);

	return !param || OSSL_PARAM_set_size_t(param, value);
}

static int ctr_describe(OSSL_PARAM params[], int kind)
{
	OSSL_PARAM *mode = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_MODE);

	return (!mode || OSSL_PARAM_set_uint(mode, EVP_CIPH_CTR_MODE)) &&
	       ctr_set(params, OSSL_CIPHER_PARAM_KEYLEN, ctr_kinds[kind].key_bytes) &&
	       ctr_set(params, OSSL_CIPHER_PARAM_BLOCK_SIZE, 1) &&
	       ctr_set(params, OSSL_CIPHER_PARAM_IVLEN, CTR_BLOCK);
}

static int ctr_describe_128(OSSL_PARAM params[])
{
	return ctr_describe(params, CTR_128);
}

static int ctr_describe_192(OSSL_PARAM params[])
{
	return ctr_describe(params, CTR_192);
}

static int ctr_describe_256(OSSL_PARAM params[])
{
	return ctr_describe(params, CTR_256);
}

static int ctr_describe_key(void *arg, OSSL_PARAM params[])
{
	struct ctr *ctr = arg;

	return ctr_set(params, OSSL_CIPHER_PARAM_KEYLEN, ctr->kind->key_bytes) &&
	       ctr_set(params, OSSL_CIPHER_PARAM_IVLEN, CTR_BLOCK);
}

typedef void (*ctr_function)(void);

/* newctx and get_params are the two that know the key's length. */
#define CTR_FUNCTIONS(bits)                                                                        \
	{                                                                                          \
		{ OSSL_FUNC_CIPHER_NEWCTX, (ctr_function)ctr_new_##bits },                         \
			{ OSSL_FUNC_CIPHER_FREECTX, (ctr_function)ctr_free },                      \
			{ OSSL_FUNC_CIPHER_ENCRYPT_INIT, (ctr_function)ctr_start },                \
			{ OSSL_FUNC_CIPHER_DECRYPT_INIT, (ctr_function)ctr_start },                \
			{ OSSL_FUNC_CIPHER_UPDATE, (ctr_function)ctr_crypt },                      \
			{ OSSL_FUNC_CIPHER_FINAL, (ctr_function)ctr_finish },                      \
			{ OSSL_FUNC_CIPHER_CIPHER, (ctr_function)ctr_crypt },                      \
			{ OSSL_FUNC_CIPHER_GET_PARAMS, (ctr_function)ctr_describe_##bits },        \
			{ OSSL_FUNC_CIPHER_GET_CTX_PARAMS, (ctr_function)ctr_describe_key },       \
		{                                                                                  \
			0, NULL                                                                    \
		}                                                                                  \
	}

static const OSSL_DISPATCH ctr_functions[][10] = {
	[CTR_128] = CTR_FUNCTIONS(128),
	[CTR_192] = CTR_FUNCTIONS(192),
	[CTR_256] = CTR_FUNCTIONS(256),
};

#define CTR_PROPERTIES "provider=" CTR_PROVIDER

static const OSSL_ALGORITHM ctr_ciphers[] = {
	{ "AES-128-CTR", CTR_PROPERTIES, ctr_functions[CTR_128], NULL },
	{ "AES-192-CTR", CTR_PROPERTIES, ctr_functions[CTR_192], NULL },
	{ "AES-256-CTR", CTR_PROPERTIES, ctr_functions[CTR_256], NULL },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *ctr_query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_CIPHER ? ctr_ciphers : NULL;
}

static const OSSL_DISPATCH ctr_provider[] = {
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (ctr_function)ctr_query },
	{ 0, NULL },
};

/* What ciphers get as their provider is the context, for the AES behind them; a provider that is
 * linked with the program may use it so (provider-base(7), core_get_libctx). */
static int ctr_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
	const OSSL_DISPATCH **functions, void **provider)
{
	for (; core->function_id; core++)
		if (core->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
			*provider = OSSL_FUNC_core_get_libctx(core)(handle);
	*functions = ctr_provider;
	return *provider != NULL;
}

/* --- the context ------------------------------------------------------------------------------ */

/* The administrator's choice of providers and properties, as for the process's own context. */
static void context_load_config(OSSL_LIB_CTX *context)
{
	char *path = CONF_get1_default_config_file();

	if (path)
		OSSL_LIB_CTX_load_config(context, path);
	OPENSSL_free(path);
}

struct cipher_context *cipher_context_new(void)
{
	struct cipher_context *context = mem_calloc(1, sizeof(*context));

	context->lib = OSSL_LIB_CTX_new();
	if (context->lib)
		context_load_config(context->lib);
	/* FIPS wants its own module's ciphers. The last argument of try_load: where the
	 * configuration names no provider, the default one stays. */
	if (context->lib && !EVP_default_properties_is_fips_enabled(context->lib) &&
		OSSL_PROVIDER_add_builtin(context->lib, CTR_PROVIDER, ctr_provider_init) == 1)
		context->provider = OSSL_PROVIDER_try_load(context->lib, CTR_PROVIDER, 1);
	if (context->provider && EVP_set_default_properties(context->lib, "?" CTR_PROPERTIES) == 1)
		return context;
	cipher_context_free(context);
	return NULL;
}

void cipher_context_free(struct cipher_context *context)
{
	if (!context)
		return;
	if (context->provider)
		OSSL_PROVIDER_unload(context->provider);
	OSSL_LIB_CTX_free(context->lib);
	free(context);
}

void cipher_context_enter(const struct cipher_context *context)
{
	if (context)
		OSSL_LIB_CTX_set0_default(context->lib);
}
