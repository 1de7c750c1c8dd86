/*
 * Which folders `history --dir` reads; see the header. Reading them is revision_files.c's. Blocking: for
 * commands only.
 */
#include "directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/settings.h>

#include "revision_files.h"

static bool directory_has(const char *dir, const char *name)
{
	char *path = mem_printf("%s/%s", dir, name);
	bool has = access(path, F_OK) == 0;

	free(path);
	return has;
}

/* Against the project; "%(here)s" is the project, too. */
static void directory_add_location(struct strlist *out, const char *dir, const char *location)
{
	if (str_starts(location, "%(here)s"))
		strlist_add_take(out, mem_printf("%s%s", dir, location + strlen("%(here)s")));
	else if (*location == '/')
		strlist_add(out, location);
	else
		strlist_add_take(out, mem_printf("%s/%s", dir, location));
}

/* Returns whether the directory is a project with settings of Alembic. */
static bool directory_read_settings(const char *dir, struct revision_rules *rules,
	enum migration_sourceless *sourceless, struct strlist *out)
{
	static const char *const names[] = { "alembic.ini", "pyproject.toml" };
	struct migration_settings settings;
	struct buf all = BUF_INIT;
	struct buf text = BUF_INIT;
	char *versions;
	size_t i;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (i = 0; fd >= 0 && i < sizeof(names) / sizeof(names[0]); i++)
		if (directory_has(dir, names[i]) &&
			revision_file_read(fd, names[i], false, true, &text, NULL) == 0)
			buf_printf(&all, "%s\n", buf_str(&text));
	if (fd >= 0)
		close(fd);
	migration_settings_init(&settings, buf_str(&all), all.len);
	rules->recursive = settings.recursive;
	if (all.len)
		*sourceless = settings.sourceless ? MIGRATION_SOURCELESS_YES
						  : MIGRATION_SOURCELESS_NO;
	for (i = 0; i < settings.locations.n; i++)
		directory_add_location(out, dir, settings.locations.items[i]);
	if (!settings.locations.n && *settings.script_location) {
		versions = mem_printf("%s/versions", settings.script_location);
		directory_add_location(out, dir, versions);
		free(versions);
	}
	migration_settings_fini(&settings);
	buf_fini(&text);
	buf_fini(&all);
	return out->n > 0;
}

static void directory_find(const char *dir, struct revision_rules *rules,
	enum migration_sourceless *sourceless, struct strlist *out)
{
	if (directory_read_settings(dir, rules, sourceless, out))
		return;
	if (directory_has(dir, "env.py") && directory_has(dir, "versions"))
		strlist_add_take(out, mem_printf("%s/versions", dir));
	else
		strlist_add(out, dir);
}

int directory_read(const char *dir, struct migration_graph **graph, struct err *err)
{
	enum migration_sourceless sourceless = MIGRATION_SOURCELESS_UNKNOWN;
	struct revision_rules rules = { .recursive = false };
	struct revision_files files = { 0 };
	struct strlist places;
	size_t i;
	int rc = 0;

	*graph = NULL;
	strlist_init(&places);
	directory_find(dir, &rules, &sourceless, &places);
	for (i = 0; i < places.n && rc == 0; i++)
		rc = revision_files_add(&files, places.items[i], places.items[i], &rules, err);
	if (rc == 0) {
		migration_compiled_report(&files.compiled, sourceless, files.revisions, files.n,
			&files.problems);
		*graph = migration_graph_new_take(files.revisions, files.n, &files.problems);
		files.revisions = NULL;
		files.n = 0;
	}
	revision_files_fini(&files);
	strlist_fini(&places);
	return rc;
}
