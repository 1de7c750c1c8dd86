/*
 * A home of its own for a program under test: a temporary directory with the XDG directories in it,
 * and an environment made from nothing, so that no setting of the person who runs the tests reaches
 * the program and nothing it writes stays behind.
 */
#ifndef PGONCALL_TESTS_PTY_SANDBOX_H
#define PGONCALL_TESTS_PTY_SANDBOX_H

#include <stdbool.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>

/* Makes the directory (0700) with .config, .local/state, .local/share, .cache and run in it. The
 * path is for sandbox_remove_take. NULL on failure. */
char *sandbox_new(struct err *err);

/* Removes the directory with all that is in it (unless PGONCALL_TEST_KEEP is set: the path is then
 * printed) and frees the path. NULL is allowed. */
void sandbox_remove_take(char *dir);

/* HOME and the XDG directories in dir, PATH, TERM, LANG, TZ, the user's name and the sanitisers'
 * options, then the additions ("KEY=value", NULL-ended, may be NULL), which win. "KEY" without "="
 * takes a variable away. Free with sandbox_env_free. */
char **sandbox_env(const char *dir, const char *const *additions);
void sandbox_env_free(char **env);

/* Sanitisers and valgrind write to files in dir, because on the program's terminal their words would
 * spoil the picture. True when there is a report among them (an error or a leak; mere warnings do
 * not count); it is then printed. */
bool sandbox_has_report(const char *dir);

/* Appends what starts the program under test: the words of $PGONCALL_WRAPPER where set (a valgrind,
 * say), then the absolute path of $PGONCALL_BIN, else of pgoncall in $BUILD or build. -1 when it is
 * not there. */
int sandbox_program(struct strlist *argv, struct err *err);

/* The absolute path of what was built, NAME in $BUILD or build, to be freed; ends the program where
 * it is not there. */
char *sandbox_built(const char *name);

/* How often longer than usual the tests wait: $PGONCALL_TEST_SLOW, 1 to 100; else 1, or 10 under a
 * wrapper. */
int sandbox_slowness(void);

#endif
