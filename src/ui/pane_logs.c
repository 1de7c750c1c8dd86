/*
 * The log pane. Rows are numbers of lines in the ring: all that are kept, or those that pass the
 * filter. While it follows, the last line is selected; moving away from it stops that, and what
 * comes then is counted in the title. The first row says how many lines were dropped, if any were.
 */
#include <pgoncall/ui/pane_logs.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/logs/match.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/theme.h>

/* Numbers of lines, ascending; those before `first` were dropped by the ring. */
struct logs_index {
	uint64_t *items;
	size_t n, cap, first;
};

struct pane_logs {
	struct pane pane;
	const struct log_ring *ring; /* borrowed */
	char *name, *state;
	bool paused; /* does not follow */
	bool no_times;
	uint64_t selected;         /* number of the selected line; 0: none yet */
	uint64_t seen;             /* the newest line when following stopped */
	uint64_t indexed;          /* the next line to look at for the two lists below */
	struct logs_index matches; /* lines that pass the filter, while there is one */
	struct logs_index errors;
};

static struct pane_logs *logs_of(const struct pane *pane)
{
	return (struct pane_logs *)(uintptr_t)pane;
}

/* --- lists of line numbers ------------------------------------------------------------------- */

static void index_clear(struct logs_index *index)
{
	free(index->items);
	memset(index, 0, sizeof(*index));
}

static void index_add(struct logs_index *index, uint64_t number)
{
	index->items = mem_grow(index->items, index->n, &index->cap, sizeof(*index->items));
	index->items[index->n++] = number;
}

/* Forgets numbers below `first`; moves the rest down now and then. */
static void index_drop(struct logs_index *index, uint64_t first)
{
	while (index->first < index->n && index->items[index->first] < first)
		index->first++;
	if (index->first < 1024 || index->first < index->n / 2)
		return;
	memmove(index->items, index->items + index->first,
		(index->n - index->first) * sizeof(*index->items));
	index->n -= index->first;
	index->first = 0;
}

static size_t index_count(const struct logs_index *index)
{
	return index->n - index->first;
}

