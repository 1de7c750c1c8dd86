/*
 * This machine as a transport: commands are children of /bin/sh, connections are TCP from here.
 * Each stream is on the transport's list from its start until its `done`, and whatever it waits for
 * (child, pumps, connection, look-up) hangs on it, so that close can end all of them at once.
 *
 * A command's descriptors are pipes of our own with pumps to the caller's: the child sees plain
 * blocking pipes, and a caller that goes away is noticed.
 */
#include <pgoncall/host/local.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/loop/pump.h>

struct local {
	struct transport transport; /* first: transport.h */
	struct loop *loop;
	struct transport_events events;
	struct loop_timer *up; /* until on_up */
	struct stream *streams;
};

/* A name look-up in a worker. It outlives its stream when the transport closes meanwhile. */
struct lookup {
	struct stream *stream; /* NULL: nobody waits any more */
	char *host;
	char port[16];
	struct addrinfo *found;
	int rc; /* of getaddrinfo */
};

struct stream {
	struct local *local;
	struct stream *next;
	transport_done_cb done;
	void *arg;
	struct loop_timer *failing; /* reports `failure` from the loop */
	struct err failure;
	/* a command */
	struct loop_child *child;
	struct pump *pumps[3];
	bool reader_counts[3]; /* losing this one's reader ends the command */
	int status;
	/* a connection */
	char *host;
	int port;
	int fd;   /* the caller's, until the pump has it */
	int sock; /* being connected */
	struct lookup *lookup;
	struct addrinfo *addresses, *address; /* all, and the one to try next */
	struct loop_poll *connecting;
	struct pump *pump;
};

