/*
 * Ending the process of the step at hand, there where it runs: in its container, on the host, or on
 * this machine. A write's process is ended as any write is done: shown and confirmed, permitted by
 * the gate, written to the journal, permitted again, sent; its result is written. A read's changed
 * nothing and its end changes nothing: it goes with the read, and leaves a note.
 *
 * What is sent finds the process by a mark that only this attempt of this step has; see host/stop.h.
 */
#include "console_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/stop.h>

#define STOP_TIMEOUT_MS 15000

void run_stop_mark(struct app_run *r, struct run_marked *before)
{
	uint32_t number = 0;

	*before = r->marked;
	switch (r->run->state) {
	case RUNBOOK_STATE_SHOWN:
	case RUNBOOK_STATE_CONFIRMING:
	case RUNBOOK_STATE_RUNNING:
	case RUNBOOK_STATE_WATCHING:
		return; /* the command at hand has it already */
	default:
		break;
	}
	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		number = (uint32_t)clock_monotonic();
	snprintf(r->marked.mark, sizeof(r->marked.mark), RUN_MARK_START "%08x", (unsigned)number);
	r->marked.used = false;
}

/* Whoever leaves a write of unknown result comes back to it. */
void run_stop_unmark(struct app_run *r, const struct run_marked *before, bool accepted)
{
	if (!accepted || r->run->state == RUNBOOK_STATE_UNSETTLED ||
		r->run->state == RUNBOOK_STATE_LEFT)
		r->marked = *before;
}

/* It goes into a command line. */
bool run_is_mark(const char *mark)
{
	const char *digits;

	if (!str_starts(mark, RUN_MARK_START))
		return false;
	digits = mark + strlen(RUN_MARK_START);
	return strlen(digits) == 8 && !digits[strspn(digits, "0123456789abcdef")];
}

bool run_stop_can(const struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);

	return step && step->language == RUNBOOK_SH && r->marked.used &&
	       (!r->executing || run_exec_is_sent(r->exec));
}

static void stop_forget(struct run_stop *stop)
{
	free(stop->statement);
	free(stop->step);
	free(stop->mark);
	free(stop->target);
	stop->statement = stop->step = stop->mark = stop->target = NULL;
	stop->want = NULL;
}

static void stop_say(struct app_run *r, const char *text)
{
	buf_clear(&r->stop.text);
	buf_add_str(&r->stop.text, text);
	app_run_show(r->app);
}

void run_stop_clear(struct app_run *r)
{
	buf_clear(&r->stop.text);
}

/* --- what came of it ------------------------------------------------------------------------- */

static void ending_free(struct run_ending *ending)
{
	struct run_ending **link = &ending->r->stop.endings;

	while (*link != ending)
		link = &(*link)->next;
	*link = ending->next;
	host_run_cancel(ending->run);
	free(ending->statement);
	free(ending->step);
	free(ending->mark);
	free(ending);
}

static bool ending_is_under_way(const struct app_run *r)
{
	const struct run_ending *ending = r->stop.endings;

	while (ending && strcmp(ending->mark, r->marked.mark) != 0)
		ending = ending->next;
	return ending;
}

static void ending_record(
	struct run_ending *ending, enum journal_event event, int64_t exit, const char *text)
{
	struct app_run *r = ending->r;
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	char *full = mem_printf("%s of %s: %s", ending->step, r->run->runbook->name, text);

	entry.event = event;
	entry.intent = ending->intent_seq;
	entry.step = "interrupt";
	entry.exit = exit;
	if (event == JOURNAL_NOTE)
		entry.command = ending->statement;
	else
		entry.duration_ms = (clock_monotonic() - ending->began_ns) / CLOCK_NS_PER_MS;
	entry.text = full;
	app_record(r->app, &entry, NULL, NULL);
	free(full);
}

static void ending_on_done(void *arg, const struct host_output *output, const struct err *err)
{
	struct run_ending *ending = arg;
	struct app_run *r = ending->r;
	const struct runbook_step *step = runbook_run_step(r->run);
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	bool good;

	ending->run = NULL;
	host_stop_read(buf_str(&output->out), &report, &text);
	good = report.whole && !report.left && !report.denied && !report.stray && !report.unseen;
	if (err->code != ERR_OK)
		buf_printf(&text, "Ending it was interrupted: %s\n", err->text);
	else if (!report.whole && output->err.len)
		buf_printf(&text, "It said: %.200s\n", buf_str(&output->err));
	ending_record(ending,
		!ending->writes ? JOURNAL_NOTE
		: report.whole  ? JOURNAL_RESULT
				: JOURNAL_UNKNOWN,
		!ending->writes || !report.whole ? JOURNAL_NONE : !good, buf_str(&text));
	app_message(r->app, good ? CONSOLE_INFO : CONSOLE_WARNING, "%.*s",
		(int)strcspn(buf_str(&text), "\n"), buf_str(&text));
	if (step && str_equal(ending->step, step->name))
		stop_say(r, buf_str(&text));
	ending_free(ending);
	if (r->run->state == RUNBOOK_STATE_UNSETTLED)
		run_look_begin(r);
	buf_fini(&text);
}

