/*
 * See the header.
 */
#include "check_logs.h"

#include <string.h>

#include <pgoncall/base/clock.h>

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
	strlist_fini(&logs->names);
	log_trouble_fini(&logs->trouble);
}

/* When the line was written: one without a time belongs to the one before it that has one. Where none
 * has, it was by the time when its file was written to last; else nothing is known. */
static int64_t check_logs_time(struct check_log *log, const struct log_line *line, bool *known)
{
	if (line->own_time)
		log->last_ns = line->time_ns;
	*known = log->last_ns;
	if (log->last_ns)
		return log->last_ns;
	return log->changed_ns ? log->changed_ns : line->time_ns;
}

static void check_logs_take(struct check_logs *logs, size_t source, const struct log_line *line)
{
	struct check_log *log = &logs->logs[source];
	struct log_match match;
	bool known;
	int64_t at_ns = check_logs_time(log, line, &known);

	log->lines++;
	/* A file gives its last lines, however old. */
	if (at_ns < clock_wall() - CHECK_LOGS_AGO_NS)
		return;
	log->recent++;
	logs->lines++;
	logs->timeless += !known;
	if (log_match_line(line->text, line->len, &match))
		log_trouble_note(
			&logs->trouble, logs->names.items[source], at_ns, &match, line->text);
}

void check_logs_on_line(
	struct check_logs *logs, size_t source, int64_t changed_ns, struct log_line *line_take)
{
	if (line_take->kind == LOG_LINE_TEXT && source < logs->names.n) {
		logs->logs[source].changed_ns = changed_ns;
		check_logs_take(logs, source, line_take);
	}
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

/* It was written to just now, and no line says so: its times are not the host's. */
static bool check_log_is_strange(const struct check_log *log)
{
	return log->last_ns && log->lines && !log->recent &&
	       log->changed_ns >= clock_wall() - CHECK_LOGS_AGO_NS;
}

/* What keeps the verdict from being certain; false: nothing does. */
static bool check_logs_add_doubts(const struct check_logs *logs, struct buf *out)
{
	char changed[16], last[16];
	size_t i;

	if (logs->failed.code != ERR_OK)
		buf_printf(out, "%s; ", logs->failed.text);
	if (!check_logs_are_read(logs))
		buf_printf(out, "%zu of %zu could not be read to their end in time; ",
			logs->names.n - logs->n_ended, logs->names.n);
	for (i = 0; i < logs->names.n; i++) {
		if (!check_log_is_strange(&logs->logs[i]))
			continue;
		clock_format_time(logs->logs[i].changed_ns, changed, sizeof(changed));
		clock_format_time(logs->logs[i].last_ns, last, sizeof(last));
		buf_printf(out,
			"%s was written to at %s, and its last line says %s: its times are of "
			"another zone, so new lines cannot be told from old ones; ",
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

	if (!logs->names.n)
		return;
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
