/*
 * Graphs for tests, written one revision a line: "id <- down down : depends # label @created".
 */
#ifndef TESTS_UNIT_MIGRATIONS_GRAPH_FIXTURE_H
#define TESTS_UNIT_MIGRATIONS_GRAPH_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/graph.h>

/* The eight revisions of the guide. */
static const char *const fixture_guide = "ced8f3f148bb\n"
					 "2f7e9d4c8b1a <- ced8f3f148bb\n"
					 "71a746e3c1d9 <- 2f7e9d4c8b1a\n"
					 "8a5d2f9e1b3c <- 71a746e3c1d9\n"
					 "9f3c7b8e2d1a <- 8a5d2f9e1b3c\n"
					 "f23423398b2a <- 9f3c7b8e2d1a\n"
					 "001_research_metrics <- f23423398b2a\n"
					 "622dbc22743e <- 001_research_metrics\n";

/* A branch, its merge, two heads, and a second base that depends on one side of the branch. */
static const char *const fixture_graph = "a0\n"
					 "b0 <- a0\n"
					 "c1 <- b0\n"
					 "c2 <- b0\n"
					 "d0 <- c1 c2\n"
					 "e0 <- d0\n"
					 "f1 <- e0\n"
					 "f2 <- e0\n"
					 "x0 # billing\n"
					 "y0 <- x0 : c1\n";

static void fixture_read_line(char *line, struct migration_revision *r)
{
	struct strlist *list = NULL, words;
	size_t i;

	memset(r, 0, sizeof(*r));
	strlist_init(&words);
	strlist_add_words(&words, line);
	r->id = mem_strdup(words.items[0]);
	r->path = mem_printf("versions/%s.py", r->id);
	r->message = mem_printf("message of %s", r->id);
	r->docstring = mem_strdup(r->message);
	for (i = 1; i < words.n; i++) {
		if (strcmp(words.items[i], "<-") == 0) {
			list = &r->down;
		} else if (strcmp(words.items[i], ":") == 0) {
			list = &r->depends_on;
		} else if (strcmp(words.items[i], "#") == 0) {
			list = &r->labels;
		} else if (words.items[i][0] == '@') {
			free(r->created);
			r->created = mem_strdup(words.items[i] + 1);
		} else if (words.items[i][0] == '/') {
			free(r->path);
			r->path = mem_strdup(words.items[i] + 1);
		} else {
			strlist_add(list, words.items[i]);
		}
	}
	if (!r->created)
		r->created = mem_strdup("");
	strlist_fini(&words);
}

static struct migration_graph *fixture_build(const char *text)
{
	char *copy = mem_strdup(text), *line, *rest = copy;
	struct migration_revision *take = NULL;
	struct migration_graph *graph;
	size_t n = 0, cap = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		take = mem_grow(take, n, &cap, sizeof(*take));
		fixture_read_line(line, &take[n++]);
	}
	graph = migration_graph_new(take, n, NULL);
	free(take);
	free(copy);
	return graph;
}

/* rows: words; NULL: not known. */
static inline bool fixture_mark(struct migration_graph *graph, const char *rows)
{
	struct strlist list;
	bool changed;

	strlist_init(&list);
	if (rows)
		strlist_add_words(&list, rows);
	changed = migration_graph_mark(graph, rows ? &list : NULL);
	strlist_fini(&list);
	return changed;
}

#endif
