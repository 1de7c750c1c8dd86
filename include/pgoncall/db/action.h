/*
 * Guarded acts on one session: cancel its query, terminate it, roll a prepared transaction back. An
 * act hits exactly the session that was looked at, or nothing: identity is part of the statement.
 * What came of it is looked at, not assumed. Whether writes are allowed at all is not decided here.
 */
#ifndef PGONCALL_DB_ACTION_H
#define PGONCALL_DB_ACTION_H

#include <pgoncall/base/err.h>
#include <pgoncall/db/conn.h>
#include <pgoncall/db/snapshot.h>

enum db_action_kind { DB_ACTION_CANCEL, DB_ACTION_TERMINATE, DB_ACTION_ROLLBACK_PREPARED };

enum db_action_result {
	DB_ACTION_ENDED,   /* the query, session or prepared transaction is gone: it was looked */
	DB_ACTION_CHANGED, /* it was not the same any more; nothing was done */
	DB_ACTION_STILL_THERE, /* the signal was sent, but after 5 s it goes on */
	DB_ACTION_REFUSED, /* the server lacks a permission of ours; the sentence names the role */
	DB_ACTION_FAILED,  /* the server answered with another error; nothing was done */
	DB_ACTION_UNKNOWN  /* the connection broke before we knew: look before doing it again */
};

/* A prepared act; the strings are owned. */
struct db_action {
	enum db_action_kind kind;
	int pid; /* 0 for a prepared transaction */
	char *gid;
	char *backend_start;
	char *xact_start; /* "": not in a transaction */
	char *query_start;
	char *shown; /* the statement with its values, as the operator sees and may copy it */
};

/* Copies the target's identity and writes the statement for a server of that version. */
void db_action_prepare(struct db_action *action, enum db_action_kind kind,
	const struct db_session *target, int version_num);
void db_action_fini(struct db_action *action);

/* Whether it makes sense and would be permitted, as far as the snapshot tells; else -1 with
 * ERR_REFUSED and the reason. Pure. */
int db_action_check(const struct db_server *server, const struct db_session *target,
	enum db_action_kind kind, struct err *err);

typedef void (*db_action_cb)(void *arg, enum db_action_result result, const char *sentence);

/* Copies the action. Called once; also, with DB_ACTION_UNKNOWN, when the connection is closed or lost
 * on the way. The connection's statement_timeout must be more than 6 s. */
void db_action_run(
	struct db_conn *conn, const struct db_action *action, db_action_cb cb, void *arg);

/* "cancel", "terminate", "roll back": the verb the operator types. */
const char *db_action_verb(enum db_action_kind kind);
/* "ended", "changed", "still-there", "refused", "failed", "unknown". */
const char *db_action_result_name(enum db_action_result result);

#endif