/* --- sending --------------------------------------------------------------------------------- */

static int stop_prepare(struct app_run *r, struct err *err)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	struct buf script = BUF_INIT, line = BUF_INIT;
	struct run_place place = r->place;
	int rc;

	place.application = place.mark = "";
	host_stop_script(r->marked.mark, &script);
	rc = run_place_wrap(&place, step->place, buf_str(&script), &line, err);
	if (rc == 0) {
		stop_forget(&r->stop);
		r->stop.statement = buf_steal(&line);
		r->stop.step = mem_strdup(step->name);
		r->stop.mark = mem_strdup(r->marked.mark);
		r->stop.target = app_target_name(r->app);
		r->stop.writes = step->mode == RUNBOOK_WRITE;
		r->stop.local = run_place_is_here(&r->place, step->place);
	}
	buf_fini(&line);
	buf_fini(&script);
	return rc;
}

/* The step itself may be another one by now. */
static struct transport *stop_transport(struct app_run *r)
{
	return r->stop.local ? run_local(r) : target_transport(r->app->target);
}

/* What was asked for is under way. seq: its intent, 0 where it needed none. */
static void stop_send(struct app_run *r, struct transport *transport, int64_t seq)
{
	const struct host_run_options options = { .timeout_ms = STOP_TIMEOUT_MS };
	struct run_ending *ending = mem_calloc(1, sizeof(*ending));

	ending->r = r;
	ending->statement = r->stop.statement;
	ending->step = r->stop.step;
	ending->mark = r->stop.mark;
	ending->writes = r->stop.writes;
	ending->intent_seq = seq;
	ending->began_ns = clock_monotonic();
	ending->next = r->stop.endings;
	r->stop.endings = ending;
	r->stop.statement = r->stop.step = r->stop.mark = NULL;
	stop_forget(&r->stop);
	ending->run = host_run_start(
		r->app->loop, transport, ending->statement, &options, ending_on_done, ending);
	stop_say(r, "Its process is being ended there.");
}

void run_stop_read(struct app_run *r)
{
	struct transport *transport = run_transport(r);
	struct err err;

	if (!run_stop_can(r) || ending_is_under_way(r))
		return;
	if (r->stop.permit)
		stop_say(r, "Its process goes on there: a write's is being ended first.");
	else if (!transport)
		stop_say(r, "Its process goes on there: it is not reached now.");
	else if (stop_prepare(r, &err) == 0)
		stop_send(r, transport, 0);
	else
		stop_say(r, err.text);
}

/* --- a write --------------------------------------------------------------------------------- */

static void stop_request(const struct app_run *r, const char *typed, struct gate_request *request)
{
	memset(request, 0, sizeof(*request));
	request->act = POLICY_ACT_SIGNAL;
	request->kind = GATE_TEXT_SHELL;
	request->statement = r->stop.statement;
	request->target = r->stop.target;
	request->typed = typed;
	request->standby_ok = true;
}

/* The gate's refusal is told before anything is to be typed. */
static int stop_level(struct app_run *r, enum policy_level *level, struct err *err)
{
	struct gate_request request;
	struct gate_state state;

	stop_request(r, "", &request);
	*level = gate_level(app_policy_environment(r->app), &request, &r->stop.want);
	request.typed = r->stop.want;
	app_gate_state(r->app, &state);
	state.journal_ok = recorder_ok(r->app->recorder);
	return gate_check(&state, &request, err);
}

void run_stop_ask(struct app_run *r)
{
	struct confirm_request request = { .id = APP_ASK_RUN_STOP };
	struct confirm_fact fact = { "marked", r->marked.mark };
	enum policy_level level;
	char *question;
	struct err err;

	if (ending_is_under_way(r) || r->stop.permit) {
		app_message(r->app, CONSOLE_WARNING, "It is being ended already.");
		return;
	}
	if (stop_prepare(r, &err) < 0 || stop_level(r, &level, &err) < 0) {
		app_message(r->app, CONSOLE_ERROR, "%s", err.text);
		return;
	}
	question = mem_printf("End the process of \"%s\" there?", runbook_run_step(r->run)->title);
	request.level = app_confirm_level(level);
	request.question = question;
	request.statement = r->stop.statement;
	request.host = run_place_is_here(&r->place, runbook_run_step(r->run)->place)
			       ? "this machine"
			       : config_get(r->app->section, CONFIG_SSH);
	request.database = config_get(r->app->section, CONFIG_DB_NAME);
	request.environment = app_confirm_environment(r->app);
	request.facts = &fact;
	request.n_facts = 1;
	request.effect =
		"SIGTERM, to what this step started and to nothing else. What it was in the "
		"middle of may be left half done.";
	request.undo = "It cannot be undone.";
	request.verb = request.target = r->stop.want;
	app_confirm(r->app, &request);
	free(question);
}

