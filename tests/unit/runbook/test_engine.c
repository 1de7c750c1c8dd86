/*
 * The run's state machine, without any network: every event in every state, and whole runs as
 * tables of events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/runbook/engine.h>

#include "support.h"

static int wrap_app(
	void *arg, enum runbook_place place, const char *command, struct buf *out, struct err *err)
{
	(void)err;
	if (place == RUNBOOK_ON_APP)
		buf_printf(out, "docker exec %s sh -c ", (const char *)arg);
	if (place == RUNBOOK_ON_APP)
		quote_word(out, command);
	else
		buf_add_str(out, command);
	return 0;
}

static struct runbook_run *new_run_in(
	const struct runbook *r, enum policy_environment environment, const char *current)
{
	struct runbook_options options = { .environment = environment,
		.target = "boardofone@prod",
		.quote = quote_plain,
		.wrap = wrap_app,
		.wrap_arg = (void *)"api-1",
		.application = "pgoncall-1" };
	struct runbook_vars vars = { 0 };
	struct runbook_run *run;

	runbook_vars_set(&vars, "alembic", "uv run alembic");
	if (current)
		runbook_vars_set(&vars, "current", current);
	run = runbook_run_new(r, &options, &vars);
	runbook_vars_fini(&vars);
	return run;
}

static struct runbook_run *new_run(const struct runbook *r)
{
	return new_run_in(r, POLICY_PRODUCTION, "aaa");
}

/* --- events with little to write -------------------------------------------------------------- */

static struct runbook_effect effect;
static struct err error;

static int send(struct runbook_run *run, struct runbook_event event)
{
	return runbook_run_event(run, &event, &effect, &error);
}

static int send_kind(struct runbook_run *run, enum runbook_event_kind kind, const char *text)
{
	return send(run, (struct runbook_event){ .kind = kind, .text = text });
}

static int send_check(struct runbook_run *run, enum runbook_answer answer, const char *text)
{
	return send(run, (struct runbook_event){
				 .kind = RUNBOOK_EVENT_CHECK, .answer = answer, .text = text });
}

static int send_result(struct runbook_run *run, struct runbook_result result, int64_t now_s)
{
	return send(run, (struct runbook_event){ .kind = RUNBOOK_EVENT_RESULT,
				 .result = &result,
				 .now_ns = now_s * CLOCK_NS_PER_S });
}

static void assert_at(const struct runbook_run *run, const char *step, enum runbook_state state,
	enum runbook_effect_kind kind)
{
	const struct runbook_step *s = runbook_run_step(run);

	if (strcmp(s ? s->name : "", step) || run->state != state || effect.kind != kind)
		fail_msg("stands at %s, %s, effect %d (%s); wanted %s, %s, effect %d",
			s ? s->name : "the end", runbook_state_name(run->state), (int)effect.kind,
			run->why, step, runbook_state_name(state), (int)kind);
}

static void assert_record(const char *step, enum runbook_outcome outcome)
{
	assert_non_null(effect.record.step);
	assert_string_equal(effect.record.step, step);
	assert_string_equal(
		runbook_outcome_name(effect.record.outcome), runbook_outcome_name(outcome));
}

/* --- every event in every state --------------------------------------------------------------- */

