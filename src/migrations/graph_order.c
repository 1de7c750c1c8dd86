/*
 * The order in which revisions are shown and run, and which of them lie on a cycle. Works on plain
 * numbers. The order is that of Alembic (RevisionMap._topological_sort, 1.8 to 1.19): it keeps a list
 * of the heads it has come down to and follows one of them until another has to go first.
 */
#include <pgoncall/migrations/graph_order.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

/* --- edges ----------------------------------------------------------------------------------- */

void migration_edges_fini(struct migration_edges *edges)
{
	free(edges->start);
	free(edges->to);
	free(edges->depends);
	memset(edges, 0, sizeof(*edges));
}

void migration_edges_reverse(
	const struct migration_edges *edges, size_t n, struct migration_edges *reversed)
{
	size_t i, k, total = edges->start[n];
	size_t *fill = mem_calloc(n + 1, sizeof(*fill));

	reversed->start = mem_calloc(n + 2, sizeof(*reversed->start));
	reversed->to = mem_calloc(total + 1, sizeof(*reversed->to));
	reversed->depends = NULL;
	for (k = 0; k < total; k++)
		reversed->start[edges->to[k] + 1]++;
	for (i = 0; i < n; i++)
		reversed->start[i + 1] += reversed->start[i];
	memcpy(fill, reversed->start, n * sizeof(*fill));
	for (i = 0; i < n; i++)
		for (k = edges->start[i]; k < edges->start[i + 1]; k++)
			reversed->to[fill[edges->to[k]]++] = i;
	free(fill);
}

void migration_edges_permute(struct migration_edges *edges, size_t n, const size_t *order)
{
	size_t *rank = mem_calloc(n + 1, sizeof(*rank)), i, k, at = 0;
	struct migration_edges moved = { 0 };

	moved.start = mem_calloc(n + 1, sizeof(*moved.start));
	moved.to = mem_calloc(edges->start[n] + 1, sizeof(*moved.to));
	if (edges->depends)
		moved.depends = mem_calloc(edges->start[n] + 1, sizeof(*moved.depends));
	for (i = 0; i < n; i++)
		rank[order[i]] = i;
	for (i = 0; i < n; i++) {
		for (k = edges->start[order[i]]; k < edges->start[order[i] + 1]; k++) {
			if (edges->depends)
				moved.depends[at] = edges->depends[k];
			moved.to[at++] = rank[edges->to[k]];
		}
		moved.start[i + 1] = at;
	}
	migration_edges_fini(edges);
	*edges = moved;
	free(rank);
}

/* --- cycles ---------------------------------------------------------------------------------- */

/* waiting[i]: edges into i, of either kind. */
static void count_waiting(const struct migration_edges *edges, size_t n, size_t *waiting)
{
	size_t k;

	memset(waiting, 0, n * sizeof(*waiting));
	for (k = 0; k < edges->start[n]; k++)
		waiting[edges->to[k]]++;
}

/* Takes away what nothing points at, again and again: what is left is on a cycle or beyond one. */
static void peel(const struct migration_edges *edges, size_t n, bool *left)
{
	size_t *waiting = mem_calloc(n + 1, sizeof(*waiting));
	size_t *stack = mem_calloc(n + 1, sizeof(*stack));
	size_t i, k, top = 0;

	count_waiting(edges, n, waiting);
	for (i = 0; i < n; i++)
		if (!waiting[i])
			stack[top++] = i;
	while (top) {
		i = stack[--top];
		left[i] = false;
		for (k = edges->start[i]; k < edges->start[i + 1]; k++)
			if (--waiting[edges->to[k]] == 0)
				stack[top++] = edges->to[k];
	}
	free(waiting);
	free(stack);
}

void migration_find_cycles(const struct migration_edges *edges, size_t n, bool *in_cycle)
{
	struct migration_edges reversed;
	bool *below = mem_calloc(n + 1, sizeof(*below));
	size_t i;

	memset(in_cycle, true, n * sizeof(*in_cycle));
	memset(below, true, n * sizeof(*below));
	peel(edges, n, in_cycle);
	migration_edges_reverse(edges, n, &reversed);
	peel(&reversed, n, below);
	for (i = 0; i < n; i++)
		in_cycle[i] = in_cycle[i] && below[i];
	migration_edges_fini(&reversed);
	free(below);
}

/* --- the edges Alembic walks along ----------------------------------------------------------- */

struct narrowing {
	const struct migration_edges *edges;
	size_t *dependents; /* how many depend on i */
	size_t *seen;       /* by the search whose number this is */
	size_t *covered;    /* a dependency of one further down, by the same search */
	size_t *stack;
	size_t search;
};

/* Marks what the revisions further down the line of i depend on. */
static void cover_dependencies(struct narrowing *x, size_t i)
{
	const struct migration_edges *edges = x->edges;
	size_t top = 0, at = i, k;

	x->search++;
	x->seen[i] = x->search;
	for (;;) {
		for (k = edges->start[at]; k < edges->start[at + 1]; k++) {
			if (edges->depends[k] && at != i)
				x->covered[edges->to[k]] = x->search;
			if (edges->depends[k] || x->seen[edges->to[k]] == x->search)
				continue;
			x->seen[edges->to[k]] = x->search;
			x->stack[top++] = edges->to[k];
		}
		if (!top)
			return;
		at = x->stack[--top];
	}
}

/* Whether a dependency of i may be one of a revision further down, too. */
static bool shares_dependency(const struct narrowing *x, size_t i)
{
	size_t k;

	for (k = x->edges->start[i]; k < x->edges->start[i + 1]; k++)
		if (x->edges->depends[k] && x->dependents[x->edges->to[k]] > 1)
			return true;
	return false;
}

