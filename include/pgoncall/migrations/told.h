/*
 * What Alembic itself says about its revisions (`alembic history --verbose`), for files whose
 * identifiers only running them tells. Pure.
 */
#ifndef PGONCALL_MIGRATIONS_TOLD_H
#define PGONCALL_MIGRATIONS_TOLD_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/str.h>
#include <pgoncall/migrations/graph.h>

struct migration_told_revision {
	char *id;
	char *file; /* its name without directories; "" where none was told */
	char *docstring;
	struct strlist down, depends_on;
};

struct migration_told {
	struct migration_told_revision *items;
	size_t n, cap;
};

/* Whether there is anything to ask Alembic: a value that is computed. */
bool migration_told_is_wanted(const struct migration_graph *graph);
/* Reads what it printed; what does not look like it is passed over. */
void migration_told_init(struct migration_told *told, const char *text, size_t len);
void migration_told_fini(struct migration_told *told);
/*
 * A graph in which the computed identifiers are those told; the graph given is left as it is. who: for
 * the sentence that says so, "alembic in boardofone-api-1". NULL where nothing of it was told.
 */
struct migration_graph *migration_told_apply(
	const struct migration_graph *graph, const struct migration_told *told, const char *who);

#endif
