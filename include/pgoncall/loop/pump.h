/*
 * Moves bytes between two descriptors on the loop, in one direction or both, holding at most
 * PUMP_SPACE bytes per direction: a slow reader slows the writer. End-of-file is handed on as a
 * half-close (shutdown of a socket, close of anything else), the other direction goes on.
 */
#ifndef PGONCALL_LOOP_PUMP_H
#define PGONCALL_LOOP_PUMP_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/loop/loop.h>

#define PUMP_SPACE 65536

struct pump;

enum pump_ways {
	PUMP_FORTH = 1, /* fds[0] -> fds[1] */
	PUMP_BACK = 2,  /* fds[1] -> fds[0] */
	PUMP_BOTH = 3
};

/* How it ended. */
enum pump_end {
	PUMP_END_FINISHED, /* every direction came to its end-of-file and was delivered */
	PUMP_END_GONE      /* a writer's far end is closed; errnum says why */
};

/* Takes both descriptors, which must be two (dup one first), makes them non-blocking, and closes
 * them before done is called. done is called once, from the loop, never from inside a function
 * here; the pump is freed after it. */
struct pump *pump_start(struct loop *loop, const int fds_take[2], enum pump_ways ways,
	void (*done)(void *arg, enum pump_end end, int errnum), void *arg);
/* Adds to *bytes what fds[from] gives to the other one, from now on. Borrowed for the pump's life. */
void pump_count(struct pump *pump, int from, size_t *bytes);
/* The source has written its last (its process is gone): what is readable now is delivered, and
 * then the pump finishes although a stranger may still hold the source open. One-way pumps only. */
void pump_finish(struct pump *pump);
/* Closes both descriptors; done is not called. NULL is allowed. */
void pump_stop(struct pump *pump);

#endif
