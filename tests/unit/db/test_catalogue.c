/*
 * The tables that keep book of migrations, found in a real server's catalogue.
 */
#include "cluster.h"

#include <pgoncall/base/buf.h>
#include <pgoncall/db/catalogue.h>

static const char catalogue_seed[] = "CREATE ROLE bo1 LOGIN;\n"
				     "CREATE DATABASE boardofone OWNER bo1;\n"
				     "\\c boardofone\n"
				     "SET ROLE bo1;\n"
				     "CREATE TABLE users (id int, version_num varchar(32));\n"
				     "CREATE TABLE numbers (version_num int);\n";

struct answer {
	struct strlist names;
	char *table;
	struct buf columns;
	bool came, failed;
};

static void answer_fini(struct answer *answer)
{
	strlist_fini(&answer->names);
	free(answer->table);
	buf_fini(&answer->columns);
	memset(answer, 0, sizeof(*answer));
}

static int catalogue_setup(void **state)
{
	int rc = cluster_start(state);

	if (rc == 0)
		cluster_psql("postgres", catalogue_seed);
	return rc;
}

static void on_tables(void *arg, const struct strlist *names, const struct err *err)
{
	struct answer *answer = arg;

	if (names)
		strlist_copy(&answer->names, names);
	answer->failed = err != NULL;
	answer->came = true;
}

static void on_book(void *arg, const struct db_book *book, const struct err *err)
{
	struct answer *answer = arg;
	size_t i, k;

	answer->table = mem_strdup(book ? book->table : "");
	for (i = 0; book && i < book->n; i++) {
		buf_printf(&answer->columns, "%s:", book->columns[i].name);
		for (k = 0; k < book->columns[i].values.n; k++)
			buf_printf(&answer->columns, " %s", book->columns[i].values.items[k]);
		buf_add_char(&answer->columns, '\n');
	}
	answer->failed = err != NULL;
	answer->came = true;
}

static void expect_tables(struct actor *actor, const char *want)
{
	struct answer answer = { .columns = BUF_INIT };
	struct buf got = BUF_INIT;
	size_t i;

	db_version_tables_ask(actor->conn, on_tables, &answer);
	cluster_wait(answer.came);
	assert_false(answer.failed);
	for (i = 0; i < answer.names.n; i++)
		buf_printf(&got, "%s%s", i ? " " : "", answer.names.items[i]);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
	answer_fini(&answer);
}

static void expect_book(
	struct actor *actor, const char *name, const char *table, const char *columns)
{
	struct answer answer = { .columns = BUF_INIT };

	db_book_ask(actor->conn, name, on_book, &answer);
	cluster_wait(answer.came);
	assert_false(answer.failed);
	assert_string_equal(answer.table, table);
	assert_string_equal(buf_str(&answer.columns), columns);
	answer_fini(&answer);
}

static void catalogue_finds_version_tables(void **state)
{
	struct db_snapshot *snapshot;
	struct actor actor;

	(void)state;
	actor_start(&actor, "bo1", "test");
	expect_tables(&actor, "");
	cluster_psql("boardofone", "CREATE SCHEMA app; CREATE TABLE app.migration_state"
				   " (version_num varchar(32) PRIMARY KEY);");
	expect_tables(&actor, "app.migration_state");
	cluster_psql("boardofone", "CREATE TABLE my_alembic (version_num text, at timestamptz);"
				   "GRANT ALL ON my_alembic TO bo1;"
				   "CREATE TABLE app.alembic_version (version_num varchar(32));");
	expect_tables(&actor, "app.alembic_version my_alembic app.migration_state");
	cluster_psql("boardofone", "CREATE TABLE alembic_version (version_num varchar(32));");
	expect_tables(&actor, "alembic_version app.alembic_version my_alembic app.migration_state");
	/* What is found can be watched, by the name it is found under. */
	actor_do(&actor, "INSERT INTO my_alembic VALUES ('abc')");
	snapshot = picture_take(&actor, "my_alembic");
	assert_int_equal(snapshot->version_table, DB_VERSION_TABLE_FOUND);
	assert_string_equal(snapshot->versions.items[0], "abc");
	db_snapshot_free(snapshot);
	actor_close(&actor);
}

static void catalogue_reads_a_book_of_files(void **state)
{
	struct actor actor;

	(void)state;
	actor_start(&actor, "bo1", "test");
	expect_book(&actor, "sql_migrations", "", "");
	cluster_psql("boardofone",
		"CREATE SCHEMA legacy; GRANT USAGE ON SCHEMA legacy TO bo1;"
		"CREATE TABLE legacy.sql_migrations (id serial PRIMARY KEY, note text,"
		" \"File Name\" varchar(99) UNIQUE, at timestamptz, size numeric);"
		"GRANT SELECT ON legacy.sql_migrations TO bo1;"
		"INSERT INTO legacy.sql_migrations (note, \"File Name\") VALUES ('x', '001_a.sql'),"
		" (NULL, '002_b.sql');");
	expect_book(&actor, "sql_migrations", "legacy.sql_migrations",
		"File Name: 001_a.sql 002_b.sql\nid: 1 2\nnote: x \n");
	actor_close(&actor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(catalogue_finds_version_tables),
		cmocka_unit_test(catalogue_reads_a_book_of_files),
	};

	return cmocka_run_group_tests(tests, catalogue_setup, cluster_stop);
}
