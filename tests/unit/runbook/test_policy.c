/*
 * The table of confirmations, and typing them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/runbook/policy.h>

static void policy_production_raises_what_cannot_be_undone(void **state)
{
	static const enum policy_act acts[] = { POLICY_ACT_TERMINATE, POLICY_ACT_KILL,
		POLICY_ACT_DOWNGRADE, POLICY_ACT_STAMP, POLICY_ACT_DROP, POLICY_ACT_TRUNCATE,
		POLICY_ACT_UNBOUNDED };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		assert_int_equal(
			policy_level(POLICY_PRODUCTION, acts[i], POLICY_NONE), POLICY_TARGET);
	assert_int_equal(
		policy_level(POLICY_PRODUCTION, POLICY_ACT_CANCEL, POLICY_NONE), POLICY_VERB);
	assert_int_equal(policy_level(POLICY_PRODUCTION, POLICY_ACT_WRITE, POLICY_NONE), POLICY_Y);
	assert_int_equal(
		policy_level(POLICY_PRODUCTION, POLICY_ACT_READ, POLICY_NONE), POLICY_NONE);
}

/* For every act, environment and wish: never less than was asked, never less than the floor, and
 * production never less than another environment. */
static void policy_never_lowers(void **state)
{
	enum policy_level level, asked;
	int act, environment, wish;

	(void)state;
	for (act = 0; act < POLICY_ACT_COUNT; act++) {
		for (environment = 0; environment < POLICY_ENVIRONMENT_COUNT; environment++) {
			for (wish = 0; wish < POLICY_LEVEL_COUNT; wish++) {
				asked = (enum policy_level)wish;
				level = policy_level((enum policy_environment)environment,
					(enum policy_act)act, asked);
				assert_true(level >= asked);
				assert_true(
					level >= policy_floor((enum policy_environment)environment,
							 (enum policy_act)act));
				assert_true(level <= policy_level(POLICY_PRODUCTION,
							     (enum policy_act)act, asked));
				if (act != POLICY_ACT_READ)
					assert_true(level >= POLICY_Y);
			}
		}
	}
}

static void policy_what_nobody_set_is_a_write_in_production(void **state)
{
	const struct {
		enum policy_environment environment;
		enum policy_act act;
	} unset = { 0 };

	(void)state;
	assert_int_equal(unset.environment, POLICY_PRODUCTION);
	assert_int_equal(unset.act, POLICY_ACT_WRITE);
}

static void policy_match_is_exact(void **state)
{
	const char *verb = "terminate", *target = "boardofone@prod";
	static const char *const never[] = { "", " ", "Y", "yes", "y ", "Terminate", "terminate ",
		"terminat", "boardofone", "boardofone@prod\n", "boardofone@staging",
		"Boardofone@prod" };
	size_t i;
	int level;

	(void)state;
	assert_true(policy_match(POLICY_NONE, verb, target, NULL));
	assert_true(policy_match(POLICY_Y, verb, target, "y"));
	assert_true(policy_match(POLICY_VERB, verb, target, "terminate"));
	assert_true(policy_match(POLICY_TARGET, verb, target, "boardofone@prod"));
	for (level = POLICY_Y; level < POLICY_LEVEL_COUNT; level++) {
		assert_false(policy_match((enum policy_level)level, verb, target, NULL));
		for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
			assert_false(
				policy_match((enum policy_level)level, verb, target, never[i]));
	}
	assert_false(policy_match(POLICY_VERB, verb, target, "y"));
	assert_false(policy_match(POLICY_TARGET, verb, target, "terminate"));
	assert_false(policy_match(POLICY_VERB, "", target, ""));
	assert_false(policy_match(POLICY_TARGET, verb, NULL, "x"));
}

static void policy_names_are_read_back(void **state)
{
	enum policy_environment environment;
	enum policy_level level;
	int i;

	(void)state;
	for (i = 0; i < POLICY_ENVIRONMENT_COUNT; i++) {
		assert_int_equal(
			policy_environment_parse(
				policy_environment_name((enum policy_environment)i), &environment),
			0);
		assert_int_equal(environment, i);
	}
	for (i = 0; i < POLICY_LEVEL_COUNT; i++) {
		assert_int_equal(
			policy_level_parse(policy_level_name((enum policy_level)i), &level), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(policy_environment_parse("prod", &environment), -1);
	assert_int_equal(policy_level_parse("word", &level), -1);
	for (i = 0; i < POLICY_ACT_COUNT; i++)
		assert_non_null(policy_act_verb((enum policy_act)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_production_raises_what_cannot_be_undone),
		cmocka_unit_test(policy_never_lowers),
		cmocka_unit_test(policy_what_nobody_set_is_a_write_in_production),
		cmocka_unit_test(policy_match_is_exact),
		cmocka_unit_test(policy_names_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
