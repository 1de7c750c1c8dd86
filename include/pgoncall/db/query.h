/*
 * The SQL of a snapshot, in one place, and the quoting of what is shown as SQL; the statements of the
 * guarded acts stand in action.c, those of schema facts in schema.c. Every statement's comment says
 * its cost and the server versions it serves. None of a snapshot's touches a user's table but the
 * version table, and none can queue behind a lock on one: names come from pg_class, never from
 * regclass or a size function.
 */
#ifndef PGONCALL_DB_QUERY_H
#define PGONCALL_DB_QUERY_H

#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>

/* Oldest server the queries serve: 13. */
#define DB_VERSION_MIN 130000

/* Waiters whose blockers are asked for in one snapshot: of each queue those that wait longest. */
#define DB_WAITERS_MAX 40
/* Locks listed for one session, strongest first. */
#define DB_HOLDS_MAX 30

/* Columns of the facts' one row. */
enum db_facts_col {
	DB_FACTS_AT,
	DB_FACTS_VERSION,
	DB_FACTS_VERSION_NUM,
	DB_FACTS_STANDBY,
	DB_FACTS_ROLE,
	DB_FACTS_SUPERUSER,
	DB_FACTS_SEE_ALL,
	DB_FACTS_MAY_SIGNAL,
	DB_FACTS_MAX_CONNECTIONS,
	DB_FACTS_RESERVED,
	DB_FACTS_USED,
	DB_FACTS_TABLE,          /* "t": the version table exists */
	DB_FACTS_TABLE_READABLE, /* "t": and we may read it */
	DB_FACTS_TABLE_LOCKED,   /* "t": somebody holds or awaits AccessExclusive on it */
	DB_FACTS_DATABASE,
	DB_FACTS_XMIN_KIND, /* "backend", "prepared", "slot", "standby"; NULL: nobody holds one */
	DB_FACTS_XMIN_NAME, /* pid, gid, slot or application name */
	DB_FACTS_XMIN_AGE,  /* transactions */
	DB_FACTS_REPLICAS,  /* standbys and other receivers connected to it */
	DB_FACTS_LAG,       /* s: the slowest of them, or, on a standby, its own */
	DB_FACTS_LAG_BYTES, /* WAL the slowest has not replayed */
	DB_FACTS_COLS
};

/* Columns of a session's row; prepared transactions are rows with pid 0. */
enum db_session_col {
	DB_SESSION_PID,
	DB_SESSION_LEADER,
	DB_SESSION_GID,
	DB_SESSION_BACKEND_START,
	DB_SESSION_XACT_START,
	DB_SESSION_QUERY_START,
	DB_SESSION_USER,
	DB_SESSION_DATABASE,
	DB_SESSION_APPLICATION,
	DB_SESSION_CLIENT,
	DB_SESSION_BACKEND_TYPE,
	DB_SESSION_STATE,
	DB_SESSION_WAIT_EVENT_TYPE,
	DB_SESSION_WAIT_EVENT,
	DB_SESSION_QUERY,
	DB_SESSION_BACKEND_AGE,
	DB_SESSION_XACT_AGE,
	DB_SESSION_QUERY_AGE,
	DB_SESSION_STATE_AGE,
	DB_SESSION_WAIT_AGE,
	DB_SESSION_SUPERUSER,
	DB_SESSION_MEMBER,
	DB_SESSION_VERSION_LOCK, /* strongest mode held on the version table */
	DB_SESSION_PROGRESS, /* "CREATE INDEX: building index: scanning table" */
	DB_SESSION_PROGRESS_DONE,
	DB_SESSION_PROGRESS_TOTAL,
	DB_SESSION_WAITS_MODE,
	DB_SESSION_WAITS_FOR,
	DB_SESSION_BLOCKED_BY, /* int[] */
	DB_SESSION_GIDS,  /* text[] of "mode gid": prepared transactions that hold what it awaits */
	DB_SESSION_HOLDS, /* text[] of "mode what" */
	DB_SESSION_SERVER_MS, /* time the server spent on the statement so far */
	DB_SESSION_COLS
};

/* All take $1 schema of the version table ("": by search path) and $2 its name. */
extern const char db_query_facts[];
/* Columns as of the facts; the version table, role, database and server are told, the rest is NULL. */
extern const char db_query_brief[];
extern const char db_query_sessions[];
/* Appends the statement for sessions as a server of that version understands it. */
void db_query_sessions_for(struct buf *out, int version_num);

/* A version table as configured, "alembic_version" or "schema.alembic_version", in two parts the
 * caller frees. Identifiers are taken as written, as Alembic does. */
void db_version_table_split(const char *table, char **schema, char **name);
/* Appends the statement that reads its rows. */
void db_query_versions(struct buf *out, const char *schema, const char *name);

/* Appends a string literal or an identifier that PostgreSQL reads back as s, whatever s holds and
 * whatever standard_conforming_strings says. */
void db_quote_literal(struct buf *out, const char *s);
void db_quote_ident(struct buf *out, const char *s);

#endif
