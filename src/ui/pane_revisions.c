/*
 * The pane of revisions: lanes, ids, messages, and one word for each state. Version rows that no
 * file knows stand on top, where they cannot be overlooked; legacy SQL files below. The page about one
 * revision is in revisions_page.c.
 */
#include "revisions_impl.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/migrations/history.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/theme.h>

#define LANES_COLS_MAX 16
#define MESSAGE_COLS   12 /* fewer columns than this are not worth a message */

static struct pane_revisions *revisions_of(const struct pane *pane)
{
	return (struct pane_revisions *)(uintptr_t)pane;
}

/* --- words ----------------------------------------------------------------------------------- */

static bool revisions_is_next(const struct migration_graph *graph, size_t i)
{
	return graph->pending.n && graph->pending.items[0] == i;
}

static bool revisions_is_running(const struct pane_revisions *self, size_t i)
{
	return self->view.running &&
	       strcmp(self->view.running, self->view.graph->revisions[i].id) == 0;
}

static const char *revisions_running_word(const struct revisions_view *view)
{
	static const char *const words[][2] = {
		{ "running?", "running?, blocked" },
		{ "RUNNING", "RUNNING, blocked" },
		{ "RUNNING DOWN", "RUNNING DOWN, blocked" },
	};

	return words[view->running_down ? 2 : view->running_sure][view->running_blocked];
}

static const char *revisions_state_word(const struct pane_revisions *self, size_t i)
{
	const struct migration_graph *graph = self->view.graph;

	if (revisions_is_running(self, i))
		return revisions_running_word(&self->view);
	switch (graph->revisions[i].state) {
	case MIGRATION_CURRENT:
		return "CURRENT";
	case MIGRATION_PENDING:
		return revisions_is_next(graph, i) ? "next" : "pending";
	case MIGRATION_APPLIED:
	case MIGRATION_UNDEPLOYED:
		return "";
	default:
		return graph->marked ? "unknown" : "";
	}
}

