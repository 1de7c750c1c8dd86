/*
 * The runbook that is open: opening and closing it, its keys, and the way from the engine's effects
 * to what carries them out.
 */
#include "console_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/app/keys.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/ui/pane_runbook.h>

/* --- the pane -------------------------------------------------------------------------------- */

static const struct {
	enum key_command command;
	enum runbook_event_kind events[2]; /* possible when one of these is */
	size_t n;
} run_keys[] = {
	{ CMD_STEP_DONE, { RUNBOOK_EVENT_DONE, RUNBOOK_EVENT_CHECK }, 2 },
	{ CMD_STEP_NOT_DONE, { RUNBOOK_EVENT_NOT_DONE, RUNBOOK_EVENT_CHECK }, 2 },
	{ CMD_STEP_SKIP, { RUNBOOK_EVENT_SKIP, RUNBOOK_EVENT_CHECK }, 2 },
	{ CMD_STEP_AGAIN, { RUNBOOK_EVENT_RETRY }, 1 },
	{ CMD_STEP_STOP, { RUNBOOK_EVENT_STOP }, 1 },
};

/* Only keys that do something now are offered. */
static void run_show_keys(struct app *app)
{
	struct key_set keys;
	size_t i, j;
	bool can;

	app_keys_init(&keys);
	keys.on[CMD_TARGET] = app->config.n_targets > 1;
	for (i = 0; app->run && i < sizeof(run_keys) / sizeof(run_keys[0]); i++) {
		can = false;
		for (j = 0; j < run_keys[i].n; j++)
			can = can || runbook_run_can(app->run->run, run_keys[i].events[j]);
		keys.on[run_keys[i].command] = can;
	}
	if (app->run)
		keys.on[CMD_RUNBOOK_LINK] =
			runbook_run_step(app->run->run) && runbook_run_step(app->run->run)->links.n;
	console_set_keys(app->console, &keys);
}

void app_run_show(struct app *app)
{
	struct app_run *r = app->run;
	struct runbook_view view;
	bool fresh;

	memset(&view, 0, sizeof(view));
	if (!r) {
		console_set_runbook(app->console, &view, true);
		run_show_keys(app);
		return;
	}
	free(r->refusal);
	r->refusal = run_refusal(r);
	view.run = r->run;
	view.refusal = r->refusal;
	view.began_ns = r->began_ns;
	view.ended_ns = r->ended_ns;
	if (r->exec)
		view.output = run_exec_shown(r->exec, &view.dropped);
	view.evidence = buf_str(&r->evidence.text);
	view.interruptible = app_run_is_interruptible(app);
	view.stopped = buf_str(&r->stop.text);
	fresh = r->run->step != r->shown_step || r->run->state != r->shown_state;
	r->shown_step = r->run->step;
	r->shown_state = r->run->state;
	console_set_runbook(app->console, &view, fresh);
	run_show_keys(app);
	app_dirty(app);
}

/* --- the engine ------------------------------------------------------------------------------ */

void run_refresh_vars(struct app_run *r)
{
	if (r->run->state != RUNBOOK_STATE_CONFIRMING && r->run->state != RUNBOOK_STATE_RUNNING)
		run_vars_provide_target(r->app->target, &r->run->vars);
}

static void run_on_again(struct loop_timer *timer, void *arg)
{
	struct app_run *r = arg;

	loop_timer_stop(timer);
	r->again = NULL;
	run_event(r, RUNBOOK_EVENT_TICK, NULL);
}

static void run_wait(struct app_run *r, int64_t wait_ns)
{
	loop_timer_stop(r->again);
	r->again = loop_timer_start(r->app->loop, wait_ns / CLOCK_NS_PER_MS, 0, run_on_again, r);
}

/* What belongs to the step before is not shown with this one. */
static void run_clear_step(struct app_run *r)
{
	run_exec_free(r->exec);
	r->exec = NULL;
	run_exec_free(r->list);
	r->list = NULL;
	r->began_ns = r->ended_ns = 0;
	r->intent_seq = 0;
	run_look_stop(r);
	run_stop_clear(r);
}

