/*
 * The console's terminal: keys in, drawings out, signals. Turns the console's intents into calls of
 * the other parts, by one table.
 */
#include "console_app.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

/* Drawings are at least this far apart, so that a flood of events costs no more. */
#define DRAW_DELAY_MS 15
#define TICK_MS       1000
/* An escape byte that nothing followed waits inside curses for 25 ms (term.c). */
#define ESCAPE_MS     30
#define AGES_MS       750
/* Above the jitter between reading two clocks, far below any lid closed. */
#define SLEEP_NOTICED_NS (2 * CLOCK_NS_PER_S)

/* --- drawing --------------------------------------------------------------------------------- */

static void loop_on_draw(struct loop_timer *timer, void *arg)
{
	struct app *app = arg;
	struct console_now now = { clock_monotonic(), clock_wall() };

	loop_timer_stop(timer);
	app->draw = NULL;
	if (!app->console || !app->term)
		return;
	app->drawn_at = now.monotonic;
	/* A filter that is being tried on many lines goes on with the next drawing. */
	if (console_logs_work(app->console))
		app_dirty(app);
	cells_clear(&app->cells);
	console_draw(app->console, &app->cells, &now);
	term_show(app->term, &app->cells);
}

void app_dirty(struct app *app)
{
	/* At once after a pause; in a flood, DRAW_DELAY_MS after the drawing before. */
	bool lately = clock_monotonic() - app->drawn_at < DRAW_DELAY_MS * CLOCK_NS_PER_MS;

	if (!app->draw && app->term)
		app->draw = loop_timer_start(
			app->loop, lately ? DRAW_DELAY_MS : 0, 0, loop_on_draw, app);
}

void app_draw_at_once(struct app *app)
{
	app_dirty(app);
	if (app->draw)
		loop_timer_again(app->draw, 0, 0);
}

void app_message(struct app *app, enum console_severity severity, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	if (!app->console)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	console_set_message(app->console, severity, buf_str(&text));
	buf_fini(&text);
	app_dirty(app);
}

int app_check_leave(const struct app *app, struct err *err)
{
	if (app->act.running)
		return err_set(err, ERR_REFUSED, "wait: the result for %s is not there yet",
			app->act.subject);
	if (app_run_is_busy(app))
		return err_set(err, ERR_REFUSED, "a step is running: Ctrl-C interrupts it");
	return 0;
}

void app_quit(struct app *app)
{
	app->quit = true;
	loop_stop(app->loop);
}

int app_set_theme(struct app *app, const char *name, struct err *err)
{
	struct strlist dirs;
	struct theme theme;
	int rc;

	strlist_init(&dirs);
	theme_dirs(&dirs);
	theme_init(&theme);
	rc = theme_load(&theme, app->no_color ? "mono" : name, &dirs, err);
	if (rc == 0) {
		theme_fini(&app->theme);
		app->theme = theme;
		if (app->term)
			term_set_theme(app->term, &app->theme);
	} else {
		theme_fini(&theme);
	}
	strlist_fini(&dirs);
	app_dirty(app);
	return rc;
}

