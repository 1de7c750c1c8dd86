/*
 * Runbooks in the console: the one that answers a finding, or any of the list, opened to read.
 */
#include "console_app.h"

#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/app/runbooks.h>
#include <pgoncall/runbook/lint.h>

static void runbooks_open(
	struct app *app, const struct runbook_library *library, const char *name)
{
	const struct runbook *runbook;
	char *text = NULL;
	size_t size = 0;
	struct err err;
	FILE *out;

	runbook = runbook_library_find(library, name, &err);
	if (!runbook) {
		app_message(app, CONSOLE_ERROR, "%s", err.text);
		return;
	}
	out = open_memstream(&text, &size);
	if (!out)
		return;
	runbook_show(runbook, out);
	fclose(out);
	console_page(app->console, runbook->title, text);
	free(text);
	app_dirty(app);
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
static void runbooks_with(struct app *app, const char *name, size_t index)
{
	struct runbook_library library;
	struct err err;

	if (runbooks_load(&library, config_get(app->section, CONFIG_RUNBOOKS), &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	else if (index < library.n)
		runbooks_open(app, &library, library.items[index].runbook->name);
	else if (!str_empty(name))
		runbooks_open(app, &library, name);
	else
		runbooks_pick(app, &library);
	runbook_library_fini(&library);
}

void app_runbook(struct app *app, const char *name)
{
	runbooks_with(app, name, SIZE_MAX);
}

void app_runbook_picked(struct app *app, size_t index)
{
	runbooks_with(app, NULL, index);
}
