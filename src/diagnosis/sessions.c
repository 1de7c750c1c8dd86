/*
 * What the sessions say: a migration that waits, works or lost its client; queues behind a lock;
 * forgotten and long transactions; slots; what our role is not shown.
 *
 * A session is blamed in one finding only: `told` marks those of which a worse one spoke already.
 */
#include "rules.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/diagnosis/remedy.h>

/* One computation. */
struct telling {
	struct findings *out;
	const struct finding_input *in;
	const struct db_snapshot *snapshot;
	bool *told; /* by index of the session */
};

static void say_span(struct buf *text, double seconds)
{
	char span[64];

	buf_add_str(text, clock_format_span(seconds, span, sizeof(span)));
}

static void say_waiting(struct buf *text, size_t n)
{
	if (n)
		buf_printf(text, " %zu session%s behind it.", n, n == 1 ? " waits" : "s wait");
}

/* "pid 8123 (bo1, boardofone-api, idle in transaction for 12 min 4 s)". */
static void say_session(struct buf *text, const struct db_session *s)
{
	if (s->pid == 0) {
		buf_printf(text, "prepared transaction %s (%s, prepared ", s->gid, s->user);
		say_span(text, s->xact_age_s);
		buf_add_str(text, " ago)");
		return;
	}
	if (s->ours)
		buf_add_str(text, "pgoncall's own session, ");
	buf_printf(text, "pid %d (", s->pid);
	if (s->user[0])
		buf_printf(text, "%s, ", s->user);
	if (s->application[0])
		buf_printf(text, "%s, ", s->application);
	if (s->backend_type[0] && strcmp(s->backend_type, "client backend") != 0)
		buf_printf(text, "%s, ", s->backend_type);
	if (s->hidden) {
		buf_add_str(text, "its state is hidden from our role)");
		return;
	}
	if (remedy_is_wraparound(s))
		buf_add_str(text, "against transaction id wraparound, ");
	buf_add_str(text, s->state[0] ? s->state : "working");
	if (!isnan(s->state_age_s)) {
		buf_add_str(text, " for ");
		say_span(text, s->state_age_s);
	}
	buf_add_char(text, ')');
}

static void say_wait(struct buf *text, const struct db_session *s)
{
	buf_printf(text, "%s on %s", s->waits_for.mode, s->waits_for.relation);
}

/* "Migration a → b", as far as the graph tells which one runs. */
static void say_migration(struct buf *text, const struct migration_graph *graph)
{
	const struct migration_list *pending = graph ? &graph->pending : NULL;

	if (!graph || !graph->marked || !pending->n) {
		buf_add_str(text, "A migration");
		return;
	}
	buf_add_str(text, "Migration ");
	if (graph->current.n)
		migration_graph_add_ids(graph, &graph->current, text);
	else
		buf_add_str(text, "base");
	buf_printf(text, " → %s", graph->revisions[pending->items[pending->n - 1]].id);
	if (pending->n > 1)
		buf_printf(text, " (%zu revisions)", pending->n);
}

/* "ALTER TABLE": the words a schema change begins with; "statement" where they are not such. */
static void say_statement(struct buf *text, const char *query)
{
	size_t len = strcspn(query, " \t\n("), next = strspn(query + len, " \t\n");
	size_t second = strcspn(query + len + next, " \t\n(;");
	size_t i;

	if (!db_query_is_ddl(query) || !len || !second || len + second > 24) {
		buf_add_str(text, "statement");
		return;
	}
	for (i = 0; i < len; i++)
		buf_add_char(text, (char)toupper((unsigned char)query[i]));
	buf_add_char(text, ' ');
	for (i = 0; i < second; i++)
		buf_add_char(text, (char)toupper((unsigned char)query[len + next + i]));
}

/* "; ending pid 8123 lets it go on": what frees those who wait for `s`. What may not be done says so,
 * and which role is missing; what must not be done says why. */
static void say_remedy(
	struct telling *t, struct buf *text, const struct db_session *s, const char *then)
{
	struct remedy remedy;
	size_t begin;

