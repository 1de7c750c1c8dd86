/*
 * What is agreed on at the beginning of a session: key exchange, host key, cipher, MAC. Offers what
 * ssh's configuration allows and libssh2 speaks; and says, from the server's own offer, what it was
 * that the two had not in common.
 */
#ifndef PGONCALL_SSH_NEGOTIATE_H
#define PGONCALL_SSH_NEGOTIATE_H

#include <stddef.h>

#include <pgoncall/base/err.h>

struct _LIBSSH2_SESSION;
struct buf;
struct hostkey_list;
struct ssh_config;

enum negotiate_kind {
	NEGOTIATE_KEX,
	NEGOTIATE_HOSTKEY,
	NEGOTIATE_CIPHER,
	NEGOTIATE_CIPHER_BACK,
	NEGOTIATE_MAC,
	NEGOTIATE_MAC_BACK,
	NEGOTIATE_COUNT
};

/* Before the handshake. Fails (ERR_TRANSPORT) where the configuration allows nothing that libssh2
 * speaks. */
int negotiate_offer(struct _LIBSSH2_SESSION *session, const struct ssh_config *config,
	const struct hostkey_list *known, struct err *err);

/* After it failed: the sentence, from the bytes that the server had sent. */
void negotiate_explain(struct _LIBSSH2_SESSION *session, const struct ssh_config *config,
	const struct buf *hello, struct err *err);

/* The server's lists (comma separated, the caller's), from its version line and its KEXINIT (RFC 4253
 * section 7.1). -1 where they are not all there. */
int negotiate_parse_hello(const void *bytes, size_t len, char *lists[NEGOTIATE_COUNT]);

/* Those of `wanted` (comma separated; NULL: all) that are among the n names, in the order wanted;
 * "" for none. For the caller to free. */
char *negotiate_common(const char *wanted, const char *const names[], size_t n);

#endif
