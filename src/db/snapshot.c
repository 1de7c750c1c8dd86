/*
 * The snapshot as data: making, finding, freeing; lock modes; and what makes a session look like a
 * migration. Owns no connection; filling one from the server's answer is build.c's.
 */
#include <pgoncall/db/snapshot.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <pgoncall/base/mem.h>

#include "build.h"

struct db_snapshot *db_snapshot_new(void)
{
	struct db_snapshot *snapshot = mem_calloc(1, sizeof(*snapshot));

	snapshot->at = mem_strdup("");
	snapshot->server.version = mem_strdup("");
	snapshot->server.role = mem_strdup("");
	snapshot->server.database = mem_strdup("");
	snapshot->server.xmin_kind = mem_strdup("");
	snapshot->server.xmin_name = mem_strdup("");
	snapshot->server.lag_s = snapshot->server.lag_bytes = NAN;
	snapshot->version_table = DB_VERSION_TABLE_NOT_ASKED;
	return snapshot;
}

/* The owned strings of a session, for one loop instead of twenty lines in three places. */
#define SESSION_STRINGS 17

static void session_strings(struct db_session *session, char **fields[SESSION_STRINGS])
{
	char **const all[SESSION_STRINGS] = { &session->gid, &session->backend_start,
		&session->xact_start, &session->query_start, &session->user, &session->database,
		&session->application, &session->client, &session->backend_type, &session->state,
		&session->wait_event_type, &session->wait_event, &session->query,
		&session->version_lock, &session->progress, &session->waits_for.mode,
		&session->waits_for.relation };

	memcpy(fields, all, sizeof(all));
}

struct db_session *db_snapshot_add(struct db_snapshot *snapshot)
{
	char **fields[SESSION_STRINGS];
	struct db_session *session;
	size_t i;

	/* Doubled at powers of two: no capacity need be kept. */
	if ((snapshot->n_sessions & (snapshot->n_sessions - 1)) == 0)
		snapshot->sessions = mem_realloc(snapshot->sessions,
			snapshot->n_sessions ? 2 * snapshot->n_sessions : 1,
			sizeof(*snapshot->sessions));
	session = &snapshot->sessions[snapshot->n_sessions++];
	memset(session, 0, sizeof(*session));
	session_strings(session, fields);
	for (i = 0; i < SESSION_STRINGS; i++)
		*fields[i] = mem_strdup("");
	session->backend_age_s = session->xact_age_s = session->query_age_s = NAN;
	session->state_age_s = session->wait_age_s = NAN;
	session->progress_ratio = session->progress_left_s = NAN;
	session->root = -1;
	session->parent = session->root_index = SIZE_MAX;
	return session;
}

void db_snapshot_set(char **field, const char *value)
{
	char *copy = mem_strdup(value);

	free(*field);
	*field = copy;
}

void db_session_add_blocker(struct db_session *session, int pid)
{
	size_t i;

	for (i = 0; i < session->n_blocked_by; i++)
		if (session->blocked_by[i] == pid)
			return;
	session->blocked_by = mem_realloc(
		session->blocked_by, session->n_blocked_by + 1, sizeof(*session->blocked_by));
	session->blocked_by[session->n_blocked_by++] = pid;
}

void session_fini(struct db_session *session)
{
	char **fields[SESSION_STRINGS];
	size_t i;

	session_strings(session, fields);
	for (i = 0; i < SESSION_STRINGS; i++)
		free(*fields[i]);
	for (i = 0; i < session->n_holds; i++) {
		free(session->holds[i].mode);
		free(session->holds[i].relation);
	}
	free(session->holds);
	free(session->blocked_by);
	strlist_fini(&session->blocked_by_gids);
}

void db_snapshot_free(struct db_snapshot *snapshot)
{
	size_t i;

	if (!snapshot)
		return;
	for (i = 0; i < snapshot->n_sessions; i++)
		session_fini(&snapshot->sessions[i]);
	free(snapshot->sessions);
	free(snapshot->at);
	free(snapshot->server.version);
	free(snapshot->server.role);
	free(snapshot->server.database);
	free(snapshot->server.xmin_kind);
	free(snapshot->server.xmin_name);
	strlist_fini(&snapshot->versions);
	free(snapshot);
}

const struct db_session *db_snapshot_find(const struct db_snapshot *snapshot, int pid)
{
	size_t i;

	for (i = 0; i < snapshot->n_sessions; i++)
		if (snapshot->sessions[i].pid == pid)
			return &snapshot->sessions[i];
	return NULL;
}

/* --- lock modes ------------------------------------------------------------------------------- */

