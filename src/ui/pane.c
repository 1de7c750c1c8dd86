/*
 * What all panes share; see the header.
 */
#include <pgoncall/ui/pane.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/ui/theme.h>

#define PANE_SHIFT_STEP 16

void pane_init(struct pane *pane, const struct pane_ops *ops)
{
	memset(pane, 0, sizeof(*pane));
	pane->ops = ops;
}

void pane_fini(struct pane *pane)
{
	free(pane->filter);
	free(pane->search);
	pane->filter = pane->search = NULL;
}

/* --- moving ---------------------------------------------------------------------------------- */

static int pane_height(const struct pane *pane, size_t i)
{
	int height = pane->ops->height ? pane->ops->height(pane, i, pane->cols) : 1;

	return height < 1 ? 1 : height < pane->shown ? height : pane->shown;
}

/* The first row from which rows up to `last` have room. */
static size_t pane_first_that_fits(const struct pane *pane, size_t last)
{
	int left = pane->shown - pane_height(pane, last);

	while (last > 0 && left >= pane_height(pane, last - 1))
		left -= pane_height(pane, --last);
	return last;
}

/* Where rows are of different heights: the same as below. */
static void pane_scroll_tall(struct pane *pane, size_t n)
{
	size_t first = pane_first_that_fits(pane, pane->selected), end;

	if (pane->selected < pane->top)
		pane->top = pane->selected;
	else if (pane->top < first)
		pane->top = first;
	end = pane_first_that_fits(pane, n - 1);
	if (pane->top > end && end <= pane->selected)
		pane->top = end;
}

/* Scrolls as little as is needed for the selection to show, and leaves no empty rows at the end. */
static void pane_scroll(struct pane *pane)
{
	size_t n = pane->ops->count(pane), shown = (size_t)pane->shown;

	if (pane->selected >= n)
		pane->selected = n ? n - 1 : 0;
	if (!shown)
		return;
	if (pane->ops->height && n) {
		pane_scroll_tall(pane, n);
		return;
	}
	if (pane->top + shown > n)
		pane->top = n > shown ? n - shown : 0;
	if (pane->selected < pane->top)
		pane->top = pane->selected;
	else if (pane->selected >= pane->top + shown)
		pane->top = pane->selected - shown + 1;
}

void pane_reselect(struct pane *pane, size_t selected, bool keep_place)
{
	size_t place = pane->selected > pane->top ? pane->selected - pane->top : 0;

	pane->selected = selected;
	if (keep_place)
		pane->top = selected > place ? selected - place : 0;
	pane_scroll(pane);
}

void pane_go(struct pane *pane, size_t i)
{
	size_t n = pane->ops->count(pane);

	if (!n)
		return;
	pane->selected = i < n ? i : n - 1;
	pane_scroll(pane);
	pane->ops->select(pane, pane->selected);
}

/* A text moves under the screen; the selection is its first row. */
static void pane_roll(struct pane *pane, long rows)
{
	size_t n = pane->ops->count(pane), shown = (size_t)pane->shown, step = (size_t)labs(rows);
	size_t last = n > shown ? n - shown : 0;

	if (rows < 0)
		pane->top = pane->top > step ? pane->top - step : 0;
	else
		pane->top = pane->top + step < last ? pane->top + step : last;
	pane->selected = pane->top;
	pane->ops->select(pane, pane->selected);
}

static void pane_go_by(struct pane *pane, long rows)
{
	size_t n = pane->ops->count(pane), step = (size_t)labs(rows);

	if (pane->ops->text_only)
		pane_roll(pane, rows);
	else if (rows < 0)
		pane_go(pane, pane->selected > step ? pane->selected - step : 0);
	else
		pane_go(pane, pane->selected + step < n ? pane->selected + step : n - 1);
}

bool pane_move(struct pane *pane, enum key_command command)
{
	long page = pane->shown > 1 ? pane->shown - 1 : 1;

	if (command < CMD_UP || command > CMD_PAGE_DOWN)
		return false;
	if (!pane->ops->count(pane))
		return true;
	switch (command) {
	case CMD_UP:
		pane_go_by(pane, -1);
		break;
	case CMD_DOWN:
		pane_go_by(pane, 1);
		break;
	case CMD_TOP:
		pane_go(pane, 0);
		break;
	case CMD_BOTTOM:
		pane_go(pane, pane->ops->count(pane) - 1);
		break;
	case CMD_HALF_UP:
		pane_go_by(pane, -(page / 2 + 1));
		break;
	case CMD_HALF_DOWN:
		pane_go_by(pane, page / 2 + 1);
		break;
	case CMD_PAGE_UP:
		pane_go_by(pane, -page);
		break;
	case CMD_PAGE_DOWN:
		pane_go_by(pane, page);
		break;
	case CMD_LEFT:
		pane->shift -= pane->shift ? PANE_SHIFT_STEP : 0;
		break;
	default:
		pane->shift += PANE_SHIFT_STEP;
		break;
	}
	return true;
}

/* --- searching ------------------------------------------------------------------------------- */

static void pane_set_text(char **slot, const char *text)
{
	free(*slot);
	*slot = str_empty(text) ? NULL : mem_strdup(text);
}

