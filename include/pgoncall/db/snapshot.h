/*
 * One picture of the server's sessions: what pg_stat_activity, pg_locks and pg_prepared_xacts said
 * at one moment. Built by db, const afterwards; the models of other layers are made from it.
 *
 * Every string is owned by the snapshot, is as the server sent it (UTF-8, not sanitised) and is
 * never NULL: what the server does not tell is "". Moments are texts in UTC with microseconds exactly
 * as PostgreSQL prints a timestamptz ("2025-01-27 10:00:00.123456+00"), because they are sent back
 * as identity. Ages are seconds by the server's clock, NAN where there is none.
 */
#ifndef PGONCALL_DB_SNAPSHOT_H
#define PGONCALL_DB_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/str.h>

/* A lock held or awaited. mode is without the "Lock" suffix ("AccessExclusive"); relation is the
 * schema-qualified name where public is left out, or what is locked otherwise ("transaction 814",
 * "transaction 814 (row of users)", "advisory 1:2", "relation 16752" for one not committed yet,
 * "database shop relation 16752" for another database's). */
struct db_lock {
	char *mode;
	char *relation;
};

struct db_session {
	int pid;        /* 0: a prepared transaction, named by `gid` */
	int leader_pid; /* of a parallel worker; else 0 */
	char *gid;      /* global identifier of a prepared transaction, else "" */
	char *backend_start;
	char *xact_start;
	char *query_start;
	char *user;
	char *database;
	char *application;
	char *client;       /* address, or "" for a local socket */
	char *backend_type; /* "client backend", "autovacuum worker", … */
	char *state;        /* "active", "idle in transaction", … */
	char *wait_event_type;
	char *wait_event;
	char *query;
	double backend_age_s;
	double xact_age_s;
	double query_age_s;
	double state_age_s;
	double wait_age_s; /* since pg_locks.waitstart, else since query_start; NAN: not waiting */
	bool superuser;    /* the session's role is one */
	bool member;       /* we have the privileges of the session's role, or are superuser */
	bool hidden;       /* the server masks state, query and times from our role */
	bool ours;         /* our own acting connection; listed only while in a tree */
	char *version_lock; /* strongest mode it holds on the version table ("RowExclusive"), or "" */
	char *progress;     /* "CREATE INDEX: building index 42 %", or "" */
	double progress_ratio;  /* 0 to 1 of the phase it is in; NAN: it counts nothing */
	double progress_left_s; /* to the end of that phase at the pace seen; NAN: not known yet */
	double progress_done;   /* in the phase's own unit */
	bool migration;     /* looks like Alembic's backend: see db_session_is_migration */
	int *blocked_by;    /* pids (0: prepared), each once, workers folded into leaders */
	size_t n_blocked_by;
	struct strlist blocked_by_gids; /* which prepared transactions the 0 in it stands for */
	struct db_lock waits_for;       /* mode "" when it waits for no lock */
	/* Relation and advisory locks granted, strongest first, the strongest on each object; only for
	 * sessions in a tree and prepared transactions. */
	struct db_lock *holds;
	size_t n_holds;

	/* Filled in by the lock tree. */
	int depth;     /* 0: root or in no tree */
	int root;      /* pid of the root it waits behind, its own pid for a root, -1: in no tree */
	bool is_root;  /* blocks somebody and waits for nobody */
	size_t parent; /* index in sessions of the blocker it stands under, or SIZE_MAX */
	size_t root_index; /* index in sessions of its root, or SIZE_MAX: in no tree */
	size_t n_behind;   /* sessions that wait behind it, at any depth */
};

struct db_server {
	char *version;   /* "15.8" */
	int version_num; /* 150008 */
	bool standby;    /* in recovery */
	bool see_all;    /* superuser or member of pg_read_all_stats: no row is masked */
	bool may_signal; /* superuser or member of pg_signal_backend */
	bool superuser;
	char *role;     /* current_user */
	char *database; /* current_database() */
	int max_connections;
	int reserved_connections; /* superuser_reserved_connections (+ reserved_connections from 16) */
	int used_connections;     /* client backends, as far as they are counted for us */
	/* Who keeps VACUUM from removing rows: "backend" (name: its pid), "prepared" (gid), "slot",
	 * "standby" (application name); "": nobody. */
	char *xmin_kind, *xmin_name;
	long xmin_age;    /* transactions */
	int replicas;     /* receivers connected to it */
	double lag_s;     /* of the slowest receiver, or, on a standby, its own; NAN: not known */
	double lag_bytes; /* WAL the slowest receiver has not replayed; NAN: not known */
};

/* The version table's rows, asked in the same round trip. */
enum db_version_table {
	DB_VERSION_TABLE_FOUND,
	DB_VERSION_TABLE_MISSING,
	DB_VERSION_TABLE_DENIED,    /* our role may not read it */
	DB_VERSION_TABLE_LOCKED,    /* somebody holds AccessExclusive on it: rows not known now */
	DB_VERSION_TABLE_NOT_ASKED, /* none is configured */
	DB_VERSION_TABLE_FAILED     /* it is there, but is not Alembic's (no version_num) */
};

struct db_snapshot {
	int64_t at_wall;      /* our wall clock when the answer came, ns */
	int64_t at_monotonic; /* our monotonic clock then, ns */
	char *at;             /* the server's clock_timestamp(), text as above */
	struct db_server server;
	struct db_session
		*sessions; /* client backends and what takes part in a tree, not ourselves */
	size_t n_sessions;
	size_t n_hidden; /* of them, those the server masks from our role */
	enum db_version_table version_table;
	struct strlist versions; /* version_num of each row */
	double duration_ms;      /* of the round trip(s) */
	double server_ms;        /* of them, what the server spent on the sessions */
};

/* NULL is allowed. */
void db_snapshot_free(struct db_snapshot *snapshot);
/* NULL where no session has this pid. */
const struct db_session *db_snapshot_find(const struct db_snapshot *snapshot, int pid);

/* A zeroed session whose strings are all "" and whose ages are NAN, appended; tests build snapshots
 * with it. The pointer is valid until the next one is added. */
struct db_snapshot *db_snapshot_new(void);
struct db_session *db_snapshot_add(struct db_snapshot *snapshot);
/* Replaces an owned string of a session or server. */
void db_snapshot_set(char **field, const char *value);
/* Adds an edge, once. */
void db_session_add_blocker(struct db_session *session, int pid);

/* Whether the session looks like Alembic's backend; the rules stand beside its code. Pure. */
bool db_session_is_migration(const struct db_session *session);
/* Whether the text begins, after comments, with a statement that changes the schema. */
bool db_query_is_ddl(const char *query);

/* Strength of a lock mode without the "Lock" suffix, 1 AccessShare … 8 AccessExclusive, 0 for what
 * is none; and whether two modes conflict (PostgreSQL manual, table 13.2). */
int db_lock_strength(const char *mode);
bool db_lock_conflicts(const char *a, const char *b);

#endif
