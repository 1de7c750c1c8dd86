/*
 * The whole picture: title, findings, panes, the bottom line, and whatever is open over them. Draws
 * from what is known; decides nothing.
 */
#include "console_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/pane_runbook.h>
#include <pgoncall/ui/theme.h>

/* Rows of the finding at most; narrow screens need theirs for the pane. */
#define FINDING_ROWS_MAX(cols) ((cols) < 60 ? 3 : 4)
#define MESSAGE_ROWS_MAX 4

/* --- the line of findings -------------------------------------------------------------------- */

static const struct {
	const char *sign;
	unsigned style;
} finding_looks[] = {
	[FINDING_INFO] = { "·", THEME_FINDING_INFO },
	[FINDING_WARNING] = { "!", THEME_FINDING_WARNING },
	[FINDING_CRITICAL] = { "▲", THEME_FINDING_CRITICAL },
};

/* "Enter: Stuck migration", or with r from elsewhere; "" where it does not lead anywhere. */
static void finding_action(const struct console *console, struct buf *out)
{
	const struct finding *finding = console_finding(console);
	bool here = console->focus == FOCUS_FINDING;

	if (!*finding->runbook || !console->keys.on[here ? CMD_OPEN_RUNBOOK : CMD_RUNBOOKS])
		return;
	buf_add_str(out, here ? "Enter: " : "r: ");
	format_runbook_title(out, finding->runbook);
}

static void finding_wrap(
	const struct finding *finding, const char *count, int cols, struct lines *rows)
{
	char *text = mem_printf("%s%s", finding->text, count);
	struct lines lines;

	lines_init(&lines);
	lines_add(&lines, finding_looks[finding->severity].style, 0, text);
	lines_wrap(&lines, cols > 4 ? cols - 4 : 1, rows);
	lines_fini(&lines);
	free(text);
}

/* The sentence as wrapped rows, "(2 of 3)" at its end where there are several and it has room. */
static void finding_lines(const struct console *console, int cols, struct lines *rows)
{
	const struct finding *finding = console_finding(console);
	char count[64] = "";

	if (console->findings->n > 1)
		snprintf(count, sizeof(count), "  (%zu of %zu)", console->finding + 1,
			console->findings->n);
	finding_wrap(finding, count, cols, rows);
	if ((int)rows->n <= FINDING_ROWS_MAX(cols) || !*count)
		return;
	lines_fini(rows);
	finding_wrap(finding, "", cols, rows);
}

/* Whether the action stands behind the last row of the sentence. */
static bool finding_action_fits(const struct lines *rows, const char *action, int cols)
{
	const char *last = rows->items[rows->n - 1].text;

	return (int)utf8_columns(last) + 2 + (int)utf8_columns(action) + 4 <= cols;
}

int finding_rows(const struct console *console, int cols)
{
	struct buf action = BUF_INIT;
	struct lines rows;
	int n = 1;

	if (!console_finding(console))
		return 1;
	lines_init(&rows);
	finding_lines(console, cols, &rows);
	finding_action(console, &action);
	n = (int)rows.n;
	if (action.len && rows.n && !finding_action_fits(&rows, buf_str(&action), cols))
		n++;
	lines_fini(&rows);
	buf_fini(&action);
	return n < FINDING_ROWS_MAX(cols) ? n : FINDING_ROWS_MAX(cols);
}

static void finding_draw_none(
	const struct console *console, struct cells *cells, struct cells_rect rect)
{
	if (!console->snapshot)
		cells_put_fit(cells, rect, 0, 1, rect.cols - 1, THEME_DIM,
			console->link == CONSOLE_LOST ? "Nothing is known yet." : "Connecting.");
	else if (!console->findings)
		cells_put_fit(cells, rect, 0, 1, rect.cols - 1, THEME_DIM, "Looking.");
	else
		cells_put_fit(cells, rect, 0, 1, rect.cols - 1, THEME_FINDING_OK,
			"✓ Nothing wrong was found.");
}

