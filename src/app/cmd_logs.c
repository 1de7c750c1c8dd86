/*
 * pgoncall logs: the lines of several logs on stdout, merged by time. Which streams run is the
 * target's business; here their lines wait for each other, and are printed.
 *
 * Read once, a line waits until every other log has come as far in time, or to its end; a log that is
 * far ahead is held meanwhile, so that memory stays bounded. Followed, it waits a moment only.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/app/command.h>
#include <pgoncall/app/config.h>
#include <pgoncall/app/target.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/logs/regex.h>
#include <pgoncall/logs/stamp.h>

#include "batch.h"

#define TICK_MS       20
#define HOLD_NS       (100 * CLOCK_NS_PER_MS) /* for what stdout and stderr are apart */
#define AHEAD_MAX     (8u << 20)              /* bytes of lines that wait, of one log */
#define OUTPUT_BUFFER (128u << 10)

static int logs_run(const struct invocation *in);

const struct command command_logs = {
	.name = "logs",
	.args = "TARGET [LOG...] [-f] [--since 30m] [--grep RE]",
	.summary = "the lines of containers, files and units, merged by time",
	.details =
		"LOG is a container, file:PATH, journal:UNIT or deploy; without one, those that "
		"the\n"
		"configuration names. -f follows them, beginning with their last lines; --since\n"
		"takes lines no older than that; --grep those that match a pattern (PCRE; in "
		"small\n"
		"letters without regard to case). What a log holds besides text is made visible.\n"
		"The exit status is 1 when --grep found nothing, 3 when a log could not be read.",
	.options = OPTION_FOLLOW | OPTION_SINCE | OPTION_GREP,
	.min_args = 1,
	.max_args = -1,
	.run = logs_run,
};

struct waiting_line {
	struct log_line line;
	int64_t came; /* monotonic */
};

/* The lines of one log that wait, by time. */
struct waiting_log {
	struct waiting_line *items;
	size_t first, n, cap;
	size_t bytes;
	int64_t last_ns; /* how far it has come */
	bool ended, held;
};

struct logs {
	struct batch batch; /* for its loop, config and end */
	struct loop_timer *tick;
	struct waiting_log logs[LOG_SOURCES_MAX];
	size_t n_logs, n_running;
	struct log_regex *grep;
	int failed; /* exit status of a log that could not be read; 0: none */
	uint64_t printed;
	int write_errno; /* of the first write that failed */
	int64_t since_ns; /* what is older was not asked for; 0: all was */
	bool follow, colour, up;
};

/* --- printing -------------------------------------------------------------------------------- */

static const char *const level_colours[] = {
	[LOG_LEVEL_UNKNOWN] = "",
	[LOG_LEVEL_DEBUG] = "\033[2m",
	[LOG_LEVEL_INFO] = "",
	[LOG_LEVEL_WARNING] = "\033[33m",
	[LOG_LEVEL_ERROR] = "\033[31m",
};

/* A reader that has enough is no failure. */
static void logs_check_output(struct logs *logs)
{
	struct err err;

	if (!ferror(stdout) || logs->batch.ended)
		return;
	__fpurge(stdout);
	if (logs->write_errno == EPIPE) {
		batch_end(&logs->batch, EXIT_OK);
		return;
	}
	err_system(&err, logs->write_errno, "cannot write the lines");
	batch_end(&logs->batch, command_fail(&err));
}

static void logs_print_note(const struct logs *logs, const struct log_line *line)
{
	const struct target_log *names;
	size_t n;

	names = target_logs(logs->batch.target, &n);
	fflush(stdout);
	fprintf(stderr, "pgoncall: %s: %s\n", names[line->source].name, line->text);
}

