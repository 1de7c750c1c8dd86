/*
 * The runbooks there are: those of the team's directories first, then the built-in ones. A name is
 * found in the first directory that has it.
 */
#ifndef PGONCALL_RUNBOOK_LIBRARY_H
#define PGONCALL_RUNBOOK_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>
#include <pgoncall/runbook/document.h>

struct runbook_entry {
	struct runbook *runbook;
	size_t directory; /* index of the directory it came from */
};

/* A file with a problem: what it would have been, and why it is not. */
struct runbook_refusal {
	char *name, *why; /* as its file is called, without ".md"; "path:line: sentence" */
	size_t directory;
};

/* Zeroed is empty. */
struct runbook_library {
	struct runbook_entry *items; /* sorted by directory, then by name */
	size_t n, cap, n_directories;
	struct strlist problems; /* "path:line: sentence": files left out */
	struct runbook_refusal *refused;
	size_t n_refused, cap_refused;
	struct strlist notes; /* "path: replaces path": a team's own in place of a built-in one */
};

/* Adds every *.md of the directory but README.md, in the order of names. A file with a problem is
 * left out and said; a directory that cannot be read is an error. */
int runbook_library_add(struct runbook_library *library, const char *directory, struct err *err);
void runbook_library_fini(struct runbook_library *library);

/* NULL with a sentence that lists near names. Where a file of that name was left out, none of a later
 * directory takes its place: NULL with the reason. */
const struct runbook *runbook_library_find(
	const struct runbook_library *library, const char *name, struct err *err);
/* The i-th that answers a finding with this code, or NULL. */
const struct runbook *runbook_library_for(
	const struct runbook_library *library, const char *code, size_t i);

#endif
