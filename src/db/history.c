/*
 * Pictures packed into bytes: of a session everything but its ages, which are kept as moments, so
 * that a session to which nothing happens packs to the same bytes and is shared. Owns the packed
 * forms; what goes into them, and comes out in the same order, stands in two functions side by side.
 */
#include <pgoncall/db/history.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/locktree.h>

/* Moments computed from two answers differ by what passes between clock and clock. */
#define HISTORY_SAME_S 0.5
#define HISTORY_AGES   5
/* Fewer pictures than this are not thinned out but dropped from the oldest. */
#define HISTORY_THIN_MIN 16

struct packed {
	unsigned refs;
	int pid;
	double since[HISTORY_AGES]; /* seconds of our monotonic clock; NAN: there is none */
	size_t len;
	unsigned char bytes[];
};

struct frame {
	int64_t wall, monotonic;
	struct packed *server;
	struct packed **sessions;
	size_t n;
};

struct db_history {
	int64_t span_ns;
	size_t max_bytes, bytes;
	struct frame *frames;
	size_t n, cap;
};

/* --- packing ---------------------------------------------------------------------------------- */

static void pack_text(struct buf *out, const char *text)
{
	buf_add(out, text, strlen(text) + 1);
}

static void pack_number(struct buf *out, double number)
{
	buf_add(out, &number, sizeof(number));
}

static void pack_texts(struct buf *out, const struct strlist *list)
{
	size_t i;

	pack_number(out, (double)list->n);
	for (i = 0; i < list->n; i++)
		pack_text(out, list->items[i]);
}

struct unpack {
	const unsigned char *at;
};

static const char *unpack_text(struct unpack *in)
{
	const char *text = (const char *)in->at;

	in->at += strlen(text) + 1;
	return text;
}

static double unpack_number(struct unpack *in)
{
	double number;

	memcpy(&number, in->at, sizeof(number));
	in->at += sizeof(number);
	return number;
}

static void unpack_texts(struct unpack *in, struct strlist *list)
{
	size_t n = (size_t)unpack_number(in);

	while (n--)
		strlist_add(list, unpack_text(in));
}

/* The strings of a session in a fixed order; the query is not among them, it is cut. */
#define SESSION_TEXTS 16

static void session_texts(struct db_session *s, char **texts[SESSION_TEXTS])
{
	char **const all[SESSION_TEXTS] = { &s->gid, &s->backend_start, &s->xact_start,
		&s->query_start, &s->user, &s->database, &s->application, &s->client,
		&s->backend_type, &s->state, &s->wait_event_type, &s->wait_event, &s->version_lock,
		&s->progress, &s->waits_for.mode, &s->waits_for.relation };

	memcpy(texts, all, sizeof(all));
}

static void session_ages(struct db_session *s, double *ages[HISTORY_AGES])
{
	ages[0] = &s->backend_age_s;
	ages[1] = &s->xact_age_s;
	ages[2] = &s->query_age_s;
	ages[3] = &s->state_age_s;
	ages[4] = &s->wait_age_s;
}

static void pack_session(struct buf *out, const struct db_session *session)
{
	/* A shallow copy, for the tables of addresses. */
	struct db_session s = *session;
	char **texts[SESSION_TEXTS];
	size_t i;

	session_texts(&s, texts);
	for (i = 0; i < SESSION_TEXTS; i++)
		pack_text(out, *texts[i]);
	buf_add(out, s.query, strnlen(s.query, DB_HISTORY_QUERY_MAX));
	buf_add_char(out, '\0');
	pack_number(out, s.leader_pid);
	pack_number(
		out, s.superuser | s.member << 1 | s.hidden << 2 | s.ours << 3 | s.migration << 4);
	pack_number(out, s.progress_ratio);
	pack_number(out, s.progress_left_s);
	pack_number(out, (double)s.n_blocked_by);
	for (i = 0; i < s.n_blocked_by; i++)
		pack_number(out, s.blocked_by[i]);
	pack_texts(out, &s.blocked_by_gids);
	pack_number(out, (double)s.n_holds);
	for (i = 0; i < s.n_holds; i++) {
		pack_text(out, s.holds[i].mode);
		pack_text(out, s.holds[i].relation);
	}
}

