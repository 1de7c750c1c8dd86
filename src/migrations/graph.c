/*
 * Builds the graph: duplicates, parents, dependencies, order, heads, and what is wrong with the
 * chain. Where the database stands in it is graph_mark.c's, the order graph_order.c's.
 */
#include <pgoncall/migrations/graph.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/graph_index.h>
#include <pgoncall/migrations/graph_order.h>

enum {
	NAMED_MAX = 8 /* ids named in the sentence about a cycle */
};

/* --- looking up --- */

/* The first eight bytes as a number that is less where the id is less: most comparisons end there, and
 * the id itself, somewhere in memory, need not be fetched. */
static uint64_t id_key(const char *id)
{
	uint64_t key = 0;
	int i;

	for (i = 0; i < 8; i++) {
		key = key << 8 | (unsigned char)*id;
		id += *id != '\0';
	}
	return key;
}

static bool is_below(const struct migration_graph *graph, size_t at, uint64_t key, const char *id)
{
	uint64_t its = graph->index->keys[at];

	return its < key ||
	       (its == key && strcmp(graph->revisions[graph->index->by_id[at]].id, id) < 0);
}

/* The first position in by_id whose id is not below. */
static size_t lower_bound(const struct migration_graph *graph, const char *id)
{
	size_t low = 0, high = graph->n, mid;
	uint64_t key = id_key(id);

	while (low < high) {
		mid = low + (high - low) / 2;
		if (is_below(graph, mid, key, id))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t migration_graph_index_find(const struct migration_graph *graph, const char *id)
{
	size_t at = lower_bound(graph, id), i;

	if (at == graph->n)
		return MIGRATION_NOT_FOUND;
	i = graph->index->by_id[at];
	return strcmp(graph->revisions[i].id, id) == 0 ? i : MIGRATION_NOT_FOUND;
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct migration_label *)a)->name,
		((const struct migration_label *)b)->name);
}

size_t migration_graph_index_label(const struct migration_graph *graph, const char *name)
{
	struct migration_label key = { .name = name }, *found;

	if (!graph->index->n_labels)
		return MIGRATION_NOT_FOUND;
	found = bsearch(
		&key, graph->index->labels, graph->index->n_labels, sizeof(key), compare_labels);
	return found ? found->revision : MIGRATION_NOT_FOUND;
}

const struct migration_revision *migration_graph_find(
	const struct migration_graph *graph, const char *id)
{
	size_t i = migration_graph_index_find(graph, id);

	return i == MIGRATION_NOT_FOUND ? NULL : &graph->revisions[i];
}

const struct migration_revision *migration_graph_find_prefix(
	const struct migration_graph *graph, const char *prefix, size_t *n_matches)
{
	const struct migration_revision *found = migration_graph_find(graph, prefix);
	size_t at = lower_bound(graph, prefix), n = 0;

	if (!found) {
		while (at + n < graph->n &&
			str_starts(graph->revisions[graph->index->by_id[at + n]].id, prefix))
			n++;
		if (n == 1)
			found = &graph->revisions[graph->index->by_id[at]];
	}
	if (n_matches)
		*n_matches = found ? 1 : n;
	return found;
}

void migration_graph_add_ids(
	const struct migration_graph *graph, const struct migration_list *list, struct buf *out)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (i)
			buf_add_str(out, ", ");
		buf_add_str(out, graph->revisions[list->items[i]].id);
	}
}

/* --- building --- */

/* A revision while they are sorted. */
struct sorted_id {
	uint64_t key;
	const char *id;
	size_t place; /* in the array given */
};