static void run_judged(struct app_run *r)
{
	if (r->run->state == RUNBOOK_STATE_UNSETTLED)
		run_look_begin(r);
	else
		target_refresh(r->app->target);
}

static void run_effect(struct app_run *r, const struct runbook_effect *effect)
{
	switch (effect->kind) {
	case RUNBOOK_EFFECT_PICK:
		run_pick(r);
		break;
	case RUNBOOK_EFFECT_CONFIRM:
		run_confirm(r);
		break;
	case RUNBOOK_EFFECT_RUN:
		run_start(r);
		break;
	case RUNBOOK_EFFECT_HALT:
		run_exec_halt(r->exec, "ended by the operator");
		break;
	case RUNBOOK_EFFECT_WAIT:
		run_wait(r, effect->wait_ns);
		break;
	case RUNBOOK_EFFECT_JUDGED:
		run_judged(r);
		break;
	case RUNBOOK_EFFECT_LEFT:
		run_record_mark(r, "left");
		break;
	case RUNBOOK_EFFECT_FINISHED:
		run_record_mark(r, "finished");
		break;
	case RUNBOOK_EFFECT_ESCALATED:
		run_record_mark(r, "stopped");
		break;
	case RUNBOOK_EFFECT_CHECK:
	case RUNBOOK_EFFECT_SHOW:
	case RUNBOOK_EFFECT_NONE:
		break;
	}
}

static void run_send(struct app_run *r, struct runbook_event *event)
{
	struct runbook_effect effect;
	struct run_marked marked;
	size_t step = r->run->step;
	char *check = NULL;
	bool after_failure = event->kind == RUNBOOK_EVENT_GO &&
			     r->run->state == RUNBOOK_STATE_JUDGED &&
			     r->run->outcomes[step] == RUNBOOK_FAIL;
	struct err err;
	int rc;

	event->now_ns = clock_monotonic();
	run_refresh_vars(r);
	run_stop_mark(r, &marked);
	if (event->kind == RUNBOOK_EVENT_CHECK && r->run->state == RUNBOOK_STATE_CHECKING)
		check = mem_strdup(runbook_run_step(r->run)->checks.items[r->run->check]);
	if (event->kind != RUNBOOK_EVENT_TICK) {
		loop_timer_stop(r->again);
		r->again = NULL;
	}
	rc = runbook_run_event(r->run, event, &effect, &err);
	run_stop_unmark(r, &marked, rc == 0);
	if (rc < 0) {
		free(check);
		app_message(r->app, CONSOLE_WARNING, "%s", err.text);
		return;
	}
	if (event->kind == RUNBOOK_EVENT_RESULT && r->intent_seq > 0)
		run_record_result(r, event->result);
	if (check)
		run_record_check(r, check, event->answer);
	free(check);
	if (effect.record.step)
		run_record_outcome(r, &effect.record,
			event->kind == RUNBOOK_EVENT_RESULT ? event->result : NULL);
	if (after_failure)
		run_record_arrival(r);
	if (r->run->step != step || event->kind == RUNBOOK_EVENT_RETRY)
		run_clear_step(r);
	run_effect(r, &effect);
	app_show_facts(r->app);
}

void run_event(struct app_run *r, enum runbook_event_kind kind, const char *text)
{
	struct runbook_event event = { .kind = kind, .text = text };

	run_send(r, &event);
}

void run_check_event(struct app_run *r, enum runbook_answer answer, const char *text)
{
	struct runbook_event event = {
		.kind = RUNBOOK_EVENT_CHECK, .answer = answer, .text = text
	};

	run_send(r, &event);
}

void run_result_event(struct app_run *r, const struct runbook_result *result)
{
	struct runbook_event event = { .kind = RUNBOOK_EVENT_RESULT, .result = result };

	run_send(r, &event);
}

/* --- beginning ------------------------------------------------------------------------------- */

