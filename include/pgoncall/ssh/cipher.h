/*
 * AES in counter mode for libssh2, which asks libcrypto for 16 bytes at a time: an implementation
 * that makes the key stream ahead, in pieces of kilobytes, takes fifth of the SSH
 * thread's work in a large transfer away. It lives in a library context
 * of its own, which only the threads that enter it use; libpq's TLS and the journal's digests are
 * not touched. The key stream itself is made by libcrypto's own AES.
 */
#ifndef PGONCALL_SSH_CIPHER_H
#define PGONCALL_SSH_CIPHER_H

struct ossl_lib_ctx_st;
struct ossl_provider_st;

struct cipher_context {
	struct ossl_lib_ctx_st *lib;
	struct ossl_provider_st *provider; /* loaded into lib */
};

/* A context with it, and with whatever the system's openssl.cnf asks for. NULL where libcrypto
 * does not take it: then libssh2 works as without. */
struct cipher_context *cipher_context_new(void);
/* When nothing that was made in it is left. NULL is allowed. */
void cipher_context_free(struct cipher_context *context);
/* The calling thread uses it from now on. NULL: what it used stays. */
void cipher_context_enter(const struct cipher_context *context);

#endif
