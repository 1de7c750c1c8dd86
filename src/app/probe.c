/*
 * The seldom questions of a target. The schema's facts are asked every minute and after each act;
 * the process list of the application's containers only while a migration's session gives reason to
 * doubt that anybody is still behind it. Owns the last answers.
 */
#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/schema.h>
#include <pgoncall/host/quote.h>
#include <pgoncall/host/run.h>

#define PROBE_SCHEMA_NS    (60 * CLOCK_NS_PER_S)
#define PROBE_MIGRATORS_NS (15 * CLOCK_NS_PER_S)
#define PROBE_PATIENCE_S   10 /* so long a migration may idle or wait unsuspected */
#define PROBE_WORK_S       60 /* and so long it may work */
#define PROBE_TIMEOUT_MS   10000

struct probe {
	struct loop *loop;
	const struct config_section *section;
	void (*on_change)(void *arg);
	void *arg;
	bool stopped;

	bool schema_asking, schema_known, schema_fresh;
	int64_t schema_at; /* monotonic; 0: never */
	struct db_schema_facts schema;

	struct host_run *run;
	int64_t migrators_at;
	bool migrators_known;
	size_t n_migrators;
};

struct probe *probe_new(struct loop *loop, const struct config_section *section,
	void (*on_change)(void *arg), void *arg)
{
	struct probe *probe = mem_calloc(1, sizeof(*probe));

	probe->loop = loop;
	probe->section = section;
	probe->on_change = on_change;
	probe->arg = arg;
	strlist_init(&probe->schema.missing_tables);
	strlist_init(&probe->schema.invalid_indexes);
	return probe;
}

void probe_stop(struct probe *probe)
{
	if (!probe)
		return;
	probe->stopped = true;
	host_run_cancel(probe->run);
	probe->run = NULL;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	probe_stop(probe);
	strlist_fini(&probe->schema.missing_tables);
	strlist_fini(&probe->schema.invalid_indexes);
	free(probe);
}

/* --- the schema ------------------------------------------------------------------------------ */

static void probe_on_schema(void *arg, const struct db_schema_facts *facts, const struct err *err)
{
	struct probe *probe = arg;

	(void)err;
	probe->schema_asking = false;
	if (!facts || probe->stopped)
		return;
	strlist_fini(&probe->schema.missing_tables);
	strlist_fini(&probe->schema.invalid_indexes);
	strlist_copy(&probe->schema.missing_tables, &facts->missing_tables);
	strlist_copy(&probe->schema.invalid_indexes, &facts->invalid_indexes);
	probe->schema_known = probe->schema_fresh = true;
	probe->on_change(probe->arg);
}

static void probe_ask_schema(struct probe *probe, const struct target *target)
{
	struct db_conn *conn = target_watch_conn(target);
	struct strlist tables;

	if (!conn || !db_conn_is_up(conn) || probe->schema_asking)
		return;
	probe->schema_at = clock_monotonic();
	probe->schema_asking = true;
	strlist_init(&tables);
	strlist_add_words(&tables, config_get(probe->section, CONFIG_CRITICAL_TABLES));
	db_schema_ask(conn, &tables, probe_on_schema, probe);
	strlist_fini(&tables);
}

void probe_expire(struct probe *probe)
{
	probe->schema_at = 0;
	probe->schema_fresh = false;
}

bool probe_is_fresh(const struct probe *probe)
{
	return probe->schema_fresh;
}

/* --- alembic's processes --------------------------------------------------------------------- */

void probe_command(struct buf *out, const struct config_section *section, const char *container)
{
	if (str_equal(config_get(section, CONFIG_RUNTIME), "none")) {
		buf_add_str(out, "ps -eo pid,args");
		return;
	}
	host_command_add_setting(out, config_get(section, CONFIG_RUNTIME_COMMAND));
	host_command_add(out, "top");
	host_command_add(out, container);
	host_command_add(out, "-eo");
	host_command_add(out, "pid,args");
}

size_t probe_count_migrators(const char *listing)
{
	size_t n = 0, len;
	char *line;

	for (; *listing; listing += len + (listing[len] == '\n')) {
		len = strcspn(listing, "\n");
		line = mem_strndup(listing, len);
		n += strstr(line, "alembic") != NULL && strstr(line, "pgoncall") == NULL;
		free(line);
	}
	return n;
}

static void probe_on_processes(void *arg, const struct host_output *output, const struct err *err)
{
	struct probe *probe = arg;
	struct err why;

	probe->run = NULL;
	probe->migrators_known =
		host_output_check(output, err, "listing the application's processes", &why) == 0;
	if (probe->migrators_known)
		probe->n_migrators = probe_count_migrators(buf_str(&output->out));
	probe->on_change(probe->arg);
}

/* Every container that may run migrations, one command for all of them: where one cannot be asked,
 * nothing is known. */
static void probe_ask_migrators(struct probe *probe, const struct target *target)
{
	static const enum config_key keys[] = { CONFIG_APP, CONFIG_APP_BLUE, CONFIG_APP_GREEN };
	const struct host_run_options options = { .timeout_ms = PROBE_TIMEOUT_MS };
	struct buf command = BUF_INIT;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!config_is_set(probe->section, keys[i]))
			continue;
		if (command.len)
			buf_add_str(&command, " && ");
		probe_command(&command, probe->section, config_get(probe->section, keys[i]));
	}
	probe->migrators_at = clock_monotonic();
	if (command.len && target_transport(target))
		probe->run = host_run_start(probe->loop, target_transport(target),
			buf_str(&command), &options, probe_on_processes, probe);
	buf_fini(&command);
}

static bool probe_doubts(const struct db_session *s)
{
	if (!s->migration)
		return false;
	if (s->n_blocked_by)
		return s->wait_age_s > PROBE_PATIENCE_S;
	if (strncmp(s->state, "idle in transaction", 19) == 0)
		return s->state_age_s > PROBE_PATIENCE_S;
	return strcmp(s->state, "active") == 0 && s->query_age_s > PROBE_WORK_S;
}

void probe_advance(struct probe *probe, const struct target *target)
{
	const struct db_snapshot *snapshot = target_snapshot(target);
	int64_t now = clock_monotonic();
	bool doubts = false;
	size_t i;

	if (probe->stopped || !snapshot || target_get_state(target) != TARGET_UP)
		return;
	if (!probe->schema_at || now - probe->schema_at > PROBE_SCHEMA_NS)
		probe_ask_schema(probe, target);
	for (i = 0; i < snapshot->n_sessions; i++)
		doubts |= probe_doubts(&snapshot->sessions[i]);
	if (!doubts)
		probe->migrators_known = false;
	else if (!probe->run &&
		 (!probe->migrators_at || now - probe->migrators_at > PROBE_MIGRATORS_NS))
		probe_ask_migrators(probe, target);
}

/* --- findings -------------------------------------------------------------------------------- */

void probe_fill(const struct probe *probe, struct finding_input *in)
{
	in->schema = probe->schema_known ? &probe->schema : NULL;
	in->migrators_asked = probe->migrators_known;
	in->n_migrators = probe->n_migrators;
}

const struct strlist *probe_invalid_indexes(const struct probe *probe)
{
	return &probe->schema.invalid_indexes;
}
