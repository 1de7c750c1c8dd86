/*
 * Bytes between libssh2 and a socket. Owns the socket and the output queue; knows nothing of
 * channels.
 */
#include <pgoncall/ssh/io.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh2.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ssh/wait.h>

/* Sent bytes stay at the queue's front until they are this many, so that it is not moved often. */
#define IO_COMPACT (256 * 1024)
/* What one call takes from the socket: four times what libssh2 asks for. */
#define IO_AHEAD (64 * 1024)
/* A server's version line and its lists of algorithms take 2 KiB. */
#define IO_HELLO_MAX 65536

struct ssh_io *io_new(int fd, bool tcp)
{
	struct ssh_io *io = mem_calloc(1, sizeof(*io));

	io->fd = fd;
	io->tcp = tcp;
	io->quota = SIZE_MAX;
	io->ahead = mem_alloc(IO_AHEAD);
	return io;
}

void io_free(struct ssh_io *io)
{
	if (!io)
		return;
	if (io->fd >= 0)
		close(io->fd);
	buf_fini(&io->hello);
	free(io->ahead);
	buf_fini(&io->out);
	free(io);
}

size_t io_pending(const struct ssh_io *io)
{
	return io->out.len - io->sent;
}

bool io_may_read(const struct ssh_io *io)
{
	return io->ahead_len || (!io->starved && io->quota);
}

bool io_readable(const struct ssh_io *io)
{
	struct pollfd p = { io->fd, POLLIN, 0 };

	return io->ahead_len || poll(&p, 1, 0) > 0;
}

static void io_break(struct ssh_io *io, int errnum)
{
	if (io->broken)
		return;
	io->broken = true;
	io->broken_errno = errnum;
}

void io_flush(struct ssh_io *io)
{
	ssize_t n;

	while (!io->broken && io_pending(io)) {
		n = send(io->fd, io->out.data + io->sent, io_pending(io), MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				io_break(io, errno);
			break;
		}
		io->sent += (size_t)n;
	}
	if (io->broken || !io_pending(io)) {
		buf_clear(&io->out);
		io->sent = 0;
	} else if (io->sent > IO_COMPACT) {
		buf_consume(&io->out, io->sent);
		io->sent = 0;
	}
}

/* A packet is always taken whole. A broken socket swallows: the reading side reports it, and a
 * session can be freed without waiting. */
static ssize_t io_on_send(
	libssh2_socket_t fd, const void *bytes, size_t len, int flags, void **abstract)
{
	struct ssh_io *io = *abstract;

	(void)fd;
	(void)flags;
	if (io->broken)
		return (ssize_t)len;
	buf_add(&io->out, bytes, len);
	io_flush(io);
	return (ssize_t)len;
}

/* One call to the system where libssh2, which asks for 16 KiB, would make several. */
static ssize_t io_read_ahead(struct ssh_io *io)
{
	size_t most = io->quota < IO_AHEAD ? io->quota : IO_AHEAD;
	ssize_t n;

	do {
		n = recv(io->fd, io->ahead, most, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		io->starved = true;
		return -EAGAIN;
	}
	if (n <= 0) {
		io_break(io, n < 0 ? errno : 0);
		return n < 0 ? -errno : 0;
	}
	io->ahead_off = 0;
	io->ahead_len = (size_t)n;
	io->received += n;
	io->quota -= (size_t)n;
	if (io->keep_hello && io->hello.len < IO_HELLO_MAX)
		buf_add(&io->hello, io->ahead, (size_t)n);
	return n;
}

static ssize_t io_on_recv(libssh2_socket_t fd, void *bytes, size_t len, int flags, void **abstract)
{
	struct ssh_io *io = *abstract;
	ssize_t n;

	(void)fd;
	(void)flags;
	if (io->broken)
		return 0;
	if (!io_may_read(io))
		return -EAGAIN;
	if (!io->ahead_len) {
		n = io_read_ahead(io);
		if (n <= 0)
			return n;
	}
	if (len > io->ahead_len)
		len = io->ahead_len;
	memcpy(bytes, io->ahead + io->ahead_off, len);
	io->ahead_off += len;
	io->ahead_len -= len;
	return (ssize_t)len;
}

static void io_on_disconnect(LIBSSH2_SESSION *session, int reason, const char *message,
	int message_len, const char *language, int language_len, void **abstract)
{
	struct ssh_io *io = *abstract;
	struct buf text = BUF_INIT;

	(void)session;
	(void)reason;
	(void)language;
	(void)language_len;
	if (message && message_len > 0) {
		utf8_sanitise(&text, message, (size_t)message_len, UTF8_ONE_LINE);
		snprintf(io->said, sizeof(io->said), "%s", buf_str(&text));
	}
	buf_fini(&text);
	io_break(io, 0);
}

struct _LIBSSH2_SESSION *io_session_new(struct ssh_io *io)
{
	LIBSSH2_SESSION *session =
		libssh2_session_init_ex(memory_alloc, memory_free, memory_realloc, io);

	if (!session)
		abort(); /* only for want of memory */
	libssh2_session_callback_set(session, LIBSSH2_CALLBACK_SEND, (void *)io_on_send);
	libssh2_session_callback_set(session, LIBSSH2_CALLBACK_RECV, (void *)io_on_recv);
	libssh2_session_callback_set(
		session, LIBSSH2_CALLBACK_DISCONNECT, (void *)io_on_disconnect);
	libssh2_session_set_blocking(session, 0);
	return session;
}

void io_session_free(struct ssh_io *io, struct _LIBSSH2_SESSION *session, const char *reason)
{
	int i;

	if (!session)
		return;
	if (reason && !io->broken) {
		libssh2_session_disconnect(session, reason);
		io_flush(io);
	}
	io_break(io, 0);
	/* With a broken socket nothing waits; the bound is for libssh2's surprises. */
	for (i = 0; i < 1000 && libssh2_session_free(session) == LIBSSH2_ERROR_EAGAIN; i++)
		continue;
}

void io_quick_ack(struct ssh_io *io)
{
	int on = 1;

	if (io->tcp)
		setsockopt(io->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

int io_wait(struct ssh_io *io, const struct ssh_wait *wait, struct err *err)
{
	short events = POLLIN;

	io_flush(io);
	io_quick_ack(io);
	if (io_pending(io))
		events |= POLLOUT;
	if (!io->broken && wait_fd(wait, io->fd, events, err) < 0)
		return -1;
	io_flush(io);
	io->starved = false;
	return 0;
}

void io_explain(const struct ssh_io *io, struct buf *out)
{
	if (!io->broken)
		buf_add_str(out, "the server broke the protocol");
	else if (io->broken_errno)
		buf_add_str(out, strerror(io->broken_errno));
	else
		buf_add_str(out, "the server closed the connection");
	if (io->said[0])
		buf_printf(out, " (%s)", io->said);
}
