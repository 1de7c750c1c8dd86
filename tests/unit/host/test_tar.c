/*
 * Archives as runtimes make them, and as an enemy would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/host/tar.h>

#include "support.h"

/* Runs a script in an empty directory that has versions/a.py, versions/sub/b.py and two others, and
 * collects its stdout. */
static void archive(const char *script, struct buf *out)
{
	struct buf command = BUF_INIT;

	buf_printf(&command,
		"d=$(mktemp -d) && cd \"$d\" && mkdir -p versions/sub && cd versions && "
		"printf 'one' >a.py && printf 'two' >sub/b.py && printf x >README && "
		"printf sql >c.sql && touch -d @1700000000 a.py && cd .. && { %s; }; rm -r \"$d\"",
		script);
	shell(buf_str(&command), out);
	buf_fini(&command);
}

static const struct host_tar_file *find(const struct host_tar *tar, const char *path)
{
	size_t i;

	for (i = 0; i < tar->n; i++)
		if (strcmp(tar->files[i].path, path) == 0)
			return &tar->files[i];
	return NULL;
}

static void expect_python_files(const char *script)
{
	struct buf bytes = BUF_INIT;
	struct host_tar tar;

	archive(script, &bytes);
	assert_int_equal(
		host_tar_read(bytes.data, bytes.len, "api-1", host_tar_want_py, NULL, &tar, NULL),
		0);
	assert_int_equal(tar.n, 2);
	assert_non_null(find(&tar, "a.py"));
	assert_string_equal(find(&tar, "a.py")->data, "one");
	assert_int_equal(find(&tar, "a.py")->len, 3);
	assert_int_equal(find(&tar, "a.py")->mtime_ns, INT64_C(1700000000) * CLOCK_NS_PER_S);
	assert_non_null(find(&tar, "sub/b.py"));
	host_tar_fini(&tar);
	buf_fini(&bytes);
}

static void expect_error(const struct buf *bytes, const char *part)
{
	struct host_tar tar;
	struct err err = { .text = "" };

	assert_int_equal(
		host_tar_read(buf_str(bytes), bytes->len, "api-1", NULL, NULL, &tar, &err), -1);
	assert_int_equal(err.code, ERR_PARSE);
	assert_non_null(strstr(err.text, "api-1"));
	if (!strstr(err.text, part))
		fail_msg("\"%s\" lacks \"%s\"", err.text, part);
	assert_int_equal(tar.n, 0);
	assert_null(tar.files);
}

static void tar_names_files_below_the_directory(void **state)
{
	(void)state;
	expect_python_files("tar -C versions -cf - .");
	expect_python_files("tar -cf - versions");
	expect_python_files("cd versions && tar -cf - *");
	expect_python_files("tar --format=pax -cf - versions");
	expect_python_files("tar --format=v7 -cf - ./versions");
	expect_python_files("tar -P -cf - --transform 's,^,/,' versions");
}

static void tar_keeps_what_is_wanted_only(void **state)
{
	struct buf bytes = BUF_INIT;
	struct host_tar tar;

	(void)state;
	archive("ln -s a.py versions/link.py; mkfifo versions/fifo.sql; tar -cf - versions",
		&bytes);
	assert_int_equal(
		host_tar_read(bytes.data, bytes.len, "x", host_tar_want_sql, NULL, &tar, NULL), 0);
	assert_int_equal(tar.n, 1);
	assert_string_equal(tar.files[0].path, "c.sql");
	host_tar_fini(&tar);
	assert_int_equal(host_tar_read(bytes.data, bytes.len, "x", NULL, NULL, &tar, NULL), 0);
	assert_int_equal(tar.n, 4);
	host_tar_fini(&tar);
	buf_fini(&bytes);
}

static void tar_follows_hard_links_within(void **state)
{
	struct buf bytes = BUF_INIT;
	struct host_tar tar;

	(void)state;
	archive("ln versions/a.py versions/z.py; tar -cf - versions/a.py versions/z.py", &bytes);
	assert_int_equal(host_tar_read(bytes.data, bytes.len, "x", NULL, NULL, &tar, NULL), 0);
	assert_int_equal(tar.n, 2);
	assert_string_equal(find(&tar, "z.py")->data, "one");
	host_tar_fini(&tar);
	buf_fini(&bytes);
}

