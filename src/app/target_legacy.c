/*
 * Legacy SQL migrations of a target: the files of `sql_migrations` in the app's image against what
 * table sql_migrations records. Which of the table's columns names the files is found by looking at
 * what stands in them.
 */
#include "target_internal.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/host/tar.h>

#define LEGACY_TABLE      "sql_migrations"
#define LEGACY_TIMEOUT_MS 20000

static bool legacy_is_wanted(const struct target *target)
{
	return (target->wants & TARGET_MIGRATIONS) && (target->wants & TARGET_SIDES) &&
	       config_is_set(target->section, CONFIG_SQL_MIGRATIONS);
}

static void legacy_free_books(struct target_legacy *legacy)
{
	size_t i;

	for (i = 0; i < legacy->n_books; i++) {
		free(legacy->books[i].table);
		free(legacy->books[i].column);
		strlist_fini(&legacy->books[i].values);
	}
	legacy->n_books = 0;
}

/* The column with most names of our files in it; among equals the likelier one. */
static const struct strlist *legacy_pick_rows(const struct target_legacy *legacy)
{
	size_t i, n, most = 0, picked = 0;

	for (i = 0; i < legacy->n_books; i++) {
		n = legacy_count_names(&legacy->files, &legacy->books[i].values);
		if (n > most) {
			most = n;
			picked = i;
		}
	}
	return legacy->n_books ? &legacy->books[picked].values : NULL;
}

static void legacy_compare(struct target *target)
{
	struct target_legacy *legacy = &target->revisions.legacy;

	if (!legacy->have_files || !legacy->have_rows)
		return;
	legacy_list_fini(&legacy->list);
	legacy_list_init(&legacy->list, &legacy->files, legacy_pick_rows(legacy));
	free(legacy->error);
	legacy->error = NULL;
	legacy->settled = true;
	target_migrations_tell(target);
}

static void legacy_fail(struct target *target, const char *why)
{
	struct target_legacy *legacy = &target->revisions.legacy;

	free(legacy->error);
	legacy->error = mem_strdup(why);
	legacy->settled = true;
	target_migrations_tell(target);
}

static void legacy_on_files(void *arg, const struct host_output *output, const struct err *err)
{
	struct target *target = arg;
	struct target_legacy *legacy = &target->revisions.legacy;
	struct host_tar tar;
	struct err why;
	char what[256];
	size_t i;

	legacy->run = NULL;
	snprintf(what, sizeof(what), "reading %s of %s",
		config_get(target->section, CONFIG_SQL_MIGRATIONS), config_app(target->section));
	if (host_output_check(output, err, what, &why) < 0 ||
		host_tar_read(output->out.data, output->out.len, what, host_tar_want_sql, NULL,
			&tar, &why) < 0) {
		legacy_fail(target, why.text);
		return;
	}
	strlist_fini(&legacy->files);
	for (i = 0; i < tar.n; i++)
		if (!strchr(tar.files[i].path, '/'))
			strlist_add(&legacy->files, tar.files[i].path);
	legacy->have_files = true;
	host_tar_fini(&tar);
	legacy_compare(target);
}

static void legacy_on_book(void *arg, const struct db_book *book, const struct err *err)
{
	struct target *target = arg;
	struct target_legacy *legacy = &target->revisions.legacy;
	size_t i;

	legacy->asking = false;
	if (err) {
		/* A lost connection is told by itself, and asked again. */
		if (target->watch_conn && db_conn_is_up(target->watch_conn))
			legacy_fail(target, err->text);
		return;
	}
	legacy_free_books(legacy);
	for (i = 0; i < book->n; i++) {
		legacy->books[i].table = mem_strdup(book->table);
		legacy->books[i].column = mem_strdup(book->columns[i].name);
		strlist_copy(&legacy->books[i].values, &book->columns[i].values);
		legacy->n_books++;
	}
	legacy->have_rows = true;
	legacy_compare(target);
}

void target_legacy_ask(struct target *target)
{
	struct target_legacy *legacy = &target->revisions.legacy;

	if (!legacy_is_wanted(target) || legacy->asking || !target->watch_conn ||
		!db_conn_is_up(target->watch_conn))
		return;
	legacy->asking = true;
	db_book_ask(target->watch_conn, LEGACY_TABLE, legacy_on_book, target);
}

void target_legacy_start(struct target *target)
{
	struct target_legacy *legacy = &target->revisions.legacy;
	struct host_run_options options = { .timeout_ms = LEGACY_TIMEOUT_MS,
		.max_output = HOST_TAR_MAX_TOTAL };
	struct buf command = BUF_INIT;
	struct err err;

	if (!legacy_is_wanted(target) || legacy->run || !target->main.up)
		return;
	if (host_runtime_files(&target->runtime, config_app(target->section),
		    config_get(target->section, CONFIG_SQL_MIGRATIONS), &command, &err) < 0)
		legacy_fail(target, err.text);
	else
		legacy->run = host_run_start(target->loop, target->main.transport,
			buf_str(&command), &options, legacy_on_files, target);
	buf_fini(&command);
	target_legacy_ask(target);
}

void target_legacy_stop(struct target *target)
{
	host_run_cancel(target->revisions.legacy.run);
	target->revisions.legacy.run = NULL;
}

void target_legacy_fini(struct target *target)
{
	struct target_legacy *legacy = &target->revisions.legacy;

	target_legacy_stop(target);
	legacy_free_books(legacy);
	strlist_fini(&legacy->files);
	legacy_list_fini(&legacy->list);
	free(legacy->error);
}

const struct legacy_list *target_legacy(const struct target *target)
{
	const struct target_legacy *legacy = &target->revisions.legacy;

	return legacy->have_files && legacy->have_rows ? &legacy->list : NULL;
}

const char *target_legacy_error(const struct target *target)
{
	return target->revisions.legacy.error;
}
