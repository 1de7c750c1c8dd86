/*
 * What a key file is, without its passphrase: kind, public half, whether it is encrypted. The
 * private half stays text for libssh2.
 */
#ifndef PGONCALL_SSH_KEYFILE_H
#define PGONCALL_SSH_KEYFILE_H

#include <stdbool.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>

struct keyfile {
	struct buf text; /* the private key file as it is; empty for a public key only */
	struct buf blob; /* public key blob; empty where it cannot be told without the passphrase */
	struct buf public; /* "type base64", as libssh2 wants it; empty as blob is */
	char type[64];     /* key type, "" where not known */
	bool encrypted;
};

/* Reads PATH and PATH.pub. Returns -1 (no error) where there is no such file, and with a sentence
 * where it cannot be read or is no key. Fini in any case. */
int keyfile_load(struct keyfile *key, const char *path, struct err *err);
/* From text alone: the contents of a private or public key file, and of its .pub (may be NULL). */
int keyfile_parse(
	struct keyfile *key, const char *text, size_t len, const char *public, struct err *err);
void keyfile_fini(struct keyfile *key);

#endif
