/*
 * The pictures of the last minutes, to look back at: what the blocking tree was before it changed.
 * Bounded in time and in bytes. A picture shares with the one before it every session that did not
 * change, so that 500 quiet sessions cost a few kilobytes a picture; where that is not enough, every
 * second picture of the older half goes. Of a query the first kilobyte is kept.
 */
#ifndef PGONCALL_DB_HISTORY_H
#define PGONCALL_DB_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/db/snapshot.h>

#define DB_HISTORY_SPAN_NS   (INT64_C(15) * 60 * 1000000000)
#define DB_HISTORY_BYTES     ((size_t)4 << 20)
#define DB_HISTORY_QUERY_MAX 1024

struct db_history;

/* 0: the defaults above. */
struct db_history *db_history_new(int64_t span_ns, size_t max_bytes);
void db_history_free(struct db_history *history);

/* Keeps a copy; what is older than the span, or beyond the bytes, goes. */
void db_history_add(struct db_history *history, const struct db_snapshot *snapshot);

/* The oldest is 0. */
size_t db_history_count(const struct db_history *history);
size_t db_history_bytes(const struct db_history *history);
/* When it was taken, by our wall clock, ns. */
int64_t db_history_wall(const struct db_history *history, size_t i);
/* The picture as it was, the tree marked; the caller frees it. Locks held and awaited, edges and ages
 * are as they were. */
struct db_snapshot *db_history_restore(const struct db_history *history, size_t i);

#endif
