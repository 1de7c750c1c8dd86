/*
 * Findings: what is wrong, in one sentence each, worst first. A pure function of what was seen; it
 * asks nothing and remembers nothing.
 */
#ifndef PGONCALL_DIAGNOSIS_FINDINGS_H
#define PGONCALL_DIAGNOSIS_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/db/snapshot.h>
#include <pgoncall/diagnosis/log_trouble.h>
#include <pgoncall/migrations/graph.h>
#include <pgoncall/migrations/legacy.h>
#include <pgoncall/migrations/sources.h>

enum finding_severity { FINDING_INFO, FINDING_WARNING, FINDING_CRITICAL };

struct finding {
	const char *code; /* "migration-blocked"; stable, static */
	enum finding_severity severity;
	char *text;          /* the sentence, sanitised, owned */
	const char *runbook; /* "stuck-migration" or "" where none answers; static */
	int pid;             /* the backend it is about (the blocker), or 0 */
	char *backend_start; /* its identity, or "" */
};

struct findings {
	struct finding *items;
	size_t n, cap;
};

/* What was seen; a NULL member was not asked, and its findings are left out. */
struct finding_input {
	const struct db_snapshot *snapshot;
	const struct migration_graph *graph; /* its row findings want migration_graph_mark called */
	const struct migration_sources *sources; /* what `graph` was made from; may be NULL */
	const struct legacy_list *legacy;
	const struct db_schema_facts *schema;
	const char *migrations_error; /* why the revision directory could not be read, or NULL */
	/* The database alone does not show that a migration's client is dead: its backend looks the
	 * same. Who can count the alembic processes where migrations run says so here; none beside a
	 * migration's backend is then `migration-orphaned`. */
	bool migrators_asked;
	size_t n_migrators;
	const struct log_trouble *trouble; /* what the logs said */
	int64_t now_ns;                    /* wall; only for it */
};

/* Replaces what is in *out (start with a zeroed struct). */
void findings_compute(struct findings *out, const struct finding_input *in);
void findings_fini(struct findings *findings);
/* Appends a finding of another source (health): code must be one of the table;
 * severity and runbook come from there. Then findings_sort puts it in its place. */
void findings_add(struct findings *findings, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Moves all that *from has to the end of *to. */
void findings_take(struct findings *to, struct findings *from);
/* Worst first; among equals in the order of the table of codes. Stable. */
void findings_sort(struct findings *findings);
/* The i-th code of the table, or NULL past its end. */
const char *finding_code(size_t i);
/* The first finding with this code, or NULL. */
const struct finding *findings_find(const struct findings *findings, const char *code);
/* "info", "warning", "critical". */
const char *finding_severity_name(enum finding_severity severity);
/* The exit status the findings ask for: 0, 1 or 2. */
int findings_exit_status(const struct findings *findings);

#endif