static int compare_id_then_place(const void *a, const void *b)
{
	const struct sorted_id *x = a, *y = b;
	int order;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	order = strcmp(x->id, y->id);
	return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* Puts items into another order where they are: the i-th becomes that at order[i]. */
static void reorder(struct migration_revision *items, size_t n, const size_t *order)
{
	bool *placed = mem_calloc(n + 1, sizeof(*placed));
	struct migration_revision first;
	size_t i, at;

	for (i = 0; i < n; i++) {
		if (placed[i])
			continue;
		first = items[i];
		for (at = i; order[at] != i; at = order[at]) {
			items[at] = items[order[at]];
			placed[at] = true;
		}
		items[at] = first;
		placed[at] = true;
	}
	free(placed);
}

static void sort_revisions(struct migration_revision *r, size_t n)
{
	struct sorted_id *ids = mem_calloc(n + 1, sizeof(*ids));
	size_t *order = mem_calloc(n + 1, sizeof(*order)), i;

	for (i = 0; i < n; i++) {
		r[i].place = i;
		ids[i] = (struct sorted_id){ id_key(r[i].id), r[i].id, i };
	}
	if (n > 1)
		qsort(ids, n, sizeof(*ids), compare_id_then_place);
	for (i = 0; i < n; i++)
		order[i] = ids[i].place;
	reorder(r, n, order);
	free(order);
	free(ids);
}

/* Sorts the revisions by id, each id once. */
static void take_revisions(struct migration_graph *graph, struct migration_revision *r, size_t n)
{
	size_t i;

	sort_revisions(r, n);
	graph->revisions = r;
	for (i = 0; i < n; i++) {
		if (i + 1 == n || strcmp(r[i].id, r[i + 1].id) != 0) {
			r[graph->n++] = r[i];
			continue;
		}
		r[i + 1].place = r[i].place;
		migration_problems_add(&graph->problems, "duplicate-revision", false, r[i].path,
			r[i].line,
			"revision '%s' is in two files; Alembic takes one of them and warns (the "
			"other is %s)",
			r[i].id, r[i + 1].path);
		migration_revision_fini(&r[i]);
	}
}

static void index_ids(struct migration_graph *graph)
{
	size_t i;

	graph->index->by_id = mem_calloc(graph->n + 1, sizeof(size_t));
	graph->index->keys = mem_calloc(graph->n + 1, sizeof(uint64_t));
	for (i = 0; i < graph->n; i++) {
		graph->index->by_id[i] = i;
		graph->index->keys[i] = id_key(graph->revisions[i].id);
	}
}

static void index_labels(struct migration_graph *graph)
{
	struct migration_graph_index *index = graph->index;
	size_t i, k, total = 0;

	for (i = 0; i < graph->n; i++)
		total += graph->revisions[i].labels.n;
	index->labels = mem_calloc(total + 1, sizeof(*index->labels));
	for (i = 0; i < graph->n; i++)
		for (k = 0; k < graph->revisions[i].labels.n; k++)
			index->labels[index->n_labels++] =
				(struct migration_label){ graph->revisions[i].labels.items[k], i };
	if (total > 1)
		qsort(index->labels, total, sizeof(*index->labels), compare_labels);
}

static void report_duplicate_labels(struct migration_graph *graph)
{
	const struct migration_label *labels = graph->index->labels;
	const struct migration_revision *r;
	size_t i;

	for (i = 0; i < graph->index->n_labels; i++) {
		r = &graph->revisions[labels[i].revision];
		if (migration_graph_index_find(graph, labels[i].name) != MIGRATION_NOT_FOUND)
			migration_problems_add(&graph->problems, "duplicate-label", true, r->path,
				r->labels_line,
				"branch label '%s' of %s is a revision's id, too, so no alembic "
				"command works",
				labels[i].name, r->id);
		if (i && strcmp(labels[i].name, labels[i - 1].name) == 0)
			migration_problems_add(&graph->problems, "duplicate-label", true, r->path,
				r->labels_line,
				"branch label '%s' is given by %s and by %s, so no alembic command "
				"works",
				labels[i].name, graph->revisions[labels[i - 1].revision].id, r->id);
	}
}

/* A file whose own id could not be read, or NULL. */
static const char *file_without_id(const struct migration_graph *graph)
{
	const struct migration_problem *p;
	size_t i, k;

	for (i = 0; i < graph->problems.n; i++) {
		p = &graph->problems.items[i];
		if (strcmp(p->code, "dynamic-value") != 0)
			continue;
		for (k = 0; k < graph->n && strcmp(graph->revisions[k].path, p->path) != 0; k++)
			;
		if (k == graph->n)
			return p->path;
	}
	return NULL;
}

static void report_missing(struct migration_graph *graph, const struct migration_revision *r,
	const char *id, bool depends)
{
	const char *file = file_without_id(graph);

	if (file) {
		migration_problems_add(&graph->problems,
			depends ? "missing-dependency" : "missing-parent", false, r->path,
			depends ? r->depends_line : r->down_line,
			"%s %s '%s', which is in no file that could be read: perhaps in %s, whose "
			"id is computed",
			r->id, depends ? "depends on" : "comes after", id, file);
		return;
	}
	migration_problems_add(&graph->problems, depends ? "missing-dependency" : "missing-parent",
		true, r->path, depends ? r->depends_line : r->down_line,
		"%s %s '%s', which no file defines, so no alembic command works: restore its file",
		r->id, depends ? "depends on" : "comes after", id);
}

static void add_edges(struct migration_graph *graph, size_t i, bool depends,
	struct migration_edges *edges, size_t *n)
{
	const struct migration_revision *r = &graph->revisions[i];
	const struct strlist *names = depends ? &r->depends_on : &r->down;
	size_t k, to, first = *n, seen;

	for (k = 0; k < names->n; k++) {
		if (!*names->items[k])
			continue; /* down_revision = "" is no parent, as None */
		to = migration_graph_index_find(graph, names->items[k]);
		if (to == MIGRATION_NOT_FOUND && depends)
			to = migration_graph_index_label(graph, names->items[k]);
		if (to == MIGRATION_NOT_FOUND) {
			report_missing(graph, r, names->items[k], depends);
			continue;
		}
		for (seen = first; seen < *n && edges->to[seen] != to; seen++)
			;
		if (seen < *n)
			continue;
		edges->to[*n] = to;
		edges->depends[(*n)++] = depends;
	}
}

static void find_edges(struct migration_graph *graph, struct migration_edges *edges)
{
	size_t i, total = 0, n = 0;

	for (i = 0; i < graph->n; i++)
		total += graph->revisions[i].down.n + graph->revisions[i].depends_on.n;
	edges->start = mem_calloc(graph->n + 1, sizeof(*edges->start));
	edges->to = mem_calloc(total + 1, sizeof(*edges->to));
	edges->depends = mem_calloc(total + 1, sizeof(*edges->depends));
	for (i = 0; i < graph->n; i++) {
		add_edges(graph, i, false, edges, &n);
		add_edges(graph, i, true, edges, &n);
		edges->start[i + 1] = n;
	}
}

/* Puts the revisions into the order they are walked in; order[] tells which comes where. */
static void permute(struct migration_graph *graph, const size_t *order, const bool *in_cycle)
{
	size_t *rank = mem_calloc(graph->n + 1, sizeof(*rank)), i;

	graph->index->place = mem_calloc(graph->n + 1, sizeof(size_t));
	reorder(graph->revisions, graph->n, order);
	for (i = 0; i < graph->n; i++)
		rank[order[i]] = i;
	for (i = 0; i < graph->n; i++) {
		graph->revisions[i].in_cycle = in_cycle[order[i]];
		graph->index->by_id[i] = rank[i];
		graph->index->place[i] = graph->revisions[i].place;
	}
	for (i = 0; i < graph->index->n_labels; i++)
		graph->index->labels[i].revision = rank[graph->index->labels[i].revision];
	free(rank);
}

static struct migration_walk walk_of(const struct migration_graph *graph)
{
	return (struct migration_walk){ .down = &graph->index->down,
		.up = &graph->index->up,
		.place = graph->index->place,
		.n = graph->n };
}

/* Finds the order, and puts revisions and edges into it. */
static void arrange(struct migration_graph *graph, struct migration_edges *edges)
{
	struct migration_graph_index *index = graph->index;
	bool *in_cycle = mem_calloc(graph->n + 1, sizeof(*in_cycle));
	bool *todo = mem_calloc(graph->n + 1, sizeof(*todo));
	size_t *order = mem_calloc(graph->n + 1, sizeof(*order)), i;
	struct migration_walk walk;

	migration_find_cycles(edges, graph->n, in_cycle);
	migration_edges_walked(edges, graph->n, in_cycle, &index->down);
	migration_edges_reverse(&index->down, graph->n, &index->up);
	index->place = mem_calloc(graph->n + 1, sizeof(size_t));
	for (i = 0; i < graph->n; i++)
		index->place[i] = graph->revisions[i].place;
	memset(todo, true, graph->n * sizeof(*todo));
	walk = walk_of(graph);
	migration_walk(&walk, todo, order);
	free(index->place);
	permute(graph, order, in_cycle);
	migration_edges_permute(edges, graph->n, order);
	migration_edges_permute(&index->down, graph->n, order);
	migration_edges_permute(&index->up, graph->n, order);
	free(in_cycle);
	free(todo);
	free(order);
}

size_t migration_graph_walk(const struct migration_graph *graph, bool *todo, size_t *out)
{
	struct migration_walk walk = walk_of(graph);

	return migration_walk(&walk, todo, out);
}

static struct migration_list *backward_list(struct migration_graph *graph, size_t i, bool depends)
{
	return depends ? &graph->revisions[i].dependents : &graph->revisions[i].children;
}

/* Gives each revision its part of the block for those that point at it, of one kind. */
static size_t link_backwards(struct migration_graph *graph, const struct migration_edges *edges,
	bool depends, size_t *block, size_t at)
{
	struct migration_list *list;
	size_t i, k;

	for (k = 0; k < edges->start[graph->n]; k++)
		if (edges->depends[k] == depends)
			backward_list(graph, edges->to[k], depends)->n++;
	for (i = 0; i < graph->n; i++) {
		list = backward_list(graph, i, depends);
		list->items = block + at;
		at += list->n;
		list->n = 0;
	}
	for (i = 0; i < graph->n; i++) {
		for (k = edges->start[i]; k < edges->start[i + 1]; k++) {
			if (edges->depends[k] != depends)
				continue;
			list = backward_list(graph, edges->to[k], depends);
			list->items[list->n++] = i;
			graph->revisions[edges->to[k]].is_real_head = false;
		}
	}
	return at;
}

/* The four lists of each revision out of the edges, all in one block. */
static void link_revisions(struct migration_graph *graph, const struct migration_edges *edges)
{
	struct migration_revision *r;
	size_t i, k, at = 0;
	size_t *block = mem_calloc(2 * edges->start[graph->n] + 1, sizeof(*block));

	graph->index->edges = block;
	for (i = 0; i < graph->n; i++) {
		r = &graph->revisions[i];
		r->is_real_head = true;
		r->parents.items = block + at;
		for (k = edges->start[i]; k < edges->start[i + 1]; k++) {
			if (edges->depends[k] && !r->depends.items)
				r->depends.items = block + at;
			block[at++] = edges->to[k];
			*(edges->depends[k] ? &r->depends.n : &r->parents.n) += 1;
		}
	}
	at = link_backwards(graph, edges, false, block, at);
	link_backwards(graph, edges, true, block, at);
}

static void set_flags(struct migration_graph *graph)
{
	struct migration_revision *r;
	size_t i;

	graph->heads.items = mem_calloc(graph->n + 1, sizeof(size_t));
	for (i = 0; i < graph->n; i++) {
		r = &graph->revisions[i];
		r->is_head = r->children.n == 0;
		r->is_base = r->down.n == 0;
		r->is_merge = r->down.n > 1;
		r->is_branchpoint = r->children.n > 1;
		r->state = MIGRATION_UNKNOWN;
		if (r->is_head)
			graph->heads.items[graph->heads.n++] = i;
	}
}

static bool ends_a_line(const struct migration_revision *r)
{
	return r->children.n + r->dependents.n > 1 || r->is_merge;
}

/* Gives the label to i and all that come after it; while their line neither parts nor merges, also to
 * those before it, as far as that holds for them (RevisionMap._add_branches). */
static void spread_label(struct migration_graph *graph, size_t i, const char *label)
{
	const struct migration_list *next;
	struct migration_revision *r = &graph->revisions[i];
	size_t top = 0, k;
	bool line = true;

	graph->index->stack[top++] = i;
	strlist_add(&r->branches, label);
	while (top) {
		next = &graph->revisions[graph->index->stack[--top]].children;
		line = line && !ends_a_line(&graph->revisions[graph->index->stack[top]]);
		for (k = 0; k < next->n; k++) {
			if (strlist_has(&graph->revisions[next->items[k]].branches, label))
				continue;
			strlist_add(&graph->revisions[next->items[k]].branches, label);
			graph->index->stack[top++] = next->items[k];
		}
	}
	while (line && r->parents.n == 1) {
		r = &graph->revisions[r->parents.items[0]];
		line = !ends_a_line(r) && !strlist_has(&r->branches, label);
		if (line)
			strlist_add(&r->branches, label);
	}
}

static void spread_labels(struct migration_graph *graph)
{
	size_t i;

	for (i = 0; i < graph->index->n_labels; i++)
		spread_label(graph, graph->index->labels[i].revision, graph->index->labels[i].name);
}

static void report_cycle(struct migration_graph *graph)
{
	const struct migration_revision *r, *first = NULL;
	struct buf names = BUF_INIT;
	size_t i, n = 0;

	for (i = 0; i < graph->n; i++) {
		r = &graph->revisions[graph->index->by_id[i]];
		if (!r->in_cycle)
			continue;
		if (!first)
			first = r;
		if (n++ < NAMED_MAX)
			buf_printf(&names, "%s%s", n > 1 ? ", " : "", r->id);
	}
	if (n > NAMED_MAX)
		buf_printf(&names, " and %zu more", n - NAMED_MAX);
	if (first)
		migration_problems_add(&graph->problems, "cycle", true, first->path,
			first->down_line,
			"revisions come after each other in a circle, which most alembic commands "
			"refuse: %s",
			buf_str(&names));
	buf_fini(&names);
}

struct migration_graph *migration_graph_new(
	struct migration_revision *take, size_t n, struct migration_problems *problems_take)
{
	struct migration_revision *own = mem_calloc(n + 1, sizeof(*own));

	if (n) {
		memcpy(own, take, n * sizeof(*own));
		memset(take, 0, n * sizeof(*take));
	}
	return migration_graph_new_take(own, n, problems_take);
}

struct migration_graph *migration_graph_new_take(struct migration_revision *revisions_take,
	size_t n, struct migration_problems *problems_take)
{
	struct migration_graph *graph = mem_calloc(1, sizeof(*graph));
	struct migration_edges edges;

	graph->index = mem_calloc(1, sizeof(*graph->index));
	if (problems_take) {
		graph->problems = *problems_take;
		migration_problems_init(problems_take);
	}
	take_revisions(graph, revisions_take, n);
	index_ids(graph);
	graph->index->stack = mem_calloc(graph->n + 1, sizeof(size_t));
	index_labels(graph);
	find_edges(graph, &edges);
	arrange(graph, &edges);
	link_revisions(graph, &edges);
	set_flags(graph);
	spread_labels(graph);
	report_duplicate_labels(graph);
	report_cycle(graph);
	graph->index->n_file_problems = graph->problems.n;
	graph->index->reached = mem_calloc(graph->n + 1, sizeof(bool));
	graph->current.items = mem_calloc(graph->n + 1, sizeof(size_t));
	graph->pending.items = mem_calloc(graph->n + 1, sizeof(size_t));
	migration_edges_fini(&edges);
	return graph;
}

void migration_graph_keep_problems(struct migration_graph *graph)
{
	graph->index->n_file_problems = graph->problems.n;
}

void migration_graph_free(struct migration_graph *graph)
{
	size_t i;

	if (!graph)
		return;
	for (i = 0; i < graph->n; i++)
		migration_revision_fini(&graph->revisions[i]);
	free(graph->revisions);
	free(graph->heads.items);
	free(graph->current.items);
	free(graph->pending.items);
	strlist_fini(&graph->rows);
	strlist_fini(&graph->unknown_rows);
	migration_problems_fini(&graph->problems);
	free(graph->index->by_id);
	free(graph->index->keys);
	free(graph->index->labels);
	free(graph->index->edges);
	free(graph->index->place);
	migration_edges_fini(&graph->index->down);
	migration_edges_fini(&graph->index->up);
	free(graph->index->stack);
	free(graph->index->reached);
	free(graph->index);
	free(graph);
}
