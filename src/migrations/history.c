/*
 * Lanes: a column of the drawing waits for a revision until that revision's row comes. A lane keeps
 * its column for life, so the eye can follow it; a free column is used again. The cells of all rows
 * are computed once and kept as one byte each.
 */
#include <pgoncall/migrations/history.h>

#include <stdlib.h>

#include <pgoncall/base/mem.h>

/* What a cell is made of. The first four are the arms of the glyph and index the tables below. */
enum cell {
	CELL_UP = 1,
	CELL_DOWN = 2,
	CELL_LEFT = 4,
	CELL_RIGHT = 8,
	CELL_ARMS = 15,
	CELL_DOT = 16,
	CELL_BRIDGE = 32 /* the half column to the right is a line */
};

/* A lane that is crossed without a link has arms up and down only. */
static const char *const utf8_glyphs[16] = {
	[0] = " ",
	[CELL_UP] = "│",
	[CELL_DOWN] = "│",
	[CELL_UP | CELL_DOWN] = "│",
	[CELL_LEFT] = "─",
	[CELL_RIGHT] = "─",
	[CELL_LEFT | CELL_RIGHT] = "─",
	[CELL_UP | CELL_LEFT] = "╯",
	[CELL_UP | CELL_RIGHT] = "╰",
	[CELL_DOWN | CELL_LEFT] = "╮",
	[CELL_DOWN | CELL_RIGHT] = "╭",
	[CELL_UP | CELL_DOWN | CELL_LEFT] = "┤",
	[CELL_UP | CELL_DOWN | CELL_RIGHT] = "├",
	[CELL_UP | CELL_LEFT | CELL_RIGHT] = "┴",
	[CELL_DOWN | CELL_LEFT | CELL_RIGHT] = "┬",
	[CELL_UP | CELL_DOWN | CELL_LEFT | CELL_RIGHT] = "┼",
};

static const char *const ascii_glyphs[16] = {
	[0] = " ",
	[CELL_UP] = "|",
	[CELL_DOWN] = "|",
	[CELL_UP | CELL_DOWN] = "|",
	[CELL_LEFT] = "-",
	[CELL_RIGHT] = "-",
	[CELL_LEFT | CELL_RIGHT] = "-",
	[CELL_UP | CELL_LEFT] = "'",
	[CELL_UP | CELL_RIGHT] = "'",
	[CELL_DOWN | CELL_LEFT] = ".",
	[CELL_DOWN | CELL_RIGHT] = ".",
	[CELL_UP | CELL_DOWN | CELL_LEFT] = "+",
	[CELL_UP | CELL_DOWN | CELL_RIGHT] = "+",
	[CELL_UP | CELL_LEFT | CELL_RIGHT] = "+",
	[CELL_DOWN | CELL_LEFT | CELL_RIGHT] = "+",
	[CELL_UP | CELL_DOWN | CELL_LEFT | CELL_RIGHT] = "+",
};

#define NOBODY ((size_t)-1)

struct lane_row {
	size_t first; /* of its cells */
	unsigned char n;
	unsigned char dot;
};

struct migration_lanes {
	const struct migration_graph *graph;
	struct lane_row *rows;
	unsigned char *cells;
	size_t n_cells;
	size_t cap_cells;
	size_t widest; /* cells of the widest row */
};

/* While the rows are computed. Index MIGRATION_LANES_MAX is the column of dots without a lane. */
struct lane_state {
	size_t waits_for[MIGRATION_LANES_MAX];
	unsigned char cells[MIGRATION_LANES_MAX + 1];
	size_t dot;
	size_t left; /* where the line through the dot begins and ends */
	size_t right;
};

static size_t free_lane(const struct lane_state *state, size_t from)
{
	size_t k;

	for (k = from; k < MIGRATION_LANES_MAX; k++)
		if (state->waits_for[k] == NOBODY)
			return k;
	return MIGRATION_LANES_MAX;
}

static size_t lane_waiting_for(const struct lane_state *state, size_t revision)
{
	size_t k;

	for (k = 0; k < MIGRATION_LANES_MAX; k++)
		if (state->waits_for[k] == revision)
			return k;
	return MIGRATION_LANES_MAX;
}

/* Joins column k to the dot by a line. */
static void link_column(struct lane_state *state, size_t k)
{
	if (k < state->left)
		state->left = k;
	if (k > state->right)
		state->right = k;
	state->cells[k] |= k < state->dot ? CELL_RIGHT : CELL_LEFT;
}

/* Lanes above the row: those that wait for i end here. */
static void enter_row(struct lane_state *state, size_t i)
{
	size_t k;

	state->dot = lane_waiting_for(state, i);
	if (state->dot == MIGRATION_LANES_MAX)
		state->dot = free_lane(state, 0);
	state->left = state->right = state->dot;
	for (k = 0; k <= MIGRATION_LANES_MAX; k++) {
		state->cells[k] = 0;
		if (k == MIGRATION_LANES_MAX || state->waits_for[k] == NOBODY)
			continue;
		state->cells[k] = CELL_UP;
		if (state->waits_for[k] == i) {
			state->waits_for[k] = NOBODY;
			if (k != state->dot)
				link_column(state, k);
		}
	}
	state->cells[state->dot] |= CELL_DOT;
}

