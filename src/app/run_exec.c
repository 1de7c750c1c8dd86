/*
 * Carrying out one command; see the header. A statement is preceded by one that sets its timeouts and
 * whether its transaction may write, so that nothing is left over from the statement before.
 */
#include "run_exec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/db/conn.h>
#include <pgoncall/host/stream.h>
#include <pgoncall/journal/record.h>

/* The server ends a statement itself; this is how much longer its answer may take. */
#define ANSWER_GRACE_NS (3 * CLOCK_NS_PER_S)
#define CELL_COLS_MAX   60 /* of a table's cell; a single row is shown whole */

struct run_exec {
	struct run_exec_request request;
	struct run_exec_events events;
	struct runbook_command command; /* text, params, shown owned */

	struct host_stream *stream;
	struct loop_timer *limit;  /* the time is over */
	struct loop_timer *report; /* on_ready or on_done is due */
	struct db_conn *conn;      /* borrowed: the one the statement goes to; see exec_has_conn */
	uint64_t conn_id;
	uint64_t *guard; /* see exec_query */
	int backend;
	bool other; /* no slot was free: it was prepared again, on the one for acting */
	bool ready, sent, over, timed_out;

	struct buf out, err, shown;
	size_t dropped;      /* bytes of `shown` that are gone */
	char *value, *error; /* NULL: none */
	struct runbook_result result;
};

/* --- what comes ------------------------------------------------------------------------------ */

static void exec_show(struct run_exec *exec, const char *bytes, size_t len)
{
	size_t over;

	buf_add(&exec->shown, bytes, len);
	if (exec->shown.len <= 2 * RUN_SHOWN_MAX)
		return;
	over = exec->shown.len - RUN_SHOWN_MAX;
	buf_consume(&exec->shown, over);
	exec->dropped += over;
}

static void exec_keep(struct buf *kept, const char *bytes, size_t len)
{
	size_t room = kept->len < RUN_OUTPUT_MAX ? RUN_OUTPUT_MAX - kept->len : 0;

	buf_add(kept, bytes, len < room ? len : room);
}

static void exec_prepare_sql(struct run_exec *exec);

/* --- the end --------------------------------------------------------------------------------- */

static void exec_on_report(struct loop_timer *timer, void *arg)
{
	struct run_exec *exec = arg;

	loop_timer_stop(timer);
	exec->report = NULL;
	if (!exec->over && !exec->ready) { /* on the other connection */
		exec_prepare_sql(exec);
		return;
	}
	if (!exec->over) {
		exec->events.on_ready(exec->events.arg);
		return;
	}
	exec->result.out = buf_str(&exec->out);
	exec->result.err = buf_str(&exec->err);
	exec->result.value = exec->value;
	exec->result.error = exec->error;
	exec->events.on_done(exec->events.arg, &exec->result);
}

static void exec_report(struct run_exec *exec)
{
	loop_timer_stop(exec->report);
	exec->report = loop_timer_start(exec->request.loop, 0, 0, exec_on_report, exec);
}

static void exec_stop(struct run_exec *exec)
{
	loop_timer_stop(exec->limit);
	exec->limit = NULL;
	host_stream_stop(exec->stream);
	exec->stream = NULL;
	if (exec->guard)
		*exec->guard = 0;
	exec->guard = NULL;
}

static void exec_end(struct run_exec *exec, enum runbook_ran ran, const char *error)
{
	if (exec->over)
		return;
	exec_stop(exec);
	exec->over = true;
	exec->result.ran = ran;
	free(exec->error);
	exec->error = mem_strdup_opt(error);
	exec_report(exec);
}

/* What was not sent was not done; of a read that was nothing is left over either way. */
static enum runbook_ran exec_doubt(const struct run_exec *exec)
{
	return exec->sent && exec->request.writes ? RUNBOOK_RAN_UNKNOWN : RUNBOOK_RAN_ERROR;
}

/* --- SQL: the rows as text ------------------------------------------------------------------- */

static void table_cell(struct buf *out, const char *value, size_t width, bool last)
{
	char *clean = utf8_sanitised_dup(value, UTF8_ONE_LINE);
	size_t columns = utf8_columns(clean), used, at = 0, col = 0;
	uint32_t cp;
	int w;

	while (clean[at] && col < CELL_COLS_MAX) {
		used = utf8_decode(clean + at, strlen(clean + at), &cp);
		w = used ? utf8_width(cp) : 1;
		at += used ? used : 1;
		col += w > 0 ? (size_t)w : 0;
	}
	buf_add(out, clean, at);
	if (clean[at])
		buf_add_str(out, "…");
	if (!last)
		buf_printf(out, "%*s", (int)(width > columns ? width - columns : 0) + 2, "");
	free(clean);
}

