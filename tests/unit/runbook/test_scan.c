/*
 * Danger found in text, and text that only looks dangerous.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/runbook/scan.h>

struct scan_case {
	const char *text;
	enum policy_act want;
};

static const struct scan_case sql_cases[] = {
	{ "", POLICY_ACT_WRITE },
	{ "SELECT 1", POLICY_ACT_WRITE },
	{ "INSERT INTO t VALUES (1)", POLICY_ACT_WRITE },
	{ "drop table users", POLICY_ACT_DROP },
	{ "/* x */ DrOp\nINDEX i", POLICY_ACT_DROP },
	{ "ALTER TABLE t DROP COLUMN c", POLICY_ACT_DROP },
	{ "SELECT 1; TRUNCATE t", POLICY_ACT_TRUNCATE },
	{ "DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$", POLICY_ACT_DROP },
	{ "DO $x$ BEGIN DELETE FROM t; END $x$", POLICY_ACT_UNBOUNDED },
	{ "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1",
		POLICY_ACT_TERMINATE },
	{ "SELECT pg_catalog.pg_cancel_backend(1)", POLICY_ACT_CANCEL },
	{ "UPDATE t SET a = 1 WHERE id = 2", POLICY_ACT_WRITE },
	{ "UPDATE t SET a = 1", POLICY_ACT_UNBOUNDED },
	{ "update t set a = 1;", POLICY_ACT_UNBOUNDED },
	{ "DELETE FROM t", POLICY_ACT_UNBOUNDED },
	{ "DELETE FROM t -- WHERE id = 1", POLICY_ACT_UNBOUNDED },
	{ "DELETE FROM t /* WHERE /* x */ id = 1 */", POLICY_ACT_UNBOUNDED },
	{ "DELETE FROM t RETURNING 'WHERE'", POLICY_ACT_UNBOUNDED },
	{ "DELETE FROM \"WHERE\"", POLICY_ACT_UNBOUNDED },
	{ "DELETE FROM t RETURNING $$ WHERE $$", POLICY_ACT_UNBOUNDED },
	{ "UPDATE t SET a = (SELECT b FROM u WHERE u.id = 1)", POLICY_ACT_UNBOUNDED },
	{ "UPDATE t SET a = (SELECT b FROM u) WHERE id = 1", POLICY_ACT_WRITE },
	{ "UPDATE t SET a = $$x$$ WHERE id = 1", POLICY_ACT_WRITE },
	{ "DELETE FROM t; SELECT 1 WHERE true", POLICY_ACT_UNBOUNDED },
	{ "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d WHERE true",
		POLICY_ACT_UNBOUNDED },
	{ "WITH d AS (DELETE FROM t WHERE id = 1 RETURNING *) SELECT * FROM d", POLICY_ACT_WRITE },
	{ "DELETE FROM t RETURNING '\\' , '  WHERE x'", POLICY_ACT_UNBOUNDED },
	{ "SELECT * FROM t FOR UPDATE", POLICY_ACT_WRITE },
	{ "SELECT * FROM t FOR NO KEY UPDATE", POLICY_ACT_WRITE },
	{ "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1", POLICY_ACT_WRITE },
	{ "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u ON DELETE CASCADE ON UPDATE CASCADE",
		POLICY_ACT_WRITE },
	{ "UPDATE alembic_version SET version_num = 'a' WHERE version_num = 'b'",
		POLICY_ACT_STAMP },
	{ "SELECT * FROM alembic_version", POLICY_ACT_WRITE },
	{ "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((",
		POLICY_ACT_UNBOUNDED },
	{ "'unterminated DROP", POLICY_ACT_DROP },
	{ ")))) DELETE FROM t", POLICY_ACT_UNBOUNDED },
	{ "dropped truncated updated", POLICY_ACT_WRITE },
	{ "CREATE INDEX CONCURRENTLY i ON t (a)", POLICY_ACT_WRITE },
};

