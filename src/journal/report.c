/*
 * The timeline of an incident as Markdown. All text of the journal is foreign here: it is
 * sanitised, and what Markdown would read as its own is escaped or fenced.
 */
#include <pgoncall/journal/report.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

/* Text within a line. */
static void report_inline(struct buf *out, const char *text)
{
	char *safe = utf8_sanitised_dup(text, UTF8_ONE_LINE);
	const char *s;

	for (s = safe; *s; s++) {
		if (strchr("\\`*_{}[]<>#|!&~", *s))
			buf_add_char(out, '\\');
		buf_add_char(out, *s);
	}
	free(safe);
}

static size_t report_longest_run(const char *text, char c)
{
	size_t longest = 0, run = 0;

	for (; *text; text++) {
		run = *text == c ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

/* Text on lines of its own, in a fence longer than any in it. */
static void report_fenced(struct buf *out, const char *text)
{
	char *safe = utf8_sanitised_dup(text, UTF8_MANY_LINES);
	size_t fence = report_longest_run(safe, '`') + 1, i, len = strlen(safe);

	if (fence < 3)
		fence = 3;
	buf_add_char(out, '\n');
	for (i = 0; i < fence; i++)
		buf_add_char(out, '`');
	buf_printf(out, "\n%s%s", safe, len && safe[len - 1] == '\n' ? "" : "\n");
	for (i = 0; i < fence; i++)
		buf_add_char(out, '`');
	buf_add_char(out, '\n');
	free(safe);
}

/* "2025-01-27 10:00:00Z": without the fraction, for people. */
static void report_time(struct buf *out, const char *ts)
{
	struct buf when = BUF_INIT;

	if (!ts || strlen(ts) < 19) {
		buf_add_str(out, "at an unknown time");
		return;
	}
	buf_printf(&when, "%.10s %.8sZ", ts, ts + 11);
	report_inline(out, buf_str(&when));
	buf_fini(&when);
}

static void report_fact(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, "- %s: ", name);
	report_inline(out, value);
	buf_add_char(out, '\n');
}

/* The last value that is known of a text that may become known later. */
#define LAST_OF(log, field, value)                                                                 \
	do {                                                                                       \
		size_t last_of_i;                                                                  \
		(value) = NULL;                                                                    \
		for (last_of_i = 0; last_of_i < (log)->n; last_of_i++)                             \
			if ((log)->records[last_of_i].field)                                       \
				(value) = (log)->records[last_of_i].field;                         \
	} while (0)

static void report_head(const struct journal_log *log, struct buf *out)
{
	const char *value;

	buf_add_str(out, "# Incident ");
	report_inline(out, log->n && log->records[0].incident ? log->records[0].incident : "");
	buf_add_str(out, "\n\n");
	LAST_OF(log, target, value);
	report_fact(out, "Target", value);
	LAST_OF(log, host, value);
	report_fact(out, "Host", value);
	LAST_OF(log, host_key, value);
	report_fact(out, "Host key", value);
	LAST_OF(log, database, value);
	report_fact(out, "Database", value);
	LAST_OF(log, role, value);
	report_fact(out, "Role", value);
	LAST_OF(log, user, value);
	report_fact(out, "Operator", value);
}

static void report_counts(const struct journal_log *log, size_t unknowns, struct buf *out)
{
	size_t i, writes = 0;

	for (i = 0; i < log->n; i++)
		writes += log->records[i].event == JOURNAL_INTENT;
	buf_printf(out, "- Writes: %zu, of unknown result: %zu\n- Records: %zu\n", writes, unknowns,
		log->n);
	if (log->torn_lines)
		buf_printf(out, "- Lines cut off by a crash: %ld, the first is line %ld\n",
			log->torn_lines, log->torn_line);
	if (log->broken_line) {
		buf_add_str(
			out, "- **The chain of hashes is broken; nothing after it is shown:** ");
		report_inline(out, log->broken.text);
		buf_add_char(out, '\n');
	} else {
		buf_printf(out, "- The chain of hashes holds; its end is `%s`\n", log->head);
	}
}

/* The first record of this kind about the intent, or NULL. */
static const struct journal_record *report_about(const struct journal_log *log,
	const struct journal_record *intent, enum journal_event event)
{
	size_t i;

	for (i = (size_t)intent->seq; i < log->n; i++)
		if (log->records[i].intent == intent->seq && log->records[i].event == event)
			return &log->records[i];
	return NULL;
}

static void report_numbers(const struct journal_record *record, struct buf *out)
{
	if (record->exit != JOURNAL_NONE)
		buf_printf(out, ", exit %lld", (long long)record->exit);
	if (record->rows != JOURNAL_NONE)
		buf_printf(
			out, ", %lld row%s", (long long)record->rows, record->rows == 1 ? "" : "s");
	if (record->duration_ms != JOURNAL_NONE)
		buf_printf(out, ", %lld ms", (long long)record->duration_ms);
}

static void report_outcome(
	const struct journal_log *log, const struct journal_record *intent, struct buf *out)
{
	const struct journal_record *result = report_about(log, intent, JOURNAL_RESULT);
	const struct journal_record *lost = report_about(log, intent, JOURNAL_UNKNOWN);

	if (result) {
		buf_add_str(out, result->exit > 0 ? ": **failed**" : ": done");
		report_numbers(result, out);
	} else if (lost) {
		buf_add_str(out, ": **result unknown**, the connection was lost");
	} else {
		buf_add_str(out, ": **result unknown**, nothing was recorded after it");
	}
	if (!result)
		result = lost;
	if (result && result->text) {
		buf_add_str(out, "; ");
		report_inline(out, result->text);
	}
}

static void report_step_name(const struct journal_record *record, struct buf *out)
{
	if (record->runbook) {
		buf_add_str(out, ", runbook ");
		report_inline(out, record->runbook);
	}
	if (record->step) {
		buf_add_str(out, ", step ");
		report_inline(out, record->step);
	}
}

static void report_intent(
	const struct journal_log *log, const struct journal_record *record, struct buf *out)
{
	buf_printf(out, "Write %lld", (long long)record->seq);
	report_step_name(record, out);
	report_outcome(log, record, out);
	buf_add_char(out, '\n');
	if (record->confirm) {
		buf_add_str(out, "\nConfirmed with ");
		report_inline(out, record->confirm);
		buf_add_char(out, '\n');
	}
	if (record->vars) {
		buf_add_str(out, "\nVariables ");
		report_inline(out, record->vars);
		buf_add_char(out, '\n');
	}
	if (record->command)
		report_fenced(out, record->command);
}

/* A record that is not shown within its intent. */
static void report_other(const struct journal_record *record, struct buf *out)
{
	static const char *const titles[JOURNAL_EVENT_COUNT] = {
		[JOURNAL_RESULT] = "Result",
		[JOURNAL_UNKNOWN] = "Result unknown",
		[JOURNAL_NOTE] = "Note",
		[JOURNAL_ARM] = "Writes allowed",
		[JOURNAL_DISARM] = "Writes no longer allowed",
	};

	buf_add_str(out, titles[record->event]);
	if (record->intent)
		buf_printf(out, " about write %lld", (long long)record->intent);
	report_step_name(record, out);
	if (record->event == JOURNAL_ARM && record->duration_ms != JOURNAL_NONE)
		buf_printf(out, " for %lld min", (long long)(record->duration_ms / 60000));
	if (record->text) {
		buf_add_str(out, ": ");
		report_inline(out, record->text);
	}
	buf_add_char(out, '\n');
}

/* By time, and in the order of writing where a clock went back within the same instant. */
static int report_by_time(const void *a, const void *b)
{
	const struct journal_record *one = *(const struct journal_record *const *)a;
	const struct journal_record *two = *(const struct journal_record *const *)b;
	int order = strcmp(one->ts ? one->ts : "", two->ts ? two->ts : "");

	if (order)
		return order;
	return one->seq < two->seq ? -1 : one->seq > two->seq;
}

static bool report_is_folded(const struct journal_log *log, const struct journal_record *record)
{
	return (record->event == JOURNAL_RESULT || record->event == JOURNAL_UNKNOWN) &&
	       journal_log_find(log, record->intent);
}

static void report_timeline(const struct journal_log *log, struct buf *out)
{
	const struct journal_record **sorted = mem_calloc(log->n + 1, sizeof(*sorted));
	size_t i, n = 0;

	for (i = 0; i < log->n; i++)
		if (!report_is_folded(log, &log->records[i]))
			sorted[n++] = &log->records[i];
	qsort(sorted, n, sizeof(*sorted), report_by_time);
	buf_add_str(out, "\n## Timeline (UTC)\n");
	for (i = 0; i < n; i++) {
		buf_add_str(out, "\n**");
		report_time(out, sorted[i]->ts);
		buf_add_str(out, "** ");
		if (sorted[i]->event == JOURNAL_INTENT)
			report_intent(log, sorted[i], out);
		else
			report_other(sorted[i], out);
	}
	free(sorted);
}

static void report_unknowns(const struct journal_log *log, struct buf *out)
{
	size_t i;

	buf_add_str(out, "\n## Writes of unknown result\n\n");
	for (i = 0; i < log->n; i++) {
		if (log->records[i].event != JOURNAL_INTENT ||
			!journal_log_is_pending(log, &log->records[i], NULL))
			continue;
		buf_printf(out, "- Write %lld at ", (long long)log->records[i].seq);
		report_time(out, log->records[i].ts);
		report_step_name(&log->records[i], out);
		buf_add_str(out, ": look whether it was done; it was not repeated.\n");
	}
}

void journal_report(const struct journal_log *log, struct buf *out)
{
	size_t i, unknowns = 0;

	for (i = 0; i < log->n; i++)
		unknowns += log->records[i].event == JOURNAL_INTENT &&
			    journal_log_is_pending(log, &log->records[i], NULL);
	report_head(log, out);
	report_counts(log, unknowns, out);
	report_timeline(log, out);
	if (unknowns)
		report_unknowns(log, out);
	buf_add_str(out, "\nThe hashes make a change to the journal evident, not impossible: "
			 "compare the end "
			 "of the chain with a copy kept elsewhere.\n");
}
