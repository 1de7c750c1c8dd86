/*
 * One connection: getting there, the queue of queries, noticing that it broke. Owns the libpq
 * connection, its poll handle and the queue; knows nothing of what is asked.
 *
 * States: WAITING (for the first turn of the loop, or for the host's address) → CONNECTING → UP →
 * DOWN. A callback may close the connection, so after every callback `closed` is looked at, and the
 * struct lives until the outermost callback has returned (`busy`).
 */
#include <pgoncall/db/conn.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libpq-fe.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#include "fault.h"
#include "passfile.h"
#include "resolve.h"
#include "result.h"

#define CONN_TIMEOUT_S            10
#define CONN_STATEMENT_TIMEOUT_MS 2000
#define CONN_LOCK_TIMEOUT_MS      200

enum conn_state { CONN_WAITING, CONN_CONNECTING, CONN_UP, CONN_DOWN };

/* A queued query. Its answer is one result and then the sync's. */
struct request {
	char *sql;
	char **params;
	int n_params;
	db_result_cb cb;
	void *arg;
	PGresult *res; /* what came before the sync; owned */
	struct request *next;
};

struct db_conn {
	struct loop *loop;
	struct db_conn_events events;
	enum conn_state state;
	bool closed;
	bool doomed; /* broke while sending: the kick timer reports it */
	int busy;    /* callbacks on the stack */
	PGconn *pg;
	struct loop_poll *poll;
	struct loop_timer *kick;    /* the first step, and failures, from the loop */
	struct loop_timer *timeout; /* of connecting */
	struct resolve *resolve;
	struct request *first; /* the oldest, answered next */
	struct request **last;
	size_t n_requests;
	enum db_fault fault;
	char sqlstate[DB_SQLSTATE_SIZE];
	char *fatal;         /* the server's last words, with their SQLSTATE, or NULL */
	char *user, *dbname; /* as libpq resolved them; never NULL */

	/* As asked for; owned, NULL: libpq's choice. */
	char *host, *hostaddr, *port, *want_dbname, *want_user, *password, *sslmode, *application;
	char *service;
	bool over_socket;
	char *passfile_refused; /* one that libpq would not read; or NULL */
	char *settings; /* the startup parameter "options" */
	int connect_timeout_s;
};

static void conn_poll(struct db_conn *conn, int events);

/* --- lifetime --------------------------------------------------------------------------------- */

static void conn_enter(struct db_conn *conn)
{
	conn->busy++;
}

static void conn_free_strings(struct db_conn *conn)
{
	if (conn->password)
		mem_wipe(conn->password, strlen(conn->password));
	free(conn->password);
	free(conn->host);
	free(conn->hostaddr);
	free(conn->port);
	free(conn->want_dbname);
	free(conn->want_user);
	free(conn->sslmode);
	free(conn->application);
	free(conn->settings);
	free(conn->service);
	free(conn->passfile_refused);
	free(conn->fatal);
	free(conn->user);
	free(conn->dbname);
}

/* Ends a callback; frees the connection when it was closed meanwhile. Returns whether it lives. */
static bool conn_leave(struct db_conn *conn)
{
	bool alive = !conn->closed;

	if (--conn->busy == 0 && conn->closed) {
		conn_free_strings(conn);
		free(conn);
	}
	return alive;
}

static void request_free(struct request *request)
{
	int i;

	for (i = 0; i < request->n_params; i++)
		free(request->params[i]);
	free(request->params);
	free(request->sql);
	PQclear(request->res);
	free(request);
}

static struct request *conn_pop(struct db_conn *conn)
{
	struct request *request = conn->first;

	conn->first = request->next;
	if (!conn->first)
		conn->last = &conn->first;
	conn->n_requests--;
	return request;
}

