/*
 * A program run to its end with its output in pipes: for batch commands, and for the scripts that
 * stage what the tests look at.
 */
#ifndef PGONCALL_TESTS_PTY_RUN_H
#define PGONCALL_TESTS_PTY_RUN_H

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>

struct run_options {
	const char *const *argv; /* NULL-ended; argv[0] is looked up in PATH */
	const char *home;        /* from sandbox_new; NULL: the caller's own environment */
	const char *const *env;  /* additions as for sandbox_env; only with a home */
	const char *cwd;         /* NULL: the caller's */
	const char *input;       /* its standard input; NULL: /dev/null */
	int timeout_ms;          /* 0: one minute; multiplied by sandbox_slowness() */
};

struct run_result {
	int status;     /* exit status, or 128 + the signal that ended it */
	struct buf out; /* what it wrote to standard output */
	struct buf err; /* and to standard error */
};

/* 0 when it was started and ended by itself. Otherwise -1; what did not end in time is killed with
 * its process group. `result` is always set, for run_result_fini. It returns when the program ends,
 * also when something it left running still holds the pipes. */
int run_program(const struct run_options *options, struct run_result *result, struct err *err);
void run_result_fini(struct run_result *result);

#endif
