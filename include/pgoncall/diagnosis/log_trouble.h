/*
 * What the logs said is wrong, remembered until it is over: each kind of error text once, with where
 * and when it came last; and the migration that a log says has begun. From it findings are made.
 *
 * Trouble with migrations is over when a log says that they completed, or when the version table has
 * the revision that a log said was begun after it; any trouble is over when it was not said again for
 * half an hour. That one began is never taken for its end.
 */
#ifndef PGONCALL_DIAGNOSIS_LOG_TROUBLE_H
#define PGONCALL_DIAGNOSIS_LOG_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/logs/match.h>
#include <pgoncall/migrations/graph.h>

#define LOG_TROUBLE_AGES_NS (30 * INT64_C(60000000000)) /* after the last time it was said */
#define LOG_TROUBLE_MAX     24                          /* kinds of match */

struct log_trouble_item {
	enum log_match_kind kind; /* LOG_MATCH_NONE: free */
	const char *runbook;      /* static */
	char *source;             /* name of the log; owned, as all strings here */
	char *text;               /* what it says, short */
	int64_t last_ns;          /* wall */
	bool timeless;            /* last_ns is but the latest it can have been */
	unsigned times;
};

struct log_trouble {
	struct log_trouble_item items[LOG_TROUBLE_MAX]; /* by kind */
	char *running; /* the revision that a log says an upgrade began to run; NULL: none */
	int64_t running_since; /* wall */
	int64_t completed_at;  /* the last success line; 0: none */
};

/* Start with a zeroed struct. */
void log_trouble_fini(struct log_trouble *trouble);
/* A line of the log `source`, of wall time `at_ns`, that means something; timeless: it is of that time
 * or older. Lines may come again and out of order. */
void log_trouble_note(struct log_trouble *trouble, const char *source, int64_t at_ns, bool timeless,
	const struct log_match *match, const char *line);
/* The version rows are known anew: looks whether what was running is applied now. */
void log_trouble_look(struct log_trouble *trouble, const struct migration_graph *graph);
/* The i-th item that still holds at that wall time, the last said first; NULL past the end. */
const struct log_trouble_item *log_trouble_at(
	const struct log_trouble *trouble, int64_t now_ns, size_t i);

#endif
