/*
 * Looking what became of a write whose result is not known: the version rows, the sessions that it
 * had opened, its process. Only reads; what to make of it is for a person to say.
 */
#include "console_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/stop.h>

#define PROCESS_TIMEOUT_MS 10000
#define PROCESS_AGAIN_NS   (5 * CLOCK_NS_PER_S)

void run_look_stop(struct app_run *r)
{
	struct run_evidence *evidence = &r->evidence;

	host_run_cancel(evidence->process_run);
	evidence->process_run = NULL;
	buf_clear(&evidence->text);
	buf_clear(&evidence->process);
	free(evidence->recorded);
	evidence->recorded = NULL;
	evidence->wanted = false;
	evidence->since_ns = evidence->asked_ns = 0;
}

void run_look_begin(struct app_run *r)
{
	run_look_stop(r);
	r->evidence.wanted = true;
	r->evidence.since_ns = clock_monotonic();
	buf_add_str(&r->evidence.text, "Looking what became of it, once the target is reached.");
	target_refresh(r->app->target);
	app_run_show(r->app); /* the pane has the text of before */
}

static void look_add_versions(const struct db_snapshot *snapshot, struct buf *out)
{
	size_t i;

	buf_add_str(out, "version rows now: ");
	for (i = 0; i < snapshot->versions.n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", snapshot->versions.items[i]);
	buf_add_str(out, snapshot->versions.n ? "\n" : "none, or they could not be read\n");
}

struct run_mark run_mark(const struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	struct run_mark mark = { 0, NULL };

	if (step && step->language == RUNBOOK_SQL)
		mark.backend = r->exec ? run_exec_backend(r->exec) : 0;
	else if (!r->nameless)
		mark.application = r->application;
	return mark;
}

bool run_mark_is(const struct run_mark *mark, const struct db_session *session)
{
	if (mark->backend)
		return session->pid == mark->backend;
	return mark->application && str_equal(session->application, mark->application);
}

static void look_add_none(const struct run_mark *mark, struct buf *out)
{
	if (mark->backend)
		buf_printf(out, "server process %d is not there any more\n", mark->backend);
	else if (mark->application)
		buf_printf(out, "no session named %s is in the database any more\n",
			mark->application);
	else
		buf_add_str(out, "which session had it is not known: it may still run, see the "
				 "sessions of pgoncall\n");
}

static size_t look_add_sessions(
	const struct app_run *r, const struct db_snapshot *snapshot, struct buf *out)
{
	struct run_mark mark = run_mark(r);
	const struct db_session *s;
	size_t i, n = 0;
	char age[32];

	for (i = 0; i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		if (!run_mark_is(&mark, s))
			continue;
		n++;
		buf_printf(out, "still in the database: pid %d (%s), %s for %s\n", s->pid,
			s->application, s->state,
			clock_format_age(s->xact_age_s, age, sizeof(age)));
	}
	if (!n)
		look_add_none(&mark, out);
	return n;
}

/* Not again while it says the same. */
static void look_record(struct app_run *r, char *what_take)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	char *text;

	if (r->evidence.recorded && strcmp(r->evidence.recorded, what_take) == 0) {
		free(what_take);
		return;
	}
	free(r->evidence.recorded);
	r->evidence.recorded = what_take;
	text = mem_printf("evidence about write %lld: %s", (long long)r->intent_seq,
		buf_str(&r->evidence.text));
	entry.event = JOURNAL_NOTE;
	entry.text = text;
	app_record(r->app, &entry, NULL, NULL);
	free(text);
}

static bool look_has_process(const struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);

	return step->language == RUNBOOK_SH && !r->nameless &&
	       !run_place_is_here(&r->place, step->place) && target_transport(r->app->target);
}

/* All of it, as of the last picture. */
static void look_tell(struct app_run *r)
{
	const struct db_snapshot *snapshot = target_snapshot(r->app->target);
	struct buf what = BUF_INIT;
	char time[16];
	size_t n;

	if (!snapshot)
		return;
	buf_clear(&r->evidence.text);
	buf_printf(&r->evidence.text, "looked at %s\n",
		clock_format_time(clock_wall(), time, sizeof(time)));
	look_add_versions(snapshot, &what);
	buf_add_str(&r->evidence.text, buf_str(&what));
	n = look_add_sessions(r, snapshot, &r->evidence.text);
	buf_add_str(&r->evidence.text, buf_str(&r->evidence.process));
	buf_printf(&what, "%zu\n%s", n, buf_str(&r->evidence.process));
	if (r->evidence.process.len || !look_has_process(r))
		look_record(r, buf_steal(&what));
	buf_fini(&what);
	app_run_show(r->app);
}

static void look_on_process(void *arg, const struct host_output *output, const struct err *err)
{
	struct app_run *r = arg;

	r->evidence.process_run = NULL;
	buf_clear(&r->evidence.process);
	if (err->code != ERR_OK)
		buf_printf(&r->evidence.process, "its processes could not be looked for: %s\n",
			err->text);
	else
		host_stop_look_read(buf_str(&output->out), &r->evidence.process);
	look_tell(r);
}

/* Whatever the step started has its name in the environment. */
static void look_for_process(struct app_run *r)
{
	struct host_run_options options = { .timeout_ms = PROCESS_TIMEOUT_MS };
	struct run_place place = r->place;
	char *name = mem_printf("PGAPPNAME=%s", r->application);
	struct buf line = BUF_INIT, wrapped = BUF_INIT;
	enum runbook_place where = runbook_run_step(r->run)->place;
	struct err err;

	place.application = place.mark = "";
	host_stop_look_script(name, &line);
	r->evidence.asked_ns = clock_monotonic();
	if (run_place_wrap(&place, where, buf_str(&line), &wrapped, &err) == 0)
		r->evidence.process_run =
			host_run_start(r->app->loop, target_transport(r->app->target),
				buf_str(&wrapped), &options, look_on_process, r);
	else
		buf_printf(
			&r->evidence.process, "its processes were not looked for: %s\n", err.text);
	buf_fini(&wrapped);
	buf_fini(&line);
	free(name);
}

void run_look(struct app_run *r)
{
	const struct db_snapshot *snapshot = target_snapshot(r->app->target);
	struct run_evidence *evidence = &r->evidence;

	if (!evidence->wanted || !runbook_run_step(r->run) || !snapshot ||
		target_get_state(r->app->target) != TARGET_UP ||
		snapshot->at_monotonic <= evidence->since_ns)
		return;
	if (r->run->state != RUNBOOK_STATE_UNSETTLED) {
		evidence->wanted = false;
		return;
	}
	evidence->since_ns = snapshot->at_monotonic;
	if (look_has_process(r) && !evidence->process_run &&
		clock_monotonic() - evidence->asked_ns > PROCESS_AGAIN_NS)
		look_for_process(r);
	look_tell(r);
}
