/*
 * One channel's bytes. Owns its local descriptors and two kinds of bounded buffers; the session
 * decides when to pump. Nothing here blocks, and nothing is read that could not be put somewhere.
 */
#include <pgoncall/ssh/channel.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libssh2.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/wire.h>

#include "session_internal.h"

#define CHANNEL_BUFFER (64 * 1024)
/* Reads of one pump, so that one busy channel does not starve the others. */
#define CHANNEL_READS 8
/* A large window lets a flood of logs delay the tunnel by 10 ms; 128 KiB by 0.5 ms. */
#define CHANNEL_EXEC_WINDOW (128 * 1024)
#define CHANNEL_EXEC_PACKET 32768

/* Signals that RFC 4254 section 6.10 names, with the numbers a local shell would report. */
static const struct {
	const char *name;
	int number;
} channel_signals[] = {
	{ "ABRT", SIGABRT },
	{ "ALRM", SIGALRM },
	{ "BUS", SIGBUS },
	{ "FPE", SIGFPE },
	{ "HUP", SIGHUP },
	{ "ILL", SIGILL },
	{ "INT", SIGINT },
	{ "KILL", SIGKILL },
	{ "PIPE", SIGPIPE },
	{ "QUIT", SIGQUIT },
	{ "SEGV", SIGSEGV },
	{ "TERM", SIGTERM },
	{ "TRAP", SIGTRAP },
	{ "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 },
};

int channel_signal_number(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(channel_signals) / sizeof(channel_signals[0]); i++)
		if (str_equal(name, channel_signals[i].name))
			return channel_signals[i].number;
	return 0;
}

struct channel *channel_new(
	struct ssh_session *session, enum channel_kind kind, transport_done_cb done, void *arg)
{
	struct channel *channel = mem_calloc(1, sizeof(*channel));

	channel->session = session;
	channel->kind = kind;
	channel->done = done;
	channel->arg = arg;
	channel->in.fd = -1;
	channel->out[0].fd = -1;
	channel->out[1].fd = -1;
	return channel;
}

/* --- local descriptors ------------------------------------------------------------------------ */

static void channel_on_in(struct loop_poll *poll, int events, void *arg)
{
	struct channel *channel = arg;

	(void)poll;
	(void)events;
	channel->in.readable = true;
	session_wake(channel->session);
}

/* True when nobody can read any more what is written to fd. */
static bool channel_reader_left(int fd)
{
	struct pollfd p = { fd, 0, 0 };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP));
}

static void channel_on_out(struct loop_poll *poll, int events, void *arg)
{
	struct channel *channel = arg;
	struct channel_out *out =
		channel->out[0].poll == poll ? &channel->out[0] : &channel->out[1];

	if ((events & LOOP_READ) && out->watch_reader) {
		if (channel_reader_left(out->fd))
			out->lost = true;
		else
			out->watch_reader = false; /* a half-closed socket: readable for ever */
	}
	session_wake(channel->session);
}

/* Files and /dev/null cannot be polled, and need not. */
static struct loop_poll *channel_poll(
	struct channel *channel, int fd, void (*cb)(struct loop_poll *poll, int events, void *arg))
{
	struct stat st;

	if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ||
		(S_ISCHR(st.st_mode) && !isatty(fd)))
		return NULL;
	return loop_poll_start(session_loop(channel->session), fd, 0, cb, channel);
}

void channel_set_fds(struct channel *channel, int in, int out, int err)
{
	int fds[2] = { out, err }, i;

	channel->in.fd = in;
	channel->in.readable = true;
	if (in >= 0) {
		loop_set_nonblocking(in, NULL);
		channel->in.poll = channel_poll(channel, in, channel_on_in);
	}
	for (i = 0; i < 2; i++) {
		channel->out[i].fd = fds[i];
		if (fds[i] < 0)
			continue;
		channel->has_reader = true;
		loop_set_nonblocking(fds[i], NULL);
		channel->out[i].poll = channel_poll(channel, fds[i], channel_on_out);
		channel->out[i].watch_reader = channel->kind == CHANNEL_EXEC;
	}
}

static void channel_close_in(struct channel *channel)
{
	struct channel_in *in = &channel->in;

	loop_poll_stop(in->poll);
	in->poll = NULL;
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}

