/*
 * What the files console_run*.c share: the runbook that is open in the console. The engine decides
 * what happens; these files carry its effects out and bring back what came of them.
 */
#ifndef PGONCALL_APP_CONSOLE_RUN_H
#define PGONCALL_APP_CONSOLE_RUN_H

#include "console_app.h"

#include <pgoncall/host/run.h>
#include <pgoncall/runbook/engine.h>
#include <pgoncall/runbook/library.h>

#include "run_exec.h"
#include "run_vars.h"

/* What a reason is asked for. */
enum run_reason { RUN_REASON_SKIP, RUN_REASON_CHECK, RUN_REASON_STOP };

/* What can be chosen for a variable: a line each, and the values that it sets. */
struct run_choices {
	struct strlist lines;
	struct runbook_vars *values; /* n of them */
	size_t n, cap;
};

/* Evidence about a write whose result is not known. */
struct run_evidence {
	bool wanted; /* with each picture, as long as nobody has said what it was */
	struct host_run *process_run;
	struct buf text, process; /* all of it; what the host said last */
	char *recorded;   /* what of it is in the journal: more is written once it differs */
	int64_t since_ns; /* pictures up to this say nothing new */
	int64_t asked_ns; /* when the host was asked last; 0: not yet */
};

/* An ending that was sent; of several steps there may be several under way. */
struct run_ending {
	struct app_run *r;
	char *statement, *step, *mark;
	bool writes; /* the step does: the ending is a write, too, and has its intent */
	int64_t intent_seq, began_ns;
	struct host_run *run;
	struct run_ending *next;
};

/* Ending the process of the step at hand, there where it runs. */
struct run_stop {
	char *statement; /* exactly what is to be sent; NULL: nothing is asked for */
	char *step;      /* whose process it is */
	char *mark;      /* and which attempt's */
	const char *want;
	char *target;
	bool local;  /* on this machine */
	bool writes; /* see struct run_ending */
	struct gate_permit *permit;
	unsigned attempt; /* which ending an intent is for */
	struct run_ending *endings;
	struct buf text; /* what the pane says about it */
};

#define RUN_MARK_START "PGONCALL_STEP="

/* In the environment of the step's command, another for each attempt. */
struct run_marked {
	char mark[32];
	bool used; /* a command with it was begun */
};

struct app_run {
	struct app *app;
	unsigned serial; /* an answer of the journal for another one is none for this */
	struct runbook_library library;
	struct runbook_run *run;
	struct run_place place;
	char application[32]; /* of the sessions that its commands open: "pgoncall-3fa91c" */
	struct run_marked marked;
	struct run_stop stop;
	int interrupts[4]; /* what the rows of the open question about an interruption do */
	bool nameless; /* the step at hand was started under another name, which is not recorded */

	struct run_exec *exec; /* of the step at hand, kept for its output; NULL: none yet */
	bool executing;
	struct loop_timer *again; /* while it watches */
	struct transport *local;  /* this machine, for on=local; NULL until wanted */
	int64_t began_ns, ended_ns;
	struct gate_permit *permit; /* while the intent is on its way to the disk */
	unsigned attempt;           /* counts the permits: which one that intent is for */
	int64_t intent_seq;         /* of the write under way or unknown; 0: none */

	enum run_reason reason; /* what the open question is about */
	struct run_choices choices;
	struct run_exec *list; /* asks for what can be chosen */
	struct strlist links;  /* what the list of linked runbooks shows */
	struct run_evidence evidence;
	char *refusal; /* why a write would be refused now; NULL: it would not */

	struct app_run *next; /* of those that were left */

	size_t shown_step; /* what the pane was moved to */
	enum runbook_state shown_state;
};

/* console_run.c */
/* Sends an event to the engine and carries out the effect. */
void run_event(struct app_run *r, enum runbook_event_kind kind, const char *text);
void run_check_event(struct app_run *r, enum runbook_answer answer, const char *text);
void run_result_event(struct app_run *r, const struct runbook_result *result);
/* What the snapshot, the graph and the configuration say now. */
void run_refresh_vars(struct app_run *r);

/* console_run_open.c */
/* Takes over the library; the run is begun by Enter. application: what an earlier console called it
 * (run_is_name); NULL: a name is drawn. */
int run_open(struct app *app, struct runbook_library *library_take, const struct runbook *runbook,
	const char *application, struct app_run **out);
bool run_is_name(const char *application);
/* Puts it into the console; asks first where one of its name was left. */
void run_attach(struct app_run *r_take);
void run_show(struct app_run *r_take);
/* The open one is closed: where it is not over, it is kept to go on where it stands. */
void run_close_open(struct app *app);
/* What run_attach asked is answered: a row, or nothing (SIZE_MAX). */
void run_return_picked(struct app *app, size_t index);
void run_free(struct app_run *r);

