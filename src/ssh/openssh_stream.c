/*
 * Streams of the transport over the system's ssh: for each a client process that hands the caller's
 * descriptors to the master and then waits. The master moves the bytes itself, so the flow control
 * is the kernel's.
 *
 * A client logs to a file of its own in the transport's directory, never to the caller's stderr.
 * That log says whether an exit status came from the host; ssh's own 255 alone could be either.
 *
 * The descriptors stay open here too until the stream ends: a command that the server refuses for
 * want of a session (MaxSessions) is begun again with them when another one has ended.
 */
#include "openssh_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/loop/pump.h>

#define STREAM_LOG_MAX  65536
#define STREAM_GUARD_MS 200
/* Guard rounds that a caller may be gone before the client is ended: what it wrote last is to reach
 * the host, and a far side that notices by itself ends the stream properly. */
#define STREAM_GONE_EXEC 3
#define STREAM_GONE_DIAL 10

struct openssh_stream {
	struct openssh *ssh;
	struct openssh_stream *next;
	transport_done_cb done;
	void *arg;
	char *command; /* NULL: a connection to host:port */
	char *host;
	int port;
	int fds[3];                 /* owned; for a connection the first one only */
	struct pump *pump;          /* to a socket there; it has the descriptor then */
	size_t received;            /* bytes that came from that socket */
	int gone;                   /* guard rounds since the caller went away */
	struct loop_child *child;   /* NULL: waits for its turn */
	char log[128];              /* of the client */
	struct loop_timer *failing; /* reports failure from the loop */
	struct err failure;
};

static void stream_start_queued(struct openssh *ssh);

static void stream_free(struct openssh_stream *stream)
{
	struct openssh *ssh = stream->ssh;
	struct openssh_stream **at = &ssh->streams;
	int i;

	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	loop_timer_stop(stream->failing);
	if (stream->child) {
		/* It holds nothing but copies; the master ends the session when it is gone. */
		loop_child_kill(stream->child, SIGKILL);
		loop_child_forget(stream->child);
	}
	pump_stop(stream->pump);
	if (stream->log[0])
		unlink(stream->log);
	for (i = 0; i < 3; i++)
		if (stream->fds[i] >= 0)
			close(stream->fds[i]);
	free(stream->command);
	free(stream->host);
	free(stream);
	if (!ssh->streams) {
		loop_timer_stop(ssh->guard);
		ssh->guard = NULL;
	}
}

/* Frees the stream, then tells its owner. The transport may be gone afterwards, unless the caller
 * has entered it. */
static void stream_end(struct openssh_stream *stream, int status, const struct err *err)
{
	transport_done_cb done = stream->done;
	void *arg = stream->arg;
	struct err copy = *err;

	stream_free(stream);
	done(arg, status, &copy);
}

void openssh_streams_end(struct openssh *ssh, const struct err *err)
{
	while (ssh->streams)
		stream_end(ssh->streams, -1, err);
}

static void stream_on_failing(struct loop_timer *timer, void *arg)
{
	struct openssh_stream *stream = arg;
	struct openssh *ssh = stream->ssh;

	(void)timer;
	openssh_enter(ssh);
	stream_end(stream, -1, &stream->failure);
	stream_start_queued(ssh);
	openssh_leave(ssh);
}

/* Reports stream->failure, never from inside the call that started the stream. */
static void stream_fail(struct openssh_stream *stream)
{
	stream->failing = loop_timer_start(stream->ssh->loop, 0, 0, stream_on_failing, stream);
}

/* --- how a client ended --------------------------------------------------------------------- */

