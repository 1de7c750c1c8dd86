/*
 * What is wrong with the revision files or with the version rows, as a list the views and `pgoncall
 * history --json` show: a stable code, a sentence, and the place.
 */
#ifndef PGONCALL_MIGRATIONS_PROBLEM_H
#define PGONCALL_MIGRATIONS_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Codes. Found in one file: "parse-error", "no-revision", "no-down-revision", "bad-value",
 * "bad-revision-id", "dynamic-value". Found in the graph: "missing-parent", "missing-dependency",
 * "duplicate-revision", "duplicate-label", "cycle". Found in the directory: "compiled-only". Found in
 * the version rows: "unknown-version", "partial-version", "overlapping-versions".
 */
struct migration_problem {
	const char *code; /* static */
	char *text; /* one sentence, owned; it may quote file text, so whoever shows it sanitises */
	char *path; /* owned; "" where it is about no one file */
	int line;   /* 1-based; 0 where it is about no one line */
	bool fatal; /* Alembic stops at this: in the files every command, in the rows an upgrade */
};

struct migration_problems {
	struct migration_problem *items;
	size_t n;
	size_t cap;
};

void migration_problems_init(struct migration_problems *problems);
void migration_problems_fini(struct migration_problems *problems);
void migration_problems_add(struct migration_problems *problems, const char *code, bool fatal,
	const char *path, int line, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Adds copies of others, in their order. */
void migration_problems_append(
	struct migration_problems *problems, const struct migration_problems *others);
/* Forgets those from the n-th on. */
void migration_problems_cut(struct migration_problems *problems, size_t n);
/* The first with this code, or NULL. */
const struct migration_problem *migration_problems_find(
	const struct migration_problems *problems, const char *code);

#endif
