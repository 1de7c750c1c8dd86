/*
 * A run of a runbook: where it stands, what the operator is asked, and what is to be done next.
 * It touches nothing: each event changes the state and yields one effect, which whoever owns the
 * run carries out and answers with the next event.
 *
 *   PICKING ─PICK→ CHECKING ─CHECK→ SHOWN ─GO→ CONFIRMING ─ANSWER→ RUNNING ─RESULT→ JUDGED ─GO→ …
 *
 * A read goes from SHOWN to RUNNING. A step done by hand goes to JUDGED with DONE or NOT_DONE, or
 * with its last check. A write whose result is not known stands in UNSETTLED until a person says
 * what was found; it is never run again by itself, and RETRY is not possible before.
 */
#ifndef PGONCALL_RUNBOOK_ENGINE_H
#define PGONCALL_RUNBOOK_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/runbook/document.h>
#include <pgoncall/runbook/expect.h>
#include <pgoncall/runbook/gate.h>
#include <pgoncall/runbook/policy.h>
#include <pgoncall/runbook/resolve.h>

enum runbook_state {
	RUNBOOK_STATE_NEW,
	RUNBOOK_STATE_PICKING,    /* variable `pick` is to be chosen or typed */
	RUNBOOK_STATE_CHECKING,   /* check number `check` is to be answered */
	RUNBOOK_STATE_SHOWN,      /* waits for GO; or, by hand, DONE or NOT_DONE */
	RUNBOOK_STATE_BLOCKED,    /* cannot be run as things are: `why`; RETRY looks again */
	RUNBOOK_STATE_CONFIRMING, /* waits for ANSWER */
	RUNBOOK_STATE_RUNNING,    /* waits for RESULT; a stream also for HALT */
	RUNBOOK_STATE_WATCHING,   /* waits for TICK, to ask again */
	RUNBOOK_STATE_UNSETTLED,  /* unknown write: waits for DONE or NOT_DONE */
	RUNBOOK_STATE_JUDGED,     /* outcome is known: waits for GO, RETRY or SKIP */
	RUNBOOK_STATE_LEFT,       /* by the operator; RESUME goes on */
	RUNBOOK_STATE_FINISHED,
	RUNBOOK_STATE_ESCALATED, /* stopped: somebody else is needed */
	RUNBOOK_STATE_COUNT
};

enum runbook_event_kind {
	RUNBOOK_EVENT_START,
	RUNBOOK_EVENT_PICK,  /* the variable was set with runbook_run_set */
	RUNBOOK_EVENT_CHECK, /* answer; text: the reason, required for skip */
	RUNBOOK_EVENT_GO,
	RUNBOOK_EVENT_DONE,
	RUNBOOK_EVENT_NOT_DONE,
	RUNBOOK_EVENT_ANSWER, /* text: what was typed */
	RUNBOOK_EVENT_CANCEL, /* at the question, or when nothing was sent, e.g. because the gate
				 refused (text: why): back to SHOWN */
	RUNBOOK_EVENT_RESULT,
	RUNBOOK_EVENT_HALT, /* the operator ends what runs; what it ended with comes as RESULT */
	RUNBOOK_EVENT_TICK, /* the time of RUNBOOK_EFFECT_WAIT is over */
	RUNBOOK_EVENT_RETRY,
	RUNBOOK_EVENT_SKIP, /* text: the reason, required */
	RUNBOOK_EVENT_STOP, /* text: the reason; gives up */
	RUNBOOK_EVENT_LEAVE,
	RUNBOOK_EVENT_RESUME,
	RUNBOOK_EVENT_COUNT
};

enum runbook_answer { RUNBOOK_CHECK_DONE, RUNBOOK_CHECK_NOT_DONE, RUNBOOK_CHECK_SKIP };

struct runbook_event {
	enum runbook_event_kind kind;
	int64_t now_ns; /* monotonic */
	enum runbook_answer answer;
	const char *text; /* borrowed */
	const struct runbook_result *result;
};

enum runbook_effect_kind {
	RUNBOOK_EFFECT_NONE,
	RUNBOOK_EFFECT_PICK,    /* ask for run->pick */
	RUNBOOK_EFFECT_CHECK,   /* ask check number run->check */
	RUNBOOK_EFFECT_SHOW,    /* show the step; run->why where it cannot be run */
	RUNBOOK_EFFECT_CONFIRM, /* ask for run->want, at run->level, showing run->command.shown */
	RUNBOOK_EFFECT_RUN,    /* run run->command; a write goes through the gate with run->typed */
	RUNBOOK_EFFECT_HALT,   /* end what is running */
	RUNBOOK_EFFECT_WAIT,   /* send TICK after wait_ns */
	RUNBOOK_EFFECT_JUDGED, /* show run->verdict */
	RUNBOOK_EFFECT_LEFT,
	RUNBOOK_EFFECT_FINISHED,
	RUNBOOK_EFFECT_ESCALATED
};