#define ALL                                                                                        \
	"---\nrunbook: test\ntitle: Test\nvar.b: pick=backend from=locks\nvar.t: type=text\n---\n" \
	"### By hand\n\n"                                                                          \
	"### Checked\n- [ ] one\n- [ ] two\n\n"                                                    \
	"### Read\n```sql { name=read mode=read fail=ask }\nSELECT $current\n```\n"                \
	"```expect\nrows 1\n```\n"                                                                 \
	"### Write\n- [ ] told\n"                                                                  \
	"```sql { name=write confirm=y fail=stop undo=none }\n"                                    \
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $b.pid\n```\n"         \
	"```expect\nvalue t\n```\n"                                                                \
	"### Watch\n```sql { name=watch mode=read watch=2s until=expect timeout=10s }\n"           \
	"SELECT 1\n```\n```expect\nrows 0\n```\n"                                                  \
	"### Follow\n```sh { name=follow on=host mode=read stream=yes }\ntail -f log\n```\n"       \
	"### App\n```sh { name=app on=app confirm=y lock_timeout=5s }\nalembic upgrade $t\n```\n"

/* What is possible: one bit for each event. */
#define BIT(event) (1u << RUNBOOK_EVENT_##event)
#define STANDING   (BIT(SKIP) | BIT(STOP) | BIT(LEAVE))

static const struct {
	enum runbook_state state;
	const char *step;
	enum runbook_outcome outcome;
	unsigned possible;
} possible[] = {
	{ RUNBOOK_STATE_NEW, "by-hand", 0, BIT(START) },
	{ RUNBOOK_STATE_PICKING, "write", 0, BIT(PICK) | STANDING },
	{ RUNBOOK_STATE_CHECKING, "write", 0, BIT(CHECK) | STANDING },
	{ RUNBOOK_STATE_SHOWN, "write", 0, BIT(GO) | BIT(PICK) | BIT(RETRY) | STANDING },
	{ RUNBOOK_STATE_SHOWN, "by-hand", 0,
		BIT(GO) | BIT(DONE) | BIT(NOT_DONE) | BIT(PICK) | BIT(RETRY) | STANDING },
	{ RUNBOOK_STATE_BLOCKED, "write", 0, BIT(PICK) | BIT(RETRY) | STANDING },
	{ RUNBOOK_STATE_CONFIRMING, "write", 0, BIT(ANSWER) | BIT(CANCEL) | BIT(LEAVE) },
	{ RUNBOOK_STATE_RUNNING, "write", 0, BIT(RESULT) | BIT(HALT) | BIT(CANCEL) },
	{ RUNBOOK_STATE_WATCHING, "watch", 0, BIT(TICK) | BIT(HALT) | BIT(LEAVE) },
	/* the write whose result is not known: nothing that would send it again */
	{ RUNBOOK_STATE_UNSETTLED, "write", RUNBOOK_UNKNOWN,
		BIT(DONE) | BIT(NOT_DONE) | BIT(STOP) | BIT(LEAVE) },
	{ RUNBOOK_STATE_JUDGED, "write", RUNBOOK_OK, BIT(GO) | BIT(STOP) | BIT(LEAVE) },
	{ RUNBOOK_STATE_JUDGED, "write", RUNBOOK_FAIL, BIT(GO) | BIT(RETRY) | STANDING },
	{ RUNBOOK_STATE_JUDGED, "read", RUNBOOK_OK, BIT(GO) | BIT(RETRY) | BIT(STOP) | BIT(LEAVE) },
	{ RUNBOOK_STATE_JUDGED, "read", RUNBOOK_FAIL, BIT(RETRY) | STANDING }, /* fail=ask: no GO */
	{ RUNBOOK_STATE_LEFT, "write", 0, BIT(RESUME) },
	{ RUNBOOK_STATE_FINISHED, "app", 0, 0 },
	{ RUNBOOK_STATE_ESCALATED, "write", 0, 0 },
};

static void engine_allows_what_the_table_says(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run;
	struct runbook_event event;
	size_t i, index;
	int kind;

	(void)state;
	for (i = 0; i < sizeof(possible) / sizeof(possible[0]); i++) {
		for (kind = 0; kind < RUNBOOK_EVENT_COUNT; kind++) {
			run = new_run(r);
			index = (size_t)(runbook_step_find(r, possible[i].step) - r->steps);
			run->state = possible[i].state;
			run->step = index;
			run->outcomes[index] = possible[i].outcome;
			if (runbook_run_can(run, (enum runbook_event_kind)kind) !=
				!!(possible[i].possible & 1u << kind))
				fail_msg("%s in %s, at %s",
					runbook_event_name((enum runbook_event_kind)kind),
					runbook_state_name(possible[i].state), possible[i].step);
			event = (struct runbook_event){ .kind = (enum runbook_event_kind)kind };
			if (!(possible[i].possible & 1u << kind)) {
				assert_int_equal(
					runbook_run_event(run, &event, &effect, &error), -1);
				assert_int_equal(error.code, ERR_REFUSED);
				assert_int_equal(run->state, possible[i].state);
				assert_int_equal(effect.kind, RUNBOOK_EFFECT_NONE);
			}
			runbook_run_free(run);
		}
	}
	runbook_free(r);
}

/* --- whole runs -------------------------------------------------------------------------------- */

static void pick_backend(struct runbook_run *run, const char *pid)
{
	static const char *const fields[] = { "b.backend_start", "b.xact_start", "b.query_start",
		"b.user", "b.application", "b.client", "b.state", "b.query" };
	size_t i;

	assert_int_equal(runbook_run_set(run, "b.pid", pid, &error), 0);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		assert_int_equal(runbook_run_set(run, fields[i], "", &error), 0);
}

/* From the start to the write's question. */
static void go_to_question(struct runbook_run *run)
{
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_START, NULL), 0);
	assert_at(run, "by-hand", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_DONE, NULL), 0);
	assert_at(run, "by-hand", RUNBOOK_STATE_JUDGED, RUNBOOK_EFFECT_JUDGED);
	assert_record("by-hand", RUNBOOK_OK);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
	assert_at(run, "checked", RUNBOOK_STATE_CHECKING, RUNBOOK_EFFECT_CHECK);
	assert_int_equal(send_check(run, RUNBOOK_CHECK_DONE, NULL), 0);
	assert_int_equal(run->check, 1);
	assert_int_equal(send_check(run, RUNBOOK_CHECK_SKIP, NULL), -1); /* wants a reason */
	assert_int_equal(run->check, 1);
	assert_int_equal(send_check(run, RUNBOOK_CHECK_SKIP, "nobody is there"), 0);
	assert_at(run, "checked", RUNBOOK_STATE_JUDGED, RUNBOOK_EFFECT_JUDGED);
	assert_record("checked", RUNBOOK_OK);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
	assert_at(run, "read", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
	assert_string_equal(run->command.text, "SELECT $1::text");
	assert_int_equal(run->level, POLICY_NONE);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
	assert_at(run, "read", RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_RUN);
	assert_int_equal(send_result(run, (struct runbook_result){ .rows = 1 }, 0), 0);
	assert_string_equal(run->verdict, "As expected: 1 row.");
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_PICKING, RUNBOOK_EFFECT_PICK);
	assert_string_equal(run->pick->name, "b");
	pick_backend(run, "8123");
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_PICK, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_CHECKING, RUNBOOK_EFFECT_CHECK);
	assert_int_equal(send_check(run, RUNBOOK_CHECK_DONE, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_CONFIRMING, RUNBOOK_EFFECT_CONFIRM);
}

static void engine_asks_what_policy_says(void **state)
{
	static const struct {
		enum policy_environment environment;
		enum policy_level level;
		const char *want;
	} levels[] = {
		{ POLICY_PRODUCTION, POLICY_TARGET, "boardofone@prod" },
		{ POLICY_STAGING, POLICY_VERB, "terminate" },
		{ POLICY_DEVELOPMENT, POLICY_Y, "y" },
	};
	struct runbook *r = parse(ALL);
	struct gate_request request;
	struct runbook_run *run;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		run = new_run_in(r, levels[i].environment, "aaa");
		go_to_question(run);
		assert_int_equal(run->level, levels[i].level);
		assert_string_equal(run->want, levels[i].want);
		assert_int_equal(run->act, POLICY_ACT_TERMINATE);
		assert_int_equal(send_kind(run, RUNBOOK_EVENT_ANSWER, run->want), 0);
		assert_at(run, "write", RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_RUN);
		runbook_run_request(run, &request);
		assert_string_equal(request.typed, levels[i].want);
		assert_string_equal(request.statement, run->command.shown);
		assert_non_null(strstr(request.statement, "-- $1 = '8123'"));
		runbook_run_free(run);
	}
	runbook_free(r);
}

static void engine_sends_nothing_without_the_right_answer(void **state)
{
	static const char *const wrong[] = { NULL, "", "y", "Y", "terminate", "boardofone@prod ",
		"boardofone@staging" };
	struct runbook *r = parse(ALL);
	struct runbook_run *run = new_run(r);
	size_t i;

	(void)state;
	go_to_question(run);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(send_kind(run, RUNBOOK_EVENT_ANSWER, wrong[i]), 0);
		assert_at(run, "write", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
		assert_non_null(strstr(run->why, "nothing was sent"));
		assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
		assert_at(run, "write", RUNBOOK_STATE_CONFIRMING, RUNBOOK_EFFECT_CONFIRM);
	}
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_CANCEL, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
	assert_null(effect.record.step);
	runbook_run_free(run);
	runbook_free(r);
}

/* The gate refused: the app says so, and nothing was done. */
static void engine_takes_a_refusal_of_the_gate(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = new_run(r);

	(void)state;
	go_to_question(run);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_ANSWER, "boardofone@prod"), 0);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_CANCEL, "prod is read-only"), 0);
	assert_at(run, "write", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
	assert_string_equal(run->why, "prod is read-only");
	assert_string_equal(run->typed, "");
	runbook_run_free(run);
	runbook_free(r);
}

static void go_to_running(struct runbook_run *run)
{
	go_to_question(run);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_ANSWER, "boardofone@prod"), 0);
	assert_at(run, "write", RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_RUN);
}

/* Its client was killed, and what the client had begun may go on: nobody knows. */
static void engine_does_not_know_what_a_signal_ended(void **state)
{
	struct runbook *r = parse("---\nrunbook: a\ntitle: b\n---\n### x\n"
				  "```sh { name=x on=host undo=none }\ntrue\n```\n");

	(void)state;
	for (int i = 127; i < 130; i++) {
		struct runbook_run *run = new_run(r);
		send_kind(run, RUNBOOK_EVENT_START, NULL);
		send_kind(run, RUNBOOK_EVENT_GO, NULL);
		send_kind(run, RUNBOOK_EVENT_ANSWER, run->want);
		send_result(run, (struct runbook_result){ .exit = i }, 0);
		assert_int_equal(
			run->state, i > 128 ? RUNBOOK_STATE_UNSETTLED : RUNBOOK_STATE_JUDGED);
		runbook_run_free(run);
	}
	runbook_free(r);
}

static void engine_never_repeats_an_unknown_write(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = new_run(r);
	int kind;

	(void)state;
	go_to_running(run);
	assert_int_equal(send_result(run,
				 (struct runbook_result){
					 .ran = RUNBOOK_RAN_UNKNOWN, .error = "the link was lost" },
				 0),
		0);
	assert_at(run, "write", RUNBOOK_STATE_UNSETTLED, RUNBOOK_EFFECT_JUDGED);
	assert_record("write", RUNBOOK_UNKNOWN);
	/* No event makes it run; those that settle it come below. */
	for (kind = 0; kind < RUNBOOK_EVENT_COUNT; kind++) {
		if (kind == RUNBOOK_EVENT_DONE || kind == RUNBOOK_EVENT_NOT_DONE)
			continue;
		send_kind(run, (enum runbook_event_kind)kind, "x");
		assert_int_not_equal(effect.kind, RUNBOOK_EFFECT_RUN);
		if (run->state == RUNBOOK_STATE_LEFT)
			send_kind(run, RUNBOOK_EVENT_RESUME, NULL);
		if (run->state == RUNBOOK_STATE_ESCALATED)
			run->state = RUNBOOK_STATE_UNSETTLED;
		assert_int_equal(run->state, RUNBOOK_STATE_UNSETTLED);
	}
	/* Found not done: a person may decide to try again, with a new confirmation. */
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_NOT_DONE, "the session is still there"), 0);
	assert_at(run, "write", RUNBOOK_STATE_JUDGED, RUNBOOK_EFFECT_JUDGED);
	assert_record("write", RUNBOOK_FAIL);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_RETRY, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_PICKING,
		RUNBOOK_EFFECT_PICK); /* the backend is forgotten */
	assert_string_equal(run->typed, "");
	runbook_run_free(run);
	runbook_free(r);
}

static void engine_settles_an_unknown_write_as_done(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = new_run(r);

	(void)state;
	go_to_running(run);
	send_result(run, (struct runbook_result){ .ran = RUNBOOK_RAN_UNKNOWN }, 0);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_DONE, "it is gone"), 0);
	assert_record("write", RUNBOOK_OK);
	assert_string_equal(effect.record.reason, "it is gone");
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
	assert_at(run, "watch", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
	runbook_run_free(run);
	runbook_free(r);
}

static void engine_stops_where_a_failure_says_stop(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = new_run(r);

	(void)state;
	go_to_running(run);
	send_result(run, (struct runbook_result){ .rows = 1, .value = "f" }, 0);
	assert_record("write", RUNBOOK_FAIL);
	assert_string_equal(run->verdict, "Expected value t, got f.");
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_ESCALATED, RUNBOOK_EFFECT_ESCALATED);
	assert_string_equal(run->reason, "Expected value t, got f.");
	runbook_run_free(run);
	runbook_free(r);
}

static void engine_does_not_run_what_is_not_checked(void **state)
{
	struct runbook *r = parse(FRONT "### W\n- [ ] told\n- [ ] sure\n"
					"```sql { name=w }\nVACUUM\n```\n");
	struct runbook_run *run = new_run(r);

	(void)state;
	send_kind(run, RUNBOOK_EVENT_START, NULL);
	send_check(run, RUNBOOK_CHECK_NOT_DONE, NULL);
	send_check(run, RUNBOOK_CHECK_DONE, NULL);
	assert_at(run, "w", RUNBOOK_STATE_BLOCKED, RUNBOOK_EFFECT_SHOW);
	assert_string_equal(run->why, "Not done: told");
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), -1);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_RETRY, NULL), 0);
	assert_at(run, "w", RUNBOOK_STATE_CHECKING, RUNBOOK_EFFECT_CHECK);
	assert_int_equal(run->check, 0);
	runbook_run_free(run);
	runbook_free(r);
}

/* --- watching, following ------------------------------------------------------------------------ */

static struct runbook_run *restored(const struct runbook *r, const char *after)
{
	struct runbook_run *run = new_run(r);
	struct runbook_record record = { after, RUNBOOK_OK, "" };

	assert_int_equal(runbook_run_restore(run, &record, 1, &effect, &error), 0);
	return run;
}

static void engine_watches_until_it_holds(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = restored(r, "write");

	(void)state;
	send(run, (struct runbook_event){ .kind = RUNBOOK_EVENT_GO, .now_ns = CLOCK_NS_PER_S });
	assert_at(run, "watch", RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_RUN);
	send_result(run, (struct runbook_result){ .rows = 2 }, 2);
	assert_at(run, "watch", RUNBOOK_STATE_WATCHING, RUNBOOK_EFFECT_WAIT);
	assert_true(effect.wait_ns == 2 * CLOCK_NS_PER_S);
	assert_null(effect.record.step);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_TICK, NULL), 0);
	assert_at(run, "watch", RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_RUN);
	send_result(run, (struct runbook_result){ .rows = 0 }, 5);
	assert_record("watch", RUNBOOK_OK);
	runbook_run_free(run);

	/* Its time is over. */
	run = restored(r, "write");
	send(run, (struct runbook_event){ .kind = RUNBOOK_EVENT_GO, .now_ns = CLOCK_NS_PER_S });
	send_result(run, (struct runbook_result){ .ran = RUNBOOK_RAN_ERROR, .error = "x" }, 10);
	assert_at(run, "watch", RUNBOOK_STATE_WATCHING, RUNBOOK_EFFECT_WAIT);
	send_kind(run, RUNBOOK_EVENT_TICK, NULL);
	send_result(run, (struct runbook_result){ .rows = 1 }, 11);
	assert_record("watch", RUNBOOK_FAIL);
	assert_string_equal(run->verdict, "Expected 0, got 1 row.");
	runbook_run_free(run);

	/* The operator has seen enough, while waiting and while asking. */
	run = restored(r, "write");
	send_kind(run, RUNBOOK_EVENT_GO, NULL);
	send_result(run, (struct runbook_result){ .rows = 2 }, 0);
	send_kind(run, RUNBOOK_EVENT_HALT, NULL);
	assert_record("watch", RUNBOOK_FAIL);
	runbook_run_free(run);
	run = restored(r, "write");
	send_kind(run, RUNBOOK_EVENT_GO, NULL);
	send_kind(run, RUNBOOK_EVENT_HALT, NULL);
	assert_at(run, "watch", RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_HALT);
	send_result(run, (struct runbook_result){ .rows = 2 }, 0);
	assert_record("watch", RUNBOOK_FAIL);
	runbook_run_free(run);
	runbook_free(r);
}

static void engine_follows_until_halted(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = restored(r, "watch");

	(void)state;
	send_kind(run, RUNBOOK_EVENT_GO, NULL);
	assert_at(run, "follow", RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_RUN);
	send_kind(run, RUNBOOK_EVENT_HALT, NULL);
	assert_at(run, "follow", RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_HALT);
	send_result(run, (struct runbook_result){ .exit = 143 }, 0);
	assert_record("follow", RUNBOOK_OK);
	runbook_run_free(run);
	/* Ended by itself, badly. */
	run = restored(r, "watch");
	send_kind(run, RUNBOOK_EVENT_GO, NULL);
	send_result(run, (struct runbook_result){ .exit = 1 }, 0);
	assert_record("follow", RUNBOOK_FAIL);
	runbook_run_free(run);
	runbook_free(r);
}

/* What is confirmed, shown and sent is one text, with what is put around it. */
static void engine_wraps_commands(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = restored(r, "follow");

	(void)state;
	assert_at(run, "app", RUNBOOK_STATE_PICKING, RUNBOOK_EFFECT_PICK);
	assert_string_equal(run->pick->name, "t");
	assert_int_equal(runbook_run_set(run, "t", "a\x1b", &error), -1);
	assert_int_equal(runbook_run_set(run, "t", "it's", &error), 0);
	send_kind(run, RUNBOOK_EVENT_PICK, NULL);
	assert_at(run, "app", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
	assert_string_equal(run->command.text,
		"docker exec api-1 sh -c 'export PGOPTIONS=\"${PGOPTIONS-} -c lock_timeout=5000 "
		"-c application_name=pgoncall-1\"\n"
		"uv run alembic upgrade '\\''it'\\''\\'\\'''\\''s'\\'''");
	assert_string_equal(run->command.shown, run->command.text);
	assert_int_equal(run->act, POLICY_ACT_UPGRADE);
	assert_int_equal(run->level, POLICY_VERB);
	assert_string_equal(run->want, "upgrade");
	runbook_run_free(run);
	runbook_free(r);
}

/* --- branches ---------------------------------------------------------------------------------- */

#define BRANCHES                                                                                   \
	FRONT "### A\n<!-- { name=a ok=goto:c fail=goto:b } -->\n\n"                               \
	      "### B\n<!-- { name=b ok=goto:end fail=goto:a } -->\n\n"                             \
	      "### C\n<!-- { name=c when=b:fail } -->\n\n"                                         \
	      "### D\n<!-- { name=d when=a:ok ok=goto:escalate } -->\n"

static const struct {
	const char *events; /* d: done, n: not done, s: skip; a GO after d and n */
	const char *step;   /* where it stands then; "" for the end */
	enum runbook_state state;
} branches[] = {
	{ "", "a", RUNBOOK_STATE_SHOWN },
	{ "d", "d", RUNBOOK_STATE_SHOWN }, /* c is passed over: b was not done */
	{ "n", "b", RUNBOOK_STATE_SHOWN },
	{ "nd", "", RUNBOOK_STATE_FINISHED },
	{ "nn", "a", RUNBOOK_STATE_SHOWN },
	{ "nnd", "c", RUNBOOK_STATE_SHOWN }, /* now b has failed */
	{ "nndd", "d", RUNBOOK_STATE_SHOWN },
	{ "s", "b", RUNBOOK_STATE_SHOWN },    /* a skip goes to the next in order */
	{ "ss", "", RUNBOOK_STATE_FINISHED }, /* neither condition holds */
	{ "dd", "d", RUNBOOK_STATE_ESCALATED },
	{ "ds", "", RUNBOOK_STATE_FINISHED },
};

static void engine_branches(void **state)
{
	struct runbook *r = parse(BRANCHES);
	const struct runbook_step *step;
	struct runbook_run *run;
	const char *event;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(branches) / sizeof(branches[0]); i++) {
		run = new_run(r);
		send_kind(run, RUNBOOK_EVENT_START, NULL);
		for (event = branches[i].events; *event; event++) {
			if (*event == 's') {
				assert_int_equal(send_kind(run, RUNBOOK_EVENT_SKIP, ""), -1);
				assert_int_equal(send_kind(run, RUNBOOK_EVENT_SKIP, "why not"), 0);
				assert_int_equal(effect.record.outcome, RUNBOOK_SKIPPED);
				continue;
			}
			send_kind(run, *event == 'd' ? RUNBOOK_EVENT_DONE : RUNBOOK_EVENT_NOT_DONE,
				NULL);
			assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
		}
		step = runbook_run_step(run);
		if (strcmp(step ? step->name : "", branches[i].step) ||
			run->state != branches[i].state)
			fail_msg("after \"%s\": %s, %s", branches[i].events,
				step ? step->name : "the end", runbook_state_name(run->state));
		runbook_run_free(run);
	}
	runbook_free(r);
}

/* --- variables ---------------------------------------------------------------------------------- */

static void engine_captures(void **state)
{
	struct runbook *r = parse("---\nrunbook: t\ntitle: T\nvar.old: type=revision\n---\n"
				  "### A\n```sql { name=a mode=read capture=old }\nSELECT 1\n```\n"
				  "### B\n```sql { name=b mode=read }\nSELECT $old\n```\n"
				  "```expect\nvalue $old\n```\n");
	struct runbook_run *run = new_run(r);

	(void)state;
	send_kind(run, RUNBOOK_EVENT_START, NULL);
	send_kind(run, RUNBOOK_EVENT_GO, NULL);
	send_result(run, (struct runbook_result){ .rows = 1, .value = "not one; DROP" }, 0);
	assert_record("a", RUNBOOK_FAIL);
	assert_non_null(strstr(run->verdict, "$old must be a revision id"));
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), -1); /* ask */
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_SKIP, "no matter"), 0);
	assert_at(run, "b", RUNBOOK_STATE_BLOCKED, RUNBOOK_EFFECT_SHOW);
	assert_string_equal(run->why, "$old is not set yet");
	runbook_run_free(run);

	run = new_run(r);
	send_kind(run, RUNBOOK_EVENT_START, NULL);
	send_kind(run, RUNBOOK_EVENT_GO, NULL);
	send_result(run, (struct runbook_result){ .rows = 1, .value = "aaa" }, 0);
	assert_record("a", RUNBOOK_OK);
	send_kind(run, RUNBOOK_EVENT_GO, NULL);
	send_kind(run, RUNBOOK_EVENT_GO, NULL);
	assert_string_equal(run->command.params[0].value, "aaa");
	send_result(run, (struct runbook_result){ .rows = 1, .value = "aaa" }, 0);
	assert_record("b", RUNBOOK_OK);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_GO, NULL), 0);
	assert_at(run, "", RUNBOOK_STATE_FINISHED, RUNBOOK_EFFECT_FINISHED);
	runbook_run_free(run);
	runbook_free(r);
}

static void engine_says_what_is_not_configured(void **state)
{
	struct runbook *r = parse(FRONT "### A\n```sql { name=a mode=read }\nSELECT $current\n```\n"
					"### B\n");
	struct runbook_run *run = new_run_in(r, POLICY_PRODUCTION, NULL);

	(void)state;
	send_kind(run, RUNBOOK_EVENT_START, NULL);
	assert_at(run, "a", RUNBOOK_STATE_BLOCKED, RUNBOOK_EFFECT_SHOW);
	assert_non_null(strstr(run->why, "$current is not known here"));
	assert_int_equal(runbook_run_set(run, "current", "aaa", &error), 0);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_PICK, NULL), 0);
	assert_at(run, "a", RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
	runbook_run_free(run);
	runbook_free(r);
}

static void engine_refuses_variables_it_does_not_have(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = new_run(r);

	(void)state;
	assert_int_equal(runbook_run_set(run, "x", "1", &error), -1);
	assert_int_equal(runbook_run_set(run, "b", "1", &error), -1);
	assert_int_equal(runbook_run_set(run, "b.colour", "1", &error), -1);
	assert_int_equal(runbook_run_set(run, "b.pid", "x", &error), -1);
	go_to_question(run);
	assert_int_equal(
		runbook_run_set(run, "b.pid", "9999", &error), -1); /* it is being confirmed */
	assert_non_null(strstr(run->command.shown, "'8123'"));
	runbook_run_free(run);
	runbook_free(r);
}

/* --- leaving, and after a restart ---------------------------------------------------------------- */

static void engine_leaves_and_resumes(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_run *run = new_run(r);

	(void)state;
	go_to_question(run);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_LEAVE, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_LEFT, RUNBOOK_EFFECT_LEFT);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_RESUME, NULL), 0);
	/* What lives is chosen anew, and the checks are asked again. */
	pick_backend(run, "8124");
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_PICK, NULL), 0);
	assert_at(run, "write", RUNBOOK_STATE_CHECKING, RUNBOOK_EFFECT_CHECK);
	runbook_run_free(run);
	runbook_free(r);
}

static const struct {
	const char *step; /* the last record's */
	enum runbook_outcome outcome;
	const char *at;
	enum runbook_state state;
} restores[] = {
	{ NULL, 0, "by-hand", RUNBOOK_STATE_SHOWN },
	{ "by-hand", RUNBOOK_OK, "checked", RUNBOOK_STATE_CHECKING },
	{ "by-hand", RUNBOOK_SKIPPED, "checked", RUNBOOK_STATE_CHECKING },
	{ "read", RUNBOOK_FAIL, "read", RUNBOOK_STATE_JUDGED },
	{ "read", RUNBOOK_OK, "write", RUNBOOK_STATE_PICKING }, /* a backend is picked anew */
	{ "write", RUNBOOK_UNKNOWN, "write", RUNBOOK_STATE_UNSETTLED },
	{ "write", RUNBOOK_FAIL, "write", RUNBOOK_STATE_JUDGED },
	{ "app", RUNBOOK_OK, "", RUNBOOK_STATE_FINISHED },
};

static void engine_restores(void **state)
{
	struct runbook *r = parse(ALL);
	struct runbook_record records[2] = { { "by-hand", RUNBOOK_OK, "" } };
	const struct runbook_step *step;
	struct runbook_run *run;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(restores) / sizeof(restores[0]); i++) {
		run = new_run(r);
		pick_backend(run, "8123");
		records[1] =
			(struct runbook_record){ restores[i].step, restores[i].outcome, "why" };
		assert_int_equal(runbook_run_restore(
					 run, records, restores[i].step ? 2 : 0, &effect, &error),
			0);
		step = runbook_run_step(run);
		if (strcmp(step ? step->name : "", restores[i].at) ||
			run->state != restores[i].state)
			fail_msg("after %s: %s, %s",
				restores[i].step ? restores[i].step : "nothing",
				step ? step->name : "the end", runbook_state_name(run->state));
		assert_null(effect.record.step);
		assert_int_not_equal(effect.kind, RUNBOOK_EFFECT_RUN);
		if (run->state == RUNBOOK_STATE_JUDGED)
			assert_string_equal(run->verdict, "why");
		runbook_run_free(run);
	}
	/* The file has changed since. */
	run = new_run(r);
	records[1] = (struct runbook_record){ "gone", RUNBOOK_OK, "" };
	assert_int_equal(runbook_run_restore(run, records, 2, &effect, &error), -1);
	assert_non_null(strstr(error.text, "no step \"gone\" any more"));
	runbook_run_free(run);
	runbook_free(r);
}

static void engine_looks_ahead(void **state)
{
	static const char text[] =
		"---\nrunbook: ahead\ntitle: Ahead\n---\nWhy.\n\n"
		"### One\n```sql { name=one on=db mode=read fail=goto:three }\nSELECT 1\n```\n"
		"### Two\n```sql { name=two on=db mode=read when=one:fail }\nSELECT 2\n```\n"
		"### Three\n```sql { name=three on=db mode=read fail=ask ok=goto:end }\nSELECT "
		"3\n```\n"
		"### Four\n```sql { name=four on=db mode=read fail=stop }\nSELECT 4\n```\n";
	struct runbook_problems problems = { 0 };
	struct runbook *runbook = runbook_parse("ahead.md", text, strlen(text), &problems);
	struct runbook_run *run;

	(void)state;
	assert_non_null(runbook);
	run = new_run(runbook);
	assert_int_equal(send_kind(run, RUNBOOK_EVENT_START, NULL), 0);
	/* The second one is for a failed first one only. */
	assert_int_equal(runbook_run_next(run, RUNBOOK_OK), 2);
	assert_int_equal(runbook_run_next(run, RUNBOOK_FAIL), 2);
	assert_int_equal(runbook_run_next(run, RUNBOOK_SKIPPED), 2);
	run->step = 2;
	assert_int_equal(runbook_run_next(run, RUNBOOK_OK), runbook->n_steps);
	assert_true(runbook_run_next(run, RUNBOOK_FAIL) == SIZE_MAX);
	assert_int_equal(runbook_run_next(run, RUNBOOK_SKIPPED), 3);
	run->step = 3;
	assert_int_equal(runbook_run_next(run, RUNBOOK_OK), runbook->n_steps);
	assert_true(runbook_run_next(run, RUNBOOK_FAIL) == SIZE_MAX);
	runbook_run_free(run);
	runbook_free(runbook);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_allows_what_the_table_says),
		cmocka_unit_test(engine_asks_what_policy_says),
		cmocka_unit_test(engine_sends_nothing_without_the_right_answer),
		cmocka_unit_test(engine_takes_a_refusal_of_the_gate),
		cmocka_unit_test(engine_does_not_know_what_a_signal_ended),
		cmocka_unit_test(engine_never_repeats_an_unknown_write),
		cmocka_unit_test(engine_settles_an_unknown_write_as_done),
		cmocka_unit_test(engine_stops_where_a_failure_says_stop),
		cmocka_unit_test(engine_does_not_run_what_is_not_checked),
		cmocka_unit_test(engine_watches_until_it_holds),
		cmocka_unit_test(engine_follows_until_halted),
		cmocka_unit_test(engine_wraps_commands),
		cmocka_unit_test(engine_branches),
		cmocka_unit_test(engine_captures),
		cmocka_unit_test(engine_says_what_is_not_configured),
		cmocka_unit_test(engine_refuses_variables_it_does_not_have),
		cmocka_unit_test(engine_leaves_and_resumes),
		cmocka_unit_test(engine_restores),
		cmocka_unit_test(engine_looks_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