static size_t table_width(const struct db_result *result, size_t col)
{
	size_t width = utf8_columns(db_result_column(result, col)), row, w;
	char *clean;

	for (row = 0; row < db_result_rows(result); row++) {
		clean = utf8_sanitised_dup(db_result_value(result, row, col), UTF8_ONE_LINE);
		w = utf8_columns(clean);
		width = w > width ? w : width;
		free(clean);
	}
	return width < CELL_COLS_MAX + 1 ? width : CELL_COLS_MAX + 1;
}

static void table_print(const struct db_result *result, struct buf *out)
{
	size_t cols = db_result_cols(result), rows = db_result_rows(result), row, col;
	size_t *widths = mem_calloc(cols + 1, sizeof(*widths));

	for (col = 0; col < cols; col++)
		widths[col] = table_width(result, col);
	for (col = 0; col < cols; col++)
		table_cell(out, db_result_column(result, col), widths[col], col + 1 == cols);
	buf_add_char(out, '\n');
	for (row = 0; row < rows; row++) {
		for (col = 0; col < cols; col++)
			table_cell(out, db_result_value(result, row, col), widths[col],
				col + 1 == cols);
		buf_add_char(out, '\n');
	}
	free(widths);
}

/* One row of several columns: a line for each. */
static void table_print_one(const struct db_result *result, struct buf *out)
{
	size_t cols = db_result_cols(result), col, width = 0, w;

	for (col = 0; col < cols; col++) {
		w = utf8_columns(db_result_column(result, col));
		width = w > width ? w : width;
	}
	for (col = 0; col < cols; col++)
		buf_printf(out, "%-*s  %s\n", (int)width, db_result_column(result, col),
			db_result_is_null(result, 0, col) ? "-" : db_result_value(result, 0, col));
}

static void exec_take_rows(struct run_exec *exec, const struct db_result *result)
{
	size_t cols = db_result_cols(result), rows = db_result_rows(result);
	struct buf text = BUF_INIT;

	if (cols) {
		exec->result.rows = (long)rows;
		if (rows && !db_result_is_null(result, 0, 0))
			exec->value = mem_strdup(db_result_value(result, 0, 0));
		if (rows == 1 && cols > 1)
			table_print_one(result, &text);
		else if (rows)
			table_print(result, &text);
	} else {
		exec->result.rows = db_result_affected(result);
		buf_printf(&text, "%s\n", db_result_tag(result));
	}
	exec_keep(&exec->out, text.data, text.len);
	exec_show(exec, text.data, text.len);
	buf_fini(&text);
}

/* What was prepared waits for a person and for a disk, and the connection may be gone meanwhile. */
static bool exec_has_conn(const struct run_exec *exec)
{
	return exec->conn && exec->conn_id == target_steps_id(exec->request.target);
}

/* Gives back what was borrowed, while halting with what it does. The connection kept for acting gets
 * back its settings, or is another one where the statement still occupies it. */
static void exec_let_go(struct run_exec *exec, bool halting)
{
	struct target *target = exec->request.target;
	struct db_conn *conn = exec_has_conn(exec) ? exec->conn : NULL;
	bool under_way = exec->sent && exec->guard;

	exec_stop(exec);
	exec->conn = NULL;
	if (!conn)
		return;
	if (conn != target_acting_conn(target)) {
		if (halting)
			target_steps_close(target);
	} else if (under_way) {
		target_acting_renew(target);
	} else {
		db_conn_reset(conn);
	}
}

/* --- SQL: sending ---------------------------------------------------------------------------- */

/* An answer may come after its execution was halted or freed: the guard, which the query owns, then
 * says so. */
struct exec_query {
	uint64_t alive;
	struct run_exec *exec;
	void (*then)(struct run_exec *exec, const struct db_result *result, const struct err *err);
};

static void exec_on_answer(void *arg, const struct db_result *result, const struct err *err)
{
	struct exec_query *query = arg;

	if (query->alive) {
		query->exec->guard = NULL;
		query->then(query->exec, result, err);
	}
	free(query);
}

static void exec_query(struct run_exec *exec, const struct db_query *sql,
	void (*then)(struct run_exec *exec, const struct db_result *result, const struct err *err))
{
	struct exec_query *query = mem_calloc(1, sizeof(*query));

	query->alive = 1;
	query->exec = exec;
	query->then = then;
	exec->guard = &query->alive;
	db_conn_query(exec->conn, sql, exec_on_answer, query);
}

