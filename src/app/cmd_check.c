/*
 * pgoncall check: the health check, one verdict per line. Several targets are asked at the same time
 * and printed in the order asked for.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/app/command.h>
#include <pgoncall/app/config.h>
#include <pgoncall/app/output.h>
#include <pgoncall/app/target.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/schema.h>

#include "check_logs.h"
#include "health.h"

static int check_run(const struct invocation *in);

const struct command command_check = {
	.name = "check",
	.args = "TARGET... | --all [--json]",
	.summary = "health check: one verdict per line",
	.details = "With --json: an object for one target, an array of objects for several.",
	.options = OPTION_JSON | OPTION_ALL,
	.min_args = 1,
	.max_args = -1,
	.run = check_run,
};

#define CHECK_TIMEOUT_MS 60000
#define CHECK_LOGS_MS    5000 /* that is waited for logs when all else is known */
#define CHECK_LAG_S      30   /* replication behind by more is worth a look */

struct check_all;

/* One target under examination. */
struct check_one {
	struct check_all *all;
	struct target *target;
	struct check_report report;
	struct findings findings;
	bool asked_schema;
	struct health *health; /* NULL: not asked yet, or over */
	struct check_logs logs;
	bool asked_all;               /* all but the logs is known */
	struct loop_timer *logs_late; /* runs while only they are waited for */
	bool finished;
	char *printed; /* what to print, once finished */
	enum check_status status;
};

struct check_all {
	const struct invocation *in;
	struct loop *loop;
	struct check_one *ones;
	size_t n, n_finished;
};

static void check_finish(struct check_one *one)
{
	const char *name = target_section(one->target)->name;
	size_t size;
	FILE *out;

	if (one->finished)
		return;
	one->finished = true;
	one->status = check_report_status(&one->report, &one->findings);
	out = open_memstream(&one->printed, &size);
	if (out) {
		if (one->all->in->given & OPTION_JSON)
			output_check_json(out, name, &one->report, &one->findings);
		else
			output_check_text(out, name, &one->report, &one->findings);
		fclose(out);
	}
	if (++one->all->n_finished == one->all->n)
		loop_stop(one->all->loop);
}

static void check_add_ids(
	struct buf *out, const struct migration_graph *graph, const struct migration_list *list)
{
	if (list->n)
		migration_graph_add_ids(graph, list, out);
	else
		buf_add_str(out, "none");
}

static void check_add_legacy(struct check_one *one)
{
	const struct legacy_list *legacy = target_legacy(one->target);

	if (target_legacy_error(one->target))
		check_report_add(&one->report, "legacy SQL", CHECK_UNKNOWN, "%s",
			target_legacy_error(one->target));
	else if (legacy)
		check_report_add(&one->report, "legacy SQL",
			legacy->n_pending ? CHECK_WARNING : CHECK_OK,
			"%zu applied; %zu pending; %zu recorded but missing",
			legacy->n - legacy->n_pending - legacy->n_missing, legacy->n_pending,
			legacy->n_missing);
}

static void check_add_revisions(struct check_one *one)
{
	const struct migration_graph *graph = target_graph(one->target);
	struct buf current = BUF_INIT, heads = BUF_INIT;
	enum check_status status = CHECK_OK;

	if (!graph) {
		check_report_add(&one->report, "revisions", CHECK_UNKNOWN, "%s",
			target_migrations_error(one->target));
		return;
	}
	check_add_ids(&current, graph, &graph->current);
	check_add_ids(&heads, graph, &graph->heads);
	if (graph->unknown_rows.n)
		status = CHECK_CRITICAL;
	else if (graph->pending.n || graph->heads.n > 1)
		status = CHECK_WARNING;
	check_report_add(&one->report, "revisions", status, "current %s; head %s; %zu pending",
		buf_str(&current), buf_str(&heads), graph->pending.n);
	buf_fini(&current);
	buf_fini(&heads);
	if (target_version_note(one->target))
		check_report_add(&one->report, "version table", CHECK_WARNING, "%s",
			target_version_note(one->target));
	check_add_legacy(one);
}

static void check_add_sessions(struct check_one *one)
{
	const struct db_snapshot *snapshot = target_snapshot(one->target);
	double oldest = -1;
	size_t i, blocked = 0;
	char age[64];

	for (i = 0; i < snapshot->n_sessions; i++) {
		blocked += snapshot->sessions[i].n_blocked_by > 0;
		if (!isnan(snapshot->sessions[i].xact_age_s))
			oldest = fmax(oldest, snapshot->sessions[i].xact_age_s);
	}
	check_report_add(&one->report, "blocked sessions", blocked ? CHECK_WARNING : CHECK_OK,
		"%zu", blocked);
	if (oldest < 0)
		check_report_add(&one->report, "oldest transaction", CHECK_OK, "none is open");
	else
		check_report_add(&one->report, "oldest transaction",
			oldest > 300 ? CHECK_WARNING : CHECK_OK, "%s",
			clock_format_span(oldest, age, sizeof(age)));
}

