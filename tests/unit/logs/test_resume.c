/*
 * Going on after a cut: every line once, none left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/logs/resume.h>

#define S INT64_C(1000000000)

static bool is_new(struct log_resume *resume, enum log_stream stream, int64_t at)
{
	struct log_raw raw = { .text = "", .has_time = true, .time_ns = at, .stream = stream };

	return log_resume_is_new(resume, &raw);
}

static void resume_takes_each_line_once(void **state)
{
	struct log_resume resume = { 0 };

	(void)state;
	log_resume_begin(&resume);
	assert_int_equal(log_resume_since(&resume), 0);
	assert_true(is_new(&resume, LOG_STDOUT, 100 * S));
	assert_true(is_new(&resume, LOG_STDERR, 99 * S));
	assert_true(is_new(&resume, LOG_STDOUT, 101 * S));
	assert_true(is_new(&resume, LOG_STDOUT, 101 * S));
	assert_int_equal(log_resume_last(&resume), 101 * S);
	assert_int_equal(log_resume_since(&resume), 99 * S);

	log_resume_begin(&resume);
	assert_false(is_new(&resume, LOG_STDOUT, 100 * S));
	assert_false(is_new(&resume, LOG_STDERR, 99 * S));
	/* A line of stderr that had not come, though stdout was further. */
	assert_true(is_new(&resume, LOG_STDERR, 100 * S));
	assert_false(is_new(&resume, LOG_STDOUT, 101 * S));
	assert_false(is_new(&resume, LOG_STDOUT, 101 * S));
	/* The third of the same moment had not come. */
	assert_true(is_new(&resume, LOG_STDOUT, 101 * S));
	assert_true(is_new(&resume, LOG_STDOUT, 102 * S));

	/* Cut again at once: nothing that came since is forgotten. */
	log_resume_begin(&resume);
	assert_false(is_new(&resume, LOG_STDERR, 100 * S));
	assert_false(is_new(&resume, LOG_STDOUT, 102 * S));
	assert_true(is_new(&resume, LOG_STDOUT, 103 * S));
}

static void resume_asks_for_a_bounded_past(void **state)
{
	struct log_resume resume = { 0 };

	(void)state;
	is_new(&resume, LOG_STDERR, 10 * S);
	is_new(&resume, LOG_STDOUT, 5000 * S);
	assert_int_equal(log_resume_since(&resume), 4995 * S);
}

static void resume_finds_the_tail_among_fresh_lines(void **state)
{
	static const uint64_t fresh[] = { 1, 2, 3, 4, 5, 4, 5, 6 };
	struct log_tail tail = { 0 };
	uint64_t i;

	(void)state;
	assert_int_equal(log_tail_overlap(&tail, fresh, 8), 0);
	for (i = 90; i < 100; i++)
		log_tail_add(&tail, i);
	assert_int_equal(log_tail_overlap(&tail, fresh, 8), 0);
	for (i = 1; i <= 4; i++)
		log_tail_add(&tail, i);
	assert_int_equal(log_tail_overlap(&tail, fresh, 8), 4);
	log_tail_add(&tail, 5);
	assert_int_equal(log_tail_overlap(&tail, fresh, 8), 5);
	log_tail_add(&tail, 4);
	log_tail_add(&tail, 5);
	assert_int_equal(log_tail_overlap(&tail, fresh, 8), 7);
	log_tail_add(&tail, 6);
	assert_int_equal(log_tail_overlap(&tail, fresh, 8), 8);
	log_tail_add(&tail, 7);
	assert_int_equal(log_tail_overlap(&tail, fresh, 8), 0);
	assert_int_equal(log_tail_hash("a", 1) == log_tail_hash("b", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resume_takes_each_line_once),
		cmocka_unit_test(resume_asks_for_a_bounded_past),
		cmocka_unit_test(resume_finds_the_tail_among_fresh_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
