/*
 * The output of `alembic history --verbose` (Alembic 1.8 to 1.19), and its place in the graph. An entry
 * is a block of "Name: value" lines, an empty line, and the docstring, each line of it behind four
 * spaces, so that no docstring can look like an entry.
 */
#include <pgoncall/migrations/told.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/compiled.h>
#include <pgoncall/migrations/graph_index.h>

#define INDENT "    "

/* Problems that a file has by itself; the others are found anew. */
static const char *const file_codes[] = { "parse-error", "no-revision", "no-down-revision",
	"bad-value", "bad-revision-id" };

static const char *told_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Words behind commas. */
static void add_ids(struct strlist *out, const char *text)
{
	size_t len;

	while (*(text += strspn(text, ", \t"))) {
		len = strcspn(text, ", \t");
		strlist_add_n(out, text, len);
		text += len;
	}
}

static void read_field(struct migration_told_revision *r, const char *line)
{
	if (str_starts(line, "Parent: ") && strcmp(line, "Parent: <base>") != 0) {
		add_ids(&r->down, line + strlen("Parent: "));
	} else if (str_starts(line, "Merges: ")) {
		add_ids(&r->down, line + strlen("Merges: "));
	} else if (str_starts(line, "Also depends on: ")) {
		add_ids(&r->depends_on, line + strlen("Also depends on: "));
	} else if (str_starts(line, "Path: ")) {
		free(r->file);
		r->file = mem_strdup(told_base_name(line + strlen("Path: ")));
	}
}

static void begin_entry(struct migration_told *told, const char *line)
{
	struct migration_told_revision *r;

	told->items = mem_grow(told->items, told->n, &told->cap, sizeof(*told->items));
	r = &told->items[told->n++];
	memset(r, 0, sizeof(*r));
	r->id = mem_strndup(line, strcspn(line, " "));
	r->file = mem_strdup("");
}

static void end_entry(struct migration_told *told, struct buf *docstring)
{
	char *text;

	if (!told->n || told->items[told->n - 1].docstring)
		return;
	text = mem_strdup(buf_str(docstring));
	told->items[told->n - 1].docstring = mem_strdup(str_trim(text));
	free(text);
	buf_clear(docstring);
}

void migration_told_init(struct migration_told *told, const char *text, size_t len)
{
	char *copy = mem_strndup(text, len), *rest = copy, *line;
	struct buf docstring = BUF_INIT;

	memset(told, 0, sizeof(*told));
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "\r")] = '\0';
		if (str_starts(line, "Rev: ") && line[5]) {
			end_entry(told, &docstring);
			begin_entry(told, line + 5);
		} else if (told->n && str_starts(line, INDENT)) {
			buf_printf(&docstring, "%s\n", line + strlen(INDENT));
		} else if (told->n) {
			read_field(&told->items[told->n - 1], line);
		}
	}
	end_entry(told, &docstring);
	buf_fini(&docstring);
	free(copy);
}

void migration_told_fini(struct migration_told *told)
{
	size_t i;

	for (i = 0; i < told->n; i++) {
		free(told->items[i].id);
		free(told->items[i].file);
		free(told->items[i].docstring);
		strlist_fini(&told->items[i].down);
		strlist_fini(&told->items[i].depends_on);
	}
	free(told->items);
	memset(told, 0, sizeof(*told));
}

/* --- into the graph -------------------------------------------------------------------------- */

bool migration_told_is_wanted(const struct migration_graph *graph)
{
	const struct migration_problem *compiled =
		migration_problems_find(&graph->problems, "compiled-only");

	/* Those that Alembic does not load either are fatal. */
	return migration_problems_find(&graph->problems, "dynamic-value") ||
	       (compiled && !compiled->fatal);
}

/* Of several files of one name none is told apart. */
static const struct migration_told_revision *told_of_file(
	const struct migration_told *told, const char *file)
{
	const struct migration_told_revision *found = NULL;
	size_t i;

	for (i = 0; i < told->n; i++) {
		if (!*told->items[i].file || strcmp(told->items[i].file, file) != 0)
			continue;
		if (found)
			return NULL;
		found = &told->items[i];
	}
	return found;
}

static void take_told(
	struct migration_revision *r, const struct migration_told_revision *told, const char *path)
{
	const char *end;

