/*
 * The logs of a target together: a ring for each source, and one order of all their lines by time.
 *
 * A line waits LOG_REORDER_NS for others that were written before it and come later (stdout and
 * stderr, two containers); then it is in the order. One that comes later still is put where its time
 * belongs. Nothing is dropped silently: where a source's oldest lines went, a line of kind
 * LOG_LINE_DROPPED stands in the order.
 */
#ifndef PGONCALL_LOGS_STORE_H
#define PGONCALL_LOGS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/logs/ring.h>
#include <pgoncall/logs/sanitise.h>

#define LOG_SOURCES_MAX 64
#define LOG_REORDER_NS  INT64_C(150000000)

struct log_store;
struct log_view;

/* A line's place and name: by time, then source, then number. Never used again for another line. */
struct log_ref {
	int64_t time_ns;
	uint64_t id;
};

/* max_bytes of each source; 0: LOG_RING_BYTES. */
struct log_store *log_store_new(size_t max_bytes);
/* NULL is allowed. A view of it must be freed before. */
void log_store_free(struct log_store *store);
/* Its index, or -1 when there are LOG_SOURCES_MAX already. `name` is copied. */
int log_store_add_source(struct log_store *store, const char *name);
size_t log_store_sources(const struct log_store *store);
const char *log_store_name(const struct log_store *store, size_t source);
const struct log_ring *log_store_ring(const struct log_store *store, size_t source);
/* Errors among the lines kept; what continues an error is not counted. */
size_t log_store_errors(const struct log_store *store, size_t source);

/* Takes what *line holds. now: monotonic. */
void log_store_add_take(struct log_store *store, size_t source, struct log_line *line, int64_t now);
/* Lines that wait for their place. */
size_t log_store_waiting(const struct log_store *store);
/* Puts lines in order that have waited long enough; all: every one. Returns whether any was. */
bool log_store_settle(struct log_store *store, int64_t now, bool all);

/* The order. */
size_t log_store_count(const struct log_store *store);
struct log_ref log_store_at(const struct log_store *store, size_t i);
/* The first place whose line is not before ref. */
size_t log_store_find(const struct log_store *store, struct log_ref ref);
/* NULL when the line is no longer kept. Valid until the next line is added. */
const struct log_line *log_store_line(const struct log_store *store, struct log_ref ref);

/* Negative, 0 or positive: a before, the same as, or after b. */
int log_ref_compare(struct log_ref a, struct log_ref b);
size_t log_ref_source(struct log_ref ref);

#endif
