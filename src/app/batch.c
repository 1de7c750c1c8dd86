/*
 * Running one target for one answer; see the header.
 */
#include "batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/readpassphrase.h>

#include <pgoncall/base/mem.h>

/* All of connecting and asking; each step has its own, shorter limit as well. */
#define BATCH_TIMEOUT_MS 60000

void batch_end(struct batch *batch, int status)
{
	batch->status = status;
	batch->ended = true;
	loop_stop(batch->loop);
}

static void batch_advance(struct batch *batch)
{
	if (!batch->ended)
		batch->advance(batch);
}

static void batch_on_snapshot(void *arg, const struct db_snapshot *snapshot)
{
	(void)snapshot;
	batch_advance(arg);
}

static void batch_on_migrations(void *arg)
{
	batch_advance(arg);
}

static void batch_on_error(void *arg, const struct err *why, bool retrying)
{
	struct batch *batch = arg;

	if (retrying || batch->ended)
		return;
	if (batch->failed)
		batch->failed(batch, why);
	else
		batch_end(batch, command_fail(why));
}

/* Asks on the terminal, where there is one; readpassphrase restores it also after a signal. */
void batch_on_ask(void *arg, const struct target_question *question)
{
	struct batch *batch = arg;
	char answer[1024] = "", *prompt;

	if (!question)
		return;
	if (question->notice) {
		fprintf(stderr, "pgoncall: %s\n", question->prompt);
		return;
	}
	prompt = mem_printf("%s%s%s ", question->detail, *question->detail ? "\n" : "",
		question->prompt);
	if (readpassphrase(prompt, answer, sizeof(answer),
		    RPP_REQUIRE_TTY | (question->echo ? RPP_ECHO_ON : RPP_ECHO_OFF)))
		target_answer(batch->target, answer);
	else
		target_answer(batch->target, NULL);
	mem_wipe(answer, sizeof(answer));
	free(prompt);
	/* The time somebody takes to type is not the network's. */
	if (batch->timer)
		loop_timer_again(batch->timer, BATCH_TIMEOUT_MS, 0);
}

static void batch_on_timeout(struct loop_timer *timer, void *arg)
{
	struct err err;

	(void)timer;
	err_set(&err, ERR_TIMEOUT, "no answer within %d s", BATCH_TIMEOUT_MS / 1000);
	batch_on_error(arg, &err, false);
}

static int batch_run_target(struct batch *batch, const struct config_section *section, unsigned wants)
{
	struct target_events events = {
		.on_error = batch_on_error,
		.on_snapshot = batch_on_snapshot,
		.on_migrations = batch_on_migrations,
		.on_ask = isatty(STDIN_FILENO) ? batch_on_ask : NULL,
		.arg = batch,
	};
	struct target_options options = { .section = section, .wants = wants };

	batch->loop = loop_new();
	batch->timer = loop_timer_start(batch->loop, BATCH_TIMEOUT_MS, 0, batch_on_timeout, batch);
	batch->target = target_open(batch->loop, &options, &events);
	loop_run(batch->loop);
	loop_timer_stop(batch->timer);
	target_close(batch->target);
	loop_free(batch->loop);
	return batch->status;
}

int batch_run(const struct invocation *in, const char *target_name, unsigned wants,
	void (*advance)(struct batch *batch),
	void (*failed)(struct batch *batch, const struct err *why))
{
	const struct config_section *section;
	struct batch batch;
	struct err err;
	int status;

	memset(&batch, 0, sizeof(batch));
	batch.in = in;
	batch.status = EXIT_UNKNOWN;
	batch.advance = advance;
	batch.failed = failed;
	if (config_load(&batch.config, in->config_path, &err) < 0)
		return command_fail(&err);
	section = config_find(&batch.config, target_name, &err);
	status = section ? batch_run_target(&batch, section, wants) : command_fail(&err);
	config_fini(&batch.config);
	return status;
}
