/*
 * A step's command from the question to its result. A read is sent as soon as it is prepared. A write
 * goes one way: shown and confirmed, permitted by the gate, written to the journal (on disk),
 * permitted again, sent; its result is judged, then written.
 */
#include "console_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/local.h>

/* --- asking ---------------------------------------------------------------------------------- */

/* What is known about what it hits: the step's variables, and what goes with them. */
struct run_facts {
	struct confirm_fact list[16];
	size_t n;
};

static bool run_facts_has(const struct run_facts *facts, const char *name)
{
	size_t i;

	for (i = 0; i < facts->n; i++)
		if (strcmp(facts->list[i].name, name) == 0)
			return true;
	return false;
}

static void run_fill_facts(struct run_facts *facts, const struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	const struct runbook_value *value;
	size_t i, j, len;

	facts->n = 0;
	for (i = 0; i < step->parts.n; i++) {
		if (step->parts.items[i].kind != RUNBOOK_PART_VAR)
			continue;
		len = strcspn(step->parts.items[i].var, ".");
		for (j = 0; j < r->run->vars.n; j++) {
			value = &r->run->vars.items[j];
			if (strncmp(value->name, step->parts.items[i].var, len) != 0 ||
				(value->name[len] && value->name[len] != '.') || !*value->value ||
				run_facts_has(facts, value->name) ||
				facts->n == sizeof(facts->list) / sizeof(facts->list[0]))
				continue;
			facts->list[facts->n].name = value->name;
			facts->list[facts->n++].value = value->value;
		}
	}
}

static char *run_undo_text(const struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run), *undo;

	if (strcmp(step->undo, "none") == 0)
		return mem_strdup("It cannot be undone.");
	undo = *step->undo ? runbook_step_find(r->run->runbook, step->undo) : NULL;
	if (undo)
		return mem_printf("The step \"%s\" undoes it.", undo->title);
	return mem_strdup("The runbook does not say how it is undone.");
}

void run_confirm(struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	const struct db_snapshot *snapshot = target_snapshot(r->app->target);
	struct confirm_request request = { .id = APP_ASK_RUN_CONFIRM };
	char *question = mem_printf("%s?", step->title), *undo = run_undo_text(r);
	struct run_facts facts;

	run_fill_facts(&facts, r);
	request.level = app_confirm_level(r->run->level);
	request.question = question;
	request.statement = r->run->command.shown;
	request.host = run_place_is_here(&r->place, step->place)
			       ? "this machine"
			       : config_get(r->app->section, CONFIG_SSH);
	request.database = config_get(r->app->section, CONFIG_DB_NAME);
	request.role = snapshot ? snapshot->server.role : NULL;
	request.environment = app_confirm_environment(r->app);
	request.facts = facts.list;
	request.n_facts = facts.n;
	request.effect = *step->prose ? step->prose : NULL;
	request.undo = undo;
	request.verb = r->run->want;
	request.target = r->run->want;
	app_confirm(r->app, &request);
	free(undo);
	free(question);
}

/* --- the gate -------------------------------------------------------------------------------- */

static void run_request(const struct app_run *r, struct gate_request *request)
{
	const struct runbook_step *step = runbook_run_step(r->run);

	runbook_run_request(r->run, request);
	request->standby_ok = run_place_is_here(&r->place, step->place);
}

char *run_refusal(struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	struct gate_request request;
	struct gate_state state;
	struct err err;

	if (r->run->state != RUNBOOK_STATE_SHOWN || !step || step->language == RUNBOOK_MANUAL ||
		step->mode != RUNBOOK_WRITE)
		return NULL;
	app_gate_state(r->app, &state);
	/* Its file is made by the first record. */
	state.journal_ok = recorder_ok(r->app->recorder);
	run_request(r, &request);
	gate_level(state.environment, &request, &request.typed);
	return gate_check(&state, &request, &err) < 0 ? mem_strdup(err.text) : NULL;
}

/* --- running --------------------------------------------------------------------------------- */

/* why: may be a text of r->exec, which is freed here. */
static void run_not_sent(struct app_run *r, const char *why)
{
	char *copy = mem_strdup(why);
	struct runbook_result result = {
		.ran = RUNBOOK_RAN_ERROR, .rows = -1, .exit = 1, .error = copy
	};

	if (r->intent_seq > 0)
		run_record_result(r, &result);
	r->intent_seq = 0;
	r->executing = false;
	run_exec_free(r->exec);
	r->exec = NULL;
	run_event(r, RUNBOOK_EVENT_CANCEL, copy);
	free(copy);
}

static void run_refused(struct app_run *r, const struct err *err)
{
	char *why = mem_printf("Nothing was sent: %s.", err->text);

	run_not_sent(r, why);
	free(why);
}

/* Whose intent it is that the journal answers about: a step may be tried again meanwhile. */
struct run_ticket {
	struct app *app;
	unsigned serial, attempt;
};

