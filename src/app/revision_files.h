/*
 * The revision files of a folder on this machine: listed, read and parsed by several threads. Blocking:
 * for commands and for workers. Which folders there are is not decided here (directory.c,
 * target_here.c).
 */
#ifndef PGONCALL_APP_REVISION_FILES_H
#define PGONCALL_APP_REVISION_FILES_H

#include <stdatomic.h>
#include <stdbool.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/migrations/compiled.h>
#include <pgoncall/migrations/revision.h>

struct revision_rules {
	bool recursive; /* files of folders below count, too */
	/* As a tar stream of the folder has them: a folder's files where it stands in the listing, no
	 * symbolic links, within the bounds of host/tar.h, and a file that cannot be read is an error.
	 * Else: a folder's own files first, through symbolic links, as Alembic goes, without bounds,
	 * and a file that cannot be read is a problem. */
	bool as_tar;
	bool keep_texts;              /* migration_revision_keep */
	const atomic_bool *cancelled; /* looked at between files; NULL: it is not */
};

/* Start with a zeroed struct. */
struct revision_files {
	struct migration_revision *revisions; /* in the folder's order */
	size_t n;
	struct migration_problems problems;
	struct migration_compiled compiled; /* Python's compiled files that were seen */
	bool left_out;    /* as_tar: there are files in folders below, and recursive is not set */
	size_t n_entries; /* as_tar: seen, of any kind */
	size_t n_wanted, total; /* as_tar: files and bytes */
};

/* Adds the files of a folder. name: what stands before their names in paths, "/" between; "": nothing.
 * A folder that cannot be opened is an error; what was added before then stays. */
int revision_files_add(struct revision_files *files, const char *folder, const char *name,
	const struct revision_rules *rules, struct err *err);
void revision_files_fini(struct revision_files *files);

/* Reads a file of at most 1 MiB, NUL-ended. regular: it is known to be a regular file; follow: also
 * through a symbolic link. */
int revision_file_read(
	int dir_fd, const char *name, bool regular, bool follow, struct buf *out, struct err *err);

#endif
