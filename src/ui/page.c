/*
 * A page of text over the panes, scrolled with the movement keys; and the box all dialogs stand in.
 */
#include "dialogs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/theme.h>

#define PAGE_COLS_MAX 100

struct cells_rect dialog_draw_box(struct cells *cells, struct cells_rect rect, int rows, int cols,
	const char *title, const char *hint)
{
	struct cells_rect box = { 0, 0, rows + 2, cols + 4 }, inside;

	if (box.rows > rect.rows)
		box.rows = rect.rows;
	if (box.cols > rect.cols)
		box.cols = rect.cols;
	box.row = rect.row + (rect.rows - box.rows) / 2;
	box.col = rect.col + (rect.cols - box.cols) / 2;
	cells_fill(cells, box, THEME_DIALOG);
	cells_box(cells, box, THEME_BORDER_FOCUS);
	inside = cells_rect_inside(box);
	if (*title && inside.cols > 4) {
		int col = cells_put(cells, box, 0, 2, THEME_DIALOG_TITLE, " ");
		int room = inside.cols - 3, width = (int)utf8_columns(title);

		col = cells_put_fit(
			cells, box, 0, col, width < room ? width : room, THEME_DIALOG_TITLE, title);
		cells_put(cells, box, 0, col, THEME_DIALOG_TITLE, " ");
	}
	if (*hint && inside.cols > 4) {
		int room = inside.cols - 2, width = (int)utf8_columns(hint);

		cells_put_fit(cells, box, box.rows - 1, 2, width < room ? width : room,
			THEME_HINT_TEXT, hint);
	}
	inside.col++;
	inside.cols -= 2;
	return inside;
}

void page_init(struct page *page)
{
	memset(page, 0, sizeof(*page));
}

void page_fini(struct page *page)
{
	free(page->title);
	lines_fini(&page->lines);
	page_init(page);
}

static void page_scroll_to(struct page *page, size_t top)
{
	size_t last = page->rows > page->shown ? page->rows - page->shown : 0;

	page->top = top > last ? last : top;
}

bool page_move(struct page *page, enum key_command command)
{
	size_t whole = page->shown > 1 ? page->shown - 1 : 1, half = whole / 2 + 1;
	size_t top = page->top;

	switch (command) {
	case CMD_UP:
		page_scroll_to(page, top ? top - 1 : 0);
		return true;
	case CMD_DOWN:
		page_scroll_to(page, top + 1);
		return true;
	case CMD_TOP:
		page_scroll_to(page, 0);
		return true;
	case CMD_BOTTOM:
		page_scroll_to(page, page->rows);
		return true;
	case CMD_HALF_UP:
		page_scroll_to(page, top > half ? top - half : 0);
		return true;
	case CMD_HALF_DOWN:
		page_scroll_to(page, top + half);
		return true;
	case CMD_PAGE_UP:
		page_scroll_to(page, top > whole ? top - whole : 0);
		return true;
	case CMD_PAGE_DOWN:
		page_scroll_to(page, top + whole);
		return true;
	default:
		return command == CMD_LEFT || command == CMD_RIGHT;
	}
}

void page_draw(struct page *page, struct cells *cells, struct cells_rect rect)
{
	int cols = rect.cols - 8 < PAGE_COLS_MAX ? rect.cols - 8 : PAGE_COLS_MAX;
	struct cells_rect inside;
	struct lines rows;
	const char *more = page->hint ? page->hint : "";
	const char *gone = page->gone ? " Gone; last seen so. " : "";
	char hint[96];

	if (rect.cols < PAGE_COLS_MAX)
		cols = rect.cols - 4;
	lines_init(&rows);
	lines_wrap(&page->lines, cols > 1 ? cols : 1, &rows);
	page->rows = rows.n;
	page->shown =
		(int)rows.n > rect.rows - 2 ? (size_t)(rect.rows > 2 ? rect.rows - 2 : 0) : rows.n;
	page_scroll_to(page, page->top);
	if (page->rows > page->shown)
		snprintf(hint, sizeof(hint), "%s Esc: back %s %zu to %zu of %zu rows, j k ", gone,
			more, page->top + 1, page->top + page->shown, page->rows);
	else
		snprintf(hint, sizeof(hint), "%s Esc: back %s", gone, more);
	inside = dialog_draw_box(
		cells, rect, (int)page->shown, cols, page->title ? page->title : "", hint);
	lines_draw(&rows, cells, inside, page->top);
	lines_fini(&rows);
}
