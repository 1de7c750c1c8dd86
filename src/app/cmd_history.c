/*
 * pgoncall history and pgoncall pending: the revision timeline of a target, or of a directory here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dirent.h>

#include <pgoncall/app/output.h>
#include <pgoncall/base/mem.h>

#include "batch.h"

static int history_run(const struct invocation *in);
static int pending_run(const struct invocation *in);

const struct command command_history = {
	.name = "history",
	.args = "TARGET | --dir DIR [--json]",
	.summary = "the revision timeline as a graph",
	.details = "With --dir it reads the revision files of a local directory, and needs neither a\n"
		   "database nor a configuration; every state is then unknown.",
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

/* As large as the tar reader takes. */
#define REVISION_FILE_MAX (1u << 20)

static int history_read_file(int dir_fd, const char *name, struct buf *out, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got;
	int rc = -1;

	if (fd < 0)
		return err_system(err, errno, "cannot read %s", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > REVISION_FILE_MAX) {
		err_set(err, ERR_PARSE, "%s is no regular file of at most 1 MiB", name);
	} else {
		buf_reserve(out, (size_t)st.st_size);
		got = read(fd, out->data, (size_t)st.st_size);
		if (got < 0) {
			err_system(err, errno, "cannot read %s", name);
		} else {
			out->len = (size_t)got;
			out->data[out->len] = '\0';
			rc = 0;
		}
	}
	close(fd);
	return rc;
}

/* Parses the revision files of an open directory, whose order does not matter. */
static void history_read_dir(DIR *dir, const char *path, struct migration_revision **revisions,
	size_t *n, struct migration_problems *problems)
{
	struct dirent *entry;
	struct buf text = BUF_INIT, file = BUF_INIT;
	size_t cap = 0;
	struct err err;

	while ((entry = readdir(dir))) {
		if (!migration_is_revision_file(entry->d_name))
			continue;
		buf_clear(&text);
		buf_clear(&file);
		buf_printf(&file, "%s/%s", path, entry->d_name);
		if (history_read_file(dirfd(dir), entry->d_name, &text, &err) < 0) {
			migration_problems_add(
				problems, "parse-error", true, buf_str(&file), 0, "%s", err.text);
			continue;
		}
		*revisions = mem_grow(*revisions, *n, &cap, sizeof(**revisions));
		if (migration_revision_parse(buf_str(&file), buf_str(&text), text.len, *revisions + *n,
			    problems) == 0)
			++*n;
	}
	buf_fini(&text);
	buf_fini(&file);
}

static int history_exit_status(const struct migration_graph *graph)
{
	int status = EXIT_OK;
	size_t i;

	if (graph->pending.n || graph->unknown_rows.n)
		status = EXIT_WARNING;
	for (i = 0; i < graph->problems.n; i++)
		status = graph->problems.items[i].fatal ? EXIT_CRITICAL
			: status == EXIT_OK             ? EXIT_WARNING
							: status;
	return status;
}

static void history_print(const struct invocation *in, const struct migration_graph *graph)
{
	if (in->given & OPTION_JSON)
		output_history_json(stdout, graph);
	else
		output_history_text(stdout, graph, output_is_ascii());
}

static int history_of_dir(const struct invocation *in)
{
	struct migration_revision *revisions = NULL;
	struct migration_problems problems;
	struct migration_graph *graph;
	size_t n = 0;
	struct err err;
	int status;
	DIR *dir = opendir(in->dir);

	if (!dir) {
		err_system(&err, errno, "cannot read directory %s", in->dir);
		return command_fail(&err);
	}
	migration_problems_init(&problems);
	history_read_dir(dir, in->dir, &revisions, &n, &problems);
	closedir(dir);
	graph = migration_graph_new(revisions, n, &problems);
	free(revisions);
	history_print(in, graph);
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

static void history_advance(struct batch *batch)
{
	const struct migration_graph *graph;

	if (!history_is_ready(batch))
		return;
	graph = target_graph(batch->target);
	history_print(batch->in, graph);
	batch_end(batch, history_exit_status(graph));
}

/* The files are worth showing even when the database does not answer. */
static void history_failed(struct batch *batch, const struct err *why)
{
	if (target_graph(batch->target))
		history_print(batch->in, target_graph(batch->target));
	batch_end(batch, command_fail(why));
}

static int history_run(const struct invocation *in)
{
	if (in->given & OPTION_DIR) {
		if (in->n_args)
			return command_usage("history takes a TARGET or --dir DIR, not both");
		return history_of_dir(in);
	}
	return batch_run(in, in->args[0], TARGET_DATABASE | TARGET_MIGRATIONS | TARGET_SIDES,
		history_advance, history_failed);
}

static void pending_advance(struct batch *batch)
{
	const struct migration_graph *graph;

	if (!history_is_ready(batch))
		return;
	graph = target_graph(batch->target);
	if (batch->in->given & OPTION_JSON)
		output_pending_json(stdout, graph);
	else
		output_pending_text(stdout, graph);
	batch_end(batch, history_exit_status(graph));
}

static int pending_run(const struct invocation *in)
{
	return batch_run(in, in->args[0], TARGET_DATABASE | TARGET_MIGRATIONS, pending_advance, NULL);
}
