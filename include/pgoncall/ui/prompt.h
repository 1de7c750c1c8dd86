/*
 * The line at the bottom where commands and searches are typed, edited by libedit: the keys of
 * ~/.editrc (emacs or vi), history, completion. It reads no terminal: keys are fed to it, and it is
 * drawn into cells.
 */
#ifndef PGONCALL_UI_PROMPT_H
#define PGONCALL_UI_PROMPT_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>
#include <pgoncall/ui/cells.h>

struct prompt;

struct prompt_options {
	const char *history_path; /* kept across runs with mode 0600; NULL: only in memory */
	const char *editrc;       /* NULL: ~/.editrc */
	/* Adds the words that may stand where the word before the cursor stands; `line` ends at the
	 * cursor. Words that do not begin with what is typed are dropped here. NULL: no completion. */
	void (*complete)(void *arg, const char *line, struct strlist *words);
	void *arg;
};

enum prompt_status {
	PROMPT_EDITING,
	PROMPT_DONE,      /* Enter: prompt_line is the line */
	PROMPT_CANCELLED, /* Esc, Ctrl-C, Ctrl-D on an empty line */
};

int prompt_new(struct prompt **prompt, const struct prompt_options *options, struct err *err);
/* NULL is allowed. Writes the history. */
void prompt_free(struct prompt *prompt);

/* One editor serves both (libedit's terminal description cannot be freed): each has a history of
 * its own, and only commands are completed and kept in the file. */
enum prompt_kind { PROMPT_COMMAND, PROMPT_SEARCH, PROMPT_KINDS };

/* Begins a line. `label` is one or a few characters before it (":"). Closes one that is open. */
void prompt_open(struct prompt *prompt, enum prompt_kind kind, const char *label);
/* After PROMPT_DONE and PROMPT_CANCELLED the prompt is closed. */
enum prompt_status prompt_feed(struct prompt *prompt, uint32_t key);
/* Puts text in at the cursor as if typed; control characters are left out. */
void prompt_insert(struct prompt *prompt, const char *text);
void prompt_close(struct prompt *prompt);
/* The line being edited, or the one last finished: valid until the next call. */
const char *prompt_line(struct prompt *prompt);
/* Draws label and line into the last row of rect, scrolled so that the cursor shows, and sets the
 * grid's cursor. Above it, if rect has two rows or more, the words Tab found. */
void prompt_draw(struct prompt *prompt, struct cells *cells, struct cells_rect rect);
/* Rows prompt_draw would like: 1, or 2 with words to show. */
int prompt_rows(const struct prompt *prompt);

#endif
