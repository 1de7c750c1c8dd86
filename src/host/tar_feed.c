/*
 * A tar stream taken as it comes: finds where entries end, and hands runs of entire ones to the reader
 * in memory (tar.c), which alone knows what is in them.
 */
#include <pgoncall/host/tar.h>

#include <string.h>

#include "tar_reader.h"

#define TAR_BLOCK    512
#define TAR_SIZE_AT  124
#define TAR_SIZE_LEN 12
#define TAR_TYPE_AT  156
#define FEED_BATCH   (256u << 10)

void host_tar_feed_init(struct host_tar_feed *feed, const char *what, host_tar_want want,
	host_tar_file_cb file, void *arg)
{
	memset(feed, 0, sizeof(*feed));
	feed->what = what;
	feed->want = want;
	feed->file = file;
	feed->arg = arg;
}

void host_tar_feed_fini(struct host_tar_feed *feed)
{
	buf_fini(&feed->held);
}

/* Octal digits; anything else (base 256, damage) is left to the reader, all at the end. */
static bool feed_size(const char *header, size_t *size)
{
	const char *s = header + TAR_SIZE_AT;
	size_t i;

	*size = 0;
	for (i = 0; i < TAR_SIZE_LEN && s[i] == ' '; i++)
		;
	for (; i < TAR_SIZE_LEN && s[i] >= '0' && s[i] <= '7'; i++)
		*size = *size * 8 + (size_t)(s[i] - '0');
	return i == TAR_SIZE_LEN || s[i] == ' ' || s[i] == '\0';
}

/* Steps over one header; what belongs to the entry after it (long names, attributes) ends none. */
static void feed_step(struct host_tar_feed *feed, const char *header)
{
	char type = header[TAR_TYPE_AT];
	size_t size;

	if (!feed_size(header, &size) || !strchr("0157xLK", type ? type : '0') ||
		((type == '1' || type == '5') && size)) {
		feed->hold = true;
		return;
	}
	feed->next += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	if (!strchr("xLK", type ? type : '0') && feed->next <= feed->held.len)
		feed->whole = feed->next;
}

static void feed_scan(struct host_tar_feed *feed)
{
	const char *header;
	size_t i;

	/* An entry whose header was stepped over may be entire by now. */
	if (feed->pending && feed->next <= feed->held.len) {
		feed->whole = feed->next;
		feed->pending = false;
	}
	while (!feed->hold && !feed->ended && feed->next + TAR_BLOCK <= feed->held.len) {
		header = feed->held.data + feed->next;
		for (i = 0; i < TAR_BLOCK && !header[i]; i++)
			;
		if (i == TAR_BLOCK) {
			feed->ended = true;
			return;
		}
		feed_step(feed, header);
		feed->pending = !feed->hold && feed->next > feed->held.len &&
				!strchr("xLK", header[TAR_TYPE_AT] ? header[TAR_TYPE_AT] : '0');
	}
}

/* Reads the first len bytes held as an archive of their own. *bare: as far as they show. */
static int feed_read(
	struct host_tar_feed *feed, size_t len, bool *bare, struct host_tar *tar, struct err *err)
{
	struct buf archive = BUF_INIT;
	bool lost = false;
	int rc;

	buf_reserve(&archive, len + 2 * TAR_BLOCK);
	buf_add(&archive, feed->held.data, len);
	memset(archive.data + archive.len, 0, 2 * TAR_BLOCK);
	archive.len += 2 * TAR_BLOCK;
	*bare = feed->bare;
	rc = host_tar_read_part(archive.data, archive.len, feed->what, feed->want, feed->arg, bare,
		&lost, tar, err);
	buf_fini(&archive);
	if (rc == 0 && lost && feed->n_files) {
		feed->lost_link = true;
		host_tar_fini(tar);
		return err_set(err, ERR_PARSE, "%s: a hard link leads to what was read before",
			feed->what);
	}
	return rc;
}

static int feed_hand_on(struct host_tar_feed *feed, struct host_tar *tar, struct err *err)
{
	size_t i;

	for (i = 0; i < tar->n; i++) {
		feed->total += tar->files[i].len;
		if (++feed->n_files > HOST_TAR_MAX_WANTED || feed->total > HOST_TAR_MAX_TOTAL)
			return err_set(err, ERR_PARSE, "%s: more than %d files or %u bytes",
				feed->what, HOST_TAR_MAX_WANTED, HOST_TAR_MAX_TOTAL);
		feed->file(feed->arg, &tar->files[i]);
	}
	return 0;
}

/* Hands on the entire entries there are; not yet, where they may share a directory. */
static int feed_batch(struct host_tar_feed *feed, struct err *err)
{
	size_t len = feed->whole, left = feed->held.len - len;
	struct host_tar tar;
	bool bare;
	int rc;

	if (feed_read(feed, len, &bare, &tar, err) < 0)
		return -1;
	if (!bare) {
		feed->hold = true;
		host_tar_fini(&tar);
		return 0;
	}
	feed->bare = true;
	rc = feed_hand_on(feed, &tar, err);
	host_tar_fini(&tar);
	memmove(feed->held.data, feed->held.data + len, left);
	feed->held.len = left;
	feed->next -= len;
	feed->whole = 0;
	return rc;
}

int host_tar_feed_add(struct host_tar_feed *feed, const void *bytes, size_t len, struct err *err)
{
	if (feed->held.len + len > 2 * (size_t)HOST_TAR_MAX_TOTAL)
		return err_set(err, ERR_PARSE, "%s: the files together are larger than %u bytes",
			feed->what, HOST_TAR_MAX_TOTAL);
	/* What follows the end mark is padding. */
	if (feed->ended)
		return 0;
	buf_add(&feed->held, bytes, len);
	feed_scan(feed);
	if (!feed->hold && feed->whole >= FEED_BATCH)
		return feed_batch(feed, err);
	return 0;
}

int host_tar_feed_end(struct host_tar_feed *feed, struct err *err)
{
	struct host_tar tar;
	bool bare, lost = false;
	int rc;

	/* All was handed on, and the end mark came. */
	if (feed->bare && feed->ended && !feed->whole)
		return 0;
	bare = feed->bare;
	rc = host_tar_read_part(feed->held.data, feed->held.len, feed->what, feed->want, feed->arg,
		&bare, &lost, &tar, err);
	if (rc < 0)
		return -1;
	if (lost && feed->n_files) {
		feed->lost_link = true;
		rc = err_set(err, ERR_PARSE, "%s: a hard link leads to what was read before",
			feed->what);
	} else {
		rc = feed_hand_on(feed, &tar, err);
	}
	host_tar_fini(&tar);
	return rc;
}