/* Whether the connection went, so that it is not known what became of the statement. */
static bool exec_is_loss(const struct run_exec *exec, const struct err *err)
{
	const char *sqlstate = db_conn_sqlstate(exec->conn);

	/* A statement that was cancelled there is an answer: it was rolled back. */
	if (strcmp(sqlstate, "57014") == 0 && db_conn_is_up(exec->conn))
		return false;
	return err->code == ERR_CANCELLED || !db_conn_is_up(exec->conn) || !*sqlstate ||
	       str_starts(sqlstate, "08") || str_starts(sqlstate, "57P");
}

static void exec_on_rows(
	struct run_exec *exec, const struct db_result *result, const struct err *err)
{
	bool lost = err && exec_is_loss(exec, err);

	exec_let_go(exec, false);
	if (result) {
		exec_take_rows(exec, result);
		exec_end(exec, RUNBOOK_RAN, NULL);
	} else if (lost) {
		exec_end(exec, exec_doubt(exec), err->text);
	} else {
		exec_end(exec, RUNBOOK_RAN_ERROR, err->text);
	}
}

static void exec_send_sql(struct run_exec *exec)
{
	const char **params = mem_calloc(exec->command.n_params + 1, sizeof(*params));
	struct db_query query = { exec->command.text, params, (int)exec->command.n_params };
	size_t i;

	for (i = 0; i < exec->command.n_params; i++)
		params[i] = exec->command.params[i].value;
	exec->backend = db_conn_backend_pid(exec->conn);
	exec_query(exec, &query, exec_on_rows);
	free(params);
}

static void exec_on_settings(
	struct run_exec *exec, const struct db_result *result, const struct err *err)
{
	bool full = err && db_conn_fault(exec->conn) == DB_FAULT_SLOTS;

	(void)result;
	if (full && !exec->other) {
		exec->other = true;
		exec->conn = NULL;
		exec_report(exec);
		return;
	}
	if (err) {
		exec_let_go(exec, false);
		exec_end(exec, RUNBOOK_RAN_ERROR, err->text);
		return;
	}
	exec->ready = true;
	exec_report(exec);
}

/* Cost: none; any server. The settings last until the next step sets its own. */
static const char settings_sql[] =
	"SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),"
	/* A read whose client is gone ends (from version 14 on); a write goes on. */
	" (SELECT set_config(name, CASE $3 WHEN 'on' THEN '2s' ELSE '0' END, false)"
	" FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval'),"
	" set_config('default_transaction_read_only', $3, false)";

static void exec_prepare_sql(struct run_exec *exec)
{
	int64_t timeout = exec->request.timeout_ns / CLOCK_NS_PER_MS;
	int64_t lock = exec->request.lock_timeout_ns / CLOCK_NS_PER_MS;
	char timeout_text[32], lock_text[32];
	const char *params[] = { timeout_text, lock_text, exec->request.writes ? "off" : "on" };
	struct db_query query = { settings_sql, params, 3 };

	exec->conn = target_steps_conn(exec->request.target);
	exec->conn_id = target_steps_id(exec->request.target);
	if (!exec->conn) {
		exec_end(exec, RUNBOOK_RAN_ERROR, "the database is not reached now");
		return;
	}
	snprintf(timeout_text, sizeof(timeout_text), "%" PRId64 "ms", timeout > 0 ? timeout : 1);
	snprintf(lock_text, sizeof(lock_text), "%" PRId64 "ms", lock > 0 ? lock : 0);
	exec_query(exec, &query, exec_on_settings);
}

/* --- command lines --------------------------------------------------------------------------- */

static void exec_on_data(void *arg, enum host_source source, const char *bytes, size_t len)
{
	struct run_exec *exec = arg;

	exec_keep(source == HOST_STDOUT ? &exec->out : &exec->err, bytes, len);
	exec_show(exec, bytes, len);
	exec->events.on_output(exec->events.arg);
}

static void exec_on_stream_end(void *arg, int status, const struct err *err)
{
	struct run_exec *exec = arg;

	exec->stream = NULL;
	exec->result.exit = status;
	if (err->code == ERR_OK && status >= 0)
		exec_end(exec, RUNBOOK_RAN, NULL);
	else
		exec_end(exec, exec_doubt(exec),
			err->code == ERR_OK ? "its exit status is not known" : err->text);
}

