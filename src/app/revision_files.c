/*
 * Listing, reading and parsing a folder's revision files; see the header. A listing is one block of
 * names; runs of it are shared out to threads, and what they made is put together in its order.
 */
#include "revision_files.h"

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
#include <pgoncall/base/str.h>
#include <pgoncall/host/tar.h>

/* Folders within folders; what lies deeper is no migration, but a loop. */
#define FOLDER_DEPTH_MAX 16

/* Fewer files than this are not worth a thread. */
#define SHARE_FILES   500
#define SHARE_THREADS 4

struct listed_file {
	size_t at;    /* of its path, below the folder, in the block */
	bool regular; /* so its entry says; else it is looked at */
};

struct listing {
	const struct revision_rules *rules;
	struct revision_files *files;
	struct listed_file *items;
	size_t n, cap;
	struct buf block; /* paths, each with its NUL */
};

/* A run of the listing, read and parsed by one thread. */
struct share {
	int dir_fd;
	const char *name;
	const struct revision_rules *rules;
	const struct listing *listing;
	size_t from, to;
	struct migration_revision *revisions; /* where its run of the whole begins */
	size_t n;
	size_t total;
	struct migration_problems problems;
	struct err err;
	bool failed;
	pthread_t thread;
	bool threaded;
};

/* --- reading --------------------------------------------------------------------------------- */

int revision_file_read(
	int dir_fd, const char *name, bool regular, bool follow, struct buf *out, struct err *err)
{
	int fd = openat(dir_fd, name,
		O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));
	struct stat st;
	ssize_t got = 0;
	int rc = -1;

	if (fd < 0)
		return err_system(err, errno, "cannot read %s", name);
	buf_clear(out);
	buf_reserve(out, HOST_TAR_MAX_FILE + 1);
	if (!regular && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		err_set(err, ERR_PARSE, "%s is no regular file", name);
	} else if ((got = read(fd, out->data, HOST_TAR_MAX_FILE + 1)) < 0) {
		err_system(err, errno, "cannot read %s", name);
	} else if (got > (ssize_t)HOST_TAR_MAX_FILE) {
		err_set(err, ERR_PARSE, "%s is larger than 1 MiB", name);
	} else {
		out->len = (size_t)got;
		out->data[out->len] = '\0';
		rc = 0;
	}
	close(fd);
	return rc;
}

static void share_parse(struct share *share, const char *path, const struct buf *text)
{
	struct migration_revision *revision = &share->revisions[share->n];

	share->total += text->len;
	if (migration_revision_parse(path, buf_str(text), text->len, revision, &share->problems) <
		0)
		return;
	if (share->rules->keep_texts)
		migration_revision_keep(revision, buf_str(text), text->len);
	share->n++;
}

/* path and text are the thread's own, used again for each file. */
static void share_add_file(
	struct share *share, const struct listed_file *file, struct buf *path, struct buf *text)
{
	const char *below = share->listing->block.data + file->at;
	bool follow = !share->rules->as_tar;
	struct err err;

	buf_clear(path);
	if (*share->name) {
		buf_add_str(path, share->name);
		buf_add_char(path, '/');
	}
	buf_add_str(path, below);
	if (revision_file_read(share->dir_fd, below, file->regular, follow, text, &err) == 0) {
		share_parse(share, buf_str(path), text);
	} else if (follow) {
		migration_problems_add(
			&share->problems, "parse-error", true, buf_str(path), 0, "%s", err.text);
	} else {
		share->err = err;
		share->failed = true;
	}
}

static bool share_is_over(const struct share *share)
{
	const struct revision_rules *rules = share->rules;

	return share->failed || (rules->as_tar && share->total > HOST_TAR_MAX_TOTAL) ||
	       (rules->cancelled && atomic_load(rules->cancelled));
}

static void *share_run(void *arg)
{
	struct share *share = arg;
	struct buf path = BUF_INIT, text = BUF_INIT;
	size_t i;

	for (i = share->from; i < share->to && !share_is_over(share); i++)
		share_add_file(share, &share->listing->items[i], &path, &text);
	buf_fini(&path);
	buf_fini(&text);
	return NULL;
}

