/*
 * The run's state machine: a table of what is possible where, and a function for each. No clock, no
 * I/O: time comes with events, acts leave as effects.
 */
#include <pgoncall/runbook/engine.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "run.h"

/* --- arriving at a step ---------------------------------------------------------------------- */

/* What a handler works on. */
struct engine {
	struct runbook_run *run;
	const struct runbook_event *event;
	struct runbook_effect *effect;
	struct err *err;
};

static int engine_to(struct engine *e, enum runbook_state state, enum runbook_effect_kind effect)
{
	e->run->state = state;
	e->effect->kind = effect;
	return 0;
}

static int engine_block(struct engine *e, const char *why)
{
	run_set_string(&e->run->why, why);
	return engine_to(e, RUNBOOK_STATE_BLOCKED, RUNBOOK_EFFECT_SHOW);
}

/* What the operator will have to type. */
static void engine_judge_danger(struct runbook_run *run)
{
	struct gate_request request;

	run->act = POLICY_ACT_READ;
	run->level = POLICY_NONE;
	run->want = NULL;
	if (run_step(run)->language == RUNBOOK_MANUAL || run_step(run)->mode == RUNBOOK_READ)
		return;
	runbook_run_request(run, &request);
	run->act = request.act;
	run->level = gate_level(run->options.environment, &request, &run->want);
}

/* The step can be read and, if it has a block, run. */
static int engine_show(struct engine *e, const char *why)
{
	struct err err;

	if (run_resolve(e->run, &err) < 0)
		return engine_block(e, err.text);
	engine_judge_danger(e->run);
	run_set_string(&e->run->why, why);
	return engine_to(e, RUNBOOK_STATE_SHOWN, RUNBOOK_EFFECT_SHOW);
}

/* The first variable that is missing and can be asked for; or why one cannot. */
static const struct runbook_var *engine_missing(struct runbook_run *run, struct err *err)
{
	const struct runbook_var *var, *pick = NULL;
	struct strlist names;
	size_t i;

	strlist_init(&names);
	runbook_unset(run_step(run), &run->vars, &names);
	err->code = ERR_OK;
	for (i = 0; i < names.n && err->code == ERR_OK; i++) {
		var = runbook_var_find(run->runbook, names.items[i]);
		if (!var || var->captured)
			runbook_type_check(RUNBOOK_TEXT, names.items[i], NULL, err);
		else if (!pick)
			pick = var;
	}
	strlist_fini(&names);
	return err->code == ERR_OK ? pick : NULL;
}

/* Asks for what is missing, one thing at a time; shows the step when nothing is. */
static int engine_prepare(struct engine *e)
{
	struct runbook_run *run = e->run;
	struct err err;

	run->pick = engine_missing(run, &err);
	if (err.code != ERR_OK)
		return engine_block(e, err.text);
	if (run->pick)
		return engine_to(e, RUNBOOK_STATE_PICKING, RUNBOOK_EFFECT_PICK);
	if (run->check < run_step(run)->checks.n)
		return engine_to(e, RUNBOOK_STATE_CHECKING, RUNBOOK_EFFECT_CHECK);
	return engine_show(e, "");
}

static bool engine_applies(const struct runbook_run *run, const struct runbook_step *step)
{
	return !step->has_when || run->outcomes[step->when_step] == step->when_outcome;
}

/* Clears what belongs to the step before, and asks for what this one needs. */
static int engine_begin(struct engine *e)
{
	struct runbook_run *run = e->run;

	run->check = 0;
	run->pick = NULL;
	run->halted = false;
	run->want = NULL;
	runbook_command_fini(&run->command);
	run_set_string(&run->typed, "");
	run_set_string(&run->why, "");
	run_set_string(&run->verdict, "");
	free(run->answers);
	run->answers = mem_calloc(run_step(run)->checks.n + 1, sizeof(*run->answers));
	return engine_prepare(e);
}

/* At this step, or at the first after it whose condition holds. */
static int engine_arrive(struct engine *e, size_t step)
{
	struct runbook_run *run = e->run;

	while (step < run->runbook->n_steps && !engine_applies(run, &run->runbook->steps[step]))
		step++;
	run->step = step;
	if (step == run->runbook->n_steps)
		return engine_to(e, RUNBOOK_STATE_FINISHED, RUNBOOK_EFFECT_FINISHED);
	return engine_begin(e);
}