static void exec_send_shell(struct run_exec *exec)
{
	struct host_stream_events events = { exec_on_data, exec_on_stream_end, exec };

	exec->stream = host_stream_start(
		exec->request.loop, exec->request.transport, exec->command.text, NULL, 0, &events);
}

/* --- all of it ------------------------------------------------------------------------------- */

static void exec_on_limit(struct loop_timer *timer, void *arg)
{
	struct run_exec *exec = arg;
	char span[48];
	char *text;

	(void)timer;
	exec->timed_out = true;
	clock_format_span(
		(double)exec->request.timeout_ns / (double)CLOCK_NS_PER_S, span, sizeof(span));
	text = mem_printf(
		"no end within %s%s", span, exec->sent ? "; it may still be running there" : "");
	exec_let_go(exec, true);
	exec_end(exec, exec_doubt(exec), text);
	free(text);
}

static void exec_copy_command(struct run_exec *exec, const struct runbook_command *from)
{
	size_t i;

	exec->command.language = from->language;
	exec->command.place = from->place;
	exec->command.text = mem_strdup(from->text);
	exec->command.shown = mem_strdup(from->shown);
	exec->command.n_params = from->n_params;
	exec->command.params = mem_calloc(from->n_params + 1, sizeof(*from->params));
	for (i = 0; i < from->n_params; i++) {
		exec->command.params[i].name = mem_strdup(from->params[i].name);
		exec->command.params[i].value = mem_strdup_opt(from->params[i].value);
	}
}

struct run_exec *run_exec_start(
	const struct run_exec_request *request, const struct run_exec_events *events)
{
	struct run_exec *exec = mem_calloc(1, sizeof(*exec));
	int64_t limit = request->timeout_ns;

	exec->request = *request;
	exec->events = *events;
	exec->result.rows = -1;
	exec_copy_command(exec, request->command);
	if (request->command->language == RUNBOOK_SQL)
		limit += ANSWER_GRACE_NS;
	exec->limit = loop_timer_start(
		request->loop, limit / CLOCK_NS_PER_MS + 1, 0, exec_on_limit, exec);
	if (request->command->language == RUNBOOK_SQL) {
		exec_prepare_sql(exec);
	} else if (!request->transport) {
		exec_end(exec, RUNBOOK_RAN_ERROR, "the host is not reached now");
	} else {
		exec->ready = true;
		exec_report(exec);
	}
	return exec;
}

void run_exec_send(struct run_exec *exec)
{
	bool sql = exec->command.language == RUNBOOK_SQL;

	if (exec->over || exec->sent || !exec->ready)
		return;
	if (sql && !exec_has_conn(exec)) {
		exec_end(exec, RUNBOOK_RAN_ERROR,
			"Nothing was sent: the connection it was prepared on is gone.");
		return;
	}
	exec->sent = true;
	if (sql)
		exec_send_sql(exec);
	else
		exec_send_shell(exec);
}

void run_exec_halt(struct run_exec *exec, const char *why)
{
	if (exec->over)
		return;
	exec_let_go(exec, true);
	exec_end(exec, exec_doubt(exec), why);
}

void run_exec_free(struct run_exec *exec)
{
	if (!exec)
		return;
	exec_let_go(exec, false);
	loop_timer_stop(exec->report);
	runbook_command_fini(&exec->command);
	buf_fini(&exec->out);
	buf_fini(&exec->err);
	buf_fini(&exec->shown);
	free(exec->value);
	free(exec->error);
	free(exec);
}

const char *run_exec_statement(const struct run_exec *exec)
{
	return exec->command.shown;
}

bool run_exec_is_sent(const struct run_exec *exec)
{
	return exec->sent;
}

bool run_exec_is_timed_out(const struct run_exec *exec)
{
	return exec->sent && exec->timed_out;
}

const char *run_exec_shown(const struct run_exec *exec, size_t *dropped)
{
	size_t skip = exec->shown.len > RUN_SHOWN_MAX ? exec->shown.len - RUN_SHOWN_MAX : 0;

	*dropped = exec->dropped + skip;
	return buf_str(&exec->shown) + skip;
}

void run_exec_hash(const struct run_exec *exec, char hex[65])
{
	struct buf both = BUF_INIT;

	buf_add(&both, buf_str(&exec->out), exec->out.len);
	buf_add(&both, buf_str(&exec->err), exec->err.len);
	journal_sha256(buf_str(&both), both.len, hex);
	buf_fini(&both);
}

int run_exec_backend(const struct run_exec *exec)
{
	return exec->backend;
}
