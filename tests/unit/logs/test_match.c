/*
 * What lines mean: tests/golden/logs/lines.txt holds lines as Alembic, PostgreSQL and the deploy
 * print them, each followed by "=> code runbook [captures]". Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/logs/match.h>

#define GOLDEN "tests/golden/logs/lines.txt"

static void describe(const char *text, struct buf *out)
{
	struct log_match match;
	char *capture;
	size_t i;

	log_match_line(text, strlen(text), &match);
	buf_printf(out, "=> %s %s%s", *match.code ? match.code : "-",
		*match.runbook ? match.runbook : "-", match.error ? " error" : "");
	for (i = 0; i < match.n_captures; i++) {
		capture = log_capture_dup(&match, i);
		buf_printf(out, " [%s]", capture);
		free(capture);
	}
}

static void match_knows_every_golden_line(void **state)
{
	FILE *file = fopen(GOLDEN, "r");
	char line[1024], want[1024];
	struct buf got = BUF_INIT;
	int n = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		line[strcspn(line, "\n")] = '\0';
		assert_non_null(fgets(want, sizeof(want), file));
		want[strcspn(want, "\n")] = '\0';
		buf_clear(&got);
		describe(line, &got);
		if (strcmp(buf_str(&got), want) != 0)
			fail_msg("%s\n   got %s\n  want %s", line, buf_str(&got), want);
		n++;
	}
	fclose(file);
	buf_fini(&got);
	assert_true(n > 40);
}

static void match_stays_within_the_line(void **state)
{
	static const char text[] = "INFO Running upgrade a -> b, message";
	struct log_match match;
	size_t len;
	char *copy;

	(void)state;
	for (len = 0; len < sizeof(text); len++) {
		copy = malloc(len + 1);
		memcpy(copy, text, len);
		log_match_line(copy, len, &match);
		free(copy);
	}
	assert_true(log_match_line(text, strlen("INFO Running upgrade a -> b"), &match));
	assert_int_equal(match.kind, LOG_MATCH_UPGRADE);
	assert_int_equal(match.n_captures, 2);
	copy = log_capture_dup(&match, 2);
	assert_string_equal(copy, "");
	free(copy);
	assert_false(log_match_line("", 0, &match));
	assert_int_equal(match.kind, LOG_MATCH_NONE);
}

/* The look before the table must let every row through: each pattern, as a line, is found. */
static void match_no_row_is_shut_out(void **state)
{
	struct log_match match;
	const char *pattern;
	size_t i;

	(void)state;
	for (i = 0; (pattern = log_match_pattern(i)); i++) {
		pattern += *pattern == '^';
		if (!log_match_line(pattern, strlen(pattern), &match))
			fail_msg("not found: %s", pattern);
	}
	assert_true(i > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(match_no_row_is_shut_out),
		cmocka_unit_test(match_knows_every_golden_line),
		cmocka_unit_test(match_stays_within_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