static const struct scan_case shell_cases[] = {
	{ "", POLICY_ACT_WRITE },
	{ "docker exec api-1 uv run alembic upgrade 622dbc22743e", POLICY_ACT_UPGRADE },
	{ "docker exec api-1 uv run alembic downgrade 001", POLICY_ACT_DOWNGRADE },
	{ "docker exec api-1 sh -c 'alembic stamp --purge x'", POLICY_ACT_STAMP },
	{ "docker exec api-1 pkill -TERM -x alembic", POLICY_ACT_SIGNAL },
	{ "docker exec api-1 pkill -KILL -x alembic", POLICY_ACT_KILL },
	{ "/usr/bin/pkill -9 alembic", POLICY_ACT_KILL },
	{ "kill -s KILL 12", POLICY_ACT_KILL },
	{ "docker kill api-1", POLICY_ACT_KILL },
	{ "docker-compose -f docker-compose.app.yml -p boardofone restart api",
		POLICY_ACT_RESTART },
	{ "systemctl restart nginx", POLICY_ACT_RESTART },
	{ "docker rm -f api-1", POLICY_ACT_DROP },
	{ "sudo rm -rf /x", POLICY_ACT_DROP },
	{ "docker exec db psql -c 'DELETE FROM t'", POLICY_ACT_UNBOUNDED },
	{ "docker exec db psql -c \"DROP TABLE t\"", POLICY_ACT_DROP },
	{ "docker exec db psql -c \"DELETE FROM t WHERE id = 1\"", POLICY_ACT_WRITE },
	/* An option of the shell's is no comment, nor is a path. */
	{ "psql --no-psqlrc -c 'DROP TABLE t'", POLICY_ACT_DROP },
	{ "psql --quiet -c \"TRUNCATE t\"", POLICY_ACT_TRUNCATE },
	{ "docker --context x exec a sh -c \"psql -c \\\"DROP TABLE t\\\"\"", POLICY_ACT_DROP },
	{ "cat /m/*.sql | psql -c 'DROP TABLE t'", POLICY_ACT_DROP },
	{ "psql --quiet -c \"DELETE FROM t WHERE id = 1\"", POLICY_ACT_WRITE },
	{ "psql --quiet <<S\nDELETE FROM t\nWHERE id = 1\nS", POLICY_ACT_WRITE },
	{ "psql <<S\nDELETE FROM t --all WHERE\nS", POLICY_ACT_UNBOUNDED },
	{ "psql <<S\nDELETE FROM t /* WHERE */\nS", POLICY_ACT_UNBOUNDED },
	{ "docker --context x psql -c 'DELETE FROM t -- WHERE'", POLICY_ACT_UNBOUNDED },
	/* What begins a step's command opens no dollar quote. */
	{ "export PGONCALL_SHELL=${$}; psql <<'S'\nUPDATE t SET n = $q$ WHERE $q$;\nS",
		POLICY_ACT_UNBOUNDED },
	{ "upgrade stamp downgrade", POLICY_ACT_WRITE },
	{ "touch /tmp/x", POLICY_ACT_WRITE },
};

static void scan_sql_finds_the_worst_act(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sql_cases) / sizeof(sql_cases[0]); i++)
		if (scan_sql(sql_cases[i].text) != sql_cases[i].want)
			fail_msg("%s: %s, not %s", sql_cases[i].text,
				policy_act_verb(scan_sql(sql_cases[i].text)),
				policy_act_verb(sql_cases[i].want));
}

static void scan_shell_finds_the_worst_act(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(shell_cases) / sizeof(shell_cases[0]); i++)
		if (scan_shell(shell_cases[i].text) != shell_cases[i].want)
			fail_msg("%s: %s, not %s", shell_cases[i].text,
				policy_act_verb(scan_shell(shell_cases[i].text)),
				policy_act_verb(shell_cases[i].want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan_sql_finds_the_worst_act),
		cmocka_unit_test(scan_shell_finds_the_worst_act),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
