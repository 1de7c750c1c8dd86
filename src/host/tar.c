/*
 * Files out of a tar stream in memory: the only place that knows libarchive, which is loaded when there
 * is one to read. Plain tar only, no compression, so what comes out is no larger than what came in
 * (sparse entries apart, which the bounds cover).
 */
#include <pgoncall/host/tar.h>

#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "library.h"
#include "tar_reader.h"

/* The one built against, where the Makefile found its name. */
#ifndef LIBARCHIVE_SONAME
#define LIBARCHIVE_SONAME "libarchive.so.13"
#endif

#define TAR_CALLS(X)                                                                               \
	X(archive_entry_filetype)                                                                  \
	X(archive_entry_hardlink)                                                                  \
	X(archive_entry_mtime)                                                                     \
	X(archive_entry_mtime_nsec)                                                                \
	X(archive_entry_pathname)                                                                  \
	X(archive_entry_pathname_utf8)                                                             \
	X(archive_entry_size)                                                                      \
	X(archive_error_string)                                                                    \
	X(archive_read_data)                                                                       \
	X(archive_read_free)                                                                       \
	X(archive_read_new)                                                                        \
	X(archive_read_next_header)                                                                \
	X(archive_read_open_memory)                                                                \
	X(archive_read_set_options)                                                                \
	X(archive_read_support_filter_none)                                                        \
	X(archive_read_support_format_tar)

struct tar_calls {
	TAR_CALLS(LIBRARY_FIELD)
};

static const char *const tar_names[] = { TAR_CALLS(LIBRARY_NAME) };

struct tar_reader {
	struct tar_calls lib;
	struct archive *archive;
	const char *what;
	host_tar_want want;
	void *arg;
	struct host_tar *tar;
	size_t cap;
	size_t total; /* bytes of content kept */
	size_t n_entries;
	char *root; /* first path component that all entries share; NULL: none yet */
	size_t root_len;
	bool bare;      /* entries have no directory in common */
	bool lost_link; /* a hard link to what is not here */
};

/* Without leading "./" and "/"; "" for the root itself. */
static const char *tar_plain_path(const char *path)
{
	for (;;) {
		if (path[0] == '/')
			path++;
		else if (path[0] == '.' && path[1] == '/')
			path += 2;
		else
			break;
	}
	return strcmp(path, ".") == 0 ? "" : path;
}

/* A runtime may put everything below the directory's own name, or below ".", or nothing. */
static void tar_note_root(struct tar_reader *reader, const char *path, bool is_directory)
{
	size_t len = strcspn(path, "/");

	if (reader->bare)
		return;
	if (len == 0 || (!path[len] && !is_directory))
		reader->bare = true;
	else if (!reader->root)
		reader->root = mem_strndup(path, reader->root_len = len);
	else if (len != reader->root_len || strncmp(path, reader->root, len) != 0)
		reader->bare = true;
}

static int tar_broken(const struct tar_reader *reader, struct err *err)
{
	const char *why = reader->lib.archive_error_string(reader->archive);

	return err_set(err, ERR_PARSE, "the files of %s did not arrive whole: %s", reader->what,
		why ? why : "not a tar archive");
}

static int tar_check_size(
	const struct tar_reader *reader, const char *path, int64_t size, struct err *err)
{
	if (size < 0 || size > (int64_t)HOST_TAR_MAX_FILE)
		return err_set(err, ERR_PARSE, "%s: %s is larger than %u bytes", reader->what, path,
			HOST_TAR_MAX_FILE);
	if (reader->total + (size_t)size > HOST_TAR_MAX_TOTAL)
		return err_set(err, ERR_PARSE, "%s: the files together are larger than %u bytes",
			reader->what, HOST_TAR_MAX_TOTAL);
	return 0;
}

/* The entry's content, bounded whatever its header says. */
static int tar_read_data(
	struct tar_reader *reader, const char *path, struct buf *data, struct err *err)
{
	char block[16384];
	la_ssize_t n;

	while ((n = reader->lib.archive_read_data(reader->archive, block, sizeof(block))) > 0) {
		if (tar_check_size(reader, path, (int64_t)data->len + n, err) < 0)
			return -1;
		buf_add(data, block, (size_t)n);
	}
	return n < 0 ? tar_broken(reader, err) : 0;
}

/* A hard link has the content of an entry before it; NULL when that was not wanted. */
static const struct host_tar_file *tar_linked(const struct tar_reader *reader, const char *target)
{
	size_t i;

	for (i = 0; target && i < reader->tar->n; i++)
		if (strcmp(reader->tar->files[i].path, tar_plain_path(target)) == 0)
			return &reader->tar->files[i];
	return NULL;
}

/* Any number may stand in a header; what no clock can show becomes 0. */
static int64_t tar_mtime_ns(const struct tar_reader *reader, struct archive_entry *entry)
{
	int64_t s = reader->lib.archive_entry_mtime(entry);

	if (s < 0 || s >= INT64_MAX / CLOCK_NS_PER_S)
		return 0;
	return s * CLOCK_NS_PER_S + reader->lib.archive_entry_mtime_nsec(entry);
}

static int tar_add(
	struct tar_reader *reader, struct archive_entry *entry, const char *path, struct err *err)
{
	const char *target = reader->lib.archive_entry_hardlink(entry);
	const struct host_tar_file *linked = tar_linked(reader, target);
	struct host_tar *tar = reader->tar;
	struct host_tar_file *file;
	struct buf data = BUF_INIT;