static void conn_stop_handles(struct db_conn *conn)
{
	loop_poll_stop(conn->poll);
	loop_timer_stop(conn->kick);
	loop_timer_stop(conn->timeout);
	resolve_stop(conn->resolve);
	conn->poll = NULL;
	conn->kick = conn->timeout = NULL;
	conn->resolve = NULL;
}

/* Gives every queued query the error. Those that a callback adds get it at once: the state is DOWN. */
static void conn_flush_requests(struct db_conn *conn, const struct err *err)
{
	struct request *request;

	while (conn->first) {
		request = conn_pop(conn);
		request->cb(request->arg, NULL, err);
		request_free(request);
	}
}

static void conn_finish(struct db_conn *conn)
{
	conn_stop_handles(conn);
	if (conn->pg)
		PQfinish(conn->pg);
	conn->pg = NULL;
	conn->state = CONN_DOWN;
}

static void conn_down(struct db_conn *conn, const struct err *why)
{
	struct err err = *why;

	conn_finish(conn);
	conn_enter(conn);
	conn_flush_requests(conn, &err);
	if (!conn->closed && conn->events.on_down)
		conn->events.on_down(conn->events.arg, &err);
	conn_leave(conn);
}

static const char *conn_host_name(const struct db_conn *conn)
{
	const char *host = conn->host;

	if (str_empty(host) && conn->pg)
		host = PQhost(conn->pg);
	if (str_empty(host))
		host = conn->hostaddr;
	return str_empty(host) ? "the local socket" : host;
}

/* Where a password came from that libpq found by itself and does not name: NULL where it is the
 * operator's answer, or from a file. */
static const char *conn_password_source(const struct db_conn *conn)
{
	const char *environment = getenv("PGPASSWORD");
	const char *used = conn->pg && PQpass(conn->pg) ? PQpass(conn->pg) : "";

	if (!str_empty(conn->password) || !*used)
		return NULL;
	if (!str_empty(environment) && strcmp(environment, used) == 0)
		return "PGPASSWORD";
	return "the service file";
}

/* Reports what libpq says is wrong. */
static void conn_fail(struct db_conn *conn)
{
	const char *message = conn->fatal;
	struct fault_where where;
	struct err err;

	if (!message)
		message = conn->pg ? PQerrorMessage(conn->pg) : "out of memory";
	where.host = conn_host_name(conn);
	where.port = conn->pg && PQport(conn->pg) ? atoi(PQport(conn->pg)) : 0;
	where.user = conn->pg && PQuser(conn->pg) ? PQuser(conn->pg) : "";
	where.dbname = conn->pg && PQdb(conn->pg) ? PQdb(conn->pg) : "";
	where.password_source = conn_password_source(conn);
	where.passfile_refused = conn->passfile_refused;
	where.was_up = conn->state == CONN_UP;
	where.needs_password = conn->pg && !where.was_up && PQconnectionNeedsPassword(conn->pg);
	conn->fault = fault_of_connection(&where, message, conn->sqlstate, &err);
	conn_down(conn, &err);
}

/* --- queries ---------------------------------------------------------------------------------- */

/* Keeps a FATAL error's words: libpq's own message after it is only "closed unexpectedly". */
static void conn_keep_fatal(struct db_conn *conn, const PGresult *res)
{
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (!severity || !sqlstate || !message)
		return;
	if (strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0)
		return;
	free(conn->fatal);
	conn->fatal = mem_printf("%s:  %s: %s", severity, sqlstate, message);
}

static void conn_on_notice(void *arg, const PGresult *res)
{
	conn_keep_fatal(arg, res);
}

