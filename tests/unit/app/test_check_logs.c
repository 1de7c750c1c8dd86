/*
 * Which lines of a log are recent, and what keeps check from knowing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>

#include "../../../src/app/check_logs.h"

#define MINUTE   (60 * CLOCK_NS_PER_S)
#define BAD      "FAILED: Target database is not up to date."
#define TIMELESS INT64_MIN

static void begin(struct check_logs *logs, const char *const *names, size_t n)
{
	memset(logs, 0, sizeof(*logs));
	strlist_init(&logs->names);
	while (n--)
		strlist_add(&logs->names, *names++);
}

/* A line of so long ago, as the target gives it; a time ahead is not taken. */
static void say(struct check_logs *logs, struct target_log *log, int64_t ago_ns, const char *text)
{
	bool timed = ago_ns != TIMELESS;
	int64_t now = clock_wall();
	struct log_raw raw = { .text = text, .len = strlen(text) };
	struct log_line line;

	if (timed)
		log->said_ns = now - ago_ns;
	raw.has_time = timed && ago_ns >= 0;
	raw.time_ns = raw.has_time ? log->said_ns : 0;
	log_line_init(&line, &raw, 0, now);
	check_logs_on_line(logs, 0, log, &line);
}

static void end(struct check_logs *logs, size_t source, enum err_code code, const char *text)
{
	struct err err = { ERR_OK, "" };

	if (code != ERR_OK)
		err_set(&err, code, "%s", text);
	check_logs_on_end(logs, source, &err);
}

/* And forgets the logs. */
static void expect(
	struct check_logs *logs, enum check_status status, size_t n_findings, const char *words)
{
	struct check_report report = { 0 };
	struct findings findings = { 0 };

	check_logs_judge(logs, NULL, &report, &findings);
	assert_int_equal(report.n, 1);
	if (!strstr(report.lines[0].detail, words))
		fail_msg("no \"%s\" in: %s", words, report.lines[0].detail);
	assert_int_equal(report.lines[0].status, status);
	assert_int_equal(findings.n, n_findings);
	check_report_fini(&report);
	findings_fini(&findings);
	check_logs_fini(logs);
}

static const char *const names[] = { "file:/a", "b" };

static void check_logs_go_by_the_time_of_the_line_before(void **state)
{
	struct target_log log = { .changed_ns = clock_wall() };
	struct check_logs logs;

	(void)state;
	begin(&logs, names, 1);
	say(&logs, &log, 60 * MINUTE, "INFO it was");
	say(&logs, &log, TIMELESS, BAD);
	say(&logs, &log, MINUTE, "INFO it is");
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_OK, 0, "0 kinds of error in the 1 line of the last 15 min");

	begin(&logs, names, 1);
	log.said_ns = 0;
	say(&logs, &log, MINUTE, "INFO it is");
	say(&logs, &log, TIMELESS, BAD);
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_WARNING, 1, "1 kind of error in the 2 lines of the last 15 min");
}

/* What stands before the first time is no younger than that. */
static void check_logs_take_the_first_lines_for_old(void **state)
{
	struct target_log log = { .changed_ns = clock_wall() };
	struct check_logs logs;

	(void)state;
	begin(&logs, names, 1);
	say(&logs, &log, TIMELESS, BAD);
	say(&logs, &log, 60 * MINUTE, "INFO it was");
	say(&logs, &log, MINUTE, "INFO it is");
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_OK, 0, "0 kinds of error in the 1 line of");

	begin(&logs, names, 1);
	log.said_ns = 0;
	say(&logs, &log, TIMELESS, BAD);
	say(&logs, &log, MINUTE, "INFO it is");
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_WARNING, 1, "in the 2 lines of the last 15 min (1 without a time, ");
}

static void check_logs_without_times_are_as_old_as_the_file(void **state)
{
	struct target_log log = { .changed_ns = clock_wall() - MINUTE };
	struct check_logs logs;

	(void)state;
	begin(&logs, names, 1);
	say(&logs, &log, TIMELESS, BAD);
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_WARNING, 1, "(1 without a time, perhaps older)");

	log.changed_ns -= 60 * MINUTE;
	begin(&logs, names, 1);
	say(&logs, &log, TIMELESS, BAD);
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_OK, 0, "0 kinds of error in the 0 lines");

	/* Lines that still wait are freed. */
	begin(&logs, names, 1);
	say(&logs, &log, TIMELESS, BAD);
	check_logs_fini(&logs);
}

static void check_logs_doubt_times_that_the_file_belies(void **state)
{
	struct target_log log = { .changed_ns = clock_wall() };
	struct check_logs logs;

	(void)state;
	begin(&logs, names, 1);
	say(&logs, &log, 9 * 60 * MINUTE, BAD);
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_UNKNOWN, 0, "its times may be of another zone");

	/* West: they lie ahead, but not those of long ago. */
	begin(&logs, names, 1);
	log.said_ns = 0;
	say(&logs, &log, 5 * MINUTE, "INFO it was");
	say(&logs, &log, -5 * 60 * MINUTE, BAD);
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_UNKNOWN, 1, "its times may be of another zone");

	/* It is only quiet. */
	log.changed_ns -= 9 * 60 * MINUTE;
	begin(&logs, names, 1);
	log.said_ns = 0;
	say(&logs, &log, 9 * 60 * MINUTE, BAD);
	end(&logs, 0, ERR_OK, "");
	expect(&logs, CHECK_OK, 0, "0 kinds of error in the 0 lines");
}

static void check_logs_tell_what_was_not_read_and_what_was(void **state)
{
	struct target_log log = { 0 };
	struct check_logs logs;

	(void)state;
	begin(&logs, names, 2);
	say(&logs, &log, MINUTE, BAD);
	end(&logs, 0, ERR_OK, "");
	assert_false(check_logs_are_read(&logs));
	expect(&logs, CHECK_UNKNOWN, 1,
		"b could not be read to its end in time; 1 kind of error in the 1 line");

	begin(&logs, names, 2);
	say(&logs, &log, MINUTE, BAD);
	end(&logs, 0, ERR_OK, "");
	end(&logs, 1, ERR_COMMAND, "there is no container b");
	end(&logs, 1, ERR_OK, "");
	assert_true(check_logs_are_read(&logs));
	expect(&logs, CHECK_UNKNOWN, 1, "there is no container b; 1 kind of error in the 1 line");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_logs_go_by_the_time_of_the_line_before),
		cmocka_unit_test(check_logs_take_the_first_lines_for_old),
		cmocka_unit_test(check_logs_without_times_are_as_old_as_the_file),
		cmocka_unit_test(check_logs_doubt_times_that_the_file_belies),
		cmocka_unit_test(check_logs_tell_what_was_not_read_and_what_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
