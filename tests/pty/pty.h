/*
 * The real program on a real pseudo-terminal, seen as its user sees it: output goes to a libvterm
 * screen, keys come as a terminal sends them. Tests wait for what should appear, never for time.
 *
 * The names ending in _at take the place of the call; use the macros below them. What they wait for
 * in vain fails the cmocka test and prints the whole screen. Patterns are PCRE2 (UTF-8, ^ and $ at
 * line ends) and are matched against the whole screen: its rows without trailing blanks, each
 * followed by a line feed. Rows and columns count from 0.
 *
 * One thread; the process id is only ever that of the harness's own child.
 */
#ifndef PGONCALL_TESTS_PTY_PTY_H
#define PGONCALL_TESTS_PTY_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <pgoncall/base/err.h>

#define PTY_WAIT_MS 10000 /* enough for anything local; failures take this long, successes do not */

struct pty;

struct pty_options {
	int rows, cols;          /* 0: 24 and 80 */
	const char *const *argv; /* NULL-ended; argv[0] is looked up in PATH */
	const char *const *env;  /* additions as for sandbox_env; may be NULL */
	const char *cwd;         /* NULL: the caller's */
	const char *home;        /* from sandbox_new, stays the caller's; NULL: one for this run */
};

/* NULL when no terminal or process could be made. A program that cannot be executed shows so on the
 * screen and ends with 127. */
struct pty *pty_start(const struct pty_options *options, struct err *err);

/* Ends the program (TERM, then KILL) where it still runs, removes its home where it was made for
 * it, frees. NULL is allowed, so it suits a test's teardown. */
void pty_stop(struct pty *p);

pid_t pty_pid(const struct pty *p);
/* The directory from sandbox_new that is its HOME. */
const char *pty_home(const struct pty *p);

/* --- input ------------------------------------------------------------------------------------ */

/* Sends the bytes as they are. "\r" is Enter. */
void pty_type(struct pty *p, const char *text);

/* Sends one key as xterm does in the mode the program has chosen: "Enter", "Esc", "Tab", "S-Tab",
 * "Backspace", "Space", "Up", "Down", "Left", "Right", "Home", "End", "PageUp", "PageDown",
 * "Insert", "Delete", "F1" … "F12", or one character; with any of the prefixes "C-", "M-", "S-".
 */
#define pty_key(p, name) pty_key_at((p), (name), __FILE__, __LINE__)
void pty_key_at(struct pty *p, const char *name, const char *file, int line);

/* Changes the terminal's size; the program gets SIGWINCH. */
void pty_resize(struct pty *p, int rows, int cols);

/* --- waiting ---------------------------------------------------------------------------------- */

typedef bool pty_condition(struct pty *p, void *arg);

/* Takes output until condition(p, arg) holds or the time is up: true or false. It ends early when
 * the program has ended and can say no more. Times are multiplied by sandbox_slowness(). */
bool pty_await(struct pty *p, pty_condition *condition, void *arg, int timeout_ms);

/* Until the pattern is on the screen. */
#define pty_wait_text(p, pattern, timeout_ms)                                                      \
	pty_wait_text_at((p), (pattern), (timeout_ms), __FILE__, __LINE__)
void pty_wait_text_at(
	struct pty *p, const char *pattern, int timeout_ms, const char *file, int line);

/* Until the pattern is not, or no longer, on the screen. */
#define pty_wait_gone(p, pattern, timeout_ms)                                                      \
	pty_wait_gone_at((p), (pattern), (timeout_ms), __FILE__, __LINE__)
void pty_wait_gone_at(
	struct pty *p, const char *pattern, int timeout_ms, const char *file, int line);

/* Until the pattern matches in the row. */
#define pty_wait_row(p, row, pattern, timeout_ms)                                                  \
	pty_wait_row_at((p), (row), (pattern), (timeout_ms), __FILE__, __LINE__)
void pty_wait_row_at(
	struct pty *p, int row, const char *pattern, int timeout_ms, const char *file, int line);

/* Until the program has ended and all its output is on the screen: its exit status, or 128 + the
 * signal that ended it. */
#define pty_wait_exit(p, timeout_ms) pty_wait_exit_at((p), (timeout_ms), __FILE__, __LINE__)
int pty_wait_exit_at(struct pty *p, int timeout_ms, const char *file, int line);

/* Fails when the program has ended. */
#define pty_assert_alive(p) pty_assert_alive_at((p), __FILE__, __LINE__)
void pty_assert_alive_at(struct pty *p, const char *file, int line);

/* Fails a test that looks at more than the harness can wait for, with the screen. */
#define pty_fail(p, ...) pty_fail_at((p), __FILE__, __LINE__, __VA_ARGS__)
_Noreturn void pty_fail_at(struct pty *p, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* --- the screen as it is now, with all output that has arrived -------------------------------- */

bool pty_has(struct pty *p, const char *pattern);
/* The text of a group (0: all) of the first match; to be freed; NULL without a match. */
char *pty_match(struct pty *p, const char *pattern, int group);
/* A row without trailing blanks; "" outside the screen; to be freed. */
char *pty_row_text(struct pty *p, int row);
/* All rows in a frame, with size, cursor and what became of the program; to be freed. */
char *pty_screen_dump(struct pty *p);
/* The first place of a literal text within one row. */
bool pty_find(struct pty *p, const char *text, int *row, int *col);
void pty_size(const struct pty *p, int *rows, int *cols);
void pty_cursor(struct pty *p, int *row, int *col, bool *visible);

enum pty_color_kind { PTY_COLOR_DEFAULT, PTY_COLOR_INDEXED, PTY_COLOR_RGB };

struct pty_color {
	enum pty_color_kind kind;
	uint8_t index;            /* when indexed */
	uint8_t red, green, blue; /* when RGB */
};

struct pty_cell {
	char text
		[32]; /* the character with what combines with it; " " when blank; "" for the right half
			* of a wide one */
	int width; /* 1 or 2; 0 for the right half */
	struct pty_color fg, bg;
	bool bold, underline, reverse, italic, blink; /* libvterm 0.1 does not tell dim */
};

/* A blank cell outside the screen. */
struct pty_cell pty_cell(struct pty *p, int row, int col);

/* --- what was sent, and what it leaves behind ------------------------------------------------- */

/* Every byte the program has written. Borrowed, valid until the next wait. */
const char *pty_raw(struct pty *p, size_t *len);

/* Fails unless every escape sequence sent so far is one of ncurses' for xterm-256color, or in
 * `allowed` (enum escapes_allowed of escapes.h). */
#define pty_assert_no_foreign(p, allowed)                                                          \
	pty_assert_no_foreign_at((p), (allowed), __FILE__, __LINE__)
void pty_assert_no_foreign_at(struct pty *p, unsigned allowed, const char *file, int line);

/* 0 when the terminal is as it was before the program: main screen, visible cursor, no mouse, no
 * bracketed paste, normal cursor keys, no colour or attribute, the same termios. Otherwise -1 and
 * the sentence names each difference. */
int pty_check_restored(struct pty *p, struct err *err);
#define pty_assert_restored(p) pty_assert_restored_at((p), __FILE__, __LINE__)
void pty_assert_restored_at(struct pty *p, const char *file, int line);

#endif
