/*
 * Running a command where a transport leads and collecting what it prints, within bounds of size
 * and time. (host/stream hands it on piece by piece instead.)
 *
 * No callback comes from inside a start function. A run may be cancelled from inside any callback,
 * its own included. When the transport closes or breaks, the end is reported with its error.
 */
#ifndef PGONCALL_HOST_RUN_H
#define PGONCALL_HOST_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/transport.h>

#define HOST_RUN_MAX_OUTPUT                                                                        \
	(4u << 20) /* bytes of stdout and of stderr kept unless told otherwise */

struct host_run_options {
	const void *stdin_bytes; /* copied; NULL: /dev/null */
	size_t stdin_len;
	size_t max_output;  /* bytes kept of each of stdout and stderr; 0: HOST_RUN_MAX_OUTPUT */
	int64_t timeout_ms; /* 0: none */
};

/* What a command left; the buffers are the run's own and are freed after the callback. */
struct host_output {
	int status; /* exit status, 128 + signal, or -1 when it is not known */
	struct buf out;
	struct buf err;
	bool truncated; /* more than max_output was printed; the rest was read and thrown away */
};

/* err->code is ERR_OK when the command ran to its end, whatever its status; ERR_TIMEOUT after
 * timeout_ms (the far end may still be running: look, never repeat a write); else what the
 * transport says. The handle is freed after the callback. */
typedef void (*host_run_done_cb)(
	void *arg, const struct host_output *output, const struct err *err);

struct host_run;

/* options may be NULL. command is a shell's command line (host/quote). */
struct host_run *host_run_start(struct loop *loop, struct transport *transport, const char *command,
	const struct host_run_options *options, host_run_done_cb done, void *arg);
/* done is not called any more. What runs at the far end is told by closed descriptors only. NULL is
 * allowed. */
void host_run_cancel(struct host_run *run);

/* 0 when the command ended with status 0; else -1 with a sentence "WHAT: exit 1: last line of
 * stderr". */
int host_output_check(const struct host_output *output, const struct err *run_err, const char *what,
	struct err *err);

#endif
