/*
 * The logs in the console: which of them pane 3 shows, going to a time, and what their lines mean
 * for the rest of the screen.
 */
#include "console_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/logs/view.h>

/* A line about a migration asks for a new picture, however many such lines come, this seldom. */
#define LOG_REFRESH_NS CLOCK_NS_PER_S

/* "following" while all do; else what the first that does not is about. */
static const char *logs_state(const struct app *app, char *out, size_t size)
{
	uint64_t shown = log_view_shown(app->log_view);
	const struct target_log *logs;
	size_t i, n, wanted = 0, not_following = 0;
	const struct target_log *first = NULL;

	logs = target_logs(app->target, &n);
	for (i = 0; i < n; i++) {
		if (shown && !(shown >> i & 1))
			continue;
		wanted++;
		if (logs[i].following)
			continue;
		not_following++;
		first = first ? first : &logs[i];
	}
	if (!first)
		snprintf(out, size, "%s", wanted ? "following" : "");
	else if (wanted == 1 || not_following == wanted)
		snprintf(out, size, "%s", first->state);
	else
		snprintf(out, size, "%s %s", first->name, first->state);
	return out;
}

void app_logs_changed(struct app *app)
{
	char state[256];

	if (!app->log_view)
		return;
	console_set_logs(app->console, app->log_view, logs_state(app, state, sizeof(state)));
	app_dirty(app);
}

void app_logs_open(struct app *app)
{
	app->log_view = log_view_new(target_log_store(app->target));
	app->log_refresh_at = 0;
	app_logs_changed(app);
}

void app_logs_close(struct app *app)
{
	if (app->console)
		console_set_logs(app->console, NULL, "");
	log_view_free(app->log_view);
	app->log_view = NULL;
	log_trouble_fini(&app->trouble);
}

/* A migration that begins, or ends, or fails: the picture is due now, and so are the findings. */
void app_logs_match(
	struct app *app, size_t source, const struct log_line *line, const struct log_match *match)
{
	const struct target_log *logs;
	int64_t now = clock_monotonic(), at_ns;
	bool known;
	size_t n;

	logs = target_logs(app->target, &n);
	at_ns = target_log_line_time(&logs[source], line, &known);
	log_trouble_note(&app->trouble, logs[source].name, at_ns, !known, match, line->text);
	if (target_get_state(app->target) != TARGET_UP ||
		now - app->log_refresh_at < LOG_REFRESH_NS)
		return;
	app->log_refresh_at = now;
	app_show_findings(app);
	if (!app->paused)
		target_refresh(app->target);
}

/* --- which are shown ------------------------------------------------------------------------- */

void app_logs_next(struct app *app, int direction)
{
	uint64_t shown = log_view_shown(app->log_view);
	size_t n, i = 0;

	target_logs(app->target, &n);
	if (!n)
		return;
	/* Place 0 is all together; a choice of several is left for the first or last of all. */
	if (shown && !(shown & (shown - 1)))
		while (!(shown >> i++ & 1))
			;
	i = n == 1 ? 0 : (i + (direction > 0 ? 1 : n)) % (n + 1);
	log_view_show(app->log_view, i ? UINT64_C(1) << (i - 1) : 0);
	app_logs_changed(app);
}

int app_logs_show(struct app *app, const char *names, struct err *err)
{
	struct strlist words;
	uint64_t shown = 0;
	int index, rc = 0;
	size_t i;

	strlist_init(&words);
	strlist_add_words(&words, names);
	for (i = 0; i < words.n && rc == 0; i++) {
		index = target_logs_follow(app->target, words.items[i], err);
		if (index < 0)
			rc = -1;
		else
			shown |= UINT64_C(1) << index;
	}
	if (rc == 0)
		log_view_show(app->log_view, shown);
	app_logs_changed(app);
	strlist_fini(&words);
	return rc;
}

/* --- going to a time ------------------------------------------------------------------------- */

/* "14:02", "14:02:30", with or without "2026-11-24 " before it; local time. Without a date the last
 * time that the clock showed it. */
static bool logs_read_clock(const char *text, int64_t now_ns, int64_t *wall_ns)
{
	time_t now = (time_t)(now_ns / CLOCK_NS_PER_S), at;
	int year = 0, month = 0, day = 0, hour, minute, second = 0, used = 0;
	struct tm tm;

	localtime_r(&now, &tm);
	if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) == 3) {
		tm.tm_year = year - 1900;
		tm.tm_mon = month - 1;
		tm.tm_mday = day;
		text += used;
		text += *text == ' ' || *text == 'T';
	}
	used = 0;
	if (sscanf(text, "%2d:%2d%n", &hour, &minute, &used) != 2 || !used)
		return false;
	text += used;
	used = 0;
	if (*text == ':' && sscanf(text, ":%2d%n", &second, &used) != 1)
		return false;
	text += used;
	if (*text || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
		second > 60)
		return false;
	tm.tm_hour = hour;
	tm.tm_min = minute;
	tm.tm_sec = second;
	tm.tm_isdst = -1;
	at = mktime(&tm);
	if (!year && at > now) {
		tm.tm_mday--;
		tm.tm_isdst = -1;
		at = mktime(&tm);
	}
	*wall_ns = (int64_t)at * CLOCK_NS_PER_S;
	return true;
}

int app_logs_goto(struct app *app, const char *when, struct err *err)
{
	int64_t now = clock_wall(), at, ago;
	char time[16];

	if (*when == '-' && clock_parse_duration(when + 1, &ago) == 0)
		at = now - ago;
	else if (!logs_read_clock(when, now, &at))
		return err_set(err, ERR_USAGE,
			"'%s' is no time: 14:02, 14:02:30, 2026-11-24 14:02, or -5m for five "
			"minutes ago",
			when);
	if (console_logs_go(app->console, at))
		return 0;
	return err_set(err, ERR_USAGE, "no line shown is as new as %s",
		clock_format_time(at, time, sizeof(time)));
}
