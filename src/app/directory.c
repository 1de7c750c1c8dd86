/*
 * Reading a local directory of revisions; see the header. Small and blocking: for commands only.
 */
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/settings.h>

/* As large as the tar reader takes. */
#define DIRECTORY_FILE_MAX (1 << 20)
/* Folders within folders; what lies deeper is no migration, but a loop. */
#define DIRECTORY_DEPTH_MAX 16

/* Fewer files than this are not worth a thread. */
#define DIRECTORY_SHARE   500
#define DIRECTORY_THREADS 4

struct directory {
	struct migration_revision *revisions;
	size_t n;
	struct migration_problems problems;
	bool recursive;
};

/* A file of a folder. */
struct directory_file {
	char *name;
	bool regular; /* so its entry says; else it is looked at */
};

/* A run of the folder's files, read and parsed by one thread. */
struct directory_share {
	int dir_fd;
	const char *path;
	const struct directory_file *files;
	size_t n_files;
	struct migration_revision *revisions; /* where its run of the whole begins */
	size_t n;
	struct migration_problems problems;
	pthread_t thread;
	bool threaded;
};

/* regular: it is known to be a regular file. */
static int directory_read_file(
	int dir_fd, const char *name, bool regular, struct buf *out, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got = 0;
	int rc = -1;

	if (fd < 0)
		return err_system(err, errno, "cannot read %s", name);
	buf_clear(out);
	buf_reserve(out, DIRECTORY_FILE_MAX + 1);
	if (!regular && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		err_set(err, ERR_PARSE, "%s is no regular file", name);
	} else if ((got = read(fd, out->data, DIRECTORY_FILE_MAX + 1)) < 0) {
		err_system(err, errno, "cannot read %s", name);
	} else if (got > DIRECTORY_FILE_MAX) {
		err_set(err, ERR_PARSE, "%s is larger than 1 MiB", name);
	} else {
		out->len = (size_t)got;
		out->data[out->len] = '\0';
		rc = 0;
	}
	close(fd);
	return rc;
}

static void share_add_file(
	struct directory_share *share, const struct directory_file *file, struct buf *text)
{
	char *path = mem_printf("%s/%s", share->path, file->name);
	struct err err;

	if (directory_read_file(share->dir_fd, file->name, file->regular, text, &err) < 0)
		migration_problems_add(
			&share->problems, "parse-error", true, path, 0, "%s", err.text);
	else if (migration_revision_parse(path, buf_str(text), text->len,
			 &share->revisions[share->n], &share->problems) == 0)
		share->n++;
	free(path);
}

static void *share_run(void *arg)
{
	struct directory_share *share = arg;
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < share->n_files; i++)
		share_add_file(share, &share->files[i], &text);
	buf_fini(&text);
	return NULL;
}

/* Waits for a share and moves what it made behind what is there. */
static void share_join(struct directory_share *share, struct directory *d)
{
	struct migration_problem *p;
	size_t i;

	if (share->threaded)
		pthread_join(share->thread, NULL);
	memmove(d->revisions + d->n, share->revisions, share->n * sizeof(*d->revisions));
	d->n += share->n;
	for (i = 0; i < share->problems.n; i++) {
		p = &share->problems.items[i];
		migration_problems_add(
			&d->problems, p->code, p->fatal, p->path, p->line, "%s", p->text);
	}
	migration_problems_fini(&share->problems);
}

/* In as many threads as there is work for; the order of the files stays. */
static void directory_add_files(struct directory *d, int dir_fd, const char *path,
	const struct directory_file *files, size_t n)
{
	struct directory_share shares[DIRECTORY_THREADS] = { 0 };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t i, from, n_shares = n / DIRECTORY_SHARE + 1;

	if (n_shares > DIRECTORY_THREADS)
		n_shares = DIRECTORY_THREADS;
	if (processors > 0 && n_shares > (size_t)processors)
		n_shares = (size_t)processors;
	d->revisions = mem_realloc(d->revisions, d->n + n + 1, sizeof(*d->revisions));
	for (i = 0; i < n_shares; i++) {
		from = n * i / n_shares;
		shares[i].dir_fd = dir_fd;
		shares[i].path = path;
		shares[i].files = files + from;
		shares[i].n_files = n * (i + 1) / n_shares - from;
		shares[i].revisions = d->revisions + d->n + from;
		migration_problems_init(&shares[i].problems);
		/* The last is this thread's own. */
		shares[i].threaded = i + 1 < n_shares && pthread_create(&shares[i].thread, NULL,
								 share_run, &shares[i]) == 0;
	}
	for (i = 0; i < n_shares; i++)
		if (!shares[i].threaded)
			share_run(&shares[i]);
	for (i = 0; i < n_shares; i++)
		share_join(&shares[i], d);
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

static void directory_add_folder(
	struct directory *d, DIR *stream_take, const char *path, int depth);

static void directory_add_below(
	struct directory *d, int dir_fd, const char *path, const char *folder, int depth)
{
	int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	char *below;

	if (!stream)
		return;
	below = mem_printf("%s/%s", path, folder);
	directory_add_folder(d, stream, below, depth);
	free(below);
}

/* Takes the stream. The files first, then the folders, as Alembic walks. */
static void directory_add_folder(struct directory *d, DIR *stream_take, const char *path, int depth)
{
	struct directory_file *files = NULL;
	size_t i, n = 0, cap = 0;
	struct strlist folders;
	struct dirent *entry;

	strlist_init(&folders);
	while ((entry = readdir(stream_take))) {
		if (d->recursive && directory_is_folder(dirfd(stream_take), entry))
			strlist_add(&folders, entry->d_name);
		if (!migration_is_revision_file(entry->d_name))
			continue;
		files = mem_grow(files, n, &cap, sizeof(*files));
		files[n].name = mem_strdup(entry->d_name);
		files[n++].regular = entry->d_type == DT_REG;
	}
	directory_add_files(d, dirfd(stream_take), path, files, n);
	for (i = 0; i < folders.n && depth < DIRECTORY_DEPTH_MAX; i++)
		directory_add_below(d, dirfd(stream_take), path, folders.items[i], depth + 1);
	for (i = 0; i < n; i++)
		free(files[i].name);
	free(files);
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
	struct buf text = BUF_INIT;
	char *versions;
	size_t i;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (i = 0; fd >= 0 && i < sizeof(names) / sizeof(names[0]); i++)
		if (directory_has(dir, names[i]) &&
			directory_read_file(fd, names[i], false, &text, NULL) == 0)
			buf_printf(&all, "%s\n", buf_str(&text));
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
	buf_fini(&text);
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
	struct directory d = { 0 };
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
	return rc;
}
