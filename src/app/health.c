/*
 * A table of what is asked: each row makes a command line and judges what it printed. The URL from
 * here is libcurl's; see host/http.
 */
#include "health.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/host/http.h>
#include <pgoncall/host/local.h>
#include <pgoncall/host/quote.h>
#include <pgoncall/host/run.h>
#include <pgoncall/journal/record.h>

#include "run_vars.h"

#define URL_TIMEOUT_MS     5000
#define COMMAND_TIMEOUT_MS 20000

struct health_item {
	struct health *health;
	size_t row;
	struct host_run *run;
	struct host_http *http;
};

struct health {
	struct loop *loop;
	struct target *target;
	struct runbook_vars vars;
	struct run_place place;
	struct transport *local;
	char *url; /* as it is shown: without a password */
	struct check_report report;
	struct health_item items[3];
	size_t waiting;
	struct loop_timer *end;
	health_done done;
	void *arg;
};

static const char *health_var(const struct health *health, const char *name)
{
	const char *value = runbook_vars_get(&health->vars, name);

	return value ? value : "";
}

/* --- what is asked --------------------------------------------------------------------------- */

static bool url_is_asked_there(const struct health *health)
{
	return !run_place_is_here(&health->place, RUNBOOK_ON_HEALTH);
}

static void make_url(const struct health *health, struct buf *out)
{
	if (!*health_var(health, "health_url") || !url_is_asked_there(health))
		return;
	buf_add_str(out, "curl -sS -L -o /dev/null -w '%{http_code}' --max-time 5 -- ");
	host_quote_word(out, health_var(health, "health_url"));
}

static void make_colours(const struct health *health, struct buf *out)
{
	struct strlist apps;
	size_t i;

	strlist_init(&apps);
	strlist_add_words(&apps, health_var(health, "apps"));
	for (i = 0; apps.n > 1 && *health_var(health, "runtime") && i < apps.n; i++) {
		buf_printf(out, "%s exec ", health_var(health, "runtime"));
		host_quote_word(out, apps.items[i]);
		buf_printf(out, " %s heads | sort | tr '\\n' ' '; echo\n",
			health_var(health, "alembic"));
	}
	strlist_fini(&apps);
}

static void make_git(const struct health *health, struct buf *out)
{
	if (*health_var(health, "repository"))
		buf_printf(out, "%s heads", health_var(health, "alembic"));
}

/* --- what is made of it ---------------------------------------------------------------------- */

static void judge_status(struct health *health, long status, double seconds)
{
	const char *url = health->url;
	bool ok = status >= 200 && status < 300;

	if (seconds >= 0)
		check_report_add(&health->report, "health url", ok ? CHECK_OK : CHECK_CRITICAL,
			"%s answers %ld in %.0f ms", url, status, seconds * 1000);
	else
		check_report_add(&health->report, "health url", ok ? CHECK_OK : CHECK_CRITICAL,
			"%s answers %ld (asked from the host)", url, status);
}

static void judge_url(struct health *health, const char *out)
{
	judge_status(health, atol(out), -1);
}

static void judge_colours(struct health *health, const char *out)
{
	const char *end = strchr(out, '\n');
	size_t len = end ? (size_t)(end - out) : strlen(out);
	const char *line;
	bool same = true;

	for (line = out; same && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : "")
		same = strncmp(line, out, len) == 0 && (line[len] == '\n' || !line[len]);
	check_report_add(&health->report, "colours", same ? CHECK_OK : CHECK_WARNING,
		same ? "every image ends with %.*s" : "the images end with different revisions",
		(int)len, out);
}

static void judge_git(struct health *health, const char *out)
{
	size_t len = strcspn(out, " \n");
	const char *head = health_var(health, "head");
	bool same = strlen(head) == len && strncmp(head, out, len) == 0;

	check_report_add(&health->report, "git", same ? CHECK_OK : CHECK_WARNING,
		same ? "the checkout ends with %.*s, as the image"
		     : "the checkout ends with %.*s, which is not the image's head",
		(int)len, out);
}

static const struct health_row {
	enum health_part part;
	const char *name;
	enum runbook_place place;
	void (*make)(const struct health *health, struct buf *out);
	void (*judge)(struct health *health, const char *out);
} health_rows[] = {
	{ HEALTH_URL, "health url", RUNBOOK_ON_HOST, make_url, judge_url },
	{ HEALTH_COLOURS, "colours", RUNBOOK_ON_HOST, make_colours, judge_colours },
	{ HEALTH_GIT, "git", RUNBOOK_ON_LOCAL, make_git, judge_git },
};

/* --- asking ---------------------------------------------------------------------------------- */

