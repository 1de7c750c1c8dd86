/*
 * One channel of a session: the pumping between libssh2 and local descriptors, in both directions,
 * with end-of-file and backpressure. Part of session.h's inside.
 */
#ifndef PGONCALL_SSH_CHANNEL_H
#define PGONCALL_SSH_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/ssh/transport.h>

struct _LIBSSH2_CHANNEL;
struct loop;
struct loop_poll;
struct ssh_session;

enum channel_kind { CHANNEL_DIAL, CHANNEL_EXEC, CHANNEL_PROBE };

/* Forward only. */
enum channel_state {
	CHANNEL_QUEUED,   /* waits for its turn: libssh2 opens one at a time */
	CHANNEL_OPENING,  /* the request to open is out */
	CHANNEL_STARTING, /* open; the command was asked for */
	CHANNEL_RUNNING,
	CHANNEL_CLOSING, /* `done` was called, descriptors are closed; libssh2 says goodbye */
	CHANNEL_GONE
};

/* local → remote */
struct channel_in {
	int fd; /* owned; -1: none, or closed */
	struct loop_poll *poll;
	int polled;    /* what for */
	bool readable; /* a read may give something */
	bool ended;    /* end-of-file was read */
	bool eof_sent;
	char *data;      /* CHANNEL_BUFFER bytes, or NULL */
	size_t off, len; /* what waits in data: libssh2 must be given the same bytes again */
};

/* remote → local; the owner reads more only when data is empty, so that a slow reader holds back
 * the far side through the channel's window. */
struct channel_out {
	int fd; /* owned; -1: drop what comes */
	struct loop_poll *poll;
	int polled;
	bool watch_reader; /* poll also for the reader's going away */
	bool lost;         /* the reader went away */
	char *data;
	size_t off, len;
};

struct channel {
	struct ssh_session *session;
	struct channel *next;
	enum channel_kind kind;
	enum channel_state state;
	struct _LIBSSH2_CHANNEL *lib;
	char *host; /* DIAL: a name or address, or a socket's path */
	int port;
	struct buf message; /* of the request to open a socket */
	char *command; /* EXEC */
	struct channel_in in;
	struct channel_out out[2]; /* stdout (or the stream), stderr */
	bool has_reader;           /* EXEC: one of out had a descriptor */
	bool remote_ended;         /* its end-of-file came and everything was delivered */
	int patience_ms;           /* how long the open may take before `done` is told */
	int64_t asked_at;          /* when the open request went out, clock_monotonic */
	transport_done_cb done;    /* NULL once called */
	void *arg;
};

struct channel *channel_new(
	struct ssh_session *session, enum channel_kind kind, transport_done_cb done, void *arg);
/* Descriptors are taken; in and out must differ. */
void channel_set_fds(struct channel *channel, int in, int out, int err);
/* Frees; libssh2's side must be gone. */
void channel_free(struct channel *channel);

/* One step towards being open. True: something happened. */
bool channel_open_step(struct channel *channel);
/* Moves what can be moved. True: something moved. */
bool channel_pump(struct channel *channel);
/* Sets what is polled for, after pumping. */
void channel_update_polls(struct channel *channel);

/* Calls done (once), closes the descriptors, and begins to close libssh2's side. */
void channel_end(struct channel *channel, int status, const struct err *err);

/* "SEGV" → 11; unknown names give 0. */
int channel_signal_number(const char *name);

#endif