/* The reader sees end-of-file, also where the descriptor is a copy of one that stays open. */
static void channel_close_out(struct channel_out *out)
{
	loop_poll_stop(out->poll);
	out->poll = NULL;
	if (out->fd >= 0) {
		shutdown(out->fd, SHUT_WR);
		close(out->fd);
	}
	out->fd = -1;
	out->off = out->len = 0;
}

void channel_free(struct channel *channel)
{
	channel_close_in(channel);
	channel_close_out(&channel->out[0]);
	channel_close_out(&channel->out[1]);
	free(channel->in.data);
	free(channel->out[0].data);
	free(channel->out[1].data);
	buf_fini(&channel->message);
	free(channel->host);
	free(channel->command);
	free(channel);
}

void channel_end(struct channel *channel, int status, const struct err *err)
{
	transport_done_cb done = channel->done;
	struct err none = { ERR_OK, "" };

	channel_close_in(channel);
	channel_close_out(&channel->out[0]);
	channel_close_out(&channel->out[1]);
	/* One that is being opened must be waited for: libssh2 cannot take an open back. */
	if (channel->state != CHANNEL_OPENING)
		channel->state = channel->lib ? CHANNEL_CLOSING : CHANNEL_GONE;
	channel->done = NULL;
	if (done)
		done(channel->arg, status, err ? err : &none);
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool channel_is_socket(const struct channel *channel)
{
	return channel->kind == CHANNEL_DIAL && channel->host[0] == '/';
}

/* libssh2 1.10 has no call of its own for this. OpenSSH's PROTOCOL, 2.4: the path, a string and a
 * number that are reserved. libssh2 reads the message again until it is sent. */
static LIBSSH2_CHANNEL *channel_ask_socket(struct channel *channel)
{
	static const char type[] = "direct-streamlocal@openssh.com";
	struct buf *message = &channel->message;

	if (!message->len) {
		wire_add_string(message, channel->host, strlen(channel->host));
		wire_add_string(message, "", 0);
		wire_add_u32(message, 0);
	}
	return libssh2_channel_open_ex(session_lib(channel->session), type, strlen(type),
		LIBSSH2_CHANNEL_WINDOW_DEFAULT, LIBSSH2_CHANNEL_PACKET_DEFAULT, message->data,
		(unsigned)message->len);
}

static LIBSSH2_CHANNEL *channel_ask_open(struct channel *channel)
{
	LIBSSH2_SESSION *lib = session_lib(channel->session);

	if (channel_is_socket(channel))
		return channel_ask_socket(channel);
	if (channel->kind == CHANNEL_DIAL)
		return libssh2_channel_direct_tcpip_ex(
			lib, channel->host, channel->port, "127.0.0.1", 0);
	return libssh2_channel_open_ex(lib, "session", strlen("session"), CHANNEL_EXEC_WINDOW,
		CHANNEL_EXEC_PACKET, NULL, 0);
}

static void channel_refused(struct channel *channel)
{
	const char *name = session_name(channel->session);
	const char *message = session_last_message(channel->session);
	struct err err = { ERR_OK, "" };

	if (channel_is_socket(channel))
		err_set(&err, ERR_CONNECT,
			"the socket %s on %s does not take connections, or sshd there does not "
			"forward to sockets (AllowStreamLocalForwarding)",
			channel->host, name);
	else if (channel->kind == CHANNEL_DIAL && str_contains_nocase(message, "prohibited"))
		err_set(&err, ERR_REFUSED,
			"sshd at %s forbids connections to %s:%d; allow them there "
			"(AllowTcpForwarding, PermitOpen)",
			name, channel->host, channel->port);
	else if (channel->kind == CHANNEL_DIAL)
		err_set(&err, ERR_CONNECT,
			"%s:%d does not take connections, as seen from %s; check that the server "
			"there runs and listens at that address",
			channel->host, channel->port, name);
	else
		err_set(&err, ERR_TRANSPORT,
			"sshd at %s opens no further command (%s); check MaxSessions and the "
			"number "
			"of processes there",
			name, message);
	channel->state = CHANNEL_GONE;
	channel_end(channel, -1, &err);
}

bool channel_open_step(struct channel *channel)
{
	LIBSSH2_SESSION *lib = session_lib(channel->session);

	if (channel->state == CHANNEL_QUEUED) {
		channel->state = CHANNEL_OPENING;
		channel->asked_at = clock_monotonic();
	}
	channel->lib = channel_ask_open(channel);
	if (!channel->lib) {
		int rc = libssh2_session_last_errno(lib);

		if (rc == LIBSSH2_ERROR_EAGAIN || session_check(channel->session, rc))
			return false;
		session_note_open(channel->session, clock_monotonic() - channel->asked_at);
		channel_refused(channel);
		return true;
	}
	session_note_open(channel->session, clock_monotonic() - channel->asked_at);
	channel->state = channel->kind == CHANNEL_EXEC ? CHANNEL_STARTING : CHANNEL_RUNNING;
	if (channel->kind != CHANNEL_EXEC)
		libssh2_channel_handle_extended_data2(
			channel->lib, LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE);
	if (channel->kind == CHANNEL_PROBE || !channel->done)
		channel_end(channel, 0, NULL);
	return true;
}

static bool channel_start_step(struct channel *channel)
{
	int rc = libssh2_channel_process_startup(channel->lib, "exec", strlen("exec"),
		channel->command, (unsigned)strlen(channel->command));
	struct err err = { ERR_OK, "" };

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return false;
	if (rc == 0) {
		channel->state = CHANNEL_RUNNING;
		return true;
	}
	if (session_check(channel->session, rc))
		return false;
	err_set(&err, ERR_COMMAND, "sshd at %s refuses to run commands for this account",
		session_name(channel->session));
	channel_end(channel, -1, &err);
	return true;
}

/* --- remote → local --------------------------------------------------------------------------- */

/* Writes what waits. A reader that left is noted; what still comes is dropped. */
static bool channel_write_out(struct channel_out *out)
{
	size_t before = out->len;
	ssize_t n;

	while (out->len) {
		if (out->fd < 0 || out->lost) {
			out->len = 0;
			break;
		}
		n = write(out->fd, out->data + out->off, out->len);
		if (n >= 0) {
			out->off += (size_t)n;
			out->len -= (size_t)n;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			out->lost = true;
		}
	}
	return out->len != before;
}

static bool channel_pump_out(struct channel *channel, int stream)
{
	struct channel_out *out = &channel->out[stream];
	bool moved = channel_write_out(out);
	ssize_t n;
	int i;

	if (!out->data)
		out->data = mem_alloc(CHANNEL_BUFFER);
	for (i = 0; i < CHANNEL_READS && !out->len; i++) {
		n = libssh2_channel_read_ex(channel->lib, stream ? SSH_EXTENDED_DATA_STDERR : 0,
			out->data, CHANNEL_BUFFER);
		if (n <= 0) {
			if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
				session_check(channel->session, (int)n);
			break;
		}
		out->off = 0;
		out->len = (size_t)n;
		channel_write_out(out);
		moved = true;
	}
	return moved;
}

/* --- local → remote --------------------------------------------------------------------------- */

static bool channel_read_in(struct channel *channel)
{
	struct channel_in *in = &channel->in;
	ssize_t n;

	if (!in->data)
		in->data = mem_alloc(CHANNEL_BUFFER);
	do {
		n = read(in->fd, in->data, CHANNEL_BUFFER);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		in->readable = false;
		return false;
	}
	if (n <= 0) {
		in->ended = true;
		channel_close_in(channel);
		return true;
	}
	in->off = 0;
	in->len = (size_t)n;
	return true;
}

/* False when libssh2 takes nothing now, or failed. */
static bool channel_write_lib(struct channel *channel)
{
	struct channel_in *in = &channel->in;
	ssize_t n = libssh2_channel_write_ex(channel->lib, 0, in->data + in->off, in->len);

	if (n > 0) {
		in->off += (size_t)n;
		in->len -= (size_t)n;
		return true;
	}
	if (n < 0 && n != LIBSSH2_ERROR_EAGAIN && !session_check(channel->session, (int)n))
		in->len = 0; /* the channel takes nothing any more */
	return false;
}

static bool channel_pump_in(struct channel *channel)
{
	struct channel_in *in = &channel->in;
	bool moved = false;
	int i, rc;

	for (i = 0; i < CHANNEL_READS; i++) {
		if (!session_takes_more(channel->session))
			break;
		if (!in->len && in->fd >= 0 && in->readable)
			moved |= channel_read_in(channel);
		if (!in->len || !channel_write_lib(channel))
			break;
		moved = true;
	}
	if (in->fd < 0 && !in->len && !in->eof_sent) {
		rc = libssh2_channel_send_eof(channel->lib);
		if (rc != LIBSSH2_ERROR_EAGAIN) {
			in->eof_sent = true;
			moved = true;
			session_check(channel->session, rc);
		}
	}
	return moved;
}

/* --- ends ------------------------------------------------------------------------------------- */

/* 128 + signal, or the status; libssh2 cannot tell "none was sent" from 0. */
static int channel_exit_status(struct channel *channel)
{
	char *name = NULL;
	size_t len = 0;
	int number = 0, status;

	libssh2_channel_get_exit_signal(channel->lib, &name, &len, NULL, NULL, NULL, NULL);
	if (name) {
		number = channel_signal_number(name);
		libssh2_free(session_lib(channel->session), name);
		return 128 + number;
	}
	status = libssh2_channel_get_exit_status(channel->lib);
	return status;
}

/* Everything came, was delivered, and the far side is done. */
static bool channel_check_finished(struct channel *channel)
{
	if (channel->out[0].len || channel->out[1].len || libssh2_channel_eof(channel->lib) != 1)
		return false;
	channel->remote_ended = true;
	channel_close_out(&channel->out[0]);
	channel_close_out(&channel->out[1]);
	if (libssh2_channel_wait_closed(channel->lib) != 0)
		return false;
	channel_end(
		channel, channel->kind == CHANNEL_EXEC ? channel_exit_status(channel) : 0, NULL);
	return true;
}

/* Nobody is left to read: a tunnel is over; a command is left to its SIGPIPE. */
static bool channel_check_deserted(struct channel *channel)
{
	struct err err = { ERR_OK, "" };
	int i;

	if (!channel->has_reader || channel->remote_ended)
		return false;
	for (i = 0; i < 2; i++)
		if (channel->out[i].fd >= 0 && !channel->out[i].lost)
			return false;
	if (!channel->out[0].lost && !channel->out[1].lost)
		return false;
	if (channel->kind == CHANNEL_DIAL) {
		channel_end(channel, 0, NULL);
	} else {
		err_set(&err, ERR_CANCELLED, "the command's output is not read any more");
		channel_end(channel, -1, &err);
	}
	return true;
}

static bool channel_close_step(struct channel *channel)
{
	if (libssh2_channel_free(channel->lib) == LIBSSH2_ERROR_EAGAIN)
		return false;
	channel->lib = NULL;
	channel->state = CHANNEL_GONE;
	return true;
}

bool channel_pump(struct channel *channel)
{
	bool moved = false;

	switch (channel->state) {
	case CHANNEL_QUEUED:
	case CHANNEL_OPENING:
	case CHANNEL_GONE:
		return false;
	case CHANNEL_STARTING:
		return channel_start_step(channel);
	case CHANNEL_CLOSING:
		return channel_close_step(channel);
	case CHANNEL_RUNNING:
		break;
	}
	moved |= channel_pump_out(channel, 0);
	if (channel->kind == CHANNEL_EXEC)
		moved |= channel_pump_out(channel, 1);
	if (channel_check_finished(channel) || channel_check_deserted(channel))
		return true;
	return channel_pump_in(channel) || moved;
}

static void channel_poll_for(struct loop_poll *poll, int *polled, int events)
{
	if (!poll || *polled == events)
		return;
	*polled = events;
	loop_poll_change(poll, events);
}

void channel_update_polls(struct channel *channel)
{
	struct channel_in *in = &channel->in;
	struct channel_out *out;
	bool running = channel->state == CHANNEL_RUNNING;
	int events, i;

	channel_poll_for(
		in->poll, &in->polled, running && !in->readable && !in->len ? LOOP_READ : 0);
	for (i = 0; i < 2; i++) {
		out = &channel->out[i];
		events = out->len ? LOOP_WRITE : 0;
		if (out->watch_reader && running)
			events |= LOOP_READ;
		channel_poll_for(out->poll, &out->polled, out->lost ? 0 : events);
	}
}
