/*
 * Reading runbooks: every rule of the format, what is refused and at which line, and the built-in
 * ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/runbook/library.h>

#include "support.h"

#define SQL(attributes, text) "### Step\n```sql { " attributes " }\n" text "\n```\n"
#define SH(attributes, text)  "### Step\n```sh { " attributes " }\n" text "\n```\n"

static void document_reads_everything(void **state)
{
	struct runbook *r = parse(
		"---\n"
		"runbook: stuck-queue\n"
		"title: Stuck queue\n"
		"when: lock-queue, migration-blocked\n"
		"var.blocker: pick=backend from=activity\n"
		"var.rev: pick=revision\n"
		"var.why: type=text\n"
		"require: primary, compose\n"
		"---\n"
		"Why *this* is,\nand `what` it does.\n\n## Look\n\n"
		"### Look first\n\nSee [next](next-one.md) and [out](https://x/y).\n\n- one\n- "
		"two\n\n"
		"```text\nshown only\n```\n\n"
		"### End the session\n"
		"- [ ] Its owner has been told\n- [ ] Twice\n"
		"```sql { name=terminate on=db mode=write confirm=target timeout=10s "
		"lock_timeout=500ms fail=goto:escalate ok=goto:end undo=none capture=done "
		"when=look-first:ok }\n"
		"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity\n"
		"WHERE pid = $blocker.pid\n"
		"```\n"
		"```expect\nrows 1\nrows 2..\nrows ..3\nvalue t\nmatch \\[a\\]\nabsent x y\n```\n");
	const struct runbook_step *s = &r->steps[1];

	(void)state;
	assert_string_equal(r->name, "stuck-queue");
	assert_string_equal(r->title, "Stuck queue");
	assert_string_equal(r->intro, "Why this is, and `what` it does.");
	assert_int_equal(r->when.n, 2);
	assert_string_equal(r->when.items[1], "migration-blocked");
	assert_int_equal(r->require, RUNBOOK_REQUIRE_PRIMARY | RUNBOOK_REQUIRE_COMPOSE);
	assert_int_equal(r->n_vars, 4);
	assert_string_equal(r->vars[0].from, "activity");
	assert_string_equal(r->vars[1].from, "timeline");
	assert_int_equal(r->vars[1].type, RUNBOOK_REVISION);
	assert_null(r->vars[2].picker);
	assert_true(r->vars[3].captured);

	assert_int_equal(r->n_steps, 2);
	assert_string_equal(r->steps[0].name, "look-first");
	assert_string_equal(r->steps[0].section, "Look");
	assert_int_equal(r->steps[0].language, RUNBOOK_MANUAL);
	assert_string_equal(
		r->steps[0].prose, "See next and out.\n\n- one\n- two\n\n    shown only");
	assert_int_equal(r->steps[0].links.n, 1);
	assert_string_equal(r->steps[0].links.items[0], "next-one");

	assert_string_equal(s->name, "terminate");
	assert_string_equal(s->title, "End the session");
	assert_int_equal(s->checks.n, 2);
	assert_string_equal(s->checks.items[0], "Its owner has been told");
	assert_int_equal(s->place, RUNBOOK_ON_DB);
	assert_int_equal(s->mode, RUNBOOK_WRITE);
	assert_int_equal(s->confirm, POLICY_TARGET);
	assert_true(s->timeout_ns == 10 * CLOCK_NS_PER_S);
	assert_true(s->lock_timeout_ns == 500 * CLOCK_NS_PER_MS);
	assert_int_equal(s->fail.follow, RUNBOOK_STOP); /* escalate: no such step */
	assert_int_equal(s->ok.follow, RUNBOOK_END);
	assert_string_equal(s->undo, "none");
	assert_string_equal(s->capture, "done");
	assert_true(s->has_when && s->when_step == 0 && s->when_outcome == RUNBOOK_OK);
	assert_int_equal(s->line, 26);
	assert_int_equal(s->text_line, 30);
	assert_int_equal(s->n_expect, 6);
	assert_int_equal(s->expect[1].max, -1);
	assert_int_equal(s->expect[2].max, 3);
	assert_string_equal(s->expect[4].text, "\\[a\\]");
	assert_int_equal(s->expect[5].line, 39);
	runbook_free(r);
}

