/*
 * libFuzzer: revision files, and a graph of them, marked and drawn. `make fuzz` runs it from the corpus
 * in tests/fuzz/corpus/revision.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/migrations/graph.h>
#include <pgoncall/migrations/history.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_utf8(const char *s)
{
	size_t len = strlen(s), used;
	uint32_t cp;

	for (; len; s += used, len -= used) {
		used = utf8_decode(s, len, &cp);
		if (!used)
			abort();
	}
}

static void check_revision(const struct migration_revision *r)
{
	size_t i;

	check_utf8(r->id);
	check_utf8(r->message);
	check_utf8(r->docstring);
	for (i = 0; i < r->down.n; i++)
		check_utf8(r->down.items[i]);
	if (!*r->id || (r->upgrade.present && r->upgrade.last_line < r->upgrade.line))
		abort();
}

/* Each revision once, and in the states each is what its list says. */
static void check_pending(const struct migration_graph *graph)
{
	size_t i, pending = 0, current = 0;

	for (i = 0; i < graph->n; i++) {
		pending += graph->revisions[i].state == MIGRATION_PENDING;
		current += graph->revisions[i].state == MIGRATION_CURRENT;
	}
	if (pending != graph->pending.n || current != graph->current.n)
		abort();
	for (i = 0; i < graph->pending.n; i++)
		if (graph->revisions[graph->pending.items[i]].state != MIGRATION_PENDING)
			abort();
}

static void draw(const struct migration_graph *graph)
{
	struct migration_lanes *lanes = migration_lanes_new(graph);
	struct buf out = BUF_INIT;
	size_t i;

	for (i = 0; i < graph->n; i++)
		migration_lanes_row(lanes, i, i % 2, &out);
	buf_fini(&out);
	migration_lanes_free(lanes);
}

/* The input is split at form feeds into up to eight files, so that they can name each other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct migration_revision take[8];
	struct migration_problems problems;
	struct migration_graph *graph;
	struct strlist rows;
	const uint8_t *end = data + size, *stop;
	size_t n = 0;

	migration_problems_init(&problems);
	strlist_init(&rows);
	while (data < end && n < 8) {
		stop = memchr(data, '\f', (size_t)(end - data));
		stop = stop ? stop : end;
		if (migration_revision_parse("fuzz.py", (const char *)data, (size_t)(stop - data),
			    &take[n], &problems) == 0) {
			check_revision(&take[n]);
			strlist_add(&rows, n % 2 ? take[n].id : "x");
			n++;
		}
		data = stop + (stop < end);
	}
	graph = migration_graph_new(take, n, &problems);
	draw(graph);
	migration_graph_mark(graph, &rows);
	check_pending(graph);
	strlist_fini(&rows);
	migration_graph_mark(graph, &rows);
	check_pending(graph);
	draw(graph);
	migration_graph_free(graph);
	strlist_fini(&rows);
	return 0;
}
