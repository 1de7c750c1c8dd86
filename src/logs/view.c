/*
 * Rows of a view; see the header. The rows are a sorted list of refs, grown at its end; when a line
 * is put in behind what was looked at already, the list is cut there and made anew from there on.
 */
#include <pgoncall/logs/view.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

#include "store_impl.h"

/* In the id of a row that is context; no source has an index that high. */
#define CONTEXT_BIT (UINT64_C(1) << 63)
/* The row begins a group: between it and the row before, lines were left out. */
#define GROUP_BIT (UINT64_C(1) << 62)

enum {
	LOOK_AT_CLOCK = 256, /* lines between two looks at the clock */
	SEARCH_NS = 200 * 1000 * 1000,
	MARKS_MAX = 1000
};

struct log_view {
	struct log_store *store;
	uint64_t sources; /* 0: all */
	struct log_regex *regex;
	bool inverse;
	enum log_level least;
	unsigned context;

	struct log_ref *rows;
	size_t n, cap;
	struct log_ref through; /* the last ref of the order looked at */
	bool begun;             /* `through` is set */
	unsigned after;         /* lines of context still to come after a match */
	struct err fault;
	bool has_fault;

	struct log_ref *marks; /* sorted */
	size_t n_marks, cap_marks;
};

struct log_view *log_view_new(struct log_store *store)
{
	struct log_view *view = mem_calloc(1, sizeof(*view));

	view->store = store;
	log_store_set_view(store, view);
	return view;
}

void log_view_free(struct log_view *view)
{
	if (!view)
		return;
	log_store_set_view(view->store, NULL);
	log_regex_free(view->regex);
	free(view->rows);
	free(view->marks);
	free(view);
}

struct log_store *log_view_store(const struct log_view *view)
{
	return view->store;
}

/* --- what is shown --------------------------------------------------------------------------- */

static void begin_anew(struct log_view *view)
{
	view->n = 0;
	view->begun = false;
	view->after = 0;
}

void log_view_show(struct log_view *view, uint64_t sources)
{
	if (view->sources == sources)
		return;
	view->sources = sources;
	begin_anew(view);
}

uint64_t log_view_shown(const struct log_view *view)
{
	return view->sources;
}

int log_view_filter(struct log_view *view, const char *filter, struct err *err)
{
	bool inverse = filter && *filter == '!';
	struct log_regex *regex = NULL;

	filter += inverse;
	if (filter && *filter && log_regex_new(&regex, filter, err) < 0)
		return -1;
	log_regex_free(view->regex);
	view->regex = regex;
	view->inverse = inverse && regex;
	begin_anew(view);
	return 0;
}

void log_view_set_level(struct log_view *view, enum log_level least)
{
	view->least = least;
	begin_anew(view);
}

enum log_level log_view_level(const struct log_view *view)
{
	return view->least;
}

void log_view_set_context(struct log_view *view, unsigned lines)
{
	view->context = lines;
	begin_anew(view);
}

unsigned log_view_context(const struct log_view *view)
{
	return view->context;
}

bool log_view_is_narrowed(const struct log_view *view)
{
	return view->regex || view->least;
}

/* Whether rows are a list of their own. */
static bool has_list(const struct log_view *view)
{
	return view->sources || log_view_is_narrowed(view);
}

static bool shows_source(const struct log_view *view, struct log_ref ref)
{
	return !view->sources || (view->sources >> log_ref_source(ref) & 1);
}

static void give_up_filter(struct log_view *view)
{
	view->has_fault = true;
	log_regex_too_costly(view->regex, &view->fault);
	log_regex_free(view->regex);
	view->regex = NULL;
	view->inverse = false;
}

bool log_view_take_fault(struct log_view *view, struct err *err)
{
	bool had = view->has_fault;

	if (had)
		*err = view->fault;
	view->has_fault = false;
	return had;
}

/* Notes are always shown: what they tell concerns every picture of the log. */
static bool takes_in(struct log_view *view, const struct log_line *line)
{
	enum log_level level = line->level ? (enum log_level)line->level : LOG_LEVEL_INFO;
	enum log_regex_result result;

	if (line->kind != LOG_LINE_TEXT)
		return true;
	if (view->least && level < view->least)
		return false;
	if (!view->regex)
		return true;
	result = log_regex_match(view->regex, line->text, line->len, 0, NULL, NULL);
	if (result == LOG_REGEX_TOO_COSTLY)
		give_up_filter(view);
	return result == LOG_REGEX_TOO_COSTLY || (result == LOG_REGEX_YES) != view->inverse;
}

/* --- making rows ----------------------------------------------------------------------------- */

static struct log_ref plain(struct log_ref row)
{
	row.id &= ~(CONTEXT_BIT | GROUP_BIT);
	return row;
}

