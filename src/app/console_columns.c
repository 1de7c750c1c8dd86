/*
 * Choosing the columns of the Activity pane from a list: each choice shows or hides one, and the list
 * stays until Esc.
 */
#include "console_app.h"

#include <pgoncall/base/mem.h>

void app_columns(struct app *app, size_t selected)
{
	struct strlist items;
	const char *name;
	bool on;
	size_t i;

	strlist_init(&items);
	/* The pid is always shown. */
	for (i = 1; (name = console_column(app->console, i, &on)); i++)
		strlist_add_take(&items, mem_printf("[%c] %s", on ? 'x' : ' ', name));
	console_pick(app->console, APP_ASK_COLUMNS, "Columns", &items, selected);
	strlist_fini(&items);
	app_dirty(app);
}

void app_column_picked(struct app *app, size_t index)
{
	console_toggle_column(app->console, index + 1);
	app_columns(app, index);
}
