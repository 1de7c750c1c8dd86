/*
 * Owns the reading of the screen: rows, cells, places, patterns, the dump that a failure prints.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

#include "match.h"
#include "pty_priv.h"

/* What libvterm 0.1 stores in the cell right of a wide character's own. */
#define RIGHT_HALF ((uint32_t)-1)

static bool cell_get(struct pty *p, int row, int col, VTermScreenCell *cell)
{
	VTermPos pos = { row, col };
	int rows, cols;

	memset(cell, 0, sizeof(*cell));
	vterm_get_size(p->vt, &rows, &cols);
	return row >= 0 && row < rows && col >= 0 && col < cols &&
	       vterm_screen_get_cell(p->screen, pos, cell) != 0;
}

/* Appends the cell's text: one blank when empty, nothing for a right half. */
static void cell_add_text(struct buf *out, const VTermScreenCell *cell)
{
	if (cell->chars[0] == RIGHT_HALF)
		return;
	if (cell->chars[0] == 0)
		buf_add_char(out, ' ');
	for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell->chars[i] != 0; i++) {
		char bytes[4];

		buf_add(out, bytes, utf8_encode(cell->chars[i], bytes));
	}
}

/* Appends the row's text without its trailing blanks. */
static void row_add_text(struct pty *p, struct buf *out, int row)
{
	VTermScreenCell cell;
	size_t start = out->len;

	for (int col = 0; cell_get(p, row, col, &cell); col++)
		cell_add_text(out, &cell);
	while (out->len > start && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

static char *screen_text_dup(struct pty *p)
{
	struct buf out = BUF_INIT;
	int rows, cols;

	vterm_get_size(p->vt, &rows, &cols);
	for (int row = 0; row < rows; row++) {
		row_add_text(p, &out, row);
		buf_add_char(&out, '\n');
	}
	return buf_steal(&out);
}

bool pty_has(struct pty *p, const char *pattern)
{
	char *text;
	bool found;

	pty_pump(p);
	text = screen_text_dup(p);
	found = match_text(text, pattern);
	free(text);
	return found;
}

char *pty_match(struct pty *p, const char *pattern, int group)
{
	char *text;
	char *found;

	pty_pump(p);
	text = screen_text_dup(p);
	found = match_group_dup(text, pattern, group);
	free(text);
	return found;
}

char *pty_row_text(struct pty *p, int row)
{
	struct buf out = BUF_INIT;

	pty_pump(p);
	buf_add_str(&out, "");
	row_add_text(p, &out, row);
	return out.data == NULL ? mem_strdup("") : buf_steal(&out);
}

static void dump_state(struct pty *p, struct buf *out)
{
	int row, col, rows, cols;
	bool visible;

	pty_size(p, &rows, &cols);
	pty_cursor(p, &row, &col, &visible);
	buf_printf(out, "%dx%d, cursor at row %d column %d%s, program %d ", cols, rows, row, col,
		visible ? "" : " (hidden)", (int)p->child.pid);
	if (!p->child.ended)
		buf_add_str(out, "runs\n");
	else
		buf_printf(out, "ended with status %d\n", p->child.status);
}

char *pty_screen_dump(struct pty *p)
{
	struct buf out = BUF_INIT;
	int rows, cols;

	pty_pump(p);
	dump_state(p, &out);
	pty_size(p, &rows, &cols);
	for (int row = 0; row < rows; row++) {
		buf_printf(&out, "%3d|", row);
		row_add_text(p, &out, row);
		buf_add_char(&out, '\n');
	}
	return buf_steal(&out);
}

/* Whether the cells from col on begin with the text. */
static bool text_is_at(struct pty *p, const char *text, int row, int col)
{
	struct buf out = BUF_INIT;
	VTermScreenCell cell;
	size_t len = strlen(text);
	bool found;

	if (!cell_get(p, row, col, &cell) || cell.chars[0] == RIGHT_HALF)
		return false;
	while (out.len < len && cell_get(p, row, col++, &cell))
		cell_add_text(&out, &cell);
	found = out.len >= len && memcmp(out.data, text, len) == 0;
	buf_fini(&out);
	return found;
}

bool pty_find(struct pty *p, const char *text, int *row, int *col)
{
	int rows, cols;

	pty_pump(p);
	vterm_get_size(p->vt, &rows, &cols);
	for (int r = 0; r < rows; r++) {
		for (int c = 0; c < cols; c++) {
			if (!text_is_at(p, text, r, c))
				continue;
			*row = r;
			*col = c;
			return true;
		}
	}
	return false;
}

void pty_size(const struct pty *p, int *rows, int *cols)
{
	vterm_get_size(p->vt, rows, cols);
}

void pty_cursor(struct pty *p, int *row, int *col, bool *visible)
{
	VTermPos pos;

	pty_pump(p);
	vterm_state_get_cursorpos(vterm_obtain_state(p->vt), &pos);
	*row = pos.row;
	*col = pos.col;
	*visible = p->cursor_visible;
}

static struct pty_color color_of(const VTermColor *color)
{
	struct pty_color out = { .kind = PTY_COLOR_DEFAULT };

	if (VTERM_COLOR_IS_DEFAULT_FG(color) || VTERM_COLOR_IS_DEFAULT_BG(color))
		return out;
	if (VTERM_COLOR_IS_INDEXED(color)) {
		out.kind = PTY_COLOR_INDEXED;
		out.index = color->indexed.idx;
	} else {
		out.kind = PTY_COLOR_RGB;
		out.red = color->rgb.red;
		out.green = color->rgb.green;
		out.blue = color->rgb.blue;
	}
	return out;
}

struct pty_cell pty_cell(struct pty *p, int row, int col)
{
	struct pty_cell out = { .text = " ", .width = 1 };
	struct buf text = BUF_INIT;
	VTermScreenCell cell;

	pty_pump(p);
	if (!cell_get(p, row, col, &cell))
		return out;
	cell_add_text(&text, &cell);
	snprintf(out.text, sizeof(out.text), "%s", buf_str(&text));
	buf_fini(&text);
	out.width = cell.chars[0] == RIGHT_HALF ? 0 : cell.width;
	out.fg = color_of(&cell.fg);
	out.bg = color_of(&cell.bg);
	out.bold = cell.attrs.bold;
	out.underline = cell.attrs.underline != 0;
	out.reverse = cell.attrs.reverse;
	out.italic = cell.attrs.italic;
	out.blink = cell.attrs.blink;
	return out;
}
