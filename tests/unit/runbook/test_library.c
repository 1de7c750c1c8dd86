/*
 * Directories of runbooks: order, a team's own in place of a built-in one, files with mistakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/runbook/library.h>

#include "support.h"

struct dirs {
	char own[32], built_in[32];
};

static void write_file(const char *dir, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(path);
}

static void write_runbook(const char *dir, const char *file, const char *name, const char *when)
{
	char *text = mem_printf(
		"---\nrunbook: %s\ntitle: From %s\nwhen: %s\n---\n### x\n", name, file, when);

	write_file(dir, file, text);
	free(text);
}

static int set_up(void **state)
{
	struct dirs *d = mem_calloc(1, sizeof(*d));

	strcpy(d->own, "/tmp/pgoncall-own.XXXXXX");
	strcpy(d->built_in, "/tmp/pgoncall-lib.XXXXXX");
	*state = d;
	return mkdtemp(d->own) && mkdtemp(d->built_in) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct dirs *d = *state;
	char *command = mem_printf("rm -rf %s %s", d->own, d->built_in);
	int rc = system(command);

	free(command);
	free(d);
	return rc;
}

/* The built-in one does something else than what the team wrote: it does not take its place. */
static void library_does_not_replace_what_it_refuses(void **state)
{
	struct dirs *d = *state;
	struct runbook_library library = { 0 };
	struct err err;

	write_runbook(d->built_in, "alpha.md", "alpha", "lock-queue");
	write_runbook(d->built_in, "bravo.md", "bravo", "lock-queue");
	write_file(d->own, "alpha.md",
		"---\nrunbook: alpha\ntitle: x\n---\n### x\n```sql { name=x frob=1 }\nSELECT "
		"1\n```\n");
	assert_int_equal(runbook_library_add(&library, d->own, &err), 0);
	assert_int_equal(runbook_library_add(&library, d->built_in, &err), 0);
	assert_null(runbook_library_find(&library, "alpha", &err));
	assert_non_null(strstr(err.text, "/alpha.md:6: "));
	assert_non_null(strstr(err.text, "mend that file"));
	assert_non_null(runbook_library_find(&library, "bravo", &err));
	runbook_library_fini(&library);
}

static void library_finds_the_teams_own_first(void **state)
{
	struct dirs *d = *state;
	struct runbook_library library = { 0 };
	struct err err;

	write_runbook(d->built_in, "b.md", "bravo", "lock-queue");
	write_runbook(d->built_in, "a.md", "alpha", "lock-queue, standby");
	write_runbook(d->own, "z.md", "bravo", "lock-queue");
	write_file(d->own, "README.md", "no runbook");
	write_file(d->own, "notes.txt", "no runbook");
	write_file(d->own, ".hidden.md", "no runbook");
	assert_int_equal(runbook_library_add(&library, d->own, &err), 0);
	assert_int_equal(runbook_library_add(&library, d->built_in, &err), 0);
	assert_int_equal(library.n, 2);
	assert_int_equal(library.problems.n, 0);
	assert_int_equal(library.notes.n, 1);
	assert_non_null(strstr(library.notes.items[0], "z.md: replaces"));
	assert_string_equal(runbook_library_find(&library, "bravo", &err)->title, "From z.md");
	assert_string_equal(runbook_library_for(&library, "lock-queue", 0)->name, "bravo");
	assert_string_equal(runbook_library_for(&library, "lock-queue", 1)->name, "alpha");
	assert_null(runbook_library_for(&library, "lock-queue", 2));
	assert_string_equal(runbook_library_for(&library, "standby", 0)->name, "alpha");
	runbook_library_fini(&library);
}

static void library_says_what_it_leaves_out(void **state)
{
	struct dirs *d = *state;
	struct runbook_library library = { 0 };
	struct err err;

	write_runbook(d->own, "a.md", "same", "standby");
	write_runbook(d->own, "b.md", "same", "standby");
	write_file(d->own, "c.md", "---\nrunbook: c\ntitle: C\ncolour: red\n---\n### x\n");
	assert_int_equal(runbook_library_add(&library, d->own, &err), 0);
	assert_int_equal(library.n, 1);
	assert_int_equal(library.problems.n, 2);
	assert_non_null(strstr(library.problems.items[0], "b.md:1: the name \"same\" is taken by"));
	assert_non_null(strstr(library.problems.items[1], "c.md:4: \"colour\" is no key"));
	assert_null(runbook_library_find(&library, "sam", &err));
	assert_non_null(strstr(err.text, "there is same"));
	assert_null(runbook_library_find(&library, "other", &err));
	assert_non_null(strstr(err.text, "pgoncall runbook list"));
	assert_int_equal(runbook_library_add(&library, "/nowhere", &err), -1);
	assert_non_null(strstr(err.text, "/nowhere"));
	runbook_library_fini(&library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			library_finds_the_teams_own_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(library_says_what_it_leaves_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			library_does_not_replace_what_it_refuses, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