static void engine_record(struct engine *e, enum runbook_outcome outcome, const char *reason)
{
	struct runbook_run *run = e->run;

	run->outcomes[run->step] = outcome;
	e->effect->record.step = run_step(run)->name;
	e->effect->record.outcome = outcome;
	e->effect->record.reason = reason;
}

static int engine_judge(struct engine *e, enum runbook_outcome outcome, const char *verdict)
{
	run_set_string(&e->run->verdict, verdict);
	engine_record(e, outcome, e->run->verdict);
	return engine_to(e, RUNBOOK_STATE_JUDGED, RUNBOOK_EFFECT_JUDGED);
}

/* --- handlers -------------------------------------------------------------------------------- */

static int on_start(struct engine *e)
{
	return engine_arrive(e, 0);
}

static int on_prepare(struct engine *e)
{
	return engine_prepare(e);
}

/* Another value for what is shown: its checks were about the other one. */
static int on_begin(struct engine *e)
{
	return engine_begin(e);
}

static bool has_reason(struct engine *e)
{
	if (!str_empty(e->event->text))
		return true;
	err_set(e->err, ERR_REFUSED, "a reason is missing; it goes into the journal");
	return false;
}

/* The first check that was answered "not done", or n. */
static size_t engine_not_done(const struct runbook_run *run)
{
	size_t i;

	for (i = 0; i < run_step(run)->checks.n; i++)
		if (run->answers[i] == RUNBOOK_CHECK_NOT_DONE)
			break;
	return i;
}

static int on_check(struct engine *e)
{
	struct runbook_run *run = e->run;
	const struct runbook_step *step = run_step(run);
	struct buf why = BUF_INIT;
	size_t missing;

	if (e->event->answer == RUNBOOK_CHECK_SKIP && !has_reason(e))
		return -1;
	if (e->event->answer == RUNBOOK_CHECK_SKIP)
		run_set_string(&run->reason, e->event->text);
	run->answers[run->check++] = e->event->answer;
	if (run->check < step->checks.n)
		return engine_to(e, RUNBOOK_STATE_CHECKING, RUNBOOK_EFFECT_CHECK);
	missing = engine_not_done(run);
	if (missing == step->checks.n && step->language != RUNBOOK_MANUAL)
		return engine_show(e, "");
	if (missing == step->checks.n)
		return engine_judge(e, RUNBOOK_OK, "Done by hand.");
	buf_printf(&why, "Not done: %s", step->checks.items[missing]);
	if (step->language == RUNBOOK_MANUAL)
		engine_judge(e, RUNBOOK_FAIL, buf_str(&why));
	else
		engine_block(e, buf_str(&why));
	buf_fini(&why);
	return 0;
}

static int on_done(struct engine *e)
{
	return engine_judge(
		e, RUNBOOK_OK, str_empty(e->event->text) ? "Done by hand." : e->event->text);
}

static int on_not_done(struct engine *e)
{
	return engine_judge(
		e, RUNBOOK_FAIL, str_empty(e->event->text) ? "Not done." : e->event->text);
}

static int engine_run(struct engine *e)
{
	e->run->began_ns = e->event->now_ns;
	e->run->halted = false;
	return engine_to(e, RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_RUN);
}

static int on_go(struct engine *e)
{
	struct runbook_run *run = e->run;

	if (run_step(run)->language == RUNBOOK_MANUAL)
		return on_done(e);
	if (engine_show(e, "") < 0 || run->state != RUNBOOK_STATE_SHOWN)
		return 0;
	if (run_step(run)->mode == RUNBOOK_READ)
		return engine_run(e);
	run_set_string(&run->typed, "");
	return engine_to(e, RUNBOOK_STATE_CONFIRMING, RUNBOOK_EFFECT_CONFIRM);
}

static int on_answer(struct engine *e)
{
	struct runbook_run *run = e->run;
	struct buf why = BUF_INIT;

	if (!str_empty(run->want) && str_equal(run->want, e->event->text)) {
		run_set_string(&run->typed, e->event->text);
		return engine_run(e);
	}
	buf_printf(&why, "Not confirmed: nothing was sent. \"%s\" was to be typed.",
		run->want ? run->want : "");
	engine_show(e, buf_str(&why));
	buf_fini(&why);
	return 0;
}

static int on_cancel(struct engine *e)
{
	run_set_string(&e->run->typed, "");
	return engine_show(e, str_empty(e->event->text) ? "Nothing was sent." : e->event->text);
}

