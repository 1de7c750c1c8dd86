/*
 * Errors: a code for the program, a sentence for the operator.
 *
 * A function that can fail returns 0 or a negative number and takes a `struct err *` last. The
 * caller owns the struct; it may pass NULL where it does not want the sentence. A struct err is
 * written only on failure, so that its first sentence survives a clean-up that succeeds.
 */
#ifndef PGONCALL_BASE_ERR_H
#define PGONCALL_BASE_ERR_H

#include <stdarg.h>

enum err_code {
	ERR_OK = 0,
	ERR_USAGE,     /* the command line is wrong */
	ERR_CONFIG,    /* the configuration is wrong; the sentence names file:line */
	ERR_SYSTEM,    /* a system call failed on this machine */
	ERR_RESOLVE,   /* a name has no address, or ssh's configuration cannot be read */
	ERR_CONNECT,   /* nothing answers at the address */
	ERR_HOSTKEY,   /* the host key is unknown, changed or revoked */
	ERR_AUTH,      /* the server accepts none of our credentials */
	ERR_TRANSPORT, /* the SSH link broke, or the server speaks nothing we can speak */
	ERR_COMMAND,   /* a remote command failed */
	ERR_DATABASE,  /* PostgreSQL refused, or the connection to it failed */
	ERR_PARSE,     /* input is malformed; the sentence names file:line */
	ERR_REFUSED,   /* policy refuses the act: read-only, stale, no journal, standby */
	ERR_TIMEOUT,   /* it took longer than allowed */
	ERR_CANCELLED, /* stopped by the operator or by shutdown */
};

/* The sentence has no final newline and may hold UTF-8; it may quote foreign text, so whoever shows
 * it passes it through the sanitiser as any other text. */
struct err {
	enum err_code code;
	char text[768];
};

/* Sets code and sentence; always returns -1, so that `return err_set(…)` reads well. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As err_set, and appends ": " and the text of errno `errnum`. */
int err_system(struct err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts a prefix and ": " before the sentence that is there; keeps the code; returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forgets what is there. */
void err_clear(struct err *err);

#endif
