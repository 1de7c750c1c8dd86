/*
 * Every refusal of the gate, and every way round it that we could think of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/runbook/gate.h>

#define S INT64_C(1000000000)

static const char statement[] =
	"SELECT pg_terminate_backend($1) FROM pg_stat_activity WHERE pid = $1\n"
	"-- $1 = 8123";

/* A moment at which everything is as it should be. */
static struct gate_state good_state(void)
{
	struct gate_state state = {
		.now_ns = 1000 * S,
		.environment = POLICY_PRODUCTION,
		.journal_ok = true,
		.link_up = true,
		.role = GATE_ROLE_PRIMARY,
		.snapshot_ns = 999 * S,
		.connection = 7,
	};

	gate_arm_start(&state.arm, 900 * S, 600 * S, "deploy is stuck");
	return state;
}

static struct gate_request good_request(void)
{
	return (struct gate_request){
		.act = POLICY_ACT_TERMINATE,
		.asked = POLICY_VERB,
		.statement = statement,
		.target = "boardofone@prod",
		.typed = "boardofone@prod",
	};
}

static void expect_refusal(
	const struct gate_state *state, const struct gate_request *request, const char *part)
{
	struct err err = { .text = "" };

	assert_int_equal(gate_check(state, request, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" lacks \"%s\"", err.text, part);
}

/* --- conditions ------------------------------------------------------------------------------ */

static void gate_lets_through_when_all_holds(void **state)
{
	const struct gate_state now = good_state();
	const struct gate_request request = good_request();

	(void)state;
	assert_int_equal(gate_check(&now, &request, NULL), 0);
}

static void gate_refuses_everything_by_default(void **state)
{
	const struct gate_state now = { 0 };
	const struct gate_request nothing = { 0 }, request = good_request();

	(void)state;
	assert_int_equal(gate_check(&now, &nothing, NULL), -1);
	assert_int_equal(gate_check(&now, &request, NULL), -1);
}

static void gate_refuses_production_that_is_not_armed(void **state)
{
	struct gate_state now = good_state();
	const struct gate_request request = good_request();

	(void)state;
	now.now_ns = 1500 * S;
	now.snapshot_ns = 1499 * S;
	expect_refusal(&now, &request, "is over: allow them again with :arm 10m REASON");
	gate_arm_stop(&now.arm);
	expect_refusal(
		&now, &request, "production and read-only: allow writes with :arm 10m REASON");
	now.environment = POLICY_STAGING;
	expect_refusal(&now, &request, "wants \"terminate\" typed exactly");
}

static void gate_refuses_without_a_journal(void **state)
{
	struct gate_state now = good_state();
	const struct gate_request request = good_request();

	(void)state;
	now.journal_ok = false;
	expect_refusal(&now, &request, "the journal cannot be written");
}

static void gate_refuses_a_standby_and_an_unknown_role(void **state)
{
	struct gate_state now = good_state();
	struct gate_request request = good_request();

	(void)state;
	now.role = GATE_ROLE_STANDBY;
	expect_refusal(&now, &request, "is a standby");
	request.standby_ok = true;
	assert_int_equal(gate_check(&now, &request, NULL), 0);
	now.role = GATE_ROLE_UNKNOWN;
	expect_refusal(&now, &request, "not known yet");
}

static void gate_refuses_stale_and_missing_pictures(void **state)
{
	struct gate_state now = good_state();
	const struct gate_request request = good_request();

	(void)state;
	now.snapshot_ns = now.now_ns - GATE_SNAPSHOT_MAX_NS;
	assert_int_equal(gate_check(&now, &request, NULL), 0);
	now.snapshot_ns--;
	expect_refusal(&now, &request, "is 10 s old");
	now.snapshot_ns = 0;
	expect_refusal(&now, &request, "no picture");
	now.snapshot_ns = now.now_ns + 1;
	expect_refusal(&now, &request, "no picture");
	now = good_state();
	now.past = true;
	expect_refusal(&now, &request, "a picture of the past");
}

static void gate_refuses_a_link_that_is_down(void **state)
{
	struct gate_state now = good_state();
	const struct gate_request request = good_request();

	(void)state;
	now.link_up = false;
	expect_refusal(&now, &request, "connection to boardofone@prod is down");
}

static void gate_refuses_what_is_not_confirmed(void **state)
{
	static const char *const typed[] = { NULL, "", "y", "terminate", "boardofone",
		"Boardofone@prod" };
	const struct gate_state now = good_state();
	struct gate_request request = good_request();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
		request.typed = typed[i];
		expect_refusal(&now, &request, "in production this wants \"boardofone@prod\"");
	}
}

