/*
 * The provided variables, one row each; see the header.
 */
#include "run_vars.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/host/quote.h>
#include <pgoncall/host/stop.h>

#define LOGS_TAIL "5000"

/* What a row may look at. */
struct vars_source {
	const struct config_section *section;
	const struct db_snapshot *snapshot;
	const struct migration_graph *graph;
	const char *version_table; /* or NULL */
	struct host_runtime runtime;
};

/* --- what is more than a setting ------------------------------------------------------------- */

static bool has_containers(const struct vars_source *source)
{
	return source->runtime.kind != HOST_RUNTIME_NONE;
}

static void add_runtime(const struct vars_source *source, struct buf *out)
{
	buf_add_str(out, config_is_set(source->section, CONFIG_RUNTIME_COMMAND)
				 ? config_get(source->section, CONFIG_RUNTIME_COMMAND)
				 : host_runtime_name(source->runtime.kind));
}

static void var_target(const struct vars_source *source, struct buf *out)
{
	buf_add_str(out, source->section->name);
}

static void var_host(const struct vars_source *source, struct buf *out)
{
	const char *ssh = config_get(source->section, CONFIG_SSH);

	buf_add_str(out, strcmp(ssh, "none") == 0 ? "localhost" : ssh);
}

static void var_app(const struct vars_source *source, struct buf *out)
{
	buf_add_str(out, config_app(source->section));
}

static void var_apps(const struct vars_source *source, struct buf *out)
{
	static const enum config_key keys[] = { CONFIG_APP, CONFIG_APP_BLUE, CONFIG_APP_GREEN };
	struct strlist names;
	size_t i;

	strlist_init(&names);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (*config_get(source->section, keys[i]) &&
			!strlist_has(&names, config_get(source->section, keys[i])))
			strlist_add(&names, config_get(source->section, keys[i]));
	for (i = 0; i < names.n; i++)
		buf_printf(out, "%s%s", i ? " " : "", names.items[i]);
	strlist_fini(&names);
}

static void var_runtime(const struct vars_source *source, struct buf *out)
{
	if (has_containers(source))
		add_runtime(source, out);
}

/* Begins "docker VERB …" as a command line. */
static void begin_runtime(const struct vars_source *source, const char *verb, struct buf *out)
{
	struct buf words = BUF_INIT, line = BUF_INIT;

	add_runtime(source, &words);
	host_command_add_setting(&line, buf_str(&words));
	host_command_add(&line, verb);
	buf_add_str(out, buf_str(&line));
	buf_fini(&line);
	buf_fini(&words);
}

static void var_containers(const struct vars_source *source, struct buf *out)
{
	struct buf names = BUF_INIT;
	struct strlist words;

	strlist_init(&words);
	var_apps(source, &names);
	strlist_add_words(&words, buf_str(&names));
	if (*config_get(source->section, CONFIG_DB_CONTAINER))
		strlist_add(&words, config_get(source->section, CONFIG_DB_CONTAINER));
	if (has_containers(source) && words.n) {
		begin_runtime(source, "inspect", out);
		host_command_add_argv(out, (const char *const[]){ "--type", "container", "--format",
						   "{{.Name}}  {{.Config.Image}}  "
						   "{{.State.Status}}  since {{.State.StartedAt}}",
						   NULL });
		host_command_add_list(out, &words);
	}
	strlist_fini(&words);
	buf_fini(&names);
}

/* The first of the logs that is no container's: without a runtime the app's log. */
static void add_plain_log(const struct vars_source *source, bool follow, struct buf *out)
{
	struct host_logs logs = { .follow = follow, .tail = follow ? 20 : atol(LOGS_TAIL) };
	struct strlist words;
	struct err err;

	strlist_init(&words);
	strlist_add_words(&words, config_get(source->section, CONFIG_LOGS));
	if (words.n) {
		logs.container = words.items[0];
		host_runtime_logs(&source->runtime, &logs, out, &err);
	}
	strlist_fini(&words);
}

static void var_logs(const struct vars_source *source, struct buf *out)
{
	const char *app = config_app(source->section);

	if (!has_containers(source)) {
		add_plain_log(source, false, out);
	} else if (*app) {
		begin_runtime(source, "logs", out);
		buf_add_str(out, " --tail " LOGS_TAIL " --since \"$(");
		begin_runtime(source, "inspect", out);
		host_command_add_argv(out,
			(const char *const[]){ "--format", "{{.State.StartedAt}}", app, NULL });
		buf_add_str(out, ")\"");
		host_command_add(out, app);
	}
}

