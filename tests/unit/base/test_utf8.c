/*
 * Decoding, widths and the sanitiser.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/utf8.h>

static void expect_sanitised(const char *in, size_t len, enum utf8_lines lines, const char *want)
{
	struct buf out = BUF_INIT;

	utf8_sanitise(&out, in, len, lines);
	assert_string_equal(buf_str(&out), want);
	buf_fini(&out);
}

static void utf8_decodes_only_valid_sequences(void **state)
{
	uint32_t cp;

	(void)state;
	assert_int_equal(utf8_decode("A", 1, &cp), 1);
	assert_int_equal(cp, 'A');
	assert_int_equal(utf8_decode("\xE2\x96\xB2", 3, &cp), 3);
	assert_int_equal(cp, 0x25B2);
	assert_int_equal(utf8_decode("\xE2\x96", 2, &cp), 0);
	assert_int_equal(utf8_decode("\xC0\x80", 2, &cp), 0);
	assert_int_equal(utf8_decode("\xED\xA0\x80", 3, &cp), 0);
	assert_int_equal(utf8_decode("\xFF", 1, &cp), 0);
}

static void utf8_sanitise_makes_controls_visible(void **state)
{
	(void)state;
	expect_sanitised("a\x1b[31mb\x07", 8, UTF8_ONE_LINE, "a^[[31mb^G");
	expect_sanitised("a\0b", 3, UTF8_ONE_LINE, "a^@b");
	expect_sanitised("\xC2\x9B" "31m", 5, UTF8_ONE_LINE, "<U+009B>31m");
	expect_sanitised("\xE2\x80\xAE" "evil", 7, UTF8_ONE_LINE, "<U+202E>evil");
	expect_sanitised("\xFF\xFE", 2, UTF8_ONE_LINE, "<FF><FE>");
}

static void utf8_sanitise_folds_or_keeps_lines(void **state)
{
	const char *text = "SELECT 1,\r\n\t\t2";

	(void)state;
	expect_sanitised(text, strlen(text), UTF8_ONE_LINE, "SELECT 1, 2");
	expect_sanitised("a\n\tb\rc", 6, UTF8_MANY_LINES, "a\n        b^Mc");
}

static void utf8_columns_counts_wide_and_combining(void **state)
{
	(void)state;
	assert_int_equal(utf8_columns("abc"), 3);
	assert_int_equal(utf8_columns("\xE6\x97\xA5\xE6\x9C\xAC"), 4);
	assert_int_equal(utf8_columns("e\xCC\x81"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_decodes_only_valid_sequences),
		cmocka_unit_test(utf8_sanitise_makes_controls_visible),
		cmocka_unit_test(utf8_sanitise_folds_or_keeps_lines),
		cmocka_unit_test(utf8_columns_counts_wide_and_combining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
