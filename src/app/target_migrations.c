/*
 * The revisions of a target: its files read as one tar stream from the app container, parsed here
 * into a graph, and the graph marked from the version rows of each snapshot.
 */
#include "target_internal.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/tar.h>
#include <pgoncall/migrations/revision.h>

#define FILES_TIMEOUT_MS 20000
/* Room for the archive: what the tar reader takes at most, and its padding. */
#define FILES_MAX_OUTPUT (2u * HOST_TAR_MAX_TOTAL)
/* How often files are read again while the database has a revision that none of them knows. */
#define FILES_AGAIN_NS (10 * CLOCK_NS_PER_S)

static void migrations_set_error(struct target *target, const char *text)
{
	free(target->migrations_error);
	target->migrations_error = mem_strdup_opt(text);
}

static void migrations_tell(struct target *target)
{
	target->migrations_settled = true;
	if (target->events.on_migrations)
		target->events.on_migrations(target->events.arg);
}

/* Only files directly in the directory, as Alembic without recursive_version_locations. */
static bool migrations_want(void *arg, const char *path)
{
	const char *name = strrchr(path, '/');

	(void)arg;
	return migration_is_revision_file(name ? name + 1 : path);
}

static struct migration_graph *migrations_parse(const struct host_tar *tar)
{
	struct migration_revision *revisions = mem_calloc(tar->n, sizeof(*revisions));
	struct migration_problems problems;
	struct migration_graph *graph;
	size_t i, n = 0;

	migration_problems_init(&problems);
	for (i = 0; i < tar->n; i++) {
		if (strchr(tar->files[i].path, '/'))
			continue;
		if (migration_revision_parse(tar->files[i].path, tar->files[i].data, tar->files[i].len,
			    &revisions[n], &problems) == 0)
			n++;
	}
	graph = migration_graph_new(revisions, n, &problems);
	free(revisions);
	return graph;
}

static void migrations_on_files(void *arg, const struct host_output *output, const struct err *err)
{
	struct target *target = arg;
	struct host_tar tar;
	struct err why;
	char what[256];

	target->files_run = NULL;
	target->files_read_at = clock_monotonic();
	snprintf(what, sizeof(what), "reading %s of %s", config_get(target->section, CONFIG_MIGRATIONS),
		config_app(target->section));
	if (host_output_check(output, err, what, &why) < 0 ||
		host_tar_read(output->out.data, output->out.len, what, migrations_want, NULL, &tar,
			&why) < 0) {
		migrations_set_error(target, why.text);
		migrations_tell(target);
		return;
	}
	migrations_set_error(target, NULL);
	migration_graph_free(target->graph);
	target->graph = migrations_parse(&tar);
	host_tar_fini(&tar);
	target_migrations_mark(target);
	migrations_tell(target);
}

void target_migrations_start(struct target *target)
{
	struct host_run_options options = { .max_output = FILES_MAX_OUTPUT,
		.timeout_ms = FILES_TIMEOUT_MS };
	struct buf command = BUF_INIT;
	struct err err;

	if (target->files_run || !target->main.up || !(target->wants & TARGET_MIGRATIONS))
		return;
	if (!*config_app(target->section)) {
		migrations_set_error(target,
			"no 'app' is configured: set it to the container with the revision files");
		migrations_tell(target);
	} else if (host_runtime_files(&target->runtime, config_app(target->section),
			   config_get(target->section, CONFIG_MIGRATIONS), &command, &err) < 0) {
		migrations_set_error(target, err.text);
		migrations_tell(target);
	} else {
		target->files_run = host_run_start(target->loop, target->main.transport,
			buf_str(&command), &options, migrations_on_files, target);
	}
	buf_fini(&command);
}

void target_migrations_stop(struct target *target)
{
	host_run_cancel(target->files_run);
	target->files_run = NULL;
}

void target_migrations_mark(struct target *target)
{
	const struct strlist *rows = NULL;
	bool changed;

	if (!target->graph || !target->snapshot)
		return;
	switch (target->snapshot->version_table) {
	case DB_VERSION_TABLE_FOUND:
	case DB_VERSION_TABLE_MISSING:
		rows = &target->snapshot->versions;
		break;
	case DB_VERSION_TABLE_LOCKED:
		/* A migration holds it for now: what was known stands. */
		return;
	default:
		break;
	}
	changed = migration_graph_mark(target->graph, rows);
	if (target->graph->unknown_rows.n &&
		clock_monotonic() - target->files_read_at > FILES_AGAIN_NS)
		target_migrations_start(target);
	if (changed)
		migrations_tell(target);
}