/* The first parent goes on in the dot's own lane; another joins a lane that waits for it already, or
 * opens one, to the right where there is room. */
static void leave_row(struct lane_state *state, size_t i, const struct migration_revision *revision)
{
	size_t k, p, parent;
	bool own = state->dot < MIGRATION_LANES_MAX;

	for (p = 0; p < revision->parents.n; p++) {
		parent = revision->parents.items[p];
		if (parent <= i)
			continue;
		k = own ? state->dot : lane_waiting_for(state, parent);
		if (k == MIGRATION_LANES_MAX)
			k = free_lane(state, state->dot);
		if (k == MIGRATION_LANES_MAX)
			k = free_lane(state, 0);
		if (k == MIGRATION_LANES_MAX)
			continue;
		state->waits_for[k] = parent;
		if (k != state->dot)
			link_column(state, k);
		own = false;
	}
	for (k = 0; k < MIGRATION_LANES_MAX; k++)
		if (state->waits_for[k] != NOBODY)
			state->cells[k] |= CELL_DOWN;
}

/* Draws the line between its ends: under lanes it only crosses, through those it links. */
static void draw_line(struct lane_state *state)
{
	unsigned char *cell;
	size_t k;

	for (k = state->left; k <= state->right && state->right > state->left; k++) {
		cell = &state->cells[k];
		if (k < state->right)
			*cell |= CELL_BRIDGE;
		if (k == state->left || k == state->right || *cell & CELL_DOT)
			continue;
		if (*cell & (CELL_LEFT | CELL_RIGHT) || !(*cell & CELL_ARMS))
			*cell |= CELL_LEFT | CELL_RIGHT;
	}
}

static void store_row(struct migration_lanes *lanes, size_t i, const struct lane_state *state)
{
	struct lane_row *row = &lanes->rows[i];
	size_t k, n = MIGRATION_LANES_MAX + 1;

	while (n && !state->cells[n - 1])
		n--;
	row->first = lanes->n_cells;
	row->n = (unsigned char)n;
	row->dot = (unsigned char)state->dot;
	for (k = 0; k < n; k++) {
		lanes->cells = mem_grow(lanes->cells, lanes->n_cells, &lanes->cap_cells, 1);
		lanes->cells[lanes->n_cells++] = state->cells[k];
	}
	if (n > lanes->widest)
		lanes->widest = n;
}

struct migration_lanes *migration_lanes_new(const struct migration_graph *graph)
{
	struct migration_lanes *lanes = mem_calloc(1, sizeof(*lanes));
	struct lane_state state;
	size_t i;

	lanes->graph = graph;
	lanes->rows = mem_calloc(graph->n + 1, sizeof(*lanes->rows));
	for (i = 0; i < MIGRATION_LANES_MAX; i++)
		state.waits_for[i] = NOBODY;
	for (i = 0; i < graph->n; i++) {
		enter_row(&state, i);
		leave_row(&state, i, &graph->revisions[i]);
		draw_line(&state);
		store_row(lanes, i, &state);
	}
	return lanes;
}

void migration_lanes_free(struct migration_lanes *lanes)
{
	if (!lanes)
		return;
	free(lanes->rows);
	free(lanes->cells);
	free(lanes);
}

size_t migration_lanes_columns(const struct migration_lanes *lanes)
{
	return lanes->widest ? 2 * lanes->widest - 1 : 0;
}

size_t migration_lanes_dot(const struct migration_lanes *lanes, size_t i)
{
	return 2u * lanes->rows[i].dot;
}

static const char *dot_glyph(const struct migration_revision *revision, bool ascii)
{
	if (revision->state == MIGRATION_APPLIED || revision->state == MIGRATION_CURRENT)
		return ascii ? "*" : "●";
	return ascii ? "o" : "○";
}

void migration_lanes_row(const struct migration_lanes *lanes, size_t i, bool ascii, struct buf *out)
{
	const struct lane_row *row = &lanes->rows[i];
	const char *const *glyphs = ascii ? ascii_glyphs : utf8_glyphs;
	unsigned char cell;
	size_t k;

	for (k = 0; k < row->n; k++) {
		cell = lanes->cells[row->first + k];
		if (cell & CELL_DOT)
			buf_add_str(out, dot_glyph(&lanes->graph->revisions[i], ascii));
		else
			buf_add_str(out, glyphs[cell & CELL_ARMS]);
		if (k + 1 < row->n)
			buf_add_str(out, cell & CELL_BRIDGE ? glyphs[CELL_LEFT] : " ");
	}
}
