/*
 * After an act: what it led to. Ending a session is not the end of an incident: the next one may have
 * taken its place, a cancelled CREATE INDEX CONCURRENTLY leaves an invalid index, a migration may have
 * gone on or rolled back.
 */
#include "console_app.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

/* What was freed is given so long to take its turn. */
#define AFTER_SETTLED_NS CLOCK_NS_PER_S

/* "4 sessions still wait, behind pid 9001 (bo1, boardofone-api, idle in transaction), which connected
 * after the act." The first root is the one with most behind it. */
static void after_add_waiting(const struct app *app, struct buf *out)
{
	const struct db_snapshot *snapshot = target_snapshot(app->target);
	const struct db_session *s, *root = NULL;
	double act_age = (double)(snapshot->at_monotonic - app->act.after) / 1e9;
	size_t i, waiting = 0;

	for (i = 0; i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		waiting += s->n_blocked_by > 0;
		if (s->is_root && (!root || s->n_behind > root->n_behind))
			root = s;
	}
	if (!waiting) {
		buf_add_str(out, "Nobody waits for a lock now.");
		return;
	}
	buf_printf(out, "%zu session%s", waiting, waiting == 1 ? " still waits" : "s still wait");
	if (root && root->pid)
		buf_printf(out, ", behind pid %d (%s%s%s, %s)%s", root->pid, root->user,
			*root->application ? ", " : "", root->application, root->state,
			root->backend_age_s <= act_age + 1 ? ", which connected after the act"
							   : "");
	else if (root)
		buf_printf(out, ", behind prepared transaction %s", root->gid);
	buf_add_char(out, '.');
}

static void after_add_list(struct buf *out, const char *name, const struct strlist *list)
{
	size_t i;

	buf_printf(out, " %s: ", name);
	for (i = 0; i < list->n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", list->items[i]);
	buf_add_str(out, list->n ? "." : "none.");
}

void app_act_after(struct app *app)
{
	const struct db_snapshot *snapshot = target_snapshot(app->target);
	int64_t settled = app->act.after + (app->paused ? 0 : AFTER_SETTLED_NS);
	struct buf text = BUF_INIT, page = BUF_INIT;
	bool many;

	if (!app->act.after || app->act.running || app->act.next < app->act.n || !snapshot ||
		snapshot->at_monotonic <= settled || !probe_is_fresh(app->probe))
		return;
	after_add_waiting(app, &text);
	if (snapshot->version_table == DB_VERSION_TABLE_FOUND)
		after_add_list(&text, "Applied revision", &snapshot->versions);
	after_add_list(&text, "Invalid indexes", probe_invalid_indexes(app->probe));
	app_note_quietly(app, buf_str(&text));
	many = app->act.report.len && strchr(buf_str(&app->act.report), '\n')[1];
	if (many) {
		buf_printf(&page, "# What became of them\n%s\n# And now\n%s\n",
			buf_str(&app->act.report), buf_str(&text));
		console_page(app->console, "After the act", buf_str(&page));
	} else {
		app_message(app, CONSOLE_INFO, "%s %s", app->act.sentence, buf_str(&text));
	}
	app->act.after = 0;
	buf_fini(&text);
	buf_fini(&page);
	app_dirty(app);
}
