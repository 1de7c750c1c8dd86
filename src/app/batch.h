/*
 * What the commands that print one answer share: the configuration, a loop, one target, and the way
 * they end.
 */
#ifndef PGONCALL_APP_BATCH_H
#define PGONCALL_APP_BATCH_H

#include <stdbool.h>

#include <pgoncall/app/command.h>
#include <pgoncall/app/config.h>
#include <pgoncall/app/target.h>

struct batch {
	const struct invocation *in;
	struct config config;
	struct loop *loop;
	struct target *target;
	struct loop_timer *timer; /* the limit of all of it */
	int status;            /* the exit status; EXIT_UNKNOWN until set */
	bool ended;
	/* Called after every event until it calls batch_end. */
	void (*advance)(struct batch *batch);
	/* Called when the target fails for good, in place of printing the error and ending; may be NULL. */
	void (*failed)(struct batch *batch, const struct err *why);
};

/* Runs one target until `advance` ends it; returns the exit status. */
int batch_run(const struct invocation *in, const char *target_name, unsigned wants,
	void (*advance)(struct batch *batch),
	void (*failed)(struct batch *batch, const struct err *why));
/* The target's on_ask, with a struct batch (or what begins with one) as arg. */
void batch_on_ask(void *arg, const struct target_question *question);
void batch_end(struct batch *batch, int status);

#endif
