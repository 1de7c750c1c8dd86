/*
 * The fuzzer's corpus of log bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../fuzz/fuzz_log.c"

#include "../../fuzz/corpus.h"

static void corpus_gives_no_report(void **state)
{
	(void)state;
	assert_true(corpus_run("tests/fuzz/corpus/log") > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_gives_no_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
