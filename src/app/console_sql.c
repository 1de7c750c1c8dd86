/*
 * Reading the database from the ":" line: `:sql`, `:tables` and `:d TABLE`, their answers as a page.
 * They go over the watching connection, whose statement and lock timeouts bound them, in a read-only
 * transaction of their own; no further slot of the server is taken.
 */
#include "console_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/db/query.h>
#include <pgoncall/db/read.h>

#define SQL_CELL_COLS 60 /* wider values are cut */

/* A question under way. */
struct sql_ask {
	struct app *app;
	char *title;
	char *sql; /* as typed; NULL: one of our own */
	bool cursor;
};

static struct sql_ask *sql_ask_new(struct app *app, const char *title, const char *sql)
{
	struct sql_ask *ask = mem_calloc(1, sizeof(*ask));

	ask->app = app;
	ask->title = mem_strdup(title);
	ask->sql = mem_strdup_opt(sql);
	return ask;
}

static void sql_ask_free(struct sql_ask *ask)
{
	free(ask->title);
	free(ask->sql);
	free(ask);
}

static void sql_send(struct app *app, const char *sql, db_result_cb cb, void *arg)
{
	const struct db_query query = { sql, NULL, 0 };

	db_conn_query(target_watch_conn(app->target), &query, cb, arg);
}

/* --- the answer as a page -------------------------------------------------------------------- */

static char *sql_cell(const struct db_result *result, size_t row, size_t col)
{
	if (db_result_is_null(result, row, col))
		return mem_strdup("-");
	return utf8_sanitised_dup(db_result_value(result, row, col), UTF8_ONE_LINE);
}

static size_t sql_width(const struct db_result *result, size_t rows, size_t col)
{
	size_t width = utf8_columns(db_result_column(result, col)), row, w;
	char *cell;

	for (row = 0; row < rows; row++) {
		cell = sql_cell(result, row, col);
		w = utf8_columns(cell);
		width = w > width ? w : width;
		free(cell);
	}
	return width > SQL_CELL_COLS ? SQL_CELL_COLS : width;
}

static void sql_add_cell(struct buf *line, const char *cell, size_t width, bool last)
{
	size_t i, used = utf8_columns(cell), at = 0, len = strlen(cell), step;
	uint32_t cp;

	if (used > width) {
		for (i = 0; i + 1 < width && at < len; at += step) {
			step = utf8_decode(cell + at, len - at, &cp);
			step = step ? step : 1;
			i += utf8_width(cp) > 0 ? (size_t)utf8_width(cp) : 0;
		}
		buf_add(line, cell, at);
		buf_add_str(line, "…");
		used = width;
	} else {
		buf_add_str(line, cell);
	}
	for (i = used; !last && i < width + 2; i++)
		buf_add_char(line, ' ');
}

static void sql_page(struct app *app, const char *title, const struct db_result *result)
{
	size_t rows = db_result_rows(result), cols = db_result_cols(result), row, col;
	size_t *widths = mem_calloc(cols + 1, sizeof(*widths));
	bool more = rows > DB_READ_ROWS_MAX;
	struct buf text = BUF_INIT;
	char *cell;

	rows = more ? DB_READ_ROWS_MAX : rows;
	buf_add_str(&text, "# ");
	for (col = 0; col < cols; col++) {
		widths[col] = sql_width(result, rows, col);
		sql_add_cell(&text, db_result_column(result, col), widths[col], col + 1 == cols);
	}
	for (row = 0; row < rows; row++) {
		buf_add_char(&text, '\n');
		for (col = 0; col < cols; col++) {
			cell = sql_cell(result, row, col);
			sql_add_cell(&text, cell, widths[col], col + 1 == cols);
			free(cell);
		}
	}
	buf_printf(&text, "\n\n%zu row%s%s", rows, rows == 1 ? "" : "s",
		more ? " shown; there are more: narrow the question" : "");
	console_page(app->console, title, buf_str(&text));
	buf_fini(&text);
	free(widths);
	app_dirty(app);
}

/* --- asking ---------------------------------------------------------------------------------- */

