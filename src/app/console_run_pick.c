/*
 * What the operator chooses a variable's value from: one row of a table for each picker and source.
 * A choice is a line to read and the values it sets.
 */
#include "console_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/query.h>
#include <pgoncall/host/quote.h>
#include <pgoncall/ui/format.h>

/* --- choices --------------------------------------------------------------------------------- */

void run_choices_fini(struct run_choices *choices)
{
	size_t i;

	for (i = 0; i < choices->n; i++)
		runbook_vars_fini(&choices->values[i]);
	free(choices->values);
	strlist_fini(&choices->lines);
	memset(choices, 0, sizeof(*choices));
}

/* Its values are to be set by the caller. */
static struct runbook_vars *choice_add_take(struct run_choices *choices, char *line_take)
{
	strlist_add_take(&choices->lines, line_take);
	choices->values =
		mem_grow(choices->values, choices->n, &choices->cap, sizeof(*choices->values));
	memset(&choices->values[choices->n], 0, sizeof(*choices->values));
	return &choices->values[choices->n++];
}

static void choice_add_plain(struct run_choices *choices, const struct runbook_var *var,
	const char *value, const char *note)
{
	char *line = *note ? mem_printf("%-20s  %s", value, note) : mem_strdup(value);

	runbook_vars_set(choice_add_take(choices, line), var->name, value);
}

/* --- sessions -------------------------------------------------------------------------------- */

static void session_values(
	const struct db_session *s, const struct runbook_var *var, struct runbook_vars *values)
{
	char pid[16];
	const struct {
		const char *field, *value;
	} fields[] = {
		{ "pid", pid },
		{ "backend_start", s->backend_start },
		{ "xact_start", s->xact_start },
		{ "query_start", s->query_start },
		{ "user", s->user },
		{ "application", s->application },
		{ "client", s->client },
		{ "state", s->state },
		{ "query", s->query },
	};
	char *name, *value;
	size_t i;

	snprintf(pid, sizeof(pid), "%d", s->pid);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		name = mem_printf("%s.%s", var->name, fields[i].field);
		/* A query may hold what a text may not; it is only shown. */
		value = strcmp(fields[i].field, "query") == 0 ? format_query(fields[i].value)
							      : mem_strdup(fields[i].value);
		runbook_vars_set(values, name, value);
		free(value);
		free(name);
	}
}

static char *session_line(const struct db_session *s)
{
	struct buf line = BUF_INIT;
	char *query = format_query(s->query);
	char age[32];

	buf_printf(&line, "%-7d %-8s %-16s %-10s %6s  ", s->pid, s->user, s->application,
		format_state(s), clock_format_age(format_session_age(s), age, sizeof(age)));
	if (s->n_behind)
		buf_printf(&line, "blocks %zu  ", s->n_behind);
	buf_printf(&line, "%.80s", query);
	free(query);
	return buf_steal(&line);
}

static bool session_is_in_tree(const struct db_session *s)
{
	return s->is_root || s->n_blocked_by || s->n_behind;
}

static bool session_is_client(const struct db_session *s)
{
	return strcmp(s->backend_type, "client backend") == 0 &&
	       strcmp(s->application, "pgoncall") != 0;
}

static bool session_migrates(const struct db_session *s)
{
	return s->migration || str_starts(s->application, "pgoncall-");
}

/* Roots first: they are what is to end. */
static void add_sessions(
	struct app_run *r, const struct runbook_var *var, bool (*wants)(const struct db_session *s))
{
	const struct db_snapshot *snapshot = target_snapshot(r->app->target);
	const struct db_session *s;
	size_t i, pass;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; snapshot && i < snapshot->n_sessions; i++) {
			s = &snapshot->sessions[i];
			if (s->pid && !s->ours && wants(s) && s->is_root == (pass == 0))
				session_values(
					s, var, choice_add_take(&r->choices, session_line(s)));
		}
	}
}

static void add_locks(struct app_run *r, const struct runbook_var *var)
{
	add_sessions(r, var, session_is_in_tree);
}

static void add_activity(struct app_run *r, const struct runbook_var *var)
{
	add_sessions(r, var, session_is_client);
}

static void add_migrators(struct app_run *r, const struct runbook_var *var)
{
	add_sessions(r, var, session_migrates);
}