	if (target && !linked) {
		reader->lost_link = true;
		return 0;
	}
	if (tar->n >= HOST_TAR_MAX_WANTED)
		return err_set(err, ERR_PARSE, "%s: more than %d files", reader->what,
			HOST_TAR_MAX_WANTED);
	if (tar_check_size(reader, path,
		    linked ? (int64_t)linked->len : reader->lib.archive_entry_size(entry), err) < 0)
		return -1;
	if (linked) {
		buf_add(&data, linked->data, linked->len);
	} else if (tar_read_data(reader, path, &data, err) < 0) {
		buf_fini(&data);
		return -1;
	}
	tar->files = mem_grow(tar->files, tar->n, &reader->cap, sizeof(*tar->files));
	file = &tar->files[tar->n++];
	file->path = mem_strdup(path);
	file->mtime_ns = tar_mtime_ns(reader, entry);
	file->len = data.len;
	file->data = buf_steal(&data);
	reader->total += file->len;
	return 0;
}

static int tar_entry(struct tar_reader *reader, struct archive_entry *entry, struct err *err)
{
	const struct tar_calls *lib = &reader->lib;
	const char *path = lib->archive_entry_pathname(entry);
	bool regular = lib->archive_entry_filetype(entry) == AE_IFREG;

	if (++reader->n_entries > HOST_TAR_MAX_ENTRIES)
		return err_set(err, ERR_PARSE, "%s: more than %d files and directories",
			reader->what, HOST_TAR_MAX_ENTRIES);
	if (!path)
		path = lib->archive_entry_pathname_utf8(entry);
	if (!path)
		return err_set(err, ERR_PARSE, "%s: an entry has no readable name", reader->what);
	path = tar_plain_path(path);
	tar_note_root(reader, path, lib->archive_entry_filetype(entry) == AE_IFDIR);
	if ((!regular && !lib->archive_entry_hardlink(entry)) || !*path ||
		(reader->want && !reader->want(reader->arg, path)))
		return 0;
	return tar_add(reader, entry, path, err);
}

static int tar_read_entries(struct tar_reader *reader, struct err *err)
{
	struct archive_entry *entry;
	int rc;

	for (;;) {
		rc = reader->lib.archive_read_next_header(reader->archive, &entry);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return tar_broken(reader, err);
		if (tar_entry(reader, entry, err) < 0)
			return -1;
	}
}

/* Paths lose the directory that all of them share. */
static void tar_strip_root(const struct tar_reader *reader)
{
	struct host_tar_file *file;
	size_t i, skip = reader->root_len + 1;

	if (reader->bare || !reader->root)
		return;
	for (i = 0; i < reader->tar->n; i++) {
		file = &reader->tar->files[i];
		memmove(file->path, file->path + skip, strlen(file->path + skip) + 1);
	}
}

/* The reader's bare says what is known of it before. */
static int tar_read(struct tar_reader *reader, const void *bytes, size_t len, struct err *err)
{
	const struct tar_calls *lib = &reader->lib;
	int rc;

	memset(reader->tar, 0, sizeof(*reader->tar));
	if (len == 0)
		return err_set(err, ERR_PARSE, "%s: no files arrived", reader->what);
	if (library_load(LIBARCHIVE_SONAME, tar_names, sizeof(tar_names) / sizeof(tar_names[0]),
		    &reader->lib, err) < 0)
		return -1;
	reader->archive = lib->archive_read_new();
	lib->archive_read_support_format_tar(reader->archive);
	lib->archive_read_support_filter_none(reader->archive);
	lib->archive_read_set_options(reader->archive, "hdrcharset=BINARY");
	if (lib->archive_read_open_memory(reader->archive, bytes, len) == ARCHIVE_OK)
		rc = tar_read_entries(reader, err);
	else
		rc = tar_broken(reader, err);
	lib->archive_read_free(reader->archive);
	if (rc < 0)
		host_tar_fini(reader->tar);
	else
		tar_strip_root(reader);
	free(reader->root);
	return rc;
}

int host_tar_read_part(const void *bytes, size_t len, const char *what, host_tar_want want,
	void *arg, bool *bare, bool *lost_link, struct host_tar *tar, struct err *err)
{
	struct tar_reader reader = {
		.what = what, .want = want, .arg = arg, .tar = tar, .bare = *bare
	};
	int rc = tar_read(&reader, bytes, len, err);

	*bare = reader.bare;
	*lost_link = reader.lost_link;
	return rc;
}

int host_tar_read(const void *bytes, size_t len, const char *what, host_tar_want want, void *arg,
	struct host_tar *tar, struct err *err)
{
	struct tar_reader reader = { .what = what, .want = want, .arg = arg, .tar = tar };

	return tar_read(&reader, bytes, len, err);
}

void host_tar_fini(struct host_tar *tar)
{
	size_t i;

	for (i = 0; i < tar->n; i++) {
		free(tar->files[i].path);
		free(tar->files[i].data);
	}
	free(tar->files);
	memset(tar, 0, sizeof(*tar));
}

bool host_tar_want_py(void *arg, const char *path)
{
	(void)arg;
	return str_ends(path, ".py");
}

bool host_tar_want_sql(void *arg, const char *path)
{
	(void)arg;
	return str_ends(path, ".sql");
}
