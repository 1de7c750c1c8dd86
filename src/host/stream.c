/*
 * A command's descriptors on our side: feeds its stdin, reads its stdout and stderr.
 *
 * The transport's `done` cannot be called off, so a stream that its owner stopped lives on, deaf
 * and with its descriptors closed, until that came. A stream is over when `done` came and both
 * outputs were read to their end-of-file, or stayed quiet for a while: a transport that hands our
 * descriptor to a process cannot take it back from that process's own children.
 */
#include <pgoncall/host/stream.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/quote.h>

#define STREAM_QUIET_MS                                                                            \
	1000            /* how long an output without end is waited for after the command's end */
#define STREAM_ROUNDS 4 /* reads per wake-up, so that one flood does not hold up the loop */

/* Our end of one of the command's descriptors. */
struct stream_end {
	struct host_stream *stream;
	int fd; /* -1: closed */
	struct loop_poll *poll;
	enum host_source source;
};

enum { STREAM_IN, STREAM_OUT, STREAM_ERR };

struct host_stream {
	struct loop *loop;
	struct host_stream_events events;
	struct stream_end ends[3];
	struct buf input;         /* what of stdin is not yet written */
	struct loop_timer *quiet; /* runs once the command is over */
	bool paused;
	bool stopped; /* by the owner, or because on_end was called */
	bool over;    /* the transport's done came */
	int busy;     /* callbacks being run: it is not freed under them */
	int status;
	struct err err;
	char block[32768];
};

static void end_close(struct stream_end *end)
{
	loop_poll_stop(end->poll);
	end->poll = NULL;
	if (end->fd >= 0)
		close(end->fd);
	end->fd = -1;
}

static void stream_close(struct host_stream *stream)
{
	int i;

	for (i = 0; i < 3; i++)
		end_close(&stream->ends[i]);
	loop_timer_stop(stream->quiet);
	stream->quiet = NULL;
}

static void stream_free_if_done(struct host_stream *stream)
{
	if (!stream->stopped || !stream->over || stream->busy)
		return;
	buf_fini(&stream->input);
	free(stream);
}

static bool stream_is_read(const struct host_stream *stream)
{
	return stream->ends[STREAM_OUT].fd < 0 && stream->ends[STREAM_ERR].fd < 0;
}

/* Tells the owner the end if it has come. The stream may be gone afterwards. */
static void stream_end_if_over(struct host_stream *stream)
{
	if (stream->stopped || !stream->over || stream->paused || !stream_is_read(stream))
		return;
	stream_close(stream);
	stream->stopped = true;
	stream->busy++;
	stream->events.on_end(stream->events.arg, stream->status, &stream->err);
	stream->busy--;
}

static void stream_on_quiet(struct loop_timer *timer, void *arg)
{
	struct host_stream *stream = arg;

	(void)timer;
	if (stream->paused)
		return;
	end_close(&stream->ends[STREAM_OUT]);
	end_close(&stream->ends[STREAM_ERR]);
	stream_end_if_over(stream);
	stream_free_if_done(stream);
}

/* Reads a bounded amount and hands it on; closes at end-of-file. Returns whether there may be more
 * that the owner wants now. */
static bool end_read(struct stream_end *end)
{
	struct host_stream *stream = end->stream;
	int round;
	ssize_t n;

	for (round = 0; round < STREAM_ROUNDS && end->fd >= 0; round++) {
		n = read(end->fd, stream->block, sizeof(stream->block));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0) {
			end_close(end);
			return false;
		}
		if (stream->quiet)
			loop_timer_again(stream->quiet, STREAM_QUIET_MS, 0);
		stream->events.on_data(stream->events.arg, end->source, stream->block, (size_t)n);
		if (stream->stopped || stream->paused)
			return false;
	}
	return end->fd >= 0;
}

static void stream_on_output(struct loop_poll *poll, int events, void *arg)
{
	struct stream_end *end = arg;
	struct host_stream *stream = end->stream;

	(void)poll;
	(void)events;
	stream->busy++;
	end_read(end);
	stream->busy--;
	stream_end_if_over(stream);
	stream_free_if_done(stream);
}

/* Writes what the command takes; closes after the last byte, or when it takes no more. */
static void stream_on_input(struct loop_poll *poll, int events, void *arg)
{
	struct stream_end *end = arg;
	struct host_stream *stream = end->stream;
	ssize_t n;

	(void)poll;
	(void)events;
	n = send(end->fd, buf_str(&stream->input), stream->input.len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n >= 0)
		buf_consume(&stream->input, (size_t)n);
	if (n < 0 || stream->input.len == 0)
		end_close(end);
}

/* The transport broke: what arrived before is handed on, nothing is waited for. */
static void stream_read_rest(struct host_stream *stream)
{
	int i;

	stream->busy++;
	for (i = STREAM_OUT; i <= STREAM_ERR; i++) {
		while (!stream->paused && !stream->stopped && end_read(&stream->ends[i]))
			continue;
		end_close(&stream->ends[i]);
	}
	stream->busy--;
	stream->paused = false;
}