	free(r->id);
	r->id = mem_strdup(told->id);
	strlist_fini(&r->down);
	strlist_copy(&r->down, &told->down);
	strlist_fini(&r->depends_on);
	strlist_copy(&r->depends_on, &told->depends_on);
	r->dynamic = r->told = true;
	if (r->path)
		return;
	/* A file that gave no identifier at all. */
	end = strstr(told->docstring, "\n\n");
	r->path = mem_strdup(path);
	r->docstring = mem_strdup(told->docstring);
	r->message = mem_strndup(
		told->docstring, end ? (size_t)(end - told->docstring) : strlen(told->docstring));
	r->created = mem_strdup("");
}

static bool has_file(const struct migration_graph *graph, const char *file)
{
	size_t i;

	for (i = 0; i < graph->n; i++)
		if (strcmp(told_base_name(graph->revisions[i].path), file) == 0)
			return true;
	return false;
}

/* n_compiled: how many of the compiled files were told. */
static void carry_problems(const struct migration_graph *graph, const struct migration_told *told,
	size_t n_compiled, const char *who, struct migration_problems *out)
{
	const struct migration_problem *p;
	size_t i, k;

	for (i = 0; i < graph->index->n_file_problems; i++) {
		p = &graph->problems.items[i];
		for (k = 0; k < sizeof(file_codes) / sizeof(file_codes[0]); k++)
			if (strcmp(p->code, file_codes[k]) == 0)
				migration_problems_add(
					out, p->code, p->fatal, p->path, p->line, "%s", p->text);
		if (strcmp(p->code, "compiled-only") == 0 && n_compiled)
			migration_problems_add(out, p->code, p->fatal, p->path, p->line,
				"%s; what %s said of %zu is shown", p->text, who, n_compiled);
		else if (strcmp(p->code, "compiled-only") == 0)
			migration_problems_add(
				out, p->code, p->fatal, p->path, p->line, "%s", p->text);
		if (strcmp(p->code, "dynamic-value") != 0)
			continue;
		if (told_of_file(told, told_base_name(p->path)))
			migration_problems_add(out, p->code, false, p->path, p->line,
				"computed when the file is run; what %s said is shown", who);
		else
			migration_problems_add(
				out, p->code, p->fatal, p->path, p->line, "%s", p->text);
	}
}

struct migration_graph *migration_told_apply(
	const struct migration_graph *graph, const struct migration_told *told, const char *who)
{
	const struct migration_revision **order = migration_graph_in_file_order(graph);
	struct migration_revision *take =
		mem_calloc(graph->n + told->n + graph->problems.n + 1, sizeof(*take));
	const struct migration_told_revision *found;
	struct migration_problems problems;
	struct migration_graph *filled = NULL;
	const struct migration_problem *p;
	size_t i, n, used = 0, n_compiled = 0;

	for (n = 0; n < graph->n; n++) {
		migration_revision_copy(&take[n], order[n]);
		found = take[n].dynamic ? told_of_file(told, told_base_name(take[n].path)) : NULL;
		if (found) {
			take_told(&take[n], found, take[n].path);
			used++;
		}
	}
	for (i = 0; i < graph->index->n_file_problems; i++) {
		p = &graph->problems.items[i];
		found = strcmp(p->code, "dynamic-value") == 0
				? told_of_file(told, told_base_name(p->path))
				: NULL;
		if (found && !has_file(graph, found->file) &&
			(n == graph->n || strcmp(take[n - 1].path, p->path) != 0)) {
			take_told(&take[n++], found, p->path);
			used++;
		}
	}
	for (i = 0; i < told->n; i++) {
		if (!migration_is_compiled_file(told->items[i].file) ||
			has_file(graph, told->items[i].file))
			continue;
		take_told(&take[n++], &told->items[i], told->items[i].file);
		n_compiled++;
	}
	used += n_compiled;
	if (used) {
		migration_problems_init(&problems);
		carry_problems(graph, told, n_compiled, who, &problems);
		filled = migration_graph_new(take, n, &problems);
	}
	for (i = 0; !used && i < n; i++)
		migration_revision_fini(&take[i]);
	free(take);
	free(order);
	return filled;
}
