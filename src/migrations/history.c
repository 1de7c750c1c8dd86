/*
 * Lanes: a column of the drawing waits for a revision until that revision's row comes. A lane keeps
 * its column for life, so the eye can follow it; a free column is used again. What the lanes wait for
 * is kept for one row in LANES_BLOCK; the cells of the rows in between are computed when they are
 * asked for, and one block of them is kept.
 */
#include <pgoncall/migrations/history.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

/* What a cell is made of. The first four are the arms of the glyph and index the tables below. */
enum cell {
	CELL_UP = 1,
	CELL_DOWN = 2,
	CELL_LEFT = 4,
	CELL_RIGHT = 8,
	CELL_ARMS = 15,
	CELL_DOT = 16,
	CELL_BRIDGE = 32, /* the half column to the right is a line */
	CELL_DASHED_LANE = 64,
	CELL_DASHED_LINE = 128 /* across, and the bridge */
};

/* Rows of a block. */
#define LANES_BLOCK 256

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
	unsigned char cells[MIGRATION_LANES_MAX + 1];
	unsigned char n;
	unsigned char dot;
};

/* What lanes wait for between two rows. */
struct lane_waits {
	size_t revision[MIGRATION_LANES_MAX]; /* NOBODY: free */
	bool dashed[MIGRATION_LANES_MAX];     /* it is a dependency */
};

struct migration_lanes {
	const struct migration_graph *graph;
	struct lane_waits *checkpoints; /* above row 0, LANES_BLOCK, … */
	size_t widest;                  /* cells of the widest row */
	struct lane_row *block;         /* the rows of one block */
	size_t block_first;             /* its first row; NOBODY: none yet */
};

/* A line through the dot, from column to column. */
struct lane_line {
	size_t left, right;
};

/* While a row is computed. Index MIGRATION_LANES_MAX is the column of dots without a lane. */
struct lane_state {
	struct lane_waits waits;
	unsigned char cells[MIGRATION_LANES_MAX + 1];
	size_t dot;
	struct lane_line lines[2]; /* solid, dashed */
};

static size_t free_lane(const struct lane_state *state, size_t from)
{
	size_t k;

	for (k = from; k < MIGRATION_LANES_MAX; k++)
		if (state->waits.revision[k] == NOBODY)
			return k;
	return MIGRATION_LANES_MAX;
}

static size_t lane_waiting_for(const struct lane_state *state, size_t revision, bool dashed)
{
	size_t k;

	for (k = 0; k < MIGRATION_LANES_MAX; k++)
		if (state->waits.revision[k] == revision && state->waits.dashed[k] == dashed)
			return k;
	return MIGRATION_LANES_MAX;
}

/* Joins column k to the dot by a line. */
static void link_column(struct lane_state *state, size_t k, bool dashed)
{
	struct lane_line *line = &state->lines[dashed];

	if (k < line->left)
		line->left = k;
	if (k > line->right)
		line->right = k;
	state->cells[k] |= k < state->dot ? CELL_RIGHT : CELL_LEFT;
}

static void place_dot(struct lane_state *state, size_t i)
{
	state->dot = lane_waiting_for(state, i, false);
	if (state->dot == MIGRATION_LANES_MAX)
		state->dot = lane_waiting_for(state, i, true);
	if (state->dot == MIGRATION_LANES_MAX)
		state->dot = free_lane(state, 0);
	state->lines[0] = state->lines[1] = (struct lane_line){ state->dot, state->dot };
}

/* Lanes above the row: those that wait for i end here. */
static void enter_row(struct lane_state *state, size_t i)
{
	struct lane_waits *waits = &state->waits;
	size_t k;

	place_dot(state, i);
	memset(state->cells, 0, sizeof(state->cells));
	for (k = 0; k < MIGRATION_LANES_MAX; k++) {
		if (waits->revision[k] == NOBODY)
			continue;
		state->cells[k] = CELL_UP | (waits->dashed[k] ? CELL_DASHED_LANE : 0);
		if (waits->revision[k] == i) {
			waits->revision[k] = NOBODY;
			if (k != state->dot)
				link_column(state, k, waits->dashed[k]);
		}
	}
	state->cells[state->dot] |= CELL_DOT;
}

/* One lane down to a parent or dependency: the dot's own, where it is still to be had, one that waits
 * for it already, or a new one, to the right where there is room. */
static void open_lane(struct lane_state *state, size_t to, bool dashed, bool *own)
{
	size_t k = *own ? state->dot : lane_waiting_for(state, to, dashed);

	if (k == MIGRATION_LANES_MAX)
		k = free_lane(state, state->dot);
	if (k == MIGRATION_LANES_MAX)
		k = free_lane(state, 0);
	if (k == MIGRATION_LANES_MAX)
		return;
	state->waits.revision[k] = to;
	state->waits.dashed[k] = dashed;
	if (k != state->dot)
		link_column(state, k, dashed);
	*own = false;
}

static void leave_row(struct lane_state *state, size_t i, const struct migration_revision *revision)
{
	size_t k;
	bool own = state->dot < MIGRATION_LANES_MAX;

	for (k = 0; k < revision->parents.n; k++)
		if (revision->parents.items[k] > i)
			open_lane(state, revision->parents.items[k], false, &own);
	for (k = 0; k < revision->depends.n; k++)
		if (revision->depends.items[k] > i)
			open_lane(state, revision->depends.items[k], true, &own);
	for (k = 0; k < MIGRATION_LANES_MAX; k++) {
		if (state->waits.revision[k] == NOBODY)
			continue;
		state->cells[k] |= CELL_DOWN;
		if (state->waits.dashed[k])
			state->cells[k] |= CELL_DASHED_LANE;
		else
			state->cells[k] &= (unsigned char)~CELL_DASHED_LANE;
	}
}

