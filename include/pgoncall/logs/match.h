/*
 * What a log line means to somebody on call: Alembic's progress, and each error text the operations
 * guide tells what to do about, with the runbook that does it. Pure; one line at a time.
 *
 * A line "Running upgrade A -> B" says that it began, not that it was committed.
 */
#ifndef PGONCALL_LOGS_MATCH_H
#define PGONCALL_LOGS_MATCH_H

#include <stdbool.h>
#include <stddef.h>

enum log_match_kind {
	LOG_MATCH_NONE,
	LOG_MATCH_UPGRADE,   /* captures: from ("" from base; "a, b" for a merge), to, message */
	LOG_MATCH_DOWNGRADE, /* the same; to a merge's parents: "to" is the first of them */
	LOG_MATCH_STAMP,     /* from, to */
	LOG_MATCH_SUCCESS,   /* the deploy says that migrations completed */
	LOG_MATCH_FAILED,    /* the deploy says that the migration failed */
	LOG_MATCH_UNKNOWN_REVISION, /* the revision */
	LOG_MATCH_MULTIPLE_HEADS,
	LOG_MATCH_NOT_UP_TO_DATE,
	LOG_MATCH_ALREADY_EXISTS, /* the object, and its table for a column */
	LOG_MATCH_NO_VERSION_TABLE,
	LOG_MATCH_LOCK_TIMEOUT,
	LOG_MATCH_STATEMENT_TIMEOUT,
	LOG_MATCH_DEADLOCK,
	LOG_MATCH_SYNTAX_ERROR,  /* what is said about it */
	LOG_MATCH_OVERLAP,       /* two version rows on one line of descent: the revisions */
	LOG_MATCH_ROW_CHANGED,   /* the version row changed while a migration ran: from, to */
	LOG_MATCH_BROKEN_CHAIN,  /* the revisions */
	LOG_MATCH_SCHEMA_BEHIND, /* a column or table is missing: its name */
	LOG_MATCH_CONNECTION_LOST,
	LOG_MATCH_TOO_MANY_CLIENTS,
	LOG_MATCH_OTHER_ERROR, /* another "FAILED: …" of Alembic: what it says */
};

/* Part of the line given, not NUL-ended. */
struct log_capture {
	const char *s;
	size_t len;
};

#define LOG_CAPTURES_MAX 3

struct log_match {
	enum log_match_kind kind;
	const char *code;    /* "unknown-revision"; static; "" for LOG_MATCH_NONE */
	const char *runbook; /* name of the runbook that answers it, or ""; static */
	bool error;
	struct log_capture
		captures[LOG_CAPTURES_MAX]; /* as the kind says; len 0 where there is none */
	size_t n_captures;
};

/* Returns whether it means anything; *match is always set and borrows from text. */
bool log_match_line(const char *text, size_t len, struct log_match *match);
/* The i-th pattern of the table ("*" captures), NULL past its end: for tests and lists. */
const char *log_match_pattern(size_t i);
/* The capture as a string for the caller to free; "" where there is none. */
char *log_capture_dup(const struct log_match *match, size_t i);

#endif
