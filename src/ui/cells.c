/*
 * The grid of cells: putting text, boxes, comparing, dumping. The one gate between foreign text and
 * the terminal is cells_glyph: it lets printable code points through and nothing else.
 */
#include <pgoncall/ui/cells.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

#define CELLS_REPLACEMENT 0xFFFD

static const struct cell blank_cell = { .cp = ' ', .fg = -1, .bg = -1 };

/* What stands in for the characters of our own screens where only ASCII can be shown. Whatever is
 * not here becomes '?'. */
static const struct {
	uint32_t cp;
	char ascii;
} cells_substitutes[] = {
	{ 0x2026, '~' },  /* … */
	{ 0x00B7, '-' },  /* · */
	{ 0x2192, '>' },  /* → */
	{ 0x2013, '-' },  /* – */
	{ 0x2014, '-' },  /* — */
	{ 0x2019, '\'' }, /* ’ */
	{ 0x25B8, '>' },  /* ▸ */
	{ 0x25BE, 'v' },  /* ▾ */
	{ 0x25B2, '!' },  /* ▲ */
	{ 0x25CF, '*' },  /* ● */
	{ 0x25CB, 'o' },  /* ○ */
	{ 0x25C9, '@' },  /* ◉ */
	{ 0x25C6, '#' },  /* ◆ */
	{ 0x2506, ':' },  /* ┆ */
	{ 0x2504, '-' },  /* ┄ */
	{ 0x2502, '|' },  /* │ */
	{ 0x2500, '-' },  /* ─ */
	{ 0x2514, '`' },  /* └ */
	{ 0x251C, '|' },  /* ├ */
	{ 0x256D, '.' },  /* ╭ */
	{ 0x256E, '.' },  /* ╮ */
	{ 0x256F, '\'' }, /* ╯ */
	{ 0x2570, '`' },  /* ╰ */
	{ 0x2524, '|' },  /* ┤ */
	{ 0x252C, '+' },  /* ┬ */
	{ 0x2534, '+' },  /* ┴ */
	{ 0x253C, '+' },  /* ┼ */
	{ 0x2713, '+' },  /* ✓ */
	{ 0x2717, 'x' },  /* ✗ */
	{ 0x2191, '^' },  /* ↑ */
	{ 0x2193, 'v' },  /* ↓ */
	{ 0x00D7, 'x' },  /* × */
	{ 0x00B2, '2' },  /* ² */
};

/* Borders by the directions they reach in: 1 up, 2 right, 4 down, 8 left. */
static const uint16_t cells_lines[16] = {
	[0] = ' ',
	[1] = 0x2502,
	[4] = 0x2502,
	[1 | 4] = 0x2502,
	[2] = 0x2500,
	[8] = 0x2500,
	[2 | 8] = 0x2500,
	[2 | 4] = 0x250C,
	[8 | 4] = 0x2510,
	[1 | 2] = 0x2514,
	[1 | 8] = 0x2518,
	[1 | 2 | 4] = 0x251C,
	[1 | 4 | 8] = 0x2524,
	[2 | 4 | 8] = 0x252C,
	[1 | 2 | 8] = 0x2534,
	[1 | 2 | 4 | 8] = 0x253C,
};

void cells_init(struct cells *cells, int rows, int cols, bool ascii)
{
	memset(cells, 0, sizeof(*cells));
	cells->ascii = ascii;
	cells_resize(cells, rows, cols);
}

void cells_fini(struct cells *cells)
{
	free(cells->at);
	memset(cells, 0, sizeof(*cells));
}

void cells_resize(struct cells *cells, int rows, int cols)
{
	cells->rows = rows < 0 ? 0 : rows;
	cells->cols = cols < 0 ? 0 : cols;
	free(cells->at);
	cells->at = mem_calloc((size_t)cells->rows * (size_t)cells->cols, sizeof(*cells->at));
	cells_clear(cells);
}

