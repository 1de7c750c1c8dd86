/*
 * What the revision files and the version rows say: heads, pending, unknown rows, a broken chain, and
 * where images disagree; legacy SQL.
 */
#include "rules.h"

#include <stdio.h>
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

/* whose: "The migrations", "The migrations of blue". */
static void rule_heads_of(
	struct findings *out, const struct migration_graph *graph, const char *whose)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s have %zu heads (", whose, graph->heads.n);
	migration_graph_add_ids(graph, &graph->heads, &text);
	buf_add_str(&text, "): alembic upgrade head fails until they are merged.");
	rule_add(out, "multiple-heads", NULL, &text);
	buf_fini(&text);
}

static bool same_heads(const struct migration_graph *a, const struct migration_graph *b)
{
	size_t i;

	if (a->heads.n != b->heads.n)
		return false;
	for (i = 0; i < a->heads.n; i++)
		if (strcmp(a->revisions[a->heads.items[i]].id,
			    b->revisions[b->heads.items[i]].id) != 0)
			return false;
	return true;
}

/* Heads are counted in each image by itself: two images that part make no merge necessary. */
static void rule_heads(struct findings *out, const struct finding_input *in)
{
	const struct migration_sources *sources = in->sources;
	const struct migration_graph *graph, *first = NULL;
	char whose[64];
	size_t i;

	if (!sources || migration_sources_images(sources) < 2) {
		for (i = 0; sources && i < sources->n; i++)
			if (sources->items[i].image && sources->items[i].graph)
				first = sources->items[i].graph;
		graph = first ? first : in->graph;
		if (graph->heads.n > 1)
			rule_heads_of(out, graph, "The migrations");
		return;
	}
	for (i = 0; i < sources->n; i++) {
		graph = sources->items[i].graph;
		if (!graph || !sources->items[i].image || graph->heads.n < 2)
			continue;
		if (first && same_heads(first, graph))
			continue;
		first = graph;
		snprintf(whose, sizeof(whose), "The migrations of %s", sources->items[i].name);
		rule_heads_of(out, graph, whose);
	}
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

/* --- images that disagree -------------------------------------------------------------------- */

static bool is_applied(const struct migration_revision *r)
{
	return r->state == MIGRATION_APPLIED || r->state == MIGRATION_CURRENT;
}

/* The database went further than an image: that image's alembic fails, and cannot roll back. */
static void rule_ahead(struct findings *out, const struct migration_sources *sources, size_t image)
{
	const struct migration_graph *graph = sources->merged;
	struct buf text = BUF_INIT, ids = BUF_INIT;
	size_t i, n = migration_sources_ahead(sources, image, &ids);

	for (i = 0; n && i < graph->n; i++)
		if (is_applied(&graph->revisions[i]) && !(graph->revisions[i].sources >> image & 1))
			break;
	if (n) {
		buf_printf(&text,
			"The database is ahead of %s: %s %s applied, and %s has no file of %s, so "
			"alembic fails there; ",
			sources->items[image].name, buf_str(&ids), n == 1 ? "is" : "are",
			sources->items[image].name, n == 1 ? "it" : "them");
		if (n > 1)
			buf_printf(&text, "as for %s, ", graph->revisions[i].id);
		migration_sources_rollback(sources, &graph->revisions[i], false, &text);
		buf_add_char(&text, '.');
		rule_add(out, "colour-skew", NULL, &text);
	}
	buf_fini(&text);
	buf_fini(&ids);
}

/* "622dbc22743e (green only)" of each that is not applied, or whose files differ. */
static void rule_disagree(struct findings *out, const struct migration_sources *sources)
{
	const struct migration_graph *graph = sources->merged;
	struct buf text = BUF_INIT;
	size_t i, n = 0;

	for (i = 0; i < graph->n; i++) {
		if (!migration_sources_colours_differ(sources, &graph->revisions[i]) ||
			(is_applied(&graph->revisions[i]) && !graph->revisions[i].differs))
			continue;
		if (++n > REVISIONS_NAMED)
			continue;
		buf_printf(&text, "%s%s (",
			n > 1 ? ", " : "The images disagree about their migrations: ",
			graph->revisions[i].id);
		migration_sources_skew(sources, &graph->revisions[i], &text);
		buf_add_char(&text, ')');
	}
	if (n > REVISIONS_NAMED)
		buf_printf(&text, " and %zu more", n - REVISIONS_NAMED);
	if (n) {
		buf_add_str(&text, ". What an upgrade runs depends on the image it runs in.");
		rule_add(out, "colour-skew", NULL, &text);
	}
	buf_fini(&text);
}

static void rule_skew(struct findings *out, const struct migration_sources *sources)
{
	size_t i;

	if (!sources || !sources->merged || migration_sources_images(sources) < 2)
		return;
	for (i = 0; i < sources->n; i++)
		if (sources->items[i].image && sources->items[i].graph)
			rule_ahead(out, sources, i);
	rule_disagree(out, sources);
}

/* --- legacy SQL ------------------------------------------------------------------------------ */

static void legacy_names(
	struct buf *text, const struct legacy_list *legacy, enum legacy_state state, size_t total)
{
	size_t i, n = 0;

	for (i = 0; i < legacy->n; i++)
		if (legacy->items[i].state == state && n++ < REVISIONS_NAMED)
			buf_printf(text, "%s%s", n > 1 ? ", " : "", legacy->items[i].name);
	if (total > REVISIONS_NAMED)
		buf_printf(text, " and %zu more", total - REVISIONS_NAMED);
}

static void rule_legacy(struct findings *out, const struct legacy_list *legacy)
{
	struct buf text = BUF_INIT;
	struct finding *finding;

	if (!legacy || (!legacy->n_pending && !legacy->n_missing))
		return;
	if (legacy->n_pending) {
		buf_printf(&text, "%zu legacy SQL file%s pending: ", legacy->n_pending,
			legacy->n_pending == 1 ? " is" : "s are");
		legacy_names(&text, legacy, LEGACY_PENDING, legacy->n_pending);
	}
	if (legacy->n_missing) {
		buf_printf(&text, "%s%zu recorded in sql_migrations and not in the image: ",
			legacy->n_pending ? "; " : "Legacy SQL: ", legacy->n_missing);
		legacy_names(&text, legacy, LEGACY_MISSING, legacy->n_missing);
	}
	buf_add_char(&text, '.');
	finding = rule_add(out, "legacy-sql-pending", NULL, &text);
	if (!legacy->n_pending)
		finding->severity = FINDING_INFO;
	buf_fini(&text);
}

/* One colour could not be read while another was. */
static void rule_unread(struct findings *out, const struct migration_sources *sources)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; sources && sources->merged && i < sources->n; i++) {
		if (!sources->items[i].error || !sources->items[i].image)
			continue;
		buf_clear(&text);
		buf_printf(&text, "The migration files of %s could not be read: %s",
			sources->items[i].name, sources->items[i].error);
		rule_add(out, "revision-chain-broken", NULL, &text)->severity = FINDING_WARNING;
	}
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
	rule_legacy(out, in->legacy);
	if (!in->graph)
		return;
	rule_unknown_rows(out, in->graph);
	rule_heads(out, in);
	rule_pending(out, in->graph);
	rule_problems(out, in->graph);
	rule_skew(out, in->sources);
	rule_unread(out, in->sources);
}