/* The captured value must be what its variable may be. */
static int engine_capture(
	struct runbook_run *run, const struct runbook_result *result, struct err *err)
{
	const struct runbook_step *step = run_step(run);
	const struct runbook_var *var;
	char *value;
	int rc;

	if (!*step->capture)
		return 0;
	var = runbook_var_find(run->runbook, step->capture);
	value = runbook_result_value(step, result);
	rc = runbook_type_check(var->type, var->name, value, err);
	if (rc == 0)
		runbook_vars_set(&run->vars, var->name, value);
	free(value);
	return rc;
}

static bool engine_watch_goes_on(const struct engine *e)
{
	const struct runbook_step *step = run_step(e->run);

	return step->watch_ns && !e->run->halted && e->event->result->ran != RUNBOOK_RAN_UNKNOWN &&
	       e->event->now_ns - e->run->began_ns < step->timeout_ns;
}

/* A stream that the operator ended is done, whatever its exit status is then. */
static bool engine_stream_ended(const struct engine *e)
{
	return run_step(e->run)->stream && e->run->halted;
}

/* A shell's exit status above this is a signal's number. POSIX, 2.8.2. */
#define EXIT_BY_SIGNAL 128

static int on_result(struct engine *e)
{
	struct runbook_run *run = e->run;
	const struct runbook_step *step = run_step(run);
	bool unknown = e->event->result->ran == RUNBOOK_RAN_UNKNOWN;
	struct buf verdict = BUF_INIT;
	struct err err;
	bool ok;

	if (engine_stream_ended(e))
		return engine_judge(e, RUNBOOK_OK, "Ended by the operator.");
	ok = runbook_expect_check(step, &run->vars, e->event->result, &verdict);
	if (ok && engine_capture(run, e->event->result, &err) < 0) {
		ok = false;
		buf_clear(&verdict);
		buf_add_str(&verdict, err.text);
	}
	/* Ended by a signal: a client dies, and what it had begun goes on, in its container or in the
	 * database. */
	unknown |= !ok && step->language == RUNBOOK_SH && e->event->result->ran == RUNBOOK_RAN &&
		   e->event->result->exit > EXIT_BY_SIGNAL;
	if (unknown && step->mode == RUNBOOK_WRITE) {
		engine_judge(e, RUNBOOK_UNKNOWN, buf_str(&verdict));
		run->state = RUNBOOK_STATE_UNSETTLED;
	} else if (!ok && engine_watch_goes_on(e)) {
		run_set_string(&run->verdict, buf_str(&verdict));
		e->effect->wait_ns = step->watch_ns;
		engine_to(e, RUNBOOK_STATE_WATCHING, RUNBOOK_EFFECT_WAIT);
	} else {
		engine_judge(e, ok ? RUNBOOK_OK : RUNBOOK_FAIL, buf_str(&verdict));
	}
	buf_fini(&verdict);
	return 0;
}

static int on_halt(struct engine *e)
{
	e->run->halted = true;
	return engine_to(e, RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_HALT);
}

static int on_halt_watch(struct engine *e)
{
	char *last = mem_strdup(e->run->verdict);

	engine_judge(e, RUNBOOK_FAIL, *last ? last : "Ended by the operator.");
	free(last);
	return 0;
}

static int on_tick(struct engine *e)
{
	return engine_to(e, RUNBOOK_STATE_RUNNING, RUNBOOK_EFFECT_RUN);
}

static int engine_follow(struct engine *e, const struct runbook_branch *branch)
{
	switch (branch->follow) {
	case RUNBOOK_GOTO:
		return engine_arrive(e, branch->goto_step);
	case RUNBOOK_END:
		e->run->step = e->run->runbook->n_steps;
		return engine_to(e, RUNBOOK_STATE_FINISHED, RUNBOOK_EFFECT_FINISHED);
	case RUNBOOK_STOP:
		run_set_string(&e->run->reason, e->run->verdict);
		return engine_to(e, RUNBOOK_STATE_ESCALATED, RUNBOOK_EFFECT_ESCALATED);
	case RUNBOOK_NEXT:
	case RUNBOOK_ASK:
		break;
	}
	return engine_arrive(e, e->run->step + 1);
}

static int on_follow(struct engine *e)
{
	const struct runbook_step *step = run_step(e->run);

	return engine_follow(
		e, e->run->outcomes[e->run->step] == RUNBOOK_OK ? &step->ok : &step->fail);
}

