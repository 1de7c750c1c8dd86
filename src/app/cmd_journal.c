/*
 * pgoncall journal: list, show, report, verify. Reads the records of what was done; writes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/app/command.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/journal/journal.h>
#include <pgoncall/journal/list.h>
#include <pgoncall/journal/log.h>
#include <pgoncall/journal/report.h>

static int journal_run(const struct invocation *in);

const struct command command_journal = {
	.name = "journal",
	.args = "list | show ID | report ID | verify",
	.summary = "the records of what was done",
	.details = "verify checks the hash chain of every record: it makes tampering evident, it "
		   "cannot\n"
		   "prevent it.",
	.min_args = 1,
	.max_args = 2,
	.run = journal_run,
};

static int journal_list(const struct journal_list *list, const char *id)
{
	const struct journal_summary *s;
	size_t i;

	(void)id;
	for (i = 0; i < list->n; i++) {
		s = &list->items[i];
		printf("%-36s %-12s %s  %zu records, %zu writes", s->incident, s->target,
			s->first_ts, s->records, s->writes);
		if (s->unknowns)
			printf(", %zu with unknown result", s->unknowns);
		printf("%s\n", s->broken ? ", CHAIN BROKEN" : "");
	}
	return EXIT_OK;
}

/* An incident may be named by any unique beginning of its id. */
static const struct journal_summary *journal_find(
	const struct journal_list *list, const char *id, struct err *err)
{
	const struct journal_summary *found = NULL;
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (!str_starts(list->items[i].incident, id))
			continue;
		if (str_equal(list->items[i].incident, id))
			return &list->items[i];
		if (found) {
			err_set(err, ERR_USAGE,
				"'%s' begins the names of several records; give more of it", id);
			return NULL;
		}
		found = &list->items[i];
	}
	if (!found)
		err_set(err, ERR_USAGE, "there is no record '%s'; see pgoncall journal list", id);
	return found;
}

static int journal_load_one(
	const struct journal_list *list, const char *id, struct journal_log *log, struct err *err)
{
	const struct journal_summary *summary = journal_find(list, id, err);

	return summary ? journal_load(summary->path, log, err) : -1;
}

static int journal_show(const struct journal_list *list, const char *id)
{
	const struct journal_record *r;
	struct journal_log log;
	char *safe;
	struct err err;
	size_t i;

	if (journal_load_one(list, id, &log, &err) < 0)
		return command_fail(&err);
	for (i = 0; i < log.n; i++) {
		r = &log.records[i];
		safe = utf8_sanitised_dup(r->command ? r->command
					  : r->text  ? r->text
						     : "",
			UTF8_ONE_LINE);
		printf("%4lld %s %-8s %s\n", (long long)r->seq, r->ts, journal_event_name(r->event),
			safe);
		free(safe);
	}
	if (log.broken_line)
		fprintf(stderr, "pgoncall: %s\n", log.broken.text);
	i = log.broken_line ? EXIT_CRITICAL : EXIT_OK;
	journal_log_fini(&log);
	return (int)i;
}

static int journal_print_report(const struct journal_list *list, const char *id)
{
	struct journal_log log;
	struct buf text = BUF_INIT;
	struct err err;
	int status;

	if (journal_load_one(list, id, &log, &err) < 0)
		return command_fail(&err);
	journal_report(&log, &text);
	fputs(buf_str(&text), stdout);
	status = log.broken_line ? EXIT_CRITICAL : EXIT_OK;
	buf_fini(&text);
	journal_log_fini(&log);
	return status;
}

/* One line about a journal. What was cut off its end leaves no trace but its last hash, which whoever
 * wrote it down compares. */
static int journal_verify_one(const char *path, const char *incident)
{
	struct journal_log log;
	struct err err;
	int status = EXIT_CRITICAL;

	if (journal_load(path, &log, &err) < 0) {
		printf("BROKEN  %s: %s\n", incident, err.text);
		return status;
	}
	if (log.broken_line) {
		printf("BROKEN  %s: %s\n", incident, log.broken.text);
	} else if (log.n && !str_equal(log.records[0].incident, incident)) {
		printf("BROKEN  %s: %s: its records are of the incident %s\n", incident, path,
			log.records[0].incident ? log.records[0].incident : "?");
	} else if (log.torn_lines || !log.n) {
		status = EXIT_WARNING;
		printf("CUT     %s: %zu record%s, ending with %s", incident, log.n,
			log.n == 1 ? "" : "s", log.n ? log.head : "nothing");
		if (log.torn_lines)
			printf("; line %ld was cut off in mid-write (a crash or a full disk)",
				log.torn_line);
		printf("\n");
	} else {
		status = EXIT_OK;
		printf("ok      %s: %zu record%s, ending with %s\n", incident, log.n,
			log.n == 1 ? "" : "s", log.head);
	}
	journal_log_fini(&log);
	return status;
}

static int journal_verify_all(const struct journal_list *list, const char *id)
{
	int status = EXIT_OK, one;
	size_t i;

	(void)id;
	for (i = 0; i < list->n; i++) {
		one = journal_verify_one(list->items[i].path, list->items[i].incident);
		status = one > status ? one : status;
	}
	return status;
}

static const struct {
	const char *name;
	int n_args;
	int (*run)(const struct journal_list *list, const char *id);
} journal_words[] = {
	{ "list", 1, journal_list },
	{ "show", 2, journal_show },
	{ "report", 2, journal_print_report },
	{ "verify", 1, journal_verify_all },
};

static int journal_run(const struct invocation *in)
{
	struct buf directory = BUF_INIT;
	struct journal_list list;
	struct err err;
	size_t i;
	int status;

	for (i = 0; i < sizeof(journal_words) / sizeof(journal_words[0]); i++)
		if (str_equal(in->args[0], journal_words[i].name) &&
			in->n_args == journal_words[i].n_args)
			break;
	if (i == sizeof(journal_words) / sizeof(journal_words[0]))
		return command_usage("usage: pgoncall journal %s", command_journal.args);
	if (journal_directory(&directory, &err) < 0 ||
		journal_list_load(buf_str(&directory), &list, &err) < 0) {
		buf_fini(&directory);
		return command_fail(&err);
	}
	status = journal_words[i].run(&list, in->n_args > 1 ? in->args[1] : NULL);
	journal_list_fini(&list);
	buf_fini(&directory);
	return status;
}
