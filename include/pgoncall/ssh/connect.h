/*
 * A TCP connection to a name, from a worker: look-up, one address after another, one
 * deadline for all.
 */
#ifndef PGONCALL_SSH_CONNECT_H
#define PGONCALL_SSH_CONNECT_H

#include <pgoncall/base/err.h>

struct ssh_wait;

/* Returns a connected, non-blocking, close-on-exec socket with TCP_NODELAY and a ten second
 * TCP_USER_TIMEOUT, or -1 with a sentence. family is AF_UNSPEC, AF_INET or AF_INET6. */
int connect_tcp(
	const char *host, int port, int family, const struct ssh_wait *wait, struct err *err);

#endif