/* Forgets the step's picks: all of them, or only those that name something that lives. */
static void engine_forget(struct runbook_run *run, const struct runbook_step *step, bool all)
{
	const struct runbook_field *field;
	const struct runbook_var *var;
	char *full;
	size_t i;

	for (i = 0; i < step->parts.n; i++) {
		if (step->parts.items[i].kind != RUNBOOK_PART_VAR)
			continue;
		full = mem_strndup(
			step->parts.items[i].var, strcspn(step->parts.items[i].var, "."));
		var = runbook_var_find(run->runbook, full);
		if (var && !var->captured && all)
			runbook_vars_set(&run->vars, var->name, NULL);
		free(full);
		for (field = var && var->picker ? var->picker->fields : NULL; field && field->name;
			field++) {
			full = mem_printf("%s.%s", var->name, field->name);
			runbook_vars_set(&run->vars, full, NULL);
			free(full);
		}
	}
}

static int on_retry(struct engine *e)
{
	struct runbook_run *run = e->run;
	bool by_check = run->state == RUNBOOK_STATE_BLOCKED && run->check;

	engine_forget(run, run_step(run), run->state != RUNBOOK_STATE_JUDGED && !by_check);
	return engine_begin(e);
}

static int on_skip(struct engine *e)
{
	if (!has_reason(e))
		return -1;
	run_set_string(&e->run->reason, e->event->text);
	engine_record(e, RUNBOOK_SKIPPED, e->run->reason);
	return engine_arrive(e, e->run->step + 1);
}

static int on_stop(struct engine *e)
{
	if (!has_reason(e))
		return -1;
	run_set_string(&e->run->reason, e->event->text);
	return engine_to(e, RUNBOOK_STATE_ESCALATED, RUNBOOK_EFFECT_ESCALATED);
}

static int on_leave(struct engine *e)
{
	e->run->left_in = e->run->state;
	return engine_to(e, RUNBOOK_STATE_LEFT, RUNBOOK_EFFECT_LEFT);
}

static int on_resume(struct engine *e)
{
	if (e->run->left_in == RUNBOOK_STATE_UNSETTLED || e->run->left_in == RUNBOOK_STATE_JUDGED)
		return engine_to(e, e->run->left_in, RUNBOOK_EFFECT_JUDGED);
	engine_forget(e->run, run_step(e->run), false);
	return engine_begin(e);
}

/* --- what is possible where ------------------------------------------------------------------ */

static bool is_manual(const struct runbook_run *run)
{
	return run_step(run)->language == RUNBOOK_MANUAL;
}

/* Not while a decision is wanted. */
static bool can_follow(const struct runbook_run *run)
{
	return run->outcomes[run->step] == RUNBOOK_OK || run_step(run)->fail.follow != RUNBOOK_ASK;
}

static bool has_failed(const struct runbook_run *run)
{
	return run->outcomes[run->step] == RUNBOOK_FAIL;
}

/* A write that was done is not done twice. */
static bool can_retry(const struct runbook_run *run)
{
	return has_failed(run) || is_manual(run) || run_step(run)->mode == RUNBOOK_READ;
}

