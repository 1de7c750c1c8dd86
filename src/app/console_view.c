/*
 * Models into the console: what the target knows is handed to the panes, and the target's events
 * become messages. Also opening, closing and choosing a target.
 */
#include "console_app.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/app/keys.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/ui/pane_revisions.h>

enum confirm_environment app_confirm_environment(const struct app *app)
{
	switch (app_policy_environment(app)) {
	case POLICY_DEVELOPMENT:
		return CONFIRM_DEVELOPMENT;
	case POLICY_STAGING:
		return CONFIRM_STAGING;
	default:
		return CONFIRM_PRODUCTION;
	}
}

enum policy_environment app_policy_environment(const struct app *app)
{
	enum policy_environment environment = POLICY_PRODUCTION;

	if (app->section)
		policy_environment_parse(
			config_get(app->section, CONFIG_ENVIRONMENT), &environment);
	return environment;
}

void app_show_facts(struct app *app)
{
	bool armed = app_is_armed(app);
	double rtt = app->target ? target_rtt_ms(app->target) : -1;
	struct console_facts facts = {
		.target = app->section->name,
		.database = config_get(app->section, CONFIG_DB_NAME),
		.environment = app_confirm_environment(app),
		.writable = armed || app_policy_environment(app) != POLICY_PRODUCTION,
		.armed_until =
			armed ? clock_monotonic() + gate_arm_left(&app->arm, clock_boottime()) : 0,
		.ssh_ms = str_equal(config_get(app->section, CONFIG_SSH), "none") ? -1
			  : rtt < 0                                               ? NAN
										  : rtt,
		.host_lost = app->target && !target_host_is_up(app->target),
		.paused = app->paused,
		.past_wall = app->past ? app->past->at_wall : 0,
		.busy = app->act.running || app_run_is_busy(app),
		.interruptible = app_run_is_interruptible(app),
	};

	console_set_facts(app->console, &facts);
	app_run_show(app);
	app_dirty(app);
}

/* --- checklist ------------------------------------------------------------------------------- */

/* The one remedy of a step that failed. Those of reaching the host are for sentences that name none;
 * most end with theirs, after a semicolon. */
static const char *const step_remedies[TARGET_STEP_COUNT] = {
	[TARGET_STEP_CONFIG] =
		"Check that 'ssh -G HOST' works here, and the settings ssh and ssh_config.",
	[TARGET_STEP_CONNECT] = "Check the address, the network, and that sshd listens there.",
	[TARGET_STEP_HOSTKEY] =
		"Compare the fingerprint with the host's own before changing known_hosts.",
	[TARGET_STEP_AUTH] =
		"Load the key with ssh-add, or set IdentityFile in ssh's configuration.",
	[TARGET_STEP_ADDRESS] = NULL, /* every sentence has its own */
	[TARGET_STEP_DATABASE] = "Check that the server runs and has a free slot, db_name, db_user "
				 "and the passfile; R tries again.",
	[TARGET_STEP_VERSION] = "Check version_table, and that the role may read it.",
};

static void view_show_checklist(struct app *app)
{
	static const enum console_check states[] = {
		[TARGET_STEP_WAITING] = CONSOLE_CHECK_WAITING,
		[TARGET_STEP_RUNNING] = CONSOLE_CHECK_RUNNING,
		[TARGET_STEP_DONE] = CONSOLE_CHECK_OK,
		[TARGET_STEP_FAILED] = CONSOLE_CHECK_FAILED,
	};
	const struct target_progress *progress = target_progress(app->target);
	struct console_check_step steps[TARGET_STEP_COUNT];
	size_t n = 0;
	int i;

	for (i = 0; i < TARGET_STEP_COUNT; i++) {
		if (progress[i].state == TARGET_STEP_SKIPPED)
			continue;
		steps[n].text = target_step_name((enum target_step)i);
		steps[n].detail = *progress[i].detail ? progress[i].detail : NULL;
		steps[n].remedy = i <= TARGET_STEP_AUTH && strstr(progress[i].detail, "; ")
					  ? NULL
					  : step_remedies[i];
		steps[n++].state = states[progress[i].state];
	}
	console_set_checklist(app->console, steps, n);
}

/* --- events of the target -------------------------------------------------------------------- */

