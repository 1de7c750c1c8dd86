/*
 * What of a store is shown: some of its sources, lines of a least level, lines that a pattern takes
 * in or leaves out, with lines of context around them. Rows are counted from 0, oldest first.
 *
 * Trying a pattern on all lines takes time, so rows are made in steps: log_view_update does a bounded
 * amount and says whether there is more to do. While nothing is narrowed the rows are the order.
 */
#ifndef PGONCALL_LOGS_VIEW_H
#define PGONCALL_LOGS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/logs/regex.h>
#include <pgoncall/logs/store.h>

#define LOG_VIEW_STEP_NS INT64_C(4000000) /* of one update */

struct log_view;

/* The view of a store; there is one at most. The store must outlive it. */
struct log_view *log_view_new(struct log_store *store);
/* NULL is allowed. */
void log_view_free(struct log_view *view);
struct log_store *log_view_store(const struct log_view *view);

/* A bit for each source; 0: all, those to come too. */
void log_view_show(struct log_view *view, uint64_t sources);
uint64_t log_view_shown(const struct log_view *view);
/* "RE" shows what it matches, "!RE" what it does not; NULL or "": everything. On -1 the filter stays
 * as it was. */
int log_view_filter(struct log_view *view, const char *filter, struct err *err);
/* LOG_LEVEL_UNKNOWN: all. Lines whose level is not known count as information. */
void log_view_set_level(struct log_view *view, enum log_level least);
enum log_level log_view_level(const struct log_view *view);
/* Lines shown before and after each that the filter or level takes in. */
void log_view_set_context(struct log_view *view, unsigned lines);
unsigned log_view_context(const struct log_view *view);
/* Whether a filter or level leaves lines out. */
bool log_view_is_narrowed(const struct log_view *view);

/* After lines came, or anything above changed. true: there is more to do; call again soon. */
bool log_view_update(struct log_view *view);
/* Lines looked at of those in the order, 0 to 1. */
double log_view_progress(const struct log_view *view);
/* Why the filter was given up since the last call; false: it was not. */
bool log_view_take_fault(struct log_view *view, struct err *err);

size_t log_view_count(const struct log_view *view);
struct log_ref log_view_ref(const struct log_view *view, size_t row);
/* NULL when the line is gone; its row goes with the next update. */
const struct log_line *log_view_line(const struct log_view *view, size_t row);
/* The row is there only as context. */
bool log_view_is_context(const struct log_view *view, size_t row);
/* With context: lines were left out between the row before and this one. */
bool log_view_begins_group(const struct log_view *view, size_t row);
/* The first row not before ref; the count where there is none. */
size_t log_view_row(const struct log_view *view, struct log_ref ref);
/* The first row of that time or later; the count where there is none. */
size_t log_view_row_at(const struct log_view *view, int64_t time_ns);

enum log_view_found { LOG_VIEW_FOUND, LOG_VIEW_NONE, LOG_VIEW_UNFINISHED, LOG_VIEW_COSTLY };

/* Looks from `from` (itself included) in a direction (1, -1), around the ends. *row is set on FOUND;
 * on UNFINISHED, after a fifth of a second, it is where to go on. */
enum log_view_found log_view_search(const struct log_view *view, struct log_regex *regex,
	size_t from, int direction, size_t *row);
/* The next error in a direction after `from`, not around the ends. */
bool log_view_next_error(const struct log_view *view, size_t from, int direction, size_t *row);

/* Marks stay with their lines. */
void log_view_toggle_mark(struct log_view *view, struct log_ref ref);
bool log_view_is_marked(const struct log_view *view, struct log_ref ref);
/* The next marked row after `from`, around the end. */
bool log_view_next_mark(const struct log_view *view, size_t from, size_t *row);

#endif
