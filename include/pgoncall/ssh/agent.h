/*
 * A client of ssh-agent (draft-miller-ssh-agent): lists keys and has data signed. Our own and not
 * libssh2's, whose calls cannot be cancelled and which has no RSA with SHA-2.
 */
#ifndef PGONCALL_SSH_AGENT_H
#define PGONCALL_SSH_AGENT_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>

struct ssh_wait;

struct agent_key {
	struct buf blob;
	char *comment; /* as the agent says it, not sanitised */
	char type[64];
};

struct agent {
	int fd;
	struct agent_key *keys;
	size_t n;
};

enum { AGENT_RSA_SHA2_256 = 2, AGENT_RSA_SHA2_512 = 4 };

/* Connects to the socket and reads the list of keys. Close in any case. */
int agent_open(struct agent *agent, const char *path, const struct ssh_wait *wait, struct err *err);
void agent_close(struct agent *agent);
/* Appends the bare signature (without the method's name) over data. May take as long as the
 * operator needs to confirm. */
int agent_sign(struct agent *agent, const struct agent_key *key, const void *data, size_t len,
	uint32_t flags, const struct ssh_wait *wait, struct buf *signature, struct err *err);

#endif