static void logs_print(struct logs *logs, const struct log_line *line)
{
	const struct target_log *names;
	const char *colour = logs->colour ? level_colours[line->level] : "";
	char time[40];
	size_t n, stamp;

	names = target_logs(logs->batch.target, &n);
	fputs(clock_format_rfc3339(line->time_ns, time, sizeof(time)), stdout);
	if (n > 1)
		fprintf(stdout, logs->colour ? " \033[36m%s\033[0m" : " %s",
			names[line->source].name);
	stamp = line->own_time ? log_stamp_read(line->text, line->len, NULL, NULL) : 0;
	stamp = stamp < line->len ? stamp : 0;
	putc(' ', stdout);
	fputs(colour, stdout);
	fwrite(line->text + stamp, 1, line->len - stamp, stdout);
	if (line->cut)
		fprintf(stdout, " (and %zu bytes)", line->cut);
	fputs(*colour ? "\033[0m\n" : "\n", stdout);
	logs->printed++;
	if (ferror(stdout) && !logs->write_errno)
		logs->write_errno = errno;
}

static void logs_flush(struct logs *logs)
{
	if (fflush(stdout) != 0 && !logs->write_errno)
		logs->write_errno = errno;
	logs_check_output(logs);
}

static void logs_take_out(struct logs *logs, struct log_line *line)
{
	enum log_regex_result result = LOG_REGEX_YES;
	struct err err;

	if (line->kind != LOG_LINE_TEXT) {
		logs_print_note(logs, line);
		return;
	}
	if (logs->grep)
		result = log_regex_match(logs->grep, line->text, line->len, 0, NULL, NULL);
	if (result == LOG_REGEX_YES) {
		logs_print(logs, line);
	} else if (result == LOG_REGEX_TOO_COSTLY) {
		log_regex_too_costly(logs->grep, &err);
		batch_end(&logs->batch, command_fail(&err));
	}
}

/* --- waiting for each other ------------------------------------------------------------------ */

static struct waiting_line *log_head(struct waiting_log *log)
{
	return log->first < log->n ? &log->items[log->first] : NULL;
}

static void log_pop(struct waiting_log *log)
{
	struct waiting_line *head = log_head(log);

	log->bytes -= log_line_size(&head->line);
	log_line_fini(&head->line);
	log->first++;
	if (log->first == log->n) {
		log->first = log->n = 0;
	} else if (log->first > 4096 && log->first > log->n / 2) {
		memmove(log->items, log->items + log->first,
			(log->n - log->first) * sizeof(*log->items));
		log->n -= log->first;
		log->first = 0;
	}
}

/* Behind all that are not newer; mostly at the end. */
static void log_push(struct waiting_log *log, struct log_line *line_take)
{
	size_t i;

	log->items = mem_grow(log->items, log->n, &log->cap, sizeof(*log->items));
	for (i = log->n; i > log->first && log->items[i - 1].line.time_ns > line_take->time_ns; i--)
		log->items[i] = log->items[i - 1];
	log->items[i].line = *line_take;
	log->items[i].came = clock_monotonic();
	log->bytes += log_line_size(line_take);
	log->n++;
	if (line_take->time_ns > log->last_ns)
		log->last_ns = line_take->time_ns;
	memset(line_take, 0, sizeof(*line_take));
}

static bool logs_may_go(const struct logs *logs, const struct waiting_log *of,
	const struct waiting_line *line, int64_t now)
{
	size_t i;

	if (!of->ended && now - line->came < HOLD_NS)
		return false;
	for (i = 0; i < logs->n_logs && !logs->follow; i++)
		if (!logs->logs[i].ended && logs->logs[i].last_ns < line->line.time_ns)
			return false;
	return true;
}

static struct waiting_log *logs_oldest(struct logs *logs)
{
	struct waiting_log *oldest = NULL;
	size_t i;

	for (i = 0; i < logs->n_logs; i++)
		if (log_head(&logs->logs[i]) && (!oldest || log_head(&logs->logs[i])->line.time_ns <
								    log_head(oldest)->line.time_ns))
			oldest = &logs->logs[i];
	return oldest;
}

