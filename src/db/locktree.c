/*
 * The blocking tree. Pure functions on a snapshot: where each session stands, how many wait behind
 * it, and the forest flattened for drawing. Edges may contradict each other (they were read one
 * after another), so nothing here follows an edge without a visited mark.
 */
#include <pgoncall/db/locktree.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

#include "pids.h"

/* Edges resolved to indexes: those of session i are to[start[i]] … to[start[i + 1] - 1], its blockers
 * in the order the server named them. */
struct edges {
	size_t *start;
	size_t *to;
};

/* Takes up to all sessions named by gid; `n` prepared transactions where none is named and only one
 * exists. Returns how many were written. */
static size_t edges_prepared(
	const struct db_snapshot *snapshot, const struct db_session *session, size_t *to)
{
	size_t i, n = 0, n_prepared = 0, only = 0;

	for (i = 0; i < snapshot->n_sessions; i++) {
		if (snapshot->sessions[i].pid)
			continue;
		n_prepared++;
		only = i;
		if (strlist_has(&session->blocked_by_gids, snapshot->sessions[i].gid))
			to[n++] = i;
	}
	if (!n && n_prepared == 1)
		to[n++] = only;
	return n;
}

static void edges_init(struct edges *edges, const struct db_snapshot *snapshot)
{
	size_t i, k, at, total = 0, n_prepared = 0;
	const struct db_session *s;
	struct pids pids;

	for (i = 0; i < snapshot->n_sessions; i++) {
		total += snapshot->sessions[i].n_blocked_by;
		n_prepared += snapshot->sessions[i].pid == 0;
	}
	edges->start = mem_calloc(snapshot->n_sessions + 1, sizeof(*edges->start));
	edges->to = mem_calloc(total + n_prepared * snapshot->n_sessions + 1, sizeof(*edges->to));
	pids_init(&pids, snapshot);
	total = 0;
	for (i = 0; i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		for (k = 0; k < s->n_blocked_by; k++) {
			at = pids_find(&pids, s->blocked_by[k]);
			if (s->blocked_by[k] == 0)
				total += edges_prepared(snapshot, s, edges->to + total);
			else if (at != SIZE_MAX && at != i)
				edges->to[total++] = at;
		}
		edges->start[i + 1] = total;
	}
	pids_fini(&pids);
}

static void edges_fini(struct edges *edges)
{
	free(edges->start);
	free(edges->to);
}

/* NAN is the shortest. */
static int age_compare(double a, double b)
{
	a = isnan(a) ? -1 : a;
	b = isnan(b) ? -1 : b;
	return (a > b) - (a < b);
}

/* --- places ----------------------------------------------------------------------------------- */

/* The placing under way. A session is placed under its first blocker as soon as that is placed. */
struct placing {
	struct db_snapshot *snapshot;
	struct edges edges;
	bool *placed;
	bool *in_tree;
	size_t *first_child; /* sessions whose first blocker this is, as a list */
	size_t *next_child;
	size_t *order; /* sessions in the order they were placed */
	size_t n_placed;
};

static size_t placing_degree(const struct placing *p, size_t i)
{
	return p->edges.start[i + 1] - p->edges.start[i];
}

static void placing_init(struct placing *p, struct db_snapshot *snapshot)
{
	size_t n = snapshot->n_sessions, i, k, first;

	p->snapshot = snapshot;
	edges_init(&p->edges, snapshot);
	p->placed = mem_calloc(n + 1, sizeof(*p->placed));
	p->in_tree = mem_calloc(n + 1, sizeof(*p->in_tree));
	p->first_child = mem_calloc(n + 1, sizeof(*p->first_child));
	p->next_child = mem_calloc(n + 1, sizeof(*p->next_child));
	p->order = mem_calloc(n + 1, sizeof(*p->order));
	p->n_placed = 0;
	for (i = 0; i < n; i++)
		p->first_child[i] = p->next_child[i] = SIZE_MAX;
	for (i = n; i-- > 0;) {
		for (k = p->edges.start[i]; k < p->edges.start[i + 1]; k++)
			p->in_tree[p->edges.to[k]] = p->in_tree[i] = true;
		if (!placing_degree(p, i))
			continue;
		first = p->edges.to[p->edges.start[i]];
		p->next_child[i] = p->first_child[first];
		p->first_child[first] = i;
	}
}

static void placing_fini(struct placing *p)
{
	edges_fini(&p->edges);
	free(p->placed);
	free(p->in_tree);
	free(p->first_child);
	free(p->next_child);
	free(p->order);
}

