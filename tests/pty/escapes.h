/*
 * What a recorded stream of terminal output holds besides text: which sequences a full-screen
 * program has no business to send, and in which state it leaves the terminal's private modes.
 * Pure functions over bytes (ECMA-48; xterm's ctlseqs for the private modes).
 */
#ifndef PGONCALL_TESTS_PTY_ESCAPES_H
#define PGONCALL_TESTS_PTY_ESCAPES_H

#include <stdbool.h>
#include <stddef.h>

/* Sequences that are foreign unless a test expects them. */
enum escapes_allowed {
	ESCAPES_NONE = 0,
	ESCAPES_BELL = 1 << 0,      /* BEL */
	ESCAPES_TITLE = 1 << 1,     /* OSC 0, 1, 2 */
	ESCAPES_PALETTE = 1 << 2,   /* OSC 4, 104 */
	ESCAPES_CLIPBOARD = 1 << 3, /* OSC 52 */
};

/* Describes the first sequence that is neither what ncurses sends for xterm-256color nor allowed
 * (a set of enum escapes_allowed): "OSC at byte 17: \e]52;c;aGk=\a". To be freed; NULL: none. */
char *escapes_foreign(const char *bytes, size_t len, unsigned allowed);

/* Whether there is any escape sequence or control other than tab, line feed and carriage return:
 * what a program must not write when its output is no terminal. Describes as above. */
char *escapes_any(const char *bytes, size_t len);

/* The last setting of a DEC private mode (CSI ? mode h or l), or `initially`. */
bool escapes_private_mode(const char *bytes, size_t len, int mode, bool initially);

#endif