static void add_prepared(struct app_run *r, const struct runbook_var *var)
{
	const struct db_snapshot *snapshot = target_snapshot(r->app->target);
	const struct db_session *s;
	char note[64], age[32];
	size_t i;

	for (i = 0; snapshot && i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		if (s->pid || !*s->gid)
			continue;
		snprintf(note, sizeof(note), "prepared for %s, blocks %zu",
			clock_format_age(s->xact_age_s, age, sizeof(age)), s->n_behind);
		choice_add_plain(&r->choices, var, s->gid, note);
	}
}

/* --- revisions ------------------------------------------------------------------------------- */

static void add_revisions(struct app_run *r, const struct runbook_var *var, unsigned states)
{
	const struct migration_graph *graph = target_graph(r->app->target);
	const struct migration_revision *revision;
	size_t i;
	char *message, *note;

	for (i = 0; graph && i < graph->n; i++) {
		revision = &graph->revisions[i];
		if (!(states & 1u << revision->state))
			continue;
		message = format_one_line(revision->message);
		note = mem_printf("%-8s %.60s", migration_state_name(revision->state), message);
		choice_add_plain(&r->choices, var, revision->id, note);
		free(note);
		free(message);
	}
}

static void add_timeline(struct app_run *r, const struct runbook_var *var)
{
	add_revisions(r, var, ~0u);
}

static void add_pending(struct app_run *r, const struct runbook_var *var)
{
	add_revisions(r, var, 1u << MIGRATION_PENDING);
}

static void add_applied(struct app_run *r, const struct runbook_var *var)
{
	add_revisions(r, var, 1u << MIGRATION_APPLIED | 1u << MIGRATION_CURRENT);
}

/* --- containers and tables -------------------------------------------------------------------- */

static void add_containers(struct app_run *r, const struct runbook_var *var)
{
	const char *database = config_get(r->app->section, CONFIG_DB_CONTAINER);
	struct strlist names;
	size_t i;

	strlist_init(&names);
	strlist_add_words(&names, runbook_vars_get(&r->run->vars, "apps")
					  ? runbook_vars_get(&r->run->vars, "apps")
					  : "");
	if (*database && strcmp(var->from, "all") == 0)
		strlist_add(&names, database);
	for (i = 0; i < names.n; i++)
		choice_add_plain(&r->choices, var, names.items[i], "");
	strlist_fini(&names);
}

static void add_critical(struct app_run *r, const struct runbook_var *var)
{
	struct strlist names;
	size_t i;

	strlist_init(&names);
	strlist_add_words(&names, config_get(r->app->section, CONFIG_CRITICAL_TABLES));
	for (i = 0; i < names.n; i++)
		choice_add_plain(&r->choices, var, names.items[i], "");
	strlist_fini(&names);
}

/* Cost: one scan of pg_class; any server. */
static const char tables_sql[] =
	"SELECT CASE WHEN n.nspname = 'public' THEN c.relname ELSE n.nspname || '.' || c.relname "
	"END"
	" FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> "
	"'information_schema'"
	" ORDER BY 1";

/* Cost: one scan of pg_index; any server. */
static const char invalid_sql[] =
	"SELECT CASE WHEN n.nspname = 'public' THEN c.relname ELSE n.nspname || '.' || c.relname "
	"END"
	" FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid"
	" JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
	" WHERE NOT i.indisvalid ORDER BY 1";

/* --- the table ------------------------------------------------------------------------------- */

static const struct {
	const char *picker, *from;
	void (*add)(struct app_run *r, const struct runbook_var *var); /* NULL: asks, see below */
	const char *sql;   /* its rows are the choices */
	const char *shell; /* its lines are, with the directory of legacy SQL after it */
	const char *none;  /* said where there is nothing to choose from */
} sources[] = {
	{ "backend", "locks", add_locks, NULL, NULL, "No session waits or blocks now." },
	{ "backend", "activity", add_activity, NULL, NULL, "There is no session." },
	{ "backend", "migration", add_migrators, NULL, NULL, "No session looks like a migration." },
	{ "prepared", "locks", add_prepared, NULL, NULL, "There is no prepared transaction." },
	{ "revision", "timeline", add_timeline, NULL, NULL, "The revisions are not known." },
	{ "revision", "pending", add_pending, NULL, NULL, "No revision is pending." },
	{ "revision", "applied", add_applied, NULL, NULL, "No revision is applied." },
	{ "container", "app", add_containers, NULL, NULL, "No container is configured." },
	{ "container", "all", add_containers, NULL, NULL, "No container is configured." },
	{ "table", "critical", add_critical, NULL, NULL, "critical_tables is not set." },
	{ "table", "tables", NULL, tables_sql, NULL, "There is no table." },
	{ "index", "invalid", NULL, invalid_sql, NULL, "No index is invalid." },
	{ "file", "sql_migrations", NULL, NULL, "ls -1 ", "There is no file." },
};