int pane_set_filter(struct pane *pane, const char *text, struct err *err)
{
	if (pane->ops->set_filter && pane->ops->set_filter(pane, text, err) < 0)
		return -1;
	pane_set_text(&pane->filter, text);
	pane->ops->refilter(pane);
	return 0;
}

int pane_set_search(struct pane *pane, const char *text, struct err *err)
{
	if (pane->ops->set_search && pane->ops->set_search(pane, text, err) < 0)
		return -1;
	pane_set_text(&pane->search, text);
	return 0;
}

bool pane_passes(const struct pane *pane, const char *text)
{
	return !pane->filter || str_contains_nocase(text, pane->filter);
}

bool pane_find(struct pane *pane, int direction, bool from_here, bool *wrapped)
{
	size_t n = pane->ops->count(pane), i = pane->selected, step;
	struct buf text = BUF_INIT;
	bool found = false;

	*wrapped = false;
	for (step = from_here ? 0 : 1; step <= n && n && pane->search && !found; step++) {
		i = direction > 0 ? (pane->selected + step) % n : (pane->selected + n - step) % n;
		buf_clear(&text);
		pane->ops->text(pane, i, &text);
		found = str_contains_nocase(buf_str(&text), pane->search);
	}
	buf_fini(&text);
	if (!found)
		return false;
	*wrapped = direction > 0 ? i < pane->selected : i > pane->selected;
	pane_go(pane, i);
	return true;
}

/* --- drawing --------------------------------------------------------------------------------- */

/* Lays the search's look over each place of one drawn row that shows the text. */
static void pane_mark_search(const struct pane *pane, struct cells *cells, struct cells_rect line)
{
	size_t len = strlen(pane->search), i;
	char *row = mem_calloc((size_t)line.cols + 1, 1);
	const struct cell *cell;
	struct cells_rect hit = line;

	/* Other characters than ASCII become a byte that no search text has. */
	for (i = 0; i < (size_t)line.cols; i++) {
		cell = cells_peek(cells, line.row, line.col + (int)i);
		row[i] = cell && cell->cp >= 0x20 && cell->cp < 0x7F ? (char)cell->cp : '\x01';
	}
	for (i = 0; i + len <= (size_t)line.cols; i++) {
		if (strncasecmp(row + i, pane->search, len) != 0)
			continue;
		hit.col = line.col + (int)i;
		hit.cols = (int)len;
		cells_overlay(cells, hit, THEME_SEARCH);
	}
	free(row);
}

static void pane_draw_empty(struct pane *pane, struct cells *cells, struct cells_rect rect)
{
	struct lines text, rows;

	lines_init(&text);
	lines_init(&rows);
	if (pane->filter)
		lines_printf(&text, THEME_DIM, "No row holds \"%s\". & and Enter show all again.",
			pane->filter);
	else
		lines_add(&text, THEME_DIM, 0, pane->ops->empty(pane));
	rect.col++;
	rect.cols -= 2;
	if (rect.cols > 0)
		lines_wrap(&text, rect.cols, &rows);
	lines_draw(&rows, cells, rect, 0);
	lines_fini(&rows);
	lines_fini(&text);
}

void pane_draw(struct pane *pane, struct cells *cells, struct cells_rect rect, bool focused)
{
	size_t n = pane->ops->count(pane), i;
	struct cells_rect line = rect, header = rect, footer = rect;
	bool has_header;
	int row;

	if (rect.rows <= 0 || rect.cols <= 0)
		return;
	line.rows = header.rows = 1;
	if (pane->ops->footer_rows) {
		footer.rows = pane->ops->footer_rows(pane, rect.cols);
		footer.rows = footer.rows < rect.rows ? footer.rows : rect.rows;
		rect.rows -= footer.rows;
		footer.row = rect.row + rect.rows;
		pane->ops->footer(pane, cells, footer);
	}
	has_header = pane->ops->header && rect.rows > 2 && (n || pane->ops->text_only);
	if (has_header) {
		rect.row++;
		rect.rows--;
	}
	pane->shown = rect.rows;
	pane->cols = rect.cols;
	if (pane->ops->prepare)
		pane->ops->prepare(pane, rect.rows, rect.cols);
	n = pane->ops->count(pane);
	pane_scroll(pane);
	/* It may say where the rows stand. */
	if (has_header)
		pane->ops->header(pane, cells, header);
	if (!n)
		pane_draw_empty(pane, cells, rect);
	for (row = 0, i = pane->top; row < rect.rows && i < n; row += line.rows, i++) {
		line.row = rect.row + row;
		line.rows = pane_height(pane, i);
		if (line.rows > rect.rows - row)
			line.rows = rect.rows - row;
		pane->ops->row(pane, i, cells, line);
		if (i == pane->selected && (!pane->ops->text_only || pane->search))
			cells_overlay(cells, line,
				focused ? THEME_ROW_SELECTED : THEME_ROW_SELECTED_UNFOCUSED);
		if (pane->search && !pane->ops->find)
			pane_mark_search(pane, cells, line);
	}
}

void pane_text(const struct pane *pane, struct buf *out)
{
	size_t n = pane->ops->count(pane), i;

	for (i = 0; i < n; i++) {
		pane->ops->text(pane, i, out);
		buf_add_char(out, '\n');
	}
}
