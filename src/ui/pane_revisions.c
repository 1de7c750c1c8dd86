/*
 * The pane of revisions: lanes, ids, messages, and one word for each state. Version rows that no
 * file knows stand on top, where they cannot be overlooked.
 */
#include <pgoncall/ui/pane_revisions.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/migrations/history.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/theme.h>

#define LANES_COLS_MAX 16
#define MESSAGE_COLS   12 /* fewer columns than this are not worth a message */
#define FACT_COLS      13

/* A revision of the graph, or (unknown) a version row that no file knows. */
struct revision_row {
	bool unknown;
	size_t index;
};

struct pane_revisions {
	struct pane pane;
	const struct migration_graph *graph; /* borrowed */
	struct migration_lanes *lanes;
	char *error;               /* NULL: none */
	struct revision_row *rows; /* those that pass the filter */
	size_t n;
	size_t id_cols;
	bool no_lanes;
	char *selected, *detailed; /* ids */
};

static struct pane_revisions *revisions_of(const struct pane *pane)
{
	return (struct pane_revisions *)(uintptr_t)pane;
}

/* --- words ----------------------------------------------------------------------------------- */

static bool revisions_is_next(const struct migration_graph *graph, size_t i)
{
	return graph->pending.n && graph->pending.items[0] == i;
}

static const char *revisions_state_word(const struct migration_graph *graph, size_t i)
{
	switch (graph->revisions[i].state) {
	case MIGRATION_CURRENT:
		return "CURRENT";
	case MIGRATION_PENDING:
		return revisions_is_next(graph, i) ? "next" : "pending";
	case MIGRATION_APPLIED:
		return "";
	default:
		return graph->marked ? "unknown" : "";
	}
}