void migration_edges_walked(const struct migration_edges *edges, size_t n, const bool *in_cycle,
	struct migration_edges *walked)
{
	struct narrowing x = { .edges = edges };
	size_t i, k, to, at = 0;
	bool shares;

	x.dependents = mem_calloc(n + 1, sizeof(*x.dependents));
	x.seen = mem_calloc(n + 1, sizeof(*x.seen));
	x.covered = mem_calloc(n + 1, sizeof(*x.covered));
	x.stack = mem_calloc(n + 1, sizeof(*x.stack));
	walked->start = mem_calloc(n + 1, sizeof(*walked->start));
	walked->to = mem_calloc(edges->start[n] + 1, sizeof(*walked->to));
	walked->depends = NULL;
	for (k = 0; k < edges->start[n]; k++)
		x.dependents[edges->to[k]] += edges->depends[k];
	for (i = 0; i < n; i++) {
		shares = shares_dependency(&x, i);
		if (shares)
			cover_dependencies(&x, i);
		for (k = edges->start[i]; k < edges->start[i + 1]; k++) {
			to = edges->to[k];
			if (shares && edges->depends[k] && x.covered[to] == x.search)
				continue;
			if (in_cycle[i] && in_cycle[to] && to <= i)
				continue;
			walked->to[at++] = to;
		}
		walked->start[i + 1] = at;
	}
	free(x.dependents);
	free(x.seen);
	free(x.covered);
	free(x.stack);
}

/* --- walking --------------------------------------------------------------------------------- */

struct walking {
	const struct migration_walk *walk;
	bool *todo;
	size_t *waiting; /* how many of those to do are directly above */
	size_t *heads;   /* come down to, Alembic's current_heads */
	size_t n_heads;
	size_t at; /* the one of them that is followed */
	bool *is_head;
	size_t *seen; /* by the search whose number this is */
	size_t *stack;
	size_t search;
};

struct placed {
	size_t place, index;
};

static int compare_placed(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	return (x->place > y->place) - (x->place < y->place);
}

/* Those with nothing to do above them, in the order of the files. */
static void walking_find_heads(struct walking *w)
{
	struct placed *found = mem_calloc(w->walk->n + 1, sizeof(*found));
	size_t i, k, n = 0;

	for (i = 0; i < w->walk->n; i++) {
		if (!w->todo[i])
			continue;
		for (k = w->walk->up->start[i]; k < w->walk->up->start[i + 1]; k++)
			w->waiting[i] += w->todo[w->walk->up->to[k]];
		if (!w->waiting[i])
			found[n++] = (struct placed){ w->walk->place[i], i };
	}
	if (n > 1)
		qsort(found, n, sizeof(*found), compare_placed);
	for (i = 0; i < n; i++) {
		w->heads[i] = found[i].index;
		w->is_head[found[i].index] = true;
	}
	w->n_heads = n;
	free(found);
}

/* Follows the first head that stands above the one followed so far, which has to wait for it. */
static void walking_switch(struct walking *w)
{
	const struct migration_edges *up = w->walk->up;
	size_t top = 0, i = w->heads[w->at], k, j;

	w->search++;
	for (;;) {
		for (k = up->start[i]; k < up->start[i + 1]; k++) {
			j = up->to[k];
			if (!w->todo[j] || w->seen[j] == w->search)
				continue;
			w->seen[j] = w->search;
			w->stack[top++] = j;
		}
		if (!top)
			break;
		i = w->stack[--top];
	}
	for (j = 0; j < w->n_heads; j++) {
		if (w->seen[w->heads[j]] == w->search) {
			w->at = j;
			return;
		}
	}
}

/* Goes down from the head followed, which is done: to its first parent, and to the others in time. */
static void walking_descend(struct walking *w, size_t from)
{
	const struct migration_edges *down = w->walk->down;
	bool first = true;
	size_t k, to;

	w->is_head[from] = false;
	for (k = down->start[from]; k < down->start[from + 1]; k++) {
		to = down->to[k];
		if (!w->todo[to])
			continue;
		w->waiting[to]--;
		if (w->is_head[to])
			continue;
		w->is_head[to] = true;
		w->heads[first ? w->at : w->n_heads++] = to;
		first = false;
	}
	if (!first)
		return;
	memmove(w->heads + w->at, w->heads + w->at + 1,
		(w->n_heads - w->at - 1) * sizeof(*w->heads));
	w->n_heads--;
	w->at -= w->at > 0;
}

size_t migration_walk(const struct migration_walk *walk, bool *todo, size_t *out)
{
	struct walking w = { .walk = walk, .todo = todo };
	size_t n = 0, head;

	w.waiting = mem_calloc(walk->n + 1, sizeof(*w.waiting));
	w.heads = mem_calloc(walk->n + 1, sizeof(*w.heads));
	w.is_head = mem_calloc(walk->n + 1, sizeof(*w.is_head));
	w.seen = mem_calloc(walk->n + 1, sizeof(*w.seen));
	w.stack = mem_calloc(walk->n + 1, sizeof(*w.stack));
	walking_find_heads(&w);
	while (w.n_heads) {
		head = w.heads[w.at];
		if (w.waiting[head]) {
			walking_switch(&w);
			continue;
		}
		out[n++] = head;
		todo[head] = false;
		walking_descend(&w, head);
	}
	free(w.waiting);
	free(w.heads);
	free(w.is_head);
	free(w.seen);
	free(w.stack);
	return n;
}
