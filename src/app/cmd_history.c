/*
 * pgoncall history and pgoncall pending: the revision timeline of a target, or of a directory here
 * (directory.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/app/output.h>

#include "batch.h"
#include "directory.h"

static int history_run(const struct invocation *in);
static int pending_run(const struct invocation *in);

const struct command command_history = {
	.name = "history",
	.args = "TARGET | --dir DIR [--json]",
	.summary = "the revision timeline as a graph",
	.details =
		"With --dir it reads the revision files of a local directory, and needs neither a\n"
		"database nor a configuration; every state is then unknown. DIR holds the files\n"
		"themselves, or an alembic.ini or pyproject.toml that says where they are.",
	.options = OPTION_JSON | OPTION_DIR,
	.min_args = 1,
	.max_args = 1,
	.run = history_run,
};

const struct command command_pending = {
	.name = "pending",
	.args = "TARGET [--json]",
	.summary = "the revisions an upgrade would run, in its order",
	.details = "The exit status is 1 when there are any.",
	.options = OPTION_JSON,
	.min_args = 1,
	.max_args = 1,
	.run = pending_run,
};

static int history_exit_status(const struct migration_graph *graph)
{
	int status = EXIT_OK;
	size_t i;

	if (graph->pending.n || graph->unknown_rows.n)
		status = EXIT_WARNING;
	for (i = 0; i < graph->problems.n; i++)
		status = graph->problems.items[i].fatal ? EXIT_CRITICAL
			 : status == EXIT_OK            ? EXIT_WARNING
							: status;
	return status;
}

static void history_print(const struct invocation *in, const struct output_revisions *revisions)
{
	if (in->given & OPTION_JSON)
		output_history_json(stdout, revisions);
	else
		output_history_text(stdout, revisions, output_is_ascii());
}

static struct output_revisions history_of_target(const struct target *target)
{
	return (struct output_revisions){ .graph = target_graph(target),
		.sources = target_sources(target),
		.legacy = target_legacy(target) };
}

static int history_of_dir(const struct invocation *in)
{
	struct output_revisions revisions = { NULL, NULL, NULL };
	struct migration_graph *graph;
	struct err err;
	int status;

	if (directory_read(in->dir, &graph, &err) < 0)
		return command_fail(&err);
	revisions.graph = graph;
	history_print(in, &revisions);
	if (!graph->n && !graph->problems.n)
		fprintf(stderr, "pgoncall: there are no revision files in %s\n", in->dir);
	status = history_exit_status(graph);
	migration_graph_free(graph);
	return status;
}

/* Whether both the files and the version rows are there; ends the batch when the files cannot be. */
static bool history_is_ready(struct batch *batch)
{
	struct err err;

	if (!target_snapshot(batch->target) || !target_migrations_settled(batch->target))
		return false;
	if (target_graph(batch->target))
		return true;
	err_set(&err, ERR_COMMAND, "%s", target_migrations_error(batch->target));
	batch_end(batch, command_fail(&err));
	return false;
}

/* Without a version table everything is pending, and seldom is that meant. */
static void history_tell_table(const struct target *target)
{
	const struct db_snapshot *snapshot = target_snapshot(target);

	if (target_version_note(target))
		fprintf(stderr, "pgoncall: %s\n", target_version_note(target));
	if (snapshot && snapshot->version_table == DB_VERSION_TABLE_MISSING)
		fprintf(stderr,
			"pgoncall: database %s has no Alembic version table: it was never "
			"migrated, or it is the wrong database or search_path\n",
			snapshot->server.database);
}

static void history_advance(struct batch *batch)
{
	struct output_revisions revisions;

	if (!history_is_ready(batch))
		return;
	history_tell_table(batch->target);
	revisions = history_of_target(batch->target);
	history_print(batch->in, &revisions);
	batch_end(batch, history_exit_status(revisions.graph));
}

/* The files are worth showing even when the database does not answer. */
static void history_failed(struct batch *batch, const struct err *why)
{
	struct output_revisions revisions = history_of_target(batch->target);

	if (revisions.graph)
		history_print(batch->in, &revisions);
	batch_end(batch, command_fail(why));
}

static int history_run(const struct invocation *in)
{
	if (in->given & OPTION_DIR) {
		if (in->n_args)
			return command_usage("history takes a TARGET or --dir DIR, not both");
		return history_of_dir(in);
	}
	return batch_run(in, in->args[0],
		TARGET_DATABASE | TARGET_BRIEF | TARGET_MIGRATIONS | TARGET_SIDES, history_advance,
		history_failed);
}

static void pending_advance(struct batch *batch)
{
	struct output_revisions revisions;

	if (!history_is_ready(batch))
		return;
	history_tell_table(batch->target);
	revisions = history_of_target(batch->target);
	if (batch->in->given & OPTION_JSON)
		output_pending_json(stdout, &revisions);
	else
		output_pending_text(stdout, &revisions);
	batch_end(batch, history_exit_status(revisions.graph));
}

static int pending_run(const struct invocation *in)
{
	return batch_run(in, in->args[0], TARGET_DATABASE | TARGET_BRIEF | TARGET_MIGRATIONS,
		pending_advance, NULL);
}
