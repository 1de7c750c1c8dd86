/*
 * A running SSH session on the SSH thread: its socket, its channels, and whether the server is
 * still there. Everything here is called on that thread; `done` and `on_dead` must not call back
 * into the session at once, but post.
 */
#ifndef PGONCALL_SSH_SESSION_H
#define PGONCALL_SSH_SESSION_H

#include <stdbool.h>

#include <pgoncall/base/err.h>
#include <pgoncall/ssh/transport.h>

struct _LIBSSH2_SESSION;
struct loop;
struct ssh_io;
struct ssh_session;

struct ssh_session_events {
	/* Once, from a post of its own, when the session is lost; every stream has had its `done`.
	 * Not after session_free. */
	void (*on_dead)(void *arg, struct ssh_session *session, const struct err *why);
	void *arg;
};

/* Takes an authenticated session and its io. name ("host:port") is for sentences. */
struct ssh_session *session_new(struct loop *loop, struct _LIBSSH2_SESSION *lib_take,
	struct ssh_io *io_take, const char *name, const struct ssh_session_events *events);
/* Ends every stream with ERR_CANCELLED, says goodbye as far as the socket takes it, and frees. */
void session_free(struct ssh_session *session);

/* Looks for a dead link sooner than by itself: a sign of life is asked for after interval_s of silence,
 * and count such intervals without one are the end. */
void session_set_alive(struct ssh_session *session, int interval_s, int count);

/* As the functions of transport_ops. An address that does not answer fails after 5 s, and holds up
 * what is opened after it until the server gives up; a jump, whose ConnectTimeout is the caller's
 * to mind, after 15. */
void session_dial(struct ssh_session *session, const char *host, int port, int fd_take,
	bool jump, transport_done_cb done, void *arg);
void session_exec(struct ssh_session *session, const char *command, const int fds_take[3],
	transport_done_cb done, void *arg);

/* Of the TCP connection; over a jump host, of the last channel open. -1 where not known. */
double session_rtt_ms(const struct ssh_session *session);

#endif
