/*
 * The logs of a target: one stream per source, begun again after the newest line when it ended or
 * the link was lost. What becomes of the bytes is target_log_feed.c's.
 */
#include "target_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/complaint.h>
#include <pgoncall/host/local.h>
#include <pgoncall/host/quote.h>

/* Lines asked for at the first start. */
#define LOGS_TAIL 500
/* Before a stream that ended by itself is begun again: a container that is being replaced is back
 * within seconds; one that is not is looked for less often. */
#define LOGS_AGAIN_MS        1000
#define LOGS_AGAIN_LATER_MS  3000
#define LOGS_AGAIN_LATER     5
#define LOGS_DEPLOY_AGAIN_MS 30000
/* Between two settlings of the order; and lines that may wait in a flood. */
#define LOGS_SETTLE_MS   50
#define LOGS_WAITING_MAX 4096

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
	log->following = source->stream != NULL;
}

static void logs_tell(struct target *target)
{
	if (target->events.on_logs)
		target->events.on_logs(target->events.arg);
}

/* --- the order ------------------------------------------------------------------------------- */

static void logs_on_settle(struct loop_timer *timer, void *arg)
{
	struct target *target = arg;
	bool changed;

	changed = log_store_settle(target->store, clock_monotonic(), false);
	if (!log_store_waiting(target->store)) {
		loop_timer_stop(timer);
		target->settle = NULL;
	}
	if (changed)
		logs_tell(target);
}

static void logs_settle_soon(struct target *target)
{
	size_t waiting = log_store_waiting(target->store);

	if (waiting && !target->settle)
		target->settle = loop_timer_start(
			target->loop, LOGS_SETTLE_MS, LOGS_SETTLE_MS, logs_on_settle, target);
	if (waiting > LOGS_WAITING_MAX)
		log_store_settle(target->store, clock_monotonic(), true);
}

/* --- streams --------------------------------------------------------------------------------- */

static void logs_on_again(struct loop_timer *timer, void *arg)
{
	struct target_source *source = arg;

	loop_timer_stop(timer);
	source->again = NULL;
	logs_start_source(source);
}

static int logs_again_ms(const struct target_source *source)
{
	if (source->kind == SOURCE_DEPLOY)
		return LOGS_DEPLOY_AGAIN_MS;
	return source->attempts < LOGS_AGAIN_LATER ? LOGS_AGAIN_MS : LOGS_AGAIN_LATER_MS;
}

static void logs_plan_again(struct target_source *source, int delay_ms)
{
	if (!source->again)
		source->again =
			loop_timer_start(source->target->loop, delay_ms, 0, logs_on_again, source);
}

static void logs_on_data(void *arg, enum host_source from, const char *bytes, size_t len)
{
	struct target_source *source = arg;

	log_feed_data(source, from, bytes, len);
	logs_settle_soon(source->target);
	if (source->anew && source->stream) {
		source->anew = false;
		host_stream_stop(source->stream);
		source->stream = NULL;
		logs_plan_again(source, 0);
	}
}

/* Why the command failed, in one sentence; ERR_OK where it did not. */
static void logs_explain(
	const struct target_source *source, int status, const struct err *err, struct err *why)
{
	const struct target *target = source->target;
	const char *name = target->logs[source->index].name;
	const char *host = target->local ? "this machine" : config_get(target->section, CONFIG_SSH);
	struct host_output output = { .status = status, .err = source->words };
	char what[256];

	*why = *err;
	if (err->code != ERR_OK || status == 0)
		return;
	snprintf(what, sizeof(what), "reading %s on %s", name,
		source->kind == SOURCE_DEPLOY ? "this machine" : host);
	if (source->kind == SOURCE_CONTAINER)
		host_complaint_check(&target->runtime, name, host, &output, err, why);
	else
		host_output_check(&output, err, what, why);
}

/* A person has to mend it: asking again only fills the host's security log. */
static int logs_after_failure_ms(const struct target_source *source, const struct err *why)
{
	return why->code == ERR_REFUSED ? LOGS_DEPLOY_AGAIN_MS : logs_again_ms(source);
}

