/*
 * A way to a host: the one interface behind which libssh2, the system's ssh and this machine itself
 * stand. It moves bytes between descriptors that the caller made and what is on the host: a byte
 * stream to an address, or a command's stdin, stdout and stderr.
 *
 * All functions are called on the main loop's thread and return at once; all callbacks arrive on
 * that thread. Descriptors passed in are taken: the transport closes them when the stream ends, so
 * the caller's end reads end-of-file. A slow reader slows the remote side (flow control), never the
 * transport.
 */
#ifndef PGONCALL_SSH_TRANSPORT_H
#define PGONCALL_SSH_TRANSPORT_H

#include <stdbool.h>

#include <pgoncall/base/err.h>

struct transport;

/* The steps of getting there, in order: the lines of the connection checklist. */
enum transport_step {
	TRANSPORT_STEP_CONFIG,  /* ssh's configuration resolved */
	TRANSPORT_STEP_CONNECT, /* TCP connection made, protocol agreed */
	TRANSPORT_STEP_HOSTKEY, /* host key verified */
	TRANSPORT_STEP_AUTH,    /* the server accepted us */
	TRANSPORT_STEP_COUNT
};

/* What the owner is told. on_down comes once, also when connecting fails; after it only
 * transport_close may be called. Streams still open get their `done` before it. */
struct transport_events {
	/* A step succeeded; detail (may be "") is for the checklist, e.g. the address or the key. */
	void (*on_step)(void *arg, enum transport_step step, const char *detail);
	void (*on_up)(void *arg);
	void (*on_down)(void *arg, const struct err *why);
	void *arg;
};

/* A command's end: err->code is ERR_OK and status its exit status (128 + signal when killed by one),
 * or the stream failed or was lost with the link (status -1). For a dialled stream status is 0. */
typedef void (*transport_done_cb)(void *arg, int status, const struct err *err);

struct transport_ops {
	const char *name; /* "libssh2", "openssh", "local" */
	/* Joins fd_take with a TCP connection to host:port as seen from the far side; or, where host
	 * begins with a slash, with the Unix socket of that path there. For a socket an ERR_CONNECT
	 * may also mean that the SSH server forwards to none: servers do not tell. */
	void (*dial)(struct transport *transport, const char *host, int port, int fd_take,
		transport_done_cb done, void *arg);
	/* Runs a command line with the far side's shell; any of fds_take may be -1 (/dev/null). */
	void (*exec)(struct transport *transport, const char *command, const int fds_take[3],
		transport_done_cb done, void *arg);
	/* Last measured round trip in milliseconds, or -1. */
	double (*rtt_ms)(const struct transport *transport);
	/* The verified host key as "SHA256:…", or "" (local, not yet known). */
	const char *(*host_key)(const struct transport *transport);
	/* Ends every stream (their `done` is called with ERR_CANCELLED before this returns), then frees.
	 * on_down is not called. */
	void (*close)(struct transport *transport);
};

/* Implementations embed this first. */
struct transport {
	const struct transport_ops *ops;
};

#endif