void app_show_findings(struct app *app)
{
	struct finding_input input = { .snapshot = app_shown(app), .now_ns = clock_wall() };

	log_trouble_look(&app->trouble, target_graph(app->target));
	/* The past tells its own moment alone: what else is known is of now. */
	if (!app->past) {
		input.graph = target_graph(app->target);
		input.sources = target_sources(app->target);
		input.legacy = target_legacy(app->target);
		input.migrations_error = target_migrations_error(app->target);
		input.trouble = &app->trouble;
		probe_fill(app->probe, &input);
	}
	findings_compute(&app->findings, &input);
	if (!app->past)
		app_health_add(app, &app->findings);
	console_set_findings(app->console, &app->findings);
}

static void view_on_probe(void *arg)
{
	struct app *app = arg;

	if (!app->target)
		return;
	app_show_findings(app);
	app_act_after(app);
	app_dirty(app);
}

/* With the first picture the checklist goes; what it said that matters on is said once more. */
static void view_tell_first(struct app *app)
{
	const char *detail = target_progress(app->target)[TARGET_STEP_CONFIG].detail;
	double seconds = (double)(clock_monotonic() - app->opened_at) / 1e9;

	if (app->told_first || target_get_state(app->target) != TARGET_UP)
		return;
	app->told_first = true;
	app_health_begin(app);
	app_settle_begin(app);
	if (target_version_note(app->target))
		app_message(app, CONSOLE_WARNING, "%s", target_version_note(app->target));
	else if (str_starts(detail, "system's ssh:"))
		app_message(app, CONSOLE_INFO, "%s (first picture after %.2f s)", detail, seconds);
	else
		app_message(app, CONSOLE_INFO, "first picture after %.2f s", seconds);
}

static void view_on_state(void *arg)
{
	static const enum console_link links[] = {
		[TARGET_CONNECTING] = CONSOLE_CONNECTING,
		[TARGET_UP] = CONSOLE_UP,
		[TARGET_LOST] = CONSOLE_LOST,
	};
	struct app *app = arg;
	enum target_state state;
	enum console_link link;

	if (!app->target)
		return;
	state = target_get_state(app->target);
	if (state == TARGET_LOST)
		app_disarm(app, target_host_is_up(app->target) ? "the database was lost"
							       : "the link was lost");
	/* Between two tries before the first picture nothing is being connected. */
	link = state == TARGET_CONNECTING && target_retry_at(app->target) ? CONSOLE_LOST
									  : links[state];
	console_set_link(
		app->console, link, target_state_since(app->target), target_retry_at(app->target));
	view_show_checklist(app);
	view_tell_first(app);
	app_show_facts(app);
}

static void view_on_error(void *arg, const struct err *why, bool retrying)
{
	struct app *app = arg;

	if (!app->target)
		return;
	/* Before the first picture the checklist says it. */
	if (target_snapshot(app->target))
		app_message(
			app, CONSOLE_ERROR, "%s%s", why->text, retrying ? "" : " (R tries again)");
	view_on_state(app);
}

static void view_on_snapshot(void *arg, const struct db_snapshot *snapshot)
{
	struct app *app = arg;

	if (!app->target)
		return;
	app->picture_asleep = clock_boottime() - clock_monotonic();
	app_past_add(app, snapshot);
	if (!app->past)
		console_set_snapshot(app->console, snapshot);
	probe_advance(app->probe, app->target);
	app_show_findings(app);
	app_act_look(app);
	app_act_after(app);
	app_run_look(app);
	app_show_facts(app);
	/* The first takes the place of the checklist without delay. */
	if (!app->has_picture)
		app_draw_at_once(app);
	app->has_picture = true;
}

static void view_show_revisions(struct app *app)
{
	struct target_running running = target_running(app->target);
	struct revisions_view view = {
		.graph = target_graph(app->target),
		.sources = target_sources(app->target),
		.legacy = target_legacy(app->target),
		.legacy_error = target_legacy_error(app->target),
		.error = target_migrations_error(app->target),
		.running = running.id,
		.running_down = running.down,
		.running_sure = running.sure,
		.running_blocked = running.blocked,
	};

	console_set_revisions(app->console, &view);
}

static void view_on_migrations(void *arg)
{
	struct app *app = arg;

	if (!app->target)
		return;
	/* A revision that was applied may have made the tables that were missing. */
	probe_expire(app->probe);
	probe_advance(app->probe, app->target);
	view_show_revisions(app);
	app_show_findings(app);
	app_dirty(app);
}

static void view_on_logs(void *arg)
{
	struct app *app = arg;

	if (app->target)
		app_logs_changed(app);
}

