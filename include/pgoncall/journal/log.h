/*
 * Reading one incident's file back, with its chain checked.
 */
#ifndef PGONCALL_JOURNAL_LOG_H
#define PGONCALL_JOURNAL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/journal/record.h>

/* A file as read. Lines that cannot be trusted are counted, not returned. */
struct journal_log {
	char *path;
	struct journal_record *records; /* up to the first break of the chain */
	size_t n;
	size_t cap;
	char head[JOURNAL_HASH_HEX + 1]; /* hash of the last record; zeros when there is none */
	long torn_line;  /* first line that was cut off in mid-write; 0: none. No break by itself */
	long torn_lines; /* how many */
	bool torn_at_end;  /* the last line is one of them, or lacks only its line feed */
	long broken_line;  /* first line where the chain does not hold; 0: it holds */
	struct err broken; /* "FILE:LINE: what is wrong" when broken_line */
};

/* The record with this seq, or NULL. */
const struct journal_record *journal_log_find(const struct journal_log *log, int64_t seq);
/* Whether nothing in the log settles this intent: no result, and no note about it. *lost (may be
 * NULL) says whether an `unknown` was recorded. */
bool journal_log_is_pending(
	const struct journal_log *log, const struct journal_record *intent, bool *lost);

/* -1 only when the file cannot be read; a broken chain is in *log. Files above 256 MiB are
 * refused. */
int journal_load(const char *path, struct journal_log *log, struct err *err);
void journal_log_fini(struct journal_log *log);

/* 0: the chain holds; -1: the first break as "FILE:LINE: …". A cut-off line is no break; it is in
 * `notes` (may be NULL), one sentence a line, as is the last hash. */
int journal_verify(const char *path, struct buf *notes, struct err *err);

#endif
