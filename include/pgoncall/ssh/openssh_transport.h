/*
 * A transport (see transport.h) over the system's ssh: one master process per link, and for each
 * stream a client process that hands the caller's descriptors to it. It follows everything in ssh's
 * configuration that decides how to get to the host; forwardings, remote commands and terminals
 * that are configured there do not apply.
 *
 * It asks nothing: the `ask` of the options is not used. Unknown host keys are refused and
 * known_hosts is never written; passphrases and passwords are not asked for.
 */
#ifndef PGONCALL_SSH_OPENSSH_TRANSPORT_H
#define PGONCALL_SSH_OPENSSH_TRANSPORT_H

#include <pgoncall/ssh/libssh2_transport.h>
#include <pgoncall/ssh/transport.h>

struct loop;

/* Begins to connect; never fails at once: what goes wrong comes as on_down. options->timeout_s is
 * how long ssh may make no progress (0: its own ConnectTimeout, at most 15). Differences from
 * transport.h that ssh(1) forces: rtt_ms is always -1, and a command that a signal ended is
 * reported as failed (status -1), since ssh does not tell it from a lost connection. */
struct transport *openssh_transport_open(struct loop *main_loop, const struct ssh_options *options,
	const struct transport_events *events);

#endif
