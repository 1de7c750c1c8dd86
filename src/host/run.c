/*
 * A command run to its end: a stream whose output is kept, with a bound and a time limit.
 */
#include <pgoncall/host/run.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/host/stream.h>

struct host_run {
	struct host_stream *stream;
	struct loop_timer *limit;
	int64_t timeout_ms;
	size_t max_output;
	struct host_output output;
	host_run_done_cb done;
	void *arg;
};

static void run_free(struct host_run *run)
{
	loop_timer_stop(run->limit);
	host_stream_stop(run->stream);
	buf_fini(&run->output.out);
	buf_fini(&run->output.err);
	free(run);
}

/* A run cancelled from inside done is freed here all the same, once. */
static void run_end(struct host_run *run, int status, const struct err *err)
{
	host_run_done_cb done = run->done;

	loop_timer_stop(run->limit);
	run->limit = NULL;
	host_stream_stop(run->stream);
	run->stream = NULL;
	run->done = NULL;
	run->output.status = status;
	done(run->arg, &run->output, err);
	run_free(run);
}

static void run_on_data(void *arg, enum host_source source, const char *bytes, size_t len)
{
	struct host_run *run = arg;
	struct buf *buf = source == HOST_STDERR ? &run->output.err : &run->output.out;
	size_t room = run->max_output - buf->len;

	if (len > room) {
		run->output.truncated = true;
		len = room;
	}
	buf_add(buf, bytes, len);
}

static void run_on_end(void *arg, int status, const struct err *err)
{
	struct host_run *run = arg;

	run->stream = NULL;
	run_end(run, status, err);
}

static void run_on_limit(struct loop_timer *timer, void *arg)
{
	struct host_run *run = arg;
	struct err err;
	char span[32];

	(void)timer;
	if (run->timeout_ms % 1000)
		err_set(&err, ERR_TIMEOUT, "no end after %lld ms", (long long)run->timeout_ms);
	else
		err_set(&err, ERR_TIMEOUT, "no end after %s",
			clock_format_span((double)run->timeout_ms / 1000, span, sizeof(span)));
	run_end(run, -1, &err);
}

struct host_run *host_run_start(struct loop *loop, struct transport *transport, const char *command,
	const struct host_run_options *options, host_run_done_cb done, void *arg)
{
	const struct host_run_options defaults = { 0 };
	struct host_run *run = mem_calloc(1, sizeof(*run));
	const struct host_stream_events events = { run_on_data, run_on_end, run };

	if (!options)
		options = &defaults;
	run->done = done;
	run->arg = arg;
	run->max_output = options->max_output ? options->max_output : HOST_RUN_MAX_OUTPUT;
	run->timeout_ms = options->timeout_ms;
	if (run->timeout_ms > 0)
		run->limit = loop_timer_start(loop, run->timeout_ms, 0, run_on_limit, run);
	run->stream = host_stream_start(
		loop, transport, command, options->stdin_bytes, options->stdin_len, &events);
	return run;
}

void host_run_cancel(struct host_run *run)
{
	if (run && run->done)
		run_free(run);
}

/* The last line with something in it, made safe. */
static char *run_last_line(const struct buf *text)
{
	const char *start = buf_str(text), *end = start + text->len, *line;
	struct buf safe = BUF_INIT;

	while (end > start && strchr(" \t\r\n", end[-1]))
		end--;
	for (line = end; line > start && line[-1] != '\n'; line--)
		continue;
	utf8_sanitise(&safe, line, (size_t)(end - line), UTF8_ONE_LINE);
	return buf_steal(&safe);
}

int host_output_check(const struct host_output *output, const struct err *run_err, const char *what,
	struct err *err)
{
	char *line;

	if (run_err->code != ERR_OK)
		return err_set(err, run_err->code, "%s: %s", what, run_err->text);
	if (output->status == 0)
		return 0;
	line = run_last_line(output->err.len ? &output->err : &output->out);
	err_set(err, ERR_COMMAND, "%s: exit %d%s%s", what, output->status, *line ? ": " : "", line);
	free(line);
	return -1;
}