static void check_add_replication(struct check_one *one, const struct db_server *server)
{
	char span[64] = "unknown";

	if (!server->standby && !server->replicas)
		return;
	if (!isnan(server->lag_s))
		clock_format_span(server->lag_s, span, sizeof(span));
	check_report_add(&one->report, "replication lag",
		server->lag_s > CHECK_LAG_S ? CHECK_WARNING : CHECK_OK, "%s%s", span,
		server->standby ? ", of this standby" : ", of the slowest receiver");
}

static void check_add_server(struct check_one *one)
{
	const struct db_server *server = &target_snapshot(one->target)->server;
	int usable = server->max_connections - server->reserved_connections;

	check_report_add(&one->report, "database", CHECK_OK, "PostgreSQL %s, %s, role %s",
		server->version, server->standby ? "standby" : "primary", server->role);
	check_report_add(&one->report, "connections",
		server->used_connections * 10 >= usable * 9 ? CHECK_WARNING : CHECK_OK,
		"%d of %d used", server->used_connections, usable);
	if (*server->xmin_kind)
		check_report_add(&one->report, "oldest xmin", CHECK_OK, "%s %s, %ld transactions",
			server->xmin_kind, server->xmin_name, server->xmin_age);
	else
		check_report_add(&one->report, "oldest xmin", CHECK_OK, "held by nobody");
	check_add_replication(one, server);
}

static void check_add_list(struct check_one *one, const char *name, enum check_status bad,
	const struct strlist *list, const char *none)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < list->n; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", list->items[i]);
	check_report_add(&one->report, name, list->n ? bad : CHECK_OK, "%s",
		list->n ? buf_str(&text) : none);
	buf_fini(&text);
}

/* All is known, or as much as can be waited for. */
static void check_conclude(struct check_one *one)
{
	if (one->finished)
		return;
	loop_timer_stop(one->logs_late);
	one->logs_late = NULL;
	check_logs_judge(&one->logs, target_graph(one->target), &one->report, &one->findings);
	findings_sort(&one->findings);
	check_finish(one);
}

static void check_on_logs_late(struct loop_timer *timer, void *arg)
{
	(void)timer;
	check_conclude(arg);
}

static void check_on_health(void *arg, const struct check_report *report)
{
	struct check_one *one = arg;
	size_t i;

	one->health = NULL;
	for (i = 0; i < report->n; i++) {
		check_report_add(&one->report, report->lines[i].name, report->lines[i].status, "%s",
			report->lines[i].detail);
		if (report->lines[i].status == CHECK_CRITICAL)
			health_add_failed(&one->findings, report->lines[i].detail);
	}
	one->asked_all = true;
	if (check_logs_are_read(&one->logs))
		check_conclude(one);
	else
		one->logs_late =
			loop_timer_start(one->all->loop, CHECK_LOGS_MS, 0, check_on_logs_late, one);
}

static void check_on_log_line(void *arg, size_t source, struct log_line *line_take)
{
	struct check_one *one = arg;
	size_t n;
	const struct target_log *logs = target_logs(one->target, &n);

	check_logs_on_line(&one->logs, source, &logs[source], line_take);
}

static void check_on_log_end(void *arg, size_t source, const struct err *err)
{
	struct check_one *one = arg;

	check_logs_on_end(&one->logs, source, err);
	if (one->asked_all && check_logs_are_read(&one->logs))
		check_conclude(one);
}

static void check_on_schema(void *arg, const struct db_schema_facts *facts, const struct err *err)
{
	struct check_one *one = arg;
	struct finding_input input = { .snapshot = target_snapshot(one->target),
		.graph = target_graph(one->target),
		.sources = target_sources(one->target),
		.legacy = target_legacy(one->target),
		.schema = facts,
		.migrations_error = target_migrations_error(one->target) };
	bool pending = input.graph && input.graph->pending.n;

	if (one->finished)
		return;
	check_add_server(one);
	check_add_revisions(one);
	check_add_sessions(one);
	findings_compute(&one->findings, &input);
	if (facts) {
		check_add_list(one, "critical tables", pending ? CHECK_WARNING : CHECK_CRITICAL,
			&facts->missing_tables,
			config_is_set(target_section(one->target), CONFIG_CRITICAL_TABLES)
				? "all there"
				: "none configured");
		check_add_list(
			one, "invalid indexes", CHECK_WARNING, &facts->invalid_indexes, "none");
	} else {
		check_report_add(&one->report, "critical tables", CHECK_UNKNOWN, "%s", err->text);
	}
	one->health = health_start(one->all->loop, one->target, HEALTH_ALL, check_on_health, one);
}

