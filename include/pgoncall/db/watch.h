/*
 * Watching: asks for a snapshot again and again over one connection, never two at a time, and slows
 * down by itself when answers take long. Owns no connection.
 */
#ifndef PGONCALL_DB_WATCH_H
#define PGONCALL_DB_WATCH_H

#include <stdbool.h>

#include <pgoncall/base/err.h>
#include <pgoncall/db/conn.h>
#include <pgoncall/db/snapshot.h>
#include <pgoncall/loop/loop.h>

struct db_watch;

/* Exactly one of them: a snapshot, which the callee owns from now on, or why there is none. The
 * watch goes on after an error; once the connection is down its owner stops the watch. The callback
 * may stop it, too. */
typedef void (*db_watch_cb)(void *arg, struct db_snapshot *snapshot_take, const struct err *err);

struct db_watch_options {
	int interval_ms;           /* 0: only on db_watch_refresh */
	const char *version_table; /* copied; NULL or "": none is asked for */
	/* No sessions, and of the facts only those of the version table, role, database and server. */
	bool brief;
};

/* The connection must be up; the first question is sent with the loop's next turn. The watch must be
 * stopped before the connection is closed. */
struct db_watch *db_watch_start(struct loop *loop, struct db_conn *conn,
	const struct db_watch_options *options, db_watch_cb cb, void *arg);
/* NULL is allowed. */
void db_watch_stop(struct db_watch *watch);

/* Asks now; while an answer is under way, once more as soon as it came. */
void db_watch_refresh(struct db_watch *watch);
/* 0 pauses. */
void db_watch_set_interval(struct db_watch *watch, int interval_ms);
/* The interval in use now, longer than the one set where the server answers slowly; 0: paused. */
int db_watch_interval_ms(const struct db_watch *watch);
/* The backend of our acting connection, to be left out of the picture; 0: none. */
void db_watch_set_acting_pid(struct db_watch *watch, int pid);

#endif
