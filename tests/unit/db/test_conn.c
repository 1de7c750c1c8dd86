/*
 * A connection against a real server: getting in, being kept out, queries, breaking, closing.
 */
#include "cluster.h"

static const char conn_seed[] = "CREATE ROLE bo1 LOGIN;\n"
				"CREATE ROLE secret LOGIN PASSWORD 'open sesame';\n"
				"CREATE ROLE plaintext LOGIN;\n"
				"CREATE ROLE crowded LOGIN CONNECTION LIMIT 0;\n"
				"CREATE DATABASE boardofone OWNER bo1;\n";

static int conn_setup(void **state)
{
	int rc = cluster_start(state);

	if (rc == 0)
		cluster_psql("postgres", conn_seed);
	return rc;
}

static struct db_conn_options conn_tcp(const char *user)
{
	struct db_conn_options options = actor_options(user, "test");

	options.host = "db.example";
	options.hostaddr = "127.0.0.1";
	return options;
}

/* Opens and expects to be kept out. The actor is left for looking; close it. */
static void conn_refused(struct actor *actor, const struct db_conn_options *options,
	enum db_fault fault, enum err_code code, const char *sentence)
{
	actor_open(actor, options);
	cluster_wait(actor->up || actor->downs);
	assert_false(actor->up);
	assert_int_equal(actor->downs, 1);
	if (!strstr(actor->why.text, sentence))
		fail_msg("\"%s\" has no \"%s\"", actor->why.text, sentence);
	assert_null(strchr(actor->why.text, '\n'));
	assert_int_equal(db_conn_fault(actor->conn), fault);
	assert_int_equal(actor->why.code, code);
	assert_false(db_conn_is_up(actor->conn));
	assert_int_equal(db_conn_socket_port(actor->conn), 0);
}

static void conn_comes_up(void **state)
{
	struct db_conn_options options = conn_tcp("bo1");
	struct actor actor;
	char port[16];

	(void)state;
	options.sslmode = "require";
	actor_open(&actor, &options);
	assert_false(db_conn_is_up(actor.conn));
	assert_int_equal(db_conn_backend_pid(actor.conn), 0);
	cluster_wait(actor.up || actor.downs);
	assert_true(db_conn_is_up(actor.conn));
	assert_true(db_conn_version_num(actor.conn) >= 130000);
	assert_string_equal(db_conn_user(actor.conn), "bo1");
	assert_string_equal(db_conn_dbname(actor.conn), "boardofone");
	assert_string_equal(db_conn_tls(actor.conn), "TLSv1.3");
	snprintf(port, sizeof(port), "%d", db_conn_socket_port(actor.conn));
	assert_string_equal(actor_do(&actor, "SELECT inet_client_port()"), port);
	assert_int_equal(
		atoi(actor_do(&actor, "SELECT pg_backend_pid()")), db_conn_backend_pid(actor.conn));
	actor_close(&actor);
}

static void conn_sets_the_session_up(void **state)
{
	struct db_conn_options options = actor_options("bo1", NULL);
	struct actor actor;

	(void)state;
	options.read_only = true;
	options.statement_timeout_ms = 0;
	options.lock_timeout_ms = 0;
	actor_open(&actor, &options);
	cluster_wait(actor.up || actor.downs);
	assert_string_equal(actor_do(&actor, "SHOW statement_timeout"), "2s");
	assert_string_equal(actor_do(&actor, "SHOW lock_timeout"), "200ms");
	assert_string_equal(actor_do(&actor, "SHOW jit"), "off");
	assert_string_equal(actor_do(&actor, "SHOW timezone"), "UTC");
	assert_string_equal(actor_do(&actor, "SHOW application_name"), "pgoncall");
	assert_string_equal(actor_do(&actor, "SHOW client_encoding"), "UTF8");
	assert_string_equal(actor_do(&actor, "SHOW default_transaction_read_only"), "on");
	actor_send(&actor, "CREATE TABLE never (i int)");
	cluster_wait(actor.errors == 1);
	assert_string_equal(actor.sqlstate, "25006");
	assert_int_equal(actor.why.code, ERR_REFUSED);
	actor_close(&actor);
}

/* The server takes no TLS from this role: libpq goes on to a second socket. */
static void conn_follows_a_new_socket(void **state)
{
	struct db_conn_options options = conn_tcp("plaintext");
	struct actor actor;
	char port[16];

	(void)state;
	options.sslmode = "prefer";
	actor_open(&actor, &options);
	cluster_wait(actor.up || actor.downs);
	assert_true(actor.up);
	assert_string_equal(db_conn_tls(actor.conn), "");
	snprintf(port, sizeof(port), "%d", db_conn_socket_port(actor.conn));
	assert_string_equal(actor_do(&actor, "SELECT inet_client_port()"), port);
	actor_close(&actor);
}