static void loop_next_theme(struct app *app)
{
	struct strlist dirs, names;
	struct err err;
	size_t i;

	strlist_init(&dirs);
	strlist_init(&names);
	theme_dirs(&dirs);
	theme_list(&dirs, &names);
	for (i = 0; i < names.n && !str_equal(names.items[i], app->theme.name); i++)
		;
	if (names.n && app_set_theme(app, names.items[(i + 1) % names.n], &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	else
		app_message(app, CONSOLE_INFO, "theme %s", app->theme.name ? app->theme.name : "");
	strlist_fini(&dirs);
	strlist_fini(&names);
}

/* --- intents --------------------------------------------------------------------------------- */

static void on_quit(struct app *app, const struct console_intent *intent)
{
	(void)intent;
	app_quit(app);
}

static void on_refresh(struct app *app, const struct console_intent *intent)
{
	(void)intent;
	target_refresh(app->target);
}

static void on_pause(struct app *app, const struct console_intent *intent)
{
	(void)intent;
	app->paused = !app->paused;
	target_pause(app->target, app->paused);
	app_show_facts(app);
}

static void on_past(struct app *app, const struct console_intent *intent)
{
	app_past(app, intent->kind == INTENT_PAST_OLDER ? -1 : intent->kind == INTENT_PAST_NEWER);
}

static void on_redraw(struct app *app, const struct console_intent *intent)
{
	(void)intent;
	term_redraw(app->term);
}

static void on_suspend(struct app *app, const struct console_intent *intent)
{
	(void)intent;
	term_suspend(app->term);
}

static void on_interrupt(struct app *app, const struct console_intent *intent)
{
	(void)intent;
	if (app_preview_interrupt(app) || app_run_interrupt(app))
		return;
	if (app->act.running)
		app_message(app, CONSOLE_INFO, "%s: sent already; the result is being looked at",
			app->act.subject);
	else
		app_message(app, CONSOLE_INFO, "nothing is running; q quits");
}

static void on_sql(struct app *app, const struct console_intent *intent)
{
	app_preview(app, intent->text, intent->kind == INTENT_SQL_DOWNGRADE);
}

static void on_cancel_query(struct app *app, const struct console_intent *intent)
{
	app_act_begin(app, DB_ACTION_CANCEL, intent->sessions, intent->n_sessions);
}

static void on_terminate(struct app *app, const struct console_intent *intent)
{
	/* A prepared transaction has no session to end: rolling it back is what frees its locks. */
	app_act_begin(app,
		intent->n_sessions && !intent->sessions[0].pid ? DB_ACTION_ROLLBACK_PREPARED
							       : DB_ACTION_TERMINATE,
		intent->sessions, intent->n_sessions);
}

static void on_command(struct app *app, const struct console_intent *intent)
{
	char *line = mem_strdup(intent->text);

	app_command(app, line);
	free(line);
}

static void on_confirmed(struct app *app, const struct console_intent *intent)
{
	if (intent->id == APP_ASK_ACT)
		app_act_confirmed(app, intent->text);
	else
		app_run_intent(app, intent);
}

static void on_declined(struct app *app, const struct console_intent *intent)
{
	if (intent->id == APP_ASK_ACT)
		app_act_declined(app);
	else if (intent->id == APP_ASK_TARGET && !app->target)
		app_quit(app);
	else if (intent->id == APP_ASK_CONNECTING && app->target)
		target_answer(app->target, NULL);
	else
		app_run_intent(app, intent);
}

static void on_answered(struct app *app, const struct console_intent *intent)
{
	struct err err;

	if (intent->id == APP_ASK_CONNECTING)
		target_answer(app->target, intent->text);
	if (app_run_intent(app, intent) || intent->id != APP_ASK_WRITE_FILE ||
		str_empty(intent->text))
		return;
	if (app_write_file(intent->text, app->to_write ? app->to_write : "", &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	else
		app_message(app, CONSOLE_INFO, "written to %s", intent->text);
}

static void on_picked(struct app *app, const struct console_intent *intent)
{
	const struct config_section *section;
	struct err err;

	if (intent->id == APP_ASK_RUNBOOK)
		app_runbook_picked(app, intent->index);
	if (intent->id == APP_ASK_COLUMNS)
		app_column_picked(app, intent->index);
	if (app_run_intent(app, intent) || intent->id != APP_ASK_TARGET ||
		intent->index >= app->config.n_targets)
		return;
	section = &app->config.targets[intent->index];
	if (section == app->section)
		return;
	if (app_check_leave(app, &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	else
		app_open_target(app, section);
}

static void on_copy(struct app *app, const struct console_intent *intent)
{
	struct err err;

	if (term_copy(app->term, intent->text, &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	else
		app_message(app, CONSOLE_INFO, "copied %zu bytes", strlen(intent->text));
}

static void on_write(struct app *app, const struct console_intent *intent)
{
	free(app->to_write);
	app->to_write = mem_strdup(intent->text);
	console_ask(app->console, APP_ASK_WRITE_FILE, "Write",
		"Write the rows of this pane to a new file:", false);
}

static void on_theme(struct app *app, const struct console_intent *intent)
{
	(void)intent;
	loop_next_theme(app);
}

static void on_target(struct app *app, const struct console_intent *intent)
{
	struct err err;

	(void)intent;
	if (app_check_leave(app, &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	else
		app_pick_target(app);
}

static void on_runbook(struct app *app, const struct console_intent *intent)
{
	char *name = mem_strdup(intent->text ? intent->text : "");

	app_runbook(app, name, intent->index);
	free(name);
}

static void on_runbook_key(struct app *app, const struct console_intent *intent)
{
	app_run_intent(app, intent);
}

static void on_log_next(struct app *app, const struct console_intent *intent)
{
	app_logs_next(app, intent->kind == INTENT_LOG_NEXT ? 1 : -1);
}

static void (*const intents[])(struct app *app, const struct console_intent *intent) = {
	[INTENT_QUIT] = on_quit,
	[INTENT_REFRESH] = on_refresh,
	[INTENT_PAUSE] = on_pause,
	[INTENT_PAST_OLDER] = on_past,
	[INTENT_PAST_NEWER] = on_past,
	[INTENT_PAST_END] = on_past,
	[INTENT_REDRAW] = on_redraw,
	[INTENT_SUSPEND] = on_suspend,
	[INTENT_INTERRUPT] = on_interrupt,
	[INTENT_CANCEL_QUERY] = on_cancel_query,
	[INTENT_TERMINATE] = on_terminate,
	[INTENT_COMMAND] = on_command,
	[INTENT_CONFIRMED] = on_confirmed,
	[INTENT_DECLINED] = on_declined,
	[INTENT_ANSWERED] = on_answered,
	[INTENT_PICKED] = on_picked,
	[INTENT_COPY] = on_copy,
	[INTENT_WRITE] = on_write,
	[INTENT_THEME] = on_theme,
	[INTENT_TARGET] = on_target,
	[INTENT_RUNBOOKS] = on_runbook,
	[INTENT_OPEN_RUNBOOK] = on_runbook,
	[INTENT_SQL_UPGRADE] = on_sql,
	[INTENT_SQL_DOWNGRADE] = on_sql,
	[INTENT_RUNBOOK_KEY] = on_runbook_key,
	[INTENT_LOG_NEXT] = on_log_next,
	[INTENT_LOG_PREVIOUS] = on_log_next,
};

/* What makes sense while no target is open yet. */
static bool loop_needs_target(enum console_intent_kind kind)
{
	switch (kind) {
	case INTENT_QUIT:
	case INTENT_REDRAW:
	case INTENT_SUSPEND:
	case INTENT_THEME:
	case INTENT_PICKED:
	case INTENT_DECLINED:
		return false;
	default:
		return true;
	}
}

static void loop_key(struct app *app, uint32_t key)
{
	struct console_intent intent = console_key(app->console, key);
	size_t kind = (size_t)intent.kind;

	if (kind < sizeof(intents) / sizeof(intents[0]) && intents[kind] &&
		(app->target || !loop_needs_target(intent.kind)))
		intents[kind](app, &intent);
	app_dirty(app);
}

/* The terminal is gone: its descriptor stays readable and yields nothing. */
static bool loop_has_hung_up(struct app *app)
{
	struct pollfd fd = { .fd = term_fd(app->term), .events = POLLIN };

	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void loop_take_keys(struct app *app)
{
	uint32_t key;
	bool any = false;

	while (!app->quit && term_key(app->term, &key)) {
		any = true;
		loop_key(app, key);
	}
	/* What a key does is shown at once. */
	if (any && app->draw)
		loop_timer_again(app->draw, 1, 0);
	if (!any && loop_has_hung_up(app))
		app_quit(app);
}

static void loop_on_escape(struct loop_timer *timer, void *arg)
{
	struct app *app = arg;

	loop_timer_stop(timer);
	app->escape = NULL;
	loop_take_keys(app);
}

static void loop_on_keys(struct loop_poll *poll_handle, int events, void *arg)
{
	struct app *app = arg;

	(void)poll_handle;
	(void)events;
	loop_take_keys(app);
	if (!app->quit && !app->escape)
		app->escape = loop_timer_start(app->loop, ESCAPE_MS, 0, loop_on_escape, app);
}

/* --- time and signals ------------------------------------------------------------------------ */

/* While this machine slept, nobody watched and the world went on: what is armed is disarmed, and the
 * links, which the other side has given up or will, are made anew at once. */
static void loop_notice_sleep(struct app *app)
{
	int64_t asleep = clock_boottime() - clock_monotonic();
	char span[64];
	struct err err;

	if (app->target && asleep - app->asleep > SLEEP_NOTICED_NS) {
		clock_format_span((double)(asleep - app->asleep) / 1e9, span, sizeof(span));
		app_disarm(app, "this machine slept");
		err_set(&err, ERR_TRANSPORT, "this machine slept for %s", span);
		target_drop(app->target, &err);
	}
	app->asleep = asleep;
}

static void loop_on_tick(struct loop_timer *timer, void *arg)
{
	struct app *app = arg;

	(void)timer;
	loop_notice_sleep(app);
	if (app->target)
		app_arm_tick(app);
	/* Ages are shown in seconds; what was drawn lately shows them well enough. */
	if (clock_monotonic() - app->drawn_at > AGES_MS * CLOCK_NS_PER_MS)
		app_dirty(app);
}

static void loop_on_winch(struct loop_signal *signal, void *arg)
{
	struct app *app = arg;
	int rows, cols;

	(void)signal;
	term_resize(app->term);
	term_size(app->term, &rows, &cols);
	cells_resize(&app->cells, rows, cols);
	app_dirty(app);
}

static void loop_on_end(struct loop_signal *signal, void *arg)
{
	(void)signal;
	app_quit(arg);
}

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

/* A crash leaves the terminal as it was, and its core dump as ever. */
static void loop_on_fatal(int signum)
{
	term_restore();
	signal(signum, SIG_DFL);
	raise(signum);
}

static void loop_catch_fatal(void)
{
	struct sigaction action;
	size_t i;

	memset(&action, 0, sizeof(action));
	action.sa_handler = loop_on_fatal;
	action.sa_flags = (int)SA_RESETHAND;
	for (i = 0; i < sizeof(fatal_signals) / sizeof(fatal_signals[0]); i++)
		sigaction(fatal_signals[i], &action, NULL);
}

int app_terminal_start(struct app *app, struct err *err)
{
	struct term_options options = { .colour = !app->no_color };
	int rows, cols;

	if (term_start(&app->term, &options, err) < 0)
		return -1;
	mem_set_fatal_hook(term_restore);
	loop_catch_fatal();
	term_set_theme(app->term, &app->theme);
	term_size(app->term, &rows, &cols);
	cells_init(&app->cells, rows, cols, term_is_ascii(app->term));
	app->keys = loop_poll_start(app->loop, term_fd(app->term), LOOP_READ, loop_on_keys, app);
	app->winch = loop_signal_start(app->loop, SIGWINCH, loop_on_winch, app);
	app->term_signal = loop_signal_start(app->loop, SIGTERM, loop_on_end, app);
	app->hup = loop_signal_start(app->loop, SIGHUP, loop_on_end, app);
	app->asleep = clock_boottime() - clock_monotonic();
	app->tick = loop_timer_start(app->loop, TICK_MS, TICK_MS, loop_on_tick, app);
	return 0;
}

void app_terminal_stop(struct app *app)
{
	if (!app->term)
		return;
	loop_poll_stop(app->keys);
	loop_signal_stop(app->winch);
	loop_signal_stop(app->term_signal);
	loop_signal_stop(app->hup);
	loop_timer_stop(app->tick);
	loop_timer_stop(app->draw);
	loop_timer_stop(app->escape);
	loop_timer_stop(app->silence);
	app->draw = app->escape = app->silence = NULL;
	term_stop(app->term);
	app->term = NULL;
	mem_set_fatal_hook(NULL);
	cells_fini(&app->cells);
}
