/*
 * Libraries on demand: what is called through them, and what is said where one is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../../../src/host/library.h"

#define CALLS(X) X(cos) X(sqrt)

struct calls {
	CALLS(LIBRARY_FIELD)
};

static const char *const names[] = { CALLS(LIBRARY_NAME) };

static void library_fills_the_calls_by_name(void **state)
{
	struct calls calls;

	(void)state;
	assert_int_equal(library_load("libm.so.6", names, 2, &calls, NULL), 0);
	assert_true(calls.cos(0) == 1);
	assert_true(calls.sqrt(16) == 4);
}

static void library_says_what_is_missing(void **state)
{
	static const char *const wrong[] = { "cos", "no_such_function" };
	struct calls calls;
	struct err err;

	(void)state;
	assert_int_equal(library_load("libnowhere.so.7", names, 2, &calls, &err), -1);
	assert_non_null(strstr(err.text, "libnowhere.so.7 cannot be used"));
	assert_non_null(strstr(err.text, "install its package"));
	assert_int_equal(library_load("libm.so.6", wrong, 2, &calls, &err), -1);
	assert_non_null(strstr(err.text, "no_such_function"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(library_fills_the_calls_by_name),
		cmocka_unit_test(library_says_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
