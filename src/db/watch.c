/*
 * Watching: one round of questions after another. A round is up to three queries sent together:
 * facts, sessions (unless brief) and, when the table was there last time, the version rows. Owns the rhythm and the
 * snapshot until it is handed over.
 */
#include <pgoncall/db/watch.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/query.h>

#include "build.h"
#include "progress.h"

/* Server time we allow ourselves: 5 ms of each second, of which the facts and versions take one. */
#define WATCH_BUDGET_MS 4
/* The longest that a slow server makes us wait between two pictures: acts want a fresh one. */
#define WATCH_SLOWEST_MS 8000

/* Planning these takes longer than running them, so it is done once for the connection. */
#define WATCH_FACTS    "pgoncall_facts"
#define WATCH_SESSIONS "pgoncall_sessions"

/* How an answer about the version rows is to be read. */
static const struct version_fault {
	const char *sqlstate;
	enum db_version_table table;
} version_faults[] = {
	{ "42P01", DB_VERSION_TABLE_MISSING }, /* undefined_table */
	{ "3F000", DB_VERSION_TABLE_MISSING }, /* invalid_schema_name */
	{ "42501", DB_VERSION_TABLE_DENIED },  /* insufficient_privilege */
	{ "55P03", DB_VERSION_TABLE_LOCKED },  /* lock_not_available */
	{ "57014", DB_VERSION_TABLE_LOCKED },  /* query_canceled */
};

struct db_watch {
	struct db_conn *conn;
	struct loop_timer *timer;
	db_watch_cb cb;
	void *arg;
	int interval_ms;
	int acting_pid;
	char *schema, *table; /* of the versions; table "": none is asked for */
	bool stopped;
	bool brief;    /* sessions are not asked for */
	bool plain;    /* prepared statements do not last here (a pooler): send the text each time */
	bool prepared; /* they are there */
	int open; /* answers awaited, and one while a round is being put together */

	/* The round under way. */
	bool asking;
	bool again; /* db_watch_refresh came meanwhile */
	bool asked_versions;
	int64_t begun; /* monotonic, ns */
	struct db_snapshot *snapshot;
	struct err err; /* the first thing that failed */

	/* Of the last round. */
	bool had_versions; /* the version table could be read */
	int last_ms;
	double last_server_ms;
	struct progress_memory progress;
};

static void watch_ask(struct db_watch *watch);
static void watch_done(struct db_watch *watch);

static void watch_free(struct db_watch *watch)
{
	db_snapshot_free(watch->snapshot);
	progress_fini(&watch->progress);
	free(watch->schema);
	free(watch->table);
	free(watch);
}

static void watch_fail(struct db_watch *watch, const struct err *err)
{
	if (watch->err.code == ERR_OK)
		watch->err = *err;
}

static void watch_on_versions(void *arg, const struct db_result *result, const struct err *err)
{
	struct db_watch *watch = arg;
	const char *sqlstate;
	size_t i;

	if (watch->stopped || watch->snapshot->version_table == DB_VERSION_TABLE_NOT_ASKED) {
		/* The round failed as a whole. */
	} else if (result) {
		watch->snapshot->version_table = DB_VERSION_TABLE_FOUND;
		build_versions(watch->snapshot, result);
	} else if (watch->snapshot->version_table == DB_VERSION_TABLE_FOUND) {
		sqlstate = db_conn_sqlstate(watch->conn);
		watch->snapshot->version_table = DB_VERSION_TABLE_FAILED;
		for (i = 0; i < sizeof(version_faults) / sizeof(version_faults[0]); i++)
			if (strcmp(version_faults[i].sqlstate, sqlstate) == 0)
				watch->snapshot->version_table = version_faults[i].table;
		if (!db_conn_is_up(watch->conn))
			watch_fail(watch, err);
	}
	watch_done(watch);
}

static void watch_ask_versions(struct db_watch *watch)
{
	struct buf sql = BUF_INIT;
	struct db_query query = { NULL, NULL, 0 };

	watch->asked_versions = true;
	watch->open++;
	db_query_versions(&sql, watch->schema, watch->table);
	query.sql = buf_str(&sql);
	db_conn_query(watch->conn, &query, watch_on_versions, watch);
	buf_fini(&sql);
}

/* 26000: the statement is not there, so the connection is not always to the same backend. (42P05, it
 * is there already, comes where a watch was on this connection before; its text was the same.) */
