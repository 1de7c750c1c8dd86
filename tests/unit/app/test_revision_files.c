/*
 * A folder's revision files read here, against the same folder through a real tar: the same files in the
 * same order with the same content, and the same refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/host/tar.h>

#include "../../../src/app/revision_files.h"

/* Shared out to several threads where there are several processors. */
#define MANY 1300

struct folder {
	char path[64];
};

static void folder_make(struct folder *folder)
{
	strcpy(folder->path, "/tmp/pgoncall-files.XXXXXX");
	assert_non_null(mkdtemp(folder->path));
}

static void folder_remove(const struct folder *folder)
{
	char *command = mem_printf("rm -rf '%s'", folder->path);

	assert_int_equal(system(command), 0);
	free(command);
}

static char *folder_at(const struct folder *folder, const char *name)
{
	return mem_printf("%s/%s", folder->path, name);
}

/* padding: bytes of comment after it. */
static void folder_add(const struct folder *folder, const char *name, const char *id, size_t padding)
{
	char *path = folder_at(folder, name);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fprintf(out, "\"\"\"%s\"\"\"\nrevision = '%s'\ndown_revision = None\n", name, id);
	for (; padding; padding--)
		fputc('#', out);
	assert_int_equal(fclose(out), 0);
	free(path);
}

static void folder_add_folder(const struct folder *folder, const char *name)
{
	char *path = folder_at(folder, name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

static void folder_link(const struct folder *folder, const char *from, const char *to,
	int (*make)(const char *from, const char *to))
{
	char *source = folder_at(folder, from), *target = folder_at(folder, to);

	assert_int_equal(make(source, target), 0);
	free(source);
	free(target);
}

/* One of everything that may lie there. */
static void folder_fill(const struct folder *folder)
{
	char *path;

	folder_add(folder, "b.py", "b", 0);
	folder_add(folder, "a.py", "a", 0);
	folder_add(folder, ".hidden.py", "hidden", 0);
	folder_add(folder, "__init__.py", "init", 0);
	folder_add(folder, ".#lock.py", "lock", 0);
	folder_add(folder, "notes.txt", "notes", 0);
	folder_add(folder, "old.pyc", "old", 0);
	folder_add(folder, "largest.py", "largest", HOST_TAR_MAX_FILE - 60);
	folder_add_folder(folder, "sub");
	folder_add(folder, "sub/c.py", "c", 0);
	folder_add_folder(folder, "sub/deeper");
	folder_add(folder, "sub/deeper/d.py", "d", 0);
	folder_add_folder(folder, ".git");
	folder_add(folder, ".git/e.py", "e", 0);
	folder_add_folder(folder, "__pycache__");
	folder_add(folder, "__pycache__/f.py", "f", 0);
	folder_add_folder(folder, "sub/__pycache__");
	folder_add(folder, "sub/__pycache__/g.py", "g", 0);
	folder_add_folder(folder, "folder.py");
	folder_link(folder, "a.py", "soft.py", symlink);
	folder_link(folder, "sub", "softsub", symlink);
	folder_link(folder, "b.py", "hard.py", link);
	path = folder_at(folder, "pipe.py");
	assert_int_equal(mkfifo(path, 0600), 0);
	free(path);
}

/* --- through tar ----------------------------------------------------------------------------- */

struct stream {
	bool recursive;
	bool left_out;
	struct buf seen; /* a line for each file */
};

static bool stream_want(void *arg, const char *path)
{
	const char *name = strrchr(path, '/');

	(void)arg;
	return migration_is_revision_file(name ? name + 1 : path);
}

static void see(struct buf *out, const struct migration_revision *revision)
{
	buf_printf(out, "%s %s %llx\n", revision->path, revision->id,
		(unsigned long long)revision->digest);
}

static void stream_file(void *arg, const struct host_tar_file *file)
{
	struct migration_problems problems;
	struct migration_revision revision;
	struct stream *stream = arg;

	if (str_starts(file->path, "__pycache__/") || strstr(file->path, "/__pycache__/"))
		return;
	if (strchr(file->path, '/') && !stream->recursive) {
		stream->left_out = true;
		return;
	}
	migration_problems_init(&problems);
	assert_int_equal(migration_revision_parse(
				 file->path, file->data, file->len, &revision, &problems),
		0);
	see(&stream->seen, &revision);
	migration_revision_fini(&revision);
	migration_problems_fini(&problems);
}

/* 0, or -1 where tar, or the reader of its stream, refuses. */
static int stream_read(const struct folder *folder, struct stream *stream)
{
	char *command = mem_printf("tar -C '%s' -cf - . 2>/dev/null", folder->path), part[65536];
	FILE *tar = popen(command, "r");
	struct host_tar_feed feed;
	struct err err;
	size_t n;
	int rc = 0;

	assert_non_null(tar);
	host_tar_feed_init(&feed, "the folder", stream_want, stream_file, stream);
	/* A hard link may lead to what was handed on. */
	feed.hold = true;
	while ((n = fread(part, 1, sizeof(part), tar)) > 0)
		if (rc == 0)
			rc = host_tar_feed_add(&feed, part, n, &err);
	if (pclose(tar) != 0)
		rc = -1;
	if (rc == 0)
		rc = host_tar_feed_end(&feed, &err);
	host_tar_feed_fini(&feed);
	free(command);
	return rc;
}

/* --- both ------------------------------------------------------------------------------------ */

static int files_read(const struct folder *folder, bool recursive, struct stream *out)
{
	struct revision_rules rules = { .recursive = recursive, .as_tar = true };
	struct revision_files files = { 0 };
	struct err err;
	size_t i;
	int rc = revision_files_add(&files, folder->path, "", &rules, &err);

	for (i = 0; i < files.n; i++)
		see(&out->seen, &files.revisions[i]);
	out->left_out = files.left_out;
	assert_int_equal(files.problems.n, 0);
	revision_files_fini(&files);
	return rc;
}

static void expect_same(const struct folder *folder, bool recursive, const char *some)
{
	struct stream stream = { .recursive = recursive }, files = { 0 };

	assert_int_equal(stream_read(folder, &stream), 0);
	assert_int_equal(files_read(folder, recursive, &files), 0);
	assert_string_equal(buf_str(&files.seen), buf_str(&stream.seen));
	assert_int_equal(files.left_out, stream.left_out);
	assert_non_null(strstr(buf_str(&files.seen), some));
	buf_fini(&stream.seen);
	buf_fini(&files.seen);
}

static void revision_files_are_those_of_a_tar_stream(void **state)
{
	struct folder folder;

	(void)state;
	folder_make(&folder);
	folder_fill(&folder);
	expect_same(&folder, false, "hard.py b ");
	expect_same(&folder, true, "sub/deeper/d.py d ");
	folder_remove(&folder);
}

static void revision_files_keep_their_order_in_threads(void **state)
{
	struct folder folder;
	char name[32];
	int i;

	(void)state;
	folder_make(&folder);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "r%04d.py", i);
		folder_add(&folder, name, name, 0);
	}
	expect_same(&folder, false, "r0007.py r0007.py ");
	folder_remove(&folder);
}

