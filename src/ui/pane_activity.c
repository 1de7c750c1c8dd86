/*
 * The pane of sessions: its rows, order, tags, and what the keys do to them. How a row looks is in
 * activity_columns.c, the page about one session in activity_details.c.
 */
#include <pgoncall/ui/pane_activity.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/db/locktree.h>
#include <pgoncall/ui/format.h>

#include "activity.h"

enum activity_sort {
	SORT_AGE,
	SORT_WAIT,
	SORT_XACT,
	SORT_BLOCKS,
	SORT_PID,
	SORT_STATE,
	SORT_USER,
	SORT_APP,
	SORT_N
};

struct pane_activity {
	struct pane pane;
	const struct db_snapshot *snapshot; /* borrowed */
	struct db_tree_row *rows;           /* those that pass the filter */
	size_t n;
	bool flat;
	enum activity_sort sort;
	struct pane_session_id selected, detailed;
	struct pane_session_id *tags;
	size_t n_tags, cap_tags;
	struct activity_layout layout;
};

static struct pane_activity *activity_of(const struct pane *pane)
{
	return (struct pane_activity *)(uintptr_t)pane;
}

/* --- identities ------------------------------------------------------------------------------ */

static bool activity_is(const struct pane_session_id *id, const struct db_session *session)
{
	return id->backend_start && id->pid == session->pid &&
	       strcmp(id->backend_start, session->backend_start) == 0 &&
	       strcmp(id->gid, session->gid) == 0;
}

static void activity_forget(struct pane_session_id *id)
{
	free(id->backend_start);
	free(id->gid);
	memset(id, 0, sizeof(*id));
}

static void activity_note(struct pane_session_id *id, const struct db_session *session)
{
	activity_forget(id);
	id->pid = session->pid;
	id->backend_start = mem_strdup(session->backend_start);
	id->gid = mem_strdup(session->gid);
}

static const struct db_session *activity_find(
	const struct db_snapshot *snapshot, const struct pane_session_id *id)
{
	size_t i;

	for (i = 0; snapshot && i < snapshot->n_sessions; i++)
		if (activity_is(id, &snapshot->sessions[i]))
			return &snapshot->sessions[i];
	return NULL;
}

static bool activity_is_tagged(const struct pane_activity *self, const struct db_session *session)
{
	size_t i;

	for (i = 0; i < self->n_tags; i++)
		if (activity_is(&self->tags[i], session))
			return true;
	return false;
}

static void activity_untag(struct pane_activity *self, size_t i)
{
	activity_forget(&self->tags[i]);
	self->tags[i] = self->tags[--self->n_tags];
}

static void activity_tag(struct pane_activity *self, const struct db_session *session)
{
	size_t i;

	for (i = 0; i < self->n_tags; i++) {
		if (activity_is(&self->tags[i], session)) {
			activity_untag(self, i);
			return;
		}
	}
	self->tags = mem_grow(self->tags, self->n_tags, &self->cap_tags, sizeof(*self->tags));
	memset(&self->tags[self->n_tags], 0, sizeof(*self->tags));
	activity_note(&self->tags[self->n_tags++], session);
}

/* --- rows ------------------------------------------------------------------------------------ */

static int activity_compare_doubles(double a, double b)
{
	a = isnan(a) ? -1 : a;
	b = isnan(b) ? -1 : b;
	return a < b ? 1 : a > b ? -1 : 0;
}

static bool activity_is_idle(const struct db_session *session)
{
	return session->pid != 0 && (strcmp(session->state, "idle") == 0 || !*session->state);
}

static int activity_compare_by(
	enum activity_sort sort, const struct db_session *x, const struct db_session *y)
{
	switch (sort) {
	case SORT_STATE:
		return strcmp(x->state, y->state);
	case SORT_USER:
		return strcmp(x->user, y->user);
	case SORT_APP:
		return strcmp(x->application, y->application);
	case SORT_WAIT:
		return activity_compare_doubles(x->wait_age_s, y->wait_age_s);
	case SORT_XACT:
		return activity_compare_doubles(x->xact_age_s, y->xact_age_s);
	case SORT_BLOCKS:
		return (x->n_behind < y->n_behind) - (x->n_behind > y->n_behind);
	default:
		return 0;
	}
}

