/*
 * Plays a runbook in the console as an operator would: reads what the pane asks in its last row,
 * presses the key it names, and goes on until the runbook is over. What is to be answered otherwise
 * is told for single steps.
 */
#ifndef PGONCALL_TESTS_PTY_PLAY_H
#define PGONCALL_TESTS_PTY_PLAY_H

#include <pgoncall/base/str.h>

#include "fixture.h"
#include "pty.h"

/* At a step whose title holds `step`: `key` is pressed in place of what the pane asks for. "s" (when
 * it went wrong; "!s": before it is run) and "S" give `text` as the reason; "" as key: the choice, or
 * the value, that holds `text`. "halt" ends the playing there. A row counts once; `always`: whenever
 * the step comes. */
struct play_answer {
	const char *step, *key, *text;
	bool always;
};

/* Where it ended. */
enum play_end { PLAY_FINISHED, PLAY_STOPPED, PLAY_HALTED, PLAY_UNSETTLED };

/* answers end with a NULL step. Fails the test where the pane asks for a decision that is not told.
 * visited (may be NULL): titles of the steps in the order they came, each with its outcome, e.g. "End
 * its session: ok". */
enum play_end play_runbook(
	struct pty *p, const struct play_answer *answers, struct strlist *visited);

/* ":LINE" */
void play_command(struct pty *p, const char *line);
/* A console of this configuration, once it has its first picture. */
struct pty *play_console(struct fixture *f, const char *config);
/* Another picture has come, and one more: whatever waits for those had its turn. */
void play_await_pictures(struct pty *p);
/* Lets the console write for half an hour. */
void play_arm(struct pty *p);
/* Kills the console, which gets no chance to end anything. */
void play_kill(struct pty *p);
/* How many intents the journals hold. */
int play_intents(struct fixture *f);
/* Opens it by name and begins it. */
void play_open(struct pty *p, const char *name);

/* Stages an incident of the range. */
void play_stage(struct fixture *f, const char *incident);
/* Lets the console write, once it has its first picture. */
void play_await_and_arm(struct pty *p);
/* A console of the range's configuration that may write. */
struct pty *play_armed(struct fixture *f);
/* What a shell prints that knows the range's values as variables; to be freed. */
char *play_shell(struct fixture *f, const char *script);
/* Whether "TITLE: OUTCOME" was seen; tells what was, if not. */
bool play_has_visited(const struct strlist *visited, const char *want);
/* How many intents the journals hold for a step. */
void play_expect_intents(struct fixture *f, const char *step, int count);

#endif
