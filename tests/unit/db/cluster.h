/*
 * A PostgreSQL server of the test's own, in a temporary directory, and sessions on it ("actors") that
 * share the test's loop. Included once by a test program. The server refuses to run as root, so its
 * tools are run as user postgres then.
 */
#ifndef TESTS_UNIT_DB_CLUSTER_H
#define TESTS_UNIT_DB_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/action.h>
#include <pgoncall/db/conn.h>
#include <pgoncall/db/snapshot.h>
#include <pgoncall/db/watch.h>
#include <pgoncall/loop/loop.h>

/* Longest that anything here may take; generous, for sanitizers and valgrind. */
#define CLUSTER_PATIENCE_S 60

struct cluster {
	char dir[64]; /* data, socket and log */
	int port;
	struct loop *loop;
};

static struct cluster cluster;

static int cluster_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int cluster_shell(const char *fmt, ...)
{
	char *command;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	if (vasprintf(&command, fmt, ap) < 0)
		abort();
	va_end(ap);
	rc = system(command);
	free(command);
	return rc;
}

static const char *cluster_as(void)
{
	return geteuid() == 0 ? "runuser -u postgres --" : "env";
}

/* Of the server in $PGONCALL_PG_BIN (tests/versions), else of Debian's newest. */
#define CLUSTER_BIN                                                                                \
	"PATH=${PGONCALL_PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | "     \
	"tail -n 1)}:$PATH; "

static int cluster_free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0), port;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_return_code(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_return_code(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	port = ntohs(addr.sin_port);
	close(fd);
	return port;
}

/* Runs SQL with psql as superuser. */
static void cluster_psql(const char *database, const char *sql)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/run.sql", cluster.dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(sql, file);
	fclose(file);
	assert_int_equal(
		cluster_shell("psql -X -q -v ON_ERROR_STOP=1 -h %s -p %d -U postgres -d %s "
			      "-f %s >/dev/null",
			cluster.dir, cluster.port, database, path),
		0);
}

static const char cluster_hba[] = "local all all trust\n"
				  "host all secret 127.0.0.1/32 scram-sha-256\n"
				  "hostnossl all plaintext 127.0.0.1/32 trust\n"
				  "host all plaintext 127.0.0.1/32 reject\n"
				  "host all all 127.0.0.1/32 trust\n";

