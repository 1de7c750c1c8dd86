/*
 * libFuzzer: a runbook's text; what is accepted is resolved with hostile values, planned, and run
 * through its steps with random events. Seeds: runbooks/ *.md, tests/golden/runbook/ *.md.
 * Build: clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iinclude
 *        tests/fuzz/fuzz_runbook.c src/runbook/ *.c src/base/ *.c -lcmark -lpcre2-8 -lutf8proc
 *        (without the spaces).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/runbook/engine.h>
#include <pgoncall/runbook/lint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char marker[] = "x'\"`$(\\\n;y";

/* Marks where a value went, so that its words can be found again. */
static void quote(struct buf *out, const char *word)
{
	buf_add_char(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_add_str(out, "'\\''");
		else
			buf_add_char(out, *word);
	}
	buf_add_char(out, '\'');
}

static void set_values(struct runbook_run *run)
{
	const struct runbook_field *f;
	const struct runbook_var *var;
	char *name;
	size_t i;

	for (i = 0; i < run->runbook->n_vars; i++) {
		var = &run->runbook->vars[i];
		if (runbook_run_set(run, var->name, marker, NULL) < 0)
			runbook_run_set(run, var->name, "1", NULL);
		for (f = var->picker ? var->picker->fields : NULL; f && f->name; f++) {
			name = mem_printf("%s.%s", var->name, f->name);
			runbook_run_set(run, name, f->type == RUNBOOK_TEXT ? marker : "1", NULL);
			free(name);
		}
	}
}

/* A parameter's value never stands in the statement itself. */
static void check_command(const struct runbook_run *run)
{
	const struct runbook_step *step = runbook_run_step(run);
	size_t i;

	if (!step || !run->command.text || step->language != RUNBOOK_SQL)
		return;
	for (i = 0; i < step->parts.n; i++)
		if (step->parts.items[i].literal)
			return;
	if (strstr(run->command.text, marker) && !strstr(step->text, marker))
		abort();
}

static void send(struct runbook_run *run, uint8_t byte)
{
	static const char *const texts[] = { NULL, "", "y", "reason", "db@prod" };
	struct runbook_result result = { .ran = (enum runbook_ran)(byte % 3),
		.rows = byte % 4,
		.exit = byte % 2,
		.value = "t",
		.out = "a\nb (head)\n",
		.err = "ERROR: x" };
	struct runbook_event event = { .kind = (enum runbook_event_kind)(
					       byte % RUNBOOK_EVENT_COUNT),
		.answer = (enum runbook_answer)(byte % 3),
		.text = texts[byte % 5],
		.now_ns = (int64_t)byte * 1000000000,
		.result = &result };
	enum runbook_state before = run->state;
	struct runbook_effect effect;

	if (event.kind == RUNBOOK_EVENT_ANSWER && byte % 2 && run->want)
		event.text = run->want;
	runbook_run_event(run, &event, &effect, NULL);
	if (before == RUNBOOK_STATE_UNSETTLED && effect.kind == RUNBOOK_EFFECT_RUN)
		abort();
	if (effect.kind == RUNBOOK_EFFECT_RUN && before == RUNBOOK_STATE_SHOWN &&
		runbook_run_step(run)->mode == RUNBOOK_WRITE)
		abort();
	if (run->state == RUNBOOK_STATE_PICKING)
		set_values(run);
	check_command(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runbook_options options = { .target = "db@prod", .quote = quote };
	struct runbook_problems problems = { 0 };
	FILE *sink = fopen("/dev/null", "w");
	struct runbook *runbook;
	struct runbook_run *run;
	size_t i;

	runbook = runbook_parse("fuzz.md", (const char *)data, size, &problems);
	if (!runbook == !problems.n)
		abort();
	if (runbook) {
		run = runbook_run_new(runbook, &options, NULL);
		for (i = 0; i < 200; i++)
			send(run, i == 0 ? RUNBOOK_EVENT_START
					 : data[(i * 7919) % size] + (uint8_t)i);
		runbook_plan(runbook, &options, &run->vars, sink);
		runbook_show(runbook, sink);
		runbook_run_free(run);
	}
	runbook_free(runbook);
	runbook_problems_fini(&problems);
	fclose(sink);
	return 0;
}
