/*
 * What lies between libssh2 and a socket: an output queue that always accepts everything (libssh2
 * cannot resume a partly sent packet from another call), and reading that asks the system once per
 * round. Both phases use it: connecting in a worker and running on the SSH thread.
 */
#ifndef PGONCALL_SSH_IO_H
#define PGONCALL_SSH_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/ssh/memory.h>

struct _LIBSSH2_SESSION;
struct ssh_wait;

struct ssh_io {
	struct ssh_memory memory; /* first: libssh2's allocator is given this struct */
	int fd;                   /* owned, non-blocking */
	bool tcp;                 /* a TCP socket, not a channel of another session */
	struct buf out; /* queued for the socket; the first `sent` bytes are gone already */
	size_t sent;
	bool starved; /* the system had nothing to read; the owner clears it for the next round */
	size_t quota; /* bytes that may be read before the owner renews it; SIZE_MAX at first */
	bool broken;  /* no more input or output: errors and end-of-file alike */
	int broken_errno; /* 0: the peer closed */
	int64_t received; /* bytes read so far */
	char said[160];   /* the server's parting words, sanitised; "" where there were none */
	bool keep_hello;  /* what comes is copied: the handshake has not begun to encrypt */
	struct buf hello;
	unsigned char *ahead;        /* what one call read; libssh2 takes it in smaller portions */
	size_t ahead_off, ahead_len; /* which of it waits for libssh2 */
	void *auth; /* whoever authenticates at the moment (keyboard-interactive) */
};

/* Takes fd. */
struct ssh_io *io_new(int fd, bool tcp);
void io_free(struct ssh_io *io);

/* A non-blocking session over io, which must outlive it. */
struct _LIBSSH2_SESSION *io_session_new(struct ssh_io *io);
/* Frees a session at once, whatever state it is in; io is broken afterwards. With a reason, the
 * server is told first, as far as the socket takes it. */
void io_session_free(struct ssh_io *io, struct _LIBSSH2_SESSION *session, const char *reason);

/* Bytes that wait for the socket. */
size_t io_pending(const struct ssh_io *io);
/* Bytes wait here, or it is neither starved nor at the end of its quota. */
bool io_may_read(const struct ssh_io *io);
/* Bytes wait here, or the socket holds some, or its end. */
bool io_readable(const struct ssh_io *io);
/* Sends what the socket takes. */
void io_flush(struct ssh_io *io);
/* Has the next segments acknowledged at once: saves 40 ms a round trip while few bytes flow. */
void io_quick_ack(struct ssh_io *io);
/* In a worker, after LIBSSH2_ERROR_EAGAIN: waits until another call makes sense. */
int io_wait(struct ssh_io *io, const struct ssh_wait *wait, struct err *err);
/* Why it broke, in a few words: "the server closed the connection (Too many …)". */
void io_explain(const struct ssh_io *io, struct buf *out);

#endif