static void unpack_session(struct unpack *in, struct db_session *s)
{
	char **texts[SESSION_TEXTS];
	size_t i, n;
	int flags;

	session_texts(s, texts);
	for (i = 0; i < SESSION_TEXTS; i++)
		db_snapshot_set(texts[i], unpack_text(in));
	db_snapshot_set(&s->query, unpack_text(in));
	s->leader_pid = (int)unpack_number(in);
	flags = (int)unpack_number(in);
	s->superuser = flags & 1;
	s->member = flags & 2;
	s->hidden = flags & 4;
	s->ours = flags & 8;
	s->migration = flags & 16;
	s->progress_ratio = unpack_number(in);
	s->progress_left_s = unpack_number(in);
	for (n = (size_t)unpack_number(in); n; n--)
		db_session_add_blocker(s, (int)unpack_number(in));
	unpack_texts(in, &s->blocked_by_gids);
	s->n_holds = (size_t)unpack_number(in);
	s->holds = mem_calloc(s->n_holds + 1, sizeof(*s->holds));
	for (i = 0; i < s->n_holds; i++) {
		s->holds[i].mode = mem_strdup(unpack_text(in));
		s->holds[i].relation = mem_strdup(unpack_text(in));
	}
}

static void pack_server(struct buf *out, const struct db_snapshot *snapshot)
{
	const struct db_server *s = &snapshot->server;

	pack_text(out, snapshot->at);
	pack_text(out, s->version);
	pack_text(out, s->role);
	pack_text(out, s->database);
	pack_text(out, s->xmin_kind);
	pack_text(out, s->xmin_name);
	pack_number(out, s->version_num);
	pack_number(out, s->standby | s->see_all << 1 | s->may_signal << 2 | s->superuser << 3);
	pack_number(out, s->max_connections);
	pack_number(out, s->reserved_connections);
	pack_number(out, s->used_connections);
	pack_number(out, (double)s->xmin_age);
	pack_number(out, s->replicas);
	pack_number(out, s->lag_s);
	pack_number(out, s->lag_bytes);
	pack_number(out, (double)snapshot->n_hidden);
	pack_number(out, snapshot->version_table);
	pack_texts(out, &snapshot->versions);
}

static void unpack_server(struct unpack *in, struct db_snapshot *snapshot)
{
	struct db_server *s = &snapshot->server;
	int flags;

	db_snapshot_set(&snapshot->at, unpack_text(in));
	db_snapshot_set(&s->version, unpack_text(in));
	db_snapshot_set(&s->role, unpack_text(in));
	db_snapshot_set(&s->database, unpack_text(in));
	db_snapshot_set(&s->xmin_kind, unpack_text(in));
	db_snapshot_set(&s->xmin_name, unpack_text(in));
	s->version_num = (int)unpack_number(in);
	flags = (int)unpack_number(in);
	s->standby = flags & 1;
	s->see_all = flags & 2;
	s->may_signal = flags & 4;
	s->superuser = flags & 8;
	s->max_connections = (int)unpack_number(in);
	s->reserved_connections = (int)unpack_number(in);
	s->used_connections = (int)unpack_number(in);
	s->xmin_age = (long)unpack_number(in);
	s->replicas = (int)unpack_number(in);
	s->lag_s = unpack_number(in);
	s->lag_bytes = unpack_number(in);
	snapshot->n_hidden = (size_t)unpack_number(in);
	snapshot->version_table = (enum db_version_table)unpack_number(in);
	unpack_texts(in, &snapshot->versions);
}

/* --- packed forms ----------------------------------------------------------------------------- */

static struct packed *packed_new(struct db_history *history, int pid, const struct buf *bytes)
{
	struct packed *packed = mem_calloc(1, sizeof(*packed) + bytes->len);

	packed->refs = 1;
	packed->pid = pid;
	packed->len = bytes->len;
	memcpy(packed->bytes, bytes->data, bytes->len);
	history->bytes += sizeof(*packed) + packed->len;
	return packed;
}

static void packed_unref(struct db_history *history, struct packed *packed)
{
	if (--packed->refs)
		return;
	history->bytes -= sizeof(*packed) + packed->len;
	free(packed);
}

static bool packed_is(
	const struct packed *packed, int pid, const double *since, const struct buf *bytes)
{
	int i;

	if (packed->pid != pid || packed->len != bytes->len ||
		memcmp(packed->bytes, bytes->data, bytes->len) != 0)
		return false;
	for (i = 0; i < HISTORY_AGES; i++)
		if (isnan(packed->since[i]) != isnan(since[i]) ||
			fabs(packed->since[i] - since[i]) > HISTORY_SAME_S)
			return false;
	return true;
}

/* From the frame before, looked for at the same place first: the server lists in a stable order. */
static struct packed *packed_shared(const struct frame *before, size_t hint, int pid,
	const double *since, const struct buf *bytes)
{
	size_t step;

	for (step = 0; before && step < before->n; step++)
		if (packed_is(before->sessions[(hint + step) % before->n], pid, since, bytes))
			return before->sessions[(hint + step) % before->n];
		else if (before->sessions[(hint + step) % before->n]->pid == pid && pid)
			break;
	return NULL;
}

/* --- frames ----------------------------------------------------------------------------------- */

