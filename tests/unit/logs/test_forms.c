/*
 * The forms that lines come in: JSON, the journal's entries, own timestamps, GitHub's deploy logs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/logs/journal.h>
#include <pgoncall/logs/json.h>
#include <pgoncall/logs/sanitise.h>
#include <pgoncall/logs/stamp.h>

/* --- JSON --- */

static void expect_readable(const char *json, const char *want)
{
	struct buf out = BUF_INIT;

	assert_int_equal(log_json_readable(json, strlen(json), &out), want != NULL);
	assert_string_equal(buf_str(&out), want ? want : "");
	buf_fini(&out);
}

static void forms_json_reads_as_a_line(void **state)
{
	(void)state;
	expect_readable("{\"ts\":\"2025-01-27T10:00:00Z\",\"level\":\"error\",\"msg\":\"it broke\","
			"\"job\":7,\"who\":\"a b\",\"o\":{\"x\":[1,null]}}",
		"ERROR it broke job=7 who=\"a b\" o={\"x\":[1,null]}");
	expect_readable("{\"event\":\"started\",\"level\":30}", "started level=30");
	expect_readable("{\"a\":\"\"}", " a=\"\"");
	expect_readable("{}", NULL);
	expect_readable("[1]", NULL);
	expect_readable("{\"cut\":", NULL);
	expect_readable("no JSON", NULL);
}

/* What JSON hides in escapes is foreign text again once it is read. */
static void forms_json_stays_safe(void **state)
{
	(void)state;
	expect_readable("{\"msg\":\"a\\u001b]52;c;eA==\\u0007b\\u0000c\\u202ed\\u009be\\nf\"}",
		"a^[]52;c;eA==^Gb^@c<U+202E>d<U+009B>e f");
	expect_readable("{\"\\u001b[2J\":1}", " ^[[2J=1");
	expect_readable("{\"x\":{\"\\u001b[2J\":\"\\u202e\"}}", " x={\"\\u001B[2J\":\"<U+202E>\"}");
}

static void forms_json_levels_go_by_the_field(void **state)
{
	static const char *const lines[] = {
		"{\"msg\":\"no ERROR here\",\"level\":\"info\"}",
		"{\"level\":50,\"msg\":\"pino\"}",
		"{\"severity\":\"WARNING\"}",
	};

	(void)state;
	assert_int_equal(log_level_detect(lines[0], strlen(lines[0])), LOG_LEVEL_INFO);
	assert_int_equal(log_level_detect(lines[1], strlen(lines[1])), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_detect(lines[2], strlen(lines[2])), LOG_LEVEL_WARNING);
}

/* --- the journal --- */

struct got {
	char text[256];
	int64_t time_ns;
	enum log_level level;
	int n;
};

static void take(const struct log_raw *raw, void *arg)
{
	struct got *got = arg;

	strncat(got->text, raw->text, raw->len);
	strcat(got->text, "|");
	got->time_ns = raw->has_time ? raw->time_ns : 0;
	got->level = raw->level;
	got->n++;
}

static bool entry(const char *json, struct got *got)
{
	struct log_raw raw = { .text = json, .len = strlen(json) };

	memset(got, 0, sizeof(*got));
	return log_journal_entry(&raw, take, got);
}

