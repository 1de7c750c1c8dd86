/*
 * Runbooks that are opened, closed, and left in the middle: who owns a run, and which one the pane shows.
 * What happens in the open one is console_run.c's.
 */
#include "console_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/quote.h>

/* --- one run --------------------------------------------------------------------------------- */

#define RUN_NAME_START  "pgoncall-"
#define RUN_NAME_DIGITS 6

static void run_name(struct app_run *r)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		number = (uint32_t)clock_wall();
	snprintf(r->application, sizeof(r->application), RUN_NAME_START "%0*x", RUN_NAME_DIGITS,
		(unsigned)(number & 0xFFFFFF));
}

/* It goes into command lines: nothing else than what run_name draws. */
bool run_is_name(const char *application)
{
	const char *digits;

	if (!str_starts(application, RUN_NAME_START))
		return false;
	digits = application + strlen(RUN_NAME_START);
	return strlen(digits) == RUN_NAME_DIGITS && !digits[strspn(digits, "0123456789abcdef")];
}

int run_open(struct app *app, struct runbook_library *library_take, const struct runbook *runbook,
	const char *application, struct app_run **out)
{
	struct app_run *r = mem_calloc(1, sizeof(*r));
	char *target = app_target_name(app);
	struct runbook_options options = { .environment = app_policy_environment(app),
		.target = target,
		.quote = host_quote_word,
		.wrap = run_place_wrap,
		.wrap_arg = &r->place,
		.application = r->application };

	r->app = app;
	r->serial = ++app->run_serial;
	r->library = *library_take;
	memset(library_take, 0, sizeof(*library_take));
	if (application)
		snprintf(r->application, sizeof(r->application), "%s", application);
	else
		run_name(r);
	r->place.section = app->section;
	r->place.runtime = *target_runtime(app->target);
	r->place.application = r->application;
	r->place.mark = r->marked.mark;
	strlist_init(&r->links);
	r->run = runbook_run_new(runbook, &options, NULL);
	run_refresh_vars(r);
	free(target);
	*out = r;
	return 0;
}

void run_free(struct app_run *r)
{
	if (!r)
		return;
	loop_timer_stop(r->again);
	run_exec_free(r->exec);
	run_exec_free(r->list);
	run_look_stop(r);
	buf_fini(&r->evidence.text);
	buf_fini(&r->evidence.process);
	run_stop_fini(r);
	run_choices_fini(&r->choices);
	strlist_fini(&r->links);
	runbook_run_free(r->run);
	runbook_library_fini(&r->library);
	if (r->local)
		r->local->ops->close(r->local);
	free(r->refusal);
	free(r);
}

/* --- which one is open ----------------------------------------------------------------------- */

/* The one that is open is over, or left for another console. */
static void run_end(struct app *app)
{
	struct app_run *r = app->run;

	if (!r)
		return;
	if (r->executing)
		run_abandon(r);
	else if (runbook_run_can(r->run, RUNBOOK_EVENT_LEAVE))
		run_record_mark(r, "left");
	app->run = NULL;
	app_run_show(app);
	run_free(r);
}

/* Where the one of that name hangs; NULL hangs there where there is none. */
static struct app_run **run_find_left(struct app *app, const char *name)
{
	struct app_run **link = &app->left;

	while (*link && strcmp((*link)->run->runbook->name, name) != 0)
		link = &(*link)->next;
	return link;
}

/* It is the caller's then; NULL: there is none. */
static struct app_run *run_take_left(struct app *app, const char *name)
{
	struct app_run **link = run_find_left(app, name), *r = *link;

	if (r)
		*link = r->next;
	return r;
}

/* Closed in the middle, it is kept, so that it can go on where it stood. */
static void run_put_aside(struct app_run *r)
{
	struct app *app = r->app;

	run_event(r, RUNBOOK_EVENT_LEAVE, NULL);
	run_exec_free(r->list);
	r->list = NULL;
	gate_permit_drop(app->gate, r->stop.permit);
	r->stop.permit = NULL;
	run_free(run_take_left(app, r->run->runbook->name));
	app->run = NULL;
	r->next = app->left;
	app->left = r;
	app_run_show(app);
}

void run_close_open(struct app *app)
{
	struct app_run *r = app->run;

	if (r && !r->executing && runbook_run_can(r->run, RUNBOOK_EVENT_LEAVE))
		run_put_aside(r);
	else
		run_end(app);
}

void run_show(struct app_run *r)
{
	struct app *app = r->app;

	run_close_open(app);
	app->run = r;
	r->shown_state = RUNBOOK_STATE_COUNT;
	app_run_show(app);
	console_focus_runbook(app->console);
}

void run_attach(struct app_run *r)
{
	struct app *app = r->app;
	const struct runbook_step *step;
	const struct app_run *left;
	struct strlist items;
	char *title;

	if (app->run && strcmp(app->run->run->runbook->name, r->run->runbook->name) == 0)
		run_close_open(app);
	left = *run_find_left(app, r->run->runbook->name);
	step = left ? runbook_run_step(left->run) : NULL;
	if (!step) {
		run_show(r);
		return;
	}
	run_free(app->opening);
	app->opening = r;
	title = mem_printf("%s was left at \"%s\"", r->run->runbook->title, step->title);
	strlist_init(&items);
	strlist_add(&items, "Go on where it stood");
	strlist_add(&items, "Begin anew");
	console_pick(app->console, APP_ASK_RUN_RETURN, title, &items, 0);
	strlist_fini(&items);
	free(title);
}

void run_return_picked(struct app *app, size_t index)
{
	struct app_run *fresh = app->opening, *left;

	app->opening = NULL;
	if (!fresh)
		return;
	if (index == SIZE_MAX) {
		run_free(fresh);
		return;
	}
	left = run_take_left(app, fresh->run->runbook->name);
	if (index == 0 && left) {
		run_free(fresh);
		run_show(left);
		run_record_mark(left, "resumed");
		run_event(left, RUNBOOK_EVENT_RESUME, NULL);
	} else {
		run_free(left);
		run_show(fresh);
	}
}

void app_run_fini(struct app *app)
{
	struct app_run *r;

	run_end(app);
	run_free(app->opening);
	app->opening = NULL;
	while ((r = app->left)) {
		app->left = r->next;
		run_free(r);
	}
}
