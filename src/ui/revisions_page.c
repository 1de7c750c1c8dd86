/*
 * The page about one revision: where it stands, what it comes from, who has it, the SQL it would run,
 * its docstring and its file.
 */
#include "revisions_impl.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/ui/theme.h>

#define FACT_COLS 13

static void add_fact(struct lines *out, const char *name, const char *value)
{
	if (*value)
		lines_add_fact(out, THEME_TEXT, FACT_COLS, name, value);
}

static void add_words(struct lines *out, const char *name, const struct strlist *words)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < words->n; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", words->items[i]);
	add_fact(out, name, buf_str(&text));
	buf_fini(&text);
}

static void add_function(
	struct lines *out, const char *name, const struct migration_function *function)
{
	char *text;

	if (!function->present)
		text = mem_strdup("absent");
	else if (function->line == function->last_line)
		text = mem_printf(
			"line %d%s", function->line, function->empty ? ", does nothing" : "");
	else
		text = mem_printf("lines %d to %d%s", function->line, function->last_line,
			function->empty ? ", does nothing" : "");
	add_fact(out, name, text);
	free(text);
}

static void add_ids(struct lines *out, const struct migration_graph *graph, const char *name,
	const struct migration_list *list)
{
	struct buf text = BUF_INIT;

	migration_graph_add_ids(graph, list, &text);
	add_fact(out, name, buf_str(&text));
	buf_fini(&text);
}

/* --- what it says about itself --------------------------------------------------------------- */

static void add_state(
	const struct pane_revisions *self, const struct migration_revision *r, struct lines *out)
{
	const struct migration_graph *graph = self->view.graph;
	size_t i = (size_t)(r - graph->revisions);
	struct buf text = BUF_INIT;

	revisions_mark(self, i, &text);
	if (r->state == MIGRATION_APPLIED)
		buf_add_str(&text, text.len ? ", applied" : "applied");
	else if (r->state == MIGRATION_UNDEPLOYED)
		buf_add_str(&text, text.len ? ", in no image yet" : "in no image yet");
	if (!text.len)
		buf_add_str(&text, graph->marked ? migration_state_name(r->state)
						 : "not known: the database was not read");
	lines_add_fact(out, revisions_style(self, i), FACT_COLS, "state", buf_str(&text));
	buf_fini(&text);
}

/* Its own labels, and those that hold because of its line of descent. */
static void add_labels(const struct migration_revision *r, struct lines *out)
{
	struct buf text = BUF_INIT;
	size_t i;

	add_words(out, "labels", &r->labels);
	for (i = 0; i < r->branches.n; i++)
		if (!strlist_has(&r->labels, r->branches.items[i]))
			buf_printf(&text, "%s%s", text.len ? ", " : "", r->branches.items[i]);
	add_fact(out, "in branch", buf_str(&text));
	buf_fini(&text);
}

static void add_descent(
	const struct migration_graph *graph, const struct migration_revision *r, struct lines *out)
{
	if (r->is_base)
		add_fact(out, "comes from", "nothing: it is a base");
	else
		add_words(out, r->is_merge ? "merges" : "comes from", &r->down);
	add_words(out, "depends on", &r->depends_on);
	add_labels(r, out);
	if (r->children.n)
		add_ids(out, graph, "followed by", &r->children);
	else
		add_fact(out, "followed by", "nothing: it is a head");
	add_ids(out, graph, "needed by", &r->dependents);
}

/* Which commit of the checkout added its file. */
static void add_commit(const struct migration_sources *sources, const struct migration_revision *r,
	struct lines *out)
{
	size_t i;

	if (r->commit) {
		add_fact(out, "commit", r->commit);
		return;
	}
	for (i = 0; i < sources->n; i++)
		if (!sources->items[i].image && r->sources >> i & 1)
			add_fact(out, "commit",
				sources->log_error   ? sources->log_error
				: sources->n_commits ? "none: the checkout's file is not committed"
						     : "");
}

static void add_sources(
	const struct pane_revisions *self, const struct migration_revision *r, struct lines *out)
{
	const struct migration_sources *sources = self->view.sources;
	struct buf text = BUF_INIT;
	size_t i;

	if (!sources || !sources->merged)
		return;
	for (i = 0; i < sources->n; i++)
		if (r->sources >> i & 1)
			buf_printf(&text, "%s%s (%s)", text.len ? ", " : "", sources->items[i].name,
				sources->items[i].where);
	add_fact(out, "found in", buf_str(&text));
	buf_clear(&text);
	migration_sources_skew(sources, r, &text);
	if (text.len)
		lines_add_fact(out, THEME_FINDING_WARNING, FACT_COLS, "but", buf_str(&text));
	for (i = 0; i < sources->n; i++)
		if (sources->items[i].error && !(r->sources >> i & 1)) {
			buf_clear(&text);
			buf_printf(
				&text, "%s: %s", sources->items[i].name, sources->items[i].error);
			lines_add_fact(
				out, THEME_FINDING_WARNING, FACT_COLS, "not read", buf_str(&text));
		}
	buf_clear(&text);
	migration_sources_rollback(sources, r, true, &text);
	add_fact(out, "rollback", buf_str(&text));
	add_commit(sources, r, out);
	buf_fini(&text);
}