static void logs_hold_back(struct logs *logs)
{
	struct waiting_log *log;
	size_t i;

	for (i = 0; i < logs->n_logs; i++) {
		log = &logs->logs[i];
		if (log->held ? log->bytes < AHEAD_MAX / 2 : log->bytes > AHEAD_MAX) {
			log->held = !log->held;
			target_logs_hold(logs->batch.target, i, log->held);
		}
	}
}

/* Prints what may go. */
static void logs_advance(struct logs *logs)
{
	struct waiting_log *log;
	int64_t now = clock_monotonic();

	while (!logs->batch.ended && (log = logs_oldest(logs)) &&
		logs_may_go(logs, log, log_head(log), now)) {
		logs_take_out(logs, &log_head(log)->line);
		log_pop(log);
	}
	logs_hold_back(logs);
	if (logs->follow)
		logs_flush(logs);
	logs_check_output(logs);
	if (logs->batch.ended || logs->n_running || logs_oldest(logs))
		return;
	logs_flush(logs);
	if (logs->batch.ended)
		return;
	if (logs->failed)
		batch_end(&logs->batch, logs->failed);
	else
		batch_end(&logs->batch, logs->grep && !logs->printed ? EXIT_WARNING : EXIT_OK);
}

/* --- events ---------------------------------------------------------------------------------- */

/* While nothing is written, nothing fails: whether somebody still reads a followed log is looked at. */
static void logs_check_reader(struct logs *logs)
{
	struct pollfd fd = { .fd = STDOUT_FILENO };

	if (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLERR | POLLNVAL))) {
		__fpurge(stdout);
		batch_end(&logs->batch, EXIT_OK);
	}
}

static void logs_on_tick(struct loop_timer *timer, void *arg)
{
	struct logs *logs = arg;

	(void)timer;
	logs_advance(logs);
	if (!logs->batch.ended && logs->follow)
		logs_check_reader(logs);
}

/* Containers and units are asked for no more than is wanted; files and the deploy's log give all. A line
 * without a time is no newer than its file. */
static bool logs_is_too_old(const struct logs *logs, size_t source, const struct log_line *line)
{
	size_t n;
	int64_t changed_ns = target_logs(logs->batch.target, &n)[source].changed_ns;

	if (line->kind != LOG_LINE_TEXT)
		return false;
	if (!line->own_time && changed_ns && changed_ns < logs->since_ns)
		return true;
	return line->time_ns < logs->since_ns;
}

static void logs_on_line(void *arg, size_t source, struct log_line *line_take)
{
	struct logs *logs = arg;

	if (source >= logs->n_logs || logs_is_too_old(logs, source, line_take)) {
		log_line_fini(line_take);
		return;
	}
	logs->up = true;
	line_take->source = (uint16_t)source;
	log_push(&logs->logs[source], line_take);
	if (logs->logs[source].bytes > AHEAD_MAX)
		logs_hold_back(logs);
}

static void logs_on_log_end(void *arg, size_t source, const struct err *err)
{
	struct logs *logs = arg;

	if (logs->logs[source].ended)
		return;
	if (err->code != ERR_OK) {
		logs_flush(logs);
		logs->failed = command_fail(err);
	}
	logs->logs[source].ended = true;
	logs->n_running--;
}

/* The link that was there once is made again where logs are followed; a first one that cannot be made
 * is the end. */
static void logs_on_error(void *arg, const struct err *why, bool retrying)
{
	struct logs *logs = arg;

	if (logs->batch.ended)
		return;
	fflush(stdout);
	if (retrying && logs->up)
		command_fail(why);
	else
		batch_end(&logs->batch, command_fail(why));
}

static void logs_on_logs(void *arg)
{
	struct logs *logs = arg;
	const struct target_log *all;
	size_t i, n;

	if (!logs->batch.target)
		return;
	all = target_logs(logs->batch.target, &n);
	for (i = 0; i < n; i++)
		logs->up |= all[i].following;
	/* Connecting has its limit, reading has none. */
	if (logs->up) {
		loop_timer_stop(logs->batch.timer);
		logs->batch.timer = NULL;
	}
}

