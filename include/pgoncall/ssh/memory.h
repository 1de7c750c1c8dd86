/*
 * libssh2's memory. While a session authenticates, whatever libssh2 frees is wiped first: it holds
 * passwords and private keys there. And a refusal is read from it: libssh2 1.10 does not say whether
 * an attempt was a partial success and what may be tried next, and asking the server again counts as
 * one more failure there (MaxAuthTries). The packet with the answer passes by here when it is freed.
 */
#ifndef PGONCALL_SSH_MEMORY_H
#define PGONCALL_SSH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct ssh_memory {
	bool guarded; /* the session authenticates; set by the owner */
	/* The last SSH_MSG_USERAUTH_FAILURE; the owner clears `refused` before an attempt. */
	bool refused;
	bool partial;
	char methods[256]; /* what may be tried next, comma separated */
};

/* For libssh2_session_init_ex; *abstract is a struct whose first member is a struct ssh_memory. */
void *memory_alloc(size_t size, void **abstract);
void *memory_realloc(void *bytes, size_t size, void **abstract);
void memory_free(void *bytes, void **abstract);

/* Takes in the payload of a packet; anything but a refusal is none. */
void memory_read_refusal(struct ssh_memory *memory, const void *bytes, size_t len);

#endif
