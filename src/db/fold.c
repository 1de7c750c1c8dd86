/*
 * From the rows as they came to the picture that is shown: folding workers into leaders, leaving out
 * ourselves and what is of no interest, completing edges. Pure.
 */
#include "build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/db/locktree.h>
#include <pgoncall/db/query.h>

#include "pids.h"

/* The session a parallel worker belongs to, or NULL. */
static struct db_session *fold_leader(
	struct db_snapshot *snapshot, const struct pids *pids, const struct db_session *s)
{
	size_t at = s->leader_pid && s->leader_pid != s->pid ? pids_find(pids, s->leader_pid)
							     : SIZE_MAX;

	return at == SIZE_MAX ? NULL : &snapshot->sessions[at];
}

/* The leader waits for what its worker waits for. */
static void fold_worker(struct db_session *leader, const struct db_session *worker)
{
	size_t i;

	for (i = 0; i < worker->n_blocked_by; i++)
		db_session_add_blocker(leader, worker->blocked_by[i]);
	for (i = 0; i < worker->blocked_by_gids.n; i++)
		if (!strlist_has(&leader->blocked_by_gids, worker->blocked_by_gids.items[i]))
			strlist_add(&leader->blocked_by_gids, worker->blocked_by_gids.items[i]);
	if (!leader->waits_for.mode[0] && worker->waits_for.mode[0]) {
		db_snapshot_set(&leader->waits_for.mode, worker->waits_for.mode);
		db_snapshot_set(&leader->waits_for.relation, worker->waits_for.relation);
		leader->wait_age_s = worker->wait_age_s;
	}
}

/* Edges name leaders, each once, and neither the session itself nor our watching connection. */
static void fold_edges(struct db_snapshot *snapshot, const struct pids *pids,
	struct db_session *session, int own_pid)
{
	int *old = session->blocked_by, pid;
	size_t n = session->n_blocked_by, i, at;
	const struct db_session *leader;

	session->blocked_by = NULL;
	session->n_blocked_by = 0;
	for (i = 0; i < n; i++) {
		pid = old[i];
		at = pids_find(pids, pid);
		leader = NULL;
		if (at != SIZE_MAX)
			leader = fold_leader(snapshot, pids, &snapshot->sessions[at]);
		if (leader)
			pid = leader->pid;
		if (pid != session->pid && (pid == 0 || pid != own_pid))
			db_session_add_blocker(session, pid);
	}
	free(old);
}

/* Up to the row that a transaction is awaited for, which may be known of one waiter only. */
static size_t fold_object_len(const struct db_session *s)
{
	const char *row = strstr(s->waits_for.relation, " (row of ");

	return row ? (size_t)(row - s->waits_for.relation) : strlen(s->waits_for.relation);
}

static bool fold_same_object(const struct db_session *a, const struct db_session *b)
{
	size_t len = fold_object_len(a);

	return len == fold_object_len(b) &&
	       strncmp(a->waits_for.relation, b->waits_for.relation, len) == 0;
}

static void fold_copy_edges(struct db_session *to, const struct db_session *from)
{
	size_t k;

	for (k = 0; k < from->n_blocked_by; k++)
		if (from->blocked_by[k] != to->pid)
			db_session_add_blocker(to, from->blocked_by[k]);
	if (!to->blocked_by_gids.n)
		strlist_copy(&to->blocked_by_gids, &from->blocked_by_gids);
}

