/*
 * Our reading of revision directories against the real Alembic's, over random graphs. Skipped where
 * Python has no Alembic. PGONCALL_ALEMBIC_GRAPHS sets how many graphs, PGONCALL_ALEMBIC_SEED which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/graph.h>

#define ORACLE "tests/unit/migrations/alembic_oracle.py"

struct reading {
	struct migration_graph *graph;
	bool exact; /* and not only a valid order */
	size_t row; /* of the history, the next */
};

/* --- reading the directory --- */

static void read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	char chunk[4096];
	size_t n;

	assert_non_null(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, n);
	fclose(file);
}

static struct migration_graph *read_directory(const char *root, int number)
{
	char *dir = mem_printf("%s/%d/versions", root, number), *path;
	struct migration_revision *take = NULL;
	struct migration_problems problems;
	struct migration_graph *graph;
	struct buf text = BUF_INIT;
	struct dirent *entry;
	DIR *stream = opendir(dir);
	size_t n = 0, cap = 0;

	assert_non_null(stream);
	migration_problems_init(&problems);
	while ((entry = readdir(stream))) {
		if (!migration_is_revision_file(entry->d_name))
			continue;
		path = mem_printf("%s/%s", dir, entry->d_name);
		buf_clear(&text);
		read_file(path, &text);
		take = mem_grow(take, n, &cap, sizeof(*take));
		assert_int_equal(
			migration_revision_parse(path, text.data, text.len, &take[n], &problems),
			0);
		n++;
		free(path);
	}
	closedir(stream);
	assert_int_equal(problems.n, 0);
	graph = migration_graph_new(take, n, &problems);
	assert_int_equal(graph->problems.n, 0);
	free(take);
	free(dir);
	buf_fini(&text);
	return graph;
}

/* --- comparing --- */

