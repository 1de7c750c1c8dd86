/*
 * One raw line into one that is safe to show. Colours (SGR) become spans of attributes; every other
 * escape sequence is dropped; controls, bidi overrides and bytes that are not UTF-8 are made
 * visible. No state passes from one line to the next.
 */
#ifndef PGONCALL_LOGS_SANITISE_H
#define PGONCALL_LOGS_SANITISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/logs/match.h>
#include <pgoncall/logs/split.h>

enum log_attr_flag {
	LOG_ATTR_BOLD = 1,
	LOG_ATTR_DIM = 2,
	LOG_ATTR_UNDERLINE = 4,
	LOG_ATTR_REVERSE = 8
};

/* fg, bg: 0 is the default, 1 to 16 are the colours 0 to 15 of ECMA-48 and its bright half. */
struct log_attr {
	uint8_t fg;
	uint8_t bg;
	uint8_t flags;
};

/* Bytes [start, end) of the text; spans are in order, do not overlap, and hold no default attribute. */
struct log_span {
	uint32_t start;
	uint32_t end;
	struct log_attr attr;
};

/* Lines that are not of the log but about it. */
enum log_line_kind {
	LOG_LINE_TEXT,
	LOG_LINE_DROPPED, /* stands where older lines were dropped */
	LOG_LINE_NOTE     /* the stream was cut, begun again, its container replaced */
};

#define LOG_TEXT_MAX  (4 * LOG_LINE_MAX) /* bytes of sanitised text kept */
#define LOG_SPANS_MAX 512                /* spans kept; later colours of the line are dropped */

struct log_line {
	struct log_span *spans; /* owned; one block holds spans and text, so `text` is not freed */
	char *text; /* NUL-ended valid UTF-8: no byte below 0x20, no DEL, no C1, no bidi */
	uint32_t len;
	uint32_t n_spans;
	size_t cut;      /* raw bytes that are not in text because the line was too long */
	int64_t time_ns; /* wall clock: the log's own timestamp, else when it came */
	bool own_time;   /* time_ns is the log's own */
	uint8_t level;   /* enum log_level; an error text that is known (see match.h) is an error */
	uint8_t stream;  /* enum log_stream */
	uint8_t match;   /* enum log_match_kind: what the line means */
	uint8_t kind;    /* enum log_line_kind */
	bool continues;  /* part of the message of the line before: its level is that line's */
	uint16_t source; /* the caller's number for the container or file */
};

/* arrived_ns: wall clock, for lines without a timestamp. */
void log_line_init(
	struct log_line *line, const struct log_raw *raw, uint16_t source, int64_t arrived_ns);
/* A line about the log: printf form, made safe. */
void log_line_note(struct log_line *line, enum log_line_kind kind, int64_t time_ns, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
void log_line_fini(struct log_line *line);
/* Bytes of memory it takes. */
size_t log_line_size(const struct log_line *line);

/* What the beginning of a line says about its level. */
enum log_level log_level_detect(const char *text, size_t len);
/* "unknown", "debug", "info", "warning", "error". */
const char *log_level_name(enum log_level level);

#endif