/* "merge head CURRENT"; a single head above all is only said where it says something. */
void revisions_mark(const struct pane_revisions *self, size_t i, struct buf *out)
{
	const struct migration_graph *graph = self->view.graph;
	const struct migration_revision *revision = &graph->revisions[i];
	const char *state = revisions_state_word(self, i);

	if (revision->in_cycle)
		buf_add_str(out, "cycle ");
	if (revision->is_merge)
		buf_add_str(out, "merge ");
	if (revision->is_head && !revision->is_real_head)
		buf_add_str(out, "effective ");
	if (revision->is_head && (graph->heads.n > 1 || revision->state == MIGRATION_CURRENT))
		buf_add_str(out, "head ");
	buf_add_str(out, state);
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

void revisions_skew(const struct pane_revisions *self, size_t i, struct buf *out)
{
	if (self->view.sources && self->view.sources->merged == self->view.graph)
		migration_sources_skew(self->view.sources, &self->view.graph->revisions[i], out);
}

unsigned revisions_style(const struct pane_revisions *self, size_t i)
{
	const struct migration_graph *graph = self->view.graph;

	if (revisions_is_running(self, i))
		return THEME_MIGRATION;
	switch (graph->revisions[i].state) {
	case MIGRATION_CURRENT:
		return THEME_CURRENT;
	case MIGRATION_PENDING:
		return revisions_is_next(graph, i) ? THEME_NEXT : THEME_PENDING;
	case MIGRATION_APPLIED:
		return THEME_APPLIED;
	case MIGRATION_UNDEPLOYED:
		return THEME_DIM;
	default:
		return graph->marked ? THEME_UNKNOWN : THEME_APPLIED;
	}
}

/* --- rows ------------------------------------------------------------------------------------ */

char *revisions_key(const struct pane_revisions *self, const struct revision_row *row)
{
	switch (row->kind) {
	case ROW_UNKNOWN:
		return mem_strdup(self->view.graph->unknown_rows.items[row->index]);
	case ROW_LEGACY:
		return mem_printf("legacy %s", self->view.legacy->items[row->index].name);
	case ROW_LEGACY_HEADING:
		return mem_strdup("legacy ");
	default:
		return mem_strdup(self->view.graph->revisions[row->index].id);
	}
}

static void revisions_add_clean(struct buf *out, const char *text)
{
	utf8_sanitise(out, text, strlen(text), UTF8_ONE_LINE);
}

static void revisions_legacy_text(
	const struct pane_revisions *self, const struct revision_row *row, struct buf *out)
{
	const struct legacy_list *legacy = self->view.legacy;

	if (row->kind == ROW_LEGACY) {
		revisions_add_clean(out, legacy->items[row->index].name);
		buf_printf(
			out, " legacy SQL %s", legacy_state_name(legacy->items[row->index].state));
		return;
	}
	buf_add_str(out, "legacy SQL");
	if (!legacy)
		buf_add_str(out, ": not known");
	else
		buf_printf(out, ": %zu applied", legacy->n - legacy->n_pending - legacy->n_missing);
	if (legacy && legacy->n_pending)
		buf_printf(out, ", %zu pending", legacy->n_pending);
	if (legacy && legacy->n_missing)
		buf_printf(out, ", %zu missing", legacy->n_missing);
}

/* All that a search or a filter may ask for: "pending" and "label:billing", too. */
static void revisions_row_text(
	const struct pane_revisions *self, const struct revision_row *row, struct buf *out)
{
	const struct migration_graph *graph = self->view.graph;
	const struct migration_revision *r;
	struct buf words = BUF_INIT;
	size_t i;

	if (row->kind == ROW_UNKNOWN) {
		revisions_add_clean(out, graph->unknown_rows.items[row->index]);
		buf_add_str(out, " in the database, in no file");
		return;
	}
	if (row->kind != ROW_REVISION) {
		revisions_legacy_text(self, row, out);
		return;
	}
	r = &graph->revisions[row->index];
	revisions_add_clean(out, r->id);
	buf_add_char(out, ' ');
	revisions_add_clean(out, r->message);
	revisions_skew(self, row->index, &words);
	buf_printf(out, "%s%s", words.len ? " " : "", buf_str(&words));
	buf_clear(&words);
	revisions_mark(self, row->index, &words);
	buf_printf(out, "%s%s", words.len ? " " : "", buf_str(&words));
	if (r->state == MIGRATION_PENDING && !strstr(buf_str(&words), "pending"))
		buf_add_str(out, " pending");
	for (i = 0; i < r->branches.n; i++) {
		buf_add_str(out, " label:");
		revisions_add_clean(out, r->branches.items[i]);
	}
	if (*r->created) {
		buf_add_char(out, ' ');
		revisions_add_clean(out, r->created);
	}
	buf_fini(&words);
}

static size_t revisions_id_cols(const struct pane_revisions *self, const struct revision_row *row)
{
	return row->kind == ROW_REVISION ? utf8_columns(self->view.graph->revisions[row->index].id)
					 : 0;
}

static void revisions_add_row(
	struct pane_revisions *self, enum revision_row_kind kind, size_t index)
{
	struct revision_row row = { kind, index };
	struct buf text = BUF_INIT;
	bool passes = true;
	size_t cols;

	if (self->pane.filter) {
		revisions_row_text(self, &row, &text);
		passes = pane_passes(&self->pane, buf_str(&text));
		buf_fini(&text);
	}
	if (!passes)
		return;
	self->rows[self->n++] = row;
	cols = revisions_id_cols(self, &row);
	if (cols > self->id_cols)
		self->id_cols = cols;
}

/* Where a timeline is first looked at: what the database runs, with what is to come in sight. */
static size_t revisions_first_row(const struct pane_revisions *self)
{
	size_t i;

	for (i = 0; i < self->n; i++)
		if (self->rows[i].kind == ROW_REVISION &&
			self->view.graph->revisions[self->rows[i].index].state == MIGRATION_CURRENT)
			return i;
	return 0;
}

static bool revisions_is_row(const struct pane_revisions *self, size_t i, const char *key)
{
	const struct revision_row *row = &self->rows[i];
	char *its;
	bool same;

	if (row->kind == ROW_REVISION)
		return strcmp(self->view.graph->revisions[row->index].id, key) == 0;
	its = revisions_key(self, row);
	same = strcmp(its, key) == 0;
	free(its);
	return same;
}

static void revisions_rebuild(struct pane *pane)
{
	struct pane_revisions *self = revisions_of(pane);
	const struct migration_graph *graph = self->view.graph;
	const struct legacy_list *legacy = self->view.legacy;
	size_t i, selected = pane->selected, room = 1;

	room += graph ? graph->n + graph->unknown_rows.n : 0;
	room += legacy ? legacy->n : 0;
	free(self->rows);
	self->n = self->id_cols = 0;
	self->rows = mem_calloc(room, sizeof(*self->rows));
	for (i = 0; graph && i < graph->unknown_rows.n; i++)
		revisions_add_row(self, ROW_UNKNOWN, i);
	for (i = 0; graph && i < graph->n; i++)
		revisions_add_row(self, ROW_REVISION, i);
	if ((legacy && legacy->n) || self->view.legacy_error)
		revisions_add_row(self, ROW_LEGACY_HEADING, 0);
	for (i = 0; legacy && i < legacy->n; i++)
		revisions_add_row(self, ROW_LEGACY, i);
	if (!self->selected)
		selected = revisions_first_row(self);
	for (i = 0; self->selected && i < self->n; i++) {
		if (revisions_is_row(self, i, self->selected)) {
			selected = i;
			break;
		}
	}
	pane_reselect(pane, selected, false);
}

static char *revisions_clean_opt(const char *text)
{
	return text ? format_one_line(text) : NULL;
}

static void revisions_free_texts(struct pane_revisions *self)
{
	free((char *)(uintptr_t)self->view.error);
	free((char *)(uintptr_t)self->view.legacy_error);
	free((char *)(uintptr_t)self->view.running);
}

void pane_revisions_show(struct pane *pane, const struct revisions_view *view)
{
	struct pane_revisions *self = revisions_of(pane);

	revisions_free_texts(self);
	if (view->graph != self->view.graph) {
		migration_lanes_free(self->lanes);
		self->lanes = view->graph ? migration_lanes_new(view->graph) : NULL;
	}
	self->view = *view;
	self->view.error = revisions_clean_opt(view->error);
	self->view.legacy_error = revisions_clean_opt(view->legacy_error);
	self->view.running = mem_strdup_opt(view->running);
	revisions_rebuild(pane);
}

void pane_revisions_set(struct pane *pane, const struct migration_graph *graph, const char *error)
{
	pane_revisions_show(pane, &(struct revisions_view){ .graph = graph, .error = error });
}

/* --- the preview ----------------------------------------------------------------------------- */

static void revisions_free_preview(struct pane_revisions *self)
{
	free((char *)(uintptr_t)self->preview.id);
	free((char *)(uintptr_t)self->preview.text);
	free((char *)(uintptr_t)self->preview.state);
	memset(&self->preview, 0, sizeof(self->preview));
}

void pane_revisions_set_preview(struct pane *pane, const struct revisions_preview *preview)
{
	struct pane_revisions *self = revisions_of(pane);

	revisions_free_preview(self);
	if (!preview->id)
		return;
	self->preview = *preview;
	self->preview.id = mem_strdup(preview->id);
	self->preview.text = mem_strdup(preview->text);
	self->preview.state = mem_strdup(preview->state);
}

bool pane_revisions_is_previewing(const struct pane *pane)
{
	return revisions_of(pane)->preview.running;
}

const struct migration_revision *pane_revisions_selected(const struct pane *pane)
{
	const struct pane_revisions *self = revisions_of(pane);

	if (pane->selected >= self->n || self->rows[pane->selected].kind != ROW_REVISION)
		return NULL;
	return &self->view.graph->revisions[self->rows[pane->selected].index];
}

/* --- drawing --------------------------------------------------------------------------------- */

static bool revisions_colours_differ(const struct pane_revisions *self)
{
	const struct migration_sources *sources = self->view.sources;
	size_t i;

	if (!sources || sources->merged != self->view.graph)
		return false;
	for (i = 0; i < sources->merged->n; i++)
		if (migration_sources_colours_differ(sources, &sources->merged->revisions[i]))
			return true;
	return false;
}

static void revisions_title(struct pane *pane, struct buf *out)
{
	const struct pane_revisions *self = revisions_of(pane);
	const struct migration_graph *graph = self->view.graph;

	if (!graph)
		return;
	format_plural(out, graph->heads.n, "head", "heads");
	if (!graph->marked)
		buf_add_str(out, " · database not read");
	else if (graph->unknown_rows.n)
		buf_printf(out, " · %zu unknown", graph->unknown_rows.n);
	else
		buf_printf(out, " · %zu pending", graph->pending.n);
	if (self->view.running)
		buf_add_str(out, self->view.running_blocked ? " · running, blocked" : " · running");
	if (revisions_colours_differ(self))
		buf_add_str(out, " · skew");
	if (graph->problems.n) {
		buf_add_str(out, " · ");
		format_plural(out, graph->problems.n, "problem", "problems");
	}
	if (self->view.error)
		buf_add_str(out, " · not read anew");
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
			&text, migration_dot(self->view.graph->revisions[i].state, cells->ascii));
	else
		migration_lanes_row(self->lanes, i, cells->ascii, &text);
	cells_put_fit(cells, line, 0, 1, cols, revisions_style(self, i), buf_str(&text));
	buf_fini(&text);
	return 1 + cols;
}

