/*
 * A running session: one socket, many channels, one loop. Owns the order of pumping, the queue of
 * opens, the cap on commands, and finding out that the server is gone. The bytes of a channel are
 * channel.c's, those of the socket io.c's.
 *
 * The socket is always polled for reading, and whatever wakes the session, everything the socket
 * holds is moved into libssh2 (session_drain, in portions), whose memory the channels' windows bound. So a
 * channel whose reader is slow never makes a level-triggered poll spin, and cannot hold up the
 * others.
 */
#include <pgoncall/ssh/session.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh2.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/channel.h>
#include <pgoncall/ssh/io.h>

#include "session_internal.h"

/* Rounds before other sessions and timers get their turn. */
#define SESSION_ROUNDS 8
/* What a round takes from the socket: few enough bytes that they are still in the processor's
 * cache when the channels hand them on. */
#define SESSION_QUOTA ((size_t)64 * 1024)
/* Channels stop writing when this much waits for the socket. */
#define SESSION_QUEUE_MAX ((size_t)128 * 1024)
/* Below sshd's MaxSessions of 10; more wait for their turn. */
#define SESSION_EXEC_MAX 8
#define SESSION_TICK_MS  1000
/* A silent server is asked for a sign of life after the first, given up after the second. */
#define SESSION_PROBE_MS  4000
#define SESSION_SILENT_MS 9000
/* An open that takes longer is reported as failed (libssh2 gives up the session after 60 s): a
 * command, and a connection, whose first packet the server repeats after 1 and 3 s. libssh2 opens
 * one at a time and takes none back, so that all others wait for an address that does not answer. */
#define SESSION_OPEN_MS 15000
#define SESSION_DIAL_MS 5000

struct ssh_session {
	struct loop *loop;
	LIBSSH2_SESSION *lib; /* NULL once dead */
	struct ssh_io *io;
	char *name;
	struct ssh_session_events events;
	struct loop_poll *poll;
	int polled;
	struct loop_timer *timer;
	struct channel *channels; /* in the order in which they were asked for */
	struct channel *opening;  /* the one that libssh2 is opening, or NULL */
	bool failed;              /* to be buried after this pump */
	bool pumping;
	bool wake_posted;
	bool freed; /* only waits for its posts */
	int posts;  /* that hold a pointer to this */
	struct err why;
	int64_t received; /* io->received at the last tick */
	int64_t ticked_at;
	int64_t silent_ms; /* since the last byte came */
	int64_t probe_after_ms, dead_after_ms;
	int64_t open_ns;   /* how long the last open took; -1 not known */
};

static void session_pump(struct ssh_session *session);

/* --- for channel.c ---------------------------------------------------------------------------- */

struct loop *session_loop(struct ssh_session *session)
{
	return session->loop;
}

struct _LIBSSH2_SESSION *session_lib(struct ssh_session *session)
{
	return session->lib;
}

const char *session_name(const struct ssh_session *session)
{
	return session->name;
}

bool session_takes_more(const struct ssh_session *session)
{
	return io_pending(session->io) < SESSION_QUEUE_MAX;
}

const char *session_last_message(struct ssh_session *session)
{
	char *message = NULL;

	libssh2_session_last_error(session->lib, &message, NULL, 0);
	return message ? message : "";
}

void session_note_open(struct ssh_session *session, int64_t ns)
{
	session->open_ns = ns;
}

static void session_fail(struct ssh_session *session, const char *why)
{
	struct buf text = BUF_INIT;

	if (session->failed)
		return;
	session->failed = true;
	if (why)
		buf_add_str(&text, why);
	else
		io_explain(session->io, &text);
	err_set(&session->why, ERR_TRANSPORT, "the link to %s was lost: %s", session->name,
		buf_str(&text));
	buf_fini(&text);
}

bool session_check(struct ssh_session *session, int rc)
{
	switch (rc) {
	case LIBSSH2_ERROR_NONE:
	case LIBSSH2_ERROR_EAGAIN:
	case LIBSSH2_ERROR_CHANNEL_FAILURE:
	case LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED:
	case LIBSSH2_ERROR_CHANNEL_UNKNOWN:
	case LIBSSH2_ERROR_CHANNEL_CLOSED:
	case LIBSSH2_ERROR_CHANNEL_EOF_SENT:
		return session->failed;
	case LIBSSH2_ERROR_TIMEOUT:
		session_fail(session, "it did not answer for 60 s");
		return true;
	default:
		session_fail(session, session->io->broken ? NULL : session_last_message(session));
		return true;
	}
}

