/*
 * Themes are data: a file of lines "element = foreground, background, attributes". Colour is never
 * the only signal on any screen, so a theme may leave all of it out.
 *
 * Foreground and background are default, black, red, green, yellow, blue, magenta, cyan, white,
 * each also as bright-…, or a number from 0 to 255. Attributes are words separated by spaces: bold
 * dim italic underline reverse, or none.
 */
#ifndef PGONCALL_UI_THEME_H
#define PGONCALL_UI_THEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>

/* The names in theme files are in theme.c, in this order. */
enum theme_element {
	THEME_TEXT, /* everything without an element of its own */
	THEME_TITLE,
	THEME_TITLE_DIM,
	THEME_TITLE_PRODUCTION,
	THEME_TITLE_STAGING,
	THEME_TITLE_DEVELOPMENT,
	THEME_TITLE_READONLY,
	THEME_TITLE_ARMED,
	THEME_TITLE_LOST,
	THEME_BORDER,
	THEME_BORDER_FOCUS,
	THEME_PANE_TITLE,
	THEME_PANE_TITLE_FOCUS,
	THEME_FINDING_OK,
	THEME_FINDING_INFO,
	THEME_FINDING_WARNING,
	THEME_FINDING_CRITICAL,
	THEME_HEADER,
	THEME_ROW_SELECTED,
	THEME_ROW_SELECTED_UNFOCUSED,
	THEME_ROW_TAGGED,
	THEME_APPLIED,
	THEME_CURRENT,
	THEME_PENDING,
	THEME_NEXT,
	THEME_UNKNOWN,
	THEME_WAITING,
	THEME_BLOCKER,
	THEME_IDLE_IN_TX,
	THEME_MIGRATION,
	THEME_LOG_ERROR,
	THEME_LOG_WARNING,
	THEME_LOG_DEBUG,
	THEME_LOG_MARKER,
	THEME_HINT_KEY,
	THEME_HINT_TEXT,
	THEME_HINT_OFF,
	THEME_PROMPT,
	THEME_MESSAGE,
	THEME_MESSAGE_WARNING,
	THEME_MESSAGE_ERROR,
	THEME_DIALOG,
	THEME_DIALOG_TITLE,
	THEME_DIALOG_DANGER,
	THEME_DIALOG_STATEMENT,
	THEME_DIALOG_INPUT,
	THEME_CHECK_OK,
	THEME_CHECK_FAILED,
	THEME_SEARCH,
	THEME_STALE,
	THEME_DIM,
	THEME_CODE_KEYWORD,
	THEME_CODE_STRING,
	THEME_CODE_NUMBER,
	THEME_CODE_COMMENT,
	THEME_N
};

enum theme_attr {
	THEME_BOLD = 1,
	THEME_ATTR_DIM = 2,
	THEME_ITALIC = 4,
	THEME_UNDERLINE = 8,
	THEME_REVERSE = 16,
};

struct theme_style {
	int16_t fg, bg; /* 0 to 255; -1: the terminal's default */
	uint8_t attrs;  /* enum theme_attr */
};

struct theme {
	char *name; /* owned */
	struct theme_style styles[THEME_N];
};

/* Plain: attributes only, enough to work with. What a file does not name stays as it was. */
void theme_init(struct theme *theme);
void theme_fini(struct theme *theme);
/* Where theme files are looked for, first to last: $XDG_CONFIG_HOME/pgoncall/themes, `themes`
 * beside the folder of the running program (a source tree), the data directory. */
void theme_dirs(struct strlist *dirs);
/* Reads NAME.theme from the first directory that has it. On an error the theme is left plain and
 * the sentence names file:line, or the directories that were searched. */
int theme_load(struct theme *theme, const char *name, const struct strlist *dirs, struct err *err);
/* The same from text; path is for errors. */
int theme_parse(struct theme *theme, const char *text, const char *path, struct err *err);
/* The names of all themes found, sorted, each once. */
void theme_list(const struct strlist *dirs, struct strlist *names);
/* "title.production" */
const char *theme_element_name(enum theme_element element);
/* One style over another: what `over` leaves at default comes from `base`; attributes add up. */
struct theme_style theme_style_over(struct theme_style base, struct theme_style over);

#endif