bool app_run_is_busy(const struct app *app)
{
	const struct app_run *r = app->run;

	return r && (r->executing || r->run->state == RUNBOOK_STATE_WATCHING);
}

static unsigned run_have(struct app *app)
{
	const struct db_snapshot *snapshot = target_snapshot(app->target);
	unsigned have = run_vars_have(app->section);

	if (snapshot && !snapshot->server.standby)
		have |= RUNBOOK_REQUIRE_PRIMARY;
	if (app_is_armed(app) || app_policy_environment(app) != POLICY_PRODUCTION)
		have |= RUNBOOK_REQUIRE_ARMED;
	return have;
}

static void run_begin(struct app_run *r)
{
	struct err err;

	if (runbook_require_check(r->run->runbook, run_have(r->app), &err) < 0) {
		app_message(r->app, CONSOLE_WARNING, "%s", err.text);
		return;
	}
	run_record_mark(r, "begun");
	run_event(r, RUNBOOK_EVENT_START, NULL);
}

static void run_close(struct app_run *r)
{
	if (r->executing)
		app_message(r->app, CONSOLE_WARNING,
			"The step is running: Ctrl-C interrupts it, then it can be closed.");
	else
		run_close_open(r->app);
}

/* --- keys ------------------------------------------------------------------------------------ */

static void run_ask_reason(struct app_run *r, enum run_reason reason)
{
	static const char *const questions[] = {
		[RUN_REASON_SKIP] = "Why is this step skipped? It goes into the journal:",
		[RUN_REASON_CHECK] = "Why is this check skipped? It goes into the journal:",
		[RUN_REASON_STOP] = "Why does it stop here? It goes into the journal:",
	};

	r->reason = reason;
	console_ask(r->app->console, APP_ASK_RUN_REASON,
		reason == RUN_REASON_STOP ? "Stop" : "Skip", questions[reason], false);
}

/* A write that the gate would refuse anyway is not asked about. */
static void run_go(struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);

	app_run_show(r->app); /* what is refused, as of now */
	switch (r->run->state) {
	case RUNBOOK_STATE_NEW:
		run_begin(r);
		return;
	case RUNBOOK_STATE_PICKING:
		run_pick(r);
		return;
	case RUNBOOK_STATE_FINISHED:
	case RUNBOOK_STATE_ESCALATED:
		run_close(r);
		return;
	case RUNBOOK_STATE_LEFT:
		run_event(r, RUNBOOK_EVENT_RESUME, NULL);
		return;
	case RUNBOOK_STATE_SHOWN:
		if (step->language == RUNBOOK_MANUAL) {
			app_message(r->app, CONSOLE_INFO,
				"This is done by hand: d when it is done, x when it is not.");
			return;
		}
		if (step->mode == RUNBOOK_WRITE && r->refusal) {
			app_message(r->app, CONSOLE_ERROR, "%s", r->refusal);
			return;
		}
		break;
	default:
		break;
	}
	run_event(r, RUNBOOK_EVENT_GO, NULL);
}

/* d and x: about a check, a step done by hand, or a write of unknown result. */
static void run_answer(struct app_run *r, bool done)
{
	if (r->run->state == RUNBOOK_STATE_CHECKING) {
		run_check_event(r, done ? RUNBOOK_CHECK_DONE : RUNBOOK_CHECK_NOT_DONE, NULL);
		return;
	}
	if (r->run->state == RUNBOOK_STATE_UNSETTLED)
		run_record_settled(r, done ? "looked: it was done" : "looked: it was not done");
	run_event(r, done ? RUNBOOK_EVENT_DONE : RUNBOOK_EVENT_NOT_DONE, NULL);
}

static void run_open_link(struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);

	if (!step || !step->links.n)
		return;
	if (r->executing) {
		app_message(r->app, CONSOLE_WARNING, "The step is running: wait, or Ctrl-C.");
		return;
	}
	strlist_fini(&r->links);
	strlist_copy(&r->links, &step->links);
	console_pick(r->app->console, APP_ASK_RUN_LINK, "Go on with", &r->links, 0);
}

