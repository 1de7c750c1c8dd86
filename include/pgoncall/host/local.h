/*
 * This machine as a transport (`ssh = none` in the configuration): dial is a TCP connection from
 * here, exec a child of /bin/sh in a process group of its own.
 *
 * A command whose reader is gone (the caller closed its end of the command's stdout, or of stderr
 * where there is no stdout) is ended with SIGTERM to its process group, as is every command at
 * close. A command is over when its shell is: what a child left in the background writes later is
 * lost.
 */
#ifndef PGONCALL_HOST_LOCAL_H
#define PGONCALL_HOST_LOCAL_H

#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/transport.h>

/* Never fails; on_up comes from the loop. *events is copied, its functions may be NULL. The loop
 * must outlive the transport. */
struct transport *local_transport_open(struct loop *loop, const struct transport_events *events);

#endif
