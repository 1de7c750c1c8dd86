/*
 * What pgoncall tells every runbook: the variables of runbook/vars.h, from the configuration and from
 * what was seen of the target; and the wrapping of command lines for where they run.
 */
#ifndef PGONCALL_APP_RUN_VARS_H
#define PGONCALL_APP_RUN_VARS_H

#include <pgoncall/app/config.h>
#include <pgoncall/app/target.h>
#include <pgoncall/db/snapshot.h>
#include <pgoncall/host/runtime.h>
#include <pgoncall/migrations/graph.h>
#include <pgoncall/runbook/engine.h>

/* What was seen of a target; each may be NULL. */
struct run_seen {
	const struct db_snapshot *snapshot;
	const struct migration_graph *graph;
	const char *version_table; /* NAME or SCHEMA.NAME, not quoted; NULL: as configured */
};

/* Sets what is known and takes away what is not. */
void run_vars_provide(const struct config_section *section, const struct run_seen *seen,
	struct runbook_vars *vars);
void run_vars_provide_target(const struct target *target, struct runbook_vars *vars);

/* Where command lines run, and under which name their database sessions and processes are found. */
struct run_place {
	const struct config_section *section;
	struct host_runtime runtime;
	const char *application; /* application_name; "" : none */
	const char *mark; /* "NAME=value" in the environment, for host/stop.h; NULL or "": none */
};

/* A runbook_wrap_fn; arg is a struct run_place. */
int run_place_wrap(
	void *arg, enum runbook_place place, const char *command, struct buf *out, struct err *err);

/* Whether that is on this machine. */
bool run_place_is_here(const struct run_place *self, enum runbook_place place);

/* Bits of enum runbook_require that hold by the configuration alone. */
unsigned run_vars_have(const struct config_section *section);

#endif