static void add_dynamic(const struct migration_revision *r, struct lines *out)
{
	if (r->told)
		add_fact(out, "computed",
			"an identifier is computed when Python runs the file; Alembic in the image "
			"was asked, and what it said is shown");
	else if (r->dynamic)
		add_fact(out, "computed",
			"an identifier is computed when Python runs the file; only Alembic knows "
			"it "
			"for certain");
}

static void add_problems(const struct migration_graph *graph, const char *id,
	const struct migration_revision *r, struct lines *out)
{
	const struct migration_problem *problem;
	char *text;
	size_t i;

	for (i = 0; i < graph->problems.n; i++) {
		problem = &graph->problems.items[i];
		if (!strstr(problem->text, id) && !(r && str_equal(problem->path, r->path)))
			continue;
		text = *problem->path && problem->line ? mem_printf("%s (%s:%d)", problem->text,
								 problem->path, problem->line)
						       : mem_strdup(problem->text);
		lines_add_fact(out, THEME_MESSAGE_WARNING, FACT_COLS, "problem", text);
		free(text);
	}
}

/* --- its SQL --------------------------------------------------------------------------------- */

static void add_sql(const char *text, struct lines *out)
{
	char *copy = mem_strdup(text), *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (!rest && !*line)
			break;
		lines_add(out, str_starts(line, "--") ? THEME_CODE_COMMENT : THEME_DIALOG_STATEMENT,
			2, line);
	}
	free(copy);
}

static void add_preview(
	const struct pane_revisions *self, const struct migration_revision *r, struct lines *out)
{
	const struct revisions_preview *preview = &self->preview;
	char *heading;

	if (!preview->id || strcmp(preview->id, r->id) != 0)
		return;
	heading = mem_printf("SQL of %s()", preview->down ? "downgrade" : "upgrade");
	lines_add_blank(out);
	lines_add(out, THEME_DIALOG_TITLE, 0, heading);
	lines_add(out, preview->failed ? THEME_MESSAGE_ERROR : THEME_DIM, 0, preview->state);
	add_sql(preview->text, out);
	free(heading);
}

/* --- the page -------------------------------------------------------------------------------- */

static void add_revision(
	const struct pane_revisions *self, const struct migration_revision *r, struct lines *out)
{
	char *place = mem_printf("%s:%d", r->path, r->line);

	add_state(self, r, out);
	add_problems(self->view.graph, r->id, r, out);
	add_fact(out, "created", r->created);
	add_descent(self->view.graph, r, out);
	add_sources(self, r, out);
	add_fact(out, "file", place);
	add_function(out, "upgrade()", &r->upgrade);
	add_function(out, "downgrade()", &r->downgrade);
	add_dynamic(r, out);
	add_preview(self, r, out);
	lines_add_blank(out);
	lines_add(out, THEME_TEXT, 0, *r->docstring ? r->docstring : "(no docstring)");
	if (r->text) {
		lines_add_blank(out);
		lines_add(out, THEME_DIALOG_TITLE, 0, r->path);
		revisions_add_code(out, r->text);
	}
	free(place);
}

static void add_unknown(const struct pane_revisions *self, const char *id, struct lines *out)
{
	add_problems(self->view.graph, id, NULL, out);
	lines_add(out, THEME_UNKNOWN, 0,
		"The version table holds this revision, and no file read here has it. The "
		"database was migrated by other code (another image, a branch), or somebody "
		"wrote the row by hand. Until it is known, nothing counts as pending.");
}

static void add_legacy(const struct legacy_list *legacy, const char *name, struct lines *out)
{
	static const char *const meaning[] = {
		[LEGACY_APPLIED] = "applied: the file is there, and sql_migrations records it",
		[LEGACY_PENDING] =
			"pending: the file is there, and sql_migrations does not record it",
		[LEGACY_MISSING] =
			"missing: sql_migrations records it, and no such file is in the image",
	};
	size_t i;

	for (i = 0; i < legacy->n; i++) {
		if (*name && strcmp(legacy->items[i].name, name) != 0)
			continue;
		lines_add_fact(out,
			legacy->items[i].state == LEGACY_APPLIED ? THEME_TEXT : THEME_PENDING, 2,
			"", legacy->items[i].name);
		lines_add(out, THEME_TEXT, 4, meaning[legacy->items[i].state]);
	}
}

bool revisions_page(
	const struct pane_revisions *self, const char *key, struct buf *title, struct lines *out)
{
	const struct migration_graph *graph = self->view.graph;
	const struct migration_revision *r;

	if (str_starts(key, "legacy ")) {
		if (!self->view.legacy)
			return false;
		buf_add_str(title, "Legacy SQL");
		add_legacy(self->view.legacy, key + strlen("legacy "), out);
		return out->n > 0;
	}
	r = graph ? migration_graph_find(graph, key) : NULL;
	if (!graph || (!r && !strlist_has(&graph->unknown_rows, key)))
		return false;
	buf_printf(title, "Revision %s", key);
	if (r)
		add_revision(self, r, out);
	else
		add_unknown(self, key, out);
	return true;
}
