/*
 * Reading a local directory of revisions; see the header. Small and blocking: for commands only.
 */
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/settings.h>

/* As large as the tar reader takes. */
#define DIRECTORY_FILE_MAX (1u << 20)
/* Folders within folders; what lies deeper is no migration, but a loop. */
#define DIRECTORY_DEPTH_MAX 16

struct directory {
	struct migration_revision *revisions;
	size_t n, cap;
	struct migration_problems problems;
	struct buf text; /* of the file being read */
	bool recursive;
};

static int directory_read_file(int dir_fd, const char *name, struct buf *out, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got;
	int rc = -1;

	if (fd < 0)
		return err_system(err, errno, "cannot read %s", name);
	buf_clear(out);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > DIRECTORY_FILE_MAX) {
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

static void directory_add_file(struct directory *d, int dir_fd, const char *name, const char *path)
{
	struct err err;

	if (directory_read_file(dir_fd, name, &d->text, &err) < 0) {
		migration_problems_add(&d->problems, "parse-error", true, path, 0, "%s", err.text);
		return;
	}
	d->revisions = mem_grow(d->revisions, d->n, &d->cap, sizeof(*d->revisions));
	if (migration_revision_parse(
		    path, buf_str(&d->text), d->text.len, &d->revisions[d->n], &d->problems) == 0)
		d->n++;
}

static bool directory_is_folder(int dir_fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_name[0] == '.' || strcmp(entry->d_name, "__pycache__") == 0)
		return false;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Takes the stream. The files first, then the folders, as Alembic walks. */
static void directory_add_folder(struct directory *d, DIR *stream_take, const char *path, int depth)
{
	struct strlist folders;
	struct dirent *entry;
	char *below;
	DIR *inner;
	size_t i;
	int fd;

	strlist_init(&folders);
	while ((entry = readdir(stream_take))) {
		if (d->recursive && directory_is_folder(dirfd(stream_take), entry))
			strlist_add(&folders, entry->d_name);
		if (!migration_is_revision_file(entry->d_name))
			continue;
		below = mem_printf("%s/%s", path, entry->d_name);
		directory_add_file(d, dirfd(stream_take), entry->d_name, below);
		free(below);
	}
	for (i = 0; i < folders.n && depth < DIRECTORY_DEPTH_MAX; i++) {
		fd = openat(dirfd(stream_take), folders.items[i],
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		inner = fd < 0 ? NULL : fdopendir(fd);
		if (!inner)
			continue;
		below = mem_printf("%s/%s", path, folders.items[i]);
		directory_add_folder(d, inner, below, depth + 1);
		free(below);
	}
	strlist_fini(&folders);
	closedir(stream_take);
}

/* --- where the files are --------------------------------------------------------------------- */

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
static bool directory_read_settings(const char *dir, struct directory *d, struct strlist *out)
{
	static const char *const names[] = { "alembic.ini", "pyproject.toml" };
	struct migration_settings settings;
	struct buf all = BUF_INIT;
	char *versions;
	size_t i;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (i = 0; fd >= 0 && i < sizeof(names) / sizeof(names[0]); i++)
		if (directory_has(dir, names[i]) &&
			directory_read_file(fd, names[i], &d->text, NULL) == 0)
			buf_printf(&all, "%s\n", buf_str(&d->text));
	if (fd >= 0)
		close(fd);
	migration_settings_init(&settings, buf_str(&all), all.len);
	d->recursive = settings.recursive;
	for (i = 0; i < settings.locations.n; i++)
		directory_add_location(out, dir, settings.locations.items[i]);
	if (!settings.locations.n && *settings.script_location) {
		versions = mem_printf("%s/versions", settings.script_location);
		directory_add_location(out, dir, versions);
		free(versions);
	}
	migration_settings_fini(&settings);
	buf_fini(&all);
	return out->n > 0;
}

static void directory_find(const char *dir, struct directory *d, struct strlist *out)
{
	if (directory_read_settings(dir, d, out))
		return;
	if (directory_has(dir, "env.py") && directory_has(dir, "versions"))
		strlist_add_take(out, mem_printf("%s/versions", dir));
	else
		strlist_add(out, dir);
}

int directory_read(const char *dir, struct migration_graph **graph, struct err *err)
{
	struct directory d = { .text = BUF_INIT };
	struct strlist places;
	size_t i;
	DIR *stream;
	int rc = 0;

	*graph = NULL;
	migration_problems_init(&d.problems);
	strlist_init(&places);
	directory_find(dir, &d, &places);
	for (i = 0; i < places.n && rc == 0; i++) {
		stream = opendir(places.items[i]);
		if (stream)
			directory_add_folder(&d, stream, places.items[i], 0);
		else
			rc = err_system(err, errno, "cannot read directory %s", places.items[i]);
	}
	if (rc == 0) {
		*graph = migration_graph_new(d.revisions, d.n, &d.problems);
	} else {
		for (i = 0; i < d.n; i++)
			migration_revision_fini(&d.revisions[i]);
		migration_problems_fini(&d.problems);
	}
	free(d.revisions);
	strlist_fini(&places);
	buf_fini(&d.text);
	return rc;
}
