/*
 * Values in statements and command lines: parameters, quoting, hostile values. Command lines are run
 * by a real shell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/runbook/resolve.h>

#include "support.h"

#define VARS                                                                                       \
	"---\nrunbook: test\ntitle: Test\n"                                                        \
	"var.b: pick=backend from=locks\nvar.rev: pick=revision\nvar.t: type=text\n"               \
	"var.tab: pick=table\nvar.i: pick=index\nvar.c: pick=container\nvar.n: type=number\n"      \
	"var.d: type=duration\n---\n"

static struct runbook *parse_sql(const char *sql)
{
	char *text = mem_printf(VARS "### x\n```sql { name=x }\n%s\n```\n", sql);
	struct runbook *r = parse(text);

	free(text);
	return r;
}

static struct runbook *parse_sh(const char *where, const char *command)
{
	char *text = mem_printf(VARS "### x\n```sh { name=x on=%s }\n%s\n```\n", where, command);
	struct runbook *r = parse(text);

	free(text);
	return r;
}

static struct runbook_vars values(const char *const pairs[][2])
{
	struct runbook_vars vars = { 0 };

	for (; pairs[0][0]; pairs++)
		runbook_vars_set(&vars, pairs[0][0], pairs[0][1]);
	return vars;
}

/* --- SQL ------------------------------------------------------------------------------------- */

static void resolve_sql_binds_each_variable_once(void **state)
{
	struct runbook *r =
		parse_sql("SELECT $b.pid, '$$', $b.pid -- $t\nWHERE x = $b.backend_start "
			  "/* $t /* $t */ */ AND y = $rev AND z = $b.xact_start "
			  "AND a = ANY ($critical_tables)");
	struct runbook_vars vars = values((const char *const[][2]){ { "b.pid", "8123" },
		{ "b.backend_start", "2025-01-27 10:00:00.123456+00" }, { "b.xact_start", "" },
		{ "rev", "622dbc22743e" }, { "critical_tables", " users \"x\\ sessions" },
		{ NULL, NULL } });
	struct runbook_command c;
	struct err err;

	(void)state;
	assert_int_equal(runbook_resolve_sql(&r->steps[0], &vars, &c, &err), 0);
	assert_string_equal(c.text,
		"SELECT $1::integer, '$$', $1::integer -- $t\nWHERE x = $2::timestamptz "
		"/* $t /* $t */ */ AND y = $3::text AND z = $4::timestamptz AND a = ANY "
		"($5::text[])");
	assert_int_equal(c.n_params, 5);
	assert_string_equal(c.params[0].value, "8123");
	assert_string_equal(c.params[0].name, "b.pid");
	assert_null(c.params[3].value);
	assert_string_equal(c.params[4].value, "{\"users\",\"\\\"x\\\\\",\"sessions\"}");
	assert_non_null(
		strstr(c.shown, "\n-- $1 = '8123'\n-- $2 = '2025-01-27 10:00:00.123456+00'\n"
				"-- $3 = '622dbc22743e'\n-- $4 = NULL\n"));
	runbook_command_fini(&c);
	runbook_vars_fini(&vars);
	runbook_free(r);
}

/* A value with a line feed must not look like another line of what is confirmed. */
static void resolve_sql_shows_values_on_one_line(void **state)
{
	struct runbook *r = parse_sql("SELECT $t");
	struct runbook_vars vars = values((const char *const[][2]){
		{ "t", "a\n-- $2 = 'x'; DROP TABLE users" }, { NULL, NULL } });
	struct runbook_command c;

	(void)state;
	assert_int_equal(runbook_resolve_sql(&r->steps[0], &vars, &c, NULL), 0);
	assert_string_equal(c.text, "SELECT $1::text");
	assert_string_equal(
		c.shown, "SELECT $1::text\n-- $1 = 'a\\x0a-- $2 = 'x'; DROP TABLE users'");
	runbook_command_fini(&c);
	runbook_vars_fini(&vars);
	runbook_free(r);
}