static void conn_resolves_names(void **state)
{
	struct db_conn_options options = conn_tcp("bo1");
	struct actor actor;

	(void)state;
	options.host = "localhost";
	options.hostaddr = NULL;
	actor_open(&actor, &options);
	cluster_wait(actor.up || actor.downs);
	assert_true(actor.up);
	actor_close(&actor);

	options.host = "no-such-host.invalid";
	conn_refused(&actor, &options, DB_FAULT_UNREACHABLE, ERR_RESOLVE, "no-such-host.invalid");
	actor_close(&actor);

	/* Closed while the look-up runs. */
	actor_open(&actor, &options);
	loop_run_once(cluster.loop, 0);
	actor_close(&actor);
}

static void conn_names_a_missing_database(void **state)
{
	struct db_conn_options options = conn_tcp("bo1");
	struct actor actor;

	(void)state;
	options.dbname = "nowhere";
	conn_refused(&actor, &options, DB_FAULT_OTHER, ERR_DATABASE,
		"there is no database nowhere: check db_name");
	assert_string_equal(db_conn_sqlstate(actor.conn), "3D000");
	actor_close(&actor);
}

static void conn_names_an_unknown_role(void **state)
{
	struct db_conn_options options = conn_tcp("ghost");
	struct actor actor;

	(void)state;
	conn_refused(&actor, &options, DB_FAULT_OTHER, ERR_AUTH, "does not let in role ghost");
	assert_string_equal(db_conn_sqlstate(actor.conn), "28000");
	actor_close(&actor);
}

static void conn_knows_passwords(void **state)
{
	struct db_conn_options options = conn_tcp("secret");
	struct actor actor;

	(void)state;
	setenv("PGPASSFILE", "/nonexistent", 1);
	conn_refused(&actor, &options, DB_FAULT_PASSWORD_NEEDED, ERR_AUTH,
		"asks for a password of role secret: put it in ~/.pgpass");
	actor_close(&actor);

	options.password = "abracadabra";
	conn_refused(&actor, &options, DB_FAULT_PASSWORD_WRONG, ERR_AUTH,
		"refuses the password of role secret");
	actor_close(&actor);

	options.password = "open sesame";
	actor_open(&actor, &options);
	cluster_wait(actor.up || actor.downs);
	assert_true(actor.up);
	actor_close(&actor);
}

static void conn_knows_full_servers(void **state)
{
	struct db_conn_options options = conn_tcp("crowded");
	struct actor actor;

	(void)state;
	conn_refused(&actor, &options, DB_FAULT_SLOTS, ERR_DATABASE, "no connection slot left");
	assert_string_equal(db_conn_sqlstate(actor.conn), "53300");
	actor_close(&actor);
}

static void conn_knows_a_refused_port(void **state)
{
	struct db_conn_options options = conn_tcp("bo1");
	struct actor actor;

	(void)state;
	options.port = cluster_free_port();
	conn_refused(&actor, &options, DB_FAULT_UNREACHABLE, ERR_CONNECT,
		"no PostgreSQL listens at db.example port");
	actor_close(&actor);
}