static void health_free(struct health *health)
{
	size_t i;

	for (i = 0; i < sizeof(health->items) / sizeof(health->items[0]); i++) {
		host_run_cancel(health->items[i].run);
		host_http_cancel(health->items[i].http);
	}
	if (health->local)
		health->local->ops->close(health->local);
	loop_timer_stop(health->end);
	free(health->url);
	runbook_vars_fini(&health->vars);
	check_report_fini(&health->report);
	free(health);
}

static void health_on_end(struct loop_timer *timer, void *arg)
{
	struct health *health = arg;

	(void)timer;
	health->done(health->arg, &health->report);
	health_free(health);
}

/* Not from inside a callback of what is freed then. */
static void health_one_less(struct health *health)
{
	if (--health->waiting == 0)
		health->end = loop_timer_start(health->loop, 0, 0, health_on_end, health);
}

/* From 126 on it is the shell that answers: there is no curl, or it was killed. */
#define CURL_STATUS_END 126

enum check_status health_failed_status(enum health_part part, int status, const struct err *err)
{
	bool answered = err->code == ERR_OK && status > 0 && status < CURL_STATUS_END;

	return part == HEALTH_URL && answered ? CHECK_CRITICAL : CHECK_UNKNOWN;
}

static void health_on_output(void *arg, const struct host_output *output, const struct err *err)
{
	struct health_item *item = arg;
	const struct health_row *row = &health_rows[item->row];
	struct err why;

	item->run = NULL;
	if (row->part == HEALTH_URL && err->code == ERR_OK && output->status && output->err.len)
		/* curl's first line says why; the last ones are advice. */
		check_report_add(&item->health->report, row->name,
			health_failed_status(row->part, output->status, err),
			"%s: %.*s (asked from the host)", item->health->url,
			(int)strcspn(buf_str(&output->err), "\r\n"), buf_str(&output->err));
	else if (host_output_check(output, err, row->name, &why) < 0)
		check_report_add(&item->health->report, row->name,
			health_failed_status(row->part, output->status, err), "%s", why.text);
	else
		row->judge(item->health, buf_str(&output->out));
	health_one_less(item->health);
}

static void health_on_http(void *arg, long status, double seconds, const struct err *err)
{
	struct health_item *item = arg;

	item->http = NULL;
	if (err->code == ERR_OK)
		judge_status(item->health, status, seconds);
	else
		check_report_add(&item->health->report, "health url", CHECK_CRITICAL, "%s: %s",
			item->health->url, err->text);
	health_one_less(item->health);
}

static struct transport *health_transport(struct health *health, enum runbook_place place)
{
	static const struct transport_events none = { NULL, NULL, NULL, NULL };

	if (place != RUNBOOK_ON_LOCAL)
		return target_transport(health->target);
	if (!health->local)
		health->local = local_transport_open(health->loop, &none);
	return health->local;
}

static void health_ask(struct health *health, size_t i)
{
	const struct health_row *row = &health_rows[i];
	struct host_run_options options = { .timeout_ms = COMMAND_TIMEOUT_MS };
	struct health_item *item = &health->items[i];
	struct buf line = BUF_INIT, wrapped = BUF_INIT;
	struct transport *transport;
	struct err err;

	item->health = health;
	item->row = i;
	row->make(health, &line);
	if (line.len &&
		run_place_wrap(&health->place, row->place, buf_str(&line), &wrapped, &err) == 0 &&
		(transport = health_transport(health, row->place))) {
		health->waiting++;
		item->run = host_run_start(health->loop, transport, buf_str(&wrapped), &options,
			health_on_output, item);
	} else if (row->part == HEALTH_URL && *health_var(health, "health_url") &&
		   !url_is_asked_there(health)) {
		health->waiting++;
		item->http = host_http_get(health->loop, health_var(health, "health_url"),
			URL_TIMEOUT_MS, health_on_http, item);
	}
	buf_fini(&wrapped);
	buf_fini(&line);
}

struct health *health_start(
	struct loop *loop, struct target *target, unsigned parts, health_done done, void *arg)
{
	struct health *health = mem_calloc(1, sizeof(*health));
	struct buf url = BUF_INIT;
	size_t i;

	health->loop = loop;
	health->target = target;
	health->done = done;
	health->arg = arg;
	health->place.section = target_section(target);
	health->place.runtime = *target_runtime(target);
	health->place.application = "";
	health->waiting = 1;
	run_vars_provide_target(target, &health->vars);
	journal_redact(&url, health_var(health, "health_url"));
	health->url = mem_strdup(buf_str(&url));
	buf_fini(&url);
	for (i = 0; i < sizeof(health_rows) / sizeof(health_rows[0]); i++)
		if (parts & health_rows[i].part)
			health_ask(health, i);
	health_one_less(health);
	return health;
}

void health_cancel(struct health *health)
{
	if (health)
		health_free(health);
}

void health_add_failed(struct findings *findings, const char *detail)
{
	findings_add(findings, "health-failed", "The application is not well: %s.", detail);
}