static void stream_close_fds(const int fds[], int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static struct stream *stream_new(struct local *local, transport_done_cb done, void *arg)
{
	struct stream *stream = mem_calloc(1, sizeof(*stream));

	stream->local = local;
	stream->done = done;
	stream->arg = arg;
	stream->fd = stream->sock = -1;
	stream->next = local->streams;
	local->streams = stream;
	return stream;
}

static void stream_free(struct stream *stream)
{
	struct stream **at = &stream->local->streams;
	int i;

	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	loop_timer_stop(stream->failing);
	loop_poll_stop(stream->connecting);
	pump_stop(stream->pump);
	for (i = 0; i < 3; i++)
		pump_stop(stream->pumps[i]);
	if (stream->child) {
		loop_child_kill(stream->child, SIGTERM);
		loop_child_forget(stream->child);
	}
	if (stream->lookup)
		stream->lookup->stream = NULL;
	if (stream->addresses)
		freeaddrinfo(stream->addresses);
	stream_close_fds((const int[]){ stream->fd, stream->sock }, 2);
	free(stream->host);
	free(stream);
}

/* Ends and frees the stream, then tells its owner. err NULL: no error. */
static void stream_end(struct stream *stream, int status, const struct err *err)
{
	transport_done_cb done = stream->done;
	void *arg = stream->arg;
	struct err copy = { .code = ERR_OK };

	if (err)
		copy = *err;
	stream_free(stream);
	done(arg, status, &copy);
}

static void stream_on_failing(struct loop_timer *timer, void *arg)
{
	struct stream *stream = arg;

	(void)timer;
	stream_end(stream, -1, &stream->failure);
}

/* Reports stream->failure, never from inside the call that started the stream. */
static void stream_fail(struct stream *stream)
{
	stream->failing = loop_timer_start(stream->local->loop, 0, 0, stream_on_failing, stream);
}

/* --- commands -------------------------------------------------------------------------------- */

/* The shell is gone and all it printed is delivered. */
static void exec_end_if_over(struct stream *stream)
{
	if (!stream->child && !stream->pumps[1] && !stream->pumps[2])
		stream_end(stream, stream->status, NULL);
}

static void exec_on_stdin_end(void *arg, enum pump_end end, int errnum)
{
	struct stream *stream = arg;

	(void)end;
	(void)errnum;
	stream->pumps[0] = NULL;
}

static void exec_on_output_end(struct stream *stream, int i, enum pump_end end)
{
	stream->pumps[i] = NULL;
	if (end == PUMP_END_GONE && stream->reader_counts[i] && stream->child)
		loop_child_kill(stream->child, SIGTERM);
	exec_end_if_over(stream);
}

static void exec_on_stdout_end(void *arg, enum pump_end end, int errnum)
{
	(void)errnum;
	exec_on_output_end(arg, 1, end);
}

static void exec_on_stderr_end(void *arg, enum pump_end end, int errnum)
{
	(void)errnum;
	exec_on_output_end(arg, 2, end);
}

static void (*const exec_on_end[3])(void *arg, enum pump_end end, int errnum) = {
	exec_on_stdin_end,
	exec_on_stdout_end,
	exec_on_stderr_end,
};

static void exec_on_exit(struct loop_child *child, int status, void *arg)
{
	struct stream *stream = arg;
	int i;

	(void)child;
	stream->child = NULL;
	stream->status = status;
	pump_stop(stream->pumps[0]);
	stream->pumps[0] = NULL;
	for (i = 1; i < 3; i++)
		if (stream->pumps[i])
			pump_finish(stream->pumps[i]);
	exec_end_if_over(stream);
}

/* For each descriptor asked for a pipe: near[i] is ours, far[i] the child's. */
static int exec_make_pipes(const int fds[3], int near[3], int far[3], struct err *err)
{
	int ends[2], i;

	for (i = 0; i < 3; i++)
		near[i] = far[i] = -1;
	for (i = 0; i < 3; i++) {
		if (fds[i] < 0)
			continue;
		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_system(err, errno, "cannot make a pipe for a command");
		near[i] = ends[i == 0];
		far[i] = ends[i != 0];
	}
	return 0;
}

static void local_exec(struct transport *transport, const char *command, const int fds_take[3],
	transport_done_cb done, void *arg)
{
	struct local *local = (struct local *)transport;
	struct stream *stream = stream_new(local, done, arg);
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	int near[3], far[3], i;

	if (exec_make_pipes(fds_take, near, far, &stream->failure) < 0) {
		stream_close_fds(far, 3);
		goto fail;
	}
	if (loop_child_start(local->loop, (char *const *)argv, far, exec_on_exit, stream,
		    &stream->child, &stream->failure) < 0)
		goto fail;
	stream->reader_counts[1] = true;
	stream->reader_counts[2] = fds_take[1] < 0;
	for (i = 0; i < 3; i++) {
		const int in_out[2] = { i == 0 ? fds_take[i] : near[i],
			i == 0 ? near[i] : fds_take[i] };

		if (fds_take[i] >= 0)
			stream->pumps[i] =
				pump_start(local->loop, in_out, PUMP_FORTH, exec_on_end[i], stream);
	}
	return;
fail:
	stream_close_fds(near, 3);
	stream_close_fds(fds_take, 3);
	stream_fail(stream);
}

/* --- connections ----------------------------------------------------------------------------- */

static void dial_try_next(struct stream *stream, int errnum);

static void dial_on_pump_end(void *arg, enum pump_end end, int errnum)
{
	struct stream *stream = arg;

	(void)end;
	(void)errnum;
	stream->pump = NULL;
	stream_end(stream, 0, NULL);
}

static void dial_join(struct stream *stream)
{
	const int fds[2] = { stream->fd, stream->sock };
	int one = 1;

	/* Fails on a Unix socket, which has no such delay. */
	(void)setsockopt(stream->sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	stream->fd = stream->sock = -1;
	stream->pump = pump_start(stream->local->loop, fds, PUMP_BOTH, dial_on_pump_end, stream);
}

static void dial_on_connecting(struct loop_poll *poll, int events, void *arg)
{
	struct stream *stream = arg;
	int errnum = 0;
	socklen_t size = sizeof(errnum);

	(void)events;
	loop_poll_stop(poll);
	stream->connecting = NULL;
	if (getsockopt(stream->sock, SOL_SOCKET, SO_ERROR, &errnum, &size) < 0)
		errnum = errno;
	if (errnum)
		dial_try_next(stream, errnum);
	else
		dial_join(stream);
}

static void dial_fail(struct stream *stream, int errnum)
{
	if (stream->host[0] == '/')
		err_set(&stream->failure, ERR_CONNECT, "nothing answers at the socket %s: %s",
			stream->host, strerror(errnum));
	else
		err_set(&stream->failure, ERR_CONNECT, "nothing answers at %s port %d: %s",
			stream->host, stream->port, strerror(errnum));
	stream_fail(stream);
}

static int dial_connect(struct stream *stream, const struct sockaddr *address, socklen_t size)
{
	stream->sock = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (stream->sock < 0)
		return errno;
	if (connect(stream->sock, address, size) < 0 && errno != EINPROGRESS)
		return errno;
	stream->connecting = loop_poll_start(
		stream->local->loop, stream->sock, LOOP_WRITE, dial_on_connecting, stream);
	return 0;
}

/* Tries the addresses in turn; errnum is why the last one failed. */
static void dial_try_next(struct stream *stream, int errnum)
{
	const struct addrinfo *address;

	for (;;) {
		if (stream->sock >= 0)
			close(stream->sock);
		stream->sock = -1;
		address = stream->address;
		if (!address)
			break;
		stream->address = address->ai_next;
		errnum = dial_connect(stream, address->ai_addr, address->ai_addrlen);
		if (!errnum)
			return;
	}
	dial_fail(stream, errnum);
}

static void dial_unix(struct stream *stream)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s", stream->host);
	int errnum = n < 0 || (size_t)n >= sizeof(address.sun_path) ? ENAMETOOLONG : 0;

	if (!errnum)
		errnum = dial_connect(
			stream, (const struct sockaddr *)&address, (socklen_t)sizeof(address));
	if (errnum)
		dial_fail(stream, errnum);
}

static void dial_look_up(void *arg)
{
	struct lookup *lookup = arg;
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

	lookup->rc = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->found);
}

