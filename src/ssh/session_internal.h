/*
 * What session.c and channel.c share.
 */
#ifndef PGONCALL_SSH_SESSION_INTERNAL_H
#define PGONCALL_SSH_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/err.h>

struct _LIBSSH2_SESSION;
struct channel;
struct loop;
struct ssh_io;
struct ssh_session;

struct loop *session_loop(struct ssh_session *session);
struct _LIBSSH2_SESSION *session_lib(struct ssh_session *session);
const char *session_name(const struct ssh_session *session);
/* The queue for the socket is short enough for more data. */
bool session_takes_more(const struct ssh_session *session);
/* A descriptor of the channel is ready. */
void session_wake(struct ssh_session *session);
/* A libssh2 call failed: true when that is the end of the session (which is then noted), false when
 * it concerns the one channel. */
bool session_check(struct ssh_session *session, int rc);
/* Has libssh2's last sentence. */
const char *session_last_message(struct ssh_session *session);
/* How long the server took to answer an open. */
void session_note_open(struct ssh_session *session, int64_t ns);

#endif
