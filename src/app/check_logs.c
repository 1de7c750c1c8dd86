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

/* When the line was written: a line without a time belongs to the one before it that has one. */
static int64_t check_logs_time(struct check_logs *logs, size_t source, const struct log_line *line)
{
	if (line->own_time)
		logs->last_ns[source] = line->time_ns;
	return logs->last_ns[source] ? logs->last_ns[source] : line->time_ns;
}

void check_logs_on_line(struct check_logs *logs, size_t source, struct log_line *line_take)
{
	struct log_match match;
	int64_t at_ns;

	if (line_take->kind == LOG_LINE_TEXT && source < logs->names.n) {
		at_ns = check_logs_time(logs, source, line_take);
		/* A file gives its last lines, however old. */
		if (at_ns >= clock_wall() - CHECK_LOGS_AGO_NS) {
			logs->lines++;
			if (log_match_line(line_take->text, line_take->len, &match))
				log_trouble_note(&logs->trouble, logs->names.items[source], at_ns,
					&match, line_take->text);
		}
	}
	log_line_fini(line_take);
}

void check_logs_on_end(struct check_logs *logs, size_t source, const struct err *err)
{
	if (source >= logs->names.n || logs->ended[source])
		return;
	logs->ended[source] = true;
	logs->n_ended++;
	if (err->code != ERR_OK && logs->failed.code == ERR_OK)
		logs->failed = *err;
}

bool check_logs_are_read(const struct check_logs *logs)
{
	return logs->n_ended == logs->names.n;
}

void check_logs_judge(struct check_logs *logs, const struct migration_graph *graph,
	struct check_report *report, struct findings *findings)
{
	struct finding_input input = { .trouble = &logs->trouble, .now_ns = clock_wall() };
	struct findings found = { 0 };

	if (!logs->names.n)
		return;
	log_trouble_look(&logs->trouble, graph);
	findings_compute(&found, &input);
	if (logs->failed.code != ERR_OK)
		check_report_add(report, "logs", CHECK_UNKNOWN, "%s", logs->failed.text);
	else if (!check_logs_are_read(logs))
		check_report_add(report, "logs", CHECK_UNKNOWN,
			"%zu of %zu could not be read to their end in time",
			logs->names.n - logs->n_ended, logs->names.n);
	else
		check_report_add(report, "logs", found.n ? CHECK_WARNING : CHECK_OK,
			"%zu kind%s of error in the %llu line%s of the last 15 min", found.n,
			found.n == 1 ? "" : "s", (unsigned long long)logs->lines,
			logs->lines == 1 ? "" : "s");
	findings_take(findings, &found);
}