static void tar_of_an_empty_directory_is_no_error(void **state)
{
	struct buf bytes = BUF_INIT;
	struct host_tar tar;

	(void)state;
	archive("mkdir empty; tar -C empty -cf - .", &bytes);
	assert_int_equal(host_tar_read(bytes.data, bytes.len, "x", NULL, NULL, &tar, NULL), 0);
	assert_int_equal(tar.n, 0);
	host_tar_fini(&tar);
	buf_fini(&bytes);
}

static void tar_refuses_what_is_cut_off_or_no_archive(void **state)
{
	struct buf bytes = BUF_INIT;

	(void)state;
	expect_error(&bytes, "no files arrived");
	buf_add_str(&bytes, "Error: No such container:path: api-1:/nowhere\n");
	expect_error(&bytes, "did not arrive whole");
	buf_clear(&bytes);
	archive("head -c 300000 /dev/zero >versions/big.py; tar -cf - versions/big.py", &bytes);
	bytes.len = 100000;
	expect_error(&bytes, "did not arrive whole");
	buf_clear(&bytes);
	archive("tar -cf - versions | gzip", &bytes);
	expect_error(&bytes, "did not arrive whole");
	buf_fini(&bytes);
}

static void tar_holds_its_bounds(void **state)
{
	struct buf bytes = BUF_INIT;

	(void)state;
	archive("head -c 1048577 /dev/zero >versions/big.py; tar -cf - versions", &bytes);
	expect_error(&bytes, "versions/big.py is larger than 1048576 bytes");
	buf_clear(&bytes);
	archive("truncate -s 1000G versions/sparse.py; tar -S -cf - versions", &bytes);
	assert_true(bytes.len < 100000);
	expect_error(&bytes, "versions/sparse.py is larger");
	buf_clear(&bytes);
	archive("head -c 1000000 /dev/zero >f; for i in $(seq 80); do ln f versions/$i.py; done;"
		"tar --hard-dereference -cf - versions",
		&bytes);
	expect_error(&bytes, "together are larger");
	buf_clear(&bytes);
	archive("mkdir many; cd many; seq 60001 | xargs touch; tar -cf - .", &bytes);
	expect_error(&bytes, "more than 60000 files");
	buf_fini(&bytes);
}

/* Any flipped bytes give an answer, not a crash. */
static void tar_survives_damage(void **state)
{
	struct buf bytes = BUF_INIT, bad = BUF_INIT;
	struct host_tar tar;
	uint32_t random = 1;
	int round, i;

	(void)state;
	archive("tar --format=pax -cf - versions", &bytes);
	for (round = 0; round < 300; round++) {
		buf_clear(&bad);
		buf_add(&bad, bytes.data, bytes.len);
		for (i = 0; i < 20; i++) {
			random = random * 1664525 + 1013904223;
			bad.data[random % bad.len] = (char)(random >> 24);
		}
		(void)host_tar_read(bad.data, bad.len, "x", NULL, NULL, &tar, NULL);
		host_tar_fini(&tar);
	}
	buf_fini(&bytes);
	buf_fini(&bad);
}

/* --- as it comes ------------------------------------------------------------------------------ */

struct fed {
	struct buf names; /* "path:bytes" of each file */
	struct host_tar_feed feed;
};

static void on_file(void *arg, const struct host_tar_file *file)
{
	buf_printf(&((struct fed *)arg)->names, "%s:%zu ", file->path, file->len);
	assert_int_equal(strlen(file->data), file->len);
}

/* In pieces of that size; returns what feeding it says. */
static int feed(struct fed *fed, const struct buf *bytes, size_t piece, struct err *err)
{
	size_t at, n;
	int rc = 0;

	memset(fed, 0, sizeof(*fed));
	host_tar_feed_init(&fed->feed, "api-1", host_tar_want_py, on_file, fed);
	for (at = 0; at < bytes->len && rc == 0; at += n) {
		n = bytes->len - at < piece ? bytes->len - at : piece;
		rc = host_tar_feed_add(&fed->feed, bytes->data + at, n, err);
	}
	return rc == 0 ? host_tar_feed_end(&fed->feed, err) : rc;
}

static void fed_fini(struct fed *fed)
{
	host_tar_feed_fini(&fed->feed);
	buf_fini(&fed->names);
}

