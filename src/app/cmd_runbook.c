/*
 * pgoncall runbook: list, show, lint and plan. All but plan read files of this machine only; plan looks
 * at the target, to print what each step would send, and runs nothing of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/app/command.h>
#include <pgoncall/app/runbooks.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/host/quote.h>
#include <pgoncall/runbook/lint.h>

#include "batch.h"
#include "run_vars.h"

static int runbook_run(const struct invocation *in);

const struct command command_runbook = {
	.name = "runbook",
	.args = "list | show NAME | lint FILE... | plan NAME TARGET",
	.summary = "the runbooks; lint: what is wrong with a file; plan: what a run would send",
	.details = "lint names every problem with file:line and exits 1 when there is any.\n"
		   "plan prints every step with its values, what it would ask for, and what it "
		   "expects;\n"
		   "it connects to look at the target, and runs nothing.",
	.min_args = 1,
	.max_args = -1,
	.run = runbook_run,
};

static void runbook_print_problems(const struct runbook_library *library)
{
	char *safe;
	size_t i;

	for (i = 0; i < library->problems.n; i++) {
		safe = utf8_sanitised_dup(library->problems.items[i], UTF8_ONE_LINE);
		fprintf(stderr, "pgoncall: %s\n", safe);
		free(safe);
	}
}

static int runbook_list(const struct runbook_library *library, const struct invocation *in)
{
	const struct runbook *runbook;
	char *title;
	size_t i;

	(void)in;
	for (i = 0; i < library->n; i++) {
		runbook = library->items[i].runbook;
		title = utf8_sanitised_dup(runbook->title, UTF8_ONE_LINE);
		printf("%-28s %s\n", runbook->name, title);
		free(title);
	}
	return EXIT_OK;
}

static int runbook_show_one(const struct runbook_library *library, const struct invocation *in)
{
	const struct runbook *runbook;
	struct err err;

	runbook = runbook_library_find(library, in->args[1], &err);
	if (!runbook) {
		err.code = ERR_USAGE;
		return command_fail(&err);
	}
	runbook_show(runbook, stdout);
	return EXIT_OK;
}

static int runbook_lint_files(const struct invocation *in)
{
	size_t problems = 0;
	int i;

	for (i = 1; i < in->n_args; i++)
		problems += runbook_lint(in->args[i], stdout);
	return problems ? EXIT_WARNING : EXIT_OK;
}

/* Those of all targets. Without a configuration there are the built-in ones. */
static int runbook_directories(const struct invocation *in, struct strlist *out, struct err *err)
{
	struct config config;
	const char *directory;
	size_t i;

	if (config_load(&config, in->config_path, err) < 0)
		return in->config_path ? -1 : 0;
	for (i = 0; i < config.n_targets; i++) {
		directory = config_get(&config.targets[i], CONFIG_RUNBOOKS);
		if (*directory && !strlist_has(out, directory))
			strlist_add(out, directory);
	}
	config_fini(&config);
	return 0;
}

static int runbook_with_library(const struct invocation *in,
	int (*run)(const struct runbook_library *library, const struct invocation *in))
{
	struct runbook_library library;
	struct strlist own;
	struct err err;
	int status;

	strlist_init(&own);
	if (runbook_directories(in, &own, &err) < 0) {
		status = command_fail(&err);
	} else if (runbooks_load_all(&library, &own, &err) < 0) {
		status = command_fail(&err);
		runbook_library_fini(&library);
	} else {
		runbook_print_problems(&library);
		status = run(&library, in);
		runbook_library_fini(&library);
	}
	strlist_fini(&own);
	return status;
}

/* --- plan ------------------------------------------------------------------------------------ */

static int plan_print(struct batch *batch)
{
	const struct config_section *section = target_section(batch->target);
	struct run_place place = { .section = section,
		.runtime = *target_runtime(batch->target),
		.application = "pgoncall-RUN" };
	struct runbook_options options = { .quote = host_quote_word,
		.wrap = run_place_wrap,
		.wrap_arg = &place,
		.application = place.application };
	struct runbook_library library;
	const struct runbook *runbook;
	struct runbook_vars vars = { 0 };
	char *name = mem_printf("%s@%s", config_get(section, CONFIG_DB_NAME), section->name);
	struct err err;
	int status = EXIT_OK;

	policy_environment_parse(config_get(section, CONFIG_ENVIRONMENT), &options.environment);
	options.target = name;
	run_vars_provide_target(batch->target, &vars);
	runbook = runbooks_load(&library, config_get(section, CONFIG_RUNBOOKS), &err) == 0
			  ? runbook_library_find(&library, batch->in->args[1], &err)
			  : NULL;
	if (runbook)
		runbook_plan(runbook, &options, &vars, stdout);
	else
		status = command_fail(&err);
	runbook_library_fini(&library);
	runbook_vars_fini(&vars);
	free(name);
	return status;
}

static void plan_advance(struct batch *batch)
{
	if (target_snapshot(batch->target) && target_migrations_settled(batch->target))
		batch_end(batch, plan_print(batch));
}

/* What the configuration alone says is printed all the same. */
static void plan_failed(struct batch *batch, const struct err *why)
{
	int status = command_fail(why), printed = plan_print(batch);

	batch_end(batch, printed == EXIT_OK ? status : printed);
}

/* A name that does not exist is said before anything is connected to. */
static int plan_check_name(const struct invocation *in)
{
	const struct config_section *section;
	struct runbook_library library;
	struct config config;
	struct err err;
	int status = EXIT_OK;

	if (config_load(&config, in->config_path, &err) < 0)
		return command_fail(&err);
	section = config_find(&config, in->args[2], &err);
	if (!section) {
		config_fini(&config);
		return command_fail(&err);
	}
	if (runbooks_load(&library, config_get(section, CONFIG_RUNBOOKS), &err) < 0)
		status = command_fail(&err);
	else if (!runbook_library_find(&library, in->args[1], &err))
		status = command_fail(&err);
	runbook_library_fini(&library);
	config_fini(&config);
	return status;
}

static int runbook_plan_target(const struct invocation *in)
{
	int status = plan_check_name(in);

	if (status != EXIT_OK)
		return status;
	return batch_run(
		in, in->args[2], TARGET_DATABASE | TARGET_MIGRATIONS, plan_advance, plan_failed);
}

static int runbook_run(const struct invocation *in)
{
	if (str_equal(in->args[0], "plan") && in->n_args == 3)
		return runbook_plan_target(in);
	if (str_equal(in->args[0], "list") && in->n_args == 1)
		return runbook_with_library(in, runbook_list);
	if (str_equal(in->args[0], "show") && in->n_args == 2)
		return runbook_with_library(in, runbook_show_one);
	if (str_equal(in->args[0], "lint") && in->n_args > 1)
		return runbook_lint_files(in);
	return command_usage("usage: pgoncall runbook %s", command_runbook.args);
}