static void stream_on_done(void *arg, int status, const struct err *err)
{
	struct host_stream *stream = arg;

	stream->over = true;
	stream->status = status;
	stream->err = *err;
	end_close(&stream->ends[STREAM_IN]);
	if (!stream->stopped)
		stream->quiet =
			loop_timer_start(stream->loop, STREAM_QUIET_MS, 0, stream_on_quiet, stream);
	if (err->code != ERR_OK)
		stream_read_rest(stream);
	stream_end_if_over(stream);
	stream_free_if_done(stream);
}

/* Its stdin; held: it is only kept open. */
enum stream_input { STREAM_INPUT_NONE, STREAM_INPUT_WRITTEN, STREAM_INPUT_HELD };

static int stream_make_ends(struct host_stream *stream, enum stream_input input, int far[3])
{
	int i, pair[2];

	far[STREAM_IN] = far[STREAM_OUT] = far[STREAM_ERR] = -1;
	for (i = input ? STREAM_IN : STREAM_OUT; i <= STREAM_ERR; i++) {
		if (loop_socketpair(pair, &stream->err) < 0)
			return -1;
		stream->ends[i].fd = pair[0];
		far[i] = pair[1];
		if (i == STREAM_IN && input == STREAM_INPUT_HELD)
			continue;
		stream->ends[i].poll = loop_poll_start(stream->loop, pair[0],
			i == STREAM_IN ? LOOP_WRITE : LOOP_READ,
			i == STREAM_IN ? stream_on_input : stream_on_output, &stream->ends[i]);
	}
	return 0;
}

static struct host_stream *stream_start(struct loop *loop, struct transport *transport,
	const char *command, enum stream_input input, const void *stdin_bytes, size_t stdin_len,
	const struct host_stream_events *events)
{
	struct host_stream *stream = mem_calloc(1, sizeof(*stream));
	int far[3], i;

	stream->loop = loop;
	stream->events = *events;
	for (i = 0; i < 3; i++) {
		stream->ends[i].stream = stream;
		stream->ends[i].fd = -1;
		stream->ends[i].source = i == STREAM_ERR ? HOST_STDERR : HOST_STDOUT;
	}
	if (stdin_bytes)
		buf_add(&stream->input, stdin_bytes, stdin_len);
	if (stream_make_ends(stream, input, far) < 0) {
		for (i = 0; i < 3; i++)
			if (far[i] >= 0)
				close(far[i]);
		stream->over = true;
		stream->status = -1;
		stream->quiet = loop_timer_start(loop, 0, 0, stream_on_quiet, stream);
		return stream;
	}
	transport->ops->exec(transport, command, far, stream_on_done, stream);
	return stream;
}

struct host_stream *host_stream_start(struct loop *loop, struct transport *transport,
	const char *command, const void *stdin_bytes, size_t stdin_len,
	const struct host_stream_events *events)
{
	return stream_start(loop, transport, command,
		stdin_bytes ? STREAM_INPUT_WRITTEN : STREAM_INPUT_NONE, stdin_bytes, stdin_len,
		events);
}

/*
 * A watcher reads our end of stdin, on which nothing ever comes: at its end it ends the command. It
 * holds neither stdout nor stderr, and is ended first when the command ends by itself, so that it
 * cannot hit what took the number of a process that is gone. (The shell gives what runs in the
 * background /dev/null for stdin; hence descriptor 3.)
 */
struct host_stream *host_stream_start_tied(struct loop *loop, struct transport *transport,
	const char *command, const struct host_stream_events *events)
{
	struct buf script = BUF_INIT, line = BUF_INIT;
	struct host_stream *stream;

	buf_printf(&script,
		"exec 3<&0; { %s; } </dev/null 3<&- & p=$!;"
		" { cat <&3; kill $p; } >/dev/null 2>&1 & w=$!;"
		" exec 3<&- </dev/null; wait $p; s=$?; kill $w 2>/dev/null; exit $s",
		command);
	buf_add_str(&line, "exec sh -c");
	host_command_add(&line, buf_str(&script));
	stream = stream_start(loop, transport, buf_str(&line), STREAM_INPUT_HELD, NULL, 0, events);
	buf_fini(&script);
	buf_fini(&line);
	return stream;
}

void host_stream_stop(struct host_stream *stream)
{
	if (!stream || stream->stopped)
		return;
	stream->stopped = true;
	stream_close(stream);
	stream_free_if_done(stream);
}

void host_stream_pause(struct host_stream *stream)
{
	int i;

	stream->paused = true;
	for (i = STREAM_OUT; i <= STREAM_ERR; i++)
		if (stream->ends[i].poll)
			loop_poll_change(stream->ends[i].poll, 0);
}

void host_stream_resume(struct host_stream *stream)
{
	int i;

	stream->paused = false;
	for (i = STREAM_OUT; i <= STREAM_ERR; i++)
		if (stream->ends[i].poll)
			loop_poll_change(stream->ends[i].poll, LOOP_READ);
	if (stream->quiet)
		loop_timer_again(stream->quiet, stream_is_read(stream) ? 0 : STREAM_QUIET_MS, 0);
}
