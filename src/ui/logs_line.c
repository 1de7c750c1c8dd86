/*
 * Drawing one line of a log; see the header. A line is "TIME SOURCE TEXT", with ◆ before it when it is
 * marked, or ² when it came over stderr; what does not fit is folded under the text, or cut with an
 * ellipsis.
 */
#include "logs_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/logs/json.h>
#include <pgoncall/logs/stamp.h>
#include <pgoncall/ui/theme.h>

/* Bytes of a line that are searched for what to highlight. */
#define SEARCHED_MAX  8192
#define TEXT_COLS_MIN 16

/* The text as shown; spans belong to the line's own text, and so hold only where that is shown. */
struct shown {
	const char *text;
	size_t len;
	const struct log_span *spans;
	size_t n_spans;
	bool cut;
	struct buf json;
	bool has_stamp; /* the line's own time is left out, or stands in it */
	int prefix;     /* columns before the text */
};

static bool is_note(const struct log_line *line)
{
	return line->kind != LOG_LINE_TEXT;
}

static void shown_init(
	struct shown *shown, const struct log_line *line, const struct logs_look *look)
{
	size_t stamp = 0;

	memset(shown, 0, sizeof(*shown));
	shown->text = line->text;
	shown->len = line->len;
	shown->spans = line->spans;
	shown->n_spans = line->n_spans;
	shown->cut = line->cut != 0;
	if (!look->raw && line->len && line->text[0] == '{' &&
		log_json_readable(line->text, line->len, &shown->json)) {
		shown->text = buf_str(&shown->json);
		shown->len = shown->json.len;
		shown->n_spans = 0;
	} else if (look->times && !is_note(line)) {
		stamp = log_stamp_read(line->text, line->len, NULL, NULL);
	}
	/* Two times of which one is a guess would be worse than the line's own. */
	shown->has_stamp = stamp && !line->own_time;
	if (stamp && line->own_time && stamp < line->len) {
		shown->text += stamp;
		shown->len -= stamp;
	}
	shown->prefix = 1 + (look->times && !shown->has_stamp ? 9 : 0) +
			(look->label_cols && !is_note(line) ? look->label_cols + 1 : 0);
}

static void shown_fini(struct shown *shown)
{
	buf_fini(&shown->json);
}

/* --- folding --------------------------------------------------------------------------------- */

/* Bytes from `at` on that have room in `cols` columns; *used: columns they take. */
static size_t fit(const struct shown *shown, size_t at, int cols, int *used)
{
	size_t end = at, n;
	uint32_t cp;
	int width;

	*used = 0;
	while (end < shown->len) {
		n = utf8_decode(shown->text + end, shown->len - end, &cp);
		width = n ? utf8_width(cp) : 1;
		if (*used + width > cols && end > at)
			break;
		*used += width;
		end += n ? n : 1;
	}
	return end - at;
}

static int text_cols(const struct shown *shown, int cols)
{
	return cols - shown->prefix > TEXT_COLS_MIN ? cols - shown->prefix : TEXT_COLS_MIN;
}

int logs_line_height(const struct log_line *line, const struct logs_look *look, int cols)
{
	struct shown shown;
	size_t at = 0;
	int rows = 0, used;

	if (!look->fold)
		return 1;
	shown_init(&shown, line, look);
	do {
		at += fit(&shown, at, text_cols(&shown, cols), &used);
		rows++;
	} while (at < shown.len && rows < LOGS_FOLD_MAX);
	shown_fini(&shown);
	return rows;
}

/* --- drawing --------------------------------------------------------------------------------- */

unsigned logs_line_style(const struct log_line *line)
{
	if (is_note(line))
		return THEME_LOG_MARKER;
	if (line->level == LOG_LEVEL_ERROR)
		return THEME_LOG_ERROR;
	if (line->level == LOG_LEVEL_WARNING)
		return THEME_LOG_WARNING;
	if (line->level == LOG_LEVEL_DEBUG)
		return THEME_LOG_DEBUG;
	return THEME_TEXT;
}

static uint8_t attrs_of(const struct log_attr *attr)
{
	uint8_t attrs = 0;

	attrs |= attr->flags & LOG_ATTR_BOLD ? THEME_BOLD : 0;
	attrs |= attr->flags & LOG_ATTR_DIM ? THEME_ATTR_DIM : 0;
	attrs |= attr->flags & LOG_ATTR_UNDERLINE ? THEME_UNDERLINE : 0;
	attrs |= attr->flags & LOG_ATTR_REVERSE ? THEME_REVERSE : 0;
	return attrs;
}

/* Puts bytes [at, end) of the shown text span by span, `shift` columns of them beyond the left edge.
 * Returns the column after them. */
static int draw_spans(const struct shown *shown, const struct log_line *line, size_t at, size_t end,
	int shift, struct cells *cells, struct cells_rect rect)
{
	/* Spans count from the beginning of the line's own text. */
	size_t base = shown->n_spans ? (size_t)(shown->text - line->text) : 0, stop;
	const struct log_span *span = shown->spans, *last = shown->spans + shown->n_spans;
	int col = -shift, from;
	struct cells_rect painted = rect;

	while (at < end && col < rect.cols) {
		while (span < last && span->end <= base + at)
			span++;
		stop = end;
		if (span < last)
			stop = (span->start > base + at ? span->start : span->end) - base;
		stop = stop < end ? stop : end;
		from = col < 0 ? 0 : col;
		col = cells_put_n(
			cells, rect, 0, col, logs_line_style(line), shown->text + at, stop - at);
		painted.col = rect.col + from;
		painted.cols = (col < rect.cols ? col : rect.cols) - from;
		if (span < last && span->start <= base + at && painted.cols > 0)
			cells_paint(cells, painted, (int16_t)(span->attr.fg - 1),
				(int16_t)(span->attr.bg - 1), attrs_of(&span->attr));
		at = stop;
	}
	return at < end ? rect.cols + 1 : col;
}