/* console_run_exec.c: effects RUN, HALT and CONFIRM. */
void run_confirm(struct app_run *r);
void run_start(struct app_run *r);
/* Why the write at hand would be refused now, or NULL; to be freed. */
char *run_refusal(struct app_run *r);
/* The program leaves while something runs: its result is unknown. */
void run_abandon(struct app_run *r);
/* This machine; where the step at hand runs, NULL: it is not reached. */
struct transport *run_local(struct app_run *r);
struct transport *run_transport(struct app_run *r);

/* console_run_stop.c */
/* Before the engine has an event: another mark, where the one there was may have been used. After it:
 * the old one again, where what it was used for is still what the run is about. */
void run_stop_mark(struct app_run *r, struct run_marked *before);
void run_stop_unmark(struct app_run *r, const struct run_marked *before, bool accepted);
/* The mark that an earlier console recorded; it must be one. */
bool run_is_mark(const char *mark);
/* Whether the step at hand may have a process that can be ended: a command line's that was sent. A
 * permit for its end would void the one that it still waits to be sent with. */
bool run_stop_can(const struct app_run *r);
/* A write's process: asks. */
void run_stop_ask(struct app_run *r);
void run_stop_confirmed(struct app_run *r, const char *typed);
/* A read's: it was no write, and so its end is none. */
void run_stop_read(struct app_run *r);
/* Another step: what was said belongs to the one before. */
void run_stop_clear(struct app_run *r);
void run_stop_fini(struct app_run *r);

/* console_run_pick.c */
void run_pick(struct app_run *r);
void run_picked(struct app_run *r, size_t index);
void run_valued(struct app_run *r, const char *text);
void run_choices_fini(struct run_choices *choices);
/* Fills in what the finding is about. */
void run_fill(struct app_run *r, const struct finding *finding);
/* What is to be ended because of it, or NULL where the operator must choose: a finding may carry the
 * session that suffers, and names no prepared transaction. */
const struct db_session *run_fill_session(
	const struct db_snapshot *snapshot, const struct finding *finding);

/* console_run_record.c: what is kept in the journal, and found again. */
/* "begun", "left", "finished", …: where a run begins and ends. */
void run_record_mark(struct app_run *r, const char *text);
/* result: of the read that was run for it; NULL: there was none. */
void run_record_outcome(struct app_run *r, const struct runbook_record *record,
	const struct runbook_result *result);
/* A check was answered. */
void run_record_check(struct app_run *r, const char *check, enum runbook_answer answer);
/* The operator went on from a failed step to the one at hand. */
void run_record_arrival(struct app_run *r);
void run_record_intent(struct app_run *r, const char *typed, recorder_done done, void *arg);
/* After the engine judged it. */
void run_record_result(struct app_run *r, const struct runbook_result *result);
/* What a person found about a write of unknown result. */
void run_record_settled(struct app_run *r, const char *text);

/* A run in a journal that was neither finished nor stopped. */
struct run_trace {
	char *incident, *runbook, *step, *ts; /* owned; step: the last one recorded, or "" */
	char *arrived;     /* the step that was gone on to after a failed one, or "" */
	char *application; /* the name that its commands had; NULL: not recorded */
	char *mark;        /* of the last write's process; NULL: not recorded, or it has none */
	struct runbook_vars vars;
	struct strlist steps, reasons; /* records, oldest first; outcomes beside them */
	enum runbook_outcome *outcomes;
	size_t cap;
	int64_t intent_seq; /* of the last record, where that is unknown */
	bool lost;
};

/* The newest of this target that is nobody's any more. 0 and *trace, or -1: there is none. */
int run_trace_find(const char *target, struct run_trace *trace);
void run_trace_fini(struct run_trace *trace);
/* Opens the runbook where the trace says that it stood, in the incident's own journal. */
int run_trace_resume(struct app *app, const struct run_trace *trace, struct err *err);

/* console_run_look.c */
/* By what the sessions of the step at hand are known: a statement's by the server process that it was
 * sent to, a command's by the name that is in its environment. Neither: it is not known. */
struct run_mark {
	int backend;             /* 0: none */
	const char *application; /* borrowed from the run; NULL: none */
};
struct run_mark run_mark(const struct app_run *r);
bool run_mark_is(const struct run_mark *mark, const struct db_session *session);
void run_look_begin(struct app_run *r);
void run_look(struct app_run *r);
void run_look_stop(struct app_run *r);

#endif