static void stop_refused(struct app_run *r, const struct err *err)
{
	app_message(r->app, CONSOLE_ERROR, "Nothing was sent: %s.", err->text);
	stop_forget(&r->stop);
}

/* Whose intent it is that the journal answers about. */
struct stop_ticket {
	struct app *app;
	unsigned serial, attempt;
};

static void stop_record_unsent(struct app *app, int64_t seq, const char *why)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = JOURNAL_RESULT;
	entry.intent = seq;
	entry.step = "interrupt";
	entry.exit = 1;
	entry.text = why;
	app_record(app, &entry, NULL, NULL);
}

/* The intent is on disk: the one place where the signal to a write's process is sent. */
static void stop_on_intent(void *arg, int64_t seq, const struct err *err)
{
	struct stop_ticket ticket = *(struct stop_ticket *)arg;
	struct app_run *r = ticket.app->run;
	struct gate_permit *permit;
	struct transport *transport;
	struct gate_state state;
	struct err why;

	free(arg);
	if (!r || r->serial != ticket.serial || r->stop.attempt != ticket.attempt ||
		!r->stop.permit) {
		if (seq > 0)
			stop_record_unsent(ticket.app, seq, "not sent: it was given up");
		return;
	}
	permit = r->stop.permit;
	r->stop.permit = NULL;
	if (seq < 0) {
		gate_permit_drop(r->app->gate, permit);
		stop_refused(r, err);
		return;
	}
	app_gate_state(r->app, &state);
	transport = stop_transport(r);
	if (gate_permit_use(r->app->gate, permit, &state, r->stop.statement, seq, &why) < 0 ||
		(!transport && err_set(&why, ERR_REFUSED, "the host is not reached now"))) {
		stop_record_unsent(r->app, seq, why.text);
		stop_refused(r, &why);
		return;
	}
	stop_send(r, transport, seq);
}

static void stop_record_intent(struct app_run *r, const char *typed, enum policy_level level)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct journal_var vars[] = {
		{ "runbook", r->run->runbook->name },
		{ "step", r->stop.step },
	};
	struct stop_ticket *ticket = mem_calloc(1, sizeof(*ticket));
	char *confirm = mem_printf("%s: %s", policy_level_name(level), typed);

	ticket->app = r->app;
	ticket->serial = r->serial;
	ticket->attempt = ++r->stop.attempt;
	/* Not as the runbook's: a run is found again by the intents of its steps. */
	entry.event = JOURNAL_INTENT;
	entry.step = "interrupt";
	entry.command = r->stop.statement;
	entry.vars = vars;
	entry.n_vars = sizeof(vars) / sizeof(vars[0]);
	entry.confirm = confirm;
	app_record(r->app, &entry, stop_on_intent, ticket);
	free(confirm);
}

void run_stop_confirmed(struct app_run *r, const char *typed)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	struct gate_request request;
	struct gate_state state;
	struct err err;

	app_confirm_over(r->app);
	if (!r->stop.statement || !step || !str_equal(step->name, r->stop.step) ||
		(!r->executing && r->run->state != RUNBOOK_STATE_UNSETTLED)) {
		app_message(
			r->app, CONSOLE_INFO, "The step has ended meanwhile: nothing was sent.");
		return;
	}
	stop_request(r, typed, &request);
	app_gate_state(r->app, &state);
	r->stop.permit = gate_permit_take(r->app->gate, &state, &request, &err);
	if (r->stop.permit)
		stop_record_intent(
			r, typed, gate_level(app_policy_environment(r->app), &request, NULL));
	else
		stop_refused(r, &err);
}

/* What was sent of it is of unknown result then. */
void run_stop_fini(struct app_run *r)
{
	while (r->stop.endings) {
		if (r->stop.endings->writes)
			ending_record(r->stop.endings, JOURNAL_UNKNOWN, JOURNAL_NONE,
				"the console was left before it said what became of it");
		ending_free(r->stop.endings);
	}
	gate_permit_drop(r->app->gate, r->stop.permit);
	stop_forget(&r->stop);
	buf_fini(&r->stop.text);
}
