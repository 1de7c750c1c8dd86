/*
 * pgoncall [TARGET]: the console. Chooses the target, takes the terminal, runs the loop, and gives
 * everything back in the opposite order.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/app/command.h>

#include "console_app.h"

static int console_run(const struct invocation *in);

const struct command command_console = {
	.name = "",
	.args = "[TARGET]",
	.summary = "the console (several targets configured and none named: a choice)",
	.details = "",
	.max_args = 1,
	.run = console_run,
};

static int console_start(struct app *app, const struct invocation *in, struct err *err)
{
	const struct config_section *section = NULL;

	if (in->n_args) {
		section = config_find(&app->config, in->args[0], err);
		if (!section)
			return -1;
	} else if (app->config.n_targets == 1) {
		section = &app->config.targets[0];
	}
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(err, ERR_USAGE,
			"the console needs a terminal; in a pipe use check, locks or history");
	app->refresh_ns = config_get_duration(&app->config.ui, CONFIG_REFRESH);
	if (app_set_theme(app, config_get(&app->config.ui, CONFIG_THEME), err) < 0) {
		err->code = ERR_CONFIG;
		return -1;
	}
	if (app_terminal_start(app, err) < 0)
		return -1;
	if (section)
		app_open_target(app, section);
	else
		app_pick_target(app);
	return 0;
}

static int console_run(const struct invocation *in)
{
	struct app app;
	struct err err;
	int status = EXIT_OK;

	memset(&app, 0, sizeof(app));
	if (config_load(&app.config, in->config_path, &err) < 0)
		return command_fail(&err);
	app.no_color = in->no_color;
	app.person = app_person();
	app.loop = loop_new();
	theme_init(&app.theme);
	if (console_start(&app, in, &err) == 0)
		loop_run(app.loop);
	else
		status = command_fail(&err);
	app_close_target(&app);
	app_terminal_stop(&app);
	theme_fini(&app.theme);
	free(app.to_write);
	loop_free(app.loop);
	free(app.person);
	config_fini(&app.config);
	return status;
}
