/*
 * The graph of revisions, and where the database stands in it.
 *
 * `revisions` is in display order, newest first: that of `alembic history`. A revision stands above
 * everything it comes from or depends on; which of several branches comes first is decided, as by
 * Alembic, by the order in which the files were given. Cycles and missing parents are reported, never
 * followed. Built once per set of files, marked again whenever the version rows were read.
 */
#ifndef PGONCALL_MIGRATIONS_GRAPH_H
#define PGONCALL_MIGRATIONS_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/str.h>
#include <pgoncall/migrations/problem.h>
#include <pgoncall/migrations/revision.h>

struct migration_graph {
	struct migration_revision *revisions;
	size_t n;
	struct migration_list heads;   /* in display order, as `alembic heads` */
	struct migration_list current; /* in display order, as `alembic current` (a set there) */
	struct migration_list pending; /* in the order an upgrade runs them */
	struct strlist rows;           /* the version rows as read */
	struct strlist unknown_rows;   /* those of them that no file knows */
	bool marked;                   /* the version rows were given */
	struct migration_problems problems;  /* of the files, of the graph, then of the rows */
	struct migration_graph_index *index; /* private */
};

/*
 * Takes the n revisions out of the array `take` (the array itself stays the caller's) and the
 * problems (left empty; NULL is allowed). The array's order is the order of loading (Alembic up to
 * 1.18: the directory's own; later: by name). Of files with the same id the last counts, as for
 * Alembic; the others become problems.
 */
struct migration_graph *migration_graph_new(
	struct migration_revision *take, size_t n, struct migration_problems *problems_take);
/* The same, and the array is the graph's from then on: from the heap, at least one long. */
struct migration_graph *migration_graph_new_take(struct migration_revision *revisions_take,
	size_t n, struct migration_problems *problems_take);
void migration_graph_free(struct migration_graph *graph);

/*
 * Sets states, current, pending and unknown_rows from the version rows; an empty list means that
 * nothing is applied, NULL that they are not known. A row that is the unique start of an id counts
 * as that id, as for Alembic. While a row is unknown, what is not applied for certain is UNKNOWN and
 * nothing is pending. Linear, and nothing is done when the rows are those of the last call. Returns
 * whether anything changed.
 */
bool migration_graph_mark(struct migration_graph *graph, const struct strlist *version_rows);

/* What stands in `problems` now is about the files: marking leaves it. */
void migration_graph_keep_problems(struct migration_graph *graph);

/* The revision with exactly this id, or NULL. */
const struct migration_revision *migration_graph_find(
	const struct migration_graph *graph, const char *id);

/* The revision with this id, or else the only one whose id starts so (n_matches: how many do, may
 * be NULL); NULL where there is none or more than one. */
const struct migration_revision *migration_graph_find_prefix(
	const struct migration_graph *graph, const char *prefix, size_t *n_matches);

/* Appends the ids of a list of this graph, joined with ", ". */
void migration_graph_add_ids(
	const struct migration_graph *graph, const struct migration_list *list, struct buf *out);

#endif
