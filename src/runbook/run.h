/* What run.c and engine.c share; private to the layer. */
#ifndef PGONCALL_RUNBOOK_RUN_H
#define PGONCALL_RUNBOOK_RUN_H

#include <pgoncall/runbook/engine.h>

/* Replaces an owned string; NULL becomes "". value may be what is replaced. */
void run_set_string(char **field, const char *value);
/* The step it stands at; the run must not be over. */
const struct runbook_step *run_step(const struct runbook_run *run);
/* Sets run->command from the step and the values there are. */
int run_resolve(struct runbook_run *run, struct err *err);

#endif