static void conn_gives_up_on_silence(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct db_conn_options options = conn_tcp("bo1");
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct actor actor;

	(void)state;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_return_code(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_return_code(listen(fd, 5), 0);
	assert_return_code(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	options.port = ntohs(addr.sin_port);
	options.connect_timeout_s = 1;
	conn_refused(&actor, &options, DB_FAULT_UNREACHABLE, ERR_TIMEOUT, "gave no answer in 1 s");
	actor_close(&actor);
	close(fd);
}

static void conn_answers_in_order(void **state)
{
	struct actor actor;
	int i;

	(void)state;
	actor_start(&actor, "bo1", "test");
	for (i = 0; i < 50; i++)
		actor_send(&actor, i % 5 == 3 ? "SELECT 1/0" : "SELECT 7");
	cluster_wait(actor.answers == 50);
	assert_int_equal(actor.errors, 10);
	assert_string_equal(actor.sqlstate, "22012");
	assert_string_equal(actor.why.text, "PostgreSQL: division by zero (SQLSTATE 22012)");
	assert_string_equal(actor.value, "7");
	assert_string_equal(actor.tag, "SELECT 1");
	actor_close(&actor);
}

struct values {
	struct err err;
	int n;
};

static void values_check(void *arg, const struct db_result *result, const struct err *err)
{
	struct values *values = arg;

	assert_null(err);
	values->n++;
	assert_int_equal(db_result_rows(result), 1);
	assert_int_equal(db_result_cols(result), 3);
	assert_string_equal(db_result_column(result, 1), "what");
	assert_string_equal(db_result_column(result, 9), "");
	assert_string_equal(db_result_value(result, 0, 0), "42");
	assert_string_equal(db_result_value(result, 0, 1), "Robert'); DROP TABLE x; --");
	assert_false(db_result_is_null(result, 0, 1));
	assert_true(db_result_is_null(result, 0, 2));
	assert_string_equal(db_result_value(result, 0, 2), "");
	assert_string_equal(db_result_value(result, 5, 0), "");
	assert_int_equal(db_result_affected(result), 1);
}

static void conn_binds_parameters(void **state)
{
	const char *const params[] = { "41", "Robert'); DROP TABLE x; --", NULL };
	const struct db_query query = { "SELECT $1::int + 1, $2::text AS what, $3::text", params,
		3 };
	struct values values = { { ERR_OK, "" }, 0 };
	struct actor actor;

	(void)state;
	actor_start(&actor, "bo1", "test");
	cluster_wait(db_conn_pending(actor.conn) == 0);
	db_conn_query(actor.conn, &query, values_check, &values);
	assert_int_equal(db_conn_pending(actor.conn), 1);
	cluster_wait(values.n == 1);
	actor_close(&actor);
}

static void conn_runs_what_needs_no_transaction(void **state)
{
	struct actor actor;

	(void)state;
	actor_start(&actor, "postgres", "test");
	actor_do(&actor, "CREATE TABLE indexed (i int)");
	actor_do(&actor, "CREATE INDEX CONCURRENTLY indexed_i ON indexed (i)");
	actor_do(&actor, "DROP INDEX CONCURRENTLY indexed_i");
	actor_do(&actor, "BEGIN");
	actor_do(&actor, "UPDATE indexed SET i = 1");
	assert_string_equal(actor.tag, "UPDATE 0");
	actor_do(&actor, "ROLLBACK");
	assert_string_equal(actor.tag, "ROLLBACK");
	actor_do(&actor, "DROP TABLE indexed");
	actor_close(&actor);
}

/* More than a socket buffer in both directions. */
static void conn_moves_large_things(void **state)
{
	char *text = mem_alloc(5000001);
	const char *const params[] = { text };
	const struct db_query query = { "SELECT length($1::text), repeat('x', 5000000)", params,
		1 };
	struct actor actor;

	(void)state;
	memset(text, 'x', 5000000);
	text[5000000] = '\0';
	actor_start(&actor, "bo1", "test");
	db_conn_query(actor.conn, &query, actor_on_result, &actor);
	cluster_wait(actor.answers == 1);
	assert_string_equal(actor.value, "5000000");
	actor_close(&actor);
	free(text);
}

static void conn_times_out_statements(void **state)
{
	struct db_conn_options options = actor_options("bo1", "test");
	struct actor actor;

	(void)state;
	options.statement_timeout_ms = 50;
	actor_open(&actor, &options);
	actor_send(&actor, "SELECT pg_sleep(60)");
	cluster_wait(actor.answers == 1);
	assert_int_equal(actor.why.code, ERR_TIMEOUT);
	assert_string_equal(actor.sqlstate, "57014");
	actor_close(&actor);
}

static void conn_refuses_copy(void **state)
{
	struct actor actor;

	(void)state;
	actor_start(&actor, "postgres", "test");
	actor_send(&actor, "COPY (SELECT 1) TO STDOUT");
	cluster_wait(actor.answers == 1);
	assert_int_equal(actor.errors, 1);
	actor_close(&actor);
}

static void conn_tells_that_it_broke(void **state)
{
	struct actor victim, killer;
	char sql[64];

	(void)state;
	actor_start(&victim, "bo1", "victim");
	actor_start(&killer, "postgres", "killer");
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)",
		db_conn_backend_pid(victim.conn));
	actor_send(&victim, "SELECT pg_sleep(60)");
	actor_send(&victim, "SELECT 1");
	actor_do(&killer, sql);
	cluster_wait(victim.downs);
	assert_int_equal(victim.downs, 1);
	assert_int_equal(victim.errors, 2);
	assert_int_equal(db_conn_fault(victim.conn), DB_FAULT_LOST);
	assert_non_null(strstr(victim.why.text, "the server ended our session"));
	/* What is asked afterwards is answered at once. */
	actor_send(&victim, "SELECT 1");
	assert_int_equal(victim.errors, 3);
	actor_close(&victim);
	actor_close(&killer);
}