static void run_record_unsent(struct app *app, int64_t seq)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = JOURNAL_RESULT;
	entry.intent = seq;
	entry.exit = 1;
	entry.text = "fail: not sent: it was given up while its intent was written";
	app_record(app, &entry, NULL, NULL);
}

/* The intent is on disk: the one place where a runbook's write is sent. */
static void run_on_intent(void *arg, int64_t seq, const struct err *err)
{
	struct run_ticket ticket = *(struct run_ticket *)arg;
	struct app_run *r = ticket.app->run;
	struct gate_permit *permit;
	struct gate_state state;
	struct err why;

	free(arg);
	if (!r || r->serial != ticket.serial || r->attempt != ticket.attempt || !r->permit) {
		if (seq > 0)
			run_record_unsent(ticket.app, seq);
		return;
	}
	permit = r->permit;
	r->permit = NULL;
	if (seq < 0) {
		gate_permit_drop(r->app->gate, permit);
		run_refused(r, err);
		return;
	}
	r->intent_seq = seq;
	app_gate_state(r->app, &state);
	if (gate_permit_use(r->app->gate, permit, &state, run_exec_statement(r->exec), seq, &why) <
		0) {
		run_refused(r, &why);
		return;
	}
	r->began_ns = clock_monotonic();
	run_exec_send(r->exec);
	app_run_show(r->app);
}

/* From the typed answer to the journal. */
static void run_permit(struct app_run *r)
{
	struct run_ticket *ticket;
	struct gate_request request;
	struct gate_state state;
	struct err err;

	app_gate_state(r->app, &state);
	run_request(r, &request);
	r->permit = gate_permit_take(r->app->gate, &state, &request, &err);
	if (!r->permit) {
		run_refused(r, &err);
		return;
	}
	ticket = mem_calloc(1, sizeof(*ticket));
	ticket->app = r->app;
	ticket->serial = r->serial;
	ticket->attempt = ++r->attempt;
	run_record_intent(r, request.typed, run_on_intent, ticket);
}

static void run_on_ready(void *arg)
{
	struct app_run *r = arg;

	r->began_ns = clock_monotonic();
	if (runbook_run_step(r->run)->mode == RUNBOOK_READ)
		run_exec_send(r->exec);
	else
		run_permit(r);
	app_run_show(r->app);
}

static void run_on_output(void *arg)
{
	struct app_run *r = arg;

	app_run_show(r->app);
}

static void run_on_done(void *arg, const struct runbook_result *result)
{
	struct app_run *r = arg;
	bool writes = runbook_run_step(r->run)->mode == RUNBOOK_WRITE;

	/* The time was over while the intent was on its way: it is not sent any more. */
	gate_permit_drop(r->app->gate, r->permit);
	r->permit = NULL;
	r->executing = false;
	r->ended_ns = clock_monotonic();
	if (!r->began_ns)
		r->began_ns = r->ended_ns;
	if (writes && !run_exec_is_sent(r->exec)) {
		run_not_sent(r, result->error ? result->error : "Nothing was sent.");
		return;
	}
	if (!writes && run_exec_is_timed_out(r->exec))
		run_stop_read(r);
	run_result_event(r, result);
}

struct transport *run_local(struct app_run *r)
{
	static const struct transport_events none = { NULL, NULL, NULL, NULL };

	if (!r->local)
		r->local = local_transport_open(r->app->loop, &none);
	return r->local;
}

struct transport *run_transport(struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);

	if (step->language != RUNBOOK_SH || !run_place_is_here(&r->place, step->place))
		return target_transport(r->app->target);
	return run_local(r);
}

/* What is left of a watch's time is this attempt's limit. */
static int64_t run_limit(const struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	int64_t left = r->run->began_ns + step->timeout_ns - clock_monotonic();

	if (!step->watch_ns || left > step->timeout_ns)
		return step->timeout_ns;
	return left > 2 * CLOCK_NS_PER_S ? left : 2 * CLOCK_NS_PER_S;
}

void run_start(struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	struct run_exec_request request = {
		.loop = r->app->loop,
		.target = r->app->target,
		.transport = step->language == RUNBOOK_SH ? run_transport(r) : NULL,
		.command = &r->run->command,
		.writes = step->mode == RUNBOOK_WRITE,
		.timeout_ns = run_limit(r),
		.lock_timeout_ns = step->lock_timeout_ns,
	};
	struct run_exec_events events = { run_on_ready, run_on_output, run_on_done, r };

	run_exec_free(r->exec);
	r->began_ns = clock_monotonic();
	r->ended_ns = 0;
	r->intent_seq = 0;
	r->nameless = false;
	r->executing = true;
	r->marked.used = true;
	r->exec = run_exec_start(&request, &events);
}

void run_abandon(struct app_run *r)
{
	struct runbook_result result = { .ran = RUNBOOK_RAN_UNKNOWN,
		.rows = -1,
		.error = "the console was left while it ran; it goes on there" };

	if (r->intent_seq > 0 && run_exec_is_sent(r->exec))
		run_record_result(r, &result);
	run_record_mark(r, "left");
	r->executing = false;
}