static void resolve_sql_quotes_names_and_literals(void **state)
{
	struct runbook *r = parse_sql("DROP INDEX $i.ident, $tab.ident; -- end");
	struct runbook_vars vars = values((const char *const[][2]){
		{ "i", "Public.idx_x" }, { "tab", "users" }, { "t", "a'b\\c" }, { NULL, NULL } });
	struct runbook_command c;

	(void)state;
	assert_int_equal(runbook_resolve_sql(&r->steps[0], &vars, &c, NULL), 0);
	assert_string_equal(c.text, "DROP INDEX \"Public\".\"idx_x\", \"users\"; -- end");
	assert_int_equal(c.n_params, 0);
	runbook_command_fini(&c);
	runbook_free(r);
	r = parse_sql("ROLLBACK PREPARED $t.literal");
	assert_int_equal(runbook_resolve_sql(&r->steps[0], &vars, &c, NULL), 0);
	assert_string_equal(c.text, "ROLLBACK PREPARED  E'a''b\\\\c'");
	runbook_command_fini(&c);
	runbook_vars_fini(&vars);
	runbook_free(r);
}

/* --- where a variable stands ------------------------------------------------------------------ */

static const struct {
	const char *language;
	const char *text;
	int line;
	const char *says; /* NULL: it is right */
} places[] = {
	{ "sql { name=x }", "SELECT '$t'", 15, "stands in a string" },
	{ "sql { name=x }", "SELECT 'it''s $t'", 15, "stands in a string" },
	{ "sql { name=x }", "SELECT E'\\'$t'", 15, "stands in a string" },
	{ "sql { name=x }", "SELECT E'a''\\'$t'", 15, "stands in a string" },
	{ "sql { name=x }", "SELECT '\\', $t", 15, NULL }, /* no escape there */
	{ "sql { name=x }", "SELECT \"$t\"", 15, "quoted name" },
	{ "sql { name=x }", "SELECT 1 AS a,\n $$ $t $$", 16, "dollar-quoted" },
	{ "sql { name=x }", "SELECT $tag$ $t $tag$, $t", 15, "dollar-quoted" },
	{ "sql { name=x }", "SELECT $t$ text $t$", 15, "dollar-quoted" }, /* a tag, by its look */
	{ "sql { name=x }", "SELECT $tag$ $$ $other $tag$, $t", 15, NULL },
	{ "sql { name=x }", "SELECT 'costs $5 or $more' -- $t 'x\n, $t", 15, NULL },
	{ "sql { name=x }", "SELECT a$t", 15, "stands in a name" },
	{ "sql { name=x }", "SELECT 'open", 15, "has no end" },
	{ "sql { name=x }", "SELECT $$open", 15, "has no end" },
	{ "sql { name=x }", "SELECT $t.ident", 15, "no part .ident" },
	{ "sql { name=x }", "SELECT $b.pid.ident", 15, "no part .ident" },

	{ "sh { name=x on=host }", "echo \"$t\"", 15, "stands in quotes" },
	{ "sh { name=x on=host }", "echo '$t'", 15, "stands in quotes" },
	{ "sh { name=x on=host }", "echo \"a$(echo \"$t\")\"", 15, "stands in quotes" },
	{ "sh { name=x on=host }", "echo \"$(echo $t)\" $t", 15, NULL },
	{ "sh { name=x on=host }", "awk '{ print $NF, $1 }' x$t", 15, NULL },
	{ "sh { name=x on=host }", "a=\"${PATH}\"; echo \"${a}\" $? $$ $1 \\$t \"\\$t\" $t", 15,
		NULL },
	{ "sh { name=x on=host }", "echo ${a:-$t}", 15, "may hold no quotes, $" },
	{ "sh { name=x on=host }", "echo `echo $t`", 15, "backquotes" },
	{ "sh { name=x on=host }", "echo \"`echo $t`\"", 15, "backquotes" },
	{ "sh { name=x on=host }", "echo $(( $n + 1 ))", 15, "not supported" },
	{ "sh { name=x on=host }", "echo $'a'", 15, "different shells" },
	{ "sh { name=x on=host }", "cat <<END\n$t\nEND", 15, "here-documents" },
	{ "sh { name=x on=host }", "echo \"$(case a in a) echo \"$t\";; esac)\"", 15, "`case`" },
	{ "sh { name=x on=host }", "case $t in a) echo $t;; (b) echo $t;; esac", 15, NULL },
	{ "sh { name=x on=host }", "$t now", 15, "would be the command itself" },
	{ "sh { name=x on=host }", "true && $t", 15, "would be the command itself" },
	{ "sh { name=x on=host }", "A=$t true", 15, NULL },
	{ "sh { name=x on=host }", "echo $n>file", 15, "right before a redirection" },
	{ "sh { name=x on=host }", "echo $t # \"it's $t\necho $t", 15, NULL },
	{ "sh { name=x on=host }", "echo \"open", 15, "no end" },
	{ "sh { name=x on=host }", "echo 'open", 15, "no end" },
	{ "sh { name=x on=host }", "echo $(open", 15, "no end" },
	{ "sh { name=x on=host }", "echo a\necho $nobody", 16, "not set by anything" },
	{ "sh { name=x on=host }", "echo $t.ident", 15, "no part .ident" },
};