/* Longest waiting first: the order of a queue. */
static int fold_compare_waits(const void *a, const void *b)
{
	const struct db_session *x = *(struct db_session *const *)a;
	const struct db_session *y = *(struct db_session *const *)b;

	if (x->wait_age_s > y->wait_age_s || y->wait_age_s > x->wait_age_s)
		return x->wait_age_s > y->wait_age_s ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool fold_same_queue(const struct db_session *a, const struct db_session *b)
{
	return strcmp(a->waits_for.mode, b->waits_for.mode) == 0 && fold_same_object(a, b);
}

/* The blockers of waiters[at], for which nobody was asked: those of the nearest one ahead in the same
 * queue, and whoever between the two waits for a mode that conflicts. */
static void fold_infer(struct db_session **waiters, size_t n, size_t at, const bool *asked)
{
	struct db_session *s = waiters[at];
	size_t i;

	for (i = at; i-- > 0;) {
		if (asked[i] && fold_same_queue(s, waiters[i])) {
			fold_copy_edges(s, waiters[i]);
			break;
		}
		if (fold_same_object(s, waiters[i]) &&
			db_lock_conflicts(waiters[i]->waits_for.mode, s->waits_for.mode))
			db_session_add_blocker(s, waiters[i]->pid);
	}
	for (i = at + 1; i < n && !s->n_blocked_by; i++)
		if (asked[i] && fold_same_queue(s, waiters[i]))
			fold_copy_edges(s, waiters[i]);
}

/* Waiters beyond the cap of the query: what they wait for follows from the order of the queue. */
static void fold_inherit(struct db_snapshot *snapshot)
{
	struct db_session **waiters = mem_calloc(snapshot->n_sessions + 1, sizeof(*waiters));
	bool *asked = mem_calloc(snapshot->n_sessions + 1, sizeof(*asked));
	size_t n = 0, i;

	for (i = 0; i < snapshot->n_sessions; i++)
		if (snapshot->sessions[i].waits_for.mode[0])
			waiters[n++] = &snapshot->sessions[i];
	qsort(waiters, n, sizeof(struct db_session *), fold_compare_waits);
	for (i = 0; i < n; i++)
		asked[i] = waiters[i]->n_blocked_by > 0;
	for (i = 0; i < n && n > DB_WAITERS_MAX; i++)
		if (!asked[i])
			fold_infer(waiters, n, i, asked);
	free(waiters);
	free(asked);
}

/* Sets in_tree[i] of every session that waits or is waited for. */
static void fold_mark_tree(struct db_snapshot *snapshot, bool *in_tree)
{
	const struct db_session *session;
	struct pids pids;
	size_t i, k, at;

	pids_init(&pids, snapshot);
	for (i = 0; i < snapshot->n_sessions; i++) {
		session = &snapshot->sessions[i];
		in_tree[i] |= session->n_blocked_by > 0;
		for (k = 0; k < session->n_blocked_by; k++) {
			at = pids_find(&pids, session->blocked_by[k]);
			if (at != SIZE_MAX)
				in_tree[at] = true;
		}
	}
	pids_fini(&pids);
}

static bool fold_keeps(const struct db_session *session, bool in_tree, int own_pid)
{
	if (session->pid == 0)
		return true;
	if (session->pid == own_pid)
		return false;
	if (session->ours)
		return in_tree;
	return in_tree || session->hidden || strcmp(session->backend_type, "client backend") == 0;
}

/* keep[i]: the session stays. Frees the others and closes the gaps. */
static void fold_compact(struct db_snapshot *snapshot, const bool *keep)
{
	size_t i, n = 0;

	for (i = 0; i < snapshot->n_sessions; i++) {
		if (keep[i])
			snapshot->sessions[n++] = snapshot->sessions[i];
		else
			session_fini(&snapshot->sessions[i]);
	}
	snapshot->n_sessions = n;
}

static void fold_workers(struct db_snapshot *snapshot, int own_pid)
{
	bool *keep = mem_calloc(snapshot->n_sessions + 1, sizeof(*keep));
	struct db_session *session, *leader;
	struct pids pids;
	size_t i;

	pids_init(&pids, snapshot);
	for (i = 0; i < snapshot->n_sessions; i++) {
		session = &snapshot->sessions[i];
		leader = fold_leader(snapshot, &pids, session);
		keep[i] = !leader;
		if (leader)
			fold_worker(leader, session);
	}
	for (i = 0; i < snapshot->n_sessions; i++)
		if (snapshot->sessions[i].n_blocked_by)
			fold_edges(snapshot, &pids, &snapshot->sessions[i], own_pid);
	pids_fini(&pids);
	fold_compact(snapshot, keep);
	free(keep);
}

void build_fold(struct db_snapshot *snapshot, int own_pid, int acting_pid)
{
	bool *in_tree = mem_calloc(snapshot->n_sessions + 1, sizeof(*in_tree));
	struct db_session *session;
	size_t i;

	fold_workers(snapshot, own_pid);
	fold_inherit(snapshot);
	fold_mark_tree(snapshot, in_tree);
	for (i = 0; i < snapshot->n_sessions; i++) {
		session = &snapshot->sessions[i];
		session->ours = acting_pid && session->pid == acting_pid;
		in_tree[i] = fold_keeps(session, in_tree[i], own_pid);
	}
	fold_compact(snapshot, in_tree);
	free(in_tree);
	snapshot->n_hidden = 0;
	for (i = 0; i < snapshot->n_sessions; i++) {
		snapshot->sessions[i].migration = db_session_is_migration(&snapshot->sessions[i]);
		snapshot->n_hidden += snapshot->sessions[i].hidden;
	}
	db_locktree_mark(snapshot);
}
