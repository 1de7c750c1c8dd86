/*
 * The same revisions from several sources side by side: the image of each colour, a git checkout, and
 * the database. One graph holds them all; each revision of it tells which sources have it. Pure.
 */
#ifndef PGONCALL_MIGRATIONS_SOURCES_H
#define PGONCALL_MIGRATIONS_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/migrations/graph.h>

#define MIGRATION_SOURCES_MAX 4

struct migration_source {
	const char *name; /* "app", "blue", "green", "git"; static */
	bool image;       /* what runs: it can upgrade and downgrade; else a checkout */
	char *where;      /* container or directory, owned */
	char *error; /* why it could not be read last time, owned; NULL: it could, or was not yet */
	struct migration_graph *graph; /* its own; NULL: none was read */
};

/* Which commit brought a file; texts owned. */
struct migration_commit {
	char *file; /* its name without directories */
	char *text; /* "3f2a1b9c, 2025-11-27, Ann: Add session events" */
	size_t age; /* 0: the newest */
};

struct migration_sources {
	struct migration_source items[MIGRATION_SOURCES_MAX];
	size_t n;
	/* All that were read as one; the only source's own graph where there is one; NULL: none was
	 * read. Valid until migration_sources_set is called again. */
	struct migration_graph *merged;
	struct migration_commit *commits; /* by file, each once */
	size_t n_commits, cap_commits;
	char *log_error; /* why the commits are not known, owned; NULL: they are, or none are asked for */
};

/* Start with a zeroed struct. */
void migration_sources_fini(struct migration_sources *sources);
/* Returns its index. */
size_t migration_sources_add(
	struct migration_sources *sources, const char *name, bool image, const char *where);
/* What reading a source gave: a graph, or (error) why there is none; what was read before then
 * stands. Makes `merged` anew, unmarked. */
void migration_sources_set(struct migration_sources *sources, size_t i,
	struct migration_graph *graph_take, const char *error);
/* Takes what `git log --diff-filter=A --name-only` printed in the format MIGRATION_GIT_FORMAT. */
#define MIGRATION_GIT_FORMAT "%x01%h%x02%as%x02%an%x02%s"
void migration_sources_set_log(struct migration_sources *sources, const char *text, size_t len);
/* Marks all graphs, as migration_graph_mark. */
bool migration_sources_mark(struct migration_sources *sources, const struct strlist *version_rows);

/* How many were read. */
size_t migration_sources_read(const struct migration_sources *sources);
size_t migration_sources_images(const struct migration_sources *sources);
/* Appends where a revision of `merged` is not: "green only", "not in git"; nothing where every source
 * that was read has it. */
void migration_sources_skew(const struct migration_sources *sources,
	const struct migration_revision *revision, struct buf *out);
/* Whether an image that was read lacks it, or has another file of it, while another image has it. */
bool migration_sources_colours_differ(
	const struct migration_sources *sources, const struct migration_revision *revision);
/* Appends which image can roll the revision back: "blue and green can roll it back", "only green can
 * roll it back"; why: ": blue has no file of it" as well. */
void migration_sources_rollback(const struct migration_sources *sources,
	const struct migration_revision *revision, bool why, struct buf *out);
/* Appends the ids of applied revisions an image has no file of, newest first; returns how many. */
size_t migration_sources_ahead(
	const struct migration_sources *sources, size_t image, struct buf *out);

#endif