void cells_clear(struct cells *cells)
{
	size_t i, n = (size_t)cells->rows * (size_t)cells->cols;

	for (i = 0; i < n; i++)
		cells->at[i] = blank_cell;
	cells->cursor_row = cells->cursor_col = -1;
}

struct cells_rect cells_whole(const struct cells *cells)
{
	return (struct cells_rect){ 0, 0, cells->rows, cells->cols };
}

struct cells_rect cells_rect_inside(struct cells_rect rect)
{
	struct cells_rect in = { rect.row + 1, rect.col + 1, rect.rows - 2, rect.cols - 2 };

	in.rows = in.rows < 0 ? 0 : in.rows;
	in.cols = in.cols < 0 ? 0 : in.cols;
	return in;
}

struct cell *cells_peek(struct cells *cells, int row, int col)
{
	if (row < 0 || col < 0 || row >= cells->rows || col >= cells->cols)
		return NULL;
	return &cells->at[(size_t)row * (size_t)cells->cols + (size_t)col];
}

/* Writes one cell, and blanks the half of a wide character it cuts in two. */
static void cells_set(struct cells *cells, int row, int col, uint32_t cp, unsigned style)
{
	struct cell *cell = cells_peek(cells, row, col);
	struct cell *right = cells_peek(cells, row, col + 1);
	struct cell *left = cells_peek(cells, row, col - 1);

	if (!cell)
		return;
	if (cell->cp == 0 && cp && left) {
		left->cp = ' ';
		left->marks[0] = left->marks[1] = 0;
	}
	if (right && right->cp == 0)
		right->cp = ' ';
	*cell = blank_cell;
	cell->cp = cp;
	cell->style = (uint8_t)style;
}

/* The code point to show for one that was decoded, and its width. */
static uint32_t cells_glyph(const struct cells *cells, uint32_t cp, int *width)
{
	size_t i;

	*width = utf8_width(cp);
	if (*width < 0) {
		cp = CELLS_REPLACEMENT;
		*width = 1;
	}
	if (!cells->ascii || cp < 0x7F)
		return cp;
	for (i = 0; i < sizeof(cells_substitutes) / sizeof(cells_substitutes[0]); i++)
		if (cells_substitutes[i].cp == cp)
			return (uint32_t)cells_substitutes[i].ascii;
	return '?';
}

static void cells_add_mark(struct cells *cells, int row, int col, uint32_t mark)
{
	struct cell *cell = cells_peek(cells, row, col);
	int i;

	if (cell && cell->cp == 0)
		cell = cells_peek(cells, row, col - 1);
	if (!cell || cells->ascii)
		return;
	for (i = 0; i < CELL_MARKS; i++) {
		if (!cell->marks[i]) {
			cell->marks[i] = mark;
			return;
		}
	}
}

/* One code point at an absolute place, inside [left, right). Returns the columns it took. */
static int cells_put_one(
	struct cells *cells, int row, int col, int left, int right, uint32_t cp, unsigned style)
{
	int width;

	cp = cells_glyph(cells, cp, &width);
	if (width == 0) {
		if (col > left && col <= right)
			cells_add_mark(cells, row, col - 1, cp);
		return 0;
	}
	if (cells->ascii && width == 2) {
		if (col >= left && col < right)
			cells_set(cells, row, col, cp, style);
		if (col + 1 >= left && col + 1 < right)
			cells_set(cells, row, col + 1, ' ', style);
		return 2;
	}
	if (width == 2 && (col < left || col + 1 >= right)) {
		if (col >= left && col < right)
			cells_set(cells, row, col, ' ', style);
		if (col + 1 >= left && col + 1 < right)
			cells_set(cells, row, col + 1, ' ', style);
		return 2;
	}
	if (col >= left && col < right) {
		cells_set(cells, row, col, cp, style);
		if (width == 2)
			cells_set(cells, row, col + 1, 0, style);
	}
	return width;
}