/* A line of a run's history: enough to find the place again. */
struct runbook_record {
	const char *step;
	enum runbook_outcome outcome;
	const char *reason; /* of a skip, or the verdict; "" for none */
};

struct runbook_effect {
	enum runbook_effect_kind kind;
	int64_t wait_ns;
	/* An outcome to write down now, where record.step is not NULL; borrowed until the next
	 * event. */
	struct runbook_record record;
};

/* Makes what is really sent of a shell's command line, e.g. "docker exec api sh -c …"; appends to
 * out. Builds text only. */
typedef int (*runbook_wrap_fn)(
	void *arg, enum runbook_place place, const char *command, struct buf *out, struct err *err);

struct runbook_options {
	enum policy_environment environment;
	const char *target; /* "database@target", copied */
	runbook_quote_fn quote;
	runbook_wrap_fn wrap; /* NULL: nothing is put around */
	void *wrap_arg;
	const char *application; /* application_name of what a step starts, copied; NULL: none */
};

struct runbook_run {
	const struct runbook *runbook; /* borrowed for the run's life */
	struct runbook_options options;
	char *target, *application; /* owned copies */
	struct runbook_vars vars;

	enum runbook_state state;
	size_t step;                    /* index; n_steps when over */
	enum runbook_outcome *outcomes; /* of each step, as last done */
	const struct runbook_var *pick;
	size_t check;
	enum runbook_answer *answers; /* of this step's checks */

	struct runbook_command command; /* resolved and wrapped, from SHOWN on */
	enum policy_act act;            /* what the command looks like */
	enum policy_level level;        /* what is asked; NONE for reads and by hand */
	const char *want;               /* what is to be typed; NULL: nothing */
	char *typed;                    /* what was; "" */
	char *why;        /* why the step is blocked, or what was wrong with an answer; "" */
	char *verdict;    /* the outcome's sentence; "" */
	char *reason;     /* of a skip or a stop; "" */
	int64_t began_ns; /* when the command was run first */
	bool halted;      /* HALT was sent since */
	enum runbook_state left_in; /* where LEAVE was */
};

/* Copies vars. The state is NEW until START, or until runbook_run_restore. */
struct runbook_run *runbook_run_new(const struct runbook *runbook,
	const struct runbook_options *options, const struct runbook_vars *vars);
void runbook_run_free(struct runbook_run *run);

/* 0 and *effect, or -1 with ERR_REFUSED when the event is not possible there; nothing has changed
 * then. */
int runbook_run_event(struct runbook_run *run, const struct runbook_event *event,
	struct runbook_effect *effect, struct err *err);
/* Whether it would be; for hints and menus. */
bool runbook_run_can(const struct runbook_run *run, enum runbook_event_kind kind);

/* Sets a variable (NAME or NAME.FIELD) after its type's check; refused while a command is being
 * confirmed or runs. The step's command follows at the next event (PICK). */
int runbook_run_set(struct runbook_run *run, const char *name, const char *value, struct err *err);

/* In place of START: puts a NEW run where its records (oldest first) say it stood. The last record
 * may be RUNBOOK_UNKNOWN: a write without a result. Fails where a step is not in the runbook any
 * more. Captured and picked values are the caller's to set before, from where it kept them; those
 * of backends are dropped, and asked for again. */
int runbook_run_restore(struct runbook_run *run, const struct runbook_record *records, size_t n,
	struct runbook_effect *effect, struct err *err);

/* Resolves a step's command into run->command without moving there, for a plan: only for a NEW
 * run. */
int runbook_run_resolve(struct runbook_run *run, size_t step, struct err *err);

/* What the gate is asked for at RUNBOOK_EFFECT_RUN of a write; borrows from the run. */
void runbook_run_request(const struct runbook_run *run, struct gate_request *request);

/* The step that would follow the one at hand with that outcome: its index, n_steps where the run
 * would be finished, SIZE_MAX where the operator decides or the run stops. */
size_t runbook_run_next(const struct runbook_run *run, enum runbook_outcome outcome);
/* NULL when the run is over. */
const struct runbook_step *runbook_run_step(const struct runbook_run *run);
const char *runbook_state_name(enum runbook_state state);
const char *runbook_event_name(enum runbook_event_kind kind);

#endif
