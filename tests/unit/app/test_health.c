/*
 * What a failed question means: an application that is not well, or only that nobody could ask.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/app/health.h"

static void health_only_curl_says_it_is_critical(void **state)
{
	static const struct {
		int status;
		enum err_code code;
		enum check_status url;
	} cases[] = {
		{ 7, ERR_OK, CHECK_CRITICAL },  /* connection refused */
		{ 22, ERR_OK, CHECK_CRITICAL }, /* an HTTP error */
		{ 28, ERR_OK, CHECK_CRITICAL }, /* curl's own limit */
		{ 125, ERR_OK, CHECK_CRITICAL },
		{ 126, ERR_OK, CHECK_UNKNOWN }, /* it may not be executed */
		{ 127, ERR_OK, CHECK_UNKNOWN }, /* there is none */
		{ 137, ERR_OK, CHECK_UNKNOWN }, /* killed */
		{ -1, ERR_OK, CHECK_UNKNOWN },
		{ 7, ERR_TRANSPORT, CHECK_UNKNOWN },
		{ 0, ERR_TRANSPORT, CHECK_UNKNOWN },
		{ 0, ERR_TIMEOUT, CHECK_UNKNOWN },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err.code = cases[i].code;
		assert_int_equal(
			health_failed_status(HEALTH_URL, cases[i].status, &err), cases[i].url);
		assert_int_equal(
			health_failed_status(HEALTH_COLOURS, cases[i].status, &err), CHECK_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_only_curl_says_it_is_critical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