static void add_row(struct log_view *view, struct log_ref ref, uint64_t bits)
{
	view->rows = mem_grow(view->rows, view->n, &view->cap, sizeof(*view->rows));
	view->rows[view->n] = ref;
	view->rows[view->n++].id |= bits;
}

/* Whether the line at place i is a row, or comes before the last one that is. */
static bool is_reached(const struct log_view *view, size_t i)
{
	return view->n &&
	       log_ref_compare(log_store_at(view->store, i), plain(view->rows[view->n - 1])) <= 0;
}

/* Whether lines that could be shown were left out between the last row and place i. */
static bool leaves_out(const struct log_view *view, size_t i)
{
	for (; i > 0 && !is_reached(view, i - 1); i--)
		if (shows_source(view, log_store_at(view->store, i - 1)))
			return true;
	return false;
}

/* The lines before place i that are not rows yet, and the line there itself. */
static void add_with_context(struct log_view *view, size_t i)
{
	unsigned left = view->context;
	uint64_t group = 0;
	size_t from = i;
	struct log_ref ref;

	for (; from > 0 && left > 0 && !is_reached(view, from - 1); from--)
		left -= shows_source(view, log_store_at(view->store, from - 1));
	if (view->context && view->n && leaves_out(view, from))
		group = GROUP_BIT;
	for (; from <= i; from++) {
		ref = log_store_at(view->store, from);
		if (!shows_source(view, ref))
			continue;
		add_row(view, ref, group | (from < i ? CONTEXT_BIT : 0));
		group = 0;
	}
}

static void look_at(struct log_view *view, size_t i)
{
	struct log_ref ref = log_store_at(view->store, i);
	const struct log_line *line;

	if (!shows_source(view, ref) || !(line = log_store_line(view->store, ref)))
		return;
	if (takes_in(view, line)) {
		if (log_view_is_narrowed(view))
			add_with_context(view, i);
		else
			add_row(view, ref, 0);
		view->after = view->context;
	} else if (view->after) {
		view->after--;
		add_row(view, ref, CONTEXT_BIT);
	}
}

bool log_view_update(struct log_view *view)
{
	int64_t until = clock_monotonic() + LOG_VIEW_STEP_NS;
	size_t n = log_store_count(view->store), i = 0;

	if (!has_list(view))
		return false;
	if (view->begun) {
		i = log_store_find(view->store, view->through);
		i += i < n && log_ref_compare(log_store_at(view->store, i), view->through) == 0;
	}
	for (; i < n; i++) {
		look_at(view, i);
		view->through = log_store_at(view->store, i);
		view->begun = true;
		if (view->has_fault && !has_list(view)) {
			begin_anew(view);
			return false;
		}
		if (i % LOOK_AT_CLOCK == 0 && clock_monotonic() > until)
			return i + 1 < n;
	}
	return false;
}

double log_view_progress(const struct log_view *view)
{
	size_t n = log_store_count(view->store);

	if (!has_list(view) || !n)
		return 1;
	return view->begun ? (double)(log_store_find(view->store, view->through) + 1) / (double)n
			   : 0;
}

/* Context before the cut may have been another, so a little more is made anew. */
void log_view_on_inserted(struct log_view *view, struct log_ref from)
{
	size_t place, back = view->context;

	if (!has_list(view) || !view->begun || log_ref_compare(view->through, from) < 0)
		return;
	place = log_store_find(view->store, from);
	place = place > back ? place - back : 0;
	view->after = 0;
	if (!place) {
		begin_anew(view);
		return;
	}
	view->through = log_store_at(view->store, place - 1);
	while (view->n && log_ref_compare(plain(view->rows[view->n - 1]), view->through) > 0)
		view->n--;
}

/* The note took the place of a line that may not have been a row. */
static void put_note(struct log_view *view, struct log_ref note)
{
	size_t row;

	if (!has_list(view) || !view->begun || !shows_source(view, note) ||
		log_ref_compare(note, view->through) > 0)
		return;
	row = log_view_row(view, note);
	if (row < view->n && log_ref_compare(plain(view->rows[row]), note) == 0) {
		view->rows[row] = note;
		return;
	}
	view->rows = mem_grow(view->rows, view->n, &view->cap, sizeof(*view->rows));
	memmove(view->rows + row + 1, view->rows + row, (view->n - row) * sizeof(*view->rows));
	view->rows[row] = note;
	view->n++;
}

void log_view_on_dropped(struct log_view *view, struct log_ref note)
{
	size_t i, kept = 0;

	for (i = 0; i < view->n; i++)
		if (log_store_line(view->store, plain(view->rows[i])))
			view->rows[kept++] = view->rows[i];
	view->n = kept;
	for (i = kept = 0; i < view->n_marks; i++)
		if (log_store_line(view->store, view->marks[i]))
			view->marks[kept++] = view->marks[i];
	view->n_marks = kept;
	put_note(view, note);
}