static void document_a_command_that_says_nothing_writes(void **state)
{
	struct runbook *r = parse(FRONT SH("name=x on=host", "true"));

	(void)state;
	assert_int_equal(r->steps[0].mode, RUNBOOK_WRITE);
	assert_int_equal(r->steps[0].confirm, POLICY_Y);
	assert_int_equal(r->steps[0].fail.follow, RUNBOOK_ASK);
	assert_true(r->steps[0].timeout_ns > 0);
	runbook_free(r);
}

static void document_steps_by_hand_take_attributes_from_a_comment(void **state)
{
	struct runbook *r =
		parse(FRONT "### One\n<!-- { name=first fail=stop ok=goto:third } -->\n\n"
			    "### Two\n<!-- only a remark -->\n\n"
			    "### Three\n<!-- { name=third when=first:fail } -->\n");

	(void)state;
	assert_string_equal(r->steps[0].name, "first");
	assert_int_equal(r->steps[0].fail.follow, RUNBOOK_STOP);
	assert_int_equal(r->steps[0].ok.goto_step, 2);
	assert_string_equal(r->steps[1].name, "two");
	assert_int_equal(r->steps[2].when_outcome, RUNBOOK_FAIL);
	runbook_free(r);
}

/* --- refusals -------------------------------------------------------------------------------- */

struct refusal {
	const char *text;
	int line;
	const char *says;
};

