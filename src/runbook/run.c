/*
 * A run as an object: making it, its names and variables, and what the gate is asked for it. How it
 * moves is engine.c's.
 */
#include <pgoncall/runbook/engine.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "run.h"

void run_set_string(char **field, const char *value)
{
	char *copy = mem_strdup(value ? value : "");

	free(*field);
	*field = copy;
}

const struct runbook_step *run_step(const struct runbook_run *run)
{
	return &run->runbook->steps[run->step];
}

/* --- making a run ---------------------------------------------------------------------------- */

struct runbook_run *runbook_run_new(const struct runbook *runbook,
	const struct runbook_options *options, const struct runbook_vars *vars)
{
	struct runbook_run *run = mem_calloc(1, sizeof(*run));

	run->runbook = runbook;
	run->options = *options;
	run->target = mem_strdup(options->target ? options->target : "");
	run->application = mem_strdup_opt(options->application);
	run->options.target = run->target;
	run->options.application = run->application;
	if (vars)
		runbook_vars_merge(&run->vars, vars);
	run->outcomes = mem_calloc(runbook->n_steps + 1, sizeof(*run->outcomes));
	run_set_string(&run->typed, "");
	run_set_string(&run->why, "");
	run_set_string(&run->verdict, "");
	run_set_string(&run->reason, "");
	return run;
}

void runbook_run_free(struct runbook_run *run)
{
	if (!run)
		return;
	runbook_vars_fini(&run->vars);
	runbook_command_fini(&run->command);
	free(run->target);
	free(run->application);
	free(run->outcomes);
	free(run->answers);
	free(run->typed);
	free(run->why);
	free(run->verdict);
	free(run->reason);
	free(run);
}

const struct runbook_step *runbook_run_step(const struct runbook_run *run)
{
	return run->step < run->runbook->n_steps ? run_step(run) : NULL;
}

/* --- names ----------------------------------------------------------------------------------- */

static const char *const state_names[RUNBOOK_STATE_COUNT] = {
	[RUNBOOK_STATE_NEW] = "new",
	[RUNBOOK_STATE_PICKING] = "picking",
	[RUNBOOK_STATE_CHECKING] = "checking",
	[RUNBOOK_STATE_SHOWN] = "shown",
	[RUNBOOK_STATE_BLOCKED] = "blocked",
	[RUNBOOK_STATE_CONFIRMING] = "confirming",
	[RUNBOOK_STATE_RUNNING] = "running",
	[RUNBOOK_STATE_WATCHING] = "watching",
	[RUNBOOK_STATE_UNSETTLED] = "unsettled",
	[RUNBOOK_STATE_JUDGED] = "judged",
	[RUNBOOK_STATE_LEFT] = "left",
	[RUNBOOK_STATE_FINISHED] = "finished",
	[RUNBOOK_STATE_ESCALATED] = "escalated",
};

static const char *const event_names[RUNBOOK_EVENT_COUNT] = {
	[RUNBOOK_EVENT_START] = "start",
	[RUNBOOK_EVENT_PICK] = "pick",
	[RUNBOOK_EVENT_CHECK] = "check",
	[RUNBOOK_EVENT_GO] = "go",
	[RUNBOOK_EVENT_DONE] = "done",
	[RUNBOOK_EVENT_NOT_DONE] = "not done",
	[RUNBOOK_EVENT_ANSWER] = "answer",
	[RUNBOOK_EVENT_CANCEL] = "cancel",
	[RUNBOOK_EVENT_RESULT] = "result",
	[RUNBOOK_EVENT_HALT] = "halt",
	[RUNBOOK_EVENT_TICK] = "tick",
	[RUNBOOK_EVENT_RETRY] = "retry",
	[RUNBOOK_EVENT_SKIP] = "skip",
	[RUNBOOK_EVENT_STOP] = "stop",
	[RUNBOOK_EVENT_LEAVE] = "leave",
	[RUNBOOK_EVENT_RESUME] = "resume",
};

const char *runbook_state_name(enum runbook_state state)
{
	return state_names[state];
}

const char *runbook_event_name(enum runbook_event_kind kind)
{
	return event_names[kind];
}

/* --- its command --------------------------------------------------------------------------- */

/* Resolves the step's command and puts around it what it takes to run it there. */
int run_resolve(struct runbook_run *run, struct err *err)
{
	const struct runbook_step *step = run_step(run);
	const struct runbook_options *o = &run->options;
	struct buf wrapped = BUF_INIT;
	int rc;

	runbook_command_fini(&run->command);
	if (step->language == RUNBOOK_MANUAL)
		return 0;
	if (step->language == RUNBOOK_SQL)
		return runbook_resolve_sql(step, &run->vars, &run->command, err);
	rc = runbook_resolve_shell(step, &run->vars, o->quote, o->application, &run->command, err);
	if (rc == 0 && o->wrap)
		rc = o->wrap(o->wrap_arg, step->place, run->command.text, &wrapped, err);
	if (rc == 0 && o->wrap) {
		run_set_string(&run->command.text, buf_str(&wrapped));
		run_set_string(&run->command.shown, buf_str(&wrapped));
	}
	buf_fini(&wrapped);
	return rc;
}

int runbook_run_resolve(struct runbook_run *run, size_t step, struct err *err)
{
	if (run->state != RUNBOOK_STATE_NEW || step >= run->runbook->n_steps)
		return err_set(err, ERR_REFUSED, "this run has begun already");
	run->step = step;
	return run_resolve(run, err);
}

void runbook_run_request(const struct runbook_run *run, struct gate_request *request)
{
	const struct runbook_step *step = run_step(run);

	memset(request, 0, sizeof(*request));
	request->kind = step->language == RUNBOOK_SQL ? GATE_TEXT_SQL : GATE_TEXT_SHELL;
	request->statement = run->command.shown;
	request->asked = step->confirm;
	request->verb = step->verb;
	request->target = run->target;
	request->typed = run->typed;
	/* The gate takes the runbook's verb only for the act that the text looks like. */
	request->act = POLICY_ACT_WRITE;
	request->act = gate_act(request);
}

/* --- variables ------------------------------------------------------------------------------- */

/* The type of NAME or NAME.FIELD; -1 where the runbook has no such variable. */
static int run_var_type(const struct runbook_run *run, const char *name, enum runbook_type *type)
{
	size_t len = strcspn(name, ".");
	char *base = mem_strndup(name, len);
	const struct runbook_var *var = runbook_var_find(run->runbook, base);
	const struct runbook_provided *provided = runbook_provided_find(name);
	const struct runbook_field *field = NULL;

	free(base);
	if (var && name[len] && var->picker)
		field = runbook_field_find(var->picker, name + len + 1);
	if (field)
		*type = field->type;
	else if (var && !name[len] && !(var->picker && var->picker->fields))
		*type = var->type;
	else if (provided)
		*type = provided->type;
	else
		return -1;
	return 0;
}

int runbook_run_set(struct runbook_run *run, const char *name, const char *value, struct err *err)
{
	enum runbook_type type;

	if (run->state >= RUNBOOK_STATE_CONFIRMING && run->state <= RUNBOOK_STATE_UNSETTLED)
		return err_set(err, ERR_REFUSED, "$%s cannot be changed while the step runs", name);
	if (run_var_type(run, name, &type) < 0)
		return err_set(err, ERR_REFUSED, "this runbook has no variable $%s", name);
	if (value && runbook_type_check(type, name, value, err) < 0)
		return -1;
	runbook_vars_set(&run->vars, name, value);
	return 0;
}
