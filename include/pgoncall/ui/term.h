/*
 * The terminal, by curses: shows a grid, reads keys, and is always left as it was found. There is
 * one terminal per process (curses and the signal-safe restore hold process-wide state).
 */
#ifndef PGONCALL_UI_TERM_H
#define PGONCALL_UI_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/ui/cells.h>
#include <pgoncall/ui/theme.h>

struct term;

struct term_options {
	bool colour; /* false: attributes only */
	bool ascii;  /* no characters beyond ASCII, even where the locale has them */
};

/* Takes the terminal of stdin and stdout: alternate screen, raw keys, no echo. setlocale must have
 * been called. Fails with a sentence where there is no terminal or TERM is unknown. */
int term_start(struct term **term, const struct term_options *options, struct err *err);
/* Gives the terminal back. NULL is allowed. */
void term_stop(struct term *term);

/* The descriptor to watch for keys. */
int term_fd(const struct term *term);
void term_size(const struct term *term, int *rows, int *cols);
/* Whether cells must be ASCII here: asked for, or the locale's character set is not UTF-8. */
bool term_is_ascii(const struct term *term);
/* Borrowed until the next call or term_stop; the next term_show paints everything anew. */
void term_set_theme(struct term *term, const struct theme *theme_peek);

/* The next key that was typed (enum key_code or a code point). false: none yet. Call it until it
 * says so: keys may wait inside curses while the descriptor is quiet. */
bool term_key(struct term *term, uint32_t *key);
/* Throws away what was typed ahead, before a question is asked. */
void term_flush_input(struct term *term);
/* Shows the grid; only what changed is sent. */
void term_show(struct term *term, const struct cells *cells);
/* The next term_show paints everything anew (Ctrl-L). */
void term_redraw(struct term *term);
/* After SIGWINCH: asks for the size again. */
void term_resize(struct term *term);
/* Ctrl-Z: gives the terminal back, stops the process group, and takes it again when continued. */
void term_suspend(struct term *term);
/* Puts text on the clipboard of the terminal, by OSC 52 (xterm control sequences). At most 74,994
 * bytes (a limit of many terminals); a longer text is refused with -1. */
int term_copy(struct term *term, const char *text, struct err *err);

/* Restores the terminal now, if one was taken. Async-signal-safe, and allocates nothing: for fatal
 * signals and mem_set_fatal_hook. */
void term_restore(void);

#endif