static void dial_on_found(void *arg)
{
	struct lookup *lookup = arg;
	struct stream *stream = lookup->stream;

	if (stream) {
		stream->lookup = NULL;
		stream->addresses = stream->address = lookup->found;
		lookup->found = NULL;
	}
	if (stream && lookup->rc) {
		err_set(&stream->failure, ERR_RESOLVE, "no address for %s: %s", stream->host,
			gai_strerror(lookup->rc));
		stream_fail(stream);
	} else if (stream) {
		dial_try_next(stream, ECONNREFUSED);
	}
	if (lookup->found)
		freeaddrinfo(lookup->found);
	free(lookup->host);
	free(lookup);
}

static void local_dial(struct transport *transport, const char *host, int port, int fd_take,
	transport_done_cb done, void *arg)
{
	struct local *local = (struct local *)transport;
	struct stream *stream = stream_new(local, done, arg);
	struct lookup *lookup;

	stream->host = mem_strdup(host);
	stream->port = port;
	stream->fd = fd_take;
	if (host[0] == '/') {
		dial_unix(stream);
		return;
	}
	lookup = stream->lookup = mem_calloc(1, sizeof(*lookup));
	lookup->stream = stream;
	lookup->host = mem_strdup(host);
	snprintf(lookup->port, sizeof(lookup->port), "%d", port);
	loop_work(local->loop, dial_look_up, dial_on_found, lookup);
}

/* --- the transport --------------------------------------------------------------------------- */

static double local_rtt_ms(const struct transport *transport)
{
	(void)transport;
	return 0;
}

static const char *local_host_key(const struct transport *transport)
{
	(void)transport;
	return "";
}

/* A `done` that starts another stream here makes it end here as well. */
static void local_close(struct transport *transport)
{
	struct local *local = (struct local *)transport;
	const struct err cancelled = { ERR_CANCELLED, "closed" };

	loop_timer_stop(local->up);
	local->up = NULL;
	while (local->streams)
		stream_end(local->streams, -1, &cancelled);
	free(local);
}

static const struct transport_ops local_ops = {
	.name = "local",
	.dial = local_dial,
	.exec = local_exec,
	.rtt_ms = local_rtt_ms,
	.host_key = local_host_key,
	.close = local_close,
};

/* on_up comes last because it may close the transport. */
static void local_on_up(struct loop_timer *timer, void *arg)
{
	struct local *local = arg;
	int step;

	loop_timer_stop(timer);
	local->up = NULL;
	for (step = 0; local->events.on_step && step < TRANSPORT_STEP_COUNT; step++)
		local->events.on_step(local->events.arg, (enum transport_step)step,
			step == TRANSPORT_STEP_CONNECT ? "this machine" : "");
	if (local->events.on_up)
		local->events.on_up(local->events.arg);
}

struct transport *local_transport_open(struct loop *loop, const struct transport_events *events)
{
	struct local *local = mem_calloc(1, sizeof(*local));

	local->transport.ops = &local_ops;
	local->loop = loop;
	local->events = *events;
	local->up = loop_timer_start(loop, 0, 0, local_on_up, local);
	return &local->transport;
}