static void revisions_draw_unknown(
	const struct pane_revisions *self, size_t i, struct cells *cells, struct cells_rect line)
{
	char *id = format_one_line(self->view.graph->unknown_rows.items[i]);
	int col;

	cells_fill(cells, line, THEME_UNKNOWN);
	cells_put(cells, line, 0, 1, THEME_UNKNOWN, "? ");
	col = cells_put(cells, line, 0, 3, THEME_UNKNOWN, id);
	cells_put_fit(cells, line, 0, col, line.cols - col - 1, THEME_UNKNOWN,
		"  in the database, in no file");
	free(id);
}

static void revisions_draw_legacy(const struct pane_revisions *self, const struct revision_row *row,
	struct cells *cells, struct cells_rect line)
{
	static const struct {
		unsigned style;
		const char *sign, *ascii, *word;
	} looks[] = {
		[LEGACY_APPLIED] = { THEME_APPLIED, "●", "*", "" },
		[LEGACY_PENDING] = { THEME_PENDING, "○", "o", "pending" },
		[LEGACY_MISSING] = { THEME_UNKNOWN, "?", "?", "no file" },
	};
	const struct legacy_file *file = &self->view.legacy->items[row->index];
	int word = (int)strlen(looks[file->state].word);
	char *name = format_one_line(file->name);