static void gate_refuses_reads_and_empty_requests(void **state)
{
	const struct gate_state now = good_state();
	struct gate_request request = good_request();

	(void)state;
	request.act = POLICY_ACT_READ;
	expect_refusal(&now, &request, "declared as a read");
	request = good_request();
	request.statement = "";
	expect_refusal(&now, &request, "no statement");
	request = good_request();
	request.target = NULL;
	expect_refusal(&now, &request, "no statement, or no target");
}

/* --- what is asked --------------------------------------------------------------------------- */

static void gate_asks_for_more_than_a_runbook_does(void **state)
{
	struct gate_request request = good_request();
	const char *want = NULL;

	(void)state;
	assert_int_equal(gate_level(POLICY_PRODUCTION, &request, &want), POLICY_TARGET);
	assert_string_equal(want, "boardofone@prod");
	/* declared as a harmless write, but the text says otherwise */
	request = (struct gate_request){
		.statement = "DROP TABLE users", .target = "b@prod", .verb = "tidy"
	};
	assert_int_equal(gate_act(&request), POLICY_ACT_DROP);
	assert_int_equal(gate_level(POLICY_PRODUCTION, &request, NULL), POLICY_TARGET);
	assert_int_equal(gate_level(POLICY_STAGING, &request, &want), POLICY_VERB);
	assert_string_equal(want, "drop");
	/* a declared act keeps the runbook's verb */
	request = (struct gate_request){ .act = POLICY_ACT_UPGRADE,
		.kind = GATE_TEXT_SHELL,
		.statement = "alembic upgrade x",
		.target = "b@prod",
		.verb = "migrate" };
	assert_int_equal(gate_level(POLICY_PRODUCTION, &request, &want), POLICY_VERB);
	assert_string_equal(want, "migrate");
	/* no write is without a question */
	request = (struct gate_request){ .act = POLICY_ACT_WRITE,
		.asked = POLICY_NONE,
		.statement = "INSERT INTO t VALUES (1)",
		.target = "b@dev" };
	assert_int_equal(gate_level(POLICY_DEVELOPMENT, &request, &want), POLICY_Y);
	assert_string_equal(want, "y");
}

/* --- permits --------------------------------------------------------------------------------- */

static void expect_use(struct gate *gate, const struct gate_permit *permit,
	const struct gate_state *now, const char *text, int64_t seq, const char *part)
{
	struct err err = { .text = "" };
	int rc = gate_permit_use(gate, permit, now, text, seq, &err);

	assert_int_equal(rc, part ? -1 : 0);
	if (part && !strstr(err.text, part))
		fail_msg("\"%s\" lacks \"%s\"", err.text, part);
}

static struct gate *new_gate(void)
{
	return gate_new(POLICY_PRODUCTION, "boardofone@prod");
}

static struct gate_permit *take(struct gate *gate)
{
	const struct gate_state now = good_state();
	const struct gate_request request = good_request();
	struct gate_permit *permit = gate_permit_take(gate, &now, &request, NULL);

	assert_non_null(permit);
	return permit;
}

static void gate_permit_is_good_once_for_one_text(void **state)
{
	const struct gate_state now = good_state();
	struct gate *gate = new_gate();
	struct gate_permit *permit = take(gate);

	(void)state;
	expect_use(gate, permit, &now, statement, 1, NULL);
	expect_use(gate, permit, &now, statement, 1, "used already");
	gate_free(gate);
}

static void gate_permit_is_not_given_on_a_refusal(void **state)
{
	const struct gate_request request = good_request();
	struct gate_state now = good_state();
	struct gate *gate = new_gate();
	struct err err;

	(void)state;
	now.journal_ok = false;
	assert_null(gate_permit_take(gate, &now, &request, &err));
	assert_int_equal(err.code, ERR_REFUSED);
	gate_free(gate);
}

