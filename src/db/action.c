/*
 * Guarded acts. Owns their statements and the looking afterwards; the pre-check is action_check.c's.
 *
 * A run is a chain of queries on one connection, so that one is always under way: when the connection
 * ends, its callback tells us. Waiting between two looks is done by the server (pg_sleep), for the
 * same reason.
 */
#include <pgoncall/db/action.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/query.h>

/* How long a session is given to end. */
#define ACTION_PATIENCE_MS 5000

/* --- statements ------------------------------------------------------------------------------- */

/*
 * The signals. $1 pid, $2 backend_start, $3 xact_start, $4 query_start (NULL: none). One row: the
 * signal was sent to exactly that session; none: it is not the same any more. Between the check and
 * the signal the server has the race that its own documentation has; pids are not reused that fast.
 * Cost: one pass over the backends' status. Servers 13 to 17; 14 brought the wait to
 * pg_terminate_backend.
 */
#define ACTION_WHERE                                                                               \
	" FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1::int"                                \
	" AND a.backend_start = $2::timestamptz"                                                   \
	" AND a.xact_start IS NOT DISTINCT FROM $3::timestamptz"
#define ACTION_CLIENTS                                                                             \
	" AND a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid()"
/* An autovacuum worker may be cancelled as well. */
#define ACTION_CANCELLED                                                                           \
	" AND a.backend_type IN ('client backend', 'autovacuum worker')"                           \
	" AND a.pid <> pg_catalog.pg_backend_pid()"

static const char sql_cancel[] =
	"SELECT pg_catalog.pg_cancel_backend(a.pid)" ACTION_WHERE
	" AND a.query_start IS NOT DISTINCT FROM $4::timestamptz" ACTION_CANCELLED;
static const char sql_terminate_13[] =
	"SELECT pg_catalog.pg_terminate_backend(a.pid)" ACTION_WHERE ACTION_CLIENTS;
static const char sql_terminate_14[] =
	"SELECT pg_catalog.pg_terminate_backend(a.pid, 5000)" ACTION_WHERE ACTION_CLIENTS;
/* ROLLBACK PREPARED takes no conditions: the guard is asked just before. $1 gid, $2 prepared. */
static const char sql_prepared[] =
	"SELECT p.gid FROM pg_catalog.pg_prepared_xacts p WHERE p.gid = $1"
	" AND p.prepared = $2::timestamptz AND p.database = pg_catalog.current_database()";

/* The look afterwards: the row of that session, and whether it still runs the query ($3). */
static const char sql_look[] =
	"SELECT a.state = 'active' AND a.query_start IS NOT DISTINCT FROM $3::timestamptz"
	" FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1::int"
	" AND a.backend_start = $2::timestamptz";
/* Who has the pid now, when the guard found nobody: whether it is still that session. */
static const char sql_look_changed[] = "SELECT a.backend_start IS NOT DISTINCT FROM $2::timestamptz"
				       " FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1::int";
static const char sql_sleep[] = "SELECT pg_catalog.pg_sleep(0.1)";

static const char *action_signal_sql(enum db_action_kind kind, int version_num)
{
	if (kind == DB_ACTION_CANCEL)
		return sql_cancel;
	return version_num >= 140000 ? sql_terminate_14 : sql_terminate_13;
}

static void action_show_value(struct buf *out, const char *value, const char *type)
{
	if (!*value) {
		buf_add_str(out, "NULL");
		return;
	}
	db_quote_literal(out, value);
	buf_printf(out, "::%s", type);
}

/* The statement with its values in the places of $1 … $4. */
static char *action_show(const char *sql, const struct db_action *action)
{
	struct buf out = BUF_INIT;
	const char *p;

	for (p = sql; *p; p++) {
		if (*p != '$') {
			buf_add_char(&out, *p);
			continue;
		}
		p++;
		if (*p == '1')
			buf_printf(&out, "%d", action->pid);
		else
			action_show_value(&out,
				*p == '2'   ? action->backend_start
				: *p == '3' ? action->xact_start
					    : action->query_start,
				"timestamptz");
		while (p[1] == ':' || (p[1] >= 'a' && p[1] <= 'z'))
			p++;
	}
	buf_add_char(&out, ';');
	return buf_steal(&out);
}

static char *action_rollback_sql(const char *gid)
{
	struct buf out = BUF_INIT;

	buf_add_str(&out, "ROLLBACK PREPARED ");
	db_quote_literal(&out, gid);
	return buf_steal(&out);
}