	remedy_of(t->snapshot, s, &remedy);
	buf_add_char(text, ' ');
	if (remedy.kind >= REMEDY_LEAVE) {
		buf_add_str(text, remedy.why);
		return;
	}
	begin = text->len;
	remedy_add_phrase(text, &remedy, s);
	text->data[begin] = (char)toupper((unsigned char)text->data[begin]);
	buf_printf(text, " %s.", then);
	if (!remedy.allowed)
		buf_printf(text, " But %s.", remedy.refusal.text);
}

/* --- migrations ------------------------------------------------------------------------------- */

/* "3 sessions wait behind your ALTER TABLE." */
static void say_waiting_behind(struct buf *text, const struct db_session *s)
{
	if (!s->n_behind)
		return;
	buf_printf(text, " %zu session%s behind your ", s->n_behind,
		s->n_behind == 1 ? " waits" : "s wait");
	say_statement(text, s->query);
	buf_printf(text, ": cancelling it (pid %d) restores service now and rolls it back.", s->pid);
}

static void tell_blocked(struct telling *t, const struct db_session *s)
{
	const struct db_session *root = NULL;
	struct buf text = BUF_INIT;

	if (s->root_index != SIZE_MAX && &t->snapshot->sessions[s->root_index] != s)
		root = &t->snapshot->sessions[s->root_index];
	say_migration(&text, t->in->graph);
	buf_add_str(&text, " has waited ");
	say_span(&text, s->wait_age_s);
	buf_add_str(&text, " for ");
	say_wait(&text, s);
	if (root) {
		buf_add_str(&text, ": blocked by ");
		if (root->migration)
			buf_add_str(&text, "another migration, ");
		say_session(&text, root);
		t->told[s->root_index] = true;
	} else {
		buf_printf(&text, " (pid %d); who blocks it is not known", s->pid);
	}
	buf_add_char(&text, '.');
	if (root)
		say_remedy(t, &text, root,
			s->n_blocked_by > 1 ? "ends one of several waits" : "lets it go on");
	say_waiting_behind(&text, s);
	if (root && root->n_behind > s->n_behind + 1)
		buf_printf(&text, " In all %zu wait behind the blocker.", root->n_behind);
	rule_add(t->out, "migration-blocked", root ? root : s, &text);
	buf_fini(&text);
}

static void tell_orphaned(struct telling *t, const struct db_session *s)
{
	struct buf text = BUF_INIT;

	buf_add_str(&text,
		"No alembic process runs where migrations are run, but its session is still "
		"there: ");
	say_session(&text, s);
	buf_add_str(&text, ". The server does not notice a dead client while it waits or works.");
	if (!s->waits_for.mode[0])
		say_waiting(&text, s->n_behind);
	buf_printf(&text, " Ending pid %d rolls the migration back.", s->pid);
	rule_add(t->out, "migration-orphaned", s, &text);
	buf_fini(&text);
}

static void tell_working(struct telling *t, const struct db_session *s)
{
	bool active = strcmp(s->state, "active") == 0;
	bool stalled = !active && s->state_age_s > RULE_IDLE_S;
	struct buf text = BUF_INIT;
	struct finding *finding;

	say_migration(&text, t->in->graph);
	buf_add_str(&text, active ? " is at work: " : " is between two statements: ");
	say_session(&text, s);
	if (s->progress[0])
		buf_printf(&text, ", %s", s->progress);
	if (!isnan(s->progress_left_s)) {
		buf_add_str(&text, ", about ");
		say_span(&text, s->progress_left_s);
		buf_add_str(&text, " left in this phase");
	}
	buf_add_str(&text, stalled ? "; its client computes, or hangs." : "; leave it alone.");
	say_waiting(&text, s->n_behind);
	finding = rule_add(t->out, "migration-working", s, &text);
	if (s->n_behind || stalled)
		finding->severity = FINDING_WARNING;
	buf_fini(&text);
}

static void tell_migrations(struct telling *t)
{
	const struct db_session *s;
	bool orphaned, at_work;
	size_t i;

	for (i = 0; i < t->snapshot->n_sessions; i++) {
		s = &t->snapshot->sessions[i];
		at_work = strcmp(s->state, "active") == 0 ||
			  strncmp(s->state, "idle in transaction", 19) == 0;
		if (!s->migration || (!s->waits_for.mode[0] && !at_work))
			continue;
		orphaned = t->in->migrators_asked && t->in->n_migrators == 0;
		t->told[i] = true;
		if (s->waits_for.mode[0])
			tell_blocked(t, s);
		if (orphaned)
			tell_orphaned(t, s);
		else if (!s->waits_for.mode[0])
			tell_working(t, s);
	}
}

