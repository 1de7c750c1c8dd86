/*
 * What the files console_*.c and cmd_console.c share: the running console. It joins terminal, keys,
 * target and acts; each of them is its own module's business.
 */
#ifndef PGONCALL_APP_CONSOLE_APP_H
#define PGONCALL_APP_CONSOLE_APP_H

#include <pgoncall/app/config.h>
#include <pgoncall/app/target.h>
#include <pgoncall/base/buf.h>
#include <pgoncall/db/action.h>
#include <pgoncall/db/history.h>
#include <pgoncall/diagnosis/findings.h>
#include <pgoncall/diagnosis/log_trouble.h>
#include <pgoncall/journal/journal.h>
#include <pgoncall/journal/list.h>
#include <pgoncall/journal/log.h>
#include <pgoncall/journal/report.h>
#include <pgoncall/runbook/gate.h>
#include <pgoncall/ui/console.h>
#include <pgoncall/ui/term.h>
#include <pgoncall/ui/theme.h>

#include "console_journal.h"
#include "probe.h"

/* Questions that come back with an id. */
enum app_question {
	APP_ASK_ACT = 1,
	APP_ASK_WRITE_FILE,
	APP_ASK_TARGET,
	APP_ASK_CONNECTING,
	APP_ASK_RUNBOOK,
	APP_ASK_COLUMNS,
	APP_ASK_RUN_CONFIRM, /* from here on: of the runbook that is open */
	APP_ASK_RUN_PICK,
	APP_ASK_RUN_VALUE,
	APP_ASK_RUN_REASON,
	APP_ASK_RUN_LINK,
	APP_ASK_RUN_INTERRUPT,
	APP_ASK_RUN_STOP,
	APP_ASK_RUN_RESUME,
	APP_ASK_RUN_SETTLE,
	APP_ASK_RUN_RETURN,
};

/* Acts on sessions, one after another: the one that is asked about or runs, and those to come. */
struct app_act {
	enum db_action_kind kind;
	struct console_session *queue; /* owned copies, next at index `next` */
	size_t n, next;
	bool many;                     /* asked about as several, also where one of them is left */
	bool active;                   /* `action` is set */
	bool running;                  /* being recorded, or sent; the result is awaited */
	struct gate_permit *permit;    /* while it is being recorded */
	struct db_action action;
	char *subject;                 /* "pid 8123 (bo1, boardofone-api)", for messages */
	char *typed;                   /* several were confirmed at once: the answer for the rest */
	struct buf report;             /* of several: a line each on what became of it */
	char *sentence;                /* the last result's */
	int64_t after;                 /* monotonic: the last act's end, not yet looked at; 0: none */
	int64_t intent_seq;
	int64_t started;               /* monotonic */
	struct console_session unknown; /* what an act with unknown result was to hit */
	int64_t unknown_seq;           /* its intent; 0: there is none */
};

struct app {
	struct loop *loop;
	struct config config;
	const struct config_section *section; /* NULL while a target is being chosen */
	bool no_color;
	char *person;                 /* "login@machine": who acts */

	struct term *term;
	struct theme theme;
	struct console *console;
	struct cells cells;
	struct loop_poll *keys;
	struct loop_signal *winch, *term_signal, *hup;
	struct loop_timer *draw;      /* a drawing is due */
	struct loop_timer *tick;      /* ages, the countdown */
	struct loop_timer *escape;    /* whether anything follows an escape byte */
	struct loop_timer *silence;   /* an unanswered confirmation is No */
	bool quit;
	int64_t drawn_at;             /* monotonic: the last drawing */
	int64_t asleep;               /* how long this machine has slept in its life, ns */

	struct target *target;
	struct findings findings;
	struct probe *probe;          /* what is asked seldom */
	struct db_history *history;   /* pictures of the last minutes */
	struct db_snapshot *past;     /* the one looked back at; NULL: the newest is shown */
	struct log_view *log_view;    /* what pane 3 shows of the target's logs */
	struct log_trouble trouble;   /* what they said */
	int64_t log_refresh_at;       /* monotonic: the last picture taken because of a log line */
	bool paused;
	bool told_first;              /* what there was to say with the first picture */
	int64_t opened_at;            /* monotonic: when the target was opened */
	int64_t refresh_ns;
	char *to_write;               /* text of a pane that waits for a file name */

