/*
 * Results against what is expected, and the sentence about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/runbook/expect.h>

#include "support.h"

#define SQL_RESULT(n, v)                                                                           \
	{                                                                                          \
		.rows = (n), .value = (v), .out = (v)                                              \
	}
#define SH_RESULT(code, o, e)                                                                      \
	{                                                                                          \
		.exit = (code), .rows = -1, .out = (o), .err = (e)                                 \
	}

static const struct {
	const char *language;
	const char *expect;
	struct runbook_result result;
	bool ok;
	const char *sentence;
} cases[] = {
	{ "sql", "", SQL_RESULT(3, "x"), true, "3 rows." },
	{ "sql", "", SQL_RESULT(-1, NULL), true, "0 rows." },
	{ "sql", "rows 1", SQL_RESULT(1, "t"), true, "As expected: 1 row." },
	{ "sql", "rows 1", SQL_RESULT(0, NULL), false, "Expected 1, got 0 rows." },
	{ "sql", "rows 1", SQL_RESULT(2, "t"), false, "Expected 1, got 2 rows." },
	{ "sql", "rows 2..3", SQL_RESULT(1, "t"), false, "Expected 2 to 3, got 1 row." },
	{ "sql", "rows 2..", SQL_RESULT(1, "t"), false, "Expected at least 2, got 1 row." },
	{ "sql", "rows 2..", SQL_RESULT(99, "t"), true, "As expected: 99 rows." },
	{ "sql", "rows 1\nvalue t", SQL_RESULT(1, "t"), true, "As expected: 1 row, value t." },
	{ "sql", "rows 1\nvalue t", SQL_RESULT(1, "f"), false, "Expected value t, got f." },
	{ "sql", "value t", SQL_RESULT(0, NULL), false, "Expected value t, got none." },
	{ "sql", "value", SQL_RESULT(1, NULL), true, "As expected: value ." },
	{ "sql", "value $rev", SQL_RESULT(1, "a.b"), true, "As expected: value a.b." },
	{ "sql", "value $rev", SQL_RESULT(1, "aXb"), false, "Expected value a.b, got aXb." },
	{ "sql", "rows 1", { .ran = RUNBOOK_RAN_ERROR, .error = "relation \"x\" does not exist" },
		false, "It failed: relation \"x\" does not exist." },
	{ "sql", "rows 0", { .ran = RUNBOOK_RAN_UNKNOWN, .error = "the link was lost" }, false,
		"It is not known what came of it: the link was lost." },

	{ "sh", "", SH_RESULT(0, "", ""), true, "Exit 0." },
	{ "sh", "", SH_RESULT(1, "", ""), false, "Expected exit 0, got 1." },
	{ "sh", "exit 1", SH_RESULT(1, "", ""), true, "As expected: exit 1." },
	{ "sh", "exit 0", SH_RESULT(255, NULL, NULL), false, "Expected exit 0, got 255." },
	{ "sh", "match x", SH_RESULT(2, "x", ""), false, "Expected exit 0, got 2." },
	{ "sh", "exit 2\nmatch x", SH_RESULT(2, "x", ""), true, "As expected: exit 2, found x." },
	{ "sh", "match ^b$", SH_RESULT(0, "a\nb\nc", ""), true, "As expected: found ^b$." },
	{ "sh", "match ^b$", SH_RESULT(0, "a\r\nb\r\nc", ""), true, "As expected: found ^b$." },
	{ "sh", "match warn", SH_RESULT(0, "", "a warning"), true, "As expected: found warn." },
	{ "sh", "match ^$rev\\b", SH_RESULT(0, "a.b (head)\n", ""), true,
		"As expected: found ^a\\.b\\b." },
	{ "sh", "match ^$rev\\b", SH_RESULT(0, "aXb (head)\n", ""), false,
		"Expected to find ^a\\.b\\b, and did not." },
	{ "sh", "absent ERROR", SH_RESULT(0, "fine", ""), true, "As expected: no ERROR." },
	{ "sh", "absent ERROR", SH_RESULT(0, "", "an ERROR"), false,
		"Found ERROR, which should not be there." },
	{ "sh", "rows 2", SH_RESULT(0, "a\n\n  \nb", "c"), true, "As expected: 2 lines." },
	{ "sh", "rows 0", SH_RESULT(0, "a\n", ""), false, "Expected 0, got 1 line." },
	{ "sh", "value a b", SH_RESULT(0, "  a b \nc", ""), true, "As expected: value a b." },
	{ "sh", "match .", SH_RESULT(0, "\xff\xfe ok", ""), true, "As expected: found .." },
};

static struct runbook *parse_case(const char *language, const char *expect)
{
	char *text = mem_printf("---\nrunbook: t\ntitle: T\nvar.rev: pick=revision\n---\n### x\n"
				"```%s { name=x%s mode=read }\n%s\n```\n%s%s%s",
		language, strcmp(language, "sh") == 0 ? " on=host" : "",
		strcmp(language, "sh") == 0 ? "true" : "SELECT 1", *expect ? "```expect\n" : "",
		expect, *expect ? "\n```\n" : "");
	struct runbook *r = parse(text);

	free(text);
	return r;
}

static void expect_judges(void **state)
{
	struct runbook_vars vars = { 0 };
	struct buf sentence = BUF_INIT;
	struct runbook *r;
	size_t i;
	bool ok;

	(void)state;
	runbook_vars_set(&vars, "rev", "a.b");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = parse_case(cases[i].language, cases[i].expect);
		buf_clear(&sentence);
		ok = runbook_expect_check(&r->steps[0], &vars, &cases[i].result, &sentence);
		if (ok != cases[i].ok || strcmp(buf_str(&sentence), cases[i].sentence))
			fail_msg("case %zu (%s): %d \"%s\"", i, cases[i].expect, ok,
				buf_str(&sentence));
		runbook_free(r);
	}
	buf_fini(&sentence);
	runbook_vars_fini(&vars);
}

/* A pattern that would run for years ends soon, and is no success in either form. */
static void expect_patterns_have_limits(void **state)
{
	struct buf text = BUF_INIT, sentence = BUF_INIT;
	struct runbook_result result = { .exit = 0 };
	int64_t began = clock_monotonic();
	struct runbook_vars vars = { 0 };
	struct runbook *r;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < 5000; i++)
		buf_add_char(&text, 'a');
	buf_add_char(&text, 'b');
	assert_int_equal(runbook_pattern_match("^(a+)+$", buf_str(&text), &err), -1);
	assert_non_null(strstr(err.text, "took too long"));
	result.out = buf_str(&text);
	r = parse_case("sh", "absent ^(a|a)*$");
	assert_false(runbook_expect_check(&r->steps[0], &vars, &result, &sentence));
	assert_true(clock_monotonic() - began < 20 * CLOCK_NS_PER_S);
	runbook_free(r);
	buf_fini(&text);
	buf_fini(&sentence);
}