static void finding_draw_action(
	const struct lines *rows, const char *action, struct cells *cells, struct cells_rect rect)
{
	int row = (int)rows->n - 1, col = (int)utf8_columns(rows->items[rows->n - 1].text) + 5;

	if (!*action)
		return;
	if (!finding_action_fits(rows, action, rect.cols)) {
		row++;
		col = 3;
	}
	/* The sentence comes first; the hints below tell of r as well. */
	if (row >= rect.rows)
		return;
	cells_put_fit(cells, rect, row, col, rect.cols - col, THEME_HINT_KEY, action);
}

void finding_draw(const struct console *console, struct cells *cells, struct cells_rect rect)
{
	const struct finding *finding = console_finding(console);
	struct cells_rect inside = { rect.row, rect.col + 3, rect.rows, rect.cols - 4 };
	struct buf action = BUF_INIT;
	struct lines rows;

	cells_fill(cells, rect, THEME_TEXT);
	if (!finding) {
		finding_draw_none(console, cells, rect);
		return;
	}
	lines_init(&rows);
	finding_lines(console, rect.cols, &rows);
	cells_put(cells, rect, 0, 1, finding_looks[finding->severity].style,
		finding_looks[finding->severity].sign);
	lines_draw(&rows, cells, inside, 0);
	if ((int)rows.n > rect.rows)
		cells_put(cells, rect, rect.rows - 1, rect.cols - 1, THEME_DIM, "…");
	finding_action(console, &action);
	finding_draw_action(&rows, buf_str(&action), cells, rect);
	if (console->focus == FOCUS_FINDING)
		cells_overlay(cells, rect, THEME_ROW_SELECTED);
	lines_fini(&rows);
	buf_fini(&action);
}

/* --- panes ----------------------------------------------------------------------------------- */

/* "2 Activity─── 41 sessions · 3 blocked ─" in the upper border. */
static void draw_pane_title(struct console *console, int number, struct cells *cells,
	struct cells_rect rect, bool focused)
{
	struct pane *pane = console->panes[number];
	unsigned style = focused ? THEME_PANE_TITLE_FOCUS : THEME_PANE_TITLE;
	struct buf info = BUF_INIT;
	int col, room, width;

	col = cells_printf(cells, rect, 0, 1, style, "%d %s", number + 1, pane->ops->name);
	pane->ops->title(pane, &info);
	if (pane->filter)
		buf_printf(&info, "%sshowing \"%s\"", info.len ? " · " : "", pane->filter);
	room = rect.cols - col - 7;
	width = (int)utf8_columns(buf_str(&info));
	if (info.len && room > 8) {
		col += 3;
		col = cells_put(cells, rect, 0, col, style, " ");
		col = cells_put_fit(
			cells, rect, 0, col, width < room ? width : room, style, buf_str(&info));
		cells_put(cells, rect, 0, col, style, " ");
	}
	buf_fini(&info);
}

/* Where only one pane shows: the others, in the lower border. */
static void draw_other_panes(
	struct console *console, int shown, struct cells *cells, struct cells_rect rect)
{
	struct buf text = BUF_INIT;
	int i;

	for (i = 0; i < LAYOUT_PANES; i++)
		if (i != shown && (i != PANE_RUNBOOK ||
					  pane_runbook_is_open(console->panes[PANE_RUNBOOK])))
			buf_printf(&text, " %d %s ", i + 1, console->panes[i]->ops->name);
	cells_put_fit(cells, rect, rect.rows - 1, 2, (int)utf8_columns(buf_str(&text)),
		THEME_PANE_TITLE, buf_str(&text));
	buf_fini(&text);
}