void db_action_prepare(struct db_action *action, enum db_action_kind kind,
	const struct db_session *target, int version_num)
{
	char *rollback;

	memset(action, 0, sizeof(*action));
	action->kind = kind;
	action->pid = target->pid;
	action->gid = mem_strdup(target->gid);
	action->backend_start = mem_strdup(target->backend_start);
	action->xact_start = mem_strdup(target->xact_start);
	action->query_start = mem_strdup(target->query_start);
	if (kind == DB_ACTION_ROLLBACK_PREPARED) {
		rollback = action_rollback_sql(target->gid);
		action->shown = mem_printf("%s;", rollback);
		free(rollback);
	} else {
		action->shown = action_show(action_signal_sql(kind, version_num), action);
	}
}

void db_action_fini(struct db_action *action)
{
	free(action->gid);
	free(action->backend_start);
	free(action->xact_start);
	free(action->query_start);
	free(action->shown);
	memset(action, 0, sizeof(*action));
}

/* --- the run ---------------------------------------------------------------------------------- */

struct run {
	struct db_conn *conn;
	struct db_action action;
	db_action_cb cb;
	void *arg;
	bool acted;       /* the signal, or the rollback, was sent: a lost link leaves it unknown */
	int64_t deadline; /* monotonic, of the looks */
};

static void run_look(struct run *run);

static void run_end(struct run *run, enum db_action_result result, char *sentence_take)
{
	run->cb(run->arg, result, sentence_take);
	free(sentence_take);
	db_action_fini(&run->action);
	free(run);
}

/* What it is about: "pid 8123" or "prepared transaction x". */
static char *run_subject(const struct run *run)
{
	if (run->action.kind == DB_ACTION_ROLLBACK_PREPARED)
		return mem_printf("prepared transaction %s", run->action.gid);
	return mem_printf("pid %d", run->action.pid);
}

static void run_error(struct run *run, const struct err *err)
{
	bool denied = strcmp(db_conn_sqlstate(run->conn), "42501") == 0;
	char *subject = run_subject(run);
	enum db_action_result result;
	char *sentence;

	if (!db_conn_is_up(run->conn)) {
		result = run->acted ? DB_ACTION_UNKNOWN : DB_ACTION_FAILED;
		sentence = mem_printf(run->acted ? "It is not known whether %s was ended: %s; look "
						   "before doing it again"
						 : "Nothing was done to %s: %s",
			subject, err->text);
	} else if (denied) {
		result = DB_ACTION_REFUSED;
		sentence =
			mem_printf("Role %s may not do that to %s (a superuser's session needs a "
				   "superuser, another role's needs pg_signal_backend): %s",
				db_conn_user(run->conn), subject, err->text);
	} else {
		result = DB_ACTION_FAILED;
		sentence = mem_printf("The server refused to end %s: %s", subject, err->text);
	}
	free(subject);
	run_end(run, result, sentence);
}

/* $1 pid, $2 backend_start, then up to two moments, "" for NULL. */
static void run_query(struct run *run, const char *sql, int n_params, const char *third,
	const char *fourth, db_result_cb cb)
{
	char pid[16];
	const char *const params[] = { pid, run->action.backend_start, *third ? third : NULL,
		*fourth ? fourth : NULL };
	const struct db_query query = { sql, params, n_params };

	snprintf(pid, sizeof(pid), "%d", run->action.pid);
	db_conn_query(run->conn, &query, cb, run);
}

static void run_ended(struct run *run)
{
	if (run->action.kind == DB_ACTION_CANCEL)
		run_end(run, DB_ACTION_ENDED,
			mem_printf("The query of pid %d was cancelled and has ended.",
				run->action.pid));
	else
		run_end(run, DB_ACTION_ENDED,
			mem_printf("Session pid %d was terminated and is gone.", run->action.pid));
}

static void run_on_look(void *arg, const struct db_result *result, const struct err *err)
{
	struct run *run = arg;

	bool cancel = run->action.kind == DB_ACTION_CANCEL;

	if (err) {
		run_error(run, err);
	} else if (db_result_rows(result) == 0 ||
		   (cancel && strcmp(db_result_value(result, 0, 0), "t") != 0)) {
		run_ended(run);
	} else if (clock_monotonic() < run->deadline) {
		run_look(run);
	} else if (cancel) {
		run_end(run, DB_ACTION_STILL_THERE,
			mem_printf("The cancel was sent to pid %d, but 5 s later its query still "
				   "runs; terminate may end it.",
				run->action.pid));
	} else {
		run_end(run, DB_ACTION_STILL_THERE,
			mem_printf("The signal was sent to pid %d, but 5 s later the session is "
				   "still there; it ends when it next can, look again.",
				run->action.pid));
	}
}

static void run_on_slept(void *arg, const struct db_result *result, const struct err *err)
{
	struct run *run = arg;

	(void)result;
	if (err)
		run_error(run, err);
	else
		run_query(run, sql_look, 3, run->action.query_start, "", run_on_look);
}

static void run_look(struct run *run)
{
	run_query(run, sql_sleep, 0, "", "", run_on_slept);
}