/* to_regclass folds what is not quoted. */
static void resolve_sql_binds_names_as_regclass_reads_them(void **state)
{
	struct runbook *r = parse_sql("SELECT to_regclass($tab), to_regclass($i), "
				      "to_regclass($version_table), $t");
	struct runbook_vars vars = values((const char *const[][2]){ { "tab", "public.users" },
		{ "i", "Public.idx_x" }, { "version_table", "Ops.alembic_version" },
		{ "t", "Text" }, { NULL, NULL } });
	struct runbook_command c;

	(void)state;
	assert_int_equal(runbook_resolve_sql(&r->steps[0], &vars, &c, NULL), 0);
	assert_string_equal(c.params[0].value, "public.users");
	assert_string_equal(c.params[1].value, "\"Public\".\"idx_x\"");
	assert_string_equal(c.params[2].value, "\"Ops\".\"alembic_version\"");
	assert_string_equal(c.params[3].value, "Text");
	runbook_command_fini(&c);
	runbook_vars_fini(&vars);
	runbook_free(r);
}

static void resolve_knows_where_a_variable_stands(void **state)
{
	struct runbook_problems problems;
	struct runbook *r;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		memset(&problems, 0, sizeof(problems));
		text = mem_printf(
			VARS "### x\n```%s\n%s\n```\n", places[i].language, places[i].text);
		r = runbook_parse("x.md", text, strlen(text), &problems);
		if (!places[i].says && !r)
			fail_msg("refused: %s: %s", places[i].text, problems.items[0].text);
		if (places[i].says && (r || problems.items[0].line != places[i].line ||
					      !strstr(problems.items[0].text, places[i].says)))
			fail_msg("%s: %d: %s", places[i].text,
				problems.n ? problems.items[0].line : 0,
				problems.n ? problems.items[0].text : "was not refused");
		runbook_problems_fini(&problems);
		runbook_free(r);
		free(text);
	}
}

/* --- shell ----------------------------------------------------------------------------------- */

