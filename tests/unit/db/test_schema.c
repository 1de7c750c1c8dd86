/*
 * Schema facts from a real server: tables that are missing, indexes that are invalid.
 */
#include "cluster.h"

#include <pgoncall/db/schema.h>

struct answer {
	int n;
	struct strlist missing, invalid;
	struct err err;
};

static void answer_on_facts(void *arg, const struct db_schema_facts *facts, const struct err *err)
{
	struct answer *answer = arg;

	answer->n++;
	if (!facts) {
		answer->err = *err;
		return;
	}
	strlist_copy(&answer->missing, &facts->missing_tables);
	strlist_copy(&answer->invalid, &facts->invalid_indexes);
}

static int group_setup(void **state)
{
	if (cluster_start(state) != 0)
		return -1;
	cluster_psql("postgres", "CREATE DATABASE boardofone");
	/* A unique index over doubles cannot be built; concurrently, it stays behind. */
	cluster_psql("boardofone",
		"CREATE SCHEMA audit; CREATE TABLE audit.log (n int);\n"
		"CREATE TABLE users (id int); INSERT INTO users VALUES (1), (1);\n"
		"CREATE TABLE \"it's\" (id int)");
	cluster_shell("psql -X -q -h %s -p %d -U postgres -d boardofone -c 'CREATE UNIQUE INDEX "
		      "CONCURRENTLY users_once ON users (id)' >/dev/null 2>&1",
		cluster.dir, cluster.port);
	return 0;
}

static void schema_finds_what_is_missing_and_invalid(void **state)
{
	static const char *const names[] = { "users", "sessions", "audit.log", "audit.none", "it's",
		"no\"such, {table}" };
	struct answer answer;
	struct strlist tables;
	struct actor actor;
	size_t i;

	(void)state;
	memset(&answer, 0, sizeof(answer));
	strlist_init(&tables);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		strlist_add(&tables, names[i]);
	actor_start(&actor, "postgres", "pgoncall");
	db_schema_ask(actor.conn, &tables, answer_on_facts, &answer);
	cluster_wait(answer.n > 0);
	if (answer.err.code)
		fail_msg("%s", answer.err.text);
	assert_int_equal(answer.missing.n, 3);
	assert_true(strlist_has(&answer.missing, "sessions"));
	assert_true(strlist_has(&answer.missing, "audit.none"));
	assert_true(strlist_has(&answer.missing, names[5]));
	assert_int_equal(answer.invalid.n, 1);
	assert_string_equal(answer.invalid.items[0], "public.users_once on public.users");
	actor_close(&actor);
	strlist_fini(&tables);
	strlist_fini(&answer.missing);
	strlist_fini(&answer.invalid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_finds_what_is_missing_and_invalid),
	};

	return cmocka_run_group_tests(tests, group_setup, cluster_stop);
}
