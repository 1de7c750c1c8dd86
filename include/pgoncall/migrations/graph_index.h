/*
 * What the graph keeps for its own use. For src/migrations/graph*.c only.
 */
#ifndef PGONCALL_MIGRATIONS_GRAPH_INDEX_H
#define PGONCALL_MIGRATIONS_GRAPH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/migrations/graph.h>
#include <pgoncall/migrations/graph_order.h>

struct migration_label {
	const char *name; /* the revision's */
	size_t revision;
};

struct migration_graph_index {
	size_t *by_id;                  /* revisions sorted by id */
	uint64_t *keys;                 /* of the same, the beginnings of the ids as numbers */
	struct migration_label *labels; /* sorted by name */
	size_t n_labels;
	struct migration_edges down, up; /* as walked */
	size_t *place;                   /* of each revision's file among the files */
	size_t *edges;                   /* the lists of all revisions stand in here */
	size_t n_file_problems;          /* those before the problems of the rows */
	size_t *stack;                   /* room for n: the walk of a marking */
	bool *reached;                   /* room for n */
};

/* No revision, or no one revision. */
#define MIGRATION_NOT_FOUND ((size_t)-1)

/* The revision with this id; MIGRATION_NOT_FOUND. */
size_t migration_graph_index_find(const struct migration_graph *graph, const char *id);
/* The revision with this branch label. */
size_t migration_graph_index_label(const struct migration_graph *graph, const char *name);
/* As migration_walk, through this graph. */
size_t migration_graph_walk(const struct migration_graph *graph, bool *todo, size_t *out);
/* The revisions as their files were given, for making another graph; the array is the caller's. */
const struct migration_revision **migration_graph_in_file_order(
	const struct migration_graph *graph);

#endif