/* Says in which way it changed, from what has the pid now. */
static void run_on_changed(void *arg, const struct db_result *result, const struct err *err)
{
	struct run *run = arg;
	const char *what;

	if (err || db_result_rows(result) == 0)
		what = err ? "it changed" : "it had already ended";
	else if (strcmp(db_result_value(result, 0, 0), "t") != 0)
		what = "its pid belongs to another session now";
	else if (run->action.kind == DB_ACTION_CANCEL)
		what = "it runs another query now";
	else
		what = "it is in another transaction now";
	run_end(run, DB_ACTION_CHANGED,
		mem_printf("Nothing was done to pid %d: %s.", run->action.pid, what));
}

static void run_on_signal(void *arg, const struct db_result *result, const struct err *err)
{
	struct run *run = arg;
	/* 57014: our own statement_timeout ended the server's wait, after the signal was sent. */
	bool timed_out = err && strcmp(db_conn_sqlstate(run->conn), "57014") == 0;

	if (err && !timed_out) {
		run_error(run, err);
	} else if (result && db_result_rows(result) == 0) {
		run->acted = false;
		run_query(run, sql_look_changed, 2, "", "", run_on_changed);
	} else {
		/* Where the server itself waited for the end, one look is enough. */
		if (timed_out || run->action.kind == DB_ACTION_CANCEL ||
			db_conn_version_num(run->conn) < 140000)
			run->deadline = clock_monotonic() + ACTION_PATIENCE_MS * CLOCK_NS_PER_MS;
		run_on_slept(run, NULL, NULL);
	}
}

static void run_on_rolled_back(void *arg, const struct db_result *result, const struct err *err)
{
	struct run *run = arg;

	(void)result;
	if (err)
		run_error(run, err);
	else
		run_end(run, DB_ACTION_ENDED,
			mem_printf("Prepared transaction %s was rolled back.", run->action.gid));
}

static void run_on_prepared(void *arg, const struct db_result *result, const struct err *err)
{
	struct run *run = arg;
	char *sql;

	if (err) {
		run_error(run, err);
		return;
	}
	if (db_result_rows(result) == 0) {
		run_end(run, DB_ACTION_CHANGED,
			mem_printf(
				"Nothing was done: prepared transaction %s is not there any more.",
				run->action.gid));
		return;
	}
	run->acted = true;
	sql = action_rollback_sql(run->action.gid);
	run_query(run, sql, 0, "", "", run_on_rolled_back);
	free(sql);
}

static void run_start_prepared(struct run *run)
{
	const char *const params[] = { run->action.gid, run->action.xact_start };
	const struct db_query query = { sql_prepared, params, 2 };

	db_conn_query(run->conn, &query, run_on_prepared, run);
}

void db_action_run(struct db_conn *conn, const struct db_action *action, db_action_cb cb, void *arg)
{
	struct run *run = mem_calloc(1, sizeof(*run));
	bool prepared = action->kind == DB_ACTION_ROLLBACK_PREPARED;

	run->conn = conn;
	run->action = *action;
	run->action.gid = mem_strdup(action->gid);
	run->action.backend_start = mem_strdup(action->backend_start);
	run->action.xact_start = mem_strdup(action->xact_start);
	run->action.query_start = mem_strdup(action->query_start);
	run->action.shown = mem_strdup(action->shown);
	run->cb = cb;
	run->arg = arg;
	if (!db_conn_is_up(conn)) {
		run_end(run, DB_ACTION_FAILED,
			mem_strdup("Nothing was done: there is no connection to act with."));
	} else if (!(prepared ? action->xact_start : action->backend_start)[0]) {
		run_end(run, DB_ACTION_REFUSED,
			mem_strdup("Nothing was done: the target's identity is not known."));
	} else if (prepared) {
		run_start_prepared(run);
	} else {
		run->acted = true;
		run_query(run, action_signal_sql(action->kind, db_conn_version_num(conn)),
			action->kind == DB_ACTION_CANCEL ? 4 : 3, action->xact_start,
			action->query_start, run_on_signal);
	}
}

/* --- names ------------------------------------------------------------------------------------ */

const char *db_action_verb(enum db_action_kind kind)
{
	static const char *const verbs[] = {
		[DB_ACTION_CANCEL] = "cancel",
		[DB_ACTION_TERMINATE] = "terminate",
		[DB_ACTION_ROLLBACK_PREPARED] = "roll back",
	};

	return verbs[kind];
}

const char *db_action_result_name(enum db_action_result result)
{
	static const char *const names[] = {
		[DB_ACTION_ENDED] = "ended",
		[DB_ACTION_CHANGED] = "changed",
		[DB_ACTION_STILL_THERE] = "still-there",
		[DB_ACTION_REFUSED] = "refused",
		[DB_ACTION_FAILED] = "failed",
		[DB_ACTION_UNKNOWN] = "unknown",
	};

	return names[result];
}