/* Draws a line between its ends: under lanes it only crosses, through those it links. */
static void draw_line(struct lane_state *state, bool dashed)
{
	const struct lane_line *line = &state->lines[dashed];
	unsigned char *cell;
	size_t k;

	for (k = line->left; k <= line->right && line->right > line->left; k++) {
		cell = &state->cells[k];
		if (k < line->right) {
			*cell |= CELL_BRIDGE;
			if (dashed)
				*cell |= CELL_DASHED_LINE;
			else
				*cell &= (unsigned char)~CELL_DASHED_LINE;
		}
		if (k == line->left || k == line->right || *cell & CELL_DOT)
			continue;
		if (*cell & (CELL_LEFT | CELL_RIGHT) || !(*cell & CELL_ARMS))
			*cell |= CELL_LEFT | CELL_RIGHT;
	}
}

static void compute_row(const struct migration_lanes *lanes, struct lane_state *state, size_t i,
	struct lane_row *row)
{
	size_t n = MIGRATION_LANES_MAX + 1;

	enter_row(state, i);
	leave_row(state, i, &lanes->graph->revisions[i]);
	draw_line(state, true);
	draw_line(state, false);
	while (n && !state->cells[n - 1])
		n--;
	memcpy(row->cells, state->cells, n);
	row->n = (unsigned char)n;
	row->dot = (unsigned char)state->dot;
}

struct migration_lanes *migration_lanes_new(const struct migration_graph *graph)
{
	struct migration_lanes *lanes = mem_calloc(1, sizeof(*lanes));
	struct lane_state state = { 0 };
	struct lane_row row;
	size_t i;

	lanes->graph = graph;
	lanes->block_first = NOBODY;
	lanes->checkpoints = mem_calloc(graph->n / LANES_BLOCK + 1, sizeof(*lanes->checkpoints));
	for (i = 0; i < MIGRATION_LANES_MAX; i++)
		state.waits.revision[i] = NOBODY;
	for (i = 0; i < graph->n; i++) {
		if (i % LANES_BLOCK == 0)
			lanes->checkpoints[i / LANES_BLOCK] = state.waits;
		compute_row(lanes, &state, i, &row);
		if (row.n > lanes->widest)
			lanes->widest = row.n;
	}
	return lanes;
}

void migration_lanes_free(struct migration_lanes *lanes)
{
	if (!lanes)
		return;
	free(lanes->checkpoints);
	free(lanes->block);
	free(lanes);
}

/* The cells of row i, with those of its whole block. */
static const struct lane_row *lanes_get_row(struct migration_lanes *lanes, size_t i)
{
	size_t first = i - i % LANES_BLOCK, k;
	struct lane_state state = { 0 };

	if (lanes->block_first != first) {
		if (!lanes->block)
			lanes->block = mem_calloc(LANES_BLOCK, sizeof(*lanes->block));
		state.waits = lanes->checkpoints[first / LANES_BLOCK];
		for (k = first; k < lanes->graph->n && k < first + LANES_BLOCK; k++)
			compute_row(lanes, &state, k, &lanes->block[k - first]);
		lanes->block_first = first;
	}
	return &lanes->block[i - first];
}

size_t migration_lanes_columns(const struct migration_lanes *lanes)
{
	return lanes->widest ? 2 * lanes->widest - 1 : 0;
}

size_t migration_lanes_dot(struct migration_lanes *lanes, size_t i)
{
	return 2u * lanes_get_row(lanes, i)->dot;
}

const char *migration_dot(enum migration_state state, bool ascii)
{
	if (state == MIGRATION_APPLIED || state == MIGRATION_CURRENT)
		return ascii ? "*" : "●";
	return ascii ? "o" : "○";
}

static const char *line_glyph(bool dashed, bool ascii)
{
	if (dashed)
		return ascii ? "." : "┄";
	return ascii ? "-" : "─";
}

static const char *cell_glyph(unsigned char cell, bool ascii)
{
	unsigned char arms = cell & CELL_ARMS;

	if (cell & CELL_DASHED_LANE && arms && !(arms & (CELL_LEFT | CELL_RIGHT)))
		return ascii ? ":" : "┊";
	if (cell & CELL_DASHED_LINE && arms && !(arms & (CELL_UP | CELL_DOWN)))
		return line_glyph(true, ascii);
	return (ascii ? ascii_glyphs : utf8_glyphs)[arms];
}

void migration_lanes_row(struct migration_lanes *lanes, size_t i, bool ascii, struct buf *out)
{
	const struct lane_row *row = lanes_get_row(lanes, i);
	unsigned char cell;
	size_t k;

	for (k = 0; k < row->n; k++) {
		cell = row->cells[k];
		buf_add_str(out, cell & CELL_DOT
					 ? migration_dot(lanes->graph->revisions[i].state, ascii)
					 : cell_glyph(cell, ascii));
		if (k + 1 < row->n)
			buf_add_str(out, cell & CELL_BRIDGE
						 ? line_glyph(cell & CELL_DASHED_LINE, ascii)
						 : " ");
	}
}
