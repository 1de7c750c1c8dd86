/*
 * The first line: where we are, in which environment, whether writes are allowed, and how old the
 * picture is. Pieces give way in a fixed order when there is no room; environment, write state and
 * age never do.
 */
#include "console_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/theme.h>

#define TITLE_OLD_S 10 /* a picture older than this is pointed out although the link is up */

enum title_piece {
	PIECE_BRAND,
	PIECE_TARGET,
	PIECE_DATABASE,
	PIECE_ENVIRONMENT,
	PIECE_WRITES,
	PIECE_LINK,
	PIECE_SSH,
	PIECE_SERVER,
	PIECE_AGE,
	PIECE_CLOCK,
	PIECE_N
};

struct title_text {
	char text[96];
	char brief[64]; /* used where `text` has no room; "" where there is none */
	unsigned style;
	int gap; /* blanks before it */
};

/* The order in which pieces are left out. What is not here is kept whatever happens. */
static const enum title_piece title_order[] = { PIECE_BRAND, PIECE_CLOCK, PIECE_SSH, PIECE_SERVER,
	PIECE_DATABASE };

static const struct {
	const char *word, *brief;
	unsigned style;
} title_environments[] = {
	[CONFIRM_DEVELOPMENT] = { " DEVELOPMENT ", " DEV ", THEME_TITLE_DEVELOPMENT },
	[CONFIRM_STAGING] = { " STAGING ", " STAGING ", THEME_TITLE_STAGING },
	[CONFIRM_PRODUCTION] = { " PRODUCTION ", " PROD ", THEME_TITLE_PRODUCTION },
};

static double title_seconds(int64_t from, int64_t to)
{
	return (double)(to - from) / (double)CLOCK_NS_PER_S;
}

/* "0.4 s", "48 s", "12 min 4 s" */
static const char *title_span(double seconds, char *out, size_t size)
{
	if (seconds < 9.95)
		snprintf(out, size, "%.1f s", seconds < 0 ? 0 : seconds);
	else
		clock_format_span(seconds, out, size);
	return out;
}

static void title_writes(
	const struct console *console, struct title_text *piece, const struct console_now *now)
{
	char left[24];

	piece->gap = 1;
	if (!console->facts.writable) {
		snprintf(piece->text, sizeof(piece->text), "read-only");
		piece->style = THEME_TITLE_READONLY;
	} else if (console->facts.armed_until) {
		snprintf(piece->text, sizeof(piece->text), " ARMED %s ",
			clock_format_age(floor(fmax(0, title_seconds(now->monotonic,
							       console->facts.armed_until))),
				left, sizeof(left)));
		piece->style = THEME_TITLE_ARMED;
	} else {
		snprintf(piece->text, sizeof(piece->text), "writes allowed");
		piece->style = THEME_TITLE;
	}
}

static void title_link(
	const struct console *console, struct title_text *piece, const struct console_now *now)
{
	double lost = floor(fmax(0, title_seconds(console->link_since, now->monotonic)));
	double retry = ceil(title_seconds(now->monotonic, console->retry_at));
	const char *what = console->facts.host_lost ? "link" : "database";
	char a[24], b[24];

	if (console->facts.past_wall) {
		clock_format_time(console->facts.past_wall, a, sizeof(a));
		snprintf(piece->text, sizeof(piece->text), " PAST %s, Esc: now ", a);
		snprintf(piece->brief, sizeof(piece->brief), " PAST %s ", a);
		piece->style = THEME_TITLE_LOST;
		piece->gap = 2;
		if (console->link == CONSOLE_UP)
			return;
	}
	if (console->facts.paused && console->link == CONSOLE_UP) {
		snprintf(piece->text, sizeof(piece->text), "paused");
		piece->style = THEME_TITLE_LOST;
		piece->gap = 2;
	}
	if (console->link != CONSOLE_LOST)
		return;
	clock_format_span(lost, a, sizeof(a));
	piece->style = THEME_TITLE_LOST;
	piece->gap = 2;
	if (!console->snapshot) {
		snprintf(piece->text, sizeof(piece->text), "not connected");
	} else if (retry > 0) {
		snprintf(piece->text, sizeof(piece->text), "%s lost %s ago, reconnecting in %s",
			what, a, clock_format_span(retry, b, sizeof(b)));
		snprintf(piece->brief, sizeof(piece->brief), "lost %s, retry %s", a, b);
	} else {
		snprintf(piece->text, sizeof(piece->text), "%s lost %s ago, reconnecting now", what,
			a);
		snprintf(piece->brief, sizeof(piece->brief), "lost %s, retrying", a);
	}
}

static void title_picture(
	const struct console *console, struct title_text *pieces, const struct console_now *now)
{
	const struct db_snapshot *snapshot = console->snapshot;
	double age;
	char text[24];

	if (!snapshot)
		return;
	age = title_seconds(snapshot->at_monotonic, now->monotonic);
	snprintf(pieces[PIECE_SERVER].text, sizeof(pieces[0].text), "pg %.32s %s",
		snapshot->server.version, snapshot->server.standby ? "STANDBY" : "primary");
	pieces[PIECE_SERVER].gap = 2;
	pieces[PIECE_SERVER].style = snapshot->server.standby ? THEME_TITLE_LOST : THEME_TITLE_DIM;
	snprintf(pieces[PIECE_AGE].text, sizeof(pieces[0].text), "age %s",
		title_span(age, text, sizeof(text)));
	pieces[PIECE_AGE].gap = 2;
	pieces[PIECE_AGE].style = age > TITLE_OLD_S || console->link == CONSOLE_LOST
					  ? THEME_MESSAGE_WARNING
					  : THEME_TITLE_DIM;
}