/* --- pumping ---------------------------------------------------------------------------------- */

static struct channel *session_add(
	struct ssh_session *session, enum channel_kind kind, transport_done_cb done, void *arg)
{
	struct channel *channel = channel_new(session, kind, done, arg);
	struct channel **last = &session->channels;

	while (*last)
		last = &(*last)->next;
	*last = channel;
	return channel;
}

static bool session_has_probe(const struct ssh_session *session)
{
	const struct channel *channel;

	for (channel = session->channels; channel; channel = channel->next)
		if (channel->kind == CHANNEL_PROBE)
			return true;
	return false;
}

/* Opens and closes an idle channel: any answer is a sign of life, leaves nothing behind in libssh2
 * (answers to its own keepalives do), and nothing in sshd's log. */
static void session_probe(struct ssh_session *session)
{
	if (!session_has_probe(session))
		session_add(session, CHANNEL_PROBE, NULL, NULL);
}

/* Has libssh2 take in everything that the socket holds. No call does just that; waiting for a
 * channel's end-of-file does it without asking for more data. */
static void session_drain(struct ssh_session *session)
{
	struct channel *channel;
	int rc;

	for (channel = session->channels; channel && io_may_read(session->io);
		channel = channel->next) {
		if (!channel->lib)
			continue;
		rc = libssh2_channel_wait_eof(channel->lib);
		if (session_check(session, rc))
			return;
	}
	if (io_may_read(session->io) && !session->opening && io_readable(session->io))
		session_probe(session);
}

/* The cap, and a probe that sshd still counts as a session: MaxSessions may be 1. */
static bool session_may_exec(const struct ssh_session *session)
{
	const struct channel *channel;
	int n = 0;

	for (channel = session->channels; channel; channel = channel->next) {
		if (channel->kind == CHANNEL_PROBE && channel->lib)
			return false;
		if (channel->kind == CHANNEL_EXEC && channel->state != CHANNEL_QUEUED)
			n++;
	}
	return n < SESSION_EXEC_MAX;
}

/* What sshd answers at once goes before what depends on an address that may be silent. */
static struct channel *session_next_to_open(const struct ssh_session *session)
{
	struct channel *channel, *dial = NULL;
	bool may_exec = session_may_exec(session);

	for (channel = session->channels; channel; channel = channel->next) {
		if (channel->state != CHANNEL_QUEUED || (channel->kind == CHANNEL_EXEC && !may_exec))
			continue;
		if (channel->kind != CHANNEL_DIAL)
			return channel;
		if (!dial)
			dial = channel;
	}
	return dial;
}

static bool session_open_some(struct ssh_session *session)
{
	bool moved = false;

	while (!session->failed) {
		if (!session->opening)
			session->opening = session_next_to_open(session);
		if (!session->opening || !channel_open_step(session->opening))
			break;
		session->opening = NULL;
		moved = true;
	}
	return moved;
}

static void session_reap(struct ssh_session *session)
{
	struct channel **at = &session->channels, *channel;

	while ((channel = *at)) {
		if (channel->state != CHANNEL_GONE) {
			at = &channel->next;
			continue;
		}
		*at = channel->next;
		channel_free(channel);
	}
}

static void session_on_posted(void *arg)
{
	struct ssh_session *session = arg;

	session->posts--;
	session->wake_posted = false;
	if (!session->freed)
		session_pump(session);
	else if (!session->posts)
		free(session);
}

static void session_post_pump(struct ssh_session *session)
{
	if (session->wake_posted || session->freed)
		return;
	session->wake_posted = true;
	session->posts++;
	loop_post(session->loop, session_on_posted, session);
}

static void session_on_dead(void *arg)
{
	struct ssh_session *session = arg;

	session->posts--;
	if (!session->freed)
		session->events.on_dead(session->events.arg, session, &session->why);
	else if (!session->posts)
		free(session);
}

