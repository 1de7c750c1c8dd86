/*
 * Whether a container that is followed still has its name. A stream ends with its container; where that
 * one lives on under another name, as after a switch of colours, it does not, and the one that has the
 * name now would not be read.
 */
#include "target_internal.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

#define WATCH_MS         10000
#define WATCH_TIMEOUT_MS 8000

static bool watch_wants(const struct target_source *source)
{
	return source->kind == SOURCE_CONTAINER && source->stream && source->identity;
}

/* "ID NAME"; docker's names begin with a slash. */
static void watch_take(struct target *target, char *line)
{
	struct target_source *source;
	size_t i, id = strcspn(line, " ");
	const char *name = line + id + (line[id] == ' ');

	name += *name == '/';
	for (i = 0; i < target->n_sources && id; i++) {
		source = &target->sources[i];
		if (watch_wants(source) && strcmp(target->logs[i].name, name) == 0 &&
			(strncmp(source->identity, line, id) != 0 || source->identity[id] != ' '))
			target_logs_replaced(source);
	}
}

static void watch_on_done(void *arg, const struct host_output *output, const struct err *err)
{
	struct target *target = arg;
	char *copy = mem_strdup(buf_str(&output->out)), *rest = copy, *line;

	target->logs_watch_run = NULL;
	while (err->code == ERR_OK && (line = strsep(&rest, "\n")))
		watch_take(target, line);
	free(copy);
}

static void watch_on_timer(struct loop_timer *timer, void *arg)
{
	struct host_run_options options = { .timeout_ms = WATCH_TIMEOUT_MS };
	struct target *target = arg;
	struct buf command = BUF_INIT;
	struct strlist names;
	size_t i;

	(void)timer;
	if (target->logs_watch_run || !target->logs_link.up)
		return;
	strlist_init(&names);
	for (i = 0; i < target->n_sources; i++)
		if (watch_wants(&target->sources[i]))
			strlist_add(&names, target->logs[i].name);
	if (names.n && host_runtime_names(&target->runtime, &names, &command, NULL) == 0)
		target->logs_watch_run = host_run_start(target->loop, target->logs_link.transport,
			buf_str(&command), &options, watch_on_done, target);
	buf_fini(&command);
	strlist_fini(&names);
}

void log_watch_start(struct target *target)
{
	if (!target->logs_watch && !target->log_options.once &&
		target->runtime.kind != HOST_RUNTIME_NONE)
		target->logs_watch =
			loop_timer_start(target->loop, WATCH_MS, WATCH_MS, watch_on_timer, target);
}

void log_watch_stop(struct target *target)
{
	loop_timer_stop(target->logs_watch);
	target->logs_watch = NULL;
	host_run_cancel(target->logs_watch_run);
	target->logs_watch_run = NULL;
}
