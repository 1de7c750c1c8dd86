/*
 * Carrying out one resolved command of a runbook: a statement on the steps' connection, or a command
 * line where a transport leads; with a time limit, and its output as it comes. Whether it may be sent
 * is decided elsewhere: a write is only prepared here until run_exec_send is called.
 *
 * No callback comes from inside a function of this module.
 */
#ifndef PGONCALL_APP_RUN_EXEC_H
#define PGONCALL_APP_RUN_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/app/target.h>
#include <pgoncall/base/buf.h>
#include <pgoncall/runbook/expect.h>
#include <pgoncall/runbook/resolve.h>

#define RUN_OUTPUT_MAX (1u << 20)  /* bytes kept of each stream */
#define RUN_SHOWN_MAX  (64u << 10) /* the last bytes of it that are shown */

struct run_exec;

struct run_exec_request {
	struct loop *loop;
	struct target *target;
	struct transport *transport;           /* for a command line; NULL for SQL */
	const struct runbook_command *command; /* copied */
	bool writes;
	int64_t timeout_ns;
	int64_t lock_timeout_ns; /* of a statement; 0: as long as the timeout */
};

struct run_exec_events {
	/* Everything is set up: run_exec_send sends it at once. */
	void (*on_ready)(void *arg);
	void (*on_output)(void *arg);
	/* Once; result is valid during the call. The handle is the owner's to free. */
	void (*on_done)(void *arg, const struct runbook_result *result);
	void *arg;
};

struct run_exec *run_exec_start(
	const struct run_exec_request *request, const struct run_exec_events *events);
/* After on_ready, once. */
void run_exec_send(struct run_exec *exec);
/* Waits no longer. What was sent of a write is then of unknown result. why: one sentence. */
void run_exec_halt(struct run_exec *exec, const char *why);
/* No callback any more; NULL is allowed. */
void run_exec_free(struct run_exec *exec);

/* Exactly what will be sent, as it was shown: a statement's parameters belong to it. */
const char *run_exec_statement(const struct run_exec *exec);
bool run_exec_is_sent(const struct run_exec *exec);
/* It was sent, and had not ended when its time was over. */
bool run_exec_is_timed_out(const struct run_exec *exec);
/* What came so far, both streams as they came, not sanitised: its last part, and how much of it is
 * not there. */
const char *run_exec_shown(const struct run_exec *exec, size_t *dropped);
/* SHA-256 of stdout and then stderr as kept, for the journal. */
void run_exec_hash(const struct run_exec *exec, char hex[65]);
/* The server process that ran the statement, or 0. */
int run_exec_backend(const struct run_exec *exec);

#endif