static void var_logs_follow(const struct vars_source *source, struct buf *out)
{
	const char *app = config_app(source->section);

	if (!has_containers(source)) {
		add_plain_log(source, true, out);
	} else if (*app) {
		begin_runtime(source, "logs", out);
		host_command_add_argv(
			out, (const char *const[]){ "--tail", "20", "--follow", app, NULL });
	}
}

/* --- where the database and the files are ----------------------------------------------------- */

static void var_version_table(const struct vars_source *source, struct buf *out)
{
	buf_add_str(out, source->version_table ? source->version_table
					       : config_get(source->section, CONFIG_VERSION_TABLE));
}

static void var_current(const struct vars_source *source, struct buf *out)
{
	if (source->snapshot && source->snapshot->version_table == DB_VERSION_TABLE_FOUND &&
		source->snapshot->versions.n == 1)
		buf_add_str(out, source->snapshot->versions.items[0]);
}

static void var_heads(const struct vars_source *source, struct buf *out)
{
	size_t i;

	for (i = 0; source->graph && i < source->graph->heads.n; i++)
		buf_printf(out, "%s%s", i ? " " : "",
			source->graph->revisions[source->graph->heads.items[i]].id);
}

static void var_head(const struct vars_source *source, struct buf *out)
{
	if (source->graph && source->graph->heads.n == 1)
		var_heads(source, out);
}

static void var_previous(const struct vars_source *source, struct buf *out)
{
	const struct migration_revision *revision = NULL;
	struct buf current = BUF_INIT;

	var_current(source, &current);
	if (source->graph && current.len)
		revision = migration_graph_find(source->graph, buf_str(&current));
	if (revision && !revision->dynamic && revision->down.n < 2)
		buf_add_str(out, revision->down.n ? revision->down.items[0] : "base");
	buf_fini(&current);
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum config_key key; /* where make is NULL */
	void (*make)(const struct vars_source *source, struct buf *out);
} provided[] = {
	{ "target", 0, var_target },
	{ "environment", CONFIG_ENVIRONMENT, NULL },
	{ "host", 0, var_host },
	{ "database", CONFIG_DB_NAME, NULL },
	{ "role", CONFIG_DB_USER, NULL },
	{ "app", 0, var_app },
	{ "blue", CONFIG_APP_BLUE, NULL },
	{ "green", CONFIG_APP_GREEN, NULL },
	{ "apps", 0, var_apps },
	{ "db_container", CONFIG_DB_CONTAINER, NULL },
	{ "alembic", CONFIG_ALEMBIC, NULL },
	{ "runtime", 0, var_runtime },
	{ "compose", CONFIG_COMPOSE, NULL },
	{ "compose_service", CONFIG_COMPOSE_SERVICE, NULL },
	{ "containers", 0, var_containers },
	{ "logs", 0, var_logs },
	{ "logs_follow", 0, var_logs_follow },
	{ "version_table", 0, var_version_table },
	{ "critical_tables", CONFIG_CRITICAL_TABLES, NULL },
	{ "health_url", CONFIG_HEALTH_URL, NULL },
	{ "migrations", CONFIG_MIGRATIONS, NULL },
	{ "sql_migrations", CONFIG_SQL_MIGRATIONS, NULL },
	{ "repository", CONFIG_REPOSITORY, NULL },
	{ "deploy_log", CONFIG_DEPLOY_LOG, NULL },
	{ "current", 0, var_current },
	{ "heads", 0, var_heads },
	{ "head", 0, var_head },
	{ "previous", 0, var_previous },
};

void run_vars_provide(const struct config_section *section, const struct run_seen *seen,
	struct runbook_vars *vars)
{
	struct vars_source source = { .section = section,
		.snapshot = seen->snapshot,
		.graph = seen->graph,
		.version_table = seen->version_table };
	struct buf value = BUF_INIT;
	size_t i;

	source.runtime.command = config_get(section, CONFIG_RUNTIME_COMMAND);
	host_runtime_parse(config_get(section, CONFIG_RUNTIME), &source.runtime.kind);
	for (i = 0; i < sizeof(provided) / sizeof(provided[0]); i++) {
		buf_clear(&value);
		if (provided[i].make)
			provided[i].make(&source, &value);
		else
			buf_add_str(&value, config_get(section, provided[i].key));
		runbook_vars_set(vars, provided[i].name, value.len ? buf_str(&value) : NULL);
	}
	buf_fini(&value);
}