	struct app_preview *preview;  /* SQL of a revision, asked of Alembic; NULL: none */

	/* Acting. */
	struct gate *gate;
	struct gate_arm arm;          /* by clock_boottime */
	bool has_picture;             /* of this target's sessions */
	int64_t picture_asleep;       /* `asleep` when the picture came: boot time less monotonic */
	int64_t arming_ns;            /* what is being recorded: for how long (0: nothing is), and why */
	char arming_reason[256];
	struct recorder *recorder;    /* the journal of this console's incident */
	struct app_act act;
	unsigned run_serial;          /* counts the runbooks that were opened */
	struct app_run *run;          /* the runbook that is open, or NULL; console_run.h */
	struct app_run *left;         /* those closed in the middle, one of a name */
	struct app_run *opening;      /* in place of one that was left, once that is answered */
	struct health *health;        /* being asked; NULL: not now */
	struct loop_timer *health_again;
	char *health_failed;          /* what the health URL said last, where it failed; else NULL */
	struct app_settle *settle;    /* what an earlier console left open; console_settle.c */
};

/* console_loop.c: terminal, keys, drawing. */
int app_terminal_start(struct app *app, struct err *err);
void app_terminal_stop(struct app *app);
/* Draws soon; any number of calls make one drawing. */
void app_dirty(struct app *app);
/* The same, also where something else was drawn a moment ago. */
void app_draw_at_once(struct app *app);
void app_message(struct app *app, enum console_severity severity, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void app_quit(struct app *app);
/* Refuses, with the sentence, to leave the target while something runs there. */
int app_check_leave(const struct app *app, struct err *err);
/* Applies a theme by name; on an error the one in use stays. */
int app_set_theme(struct app *app, const char *name, struct err *err);

/* console_view.c: models into the console. */
/* Opens the section's target in a console of its own; what was open before is closed. */
void app_open_target(struct app *app, const struct config_section *section);
void app_close_target(struct app *app);
void app_show_facts(struct app *app);
void app_pick_target(struct app *app);
/* The environment as the console and as policy name it. */
enum confirm_environment app_confirm_environment(const struct app *app);
enum policy_environment app_policy_environment(const struct app *app);

/* console_past.c: looking back */
/* The picture before (-1) or after (1) the one shown; 0: the newest again. */
void app_past(struct app *app, int step);
/* The picture that is shown: one of the past, or the newest; NULL before the first. */
const struct db_snapshot *app_shown(const struct app *app);
/* After a picture: keeps it. */
void app_past_add(struct app *app, const struct db_snapshot *snapshot);
void app_past_fini(struct app *app);

/* console_view.c, for the others: findings of what is shown, into the console. */
void app_show_findings(struct app *app);

/* console_logs.c: pane 3. */
void app_logs_open(struct app *app);
void app_logs_close(struct app *app);
void app_logs_changed(struct app *app);
void app_logs_match(struct app *app, size_t source, const struct log_line *line,
	const struct log_match *match);
/* The next (1) or previous (-1) log alone; after the last, all together. */
void app_logs_next(struct app *app, int direction);
/* ":logs NAME…": follows them where they are not followed, and shows these; "" shows all. */
int app_logs_show(struct app *app, const char *names, struct err *err);
/* ":goto 14:02" */
int app_logs_goto(struct app *app, const char *when, struct err *err);

/* console_act.c: acts; console_arm.c: arming, and records of the journal. */
/* Asks about, and then does, an act on each session. Copies them. */
void app_act_begin(struct app *app, enum db_action_kind kind,
	const struct console_session *sessions, size_t n);
void app_act_confirmed(struct app *app, const char *typed);
void app_act_declined(struct app *app);
/* Drops what is asked about; what was sent goes on to its result. */
void app_act_stop(struct app *app);
/* console_after.c: once a picture and the schema's facts are newer than the last act, says what it
 * led to: who waits now and behind whom, version rows, invalid indexes. */
void app_act_after(struct app *app);
/* Frees what is held; nothing is open or running any more. */
void app_act_fini(struct app *app);
/* After a snapshot: looks what became of an act whose result was lost with the link. */
void app_act_look(struct app *app);
/* Armed once it is recorded; then, or when it cannot be, a message says so. */
int app_arm(struct app *app, const char *text, struct err *err);
/* text: why, for the journal. */
void app_disarm(struct app *app, const char *text);
/* Every second: an arming whose time is over ends. */
void app_arm_tick(struct app *app);
bool app_is_armed(const struct app *app);
void app_note(struct app *app, const char *text);
/* The same of the program itself: nothing is said of it unless it fails. */
void app_note_quietly(struct app *app, const char *text);

/* console_preview.c: the SQL a revision would run, by Alembic's offline mode. */
void app_preview(struct app *app, const char *id, bool down);
/* Ends what is being printed; it stays on its page, and says so. Returns whether there was any. */
bool app_preview_interrupt(struct app *app);
void app_preview_fini(struct app *app);
/* "login@machine", to be freed. It may ask a name service: once, at the start. */
char *app_person(void);
/* Gives a record to the journal; done NULL shows what fails. */
void app_record(
	struct app *app, const struct journal_entry *entry, recorder_done done, void *arg);
/* Makes the incident's journal, when it is not there; or goes on in that of an earlier incident, when
 * nothing has been written yet. incident NULL: a new one; done as for app_record. */
void app_journal_open(struct app *app, const char *incident, recorder_done done, void *arg);

/* What the gate is told: everything as it is now. */
void app_gate_state(struct app *app, struct gate_state *state);
/* "boardofone@prod", to be freed. */
char *app_target_name(const struct app *app);
/* Opens the question and lets silence be No. */
void app_confirm(struct app *app, const struct confirm_request *request);
void app_confirm_over(struct app *app);
enum confirm_level app_confirm_level(enum policy_level level);

/* console_runbooks.c */
/* Opens a runbook, with what the finding (its index; SIZE_MAX: none) says filled in; "" offers the
 * list. */
void app_runbook(struct app *app, const char *name, size_t finding);
void app_runbook_picked(struct app *app, size_t index);
void app_complete_runbooks(const struct app *app, struct strlist *words);

/* console_run*.c: the runbook that is open. */
/* Keys and answers for it. false: the intent is not its business. */
bool app_run_intent(struct app *app, const struct console_intent *intent);
/* Ctrl-C. false: nothing of it runs. */
bool app_run_interrupt(struct app *app);
/* Whether that would do something. */
bool app_run_is_interruptible(const struct app *app);
/* Whether a command of it is under way. */
bool app_run_is_busy(const struct app *app);
/* After a snapshot, or a change of the link. */
void app_run_look(struct app *app);
/* The rows of the pane may say something else now. */
void app_run_show(struct app *app);
/* Leaves it (it can be resumed) and frees. */
void app_run_fini(struct app *app);

/* console_health.c: the health URL, asked now and then, as a finding. */
void app_health_begin(struct app *app);
void app_health_add(const struct app *app, struct findings *findings);
void app_health_fini(struct app *app);

/* console_settle.c: what an earlier console of this target left open. */
/* With the first picture: reads the journals, in a worker, and asks about what it finds. */
void app_settle_begin(struct app *app);
void app_settle_picked(struct app *app, size_t index);
void app_settle_fini(struct app *app);

/* console_sql.c: the answers come as pages */
int app_sql(struct app *app, const char *text, struct err *err);
int app_tables(struct app *app, struct err *err);
int app_describe(struct app *app, const char *table, struct err *err);

/* console_columns.c */
/* Offers the columns of the Activity pane, one to be shown or not after the other. */
void app_columns(struct app *app, size_t selected);
void app_column_picked(struct app *app, size_t index);

/* console_commands.c: the ":" line. */
void app_command(struct app *app, const char *line);
void app_complete(void *arg, const char *line, struct strlist *words);
int app_write_file(const char *path, const char *text, struct err *err);

#endif
