/*
 * Between the files of the console: console.c (setting what is known, questions), console_key.c
 * (keys to intents), console_draw.c, title.c, hints.c (drawing).
 */
#ifndef PGONCALL_UI_CONSOLE_IMPL_H
#define PGONCALL_UI_CONSOLE_IMPL_H

#include <pgoncall/ui/console.h>

#include <pgoncall/ui/pane.h>
#include <pgoncall/ui/prompt.h>

#include "dialogs.h"
#include "layout.h"

enum { PANE_REVISIONS, PANE_ACTIVITY, PANE_LOGS, PANE_RUNBOOK };

#define FOCUS_FINDING (-1)

/* What the prompt at the bottom is open for. */
enum console_line { LINE_NONE, LINE_COMMAND, LINE_SEARCH, LINE_FILTER };

struct console_steps {
	struct console_check_step *items; /* texts owned */
	size_t n;
};

struct console {
	struct key_set keys;
	struct prompt_options prompt_options;
	char *history_path, *editrc;

	struct console_facts facts; /* texts owned */
	enum console_link link;
	int64_t link_since, retry_at;
	struct console_steps steps;
	const struct db_snapshot *snapshot; /* borrowed */
	const struct findings *findings;    /* borrowed */

	struct pane *panes[LAYOUT_PANES];
	int focus;     /* a pane, or FOCUS_FINDING */
	int last_pane; /* the pane focused last */
	int beside;    /* the last one of them that is not the runbook */
	bool zoomed;
	size_t finding; /* the one shown */

	char *message; /* NULL: none; sanitised */
	enum console_severity severity;
	bool quit_asked; /* q was pressed while busy, and said so */

	/* Questions and pages, topmost first; NULL or closed: not there. */
	struct confirm *confirm;
	struct ask *ask;
	struct pick *pick;
	bool page_open;
	struct page page;
	struct pane *page_of; /* whose row the page is about; NULL: nobody's */

	enum console_line line;
	bool pasting;          /* keys come from a paste */
	struct prompt *prompt; /* made when first used; NULL: not yet */

	/* What the last intent lent out. */
	struct buf text;
	bool text_secret; /* wiped before it is used again */
	struct console_session *sessions;
	size_t n_sessions;
};

/* The pane that movement and commands are for. */
struct pane *console_pane(const struct console *console);
/* Whether the checklist stands in place of the panes. */
bool console_is_connecting(const struct console *console);
enum key_context console_context(const struct console *console);
/* Puts the message of printf form; the next key takes it away. */
void console_say(struct console *console, enum console_severity severity, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The finding shown, or NULL. */
const struct finding *console_finding(const struct console *console);
/* Takes back what the last intent lent. */
void console_lend_nothing(struct console *console);
void console_close_page(struct console *console);
/* Opens a page; lines are taken. */
void console_open_page_take(
	struct console *console, const char *title, struct lines *lines, struct pane *of);
/* All bindings that are on, as a page: of this context first. */
void console_help(const struct console *console, struct lines *out);

/* --- drawing --------------------------------------------------------------------------------- */

void title_draw(const struct console *console, struct cells *cells, struct cells_rect rect,
	const struct console_now *now);
/* Rows the finding would like at this width. */
int finding_rows(const struct console *console, int cols);
void finding_draw(const struct console *console, struct cells *cells, struct cells_rect rect);
void hints_draw(const struct console *console, struct cells *cells, struct cells_rect rect);

#endif