/* Ends the channels, then libssh2's side, then the socket. */
static void session_close(struct ssh_session *session, const struct err *why, const char *goodbye)
{
	struct channel *channel;

	if (!session->lib)
		return;
	for (channel = session->channels; channel; channel = channel->next)
		channel_end(channel, -1, why);
	loop_poll_stop(session->poll);
	loop_timer_stop(session->timer);
	session->poll = NULL;
	session->timer = NULL;
	io_session_free(session->io, session->lib, goodbye);
	session->lib = NULL;
	session->opening = NULL;
	while ((channel = session->channels)) {
		session->channels = channel->next;
		channel_free(channel);
	}
	io_free(session->io);
	session->io = NULL;
}

static void session_bury(struct ssh_session *session)
{
	session_close(session, &session->why, NULL);
	session->posts++;
	loop_post(session->loop, session_on_dead, session);
}

static void session_update_polls(struct ssh_session *session)
{
	struct channel *channel;
	int events = LOOP_READ | (io_pending(session->io) ? LOOP_WRITE : 0);

	if (session->polled != events)
		loop_poll_change(session->poll, events);
	session->polled = events;
	for (channel = session->channels; channel; channel = channel->next)
		channel_update_polls(channel);
}

static bool session_round(struct ssh_session *session)
{
	struct channel *channel;
	bool moved;

	session->io->quota = SESSION_QUOTA;
	session_drain(session);
	moved = !session->io->quota;
	moved |= session_open_some(session);
	for (channel = session->channels; channel && !session->failed; channel = channel->next)
		moved |= channel_pump(channel);
	session_reap(session);
	io_flush(session->io);
	return moved;
}

static void session_pump(struct ssh_session *session)
{
	bool moved = true;
	int round;

	if (session->pumping || !session->lib)
		return;
	session->pumping = true;
	session->io->starved = false;
	for (round = 0; round < SESSION_ROUNDS && moved && !session->failed; round++)
		moved = session_round(session);
	if (session->io->broken)
		session_fail(session, NULL);
	session->pumping = false;
	if (session->failed) {
		session_bury(session);
		return;
	}
	io_quick_ack(session->io);
	session_update_polls(session);
	if (moved)
		session_post_pump(session);
}

void session_wake(struct ssh_session *session)
{
	session_pump(session);
}

static void session_on_socket(struct loop_poll *poll, int events, void *arg)
{
	struct ssh_session *session = arg;

	(void)poll;
	if (events & LOOP_WRITE)
		io_flush(session->io);
	session_pump(session);
}

/* --- signs of life ---------------------------------------------------------------------------- */

static void session_check_slow_open(struct ssh_session *session)
{
	struct channel *channel = session->opening;
	struct err err = { ERR_OK, "" };

	if (!channel || !channel->done ||
		clock_monotonic() - channel->asked_at < channel->patience_ms * CLOCK_NS_PER_MS)
		return;
	if (channel->kind == CHANNEL_DIAL)
		err_set(&err, ERR_TIMEOUT,
			"%s:%d did not answer within %d s, as seen from %s; check the address and "
			"the firewalls there",
			channel->host, channel->port, channel->patience_ms / 1000, session->name);
	else
		err_set(&err, ERR_TIMEOUT, "sshd at %s did not start a command within %d s",
			session->name, channel->patience_ms / 1000);
	channel_end(channel, -1, &err);
}

/* Time counts in steps of at most two ticks, so that a program that was stopped itself does not
 * take its own sleep for the server's silence. */
static void session_on_tick(struct loop_timer *timer, void *arg)
{
	struct ssh_session *session = arg;
	int64_t now = clock_monotonic();
	int64_t ms = (now - session->ticked_at) / CLOCK_NS_PER_MS;
	char why[64];

	(void)timer;
	session->ticked_at = now;
	if (session->received != session->io->received)
		session->silent_ms = 0;
	else
		session->silent_ms += ms > 2 * SESSION_TICK_MS ? SESSION_TICK_MS : ms;
	session->received = session->io->received;
	session_check_slow_open(session);
	if (session->silent_ms >= session->dead_after_ms && session_has_probe(session) &&
		!(session->opening && session->opening->kind == CHANNEL_DIAL)) {
		snprintf(why, sizeof(why), "the server has not answered for %d s",
			(int)(session->dead_after_ms / 1000));
		session_fail(session, why);
	} else if (session->silent_ms >= session->probe_after_ms) {
		session_probe(session);
	}
	session_pump(session);
}

