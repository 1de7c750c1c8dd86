/*
 * The console: everything between the models and the cells. The program sets what is known, feeds
 * keys, and draws; the console answers with intents and acts on nothing itself. It needs no
 * terminal.
 *
 * Ownership: models given to console_set_… are borrowed until the same setter is called again or
 * the console is freed; texts are copied. Everything in an intent belongs to the console and is
 * valid until its next call.
 */
#ifndef PGONCALL_UI_CONSOLE_H
#define PGONCALL_UI_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>
#include <pgoncall/db/snapshot.h>
#include <pgoncall/diagnosis/findings.h>
#include <pgoncall/ui/cells.h>
#include <pgoncall/ui/confirm.h>
#include <pgoncall/ui/keys.h>

struct console;
struct log_view;
struct migration_graph;
struct revisions_preview;
struct revisions_view;
struct runbook_view;

struct console_options {
	struct key_set keys;      /* keys_set_init, and what the program can do */
	const char *history_path; /* of the ":" line; NULL: not kept */
	const char *editrc;       /* NULL: ~/.editrc */
	/* Completion of the ":" line, as in prompt_options. */
	void (*complete)(void *arg, const char *line, struct strlist *words);
	void *arg;
};

struct console *console_new(const struct console_options *options);
/* NULL is allowed. */
void console_free(struct console *console);

/* --- what is known --------------------------------------------------------------------------- */

struct console_facts {
	const char *target;   /* "prod" */
	const char *database; /* "boardofone" */
	enum confirm_environment environment;
	bool writable;       /* writes are allowed now */
	int64_t armed_until; /* monotonic; 0: no time limit, or not writable */
	double ssh_ms;       /* round trip; NAN: none measured; negative: no SSH (this machine) */
	bool host_lost;      /* with a lost link: the host is, not only the database behind it */
	bool paused;         /* the operator stopped the refresh */
	int64_t past_wall;   /* the picture shown is one of the past, of that moment; 0: the newest */
	bool interruptible;  /* Ctrl-C is wanted, although nothing is waited for */
	bool busy;           /* a step or command is running: q asks, Ctrl-C interrupts it */
};

enum console_link { CONSOLE_CONNECTING, CONSOLE_UP, CONSOLE_LOST };

enum console_check {
	CONSOLE_CHECK_WAITING,
	CONSOLE_CHECK_RUNNING,
	CONSOLE_CHECK_OK,
	CONSOLE_CHECK_FAILED
};

/* One step of connecting, shown until the first picture. */
struct console_check_step {
	const char *text;   /* "SSH to deploy@server" */
	const char *detail; /* "11 ms", or why it failed; NULL: nothing */
	const char *remedy; /* one sentence, shown when it failed; NULL: none */
	enum console_check state;
};

enum console_severity { CONSOLE_INFO, CONSOLE_WARNING, CONSOLE_ERROR };

void console_set_facts(struct console *console, const struct console_facts *facts);
void console_set_keys(struct console *console, const struct key_set *keys);
/* since: monotonic moment of the state's begin; retry_at: when the next attempt is made, 0: now. */
void console_set_link(
	struct console *console, enum console_link link, int64_t since, int64_t retry_at);
void console_set_checklist(
	struct console *console, const struct console_check_step *steps, size_t n);
/* NULL: no picture yet. Call it with the new one before the old one is freed. */
void console_set_snapshot(struct console *console, const struct db_snapshot *snapshot);
/* error: why the revisions cannot be shown, or NULL. */
void console_set_graph(
	struct console *console, const struct migration_graph *graph, const char *error);
/* The same with all there is to show of revisions (ui/pane_revisions.h). */
void console_set_revisions(struct console *console, const struct revisions_view *view);
/* SQL for the page about a revision, as it comes; view->id NULL: none. */
void console_set_preview(struct console *console, const struct revisions_preview *preview);
void console_set_findings(struct console *console, const struct findings *findings);
/* The log pane shows this view, and asks it for what the operator wants to see; NULL: there is none.
 * state: "following", "stopped", "not found", … */
void console_set_logs(struct console *console, struct log_view *view, const char *state);
/* A bounded step of bringing the log pane up to date; before each drawing. true: there is more to do. */
bool console_logs_work(struct console *console);
/* Goes to the first line of that wall time or later. false: there is none. */
bool console_logs_go(struct console *console, int64_t wall_ns);
/* Selects the last line that is not younger than that moment (wall, ns) and stops following; 0 follows
 * again. */