static const struct transition {
	enum runbook_state state;
	enum runbook_event_kind event;
	int (*handle)(struct engine *e);
	bool (*guard)(const struct runbook_run *run); /* NULL: always */
} transitions[] = {
	{ RUNBOOK_STATE_NEW, RUNBOOK_EVENT_START, on_start, NULL },

	{ RUNBOOK_STATE_PICKING, RUNBOOK_EVENT_PICK, on_prepare, NULL },
	{ RUNBOOK_STATE_PICKING, RUNBOOK_EVENT_SKIP, on_skip, NULL },
	{ RUNBOOK_STATE_PICKING, RUNBOOK_EVENT_STOP, on_stop, NULL },
	{ RUNBOOK_STATE_PICKING, RUNBOOK_EVENT_LEAVE, on_leave, NULL },

	{ RUNBOOK_STATE_CHECKING, RUNBOOK_EVENT_CHECK, on_check, NULL },
	{ RUNBOOK_STATE_CHECKING, RUNBOOK_EVENT_SKIP, on_skip, NULL },
	{ RUNBOOK_STATE_CHECKING, RUNBOOK_EVENT_STOP, on_stop, NULL },
	{ RUNBOOK_STATE_CHECKING, RUNBOOK_EVENT_LEAVE, on_leave, NULL },

	{ RUNBOOK_STATE_SHOWN, RUNBOOK_EVENT_GO, on_go, NULL },
	{ RUNBOOK_STATE_SHOWN, RUNBOOK_EVENT_DONE, on_done, is_manual },
	{ RUNBOOK_STATE_SHOWN, RUNBOOK_EVENT_NOT_DONE, on_not_done, is_manual },
	{ RUNBOOK_STATE_SHOWN, RUNBOOK_EVENT_PICK, on_begin, NULL },
	{ RUNBOOK_STATE_SHOWN, RUNBOOK_EVENT_RETRY, on_retry, NULL },
	{ RUNBOOK_STATE_SHOWN, RUNBOOK_EVENT_SKIP, on_skip, NULL },
	{ RUNBOOK_STATE_SHOWN, RUNBOOK_EVENT_STOP, on_stop, NULL },
	{ RUNBOOK_STATE_SHOWN, RUNBOOK_EVENT_LEAVE, on_leave, NULL },

	{ RUNBOOK_STATE_BLOCKED, RUNBOOK_EVENT_PICK, on_begin, NULL },
	{ RUNBOOK_STATE_BLOCKED, RUNBOOK_EVENT_RETRY, on_retry, NULL },
	{ RUNBOOK_STATE_BLOCKED, RUNBOOK_EVENT_SKIP, on_skip, NULL },
	{ RUNBOOK_STATE_BLOCKED, RUNBOOK_EVENT_STOP, on_stop, NULL },
	{ RUNBOOK_STATE_BLOCKED, RUNBOOK_EVENT_LEAVE, on_leave, NULL },

	{ RUNBOOK_STATE_CONFIRMING, RUNBOOK_EVENT_ANSWER, on_answer, NULL },
	{ RUNBOOK_STATE_CONFIRMING, RUNBOOK_EVENT_CANCEL, on_cancel, NULL },
	{ RUNBOOK_STATE_CONFIRMING, RUNBOOK_EVENT_LEAVE, on_leave, NULL },

	{ RUNBOOK_STATE_RUNNING, RUNBOOK_EVENT_RESULT, on_result, NULL },
	{ RUNBOOK_STATE_RUNNING, RUNBOOK_EVENT_HALT, on_halt, NULL },
	{ RUNBOOK_STATE_RUNNING, RUNBOOK_EVENT_CANCEL, on_cancel, NULL },

	{ RUNBOOK_STATE_WATCHING, RUNBOOK_EVENT_TICK, on_tick, NULL },
	{ RUNBOOK_STATE_WATCHING, RUNBOOK_EVENT_HALT, on_halt_watch, NULL },
	{ RUNBOOK_STATE_WATCHING, RUNBOOK_EVENT_LEAVE, on_leave, NULL },

	{ RUNBOOK_STATE_UNSETTLED, RUNBOOK_EVENT_DONE, on_done, NULL },
	{ RUNBOOK_STATE_UNSETTLED, RUNBOOK_EVENT_NOT_DONE, on_not_done, NULL },
	{ RUNBOOK_STATE_UNSETTLED, RUNBOOK_EVENT_STOP, on_stop, NULL },
	{ RUNBOOK_STATE_UNSETTLED, RUNBOOK_EVENT_LEAVE, on_leave, NULL },

	{ RUNBOOK_STATE_JUDGED, RUNBOOK_EVENT_GO, on_follow, can_follow },
	{ RUNBOOK_STATE_JUDGED, RUNBOOK_EVENT_RETRY, on_retry, can_retry },
	{ RUNBOOK_STATE_JUDGED, RUNBOOK_EVENT_SKIP, on_skip, has_failed },
	{ RUNBOOK_STATE_JUDGED, RUNBOOK_EVENT_STOP, on_stop, NULL },
	{ RUNBOOK_STATE_JUDGED, RUNBOOK_EVENT_LEAVE, on_leave, NULL },

	{ RUNBOOK_STATE_LEFT, RUNBOOK_EVENT_RESUME, on_resume, NULL },
};

static const struct transition *engine_find(
	const struct runbook_run *run, enum runbook_event_kind kind)
{
	size_t i;

	for (i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++)
		if (transitions[i].state == run->state && transitions[i].event == kind &&
			(!transitions[i].guard || transitions[i].guard(run)))
			return &transitions[i];
	return NULL;
}

