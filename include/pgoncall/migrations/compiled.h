/*
 * Revisions that are there only as Python's compiled files (.pyc), which Alembic loads where its setting
 * `sourceless` says so, and which cannot be read without running Python. Pure: finds out that there are
 * such, and says so.
 *
 * Source: ScriptDirectory and Script._list_py_dir of Alembic 1.8 to 1.19. Beside a source of the same
 * name a compiled file does not count, nor does one in __pycache__ while there is any source.
 */
#ifndef PGONCALL_MIGRATIONS_COMPILED_H
#define PGONCALL_MIGRATIONS_COMPILED_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/migrations/problem.h>
#include <pgoncall/migrations/revision.h>

/* Start with a zeroed struct. */
struct migration_compiled {
	struct strlist names; /* of files beside where their sources would be */
	size_t cached;        /* files in __pycache__ */
	size_t seen;          /* sources */
};

enum migration_sourceless {
	MIGRATION_SOURCELESS_UNKNOWN,
	MIGRATION_SOURCELESS_NO,
	MIGRATION_SOURCELESS_YES
};

/* "*.pyc" or "*.pyo", with the exceptions of migration_is_revision_file. */
bool migration_is_compiled_file(const char *name);
/* A file of a directory; path: below it. recursive: folders below count, too. */
void migration_compiled_note(struct migration_compiled *compiled, const char *path, bool recursive);
/* Adds what was seen in another directory. */
void migration_compiled_append(
	struct migration_compiled *compiled, const struct migration_compiled *other);
/* How many have no source among the revisions and the files with problems. */
size_t migration_compiled_count(const struct migration_compiled *compiled,
	const struct migration_revision *revisions, size_t n,
	const struct migration_problems *problems);
/* Adds "compiled-only" where there are any that matter. */
void migration_compiled_report(const struct migration_compiled *compiled,
	enum migration_sourceless sourceless, const struct migration_revision *revisions, size_t n,
	struct migration_problems *problems);
void migration_compiled_fini(struct migration_compiled *compiled);

#endif
