/*
 * Arming, the incident's records, and what the gate is told of the present. Owns neither gate nor
 * journal file (console_journal.c); what is written with them is console_act.c's and console_run*.c's.
 */
#include "console_app.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

/* --- journal --------------------------------------------------------------------------------- */

char *app_person(void)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");
	char machine[256] = "";

	gethostname(machine, sizeof(machine) - 1);
	return mem_printf("%s@%s", !str_empty(sudo) ? sudo : pw ? pw->pw_name : "unknown", machine);
}

static void journal_fill_meta(const struct app *app, struct journal_meta *meta)
{
	/* A target that is being left writes its last words without. */
	const struct db_snapshot *snapshot = app->target ? target_snapshot(app->target) : NULL;
	const char *key = app->target ? target_host_key(app->target) : "";

	memset(meta, 0, sizeof(*meta));
	meta->user = app->person;
	meta->target = app->section->name;
	meta->host = config_get(app->section, CONFIG_SSH);
	meta->host_key = *key ? key : NULL;
	meta->database = config_get(app->section, CONFIG_DB_NAME);
	meta->role = snapshot ? snapshot->server.role : NULL;
}

static void app_on_recorded(void *arg, int64_t seq, const struct err *err)
{
	(void)seq;
	if (err)
		app_message(arg, CONSOLE_ERROR, "%s", err->text);
}

void app_record(struct app *app, const struct journal_entry *entry, recorder_done done, void *arg)
{
	struct journal_meta meta;

	journal_fill_meta(app, &meta);
	recorder_write(
		app->recorder, &meta, entry, done ? done : app_on_recorded, done ? arg : app);
}

void app_journal_open(struct app *app, const char *incident, recorder_done done, void *arg)
{
	struct journal_meta meta;

	journal_fill_meta(app, &meta);
	meta.incident = incident;
	recorder_open(app->recorder, &meta, done ? done : app_on_recorded, done ? arg : app);
}

static void app_on_noted(void *arg, int64_t seq, const struct err *err)
{
	struct app *app = arg;

	if (seq > 0)
		app_message(app, CONSOLE_INFO, "noted in %s", recorder_incident(app->recorder));
	else
		app_message(app, CONSOLE_ERROR, "%s", err->text);
}

void app_note(struct app *app, const char *text)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = JOURNAL_NOTE;
	entry.text = text;
	app_record(app, &entry, app_on_noted, app);
}

void app_note_quietly(struct app *app, const char *text)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = JOURNAL_NOTE;
	entry.text = text;
	app_record(app, &entry, NULL, NULL);
}

/* --- arming ---------------------------------------------------------------------------------- */

bool app_is_armed(const struct app *app)
{
	return gate_arm_left(&app->arm, clock_boottime()) > 0;
}

static void app_on_arm_recorded(void *arg, int64_t seq, const struct err *err)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct app *app = arg;
	char span[64];

	if (seq < 0) {
		app->arming_ns = 0;
		app_message(app, CONSOLE_ERROR, "not armed: %s", err->text);
		return;
	}
	if (!app->arming_ns || target_get_state(app->target) != TARGET_UP) {
		entry.event = JOURNAL_DISARM;
		entry.text = app->arming_ns ? "the link was lost" : "by :disarm";
		app_record(app, &entry, NULL, NULL);
		app_message(app, CONSOLE_ERROR, "not armed: %s",
			app->arming_ns ? "the link was lost" : "it was taken back");
		app->arming_ns = 0;
		return;
	}
	gate_arm_start(&app->arm, clock_boottime(), app->arming_ns, app->arming_reason);
	app_message(app, CONSOLE_WARNING, "ARMED for %s: writes to %s are allowed; :disarm ends it",
		clock_format_span((double)app->arming_ns / 1e9, span, sizeof(span)),
		app->section->name);
	app->arming_ns = 0;
	app_show_facts(app);
}

int app_arm(struct app *app, const char *text, struct err *err)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	const char *reason;
	int64_t duration;

	if (gate_arm_parse(text, &duration, &reason, err) < 0)
		return -1;
	if (app->arming_ns)
		return err_set(
			err, ERR_REFUSED, "the arming before is being recorded: wait for it");
	if (target_get_state(app->target) != TARGET_UP)
		return err_set(err, ERR_REFUSED, "not connected: arm when the link is up again");
	app->arming_ns = duration;
	snprintf(app->arming_reason, sizeof(app->arming_reason), "%s", reason);
	entry.event = JOURNAL_ARM;
	entry.text = reason;
	entry.duration_ms = app->arming_ns / CLOCK_NS_PER_MS;
	app_record(app, &entry, app_on_arm_recorded, app);
	return 0;
}

void app_disarm(struct app *app, const char *text)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	/* One whose record is on its way to the disk is not begun. */
	app->arming_ns = 0;
	if (!app->arm.until_ns)
		return;
	gate_arm_stop(&app->arm);
	gate_void(app->gate);
	entry.event = JOURNAL_DISARM;
	entry.text = text;
	app_record(app, &entry, NULL, NULL);
	app_show_facts(app);
}

void app_arm_tick(struct app *app)
{
	if (!app->arm.until_ns || app_is_armed(app))
		return;
	app_disarm(app, "the time is over");
	app_message(app, CONSOLE_WARNING, "%s is read-only again: the time is over",
		app->section->name);
}

/* --- the gate -------------------------------------------------------------------------------- */

void app_gate_state(struct app *app, struct gate_state *state)
{
	const struct db_snapshot *snapshot = target_snapshot(app->target);
	struct db_conn *acting = target_acting_conn(app->target);

	memset(state, 0, sizeof(*state));
	/* Sleep counts: before the loop has noticed it, an arming that is over and a picture that is
	 * old must be so here already. */
	state->now_ns = clock_boottime();
	state->environment = app_policy_environment(app);
	state->arm = app->arm;
	state->journal_ok = recorder_path(app->recorder) && recorder_ok(app->recorder);
	state->link_up =
		target_get_state(app->target) == TARGET_UP && acting && db_conn_is_up(acting);
	state->connection = target_connection_id(app->target);
	state->past = app->past != NULL;
	if (snapshot) {
		state->role = snapshot->server.standby ? GATE_ROLE_STANDBY : GATE_ROLE_PRIMARY;
		state->snapshot_ns = snapshot->at_monotonic + app->picture_asleep;
	}
}

char *app_target_name(const struct app *app)
{
	return mem_printf("%s@%s", config_get(app->section, CONFIG_DB_NAME), app->section->name);
}
