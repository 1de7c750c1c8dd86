/*
 * What log lines mean; to teach it another, add a row to the table. Texts are Alembic's (1.8 to
 * 1.19), PostgreSQL's as server and drivers word them, and those of the operations guide.
 */
#include <pgoncall/logs/match.h>

#include <string.h>

#include <pgoncall/base/mem.h>

/*
 * A pattern is found anywhere in the line. "*" captures what stands up to the text after it, at the
 * pattern's end up to the end of the line. "^" at its beginning ties it to the line's beginning.
 * The first row that fits counts: the particular stand before the general.
 */
static const struct row {
	const char *pattern;
	enum log_match_kind kind;
	const char *code;
	const char *runbook;
	bool error;
} rows[] = {
	/* Progress. From base, nothing stands before the arrow: two spaces. */
	{ "Running upgrade * -> *, *", LOG_MATCH_UPGRADE, "upgrade", "", false },
	{ "Running upgrade * -> *", LOG_MATCH_UPGRADE, "upgrade", "", false },
	{ "Running downgrade * -> *, *", LOG_MATCH_DOWNGRADE, "downgrade", "", false },
	{ "Running downgrade * -> *", LOG_MATCH_DOWNGRADE, "downgrade", "", false },
	{ "Running stamp_revision * -> *", LOG_MATCH_STAMP, "stamp", "", false },

	/* The deploy's own words. */
	{ "✅ Migrations completed successfully", LOG_MATCH_SUCCESS, "success", "", false },
	{ "Migrations completed successfully", LOG_MATCH_SUCCESS, "success", "", false },
	{ "❌ Migration failed", LOG_MATCH_FAILED, "failed", "migration-failed-in-deploy", true },
	{ "Error in migration *: *", LOG_MATCH_FAILED, "failed", "migration-failed-in-deploy",
		true },

	/* Alembic refuses. */
	{ "Can't locate revision identified by '*'", LOG_MATCH_UNKNOWN_REVISION, "unknown-revision",
		"unknown-revision", true },
	{ "Multiple head revisions", LOG_MATCH_MULTIPLE_HEADS, "multiple-heads", "multiple-heads",
		true },
	{ "Multiple heads are present", LOG_MATCH_MULTIPLE_HEADS, "multiple-heads",
		"multiple-heads", true },
	{ "Target database is not up to date", LOG_MATCH_NOT_UP_TO_DATE, "not-up-to-date",
		"not-up-to-date", true },
	{ "Database is not on all head revisions", LOG_MATCH_NOT_UP_TO_DATE, "not-up-to-date",
		"not-up-to-date", true },
	{ "Requested revision * overlaps with other requested revisions *", LOG_MATCH_OVERLAP,
		"overlapping-versions", "debugging", true },
	{ "expected to match one row when updating '*' to '*' in", LOG_MATCH_ROW_CHANGED,
		"version-row-changed", "stuck-migration", true },
	{ "expected to match one row when deleting '*' in", LOG_MATCH_ROW_CHANGED,
		"version-row-changed", "stuck-migration", true },
	{ "Cycle is detected in revisions (*)", LOG_MATCH_BROKEN_CHAIN, "broken-chain", "debugging",
		true },
	{ "Loop is detected in revision *", LOG_MATCH_BROKEN_CHAIN, "broken-chain", "debugging",
		true },
	{ "UserWarning: Revision * referenced from * is not present", LOG_MATCH_BROKEN_CHAIN,
		"broken-chain", "debugging", true },
	{ "UserWarning: Revision * is present more than once", LOG_MATCH_BROKEN_CHAIN,
		"broken-chain", "debugging", true },
	{ "Could not determine revision id from filename *. Be sure", LOG_MATCH_BROKEN_CHAIN,
		"broken-chain", "debugging", true },

	/* PostgreSQL refuses: the psycopg errors, and the server's own log. */
	{ "alembic_version table does not exist", LOG_MATCH_NO_VERSION_TABLE,
		"version-table-missing", "version-table-missing", true },
	{ "relation \"*alembic_version\" does not exist", LOG_MATCH_NO_VERSION_TABLE,
		"version-table-missing", "version-table-missing", true },
	{ "column \"*\" of relation \"*\" already exists", LOG_MATCH_ALREADY_EXISTS,
		"already-exists", "column-exists", true },
	{ "relation \"*\" already exists", LOG_MATCH_ALREADY_EXISTS, "already-exists",
		"column-exists", true },
	{ "type \"*\" already exists", LOG_MATCH_ALREADY_EXISTS, "already-exists", "column-exists",
		true },
	{ "constraint \"*\" for relation \"*\" already exists", LOG_MATCH_ALREADY_EXISTS,
		"already-exists", "column-exists", true },
	{ "column already exists", LOG_MATCH_ALREADY_EXISTS, "already-exists", "column-exists",
		true },
	{ "canceling statement due to lock timeout", LOG_MATCH_LOCK_TIMEOUT, "lock-timeout",
		"stuck-migration", true },
	{ "LockNotAvailable", LOG_MATCH_LOCK_TIMEOUT, "lock-timeout", "stuck-migration", true },
	{ "canceling statement due to statement timeout", LOG_MATCH_STATEMENT_TIMEOUT,
		"statement-timeout", "migration-failed-in-deploy", true },
	{ "deadlock detected", LOG_MATCH_DEADLOCK, "deadlock", "migration-failed-in-deploy", true },
	{ "column \"*\" of relation \"*\" does not exist", LOG_MATCH_SCHEMA_BEHIND, "schema-behind",
		"debugging", true },
	{ "column \"*\" does not exist", LOG_MATCH_SCHEMA_BEHIND, "schema-behind", "debugging",
		true },
	{ "column * does not exist", LOG_MATCH_SCHEMA_BEHIND, "schema-behind", "debugging", true },
	{ "relation \"*\" does not exist", LOG_MATCH_SCHEMA_BEHIND, "schema-behind", "debugging",
		true },
	{ "syntax error at or near \"*\"", LOG_MATCH_SYNTAX_ERROR, "syntax-error",
		"migration-failed-in-deploy", true },
	{ "server closed the connection unexpectedly", LOG_MATCH_CONNECTION_LOST, "connection-lost",
		"migration-failed-in-deploy", true },
	{ "terminating connection due to administrator command", LOG_MATCH_CONNECTION_LOST,
		"connection-lost", "migration-failed-in-deploy", true },
	{ "sorry, too many clients already", LOG_MATCH_TOO_MANY_CLIENTS, "too-many-clients",
		"production-health-check", true },
	{ "remaining connection slots are reserved", LOG_MATCH_TOO_MANY_CLIENTS, "too-many-clients",
		"production-health-check", true },

	/* Python refuses the file. */
	{ "^SyntaxError: *", LOG_MATCH_SYNTAX_ERROR, "syntax-error", "migration-failed-in-deploy",
		true },
	{ "^IndentationError: *", LOG_MATCH_SYNTAX_ERROR, "syntax-error",
		"migration-failed-in-deploy", true },

	/* What else Alembic says when it gives up: on stdout, or through its logger. */
	{ "^FAILED: *", LOG_MATCH_OTHER_ERROR, "alembic-failed", "migration-failed-in-deploy",
		true },
	{ "ERROR [alembic.util.messaging] *", LOG_MATCH_OTHER_ERROR, "alembic-failed",
		"migration-failed-in-deploy", true },
};

