/*
 * How one session looks in a row: the columns, how they share what width there is, the tree drawn
 * before the pid.
 */
#include "activity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/theme.h>

#define COLUMN_TEXT    96 /* bytes of a cell's text, ends included; columns are narrower than 33 */
#define TREE_DEPTH_MAX 10 /* deeper sessions are drawn at this depth */

/* In the order shown. A column narrower than `good` is worth less than another: then the one with
 * the highest `give` goes. Where none is left to go, columns shrink down to `least`. */
static const struct {
	const char *name, *title;
	int least, good, most;
	int give; /* 0: never */
	bool right;
} activity_columns[COLUMN_N] = {
	[COLUMN_PID] = { "pid", "PID", 20, 20, 20, 0, false },
	[COLUMN_USER] = { "user", "USER", 3, 4, 10, 3, false },
	[COLUMN_APP] = { "app", "APP", 5, 7, 14, 1, false },
	[COLUMN_STATE] = { "state", "STATE", 6, 10, 10, 0, false },
	[COLUMN_WAITS] = { "waits", "WAITS FOR", 9, 16, 24, 0, false },
	[COLUMN_AGE] = { "age", "AGE", 6, 6, 6, 0, true },
	[COLUMN_DATABASE] = { "database", "DATABASE", 4, 8, 14, 4, false },
	[COLUMN_CLIENT] = { "client", "CLIENT", 7, 11, 15, 4, false },
	[COLUMN_TYPE] = { "type", "TYPE", 6, 14, 18, 5, false },
	[COLUMN_EVENT] = { "event", "EVENT", 6, 13, 22, 4, false },
	[COLUMN_XACT] = { "xact", "XACT", 6, 6, 6, 4, true },
	[COLUMN_BLOCKS] = { "blocks", "BLOCKS", 6, 6, 6, 4, true },
	[COLUMN_QUERY] = { "query", "QUERY", 8, 12, 1000, 2, false },
};

/* Where room is short, columns are narrowed in this order, first to `good`, then to `least`. */
static const enum activity_column activity_narrowed[] = { COLUMN_TYPE, COLUMN_EVENT, COLUMN_CLIENT,
	COLUMN_DATABASE, COLUMN_USER, COLUMN_APP, COLUMN_WAITS, COLUMN_QUERY, COLUMN_STATE };

/* --- choosing -------------------------------------------------------------------------------- */

const char *activity_column_name(size_t i)
{
	return i < COLUMN_N ? activity_columns[i].name : NULL;
}

bool activity_has_column(const struct activity_layout *layout, size_t column)
{
	size_t i;

	for (i = 0; i < layout->n; i++)
		if (layout->order[i] == column)
			return true;
	return false;
}

