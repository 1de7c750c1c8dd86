/*
 * A list to choose one item from.
 */
#include "dialogs.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/theme.h>

struct pick {
	int id;
	char *title;
	struct strlist items; /* sanitised */
	size_t selected, top;
	size_t shown;
};

struct pick *pick_new(int id, const char *title, const struct strlist *items, size_t selected)
{
	struct pick *pick = mem_calloc(1, sizeof(*pick));
	size_t i;

	pick->id = id;
	pick->title = utf8_sanitised_dup(title, UTF8_ONE_LINE);
	for (i = 0; i < items->n; i++)
		strlist_add_take(&pick->items, utf8_sanitised_dup(items->items[i], UTF8_ONE_LINE));
	pick->selected = selected < items->n ? selected : 0;
	return pick;
}

void pick_free(struct pick *pick)
{
	if (!pick)
		return;
	strlist_fini(&pick->items);
	free(pick->title);
	free(pick);
}

int pick_id(const struct pick *pick)
{
	return pick->id;
}

size_t pick_index(const struct pick *pick)
{
	return pick->selected;
}

enum dialog_verdict pick_key(struct pick *pick, uint32_t key, enum key_command command)
{
	size_t last = pick->items.n ? pick->items.n - 1 : 0;
	size_t page = pick->shown > 1 ? pick->shown - 1 : 1;

	if (key == KEY_CODE_ENTER)
		return pick->items.n ? DIALOG_YES : DIALOG_NO;
	if (key == KEY_CODE_ESC || key == 'q' || key == KEY_CTRL('C'))
		return DIALOG_NO;
	switch (command) {
	case CMD_UP:
		pick->selected -= pick->selected ? 1 : 0;
		break;
	case CMD_DOWN:
		pick->selected++;
		break;
	case CMD_TOP:
		pick->selected = 0;
		break;
	case CMD_BOTTOM:
		pick->selected = last;
		break;
	case CMD_HALF_UP:
	case CMD_PAGE_UP:
		pick->selected -= pick->selected < page ? pick->selected : page;
		break;
	case CMD_HALF_DOWN:
	case CMD_PAGE_DOWN:
		pick->selected += page;
		break;
	default:
		break;
	}
	if (pick->selected > last)
		pick->selected = last;
	return DIALOG_OPEN;
}

void pick_draw(struct pick *pick, struct cells *cells, struct cells_rect rect)
{
	int cols = (int)utf8_columns(pick->title) + 1, width;
	struct cells_rect inside, line;
	size_t i;

	for (i = 0; i < pick->items.n; i++) {
		width = (int)utf8_columns(pick->items.items[i]) + 2;
		cols = width > cols ? width : cols;
	}
	if (cols < 36)
		cols = 36;
	inside = dialog_draw_box(
		cells, rect, (int)pick->items.n, cols, pick->title, " Enter: choose  Esc: back ");
	pick->shown = inside.rows > 0 ? (size_t)inside.rows : 1;
	if (pick->selected < pick->top)
		pick->top = pick->selected;
	if (pick->selected >= pick->top + pick->shown)
		pick->top = pick->selected - pick->shown + 1;
	line = inside;
	line.rows = 1;
	for (i = 0; i < pick->shown && pick->top + i < pick->items.n; i++) {
		line.row = inside.row + (int)i;
		cells_put_fit(cells, line, 0, 1, inside.cols - 1, THEME_DIALOG,
			pick->items.items[pick->top + i]);
		if (pick->top + i == pick->selected)
			cells_overlay(cells, line, THEME_ROW_SELECTED);
	}
}
