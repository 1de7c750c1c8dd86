/*
 * What an earlier console of this target left open: a runbook that was not finished, which can go on
 * where it stood, and writes of which nobody knows whether they were done, which a person settles.
 * Nothing of it is ever done again from here.
 */
#include "console_run.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

enum settle_stage { SETTLE_READING, SETTLE_RUN, SETTLE_WRITE };

/* How soon it is looked again whether something else is being asked. */
#define ASK_AGAIN_MS 500

struct app_settle {
	enum settle_stage stage;
	struct settle_read *read;   /* the journals are being read; NULL: they were */
	struct loop_timer *waiting; /* until nothing else is asked */
	struct run_trace trace;
	struct journal_pending_list pending;
	size_t next; /* the write that is asked about */
};

/* Reading the journals, in a worker: there may be many. */
struct settle_read {
	struct app *app; /* NULL: nobody wants it any more */
	char *target;
	struct run_trace trace;
	struct journal_pending_list pending;
};

void app_settle_fini(struct app *app)
{
	if (!app->settle)
		return;
	if (app->settle->read)
		app->settle->read->app = NULL;
	loop_timer_stop(app->settle->waiting);
	run_trace_fini(&app->settle->trace);
	journal_pending_fini(&app->settle->pending);
	free(app->settle);
	app->settle = NULL;
}

/* ", 2025-01-27 10:00 UTC" of a record's time; to be freed. */
static char *settle_when(const char *ts)
{
	return ts && strlen(ts) > 16 ? mem_printf(", %.10s %.5s UTC", ts, ts + 11) : mem_strdup("");
}

/* --- writes ---------------------------------------------------------------------------------- */

/* What the database shows now, for the question. */
static void settle_evidence(struct app *app, struct buf *out)
{
	const struct db_snapshot *snapshot = target_snapshot(app->target);
	size_t i, n = 0;

	if (!snapshot)
		return;
	buf_add_str(out, "; now at ");
	for (i = 0; i < snapshot->versions.n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", snapshot->versions.items[i]);
	for (i = 0; i < snapshot->n_sessions; i++)
		n += str_starts(snapshot->sessions[i].application, "pgoncall-");
	buf_printf(out, "%s; %zu session%s of runbooks live",
		snapshot->versions.n ? "" : "no revision", n, n == 1 ? "" : "s");
}

static const char *const settle_answers[] = {
	"I looked: it was done",
	"I looked: it was not done",
	"Ask again at the next start",
};

/* A run's own write is settled in the runbook. */
static bool settle_is_the_runs(const struct app_settle *settle, const struct journal_pending *write)
{
	return settle->trace.runbook && settle->trace.intent_seq == write->intent.seq &&
	       str_equal(settle->trace.incident, write->intent.incident);
}

static void settle_ask_write(struct app *app)
{
	struct app_settle *settle = app->settle;
	const struct journal_record *intent;
	struct strlist items;
	struct buf title = BUF_INIT;
	char *when;
	size_t i;

	while (settle->next < settle->pending.n &&
		(settle->pending.items[settle->next].live ||
			settle_is_the_runs(settle, &settle->pending.items[settle->next])))
		settle->next++;
	if (settle->next == settle->pending.n) {
		app_settle_fini(app);
		return;
	}
	settle->stage = SETTLE_WRITE;
	intent = &settle->pending.items[settle->next].intent;
	when = settle_when(intent->ts);
	buf_printf(&title, "Unknown result: %s%s%s%s%s", intent->runbook ? intent->runbook : "",
		intent->runbook ? ", " : "", intent->step ? intent->step : "a write", when,
		settle->pending.items[settle->next].lost ? " (link lost)" : "");
	free(when);
	settle_evidence(app, &title);
	strlist_init(&items);
	for (i = 0; i < sizeof(settle_answers) / sizeof(settle_answers[0]); i++)
		strlist_add(&items, settle_answers[i]);
	if (intent->command)
		strlist_add_take(&items, mem_printf("(it was: %.100s)", intent->command));
	console_pick(app->console, APP_ASK_RUN_SETTLE, buf_str(&title), &items, 2);
	strlist_fini(&items);
	buf_fini(&title);
	app_dirty(app);
}

/* The record is told of where it went, or that it did not. */
static void settle_on_recorded(void *arg, int64_t seq, const struct err *err)
{
	struct app *app = arg;

	if (seq < 0)
		app_message(app, CONSOLE_ERROR, "%s", err->text);
	else
		app_message(app, CONSOLE_INFO, "written to the journal of that incident");
}

/* Into the journal of another incident than this console's; what is given is written after the close. */
static void settle_record(struct app *app, const char *incident, const struct journal_entry *entry)
{
	struct recorder *recorder;
	struct journal_meta meta;

	if (str_equal(recorder_incident(app->recorder), incident)) {
		app_record(app, entry, settle_on_recorded, app);
		return;
	}
	memset(&meta, 0, sizeof(meta));
	meta.incident = incident;
	meta.user = app->person;
	meta.target = app->section->name;
	meta.host = config_get(app->section, CONFIG_SSH);
	meta.database = config_get(app->section, CONFIG_DB_NAME);
	recorder = recorder_new(app->loop);
	recorder_write(recorder, &meta, entry, NULL, NULL);
	recorder_close(recorder);
	app_message(app, CONSOLE_INFO, "given to the journal of that incident");
}

static void settle_write(struct app *app, const struct journal_pending *write, const char *text)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = JOURNAL_NOTE;
	entry.intent = write->intent.seq;
	entry.runbook = write->intent.runbook;
	entry.step = write->intent.step;
	entry.text = text;
	settle_record(app, write->intent.incident, &entry);
}

