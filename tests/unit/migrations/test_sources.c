/*
 * Several sources side by side: what is where, which is ahead, who can roll back; and what Alembic is
 * asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/migrations/sources.h>
#include <pgoncall/migrations/told.h>

#include "graph_fixture.h"

static void add(struct migration_sources *s, const char *name, bool image, const char *text)
{
	size_t i = migration_sources_add(s, name, image, "there");

	if (text)
		migration_sources_set(s, i, fixture_build(text), NULL);
	else
		migration_sources_set(s, i, NULL, "no such container");
}

static void mark(struct migration_sources *s, const char *words)
{
	struct strlist rows;

	strlist_init(&rows);
	strlist_add_words(&rows, words);
	migration_sources_mark(s, &rows);
	strlist_fini(&rows);
}

static void expect_said(const struct migration_sources *s, const char *id,
	void (*say)(
		const struct migration_sources *, const struct migration_revision *, struct buf *),
	const char *want)
{
	struct buf got = BUF_INIT;

	say(s, migration_graph_find(s->merged, id), &got);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
}

static void rollback(
	const struct migration_sources *s, const struct migration_revision *r, struct buf *out)
{
	migration_sources_rollback(s, r, true, out);
}

static void add_with_digest(struct migration_sources *s, const char *name, uint64_t digest)
{
	size_t i = migration_sources_add(s, name, true, "there");
	struct migration_graph *graph = fixture_build("b <- a\na\n");

	((struct migration_revision *)(uintptr_t)migration_graph_find(graph, "b"))->digest = digest;
	migration_sources_set(s, i, graph, NULL);
}

static void sources_tell_whose_files_differ(void **state)
{
	struct migration_sources s = { 0 };

	(void)state;
	add_with_digest(&s, "blue", 1);
	add_with_digest(&s, "green", 2);
	add_with_digest(&s, "git", 1);
	mark(&s, "a");
	expect_said(&s, "b", migration_sources_skew, "files differ: green from blue");
	expect_said(&s, "a", migration_sources_skew, "");
	migration_sources_fini(&s);
}

static void sources_tell_what_one_colour_lacks(void **state)
{
	struct migration_sources s = { 0 };
	struct buf ahead = BUF_INIT;

	(void)state;
	add(&s, "blue", true, "a\nb <- a\n");
	add(&s, "green", true, "a\nb <- a\nc <- b\n");
	assert_int_equal(s.merged->n, 3);
	expect_said(&s, "c", migration_sources_skew, "green only");
	expect_said(&s, "a", migration_sources_skew, "");
	expect_said(
		&s, "b", rollback, "blue and green can roll it back, but it has no downgrade()");
	expect_said(&s, "c", rollback,
		"only green can roll it back: blue has no file of it, but it has no downgrade()");
	assert_true(migration_sources_colours_differ(&s, migration_graph_find(s.merged, "c")));
	assert_false(migration_sources_colours_differ(&s, migration_graph_find(s.merged, "a")));
	mark(&s, "b");
	assert_int_equal(s.merged->pending.n, 1);
	assert_int_equal(s.items[0].graph->pending.n, 0);
	assert_int_equal(migration_sources_ahead(&s, 0, &ahead), 0);
	mark(&s, "c");
	assert_int_equal(s.items[0].graph->unknown_rows.n, 1);
	assert_int_equal(s.merged->unknown_rows.n, 0);
	assert_int_equal(migration_sources_ahead(&s, 0, &ahead), 1);
	assert_int_equal(migration_sources_ahead(&s, 1, &ahead), 0);
	assert_string_equal(buf_str(&ahead), "c");
	buf_fini(&ahead);
	migration_sources_fini(&s);
}

static void sources_keep_a_checkout_apart(void **state)
{
	static const char log[] = "\x01"
				  "3f2a1b9\x02"
				  "2025-11-27\x02"
				  "Ann\x02"
				  "Add c: and more\n\nmigrations/versions/c.py\n"
				  "\x01"
				  "0000001\x02"
				  "2024-01-01\x02"
				  "Bob\x02"
				  "First\n\nmigrations/versions/a.py\n"
				  "migrations/versions/c.py\n\x01torn\nx.py\n";
	struct migration_sources s = { 0 };

	(void)state;
	add(&s, "app", true, "a\nb <- a\n");
	add(&s, "git", false, "a\nc <- a\n");
	mark(&s, "a");
	/* What only the checkout has is nothing an upgrade of today would run. */
	assert_int_equal(s.merged->pending.n, 1);
	assert_string_equal(s.merged->revisions[s.merged->pending.items[0]].id, "b");
	assert_int_equal(migration_graph_find(s.merged, "c")->state, MIGRATION_UNDEPLOYED);
	assert_string_equal(migration_state_name(MIGRATION_UNDEPLOYED), "unknown");
	expect_said(&s, "c", migration_sources_skew, "git only");
	expect_said(&s, "b", migration_sources_skew, "app only");
	expect_said(&s, "c", rollback, "no image can roll it back: app has no file of it");
	migration_sources_set_log(&s, log, sizeof(log) - 1);
	assert_string_equal(migration_graph_find(s.merged, "c")->commit,
		"3f2a1b9, 2025-11-27, Ann: Add c: and more");
	assert_string_equal(
		migration_graph_find(s.merged, "a")->commit, "0000001, 2024-01-01, Bob: First");
	assert_null(migration_graph_find(s.merged, "b")->commit);
	migration_sources_fini(&s);
}