/* "merge head CURRENT"; a single head above all is only said where it says something. */
static void revisions_mark(const struct migration_graph *graph, size_t i, struct buf *out)
{
	const struct migration_revision *revision = &graph->revisions[i];
	const char *state = revisions_state_word(graph, i);

	if (revision->in_cycle)
		buf_add_str(out, "cycle ");
	if (revision->is_merge)
		buf_add_str(out, "merge ");
	if (revision->is_head && (graph->heads.n > 1 || revision->state == MIGRATION_CURRENT))
		buf_add_str(out, "head ");
	buf_add_str(out, state);
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

static unsigned revisions_style(const struct migration_graph *graph, size_t i)
{
	switch (graph->revisions[i].state) {
	case MIGRATION_CURRENT:
		return THEME_CURRENT;
	case MIGRATION_PENDING:
		return revisions_is_next(graph, i) ? THEME_NEXT : THEME_PENDING;
	case MIGRATION_APPLIED:
		return THEME_APPLIED;
	default:
		return graph->marked ? THEME_UNKNOWN : THEME_APPLIED;
	}
}

/* --- rows ------------------------------------------------------------------------------------ */

static const char *revisions_id(const struct pane_revisions *self, size_t row)
{
	const struct revision_row *r = &self->rows[row];

	return r->unknown ? self->graph->unknown_rows.items[r->index]
			  : self->graph->revisions[r->index].id;
}

static void revisions_row_text(
	const struct pane_revisions *self, const struct revision_row *row, struct buf *out)
{
	const struct migration_graph *graph = self->graph;
	struct buf mark = BUF_INIT;

	if (row->unknown) {
		utf8_sanitise(out, graph->unknown_rows.items[row->index],
			strlen(graph->unknown_rows.items[row->index]), UTF8_ONE_LINE);
		buf_add_str(out, " in the database, in no file");
		return;
	}
	revisions_mark(graph, row->index, &mark);
	utf8_sanitise(out, graph->revisions[row->index].id, strlen(graph->revisions[row->index].id),
		UTF8_ONE_LINE);
	buf_add_char(out, ' ');
	utf8_sanitise(out, graph->revisions[row->index].message,
		strlen(graph->revisions[row->index].message), UTF8_ONE_LINE);
	if (mark.len)
		buf_printf(out, " %s", buf_str(&mark));
	buf_fini(&mark);
}

static void revisions_add_row(struct pane_revisions *self, struct revision_row row)
{
	struct buf text = BUF_INIT;
	size_t cols;

	revisions_row_text(self, &row, &text);
	if (pane_passes(&self->pane, buf_str(&text))) {
		self->rows[self->n] = row;
		cols = strlen(revisions_id(self, self->n++));
		if (cols > self->id_cols)
			self->id_cols = cols;
	}
	buf_fini(&text);
}

/* Where a timeline is first looked at: what the database runs, with what is to come in sight. */
static size_t revisions_first_row(const struct pane_revisions *self)
{
	size_t i;

	for (i = 0; i < self->n; i++)
		if (!self->rows[i].unknown &&
			self->graph->revisions[self->rows[i].index].state == MIGRATION_CURRENT)
			return i;
	return 0;
}

static void revisions_rebuild(struct pane *pane)
{
	struct pane_revisions *self = revisions_of(pane);
	const struct migration_graph *graph = self->graph;
	size_t i, selected = pane->selected;

	free(self->rows);
	self->n = self->id_cols = 0;
	self->rows = mem_calloc(graph ? graph->n + graph->unknown_rows.n : 1, sizeof(*self->rows));
	for (i = 0; graph && i < graph->unknown_rows.n; i++)
		revisions_add_row(self, (struct revision_row){ true, i });
	for (i = 0; graph && i < graph->n; i++)
		revisions_add_row(self, (struct revision_row){ false, i });
	if (!self->selected)
		selected = revisions_first_row(self);
	for (i = 0; self->selected && i < self->n; i++)
		if (strcmp(revisions_id(self, i), self->selected) == 0)
			selected = i;
	pane_reselect(pane, selected, false);
}

void pane_revisions_set(struct pane *pane, const struct migration_graph *graph, const char *error)
{
	struct pane_revisions *self = revisions_of(pane);

	free(self->error);
	self->error = error ? format_one_line(error) : NULL;
	if (graph != self->graph) {
		migration_lanes_free(self->lanes);
		self->lanes = graph ? migration_lanes_new(graph) : NULL;
	}
	self->graph = graph;
	revisions_rebuild(pane);
}

/* --- drawing --------------------------------------------------------------------------------- */

static void revisions_title(struct pane *pane, struct buf *out)
{
	const struct pane_revisions *self = revisions_of(pane);
	const struct migration_graph *graph = self->graph;

	if (!graph)
		return;
	format_plural(out, graph->heads.n, "head", "heads");
	if (!graph->marked)
		buf_add_str(out, " · database not read");
	else if (graph->unknown_rows.n)
		buf_printf(out, " · %zu unknown", graph->unknown_rows.n);
	else
		buf_printf(out, " · %zu pending", graph->pending.n);
	if (graph->problems.n) {
		buf_add_str(out, " · ");
		format_plural(out, graph->problems.n, "problem", "problems");
	}
}

static size_t revisions_count(const struct pane *pane)
{
	return revisions_of(pane)->n;
}

/* Draws the lanes and returns the column after them. */
static int revisions_draw_lanes(
	const struct pane_revisions *self, size_t i, struct cells *cells, struct cells_rect line)
{
	struct buf text = BUF_INIT;
	int cols = (int)migration_lanes_columns(self->lanes);
	bool plain = self->no_lanes || self->pane.filter;

	cols = cols > LANES_COLS_MAX ? LANES_COLS_MAX : cols;
	cols = plain ? 1 : cols;
	if (plain)
		buf_add_str(
			&text, self->graph->revisions[i].state == MIGRATION_APPLIED ||
					       self->graph->revisions[i].state == MIGRATION_CURRENT
				       ? "●"
				       : "○");
	else
		migration_lanes_row(self->lanes, i, cells->ascii, &text);
	cells_put_fit(cells, line, 0, 1, cols, revisions_style(self->graph, i), buf_str(&text));
	buf_fini(&text);
	return 1 + cols;
}

static void revisions_draw_unknown(
	const struct pane_revisions *self, size_t i, struct cells *cells, struct cells_rect line)
{
	char *id = format_one_line(self->graph->unknown_rows.items[i]);
	int col = cells_put(cells, line, 0, 1, THEME_UNKNOWN, "? ");

	cells_fill(cells, line, THEME_UNKNOWN);
	cells_put(cells, line, 0, 1, THEME_UNKNOWN, "? ");
	col = cells_put(cells, line, 0, col, THEME_UNKNOWN, id);
	cells_put_fit(cells, line, 0, col, line.cols - col - 1, THEME_UNKNOWN,
		"  in the database, in no file");
	free(id);
}

/* lanes, id, message, and the mark at the right end. What matters most is cut last: mark, id. */
static void revisions_draw_row(
	struct pane *pane, size_t row, struct cells *cells, struct cells_rect line)
{
	const struct pane_revisions *self = revisions_of(pane);
	size_t i = self->rows[row].index;
	const struct migration_revision *revision;
	struct buf mark = BUF_INIT;
	unsigned style;
	char *text;
	int col, id, room, mark_cols;

	if (self->rows[row].unknown) {
		revisions_draw_unknown(self, i, cells, line);
		return;
	}
	revision = &self->graph->revisions[i];
	style = revisions_style(self->graph, i);
	revisions_mark(self->graph, i, &mark);
	mark_cols = (int)utf8_columns(buf_str(&mark));
	col = revisions_draw_lanes(self, i, cells, line) + 1;
	room = line.cols - col - 1 - (mark_cols ? mark_cols + 1 : 0);
	id = (int)self->id_cols < room ? (int)self->id_cols : room;
	text = format_one_line(revision->id);
	cells_put_fit(cells, line, 0, col, id, style, text);
	free(text);
	text = format_one_line(revision->message);
	room -= id + 1;
	if (room >= MESSAGE_COLS || (room > 0 && (int)utf8_columns(text) <= room))
		cells_put_fit(cells, line, 0, col + id + 1, room, style, text);
	free(text);
	cells_put(cells, line, 0, line.cols - 1 - mark_cols, style, buf_str(&mark));
	buf_fini(&mark);
}

/* --- the page about one revision ------------------------------------------------------------- */

static void revisions_fact(struct lines *out, const char *name, const char *value)
{
	if (*value)
		lines_add_fact(out, THEME_TEXT, FACT_COLS, name, value);
}

static void revisions_fact_words(struct lines *out, const char *name, const struct strlist *words)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < words->n; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", words->items[i]);
	revisions_fact(out, name, buf_str(&text));
	buf_fini(&text);
}

