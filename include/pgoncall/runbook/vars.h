/*
 * What stands behind a `$name` in a runbook: types of values and how each is checked, the variables
 * that pgoncall provides, what an operator can pick, and the values of one run.
 *
 * A value never becomes text of a statement or a command line. In SQL it is a bound parameter (or,
 * where the grammar takes none, one quoted name or literal); for a shell it is one quoted word.
 */
#ifndef PGONCALL_RUNBOOK_VARS_H
#define PGONCALL_RUNBOOK_VARS_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>

enum runbook_type {
	RUNBOOK_TEXT,       /* zero: any text without control characters; not "-…" for a shell */
	RUNBOOK_PID,        /* 1 to 2147483647 */
	RUNBOOK_NUMBER,     /* a whole number that fits 64 bits */
	RUNBOOK_REVISION,   /* letters, digits, _ and . ; not head, heads, current */
	RUNBOOK_CONTAINER,  /* a container's or service's name */
	RUNBOOK_IDENTIFIER, /* one SQL name, as it is in the catalogue */
	RUNBOOK_TABLE,      /* NAME or SCHEMA.NAME */
	RUNBOOK_INDEX,      /* the same */
	RUNBOOK_DURATION,   /* "500ms", "30s", "10m" */
	RUNBOOK_TIMESTAMP, /* as PostgreSQL prints one; "" is NULL in SQL and refused for a shell */
	RUNBOOK_WORDS,     /* a setting of several words: as many quoted words; in SQL a text[] */
	RUNBOOK_COMMAND,   /* a shell command line that pgoncall itself built; refused in SQL */
	RUNBOOK_TYPE_COUNT
};

const char *runbook_type_name(enum runbook_type type);
/* Of the types that a runbook may declare: all but words and command. 0 or -1. */
int runbook_type_parse(const char *name, enum runbook_type *type);
/* "::integer" …; "" where the type has no place in SQL. */
const char *runbook_type_cast(enum runbook_type type);
/* 0, or -1 with ERR_REFUSED and a sentence that names `name`. A NULL value is not set. */
int runbook_type_check(
	enum runbook_type type, const char *name, const char *value, struct err *err);

/* --- what an operator picks ------------------------------------------------------------------- */

/* A variable with parts, e.g. `$blocker.pid`. */
struct runbook_field {
	const char *name;
	enum runbook_type type;
};

/*
 * pick= in the front matter. The caller of the engine shows what there is to choose from and sets
 * the variable: `NAME`, or `NAME.FIELD` for each field where there are fields.
 */
struct runbook_picker {
	const char *name; /* "backend" */
	const char *from; /* the sources that from= may name, separated by spaces; the first is the
			      default */
	enum runbook_type type;
	const struct runbook_field *fields; /* NULL: a plain value; ends with a NULL name */
};

/* The i-th of the table, or NULL past its end. */
const struct runbook_picker *runbook_picker_at(size_t i);
const struct runbook_picker *runbook_picker_find(const char *name);
/* NULL where the picker has no such field. */
const struct runbook_field *runbook_field_find(
	const struct runbook_picker *picker, const char *field);

/* --- what pgoncall provides ------------------------------------------------------------------- */

/*
 * Variables that every runbook may use without declaring them; who runs one sets them before
 * runbook_run_start. One that is not set makes the steps that use it impossible, with a sentence.
 *
 *   target        text       name of the target in the configuration
 *   environment   text       production, staging, development
 *   host          text       ssh's name for the host, or "localhost"
 *   database      identifier db_name
 *   role          identifier db_user
 *   app           container  the container with the migrations that is live (app, or the live colour)
 *   blue, green   container  app.blue, app.green, where set
 *   apps          words      all of app, app.blue, app.green that are set, each once
 *   db_container  container  where set
 *   alembic       words      the alembic setting; see below
 *   runtime       words      runtime_command or docker/podman; not set with runtime = none
 *   compose       words      where set
 *   compose_service container where set
 *   containers    command    prints a line for each container of the target: name, image, state
 *   logs          command    prints $app's log since it was started, at most its last 5000 lines,
 *                            stdout to stdout and stderr to stderr; one command, so that 2>&1 may follow
 *   logs_follow   command    the same from its last 20 lines on, and follows
 *   version_table table      "alembic_version" or "ops.alembic_version": as configured, else as
 *                            found in the catalogue
 *   critical_tables words    where set
 *   health_url    text       where set
 *   migrations    text       directory of the revision files, as configured
 *   sql_migrations text      directory of the legacy SQL files
 *   repository    text       local checkout, where set; on=local runs there
 *   deploy_log    words      local command that prints the deploy's log, where set
 *   current       revision   the row of the version table, where there is exactly one
 *   heads         words      heads of the revision files in $app
 *   head          revision   where there is exactly one
 *   previous      revision   down_revision of $current, where exactly one; "base" for the first
 *
 * In blocks with on=app and on=local the word `alembic`, where a command begins, stands for the
 * words of $alembic ("uv run alembic").
 */
struct runbook_provided {
	const char *name;
	enum runbook_type type;
	const char *from; /* where it comes from, for sentences: "compose in the configuration" */
};

const struct runbook_provided *runbook_provided_at(size_t i);
const struct runbook_provided *runbook_provided_find(const char *name);

/* --- values ----------------------------------------------------------------------------------- */

struct runbook_value {
	char *name; /* "rev", "blocker.pid" */
	char *value;
};

/* A zeroed struct is an empty one. */
struct runbook_vars {
	struct runbook_value *items;
	size_t n, cap;
};

void runbook_vars_fini(struct runbook_vars *vars);
/* Copies both; a value of NULL takes the variable away. No check: see runbook_type_check. */
void runbook_vars_set(struct runbook_vars *vars, const char *name, const char *value);
/* NULL where it is not set. */
const char *runbook_vars_get(const struct runbook_vars *vars, const char *name);
/* Adds what `from` has, replacing. */
void runbook_vars_merge(struct runbook_vars *vars, const struct runbook_vars *from);

#endif