static void run_key(struct app_run *r, enum key_command command)
{
	switch (command) {
	case CMD_STEP_GO:
		run_go(r);
		break;
	case CMD_STEP_DONE:
		run_answer(r, true);
		break;
	case CMD_STEP_NOT_DONE:
		run_answer(r, false);
		break;
	case CMD_STEP_SKIP:
		run_ask_reason(r, r->run->state == RUNBOOK_STATE_CHECKING ? RUN_REASON_CHECK
									  : RUN_REASON_SKIP);
		break;
	case CMD_STEP_STOP:
		run_ask_reason(r, RUN_REASON_STOP);
		break;
	case CMD_STEP_AGAIN:
		run_event(r, RUNBOOK_EVENT_RETRY, NULL);
		break;
	case CMD_RUNBOOK_LINK:
		run_open_link(r);
		break;
	case CMD_RUNBOOK_CLOSE:
		run_close(r);
		break;
	default:
		break;
	}
}

/* --- answers --------------------------------------------------------------------------------- */

static void run_reasoned(struct app_run *r, const char *text)
{
	if (r->reason == RUN_REASON_CHECK)
		run_check_event(r, RUNBOOK_CHECK_SKIP, text);
	else
		run_event(r, r->reason == RUN_REASON_STOP ? RUNBOOK_EVENT_STOP : RUNBOOK_EVENT_SKIP,
			text);
}

/* --- Ctrl-C ---------------------------------------------------------------------------------- */

/* The session that the write under way has in the database, or NULL. */
static const struct db_session *run_session(const struct app_run *r)
{
	const struct db_snapshot *snapshot = target_snapshot(r->app->target);
	struct run_mark mark = run_mark(r);
	size_t i;

	for (i = 0; snapshot && i < snapshot->n_sessions; i++)
		if (run_mark_is(&mark, &snapshot->sessions[i]))
			return &snapshot->sessions[i];
	return NULL;
}

static void run_cancel_session(struct app_run *r)
{
	const struct db_session *s = run_session(r);
	struct console_session session;

	if (!s) {
		app_message(r->app, CONSOLE_WARNING,
			"It has no session in the database now: nothing was cancelled.");
		return;
	}
	session = (struct console_session){ s->pid, s->backend_start, s->xact_start, s->query_start,
		s->gid };
	app_act_begin(r->app, DB_ACTION_CANCEL, &session, 1);
}

static void run_wait_no_longer(struct app_run *r)
{
	if (r->executing)
		run_event(r, RUNBOOK_EVENT_HALT, NULL);
}

static void run_wait_on(struct app_run *r)
{
	(void)r;
}

/* What can be done about a write that runs, or that may still run. */
static const struct {
	const char *text;
	bool shell_only, running_only;
	void (*act)(struct app_run *r);
} run_interrupts[] = {
	{ "Go on waiting for it", false, true, run_wait_on },
	{ "Leave it alone", false, false, run_wait_on },
	{ "End its process there, by TERM; asks first", true, false, run_stop_ask },
	{ "Cancel its session's statement in the database; asks first", false, false,
		run_cancel_session },
	{ "Wait no longer: it goes on running there, its result is then unknown", false, true,
		run_wait_no_longer },
};

static void run_ask_interrupt(struct app_run *r)
{
	struct strlist items;
	size_t i;

	strlist_init(&items);
	for (i = 0; i < sizeof(run_interrupts) / sizeof(run_interrupts[0]); i++) {
		if ((run_interrupts[i].shell_only && !run_stop_can(r)) ||
			(run_interrupts[i].running_only && !r->executing) ||
			(run_interrupts[i].act == run_wait_on && items.n))
			continue;
		r->interrupts[items.n] = (int)i;
		strlist_add(&items, run_interrupts[i].text);
	}
	console_pick(r->app->console, APP_ASK_RUN_INTERRUPT,
		r->executing ? "A write is under way" : "A write of unknown result", &items, 0);
	strlist_fini(&items);
}