/* --- rows ------------------------------------------------------------------------------------ */

size_t log_view_count(const struct log_view *view)
{
	return has_list(view) ? view->n : log_store_count(view->store);
}

struct log_ref log_view_ref(const struct log_view *view, size_t row)
{
	return has_list(view) ? plain(view->rows[row]) : log_store_at(view->store, row);
}

const struct log_line *log_view_line(const struct log_view *view, size_t row)
{
	return log_store_line(view->store, log_view_ref(view, row));
}

bool log_view_is_context(const struct log_view *view, size_t row)
{
	return has_list(view) && (view->rows[row].id & CONTEXT_BIT);
}

bool log_view_begins_group(const struct log_view *view, size_t row)
{
	return row && has_list(view) && (view->rows[row].id & GROUP_BIT);
}

size_t log_view_row(const struct log_view *view, struct log_ref ref)
{
	size_t low = 0, high = view->n, middle;

	if (!has_list(view))
		return log_store_find(view->store, ref);
	while (low < high) {
		middle = low + (high - low) / 2;
		if (log_ref_compare(plain(view->rows[middle]), ref) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t log_view_row_at(const struct log_view *view, int64_t time_ns)
{
	return log_view_row(view, (struct log_ref){ time_ns, 0 });
}

/* --- looking for ----------------------------------------------------------------------------- */

enum log_view_found log_view_search(const struct log_view *view, struct log_regex *regex,
	size_t from, int direction, size_t *row)
{
	int64_t until = clock_monotonic() + SEARCH_NS;
	size_t n = log_view_count(view), i = from, step;
	const struct log_line *line;

	for (step = 0; step < n; step++) {
		line = log_view_line(view, i);
		*row = i;
		if (line) {
			switch (log_regex_match(regex, line->text, line->len, 0, NULL, NULL)) {
			case LOG_REGEX_YES:
				return LOG_VIEW_FOUND;
			case LOG_REGEX_TOO_COSTLY:
				return LOG_VIEW_COSTLY;
			case LOG_REGEX_NO:
				break;
			}
		}
		if (step % LOOK_AT_CLOCK == 0 && clock_monotonic() > until)
			return LOG_VIEW_UNFINISHED;
		i = direction > 0 ? (i + 1) % n : (i + n - 1) % n;
	}
	return LOG_VIEW_NONE;
}

bool log_view_next_error(const struct log_view *view, size_t from, int direction, size_t *row)
{
	size_t n = log_view_count(view), i;
	const struct log_line *line;

	for (i = from + (size_t)direction; i < n; i += (size_t)direction) {
		line = log_view_line(view, i);
		if (line && line->level == LOG_LEVEL_ERROR && !line->continues) {
			*row = i;
			return true;
		}
	}
	return false;
}

/* --- marks ----------------------------------------------------------------------------------- */

static size_t find_mark(const struct log_view *view, struct log_ref ref)
{
	size_t i = 0;

	while (i < view->n_marks && log_ref_compare(view->marks[i], ref) < 0)
		i++;
	return i;
}

bool log_view_is_marked(const struct log_view *view, struct log_ref ref)
{
	size_t i = find_mark(view, ref);

	return i < view->n_marks && log_ref_compare(view->marks[i], ref) == 0;
}

void log_view_toggle_mark(struct log_view *view, struct log_ref ref)
{
	size_t i = find_mark(view, ref), rest = view->n_marks - i;

	if (log_view_is_marked(view, ref)) {
		memmove(view->marks + i, view->marks + i + 1, (rest - 1) * sizeof(ref));
		view->n_marks--;
	} else if (view->n_marks < MARKS_MAX) {
		view->marks = mem_grow(view->marks, view->n_marks, &view->cap_marks, sizeof(ref));
		memmove(view->marks + i + 1, view->marks + i, rest * sizeof(ref));
		view->marks[i] = ref;
		view->n_marks++;
	}
}

bool log_view_next_mark(const struct log_view *view, size_t from, size_t *row)
{
	size_t n = log_view_count(view), i, k;
	struct log_ref here;

	if (from >= n || !view->n_marks)
		return false;
	here = log_view_ref(view, from);
	i = find_mark(view, here);
	i += i < view->n_marks && log_ref_compare(view->marks[i], here) == 0;
	for (k = 0; k < view->n_marks; k++, i++) {
		*row = log_view_row(view, view->marks[i % view->n_marks]);
		if (*row < n && log_ref_compare(log_view_ref(view, *row),
					view->marks[i % view->n_marks]) == 0)
			return true;
	}
	return false;
}
