/*
 * The order in which revisions are shown, and which of them lie on a cycle. Works on plain numbers;
 * every step is linear but for the sorting of what could come next.
 */
#include <pgoncall/migrations/graph_order.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

/* One that may be shown next. */
struct candidate {
	const struct migration_revision *revision;
	size_t index;
	bool depends; /* reached as a dependency, not as a parent */
};

/* What shall come first sorts first. */
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order;

	if (x->depends != y->depends)
		return x->depends ? 1 : -1;
	order = strcmp(y->revision->created, x->revision->created);
	return order ? order : strcmp(x->revision->id, y->revision->id);
}

static void sort_candidates(struct candidate *items, size_t n)
{
	if (n > 1)
		qsort(items, n, sizeof(*items), compare_candidates);
}

/* waiting[i]: edges into i, of either kind. */
static void count_waiting(const struct migration_edges *edges, size_t n, size_t *waiting)
{
	size_t i, k;

	memset(waiting, 0, n * sizeof(*waiting));
	for (i = 0; i < n; i++)
		for (k = edges->start[i]; k < edges->start[i + 1]; k++)
			waiting[edges->to[k]]++;
}

/* Takes away what nothing points at, again and again: what is left is on a cycle or beyond one. */
static void peel(const struct migration_edges *edges, size_t n, bool *left)
{
	size_t *waiting = mem_calloc(n, sizeof(*waiting));
	size_t *stack = mem_calloc(n, sizeof(*stack));
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

static void reverse_edges(
	const struct migration_edges *edges, size_t n, struct migration_edges *reversed)
{
	size_t i, k, total = edges->start[n];
	size_t *fill = mem_calloc(n + 1, sizeof(*fill));

	reversed->start = mem_calloc(n + 2, sizeof(*reversed->start));
	reversed->to = mem_calloc(total ? total : 1, sizeof(*reversed->to));
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

void migration_find_cycles(const struct migration_edges *edges, size_t n, bool *in_cycle)
{
	struct migration_edges reversed;
	bool *below = mem_calloc(n + 1, sizeof(*below));
	size_t i;

	memset(in_cycle, true, n * sizeof(*in_cycle));
	memset(below, true, n * sizeof(*below));
	peel(edges, n, in_cycle);
	reverse_edges(edges, n, &reversed);
	peel(&reversed, n, below);
	for (i = 0; i < n; i++)
		in_cycle[i] = in_cycle[i] && below[i];
	free(reversed.start);
	free(reversed.to);
	free(below);
}

struct ordering {
	const struct migration_revision *revisions;
	const struct migration_edges *edges;
	size_t *waiting;
	bool *done;
	size_t *stack; /* the next to be shown is on top */
	size_t top;
	struct candidate *ready;
};

/* Puts the n ready ones on the stack, so that the first in order is on top. */
static void push_ready(struct ordering *o, size_t n)
{
	sort_candidates(o->ready, n);
	while (n)
		o->stack[o->top++] = o->ready[--n].index;
}

static void add_ready(struct ordering *o, size_t *n, size_t index, bool depends)
{
	o->ready[*n].revision = &o->revisions[index];
	o->ready[*n].index = index;
	o->ready[(*n)++].depends = depends;
}

/* Frees those that waited for i only. */
static void show(struct ordering *o, size_t i)
{
	size_t k, to, n = 0;

	o->done[i] = true;
	for (k = o->edges->start[i]; k < o->edges->start[i + 1]; k++) {
		to = o->edges->to[k];
		if (!o->done[to] && o->waiting[to] && --o->waiting[to] == 0)
			add_ready(o, &n, to, o->edges->depends[k]);
	}
	push_ready(o, n);
}

void migration_order(const struct migration_revision *revisions, size_t n,
	const struct migration_edges *edges, const bool *in_cycle, size_t *order)
{
	struct ordering o = { .revisions = revisions, .edges = edges };
	size_t i, shown = 0, ready = 0, next = 0, n_cyclic = 0;
	struct candidate *cyclic = mem_calloc(n + 1, sizeof(*cyclic));

	o.waiting = mem_calloc(n + 1, sizeof(*o.waiting));
	o.done = mem_calloc(n + 1, sizeof(*o.done));
	o.stack = mem_calloc(n + 1, sizeof(*o.stack));
	o.ready = mem_calloc(n + 1, sizeof(*o.ready));
	count_waiting(edges, n, o.waiting);
	for (i = 0; i < n; i++) {
		if (in_cycle[i])
			cyclic[n_cyclic++] = (struct candidate){ &revisions[i], i, false };
		if (!o.waiting[i])
			add_ready(&o, &ready, i, false);
	}
	sort_candidates(cyclic, n_cyclic);
	push_ready(&o, ready);
	while (shown < n) {
		while (o.top) {
			i = o.stack[--o.top];
			order[shown++] = i;
			show(&o, i);
		}
		/* Only a cycle can hold the rest up: open it at its first. */
		while (next < n_cyclic && o.done[cyclic[next].index])
			next++;
		if (next < n_cyclic) {
			o.waiting[cyclic[next].index] = 0;
			o.stack[o.top++] = cyclic[next].index;
		}
	}
	free(cyclic);
	free(o.waiting);
	free(o.done);
	free(o.stack);
	free(o.ready);
}
