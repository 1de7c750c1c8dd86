/*
 * The edges between revisions as plain numbers: cycles in them, and the order in which Alembic goes
 * through them. For src/migrations/graph*.c only.
 */
#ifndef PGONCALL_MIGRATIONS_GRAPH_ORDER_H
#define PGONCALL_MIGRATIONS_GRAPH_ORDER_H

#include <stdbool.h>
#include <stddef.h>

/* Edges of revision i, to what it comes from or depends on: to[start[i]] up to to[start[i + 1]]. */
struct migration_edges {
	size_t *start; /* n + 1 */
	size_t *to;
	bool *depends; /* of each edge: a dependency, not a parent; NULL where nobody asks */
};

void migration_edges_fini(struct migration_edges *edges);
/* The same edges from their other end; without `depends`. */
void migration_edges_reverse(
	const struct migration_edges *edges, size_t n, struct migration_edges *reversed);
/* Renumbers: what was order[i] becomes i. */
void migration_edges_permute(struct migration_edges *edges, size_t n, const size_t *order);

/* in_cycle[i]: i is on a cycle, or between two. Nothing else is unreachable from both ends. */
void migration_find_cycles(const struct migration_edges *edges, size_t n, bool *in_cycle);

/*
 * The edges Alembic walks along: without dependencies that a revision further down its line has
 * already (_normalize_depends_on), and with every cycle opened, always at the same place.
 */
void migration_edges_walked(const struct migration_edges *edges, size_t n, const bool *in_cycle,
	struct migration_edges *walked);

/* What a walk goes along; `up` is `down` reversed. place[i]: which file Alembic read first. */
struct migration_walk {
	const struct migration_edges *down, *up;
	const size_t *place;
	size_t n;
};

/*
 * Goes from the heads down through all with todo set, as `alembic history` does and, backwards, an
 * upgrade: out[0…) gets them, their number is returned, and todo is cleared. todo holds with a
 * revision everything above it. Linear but where a branch has to wait for another.
 */
size_t migration_walk(const struct migration_walk *walk, bool *todo, size_t *out);

#endif
