/*
 * A transport over libssh2 that becomes one over the system's ssh where libssh2 cannot speak what
 * the host, its keys or ssh's configuration want.
 */
#ifndef PGONCALL_SSH_AUTO_TRANSPORT_H
#define PGONCALL_SSH_AUTO_TRANSPORT_H

#include <pgoncall/ssh/libssh2_transport.h>
#include <pgoncall/ssh/transport.h>

struct loop;
struct ssh_thread;

enum ssh_transport_kind {
	SSH_TRANSPORT_AUTO, /* libssh2, else the system's ssh */
	SSH_TRANSPORT_LIBSSH2,
	SSH_TRANSPORT_OPENSSH
};

/* As ssh_transport_open. thread may be NULL for SSH_TRANSPORT_OPENSSH. When the way is changed,
 * on_step comes again with TRANSPORT_STEP_CONFIG and "system's ssh: REASON", and the later steps
 * follow anew; when that fails too, on_down names both reasons. ops->name says which one it is now.
 * Host keys, questions and host_key are those of the one in use. */
struct transport *ssh_auto_open(enum ssh_transport_kind kind, struct ssh_thread *thread,
	struct loop *main_loop, const struct ssh_options *options,
	const struct transport_events *events);

/* Answers the open question of a transport opened here (it is this one that `ask` names); NULL
 * declines. Ignored when none is open. */
void ssh_auto_answer(struct transport *transport, const char *answer);

#endif