/* Every row has one of these in its first literal, and few other lines have any: most lines are done
 * with after a look for them. A test holds that no row lacks one. */
static const char *const gates[] = { "igration", "Running ", "evision", "heads are", "up to date",
	"row when", " exist", "canceling ", "LockNotA", "deadlock", "syntax e", "SyntaxE", "Indentat",
	"onnection", "clients", "FAILED: ", "[alembic.u", "relation ", "column ", "type \"",
	"constraint" };

static bool may_fit(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(gates) / sizeof(gates[0]); i++)
		if (memmem(text, len, gates[i], strlen(gates[i])))
			return true;
	return false;
}

const char *log_match_pattern(size_t i)
{
	return i < sizeof(rows) / sizeof(rows[0]) ? rows[i].pattern : NULL;
}

static size_t literal_len(const char *pattern)
{
	return strcspn(pattern, "*");
}

/* The literal that stands at `pattern` up to "*", found in text; NULL where it is not. */
static const char *find_literal(const char *text, size_t len, const char *pattern)
{
	return memmem(text, len, pattern, literal_len(pattern));
}

static bool fits(const char *pattern, const char *text, size_t len, struct log_match *match)
{
	const char *end = text + len, *at;
	bool tied = *pattern == '^';

	pattern += tied;
	at = find_literal(text, len, pattern);
	if (!at || (tied && at != text))
		return false;
	match->n_captures = 0;
	for (;;) {
		at += literal_len(pattern);
		pattern += literal_len(pattern);
		if (*pattern != '*')
			return true;
		text = at;
		pattern++;
		at = *pattern ? find_literal(text, (size_t)(end - text), pattern) : end;
		if (!at)
			return false;
		if (match->n_captures < LOG_CAPTURES_MAX)
			match->captures[match->n_captures++] =
				(struct log_capture){ text, (size_t)(at - text) };
	}
}

bool log_match_line(const char *text, size_t len, struct log_match *match)
{
	const struct row *row;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) && (i || may_fit(text, len)); i++) {
		row = &rows[i];
		memset(match, 0, sizeof(*match));
		if (!fits(row->pattern, text, len, match))
			continue;
		match->kind = row->kind;
		match->code = row->code;
		match->runbook = row->runbook;
		match->error = row->error;
		return true;
	}
	memset(match, 0, sizeof(*match));
	match->code = match->runbook = "";
	return false;
}

char *log_capture_dup(const struct log_match *match, size_t i)
{
	if (i >= match->n_captures)
		return mem_strdup("");
	return mem_strndup(match->captures[i].s, match->captures[i].len);
}