static int cluster_start(void **state)
{
	char path[128];
	FILE *file;

	(void)state;
	snprintf(cluster.dir, sizeof(cluster.dir), "/tmp/pgoncall-db-XXXXXX");
	if (!mkdtemp(cluster.dir))
		return -1;
	cluster.port = cluster_free_port();
	cluster.loop = loop_new();
	if (geteuid() == 0 && cluster_shell("chown postgres %s", cluster.dir) != 0)
		return -1;
	if (cluster_shell(CLUSTER_BIN "%s env PATH=\"$PATH\" initdb -D %s/data -A trust -N "
				      "-U postgres >/dev/null",
		    cluster_as(), cluster.dir) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/data/pg_hba.conf", cluster.dir);
	file = fopen(path, "w");
	if (!file)
		return -1;
	fputs(cluster_hba, file);
	fclose(file);
	if (cluster_shell(
		    "cd %s/data && openssl req -new -x509 -nodes -days 2 -subj /CN=test "
		    "-out server.crt -keyout server.key 2>/dev/null && chmod 600 server.key && "
		    "{ [ $(id -u) != 0 ] || chown postgres server.crt server.key; }",
		    cluster.dir) != 0)
		return -1;
	/* Should the test die, the server must not outlive it. */
	cluster_shell("(while kill -0 %d 2>/dev/null; do sleep 1; done; [ -d %s ] && "
		      "kill -QUIT $(head -n 1 %s/data/postmaster.pid); sleep 1; rm -rf %s) "
		      "</dev/null >/dev/null 2>&1 &",
		(int)getpid(), cluster.dir, cluster.dir, cluster.dir);
	return cluster_shell(CLUSTER_BIN
		"%s env PATH=\"$PATH\" pg_ctl -D %s/data -w -l %s/log start -o '-c port=%d "
		"-c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c fsync=off -c "
		"ssl=on "
		"-c password_encryption=scram-sha-256 -c max_prepared_transactions=5 -c max_connections=60 -c log_statement=all "
		"-c shared_buffers=16MB -c deadlock_timeout=10s' >/dev/null",
		cluster_as(), cluster.dir, cluster.dir, cluster.port, cluster.dir);
}

static int cluster_stop(void **state)
{
	(void)state;
	loop_free(cluster.loop);
	cluster_shell(CLUSTER_BIN "%s env PATH=\"$PATH\" pg_ctl -D %s/data -m immediate stop "
				  ">/dev/null 2>&1",
		cluster_as(), cluster.dir);
	return cluster_shell("rm -rf %s", cluster.dir);
}

/* Runs the loop until the condition holds; fails the test when it does not. */
#define cluster_wait(condition)                                                                    \
	do {                                                                                       \
		int64_t end_ = clock_monotonic() + CLUSTER_PATIENCE_S * CLOCK_NS_PER_S;            \
		while (!(condition) && clock_monotonic() < end_)                                   \
			loop_run_once(cluster.loop, 20);                                           \
		if (!(condition))                                                                  \
			fail_msg("waited in vain for: %s", #condition);                            \
	} while (0)

/* --- actors ----------------------------------------------------------------------------------- */

struct actor {
	struct db_conn *conn;
	bool up;
	int downs;
	struct err why;      /* of the last on_down, or of the last query that failed */
	char sqlstate[6];    /* of that */
	int answers, errors; /* of actor_send's queries */
	char value[4096];    /* first field of the last result */
	char tag[64];
};

static void actor_on_up(void *arg)
{
	((struct actor *)arg)->up = true;
}

static void actor_on_down(void *arg, const struct err *why)
{
	struct actor *actor = arg;

	actor->downs++;
	actor->why = *why;
}

static void actor_on_result(void *arg, const struct db_result *result, const struct err *err)
{
	struct actor *actor = arg;

	assert_true(!result != !err);
	actor->answers++;
	if (err) {
		actor->errors++;
		actor->why = *err;
		snprintf(actor->sqlstate, sizeof(actor->sqlstate), "%s",
			actor->conn ? db_conn_sqlstate(actor->conn) : "");
		return;
	}
	snprintf(actor->value, sizeof(actor->value), "%s", db_result_value(result, 0, 0));
	snprintf(actor->tag, sizeof(actor->tag), "%s", db_result_tag(result));
}

static struct db_conn_options actor_options(const char *user, const char *application)
{
	struct db_conn_options options = {
		.host = cluster.dir,
		.port = cluster.port,
		.dbname = "boardofone",
		.user = user,
		.application_name = application,
		.statement_timeout_ms = -1,
		.lock_timeout_ms = -1,
	};

	return options;
}

static void actor_open(struct actor *actor, const struct db_conn_options *options)
{
	const struct db_conn_events events = { actor_on_up, actor_on_down, actor };

	memset(actor, 0, sizeof(*actor));
	actor->conn = db_conn_open(cluster.loop, options, &events);
}

/* A session of that role and application, connected. */
static void actor_start(struct actor *actor, const char *user, const char *application)
{
	const struct db_conn_options options = actor_options(user, application);

	actor_open(actor, &options);
	cluster_wait(actor->up || actor->downs);
	if (!actor->up)
		fail_msg("%s", actor->why.text);
}

static void actor_close(struct actor *actor)
{
	struct db_conn *conn = actor->conn;

	actor->conn = NULL;
	db_conn_close(conn);
}

static void actor_send(struct actor *actor, const char *sql)
{
	const struct db_query query = { sql, NULL, 0 };

	db_conn_query(actor->conn, &query, actor_on_result, actor);
}

/* Sends and waits; returns the first field. */
__attribute__((unused)) static const char *actor_do(struct actor *actor, const char *sql)
{
	int errors = actor->errors;

	actor_send(actor, sql);
	cluster_wait(db_conn_pending(actor->conn) == 0);
	if (actor->errors != errors)
		fail_msg("%s: %s", sql, actor->why.text);
	return actor->value;
}

/* --- pictures --------------------------------------------------------------------------------- */

struct picture {
	struct db_snapshot *snapshot; /* the last one, owned */
	struct err err;
	int n, n_errors;
};

static void picture_on_snapshot(void *arg, struct db_snapshot *snapshot_take, const struct err *err)
{
	struct picture *picture = arg;

	assert_true(!snapshot_take != !err);
	picture->n++;
	if (err) {
		picture->n_errors++;
		picture->err = *err;
		return;
	}
	db_snapshot_free(picture->snapshot);
	picture->snapshot = snapshot_take;
}

/* One picture taken by that actor; the caller frees. */
static struct db_snapshot *picture_take(struct actor *actor, const char *version_table)
{
	const struct db_watch_options options = { .interval_ms = 0,
		.version_table = version_table };
	struct picture picture = { NULL, { ERR_OK, "" }, 0, 0 };
	struct db_watch *watch;

	watch = db_watch_start(cluster.loop, actor->conn, &options, picture_on_snapshot, &picture);
	cluster_wait(picture.n > 0);
	db_watch_stop(watch);
	if (picture.n_errors)
		fail_msg("%s", picture.err.text);
	return picture.snapshot;
}

static size_t picture_waiting(const struct db_snapshot *snapshot)
{
	size_t i, n = 0;

	for (i = 0; i < snapshot->n_sessions; i++)
		n += snapshot->sessions[i].waits_for.mode[0] != '\0';
	return n;
}

/* Pictures until exactly n sessions wait for a lock. */
__attribute__((unused)) static struct db_snapshot *picture_with_waiting(
	struct actor *actor, size_t n)
{
	int64_t end = clock_monotonic() + CLUSTER_PATIENCE_S * CLOCK_NS_PER_S;
	struct db_snapshot *snapshot = picture_take(actor, "alembic_version");

	while (picture_waiting(snapshot) != n && clock_monotonic() < end) {
		db_snapshot_free(snapshot);
		snapshot = picture_take(actor, "alembic_version");
	}
	assert_int_equal(picture_waiting(snapshot), n);
	return snapshot;
}

__attribute__((unused)) static const struct db_session *picture_session(
	const struct db_snapshot *snapshot, const struct actor *actor)
{
	const struct db_session *session =
		db_snapshot_find(snapshot, db_conn_backend_pid(actor->conn));

	assert_non_null(session);
	return session;
}

#endif
