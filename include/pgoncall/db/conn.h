/*
 * One connection to PostgreSQL on a loop: libpq without ever waiting. Queries are queued and sent at
 * once (pipeline mode, a sync after each), so that any number of them cost one round trip, each is a
 * transaction of its own, and one that fails does not disturb the next.
 *
 * Everything happens on the loop's thread. Callbacks may call any function of this module, also
 * db_conn_close. Notices are dropped. Nothing is ever sent again by itself.
 */
#ifndef PGONCALL_DB_CONN_H
#define PGONCALL_DB_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/loop/loop.h>

struct db_conn;
struct db_result;

/* All strings are copied; NULL and "" leave the choice to libpq (environment, service file). */
struct db_conn_options {
	const char *host;     /* the server's real name (TLS, passfile), or a socket directory */
	const char *hostaddr; /* where to connect instead: the tunnel's local end */
	int port;             /* 0: libpq's */
	const char *dbname;
	const char *user;
	const char *password; /* asked from the operator; NULL: passfile, PGPASSWORD */
	const char *sslmode;
	const char *service; /* what is NULL or "" here comes from it (see db/service.h) */
	bool over_socket;    /* hostaddr leads to a Unix socket: TLS does not apply, as in libpq */
	const char *application_name; /* NULL: "pgoncall" */
	bool read_only;               /* default_transaction_read_only = on */
	int connect_timeout_s;        /* for all of it, 0: 10 */
	int statement_timeout_ms;     /* 0: 2000; -1: none */
	int lock_timeout_ms;          /* 0: 200; -1: none */
};

/* Why a connection is down, where the program can do something about it. */
enum db_fault {
	DB_FAULT_NONE,
	DB_FAULT_PASSWORD_NEEDED, /* the server asks for one and none was found */
	DB_FAULT_PASSWORD_WRONG,  /* one was sent and refused */
	DB_FAULT_SLOTS,           /* 53300: no slot is free; worth trying again */
	DB_FAULT_STARTING,        /* 57P03: starting up or recovering; worth trying again */
	DB_FAULT_LOST,            /* it was up and broke; worth trying again */
	DB_FAULT_UNREACHABLE,     /* refused, unknown name, no answer; worth trying again */
	DB_FAULT_OTHER /* no such database or role, TLS, …: asking again does not help */
};

/* on_up and on_down come from the loop, never from inside db_conn_open. on_down comes once, also when
 * connecting fails, after every queued query got its callback with the same error; after it only
 * db_conn_close and the reading functions may be called. */
struct db_conn_events {
	void (*on_up)(void *arg);
	void (*on_down)(void *arg, const struct err *why);
	void *arg;
};

struct db_conn *db_conn_open(struct loop *loop, const struct db_conn_options *options,
	const struct db_conn_events *events);
/* In any state; NULL is allowed. Queries still queued get their callback with ERR_CANCELLED before
 * this returns; on_down is not called. */
void db_conn_close(struct db_conn *conn);

/* Parameters are sent as text and typed by the server (write $1::int where it matters). */
struct db_query {
	const char *sql;           /* one statement */
	const char *const *params; /* n_params of them; NULL in it is SQL's NULL */
	int n_params;
};

/* Exactly one of result and err is given; the result is valid until the callback returns. */
typedef void (*db_result_cb)(void *arg, const struct db_result *result, const struct err *err);

/* Copies the query. Allowed before the connection is up. On a connection that is down the callback
 * comes before this returns, with the error. */
void db_conn_query(struct db_conn *conn, const struct db_query *query, db_result_cb cb, void *arg);

/* Gives the session back the settings it was opened with, after what was queued before. */
void db_conn_reset(struct db_conn *conn);

bool db_conn_is_up(const struct db_conn *conn);
/* Valid once on_down was called. */
enum db_fault db_conn_fault(const struct db_conn *conn);
/* SQLSTATE of the error last reported (of a query: valid inside its callback), or "". */
const char *db_conn_sqlstate(const struct db_conn *conn);
/* Local TCP port of the socket now, so that the tunnel lets in no other peer; 0: none, or not TCP. */
int db_conn_socket_port(const struct db_conn *conn);
/* The backend's pid, the server's version as 150008, the role and database in use; 0 and "" before
 * the connection is up. */
int db_conn_backend_pid(const struct db_conn *conn);
int db_conn_version_num(const struct db_conn *conn);
const char *db_conn_user(const struct db_conn *conn);
const char *db_conn_dbname(const struct db_conn *conn);
/* "TLSv1.3", or "" where the connection is not encrypted by TLS. */
const char *db_conn_tls(const struct db_conn *conn);
/* Queries queued or running. */
size_t db_conn_pending(const struct db_conn *conn);

size_t db_result_rows(const struct db_result *result);
size_t db_result_cols(const struct db_result *result);
/* Name of a column; "" out of range. */
const char *db_result_column(const struct db_result *result, size_t col);
/* The value as text; "" for NULL and out of range. */
const char *db_result_value(const struct db_result *result, size_t row, size_t col);
bool db_result_is_null(const struct db_result *result, size_t row, size_t col);
/* The command tag: "SELECT 3", "UPDATE 1", "ROLLBACK". */
const char *db_result_tag(const struct db_result *result);
/* Rows the command changed or returned by its tag, or -1 where the tag has none. */
long db_result_affected(const struct db_result *result);

#endif
