/*
 * Processes that run beside a test: a server, sessions of a database. They are known by their id,
 * end with the test program whatever becomes of it, and take what they started with them.
 */
#ifndef PGONCALL_TESTS_PTY_DAEMON_H
#define PGONCALL_TESTS_PTY_DAEMON_H

#include <stddef.h>
#include <sys/types.h>

#include <pgoncall/base/err.h>

/* Starts argv (NULL-ended; argv[0] is looked up in PATH) with its output appended to the file
 * `log` and its input from the descriptor `input` (-1: nothing). Its id, for daemon_stop; or -1. */
pid_t daemon_start(const char *const *argv, int input, const char *log, struct err *err);

/* Kills it with all below it, and reaps it. A pid of 0 or less is allowed. */
void daemon_stop(pid_t pid);

/* Its children, as ids to be freed; how many. */
size_t daemon_children(pid_t pid, pid_t **children);

#endif
