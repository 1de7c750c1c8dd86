/*
 * What the commands print: text for people, JSON with the stable keys of pgoncall(1). Text is
 * sanitised; JSON carries what was read, as valid UTF-8 with control characters escaped by JSON.
 */
#ifndef PGONCALL_APP_OUTPUT_H
#define PGONCALL_APP_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include <pgoncall/db/snapshot.h>
#include <pgoncall/diagnosis/findings.h>
#include <pgoncall/migrations/graph.h>
#include <pgoncall/migrations/legacy.h>
#include <pgoncall/migrations/sources.h>

/* One line of `pgoncall check`. */
enum check_status { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

struct check_line {
	const char *name; /* static: "ssh", "database", "alembic_version", … */
	enum check_status status;
	char *detail;     /* owned */
};

struct check_report {
	struct check_line *lines;
	size_t n, cap;
};

void check_report_add(struct check_report *report, const char *name, enum check_status status,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void check_report_fini(struct check_report *report);
/* The worst of lines and findings; unknown only where nothing is worse than it. */
enum check_status check_report_status(
	const struct check_report *report, const struct findings *findings);

/* The revisions, and what is known beside them. */
struct output_revisions {
	const struct migration_graph *graph;
	const struct migration_sources *sources; /* NULL: a directory, which stands alone */
	const struct legacy_list *legacy;        /* NULL: none is known */
};

/* ascii: no line drawing beyond ASCII. */
void output_history_text(FILE *out, const struct output_revisions *revisions, bool ascii);
void output_history_json(FILE *out, const struct output_revisions *revisions);
/* `pgoncall pending`: the revisions an upgrade would run, in its order. */
void output_pending_text(FILE *out, const struct output_revisions *revisions);
void output_pending_json(FILE *out, const struct output_revisions *revisions);
void output_locks_text(FILE *out, const struct db_snapshot *snapshot,
	const struct findings *findings, bool ascii);
void output_locks_json(
	FILE *out, const struct db_snapshot *snapshot, const struct findings *findings);
void output_check_text(FILE *out, const char *target, const struct check_report *report,
	const struct findings *findings);
void output_check_json(FILE *out, const char *target, const struct check_report *report,
	const struct findings *findings);
/* "! critical  migration-blocked  SENTENCE  (runbook stuck-migration)" a line each. */
void output_findings_text(FILE *out, const struct findings *findings);

/* Whether stdout takes characters beyond ASCII. */
bool output_is_ascii(void);

#endif