bool runbook_run_can(const struct runbook_run *run, enum runbook_event_kind kind)
{
	return engine_find(run, kind) != NULL;
}

int runbook_run_event(struct runbook_run *run, const struct runbook_event *event,
	struct runbook_effect *effect, struct err *err)
{
	const struct transition *t = engine_find(run, event->kind);
	struct engine e = { run, event, effect, err };

	memset(effect, 0, sizeof(*effect));
	if (t)
		return t->handle(&e);
	if (run->state == RUNBOOK_STATE_JUDGED && event->kind == RUNBOOK_EVENT_GO)
		return err_set(err, ERR_REFUSED,
			"this step failed: retry it, skip it with a reason, or stop here");
	return err_set(err, ERR_REFUSED, "\"%s\" is not possible now (the step is %s)",
		runbook_event_name(event->kind), runbook_state_name(run->state));
}

/* --- looking ahead --------------------------------------------------------------------------- */

static bool ahead_applies(const struct runbook_run *run, const struct runbook_step *step,
	enum runbook_outcome outcome)
{
	enum runbook_outcome was;

	if (!step->has_when)
		return true;
	was = step->when_step == run->step ? outcome : run->outcomes[step->when_step];
	return was == step->when_outcome;
}

size_t runbook_run_next(const struct runbook_run *run, enum runbook_outcome outcome)
{
	const struct runbook_step *step = runbook_run_step(run);
	const struct runbook_branch *branch;
	size_t next;

	if (!step)
		return SIZE_MAX;
	branch = outcome == RUNBOOK_FAIL ? &step->fail : &step->ok;
	if (outcome != RUNBOOK_SKIPPED && branch->follow == RUNBOOK_END)
		return run->runbook->n_steps;
	if (outcome == RUNBOOK_FAIL && branch->follow != RUNBOOK_GOTO)
		return SIZE_MAX;
	next = outcome != RUNBOOK_SKIPPED && branch->follow == RUNBOOK_GOTO ? branch->goto_step
									    : run->step + 1;
	while (next < run->runbook->n_steps &&
		!ahead_applies(run, &run->runbook->steps[next], outcome))
		next++;
	return next;
}

/* --- finding the place again ----------------------------------------------------------------- */

static int restore_outcomes(
	struct runbook_run *run, const struct runbook_record *records, size_t n, struct err *err)
{
	const struct runbook_step *step;
	size_t i;

	for (i = 0; i < n; i++) {
		step = runbook_step_find(run->runbook, records[i].step);
		if (!step || records[i].outcome == RUNBOOK_NO_OUTCOME)
			return err_set(err, ERR_REFUSED,
				"%s has changed since: it has no step \"%s\" any more; begin it "
				"anew",
				run->runbook->title, records[i].step);
		run->step = (size_t)(step - run->runbook->steps);
		run->outcomes[run->step] = records[i].outcome;
	}
	return 0;
}

int runbook_run_restore(struct runbook_run *run, const struct runbook_record *records, size_t n,
	struct runbook_effect *effect, struct err *err)
{
	struct runbook_event event = { .kind = RUNBOOK_EVENT_START };
	struct engine e = { run, &event, effect, err };
	size_t i;

	memset(effect, 0, sizeof(*effect));
	if (run->state != RUNBOOK_STATE_NEW)
		return err_set(err, ERR_REFUSED, "this run has begun already");
	if (restore_outcomes(run, records, n, err) < 0)
		return -1;
	for (i = 0; i < run->runbook->n_steps; i++)
		engine_forget(run, &run->runbook->steps[i], false);
	if (!n)
		return engine_arrive(&e, 0);
	run_set_string(&run->verdict, records[n - 1].reason);
	switch (records[n - 1].outcome) {
	case RUNBOOK_OK:
		return engine_follow(&e, &run_step(run)->ok);
	case RUNBOOK_UNKNOWN:
		return engine_to(&e, RUNBOOK_STATE_UNSETTLED, RUNBOOK_EFFECT_JUDGED);
	case RUNBOOK_FAIL:
		return engine_to(&e, RUNBOOK_STATE_JUDGED, RUNBOOK_EFFECT_JUDGED);
	case RUNBOOK_SKIPPED:
	case RUNBOOK_NO_OUTCOME:
		break;
	}
	return engine_arrive(&e, run->step + 1);
}
