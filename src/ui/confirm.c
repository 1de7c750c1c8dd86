/*
 * The confirmation dialog. Its verdict is YES in exactly two places: the key y at level CONFIRM_Y,
 * and Enter on text that equals the wanted one at the other levels.
 */
#include <pgoncall/ui/confirm.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/keys.h>
#include <pgoncall/ui/lines.h>
#include <pgoncall/ui/theme.h>

#define CONFIRM_COLS_MAX  100
#define CONFIRM_TYPED_MAX 256 /* bytes */
#define CONFIRM_FOOT      3   /* rows below the text: a rule, the answer, the hint */

struct confirm {
	int id;
	enum confirm_level level;
	enum confirm_environment environment;
	char *wanted; /* what is to be typed; "" at CONFIRM_Y */
	struct lines body;
	struct buf typed;
	bool mismatch;      /* the last Enter did not match */
	size_t top;         /* first row of the wrapped body that shows */
	size_t rows, shown; /* of the wrapped body, and of it on screen, when last drawn */
};

static const struct {
	const char *word;
	unsigned style;
} confirm_environments[] = {
	[CONFIRM_DEVELOPMENT] = { "DEVELOPMENT", THEME_TITLE_DEVELOPMENT },
	[CONFIRM_STAGING] = { "STAGING", THEME_TITLE_STAGING },
	[CONFIRM_PRODUCTION] = { "PRODUCTION", THEME_TITLE_PRODUCTION },
};

#define CONFIRM_NAME_COLS 13

static void confirm_add_opt(struct lines *body, unsigned style, const char *name, const char *value)
{
	if (!str_empty(value))
		lines_add_fact(body, style, CONFIRM_NAME_COLS, name, value);
}

/* "boardofone on deploy@server, as role bo1" */
static void confirm_add_place(struct lines *body, const struct confirm_request *request)
{
	struct buf text = BUF_INIT;

	buf_add_str(&text, request->database ? request->database : "");
	if (!str_empty(request->host))
		buf_printf(&text, "%s%s", text.len ? " on " : "", request->host);
	if (!str_empty(request->role))
		buf_printf(&text, "%sas role %s", text.len ? ", " : "", request->role);
	confirm_add_opt(body, THEME_DIALOG, "where", buf_str(&text));
	buf_fini(&text);
}

/* The order is by what decides: where, with what effect, what exactly, on whom. */
static void confirm_make_body(struct confirm *confirm, const struct confirm_request *request)
{
	struct lines *body = &confirm->body;
	size_t i;

	lines_add(body, THEME_DIALOG_TITLE, 0, request->question ? request->question : "");
	lines_add_blank(body);
	confirm_add_opt(body, confirm_environments[request->environment].style, "environment",
		confirm_environments[request->environment].word);
	confirm_add_place(body, request);
	confirm_add_opt(body, THEME_DIALOG, "effect", request->effect);
	confirm_add_opt(body, THEME_DIALOG, "undo", request->undo);
	if (!str_empty(request->statement)) {
		lines_add_blank(body);
		lines_add(body, THEME_HEADER, 0, "This will be sent, exactly:");
		lines_add(body, THEME_DIALOG_STATEMENT, 2, request->statement);
	}
	if (request->n_facts) {
		lines_add_blank(body);
		lines_add(body, THEME_HEADER, 0, "It hits:");
	}
	for (i = 0; i < request->n_facts; i++)
		confirm_add_opt(
			body, THEME_DIALOG, request->facts[i].name, request->facts[i].value);
}

struct confirm *confirm_new(const struct confirm_request *request)
{
	struct confirm *confirm = mem_calloc(1, sizeof(*confirm));
	const char *wanted = "";

	if (request->level == CONFIRM_VERB)
		wanted = request->verb;
	else if (request->level == CONFIRM_TARGET)
		wanted = request->target;
	confirm->id = request->id;
	confirm->level = request->level;
	confirm->environment = request->environment;
	confirm->wanted = mem_strdup(wanted ? wanted : "");
	confirm_make_body(confirm, request);
	return confirm;
}

void confirm_free(struct confirm *confirm)
{
	if (!confirm)
		return;
	lines_fini(&confirm->body);
	buf_fini(&confirm->typed);
	free(confirm->wanted);
	free(confirm);
}

int confirm_id(const struct confirm *confirm)
{
	return confirm->id;
}

const char *confirm_typed(const struct confirm *confirm)
{
	return buf_str(&confirm->typed);
}

/* --- keys ------------------------------------------------------------------------------------ */

/* Arrows and pages scroll at every level; letters never do. */
static bool confirm_scroll(struct confirm *confirm, uint32_t key)
{
	size_t last = confirm->rows > confirm->shown ? confirm->rows - confirm->shown : 0;
	size_t page = confirm->shown > 1 ? confirm->shown - 1 : 1;

	switch (key) {
	case KEY_CODE_UP:
		confirm->top -= confirm->top ? 1 : 0;
		break;
	case KEY_CODE_DOWN:
		confirm->top++;
		break;
	case KEY_CODE_PAGE_UP:
		confirm->top -= confirm->top < page ? confirm->top : page;
		break;
	case KEY_CODE_PAGE_DOWN:
		confirm->top += page;
		break;
	default:
		return false;
	}
	if (confirm->top > last)
		confirm->top = last;
	return true;
}

static void confirm_backspace(struct buf *typed)
{
	while (typed->len && ((unsigned char)typed->data[typed->len - 1] & 0xC0) == 0x80)
		typed->len--;
	if (typed->len)
		typed->len--;
	if (typed->data)
		typed->data[typed->len] = '\0';
}