void session_set_alive(struct ssh_session *session, int interval_s, int count)
{
	session->probe_after_ms = interval_s * INT64_C(1000);
	session->dead_after_ms = (interval_s * count + 1) * INT64_C(1000);
}

/* --- the owner's side ------------------------------------------------------------------------- */

struct ssh_session *session_new(struct loop *loop, struct _LIBSSH2_SESSION *lib_take,
	struct ssh_io *io_take, const char *name, const struct ssh_session_events *events)
{
	struct ssh_session *session = mem_calloc(1, sizeof(*session));

	session->loop = loop;
	session->lib = lib_take;
	session->io = io_take;
	session->name = mem_strdup(name);
	session->events = *events;
	session->received = io_take->received;
	session->ticked_at = clock_monotonic();
	session->open_ns = -1;
	session->probe_after_ms = SESSION_PROBE_MS;
	session->dead_after_ms = SESSION_SILENT_MS;
	session->polled = LOOP_READ;
	session->poll = loop_poll_start(loop, io_take->fd, LOOP_READ, session_on_socket, session);
	session->timer =
		loop_timer_start(loop, SESSION_TICK_MS, SESSION_TICK_MS, session_on_tick, session);
	/* What the worker read ahead raises no event any more. */
	session_post_pump(session);
	return session;
}

void session_free(struct ssh_session *session)
{
	struct err why = { ERR_OK, "" };

	if (!session)
		return;
	err_set(&why, ERR_CANCELLED, "the link to %s was closed", session->name);
	session_close(session, &why, "closed by pgoncall");
	free(session->name);
	session->name = NULL;
	session->freed = true;
	if (!session->posts)
		free(session);
}

/* A stream of a dead session ends at once, with the reason of its death. */
static void session_start(struct ssh_session *session, struct channel *channel)
{
	struct err why = session->why;

	if (session->lib) {
		session_post_pump(session);
		return;
	}
	channel_end(channel, -1, &why);
	session_reap(session);
}

void session_dial(struct ssh_session *session, const char *host, int port, int fd_take,
	bool jump, transport_done_cb done, void *arg)
{
	struct channel *channel = session_add(session, CHANNEL_DIAL, done, arg);
	int copy = fcntl(fd_take, F_DUPFD_CLOEXEC, 0);
	struct err err = { ERR_OK, "" };

	channel->host = mem_strdup(host);
	channel->port = port;
	channel->patience_ms = jump ? SESSION_OPEN_MS : SESSION_DIAL_MS;
	channel_set_fds(channel, fd_take, copy, -1);
	if (copy < 0) {
		err_system(&err, errno, "cannot copy a descriptor");
		channel_end(channel, -1, &err);
	}
	session_start(session, channel);
}

void session_exec(struct ssh_session *session, const char *command, const int fds_take[3],
	transport_done_cb done, void *arg)
{
	struct channel *channel = session_add(session, CHANNEL_EXEC, done, arg);
	int fds[3], i;

	/* Two watches on one descriptor are not possible. */
	for (i = 0; i < 3; i++) {
		fds[i] = fds_take[i];
		if ((i > 0 && fds[i] >= 0 && fds[i] == fds_take[0]) ||
			(i == 2 && fds[i] >= 0 && fds[i] == fds_take[1]))
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
	}
	channel->command = mem_strdup(command);
	channel->patience_ms = SESSION_OPEN_MS;
	channel_set_fds(channel, fds[0], fds[1], fds[2]);
	session_start(session, channel);
}

double session_rtt_ms(const struct ssh_session *session)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (!session->io)
		return -1;
	if (session->io->tcp &&
		getsockopt(session->io->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		return info.tcpi_rtt / 1000.0;
	return session->open_ns < 0 ? -1 : (double)session->open_ns / 1e6;
}