static void draw_panes(struct console *console, const struct layout *layout, struct cells *cells)
{
	int focused = console->focus, i;

	for (i = 0; i < LAYOUT_PANES; i++)
		if (layout->panes[i].rows)
			cells_box(cells, layout->panes[i], THEME_BORDER);
	/* Last, so that its look wins where borders are shared. */
	if (focused != FOCUS_FINDING)
		cells_box(cells, layout->panes[focused], THEME_BORDER_FOCUS);
	for (i = 0; i < LAYOUT_PANES; i++) {
		if (!layout->panes[i].rows)
			continue;
		draw_pane_title(console, i, cells, layout->panes[i], i == focused);
		if (layout->single)
			draw_other_panes(console, i, cells, layout->panes[i]);
		pane_draw(console->panes[i], cells, cells_rect_inside(layout->panes[i]),
			i == focused);
	}
	if (console->link == CONSOLE_LOST)
		cells_overlay(cells, layout->body, THEME_STALE);
}

/* --- before the first picture ---------------------------------------------------------------- */

static const struct {
	const char *sign;
	unsigned style;
} check_looks[] = {
	[CONSOLE_CHECK_WAITING] = { "·", THEME_DIM },
	[CONSOLE_CHECK_RUNNING] = { "…", THEME_TEXT },
	[CONSOLE_CHECK_OK] = { "✓", THEME_CHECK_OK },
	[CONSOLE_CHECK_FAILED] = { "✗", THEME_CHECK_FAILED },
};

/* Appends the wrapped rows of one step. */
static void draw_checklist_step(const struct console_check_step *step, int cols, struct lines *rows)
{
	char *text = mem_printf(
		"%s%s%s", step->text, step->detail ? ": " : "", step->detail ? step->detail : "");
	struct lines lines;

	lines_init(&lines);
	lines_add_fact(
		&lines, check_looks[step->state].style, 4, check_looks[step->state].sign, text);
	if (step->state == CONSOLE_CHECK_FAILED && step->remedy)
		lines_add_fact(&lines, THEME_TEXT, 4, "", step->remedy);
	lines_wrap(&lines, cols, rows);
	lines_fini(&lines);
	free(text);
}

static void draw_checklist_retry(
	const struct console *console, const struct console_now *now, int cols, struct lines *rows)
{
	double retry = (double)(console->retry_at - now->monotonic) / (double)CLOCK_NS_PER_S;
	struct lines lines;
	char span[24];

	lines_init(&lines);
	lines_add_blank(&lines);
	lines_printf(&lines, THEME_TEXT, "Trying again in %s%s",
		clock_format_span(retry > 0 ? retry + 0.5 : 0, span, sizeof(span)),
		console->keys.on[CMD_REFRESH] ? "; R tries now." : ".");
	lines_wrap(&lines, cols, rows);
	lines_fini(&lines);
}

static void draw_checklist(const struct console *console, struct cells *cells,
	struct cells_rect body, const struct console_now *now)
{
	int cols = body.cols - 8 < 90 ? body.cols - 8 : 90;
	size_t i, top = 0;
	struct cells_rect inside;
	struct lines rows;

	lines_init(&rows);
	for (i = 0; i < console->steps.n; i++) {
		if (console->steps.items[i].state == CONSOLE_CHECK_FAILED)
			top = rows.n;
		draw_checklist_step(&console->steps.items[i], cols, &rows);
	}
	if (console->link == CONSOLE_LOST)
		draw_checklist_retry(console, now, cols, &rows);
	inside = dialog_draw_box(cells, body, (int)rows.n, cols, "Connecting", "");
	/* Where not all has room, what failed matters most. */
	if ((int)rows.n <= inside.rows)
		top = 0;
	lines_draw(&rows, cells, inside, top);
	if (rows.n > top + (size_t)inside.rows)
		cells_put(cells, inside, inside.rows - 1, inside.cols - 1, THEME_DIM, "…");
	lines_fini(&rows);
}

/* --- the bottom ------------------------------------------------------------------------------ */