static void revisions_fact_function(
	struct lines *out, const char *name, const struct migration_function *function)
{
	char *text;

	if (!function->present)
		text = mem_strdup("absent");
	else
		text = mem_printf("lines %d to %d%s", function->line, function->last_line,
			function->empty ? ", does nothing" : "");
	revisions_fact(out, name, text);
	free(text);
}

static void revisions_describe(const struct migration_graph *graph,
	const struct migration_revision *revision, struct lines *out)
{
	struct buf text = BUF_INIT;
	size_t i = (size_t)(revision - graph->revisions);
	char *place = mem_printf("%s:%d", revision->path, revision->line);

	revisions_mark(graph, i, &text);
	if (!text.len)
		buf_add_str(&text, graph->marked ? migration_state_name(revision->state)
						 : "not known: the database was not read");
	lines_add_fact(out, revisions_style(graph, i), FACT_COLS, "state", buf_str(&text));
	revisions_fact(out, "created", revision->created);
	if (revision->is_base)
		revisions_fact(out, "comes from", "nothing: it is a base");
	else
		revisions_fact_words(out, "comes from", &revision->down);
	revisions_fact_words(out, "depends on", &revision->depends_on);
	revisions_fact_words(out, "labels", &revision->labels);
	buf_clear(&text);
	migration_graph_add_ids(graph, &revision->children, &text);
	revisions_fact(out, "followed by",
		revision->children.n ? buf_str(&text) : "nothing: it is a head");
	revisions_fact(out, "file", place);
	revisions_fact_function(out, "upgrade()", &revision->upgrade);
	revisions_fact_function(out, "downgrade()", &revision->downgrade);
	if (revision->dynamic)
		revisions_fact(out, "dynamic",
			"an identifier is computed when Python runs the file; "
			"only Alembic knows it for certain");
	lines_add_blank(out);
	lines_add(
		out, THEME_TEXT, 0, *revision->docstring ? revision->docstring : "(no docstring)");
	buf_fini(&text);
	free(place);
}