	cells_put(cells, line, 0, 1, looks[file->state].style,
		cells->ascii ? looks[file->state].ascii : looks[file->state].sign);
	cells_put_fit(cells, line, 0, 3, line.cols - 4 - (word ? word + 1 : 0),
		looks[file->state].style, name);
	cells_put(cells, line, 0, line.cols - 1 - word, looks[file->state].style,
		looks[file->state].word);
	free(name);
}

static void revisions_draw_heading(
	const struct pane_revisions *self, struct cells *cells, struct cells_rect line)
{
	struct revision_row row = { ROW_LEGACY_HEADING, 0 };
	struct buf text = BUF_INIT;

	revisions_legacy_text(self, &row, &text);
	if (!self->view.legacy)
		buf_printf(&text, ": %s", self->view.legacy_error);
	cells_put_fit(cells, line, 0, 1, line.cols - 2, THEME_HEADER, buf_str(&text));
	buf_fini(&text);
}

/* lanes, id, message, and the marks at the right end. What matters most is cut last: mark, id. */
static void revisions_draw_revision(
	const struct pane_revisions *self, size_t i, struct cells *cells, struct cells_rect line)
{
	const struct migration_revision *revision = &self->view.graph->revisions[i];
	unsigned style = revisions_style(self, i);
	struct buf mark = BUF_INIT, skew = BUF_INIT;
	int col, id, room, marks, at;
	char *text;

	revisions_skew(self, i, &skew);
	revisions_mark(self, i, &mark);
	if (skew.len && mark.len)
		buf_add_char(&skew, ' ');
	marks = (int)(utf8_columns(buf_str(&skew)) + utf8_columns(buf_str(&mark)));
	col = revisions_draw_lanes(self, i, cells, line) + 1;
	room = line.cols - col - 1 - (marks ? marks + 1 : 0);
	id = (int)self->id_cols < room ? (int)self->id_cols : room;
	text = format_one_line(revision->id);
	/* Where it is tight, a short id leaves its padding to the message. */
	if (room - id - 1 < MESSAGE_COLS && (int)utf8_columns(text) < id)
		id = (int)utf8_columns(text);
	cells_put_fit(cells, line, 0, col, id, style, text);
	free(text);
	text = format_one_line(revision->message);
	room -= id + 1;
	if (room >= MESSAGE_COLS || (room > 0 && (int)utf8_columns(text) <= room))
		cells_put_fit(cells, line, 0, col + id + 1, room, style, text);
	free(text);
	at = line.cols - 1 - marks;
	at = cells_put(cells, line, 0, at < 0 ? 0 : at, THEME_FINDING_WARNING, buf_str(&skew));
	cells_put(cells, line, 0, at, style, buf_str(&mark));
	buf_fini(&mark);
	buf_fini(&skew);
}

