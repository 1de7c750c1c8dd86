/*
 * See the header.
 */
#include "check_logs.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

void check_logs_init(struct check_logs *logs, struct target_options *options)
{
	struct strlist words;
	size_t i;

	strlist_init(&logs->names);
	strlist_init(&words);
	strlist_add_words(&words, config_get(options->section, CONFIG_LOGS));
	for (i = 0; i < words.n && logs->names.n < LOG_SOURCES_MAX; i++)
		if (!strlist_has(&logs->names, words.items[i]))
			strlist_add(&logs->names, words.items[i]);
	strlist_fini(&words);
	if (!logs->names.n)
		return;
	options->wants |= TARGET_LOGS;
	options->logs = (struct target_log_options){ .once = true,
		.since_ago_ns = CHECK_LOGS_AGO_NS,
		.tail = CHECK_LOGS_TAIL,
		.names = &logs->names };
}

void check_logs_fini(struct check_logs *logs)
{
	size_t i, k;

	for (i = 0; i < LOG_SOURCES_MAX; i++) {
		for (k = 0; k < logs->logs[i].n_early; k++)
			log_line_fini(&logs->logs[i].early[k]);
		free(logs->logs[i].early);
	}
	strlist_fini(&logs->names);
	log_trouble_fini(&logs->trouble);
}

/* A line that is of that time or, timeless, older. */
static void check_logs_judge_line(struct check_logs *logs, size_t source,
	const struct log_line *line, int64_t at_ns, bool timeless)
{
	struct log_match match;

	/* A file gives its last lines, however old. */
	if (at_ns < clock_wall() - CHECK_LOGS_AGO_NS)
		return;
	logs->logs[source].recent++;
	logs->lines++;
	logs->timeless += timeless;
	if (log_match_line(line->text, line->len, &match))
		log_trouble_note(&logs->trouble, logs->names.items[source], at_ns, timeless, &match,
			line->text);
}

/* What came before any line had a time is of `at_ns` or older. */
static void check_logs_judge_early(struct check_logs *logs, size_t source, int64_t at_ns)
{
	struct check_log *log = &logs->logs[source];
	size_t i;

	for (i = 0; i < log->n_early; i++) {
		check_logs_judge_line(logs, source, &log->early[i], at_ns, true);
		log_line_fini(&log->early[i]);
	}
	free(log->early);
	log->early = NULL;
	log->n_early = log->cap_early = 0;
}

void check_logs_on_line(struct check_logs *logs, size_t source, const struct target_log *of,
	struct log_line *line_take)
{
	struct check_log *log = &logs->logs[source];
	bool known;

	if (line_take->kind != LOG_LINE_TEXT || source >= logs->names.n) {
		log_line_fini(line_take);
		return;
	}
	log->changed_ns = of->changed_ns;
	log->said_ns = of->said_ns;
	log->last_ns = target_log_line_time(of, line_take, &known);
	if (!known) {
		log->early =
			mem_grow(log->early, log->n_early, &log->cap_early, sizeof(*log->early));
		log->early[log->n_early++] = *line_take;
		return;
	}
	check_logs_judge_early(logs, source, log->last_ns);
	check_logs_judge_line(logs, source, line_take, log->last_ns, false);
	log_line_fini(line_take);
}

void check_logs_on_end(struct check_logs *logs, size_t source, const struct err *err)
{
	if (source >= logs->names.n || logs->logs[source].ended)
		return;
	logs->logs[source].ended = true;
	logs->n_ended++;
	if (err->code != ERR_OK && logs->failed.code == ERR_OK)
		logs->failed = *err;
}

bool check_logs_are_read(const struct check_logs *logs)
{
	return logs->n_ended == logs->names.n;
}

/* It was written to just now, and the last time in it is not of now: its times are not the host's. */
static bool check_log_is_strange(const struct check_log *log)
{
	int64_t now = clock_wall();

	return log->said_ns && log->changed_ns >= now - CHECK_LOGS_AGO_NS &&
	       (log->said_ns > now + CHECK_LOGS_AHEAD_NS || !log->recent);
}

/* What keeps the verdict from being certain; false: nothing does. */
static bool check_logs_add_doubts(const struct check_logs *logs, struct buf *out)
{
	char changed[16], last[16];
	size_t i;

	if (logs->failed.code != ERR_OK)
		buf_printf(out, "%s; ", logs->failed.text);
	for (i = 0; i < logs->names.n; i++)
		if (!logs->logs[i].ended)
			buf_printf(out, "%s could not be read to its end in time; ",
				logs->names.items[i]);
	for (i = 0; i < logs->names.n; i++) {
		if (!check_log_is_strange(&logs->logs[i]))
			continue;
		clock_format_time(logs->logs[i].changed_ns, changed, sizeof(changed));
		clock_format_time(logs->logs[i].said_ns, last, sizeof(last));
		buf_printf(out,
			"%s was written to at %s, and its last time is %s: its times may be of "
			"another zone, so new errors cannot be told from old ones: have its "
			"program "
			"write the zone, or look at the log; ",
			logs->names.items[i], changed, last);
	}
	return out->len > 0;
}

void check_logs_judge(struct check_logs *logs, const struct migration_graph *graph,
	struct check_report *report, struct findings *findings)
{
	struct finding_input input = { .trouble = &logs->trouble, .now_ns = clock_wall() };
	struct findings found = { 0 };
	struct buf text = BUF_INIT;
	bool doubts;
	size_t i;

	if (!logs->names.n)
		return;
	for (i = 0; i < logs->names.n; i++)
		check_logs_judge_early(logs, i, logs->logs[i].last_ns);
	log_trouble_look(&logs->trouble, graph);
	findings_compute(&found, &input);
	doubts = check_logs_add_doubts(logs, &text);
	buf_printf(&text, "%zu kind%s of error in the %llu line%s of the last 15 min", found.n,
		found.n == 1 ? "" : "s", (unsigned long long)logs->lines,
		logs->lines == 1 ? "" : "s");
	if (logs->timeless)
		buf_printf(&text, " (%llu without a time, perhaps older)",
			(unsigned long long)logs->timeless);
	check_report_add(report, "logs",
		doubts    ? CHECK_UNKNOWN
		: found.n ? CHECK_WARNING
			  : CHECK_OK,
		"%s", buf_str(&text));
	findings_take(findings, &found);
	buf_fini(&text);
}
