/*
 * What the runbook pane asks of the operator, in one line, with the keys that answer: a sentence for
 * each state of the run.
 */
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>

#include "runbook_pane.h"

static void ask_add(struct buf *out, const char *text)
{
	utf8_sanitise(out, text, strlen(text), UTF8_ONE_LINE);
}

static void ask_new(const struct pane_runbook *self, struct buf *out)
{
	(void)self;
	buf_add_str(out, "Enter: begin; nothing is sent before you say so · c: close");
}

static void ask_picking(const struct pane_runbook *self, struct buf *out)
{
	buf_add_str(out, "Enter: choose ");
	ask_add(out, self->view.run->pick ? self->view.run->pick->name : "");
	buf_add_str(out, " · s: skip the step · S: stop");
}

static void ask_checking(const struct pane_runbook *self, struct buf *out)
{
	const struct runbook_run *run = self->view.run;

	buf_printf(out,
		"d: done · x: not done · s: skip this check · check %zu of %zu: ", run->check + 1,
		runbook_run_step(run)->checks.n);
	ask_add(out, runbook_run_step(run)->checks.items[run->check]);
}

static void ask_shown(const struct pane_runbook *self, struct buf *out)
{
	const struct runbook_step *step = runbook_run_step(self->view.run);

	if (step->language == RUNBOOK_MANUAL)
		buf_add_str(out, "By hand. d: it is done · x: it is not done · s: skip");
	else if (step->mode == RUNBOOK_READ)
		buf_add_str(out, "Enter: run it, it only reads · s: skip");
	else if (self->view.refusal)
		ask_add(out, self->view.refusal);
	else
		buf_add_str(out, "Enter: see what is sent, then confirm or not · s: skip");
}

static void ask_blocked(const struct pane_runbook *self, struct buf *out)
{
	(void)self;
	buf_add_str(out, "It cannot be run, see above. a: look again · s: skip · S: stop");
}

static void ask_confirming(const struct pane_runbook *self, struct buf *out)
{
	buf_add_str(out, "Type ");
	ask_add(out, self->view.run->want ? self->view.run->want : "");
	buf_add_str(out, " to confirm · Esc: no");
}

static double ask_seconds(int64_t from, int64_t to)
{
	return from && to > from ? (double)(to - from) / (double)CLOCK_NS_PER_S : 0;
}

static void ask_running(const struct pane_runbook *self, struct buf *out)
{
	const struct runbook_step *step = runbook_run_step(self->view.run);
	char age[32], limit[48];

	buf_printf(out, "Running for %s of at most %s · Ctrl-C: %s",
		clock_format_age(ask_seconds(self->view.began_ns, self->now_ns), age, sizeof(age)),
		clock_format_span(
			(double)step->timeout_ns / (double)CLOCK_NS_PER_S, limit, sizeof(limit)),
		step->stream                  ? "that is enough"
		: step->mode == RUNBOOK_WRITE ? "interrupt (asks what)"
					      : "interrupt");
}

static void ask_watching(const struct pane_runbook *self, struct buf *out)
{
	const struct runbook_run *run = self->view.run;
	char age[32], limit[48];

	buf_printf(out, "Not yet; asks again. %s of at most %s · Ctrl-C: give up",
		clock_format_age(ask_seconds(run->began_ns, self->now_ns), age, sizeof(age)),
		clock_format_span(
			(double)runbook_run_step(run)->timeout_ns / (double)CLOCK_NS_PER_S, limit,
			sizeof(limit)));
}

static void ask_unsettled(const struct pane_runbook *self, struct buf *out)
{
	buf_add_str(out, "RESULT UNKNOWN; it is not sent again. Look, then d: it was done · "
			 "x: it was not done");
	if (self->view.interruptible)
		buf_add_str(out, " · Ctrl-C: end its process");
}

static void ask_judged(const struct pane_runbook *self, struct buf *out)
{
	const struct runbook_run *run = self->view.run;
	bool failed = run->outcomes[run->step] == RUNBOOK_FAIL;

	if (!failed)
		buf_add_str(out, "OK. ");
	else
		buf_add_str(out, "It is not as expected. ");
	if (runbook_run_can(run, RUNBOOK_EVENT_GO))
		buf_add_str(out, "Enter: go on");
	if (runbook_run_can(run, RUNBOOK_EVENT_RETRY))
		buf_printf(out, "%sa: again", runbook_run_can(run, RUNBOOK_EVENT_GO) ? " · " : "");
	if (runbook_run_can(run, RUNBOOK_EVENT_SKIP))
		buf_add_str(out, " · s: skip it");
	if (failed)
		buf_add_str(out, " · S: stop here");
}

static void ask_left(const struct pane_runbook *self, struct buf *out)
{
	(void)self;
	buf_add_str(out, "Left at this step. Enter: resume · c: close");
}

static void ask_finished(const struct pane_runbook *self, struct buf *out)
{
	(void)self;
	buf_add_str(out, "Finished. Enter: close · :report FILE writes the timeline");
}

static void ask_escalated(const struct pane_runbook *self, struct buf *out)
{
	(void)self;
	buf_add_str(out, "Stopped: call for help. :report FILE writes the timeline · Enter: close");
}

static void (*const asks[RUNBOOK_STATE_COUNT])(const struct pane_runbook *self, struct buf *out) = {
	[RUNBOOK_STATE_NEW] = ask_new,
	[RUNBOOK_STATE_PICKING] = ask_picking,
	[RUNBOOK_STATE_CHECKING] = ask_checking,
	[RUNBOOK_STATE_SHOWN] = ask_shown,
	[RUNBOOK_STATE_BLOCKED] = ask_blocked,
	[RUNBOOK_STATE_CONFIRMING] = ask_confirming,
	[RUNBOOK_STATE_RUNNING] = ask_running,
	[RUNBOOK_STATE_WATCHING] = ask_watching,
	[RUNBOOK_STATE_UNSETTLED] = ask_unsettled,
	[RUNBOOK_STATE_JUDGED] = ask_judged,
	[RUNBOOK_STATE_LEFT] = ask_left,
	[RUNBOOK_STATE_FINISHED] = ask_finished,
	[RUNBOOK_STATE_ESCALATED] = ask_escalated,
};

void pane_runbook_ask(const struct pane *pane, struct buf *out)
{
	const struct pane_runbook *self = runbook_pane_of(pane);

	if (self->view.run)
		asks[self->view.run->state](self, out);
}