static void watch_note_pooler(struct db_watch *watch)
{
	const char *sqlstate = db_conn_sqlstate(watch->conn);

	if (watch->plain || strcmp(sqlstate, "26000") != 0)
		return;
	watch->plain = true;
	watch->again = true;
}

static void watch_on_facts(void *arg, const struct db_result *result, const struct err *err)
{
	struct db_watch *watch = arg;
	struct err shape;

	if (watch->stopped) {
		/* Nobody wants it any more. */
	} else if (!result) {
		watch_note_pooler(watch);
		watch_fail(watch, err);
	} else if (build_facts(watch->snapshot, result, &shape) < 0) {
		watch_fail(watch, &shape);
	} else if (!watch->table[0]) {
		watch->snapshot->version_table = DB_VERSION_TABLE_NOT_ASKED;
	} else if (watch->snapshot->version_table == DB_VERSION_TABLE_FOUND &&
		   !watch->asked_versions) {
		watch_ask_versions(watch);
	}
	watch_done(watch);
}

static void watch_on_sessions(void *arg, const struct db_result *result, const struct err *err)
{
	struct db_watch *watch = arg;
	struct err shape;

	if (!watch->stopped && !result) {
		watch_note_pooler(watch);
		watch_fail(watch, err);
	} else if (!watch->stopped && build_sessions(watch->snapshot, result, &shape) < 0) {
		watch_fail(watch, &shape);
	}
	watch_done(watch);
}

/* Sets when the next round begins. */
static void watch_schedule(struct db_watch *watch)
{
	int delay = db_watch_interval_ms(watch) - watch->last_ms;

	if (watch->again)
		delay = 0;
	else if (!watch->interval_ms)
		return;
	watch->again = false;
	loop_timer_again(watch->timer, delay, 0);
}

static void watch_deliver(struct db_watch *watch)
{
	struct db_snapshot *snapshot = watch->snapshot;
	int64_t now = clock_monotonic();

	watch->snapshot = NULL;
	watch->last_ms = (int)((now - watch->begun) / CLOCK_NS_PER_MS);
	if (watch->err.code != ERR_OK && watch->plain && watch->again) {
		/* The same question again, in full, before anybody hears of it. */
		db_snapshot_free(snapshot);
		return;
	}
	if (watch->err.code != ERR_OK) {
		db_snapshot_free(snapshot);
		watch->cb(watch->arg, NULL, &watch->err);
		return;
	}
	build_fold(snapshot, db_conn_backend_pid(watch->conn), watch->acting_pid);
	snapshot->at_monotonic = now;
	snapshot->at_wall = clock_wall();
	snapshot->duration_ms = (double)(now - watch->begun) / (double)CLOCK_NS_PER_MS;
	watch->had_versions = snapshot->version_table == DB_VERSION_TABLE_FOUND;
	watch->last_server_ms = snapshot->server_ms;
	progress_estimate(&watch->progress, snapshot, now);
	watch->cb(watch->arg, snapshot, NULL);
}

/* One awaited answer less; with the last one the round ends. */
static void watch_done(struct db_watch *watch)
{
	if (--watch->open)
		return;
	if (!watch->stopped) {
		watch->open = 1; /* the callback may stop us */
		watch_deliver(watch);
		watch->open = 0;
		watch->asking = false;
	}
	if (watch->stopped)
		watch_free(watch);
	else
		watch_schedule(watch);
}

static void watch_on_prepared(void *arg, const struct db_result *result, const struct err *err)
{
	/* What could not be prepared cannot be executed, and that answer says so. */
	(void)result;
	(void)err;
	watch_done(arg);
}

static void watch_send_text(struct db_watch *watch, const char *sql, db_result_cb cb)
{
	const struct db_query query = { sql, NULL, 0 };

	watch->open++;
	db_conn_query(watch->conn, &query, cb, watch);
}

static void watch_prepare(struct db_watch *watch, const char *name, const char *sql)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "PREPARE %s (text, text) AS %s", name, sql);
	watch_send_text(watch, buf_str(&text), watch_on_prepared);
	buf_fini(&text);
}

static void watch_execute(struct db_watch *watch, const char *name, db_result_cb cb)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "EXECUTE %s (", name);
	db_quote_literal(&text, watch->schema);
	buf_add_str(&text, ", ");
	db_quote_literal(&text, watch->table);
	buf_add_char(&text, ')');
	watch_send_text(watch, buf_str(&text), cb);
	buf_fini(&text);
}

