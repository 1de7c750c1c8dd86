/*
 * A grid of character cells: what panes draw on and what the terminal shows. It knows no terminal
 * and no colours; a cell names theme elements. Nothing but printable code points gets in
 * (utf8_width decides), so no foreign control byte reaches the terminal through a grid.
 */
#ifndef PGONCALL_UI_CELLS_H
#define PGONCALL_UI_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>

/* In cells from the grid's upper left corner. A rectangle may reach beyond the grid or be empty. */
struct cells_rect {
	int row, col;
	int rows, cols;
};

#define CELL_MARKS 2 /* combining characters kept per cell; more are dropped */

struct cell {
	uint32_t cp;                /* 0: the right half of the wide character to the left */
	uint32_t marks[CELL_MARKS]; /* combining characters, 0: none */
	uint8_t style;              /* enum theme_element */
	uint8_t over;   /* a second element laid over it (selection, dimming); 0: none */
	int16_t fg, bg; /* colours of the text itself (log lines): 0 to 255, -1: by style */
	uint8_t attrs;  /* enum theme_attr of the text itself */
};

struct cells {
	int rows, cols;
	bool ascii;                 /* anything beyond ASCII is substituted as it is put */
	int cursor_row, cursor_col; /* -1: no cursor is shown */
	struct cell *at;            /* rows * cols, row by row; owned */
};

void cells_init(struct cells *cells, int rows, int cols, bool ascii);
void cells_fini(struct cells *cells);
/* Blank afterwards. */
void cells_resize(struct cells *cells, int rows, int cols);
/* Blanks everything and hides the cursor. */
void cells_clear(struct cells *cells);

struct cells_rect cells_whole(const struct cells *cells);
/* The rectangle without its border of one cell. */
struct cells_rect cells_rect_inside(struct cells_rect rect);
/* NULL outside the grid. */
struct cell *cells_peek(struct cells *cells, int row, int col);

/* Puts UTF-8 text at (row, col) of rect, clipped to it. A wide character that does not fit whole
 * becomes a space; what is not printable becomes U+FFFD. Returns the column after the text. */
int cells_put(struct cells *cells, struct cells_rect rect, int row, int col, unsigned style,
	const char *text);
int cells_put_n(struct cells *cells, struct cells_rect rect, int row, int col, unsigned style,
	const char *text, size_t len);
int cells_printf(struct cells *cells, struct cells_rect rect, int row, int col, unsigned style,
	const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Puts text into `width` columns: cut with an ellipsis when it is longer, padded when shorter.
 * Returns col + width, or less where the rectangle ends first. */
int cells_put_fit(struct cells *cells, struct cells_rect rect, int row, int col, int width,
	unsigned style, const char *text);
/* The same with the text at the right end. */
int cells_put_right(struct cells *cells, struct cells_rect rect, int row, int col, int width,
	unsigned style, const char *text);

/* Blanks the rectangle in a style. */
void cells_fill(struct cells *cells, struct cells_rect rect, unsigned style);
/* Lays an element over what stands there; 0 takes it away. */
void cells_overlay(struct cells *cells, struct cells_rect rect, unsigned over);
/* A border of one cell. Where it meets another border already drawn, the lines join. */
void cells_box(struct cells *cells, struct cells_rect rect, unsigned style);
/* Gives the text at a place its own colours and attributes (fg, bg: -1 by style). */
void cells_paint(
	struct cells *cells, struct cells_rect rect, int16_t fg, int16_t bg, uint8_t attrs);

bool cells_cell_equal(const struct cell *a, const struct cell *b);
/* The columns of a row that differ between two grids of one size: [*from, *to). false: none. */
bool cells_row_diff(const struct cells *a, const struct cells *b, int row, int *from, int *to);

/* Appends the grid as text: one line per row, spaces at the end of lines cut off. */
void cells_dump(const struct cells *cells, struct buf *out);

#endif