static void logs_on_end(void *arg, int status, const struct err *err)
{
	struct target_source *source = arg;
	struct target *target = source->target;
	struct err why;
	int again_ms;

	source->stream = NULL;
	log_feed_end(source);
	logs_explain(source, status, err, &why);
	again_ms = source->anew ? 0 : logs_after_failure_ms(source, &why);
	source->anew = false;
	source->attempts++;
	/* A failure that is told to the owner needs no line, nor does a deploy's: its words are some. */
	if (err->code == ERR_OK && source->kind != SOURCE_DEPLOY &&
		!(target->log_options.once && why.code != ERR_OK))
		log_feed_tell_failure(source, &why);
	if (target->log_options.once) {
		if (target->events.on_log_end)
			target->events.on_log_end(target->events.arg, source->index, &why);
		return;
	}
	if (source->kind == SOURCE_CONTAINER && why.code == ERR_OK && !source->told_end) {
		log_feed_note(source, 0, "the container's log ended");
		source->told_end = true;
	}
	if (err->code != ERR_OK) {
		source->lost_at = clock_wall();
		logs_set_state(source, "stopped: %s", err->text);
	} else {
		logs_set_state(source, "ended (exit %d), again in %d s", status, again_ms / 1000);
	}
	if (source->kind == SOURCE_DEPLOY || target->logs_link.up)
		logs_plan_again(source, again_ms);
	logs_settle_soon(target);
	logs_tell(target);
}

/* --- starting -------------------------------------------------------------------------------- */

/* Where a source's command runs; NULL while the way is down. The deploy's log is asked for here. */
static struct transport *logs_transport(struct target_source *source)
{
	const struct transport_events none = { 0 };
	struct target *target = source->target;

	if (source->kind != SOURCE_DEPLOY)
		return target->logs_link.up ? target->logs_link.transport : NULL;
	if (!target->here)
		target->here = local_transport_open(target->loop, &none);
	return target->here;
}

static int logs_command(struct target_source *source, struct buf *command, struct err *err)
{
	struct target *target = source->target;
	const struct target_log_options *options = &target->log_options;
	struct host_logs want = { .container = target->logs[source->index].name,
		.follow = !options->once,
		.timestamps = true,
		.identify = true,
		.tail = options->tail                           ? options->tail
			: options->all || options->since_ago_ns ? -1
								: LOGS_TAIL };
	int64_t since = log_resume_since(&source->resume);

	if (source->kind == SOURCE_DEPLOY) {
		host_command_add_setting(command, config_get(target->section, CONFIG_DEPLOY_LOG));
		return 0;
	}
	if (since) {
		want.since = HOST_SINCE_AT;
		want.since_ns = since;
		want.tail = -1;
	} else if (options->since_ago_ns) {
		want.since = HOST_SINCE_AGO;
		want.since_ns = options->since_ago_ns;
	}
	return host_runtime_logs(&target->runtime, &want, command, err);
}

static void logs_start_source(struct target_source *source)
{
	struct target *target = source->target;
	struct host_stream_events events = { logs_on_data, logs_on_end, source };
	struct transport *transport = logs_transport(source);
	struct buf command = BUF_INIT;
	struct err err;

	if (source->stream || !transport || !(target->wants & TARGET_LOGS))
		return;
	if (logs_command(source, &command, &err) < 0) {
		logs_set_state(source, "not followed: %s", err.text);
		if (target->log_options.once && target->events.on_log_end)
			target->events.on_log_end(target->events.arg, source->index, &err);
	} else {
		source->gap = source->begun && source->lost_at;
		log_feed_begin(source);
		source->stream =
			host_stream_start_tied(target->loop, transport, buf_str(&command), &events);
		if (source->held)
			host_stream_pause(source->stream);
		logs_set_state(source, "following");
	}
	logs_tell(target);
	buf_fini(&command);
}

static enum target_source_kind logs_kind(const struct target *target, const char *name)
{
	static const enum target_source_kind kinds[] = {
		[HOST_LOG_CONTAINER] = SOURCE_CONTAINER,
		[HOST_LOG_FILE] = SOURCE_FILE,
		[HOST_LOG_JOURNAL] = SOURCE_JOURNAL,
	};

	if (str_equal(name, TARGET_DEPLOY_LOG) && config_is_set(target->section, CONFIG_DEPLOY_LOG))
		return SOURCE_DEPLOY;
	return kinds[host_runtime_log_kind(name)];
}