void console_logs_moment(struct console *console, int64_t wall);
/* Pane 4; a view without a run closes it. See ui/pane_runbook.h. */
void console_set_runbook(struct console *console, const struct runbook_view *view, bool fresh);
void console_focus_runbook(struct console *console);
/* A sentence in place of the hints until the next key; a long one takes more rows. NULL: none. */
void console_set_message(struct console *console, enum console_severity severity, const char *text);

/* The columns of the Activity pane, as pane_activity.h has them. */
int console_set_columns(struct console *console, const char *list, struct err *err);
const char *console_column(const struct console *console, size_t i, bool *on);
void console_toggle_column(struct console *console, size_t i);

/* --- questions ------------------------------------------------------------------------------- */

/* Each replaces a question that is open (its answer is then No, without an intent). Flush typeahead
 * first. */
void console_confirm(struct console *console, const struct confirm_request *request);
/* Asks for a line of text; `secret` shows nothing of it and wipes it after the next call. */
void console_ask(
	struct console *console, int id, const char *title, const char *question, bool secret);
/* Closes that question where it is open, without an intent: it is answered otherwise. */
void console_withdraw(struct console *console, int id);
/* A list to choose from; items are copied. */
void console_pick(struct console *console, int id, const char *title, const struct strlist *items,
	size_t selected);
/* A page of text to read; lines beginning with "# " are headings. Not sanitised by the caller. */
void console_page(struct console *console, const char *title, const char *text);
/* Whether a confirmation, question or choice is open. */
bool console_is_asking(const struct console *console);
/* Whether a command, search or filter is being typed. */
bool console_is_typing(const struct console *console);

/* --- keys ------------------------------------------------------------------------------------ */

enum console_intent_kind {
	INTENT_NONE,
	INTENT_QUIT,         /* the operator wants to leave (busy: has been asked for twice) */
	INTENT_REFRESH,      /* R */
	INTENT_PAUSE,        /* p: toggle */
	INTENT_PAST_OLDER,   /* < */
	INTENT_PAST_NEWER,   /* > */
	INTENT_PAST_END,     /* Esc while looking at the past */
	INTENT_REDRAW,       /* Ctrl-L */
	INTENT_SUSPEND,      /* Ctrl-Z */
	INTENT_INTERRUPT,    /* Ctrl-C: end what is running */
	INTENT_CANCEL_QUERY, /* sessions */
	INTENT_TERMINATE,    /* sessions */
	INTENT_COMMAND,      /* text: a ":" line */
	INTENT_CONFIRMED,    /* id: yes; text: what was typed */
	INTENT_DECLINED,     /* id: no; also of console_ask and console_pick */
	INTENT_ANSWERED,     /* id, text */
	INTENT_PICKED,       /* id, index */
	INTENT_COPY,         /* text */
	INTENT_WRITE,        /* text: the pane's rows; the program asks for the file's name */
	INTENT_THEME,        /* T: the next theme */
	INTENT_TARGET,       /* @ */
	INTENT_RUNBOOKS,     /* text: the runbook of the finding shown, or ""; index: the finding's */
	INTENT_OPEN_RUNBOOK, /* text: its name; index: the finding's */
	INTENT_RUNBOOK_KEY,  /* id: a CMD_STEP_… or CMD_RUNBOOK_… */
	INTENT_REVIEW,       /* v */
	INTENT_SQL_UPGRADE,  /* text: the revision whose SQL is to be shown on its page */
	INTENT_SQL_DOWNGRADE,
	INTENT_LOG_NEXT,     /* ]: show the next source */
	INTENT_LOG_PREVIOUS, /* [ */
};

/* The identity of a session at the moment of the key, as in db/snapshot.h. */
struct console_session {
	int pid;
	char *backend_start, *xact_start, *query_start, *gid;
};

struct console_intent {
	enum console_intent_kind kind;
	int id;
	size_t index;
	const char *text;
	const struct console_session *sessions;
	size_t n_sessions;
};

struct console_intent console_key(struct console *console, uint32_t key);
/* The confirmation's time is up: INTENT_DECLINED, or INTENT_NONE where nothing is asked. */
struct console_intent console_expire(struct console *console);

/* --- the picture ----------------------------------------------------------------------------- */

struct console_now {
	int64_t monotonic;
	int64_t wall;
};

/* Draws everything into the grid, whatever its size. */
void console_draw(struct console *console, struct cells *cells, const struct console_now *now);
/* The focused pane's rows as text, one a line. */
void console_pane_text(struct console *console, struct buf *out);

#endif
