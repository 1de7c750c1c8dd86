/*
 * The local end of a tunnel: listening, letting in one peer, handing its socket to the transport.
 * Owns the listening socket; the bytes are the transport's.
 */
#include <pgoncall/ssh/tunnel.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/transport.h>

/* Addresses tried for the port's own number before another number is taken. */
#define TUNNEL_TRIES   16
#define TUNNEL_BACKLOG 8

struct ssh_tunnel {
	int refs; /* the owner's and one per stream: a stream's end may come after tunnel_close */
	struct loop_poll *poll; /* NULL once closed */
	int fd;
	struct transport *transport;
	char *remote_host; /* or the socket's path */
	int remote_port;
	bool bridged; /* the command is run instead of dialling */
	char *bridge; /* NULL: there is none */
	void (*explain)(int status, const char *path, struct err *err);
	bool (*peer_allowed)(void *arg, int peer_port);
	void *arg;
	char address[INET_ADDRSTRLEN];
	int port;
	struct err last_error;
};

static void tunnel_unref(struct ssh_tunnel *tunnel)
{
	if (--tunnel->refs)
		return;
	free(tunnel->bridge);
	free(tunnel->remote_host);
	free(tunnel);
}

static void tunnel_on_done(void *arg, int status, const struct err *err)
{
	struct ssh_tunnel *tunnel = arg;

	(void)status;
	if (err->code)
		tunnel->last_error = *err;
	if (err->code == ERR_CONNECT && tunnel->bridge)
		tunnel->bridged = true;
	tunnel_unref(tunnel);
}

static void tunnel_on_bridge_done(void *arg, int status, const struct err *err)
{
	struct ssh_tunnel *tunnel = arg;

	if (err->code)
		tunnel->last_error = *err;
	else if (status)
		tunnel->explain(status, tunnel->remote_host, &tunnel->last_error);
	tunnel_unref(tunnel);
}

static bool tunnel_lets_in(const struct ssh_tunnel *tunnel, const struct sockaddr_in *peer)
{
	return peer->sin_family == AF_INET && ntohl(peer->sin_addr.s_addr) >> 24 == 127 &&
	       tunnel->peer_allowed(tunnel->arg, ntohs(peer->sin_port));
}

static void tunnel_on_connection(struct loop_poll *poll, int events, void *arg)
{
	struct ssh_tunnel *tunnel = arg;
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd, on = 1;

	(void)poll;
	(void)events;
	memset(&peer, 0, sizeof(peer));
	fd = accept4(tunnel->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (!tunnel_lets_in(tunnel, &peer)) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	tunnel->refs++;
	if (tunnel->bridged)
		tunnel->transport->ops->exec(tunnel->transport, tunnel->bridge,
			(const int[3]){ fd, fd, -1 }, tunnel_on_bridge_done, tunnel);
	else
		tunnel->transport->ops->dial(tunnel->transport, tunnel->remote_host,
			tunnel->remote_port, fd, tunnel_on_done, tunnel);
}

/* 127.1.0.0 up to 127.254.255.255: never 127.0.0.1, where others listen. */
static struct in_addr tunnel_random_address(void)
{
	struct in_addr address;
	unsigned char r[3] = { 0, 0, 0 };

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		r[0] = (unsigned char)getpid();
	address.s_addr = htonl(
		127U << 24 | (1U + r[0] % 254U) << 16 | (uint32_t)r[1] << 8 | (1U + r[2] % 254U));
	return address;
}

static int tunnel_bind(struct ssh_tunnel *tunnel, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	address.sin_addr = tunnel_random_address();
	address.sin_port = htons((uint16_t)port);
	if (bind(tunnel->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		getsockname(tunnel->fd, (struct sockaddr *)&address, &len) < 0)
		return -1;
	inet_ntop(AF_INET, &address.sin_addr, tunnel->address, sizeof(tunnel->address));
	tunnel->port = ntohs(address.sin_port);
	return 0;
}

static int tunnel_listen(struct ssh_tunnel *tunnel, struct err *err)
{
	int i, rc = -1;

	tunnel->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (tunnel->fd < 0)
		return err_system(err, errno, "cannot make a socket for the tunnel");
	for (i = 0; i < TUNNEL_TRIES && rc < 0; i++) {
		rc = tunnel_bind(tunnel, tunnel->remote_port);
		if (rc < 0 && errno != EADDRINUSE)
			break; /* a privileged port, most likely */
	}
	if (rc < 0)
		rc = tunnel_bind(tunnel, 0);
	if (rc < 0 || listen(tunnel->fd, TUNNEL_BACKLOG) < 0) {
		err_system(err, errno,
			"cannot listen on a loopback address for the tunnel to %s:%d",
			tunnel->remote_host, tunnel->remote_port);
		close(tunnel->fd);
		return -1;
	}
	return 0;
}

struct ssh_tunnel *tunnel_open(struct loop *loop, struct transport *transport,
	const char *remote_host, int remote_port, bool (*peer_allowed)(void *arg, int peer_port),
	void *arg, struct err *err)
{
	struct ssh_tunnel *tunnel = mem_calloc(1, sizeof(*tunnel));

	tunnel->refs = 1;
	tunnel->transport = transport;
	tunnel->remote_host = remote_host[0] == '/'
		? mem_printf("%s/.s.PGSQL.%d", remote_host, remote_port)
		: mem_strdup(remote_host);
	tunnel->remote_port = remote_port;
	tunnel->peer_allowed = peer_allowed;
	tunnel->arg = arg;
	if (tunnel_listen(tunnel, err) < 0) {
		tunnel_unref(tunnel);
		return NULL;
	}
	tunnel->poll = loop_poll_start(loop, tunnel->fd, LOOP_READ, tunnel_on_connection, tunnel);
	return tunnel;
}

void tunnel_set_bridge(struct ssh_tunnel *tunnel, const char *command,
	void (*explain)(int status, const char *path, struct err *err))
{
	free(tunnel->bridge);
	tunnel->bridge = mem_strdup(command);
	tunnel->explain = explain;
}

bool tunnel_is_bridged(const struct ssh_tunnel *tunnel)
{
	return tunnel->bridged;
}

int tunnel_streams(const struct ssh_tunnel *tunnel)
{
	return tunnel->refs - 1;
}

void tunnel_close(struct ssh_tunnel *tunnel)
{
	if (!tunnel)
		return;
	loop_poll_stop(tunnel->poll);
	tunnel->poll = NULL;
	close(tunnel->fd);
	tunnel_unref(tunnel);
}

const char *tunnel_address(const struct ssh_tunnel *tunnel)
{
	return tunnel->address;
}

int tunnel_port(const struct ssh_tunnel *tunnel)
{
	return tunnel->port;
}

const struct err *tunnel_last_error(const struct ssh_tunnel *tunnel)
{
	return &tunnel->last_error;
}
