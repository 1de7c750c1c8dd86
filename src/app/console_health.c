/*
 * The health URL in the console: asked every half minute while the target is reached; what fails is a
 * finding, whose runbook is the health check.
 */
#include "console_app.h"

#include <stdlib.h>

#include <pgoncall/base/mem.h>

#include "health.h"

#define HEALTH_EVERY_MS 30000

static void health_on_again(struct loop_timer *timer, void *arg)
{
	struct app *app = arg;

	loop_timer_stop(timer);
	app->health_again = NULL;
	app_health_begin(app);
}

static void health_on_done(void *arg, const struct check_report *report)
{
	struct app *app = arg;
	size_t i;

	app->health = NULL;
	free(app->health_failed);
	app->health_failed = NULL;
	for (i = 0; i < report->n; i++)
		if (report->lines[i].status == CHECK_CRITICAL)
			app->health_failed = mem_strdup(report->lines[i].detail);
	app->health_again = loop_timer_start(app->loop, HEALTH_EVERY_MS, 0, health_on_again, app);
	app_show_facts(app);
}

void app_health_begin(struct app *app)
{
	if (!config_is_set(app->section, CONFIG_HEALTH_URL) || app->health || app->health_again)
		return;
	app->health = health_start(app->loop, app->target, HEALTH_URL, health_on_done, app);
}

void app_health_add(const struct app *app, struct findings *findings)
{
	if (!app->health_failed)
		return;
	health_add_failed(findings, app->health_failed);
	findings_sort(findings);
}

void app_health_fini(struct app *app)
{
	health_cancel(app->health);
	loop_timer_stop(app->health_again);
	free(app->health_failed);
	app->health = NULL;
	app->health_again = NULL;
	app->health_failed = NULL;
}