static void add_strings(struct buf *out, const struct strlist *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		buf_printf(out, "%s ", list->items[i]);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void describe(const struct migration_revision *r, struct buf *out)
{
	struct strlist labels;
	size_t i;

	buf_printf(out, "rev %s | ", r->id);
	add_strings(out, &r->down);
	buf_add_str(out, "| ");
	add_strings(out, &r->depends_on);
	buf_printf(out, "|%s%s%s%s%s", r->is_head ? " head" : "",
		r->is_real_head ? " real-head" : "", r->is_base ? " base" : "",
		r->is_branchpoint ? " branchpoint" : "", r->is_merge ? " merge" : "");
	buf_add_str(out, " |");
	strlist_init(&labels);
	strlist_copy(&labels, &r->branches);
	if (labels.n)
		qsort(labels.items, labels.n, sizeof(*labels.items), compare_strings);
	for (i = 0; i < labels.n; i++)
		buf_printf(out, " %s", labels.items[i]);
	strlist_fini(&labels);
}

static void check_revision(struct reading *reading, const char *line)
{
	const struct migration_revision *r;
	struct buf got = BUF_INIT;
	struct strlist words;

	strlist_init(&words);
	strlist_add_words(&words, line);
	r = migration_graph_find(reading->graph, words.items[1]);
	assert_non_null(r);
	describe(r, &got);
	assert_string_equal(buf_str(&got), line);
	if (reading->exact)
		assert_ptr_equal(r, &reading->graph->revisions[reading->row]);
	reading->row++;
	strlist_fini(&words);
	buf_fini(&got);
}

static void check_order(const struct migration_graph *graph)
{
	size_t i, k;

	for (i = 0; i < graph->n; i++) {
		for (k = 0; k < graph->revisions[i].parents.n; k++)
			assert_true(graph->revisions[i].parents.items[k] > i);
		for (k = 0; k < graph->revisions[i].depends.n; k++)
			assert_true(graph->revisions[i].depends.items[k] > i);
	}
}

/* `line`: a key, then ids. Sorted, or in the order both give. */
static void check_list(const struct migration_graph *graph, const struct migration_list *list,
	const char *line, bool sorted)
{
	struct strlist got, want;
	size_t i;

	strlist_init(&got);
	strlist_init(&want);
	strlist_add_words(&want, line);
	assert_int_equal(list->n, want.n - 1);
	for (i = 0; i < list->n; i++)
		strlist_add(&got, graph->revisions[list->items[i]].id);
	if (sorted && got.n) {
		qsort(got.items, got.n, sizeof(*got.items), compare_strings);
		qsort(want.items + 1, want.n - 1, sizeof(*want.items), compare_strings);
	}
	for (i = 0; i < got.n; i++)
		assert_string_equal(got.items[i], want.items[i + 1]);
	strlist_fini(&got);
	strlist_fini(&want);
}

/* Whatever it needs comes before a pending revision. */
static void check_pending_order(const struct migration_graph *graph)
{
	const struct migration_revision *r;
	bool *applied = mem_calloc(graph->n + 1, sizeof(*applied));
	size_t i, k;

	for (i = 0; i < graph->n; i++)
		applied[i] = graph->revisions[i].state != MIGRATION_PENDING;
	for (i = 0; i < graph->pending.n; i++) {
		r = &graph->revisions[graph->pending.items[i]];
		for (k = 0; k < r->parents.n; k++)
			assert_true(applied[r->parents.items[k]]);
		for (k = 0; k < r->depends.n; k++)
			assert_true(applied[r->depends.items[k]]);
		applied[graph->pending.items[i]] = true;
	}
	free(applied);
}

static void check_refused(const struct migration_graph *graph, const char *line)
{
	const struct migration_problem *problem =
		migration_problems_find(&graph->problems, "overlapping-versions");

	assert_non_null(problem);
	assert_true(problem->fatal);
	assert_non_null(strstr(problem->text, line + strlen("refused ")));
}

static void mark(struct migration_graph *graph, const char *line)
{
	struct strlist rows;

	strlist_init(&rows);
	strlist_add_words(&rows, line + strlen("rows"));
	migration_graph_mark(graph, &rows);
	assert_int_equal(graph->unknown_rows.n, 0);
	strlist_fini(&rows);
}

static void check_line(struct reading *reading, const char *root, const char *line)
{
	int number;

	if (sscanf(line, "graph %d", &number) == 1) {
		migration_graph_free(reading->graph);
		reading->graph = read_directory(root, number);
		reading->exact = str_ends(line, "exact");
		reading->row = 0;
		check_order(reading->graph);
	} else if (str_starts(line, "rev ")) {
		check_revision(reading, line);
	} else if (str_starts(line, "heads")) {
		assert_int_equal(reading->row, reading->graph->n);
		check_list(reading->graph, &reading->graph->heads, line, true);
	} else if (str_starts(line, "rows")) {
		mark(reading->graph, line);
	} else if (str_starts(line, "current")) {
		check_list(reading->graph, &reading->graph->current, line, true);
	} else if (str_starts(line, "pending")) {
		assert_int_equal(reading->graph->problems.n, 0);
		check_list(reading->graph, &reading->graph->pending, line, !reading->exact);
		check_pending_order(reading->graph);
	} else if (str_starts(line, "refused")) {
		check_refused(reading->graph, line);
	} else {
		fail_msg("the oracle said: %s", line);
	}
}

static const char *find_python(void)
{
	static const char *const pythons[] = { "/usr/bin/python3", "python3" };
	char command[128];
	size_t i;

	for (i = 0; i < sizeof(pythons) / sizeof(pythons[0]); i++) {
		snprintf(command, sizeof(command), "%s -c 'import alembic' >/dev/null 2>&1",
			pythons[i]);
		if (system(command) == 0)
			return pythons[i];
	}
	return NULL;
}

static void graph_agrees_with_alembic(void **state)
{
	char root[] = "/tmp/pgoncall-alembic-XXXXXX", line[65536];
	const char *python = find_python(), *graphs = getenv("PGONCALL_ALEMBIC_GRAPHS");
	const char *seed = getenv("PGONCALL_ALEMBIC_SEED");
	struct reading reading = { 0 };
	char *command;
	FILE *oracle;
	int n = 0;

	(void)state;
	if (!python)
		skip();
	assert_non_null(mkdtemp(root));
	command = mem_printf(
		"%s " ORACLE " %s %s %s", python, root, seed ? seed : "7", graphs ? graphs : "300");
	oracle = popen(command, "r");
	assert_non_null(oracle);
	while (fgets(line, sizeof(line), oracle)) {
		line[strcspn(line, "\n")] = '\0';
		if (getenv("PGONCALL_ALEMBIC_VERBOSE"))
			print_message("%s\n", line);
		check_line(&reading, root, line);
		n++;
	}
	assert_int_equal(pclose(oracle), 0);
	assert_true(n > 1000);
	migration_graph_free(reading.graph);
	free(command);
	command = mem_printf("rm -rf %s", root);
	assert_int_equal(system(command), 0);
	free(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(graph_agrees_with_alembic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
