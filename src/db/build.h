/*
 * Building a snapshot: from the server's rows, then tidied. Private to db.
 */
#ifndef DB_BUILD_H
#define DB_BUILD_H

#include <pgoncall/base/err.h>
#include <pgoncall/db/conn.h>
#include <pgoncall/db/snapshot.h>

/* The rows of db_query_facts and db_query_sessions. -1: not of the shape expected. */
int build_facts(struct db_snapshot *snapshot, const struct db_result *result, struct err *err);
int build_sessions(struct db_snapshot *snapshot, const struct db_result *result, struct err *err);
void build_versions(struct db_snapshot *snapshot, const struct db_result *result);

/*
 * Makes the picture out of the rows: parallel workers become part of their leader; waiters beyond the
 * cap get the blockers of one that waits for the same; ourselves are left out (own_pid always, the
 * acting connection unless it is in a tree), as are processes that are no client's and in no tree;
 * then the marks are set. Pure.
 */
void build_fold(struct db_snapshot *snapshot, int own_pid, int acting_pid);

/* Frees what a session owns; of snapshot.c. */
void session_fini(struct db_session *session);

#endif
