/*
 * A command that joins its standard input and output with a Unix socket on the host where it runs:
 * for SSH servers that forward to no socket. Whichever of socat, nc, python3 and perl is there does
 * it; that is found out in the same round trip. Pure text, as host/runtime.
 */
#ifndef PGONCALL_HOST_BRIDGE_H
#define PGONCALL_HOST_BRIDGE_H

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>

/* Appends the command line for a POSIX shell. `path` is the socket's. */
void host_bridge_command(const char *path, struct buf *out);
/* What an exit status of that command other than 0 means; always sets err. */
void host_bridge_explain(int status, const char *path, struct err *err);

#endif