static const struct refusal refusals[] = {
	/* front matter */
	{ "### x\n", 1, "no front matter" },
	{ "---\nrunbook: a\ntitle: b\n", 1, "has no end" },
	{ "---\ntitle: b\n---\n### x\n", 1, "runbook: NAME" },
	{ "---\nrunbook: a\n---\n### x\n", 1, "title:" },
	{ "---\nrunbook: A b\ntitle: b\n---\n### x\n", 2, "is no name" },
	{ "---\nrunbook: a\ntitle: b\ncolour: red\n---\n### x\n", 4, "is no key" },
	{ "---\nrunbook: a\ntitle: b\ntitle: c\n---\n### x\n", 4, "set twice" },
	{ "---\nrunbook: a\ntitle: b\n  nested: c\n---\n### x\n", 4, "key: value only" },
	{ "---\nrunbook: a\ntitle: b\nrequire: luck\n---\n### x\n", 4, "luck" },
	{ "---\nrunbook: a\ntitle: b\nvar.x: pick=moon\n---\n### x\n", 4, "pick=moon" },
	{ "---\nrunbook: a\ntitle: b\nvar.x: pick=revision from=locks\n---\n### x\n", 4,
		"from=locks" },
	{ "---\nrunbook: a\ntitle: b\nvar.x: from=locks\n---\n### x\n", 4, "wants a pick" },
	{ "---\nrunbook: a\ntitle: b\nvar.x: type=words\n---\n### x\n", 4, "no type" },
	{ "---\nrunbook: a\ntitle: b\nvar.x: pick=backend type=pid\n---\n### x\n", 4, "type=" },
	{ "---\nrunbook: a\ntitle: b\nvar.x: size=1\n---\n### x\n", 4, "size" },
	{ "---\nrunbook: a\ntitle: b\nvar.database: type=text\n---\n### x\n", 4,
		"set by pgoncall" },
	{ "---\nrunbook: a\ntitle: b\nvar.x: type=text\nvar.x: type=pid\n---\n### x\n", 5,
		"twice" },
	{ "---\nrunbook: a\ntitle: b\nwhen: Lock Queue!\n---\n### x\n", 4, "no finding" },
	/* structure */
	{ FRONT "only prose\n", 1, "there is no step" },
	{ FRONT "```sql { name=x mode=read }\nSELECT 1\n```\n### y\n", 5, "below a heading" },
	{ FRONT SQL("name=x mode=read", "SELECT 1") "```sql { name=y mode=read }\nSELECT 2\n```\n",
		9, "one block" },
	{ FRONT SQL("name=x mode=read", "SELECT 1") SQL("name=x mode=read", "SELECT 1"), 10,
		"is taken (line 6)" },
	{ FRONT "### x\n### x\n", 6, "is taken" },
	{ FRONT "### x\n```sql\nSELECT 1\n```\n", 6, "needs { name=" },
	{ FRONT "### x\n```bash { name=x on=host }\ntrue\n```\n", 6, "no language that runs" },
	{ FRONT "### x\n```sh { name=x }\ntrue\n```\n", 6, "on=host, on=app or on=local" },
	{ FRONT "### x\n```sh { on=host }\ntrue\n```\n", 6, "no name=" },
	{ FRONT SH("name=x on=host", "   "), 6, "is empty" },
	{ FRONT "### x\n```sh { name=x on=host }\ntrue\n### y\n", 6, "has no end" },
	{ FRONT "### x\n- [ ] a\n\n  ```sh { name=x on=host }\n  true\n  ```\n", 8,
		"inside a list" },
	{ FRONT "### x\n> ```sql { name=x }\n> SELECT 1\n> ```\n", 6,
		"inside a list or a quotation" },
	{ FRONT "- [ ] a\n\n### x\n", 5, "not before the first" },
	{ FRONT "### x\n- [x] a\n", 6, "not ticked" },
	{ FRONT "### x\n<!-- { name=y } -->\n\n```sh { name=z on=host }\ntrue\n```\n", 6,
		"not a comment" },
	{ FRONT "### x\n<!-- { mode=read } -->\n", 6, "needs a block" },
	{ FRONT "### !!!\n", 5, "makes no name" },
	{ FRONT "### x\n```expect\nrows 1\n```\n", 6, "no block before" },
	{ FRONT "### x\na\x01z\n", 6, "cannot be shown" },
	{ FRONT "### x\na\xe2\x80\xaez\n", 6, "cannot be shown" },
	{ FRONT "### x\na\xffz\n", 6, "cannot be shown" },
	/* attributes */
	{ FRONT SQL("name=x colour=red", "SELECT 1"), 6, "\"colour\" is no attribute" },
	{ FRONT SQL("name=x name=y", "SELECT 1"), 6, "set twice" },
	{ FRONT SQL("name=end", "SELECT 1"), 6, "name=end" },
	{ FRONT SQL("name=x on=moon", "SELECT 1"), 6, "on=moon" },
	{ FRONT SQL("name=x on=host", "SELECT 1"), 6, "on=db only" },
	{ FRONT SH("name=x on=db", "true"), 6, "takes sql" },
	{ FRONT SQL("name=x mode=maybe", "SELECT 1"), 6, "mode=maybe" },
	{ FRONT SQL("name=x confirm=word", "SELECT 1"), 6, "confirm=word" },
	{ FRONT SQL("name=x verb=end", "SELECT 1"), 6, "verb= wants" },
	{ FRONT SQL("name=x timeout=soon", "SELECT 1"), 6, "timeout=soon" },
	{ FRONT SQL("name=x timeout=0s", "SELECT 1"), 6, "timeout=0s" },
	{ FRONT SQL("name=x fail=maybe", "SELECT 1"), 6, "fail=maybe" },
	{ FRONT SQL("name=x ok=stop", "SELECT 1"), 6, "ok=stop" },
	{ FRONT SQL("name=x fail=goto:", "SELECT 1"), 6, "fail=goto:" },
	{ FRONT SQL("name=x fail=goto:nowhere", "SELECT 1"), 6, "there is no such step" },
	{ FRONT SQL("name=x when=y:ok", "SELECT 1"), 6, "there is no such step" },
	{ FRONT SQL("name=x when=x:ok", "SELECT 1"), 6, "this step itself" },
	{ FRONT SQL("name=x when=x", "SELECT 1"), 6, "NAME:ok or NAME:fail" },
	{ FRONT SQL("name=x undo=y", "SELECT 1"), 6, "there is no such step" },
	{ FRONT SQL("name=x mode=read undo=none", "SELECT 1"), 6, "nothing to undo" },
	{ FRONT SQL("name=x watch=2s", "SELECT 1"), 6, "go together" },
	{ FRONT SQL("name=x mode=read watch=2s until=expect", "SELECT 1"), 6, "wants an expect" },
	{ FRONT SQL("name=x watch=2s until=expect", "SELECT 1") "```expect\nrows 1\n```\n", 6,
		"must be mode=read" },
	{ FRONT SQL("name=x stream=yes mode=read", "SELECT 1"), 6, "for sh blocks" },
	{ FRONT SH("name=x on=host stream=yes", "true"), 6, "mode=read" },
	{ FRONT SQL("name=x capture=database", "SELECT 1"), 6, "pgoncall sets" },
	{ FRONT SQL("name=x } trailing {", "SELECT 1"), 6, "after the attributes" },
	{ FRONT "### x\n```sql { name=x\nSELECT 1\n```\n", 6, "no } at their end" },
	{ FRONT SQL("name", "SELECT 1"), 6, "attributes are" },
	/* what calls itself a read */
	{ FRONT SQL("name=x mode=read", "SELECT pg_terminate_backend(1)"), 7,
		"looks like \"terminate\"" },
	{ FRONT SQL("name=x mode=read", "DROP TABLE users"), 7, "looks like \"drop\"" },
	{ FRONT SQL("name=x mode=read", "DELETE FROM users"), 7, "looks like" },
	{ FRONT SH("name=x on=app mode=read", "alembic stamp x"), 7, "looks like \"stamp\"" },
	{ FRONT SH("name=x on=app mode=read", "alembic upgrade a:b --sql; alembic upgrade b"), 7,
		"looks like \"upgrade\"" },
	{ FRONT SH("name=x on=host mode=read", "pkill x"), 7, "looks like \"signal\"" },
	{ FRONT SH("name=x on=host mode=read", "psql -c \"insert INTO t VALUES (1)\""), 7,
		"has psql do INSERT" },
	{ FRONT SQL("name=x mode=read", "SELECT U&\"\\0070g_terminate_backend\"(1)"), 7,
		"written as U&" },
	{ FRONT SQL("name=x mode=read", "SELECT query_to_xml('x', false, false, '')"), 7,
		"calls query_to_xml" },
	{ FRONT SQL("name=x mode=read", "SELECT pg_try_advisory_lock(1)"), 7,
		"calls pg_try_advisory_" },
	/* variables */
	{ FRONT SQL("name=x mode=read", "SELECT\n$nobody"), 8, "$nobody is not set by anything" },
	{ FRONT SH("name=x on=host", "echo $HOME"), 7, "of the shell is ${" },
	{ FRONT SQL("name=x mode=read", "SELECT $database.pid"), 7, "no part .pid" },
	{ "---\nrunbook: a\ntitle: b\nvar.b: pick=backend\n---\n" SQL(
		  "name=x mode=read", "SELECT $b.colour"),
		8, "no part \"colour\"" },
	{ "---\nrunbook: a\ntitle: b\nvar.b: pick=backend\n---\n" SQL(
		  "name=x mode=read", "SELECT $b"),
		8, "no part \"\"" },
	{ FRONT SQL("name=x mode=read", "SELECT $logs"), 6, "is a command line" },
	{ FRONT SQL("name=x mode=read", "SELECT $1"), 7, "made by pgoncall" },
	{ FRONT SQL("name=x mode=read", "SELECT $got")
			SQL("name=y mode=read capture=got", "SELECT 1"),
		6, "before a step captures it" },
	{ FRONT SQL("name=x mode=read", "SELECT 1; SELECT 2"), 7, "one statement" },
	/* expect */
	{ FRONT SQL("name=x mode=read", "SELECT 1") "```expect\nrows\n```\n", 10, "rows N" },
	{ FRONT SQL("name=x mode=read", "SELECT 1") "```expect\nrows 3..1\n```\n", 10, "rows N" },
	{ FRONT SQL("name=x mode=read", "SELECT 1") "```expect\nrows ..\n```\n", 10, "rows N" },
	{ FRONT SQL("name=x mode=read", "SELECT 1") "```expect\nexit 0\n```\n", 10,
		"no exit status" },
	{ FRONT SH("name=x on=host", "true") "```expect\nexit 256\n```\n", 10, "exit N" },
	{ FRONT SH("name=x on=host", "true") "```expect\n\nmatch (\n```\n", 11,
		"the pattern is wrong" },
	{ FRONT SH("name=x on=host", "true") "```expect\nmatch\n```\n", 10, "a pattern" },
	{ FRONT SH("name=x on=host", "true") "```expect\nluck\n```\n", 10, "nothing to expect" },
	{ FRONT SH("name=x on=host", "true") "```expect\n```\n", 10, "is empty" },
	{ FRONT SH("name=x on=host", "true") "```expect\nvalue $nobody\n```\n", 10, "$nobody" },
};