static void conn_answer(struct db_conn *conn, struct request *request)
{
	ExecStatusType status = PQresultStatus(request->res);
	struct db_result result = { request->res };
	const char *sqlstate, *message;
	struct err err;

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
		status == PGRES_EMPTY_QUERY) {
		conn->sqlstate[0] = '\0';
		request->cb(request->arg, &result, NULL);
		return;
	}
	sqlstate = PQresultErrorField(request->res, PG_DIAG_SQLSTATE);
	message = PQresultErrorField(request->res, PG_DIAG_MESSAGE_PRIMARY);
	memset(conn->sqlstate, 0, sizeof(conn->sqlstate));
	strncpy(conn->sqlstate, sqlstate ? sqlstate : "", sizeof(conn->sqlstate) - 1);
	fault_of_query(conn->sqlstate, message ? message : PQresultErrorMessage(request->res),
		PQresultErrorField(request->res, PG_DIAG_MESSAGE_DETAIL), &err);
	request->cb(request->arg, NULL, &err);
}

/* Takes one result. Returns false when the connection ended under it. */
static bool conn_take_result(struct db_conn *conn, PGresult *res)
{
	struct request *request;
	struct err err;

	switch (PQresultStatus(res)) {
	case PGRES_PIPELINE_SYNC:
		PQclear(res);
		request = conn_pop(conn);
		conn_enter(conn);
		conn_answer(conn, request);
		request_free(request);
		return conn_leave(conn) && conn->state == CONN_UP;
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		PQclear(res);
		conn->fault = DB_FAULT_LOST;
		err_set(&err, ERR_DATABASE,
			"COPY to or from the client is not possible here; the connection was "
			"closed");
		conn_down(conn, &err);
		return false;
	default:
		conn_keep_fatal(conn, res);
		PQclear(conn->first->res);
		conn->first->res = res;
		return true;
	}
}

/* Hands out the answers that are there. Returns false when the connection ended. A NULL result ends
 * a query's results; the sync's follows it. */
static bool conn_drain(struct db_conn *conn)
{
	PGresult *res;
	int nulls = 0;

	/* PQisBusy is what parses: also while nothing is asked, for an idle session's last words. */
	while (!PQisBusy(conn->pg) && conn->first && nulls < 2) {
		res = PQgetResult(conn->pg);
		nulls = res ? 0 : nulls + 1;
		if (res && !conn_take_result(conn, res))
			return false;
	}
	return true;
}

