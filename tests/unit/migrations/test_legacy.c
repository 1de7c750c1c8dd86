/*
 * Legacy SQL files against their table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/migrations/legacy.h>

static void expect(const char *paths, const char *rows, const char *want)
{
	struct strlist files, recorded;
	struct legacy_list list;
	struct buf got = BUF_INIT;
	size_t i;

	strlist_init(&files);
	strlist_init(&recorded);
	strlist_add_words(&files, paths);
	if (rows)
		strlist_add_words(&recorded, rows);
	legacy_list_init(&list, &files, rows ? &recorded : NULL);
	for (i = 0; i < list.n; i++)
		buf_printf(&got, "%s %s %s\n", legacy_state_name(list.items[i].state),
			list.items[i].name, list.items[i].path);
	buf_printf(&got, "%zu pending, %zu missing", list.n_pending, list.n_missing);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
	legacy_list_fini(&list);
	strlist_fini(&files);
	strlist_fini(&recorded);
}

static void legacy_compares_files_and_rows(void **state)
{
	(void)state;
	expect("m/002_b.sql m/001_a.sql m/README.md m/003_c.sql", "001_a.sql 002_b 000_gone.sql",
		"missing 000_gone.sql \n"
		"applied 001_a.sql m/001_a.sql\n"
		"applied 002_b.sql m/002_b.sql\n"
		"pending 003_c.sql m/003_c.sql\n"
		"1 pending, 1 missing");
}

static void legacy_without_a_table_is_all_pending(void **state)
{
	(void)state;
	expect("1.sql", NULL, "pending 1.sql 1.sql\n1 pending, 0 missing");
	expect("", NULL, "0 pending, 0 missing");
	expect("", "x", "missing x \n0 pending, 1 missing");
}

static void legacy_orders_numbers_by_value(void **state)
{
	(void)state;
	expect("10_x.sql 2_x.sql 002_x.sql 2_a.sql a.sql", "old/2_x.sql old/2_x gone gone.sql",
		"pending 2_a.sql 2_a.sql\n"
		"pending 002_x.sql 002_x.sql\n"
		"applied 2_x.sql 2_x.sql\n"
		"pending 10_x.sql 10_x.sql\n"
		"pending a.sql a.sql\n"
		"missing gone \n"
		"4 pending, 1 missing");
}

static void legacy_knows_files_by_their_number(void **state)
{
	(void)state;
	expect("001_a.sql 2_b.sql 10_c.sql x.sql", "1 0002 7",
		"applied 001_a.sql 001_a.sql\n"
		"applied 2_b.sql 2_b.sql\n"
		"missing 7 \n"
		"pending 10_c.sql 10_c.sql\n"
		"pending x.sql x.sql\n"
		"2 pending, 1 missing");
}

static void legacy_counts_names(void **state)
{
	struct strlist files, rows;

	(void)state;
	strlist_init(&files);
	strlist_init(&rows);
	strlist_add_words(&files, "m/001_a.sql m/002_b.sql README");
	strlist_add_words(&rows, "001_a 2 deploy");
	assert_int_equal(legacy_count_names(&files, &rows), 2);
	strlist_fini(&files);
	assert_int_equal(legacy_count_names(&files, &rows), 0);
	strlist_fini(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legacy_compares_files_and_rows),
		cmocka_unit_test(legacy_without_a_table_is_all_pending),
		cmocka_unit_test(legacy_orders_numbers_by_value),
		cmocka_unit_test(legacy_knows_files_by_their_number),
		cmocka_unit_test(legacy_counts_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