static void sql_on_ignored(void *arg, const struct db_result *result, const struct err *err)
{
	/* BEGIN, DECLARE and COMMIT: what went wrong shows in the answer between them, or here. */
	struct app *app = arg;

	(void)result;
	if (err && app->target)
		app_message(app, CONSOLE_ERROR, "%s", err->text);
}

static void sql_on_answer(void *arg, const struct db_result *result, const struct err *err)
{
	struct sql_ask *ask = arg;

	if (result && ask->app->target && !ask->sql && !db_result_rows(result))
		app_message(ask->app, CONSOLE_ERROR, "%s: there is none", ask->title);
	else if (result && ask->app->target)
		sql_page(ask->app, ask->title, result);
	/* 25P02: an earlier statement failed, and said so. */
	else if (ask->app->target &&
		 strcmp(db_conn_sqlstate(target_watch_conn(ask->app->target)), "25P02") != 0)
		app_message(ask->app, CONSOLE_ERROR, "%s", err->text);
	sql_ask_free(ask);
}

static void sql_run(struct sql_ask *ask)
{
	struct app *app = ask->app;
	char *sql;

	sql_send(app, "BEGIN TRANSACTION READ ONLY", sql_on_ignored, app);
	if (ask->cursor) {
		sql = mem_printf("DECLARE pgoncall_sql NO SCROLL CURSOR FOR %s", ask->sql);
		sql_send(app, sql, sql_on_ignored, app);
		free(sql);
		sql = mem_printf("FETCH %d FROM pgoncall_sql", DB_READ_ROWS_MAX + 1);
		sql_send(app, sql, sql_on_answer, ask);
		free(sql);
	} else {
		sql_send(app, ask->sql, sql_on_answer, ask);
	}
	sql_send(app, "ROLLBACK", sql_on_ignored, app);
}

/* What the server knows of the functions that are called. */
static void sql_on_volatile(void *arg, const struct db_result *result, const struct err *err)
{
	struct sql_ask *ask = arg;

	if (!ask->app->target) {
		sql_ask_free(ask);
	} else if (err || db_result_rows(result)) {
		app_message(ask->app, CONSOLE_ERROR,
			err ? "%s" : ":sql only reads, and %s() may do more than that",
			err ? err->text : db_result_value(result, 0, 0));
		sql_ask_free(ask);
	} else {
		sql_run(ask);
	}
}

static int sql_check_up(const struct app *app, struct err *err)
{
	struct db_conn *conn = target_watch_conn(app->target);

	if (conn && db_conn_is_up(conn))
		return 0;
	return err_set(err, ERR_REFUSED, "not connected: nothing can be asked now");
}

int app_sql(struct app *app, const char *text, struct err *err)
{
	struct buf names = BUF_INIT;
	struct strlist functions;
	struct sql_ask *ask;
	const char *params[1];
	struct db_query query = { db_read_volatile, params, 1 };
	bool cursor = false;
	int rc = -1;

	strlist_init(&functions);
	if (sql_check_up(app, err) == 0 && db_read_check(text, &cursor, &functions, err) == 0) {
		ask = sql_ask_new(app, text, text);
		ask->cursor = cursor;
		db_read_array(&functions, &names);
		params[0] = buf_str(&names);
		db_conn_query(target_watch_conn(app->target), &query, sql_on_volatile, ask);
		rc = 0;
	}
	strlist_fini(&functions);
	buf_fini(&names);
	return rc;
}

int app_tables(struct app *app, struct err *err)
{
	if (sql_check_up(app, err) < 0)
		return -1;
	sql_send(app, db_read_tables, sql_on_answer, sql_ask_new(app, "Tables", NULL));
	return 0;
}

int app_describe(struct app *app, const char *table, struct err *err)
{
	const char *params[2];
	struct db_query query = { db_read_table, params, 2 };
	char *schema, *name, *title;

	if (sql_check_up(app, err) < 0)
		return -1;
	db_version_table_split(table, &schema, &name);
	title = mem_printf("Table %s", table);
	params[0] = name;
	params[1] = schema;
	db_conn_query(target_watch_conn(app->target), &query, sql_on_answer,
		sql_ask_new(app, title, NULL));
	free(title);
	free(schema);
	free(name);
	return 0;
}
