/*
 * One line of a journal: its fields, its JSON, its hash, and the redaction that comes before both.
 *
 * A line is one JSON object, compact (no white space), in ASCII (the rest as \uXXXX, so that
 * printing a journal moves no cursor), keys in one order, `prev` and `hash` last:
 *   {"v":1,"seq":1,"ts":"2025-01-27T10:00:00.123Z","event":"intent",…,"prev":"…","hash":"…"}
 * `hash` is the lower-case hex SHA-256 of the line's own bytes with `,"hash":"…"` taken out,
 * without the line feed; `prev` is the hash of the record before, 64 zeros in the first. So anybody
 * can check a line:
 *   sed 's/,"hash":"[0-9a-f]*"}$/}/' | tr -d '\n' | sha256sum
 * Every key is in every line; what does not apply is null.
 */
#ifndef PGONCALL_JOURNAL_RECORD_H
#define PGONCALL_JOURNAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>

#define JOURNAL_VERSION  1
#define JOURNAL_HASH_HEX 64

enum journal_event {
	JOURNAL_INTENT,  /* a write is about to be done */
	JOURNAL_RESULT,  /* it was done, or failed: exit, rows, duration_ms, output_sha256 */
	JOURNAL_UNKNOWN, /* the link was lost on the way: it may have been done */
	JOURNAL_NOTE, /* the operator's words; with `intent` set: what was found about that write */
	JOURNAL_ARM,  /* text: the reason; duration_ms: for how long */
	JOURNAL_DISARM,
	JOURNAL_EVENT_COUNT
};

const char *journal_event_name(enum journal_event event);
/* 0 or -1. */
int journal_event_parse(const char *name, enum journal_event *event);

/* A variable a step used. */
struct journal_var {
	const char *name;
	const char *value;
};

#define JOURNAL_NONE INT64_C(-1) /* a number that does not apply: null in the file */

/* What a writer gives; strings are borrowed and may be NULL (null in the file). Secrets in command,
 * text and vars are redacted on the way in; bytes that are not UTF-8 are written as <FF>. */
struct journal_entry {
	enum journal_event event;
	int64_t intent; /* result, unknown, note: seq of the intent it is about; else 0 */
	const char *runbook;
	const char *step;
	const char *command; /* exact statement or command line */
	const struct journal_var *vars;
	size_t n_vars;
	const char *confirm; /* level and what was typed, e.g. "target: boardofone@prod" */
	int64_t exit; /* exit status (a statement's: 0, or 1 when it failed), or JOURNAL_NONE */
	int64_t rows; /* rows touched, or JOURNAL_NONE */
	int64_t duration_ms;       /* or JOURNAL_NONE */
	const char *output_sha256; /* hex, see journal_sha256 */
	const char *text;          /* note, arm's reason, an error sentence */
};

/* Everything that does not apply: start from this. */
#define JOURNAL_ENTRY_INIT                                                                         \
	{                                                                                          \
		.exit = JOURNAL_NONE, .rows = JOURNAL_NONE, .duration_ms = JOURNAL_NONE            \
	}

/* Who and where: the same in every line of a file. Borrowed when given, NULL where not known. */
struct journal_meta {
	const char *incident; /* NULL: journal_open makes a new one */
	const char *user;     /* the person: login@machine */
	const char *target;   /* name in the configuration */
	const char *host;
	const char *host_key; /* "SHA256:…" */
	const char *database;
	const char *role; /* database user */
};

/* A line that was read; all strings owned, NULL for null. */
struct journal_record {
	long line; /* in its file, from 1 */
	int64_t v, seq, intent, exit, rows, duration_ms;
	enum journal_event event;
	char *ts, *incident, *user, *target, *host, *host_key, *database, *role;
	char *runbook, *step, *command, *confirm, *output_sha256, *text;
	char *vars; /* compact JSON object, e.g. {"pid":"8123"} */
	char prev[JOURNAL_HASH_HEX + 1];
	char hash[JOURNAL_HASH_HEX + 1];
};

void journal_record_fini(struct journal_record *record);

/* Appends the line, without a line feed, and sets hash. */
void journal_record_write(const struct journal_entry *entry, const struct journal_meta *meta,
	int64_t seq, int64_t wall_ns, const char *prev, struct buf *out,
	char hash[JOURNAL_HASH_HEX + 1]);

/* Reads a line (without its line feed) and checks its own hash. On failure the sentence names no
 * file; -2 when the line is no JSON object at all, as one that was cut off in mid-write, else
 * -1. */
int journal_record_read(
	const char *bytes, size_t len, struct journal_record *record, struct err *err);

/* Lower-case hex SHA-256. */
void journal_sha256(const void *bytes, size_t len, char hex[JOURNAL_HASH_HEX + 1]);

/* Appends text with secrets replaced by ***: passwords in URLs and connection strings, PGPASSWORD
 * and other NAME=value whose name ends in password, token, secret …, SQL PASSWORD '…', bearer and
 * known token shapes, private key blocks. Bind parameters ($1) stay. */
void journal_redact(struct buf *out, const char *text);
/* True when a variable of this name holds a secret as a whole. */
bool journal_name_is_secret(const char *name, size_t len);

#endif