static void expect_refused(const struct folder *folder, const char *why)
{
	struct revision_rules rules = { .as_tar = true };
	struct revision_files files = { 0 };
	struct stream stream = { 0 };
	struct err err;

	assert_int_equal(stream_read(folder, &stream), -1);
	assert_int_equal(revision_files_add(&files, folder->path, "", &rules, &err), -1);
	assert_non_null(strstr(err.text, why));
	revision_files_fini(&files);
	buf_fini(&stream.seen);
}

static void revision_files_refuse_what_a_tar_stream_refuses(void **state)
{
	struct folder folder, none = { "/tmp/pgoncall-files-nowhere" };

	(void)state;
	expect_refused(&none, "No such file or directory");
	folder_make(&folder);
	folder_add(&folder, "a.py", "a", 0);
	folder_add(&folder, "large.py", "large", HOST_TAR_MAX_FILE);
	expect_refused(&folder, "large.py is larger than 1 MiB");
	folder_remove(&folder);
}

static void revision_files_stop_when_cancelled(void **state)
{
	atomic_bool cancelled = true;
	struct revision_rules rules = { .as_tar = true, .cancelled = &cancelled };
	struct revision_files files = { 0 };
	struct folder folder;

	(void)state;
	folder_make(&folder);
	folder_add(&folder, "a.py", "a", 0);
	assert_int_equal(revision_files_add(&files, folder.path, "", &rules, NULL), 0);
	assert_int_equal(files.n, 0);
	atomic_store(&cancelled, false);
	assert_int_equal(revision_files_add(&files, folder.path, "versions", &rules, NULL), 0);
	assert_int_equal(files.n, 1);
	assert_string_equal(files.revisions[0].path, "versions/a.py");
	assert_null(files.revisions[0].text);
	revision_files_fini(&files);
	folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revision_files_are_those_of_a_tar_stream),
		cmocka_unit_test(revision_files_keep_their_order_in_threads),
		cmocka_unit_test(revision_files_refuse_what_a_tar_stream_refuses),
		cmocka_unit_test(revision_files_stop_when_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