/* A write of unknown result may have a process that goes on. */
bool app_run_is_interruptible(const struct app *app)
{
	const struct app_run *r = app->run;

	return app_run_is_busy(app) ||
	       (r && r->run->state == RUNBOOK_STATE_UNSETTLED && run_stop_can(r));
}

bool app_run_interrupt(struct app *app)
{
	struct app_run *r = app->run;

	if (!app_run_is_interruptible(app))
		return false;
	if (runbook_run_step(r->run)->mode == RUNBOOK_WRITE) {
		run_ask_interrupt(r);
		return true;
	}
	if (r->executing)
		run_stop_read(r);
	run_event(r, RUNBOOK_EVENT_HALT, NULL);
	return true;
}

/* The step may have ended meanwhile. */
static void run_interrupted(struct app_run *r, size_t choice)
{
	if (choice < sizeof(r->interrupts) / sizeof(r->interrupts[0]) &&
		(r->executing || r->run->state == RUNBOOK_STATE_UNSETTLED))
		run_interrupts[r->interrupts[choice]].act(r);
}

/* --- what the console says ------------------------------------------------------------------- */

static void run_declined(struct app_run *r, int id)
{
	if (id == APP_ASK_RUN_CONFIRM || id == APP_ASK_RUN_STOP)
		app_confirm_over(r->app);
	if (id != APP_ASK_RUN_CONFIRM)
		return;
	run_event(r, RUNBOOK_EVENT_CANCEL, "No: nothing was sent.");
}

static void run_linked(struct app_run *r, size_t index)
{
	char *name = index < r->links.n ? mem_strdup(r->links.items[index]) : NULL;

	if (name)
		app_runbook(r->app, name, SIZE_MAX);
	free(name);
}

static void run_confirmed(struct app_run *r, const char *typed)
{
	app_confirm_over(r->app);
	run_event(r, RUNBOOK_EVENT_ANSWER, typed);
}

bool app_run_intent(struct app *app, const struct console_intent *intent)
{
	struct app_run *r = app->run;
	char *text;

	if (intent->kind == INTENT_PICKED &&
		(intent->id == APP_ASK_RUN_RESUME || intent->id == APP_ASK_RUN_SETTLE)) {
		app_settle_picked(app, intent->index);
		return true;
	}
	if (intent->id == APP_ASK_RUN_RETURN &&
		(intent->kind == INTENT_PICKED || intent->kind == INTENT_DECLINED)) {
		run_return_picked(app, intent->kind == INTENT_PICKED ? intent->index : SIZE_MAX);
		return true;
	}
	if (!r || (intent->kind != INTENT_RUNBOOK_KEY && intent->id < APP_ASK_RUN_CONFIRM))
		return false;
	text = mem_strdup(intent->text ? intent->text : "");
	if (intent->kind == INTENT_RUNBOOK_KEY)
		run_key(r, (enum key_command)intent->id);
	else if (intent->kind == INTENT_DECLINED)
		run_declined(r, intent->id);
	else if (intent->id == APP_ASK_RUN_CONFIRM)
		run_confirmed(r, text);
	else if (intent->id == APP_ASK_RUN_STOP)
		run_stop_confirmed(r, text);
	else if (intent->id == APP_ASK_RUN_PICK)
		run_picked(r, intent->index);
	else if (intent->id == APP_ASK_RUN_VALUE)
		run_valued(r, text);
	else if (intent->id == APP_ASK_RUN_REASON)
		run_reasoned(r, text);
	else if (intent->id == APP_ASK_RUN_LINK)
		run_linked(r, intent->index);
	else if (intent->id == APP_ASK_RUN_INTERRUPT)
		run_interrupted(r, intent->index);
	free(text);
	return true;
}

void app_run_look(struct app *app)
{
	if (app->run)
		run_look(app->run);
}
