/*
 * A port on this machine that leads to one address behind a transport, for one kind of peer only.
 *
 * It listens on a random loopback address (127.x.y.z) at the remote port's own number, so that
 * .pgpass and certificates match as if the connection were direct. Every connection is shown to
 * peer_allowed first; one that it does not know is closed before a byte is read. Runs on the main
 * loop.
 */
#ifndef PGONCALL_SSH_TUNNEL_H
#define PGONCALL_SSH_TUNNEL_H

#include <stdbool.h>

#include <pgoncall/base/err.h>

struct loop;
struct transport;
struct ssh_tunnel;

/* remote_host is a name or an address, or a directory (it begins with a slash) that holds PostgreSQL's
 * socket of that port. peer_allowed says whether the loopback peer with this port is ours (the port of libpq's socket).
 * The transport must outlive the tunnel's listening, not its streams. NULL on failure. */
struct ssh_tunnel *tunnel_open(struct loop *loop, struct transport *transport,
	const char *remote_host, int remote_port, bool (*peer_allowed)(void *arg, int peer_port),
	void *arg, struct err *err);

/* For a socket: the command that joins its standard input and output with it on the far side, for
 * where forwarding to it fails, and what an exit status of it means. Copied. Streams that failed
 * before that was known are lost. */
void tunnel_set_bridge(struct ssh_tunnel *tunnel, const char *command,
	void (*explain)(int status, const char *path, struct err *err));
/* Forwarding has failed and the command takes its place: connecting again at once is worth it. */
bool tunnel_is_bridged(const struct ssh_tunnel *tunnel);

/* Streams that were let in and have not ended. */
int tunnel_streams(const struct ssh_tunnel *tunnel);

/* Stops listening; streams that were let in go on until they end. NULL is allowed. */
void tunnel_close(struct ssh_tunnel *tunnel);

/* "127.x.y.z". */
const char *tunnel_address(const struct ssh_tunnel *tunnel);
/* The remote port's number; another one where the system refuses that. */
int tunnel_port(const struct ssh_tunnel *tunnel);

/* Why the last stream failed (ERR_OK where none did): libpq itself sees only a closed connection.
 * The sentence names host and port as seen from the far side. */
const struct err *tunnel_last_error(const struct ssh_tunnel *tunnel);

#endif