static void gate_cannot_be_got_round(void **state)
{
	char made_up[512] = { 1 };
	const struct gate_state now = good_state();
	struct gate_state later;
	struct gate *gate = new_gate(), *other = new_gate();
	struct gate_permit *permit, *second;

	(void)state;
	/* no permit, one made up, one of another gate */
	expect_use(gate, NULL, &now, statement, 1, "did not pass the gate");
	expect_use(
		gate, (struct gate_permit *)made_up, &now, statement, 1, "did not pass the gate");
	permit = take(other);
	expect_use(gate, permit, &now, statement, 1, "did not pass the gate");
	/* another text, or another parameter; and the attempt spends the permit */
	permit = take(gate);
	expect_use(gate, permit, &now, "DROP TABLE users", 1, "not what was confirmed");
	expect_use(gate, permit, &now, statement, 1, "used already");
	permit = take(gate);
	expect_use(gate, permit, &now,
		"SELECT pg_terminate_backend($1) FROM pg_stat_activity WHERE pid = $1\n-- $1 = "
		"8124",
		1, "not what was confirmed");
	permit = take(gate);
	expect_use(gate, permit, &now, NULL, 1, "not what was confirmed");
	/* no intent in the journal */
	permit = take(gate);
	expect_use(gate, permit, &now, statement, 0, "not in the journal");
	permit = take(gate);
	expect_use(gate, permit, &now, statement, -1, "not in the journal");
	/* a second permit voids the first */
	permit = take(gate);
	second = take(gate);
	expect_use(gate, permit, &now, statement, 1, "used already or taken back");
	expect_use(gate, second, &now, statement, 1, NULL);
	/* given back, or void */
	permit = take(gate);
	gate_permit_drop(gate, permit);
	expect_use(gate, permit, &now, statement, 1, "taken back");
	permit = take(gate);
	gate_void(gate);
	expect_use(gate, permit, &now, statement, 1, "taken back");
	/* too late, or over a new connection */
	permit = take(gate);
	later = now;
	later.now_ns += GATE_PERMIT_NS + 1;
	later.snapshot_ns = later.now_ns;
	expect_use(gate, permit, &later, statement, 1, "too old");
	permit = take(gate);
	later = now;
	later.connection++;
	expect_use(gate, permit, &later, statement, 1, "connection was renewed");
	gate_free(gate);
	gate_free(other);
}

/* What held when the permit was given must hold when it is used. */
static void gate_permit_is_checked_again_at_use(void **state)
{
	struct gate *gate = new_gate();
	struct gate_permit *permit;
	struct gate_state now;

	(void)state;
	permit = take(gate);
	now = good_state();
	gate_arm_stop(&now.arm);
	expect_use(gate, permit, &now, statement, 1, "read-only");
	permit = take(gate);
	now = good_state();
	now.role = GATE_ROLE_STANDBY;
	expect_use(gate, permit, &now, statement, 1, "standby");
	permit = take(gate);
	now = good_state();
	now.link_up = false;
	expect_use(gate, permit, &now, statement, 1, "is down");
	permit = take(gate);
	now = good_state();
	now.now_ns += 12 * S;
	expect_use(gate, permit, &now, statement, 1, "13 s old");
	gate_free(gate);
}

static void gate_does_not_take_production_for_another(void **state)
{
	struct gate_request request = good_request();
	struct gate_state now = good_state();
	struct gate *gate = new_gate();
	struct err err;

	(void)state;
	now.environment = POLICY_DEVELOPMENT;
	request.typed = "terminate";
	assert_int_equal(gate_check(&now, &request, NULL), 0);
	assert_null(gate_permit_take(gate, &now, &request, &err));
	assert_non_null(strstr(err.text, "another target"));
	now = good_state();
	request = good_request();
	request.target = request.typed = "boardofone@staging";
	assert_null(gate_permit_take(gate, &now, &request, &err));
	assert_non_null(strstr(err.text, "another target"));
	gate_free(gate);
}

/* The request's strings may be gone by the time the permit is used. */
static void gate_permit_keeps_its_own_copy(void **state)
{
	const struct gate_state now = good_state();
	struct gate_request request = good_request();
	struct gate *gate = new_gate();
	struct gate_permit *permit;
	char text[256], typed[32];

	(void)state;
	strcpy(text, statement);
	strcpy(typed, "boardofone@prod");
	request.statement = text;
	request.typed = typed;
	permit = gate_permit_take(gate, &now, &request, NULL);
	strcpy(text, "DROP TABLE users");
	strcpy(typed, "");
	expect_use(gate, permit, &now, statement, 1, NULL);
	gate_free(gate);
}