/* Writes what is left and watches for what is possible next. Returns false when it broke. */
static bool conn_flush(struct db_conn *conn)
{
	int left = PQflush(conn->pg);

	if (left < 0)
		return false;
	conn_poll(conn, left ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	return true;
}

static void conn_on_ready(struct db_conn *conn, int events)
{
	bool broken = false;

	if (events & LOOP_READ) {
		broken = !PQconsumeInput(conn->pg);
		if (!conn_drain(conn))
			return;
	}
	if (!broken)
		broken = PQstatus(conn->pg) != CONNECTION_OK || !conn_flush(conn);
	if (broken)
		conn_fail(conn);
}

static void conn_on_kick(struct loop_timer *timer, void *arg);

static void conn_send(struct db_conn *conn, const struct request *request)
{
	if (conn->doomed)
		return;
	if (PQsendQueryParams(conn->pg, request->sql, request->n_params, NULL,
		    (const char *const *)request->params, NULL, NULL, 0) &&
		PQpipelineSync(conn->pg) && conn_flush(conn))
		return;
	/* Told from the loop, never from inside the caller's call. */
	conn->doomed = true;
	if (!conn->kick)
		conn->kick = loop_timer_start(conn->loop, 0, 0, conn_on_kick, conn);
}

static struct request *conn_append(
	struct db_conn *conn, const struct db_query *query, db_result_cb cb, void *arg)
{
	struct request *request = mem_calloc(1, sizeof(*request));
	int i;

	request->sql = mem_strdup(query->sql);
	request->n_params = query->n_params;
	request->params = mem_calloc((size_t)query->n_params + 1, sizeof(*request->params));
	for (i = 0; i < query->n_params; i++)
		request->params[i] = mem_strdup_opt(query->params[i]);
	request->cb = cb;
	request->arg = arg;
	*conn->last = request;
	conn->last = &request->next;
	conn->n_requests++;
	return request;
}

void db_conn_query(struct db_conn *conn, const struct db_query *query, db_result_cb cb, void *arg)
{
	struct request *request;
	struct err err;

	if (conn->state == CONN_DOWN || conn->closed) {
		err_set(&err, conn->closed ? ERR_CANCELLED : ERR_DATABASE,
			"there is no connection to PostgreSQL at %s", conn_host_name(conn));
		cb(arg, NULL, &err);
		return;
	}
	request = conn_append(conn, query, cb, arg);
	if (conn->state == CONN_UP)
		conn_send(conn, request);
}

/* --- connecting ------------------------------------------------------------------------------- */

static void conn_on_setup(void *arg, const struct db_result *result, const struct err *err)
{
	(void)arg;
	(void)result;
	(void)err;
}

/* What cannot be a startup setting because older servers do not know it. Cost: none. 14 and later. */
static const struct db_query conn_setup_query = {
	.sql = "SELECT pg_catalog.set_config('idle_session_timeout', '0', false)",
};

static bool conn_wants_setup(const struct db_conn *conn)
{
	return PQserverVersion(conn->pg) >= 140000;
}

static void conn_setup(struct db_conn *conn)
{
	struct request *queued = conn->first, **last = conn->last;

	if (!conn_wants_setup(conn))
		return;
	/* Before those that were queued meanwhile. */
	conn->first = NULL;
	conn->last = &conn->first;
	conn_append(conn, &conn_setup_query, conn_on_setup, NULL);
	if (queued) {
		conn->first->next = queued;
		conn->last = last;
	}
}

/* Cost: none; any server. */
void db_conn_reset(struct db_conn *conn)
{
	static const struct db_query query = { .sql = "RESET ALL" };

	db_conn_query(conn, &query, conn_on_setup, NULL);
	if (conn_wants_setup(conn))
		db_conn_query(conn, &conn_setup_query, conn_on_setup, NULL);
}

static void conn_on_connected(struct db_conn *conn)
{
	struct request *request;

	loop_timer_stop(conn->timeout);
	conn->timeout = NULL;
	PQsetErrorVerbosity(conn->pg, PQERRORS_DEFAULT);
	PQsetNoticeReceiver(conn->pg, conn_on_notice, conn);
	if (PQsetnonblocking(conn->pg, 1) < 0 || !PQenterPipelineMode(conn->pg)) {
		conn_fail(conn);
		return;
	}
	conn->state = CONN_UP;
	free(conn->user);
	free(conn->dbname);
	conn->user = mem_strdup(PQuser(conn->pg));
	conn->dbname = mem_strdup(PQdb(conn->pg));
	conn_setup(conn);
	for (request = conn->first; request; request = request->next)
		conn_send(conn, request);
	if (!conn_flush(conn)) {
		conn_fail(conn);
		return;
	}
	conn_enter(conn);
	if (conn->events.on_up)
		conn->events.on_up(conn->events.arg);
	conn_leave(conn);
}

/* One step of connecting. The socket may be another one afterwards (TLS refused, next address), even
 * under the same number: the handle is made anew around each step. */
static void conn_step(struct db_conn *conn)
{
	PostgresPollingStatusType status;

	loop_poll_stop(conn->poll);
	conn->poll = NULL;
	status = PQconnectPoll(conn->pg);
	if (status == PGRES_POLLING_OK)
		conn_on_connected(conn);
	else if (status == PGRES_POLLING_FAILED || PQsocket(conn->pg) < 0)
		conn_fail(conn);
	else
		conn_poll(conn, status == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE);
}

static void conn_on_poll(struct loop_poll *poll, int events, void *arg)
{
	struct db_conn *conn = arg;

	(void)poll;
	if (conn->state == CONN_CONNECTING)
		conn_step(conn);
	else
		conn_on_ready(conn, events);
}

static void conn_poll(struct db_conn *conn, int events)
{
	if (conn->poll)
		loop_poll_change(conn->poll, events);
	else
		conn->poll =
			loop_poll_start(conn->loop, PQsocket(conn->pg), events, conn_on_poll, conn);
}

/* `hosts` and `addresses` are libpq's comma-separated lists of the same length. */
static void conn_begin(struct db_conn *conn, const char *hosts, const char *addresses)
{
	const char *const keywords[] = { "host", "hostaddr", "port", "dbname", "user", "password",
		"sslmode", "application_name", "options", "client_encoding", "target_session_attrs",
		"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
		"service", "gssencmode", "passfile", NULL };
	const char *const values[] = { hosts, addresses, conn->port, conn->want_dbname,
		conn->want_user, conn->password, conn->over_socket ? "disable" : conn->sslmode,
		conn->application, conn->settings, "UTF8", "any", "5", "2", "3", "10000",
		conn->service, conn->over_socket ? "disable" : NULL,
		/* A file that is not there is passed over without a word. */
		conn->passfile_refused ? "/dev/null/none" : NULL, NULL };

	conn->pg = PQconnectStartParams(keywords, values, 0);
	conn->state = CONN_CONNECTING;
	if (!conn->pg || PQstatus(conn->pg) == CONNECTION_BAD || PQsocket(conn->pg) < 0) {
		conn_fail(conn);
		return;
	}
	/* So that a refusal carries its SQLSTATE, which libpq has no other way to tell. */
	PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE);
	conn_poll(conn, LOOP_WRITE);
}

