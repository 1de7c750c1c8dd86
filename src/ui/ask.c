/*
 * A question that wants a line of text. A secret is never drawn, not even as dots that would tell
 * its length, and its memory is wiped.
 */
#include "dialogs.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/theme.h>

#define ASK_COLS 72
#define ASK_MAX  4096 /* bytes */

struct ask {
	int id;
	char *title;
	struct lines question;
	bool secret;
	size_t len;
	char text[ASK_MAX + 1]; /* in one place, so that no copy is left behind when it grows */
};

struct ask *ask_new(int id, const char *title, const char *question, bool secret)
{
	struct ask *ask = mem_calloc(1, sizeof(*ask));

	ask->id = id;
	ask->title = utf8_sanitised_dup(title, UTF8_ONE_LINE);
	ask->secret = secret;
	lines_add(&ask->question, THEME_DIALOG, 0, question);
	return ask;
}

void ask_free(struct ask *ask)
{
	if (!ask)
		return;
	mem_wipe(ask->text, sizeof(ask->text));
	lines_fini(&ask->question);
	free(ask->title);
	free(ask);
}

int ask_id(const struct ask *ask)
{
	return ask->id;
}

const char *ask_text(const struct ask *ask)
{
	return ask->text;
}

enum dialog_verdict ask_key(struct ask *ask, uint32_t key)
{
	char bytes[4];
	size_t len;

	if (key == KEY_CODE_ESC || key == KEY_CTRL('C'))
		return DIALOG_NO;
	if (key == KEY_CODE_ENTER)
		return DIALOG_YES;
	if (key == KEY_CODE_BACKSPACE) {
		while (ask->len && ((unsigned char)ask->text[ask->len - 1] & 0xC0) == 0x80)
			ask->len--;
		ask->len -= ask->len ? 1 : 0;
	} else if (key == KEY_CTRL('U')) {
		ask->len = 0;
	} else if (key < KEY_CODE_UP && utf8_width(key) >= 0) {
		len = utf8_encode(key, bytes);
		if (ask->len + len <= ASK_MAX) {
			memcpy(ask->text + ask->len, bytes, len);
			ask->len += len;
		}
	}
	mem_wipe(ask->text + ask->len, sizeof(ask->text) - ask->len);
	return DIALOG_OPEN;
}

void ask_draw(struct ask *ask, struct cells *cells, struct cells_rect rect)
{
	int cols = rect.cols - 4 < ASK_COLS ? rect.cols - 4 : ASK_COLS, shown, shift;
	struct cells_rect inside, input;
	struct lines rows;

	lines_init(&rows);
	lines_wrap(&ask->question, cols > 1 ? cols : 1, &rows);
	inside = dialog_draw_box(cells, rect, (int)rows.n + 2, cols, ask->title,
		ask->secret ? " Nothing is shown.  Enter: answer  Esc: No "
			    : " Enter: answer  Esc: No ");
	input = (struct cells_rect){ inside.row + inside.rows - 1, inside.col, 1, inside.cols };
	inside.rows -= 2;
	lines_draw(&rows, cells, inside, 0);
	cells_fill(cells, input, THEME_DIALOG_INPUT);
	shown = ask->secret ? 0 : (int)utf8_columns(ask->text);
	shift = shown >= input.cols ? shown - input.cols + 1 : 0;
	if (!ask->secret)
		cells_put(cells, input, 0, -shift, THEME_DIALOG_INPUT, ask->text);
	cells->cursor_row = input.row;
	cells->cursor_col = input.col + shown - shift;
	lines_fini(&rows);
}