static size_t pick_source(const struct runbook_var *var)
{
	size_t i;

	for (i = 0; i < sizeof(sources) / sizeof(sources[0]) - 1; i++)
		if (strcmp(sources[i].picker, var->picker->name) == 0 &&
			strcmp(sources[i].from, var->from) == 0)
			break;
	return i;
}

/* The choice that holds what is set already, e.g. by the finding; else the first. */
static size_t pick_preselected(const struct app_run *r)
{
	const char *head = runbook_vars_get(&r->run->vars, "head");
	size_t i;

	for (i = 0; head && i < r->choices.n; i++)
		if (str_equal(runbook_vars_get(&r->choices.values[i], r->run->pick->name), head))
			return i;
	return 0;
}

static void pick_show(struct app_run *r)
{
	char *title;

	if (r->run->state != RUNBOOK_STATE_PICKING)
		return;
	if (!r->choices.n) {
		app_message(r->app, CONSOLE_WARNING, "%s Enter looks again; s skips the step.",
			sources[pick_source(r->run->pick)].none);
		return;
	}
	title = mem_printf(
		"%s: choose for %s", runbook_run_step(r->run)->title, r->run->pick->name);
	term_flush_input(r->app->term);
	console_pick(
		r->app->console, APP_ASK_RUN_PICK, title, &r->choices.lines, pick_preselected(r));
	free(title);
}

/* --- asking for the choices ------------------------------------------------------------------ */

static void pick_on_ready(void *arg)
{
	run_exec_send(((struct app_run *)arg)->list);
}

static void pick_on_output(void *arg)
{
	(void)arg;
}

static void pick_add_line(struct app_run *r, const char *line, bool sql)
{
	const struct runbook_var *var = r->run->pick;
	struct err err;

	if (!*line || (!sql && !str_ends(line, ".sql")) ||
		runbook_type_check(var->type, var->name, line, &err) < 0)
		return;
	choice_add_plain(&r->choices, var, line, "");
}

static void pick_on_done(void *arg, const struct runbook_result *result)
{
	struct app_run *r = arg;
	bool sql = r->run->pick && sources[pick_source(r->run->pick)].sql;
	char *copy, *line, *next;

	if (r->run->state == RUNBOOK_STATE_PICKING && result->ran == RUNBOOK_RAN && !result->exit) {
		copy = mem_strdup(result->out);
		line = copy;
		if (sql && (line = strchr(line, '\n'))) /* the heading */
			line++;
		for (; line; line = next) {
			if ((next = strchr(line, '\n')))
				*next++ = '\0';
			pick_add_line(r, line, sql);
		}
		free(copy);
	} else if (result->error) {
		app_message(r->app, CONSOLE_ERROR, "%s", result->error);
	}
	pick_show(r);
}

/* A read of our own, over the same ways as the steps'. */
static void pick_ask(struct app_run *r, enum runbook_language language, const char *text)
{
	struct runbook_command command;
	struct run_exec_request request = {
		.loop = r->app->loop,
		.target = r->app->target,
		.transport = language == RUNBOOK_SH ? target_transport(r->app->target) : NULL,
		.command = &command,
		.timeout_ns = 10 * CLOCK_NS_PER_S,
	};
	struct run_exec_events events = { pick_on_ready, pick_on_output, pick_on_done, r };

	memset(&command, 0, sizeof(command));
	command.language = language;
	command.text = command.shown = (char *)(uintptr_t)text;
	r->list = run_exec_start(&request, &events);
}