static void title_fill(
	const struct console *console, struct title_text *pieces, const struct console_now *now)
{
	const struct console_facts *facts = &console->facts;
	enum confirm_environment environment = facts->environment;
	char clock[16];

	snprintf(pieces[PIECE_BRAND].text, sizeof(pieces[0].text), "pgoncall");
	pieces[PIECE_BRAND].style = THEME_TITLE_DIM;
	snprintf(pieces[PIECE_TARGET].text, sizeof(pieces[0].text), "%.60s", facts->target);
	pieces[PIECE_TARGET].style = THEME_TITLE;
	pieces[PIECE_TARGET].gap = 2;
	snprintf(pieces[PIECE_DATABASE].text, sizeof(pieces[0].text), "▸ %.60s", facts->database);
	pieces[PIECE_DATABASE].style = THEME_TITLE;
	pieces[PIECE_DATABASE].gap = 1;
	if (!*facts->database)
		*pieces[PIECE_DATABASE].text = '\0';
	snprintf(pieces[PIECE_ENVIRONMENT].text, sizeof(pieces[0].text), "%s",
		title_environments[environment].word);
	snprintf(pieces[PIECE_ENVIRONMENT].brief, sizeof(pieces[0].brief), "%s",
		title_environments[environment].brief);
	pieces[PIECE_ENVIRONMENT].style = title_environments[environment].style;
	pieces[PIECE_ENVIRONMENT].gap = 2;
	title_writes(console, &pieces[PIECE_WRITES], now);
	title_link(console, &pieces[PIECE_LINK], now);
	if (facts->ssh_ms >= 0 && console->link == CONSOLE_UP)
		snprintf(pieces[PIECE_SSH].text, sizeof(pieces[0].text), "ssh %.0f ms",
			facts->ssh_ms);
	pieces[PIECE_SSH].style = THEME_TITLE_DIM;
	pieces[PIECE_SSH].gap = 2;
	title_picture(console, pieces, now);
	snprintf(pieces[PIECE_CLOCK].text, sizeof(pieces[0].text), "%s",
		clock_format_time(now->wall, clock, sizeof(clock)));
	pieces[PIECE_CLOCK].style = THEME_TITLE_DIM;
	pieces[PIECE_CLOCK].gap = 2;
}

static int title_sum(const struct title_text *pieces)
{
	int i, sum = 1;

	for (i = 0; i < PIECE_N; i++)
		if (*pieces[i].text)
			sum += pieces[i].gap + (int)utf8_columns(pieces[i].text);
	return sum;
}

static void title_leave_out(struct title_text *piece)
{
	*piece->text = '\0';
	piece->gap = 0;
}

/* The state of the link gives way to the age, which stands behind it. */
static void title_cut_link(struct title_text *piece, int excess)
{
	size_t len = strlen(piece->text);

	if (excess > 0 && len > (size_t)excess + 1)
		snprintf(piece->text + len - (size_t)excess - 1, 4, "…");
}

/* Leaves out, then shortens, until it fits. While the link is lost nothing can be written. */
static void title_make_fit(struct title_text *pieces, int cols, bool lost)
{
	size_t i;
	int p;

	for (i = 0; i < sizeof(title_order) / sizeof(title_order[0]); i++)
		if (title_sum(pieces) > cols)
			title_leave_out(&pieces[title_order[i]]);
	if (lost && title_sum(pieces) > cols)
		title_leave_out(&pieces[PIECE_WRITES]);
	for (p = 0; p < PIECE_N && title_sum(pieces) > cols; p++)
		if (*pieces[p].brief)
			snprintf(pieces[p].text, sizeof(pieces[p].text), "%s", pieces[p].brief);
	for (p = 0; p < PIECE_N && title_sum(pieces) > cols; p++)
		if (pieces[p].gap > 1)
			pieces[p].gap = 1;
	title_cut_link(&pieces[PIECE_LINK], title_sum(pieces) - cols);
}

void title_draw(const struct console *console, struct cells *cells, struct cells_rect rect,
	const struct console_now *now)
{
	struct title_text pieces[PIECE_N];
	int i, col = 1, clock;

	memset(pieces, 0, sizeof(pieces));
	title_fill(console, pieces, now);
	title_make_fit(pieces, rect.cols, console->link == CONSOLE_LOST);
	cells_fill(cells, rect, THEME_TITLE);
	for (i = 0; i < PIECE_N; i++) {
		if (!*pieces[i].text)
			continue;
		clock = rect.cols - 1 - (int)strlen(pieces[i].text);
		if (col == 1)
			pieces[i].gap = 0;
		if (i == PIECE_CLOCK && clock > col + pieces[i].gap)
			col = clock;
		else
			col += pieces[i].gap;
		if (col + (int)utf8_columns(pieces[i].text) > rect.cols)
			cells_put_fit(cells, rect, 0, col, rect.cols - col, pieces[i].style,
				pieces[i].text);
		else
			cells_put(cells, rect, 0, col, pieces[i].style, pieces[i].text);
		col += (int)utf8_columns(pieces[i].text);
	}
}