/* What /bin/sh makes of it. */
static char *run_shell(const char *command)
{
	struct buf line = BUF_INIT, out = BUF_INIT;
	char chunk[4096];
	FILE *pipe;
	size_t n;

	buf_add_str(&line, "exec 2>&1; ");
	buf_add_str(&line, command);
	pipe = popen(buf_str(&line), "r");
	assert_non_null(pipe);
	while ((n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		buf_add(&out, chunk, n);
	pclose(pipe);
	buf_fini(&line);
	return buf_steal(&out);
}

static char *resolve_and_run(
	const char *block, const char *const pairs[][2], runbook_quote_fn quote)
{
	struct runbook *r = parse_sh("host", block);
	struct runbook_vars vars = values(pairs);
	struct runbook_command c;
	struct err err;
	char *out;

	if (runbook_resolve_shell(&r->steps[0], &vars, quote, NULL, &c, &err) < 0)
		fail_msg("%s", err.text);
	out = run_shell(c.text);
	runbook_command_fini(&c);
	runbook_vars_fini(&vars);
	runbook_free(r);
	return out;
}

static const char *const hostile[] = { "plain", "two words", "'", "''", "'; echo gone; '",
	"\"; echo gone; \"", "$(echo gone)", "`echo gone`", "$HOME", "${HOME}", "a\nb",
	"a\necho gone\n", "*", "?", "~", "~root", "#comment", "a;b", "a&b", "a|b", "<x", ">x", "\\",
	"\\'", "\\\n", "!!", "{a,b}", "[a-z]", "a=b", "if", "done", "in", "esac", "2", "\t", " ",
	"é ☃", "%s%n", "'\"'\"'", "$$", "(", ")" };

/* In every place of a command line where a variable may stand, the value arrives as one word. */
static void resolve_shell_makes_one_word_of_anything(void **state)
{
	static const char *const blocks[] = {
		"printf '%s|' a $t b",
		"printf '%s|' \"$(printf %s a)\" $t \"b\"",
		"printf '%s|' \"$(printf '%s|' a $t b)\" | sed -e 's/|$//'",
		"( printf '%s|' a $t b )",
		"x=$t; printf '%s|' a \"${x}\" b",
		"for x in $t; do printf '%s|' a \"${x}\" b; done",
		"if true; then printf '%s|' a $t b; fi # $t",
		"{ printf '%s|' a $t \\\n b; }",
		"case $t in *) printf '%s|' a $t b;; esac",
		"printf '%s|' a $t b && true | cat",
	};
	const size_t n = sizeof(hostile) / sizeof(hostile[0]);
	char *got, *want;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		for (j = 0; j < n; j++) {
			got = resolve_and_run(blocks[i],
				(const char *const[][2]){ { "t", hostile[j] }, { NULL, NULL } },
				(i + j) % 2 ? quote_word : quote_plain);
			want = mem_printf("a|%s|b|", hostile[j]);
			if (i == 2 ? strncmp(got, want, strlen(want)) : strcmp(got, want))
				fail_msg("%s with \"%s\": \"%s\"", blocks[i], hostile[j], got);
			free(got);
			free(want);
		}
	}
}

static void resolve_shell_keeps_words_apart(void **state)
{
	char *out = resolve_and_run("$runtime -H x '%s|' $alembic",
		(const char *const[][2]){ { "runtime", "printf %s|" },
			{ "alembic", " uv  run 'ale$(x)mbic " }, { NULL, NULL } },
		quote_plain);

	(void)state;
	/* printf's format is its first word: the rest are printed by it. */
	assert_string_equal(out, "-H|x|%s||uv|run|'ale$(x)mbic|");
	free(out);
	out = resolve_and_run("$logs 2>&1 | tr a-z A-Z",
		(const char *const[][2]){ { "logs", "echo 'a b'" }, { NULL, NULL } }, quote_plain);
	assert_string_equal(out, "A B\n");
	free(out);
}

static void resolve_shell_finds_alembic_as_a_command(void **state)
{
	struct runbook *r =
		parse_sh("app", "alembic history | grep alembic\n"
				"A=\"x y\" alembic current && (alembic heads)\n"
				"if alembic check; then echo \"$(alembic heads)\" alembic; fi\n"
				"my-alembic alembic.ini 'alembic' alembic-x; alembic");
	struct runbook_vars vars =
		values((const char *const[][2]){ { "alembic", "uv run alembic" }, { NULL, NULL } });
	struct runbook_command c;

	(void)state;
#define A "'uv' 'run' 'alembic'"
	assert_int_equal(runbook_resolve_shell(&r->steps[0], &vars, quote_word, NULL, &c, NULL), 0);
	assert_string_equal(c.text, A " history | grep alembic\n"
				      "A=\"x y\" " A " current && (" A " heads)\n"
				      "if " A " check; then echo \"$(" A " heads)\" alembic; fi\n"
				      "my-alembic alembic.ini 'alembic' alembic-x; " A);
	runbook_command_fini(&c);
	runbook_free(r);
	/* On the host it is a word like any other. */
	r = parse_sh("host", "alembic current");
	assert_int_equal(runbook_resolve_shell(&r->steps[0], &vars, quote_word, NULL, &c, NULL), 0);
	assert_string_equal(c.text, "alembic current");
	runbook_command_fini(&c);
	runbook_vars_fini(&vars);
	runbook_free(r);
}

static void resolve_shell_adds_options(void **state)
{
	char *text = mem_printf(VARS "### x\n```sh { name=x on=host lock_timeout=5s }\n"
				     "echo \"${PGOPTIONS}\"\n```\n");
	struct runbook *r = parse(text);
	struct runbook_vars vars = { 0 };
	struct runbook_command c;
	struct err err;
	char *out;

	(void)state;
	assert_int_equal(
		runbook_resolve_shell(&r->steps[0], &vars, quote_word, "pgoncall-7", &c, NULL), 0);
	setenv("PGOPTIONS", "-c x=y", 1);
	out = run_shell(c.text);
	unsetenv("PGOPTIONS");
	assert_string_equal(out, "-c x=y -c lock_timeout=5000 -c application_name=pgoncall-7\n");
	free(out);
	runbook_command_fini(&c);
	assert_int_equal(
		runbook_resolve_shell(&r->steps[0], &vars, quote_word, "a\"; b", &c, &err), -1);
	runbook_free(r);
	free(text);
}

/* --- types ----------------------------------------------------------------------------------- */

static const struct {
	enum runbook_type type;
	const char *good[5];
	const char *bad[10];
} types[] = {
	{ RUNBOOK_TEXT, { "", "any thing", "a\nb" }, { "a\x1b[2J", "a\x7f" } },
	{ RUNBOOK_PID, { "1", "8123", "2147483647" },
		{ "", "0", "-1", " 1", "1 ", "2147483648", "1;2", "0x1", "+1" } },
	{ RUNBOOK_NUMBER, { "0", "-5", "9223372036854775807" }, { "", "-", "1.5", "1e3", " 1" } },
	{ RUNBOOK_REVISION, { "622dbc22743e", "001_research_metrics", "base" },
		{ "", "head", "heads", "current", "-1", "a b", "a'b", "x@head", "a+1", "a:b" } },
	{ RUNBOOK_CONTAINER, { "boardofone-api-1", "a.b_c" },
		{ "", "-x", ".x", "a b", "a/b", "a;b", "a$b" } },
	{ RUNBOOK_IDENTIFIER, { "users", "_x", "a$1", "größe" },
		{ "", "1a", "a.b", "a b", "a\"b", "a;b", "a-b", "$a" } },
	{ RUNBOOK_TABLE, { "users", "public.users" },
		{ "", "a.b.c", ".a", "a.", "a b", "a\"b", "a;b" } },
	{ RUNBOOK_INDEX, { "idx_x", "public.idx_x" }, { "", "a.b.c", "a b" } },
	{ RUNBOOK_DURATION, { "500ms", "30s", "10m", "1.5h" },
		{ "", "-1s", "soon", "1 s", "1s;x", "inf", "nan" } },
	{ RUNBOOK_TIMESTAMP, { "", "2025-01-27 10:00:00.123456+00" }, { "now()", "'", "x" } },
	{ RUNBOOK_WORDS, { "a b" }, { "", " ", "a\x01" } },
};

static void resolve_checks_types(void **state)
{
	struct err err;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (j = 0; j < 5 && types[i].good[j]; j++)
			if (runbook_type_check(types[i].type, "x", types[i].good[j], &err) < 0)
				fail_msg("%s", err.text);
		for (j = 0; j < 10 && types[i].bad[j]; j++)
			if (runbook_type_check(types[i].type, "x", types[i].bad[j], &err) == 0)
				fail_msg("%s passed as %s", types[i].bad[j],
					runbook_type_name(types[i].type));
	}
}

