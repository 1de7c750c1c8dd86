/*
 * The ":" line: one table of commands, their completion, and what each does. It never runs a shell.
 */
#include "console_app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

static int do_arm(struct app *app, const char *args, struct err *err);
static int do_columns(struct app *app, const char *args, struct err *err);
static int do_describe(struct app *app, const char *args, struct err *err);
static int do_disarm(struct app *app, const char *args, struct err *err);
static int do_goto(struct app *app, const char *args, struct err *err);
static int do_help(struct app *app, const char *args, struct err *err);
static int do_logs(struct app *app, const char *args, struct err *err);
static int do_note(struct app *app, const char *args, struct err *err);
static int do_quit(struct app *app, const char *args, struct err *err);
static int do_report(struct app *app, const char *args, struct err *err);
static int do_runbook(struct app *app, const char *args, struct err *err);
static int do_set(struct app *app, const char *args, struct err *err);
static int do_sql(struct app *app, const char *args, struct err *err);
static int do_tables(struct app *app, const char *args, struct err *err);
static int do_target(struct app *app, const char *args, struct err *err);
static int do_theme(struct app *app, const char *args, struct err *err);
static int do_write(struct app *app, const char *args, struct err *err);

static void complete_logs(const struct app *app, struct strlist *words);
static void complete_tables(const struct app *app, struct strlist *words);
static void complete_targets(const struct app *app, struct strlist *words);
static void complete_themes(const struct app *app, struct strlist *words);

