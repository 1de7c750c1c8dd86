/*
 * Wrapping of styled text.
 */
#include <pgoncall/ui/lines.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/ui/theme.h>

static void expect_wrapped(struct lines *lines, int width, const char *text)
{
	struct buf got = BUF_INIT;
	struct lines rows;

	lines_init(&rows);
	lines_wrap(lines, width, &rows);
	lines_text(&rows, &got);
	assert_string_equal(buf_str(&got), text);
	buf_fini(&got);
	lines_fini(&rows);
	lines_fini(lines);
}

static void lines_wrap_at_spaces(void **state)
{
	struct lines lines;

	(void)state;
	lines_init(&lines);
	lines_add(&lines, THEME_TEXT, 0, "one two three\nfour");
	expect_wrapped(&lines, 8, "one two \nthree\nfour\n");
	lines_add(&lines, THEME_TEXT, 0, "exactly8 next");
	expect_wrapped(&lines, 8, "exactly8 \nnext\n");
	lines_add(&lines, THEME_TEXT, 2, "a\nbcdefghijk");
	expect_wrapped(&lines, 6, "  a\n  bcde\n  fghi\n  jk\n");
	lines_add(&lines, THEME_TEXT, 0, "日本語日本語");
	expect_wrapped(&lines, 5, "日本\n語日\n本語\n");
}

static void lines_keep_facts_under_themselves(void **state)
{
	struct lines lines;

	(void)state;
	lines_init(&lines);
	lines_add_fact(&lines, THEME_TEXT, 5, "pid", "81 23 is the one");
	lines_add_fact(&lines, THEME_TEXT, 5, "long-name", "x");
	expect_wrapped(&lines, 12, "pid  81 23 \n     is the \n     one\nlong-name x\n");
}

static void lines_wrap_ends_at_any_width(void **state)
{
	struct lines lines, rows;
	int width;

	(void)state;
	for (width = 1; width < 12; width++) {
		lines_init(&lines);
		lines_init(&rows);
		lines_add_fact(&lines, THEME_TEXT, 8, "name", "日 a long text of words");
		lines_wrap(&lines, width, &rows);
		assert_true(rows.n > 0 && rows.n < 200);
		lines_fini(&rows);
		lines_fini(&lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_wrap_at_spaces),
		cmocka_unit_test(lines_keep_facts_under_themselves),
		cmocka_unit_test(lines_wrap_ends_at_any_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