int cells_put_n(struct cells *cells, struct cells_rect rect, int row, int col, unsigned style,
	const char *text, size_t len)
{
	int left = rect.col < 0 ? 0 : rect.col, right = rect.col + rect.cols;
	uint32_t cp;
	size_t used;

	if (right > cells->cols)
		right = cells->cols;
	if (row < 0 || row >= rect.rows)
		return col;
	while (len && rect.col + col <= right) {
		used = utf8_decode(text, len, &cp);
		if (!used)
			cp = CELLS_REPLACEMENT;
		col += cells_put_one(cells, rect.row + row, rect.col + col, left, right, cp, style);
		text += used ? used : 1;
		len -= used ? used : 1;
	}
	return col;
}

int cells_put(struct cells *cells, struct cells_rect rect, int row, int col, unsigned style,
	const char *text)
{
	return cells_put_n(cells, rect, row, col, style, text, strlen(text));
}

int cells_printf(struct cells *cells, struct cells_rect rect, int row, int col, unsigned style,
	const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	col = cells_put(cells, rect, row, col, style, buf_str(&text));
	buf_fini(&text);
	return col;
}

/* Bytes of text that fit into width columns; *columns is what they take. */
static size_t cells_prefix(const char *text, int width, int *columns)
{
	size_t len = strlen(text), at = 0, used;
	uint32_t cp;
	int w;

	*columns = 0;
	while (at < len) {
		used = utf8_decode(text + at, len - at, &cp);
		w = used ? utf8_width(cp) : 1;
		if (w < 0)
			w = 1;
		if (*columns + w > width)
			break;
		*columns += w;
		at += used ? used : 1;
	}
	return at;
}

/* The part of the rectangle to the left of column `end` (relative to the rectangle). */
static struct cells_rect cells_rect_until(struct cells_rect rect, int end)
{
	if (rect.cols > end)
		rect.cols = end < 0 ? 0 : end;
	return rect;
}

static int cells_put_in(struct cells *cells, struct cells_rect rect, int row, int col, int width,
	unsigned style, const char *text, bool right)
{
	int columns, i;
	size_t len;

	if (col + width > rect.cols)
		width = rect.cols - col;
	if (width <= 0)
		return col;
	rect = cells_rect_until(rect, col + width);
	len = cells_prefix(text, width, &columns);
	if (text[len])
		len = cells_prefix(text, width - 1, &columns);
	i = right && !text[len] ? width - columns : 0;
	cells_fill(cells,
		(struct cells_rect){ rect.row + row, rect.col + col,
			row >= 0 && row < rect.rows ? 1 : 0, width },
		style);
	cells_put_n(cells, rect, row, col + i, style, text, len);
	if (text[len])
		cells_put(cells, rect, row, col + columns, style, "…");
	return col + width;
}

int cells_put_fit(struct cells *cells, struct cells_rect rect, int row, int col, int width,
	unsigned style, const char *text)
{
	return cells_put_in(cells, rect, row, col, width, style, text, false);
}

int cells_put_right(struct cells *cells, struct cells_rect rect, int row, int col, int width,
	unsigned style, const char *text)
{
	return cells_put_in(cells, rect, row, col, width, style, text, true);
}

void cells_fill(struct cells *cells, struct cells_rect rect, unsigned style)
{
	int row, col;

	for (row = rect.row; row < rect.row + rect.rows; row++)
		for (col = rect.col; col < rect.col + rect.cols; col++)
			cells_set(cells, row, col, ' ', style);
}

void cells_overlay(struct cells *cells, struct cells_rect rect, unsigned over)
{
	struct cell *cell;
	int row, col;

	for (row = rect.row; row < rect.row + rect.rows; row++)
		for (col = rect.col; col < rect.col + rect.cols; col++)
			if ((cell = cells_peek(cells, row, col)))
				cell->over = (uint8_t)over;
}

void cells_paint(struct cells *cells, struct cells_rect rect, int16_t fg, int16_t bg, uint8_t attrs)
{
	struct cell *cell;
	int row, col;

	for (row = rect.row; row < rect.row + rect.rows; row++) {
		for (col = rect.col; col < rect.col + rect.cols; col++) {
			if (!(cell = cells_peek(cells, row, col)))
				continue;
			cell->fg = fg;
			cell->bg = bg;
			cell->attrs = attrs;
		}
	}
}