static void frame_drop(struct db_history *history, size_t at)
{
	struct frame *frame = &history->frames[at];
	size_t i;

	for (i = 0; i < frame->n; i++)
		packed_unref(history, frame->sessions[i]);
	packed_unref(history, frame->server);
	history->bytes -= frame->n * sizeof(*frame->sessions);
	free(frame->sessions);
	history->n--;
	memmove(frame, frame + 1, (history->n - at) * sizeof(*frame));
}

static void history_shrink(struct db_history *history, int64_t now)
{
	size_t at;

	while (history->n > 1 && history->frames[0].monotonic < now - history->span_ns)
		frame_drop(history, 0);
	while (history->n > 1 && history->bytes > history->max_bytes) {
		if (history->n < HISTORY_THIN_MIN) {
			frame_drop(history, 0);
			continue;
		}
		for (at = history->n / 2; at > 1; at -= at > 2 ? 2 : at)
			frame_drop(history, at - 1);
	}
}

static struct packed *history_pack_session(struct db_history *history, const struct frame *before,
	size_t at, const struct db_session *session, double now_s, struct buf *bytes)
{
	struct db_session s = *session;
	double since[HISTORY_AGES], *ages[HISTORY_AGES];
	struct packed *packed;
	int i;

	session_ages(&s, ages);
	for (i = 0; i < HISTORY_AGES; i++)
		since[i] = now_s - *ages[i];
	buf_clear(bytes);
	pack_session(bytes, session);
	packed = packed_shared(before, at, session->pid, since, bytes);
	if (packed) {
		packed->refs++;
	} else {
		packed = packed_new(history, session->pid, bytes);
		memcpy(packed->since, since, sizeof(since));
	}
	return packed;
}

void db_history_add(struct db_history *history, const struct db_snapshot *snapshot)
{
	double now_s = (double)snapshot->at_monotonic / (double)CLOCK_NS_PER_S;
	struct buf bytes = BUF_INIT;
	const struct frame *before;
	struct frame *frame;
	size_t i;

	history->frames =
		mem_grow(history->frames, history->n, &history->cap, sizeof(*history->frames));
	before = history->n ? &history->frames[history->n - 1] : NULL;
	frame = &history->frames[history->n++];
	frame->wall = snapshot->at_wall;
	frame->monotonic = snapshot->at_monotonic;
	pack_server(&bytes, snapshot);
	frame->server = packed_new(history, 0, &bytes);
	frame->n = snapshot->n_sessions;
	frame->sessions = mem_calloc(frame->n + 1, sizeof(*frame->sessions));
	history->bytes += frame->n * sizeof(*frame->sessions);
	for (i = 0; i < frame->n; i++)
		frame->sessions[i] = history_pack_session(
			history, before, i, &snapshot->sessions[i], now_s, &bytes);
	buf_fini(&bytes);
	history_shrink(history, snapshot->at_monotonic);
}

struct db_history *db_history_new(int64_t span_ns, size_t max_bytes)
{
	struct db_history *history = mem_calloc(1, sizeof(*history));

	history->span_ns = span_ns ? span_ns : DB_HISTORY_SPAN_NS;
	history->max_bytes = max_bytes ? max_bytes : DB_HISTORY_BYTES;
	return history;
}

void db_history_free(struct db_history *history)
{
	if (!history)
		return;
	while (history->n)
		frame_drop(history, history->n - 1);
	free(history->frames);
	free(history);
}

size_t db_history_count(const struct db_history *history)
{
	return history->n;
}

size_t db_history_bytes(const struct db_history *history)
{
	return history->bytes;
}

int64_t db_history_wall(const struct db_history *history, size_t i)
{
	return history->frames[i].wall;
}

struct db_snapshot *db_history_restore(const struct db_history *history, size_t i)
{
	const struct frame *frame = &history->frames[i];
	struct db_snapshot *snapshot = db_snapshot_new();
	struct unpack in = { frame->server->bytes };
	double *ages[HISTORY_AGES];
	struct db_session *s;
	size_t k;
	int a;

	snapshot->at_wall = frame->wall;
	snapshot->at_monotonic = frame->monotonic;
	unpack_server(&in, snapshot);
	for (k = 0; k < frame->n; k++) {
		s = db_snapshot_add(snapshot);
		s->pid = frame->sessions[k]->pid;
		in.at = frame->sessions[k]->bytes;
		unpack_session(&in, s);
		session_ages(s, ages);
		for (a = 0; a < HISTORY_AGES; a++)
			*ages[a] = (double)frame->monotonic / (double)CLOCK_NS_PER_S -
				   frame->sessions[k]->since[a];
	}
	db_locktree_mark(snapshot);
	return snapshot;
}
