/*
 * Where the database stands in the graph: which revisions its version rows stand for, what is applied
 * through them, what an upgrade would run. As Alembic does it (script/revision.py, 1.8 to 1.19), but
 * linear: `alembic current` is quadratic.
 */
#include <pgoncall/migrations/graph.h>

#include <string.h>

#include <pgoncall/migrations/graph_index.h>

enum {
	PARTIAL_ID_MIN = 4 /* Alembic completes a row to ids of at least so many characters */
};

static bool same_rows(const struct strlist *a, const struct strlist *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

/* Unlike the id itself, a label or the start of an id is nothing Alembic writes into the table. */
static size_t resolve_partial(struct migration_graph *graph, const char *row)
{
	const struct migration_revision *r;
	size_t n, i = migration_graph_index_label(graph, row);

	if (i == MIGRATION_NOT_FOUND && *row) {
		r = migration_graph_find_prefix(graph, row, &n);
		if (!r || strlen(r->id) < PARTIAL_ID_MIN)
			return MIGRATION_NOT_FOUND;
		i = (size_t)(r - graph->revisions);
	}
	if (i != MIGRATION_NOT_FOUND)
		migration_problems_add(&graph->problems, "partial-version", false, "", 0,
			"the version table says '%s', which Alembic takes for %s; the next upgrade "
			"will leave both in the table: store the full id",
			row, graph->revisions[i].id);
	return i;
}

/* Puts the revisions the rows stand for onto the stack; returns how many. */
static size_t resolve_rows(struct migration_graph *graph, const struct strlist *rows)
{
	size_t i, at, top = 0;

	for (i = 0; i < rows->n; i++) {
		at = migration_graph_index_find(graph, rows->items[i]);
		if (at == MIGRATION_NOT_FOUND)
			at = resolve_partial(graph, rows->items[i]);
		if (at == MIGRATION_NOT_FOUND) {
			strlist_add(&graph->unknown_rows, rows->items[i]);
			migration_problems_add(&graph->problems, "unknown-version", true, "", 0,
				"the version table says '%s', which no revision file here defines",
				rows->items[i]);
		} else if (graph->revisions[at].state != MIGRATION_APPLIED) {
			graph->revisions[at].state = MIGRATION_APPLIED;
			graph->index->stack[top++] = at;
		}
	}
	return top;
}

static size_t reach(struct migration_graph *graph, const struct migration_list *list, size_t top)
{
	struct migration_revision *r;
	size_t k;

	for (k = 0; k < list->n; k++) {
		r = &graph->revisions[list->items[k]];
		graph->index->reached[list->items[k]] = true;
		if (r->state == MIGRATION_APPLIED)
			continue;
		r->state = MIGRATION_APPLIED;
		graph->index->stack[top++] = list->items[k];
	}
	return top;
}

/* Marks all that the rows on the stack come from or depend on. Each revision is on the stack once. */
static void apply_ancestors(struct migration_graph *graph, size_t top)
{
	const struct migration_revision *r;

	while (top) {
		r = &graph->revisions[graph->index->stack[--top]];
		top = reach(graph, &r->parents, top);
		top = reach(graph, &r->depends, top);
	}
}

/* A row that another row comes from: Alembic refuses to upgrade. */
static void report_overlaps(struct migration_graph *graph, const struct strlist *rows)
{
	size_t i, at;

	for (i = 0; i < rows->n; i++) {
		at = migration_graph_index_find(graph, rows->items[i]);
		if (at == MIGRATION_NOT_FOUND || !graph->index->reached[at] ||
			graph->revisions[at].in_cycle)
			continue;
		migration_problems_add(&graph->problems, "overlapping-versions", true, "", 0,
			"the version table holds %s beside a later revision that includes it, so "
			"Alembic refuses to upgrade: only the later row belongs there",
			rows->items[i]);
	}
}

static bool has_applied_child(const struct migration_graph *graph, size_t i)
{
	const struct migration_list *children = &graph->revisions[i].children;
	size_t k;

	for (k = 0; k < children->n; k++)
		if (graph->revisions[children->items[k]].state == MIGRATION_APPLIED ||
			graph->revisions[children->items[k]].state == MIGRATION_CURRENT)
			return true;
	return false;
}

/* Alembic walks what is not applied from the heads down, and runs it backwards. */
static void find_pending(struct migration_graph *graph)
{
	size_t *items = graph->pending.items, i, n, swap;
	bool *todo = graph->index->reached; /* no longer needed */
	struct migration_revision *r;

	for (i = 0; i < graph->n; i++) {
		r = &graph->revisions[i];
		todo[i] = r->state == MIGRATION_UNKNOWN && !r->undeployed;
		if (r->state == MIGRATION_UNKNOWN)
			r->state = todo[i] ? MIGRATION_PENDING : MIGRATION_UNDEPLOYED;
	}
	n = graph->pending.n = migration_graph_walk(graph, todo, items);
	for (i = 0; i < n / 2; i++) {
		swap = items[i];
		items[i] = items[n - 1 - i];
		items[n - 1 - i] = swap;
	}
}

static void set_states(struct migration_graph *graph)
{
	struct migration_revision *r;
	size_t i;

	for (i = 0; i < graph->n; i++) {
		r = &graph->revisions[i];
		if (r->state == MIGRATION_APPLIED && !has_applied_child(graph, i)) {
			r->state = MIGRATION_CURRENT;
			graph->current.items[graph->current.n++] = i;
		}
	}
	if (!graph->marked || graph->unknown_rows.n)
		return;
	find_pending(graph);
}

static void forget(struct migration_graph *graph)
{
	size_t i;

	for (i = 0; i < graph->n; i++)
		graph->revisions[i].state = MIGRATION_UNKNOWN;
	memset(graph->index->reached, 0, graph->n * sizeof(bool));
	graph->current.n = graph->pending.n = 0;
	strlist_fini(&graph->rows);
	strlist_fini(&graph->unknown_rows);
	migration_problems_cut(&graph->problems, graph->index->n_file_problems);
}

bool migration_graph_mark(struct migration_graph *graph, const struct strlist *version_rows)
{
	if (graph->marked == (version_rows != NULL) &&
		(!version_rows || same_rows(&graph->rows, version_rows)))
		return false;
	forget(graph);
	graph->marked = version_rows != NULL;
	if (version_rows) {
		strlist_copy(&graph->rows, version_rows);
		apply_ancestors(graph, resolve_rows(graph, version_rows));
		report_overlaps(graph, version_rows);
	}
	set_states(graph);
	return true;
}