static void revisions_describe_problems(
	const struct migration_graph *graph, const char *id, struct lines *out)
{
	const struct migration_problem *problem;
	char *text;
	size_t i;

	for (i = 0; i < graph->problems.n; i++) {
		problem = &graph->problems.items[i];
		if (id && !strstr(problem->text, id) && !strstr(problem->path, id))
			continue;
		text = *problem->path ? mem_printf("%s (%s:%d)", problem->text, problem->path,
						problem->line)
				      : mem_strdup(problem->text);
		lines_add_fact(out, THEME_MESSAGE_WARNING, FACT_COLS, "problem", text);
		free(text);
	}
}

static bool revisions_details(struct pane *pane, bool again, struct buf *title, struct lines *out)
{
	struct pane_revisions *self = revisions_of(pane);
	const struct migration_revision *revision;

	if (!self->graph || (!again && !self->n))
		return false;
	if (!again) {
		free(self->detailed);
		self->detailed = mem_strdup(revisions_id(self, pane->selected));
	}
	revision = migration_graph_find(self->graph, self->detailed);
	if (!revision && !strlist_has(&self->graph->unknown_rows, self->detailed))
		return false;
	buf_printf(title, "Revision %s", self->detailed);
	revisions_describe_problems(self->graph, self->detailed, out);
	if (revision)
		revisions_describe(self->graph, revision, out);
	else
		lines_add(out, THEME_UNKNOWN, 0,
			"The version table holds this revision, and no file read here has it. The "
			"database was migrated by other code (another image, a branch), or "
			"somebody "
			"wrote the row by hand. Until it is known, nothing counts as pending.");
	return true;
}

/* --- the table of functions ------------------------------------------------------------------ */

static void revisions_text(const struct pane *pane, size_t i, struct buf *out)
{
	const struct pane_revisions *self = revisions_of(pane);

	revisions_row_text(self, &self->rows[i], out);
}

static void revisions_copy(const struct pane *pane, size_t i, struct buf *out)
{
	buf_add_str(out, revisions_id(revisions_of(pane), i));
}

static void revisions_select(struct pane *pane, size_t i)
{
	struct pane_revisions *self = revisions_of(pane);

	free(self->selected);
	self->selected = mem_strdup(revisions_id(self, i));
}

static bool revisions_command(struct pane *pane, enum key_command command, char **message)
{
	struct pane_revisions *self = revisions_of(pane);

	(void)message;
	if (command != CMD_LANES)
		return false;
	self->no_lanes = !self->no_lanes;
	return true;
}

static const char *revisions_empty(const struct pane *pane)
{
	const struct pane_revisions *self = revisions_of(pane);

	if (self->error)
		return self->error;
	return self->graph ? "There is no revision file." : "The revision files were not read yet.";
}

static void revisions_free(struct pane *pane)
{
	struct pane_revisions *self = revisions_of(pane);

	migration_lanes_free(self->lanes);
	free(self->error);
	free(self->rows);
	free(self->selected);
	free(self->detailed);
	free(self);
}

static const struct pane_ops revisions_ops = {
	.name = "Revisions",
	.context = KEYS_REVISIONS,
	.title = revisions_title,
	.count = revisions_count,
	.row = revisions_draw_row,
	.text = revisions_text,
	.copy = revisions_copy,
	.select = revisions_select,
	.refilter = revisions_rebuild,
	.command = revisions_command,
	.details = revisions_details,
	.empty = revisions_empty,
	.free = revisions_free,
};

struct pane *pane_revisions_new(void)
{
	struct pane_revisions *self = mem_calloc(1, sizeof(*self));

	pane_init(&self->pane, &revisions_ops);
	return &self->pane;
}