static void conn_on_resolved(void *arg, const struct strlist *addresses, const struct err *err)
{
	struct db_conn *conn = arg;
	struct buf hosts = BUF_INIT, list = BUF_INIT;
	size_t i;

	conn->resolve = NULL;
	if (err) {
		conn->fault = DB_FAULT_UNREACHABLE;
		conn_down(conn, err);
		return;
	}
	for (i = 0; i < addresses->n; i++) {
		buf_printf(&hosts, "%s%s", i ? "," : "", conn->host);
		buf_printf(&list, "%s%s", i ? "," : "", addresses->items[i]);
	}
	conn_begin(conn, buf_str(&hosts), buf_str(&list));
	buf_fini(&hosts);
	buf_fini(&list);
}

static void conn_on_timeout(struct loop_timer *timer, void *arg)
{
	struct db_conn *conn = arg;
	struct err err;

	(void)timer;
	conn->fault = DB_FAULT_UNREACHABLE;
	err_set(&err, ERR_TIMEOUT, "PostgreSQL at %s gave no answer in %d s", conn_host_name(conn),
		conn->connect_timeout_s);
	conn_down(conn, &err);
}

static void conn_on_kick(struct loop_timer *timer, void *arg)
{
	struct db_conn *conn = arg;

	loop_timer_stop(timer);
	conn->kick = NULL;
	if (conn->doomed)
		conn_fail(conn);
	else if (str_empty(conn->hostaddr) && resolve_is_name(conn->host))
		conn->resolve = resolve_start(conn->loop, conn->host, conn_on_resolved, conn);
	else
		conn_begin(conn, conn->host, conn->hostaddr);
}

static void conn_add_timeout(struct buf *out, const char *name, int wanted, int standard)
{
	int ms = wanted ? wanted : standard;

	buf_printf(out, " -c %s=%d", name, ms < 0 ? 0 : ms);
}

/* The session's settings; all are known to server 13. Being idle is what we do, so the server's own
 * limits on it are lifted; a transaction of ours left open is ended after a minute. */
static char *conn_settings(const struct db_conn_options *options)
{
	struct buf out = BUF_INIT;

	buf_add_str(&out, "-c jit=off -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres"
			  " -c client_min_messages=warning"
			  " -c idle_in_transaction_session_timeout=60000");
	if (options->read_only)
		buf_add_str(&out, " -c default_transaction_read_only=on");
	conn_add_timeout(&out, "statement_timeout", options->statement_timeout_ms,
		CONN_STATEMENT_TIMEOUT_MS);
	conn_add_timeout(&out, "lock_timeout", options->lock_timeout_ms, CONN_LOCK_TIMEOUT_MS);
	return buf_steal(&out);
}