static void logs_on_timeout(struct loop_timer *timer, void *arg)
{
	struct err err;

	(void)timer;
	err_set(&err, ERR_TIMEOUT, "no answer within 60 s");
	logs_on_error(arg, &err, false);
}

/* --- running --------------------------------------------------------------------------------- */

static int logs_read(struct logs *logs, const struct config_section *section,
	const struct target_log_options *how)
{
	struct target_events events = {
		.on_error = logs_on_error,
		.on_logs = logs_on_logs,
		.on_log_line = logs_on_line,
		.on_log_end = logs_on_log_end,
		.on_ask = isatty(STDIN_FILENO) ? batch_on_ask : NULL,
		.arg = logs,
	};
	struct target_options options = {
		.section = section,
		.wants = TARGET_LOGS,
		.retry = logs->follow,
		.logs = *how,
	};
	struct err err;
	size_t i;

	logs->batch.loop = loop_new();
	logs->batch.timer = loop_timer_start(logs->batch.loop, 60000, 0, logs_on_timeout, logs);
	logs->batch.target = target_open(logs->batch.loop, &options, &events);
	target_logs(logs->batch.target, &logs->n_logs);
	logs->n_running = logs->n_logs;
	logs->tick = loop_timer_start(logs->batch.loop, TICK_MS, TICK_MS, logs_on_tick, logs);
	if (logs->n_logs) {
		loop_run(logs->batch.loop);
	} else {
		err_set(&err, ERR_CONFIG,
			"target '%s' has no 'logs' configured; name a log on the command line",
			section->name);
		logs->batch.status = command_fail(&err);
	}
	loop_timer_stop(logs->tick);
	loop_timer_stop(logs->batch.timer);
	target_close(logs->batch.target);
	for (i = 0; i < LOG_SOURCES_MAX; i++) {
		while (log_head(&logs->logs[i]))
			log_pop(&logs->logs[i]);
		free(logs->logs[i].items);
	}
	loop_free(logs->batch.loop);
	return logs->batch.status;
}

static int logs_options(struct logs *logs, const struct invocation *in,
	struct target_log_options *how, struct strlist *names, struct err *err)
{
	int i;

	for (i = 1; i < in->n_args; i++)
		strlist_add(names, in->args[i]);
	how->names = names;
	how->once = !logs->follow;
	how->all = !logs->follow;
	if (in->since && (clock_parse_duration(in->since, &how->since_ago_ns) < 0 ||
				 how->since_ago_ns < CLOCK_NS_PER_S))
		return err_set(err, ERR_USAGE,
			"--since %s is no span of time; give one such as 90s, 30m or 2h",
			in->since);
	if (in->since)
		logs->since_ns = clock_wall() - how->since_ago_ns;
	if (in->grep && log_regex_new(&logs->grep, in->grep, err) < 0)
		return -1;
	return 0;
}

static int logs_run(const struct invocation *in)
{
	const struct config_section *section = NULL;
	struct target_log_options how = { 0 };
	struct logs *logs = mem_calloc(1, sizeof(*logs));
	struct strlist names;
	struct err err;
	int status;

	strlist_init(&names);
	logs->batch.in = in;
	logs->batch.status = EXIT_UNKNOWN;
	logs->follow = in->given & OPTION_FOLLOW;
	logs->colour = !in->no_color;
	setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
	if (config_load(&logs->batch.config, in->config_path, &err) < 0) {
		free(logs);
		return command_fail(&err);
	}
	section = config_find(&logs->batch.config, in->args[0], &err);
	if (!section || logs_options(logs, in, &how, &names, &err) < 0)
		status = command_fail(&err);
	else
		status = logs_read(logs, section, &how);
	log_regex_free(logs->grep);
	config_fini(&logs->batch.config);
	strlist_fini(&names);
	free(logs);
	return status;
}
