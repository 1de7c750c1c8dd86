/*
 * Regular files out of a tar stream that is in memory, e.g. `docker cp CONTAINER:DIR -`. The
 * archive is foreign: sizes and counts are bounded and nothing is written to disk.
 */
#ifndef PGONCALL_HOST_TAR_H
#define PGONCALL_HOST_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>

#define HOST_TAR_MAX_FILE    (1u << 20)  /* bytes of one wanted file */
#define HOST_TAR_MAX_TOTAL   (64u << 20) /* bytes of all wanted files */
#define HOST_TAR_MAX_WANTED  60000
#define HOST_TAR_MAX_ENTRIES 100000 /* of any kind */

struct host_tar_file {
	char *path; /* below the directory that was asked for: no leading "./" or directory name */
	int64_t mtime_ns; /* wall moment */
	char *data;       /* NUL-ended after len bytes; may hold NULs itself */
	size_t len;
};

/* In the archive's order. */
struct host_tar {
	struct host_tar_file *files;
	size_t n;
};

/* True for the names a caller wants; `path` is as in the archive. */
typedef bool (*host_tar_want)(void *arg, const char *path);

/* want NULL: every regular file. `what` names the source in sentences. A wanted file beyond the
 * bounds, a cut-off or malformed archive is an error; *tar is then empty. */
int host_tar_read(const void *bytes, size_t len, const char *what, host_tar_want want, void *arg,
	struct host_tar *tar, struct err *err);
void host_tar_fini(struct host_tar *tar);

/*
 * The same while the stream comes, so that it need never be held whole: files are handed on in batches.
 * An archive whose entries share a directory is held to its end all the same, since only the end shows
 * that they do.
 */
typedef void (*host_tar_file_cb)(void *arg, const struct host_tar_file *file);

struct host_tar_feed {
	const char *what;
	host_tar_want want;
	host_tar_file_cb file; /* the file is valid during the call */
	void *arg;             /* of both */
	struct buf held;       /* what came and was not handed on yet */
	size_t whole;          /* bytes of it that are entire entries */
	size_t next;           /* where in it the next header begins; may be beyond its end */
	bool pending;          /* an entry was stepped over and is not entire yet */
	bool ended;            /* the archive's end mark came */
	bool hold;             /* nothing is handed on before the end */
	bool bare;             /* entries share no directory */
	size_t n_files, total; /* handed on */
	bool lost_link;        /* failed: a hard link leads to what was handed on; hold must be set */
};

/* what is borrowed. */
void host_tar_feed_init(struct host_tar_feed *feed, const char *what, host_tar_want want,
	host_tar_file_cb file, void *arg);
void host_tar_feed_fini(struct host_tar_feed *feed);
int host_tar_feed_add(
	struct host_tar_feed *feed, const void *bytes, size_t len, struct err *err);
/* No more comes. */
int host_tar_feed_end(struct host_tar_feed *feed, struct err *err);

/* Wants: names that end in ".py", ".sql". */
bool host_tar_want_py(void *arg, const char *path);
bool host_tar_want_sql(void *arg, const char *path);

#endif