static void placing_put(struct placing *p, size_t i, size_t parent)
{
	struct db_session *s = p->snapshot->sessions;

	if (p->placed[i])
		return;
	p->placed[i] = true;
	p->order[p->n_placed++] = i;
	s[i].parent = parent;
	s[i].depth = parent == SIZE_MAX ? 0 : s[parent].depth + 1;
	s[i].root_index = parent == SIZE_MAX ? i : s[parent].root_index;
	s[i].root = s[s[i].root_index].pid;
}

/* Places i and, below it, everybody whose first blocker gets placed by that. */
static void placing_spread(struct placing *p, size_t i, size_t parent)
{
	size_t done = p->n_placed, child;

	placing_put(p, i, parent);
	for (; done < p->n_placed; done++)
		for (child = p->first_child[p->order[done]]; child != SIZE_MAX;
			child = p->next_child[child])
			placing_put(p, child, p->order[done]);
}

/* Somebody whose first blocker will never be placed, but another one is: a cycle beside a tree. */
static bool placing_second_choice(struct placing *p)
{
	size_t i, k;

	for (i = 0; i < p->snapshot->n_sessions; i++) {
		for (k = p->edges.start[i]; !p->placed[i] && k < p->edges.start[i + 1]; k++) {
			if (p->placed[p->edges.to[k]]) {
				placing_spread(p, i, p->edges.to[k]);
				return true;
			}
		}
	}
	return false;
}

/* A group that waits for itself: the one that waits longest goes on top. */
static bool placing_cycle(struct placing *p)
{
	const struct db_session *s = p->snapshot->sessions;
	size_t i, best = SIZE_MAX;

	for (i = 0; i < p->snapshot->n_sessions; i++)
		if (p->in_tree[i] && !p->placed[i] &&
			(best == SIZE_MAX || age_compare(s[i].wait_age_s, s[best].wait_age_s) > 0))
			best = i;
	if (best == SIZE_MAX)
		return false;
	placing_spread(p, best, SIZE_MAX);
	return true;
}

/* --- how many wait behind --------------------------------------------------------------------- */

/* Bit sets of who waits behind whom, over the places in `order`; grown along the edges until nothing
 * changes. Taking victims before blockers, one pass suffices where there is no cycle. */
static void placing_count(struct placing *p)
{
	size_t n = p->n_placed, words = n / 64 + 1, i, k, w, *place;
	uint64_t *sets = mem_calloc(n * words + 1, sizeof(*sets)), *from, *to, before;
	bool changed = true;

	place = mem_calloc(p->snapshot->n_sessions + 1, sizeof(*place));
	for (i = 0; i < n; i++)
		place[p->order[i]] = i;
	while (changed) {
		changed = false;
		for (i = n; i-- > 0;) {
			from = sets + i * words;
			for (k = p->edges.start[p->order[i]]; k < p->edges.start[p->order[i] + 1];
				k++) {
				to = sets + place[p->edges.to[k]] * words;
				before = to[i / 64];
				to[i / 64] |= UINT64_C(1) << (i % 64);
				changed |= before != to[i / 64];
				for (w = 0; w < words; w++) {
					before = to[w];
					to[w] |= from[w];
					changed |= before != to[w];
				}
			}
		}
	}
	for (i = 0; i < n; i++) {
		from = sets + i * words;
		from[i / 64] &= ~(UINT64_C(1) << (i % 64));
		for (w = 0; w < words; w++)
			p->snapshot->sessions[p->order[i]].n_behind +=
				(size_t)__builtin_popcountll(from[w]);
	}
	free(place);
	free(sets);
}

void db_locktree_mark(struct db_snapshot *snapshot)
{
	struct placing placing;
	struct db_session *s;
	size_t i;

	for (i = 0; i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		s->depth = 0;
		s->root = -1;
		s->is_root = false;
		s->parent = s->root_index = SIZE_MAX;
		s->n_behind = 0;
	}
	placing_init(&placing, snapshot);
	for (i = 0; i < snapshot->n_sessions; i++) {
		if (placing.in_tree[i] && !placing_degree(&placing, i)) {
			snapshot->sessions[i].is_root = true;
			placing_spread(&placing, i, SIZE_MAX);
		}
	}
	while (placing_second_choice(&placing) || placing_cycle(&placing))
		;
	placing_count(&placing);
	placing_fini(&placing);
}

/* --- rows ------------------------------------------------------------------------------------- */

struct sorted {
	const struct db_session *session;
	size_t at;
};