static void pick_ask_files(struct app_run *r, const char *verb)
{
	struct buf line = BUF_INIT, wrapped = BUF_INIT;
	struct run_place place = r->place;
	struct err err;

	place.mark = ""; /* it is no process of the step's */
	buf_add_str(&line, verb);
	host_quote_word(&line, config_get(r->app->section, CONFIG_SQL_MIGRATIONS));
	if (run_place_wrap(&place, RUNBOOK_ON_APP, buf_str(&line), &wrapped, &err) < 0)
		app_message(r->app, CONSOLE_ERROR, "%s", err.text);
	else
		pick_ask(r, RUNBOOK_SH, buf_str(&wrapped));
	buf_fini(&wrapped);
	buf_fini(&line);
}

void run_pick(struct app_run *r)
{
	const struct runbook_var *var = r->run->pick;
	char *question;
	size_t source;

	/* An answer that is still to come was meant for another variable, or an older picture. */
	run_exec_free(r->list);
	r->list = NULL;
	run_choices_fini(&r->choices);
	strlist_init(&r->choices.lines);
	if (!var->picker) {
		question = mem_printf("%s: what is %s? (%s)", runbook_run_step(r->run)->title,
			var->name, runbook_type_name(var->type));
		console_ask(r->app->console, APP_ASK_RUN_VALUE, var->name, question, false);
		free(question);
		return;
	}
	source = pick_source(var);
	if (sources[source].sql) {
		pick_ask(r, RUNBOOK_SQL, sources[source].sql);
	} else if (sources[source].shell) {
		pick_ask_files(r, sources[source].shell);
	} else {
		sources[source].add(r, var);
		pick_show(r);
	}
}

static int pick_set(struct app_run *r, const struct runbook_vars *values)
{
	struct err err;
	size_t i;

	for (i = 0; i < values->n; i++) {
		if (runbook_run_set(r->run, values->items[i].name, values->items[i].value, &err) <
			0) {
			app_message(r->app, CONSOLE_ERROR, "%s", err.text);
			return -1;
		}
	}
	return 0;
}

void run_picked(struct app_run *r, size_t index)
{
	if (r->run->state == RUNBOOK_STATE_PICKING && index < r->choices.n &&
		pick_set(r, &r->choices.values[index]) == 0)
		run_event(r, RUNBOOK_EVENT_PICK, NULL);
}

void run_valued(struct app_run *r, const char *text)
{
	struct runbook_vars values;

	if (r->run->state != RUNBOOK_STATE_PICKING || !r->run->pick)
		return;
	/* Enter alone chooses nothing: it may have been meant for what stood there before. */
	if (str_empty(text)) {
		app_message(r->app, CONSOLE_WARNING, "Nothing was typed for %s: Enter asks again.",
			r->run->pick->name);
		return;
	}
	memset(&values, 0, sizeof(values));
	runbook_vars_set(&values, r->run->pick->name, text);
	if (pick_set(r, &values) == 0)
		run_event(r, RUNBOOK_EVENT_PICK, NULL);
	runbook_vars_fini(&values);
}

/* --- from a finding -------------------------------------------------------------------------- */

const struct db_session *run_fill_session(
	const struct db_snapshot *snapshot, const struct finding *finding)
{
	const struct db_session *s, *found = NULL;
	size_t i, n_prepared = 0;

	for (i = 0; snapshot && i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		if (!s->is_root)
			continue;
		if (finding->pid && s->pid == finding->pid &&
			str_equal(s->backend_start, finding->backend_start))
			return s;
		if (!finding->pid && !s->pid) {
			found = s;
			n_prepared++;
		}
	}
	return n_prepared == 1 ? found : NULL;
}

void run_fill(struct app_run *r, const struct finding *finding)
{
	const struct db_session *s = run_fill_session(target_snapshot(r->app->target), finding);
	const struct runbook_var *var;
	struct runbook_vars values;
	size_t i;

	memset(&values, 0, sizeof(values));
	for (i = 0; s && i < r->run->runbook->n_vars; i++) {
		var = &r->run->runbook->vars[i];
		if (!var->picker)
			continue;
		if (s->pid && strcmp(var->picker->name, "backend") == 0 &&
			strcmp(var->from, "migration") != 0)
			session_values(s, var, &values);
		else if (!s->pid && strcmp(var->picker->name, "prepared") == 0)
			runbook_vars_set(&values, var->name, s->gid);
	}
	pick_set(r, &values);
	runbook_vars_fini(&values);
}
