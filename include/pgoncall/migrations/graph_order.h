/*
 * The order of the timeline and the cycles in it. For src/migrations/graph*.c only.
 */
#ifndef PGONCALL_MIGRATIONS_GRAPH_ORDER_H
#define PGONCALL_MIGRATIONS_GRAPH_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/migrations/revision.h>

/* Edges of revision i, to what it comes from or depends on: to[start[i]] up to to[start[i + 1]]. */
struct migration_edges {
	size_t *start; /* n + 1 */
	size_t *to;
	bool *depends; /* of each edge: a dependency, not a parent */
};

/* in_cycle[i]: i is on a cycle, or between two. Nothing else is unreachable from both ends. */
void migration_find_cycles(const struct migration_edges *edges, size_t n, bool *in_cycle);

/* order[0…n): the revisions as graph.h says; cycles are opened somewhere, always at the same place. */
void migration_order(const struct migration_revision *revisions, size_t n,
	const struct migration_edges *edges, const bool *in_cycle, size_t *order);

#endif