/* Position (from the first kept) of the first number >= `number`; the count when there is none. */
static size_t index_find(const struct logs_index *index, uint64_t number)
{
	size_t low = index->first, high = index->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (index->items[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low - index->first;
}

/* --- rows and lines -------------------------------------------------------------------------- */

/* 1 while the first row is the one about dropped lines. */
static size_t logs_markers(const struct pane_logs *self)
{
	return self->ring && log_ring_dropped(self->ring) > 0;
}

static size_t logs_count(const struct pane *pane)
{
	const struct pane_logs *self = logs_of(pane);

	if (!self->ring)
		return 0;
	return logs_markers(self) +
	       (pane->filter ? index_count(&self->matches) : log_ring_count(self->ring));
}

/* The number of the line in a row; 0 for the marker. */
static uint64_t logs_number(const struct pane_logs *self, size_t row)
{
	if (row < logs_markers(self))
		return 0;
	row -= logs_markers(self);
	if (self->pane.filter)
		return self->matches.items[self->matches.first + row];
	return log_ring_first(self->ring) + row;
}

static const struct log_line *logs_line(const struct pane_logs *self, size_t row)
{
	uint64_t number = logs_number(self, row);

	return number ? log_ring_find(self->ring, number) : NULL;
}

/* The row of a line, or of the one after it that is shown. */
static size_t logs_row_of(const struct pane_logs *self, uint64_t number)
{
	uint64_t first = log_ring_first(self->ring);
	size_t row;

	if (self->pane.filter)
		row = index_find(&self->matches, number);
	else
		row = number > first ? (size_t)(number - first) : 0;
	return row + logs_markers(self);
}

static uint64_t logs_newest(const struct pane_logs *self)
{
	return self->ring ? log_ring_first(self->ring) + log_ring_count(self->ring) - 1 : 0;
}

static bool logs_is_error(const struct log_line *line)
{
	struct log_match match;

	if (line->level == LOG_LEVEL_ERROR)
		return true;
	return log_match_line(line->text, line->len, &match) && match.error;
}

/* Puts new lines on the lists, and takes off what the ring dropped. */
static void logs_index_new(struct pane_logs *self)
{
	uint64_t first = log_ring_first(self->ring), end = first + log_ring_count(self->ring);
	const struct log_line *line;

	index_drop(&self->matches, first);
	index_drop(&self->errors, first);
	if (self->indexed < first)
		self->indexed = first;
	for (; self->indexed < end; self->indexed++) {
		line = log_ring_find(self->ring, self->indexed);
		if (!line)
			continue;
		if (logs_is_error(line))
			index_add(&self->errors, self->indexed);
		if (self->pane.filter && pane_passes(&self->pane, line->text))
			index_add(&self->matches, self->indexed);
	}
}

static void logs_settle(struct pane_logs *self)
{
	size_t n = logs_count(&self->pane);

	if (!self->paused || !self->selected)
		pane_reselect(&self->pane, n ? n - 1 : 0, false);
	else
		pane_reselect(&self->pane, logs_row_of(self, self->selected), true);
	if (!self->paused && n)
		self->selected = logs_number(self, n - 1);
}

void pane_logs_changed(struct pane *pane)
{
	struct pane_logs *self = logs_of(pane);

	if (!self->ring)
		return;
	logs_index_new(self);
	logs_settle(self);
}

static void logs_refilter(struct pane *pane)
{
	struct pane_logs *self = logs_of(pane);

	index_clear(&self->matches);
	index_clear(&self->errors);
	self->indexed = 0;
	pane_logs_changed(pane);
}

void pane_logs_set(
	struct pane *pane, const struct log_ring *ring, const char *name, const char *state)
{
	struct pane_logs *self = logs_of(pane);

	free(self->name);
	free(self->state);
	self->name = format_one_line(name ? name : "");
	self->state = format_one_line(state ? state : "");
	if (ring == self->ring) {
		pane_logs_changed(pane);
		return;
	}
	self->ring = ring;
	self->paused = false;
	self->selected = 0;
	logs_refilter(pane);
}

/* --- following ------------------------------------------------------------------------------- */

static void logs_pause(struct pane_logs *self, bool paused)
{
	if (paused && !self->paused)
		self->seen = logs_newest(self);
	self->paused = paused;
}

static void logs_select(struct pane *pane, size_t i)
{
	struct pane_logs *self = logs_of(pane);

	self->selected = logs_number(self, i);
	if (!self->selected)
		self->selected = log_ring_first(self->ring);
	logs_pause(self, i + 1 < logs_count(pane));
}

void pane_logs_moment(struct pane *pane, int64_t wall)
{
	struct pane_logs *self = logs_of(pane);
	size_t n = self->ring ? log_ring_count(self->ring) : 0, low = 0, high = n, middle;

	if (!n)
		return;
	if (!wall) {
		logs_pause(self, false);
		logs_settle(self);
		return;
	}
	/* Lines come nearly in the order of their time. */
	while (low < high) {
		middle = low + (high - low) / 2;
		if (log_ring_at(self->ring, middle)->time_ns <= wall)
			low = middle + 1;
		else
			high = middle;
	}
	logs_pause(self, true);
	self->selected = log_ring_first(self->ring) + (low ? low - 1 : 0);
	logs_settle(self);
}

/* --- drawing --------------------------------------------------------------------------------- */

static void logs_title(struct pane *pane, struct buf *out)
{
	const struct pane_logs *self = logs_of(pane);
	uint64_t newest = logs_newest(self);
	char number[40];

	if (str_empty(self->name))
		return;
	buf_printf(out, "%s %s", self->name,
		self->paused && strcmp(self->state, "following") == 0 ? "paused" : self->state);
	if (self->paused && newest > self->seen)
		buf_printf(out, " · +%s new",
			format_count(newest - self->seen, number, sizeof(number)));
	if (index_count(&self->errors)) {
		buf_add_str(out, " · ");
		format_plural(out, index_count(&self->errors), "error", "errors");
	}
	if (pane->filter)
		buf_printf(out, " · %zu of %zu lines", index_count(&self->matches),
			log_ring_count(self->ring));
}

static unsigned logs_style(const struct log_line *line)
{
	if (logs_is_error(line))
		return THEME_LOG_ERROR;
	if (line->level == LOG_LEVEL_WARNING)
		return THEME_LOG_WARNING;
	if (line->level == LOG_LEVEL_DEBUG)
		return THEME_LOG_DEBUG;
	return THEME_TEXT;
}

static uint8_t logs_attrs(const struct log_attr *attr)
{
	uint8_t attrs = 0;

	attrs |= attr->flags & LOG_ATTR_BOLD ? THEME_BOLD : 0;
	attrs |= attr->flags & LOG_ATTR_DIM ? THEME_ATTR_DIM : 0;
	attrs |= attr->flags & LOG_ATTR_UNDERLINE ? THEME_UNDERLINE : 0;
	attrs |= attr->flags & LOG_ATTR_REVERSE ? THEME_REVERSE : 0;
	return attrs;
}

/* Puts the line's text span by span into rect, `shift` columns of it beyond the left edge. */
static void logs_draw_spans(const struct log_line *line, struct cells *cells,
	struct cells_rect rect, int shift, unsigned style)
{
	const struct log_span *span = line->spans, *last = line->spans + line->n_spans;
	int col = -shift, from;
	uint32_t at = 0, end;
	struct cells_rect painted = rect;

	while (at < line->len && col < rect.cols) {
		while (span < last && span->end <= at)
			span++;
		end = span < last ? (span->start > at ? span->start : span->end) : line->len;
		from = col < 0 ? 0 : col;
		col = cells_put_n(cells, rect, 0, col, style, line->text + at, end - at);
		painted.col = rect.col + from;
		painted.cols = (col < rect.cols ? col : rect.cols) - from;
		if (span < last && span->start <= at && painted.cols > 0)
			cells_paint(cells, painted, (int16_t)(span->attr.fg - 1),
				(int16_t)(span->attr.bg - 1), logs_attrs(&span->attr));
		at = end;
	}
	if (at < line->len || col > rect.cols || line->cut)
		cells_put(cells, rect, 0, rect.cols - 1, THEME_DIM, "…");
	if (shift && line->len)
		cells_put(cells, rect, 0, 0, THEME_DIM, "…");
}

static void logs_row(struct pane *pane, size_t i, struct cells *cells, struct cells_rect rect)
{
	const struct pane_logs *self = logs_of(pane);
	const struct log_line *line = logs_line(self, i);
	char text[40], number[40];
	unsigned style;
	int col = 1;

	if (!line) {
		cells_fill(cells, rect, THEME_LOG_MARKER);
		cells_printf(cells, rect, 0, 1, THEME_LOG_MARKER,
			"%s older lines are no longer kept",
			format_count(log_ring_dropped(self->ring), number, sizeof(number)));
		return;
	}
	style = logs_style(line);
	if (!self->no_times)
		col = cells_printf(cells, rect, 0, col, THEME_DIM, "%s ",
			clock_format_time(line->time_ns, text, sizeof(text)));
	rect.col += col;
	rect.cols -= col;
	if (rect.cols > 0)
		logs_draw_spans(line, cells, rect, pane->shift, style);
}

/* --- commands -------------------------------------------------------------------------------- */

/* Goes to the nearest error in a direction. false: there is none. */
static bool logs_go_to_error(struct pane_logs *self, int direction)
{
	size_t at = index_find(&self->errors, self->selected + (direction > 0)), row;
	uint64_t number;

	if (direction < 0 && at == 0)
		return false;
	at -= direction < 0;
	if (at >= index_count(&self->errors))
		return false;
	number = self->errors.items[self->errors.first + at];
	row = logs_row_of(self, number);
	if (row >= logs_count(&self->pane) || logs_number(self, row) != number)
		return false;
	pane_go(&self->pane, row);
	return true;
}

static bool logs_command(struct pane *pane, enum key_command command, char **message)
{
	struct pane_logs *self = logs_of(pane);

	switch (command) {
	case CMD_FOLLOW:
		logs_pause(self, !self->paused);
		if (self->ring)
			logs_settle(self);
		return true;
	case CMD_TIMESTAMPS:
		self->no_times = !self->no_times;
		return true;
	case CMD_NEXT_ERROR:
	case CMD_PREVIOUS_ERROR:
		if (!self->ring || !logs_go_to_error(self, command == CMD_NEXT_ERROR ? 1 : -1))
			*message = mem_printf("There is no error %s this line.",
				command == CMD_NEXT_ERROR ? "after" : "before");
		return true;
	default:
		return false;
	}
}

static bool logs_details(struct pane *pane, bool again, struct buf *title, struct lines *out)
{
	struct pane_logs *self = logs_of(pane);
	const struct log_line *line;
	char time[40];

	/* The page of a line stays as it is when the line is dropped. */
	if (again || !logs_count(pane) || !(line = logs_line(self, pane->selected)))
		return again;
	buf_printf(
		title, "%s %s", self->name, clock_format_time(line->time_ns, time, sizeof(time)));
	lines_add_fact(out, THEME_TEXT, 9, "time",
		clock_format_rfc3339(line->time_ns, time, sizeof(time)));
	lines_add_fact(
		out, THEME_TEXT, 9, "stream", line->stream == LOG_STDERR ? "stderr" : "stdout");
	if (line->level != LOG_LEVEL_UNKNOWN)
		lines_add_fact(out, THEME_TEXT, 9, "level", log_level_name(line->level));
	lines_add_blank(out);
	lines_add(out, logs_style(line), 0, line->text);
	if (line->cut)
		lines_printf(out, THEME_LOG_MARKER, "%zu more bytes were not kept", line->cut);
	return true;
}

static void logs_text(const struct pane *pane, size_t i, struct buf *out)
{
	const struct pane_logs *self = logs_of(pane);
	const struct log_line *line = logs_line(self, i);
	char time[40];

	if (!line)
		buf_printf(out, "%llu older lines are no longer kept",
			(unsigned long long)log_ring_dropped(self->ring));
	else
		buf_printf(out, "%s %s", clock_format_rfc3339(line->time_ns, time, sizeof(time)),
			line->text);
}

static void logs_copy(const struct pane *pane, size_t i, struct buf *out)
{
	const struct log_line *line = logs_line(logs_of(pane), i);

	if (line)
		buf_add_str(out, line->text);
}

static const char *logs_empty(const struct pane *pane)
{
	const struct pane_logs *self = logs_of(pane);

	if (!self->ring)
		return "No log is configured for this target (\"logs\" in the configuration).";
	return "No line has come yet.";
}

static void logs_free(struct pane *pane)
{
	struct pane_logs *self = logs_of(pane);

	index_clear(&self->matches);
	index_clear(&self->errors);
	free(self->name);
	free(self->state);
	free(self);
}

static const struct pane_ops logs_ops = {
	.name = "Logs",
	.context = KEYS_LOGS,
	.title = logs_title,
	.count = logs_count,
	.row = logs_row,
	.text = logs_text,
	.copy = logs_copy,
	.select = logs_select,
	.refilter = logs_refilter,
	.command = logs_command,
	.details = logs_details,
	.empty = logs_empty,
	.free = logs_free,
};

struct pane *pane_logs_new(void)
{
	struct pane_logs *self = mem_calloc(1, sizeof(*self));

	pane_init(&self->pane, &logs_ops);
	return &self->pane;
}