void run_vars_provide_target(const struct target *target, struct runbook_vars *vars)
{
	struct run_seen seen = { target_snapshot(target), target_graph(target),
		target_version_table(target) };

	run_vars_provide(target_section(target), &seen, vars);
}

unsigned run_vars_have(const struct config_section *section)
{
	unsigned have = 0;

	if (*config_app(section))
		have |= RUNBOOK_REQUIRE_APP;
	if (config_is_set(section, CONFIG_COMPOSE) &&
		config_is_set(section, CONFIG_COMPOSE_SERVICE))
		have |= RUNBOOK_REQUIRE_COMPOSE;
	return have;
}

/* --- where it runs --------------------------------------------------------------------------- */

/* What is to be ended by its mark says which shell began it. To be freed. */
static char *wrap_marked(const struct run_place *place, const char *command)
{
	return mem_printf("%s%s", str_empty(place->mark) ? "" : HOST_STOP_PRELUDE, command);
}

/* "env NAME=… sh -c …": whatever the login shell is, a POSIX shell reads the command. */
static void wrap_shell(const struct run_place *place, const char *command, struct buf *out)
{
	struct buf line = BUF_INIT;
	char *name, *marked = wrap_marked(place, command);

	if (!str_empty(place->application)) {
		name = mem_printf("PGAPPNAME=%s", place->application);
		host_command_add(&line, "env");
		host_command_add(&line, name);
		free(name);
		if (!str_empty(place->mark))
			host_command_add(&line, place->mark);
	}
	host_command_add_argv(&line, (const char *const[]){ "sh", "-c", marked, NULL });
	buf_add_str(out, buf_str(&line));
	buf_fini(&line);
	free(marked);
}

static int wrap_app(
	const struct run_place *place, const char *command, struct buf *out, struct err *err)
{
	struct strlist argv, env;
	struct host_exec exec = {
		.container = config_app(place->section), .argv = &argv, .env = &env
	};
	int rc;

	if (!*exec.container)
		return err_set(err, ERR_REFUSED,
			"no 'app' is configured: set it to the container with the revision files");
	strlist_init(&argv);
	strlist_init(&env);
	strlist_add(&argv, "sh");
	strlist_add(&argv, "-c");
	strlist_add_take(&argv, wrap_marked(place, command));
	if (!str_empty(place->application))
		strlist_add_take(&env, mem_printf("PGAPPNAME=%s", place->application));
	if (!str_empty(place->mark))
		strlist_add(&env, place->mark);
	rc = host_runtime_exec(&place->runtime, &exec, out, err);
	strlist_fini(&argv);
	strlist_fini(&env);
	return rc;
}

/* On this machine, in the local checkout. */
static int wrap_local(
	const struct run_place *place, const char *command, struct buf *out, struct err *err)
{
	struct buf line = BUF_INIT;

	if (!config_is_set(place->section, CONFIG_REPOSITORY))
		return err_set(err, ERR_REFUSED,
			"set repository in the configuration: this runs in the local checkout");
	buf_add_str(&line, "cd -- ");
	host_quote_word(&line, config_get(place->section, CONFIG_REPOSITORY));
	buf_printf(&line, " || exit\n%s", command);
	wrap_shell(place, buf_str(&line), out);
	buf_fini(&line);
	return 0;
}

bool run_place_is_here(const struct run_place *self, enum runbook_place place)
{
	return place == RUNBOOK_ON_LOCAL ||
	       (place == RUNBOOK_ON_HEALTH &&
		       strcmp(config_get(self->section, CONFIG_HEALTH_FROM), "host") != 0);
}

int run_place_wrap(
	void *arg, enum runbook_place place, const char *command, struct buf *out, struct err *err)
{
	const struct run_place *self = arg;

	switch (place) {
	case RUNBOOK_ON_APP:
		return wrap_app(self, command, out, err);
	case RUNBOOK_ON_LOCAL:
		return wrap_local(self, command, out, err);
	case RUNBOOK_ON_HOST:
	case RUNBOOK_ON_HEALTH:
		wrap_shell(self, command, out);
		return 0;
	case RUNBOOK_ON_DB:
		break;
	}
	return err_set(err, ERR_REFUSED, "a command line does not run in the database");
}