static unsigned cells_line_mask(uint32_t cp)
{
	unsigned mask;

	if (cp == '+')
		return 15;
	if (cp == '-')
		return 2 | 8;
	if (cp == '|')
		return 1 | 4;
	if (cp == 0x2502)
		return 1 | 4;
	if (cp == 0x2500)
		return 2 | 8;
	for (mask = 15; mask > 0; mask--)
		if (cells_lines[mask] == cp)
			return mask;
	return 0;
}

static void cells_line(struct cells *cells, int row, int col, unsigned mask, unsigned style)
{
	struct cell *cell = cells_peek(cells, row, col);
	uint32_t cp;

	if (!cell)
		return;
	mask |= cells_line_mask(cell->cp);
	cp = cells_lines[mask];
	if (cells->ascii)
		cp = mask == (2 | 8) ? '-' : mask == (1 | 4) ? '|' : '+';
	cells_set(cells, row, col, cp, style);
}

void cells_box(struct cells *cells, struct cells_rect rect, unsigned style)
{
	int top = rect.row, bottom = rect.row + rect.rows - 1;
	int left = rect.col, right = rect.col + rect.cols - 1, i;

	if (rect.rows < 2 || rect.cols < 2)
		return;
	cells_line(cells, top, left, 2 | 4, style);
	cells_line(cells, top, right, 4 | 8, style);
	cells_line(cells, bottom, left, 1 | 2, style);
	cells_line(cells, bottom, right, 1 | 8, style);
	for (i = left + 1; i < right; i++) {
		cells_line(cells, top, i, 2 | 8, style);
		cells_line(cells, bottom, i, 2 | 8, style);
	}
	for (i = top + 1; i < bottom; i++) {
		cells_line(cells, i, left, 1 | 4, style);
		cells_line(cells, i, right, 1 | 4, style);
	}
}

bool cells_cell_equal(const struct cell *a, const struct cell *b)
{
	return a->cp == b->cp && a->style == b->style && a->over == b->over && a->fg == b->fg &&
	       a->bg == b->bg && a->attrs == b->attrs && a->marks[0] == b->marks[0] &&
	       a->marks[1] == b->marks[1];
}

bool cells_row_diff(const struct cells *a, const struct cells *b, int row, int *from, int *to)
{
	const struct cell *x = &a->at[(size_t)row * (size_t)a->cols];
	const struct cell *y = &b->at[(size_t)row * (size_t)b->cols];
	int first = 0, last = a->cols;

	while (first < last && cells_cell_equal(&x[first], &y[first]))
		first++;
	while (last > first && cells_cell_equal(&x[last - 1], &y[last - 1]))
		last--;
	/* Never half a wide character. */
	while (first > 0 && first < last && (!x[first].cp || !y[first].cp))
		first--;
	while (last > first && last < a->cols && (!x[last].cp || !y[last].cp))
		last++;
	*from = first;
	*to = last;
	return first < last;
}

void cells_dump(const struct cells *cells, struct buf *out)
{
	const struct cell *cell;
	size_t end;
	char bytes[4];
	int row, col, i;

	for (row = 0; row < cells->rows; row++) {
		end = out->len;
		for (col = 0; col < cells->cols; col++) {
			cell = &cells->at[(size_t)row * (size_t)cells->cols + (size_t)col];
			if (!cell->cp)
				continue;
			buf_add(out, bytes, utf8_encode(cell->cp, bytes));
			for (i = 0; i < CELL_MARKS && cell->marks[i]; i++)
				buf_add(out, bytes, utf8_encode(cell->marks[i], bytes));
			if (cell->cp != ' ')
				end = out->len;
		}
		if (out->len > end)
			out->len = end;
		buf_add_char(out, '\n');
	}
}