/* Siblings and roots: most behind first for roots, then longest waiting, oldest transaction, pid. */
static int sorted_compare(const void *a, const void *b)
{
	const struct db_session *x = ((const struct sorted *)a)->session;
	const struct db_session *y = ((const struct sorted *)b)->session;
	int order;

	if (x->parent == SIZE_MAX && y->parent == SIZE_MAX && x->n_behind != y->n_behind)
		return x->n_behind > y->n_behind ? -1 : 1;
	order = age_compare(y->wait_age_s, x->wait_age_s);
	if (!order)
		order = age_compare(y->xact_age_s, x->xact_age_s);
	if (!order)
		order = (x->pid > y->pid) - (x->pid < y->pid);
	return order ? order : strcmp(x->gid, y->gid);
}

/* The forest as sibling lists, sorted. */
struct forest {
	size_t *first; /* child of each session; the last entry: the first root */
	size_t *next;  /* sibling */
};

/* Comparing roots with others would be no order: each kind is sorted by itself, roots by the first
 * `n_roots` entries. */
static void forest_init(struct forest *forest, const struct db_snapshot *snapshot)
{
	size_t n = snapshot->n_sessions, n_roots = 0, n_rest = 0, i, parent;
	struct sorted *roots = mem_calloc(n + 1, sizeof(*roots));
	struct sorted *rest = mem_calloc(n + 1, sizeof(*rest)), *one;

	forest->first = mem_calloc(n + 1, sizeof(*forest->first));
	forest->next = mem_calloc(n + 1, sizeof(*forest->next));
	for (i = 0; i <= n; i++)
		forest->first[i] = forest->next[i] = SIZE_MAX;
	for (i = 0; i < n; i++) {
		if (snapshot->sessions[i].root_index == SIZE_MAX)
			continue;
		one = snapshot->sessions[i].parent == SIZE_MAX ? &roots[n_roots++]
							       : &rest[n_rest++];
		one->session = &snapshot->sessions[i];
		one->at = i;
	}
	qsort(roots, n_roots, sizeof(*roots), sorted_compare);
	qsort(rest, n_rest, sizeof(*rest), sorted_compare);
	for (i = n_roots + n_rest; i-- > 0;) {
		one = i < n_roots ? &roots[i] : &rest[i - n_roots];
		parent = one->session->parent == SIZE_MAX ? n : one->session->parent;
		forest->next[one->at] = forest->first[parent];
		forest->first[parent] = one->at;
	}
	free(roots);
	free(rest);
}

static void forest_fini(struct forest *forest)
{
	free(forest->first);
	free(forest->next);
}

/* Bars at the depth of each ancestor (below the roots) that has a further sibling. */
static unsigned long long forest_bars(
	const struct forest *forest, const struct db_snapshot *snapshot, size_t at)
{
	const struct db_session *s = snapshot->sessions;
	unsigned long long bars = 0;

	for (at = s[at].parent; at != SIZE_MAX && s[at].parent != SIZE_MAX; at = s[at].parent)
		if (forest->next[at] != SIZE_MAX && s[at].depth < 64)
			bars |= 1ULL << s[at].depth;
	return bars;
}

/* The session after `at` in drawing order, or SIZE_MAX. */
static size_t forest_step(
	const struct forest *forest, const struct db_snapshot *snapshot, size_t at)
{
	if (forest->first[at] != SIZE_MAX)
		return forest->first[at];
	while (forest->next[at] == SIZE_MAX) {
		at = snapshot->sessions[at].parent;
		if (at == SIZE_MAX)
			return SIZE_MAX;
	}
	return forest->next[at];
}

struct db_tree_row *db_locktree_rows(const struct db_snapshot *snapshot, bool all, size_t *n)
{
	struct db_tree_row *rows = mem_calloc(snapshot->n_sessions + 1, sizeof(*rows)), *row;
	struct forest forest;
	size_t i;

	*n = 0;
	forest_init(&forest, snapshot);
	for (i = forest.first[snapshot->n_sessions]; i != SIZE_MAX;
		i = forest_step(&forest, snapshot, i)) {
		row = &rows[(*n)++];
		row->session = &snapshot->sessions[i];
		row->depth = row->session->depth;
		row->last = forest.next[i] == SIZE_MAX;
		row->has_children = forest.first[i] != SIZE_MAX;
		row->bars = forest_bars(&forest, snapshot, i);
	}
	for (i = 0; all && i < snapshot->n_sessions; i++)
		if (snapshot->sessions[i].root_index == SIZE_MAX)
			rows[(*n)++].session = &snapshot->sessions[i];
	forest_fini(&forest);
	return rows;
}
