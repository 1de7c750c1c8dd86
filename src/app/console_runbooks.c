/*
 * The runbooks there are, in the console: the list to choose from, and opening one with what is known
 * filled in. What happens in an open one is console_run.c's.
 */
#include "console_run.h"

#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/app/runbooks.h>
#include <pgoncall/base/mem.h>

/* One that is running a step is not left for another; the others are noted as left. */
static bool runbooks_in_the_way(struct app *app)
{
	enum runbook_state state;

	if (!app->run)
		return false;
	state = app->run->run->state;
	if (state == RUNBOOK_STATE_NEW || state == RUNBOOK_STATE_FINISHED ||
		state == RUNBOOK_STATE_ESCALATED)
		return false;
	if (app->run->executing) {
		app_message(app, CONSOLE_WARNING, "%s is running a step: Ctrl-C interrupts it.",
			app->run->run->runbook->title);
		return true;
	}
	return false;
}

static void runbooks_open(
	struct app *app, struct runbook_library *library, const char *name, size_t finding)
{
	const struct runbook *runbook;
	struct app_run *r;
	struct err err;

	runbook = runbook_library_find(library, name, &err);
	if (!runbook) {
		app_message(app, CONSOLE_ERROR, "%s", err.text);
		return;
	}
	if (runbooks_in_the_way(app))
		return;
	run_open(app, library, runbook, NULL, &r);
	if (finding < app->findings.n)
		run_fill(r, &app->findings.items[finding]);
	run_attach(r);
}

static void runbooks_pick(struct app *app, const struct runbook_library *library)
{
	struct strlist titles;
	size_t i;

	strlist_init(&titles);
	for (i = 0; i < library->n; i++)
		strlist_add(&titles, library->items[i].runbook->title);
	console_pick(app->console, APP_ASK_RUNBOOK, "Runbooks", &titles, 0);
	strlist_fini(&titles);
}

/* Loads what there is, does one thing with it, and forgets it: a team edits its files meanwhile. */
static void runbooks_with(struct app *app, const char *name, size_t index, size_t finding)
{
	struct runbook_library library;
	char *picked;
	struct err err;

	if (runbooks_load(&library, config_get(app->section, CONFIG_RUNBOOKS), &err) < 0) {
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	} else if (index < library.n) {
		picked = mem_strdup(library.items[index].runbook->name);
		runbooks_open(app, &library, picked, finding);
		free(picked);
	} else if (!str_empty(name)) {
		runbooks_open(app, &library, name, finding);
	} else {
		runbooks_pick(app, &library);
	}
	runbook_library_fini(&library);
}

void app_runbook(struct app *app, const char *name, size_t finding)
{
	runbooks_with(app, name, SIZE_MAX, finding);
}

void app_runbook_picked(struct app *app, size_t index)
{
	runbooks_with(app, NULL, index, SIZE_MAX);
}

void app_complete_runbooks(const struct app *app, struct strlist *words)
{
	struct runbook_library library;
	size_t i;

	if (!app->section)
		return;
	if (runbooks_load(&library, config_get(app->section, CONFIG_RUNBOOKS), NULL) == 0)
		for (i = 0; i < library.n; i++)
			strlist_add(words, library.items[i].runbook->name);
	runbook_library_fini(&library);
}