static void document_refuses_with_the_line(void **state)
{
	struct runbook_problems problems;
	struct runbook *runbook;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		memset(&problems, 0, sizeof(problems));
		runbook = runbook_parse(
			"x.md", refusals[i].text, strlen(refusals[i].text), &problems);
		for (j = 0; j < problems.n; j++)
			if (problems.items[j].line == refusals[i].line &&
				strstr(problems.items[j].text, refusals[i].says))
				break;
		if (runbook || j == problems.n)
			fail_msg("case %zu (\"%s\") was not refused as it should; first: %d: %s", i,
				refusals[i].says, problems.n ? problems.items[0].line : 0,
				problems.n ? problems.items[0].text : "nothing");
		runbook_problems_fini(&problems);
	}
}

static void document_says_every_problem_in_order(void **state)
{
	static const char text[] =
		FRONT "### x\n```sql { name=a colour=red mode=read }\nSELECT $n\n```\n"
		      "### y\n```sh { name=a on=moon }\ntrue\n```\n";
	struct runbook_problems problems = { 0 };
	size_t i;

	(void)state;
	assert_null(runbook_parse("x.md", text, strlen(text), &problems));
	assert_int_equal(problems.n, 4);
	for (i = 1; i < problems.n; i++)
		assert_true(problems.items[i - 1].line <= problems.items[i].line);
	runbook_problems_fini(&problems);
}