static void sources_survive_what_cannot_be_read(void **state)
{
	struct migration_sources s = { 0 };

	(void)state;
	add(&s, "blue", true, "a\nb <- a\n");
	add(&s, "green", true, NULL);
	assert_ptr_equal(s.merged, s.items[0].graph);
	assert_string_equal(s.items[1].error, "no such container");
	expect_said(&s, "b", migration_sources_skew, "");
	/* Read later, and then once more: the merged graph follows. */
	migration_sources_set(&s, 1, fixture_build("a\n"), NULL);
	assert_null(s.items[1].error);
	expect_said(&s, "b", migration_sources_skew, "blue only");
	migration_sources_set(&s, 1, fixture_build("a\nb <- a\n"), NULL);
	expect_said(&s, "b", migration_sources_skew, "");
	migration_sources_set(&s, 0, fixture_build("a\nb <- a\nc <- b\n"), NULL);
	assert_int_equal(s.merged->n, 3);
	migration_sources_fini(&s);
}

/* Blue lacks a parent that green has: the whole is sound, blue is not. */
static void sources_say_whose_problem_it_is(void **state)
{
	struct migration_sources s = { 0 };
	const struct migration_problem *problem;

	(void)state;
	add(&s, "blue", true, "a\nc <- b\n");
	add(&s, "green", true, "a\nb <- a\nc <- b\n");
	assert_int_equal(s.merged->problems.n, 1);
	problem = &s.merged->problems.items[0];
	assert_string_equal(problem->code, "missing-parent");
	assert_true(str_starts(problem->text, "blue: c comes after 'b'"));
	mark(&s, "a");
	mark(&s, "zz");
	assert_string_equal(s.merged->problems.items[0].code, "missing-parent");
	assert_int_equal(s.merged->problems.n, 2);
	migration_sources_fini(&s);
}

static struct migration_graph *parse(const char *const *files, size_t n)
{
	struct migration_revision *take = mem_calloc(n + 1, sizeof(*take));
	struct migration_problems problems;
	struct migration_graph *graph;
	size_t i, k = 0;
	char path[32];

	migration_problems_init(&problems);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "v/%zu_x.py", i);
		if (migration_revision_parse(
			    path, files[i], strlen(files[i]), &take[k], &problems) == 0)
			k++;
	}
	graph = migration_graph_new(take, k, &problems);
	free(take);
	return graph;
}

static void told_fills_in_what_is_computed(void **state)
{
	static const char *const files[] = {
		"\"\"\"first\n\"\"\"\nrevision = 'a'\ndown_revision = None\n",
		"\"\"\"second\n\"\"\"\nrevision = 'b'\ndown_revision = find()\n",
		"\"\"\"third\n\"\"\"\nrevision = make()\ndown_revision = 'b'\n",
	};
	static const char said[] = "Rev: c (head)\nParent: b\nAlso depends on: a\nPath: "
				   "/app/v/2_x.py\n\n    third\n    \n"
				   "    Rev: evil\n    Parent: z\n\n"
				   "Rev: b\nParent: a\nPath: /app/v/1_x.py\n\n    second\n\n"
				   "Rev: a\nParent: <base>\nPath: /app/v/0_x.py\n\n    first\n\n";
	struct migration_graph *graph = parse(files, 3), *filled;
	const struct migration_revision *r;
	struct migration_told told;

	(void)state;
	assert_true(migration_told_is_wanted(graph));
	assert_int_equal(graph->n, 2);
	migration_told_init(&told, said, sizeof(said) - 1);
	assert_int_equal(told.n, 3);
	filled = migration_told_apply(graph, &told, "alembic in api-1");
	assert_non_null(filled);
	assert_int_equal(filled->n, 3);
	assert_string_equal(filled->revisions[0].id, "c");
	assert_string_equal(filled->revisions[0].message, "third");
	assert_string_equal(filled->revisions[0].depends_on.items[0], "a");
	r = migration_graph_find(filled, "b");
	assert_true(r->told && r->dynamic);
	assert_string_equal(r->down.items[0], "a");
	assert_false(migration_graph_find(filled, "a")->told);
	assert_int_equal(filled->problems.n, 2);
	assert_non_null(
		strstr(filled->problems.items[0].text, "what alembic in api-1 said is shown"));
	migration_told_fini(&told);
	/* An answer about other files changes nothing. */
	migration_told_init(&told, "Rev: q\nPath: /x/9.py\n\n", 21);
	assert_null(migration_told_apply(graph, &told, "alembic"));
	migration_told_fini(&told);
	migration_graph_free(graph);
	migration_graph_free(filled);
}

static void told_reads_anything(void **state)
{
	static const char *const texts[] = { "", "Rev: ", "Rev: x", "\n\n", "Parent: a\n",
		"Rev: a (head)\r\nMerges: b, c\r\nPath: \r\n", "    Rev: a\n" };
	struct migration_told told;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		migration_told_init(&told, texts[i], strlen(texts[i]));
		migration_told_fini(&told);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_tell_whose_files_differ),
		cmocka_unit_test(sources_tell_what_one_colour_lacks),
		cmocka_unit_test(sources_keep_a_checkout_apart),
		cmocka_unit_test(sources_survive_what_cannot_be_read),
		cmocka_unit_test(sources_say_whose_problem_it_is),
		cmocka_unit_test(told_fills_in_what_is_computed),
		cmocka_unit_test(told_reads_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
