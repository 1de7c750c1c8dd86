/*
 * Getting a session to one hop of a route, in a worker: (resolve,) connect, agree, verify the host
 * key, authenticate. The job's fields are the worker's while setup_run runs and the SSH thread's
 * before and after; in between only setup_cancel and setup_answer may be called.
 */
#ifndef PGONCALL_SSH_SETUP_H
#define PGONCALL_SSH_SETUP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/ssh/libssh2_transport.h>
#include <pgoncall/ssh/route.h>
#include <pgoncall/ssh/wait.h>

struct _LIBSSH2_SESSION;
struct ssh_io;

struct ssh_setup {
	/* What to do. */
	const char *destination; /* borrowed; resolved when `route` is empty */
	const char *config_file; /* borrowed; may be NULL */
	struct ssh_route *route; /* borrowed; filled when empty */
	size_t hop;              /* which of the route's hops */
	int fd;                  /* the stream to it, taken; -1: connect by TCP */
	int timeout_s;           /* per phase; 0: as configured, else 10 */
	bool may_hand_over; /* stop as soon as it is clear that the system's ssh can do better */

	/* Who is told; both are called in the worker. ask NULL: nobody can be asked. */
	void (*step)(void *arg, enum transport_step step, const char *detail);
	void (*ask)(void *arg, const struct ssh_question *question);
	void *arg;

	/* What came of it. */
	int rc; /* 0, or -1 with err */
	struct err err;
	struct _LIBSSH2_SESSION *session; /* these two are the owner's when rc is 0, else NULL */
	struct ssh_io *io;
	char *host_key; /* "SHA256:…", or NULL */
	bool wants_openssh;

	/* The worker's own. */
	struct ssh_wait wait;
	pthread_mutex_t lock; /* guards answer */
	int answer_fd;        /* an eventfd: an answer is there */
	char *answer;
};

struct ssh_setup *setup_new(void);
/* After the worker has ended. Frees what was not taken out. */
void setup_free(struct ssh_setup *setup);

/* The worker. */
void setup_run(struct ssh_setup *setup);

/* From another thread: makes setup_run return soon. */
void setup_cancel(struct ssh_setup *setup);
/* From another thread: answers the open question; NULL declines. Takes the string. */
void setup_answer(struct ssh_setup *setup, char *answer_take);

/* In the worker: somebody can be asked. */
bool setup_may_ask(const struct ssh_setup *setup);
/* In the worker: asks and waits. NULL where nobody can be asked, declined, or the server hung up
 * meanwhile; else the caller wipes and frees it. prompt and detail are sanitised here. */
char *setup_ask(struct ssh_setup *setup, enum ssh_ask kind, const char *prompt, const char *detail,
	bool echo);
/* In the worker: gives the next phase its full time. */
void setup_renew(struct ssh_setup *setup);
/* The hop that is being set up. */
const struct ssh_config *setup_config(const struct ssh_setup *setup);

#endif
