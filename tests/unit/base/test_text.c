/*
 * Buffers, string lists, durations, errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>

static void buf_grows_consumes_and_hands_over(void **state)
{
	struct buf buf = BUF_INIT;
	char *text;
	int i;

	(void)state;
	assert_string_equal(buf_str(&buf), "");
	buf_reserve(&buf, 100);
	assert_string_equal(buf_str(&buf), "");
	for (i = 0; i < 1000; i++)
		buf_printf(&buf, "%d,", i);
	assert_int_equal(strlen(buf_str(&buf)), buf.len);
	buf_consume(&buf, 2);
	assert_memory_equal(buf_str(&buf), "1,2,", 4);
	text = buf_steal(&buf);
	assert_int_equal(buf.len, 0);
	assert_memory_equal(text, "1,2,", 4);
	free(text);
	text = buf_steal(&buf);
	assert_string_equal(text, "");
	free(text);
	buf_fini(&buf);
}

static void strlist_splits_words(void **state)
{
	struct strlist list;

	(void)state;
	strlist_init(&list);
	strlist_add_words(&list, "  users\tsessions  tasks ");
	assert_int_equal(list.n, 3);
	assert_string_equal(list.items[1], "sessions");
	assert_null(list.items[3]);
	assert_true(strlist_has(&list, "tasks"));
	assert_false(strlist_has(&list, "task"));
	strlist_fini(&list);
}

static void str_to_long_takes_whole_numbers_only(void **state)
{
	long n = 7;

	(void)state;
	assert_int_equal(str_to_long("5432", 1, 65535, &n), 0);
	assert_int_equal(n, 5432);
	assert_int_equal(str_to_long("", 0, 9, &n), -1);
	assert_int_equal(str_to_long(" 1", 0, 9, &n), -1);
	assert_int_equal(str_to_long("1x", 0, 9, &n), -1);
	assert_int_equal(str_to_long("70000", 1, 65535, &n), -1);
	assert_int_equal(str_to_long("99999999999999999999", 0, 9, &n), -1);
	assert_int_equal(n, 5432);
}

static void expect_age(double seconds, const char *age, const char *span)
{
	char text[64];

	assert_string_equal(clock_format_age(seconds, text, sizeof(text)), age);
	assert_string_equal(clock_format_span(seconds, text, sizeof(text)), span);
}

static void clock_formats_ages(void **state)
{
	(void)state;
	expect_age(0.42, "0.4s", "0 s");
	expect_age(9.96, "9s", "9 s");
	expect_age(48.2, "48s", "48 s");
	expect_age(724, "12m04", "12 min 4 s");
	expect_age(3 * 3600 + 7 * 60, "3h07", "3 h 7 min");
	expect_age(5 * 86400 + 2 * 3600, "5d02h", "5 d 2 h");
	expect_age(NAN, "-", "an unknown time");
	expect_age(-1, "-", "an unknown time");
	expect_age(1e300, "115740d17h", "115740 d 17 h");
}

static void clock_reads_durations(void **state)
{
	int64_t ns = 0;

	(void)state;
	assert_int_equal(clock_parse_duration("500ms", &ns), 0);
	assert_int_equal(ns, CLOCK_NS_PER_S / 2);
	assert_int_equal(clock_parse_duration("10m", &ns), 0);
	assert_int_equal(ns, 600 * CLOCK_NS_PER_S);
	assert_int_equal(clock_parse_duration("2", &ns), 0);
	assert_int_equal(ns, 2 * CLOCK_NS_PER_S);
	assert_int_equal(clock_parse_duration("-1s", &ns), -1);
	assert_int_equal(clock_parse_duration("1x", &ns), -1);
	assert_int_equal(clock_parse_duration("nan", &ns), -1);
	assert_int_equal(clock_parse_duration("", &ns), -1);
}

static void clock_formats_rfc3339(void **state)
{
	char text[40];

	(void)state;
	assert_string_equal(clock_format_rfc3339(
				    INT64_C(1737972000123) * CLOCK_NS_PER_MS, text, sizeof(text)),
		"2025-01-27T10:00:00.123Z");
}

static void err_keeps_code_through_prefix(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, ERR_CONNECT, "refused %d", 1), -1);
	assert_int_equal(err_prefix(&err, "host %s", "x"), -1);
	assert_int_equal(err.code, ERR_CONNECT);
	assert_string_equal(err.text, "host x: refused 1");
	err_system(&err, ENOENT, "open %s", "f");
	assert_string_equal(err.text, "open f: No such file or directory");
	assert_int_equal(err_set(NULL, ERR_USAGE, "nobody listens"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_grows_consumes_and_hands_over),
		cmocka_unit_test(strlist_splits_words),
		cmocka_unit_test(str_to_long_takes_whole_numbers_only),
		cmocka_unit_test(clock_formats_ages),
		cmocka_unit_test(clock_reads_durations),
		cmocka_unit_test(clock_formats_rfc3339),
		cmocka_unit_test(err_keeps_code_through_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
