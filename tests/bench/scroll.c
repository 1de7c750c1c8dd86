/*
 * What a key costs in a timeline of 10,000 revisions with branches, merges and dependencies: the key
 * and the drawing of the whole screen, 120 by 36. Prints "scroll MS 16": the slowest of the keys, as the
 * 99th of 100, against a frame.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/graph.h>
#include <pgoncall/ui/console.h>

#define REVISIONS 10000
#define KEYS      4000
#define FRAME_MS  16

static void add_down(struct migration_revision *r, size_t i)
{
	char id[32];

	snprintf(id, sizeof(id), "r%06zu", i);
	strlist_add(&r->down, id);
}

/* Every seventh begins a branch that the fifth after it merges; every ninth depends on an old one. */
static struct migration_graph *make_graph(void)
{
	struct migration_revision *take = mem_calloc(REVISIONS, sizeof(*take)), *r;
	struct migration_graph *graph;
	char text[32];
	size_t i;

	for (i = 0; i < REVISIONS; i++) {
		r = &take[i];
		r->id = mem_printf("r%06zu", i);
		r->path = mem_printf("versions/%s.py", r->id);
		r->message = mem_printf("Change number %zu of the schema", i);
		r->docstring = mem_strdup(r->message);
		r->created = mem_strdup("2025-01-27 10:00:00");
		if (i)
			add_down(r, i % 7 == 3 ? i - 2 : i - 1);
		if (i % 7 == 5)
			add_down(r, i - 3);
		snprintf(text, sizeof(text), "r%06zu", i / 2);
		if (i % 900 == 899)
			strlist_add(&r->depends_on, text);
	}
	graph = migration_graph_new(take, REVISIONS, NULL);
	free(take);
	return graph;
}

static int compare_times(const void *a, const void *b)
{
	return (*(const int64_t *)a > *(const int64_t *)b) -
	       (*(const int64_t *)a < *(const int64_t *)b);
}

int main(void)
{
	static const uint32_t keys[] = { 'j', KEY_CODE_PAGE_DOWN, 'k', KEY_CTRL('D'), 'G', 'g', 'b',
		KEY_CODE_PAGE_DOWN };
	static int64_t times[KEYS];
	struct migration_graph *graph = make_graph();
	struct console_options options = { .history_path = NULL };
	struct console_now now = { clock_monotonic(), clock_wall() };
	struct console *console;
	struct cells cells;
	int64_t start;
	size_t i;

	keys_set_init(&options.keys);
	console = console_new(&options);
	console_set_graph(console, graph, NULL);
	console_key(console, '1');
	cells_init(&cells, 36, 120, false);
	for (i = 0; i < KEYS; i++) {
		start = clock_monotonic();
		console_key(console, keys[i % (sizeof(keys) / sizeof(keys[0]))]);
		console_draw(console, &cells, &now);
		times[i] = clock_monotonic() - start;
	}
	qsort(times, KEYS, sizeof(times[0]), compare_times);
	printf("scroll %.3f %d\n", (double)times[KEYS * 99 / 100] / CLOCK_NS_PER_MS, FRAME_MS);
	cells_fini(&cells);
	console_free(console);
	migration_graph_free(graph);
	return 0;
}