static void check_advance(struct check_one *one)
{
	struct strlist tables;

	if (one->finished || one->asked_schema || !target_snapshot(one->target) ||
		!target_migrations_settled(one->target))
		return;
	one->asked_schema = true;
	strlist_init(&tables);
	strlist_add_words(&tables, config_get(target_section(one->target), CONFIG_CRITICAL_TABLES));
	db_schema_ask(target_watch_conn(one->target), &tables, check_on_schema, one);
	strlist_fini(&tables);
}

static void check_on_snapshot(void *arg, const struct db_snapshot *snapshot)
{
	(void)snapshot;
	check_advance(arg);
}

static void check_on_migrations(void *arg)
{
	check_advance(arg);
}

static void check_on_error(void *arg, const struct err *why, bool retrying)
{
	struct check_one *one = arg;

	if (retrying || one->finished)
		return;
	check_report_add(&one->report, "connection", CHECK_UNKNOWN, "%s", why->text);
	check_finish(one);
}

static void check_on_timeout(struct loop_timer *timer, void *arg)
{
	struct check_all *all = arg;
	struct err err;
	size_t i;

	(void)timer;
	err_set(&err, ERR_TIMEOUT, "no answer within %d s", CHECK_TIMEOUT_MS / 1000);
	for (i = 0; i < all->n; i++)
		if (all->ones[i].asked_all)
			check_conclude(&all->ones[i]);
		else
			check_on_error(&all->ones[i], &err, false);
}

static void check_open(struct check_one *one, const struct config_section *section)
{
	struct target_events events = {
		.on_error = check_on_error,
		.on_snapshot = check_on_snapshot,
		.on_migrations = check_on_migrations,
		.on_log_line = check_on_log_line,
		.on_log_end = check_on_log_end,
		.arg = one,
	};
	struct target_options options = { .section = section,
		.wants = TARGET_DATABASE | TARGET_MIGRATIONS | TARGET_SIDES };

	check_logs_init(&one->logs, &options);
	one->target = target_open(one->all->loop, &options, &events);
}

/* Critical outranks unknown, unknown outranks warning. */
static int check_print(struct check_all *all)
{
	static const int rank[] = {
		[CHECK_OK] = 0, [CHECK_WARNING] = 1, [CHECK_UNKNOWN] = 2, [CHECK_CRITICAL] = 3
	};
	static const int exits[] = { EXIT_OK, EXIT_WARNING, EXIT_UNKNOWN, EXIT_CRITICAL };
	bool array = (all->in->given & OPTION_JSON) && (all->n > 1 || all->in->given & OPTION_ALL);
	int worst = 0;
	size_t i;

	if (array)
		printf("[\n");
	for (i = 0; i < all->n; i++) {
		if (all->ones[i].printed)
			fputs(all->ones[i].printed, stdout);
		if (array && i + 1 < all->n)
			printf(",\n");
		else if (!(all->in->given & OPTION_JSON) && i + 1 < all->n)
			printf("\n");
		worst = rank[all->ones[i].status] > worst ? rank[all->ones[i].status] : worst;
	}
	if (array)
		printf("]\n");
	return exits[worst];
}

static int check_sections(
	const struct invocation *in, const struct config_section *const *sections, size_t n)
{
	struct check_all all = { .in = in, .n = n };
	struct loop_timer *timer;
	size_t i;
	int status;

	all.loop = loop_new();
	all.ones = mem_calloc(n, sizeof(*all.ones));
	timer = loop_timer_start(all.loop, CHECK_TIMEOUT_MS, 0, check_on_timeout, &all);
	for (i = 0; i < n; i++) {
		all.ones[i].all = &all;
		check_open(&all.ones[i], sections[i]);
	}
	loop_run(all.loop);
	loop_timer_stop(timer);
	status = check_print(&all);
	for (i = 0; i < n; i++) {
		health_cancel(all.ones[i].health);
		loop_timer_stop(all.ones[i].logs_late);
		target_close(all.ones[i].target);
		check_report_fini(&all.ones[i].report);
		findings_fini(&all.ones[i].findings);
		check_logs_fini(&all.ones[i].logs);
		free(all.ones[i].printed);
	}
	loop_free(all.loop);
	free(all.ones);
	return status;
}

static int check_run(const struct invocation *in)
{
	const struct config_section **sections;
	struct config config;
	struct err err;
	size_t n, i;
	int status = EXIT_OK;

	if ((in->given & OPTION_ALL) && in->n_args)
		return command_usage("check takes TARGET... or --all, not both");
	if (config_load(&config, in->config_path, &err) < 0)
		return command_fail(&err);
	n = in->given & OPTION_ALL ? config.n_targets : (size_t)in->n_args;
	sections = mem_calloc(n, sizeof(*sections));
	for (i = 0; i < n && status == EXIT_OK; i++) {
		sections[i] = in->given & OPTION_ALL ? &config.targets[i]
						     : config_find(&config, in->args[i], &err);
		if (!sections[i])
			status = command_fail(&err);
	}
	if (status == EXIT_OK)
		status = check_sections(in, sections, n);
	free(sections);
	config_fini(&config);
	return status;
}