/* --- queues ----------------------------------------------------------------------------------- */

/* The session below the root that waits longest. */
static const struct db_session *queue_longest(const struct db_snapshot *snapshot, size_t root)
{
	const struct db_session *s, *longest = NULL;
	size_t i;

	for (i = 0; i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		if (i != root && s->root_index == root &&
			(!longest || s->wait_age_s > longest->wait_age_s ||
				isnan(longest->wait_age_s)))
			longest = s;
	}
	return longest;
}

/* A victim that itself holds up others: the queued strong lock that makes readers wait. */
static const struct db_session *queue_middle(const struct db_snapshot *snapshot, size_t root)
{
	const struct db_session *s, *middle = NULL;
	size_t i;

	for (i = 0; i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		if (s->parent == root && s->n_behind && (!middle || s->n_behind > middle->n_behind))
			middle = s;
	}
	return middle;
}

static void tell_queue(struct telling *t, size_t at)
{
	const struct db_session *root = &t->snapshot->sessions[at];
	const struct db_session *longest = queue_longest(t->snapshot, at);
	const struct db_session *middle = queue_middle(t->snapshot, at);
	struct buf text = BUF_INIT;
	struct finding *finding;

	if (!longest || !(longest->wait_age_s >= RULE_QUEUE_S))
		return;
	t->told[at] = true;
	buf_printf(&text, "%zu session%s behind ", root->n_behind,
		root->n_behind == 1 ? " waits" : "s wait");
	say_session(&text, root);
	buf_add_str(&text, root->n_behind == 1 ? ", for " : ", the longest for ");
	say_span(&text, longest->wait_age_s);
	buf_add_str(&text, ", for ");
	say_wait(&text, longest);
	buf_add_char(&text, '.');
	say_remedy(t, &text, root, "lets all go on");
	if (middle) {
		buf_printf(&text, " %zu of them queue%s behind pid %d, which itself waits for ",
			middle->n_behind, middle->n_behind == 1 ? "s" : "", middle->pid);
		say_wait(&text, middle);
		buf_printf(&text, ": cancelling %d frees %s at once.", middle->pid,
			middle->n_behind == 1 ? "it" : "them");
	}
	finding = rule_add(t->out, "lock-queue", root, &text);
	if (root->n_behind >= RULE_QUEUE_CRITICAL_N || longest->wait_age_s >= RULE_QUEUE_CRITICAL_S)
		finding->severity = FINDING_CRITICAL;
	buf_fini(&text);
}

static void tell_queues(struct telling *t)
{
	size_t i;

	for (i = 0; i < t->snapshot->n_sessions; i++)
		if (t->snapshot->sessions[i].root_index == i && t->snapshot->sessions[i].n_behind &&
			!t->told[i])
			tell_queue(t, i);
}

/* --- transactions ----------------------------------------------------------------------------- */

static double idle_age(const struct db_session *s)
{
	if (strncmp(s->state, "idle in transaction", 19) != 0)
		return NAN;
	return s->state_age_s;
}

/* Of clients and prepared transactions; the server's own keep long ones for good reasons. */
static double long_age(const struct db_session *s)
{
	if (s->pid && strcmp(s->backend_type, "client backend") != 0)
		return NAN;
	return s->xact_age_s;
}

/* One finding for all sessions older than the limit that no other finding told of: it names the
 * oldest and what it does. */
static void tell_oldest(struct telling *t, const char *code,
	double (*age)(const struct db_session *), double limit, const char *what)
{
	const struct db_session *s, *oldest = NULL;
	struct buf text = BUF_INIT;
	size_t i, n = 0;

	for (i = 0; i < t->snapshot->n_sessions; i++) {
		s = &t->snapshot->sessions[i];
		if (t->told[i] || s->ours || !(age(s) > limit))
			continue;
		t->told[i] = true;
		n++;
		if (!oldest || age(s) > age(oldest))
			oldest = s;
	}
	if (!oldest)
		return;
	say_session(&text, oldest);
	buf_printf(&text, " %s", what);
	if (age != idle_age) {
		buf_add_str(&text, " for ");
		say_span(&text, age(oldest));
	}
	buf_add_str(&text, ": the next migration would wait for it.");
	if (n > 1)
		buf_printf(&text, " %zu more like it.", n - 1);
	rule_add(t->out, code, oldest, &text);
	buf_fini(&text);
}