/* Moves what a share made behind what is there. */
static void share_collect(struct share *share, struct revision_files *files)
{
	memmove(files->revisions + files->n, share->revisions,
		share->n * sizeof(*files->revisions));
	files->n += share->n;
	files->total += share->total;
	migration_problems_append(&files->problems, &share->problems);
	migration_problems_fini(&share->problems);
}

static size_t share_count(size_t n_files)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = n_files / SHARE_FILES + 1;

	if (n > SHARE_THREADS)
		n = SHARE_THREADS;
	return processors > 0 && n > (size_t)processors ? (size_t)processors : n;
}

/* In as many threads as there is work for; the order of the files stays. Of several files that fail
 * the first of the listing is told, as far as the threads came. */
static int listing_read(
	const struct listing *listing, int dir_fd, const char *name, struct err *err)
{
	struct revision_files *files = listing->files;
	struct share shares[SHARE_THREADS] = { 0 };
	size_t i, n_shares = share_count(listing->n);
	int rc = 0;

	files->revisions =
		mem_realloc(files->revisions, files->n + listing->n + 1, sizeof(*files->revisions));
	for (i = 0; i < n_shares; i++) {
		shares[i].dir_fd = dir_fd;
		shares[i].name = name;
		shares[i].rules = listing->rules;
		shares[i].listing = listing;
		shares[i].from = listing->n * i / n_shares;
		shares[i].to = listing->n * (i + 1) / n_shares;
		shares[i].revisions = files->revisions + files->n + shares[i].from;
		migration_problems_init(&shares[i].problems);
		/* The last is this thread's own. */
		shares[i].threaded = i + 1 < n_shares && pthread_create(&shares[i].thread, NULL,
								 share_run, &shares[i]) == 0;
	}
	for (i = 0; i < n_shares; i++)
		if (!shares[i].threaded)
			share_run(&shares[i]);
	for (i = 0; i < n_shares; i++) {
		if (shares[i].threaded)
			pthread_join(shares[i].thread, NULL);
		share_collect(&shares[i], files);
		if (shares[i].failed && rc == 0) {
			*err = shares[i].err;
			rc = -1;
		}
	}
	if (rc == 0 && listing->rules->as_tar && files->total > HOST_TAR_MAX_TOTAL)
		rc = err_set(err, ERR_PARSE, "the files together are larger than %u bytes",
			HOST_TAR_MAX_TOTAL);
	return rc;
}

/* --- listing --------------------------------------------------------------------------------- */

static int listing_folder(
	struct listing *listing, DIR *stream_take, const char *path, int depth, struct err *err);

