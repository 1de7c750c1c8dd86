/*
 * Findings: what is wrong, in one sentence each, worst first. A pure function of what was seen; it
 * asks nothing and remembers nothing.
 */
#ifndef PGONCALL_DIAGNOSIS_FINDINGS_H
#define PGONCALL_DIAGNOSIS_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/db/snapshot.h>
#include <pgoncall/migrations/graph.h>

enum finding_severity { FINDING_INFO, FINDING_WARNING, FINDING_CRITICAL };

struct finding {
	const char *code;               /* "migration-blocked"; stable, static */
	enum finding_severity severity;
	char *text;                     /* the sentence, sanitised, owned */
	const char *runbook;            /* "stuck-migration" or "" where none answers; static */
	int pid;                        /* the backend it is about (the blocker), or 0 */
	char *backend_start;            /* its identity, or "" */
};

struct findings {
	struct finding *items;
	size_t n, cap;
};

/* What was seen; a NULL member was not asked, and its findings are left out. */
struct finding_input {
	const struct db_snapshot *snapshot;
	const struct migration_graph *graph;
	const char *migrations_error;   /* why the revision directory could not be read, or NULL */
};

void findings_compute(struct findings *out, const struct finding_input *in);
void findings_fini(struct findings *findings);
/* "info", "warning", "critical". */
const char *finding_severity_name(enum finding_severity severity);
/* The exit status the findings ask for: 0, 1 or 2. */
int findings_exit_status(const struct findings *findings);

#endif
