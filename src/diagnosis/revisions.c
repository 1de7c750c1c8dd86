/*
 * What the revision files and the version rows say: heads, pending, unknown rows, a broken chain.
 */
#include "rules.h"

#include <string.h>

/* Ids or rows named in a sentence before "and N more". */
#define REVISIONS_NAMED 3

static void revisions_list(struct buf *text, const struct strlist *list)
{
	size_t i;

	for (i = 0; i < list->n && i < REVISIONS_NAMED; i++)
		buf_printf(text, "%s%s", i ? ", " : "", list->items[i]);
	if (list->n > REVISIONS_NAMED)
		buf_printf(text, " and %zu more", list->n - REVISIONS_NAMED);
}

static void rule_unknown_rows(struct findings *out, const struct migration_graph *graph)
{
	struct buf text = BUF_INIT;

	if (!graph->unknown_rows.n)
		return;
	buf_add_str(&text, "The database stands at revision ");
	revisions_list(&text, &graph->unknown_rows);
	buf_add_str(&text,
		", which no migration file here knows: another image or branch migrated it, "
		"and alembic current, upgrade and stamp fail.");
	rule_add(out, "unknown-revision", NULL, &text);
	buf_fini(&text);
}

static void rule_heads(struct findings *out, const struct migration_graph *graph)
{
	struct buf text = BUF_INIT;

	if (graph->heads.n < 2)
		return;
	buf_printf(&text, "The migrations have %zu heads (", graph->heads.n);
	migration_graph_add_ids(graph, &graph->heads, &text);
	buf_add_str(&text, "): alembic upgrade head fails until they are merged.");
	rule_add(out, "multiple-heads", NULL, &text);
	buf_fini(&text);
}

static void rule_pending(struct findings *out, const struct migration_graph *graph)
{
	const struct migration_revision *next;
	struct buf text = BUF_INIT;

	if (!graph->marked || !graph->pending.n)
		return;
	next = &graph->revisions[graph->pending.items[0]];
	if (graph->pending.n == 1)
		buf_printf(&text, "1 revision is pending: %s", next->id);
	else
		buf_printf(&text, "%zu revisions are pending, the next is %s", graph->pending.n,
			next->id);
	if (next->message[0])
		buf_printf(&text, " (%s)", next->message);
	buf_add_char(&text, '.');
	rule_add(out, "pending-migrations", NULL, &text);
	buf_fini(&text);
}

/* Whether it is about the chain; unknown rows have a finding of their own, and a value that only
 * Python knows breaks nothing. */
static bool problem_counts(const struct migration_problem *problem)
{
	static const char *const breaks[] = { "missing-parent", "missing-dependency",
		"duplicate-revision", "cycle", "partial-version", "overlapping-versions" };
	size_t i;

	for (i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++)
		if (strcmp(problem->code, breaks[i]) == 0)
			return true;
	return problem->fatal && strcmp(problem->code, "unknown-version") != 0;
}

/* One finding for all problems: the first that Alembic stops at, else the first. */
static void rule_problems(struct findings *out, const struct migration_graph *graph)
{
	const struct migration_problem *one, *worst = NULL;
	struct buf text = BUF_INIT;
	struct finding *finding;
	size_t i, n = 0;

	for (i = 0; i < graph->problems.n; i++) {
		one = &graph->problems.items[i];
		if (!problem_counts(one))
			continue;
		n++;
		if (!worst || (one->fatal && !worst->fatal))
			worst = one;
	}
	if (!worst)
		return;
	if (worst->path[0] && worst->line)
		buf_printf(&text, "%s:%d: ", worst->path, worst->line);
	else if (worst->path[0])
		buf_printf(&text, "%s: ", worst->path);
	buf_add_str(&text, worst->text);
	if (n > 1)
		buf_printf(&text, " (and %zu more)", n - 1);
	finding = rule_add(out, "revision-chain-broken", NULL, &text);
	if (!worst->fatal)
		finding->severity = FINDING_WARNING;
	buf_fini(&text);
}

static void rule_unreadable(struct findings *out, const char *why)
{
	struct buf text = BUF_INIT;

	/* Nothing is known about the chain, so it is not called broken for certain. */
	buf_printf(&text, "The migration files could not be read: %s", why);
	rule_add(out, "revision-chain-broken", NULL, &text)->severity = FINDING_WARNING;
	buf_fini(&text);
}

void rules_of_revisions(struct findings *out, const struct finding_input *in)
{
	if (in->migrations_error)
		rule_unreadable(out, in->migrations_error);
	if (!in->graph)
		return;
	rule_unknown_rows(out, in->graph);
	rule_heads(out, in->graph);
	rule_pending(out, in->graph);
	rule_problems(out, in->graph);
}