static bool entry_is_folder(
	const struct revision_rules *rules, int dir_fd, const struct dirent *entry)
{
	const char *name = entry->d_name;
	struct stat st;

	if (strcmp(name, "__pycache__") == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	if (!rules->as_tar && (name[0] == '.' || !rules->recursive))
		return false;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Whether it is one to be read, as far as its entry says; *regular: it says all. */
static bool entry_is_wanted(
	const struct revision_rules *rules, int dir_fd, const struct dirent *entry, bool *regular)
{
	struct stat st;

	*regular = entry->d_type == DT_REG;
	if (!migration_is_revision_file(entry->d_name))
		return false;
	if (*regular || !rules->as_tar)
		return true;
	if (entry->d_type == DT_UNKNOWN)
		*regular = fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			   S_ISREG(st.st_mode);
	return *regular;
}

static int listing_add(
	struct listing *listing, const char *path, const char *name, bool regular, struct err *err)
{
	struct listed_file *file;

	if (listing->rules->as_tar && ++listing->files->n_wanted > HOST_TAR_MAX_WANTED)
		return err_set(err, ERR_PARSE, "more than %d files", HOST_TAR_MAX_WANTED);
	listing->items = mem_grow(listing->items, listing->n, &listing->cap, sizeof(*file));
	file = &listing->items[listing->n++];
	file->at = listing->block.len;
	file->regular = regular;
	if (*path) {
		buf_add_str(&listing->block, path);
		buf_add_char(&listing->block, '/');
	}
	buf_add(&listing->block, name, strlen(name) + 1);
	return 0;
}

static int listing_below(struct listing *listing, int dir_fd, const char *path, const char *name,
	int depth, struct err *err)
{
	char *below = mem_printf("%s%s%s", path, *path ? "/" : "", name);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;

	if (stream)
		rc = listing_folder(listing, stream, below, depth, err);
	else if (listing->rules->as_tar)
		rc = err_system(err, errno, "cannot read %s", below);
	free(below);
	return rc;
}

/* A folder that stands in the listing: at once, or after the folder's own files. */
static int listing_meet_folder(struct listing *listing, int dir_fd, const char *path,
	const char *name, int depth, struct strlist *later, struct err *err)
{
	if (depth >= FOLDER_DEPTH_MAX)
		return 0;
	if (listing->rules->as_tar)
		return listing_below(listing, dir_fd, path, name, depth + 1, err);
	strlist_add(later, name);
	return 0;
}

static int listing_meet(struct listing *listing, int dir_fd, const struct dirent *entry,
	const char *path, int depth, struct strlist *later, struct err *err)
{
	const struct revision_rules *rules = listing->rules;
	bool regular;

	if (rules->as_tar && ++listing->files->n_entries > HOST_TAR_MAX_ENTRIES)
		return err_set(
			err, ERR_PARSE, "more than %d files and directories", HOST_TAR_MAX_ENTRIES);
	if (entry_is_folder(rules, dir_fd, entry))
		return listing_meet_folder(listing, dir_fd, path, entry->d_name, depth, later, err);
	if (migration_is_compiled_file(entry->d_name) && (depth == 0 || rules->recursive))
		migration_compiled_note(&listing->files->compiled, entry->d_name, false);
	if (!entry_is_wanted(rules, dir_fd, entry, &regular))
		return 0;
	if (depth > 0 && !rules->recursive) {
		listing->files->left_out = true;
		return 0;
	}
	return listing_add(listing, path, entry->d_name, regular, err);
}

/* Takes the stream. */
static int listing_folder(
	struct listing *listing, DIR *stream_take, const char *path, int depth, struct err *err)
{
	int dir_fd = dirfd(stream_take), rc = 0;
	struct strlist later;
	struct dirent *entry;
	size_t i;

	strlist_init(&later);
	while (rc == 0 && (entry = readdir(stream_take)))
		rc = listing_meet(listing, dir_fd, entry, path, depth, &later, err);
	for (i = 0; i < later.n && rc == 0; i++)
		rc = listing_below(listing, dir_fd, path, later.items[i], depth + 1, err);
	strlist_fini(&later);
	closedir(stream_take);
	return rc;
}

/* Only where there is nothing else: there is one beside any sources that ran. */
static void listing_note_cache(struct listing *listing, int dir_fd)
{
	int fd = openat(dir_fd, "__pycache__", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		listing->files->compiled.cached += migration_is_compiled_file(entry->d_name);
	if (stream)
		closedir(stream);
}

int revision_files_add(struct revision_files *files, const char *folder, const char *name,
	const struct revision_rules *rules, struct err *err)
{
	struct listing listing = { .rules = rules, .files = files };
	int dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int again = dir_fd < 0 ? -1 : fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	DIR *stream = again < 0 ? NULL : fdopendir(again);
	int rc;

	if (stream)
		rc = listing_folder(&listing, stream, "", 0, err);
	else
		rc = err_system(err, errno, "cannot read directory %s", folder);
	listing.files->compiled.seen += listing.n;
	if (rc == 0 && !listing.n)
		listing_note_cache(&listing, dir_fd);
	if (rc == 0)
		rc = listing_read(&listing, dir_fd, name, err);
	if (dir_fd >= 0)
		close(dir_fd);
	free(listing.items);
	buf_fini(&listing.block);
	return rc;
}

void revision_files_fini(struct revision_files *files)
{
	size_t i;

	for (i = 0; i < files->n; i++)
		migration_revision_fini(&files->revisions[i]);
	free(files->revisions);
	migration_problems_fini(&files->problems);
	migration_compiled_fini(&files->compiled);
	memset(files, 0, sizeof(*files));
}