/* -1: there are too many already. */
static int logs_add(struct target *target, const char *name)
{
	int index = log_store_add_source(target->store, name);
	struct target_source *source;

	if (index < 0)
		return -1;
	source = &target->sources[index];
	source->target = target;
	source->index = (size_t)index;
	source->kind = logs_kind(target, name);
	target->logs[index].name = mem_strdup(name);
	target->n_sources = (size_t)index + 1;
	logs_set_state(source, "connecting");
	return index;
}

static int logs_find(const struct target *target, const char *name)
{
	size_t i;

	for (i = 0; i < target->n_sources; i++)
		if (str_equal(target->logs[i].name, name))
			return (int)i;
	return -1;
}

int target_logs_follow(struct target *target, const char *name, struct err *err)
{
	struct host_logs want = { .container = name, .tail = -1 };
	struct buf command = BUF_INIT;
	int index = logs_find(target, name), rc = 0;

	if (index >= 0)
		return index;
	if (logs_kind(target, name) != SOURCE_DEPLOY)
		rc = host_runtime_logs(&target->runtime, &want, &command, err);
	buf_fini(&command);
	if (rc < 0)
		return -1;
	index = logs_add(target, name);
	if (index < 0)
		return err_set(err, ERR_REFUSED,
			"%d logs are followed already, and no more can be; leave the target and "
			"come "
			"back to follow others",
			LOG_SOURCES_MAX);
	target_logs_connect(target);
	logs_start_source(&target->sources[index]);
	return index;
}

void target_logs_hold(struct target *target, size_t index, bool hold)
{
	struct target_source *source = &target->sources[index];

	if (source->held == hold)
		return;
	source->held = hold;
	if (source->stream && hold)
		host_stream_pause(source->stream);
	else if (source->stream)
		host_stream_resume(source->stream);
}

/* --- life ------------------------------------------------------------------------------------ */

void target_logs_init(struct target *target)
{
	struct strlist names;
	size_t i;

	strlist_init(&names);
	if (target->log_options.names && target->log_options.names->n) {
		strlist_copy(&names, target->log_options.names);
	} else {
		strlist_add_words(&names, config_get(target->section, CONFIG_LOGS));
		if (config_is_set(target->section, CONFIG_DEPLOY_LOG))
			strlist_add(&names, TARGET_DEPLOY_LOG);
	}
	target->store = log_store_new(config_get_size(target->section, CONFIG_LOG_MEMORY));
	target->sources = mem_calloc(LOG_SOURCES_MAX, sizeof(*target->sources));
	target->logs = mem_calloc(LOG_SOURCES_MAX, sizeof(*target->logs));
	for (i = 0; i < names.n; i++)
		if (logs_find(target, names.items[i]) < 0)
			logs_add(target, names.items[i]);
	strlist_fini(&names);
}

void target_logs_fini(struct target *target)
{
	size_t i;

	target_logs_stop(target, "closed");
	loop_timer_stop(target->settle);
	if (target->here)
		target->here->ops->close(target->here);
	for (i = 0; i < target->n_sources; i++) {
		log_feed_fini(&target->sources[i]);
		free(target->logs[i].name);
	}
	log_store_free(target->store);
	free(target->sources);
	free(target->logs);
}

/* Its lines are others': none of them came already. */
void target_logs_replaced(struct target_source *source)
{
	log_feed_end(source);
	host_stream_stop(source->stream);
	source->stream = NULL;
	memset(&source->resume, 0, sizeof(source->resume));
	logs_plan_again(source, 0);
	logs_settle_soon(source->target);
}

void target_logs_start(struct target *target)
{
	size_t i;

	log_watch_start(target);
	for (i = 0; i < target->n_sources; i++)
		logs_start_source(&target->sources[i]);
}

void target_logs_stop(struct target *target, const char *why)
{
	struct target_source *source;
	size_t i;

	log_watch_stop(target);
	for (i = 0; i < target->n_sources; i++) {
		source = &target->sources[i];
		loop_timer_stop(source->again);
		source->again = NULL;
		log_feed_stop(source);
		if (!source->stream)
			continue;
		host_stream_stop(source->stream);
		source->stream = NULL;
		source->lost_at = clock_wall();
		logs_set_state(source, "%s", why);
	}
}
