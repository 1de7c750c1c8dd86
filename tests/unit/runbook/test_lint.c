/*
 * What lint, plan and show print, against golden files in tests/golden/runbook. Run with
 * UPDATE_GOLDEN=1 to write them anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/runbook/lint.h>

#include "support.h"

struct print {
	FILE *file;
	char *text;
	size_t len;
};

static void print_open(struct print *p)
{
	p->file = open_memstream(&p->text, &p->len);
	assert_non_null(p->file);
}

static char *read_all(const char *path)
{
	struct buf text = BUF_INIT;
	FILE *file = fopen(path, "r");
	char chunk[4096];
	size_t n;

	while (file && (n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&text, chunk, n);
	if (file)
		fclose(file);
	return buf_steal(&text);
}

/* Closes p and compares. */
static void assert_golden(struct print *p, const char *name)
{
	char *path = mem_printf("tests/golden/runbook/%s", name), *want;
	FILE *file;

	fclose(p->file);
	if (getenv("UPDATE_GOLDEN")) {
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(p->text, file);
		fclose(file);
	}
	want = read_all(path);
	assert_string_equal(p->text, want);
	free(want);
	free(path);
	free(p->text);
}

static void lint_prints_every_problem(void **state)
{
	struct print p = { 0 };

	(void)state;
	print_open(&p);
	assert_int_equal(runbook_lint("tests/golden/runbook/wrong.md", p.file), 10);
	assert_golden(&p, "wrong.txt");
}

static void lint_is_silent_about_a_right_one(void **state)
{
	struct print p = { 0 };

	(void)state;
	print_open(&p);
	assert_int_equal(runbook_lint("tests/golden/runbook/right.md", p.file), 0);
	assert_int_equal(runbook_lint("tests/golden/runbook/nowhere.md", p.file), 1);
	assert_golden(&p, "right-lint.txt");
}

static void plan_prints_what_would_be_sent(void **state)
{
	struct runbook_options options = { .environment = POLICY_PRODUCTION,
		.target = "boardofone@prod",
		.quote = quote_plain,
		.application = "pgoncall-1" };
	struct runbook *r = runbook_load("tests/golden/runbook/right.md", NULL);
	struct runbook_vars vars = { 0 };
	struct print p = { 0 };

	(void)state;
	assert_non_null(r);
	print_open(&p);
	runbook_vars_set(&vars, "alembic", "uv run alembic");
	runbook_vars_set(&vars, "database", "boardofone");
	runbook_vars_set(&vars, "rev", "622dbc22743e");
	runbook_vars_set(&vars, "note", "it's\x1b[2J");
	runbook_plan(r, &options, &vars, p.file);
	runbook_vars_fini(&vars);
	runbook_free(r);
	assert_golden(&p, "right-plan.txt");
}

static void show_prints_the_page(void **state)
{
	struct runbook *r = runbook_load("tests/golden/runbook/right.md", NULL);
	struct print p = { 0 };

	(void)state;
	print_open(&p);
	runbook_show(r, p.file);
	runbook_free(r);
	assert_golden(&p, "right-show.txt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lint_prints_every_problem),
		cmocka_unit_test(lint_is_silent_about_a_right_one),
		cmocka_unit_test(plan_prints_what_would_be_sent),
		cmocka_unit_test(show_prints_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