static void view_on_log_match(
	void *arg, size_t source, const struct log_line *line, const struct log_match *match)
{
	struct app *app = arg;

	if (app->target)
		app_logs_match(app, source, line, match);
}

/* Connecting wants to know something. */
static void view_on_ask(void *arg, const struct target_question *question)
{
	struct app *app = arg;
	char *text;

	if (!question) {
		console_withdraw(app->console, APP_ASK_CONNECTING);
		app_dirty(app);
		return;
	}
	text = mem_printf(
		"%s%s%s", question->detail, *question->detail ? "\n" : "", question->prompt);
	if (app->target) {
		term_flush_input(app->term);
		console_ask(
			app->console, APP_ASK_CONNECTING, question->title, text, !question->echo);
		app_dirty(app);
	}
	free(text);
}

/* --- opening and closing --------------------------------------------------------------------- */

/* Where typed lines are kept: $XDG_STATE_HOME, else ~/.local/state. NULL where neither is known. */
static char *view_history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (!str_empty(state) && *state == '/')
		return mem_printf("%s/pgoncall/history", state);
	return str_empty(home) ? NULL : mem_printf("%s/.local/state/pgoncall/history", home);
}

static void view_new_console(struct app *app)
{
	struct console_options options;
	char *history = view_history_path();

	memset(&options, 0, sizeof(options));
	app_keys_init(&options.keys);
	options.keys.on[CMD_TARGET] = app->config.n_targets > 1;
	options.history_path = history;
	options.complete = app_complete;
	options.arg = app;
	app->console = console_new(&options);
	free(history);
}

void app_open_target(struct app *app, const struct config_section *section)
{
	struct target_events events = {
		.on_state = view_on_state,
		.on_error = view_on_error,
		.on_snapshot = view_on_snapshot,
		.on_migrations = view_on_migrations,
		.on_logs = view_on_logs,
		.on_log_match = view_on_log_match,
		.on_ask = view_on_ask,
		.arg = app,
	};
	struct target_options options = {
		.section = section,
		.wants = TARGET_DATABASE | TARGET_ACTING | TARGET_MIGRATIONS | TARGET_LOGS |
			 TARGET_TEXTS | TARGET_SIDES,
		.refresh_ns = app->refresh_ns,
		.retry = true,
	};
	char *name;

	app_close_target(app);
	app->section = section;
	app->paused = app->told_first = app->has_picture = false;
	app->opened_at = clock_monotonic();
	view_new_console(app);
	name = mem_printf("%s@%s", config_get(section, CONFIG_DB_NAME), section->name);
	app->gate = gate_new(app_policy_environment(app), name);
	free(name);
	app->recorder = recorder_new(app->loop);
	app->probe = probe_new(app->loop, section, view_on_probe, app);
	app->target = target_open(app->loop, &options, &events);
	app_logs_open(app);
	view_on_state(app);
	app_dirty(app);
}

void app_close_target(struct app *app)
{
	struct target *target = app->target;

	if (target)
		app_disarm(app, "the target was left");
	/* Acts under way get their last word from target_close; nothing else is shown any more. */
	app_run_fini(app);
	app_health_fini(app);
	app->target = NULL;
	app_preview_fini(app);
	probe_stop(app->probe);
	if (target)
		app_logs_close(app);
	target_close(target);
	probe_free(app->probe);
	app->probe = NULL;
	app_act_fini(app);
	app_settle_fini(app);
	console_free(app->console);
	app->console = NULL;
	app_past_fini(app);
	findings_fini(&app->findings);
	memset(&app->findings, 0, sizeof(app->findings));
	recorder_close(app->recorder);
	app->recorder = NULL;
	if (app->gate)
		gate_free(app->gate);
	app->gate = NULL;
}

void app_pick_target(struct app *app)
{
	struct strlist names;
	size_t i, selected = 0;
	char *name;

	if (!app->console)
		view_new_console(app);
	strlist_init(&names);
	for (i = 0; i < app->config.n_targets; i++) {
		name = mem_printf("%-16s %-12s %s", app->config.targets[i].name,
			config_get(&app->config.targets[i], CONFIG_ENVIRONMENT),
			config_get(&app->config.targets[i], CONFIG_SSH));
		strlist_add_take(&names, name);
		if (app->section == &app->config.targets[i])
			selected = i;
	}
	console_pick(app->console, APP_ASK_TARGET, "Target", &names, selected);
	strlist_fini(&names);
	app_dirty(app);
}
