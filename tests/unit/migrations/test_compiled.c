/*
 * Revisions without a source: which files count, what is said, and what Alembic's own history fills in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/migrations/compiled.h>
#include <pgoncall/migrations/graph.h>
#include <pgoncall/migrations/told.h>

static void compiled_knows_its_files(void **state)
{
	(void)state;
	assert_true(migration_is_compiled_file("ae10.pyc"));
	assert_true(migration_is_compiled_file("ae10.cpython-311.pyc"));
	assert_true(migration_is_compiled_file("ae10.pyo"));
	assert_false(migration_is_compiled_file("ae10.py"));
	assert_false(migration_is_compiled_file("__init__.pyc"));
	assert_false(migration_is_compiled_file(".#ae10.pyc"));
}

/* What is reported where these files are there, and revisions were read of the first n_read of them;
 * "": nothing. */
static void expect(const char *const *paths, size_t n_read, bool recursive,
	enum migration_sourceless sourceless, const char *want, bool fatal)
{
	struct migration_compiled compiled = { 0 };
	struct migration_revision read[4] = { 0 };
	const struct migration_problem *problem;
	struct migration_problems problems;
	size_t i;

	migration_problems_init(&problems);
	for (i = 0; paths[i]; i++)
		migration_compiled_note(&compiled, paths[i], recursive);
	for (i = 0; i < n_read; i++)
		read[i].path = (char *)(uintptr_t)paths[i];
	migration_compiled_report(&compiled, sourceless, read, n_read, &problems);
	problem = migration_problems_find(&problems, "compiled-only");
	assert_int_equal(problem != NULL, *want != '\0');
	if (problem) {
		assert_non_null(strstr(problem->text, want));
		assert_int_equal(problem->fatal, fatal);
	}
	migration_problems_fini(&problems);
	migration_compiled_fini(&compiled);
}

static void compiled_counts_what_alembic_would_load(void **state)
{
	static const char *const only[] = { "a.pyc", "b.pyc", NULL };
	static const char *const one[] = { "a.pyc", NULL };
	static const char *const beside[] = { "a.py", "a.pyc", "b.cpython-311.pyc", NULL };
	static const char *const all_beside[] = { "a.py", "b.py", "a.pyc", "b.pyc", NULL };
	static const char *const cached[] = { "__pycache__/a.cpython-311.pyc", NULL };
	static const char *const stale[] = { "a.py", "__pycache__/b.cpython-311.pyc", NULL };
	static const char *const below[] = { "old/a.pyc", "old/__pycache__/b.pyc", NULL };

	(void)state;
	expect(only, 0, false, MIGRATION_SOURCELESS_YES,
		"2 revisions are here only as compiled files (.pyc; sourceless is set)", false);
	expect(one, 0, false, MIGRATION_SOURCELESS_YES, "1 revision is here only", false);
	expect(only, 0, false, MIGRATION_SOURCELESS_NO, "loads none of them unless", true);
	expect(only, 0, false, MIGRATION_SOURCELESS_UNKNOWN, "there are only 2 compiled", false);
	expect(beside, 1, false, MIGRATION_SOURCELESS_YES, "1 revision is here only", false);
	expect(beside, 1, false, MIGRATION_SOURCELESS_NO, "", false);
	expect(beside, 1, false, MIGRATION_SOURCELESS_UNKNOWN, "", false);
	expect(all_beside, 2, false, MIGRATION_SOURCELESS_YES, "", false);
	expect(cached, 0, false, MIGRATION_SOURCELESS_YES, "1 revision is here only", false);
	expect(stale, 1, false, MIGRATION_SOURCELESS_YES, "", false);
	expect(below, 0, false, MIGRATION_SOURCELESS_YES, "", false);
	expect(below, 0, true, MIGRATION_SOURCELESS_YES, "1 revision is here only", false);
}

static struct migration_graph *graph_without_source(enum migration_sourceless sourceless)
{
	struct migration_compiled compiled = { 0 };
	struct migration_problems problems;
	struct migration_graph *graph;

	migration_problems_init(&problems);
	migration_compiled_note(&compiled, "a.pyc", false);
	migration_compiled_note(&compiled, "b.pyc", false);
	migration_compiled_report(&compiled, sourceless, NULL, 0, &problems);
	graph = migration_graph_new(NULL, 0, &problems);
	migration_compiled_fini(&compiled);
	return graph;
}

static void compiled_are_filled_in_by_what_alembic_says(void **state)
{
	static const char said[] =
		"Rev: b (head)\nParent: a\nPath: /app/versions/b.pyc\n\n    Second\n\n"
		"Rev: a\nParent: <base>\nPath: /app/versions/__pycache__/a.cpython-311.pyc\n\n"
		"    First\n\n";
	struct migration_graph *graph = graph_without_source(MIGRATION_SOURCELESS_YES), *filled;
	const struct migration_problem *problem;
	struct migration_told told;

	(void)state;
	assert_true(migration_told_is_wanted(graph));
	migration_told_init(&told, said, strlen(said));
	filled = migration_told_apply(graph, &told, "alembic in app");
	assert_non_null(filled);
	assert_int_equal(filled->n, 2);
	assert_string_equal(filled->revisions[0].id, "b");
	assert_string_equal(filled->revisions[0].message, "Second");
	assert_true(filled->revisions[0].told);
	assert_string_equal(filled->revisions[1].id, "a");
	assert_int_equal(filled->revisions[0].parents.n, 1);
	problem = migration_problems_find(&filled->problems, "compiled-only");
	assert_non_null(problem);
	assert_non_null(strstr(problem->text, "; what alembic in app said of 2 is shown"));
	migration_told_fini(&told);
	migration_graph_free(filled);
	/* Of one it knows nothing. */
	migration_told_init(&told, said, (size_t)(strstr(said, "Rev: a") - said));
	filled = migration_told_apply(graph, &told, "alembic in app");
	problem = migration_problems_find(&filled->problems, "compiled-only");
	assert_non_null(strstr(problem->text, "; what alembic in app said of 1 is shown"));
	migration_told_fini(&told);
	migration_graph_free(filled);
	migration_graph_free(graph);
	graph = graph_without_source(MIGRATION_SOURCELESS_NO);
	assert_false(migration_told_is_wanted(graph));
	migration_graph_free(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compiled_knows_its_files),
		cmocka_unit_test(compiled_counts_what_alembic_would_load),
		cmocka_unit_test(compiled_are_filled_in_by_what_alembic_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