static int activity_choose_fail(const char *word, size_t len, struct err *err)
{
	struct buf names = BUF_INIT;
	int i;

	for (i = 0; i < COLUMN_N; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", activity_columns[i].name);
	err_set(err, ERR_USAGE, "there is no column '%.*s'; there are %s", (int)len, word,
		buf_str(&names));
	buf_fini(&names);
	return -1;
}

int activity_choose(struct activity_layout *layout, const char *list, struct err *err)
{
	struct activity_layout chosen = *layout;
	size_t len, i;

	chosen.n = 0;
	chosen.order[chosen.n++] = COLUMN_PID;
	for (; *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		for (i = 0; i < COLUMN_N; i++)
			if (strlen(activity_columns[i].name) == len &&
				strncmp(activity_columns[i].name, list, len) == 0)
				break;
		if (i == COLUMN_N)
			return activity_choose_fail(list, len, err);
		if (!activity_has_column(&chosen, i))
			chosen.order[chosen.n++] = (enum activity_column)i;
	}
	*layout = chosen;
	return 0;
}

/* --- texts ----------------------------------------------------------------------------------- */

/* The tree's lines and the pid:
 *   ▾ 8123
 *   └▾ 8140
 *    ├  8151 */
static void activity_pid_text(const struct db_tree_row *row, char *out, size_t size)
{
	struct buf text = BUF_INIT;
	int depth = row->depth > TREE_DEPTH_MAX ? TREE_DEPTH_MAX : row->depth, d;

	for (d = 1; d < depth; d++)
		buf_add_str(&text, row->bars >> d & 1 ? "│" : " ");
	if (depth > 0)
		buf_add_str(&text, row->last ? "└" : "├");
	buf_add_str(&text, row->has_children ? "▾ " : "  ");
	if (row->session->pid)
		buf_printf(&text, "%d", row->session->pid);
	else
		buf_add_str(&text, "prepared");
	snprintf(out, size, "%s", buf_str(&text));
	buf_fini(&text);
}

/* What it waits for; of a root, how many wait behind it. */
static void activity_waits_text(const struct db_session *session, char *out, size_t size)
{
	if (*session->waits_for.mode)
		snprintf(out, size, "%s %s", format_lock_mode(session->waits_for.mode),
			session->waits_for.relation);
	else if (session->is_root)
		snprintf(out, size, "blocks %zu", session->n_behind);
	else if (*session->progress)
		snprintf(out, size, "%s", session->progress);
	else if (strcmp(session->state, "active") == 0 && *session->wait_event_type &&
		 strcmp(session->wait_event_type, "Client") != 0)
		snprintf(out, size, "%s", session->wait_event);
	else
		snprintf(out, size, "-");
}

static void activity_app_text(const struct db_session *session, char *out, size_t size)
{
	if (!session->pid)
		snprintf(out, size, "%s", session->gid);
	else if (*session->application)
		snprintf(out, size, "%s", session->application);
	else if (strcmp(session->backend_type, "client backend") != 0)
		snprintf(out, size, "%s", session->backend_type);
	else
		snprintf(out, size, "-");
}

/* The text of a cell but the query's, not sanitised. */
static void activity_cell(
	const struct db_tree_row *row, enum activity_column column, char *out, size_t size)
{
	const struct db_session *session = row->session;

	*out = '\0';
	switch (column) {
	case COLUMN_PID:
		activity_pid_text(row, out, size);
		break;
	case COLUMN_USER:
		snprintf(out, size, "%s", *session->user ? session->user : "-");
		break;
	case COLUMN_APP:
		activity_app_text(session, out, size);
		break;
	case COLUMN_STATE:
		snprintf(out, size, "%s", format_state(session));
		break;
	case COLUMN_WAITS:
		activity_waits_text(session, out, size);
		break;
	case COLUMN_AGE:
		clock_format_age(format_session_age(session), out, size);
		break;
	case COLUMN_DATABASE:
		snprintf(out, size, "%s", session->database);
		break;
	case COLUMN_CLIENT:
		snprintf(out, size, "%s", *session->client ? session->client : "local");
		break;
	case COLUMN_TYPE:
		snprintf(out, size, "%s", session->backend_type);
		break;
	case COLUMN_EVENT:
		snprintf(out, size, "%s", session->wait_event);
		break;
	case COLUMN_XACT:
		if (!isnan(session->xact_age_s))
			clock_format_age(session->xact_age_s, out, size);
		break;
	case COLUMN_BLOCKS:
		if (session->n_behind)
			snprintf(out, size, "%zu", session->n_behind);
		break;
	default:
		break;
	}
}

/* --- widths ---------------------------------------------------------------------------------- */

void activity_measure(struct activity_layout *layout, const struct db_tree_row *rows, size_t n)
{
	char text[COLUMN_TEXT];
	size_t i, k;
	int c, width;

	for (k = 0; k < layout->n; k++) {
		c = layout->order[k];
		if (c == COLUMN_QUERY)
			continue;
		layout->content[c] = (int)strlen(activity_columns[c].title);
		if (c == COLUMN_PID)
			layout->content[c] += 2;
		/* No cell is asked for more than the column would take. */
		for (i = 0; i < n && layout->content[c] < activity_columns[c].most; i++) {
			activity_cell(&rows[i], (enum activity_column)c, text, sizeof(text));
			width = (int)utf8_columns(text);
			if (width > layout->content[c])
				layout->content[c] = width;
		}
		if (layout->content[c] > activity_columns[c].most)
			layout->content[c] = activity_columns[c].most;
	}
	layout->content[COLUMN_QUERY] = 0;
}

/* Columns a row takes. */
static int activity_sum(const struct activity_layout *layout)
{
	int c, sum = 0;

	/* A mark before the first column, then a blank between columns. */
	for (c = 0; c < COLUMN_N; c++)
		if (layout->width[c])
			sum += layout->width[c] + 1;
	return sum;
}

static int activity_floor(enum activity_column column, bool good)
{
	return good ? activity_columns[column].good : activity_columns[column].least;
}

/* Narrows columns as far as they may be, in their order, until the row fits. */
static void activity_narrow(struct activity_layout *layout, int cols, bool good)
{
	enum activity_column c;
	int excess, floor;
	size_t i;

	for (i = 0; i < sizeof(activity_narrowed) / sizeof(activity_narrowed[0]); i++) {
		c = activity_narrowed[i];
		excess = activity_sum(layout) - cols;
		floor = activity_floor(c, good);
		if (excess <= 0)
			return;
		if (layout->width[c] > floor)
			layout->width[c] -= layout->width[c] - floor < excess
						    ? layout->width[c] - floor
						    : excess;
	}
}

static bool activity_give_up(struct activity_layout *layout)
{
	int c, first = -1;

	for (c = 0; c < COLUMN_N; c++)
		if (layout->width[c] && activity_columns[c].give &&
			(first < 0 || activity_columns[c].give > activity_columns[first].give))
			first = c;
	if (first < 0)
		return false;
	layout->width[first] = 0;
	return true;
}

void activity_fit(struct activity_layout *layout, int cols)
{
	int rest;

	memset(layout->width, 0, sizeof(layout->width));
	for (rest = 0; rest < (int)layout->n; rest++)
		layout->width[layout->order[rest]] =
			layout->order[rest] == COLUMN_QUERY
				? activity_columns[COLUMN_QUERY].good
				: layout->content[layout->order[rest]];
	activity_narrow(layout, cols, true);
	while (activity_sum(layout) > cols && activity_give_up(layout)) {
		/* What is left may be wider again for the column that went. */
		for (rest = 0; rest < COLUMN_QUERY; rest++)
			if (layout->width[rest])
				layout->width[rest] = layout->content[rest];
		activity_narrow(layout, cols, true);
	}
	activity_narrow(layout, cols, false);
	rest = cols - activity_sum(layout);
	if (layout->width[COLUMN_QUERY] && rest > 0)
		layout->width[COLUMN_QUERY] += rest;
}

/* --- drawing --------------------------------------------------------------------------------- */

void activity_draw_header(
	const struct activity_layout *layout, struct cells *cells, struct cells_rect line)
{
	int c, col = 1;
	size_t i;

	for (i = 0; i < layout->n; i++) {
		c = layout->order[i];
		if (!layout->width[c])
			continue;
		if (activity_columns[c].right)
			cells_put_right(cells, line, 0, col, layout->width[c], THEME_HEADER,
				activity_columns[c].title);
		else
			cells_printf(cells, line, 0, col, THEME_HEADER, "%s%s",
				c == COLUMN_PID ? "  " : "", activity_columns[c].title);
		col += layout->width[c] + 1;
	}
}

static unsigned activity_style(const struct db_session *session)
{
	if (session->migration)
		return THEME_MIGRATION;
	if (session->is_root)
		return THEME_BLOCKER;
	if (session->n_blocked_by)
		return THEME_WAITING;
	if (strncmp(session->state, "idle in transaction", 19) == 0)
		return THEME_IDLE_IN_TX;
	if (strcmp(session->state, "idle") == 0 || !*session->state)
		return THEME_DIM;
	return THEME_TEXT;
}

void activity_draw_row(const struct activity_layout *layout, struct cells *cells,
	struct cells_rect line, const struct db_tree_row *row, bool tagged)
{
	unsigned style = activity_style(row->session);
	char text[COLUMN_TEXT], *clean;
	int c, col = 1;
	size_t i;

	cells_put(cells, line, 0, 0, tagged ? THEME_ROW_TAGGED : style,
		tagged                    ? "+"
		: row->session->migration ? "◆"
					  : " ");
	for (i = 0; i < layout->n; i++) {
		c = layout->order[i];
		if (!layout->width[c])
			continue;
		activity_cell(row, (enum activity_column)c, text, sizeof(text));
		clean = c == COLUMN_QUERY ? format_query(row->session->query)
					  : format_one_line(text);
		if (activity_columns[c].right)
			cells_put_right(cells, line, 0, col, layout->width[c], style, clean);
		else
			cells_put_fit(cells, line, 0, col, layout->width[c], style, clean);
		free(clean);
		col += layout->width[c] + 1;
	}
}