static void document_load_names_file_and_line(void **state)
{
	char path[] = "/tmp/pgoncall-runbook.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	char want[128];
	struct err err;

	(void)state;
	fputs(FRONT SQL("name=x colour=red", "SELECT 1"), file);
	fclose(file);
	assert_null(runbook_load(path, &err));
	snprintf(want, sizeof(want), "%s:6: \"colour\" is no attribute", path);
	assert_string_equal(err.text, want);
	assert_int_equal(err.code, ERR_PARSE);
	remove(path);
	assert_null(runbook_load(path, &err));
	assert_int_equal(err.code, ERR_SYSTEM);
	assert_non_null(strstr(err.text, path));
}

static void document_requires(void **state)
{
	struct runbook *r =
		parse("---\nrunbook: a\ntitle: Stuck\nrequire: primary, app\n---\n### x\n");
	struct err err;

	(void)state;
	assert_int_equal(runbook_require_check(r, RUNBOOK_REQUIRE_PRIMARY, &err), -1);
	assert_non_null(strstr(err.text, "Stuck cannot be run now"));
	assert_int_equal(
		runbook_require_check(r, RUNBOOK_REQUIRE_PRIMARY | RUNBOOK_REQUIRE_APP, &err), 0);
	runbook_free(r);
}

/* --- the built-in ones ------------------------------------------------------------------------ */

