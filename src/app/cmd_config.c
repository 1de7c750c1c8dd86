/*
 * pgoncall config: where each setting came from; `config check` names every problem.
 */
#include <pgoncall/app/command.h>

#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/app/config.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>

static int config_run(const struct invocation *in);

const struct command command_config = {
	.name = "config",
	.args = "[check]",
	.summary = "where each setting came from; check: every problem with file:line",
	.details = "",
	.max_args = 1,
	.run = config_run,
};

static void config_print_section(const struct config *config, const struct config_section *section,
	bool target)
{
	const struct config_value *value;
	char *safe;
	int key;

	printf("[%s%s]\n", target ? "target " : "", section->name);
	for (key = 0; key < CONFIG_KEY_COUNT; key++) {
		if (config_keys[key].target != target)
			continue;
		value = &section->values[key];
		safe = utf8_sanitised_dup(value->text, UTF8_ONE_LINE);
		printf("  %-15s = %-42s ", config_keys[key].name, safe);
		if (value->line)
			printf("; %s:%d\n", config->path, value->line);
		else
			printf("; default\n");
		free(safe);
	}
}

static int config_run(const struct invocation *in)
{
	struct config config;
	struct err err;
	size_t i;

	if (in->n_args && !str_equal(in->args[0], "check"))
		return command_usage("unknown word '%s'; usage: pgoncall [-c FILE] config [check]",
			in->args[0]);
	if (in->n_args)
		return config_check(in->config_path, stdout) ? EXIT_CONFIG : EXIT_OK;
	if (config_load(&config, in->config_path, &err) < 0)
		return command_fail(&err);
	config_print_section(&config, &config.ui, false);
	for (i = 0; i < config.n_targets; i++) {
		printf("\n");
		config_print_section(&config, &config.targets[i], true);
	}
	config_fini(&config);
	return EXIT_OK;
}
