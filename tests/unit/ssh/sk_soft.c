/*
 * A security key without hardware: a middleware for ssh's SecurityKeyProvider (the interface is that
 * of OpenSSH's PROTOCOL.u2f and sk-api.h, version 10). Ed25519 only; the key handle is the private key.
 * It is "touched" when the file that SK_SOFT_TOUCH names is there, and its PIN is 1234.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#define SK_VERSION       0x000a0000
#define SK_ED25519       1
#define SK_USER_VERIFIED 4
#define SK_ERR_GENERAL   -1
#define SK_ERR_ALGORITHM -2
#define SK_ERR_PIN       -3

struct sk_enroll_response {
	uint8_t flags;
	uint8_t *public_key;
	size_t public_key_len;
	uint8_t *key_handle;
	size_t key_handle_len;
	uint8_t *signature;
	size_t signature_len;
	uint8_t *attestation_cert;
	size_t attestation_cert_len;
	uint8_t *authdata;
	size_t authdata_len;
};

struct sk_sign_response {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r;
	size_t sig_r_len;
	uint8_t *sig_s;
	size_t sig_s_len;
};

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application,
	uint8_t flags, const char *pin, void **options, struct sk_enroll_response **response);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
	const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
	void **options, struct sk_sign_response **response);
int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *n);

uint32_t sk_api_version(void)
{
	return SK_VERSION;
}

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application,
	uint8_t flags, const char *pin, void **options, struct sk_enroll_response **response)
{
	struct sk_enroll_response *r = calloc(1, sizeof(*r));
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	(void)challenge;
	(void)challenge_len;
	(void)application;
	(void)pin;
	(void)options;
	if (alg != SK_ED25519)
		return SK_ERR_ALGORITHM;
	r->flags = flags;
	r->public_key_len = r->key_handle_len = 32;
	r->public_key = malloc(32);
	r->key_handle = malloc(32);
	r->signature = calloc(1, 1);
	r->signature_len = 1;
	EVP_PKEY_get_raw_public_key(key, r->public_key, &r->public_key_len);
	EVP_PKEY_get_raw_private_key(key, r->key_handle, &r->key_handle_len);
	EVP_PKEY_free(key);
	*response = r;
	return 0;
}

static void wait_for_touch(void)
{
	const char *file = getenv("SK_SOFT_TOUCH");

	while (file && access(file, F_OK) < 0)
		usleep(10000);
}

/* What is signed: SHA-256 of the application, flags, counter, SHA-256 of the data. */
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
	const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
	void **options, struct sk_sign_response **response)
{
	struct sk_sign_response *r = calloc(1, sizeof(*r));
	uint8_t text[32 + 1 + 4 + 32] = { 0 };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key_handle, key_handle_len);
	int rc = SK_ERR_GENERAL;

	(void)options;
	if (alg != SK_ED25519)
		return SK_ERR_ALGORITHM;
	if ((flags & SK_USER_VERIFIED) && (!pin || strcmp(pin, "1234") != 0))
		return SK_ERR_PIN;
	wait_for_touch();
	r->flags = flags;
	r->counter = 1;
	SHA256((const uint8_t *)application, strlen(application), text);
	text[32] = flags;
	text[36] = 1;
	SHA256(data, data_len, text + 37);
	r->sig_r_len = 64;
	r->sig_r = malloc(64);
	if (key && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestSign(ctx, r->sig_r, &r->sig_r_len, text, sizeof(text)) == 1)
		rc = 0;
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(ctx);
	*response = r;
	return rc;
}

int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *n)
{
	(void)pin;
	(void)options;
	*keys = NULL;
	*n = 0;
	return SK_ERR_ALGORITHM;
}