static void expect_refuses_bad_patterns(void **state)
{
	static const char *const bad[] = { "(", "[", "a{2,1}", "\\C", "(?<n", "*" };
	char *deep = mem_alloc(1200);
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(runbook_pattern_check(bad[i], &err), -1);
	memset(deep, '(', 1199);
	deep[1199] = '\0';
	assert_int_equal(runbook_pattern_check(deep, &err), -1);
	assert_int_equal(runbook_pattern_check("^[a-z]+\\b.*(x|y)$", &err), 0);
	free(deep);
}

static void expect_takes_the_captured_value(void **state)
{
	struct runbook *sql = parse_case("sql", ""), *sh = parse_case("sh", "");
	struct runbook_result result = { .value = " a\n", .out = "  b  \nc" };
	char *value = runbook_result_value(&sql->steps[0], &result);

	(void)state;
	assert_string_equal(value, "a");
	free(value);
	value = runbook_result_value(&sh->steps[0], &result);
	assert_string_equal(value, "b");
	free(value);
	result.value = NULL;
	assert_null(runbook_result_value(&sql->steps[0], &result));
	runbook_free(sql);
	runbook_free(sh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expect_judges),
		cmocka_unit_test(expect_patterns_have_limits),
		cmocka_unit_test(expect_refuses_bad_patterns),
		cmocka_unit_test(expect_takes_the_captured_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
