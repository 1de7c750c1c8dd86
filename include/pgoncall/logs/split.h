/*
 * Bytes of a log stream into lines. One splitter per stream, since stdout and stderr break at
 * different places. A line is kept up to a bound; what is beyond is counted and forgotten.
 *
 * LF ends a line, and CR before it is cut. A CR elsewhere ends a line as well, so that what a
 * program overwrote on a terminal stays readable; empty pieces between CRs are dropped.
 */
#ifndef PGONCALL_LOGS_SPLIT_H
#define PGONCALL_LOGS_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>

#define LOG_LINE_MAX 65536 /* bytes of one line that are kept */

enum log_stream { LOG_STDOUT, LOG_STDERR };

enum log_level {
	LOG_LEVEL_UNKNOWN,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR
};

/* A line as it came; `text` is valid during the callback only. */
struct log_raw {
	const char *text;
	size_t len;
	size_t cut; /* bytes beyond the bound */
	bool has_time;
	int64_t time_ns; /* wall clock, from the timestamp in front of the line */
	enum log_stream stream;
	enum log_level level; /* where the log keeps it beside the text; else unknown */
};

typedef void log_raw_fn(const struct log_raw *raw, void *arg);

struct log_splitter {
	enum log_stream stream;
	bool timestamps; /* lines begin with RFC3339Nano and a space: docker logs --timestamps */
	size_t max;
	struct buf line; /* the unfinished line; its timestamp included */
	size_t cut;
	bool after_cr;  /* the last byte was a CR that ended a line */
	bool continued; /* the unfinished line goes on after a CR: time_ns is its line's */
	bool has_time;
	int64_t time_ns;
};

/* max 0: LOG_LINE_MAX. */
void log_splitter_init(
	struct log_splitter *splitter, enum log_stream stream, bool timestamps, size_t max);
void log_splitter_fini(struct log_splitter *splitter);
/* Calls fn for each line that is complete. */
void log_splitter_feed(
	struct log_splitter *splitter, const char *bytes, size_t len, log_raw_fn *fn, void *arg);
/* At the stream's end: calls fn for the line without an end, if there is one. */
void log_splitter_flush(struct log_splitter *splitter, log_raw_fn *fn, void *arg);

/* Reads "2025-01-27T10:00:00.123456789Z" or with an offset ("+01:00"). Returns the bytes used, 0
 * when it is none; *wall_ns is set only then. */
size_t log_parse_time(const char *s, size_t len, int64_t *wall_ns);

#endif