/* From the weakest; conflicts: bit n is set for the mode in row n. Source: PostgreSQL manual,
 * "Table-Level Locks", table 13.2. */
static const struct lock_mode {
	const char *name;
	unsigned conflicts;
} lock_modes[] = {
	{ "AccessShare", 1 << 7 },
	{ "RowShare", 1 << 6 | 1 << 7 },
	{ "RowExclusive", 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 },
	{ "ShareUpdateExclusive", 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 },
	{ "Share", 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 },
	{ "ShareRowExclusive", 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 },
	{ "Exclusive", 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 },
	{ "AccessExclusive",
		1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 },
};

int db_lock_strength(const char *mode)
{
	size_t i;

	for (i = 0; i < sizeof(lock_modes) / sizeof(lock_modes[0]); i++)
		if (strcmp(lock_modes[i].name, mode) == 0)
			return (int)i + 1;
	return 0;
}

bool db_lock_conflicts(const char *a, const char *b)
{
	int x = db_lock_strength(a), y = db_lock_strength(b);

	return x && y && lock_modes[x - 1].conflicts >> (y - 1) & 1;
}

/* --- migrations ------------------------------------------------------------------------------- */

/* The first byte of the statement, after white space and comments. */
static const char *query_skip(const char *s)
{
	for (;;) {
		s += strspn(s, " \t\r\n\f\v;(");
		if (s[0] == '-' && s[1] == '-') {
			s += strcspn(s, "\n");
		} else if (s[0] == '/' && s[1] == '*') {
			const char *end = strstr(s + 2, "*/");

			s = end ? end + 2 : s + strlen(s);
		} else {
			return s;
		}
	}
}

/* Whether the word is next, whatever its case; *rest is then behind it. */
static bool query_word(const char *s, const char *word, const char **rest)
{
	size_t len = strlen(word);

	if (strncasecmp(s, word, len) != 0 || (s[len] && !strchr(" \t\r\n\f\v(;/-\"", s[len])))
		return false;
	*rest = query_skip(s + len);
	return true;
}

bool db_query_is_ddl(const char *query)
{
	static const char *const words[] = { "ALTER", "CREATE", "DROP", "REINDEX", "COMMENT" };
	static const char *const not_schema[] = { "TEMP", "TEMPORARY", "ROLE", "USER", "DATABASE",
		"SYSTEM" };
	const char *rest = query_skip(query), *after;
	bool found = false;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]) && !found; i++)
		found = query_word(rest, words[i], &rest);
	for (i = 0; i < sizeof(not_schema) / sizeof(not_schema[0]) && found; i++)
		found = !query_word(rest, not_schema[i], &after);
	return found;
}

/* Tools with which people work by hand: their DDL is no migration of itself. */
static bool session_is_tool(const struct db_session *session)
{
	static const char *const tools[] = { "psql", "pgAdmin", "DBeaver", "DataGrip", "pg_dump",
		"pg_restore", "pgcli", "pgoncall" };
	size_t i;

	for (i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (strncasecmp(session->application, tools[i], strlen(tools[i])) == 0)
			return true;
	return false;
}

/*
 * The signs, the surest first. Alembic names itself nowhere: its application_name is whatever the
 * application's engine sets, by default "".
 *   1. an application_name with "alembic" in it;
 *   2. a lock on the version table that a reader does not take (it writes its row there);
 *   3. the query shown writes to alembic_version;
 *   4. it changes the schema while it holds the lock of a reader on the version table: Alembic read
 *      its row in the same transaction (the default);
 *   5. it changes the schema and is none of the tools people type into (transaction_per_migration and
 *      autocommit_block hold no lock on the version table).
 * A session that only reads the version table (`alembic current`, a health check) is none. The price
 * of 5: an application that creates its tables when it starts is taken for one.
 */
bool db_session_is_migration(const struct db_session *session)
{
	bool ddl = db_query_is_ddl(session->query);
	const char *rest = query_skip(session->query);

	if (session->ours || session->pid == 0)
		return false;
	if (session->backend_type[0] && strcmp(session->backend_type, "client backend") != 0)
		return false;
	if (str_contains_nocase(session->application, "alembic"))
		return true;
	if (db_lock_strength(session->version_lock) >= db_lock_strength("RowExclusive"))
		return true;
	if (str_contains_nocase(rest, "alembic_version") &&
		(query_word(rest, "UPDATE", &rest) || query_word(rest, "INSERT", &rest) ||
			query_word(rest, "DELETE", &rest)))
		return true;
	return ddl && (session->version_lock[0] || !session_is_tool(session));
}