/* --- the server ------------------------------------------------------------------------------- */

static void tell_version_table(struct telling *t)
{
	if (t->snapshot->version_table == DB_VERSION_TABLE_MISSING)
		findings_add(t->out, "version-table-missing",
			"Database %s has no Alembic version table: it was never migrated, or it is "
			"the wrong database or search_path.",
			t->snapshot->server.database);
	if (t->snapshot->version_table == DB_VERSION_TABLE_FAILED)
		findings_add(t->out, "version-table-missing",
			"The version table of database %s is not Alembic's: it has no column "
			"version_num.",
			t->snapshot->server.database);
	if (t->snapshot->version_table == DB_VERSION_TABLE_DENIED)
		findings_add(t->out, "privileges-hide-rows",
			"Role %s may not read the version table: GRANT SELECT on it to see which "
			"revision is applied.",
			t->snapshot->server.role);
}

/* Who has most of the slots. */
static void say_most_slots(struct buf *text, const struct db_snapshot *snapshot)
{
	const struct db_session *s = snapshot->sessions, *most = NULL;
	size_t i, k, n, best = 0, idle = 0;

	for (i = 0; i < snapshot->n_sessions; i++) {
		for (n = 0, k = 0; k < snapshot->n_sessions; k++)
			n += s[k].pid && strcmp(s[k].application, s[i].application) == 0 &&
			     strcmp(s[k].user, s[i].user) == 0;
		if (n > best) {
			best = n;
			most = &s[i];
		}
	}
	if (!most || best < 2)
		return;
	for (k = 0; k < snapshot->n_sessions; k++)
		idle += strcmp(s[k].application, most->application) == 0 &&
			strcmp(s[k].user, most->user) == 0 && strcmp(s[k].state, "idle") == 0;
	buf_printf(text, " %zu of them are %s's (%s), %zu of these idle.", best, most->user,
		most->application[0] ? most->application : "no application name", idle);
}

static void tell_slots(struct telling *t)
{
	const struct db_server *server = &t->snapshot->server;
	struct buf text = BUF_INIT;
	struct finding *finding;
	int slots = server->max_connections - server->reserved_connections;

	if (slots <= 0 || server->used_connections * 100LL < slots * (long long)RULE_SLOTS_PERCENT)
		return;
	buf_printf(&text, "%d of %d connection slots are in use (%d more are reserved): %s connect.",
		server->used_connections, slots, server->reserved_connections,
		server->used_connections >= slots ? "nobody else can" : "soon nobody can");
	say_most_slots(&text, t->snapshot);
	finding = rule_add(t->out, "slots-low", NULL, &text);
	if (server->used_connections >= slots)
		finding->severity = FINDING_CRITICAL;
	buf_fini(&text);
}

static void tell_server(struct telling *t)
{
	const struct db_server *server = &t->snapshot->server;

	if (server->standby)
		findings_add(t->out, "standby",
			"This server is a standby: it can be read, but migrations and acts belong "
			"on the "
			"primary.");
	if (t->snapshot->n_hidden)
		findings_add(t->out, "privileges-hide-rows",
			"The server hides state, query and age of %zu of %zu sessions from role "
			"%s: GRANT "
			"pg_monitor TO %s shows them.",
			t->snapshot->n_hidden, t->snapshot->n_sessions, server->role, server->role);
}

void rules_of_snapshot(struct findings *out, const struct finding_input *in)
{
	struct telling t = { out, in, in->snapshot, NULL };

	t.told = mem_calloc(in->snapshot->n_sessions + 1, sizeof(*t.told));
	tell_migrations(&t);
	tell_queues(&t);
	tell_oldest(&t, "idle-in-transaction", idle_age, RULE_IDLE_S,
		"keeps its transaction open and its locks held");
	tell_oldest(&t, "long-transaction", long_age, RULE_LONG_S, "has been in one transaction");
	tell_version_table(&t);
	tell_slots(&t);
	tell_server(&t);
	free(t.told);
}