static void resolve_refuses_what_is_not_set_or_wrong(void **state)
{
	struct runbook *r = parse_sh("host", "kill-it $b.pid $compose_service $t");
	struct runbook_vars vars = values((const char *const[][2]){ { "b.pid", "1; reboot" },
		{ "compose_service", "api" }, { "t", "--all" }, { NULL, NULL } });
	struct strlist names = { 0 };
	struct runbook_command c;
	struct err err;

	(void)state;
	assert_int_equal(
		runbook_resolve_shell(&r->steps[0], &vars, quote_word, NULL, &c, &err), -1);
	assert_string_equal(
		err.text, "$b.pid must be a process id (1 to 2147483647), not \"1; reboot\"");
	assert_null(c.text);
	runbook_vars_set(&vars, "b.pid", "1");
	assert_int_equal(
		runbook_resolve_shell(&r->steps[0], &vars, quote_word, NULL, &c, &err), -1);
	assert_non_null(strstr(err.text, "take it for an option"));
	runbook_vars_set(&vars, "t", "x");
	runbook_vars_set(&vars, "compose_service", NULL);
	assert_int_equal(
		runbook_resolve_shell(&r->steps[0], &vars, quote_word, NULL, &c, &err), -1);
	assert_string_equal(err.text,
		"$compose_service is not known here: set compose_service in the configuration");
	runbook_vars_set(&vars, "b.pid", NULL);
	runbook_unset(&r->steps[0], &vars, &names);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.items[0], "b");
	assert_string_equal(names.items[1], "compose_service");
	strlist_fini(&names);
	runbook_vars_fini(&vars);
	runbook_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolve_sql_binds_each_variable_once),
		cmocka_unit_test(resolve_sql_shows_values_on_one_line),
		cmocka_unit_test(resolve_sql_quotes_names_and_literals),
		cmocka_unit_test(resolve_sql_binds_names_as_regclass_reads_them),
		cmocka_unit_test(resolve_knows_where_a_variable_stands),
		cmocka_unit_test(resolve_shell_makes_one_word_of_anything),
		cmocka_unit_test(resolve_shell_keeps_words_apart),
		cmocka_unit_test(resolve_shell_finds_alembic_as_a_command),
		cmocka_unit_test(resolve_shell_adds_options),
		cmocka_unit_test(resolve_checks_types),
		cmocka_unit_test(resolve_refuses_what_is_not_set_or_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
