/* The stages of reading a runbook; private to the layer. */
#ifndef PGONCALL_RUNBOOK_PARSE_H
#define PGONCALL_RUNBOOK_PARSE_H

#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/runbook/document.h>

/* Reads the front matter; returns the bytes it takes with its lines in *lines. Without front matter
 * 0, and a problem. */
size_t front_parse(const char *bytes, size_t len, struct runbook *runbook, int *lines,
	struct runbook_problems *problems);

/* Reads what follows as steps; first_line is the line of its first byte. */
void markdown_parse(const char *bytes, size_t len, int first_line, struct runbook *runbook,
	struct runbook_problems *problems);

/* Reads "{ a=b c=d }" into the step. manual: a comment's, for a step without a block. */
void attributes_parse(
	const char *text, int line, struct runbook_step *step, struct runbook_problems *problems);

/* Reads an expect block into the step. */
void expect_parse(
	const char *text, int line, struct runbook_step *step, struct runbook_problems *problems);

/* What concerns several steps: names, gotos, conditions, variables; and each step's parts. */
void check_runbook(struct runbook *runbook, struct runbook_problems *problems);

/* NAME of lower-case letters, digits and hyphens, or underscores. */
int name_check(const char *name);
/* "End the session!" becomes "end-the-session"; the caller frees. */
char *name_from_title(const char *title);

#endif