static void forms_journal_entries_become_lines(void **state)
{
	struct got got;

	(void)state;
	assert_true(entry("{\"__REALTIME_TIMESTAMP\":\"1737972000123456\",\"PRIORITY\":\"3\","
			  "\"SYSLOG_IDENTIFIER\":\"api\",\"_PID\":\"7\",\"MESSAGE\":\"one\\ntwo\"}",
		&got));
	assert_string_equal(got.text, "api[7]: one|api[7]: two|");
	assert_int_equal(got.time_ns, INT64_C(1737972000123456000));
	assert_int_equal(got.level, LOG_LEVEL_ERROR);
	/* What a service prints on stdout is all "info"; its text says more. */
	assert_true(entry("{\"__REALTIME_TIMESTAMP\":\"1\",\"PRIORITY\":\"6\","
			  "\"MESSAGE\":[27,93,53,50]}",
		&got));
	assert_string_equal(got.text, "\033]52|");
	assert_int_equal(got.level, LOG_LEVEL_UNKNOWN);
	assert_true(entry("{\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":null}", &got));
	assert_string_equal(got.text, "|");
	assert_false(entry("{\"MESSAGE\":\"no time\"}", &got));
	assert_false(entry("-- No entries --", &got));
	assert_false(entry("{\"__REALTIME_TIMESTAMP\":\"1\",", &got));
	/* In nanoseconds it is more than there is room for. */
	assert_true(entry(
		"{\"__REALTIME_TIMESTAMP\":\"9737972000123456\",\"MESSAGE\":\"x\"}", &got));
	assert_int_equal(got.time_ns, 0);
}

/* --- own timestamps --- */

static void expect_stamp(const char *text, const char *rest, int64_t seconds)
{
	bool has_time = true;
	int64_t ns = -1;
	size_t used = log_stamp_read(text, strlen(text), &has_time, &ns);

	assert_string_equal(text + used, rest);
	assert_int_equal(has_time, seconds != 0);
	if (seconds)
		assert_int_equal(ns / 1000000000, seconds);
}

static void forms_own_timestamps_are_found(void **state)
{
	(void)state;
	expect_stamp("2025-01-27 10:00:00,123 INFO x", "INFO x", 0);
	expect_stamp("2025-01-27 10:00:00.123 UTC [12] LOG:  x", "[12] LOG:  x", 1737972000);
	expect_stamp("2025-01-27T10:00:00.123456789Z x", "x", 1737972000);
	expect_stamp("2025-01-27T11:00:00+01:00 x", "x", 1737972000);
	expect_stamp("2025-01-27T11:00:00+0100 x", "x", 1737972000);
	expect_stamp("[2025-01-27 10:00:00 +0000] [7] [INFO] x", "[7] [INFO] x", 1737972000);
	expect_stamp("Jan 27 10:00:00 host x", "host x", 0);
	expect_stamp("10:00:00.123 x", "x", 0);
	expect_stamp("10:00:00x", "10:00:00x", 0);
	expect_stamp("2025-01-27 is a day", "2025-01-27 is a day", 0);
	expect_stamp("INFO 2025-01-27 10:00:00", "INFO 2025-01-27 10:00:00", 0);
	expect_stamp("[2025-01-27 10:00:00", "[2025-01-27 10:00:00", 0);
	expect_stamp("", "", 0);
}

static void forms_github_lines_lose_their_columns(void **state)
{
	static const char line[] = "deploy\tRun migrations\t\xEF\xBB\xBF"
				   "2025-01-27T10:00:00.1234567Z ❌ Migration failed!";
	struct log_raw raw = { .text = line, .len = strlen(line) };
	struct buf out = BUF_INIT;

	(void)state;
	assert_true(log_stamp_github(&raw, &out));
	assert_string_equal(raw.text, "Run migrations: ❌ Migration failed!");
	assert_int_equal(raw.time_ns / 1000000000, 1737972000);
	raw.text = "a\tb\tc";
	raw.len = 5;
	assert_false(log_stamp_github(&raw, &out));
	buf_fini(&out);
}

/* What a file's last line and the time when it was written say together. 1737972000: 10:00 UTC. */
static void forms_a_file_tells_its_zone(void **state)
{
	static const struct {
		const char *said;
		int east_s;
		bool other;
	} cases[] = {
		{ "+0900 1737972000 2025-01-27 19:00:00,123 INFO it is the place's", 32400, false },
		{ "+0900 1737972000 2025-01-27 10:00:00,123 INFO it is UTC", 0, true },
		{ "-0500 1737972059 [2025-01-27 10:00:00] it is UTC", 0, true },
		{ "-0500 1737972000 2025-01-27 05:00:00 it is the place's", -18000, false },
		/* It says so itself, or nothing fits, or nothing is known. */
		{ "+0900 1737972000 2025-01-27T10:00:00Z INFO", 32400, false },
		{ "+0900 1737972000 2025-01-27 10:02:00 INFO", 32400, false },
		{ "+0900 1737972000 2025-01-27", 32400, false },
		{ "+0900 1737972000 ", 32400, false },
		{ "+0900  2025-01-27 10:00:00 INFO", 32400, false },
		{ "+0900", 32400, false },
		{ "+0000 1737972000 2025-01-27 10:00:00 INFO", 0, false },
	};
	struct log_zone zone;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&zone, 0, sizeof(zone));
		assert_true(log_zone_read_file(cases[i].said, strlen(cases[i].said), &zone));
		assert_true(zone.known);
		assert_int_equal(zone.east_s, cases[i].east_s);
		assert_int_equal(zone.other, cases[i].other);
	}
	assert_true(log_zone_read_file("+0900 17 x", 10, &zone) && zone.changed_ns == 17000000000);
	assert_false(log_zone_read_file("0900 17 x", 9, &zone));
	assert_false(log_zone_read_file("", 0, &zone));
}

static void forms_times_without_a_zone_are_of_the_place(void **state)
{
	static const char *const none[] = { "", "0100", "+100", "+01:00", "+01000", "+0a00" };
	static const char text[] = "2025-01-27 10:00:00,5 x", said[] = "2025-01-27 10:00:00Z x",
			  minus[] = "2025-01-27 10:00:00 -x";
	struct log_zone zone = { 0 };
	bool has_time = true;
	int64_t ns = 0;
	size_t i;

	(void)state;
	log_stamp_read_in(text, strlen(text), &zone, &has_time, &ns);
	assert_false(has_time);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(log_zone_read(none[i], strlen(none[i]), &zone));
	assert_true(log_zone_read("-0330", 5, &zone) && zone.east_s == -12600);
	assert_true(log_zone_read("+0200", 5, &zone) && zone.east_s == 7200);
	assert_int_equal(log_stamp_read_in(text, strlen(text), &zone, &has_time, &ns), 22);
	assert_true(has_time && ns == INT64_C(1737964800500000000));
	log_stamp_read_in(said, strlen(said), &zone, &has_time, &ns);
	assert_true(has_time && ns == INT64_C(1737972000000000000));
	log_stamp_read_in(minus, strlen(minus), &zone, &has_time, &ns);
	assert_true(has_time && ns == INT64_C(1737964800000000000));
	assert_true(log_zone_read("+0000", 5, &zone) && zone.known && !zone.east_s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_json_reads_as_a_line),
		cmocka_unit_test(forms_json_stays_safe),
		cmocka_unit_test(forms_json_levels_go_by_the_field),
		cmocka_unit_test(forms_journal_entries_become_lines),
		cmocka_unit_test(forms_own_timestamps_are_found),
		cmocka_unit_test(forms_a_file_tells_its_zone),
		cmocka_unit_test(forms_times_without_a_zone_are_of_the_place),
		cmocka_unit_test(forms_github_lines_lose_their_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
