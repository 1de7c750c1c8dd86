/*
 * Following the logs of a target: one stream per source, split, made safe, kept in a ring; begun
 * again after the newest line when a stream ends or the link was lost.
 */
#include "target_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

/* Lines asked for at the first start. */
#define LOGS_TAIL 500
/* Before a stream that ended by itself is begun again. */
#define LOGS_AGAIN_MS 3000

static void logs_start_source(struct target_source *source);

static void logs_set_state(struct target_source *source, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void logs_set_state(struct target_source *source, const char *fmt, ...)
{
	struct target_log *log = &source->target->logs[source->index];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(log->state, sizeof(log->state), fmt, ap);
	va_end(ap);
}

static void logs_tell(struct target_source *source)
{
	struct target *target = source->target;

	if (target->events.on_log)
		target->events.on_log(target->events.arg, source->index);
}

static void logs_on_line(const struct log_raw *raw, void *arg)
{
	struct target_source *source = arg;
	struct target *target = source->target;
	struct target_log *log = &target->logs[source->index];
	struct log_match match;
	struct log_line line;

	if (raw->has_time && raw->time_ns <= source->skip_until_ns)
		return;
	if (raw->has_time && raw->time_ns > source->last_ns)
		source->last_ns = raw->time_ns;
	log_line_init(&line, raw, (uint16_t)source->index, clock_wall());
	log->errors += line.level == LOG_LEVEL_ERROR;
	source->lines_pending = true;
	if (log_match_line(line.text, line.len, &match)) {
		target_migrations_note(target, &match);
		if (target->events.on_log_match)
			target->events.on_log_match(target->events.arg, source->index, &match);
	}
	log_ring_add_take(log->ring, &line);
}

static void logs_on_data(void *arg, enum host_source from, const char *bytes, size_t len)
{
	struct target_source *source = arg;

	log_splitter_feed(&source->splitters[from == HOST_STDERR], bytes, len, logs_on_line, source);
	if (source->lines_pending) {
		source->lines_pending = false;
		logs_tell(source);
	}
}

static void logs_on_again(struct loop_timer *timer, void *arg)
{
	struct target_source *source = arg;

	loop_timer_stop(timer);
	source->again = NULL;
	logs_start_source(source);
}

static void logs_plan_again(struct target_source *source)
{
	if (!source->again)
		source->again = loop_timer_start(
			source->target->loop, LOGS_AGAIN_MS, 0, logs_on_again, source);
}

static void logs_on_end(void *arg, int status, const struct err *err)
{
	struct target_source *source = arg;
	int i;

	source->stream = NULL;
	for (i = 0; i < 2; i++)
		log_splitter_flush(&source->splitters[i], logs_on_line, source);
	if (err->code != ERR_OK)
		logs_set_state(source, "stopped: %s", err->text);
	else
		logs_set_state(source, "ended (exit %d), again in %d s", status, LOGS_AGAIN_MS / 1000);
	logs_tell(source);
	if (source->target->logs_link.up)
		logs_plan_again(source);
}

static void logs_start_source(struct target_source *source)
{
	struct target *target = source->target;
	struct host_logs want = { .follow = true, .timestamps = true, .tail = LOGS_TAIL };
	struct host_stream_events events = { logs_on_data, logs_on_end, source };
	struct buf command = BUF_INIT;
	struct err err;
	int i;

	if (source->stream || !target->logs_link.up)
		return;
	want.container = target->logs[source->index].name;
	if (source->last_ns) {
		want.since = HOST_SINCE_AT;
		want.since_ns = source->last_ns;
		want.tail = -1;
	}
	source->skip_until_ns = source->last_ns;
	for (i = 0; i < 2; i++) {
		log_splitter_fini(&source->splitters[i]);
		log_splitter_init(&source->splitters[i], i ? LOG_STDERR : LOG_STDOUT,
			target->runtime.kind != HOST_RUNTIME_NONE, 0);
	}
	if (host_runtime_logs(&target->runtime, &want, &command, &err) < 0) {
		logs_set_state(source, "not followed: %s", err.text);
	} else {
		source->stream = host_stream_start(target->loop, target->logs_link.transport,
			buf_str(&command), NULL, 0, &events);
		logs_set_state(source, "following");
	}
	logs_tell(source);
	buf_fini(&command);
}

void target_logs_init(struct target *target)
{
	struct strlist names;
	size_t i;
	int k;

	strlist_init(&names);
	strlist_add_words(&names, config_get(target->section, CONFIG_LOGS));
	target->n_sources = names.n;
	target->sources = mem_calloc(names.n, sizeof(*target->sources));
	target->logs = mem_calloc(names.n, sizeof(*target->logs));
	for (i = 0; i < names.n; i++) {
		target->sources[i].target = target;
		target->sources[i].index = i;
		for (k = 0; k < 2; k++)
			log_splitter_init(&target->sources[i].splitters[k],
				k ? LOG_STDERR : LOG_STDOUT, true, 0);
		target->logs[i].name = mem_strdup(names.items[i]);
		target->logs[i].ring = log_ring_new(0);
		snprintf(target->logs[i].state, sizeof(target->logs[i].state), "connecting");
	}
	strlist_fini(&names);
}

void target_logs_fini(struct target *target)
{
	size_t i;
	int k;

	target_logs_stop(target, "closed");
	for (i = 0; i < target->n_sources; i++) {
		for (k = 0; k < 2; k++)
			log_splitter_fini(&target->sources[i].splitters[k]);
		log_ring_free(target->logs[i].ring);
		free((char *)target->logs[i].name);
	}
	free(target->sources);
	free(target->logs);
	target->sources = NULL;
	target->logs = NULL;
	target->n_sources = 0;
}

void target_logs_start(struct target *target)
{
	size_t i;

	for (i = 0; i < target->n_sources; i++)
		logs_start_source(&target->sources[i]);
}

void target_logs_stop(struct target *target, const char *why)
{
	struct target_source *source;
	size_t i;

	for (i = 0; i < target->n_sources; i++) {
		source = &target->sources[i];
		loop_timer_stop(source->again);
		source->again = NULL;
		if (source->stream) {
			host_stream_stop(source->stream);
			source->stream = NULL;
			logs_set_state(source, "%s", why);
		}
	}
}