static void watch_send(struct db_watch *watch, const char *sql, db_result_cb cb)
{
	const char *const params[] = { watch->schema, watch->table };
	const struct db_query query = { sql, params, 2 };

	watch->open++;
	db_conn_query(watch->conn, &query, cb, watch);
}

/* Everything goes out together: preparing costs no round trip. */
static void watch_send_round(struct db_watch *watch)
{
	struct buf sessions = BUF_INIT;

	if (!watch->brief && (watch->plain || !watch->prepared))
		db_query_sessions_for(&sessions, db_conn_version_num(watch->conn));
	if (watch->brief) {
		watch_send(watch, db_query_brief, watch_on_facts);
	} else if (watch->plain) {
		watch_send(watch, db_query_facts, watch_on_facts);
		watch_send(watch, buf_str(&sessions), watch_on_sessions);
	} else {
		if (!watch->prepared) {
			watch_send_text(watch, "SET plan_cache_mode = force_generic_plan",
				watch_on_prepared);
			watch_prepare(watch, WATCH_FACTS, db_query_facts);
			watch_prepare(watch, WATCH_SESSIONS, buf_str(&sessions));
		}
		watch_execute(watch, WATCH_FACTS, watch_on_facts);
		watch_execute(watch, WATCH_SESSIONS, watch_on_sessions);
		watch->prepared = true;
	}
	buf_fini(&sessions);
	if (watch->had_versions)
		watch_ask_versions(watch);
}

static void watch_ask(struct db_watch *watch)
{
	int version = db_conn_version_num(watch->conn);

	watch->asking = true;
	watch->asked_versions = false;
	watch->begun = clock_monotonic();
	watch->snapshot = db_snapshot_new();
	err_clear(&watch->err);
	watch->open = 1;
	if (db_conn_is_up(watch->conn) && version < DB_VERSION_MIN) {
		err_set(&watch->err, ERR_DATABASE,
			"PostgreSQL %d is too old: pgoncall watches version %d and later",
			version / 10000, DB_VERSION_MIN / 10000);
	} else {
		watch_send_round(watch);
	}
	watch_done(watch);
}

static void watch_on_timer(struct loop_timer *timer, void *arg)
{
	(void)timer;
	watch_ask(arg);
}

struct db_watch *db_watch_start(struct loop *loop, struct db_conn *conn,
	const struct db_watch_options *options, db_watch_cb cb, void *arg)
{
	struct db_watch *watch = mem_calloc(1, sizeof(*watch));

	watch->conn = conn;
	watch->cb = cb;
	watch->arg = arg;
	watch->interval_ms = options->interval_ms;
	watch->brief = options->brief;
	db_version_table_split(options->version_table ? options->version_table : "", &watch->schema,
		&watch->table);
	watch->timer = loop_timer_start(loop, 0, 0, watch_on_timer, watch);
	return watch;
}

void db_watch_stop(struct db_watch *watch)
{
	if (!watch || watch->stopped)
		return;
	watch->stopped = true;
	loop_timer_stop(watch->timer);
	if (!watch->open)
		watch_free(watch);
}

void db_watch_refresh(struct db_watch *watch)
{
	if (watch->asking)
		watch->again = true;
	else
		loop_timer_again(watch->timer, 0, 0);
}

void db_watch_set_interval(struct db_watch *watch, int interval_ms)
{
	watch->interval_ms = interval_ms;
	/* Paused: the timer is put off for weeks. */
	if (!watch->asking)
		loop_timer_again(watch->timer, interval_ms ? interval_ms : INT32_MAX, 0);
}

/* Never busy more than half of the time, and within the server time allowed. */
int db_watch_interval_ms(const struct db_watch *watch)
{
	int interval = watch->interval_ms;
	double least = watch->last_server_ms * 1000 / WATCH_BUDGET_MS;

	if (!interval)
		return 0;
	if (least > WATCH_SLOWEST_MS)
		least = WATCH_SLOWEST_MS;
	if (interval < (int)least)
		interval = (int)least;
	return interval > 2 * watch->last_ms ? interval : 2 * watch->last_ms;
}

void db_watch_set_acting_pid(struct db_watch *watch, int pid)
{
	watch->acting_pid = pid;
}
