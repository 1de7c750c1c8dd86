/*
 * Directories of journals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/journal/list.h>

#include "support.h"

static int set_up(void **state)
{
	*state = make_directory();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	remove_directory(*state);
	return 0;
}

static void list_has_the_newest_incident_first(void **state)
{
	struct journal_list list;
	struct journal *journal;

	journal = open_journal(*state, "20250101T000000Z-prod-0001");
	put(journal, JOURNAL_INTENT, 0, "a", NULL);
	put(journal, JOURNAL_INTENT, 0, "b", NULL);
	put(journal, JOURNAL_RESULT, 2, NULL, NULL);
	journal_close(journal);
	journal = open_journal(*state, "20250102T000000Z-prod-0001");
	put(journal, JOURNAL_NOTE, 0, NULL, "x");
	damage(journal_path(journal), "echo '{\"v\":1}' >>\"$1\"; echo >\"${1%/*}/notes.txt\"");
	journal_close(journal);
	journal_close(open_journal(*state, "20250103T000000Z-prod-0001"));
	assert_int_equal(journal_list_load(*state, &list, NULL), 0);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.items[0].incident, "20250103T000000Z-prod-0001");
	assert_string_equal(list.items[0].first_ts, "");
	assert_string_equal(list.items[1].incident, "20250102T000000Z-prod-0001");
	assert_true(list.items[1].broken);
	assert_int_equal(list.items[1].records, 1);
	assert_string_equal(list.items[2].user, "ada@desk");
	assert_string_equal(list.items[2].target, "prod");
	assert_int_equal(list.items[2].writes, 2);
	assert_int_equal(list.items[2].unknowns, 1);
	assert_false(list.items[2].broken);
	journal_list_fini(&list);
}

static void list_of_no_directory_is_empty(void **state)
{
	struct journal_pending_list pending;
	struct journal_list list;

	(void)state;
	assert_int_equal(journal_list_load("/nowhere/at/all", &list, NULL), 0);
	assert_int_equal(list.n, 0);
	journal_list_fini(&list);
	assert_int_equal(journal_pending_load("/nowhere/at/all", NULL, &pending, NULL), 0);
	assert_int_equal(pending.n, 0);
	journal_pending_fini(&pending);
}

static void list_finds_pending_writes_of_a_target(void **state)
{
	struct journal_pending_list pending;
	struct journal *one, *two;

	one = open_journal(*state, "1");
	put(one, JOURNAL_INTENT, 0, "first", NULL);
	put(one, JOURNAL_UNKNOWN, 1, NULL, "link lost");
	put(one, JOURNAL_INTENT, 0, "second", NULL);
	put(one, JOURNAL_RESULT, 3, NULL, NULL);
	journal_close(one);
	two = open_journal(*state, "2");
	put(two, JOURNAL_INTENT, 0, "third", NULL);
	assert_int_equal(journal_pending_load(*state, "prod", &pending, NULL), 0);
	assert_int_equal(pending.n, 2);
	assert_string_equal(pending.items[0].intent.command, "first");
	assert_true(pending.items[0].lost);
	assert_false(pending.items[0].live);
	assert_string_equal(pending.items[1].intent.command, "third");
	assert_false(pending.items[1].lost);
	assert_true(pending.items[1].live);
	journal_pending_fini(&pending);
	assert_int_equal(journal_pending_load(*state, "staging", &pending, NULL), 0);
	assert_int_equal(pending.n, 0);
	journal_pending_fini(&pending);
	journal_close(two);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(list_has_the_newest_incident_first),
		TEST(list_of_no_directory_is_empty),
		TEST(list_finds_pending_writes_of_a_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
