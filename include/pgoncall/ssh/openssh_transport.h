/*
 * A transport (see transport.h) over the system's ssh: one master process per link, and for each
 * stream a client process that hands the caller's descriptors to it. It follows everything in ssh's
 * configuration that decides how to get to the host; forwardings, remote commands and terminals
 * that are configured there do not apply.
 *
 * What ssh asks (host keys, passphrases, passwords, the server's own questions, PINs) it asks through
 * this program as its askpass (see askpass.h), also for its jump hosts; the owner's `ask` gets it.
 * Whose main does not call askpass_main first must not set `ask`.
 */
#ifndef PGONCALL_SSH_OPENSSH_TRANSPORT_H
#define PGONCALL_SSH_OPENSSH_TRANSPORT_H

#include <pgoncall/ssh/libssh2_transport.h>
#include <pgoncall/ssh/transport.h>

struct loop;

/* Begins to connect; never fails at once: what goes wrong comes as on_down. options->timeout_s is
 * how long ssh may make no progress (0: its own ConnectTimeout, else 15). Differences from
 * transport.h that ssh(1) forces: rtt_ms is always -1, and a command that a signal ended is
 * reported as failed (status -1), since ssh does not tell it from a lost connection. */
struct transport *openssh_transport_open(struct loop *main_loop, const struct ssh_options *options,
	const struct transport_events *events);

/* Answers the open question; NULL declines. Ignored when none is open. */
void openssh_transport_answer(struct transport *transport, const char *answer);

#endif