static enum confirm_verdict confirm_enter(struct confirm *confirm)
{
	if (!confirm->typed.len)
		return CONFIRM_NO;
	if (*confirm->wanted && strcmp(buf_str(&confirm->typed), confirm->wanted) == 0)
		return CONFIRM_YES;
	confirm->mismatch = true;
	return CONFIRM_PENDING;
}

static enum confirm_verdict confirm_type(struct confirm *confirm, uint32_t key)
{
	char bytes[4];

	confirm->mismatch = false;
	if (key == KEY_CODE_BACKSPACE)
		confirm_backspace(&confirm->typed);
	else if (key == KEY_CTRL('U') || key == KEY_CTRL('W'))
		buf_clear(&confirm->typed);
	else if (key < KEY_CODE_UP && utf8_width(key) >= 0 &&
		 confirm->typed.len < CONFIRM_TYPED_MAX)
		buf_add(&confirm->typed, bytes, utf8_encode(key, bytes));
	return CONFIRM_PENDING;
}

enum confirm_verdict confirm_key(struct confirm *confirm, uint32_t key)
{
	if (key == KEY_CODE_ESC || key == KEY_CTRL('C'))
		return CONFIRM_NO;
	if (confirm_scroll(confirm, key))
		return CONFIRM_PENDING;
	if (confirm->level != CONFIRM_Y)
		return key == KEY_CODE_ENTER ? confirm_enter(confirm) : confirm_type(confirm, key);
	if (key == 'y') {
		buf_clear(&confirm->typed);
		buf_add_char(&confirm->typed, 'y');
		return CONFIRM_YES;
	}
	if (key == KEY_CODE_ENTER || key == 'n' || key == 'N' || key == 'q')
		return CONFIRM_NO;
	return CONFIRM_PENDING;
}

/* --- drawing --------------------------------------------------------------------------------- */

static void confirm_draw_answer(
	const struct confirm *confirm, struct cells *cells, struct cells_rect foot)
{
	int col;

	if (confirm->level == CONFIRM_Y) {
		cells_put_fit(cells, foot, 1, 0, foot.cols, THEME_DIALOG_TITLE,
			"Press y to do it. Enter, n, Esc, or no answer: No.");
		return;
	}
	col = cells_put(cells, foot, 1, 0, THEME_DIALOG_TITLE, "Type ");
	col = cells_put(cells, foot, 1, col, THEME_DIALOG_STATEMENT, confirm->wanted);
	col = cells_put(cells, foot, 1, col, THEME_DIALOG_TITLE, ": ");
	cells_fill(cells, (struct cells_rect){ foot.row + 1, foot.col + col, 1, foot.cols - col },
		THEME_DIALOG_INPUT);
	col = cells_put(cells, foot, 1, col, THEME_DIALOG_INPUT, buf_str(&confirm->typed));
	if (col < foot.cols) {
		cells->cursor_row = foot.row + 1;
		cells->cursor_col = foot.col + col;
	}
	if (confirm->mismatch)
		cells_put_fit(cells, foot, 2, 0, foot.cols, THEME_MESSAGE_ERROR,
			"That is not what was asked for; nothing was done.");
	else
		cells_put_fit(cells, foot, 2, 0, foot.cols, THEME_DIM,
			"Enter does it when it matches. Enter alone, Esc, or no answer: No.");
}

static void confirm_draw_rule(
	const struct confirm *confirm, struct cells *cells, struct cells_rect foot)
{
	size_t below = confirm->rows - confirm->top - confirm->shown;
	int i;

	for (i = 0; i < foot.cols; i++)
		cells_put(cells, foot, 0, i, THEME_BORDER, "─");
	if (below)
		cells_printf(cells, foot, 0, 1, THEME_MESSAGE_WARNING, " %zu more row%s: ↓ PgDn ",
			below, below == 1 ? "" : "s");
	else if (confirm->top)
		cells_put(cells, foot, 0, 1, THEME_DIM, " ↑ PgUp ");
}

void confirm_draw(struct confirm *confirm, struct cells *cells, struct cells_rect rect)
{
	struct cells_rect box = rect, inside, foot;
	struct lines rows;
	int room;

	if (box.cols > CONFIRM_COLS_MAX)
		box.cols = CONFIRM_COLS_MAX;
	else if (box.cols > 60)
		box.cols -= 4;
	lines_init(&rows);
	lines_wrap(&confirm->body, box.cols - 4, &rows);
	room = rect.rows - 2 - CONFIRM_FOOT;
	confirm->rows = rows.n;
	confirm->shown = (int)rows.n > room ? (size_t)(room > 0 ? room : 0) : rows.n;
	if (confirm->top + confirm->shown > confirm->rows)
		confirm->top = confirm->rows - confirm->shown;
	box.rows = (int)confirm->shown + 2 + CONFIRM_FOOT;
	box.row += (rect.rows - box.rows) / 2;
	box.col += (rect.cols - box.cols) / 2;
	cells_fill(cells, box, THEME_DIALOG);
	cells_box(cells, box,
		confirm->environment == CONFIRM_PRODUCTION ? THEME_DIALOG_DANGER
							   : THEME_BORDER_FOCUS);
	cells_printf(cells, box, 0, 2, confirm_environments[confirm->environment].style, " %s ",
		confirm_environments[confirm->environment].word);
	inside = (struct cells_rect){ box.row + 1, box.col + 2, (int)confirm->shown, box.cols - 4 };
	lines_draw(&rows, cells, inside, confirm->top);
	foot = (struct cells_rect){ inside.row + inside.rows, inside.col, CONFIRM_FOOT,
		inside.cols };
	confirm_draw_rule(confirm, cells, foot);
	confirm_draw_answer(confirm, cells, foot);
	lines_fini(&rows);
}