struct db_conn *db_conn_open(struct loop *loop, const struct db_conn_options *options,
	const struct db_conn_events *events)
{
	struct db_conn *conn = mem_calloc(1, sizeof(*conn));

	conn->loop = loop;
	conn->events = *events;
	conn->last = &conn->first;
	conn->host = mem_strdup_opt(options->host);
	conn->hostaddr = mem_strdup_opt(options->hostaddr);
	conn->port = options->port ? mem_printf("%d", options->port) : NULL;
	conn->want_dbname = mem_strdup_opt(options->dbname);
	conn->want_user = mem_strdup_opt(options->user);
	conn->password = mem_strdup_opt(options->password);
	conn->sslmode = mem_strdup_opt(options->sslmode);
	conn->service = mem_strdup_opt(options->service);
	conn->over_socket = options->over_socket;
	conn->passfile_refused = passfile_refused();
	conn->application =
		mem_strdup(options->application_name ? options->application_name : "pgoncall");
	conn->settings = conn_settings(options);
	conn->connect_timeout_s =
		options->connect_timeout_s > 0 ? options->connect_timeout_s : CONN_TIMEOUT_S;
	conn->user = mem_strdup("");
	conn->dbname = mem_strdup("");
	conn->kick = loop_timer_start(loop, 0, 0, conn_on_kick, conn);
	conn->timeout =
		loop_timer_start(loop, conn->connect_timeout_s * 1000, 0, conn_on_timeout, conn);
	return conn;
}

void db_conn_close(struct db_conn *conn)
{
	struct err err;

	if (!conn || conn->closed)
		return;
	err_set(&err, ERR_CANCELLED, "the connection to PostgreSQL at %s was closed",
		conn_host_name(conn));
	conn->closed = true;
	conn_finish(conn);
	conn_enter(conn);
	conn_flush_requests(conn, &err);
	conn_leave(conn);
}

/* --- reading ---------------------------------------------------------------------------------- */

bool db_conn_is_up(const struct db_conn *conn)
{
	return conn->state == CONN_UP && !conn->doomed;
}

enum db_fault db_conn_fault(const struct db_conn *conn)
{
	return conn->fault;
}

const char *db_conn_sqlstate(const struct db_conn *conn)
{
	return conn->sqlstate;
}

int db_conn_socket_port(const struct db_conn *conn)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} local;
	socklen_t len = sizeof(local);
	int fd = conn->pg ? PQsocket(conn->pg) : -1;

	if (fd < 0 || getsockname(fd, &local.any, &len) < 0)
		return 0;
	if (local.any.sa_family == AF_INET)
		return ntohs(local.in.sin_port);
	if (local.any.sa_family == AF_INET6)
		return ntohs(local.in6.sin6_port);
	return 0;
}

int db_conn_backend_pid(const struct db_conn *conn)
{
	return conn->state == CONN_UP ? PQbackendPID(conn->pg) : 0;
}

int db_conn_version_num(const struct db_conn *conn)
{
	return conn->state == CONN_UP ? PQserverVersion(conn->pg) : 0;
}

const char *db_conn_user(const struct db_conn *conn)
{
	return conn->user;
}

const char *db_conn_dbname(const struct db_conn *conn)
{
	return conn->dbname;
}

const char *db_conn_tls(const struct db_conn *conn)
{
	const char *protocol = NULL;

	if (conn->state == CONN_UP && PQsslInUse(conn->pg))
		protocol = PQsslAttribute(conn->pg, "protocol");
	return protocol ? protocol : "";
}

size_t db_conn_pending(const struct db_conn *conn)
{
	return conn->n_requests;
}