/* Codes of findings, as the console shows them. */
static const char *const codes[] = { "migration-blocked", "migration-working", "migration-orphaned",
	"lock-queue", "idle-in-transaction", "pending-migrations", "multiple-heads",
	"unknown-revision", "version-table-missing", "revision-chain-broken", "invalid-index",
	"colour-skew", "critical-table-missing", "legacy-sql-pending", "slots-low", "standby",
	"privileges-hide-rows", "alembic-error-in-log", "long-transaction", "health-failed" };

static const char *const built_in[] = { "column-exists", "create-migration", "debugging",
	"invalid-index", "legacy-sql-hotfix", "manual-migration", "migration-failed-in-deploy",
	"multiple-heads", "not-up-to-date", "production-health-check", "rollback-migration",
	"standard-deployment", "stuck-migration", "test-migration", "unknown-revision",
	"version-table-missing" };

static bool is_code(const char *code)
{
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i], code) == 0)
			return true;
	return false;
}

static void check_built_in(const struct runbook_library *library, const struct runbook *r)
{
	char *path = mem_printf("runbooks/%s.md", r->name);
	size_t i, j;

	assert_string_equal(r->path, path);
	free(path);
	assert_string_equal(r->steps[0].name, "identity");
	assert_int_equal(r->steps[0].mode, RUNBOOK_READ);
	for (i = 0; i < r->when.n; i++)
		assert_true(is_code(r->when.items[i]));
	for (i = 0; i < r->n_steps; i++) {
		for (j = 0; j < r->steps[i].links.n; j++)
			assert_non_null(
				runbook_library_find(library, r->steps[i].links.items[j], NULL));
		/* Every write says how it is undone, and runs for a bounded time. */
		if (r->steps[i].language != RUNBOOK_MANUAL && r->steps[i].mode == RUNBOOK_WRITE)
			assert_true(*r->steps[i].undo);
	}
}

static void document_built_in_runbooks_are_right(void **state)
{
	struct runbook_library library = { 0 };
	struct err err;
	size_t i;

	(void)state;
	assert_int_equal(runbook_library_add(&library, "runbooks", &err), 0);
	for (i = 0; i < library.problems.n; i++)
		fprintf(stderr, "%s\n", library.problems.items[i]);
	assert_int_equal(library.problems.n, 0);
	assert_int_equal(library.n, sizeof(built_in) / sizeof(built_in[0]));
	for (i = 0; i < library.n; i++) {
		assert_string_equal(library.items[i].runbook->name, built_in[i]);
		check_built_in(&library, library.items[i].runbook);
	}
	runbook_library_fini(&library);
}

static bool step_uses(const struct runbook_step *step, const char *dollar)
{
	size_t i;

	for (i = 0; i < step->n_expect; i++)
		if (step->expect[i].text && strstr(step->expect[i].text, dollar))
			return true;
	return strstr(step->text, dollar) != NULL;
}

/* Every variable that a built-in runbook declares is used. */
static void document_built_in_variables_are_used(void **state)
{
	struct runbook_library library = { 0 };
	const struct runbook *r;
	char *dollar;
	size_t i, j, k;

	(void)state;
	assert_int_equal(runbook_library_add(&library, "runbooks", NULL), 0);
	for (i = 0; i < library.n; i++) {
		r = library.items[i].runbook;
		for (j = 0; j < r->n_vars; j++) {
			if (r->vars[j].captured)
				continue;
			dollar = mem_printf("$%s", r->vars[j].name);
			for (k = 0; k < r->n_steps && !step_uses(&r->steps[k], dollar); k++)
				;
			assert_true(k < r->n_steps);
			free(dollar);
		}
	}
	runbook_library_fini(&library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_reads_everything),
		cmocka_unit_test(document_a_command_that_says_nothing_writes),
		cmocka_unit_test(document_steps_by_hand_take_attributes_from_a_comment),
		cmocka_unit_test(document_refuses_with_the_line),
		cmocka_unit_test(document_says_every_problem_in_order),
		cmocka_unit_test(document_load_names_file_and_line),
		cmocka_unit_test(document_requires),
		cmocka_unit_test(document_built_in_runbooks_are_right),
		cmocka_unit_test(document_built_in_variables_are_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