/* --- arming ---------------------------------------------------------------------------------- */

static void gate_arm_wants_a_time_and_a_reason(void **state)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{ "", "for how long, and why?" },
		{ "deploy is stuck", "for how long, and why?" },
		{ "10 deploy", "for how long, and why?" },
		{ "10m", "a reason is missing" },
		{ "10m   ", "a reason is missing" },
		{ "30s quick", "1m to 60m" },
		{ "61m long", "1m to 60m" },
		{ "2h long", "1m to 60m" },
		{ "-5m x", "for how long, and why?" },
		{ "99999999999999999999999999999999999999m x", "for how long, and why?" },
	};
	const char *reason = NULL;
	int64_t ns = 0;
	struct err err;
	size_t i;

	(void)state;
	assert_int_equal(gate_arm_parse("10m deploy is stuck", &ns, &reason, NULL), 0);
	assert_int_equal(ns, 600 * S);
	assert_string_equal(reason, "deploy is stuck");
	assert_int_equal(gate_arm_parse("  1m\tx", &ns, &reason, NULL), 0);
	assert_int_equal(ns, 60 * S);
	assert_int_equal(gate_arm_parse("1h x", &ns, &reason, NULL), 0);
	assert_int_equal(ns, 3600 * S);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		assert_int_equal(gate_arm_parse(bad[i].text, &ns, &reason, &err), -1);
		if (!strstr(err.text, bad[i].part))
			fail_msg("%s: \"%s\" lacks \"%s\"", bad[i].text, err.text, bad[i].part);
	}
}

static void gate_arm_counts_down(void **state)
{
	struct gate_arm arm = { 0 };

	(void)state;
	assert_int_equal(gate_arm_left(&arm, 5 * S), 0);
	gate_arm_start(&arm, 100 * S, 60 * S, "why");
	assert_string_equal(arm.reason, "why");
	assert_int_equal(gate_arm_left(&arm, 100 * S), 60 * S);
	assert_int_equal(gate_arm_left(&arm, 159 * S), 1 * S);
	assert_int_equal(gate_arm_left(&arm, 160 * S), 0);
	assert_int_equal(gate_arm_left(&arm, 200 * S), 0);
	gate_arm_start(&arm, 100 * S, 60 * S, "why");
	gate_arm_stop(&arm);
	assert_int_equal(gate_arm_left(&arm, 100 * S), 0);
}

static void gate_arm_cuts_a_long_reason_at_a_character(void **state)
{
	struct gate_arm arm;
	char reason[400];
	size_t i;

	(void)state;
	reason[0] = 'a';
	for (i = 1; i < 399; i += 2)
		memcpy(reason + i, "\xc3\xa9", 2);
	reason[399] = '\0';
	gate_arm_start(&arm, 0, 60 * S, reason);
	assert_int_equal(strlen(arm.reason), 255);
	gate_arm_start(&arm, 0, 60 * S, reason + 1);
	assert_int_equal(strlen(arm.reason), 254);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gate_lets_through_when_all_holds),
		cmocka_unit_test(gate_refuses_everything_by_default),
		cmocka_unit_test(gate_refuses_production_that_is_not_armed),
		cmocka_unit_test(gate_refuses_without_a_journal),
		cmocka_unit_test(gate_refuses_a_standby_and_an_unknown_role),
		cmocka_unit_test(gate_refuses_stale_and_missing_pictures),
		cmocka_unit_test(gate_refuses_a_link_that_is_down),
		cmocka_unit_test(gate_refuses_what_is_not_confirmed),
		cmocka_unit_test(gate_refuses_reads_and_empty_requests),
		cmocka_unit_test(gate_asks_for_more_than_a_runbook_does),
		cmocka_unit_test(gate_permit_is_good_once_for_one_text),
		cmocka_unit_test(gate_permit_is_not_given_on_a_refusal),
		cmocka_unit_test(gate_cannot_be_got_round),
		cmocka_unit_test(gate_permit_is_checked_again_at_use),
		cmocka_unit_test(gate_does_not_take_production_for_another),
		cmocka_unit_test(gate_permit_keeps_its_own_copy),
		cmocka_unit_test(gate_arm_wants_a_time_and_a_reason),
		cmocka_unit_test(gate_arm_counts_down),
		cmocka_unit_test(gate_arm_cuts_a_long_reason_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