/* --- runs ------------------------------------------------------------------------------------ */

static void settle_ask_run(struct app *app)
{
	const struct run_trace *trace = &app->settle->trace;
	struct strlist items;
	char *when = settle_when(trace->ts);
	char *title = mem_printf("%s was left at step %s%s%s", trace->runbook,
		*trace->arrived ? trace->arrived
		: *trace->step  ? trace->step
				: "1",
		trace->intent_seq ? " (result unknown)" : "", when);

	app->settle->stage = SETTLE_RUN;
	strlist_init(&items);
	strlist_add(&items, "Go on where it stood");
	strlist_add(&items, "Not now; ask again at the next start");
	strlist_add(&items, "It is over: close it");
	console_pick(app->console, APP_ASK_RUN_RESUME, title, &items, 0);
	strlist_fini(&items);
	free(title);
	free(when);
	app_dirty(app);
}

/* Says in its own journal that it is over. */
static void settle_close_run(struct app *app)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = JOURNAL_NOTE;
	entry.runbook = app->settle->trace.runbook;
	entry.text = "stopped: closed by the operator at a later start";
	settle_record(app, app->settle->trace.incident, &entry);
}

/* --- the order of it ------------------------------------------------------------------------- */

static void settle_ask(struct app *app);

static void settle_on_wait(struct loop_timer *timer, void *arg)
{
	(void)timer;
	settle_ask(arg);
}

/* What the operator does meanwhile is not asked away: no keys are taken from what is typed, and a
 * runbook that was opened goes first. */
static bool settle_must_wait(const struct app *app)
{
	return app->run || console_is_asking(app->console) || console_is_typing(app->console);
}

static void settle_ask(struct app *app)
{
	struct app_settle *settle = app->settle;

	if (settle_must_wait(app)) {
		if (!settle->waiting)
			settle->waiting = loop_timer_start(
				app->loop, ASK_AGAIN_MS, ASK_AGAIN_MS, settle_on_wait, app);
		return;
	}
	loop_timer_stop(settle->waiting);
	settle->waiting = NULL;
	if (settle->trace.runbook)
		settle_ask_run(app);
	else
		settle_ask_write(app);
}

static void settle_work(void *arg)
{
	struct settle_read *read = arg;
	struct buf directory = BUF_INIT;

	if (journal_directory(&directory, NULL) == 0)
		journal_pending_load(buf_str(&directory), read->target, &read->pending, NULL);
	buf_fini(&directory);
	run_trace_find(read->target, &read->trace);
}

static void settle_on_read(void *arg)
{
	struct settle_read *read = arg;
	struct app *app = read->app;

	if (app) {
		app->settle->read = NULL;
		app->settle->trace = read->trace;
		app->settle->pending = read->pending;
		settle_ask(app);
	} else {
		run_trace_fini(&read->trace);
		journal_pending_fini(&read->pending);
	}
	free(read->target);
	free(read);
}

void app_settle_begin(struct app *app)
{
	struct settle_read *read;

	if (app->settle || app->run)
		return;
	app->settle = mem_calloc(1, sizeof(*app->settle));
	read = app->settle->read = mem_calloc(1, sizeof(*read));
	read->app = app;
	read->target = mem_strdup(app->section->name);
	loop_work(app->loop, settle_work, settle_on_read, read);
}

static void settle_run_picked(struct app *app, size_t index)
{
	struct err err;

	if (index == 0 && run_trace_resume(app, &app->settle->trace, &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	else if (index == 2)
		settle_close_run(app);
	if (index == 0)
		app_settle_fini(app);
	else
		settle_ask_write(app);
}

void app_settle_picked(struct app *app, size_t index)
{
	struct app_settle *settle = app->settle;

	if (!settle || settle->read)
		return;
	if (settle->stage == SETTLE_RUN) {
		settle_run_picked(app, index);
		return;
	}
	if (index < 2)
		settle_write(app, &settle->pending.items[settle->next], settle_answers[index]);
	settle->next++;
	settle_ask_write(app);
}