/* args begins with its first word, or is "". */
static const struct {
	const char *name;
	const char *args; /* for the usage; "" : takes none */
	const char *help;
	int (*run)(struct app *app, const char *args, struct err *err);
	void (*complete)(const struct app *app, struct strlist *words);
} commands[] = {
	{ "arm", "10m REASON", "allow writes for that time", do_arm, NULL },
	{ "columns", "", "choose the columns of the Activity pane", do_columns, NULL },
	{ "d", "TABLE", "columns, indexes and constraints of a table", do_describe, complete_tables },
	{ "disarm", "", "back to read-only", do_disarm, NULL },
	{ "goto", "14:02", "go to that time in the logs; -5m is five minutes ago", do_goto, NULL },
	{ "help", "", "keys and commands", do_help, NULL },
	{ "logs", "[NAME …]", "follow and show these logs, or all again", do_logs, complete_logs },
	{ "note", "TEXT", "write a note to the journal", do_note, NULL },
	{ "quit", "", "leave", do_quit, NULL },
	{ "report", "FILE", "write the incident's timeline as Markdown", do_report, NULL },
	{ "runbook", "[NAME]", "open a runbook, or choose one", do_runbook, app_complete_runbooks },
	{ "set", "KEY=VALUE", "refresh=2s, theme=NAME, columns=user,app,query: for this run", do_set, NULL },
	{ "sql", "SELECT...", "ask the database, in a read-only transaction; 200 rows at most", do_sql,
		NULL },
	{ "tables", "", "list the tables, with estimated sizes", do_tables, NULL },
	{ "target", "NAME", "connect to another target", do_target, complete_targets },
	{ "theme", "NAME", "change the colours", do_theme, complete_themes },
	{ "write", "FILE", "write the rows of the focused pane to a new file", do_write, NULL },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* --- what they do ---------------------------------------------------------------------------- */

static int do_arm(struct app *app, const char *args, struct err *err)
{
	if (app_policy_environment(app) != POLICY_PRODUCTION) {
		app_message(app, CONSOLE_INFO, "%s is %s: writes are allowed without arming",
			app->section->name, config_get(app->section, CONFIG_ENVIRONMENT));
		return 0;
	}
	return app_arm(app, args, err);
}

static int do_columns(struct app *app, const char *args, struct err *err)
{
	(void)args;
	(void)err;
	app_columns(app, 0);
	return 0;
}

static int do_describe(struct app *app, const char *args, struct err *err)
{
	return app_describe(app, args, err);
}

static int do_sql(struct app *app, const char *args, struct err *err)
{
	return app_sql(app, args, err);
}

static int do_tables(struct app *app, const char *args, struct err *err)
{
	(void)args;
	return app_tables(app, err);
}

static int do_disarm(struct app *app, const char *args, struct err *err)
{
	(void)args;
	(void)err;
	app_disarm(app, "by :disarm");
	app_message(app, CONSOLE_INFO, "%s is read-only", app->section->name);
	return 0;
}

static int do_help(struct app *app, const char *args, struct err *err)
{
	struct buf text = BUF_INIT;
	size_t i;

	(void)args;
	(void)err;
	buf_add_str(&text, "# Commands\n");
	for (i = 0; i < N_COMMANDS; i++)
		buf_printf(&text, ":%-7s %-12s  %s\n", commands[i].name, commands[i].args,
			commands[i].help);
	buf_add_str(&text, "\n# Keys\n?  shows the keys of each pane\n");
	console_page(app->console, "Commands", buf_str(&text));
	buf_fini(&text);
	return 0;
}

static int do_goto(struct app *app, const char *args, struct err *err)
{
	return app_logs_goto(app, args, err);
}

static int do_logs(struct app *app, const char *args, struct err *err)
{
	return app_logs_show(app, args, err);
}

static int do_note(struct app *app, const char *args, struct err *err)
{
	(void)err;
	app_note(app, args);
	return 0;
}

static int do_quit(struct app *app, const char *args, struct err *err)
{
	(void)args;
	if (app_check_leave(app, err) < 0)
		return -1;
	app_quit(app);
	return 0;
}

static int do_report(struct app *app, const char *args, struct err *err)
{
	struct buf text = BUF_INIT;
	struct journal_log log;
	int rc;

	if (!recorder_path(app->recorder))
		return err_set(err, ERR_REFUSED,
			"nothing is recorded yet: a record begins with :arm, :note or an act");
	if (journal_load(recorder_path(app->recorder), &log, err) < 0)
		return -1;
	journal_report(&log, &text);
	rc = app_write_file(args, buf_str(&text), err);
	if (rc == 0)
		app_message(app, CONSOLE_INFO, "the timeline is in %s", args);
	journal_log_fini(&log);
	buf_fini(&text);
	return rc;
}

static int do_runbook(struct app *app, const char *args, struct err *err)
{
	(void)err;
	app_runbook(app, args, SIZE_MAX);
	return 0;
}

static int do_set(struct app *app, const char *args, struct err *err)
{
	int64_t ns;
	char why[128];

	if (str_starts(args, "theme="))
		return app_set_theme(app, args + strlen("theme="), err);
	if (str_starts(args, "columns="))
		return console_set_columns(app->console, args + strlen("columns="), err);
	if (!str_starts(args, "refresh="))
		return err_set(err, ERR_USAGE,
			"':set' knows refresh=2s, theme=NAME and columns=user,app,query");
	args += strlen("refresh=");
	if (config_keys[CONFIG_REFRESH].check(args, why, sizeof(why)) < 0)
		return err_set(err, ERR_USAGE, "refresh=%s %s", args, why);
	clock_parse_duration(args, &ns);
	app->refresh_ns = ns;
	target_set_refresh(app->target, ns);
	app_message(app, CONSOLE_INFO, "asks every %s", args);
	return 0;
}

static int do_target(struct app *app, const char *args, struct err *err)
{
	const struct config_section *section = config_find(&app->config, args, err);

	if (!section)
		return -1;
	if (app_check_leave(app, err) < 0)
		return -1;
	app_open_target(app, section);
	return 0;
}

static int do_theme(struct app *app, const char *args, struct err *err)
{
	return app_set_theme(app, args, err);
}

static int do_write(struct app *app, const char *args, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc;

	console_pane_text(app->console, &text);
	rc = app_write_file(args, buf_str(&text), err);
	if (rc == 0)
		app_message(app, CONSOLE_INFO, "written to %s", args);
	buf_fini(&text);
	return rc;
}

/* A file that is there is never overwritten. */
int app_write_file(const char *path, const char *text, struct err *err)
{
	const char *home = getenv("HOME");
	char *full = str_starts(path, "~/") && home ? mem_printf("%s%s", home, path + 1)
						    : mem_strdup(path);
	int fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t left = strlen(text);
	ssize_t got;
	int rc = 0;

	if (fd < 0) {
		rc = err_system(err, errno, "cannot write %s", full);
		free(full);
		return rc;
	}
	while (left && rc == 0) {
		got = write(fd, text, left);
		if (got < 0 && errno != EINTR)
			rc = err_system(err, errno, "cannot write %s", full);
		else if (got > 0) {
			text += got;
			left -= (size_t)got;
		}
	}
	if (close(fd) < 0 && rc == 0)
		rc = err_system(err, errno, "cannot write %s", full);
	free(full);
	return rc;
}

/* --- the line -------------------------------------------------------------------------------- */

void app_command(struct app *app, const char *line)
{
	size_t len, i;
	struct err err;
	char *copy, *args;

	line += strspn(line, " \t:");
	len = strcspn(line, " \t");
	if (!len)
		return;
	for (i = 0; i < N_COMMANDS; i++)
		if (strlen(commands[i].name) == len && strncmp(commands[i].name, line, len) == 0)
			break;
	if (i == N_COMMANDS && len == 1 && *line == 'q')
		for (i = 0; !str_equal(commands[i].name, "quit"); i++)
			;
	if (i == N_COMMANDS) {
		app_message(app, CONSOLE_ERROR, "no command ':%.*s'; :help lists them", (int)len, line);
		return;
	}
	copy = mem_strdup(line + len);
	args = str_trim(copy);
	if (*commands[i].args && *commands[i].args != '[' && !*args)
		app_message(app, CONSOLE_ERROR, "usage: :%s %s", commands[i].name, commands[i].args);
	else if (commands[i].run(app, args, &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	free(copy);
}

static void complete_logs(const struct app *app, struct strlist *words)
{
	const struct target_log *logs;
	size_t i, n = 0;

	logs = app->target ? target_logs(app->target, &n) : NULL;
	for (i = 0; i < n; i++)
		strlist_add(words, logs[i].name);
}

/* Those that matter to the team, and those that locks are held on. */
static void complete_tables(const struct app *app, struct strlist *words)
{
	const struct db_snapshot *snapshot = app->target ? target_snapshot(app->target) : NULL;
	const struct db_lock *lock;
	size_t i, k;

	if (app->section)
		strlist_add_words(words, config_get(app->section, CONFIG_CRITICAL_TABLES));
	for (i = 0; snapshot && i < snapshot->n_sessions; i++) {
		for (k = 0; k < snapshot->sessions[i].n_holds; k++) {
			lock = &snapshot->sessions[i].holds[k];
			if (!strchr(lock->relation, ' ') && !strlist_has(words, lock->relation))
				strlist_add(words, lock->relation);
		}
	}
}

static void complete_targets(const struct app *app, struct strlist *words)
{
	size_t i;

	for (i = 0; i < app->config.n_targets; i++)
		strlist_add(words, app->config.targets[i].name);
}

static void complete_themes(const struct app *app, struct strlist *words)
{
	struct strlist dirs;

	(void)app;
	strlist_init(&dirs);
	theme_dirs(&dirs);
	theme_list(&dirs, words);
	strlist_fini(&dirs);
}

void app_complete(void *arg, const char *line, struct strlist *words)
{
	const struct app *app = arg;
	size_t len = strcspn(line, " \t"), i;

	for (i = 0; i < N_COMMANDS; i++) {
		if (!line[len])
			strlist_add(words, commands[i].name);
		else if (strlen(commands[i].name) == len &&
			strncmp(commands[i].name, line, len) == 0 && commands[i].complete)
			commands[i].complete(app, words);
	}
}