/* Nothing was under way: the server's last words come as a notice. */
static void conn_tells_that_it_broke_idle(void **state)
{
	struct actor victim, killer;
	char sql[64];

	(void)state;
	actor_start(&victim, "bo1", "victim");
	actor_do(&victim, "SELECT 1");
	actor_start(&killer, "postgres", "killer");
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)",
		db_conn_backend_pid(victim.conn));
	actor_do(&killer, sql);
	cluster_wait(victim.downs);
	assert_non_null(strstr(victim.why.text, "administrator command"));
	actor_close(&victim);
	actor_close(&killer);
}

static void close_in_result(void *arg, const struct db_result *result, const struct err *err)
{
	struct actor *actor = arg;

	(void)result;
	actor->answers++;
	if (err)
		actor->errors++;
	if (actor->conn)
		actor_close(actor);
}

static void conn_closes_inside_a_callback(void **state)
{
	const struct db_query query = { "SELECT 1", NULL, 0 };
	struct actor actor;
	int i;

	(void)state;
	actor_start(&actor, "bo1", "test");
	for (i = 0; i < 3; i++)
		db_conn_query(actor.conn, &query, close_in_result, &actor);
	cluster_wait(actor.answers == 3);
	assert_int_equal(actor.errors, 2);
	assert_int_equal(actor.downs, 0);
	assert_null(actor.conn);
}

static void close_in_event(void *arg)
{
	actor_close(arg);
}

static void close_in_down(void *arg, const struct err *why)
{
	actor_on_down(arg, why);
	actor_close(arg);
}

static void conn_closes_inside_an_event(void **state)
{
	struct actor actor;
	const struct db_conn_events events = { close_in_event, close_in_down, &actor };
	struct db_conn_options options = actor_options("bo1", "test");

	(void)state;
	memset(&actor, 0, sizeof(actor));
	actor.conn = db_conn_open(cluster.loop, &options, &events);
	actor_send(&actor, "SELECT 1");
	cluster_wait(!actor.conn);
	assert_int_equal(actor.errors, 1);

	options.dbname = "nowhere";
	actor.conn = db_conn_open(cluster.loop, &options, &events);
	cluster_wait(actor.downs == 1);
	assert_null(actor.conn);
}

static void conn_closes_at_any_time(void **state)
{
	const struct db_conn_options options = conn_tcp("bo1");
	struct actor actor;
	int turns, i;

	(void)state;
	for (turns = 0; turns < 12; turns++) {
		actor_open(&actor, &options);
		actor_send(&actor, "SELECT pg_sleep(0.01)");
		for (i = 0; i < turns; i++)
			loop_run_once(cluster.loop, 5);
		actor_close(&actor);
		assert_int_equal(actor.answers, 1);
		assert_int_equal(actor.downs, 0);
	}
	db_conn_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conn_comes_up),
		cmocka_unit_test(conn_sets_the_session_up),
		cmocka_unit_test(conn_follows_a_new_socket),
		cmocka_unit_test(conn_resolves_names),
		cmocka_unit_test(conn_names_a_missing_database),
		cmocka_unit_test(conn_names_an_unknown_role),
		cmocka_unit_test(conn_knows_passwords),
		cmocka_unit_test(conn_knows_full_servers),
		cmocka_unit_test(conn_knows_a_refused_port),
		cmocka_unit_test(conn_gives_up_on_silence),
		cmocka_unit_test(conn_answers_in_order),
		cmocka_unit_test(conn_binds_parameters),
		cmocka_unit_test(conn_runs_what_needs_no_transaction),
		cmocka_unit_test(conn_moves_large_things),
		cmocka_unit_test(conn_times_out_statements),
		cmocka_unit_test(conn_refuses_copy),
		cmocka_unit_test(conn_tells_that_it_broke),
		cmocka_unit_test(conn_tells_that_it_broke_idle),
		cmocka_unit_test(conn_closes_inside_a_callback),
		cmocka_unit_test(conn_closes_inside_an_event),
		cmocka_unit_test(conn_closes_at_any_time),
	};

	return cmocka_run_group_tests(tests, conn_setup, cluster_stop);
}