static void tar_feed_gives_what_reading_gives(void **state)
{
	static const char *const scripts[] = {
		"tar -C versions -cf - .", "tar -cf - versions", "tar -C versions -cf - --format=pax .",
		"for i in $(seq 3000); do printf '%600s' x >versions/r$i.py; done; tar -C versions -cf - .",
		"for i in $(seq 900); do printf '%600s' x >versions/$(printf '%0120d' $i).py; done; "
		"tar -C versions -cf - .",
		"for i in $(seq 900); do printf '%600s' x >versions/r$i.py; done; tar -cf - versions",
	};
	static const size_t pieces[] = { 1 << 20, 4096, 777 };
	struct buf bytes, want;
	struct host_tar tar;
	struct fed fed;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		bytes = want = (struct buf)BUF_INIT;
		archive(scripts[i], &bytes);
		assert_int_equal(host_tar_read(bytes.data, bytes.len, "api-1", host_tar_want_py, NULL,
					 &tar, NULL),
			0);
		for (k = 0; k < tar.n; k++)
			buf_printf(&want, "%s:%zu ", tar.files[k].path, tar.files[k].len);
		for (k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
			assert_int_equal(feed(&fed, &bytes, pieces[k], NULL), 0);
			assert_string_equal(buf_str(&fed.names), buf_str(&want));
			/* Nothing but the last batch is left. */
			if (i == 3)
				assert_true(fed.feed.n_files == 3002 && fed.feed.held.len < 1 << 20);
			fed_fini(&fed);
		}
		host_tar_fini(&tar);
		buf_fini(&bytes);
		buf_fini(&want);
	}
}

static void tar_feed_says_what_is_broken(void **state)
{
	struct buf bytes = BUF_INIT;
	struct err err;
	struct fed fed;

	(void)state;
	assert_int_equal(feed(&fed, &bytes, 100, &err), -1);
	assert_non_null(strstr(err.text, "no files arrived"));
	fed_fini(&fed);
	buf_add_str(&bytes, "Error: no such container: api-1, and some more text that is no archive");
	assert_int_equal(feed(&fed, &bytes, 10, &err), -1);
	fed_fini(&fed);
	buf_clear(&bytes);
	archive("for i in $(seq 900); do printf '%600s' x >versions/r$i.py; done;"
		" tar -C versions -cf - .",
		&bytes);
	bytes.len -= bytes.len / 3;
	assert_int_equal(feed(&fed, &bytes, 4096, &err), -1);
	fed_fini(&fed);
	buf_fini(&bytes);
}

/* A link back to what was handed on: the reader must hold all, and then it is there. */
static void tar_feed_tells_a_lost_link(void **state)
{
	struct buf bytes = BUF_INIT;
	struct err err;
	struct fed fed;
	int rc;

	(void)state;
	archive("for i in $(seq 900); do printf '%600s' x >versions/r$i.py; done;"
		" ln versions/r1.py versions/zz.py;"
		" tar -C versions --sort=name -cf - .",
		&bytes);
	assert_int_equal(feed(&fed, &bytes, 4096, &err), -1);
	assert_true(fed.feed.lost_link);
	fed_fini(&fed);
	memset(&fed, 0, sizeof(fed));
	host_tar_feed_init(&fed.feed, "api-1", host_tar_want_py, on_file, &fed);
	fed.feed.hold = true;
	rc = host_tar_feed_add(&fed.feed, bytes.data, bytes.len, &err);
	assert_int_equal(rc, 0);
	assert_int_equal(host_tar_feed_end(&fed.feed, &err), 0);
	assert_non_null(strstr(buf_str(&fed.names), "zz.py:600"));
	fed_fini(&fed);
	buf_fini(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tar_names_files_below_the_directory),
		cmocka_unit_test(tar_keeps_what_is_wanted_only),
		cmocka_unit_test(tar_follows_hard_links_within),
		cmocka_unit_test(tar_of_an_empty_directory_is_no_error),
		cmocka_unit_test(tar_refuses_what_is_cut_off_or_no_archive),
		cmocka_unit_test(tar_holds_its_bounds),
		cmocka_unit_test(tar_survives_damage),
		cmocka_unit_test(tar_feed_gives_what_reading_gives),
		cmocka_unit_test(tar_feed_says_what_is_broken),
		cmocka_unit_test(tar_feed_tells_a_lost_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