static void stream_read_log(struct openssh_stream *stream, struct buf *text)
{
	char chunk[4096];
	ssize_t n;
	int fd = open(stream->log, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && text->len < STREAM_LOG_MAX && (n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(text, chunk, (size_t)n);
	if (fd >= 0)
		close(fd);
	unlink(stream->log);
	stream->log[0] = '\0';
}

/* The number behind the last of these words. */
static bool stream_find_status(const char *log, int *status)
{
	static const char words[] = "Received exit status from master ";
	const char *at = strstr(log, words);
	char *end;
	long value;

	if (!at)
		return false;
	at += strlen(words);
	value = strtol(at, &end, 10);
	if (end == at || value < 0 || value > 255)
		return false;
	*status = (int)value;
	return true;
}

/* What follows the words on their line, sanitised; NULL where they are not there. */
static char *stream_find_reason(const char *log, const char *words)
{
	const char *at = strstr(log, words);
	char *line, *safe;

	if (!at)
		return NULL;
	at += strlen(words);
	line = mem_strndup(at, strcspn(at, "\r\n"));
	safe = utf8_sanitised_dup(line, UTF8_ONE_LINE);
	free(line);
	return safe;
}

static size_t stream_count_running(const struct openssh *ssh)
{
	const struct openssh_stream *stream;
	size_t n = 0;

	for (stream = ssh->streams; stream; stream = stream->next)
		n += stream->command && stream->child;
	return n;
}

static void exec_finish(struct openssh_stream *stream, const char *log)
{
	struct openssh *ssh = stream->ssh;
	struct err err = { ERR_OK, "" };
	int status = -1;
	char *refusal;

	if (stream_find_status(log, &status)) {
		stream_end(stream, status, &err);
		return;
	}
	refusal = stream_find_reason(log, "session request failed: ");
	if (refusal && stream_count_running(ssh) > 0) {
		/* No command began; its turn comes when one of the others has ended. */
		ssh->session_limit = stream_count_running(ssh);
		free(refusal);
		return;
	}
	if (refusal)
		err_set(&err, ERR_TRANSPORT, "%s does not let commands run: %s", ssh->destination,
			refusal);
	else if (stream->gone)
		err_set(&err, ERR_CANCELLED, "the command was given up: nobody reads its output");
	else if (strstr(log, "Control socket") || !strstr(log, "master session id"))
		err_set(&err, ERR_TRANSPORT,
			"the system's ssh could not pass the command to its connection to %s",
			ssh->destination);
	else
		err_set(&err, ERR_TRANSPORT,
			"no exit status came from %s: a signal ended the command there, or the "
			"connection was lost; look whether it took effect",
			ssh->destination);
	free(refusal);
	stream_end(stream, -1, &err);
}

static void dial_finish(struct openssh_stream *stream, const char *log)
{
	struct openssh *ssh = stream->ssh;
	struct err err = { ERR_OK, "" };
	char *refusal = stream_find_reason(log, "tdio forwarding request failed: ");

	if (refusal) {
		openssh_read_log(ssh);
		err_set(&err, ERR_CONNECT,
			"%s port %d does not take connections, as seen from %s: %s", stream->host,
			stream->port, ssh->destination,
			ssh->log.open_failure ? ssh->log.open_failure : refusal);
	} else if (strstr(log, "Control socket") || !strstr(log, "master version")) {
		err_set(&err, ERR_TRANSPORT,
			"the system's ssh could not pass a stream to its connection to %s",
			ssh->destination);
	}
	free(refusal);
	stream_end(stream, err.code ? -1 : 0, &err);
}

static void stream_on_exit(struct loop_child *child, int status, void *arg)
{
	struct openssh_stream *stream = arg;
	struct openssh *ssh = stream->ssh;
	struct buf log = BUF_INIT;

	(void)child;
	(void)status;
	openssh_enter(ssh);
	stream->child = NULL;
	stream_read_log(stream, &log);
	if (stream->command)
		exec_finish(stream, buf_str(&log));
	else
		dial_finish(stream, buf_str(&log));
	buf_fini(&log);
	stream_start_queued(ssh);
	openssh_leave(ssh);
}

/* --- starting ----------------------------------------------------------------------------- */

/* Without the master it must fail: that is what the ProxyCommand is for, else ssh would connect by
 * itself. No configuration applies; it has applied to the master. */
static int stream_spawn(struct openssh_stream *stream, const int fds_take[3])
{
	struct openssh *ssh = stream->ssh;
	char *forward = NULL;
	const char *argv[32] = { "ssh", "-F", "none", "-S", ssh->socket, "-T", "-e", "none", "-E",
		stream->log, "-o", "LogLevel=DEBUG2", "-o", "BatchMode=yes", "-o",
		"ProxyCommand=false", "-o", "ControlMaster=no" };
	size_t n = 18;
	int rc;

	snprintf(stream->log, sizeof(stream->log), "%s/%lu", ssh->dir, ssh->log_number++);
	if (!stream->command) {
		forward = mem_printf(strchr(stream->host, ':') ? "[%s]:%d" : "%s:%d", stream->host,
			stream->port);
		argv[n++] = "-W";
		argv[n++] = forward;
	}
	argv[n++] = "--";
	argv[n++] = ssh->destination;
	argv[n++] = stream->command;
	argv[n] = NULL;
	rc = loop_child_start(ssh->loop, (char *const *)argv, fds_take, stream_on_exit, stream,
		&stream->child, &stream->failure);
	free(forward);
	return rc;
}

/* The client gets copies. */
static void stream_start(struct openssh_stream *stream)
{
	int fds[3] = { -1, -1, -1 }, i, from;

	for (i = 0; i < 3; i++) {
		from = stream->fds[!stream->command && i == 1 ? 0 : i];
		if (from < 0)
			continue;
		fds[i] = fcntl(from, F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0) {
			err_system(&stream->failure, errno, "cannot copy a descriptor for ssh");
			break;
		}
	}
	if (i < 3) {
		for (i = 0; i < 3; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		stream_fail(stream);
	} else if (stream_spawn(stream, fds) < 0) {
		stream_fail(stream);
	}
}

static void stream_start_queued(struct openssh *ssh)
{
	struct openssh_stream *stream;

	if (ssh->state != OPENSSH_UP)
		return;
	for (stream = ssh->streams; stream; stream = stream->next) {
		if (stream_count_running(ssh) >= ssh->session_limit)
			break;
		if (stream->command && !stream->child && !stream->failing)
			stream_start(stream);
	}
}

static bool stream_caller_is_gone(const struct openssh_stream *stream)
{
	int reader = !stream->command ? 0 : stream->fds[1] >= 0 ? 1 : 2;
	struct pollfd p = { stream->fds[reader], 0, 0 };

	return p.fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}

/* A caller that went away is seen by nobody else while the command prints nothing. */
static void stream_on_guard(struct loop_timer *timer, void *arg)
{
	struct openssh *ssh = arg;
	struct openssh_stream *stream;
	int rounds;

	(void)timer;
	for (stream = ssh->streams; stream; stream = stream->next) {
		rounds = stream->command ? STREAM_GONE_EXEC : STREAM_GONE_DIAL;
		if (stream->failing || !stream_caller_is_gone(stream) || ++stream->gone < rounds)
			continue;
		if (stream->child) {
			loop_child_kill(stream->child, SIGKILL);
			continue;
		}
		err_set(&stream->failure, ERR_CANCELLED,
			"the command was given up before it began: nobody reads its output");
		stream_fail(stream);
	}
}

/* --- what is asked for while there is no connection ------------------------------------------- */

struct late_stream {
	transport_done_cb done;
	void *arg;
	struct err why;
};

static void late_stream_end(void *arg)
{
	struct late_stream *late = arg;

	late->done(late->arg, -1, &late->why);
	free(late);
}

static void late_stream_refuse(
	struct openssh *ssh, const int fds_take[3], transport_done_cb done, void *arg)
{
	struct late_stream *late = mem_calloc(1, sizeof(*late));
	int i, j;

	for (i = 0; i < 3; i++) {
		for (j = 0; j < i && fds_take[j] != fds_take[i]; j++)
			continue;
		if (j == i && fds_take[i] >= 0)
			close(fds_take[i]);
	}
	late->done = done;
	late->arg = arg;
	if (ssh->state == OPENSSH_CLOSED)
		err_set(&late->why, ERR_CANCELLED, "the connection was closed");
	else
		err_set(&late->why, ERR_TRANSPORT, "there is no connection to %s",
			ssh->destination);
	loop_post(ssh->loop, late_stream_end, late);
}

/* NULL: it was refused. */
static struct openssh_stream *stream_new(
	struct openssh *ssh, const int fds_take[3], transport_done_cb done, void *arg)
{
	struct openssh_stream *stream, **at = &ssh->streams;
	int i, j;

	if (ssh->state != OPENSSH_UP) {
		late_stream_refuse(ssh, fds_take, done, arg);
		return NULL;
	}
	stream = mem_calloc(1, sizeof(*stream));
	stream->ssh = ssh;
	stream->done = done;
	stream->arg = arg;
	for (i = 0; i < 3; i++) {
		for (j = 0; j < i && fds_take[j] != fds_take[i]; j++)
			continue;
		stream->fds[i] = fds_take[i];
		if (j < i && fds_take[i] >= 0)
			stream->fds[i] = fcntl(fds_take[i], F_DUPFD_CLOEXEC, 3);
	}
	while (*at)
		at = &(*at)->next;
	*at = stream;
	if (!ssh->guard)
		ssh->guard = loop_timer_start(
			ssh->loop, STREAM_GUARD_MS, STREAM_GUARD_MS, stream_on_guard, ssh);
	return stream;
}

/* --- sockets on the far side ------------------------------------------------------------------ */

/* A stream over which nothing came was not let through: every server that is there says something
 * before it hangs up. */
static void socket_on_pump_end(void *arg, enum pump_end end, int errnum)
{
	struct openssh_stream *stream = arg;
	struct openssh *ssh = stream->ssh;
	struct err err = { ERR_OK, "" };

	(void)end;
	(void)errnum;
	openssh_enter(ssh);
	stream->pump = NULL;
	if (!stream->received)
		err_set(&err, ERR_CONNECT,
			"the socket %s on %s does not take connections, or sshd there does not "
			"forward to sockets (AllowStreamLocalForwarding)",
			stream->host, ssh->destination);
	stream_end(stream, err.code ? -1 : 0, &err);
	openssh_leave(ssh);
}

static void socket_join(struct openssh_stream *stream, const struct openssh_forward *forward)
{
	int fds[2] = { stream->fds[0], openssh_forward_connect(forward, &stream->failure) };

	if (fds[1] < 0) {
		stream_fail(stream);
		return;
	}
	stream->fds[0] = -1;
	stream->pump =
		pump_start(stream->ssh->loop, fds, PUMP_BOTH, socket_on_pump_end, stream);
	pump_count(stream->pump, 1, &stream->received);
}

static void socket_start(struct openssh_stream *stream)
{
	struct openssh_forward *forward =
		openssh_forward_to(stream->ssh, stream->host, &stream->failure);

	if (!forward)
		stream_fail(stream);
	else if (forward->ready)
		socket_join(stream, forward);
}

void openssh_streams_forwarded(
	struct openssh *ssh, const struct openssh_forward *forward, const struct err *why)
{
	struct openssh_stream *stream;

	for (stream = ssh->streams; stream; stream = stream->next) {
		if (stream->command || stream->pump || stream->failing ||
			!str_equal(stream->host, forward->path))
			continue;
		if (forward->ready) {
			socket_join(stream, forward);
			continue;
		}
		stream->failure = *why;
		stream_fail(stream);
	}
}

void openssh_dial(struct transport *base, const char *host, int port, int fd_take,
	transport_done_cb done, void *arg)
{
	const int fds[3] = { fd_take, -1, -1 };
	struct openssh_stream *stream = stream_new((struct openssh *)base, fds, done, arg);

	if (!stream)
		return;
	stream->host = mem_strdup(host);
	stream->port = port;
	if (host[0] == '/')
		socket_start(stream);
	else
		stream_start(stream);
}

void openssh_exec(struct transport *base, const char *command, const int fds_take[3],
	transport_done_cb done, void *arg)
{
	struct openssh *ssh = (struct openssh *)base;
	struct openssh_stream *stream = stream_new(ssh, fds_take, done, arg);

	if (!stream)
		return;
	stream->command = mem_strdup(command);
	if (stream_count_running(ssh) < ssh->session_limit)
		stream_start(stream);
}
