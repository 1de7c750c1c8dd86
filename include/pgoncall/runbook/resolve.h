/*
 * From a step and values to exactly what is sent. SQL keeps its text: variables become parameters
 * ($1::integer …). A command line gets one quoted word for each. Every value is checked by its type.
 */
#ifndef PGONCALL_RUNBOOK_RESOLVE_H
#define PGONCALL_RUNBOOK_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/runbook/document.h>

/* Appends word so that a POSIX shell reads exactly that word. */
typedef void (*runbook_quote_fn)(struct buf *out, const char *word);

struct runbook_param {
	char *name;  /* "blocker.pid" */
	char *value; /* owned; NULL: SQL's NULL */
};

/* Zeroed is empty; all owned. */
struct runbook_command {
	enum runbook_language language;
	enum runbook_place place;
	char *text; /* SQL with $1…, or a shell's command line */
	struct runbook_param *params;
	size_t n_params;
	/* For the operator and for the gate: the text, and a line "-- $1 = 'value'" for each
	 * parameter, in which control characters are escaped. */
	char *shown;
};

void runbook_command_fini(struct runbook_command *command);

/* 0, or -1 with ERR_REFUSED: a variable that is not set, or a value its type refuses. */
int runbook_resolve_sql(const struct runbook_step *step, const struct runbook_vars *vars,
	struct runbook_command *command, struct err *err);
/* lock_timeout= becomes a first line that adds to PGOPTIONS, with `application` (NULL: none) as
 * application_name. */
int runbook_resolve_shell(const struct runbook_step *step, const struct runbook_vars *vars,
	runbook_quote_fn quote, const char *application, struct runbook_command *command,
	struct err *err);

/* Appends the names of the step's variables that are not set (of `blocker.pid`: blocker), each once,
 * in the order of the text, then of what is expected. */
void runbook_unset(
	const struct runbook_step *step, const struct runbook_vars *vars, struct strlist *names);

#endif