static void revisions_draw_row(
	struct pane *pane, size_t i, struct cells *cells, struct cells_rect line)
{
	const struct pane_revisions *self = revisions_of(pane);
	const struct revision_row *row = &self->rows[i];

	switch (row->kind) {
	case ROW_UNKNOWN:
		revisions_draw_unknown(self, row->index, cells, line);
		return;
	case ROW_LEGACY:
		revisions_draw_legacy(self, row, cells, line);
		return;
	case ROW_LEGACY_HEADING:
		revisions_draw_heading(self, cells, line);
		return;
	default:
		revisions_draw_revision(self, row->index, cells, line);
	}
}

/* --- the table of functions ------------------------------------------------------------------ */

static bool revisions_details(struct pane *pane, bool again, struct buf *title, struct lines *out)
{
	struct pane_revisions *self = revisions_of(pane);

	if (!again) {
		if (!self->n)
			return false;
		free(self->detailed);
		self->detailed = revisions_key(self, &self->rows[pane->selected]);
	}
	return self->detailed && revisions_page(self, self->detailed, title, out);
}

static void revisions_text(const struct pane *pane, size_t i, struct buf *out)
{
	const struct pane_revisions *self = revisions_of(pane);

	revisions_row_text(self, &self->rows[i], out);
}

static void revisions_copy(const struct pane *pane, size_t i, struct buf *out)
{
	const struct pane_revisions *self = revisions_of(pane);
	char *key = revisions_key(self, &self->rows[i]);

	buf_add_str(out, str_starts(key, "legacy ") ? key + strlen("legacy ") : key);
	free(key);
}

static void revisions_select(struct pane *pane, size_t i)
{
	struct pane_revisions *self = revisions_of(pane);

	free(self->selected);
	self->selected = revisions_key(self, &self->rows[i]);
}

/* Goes to the next row of this kind below the selected one, around the end. */
static void revisions_go(struct pane_revisions *self, bool heads, char **message)
{
	const struct migration_revision *r;
	size_t step, i;

	for (step = 1; step <= self->n; step++) {
		i = (self->pane.selected + step) % self->n;
		if (self->rows[i].kind != ROW_REVISION)
			continue;
		r = &self->view.graph->revisions[self->rows[i].index];
		if (heads ? r->is_head : r->state == MIGRATION_CURRENT) {
			pane_go(&self->pane, i);
			return;
		}
	}
	*message = mem_strdup(heads ? "No head is shown." : "No revision shown is current.");
}

static bool revisions_command(struct pane *pane, enum key_command command, char **message)
{
	struct pane_revisions *self = revisions_of(pane);

	switch (command) {
	case CMD_LANES:
		self->no_lanes = !self->no_lanes;
		return true;
	case CMD_GO_CURRENT:
	case CMD_GO_HEAD:
		revisions_go(self, command == CMD_GO_HEAD, message);
		return true;
	default:
		return false;
	}
}

static const char *revisions_empty(const struct pane *pane)
{
	const struct pane_revisions *self = revisions_of(pane);

	if (self->view.error)
		return self->view.error;
	return self->view.graph ? "There is no revision file."
				: "The revision files were not read yet.";
}

static void revisions_free(struct pane *pane)
{
	struct pane_revisions *self = revisions_of(pane);

	migration_lanes_free(self->lanes);
	revisions_free_texts(self);
	revisions_free_preview(self);
	free(self->rows);
	free(self->selected);
	free(self->detailed);
	free(self);
}

static const struct pane_ops revisions_ops = {
	.name = "Revisions",
	.context = KEYS_REVISIONS,
	.page_hint = " u d: SQL ",
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
