/*
 * What logs said: findings with their runbooks, and when they are over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/diagnosis/findings.h>

#define MINUTE INT64_C(60000000000)

static void say(struct log_trouble *trouble, int64_t at, const char *line)
{
	struct log_match match;

	if (log_match_line(line, strlen(line), &match))
		log_trouble_note(trouble, "boardofone-api-1", at, false, &match, line);
}

static size_t count(const struct log_trouble *trouble, int64_t now)
{
	size_t n = 0;

	while (log_trouble_at(trouble, now, n))
		n++;
	return n;
}

/* Each error text of the guide's Troubleshooting section, and the runbook that answers it. */
static void trouble_of_the_guide_has_its_runbook(void **state)
{
	static const char *const texts[][2] = {
		{ "sqlalchemy.exc.ProgrammingError: alembic_version table does not exist",
			"version-table-missing" },
		{ "ERROR [alembic.util.messaging] Can't locate revision identified by 'xyz'",
			"unknown-revision" },
		{ "FAILED: Target database is not up to date.", "not-up-to-date" },
		{ "FAILED: Multiple head revisions are present for given argument 'head'",
			"multiple-heads" },
		{ "ERROR:  column \"preferences\" of relation \"users\" already exists",
			"column-exists" },
	};
	struct log_trouble trouble = { 0 };
	struct findings findings = { 0 };
	struct finding_input input = { .trouble = &trouble, .now_ns = 10 * MINUTE };
	size_t i, k;

	(void)state;
	for (i = 0; i < 5; i++)
		say(&trouble, (int64_t)(i + 1) * MINUTE, texts[i][0]);
	findings_compute(&findings, &input);
	assert_int_equal(findings.n, 5);
	for (i = 0; i < 5; i++) {
		for (k = 0; k < 5 && strcmp(findings.items[k].runbook, texts[i][1]) != 0; k++)
			;
		assert_true(k < 5);
		assert_string_equal(findings.items[k].code, "alembic-error-in-log");
		assert_non_null(strstr(findings.items[k].text, texts[i][0]));
		assert_non_null(strstr(findings.items[k].text, "boardofone-api-1 logged at"));
	}
	findings_fini(&findings);
	log_trouble_fini(&trouble);
}

/* A time that is but the latest it can have been is not told. */
static void trouble_without_a_time_is_told_so(void **state)
{
	static const char line[] = "FAILED: Target database is not up to date.";
	struct log_trouble trouble = { 0 };
	struct findings findings = { 0 };
	struct finding_input input = { .trouble = &trouble, .now_ns = 10 * MINUTE };
	struct log_match match;

	(void)state;
	assert_true(log_match_line(line, strlen(line), &match));
	log_trouble_note(&trouble, "app.log", 9 * MINUTE, true, &match, line);
	findings_compute(&findings, &input);
	assert_int_equal(findings.n, 1);
	assert_non_null(strstr(findings.items[0].text, "app.log logged, without a time: FAILED"));
	findings_fini(&findings);
	/* Said again with one. */
	log_trouble_note(&trouble, "app.log", 9 * MINUTE, false, &match, line);
	memset(&findings, 0, sizeof(findings));
	findings_compute(&findings, &input);
	assert_non_null(strstr(findings.items[0].text, "app.log logged at "));
	findings_fini(&findings);
	log_trouble_fini(&trouble);
}

static void trouble_is_over_when_it_completed(void **state)
{
	struct log_trouble trouble = { 0 };

	(void)state;
	say(&trouble, 1 * MINUTE, "FAILED: Target database is not up to date.");
	say(&trouble, 2 * MINUTE, "FATAL:  sorry, too many clients already");
	assert_int_equal(count(&trouble, 3 * MINUTE), 2);
	/* That one began is not that it is done. */
	say(&trouble, 3 * MINUTE, "INFO  [alembic.runtime.migration] Running upgrade a -> b, x");
	assert_int_equal(count(&trouble, 4 * MINUTE), 2);
	assert_string_equal(trouble.running, "b");
	say(&trouble, 4 * MINUTE, "✅ Migrations completed successfully");
	assert_int_equal(count(&trouble, 4 * MINUTE), 1);
	assert_int_equal(log_trouble_at(&trouble, 4 * MINUTE, 0)->kind, LOG_MATCH_TOO_MANY_CLIENTS);
	assert_null(trouble.running);
	/* What comes late, from before, does not bring it back. */
	say(&trouble, 2 * MINUTE, "❌ Migration failed!");
	assert_int_equal(count(&trouble, 5 * MINUTE), 1);
	say(&trouble, 6 * MINUTE, "❌ Migration failed!");
	assert_int_equal(count(&trouble, 6 * MINUTE), 2);
	log_trouble_fini(&trouble);
}

static void trouble_ages(void **state)
{
	struct log_trouble trouble = { 0 };

	(void)state;
	say(&trouble, 1 * MINUTE, "FAILED: Target database is not up to date.");
	say(&trouble, 5 * MINUTE, "FAILED: Target database is not up to date.");
	assert_int_equal(log_trouble_at(&trouble, 6 * MINUTE, 0)->times, 2);
	assert_int_equal(count(&trouble, 34 * MINUTE), 1);
	assert_int_equal(count(&trouble, 36 * MINUTE), 0);
	log_trouble_fini(&trouble);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trouble_of_the_guide_has_its_runbook),
		cmocka_unit_test(trouble_without_a_time_is_told_so),
		cmocka_unit_test(trouble_is_over_when_it_completed),
		cmocka_unit_test(trouble_ages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
