/*
 * Keys and what they do. One table of bindings makes the hint bar, the help overlay, the man page's
 * section and the dispatch, so none of them can lie. To bind a key, add a row in keys.c.
 */
#ifndef PGONCALL_UI_KEYS_H
#define PGONCALL_UI_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <pgoncall/base/buf.h>

/* A key is a code point (Ctrl-D is 4), one of these, or one of the former with KEY_CODE_META. */
enum key_code {
	KEY_CODE_NONE = 0,
	KEY_CODE_TAB = 9,
	KEY_CODE_ENTER = 13, /* the terminal's LF and CR alike */
	KEY_CODE_ESC = 27,
	KEY_CODE_SPACE = 32,
	KEY_CODE_UP = 0x110000, /* beyond the last code point */
	KEY_CODE_DOWN,
	KEY_CODE_LEFT,
	KEY_CODE_RIGHT,
	KEY_CODE_HOME,
	KEY_CODE_END,
	KEY_CODE_PAGE_UP,
	KEY_CODE_PAGE_DOWN,
	KEY_CODE_DELETE,
	KEY_CODE_BACKSPACE,
	KEY_CODE_BACKTAB,
	KEY_CODE_F1,
	KEY_CODE_PASTE_BEGIN, /* what follows was pasted, not typed */
	KEY_CODE_PASTE_END,
	KEY_CODE_OTHER,           /* a key of the terminal that we do not know */
	KEY_CODE_META = 0x1000000 /* a flag: Alt held, or Esc right before */
};

#define KEY_CTRL(letter) ((uint32_t)(letter)&0x1F)

enum key_context {
	KEYS_GLOBAL,
	KEYS_REVISIONS,
	KEYS_ACTIVITY,
	KEYS_LOGS,
	KEYS_RUNBOOK,
	KEYS_FINDING, /* the line under the title */
	KEYS_N
};

enum key_command {
	CMD_NONE,
	/* movement */
	CMD_UP,
	CMD_DOWN,
	CMD_LEFT,
	CMD_RIGHT,
	CMD_TOP,
	CMD_BOTTOM,
	CMD_HALF_UP,
	CMD_HALF_DOWN,
	CMD_PAGE_UP,
	CMD_PAGE_DOWN,
	/* everywhere */
	CMD_PANE_1,
	CMD_PANE_2,
	CMD_PANE_3,
	CMD_PANE_4,
	CMD_PANE_5,
	CMD_NEXT_PANE,
	CMD_PREVIOUS_PANE,
	CMD_ZOOM,
	CMD_HELP,
	CMD_PROMPT,
	CMD_SEARCH,
	CMD_SEARCH_NEXT,
	CMD_SEARCH_PREVIOUS,
	CMD_FILTER,
	CMD_RUNBOOKS,
	CMD_REVIEW,
	CMD_REFRESH,
	CMD_PAUSE,
	CMD_PAST_OLDER,
	CMD_PAST_NEWER,
	CMD_TARGET,
	CMD_COPY,
	CMD_WRITE,
	CMD_THEME,
	CMD_REDRAW,
	CMD_INTERRUPT,
	CMD_SUSPEND,
	CMD_BACK,
	CMD_QUIT,
	/* of panes */
	CMD_DETAILS,
	CMD_CANCEL_QUERY,
	CMD_TERMINATE,
	CMD_TAG,
	CMD_TREE,
	CMD_SORT,
	CMD_LANES,
	CMD_GO_CURRENT,
	CMD_GO_HEAD,
	CMD_SQL_UPGRADE,
	CMD_SQL_DOWNGRADE,
	CMD_FOLLOW,
	CMD_NEXT_ERROR,
	CMD_PREVIOUS_ERROR,
	CMD_PREVIOUS_SOURCE,
	CMD_NEXT_SOURCE,
	CMD_TIMESTAMPS,
	CMD_LEVEL,
	CMD_CONTEXT,
	CMD_FOLD,
	CMD_RAW,
	CMD_MARK,
	CMD_NEXT_MARK,
	CMD_OPEN_RUNBOOK,
	CMD_STEP_GO,
	CMD_STEP_DONE,
	CMD_STEP_NOT_DONE,
	CMD_STEP_SKIP,
	CMD_STEP_AGAIN,
	CMD_STEP_STOP,
	CMD_RUNBOOK_LINK,
	CMD_RUNBOOK_CLOSE,
	CMD_N
};

/* Which commands work in this program and this connection. A binding whose command is off is not
 * offered anywhere and its key does nothing. */
struct key_set {
	bool on[CMD_N];
};

struct key_binding {
	uint32_t key;
	uint32_t also; /* a second key for the same; 0: none */
	enum key_context context;
	enum key_command command;
	const char *hint; /* a word or two for the hint bar; NULL: not shown there */
	const char *help; /* a sentence without full stop */
	bool writes;      /* acts on the target; refused while it is read-only */
	bool ours;        /* done inside the console: works without the program's help */
};

/* The whole table, to be read in order. */
const struct key_binding *keys_table(size_t *n);
/* Turns on what the console does by itself; the program adds its own. */
void keys_set_init(struct key_set *set);
/* What a key means in a context, else globally; CMD_NONE where it is not bound or off. */
enum key_command keys_find(const struct key_set *set, enum key_context context, uint32_t key);
/* "Ctrl-D", "Enter", "F1", "K". Returns out. */
char *keys_name(uint32_t key, char *out, size_t size);
/* "Activity" */
const char *keys_context_name(enum key_context context);
/* The man page's section on keys, in mdoc(7), of the commands in the set (NULL: all). */
void keys_print_mdoc(FILE *out, const struct key_set *set);

#endif