static void draw_message(const struct console *console, struct cells *cells, int rows_max)
{
	static const unsigned styles[] = { THEME_MESSAGE, THEME_MESSAGE_WARNING,
		THEME_MESSAGE_ERROR };
	struct cells_rect rect = { 0, 0, 0, cells->cols };
	struct lines lines, rows;

	lines_init(&lines);
	lines_init(&rows);
	lines_add(&lines, styles[console->severity], 0, console->message);
	lines_wrap(&lines, cells->cols - 2, &rows);
	rect.rows = (int)rows.n < rows_max ? (int)rows.n : rows_max;
	rect.row = cells->rows - rect.rows;
	cells_fill(cells, rect, styles[console->severity]);
	rect.col = 1;
	rect.cols -= 2;
	lines_draw(&rows, cells, rect, 0);
	if ((int)rows.n > rect.rows)
		cells_put(
			cells, rect, rect.rows - 1, rect.cols - 1, styles[console->severity], "…");
	lines_fini(&rows);
	lines_fini(&lines);
}

static void draw_bottom(struct console *console, const struct layout *layout, struct cells *cells)
{
	struct cells_rect rect = layout->bottom;
	int rows;

	if (console->line != LINE_NONE) {
		rows = prompt_rows(console->prompt);
		rect = (struct cells_rect){ cells->rows - rows, 0, rows, cells->cols };
		cells_fill(cells, rect, THEME_HINT_TEXT);
		prompt_draw(console->prompt, cells, rect);
	} else if (console->message) {
		draw_message(console, cells, cells->rows < 24 ? 3 : MESSAGE_ROWS_MAX);
	} else if (console->page_open || console_is_asking(console)) {
		cells_fill(
			cells, rect, THEME_HINT_TEXT); /* their keys stand in their own borders */
	} else {
		hints_draw(console, cells, rect);
	}
}

static void draw_over(struct console *console, const struct layout *layout, struct cells *cells)
{
	struct cells_rect rect = layout->body;

	/* Small screens give dialogs all but the title. */
	if (cells->rows < 24)
		rect = (struct cells_rect){ 1, 0, cells->rows - 2, cells->cols };
	if (console->page_open)
		page_draw(&console->page, cells, rect);
	if (console->pick)
		pick_draw(console->pick, cells, rect);
	if (console->ask)
		ask_draw(console->ask, cells, rect);
	if (console->confirm) {
		rect = (struct cells_rect){ 1, 0, cells->rows - 2, cells->cols };
		confirm_draw(console->confirm, cells, rect);
	}
}

static void draw_too_small(struct cells *cells)
{
	struct cells_rect whole = cells_whole(cells);
	struct lines lines, rows;

	lines_init(&lines);
	lines_init(&rows);
	lines_printf(&lines, THEME_TEXT,
		"This screen has %d columns and %d rows; pgoncall needs %d by "
		"%d. Make it larger; nothing is lost.",
		cells->cols, cells->rows, LAYOUT_MIN_COLS, LAYOUT_MIN_ROWS);
	if (cells->cols > 0)
		lines_wrap(&lines, cells->cols, &rows);
	lines_draw(&rows, cells, whole, 0);
	lines_fini(&rows);
	lines_fini(&lines);
}

void console_draw(struct console *console, struct cells *cells, const struct console_now *now)
{
	struct layout_input input = { .rows = cells->rows,
		.cols = cells->cols,
		.finding_rows = finding_rows(console, cells->cols),
		.revisions =
			console->panes[PANE_REVISIONS]->ops->count(console->panes[PANE_REVISIONS]),
		.focus = console->focus == FOCUS_FINDING ? console->last_pane : console->focus,
		.zoomed = console->zoomed,
		.runbook = pane_runbook_is_open(console->panes[PANE_RUNBOOK]),
		.beside = console->beside };
	struct layout layout;

	cells_clear(cells);
	pane_runbook_tick(console->panes[PANE_RUNBOOK], now->monotonic);
	layout_compute(&layout, &input);
	if (layout.too_small) {
		draw_too_small(cells);
		return;
	}
	title_draw(console, cells, layout.title, now);
	finding_draw(console, cells, layout.finding);
	if (console->link == CONSOLE_LOST)
		cells_overlay(cells, layout.finding, THEME_STALE);
	if (!console_is_connecting(console))
		draw_panes(console, &layout, cells);
	else
		draw_checklist(console, cells, layout.body, now);
	draw_bottom(console, &layout, cells);
	draw_over(console, &layout, cells);
}