static int columns(const char *text, size_t len)
{
	size_t at, n;
	uint32_t cp;
	int cols = 0;

	for (at = 0; at < len; at += n ? n : 1) {
		n = utf8_decode(text + at, len - at, &cp);
		cols += n && utf8_width(cp) > 0 ? utf8_width(cp) : !n;
	}
	return cols;
}

/* Lays the search's look over what it finds in bytes [at, end). */
static void draw_found(const struct shown *shown, struct log_regex *search, size_t at, size_t end,
	int shift, struct cells *cells, struct cells_rect rect)
{
	size_t len = shown->len < SEARCHED_MAX ? shown->len : SEARCHED_MAX, from = 0, start, stop;
	struct cells_rect hit = rect;
	int col, width;

	while (from < len &&
		log_regex_match(search, shown->text, len, from, &start, &stop) == LOG_REGEX_YES) {
		from = stop > from ? stop : from + 1;
		while (from < len && (shown->text[from] & 0xC0) == 0x80)
			from++;
		start = start > at ? start : at;
		stop = stop < end ? stop : end;
		if (start >= stop)
			continue;
		col = columns(shown->text + at, start - at) - shift;
		width = columns(shown->text + start, stop - start);
		width += col < 0 ? col : 0;
		col = col < 0 ? 0 : col;
		hit.col = rect.col + col;
		hit.cols = col + width < rect.cols ? width : rect.cols - col;
		if (hit.cols > 0)
			cells_overlay(cells, hit, THEME_SEARCH);
	}
}

static void draw_folded(const struct shown *shown, const struct log_line *line,
	const struct logs_look *look, struct cells *cells, struct cells_rect rect)
{
	struct cells_rect row = rect;
	size_t at = 0, n;
	int used;

	row.rows = 1;
	for (; row.row < rect.row + rect.rows && at < shown->len; row.row++, at += n) {
		n = fit(shown, at, rect.cols, &used);
		draw_spans(shown, line, at, at + n, 0, cells, row);
		if (look->search)
			draw_found(shown, look->search, at, at + n, 0, cells, row);
	}
	row.row--;
	if (at < shown->len || shown->cut)
		cells_put(cells, row, 0, rect.cols - 1, THEME_DIM, "…");
}

static void draw_cut(const struct shown *shown, const struct log_line *line,
	const struct logs_look *look, struct cells *cells, struct cells_rect rect)
{
	int col = draw_spans(shown, line, 0, shown->len, look->shift, cells, rect);

	if (look->search)
		draw_found(shown, look->search, 0, shown->len, look->shift, cells, rect);
	if (col > rect.cols || shown->cut)
		cells_put(cells, rect, 0, rect.cols - 1, THEME_DIM, "…");
	if (look->shift && shown->len)
		cells_put(cells, rect, 0, 0, THEME_DIM, "…");
}

/* Sources are told apart by name; colour only helps. */
static int draw_label(const struct log_line *line, const struct logs_look *look, const char *label,
	struct cells *cells, struct cells_rect rect, int col)
{
	static const int16_t colours[] = { 6, 2, 5, 4, 3, 14, 10, 13, 12, 11 };
	struct cells_rect painted = { rect.row, rect.col + col, 1, look->label_cols };

	cells_put_fit(cells, rect, 0, col, look->label_cols, THEME_TEXT, label);
	cells_paint(cells, painted, colours[line->source % (sizeof(colours) / sizeof(colours[0]))],
		-1, 0);
	return col + look->label_cols + 1;
}

void logs_line_draw(const struct log_line *line, const struct logs_look *look, const char *label,
	bool marked, bool context, struct cells *cells, struct cells_rect rect)
{
	struct shown shown;
	char time[40];
	int col = 1;

	shown_init(&shown, line, look);
	if (is_note(line))
		cells_fill(cells, rect, THEME_LOG_MARKER);
	if (marked)
		cells_put(cells, rect, 0, 0, THEME_HINT_KEY, "◆");
	else if (line->stream == LOG_STDERR && !is_note(line))
		cells_put(cells, rect, 0, 0, THEME_DIM, "²");
	if (look->times && !shown.has_stamp)
		col = cells_printf(cells, rect, 0, col,
			is_note(line) ? THEME_LOG_MARKER : THEME_DIM, "%s ",
			clock_format_time(line->time_ns, time, sizeof(time)));
	if (look->label_cols && is_note(line))
		col = cells_printf(cells, rect, 0, col, THEME_LOG_MARKER, "%s: ", label);
	else if (look->label_cols)
		col = draw_label(line, look, label, cells, rect, col);
	rect.col += col;
	rect.cols -= col;
	if (rect.cols > 0 && look->fold && rect.rows >= 1)
		draw_folded(&shown, line, look, cells, rect);
	else if (rect.cols > 0)
		draw_cut(&shown, line, look, cells, rect);
	if (context)
		cells_overlay(cells, rect, THEME_DIM);
	shown_fini(&shown);
}

void logs_rule_draw(struct cells *cells, struct cells_rect rect)
{
	int col;

	for (col = 1; col + 1 < rect.cols; col++)
		cells_put(cells, rect, 0, col, THEME_DIM, "┄");
}
