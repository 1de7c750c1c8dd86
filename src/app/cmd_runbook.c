/*
 * pgoncall runbook: list, show and lint runbooks. Reads files of this machine only.
 */
#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/app/command.h>
#include <pgoncall/app/runbooks.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/runbook/lint.h>

static int runbook_run(const struct invocation *in);

const struct command command_runbook = {
	.name = "runbook",
	.args = "list | show NAME | lint FILE...",
	.summary = "the built-in runbooks; lint: what is wrong with a file",
	.details = "lint names every problem with file:line and exits 1 when there is any.",
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

static int runbook_with_library(const struct invocation *in,
	int (*run)(const struct runbook_library *library, const struct invocation *in))
{
	struct runbook_library library;
	struct err err;
	int status;

	if (runbooks_load(&library, "", &err) < 0) {
		status = command_fail(&err);
	} else {
		runbook_print_problems(&library);
		status = run(&library, in);
	}
	runbook_library_fini(&library);
	return status;
}

static int runbook_run(const struct invocation *in)
{
	if (str_equal(in->args[0], "list") && in->n_args == 1)
		return runbook_with_library(in, runbook_list);
	if (str_equal(in->args[0], "show") && in->n_args == 2)
		return runbook_with_library(in, runbook_show_one);
	if (str_equal(in->args[0], "lint") && in->n_args > 1)
		return runbook_lint_files(in);
	return command_usage("usage: pgoncall runbook %s", command_runbook.args);
}