/* Longest first; what does nothing stands below what works. */
static int activity_compare(const void *a, const void *b, void *arg)
{
	const struct db_session *x = ((const struct db_tree_row *)a)->session;
	const struct db_session *y = ((const struct db_tree_row *)b)->session;
	enum activity_sort sort = *(enum activity_sort *)arg;
	int order = 0;

	if (sort != SORT_PID)
		order = activity_is_idle(x) - activity_is_idle(y);
	if (!order)
		order = activity_compare_by(sort, x, y);
	if (!order && sort != SORT_PID)
		order = activity_compare_doubles(format_session_age(x), format_session_age(y));
	return order ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

static void activity_row_text(const struct db_session *session, struct buf *out)
{
	char age[24];
	char *query = format_one_line(session->query);
	char *names = mem_printf("%s %s %s %s", session->user, session->application,
		session->client, session->database);
	char *clean = format_one_line(names);

	buf_printf(out, "%d %s %s", session->pid, clean, format_state(session));
	if (*session->waits_for.mode)
		buf_printf(out, " waits for %s on %s", session->waits_for.mode,
			session->waits_for.relation);
	if (session->is_root)
		buf_printf(out, " blocks %zu", session->n_behind);
	buf_printf(out, " %s %s", clock_format_age(format_session_age(session), age, sizeof(age)),
		query);
	free(clean);
	free(names);
	free(query);
}

/* Rows outside the tree, or all of a flat list, in the order asked for; a filtered list is flat. */
static void activity_order(struct pane_activity *self)
{
	bool flat = self->flat || self->pane.filter;
	size_t first = 0, i;

	while (!flat && first < self->n && self->rows[first].session->root_index != SIZE_MAX)
		first++;
	if (flat) {
		for (i = 0; i < self->n; i++) {
			self->rows[i].depth = 0;
			self->rows[i].bars = 0;
			self->rows[i].has_children = false;
		}
	}
	if (self->n > first)
		qsort_r(self->rows + first, self->n - first, sizeof(*self->rows), activity_compare,
			&self->sort);
}

/* Words that name a field: "state:idle", "user:bo1". */
static const struct {
	const char *name;
	size_t offset; /* of a char * in struct db_session */
} activity_fields[] = {
	{ "state:", offsetof(struct db_session, state) },
	{ "user:", offsetof(struct db_session, user) },
	{ "app:", offsetof(struct db_session, application) },
	{ "db:", offsetof(struct db_session, database) },
	{ "client:", offsetof(struct db_session, client) },
	{ "type:", offsetof(struct db_session, backend_type) },
};

/* Whether one word of the filter holds; row: the row's text. */
static bool activity_word_holds(const struct db_session *session, const char *row, const char *word)
{
	const char *field;
	size_t i, len;

	for (i = 0; i < sizeof(activity_fields) / sizeof(activity_fields[0]); i++) {
		len = strlen(activity_fields[i].name);
		if (strncmp(word, activity_fields[i].name, len) != 0)
			continue;
		memcpy(&field, (const char *)session + activity_fields[i].offset, sizeof(field));
		/* "state:idle" is not "idle in transaction"; that is "state:idle_in". */
		if (strcmp(word, "state:idle") == 0)
			return strcmp(field, "idle") == 0;
		return str_contains_nocase(field, word + len);
	}
	return str_contains_nocase(row, word);
}

/* Every word of the filter must hold; one after "!" must not. */
static bool activity_passes(const struct db_session *session, const char *row, const char *filter)
{
	char *words = mem_strdup(filter), *rest = words, *word, *c;
	bool passes = true;

	while (passes && (word = strsep(&rest, " "))) {
		for (c = word; *c; c++)
			*c = *c == '_' && strncmp(word, "state:", 6) == 0 ? ' ' : *c;
		if (*word == '!' && word[1])
			passes = !activity_word_holds(session, row, word + 1);
		else if (*word)
			passes = activity_word_holds(session, row, word);
	}
	free(words);
	return passes;
}

static void activity_filter(struct pane_activity *self)
{
	struct buf text = BUF_INIT;
	size_t i, kept = 0;

	for (i = 0; self->pane.filter && i < self->n; i++) {
		buf_clear(&text);
		activity_row_text(self->rows[i].session, &text);
		if (activity_passes(
			    self->rows[i].session, buf_str(&text), self->pane.filter))
			self->rows[kept++] = self->rows[i];
	}
	if (self->pane.filter)
		self->n = kept;
	buf_fini(&text);
}

static void activity_rebuild(struct pane *pane)
{
	struct pane_activity *self = activity_of(pane);
	size_t i, selected;

	free(self->rows);
	self->rows = NULL;
	self->n = 0;
	if (self->snapshot)
		self->rows = db_locktree_rows(self->snapshot, true, &self->n);
	activity_filter(self);
	activity_order(self);
	activity_measure(&self->layout, self->rows, self->n);
	selected = pane->selected;
	for (i = 0; i < self->n; i++)
		if (activity_is(&self->selected, self->rows[i].session))
			selected = i;
	pane_reselect(pane, selected, false);
	/* Once there are rows one of them is selected, and stays so wherever it goes. */
	if (self->n && !self->selected.backend_start)
		activity_note(&self->selected, self->rows[pane->selected].session);
}

void pane_activity_set(struct pane *pane, const struct db_snapshot *snapshot)
{
	struct pane_activity *self = activity_of(pane);
	size_t i;

	self->snapshot = snapshot;
	for (i = self->n_tags; snapshot && i > 0; i--)
		if (!activity_find(snapshot, &self->tags[i - 1]))
			activity_untag(self, i - 1);
	activity_rebuild(pane);
}

const struct db_session *pane_activity_selected(const struct pane *pane)
{
	const struct pane_activity *self = activity_of(pane);

	if (!self->n || !activity_is(&self->selected, self->rows[pane->selected].session))
		return NULL;
	return self->rows[pane->selected].session;
}

int pane_activity_adopt(struct pane *pane)
{
	struct pane_activity *self = activity_of(pane);
	int gone = self->selected.backend_start ? self->selected.pid : 0;

	if (self->n)
		activity_note(&self->selected, self->rows[pane->selected].session);
	return gone;
}

const struct db_session *pane_activity_tagged(const struct pane *pane, size_t i)
{
	const struct pane_activity *self = activity_of(pane);
	const struct db_session *session;
	size_t k, n = self->snapshot ? self->snapshot->n_sessions : 0;

	for (k = 0; k < n; k++) {
		session = &self->snapshot->sessions[k];
		if (activity_is_tagged(self, session) && i-- == 0)
			return session;
	}
	return NULL;
}

int pane_activity_set_columns(struct pane *pane, const char *list, struct err *err)
{
	struct pane_activity *self = activity_of(pane);

	if (activity_choose(&self->layout, list, err) < 0)
		return -1;
	activity_measure(&self->layout, self->rows, self->n);
	return 0;
}

const char *pane_activity_column(const struct pane *pane, size_t i, bool *on)
{
	*on = activity_has_column(&activity_of(pane)->layout, i);
	return activity_column_name(i);
}

void pane_activity_toggle_column(struct pane *pane, size_t i)
{
	struct activity_layout *layout = &activity_of(pane)->layout;
	struct buf list = BUF_INIT;
	bool on = activity_has_column(layout, i);
	size_t k;

	for (k = 0; k < layout->n; k++) {
		/* A new one stands before the query, which takes the rest of the row. */
		if (!on && layout->order[k] == COLUMN_QUERY)
			buf_printf(&list, "%s,", activity_column_name(i));
		if (layout->order[k] != i)
			buf_printf(&list, "%s,", activity_column_name(layout->order[k]));
	}
	if (!on && !activity_has_column(layout, COLUMN_QUERY))
		buf_add_str(&list, activity_column_name(i));
	activity_choose(layout, buf_str(&list), NULL);
	activity_measure(layout, activity_of(pane)->rows, activity_of(pane)->n);
	buf_fini(&list);
}

/* --- the table of functions ------------------------------------------------------------------ */

/* " · slots 12/57 · lag 0.4s": how much is left, and who is behind. */
static void activity_add_server(const struct db_server *server, struct buf *out)
{
	char age[24];

	buf_printf(out, " · slots %d/%d", server->used_connections,
		server->max_connections - server->reserved_connections);
	if (server->replicas || server->standby)
		buf_printf(out, " · lag %s", clock_format_age(server->lag_s, age, sizeof(age)));
	if (server->lag_bytes >= 1e6)
		buf_printf(out, " %.0f MB", server->lag_bytes / 1e6);
}

/* " · xmin 8123 12m04": who keeps VACUUM from removing rows, and for how long or how many
 * transactions. Nothing where that is the oldest transaction, which is told already. */
static void activity_add_xmin(const struct db_snapshot *snapshot, double oldest, struct buf *out)
{
	const struct db_server *server = &snapshot->server;
	const struct db_session *s = NULL;
	char age[24], *name;

	if (str_empty(server->xmin_kind))
		return;
	name = format_one_line(server->xmin_name);
	if (strcmp(server->xmin_kind, "backend") == 0)
		s = db_snapshot_find(snapshot, atoi(server->xmin_name));
	if (s && s->xact_age_s > oldest - 1) {
		free(name);
		return;
	}
	buf_printf(out, " · xmin %s%s%s", s ? "" : server->xmin_kind, s ? "" : " ", name);
	if (s && !isnan(s->xact_age_s))
		buf_printf(out, " %s", clock_format_age(s->xact_age_s, age, sizeof(age)));
	else
		buf_printf(out, " %ld tx", server->xmin_age);
	free(name);
}

static void activity_title(struct pane *pane, struct buf *out)
{
	static const char *const sorts[SORT_N] = { "age", "wait", "transaction", "blocked", "pid",
		"state", "user", "app" };
	const struct pane_activity *self = activity_of(pane);
	size_t i, blocked = 0, n = self->snapshot ? self->snapshot->n_sessions : 0;
	double oldest = -1;
	char age[24];

	if (!self->snapshot)
		return;
	for (i = 0; i < n; i++) {
		blocked += self->snapshot->sessions[i].n_blocked_by > 0;
		if (self->snapshot->sessions[i].xact_age_s > oldest)
			oldest = self->snapshot->sessions[i].xact_age_s;
	}
	if (self->snapshot->n_hidden)
		buf_printf(out, "%zu hidden from our role · ", self->snapshot->n_hidden);
	if (pane->filter)
		buf_printf(out, "%zu of ", self->n);
	format_plural(out, n, "session", "sessions");
	if (blocked)
		buf_printf(out, " · %zu blocked", blocked);
	if (oldest >= 0)
		buf_printf(out, " · oldest %s", clock_format_age(oldest, age, sizeof(age)));
	if (self->n_tags)
		buf_printf(out, " · %zu tagged", self->n_tags);
	if (self->flat || self->sort != SORT_AGE)
		buf_printf(out, " · by %s", sorts[self->sort]);
	/* What the operator asked for comes before what is merely good to know. */
	if (pane->filter)
		return;
	if (self->snapshot->server.max_connections)
		activity_add_server(&self->snapshot->server, out);
	activity_add_xmin(self->snapshot, oldest, out);
}

static size_t activity_count(const struct pane *pane)
{
	return activity_of(pane)->n;
}

static void activity_header(struct pane *pane, struct cells *cells, struct cells_rect line)
{
	struct pane_activity *self = activity_of(pane);

	activity_fit(&self->layout, line.cols);
	activity_draw_header(&self->layout, cells, line);
}

static void activity_row(struct pane *pane, size_t i, struct cells *cells, struct cells_rect line)
{
	struct pane_activity *self = activity_of(pane);

	activity_fit(&self->layout, line.cols);
	activity_draw_row(&self->layout, cells, line, &self->rows[i],
		activity_is_tagged(self, self->rows[i].session));
}

static void activity_text(const struct pane *pane, size_t i, struct buf *out)
{
	activity_row_text(activity_of(pane)->rows[i].session, out);
}

static void activity_copy(const struct pane *pane, size_t i, struct buf *out)
{
	buf_add_str(out, activity_of(pane)->rows[i].session->query);
}

static void activity_select(struct pane *pane, size_t i)
{
	struct pane_activity *self = activity_of(pane);

	activity_note(&self->selected, self->rows[i].session);
}

static bool activity_command(struct pane *pane, enum key_command command, char **message)
{
	struct pane_activity *self = activity_of(pane);

	(void)message;
	switch (command) {
	case CMD_TAG:
		if (!self->n)
			return true;
		activity_tag(self, self->rows[pane->selected].session);
		pane_move(pane, CMD_DOWN);
		return true;
	case CMD_TREE:
		self->flat = !self->flat;
		break;
	case CMD_SORT:
		self->sort = (self->sort + 1) % SORT_N;
		break;
	default:
		return false;
	}
	activity_rebuild(pane);
	return true;
}

static bool activity_details(struct pane *pane, bool again, struct buf *title, struct lines *out)
{
	struct pane_activity *self = activity_of(pane);
	const struct db_session *session;

	if (!again && self->n)
		pane_activity_adopt(pane);
	session = again ? activity_find(self->snapshot, &self->detailed)
			: pane_activity_selected(pane);
	if (!session)
		return false;
	if (!again)
		activity_note(&self->detailed, session);
	activity_describe(self->snapshot, session, title, out);
	return true;
}

static const char *activity_empty(const struct pane *pane)
{
	if (!activity_of(pane)->snapshot)
		return "No picture of the server yet.";
	return "Nobody is connected but pgoncall.";
}

static void activity_free(struct pane *pane)
{
	struct pane_activity *self = activity_of(pane);

	while (self->n_tags)
		activity_untag(self, self->n_tags - 1);
	activity_forget(&self->selected);
	activity_forget(&self->detailed);
	free(self->tags);
	free(self->rows);
	free(self);
}

static const struct pane_ops activity_ops = {
	.name = "Activity",
	.context = KEYS_ACTIVITY,
	.title = activity_title,
	.count = activity_count,
	.header = activity_header,
	.row = activity_row,
	.text = activity_text,
	.copy = activity_copy,
	.select = activity_select,
	.refilter = activity_rebuild,
	.command = activity_command,
	.details = activity_details,
	.empty = activity_empty,
	.free = activity_free,
};

struct pane *pane_activity_new(void)
{
	struct pane_activity *self = mem_calloc(1, sizeof(*self));

	pane_init(&self->pane, &activity_ops);
	activity_choose(&self->layout, ACTIVITY_COLUMNS, NULL);
	return &self->pane;
}
