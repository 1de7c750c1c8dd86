/*
 * The last lines of a log, bounded by the bytes they take. The oldest are dropped first, and
 * counted, so that a view can show a row "N lines dropped" where the log was cut.
 *
 * Lines are numbered from 1 in the order added; numbers are never used again, so a selection kept
 * as a number survives what is dropped.
 */
#ifndef PGONCALL_LOGS_RING_H
#define PGONCALL_LOGS_RING_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/logs/sanitise.h>

#define LOG_RING_BYTES (16u << 20)

struct log_ring;

/* max_bytes 0: LOG_RING_BYTES. At least the newest line is always kept. */
struct log_ring *log_ring_new(size_t max_bytes);
void log_ring_free(struct log_ring *ring);
/* Takes what *line holds (the struct is the caller's, and empty afterwards). Returns its number.
 * Pointers from log_ring_at are valid until the next add or clear. */
uint64_t log_ring_add_take(struct log_ring *ring, struct log_line *line);
/* Drops the oldest line, counted where it was one of the log. The ring must not be empty. */
void log_ring_drop(struct log_ring *ring);
/* Puts a line before all others; it takes the number of the line dropped last. */
void log_ring_front_take(struct log_ring *ring, struct log_line *line);
/* Drops all lines without counting them as dropped; numbers go on. */
void log_ring_clear(struct log_ring *ring);

size_t log_ring_count(const struct log_ring *ring);
size_t log_ring_bytes(const struct log_ring *ring);
/* i < count; 0 is the oldest kept. O(1). */
const struct log_line *log_ring_at(const struct log_ring *ring, size_t i);
/* The number of line 0 (of the next line to come, when empty). */
uint64_t log_ring_first(const struct log_ring *ring);
/* NULL when that line was dropped or has not come. O(1). */
const struct log_line *log_ring_find(const struct log_ring *ring, uint64_t number);
/* Lines dropped since the start or the last clear. */
uint64_t log_ring_dropped(const struct log_ring *ring);

#endif
