/*
 * Looking back through the pictures of the last minutes. While the past is shown, pictures go on being
 * kept and nothing can be acted on; the log pane is led to the same moment.
 */
#include "console_app.h"

#include <pgoncall/base/clock.h>

void app_past_add(struct app *app, const struct db_snapshot *snapshot)
{
	if (!app->history)
		app->history = db_history_new(0, 0);
	db_history_add(app->history, snapshot);
}

void app_past_fini(struct app *app)
{
	db_snapshot_free(app->past);
	app->past = NULL;
	db_history_free(app->history);
	app->history = NULL;
}

const struct db_snapshot *app_shown(const struct app *app)
{
	return app->past ? app->past : target_snapshot(app->target);
}

/* The picture shown, counted from the oldest; the newest is what is shown when it is now. */
static size_t past_at(const struct app *app)
{
	size_t n = db_history_count(app->history), i;

	if (!app->past)
		return n - 1;
	for (i = 0; i + 1 < n && db_history_wall(app->history, i) < app->past->at_wall; i++)
		;
	return i;
}

static void past_show(struct app *app, struct db_snapshot *past_take)
{
	struct db_snapshot *before = app->past;

	app->past = past_take;
	console_set_snapshot(app->console, app_shown(app));
	db_snapshot_free(before);
	console_logs_moment(app->console, past_take ? past_take->at_wall : 0);
	app_show_findings(app);
	app_show_facts(app);
}

void app_past(struct app *app, int step)
{
	size_t n = app->history ? db_history_count(app->history) : 0, at;

	if (!n || (!app->past && step >= 0))
		return;
	at = past_at(app);
	if (!step || (step > 0 && at + 2 >= n)) {
		past_show(app, NULL);
		return;
	}
	if (step < 0 && !at) {
		app_message(app, CONSOLE_INFO, "this is the oldest picture kept");
		return;
	}
	past_show(app, db_history_restore(app->history, step < 0 ? at - 1 : at + 1));
}
