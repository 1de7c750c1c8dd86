/*
 * The grid: clipping, wide characters, and that nothing unprintable gets in.
 */
#include <pgoncall/ui/cells.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/ui/theme.h>

static void expect_dump(const struct cells *cells, const char *text)
{
	struct buf dump = BUF_INIT;

	cells_dump(cells, &dump);
	assert_string_equal(buf_str(&dump), text);
	buf_fini(&dump);
}

static void cells_put_clips_to_its_rectangle(void **state)
{
	struct cells_rect rect = { 0, 2, 1, 4 };
	struct cells cells;

	(void)state;
	cells_init(&cells, 2, 8, false);
	cells_put(&cells, rect, 0, 0, THEME_TEXT, "abcdefgh");
	cells_put(&cells, rect, 1, 0, THEME_TEXT, "below");
	cells_put(&cells, rect, 0, -1, THEME_TEXT, "xyz");
	expect_dump(&cells, "  yzcd\n\n");
	cells_fini(&cells);
}

static void cells_put_never_cuts_a_wide_character_in_two(void **state)
{
	struct cells_rect rect = { 0, 0, 1, 3 };
	struct cells cells;

	(void)state;
	cells_init(&cells, 1, 6, false);
	cells_put(&cells, rect, 0, 0, THEME_TEXT, "日本");
	expect_dump(&cells, "日\n");
	cells_put(&cells, rect, 0, 1, THEME_TEXT, "x");
	expect_dump(&cells, " x\n");
	cells_put(&cells, rect, 0, 0, THEME_TEXT, "日");
	cells_put(&cells, rect, 0, 0, THEME_TEXT, "y");
	expect_dump(&cells, "y\n");
	cells_put(&cells, cells_whole(&cells), 0, 0, THEME_TEXT, "e\xCC\x81!");
	expect_dump(&cells, "e\xCC\x81!\n");
	cells_fini(&cells);
}

static void cells_put_lets_no_control_through(void **state)
{
	static const char *const evil[] = { "\033[2J",
		"\x9B"
		"2J",
		"\xC2\x9B"
		"2J",
		"a\nb\rc\td", "\x7F",
		"\xE2\x80\xAE"
		"abc",
		"\xE2\x81\xA6", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF" };
	struct cells cells;
	const struct cell *cell;
	size_t i;
	int col;

	(void)state;
	cells_init(&cells, 1, 16, false);
	for (i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
		cells_clear(&cells);
		cells_put(&cells, cells_whole(&cells), 0, 0, THEME_TEXT, evil[i]);
		for (col = 0; col < cells.cols; col++) {
			cell = cells_peek(&cells, 0, col);
			assert_true(cell->cp == 0xFFFD || (cell->cp >= 0x20 && cell->cp < 0x7F));
			assert_int_equal(cell->marks[0], 0);
		}
	}
	cells_fini(&cells);
}

static void cells_fit_marks_what_it_cuts(void **state)
{
	struct cells cells;
	struct cells_rect whole;

	(void)state;
	cells_init(&cells, 4, 8, false);
	whole = cells_whole(&cells);
	cells_put_fit(&cells, whole, 0, 0, 5, THEME_TEXT, "abcdef");
	cells_put_fit(&cells, whole, 1, 0, 5, THEME_TEXT, "日本語");
	cells_put_right(&cells, whole, 2, 0, 5, THEME_TEXT, "ab");
	cells_put_fit(&cells, whole, 3, 6, 5, THEME_TEXT, "abc");
	expect_dump(&cells, "abcd…\n日本…\n   ab\n      a…\n");
	cells_fini(&cells);
}

static void cells_box_joins_neighbours(void **state)
{
	struct cells cells;

	(void)state;
	cells_init(&cells, 5, 7, false);
	cells_box(&cells, (struct cells_rect){ 0, 0, 3, 4 }, THEME_BORDER);
	cells_box(&cells, (struct cells_rect){ 0, 3, 3, 4 }, THEME_BORDER);
	cells_box(&cells, (struct cells_rect){ 2, 0, 3, 7 }, THEME_BORDER);
	expect_dump(&cells, "┌──┬──┐\n│  │  │\n├──┴──┤\n│     │\n└─────┘\n");
	cells_fini(&cells);
	cells_init(&cells, 3, 4, true);
	cells_box(&cells, cells_whole(&cells), THEME_BORDER);
	cells_put(&cells, cells_whole(&cells), 1, 1, THEME_TEXT, "●é");
	expect_dump(&cells, "+--+\n|*?|\n+--+\n");
	cells_fini(&cells);
}

static void cells_row_diff_finds_what_changed(void **state)
{
	struct cells a, b;
	int from, to;

	(void)state;
	cells_init(&a, 1, 8, false);
	cells_init(&b, 1, 8, false);
	cells_put(&a, cells_whole(&a), 0, 0, THEME_TEXT, "ab日cd");
	cells_put(&b, cells_whole(&b), 0, 0, THEME_TEXT, "ab日cd");
	assert_false(cells_row_diff(&a, &b, 0, &from, &to));
	cells_put(&b, cells_whole(&b), 0, 4, THEME_TEXT, "x");
	assert_true(cells_row_diff(&a, &b, 0, &from, &to));
	assert_int_equal(from, 4);
	assert_int_equal(to, 5);
	cells_put(&b, cells_whole(&b), 0, 2, THEME_TEXT, "本");
	cells_overlay(&b, (struct cells_rect){ 0, 7, 1, 1 }, THEME_SEARCH);
	assert_true(cells_row_diff(&a, &b, 0, &from, &to));
	assert_int_equal(from, 2);
	assert_int_equal(to, 8);
	cells_fini(&a);
	cells_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_put_clips_to_its_rectangle),
		cmocka_unit_test(cells_put_never_cuts_a_wide_character_in_two),
		cmocka_unit_test(cells_put_lets_no_control_through),
		cmocka_unit_test(cells_fit_marks_what_it_cuts),
		cmocka_unit_test(cells_box_joins_neighbours),
		cmocka_unit_test(cells_row_diff_finds_what_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
