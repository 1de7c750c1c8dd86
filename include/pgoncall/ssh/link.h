/*
 * The SSH thread's half of a transport: the chain of sessions from the first jump host to the
 * target, from nothing to up to down. What happens is told in messages that arrive on the main
 * loop, in order; the last one is LINK_CLOSED.
 */
#ifndef PGONCALL_SSH_LINK_H
#define PGONCALL_SSH_LINK_H

#include <stdbool.h>

#include <pgoncall/base/err.h>
#include <pgoncall/ssh/libssh2_transport.h>

struct loop;
struct ssh_link;
struct ssh_thread;

enum link_message_kind {
	LINK_STEP,     /* step, text */
	LINK_ASK,      /* question (text and detail hold its strings) */
	LINK_HOST_KEY, /* text */
	LINK_UP,
	LINK_RTT,        /* rtt_ms */
	LINK_STREAM_END, /* stream, status, err */
	LINK_DOWN,       /* err, wants_openssh; after the ends of all streams */
	LINK_CLOSED      /* after link_close: the link is gone, the owner may be freed */
};

struct link_message {
	enum link_message_kind kind;
	void *owner;
	enum transport_step step;
	struct ssh_question question;
	char *text;   /* owned by the message */
	char *detail; /* owned by the message */
	void *stream;
	int status;
	double rtt_ms;
	bool wants_openssh;
	struct err err;
};

/* The functions below are called on the main loop's thread; they post to the SSH thread. */

/* `receive` is called on main_loop with messages that are valid during the call. */
struct ssh_link *link_open(struct ssh_thread *thread, struct loop *main_loop,
	const struct ssh_options *options, void *owner,
	void (*receive)(const struct link_message *message));
/* Each stream ends with one LINK_STREAM_END that carries `stream`, whatever happens. */
void link_dial(struct ssh_link *link, const char *host, int port, int fd_take, void *stream);
void link_exec(struct ssh_link *link, const char *command, const int fds_take[3], void *stream);
void link_answer(struct ssh_link *link, const char *answer);
/* The pointer must not be used after it. */
void link_close(struct ssh_link *link);

/* On the SSH thread, when it ends: as link_close. */
void link_drop(struct ssh_link *link);
struct ssh_link *link_next(const struct ssh_link *link);

#endif
