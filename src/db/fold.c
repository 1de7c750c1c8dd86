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

static bool fold_same_wait(const struct db_session *a, const struct db_session *b)
{
	return strcmp(a->waits_for.mode, b->waits_for.mode) == 0 &&
	       strcmp(a->waits_for.relation, b->waits_for.relation) == 0;
}

/* Blockers were asked for DB_WAITERS_MAX waiters only, those that wait longest. A later one that waits
 * for the same lock in the same mode is blocked by all that blocks an earlier one. */
static void fold_inherit(struct db_snapshot *snapshot)
{
	struct db_session *s = snapshot->sessions;
	size_t n = snapshot->n_sessions, n_waiting = 0, i, j, k;

	for (i = 0; i < n; i++)
		n_waiting += s[i].waits_for.mode[0] != '\0';
	for (i = 0; i < n && n_waiting > DB_WAITERS_MAX; i++) {
		if (!s[i].waits_for.mode[0] || s[i].n_blocked_by)
			continue;
		for (j = 0; j < n; j++)
			if (s[j].n_blocked_by && fold_same_wait(&s[i], &s[j]))
				break;
		for (k = 0; j < n && k < s[j].n_blocked_by; k++)
			if (s[j].blocked_by[k] != s[i].pid)
				db_session_add_blocker(&s[i], s[j].blocked_by[k]);
		if (j < n && !s[i].blocked_by_gids.n)
			strlist_copy(&s[i].blocked_by_gids, &s[j].blocked_by_gids);
	}
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
