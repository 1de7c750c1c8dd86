/*
 * Several sources of revisions as one graph; see the header. Owns the merging and the words for what
 * one source has and another has not.
 */
#include <pgoncall/migrations/sources.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/migrations/graph_index.h>

enum {
	NAMED_MAX = 3 /* ids named before "and N more" */
};

static bool was_read(const struct migration_sources *sources, size_t i)
{
	return sources->items[i].graph != NULL;
}

size_t migration_sources_read(const struct migration_sources *sources)
{
	size_t i, n = 0;

	for (i = 0; i < sources->n; i++)
		n += was_read(sources, i);
	return n;
}

size_t migration_sources_images(const struct migration_sources *sources)
{
	size_t i, n = 0;

	for (i = 0; i < sources->n; i++)
		n += was_read(sources, i) && sources->items[i].image;
	return n;
}

/* --- merging --------------------------------------------------------------------------------- */

static bool is_in_earlier(const struct migration_sources *sources, size_t source, const char *id)
{
	size_t i;

	for (i = 0; i < source; i++)
		if (was_read(sources, i) && migration_graph_find(sources->items[i].graph, id))
			return true;
	return false;
}

const struct migration_revision **migration_graph_in_file_order(const struct migration_graph *graph)
{
	const struct migration_revision **order = mem_calloc(graph->n + 1, sizeof(*order));
	size_t i, most = 0, n = 0;
	const struct migration_revision **at;

	for (i = 0; i < graph->n; i++)
		most = graph->revisions[i].place > most ? graph->revisions[i].place : most;
	at = mem_calloc(most + 1, sizeof(*at));
	for (i = 0; i < graph->n; i++)
		at[graph->revisions[i].place] = &graph->revisions[i];
	for (i = 0; i <= most; i++)
		if (at[i])
			order[n++] = at[i];
	free(at);
	return order;
}

static struct migration_graph *merge_graphs(const struct migration_sources *sources)
{
	const struct migration_revision **order;
	struct migration_revision *take;
	size_t i, k, n = 0, total = 0;

	for (i = 0; i < sources->n; i++)
		total += was_read(sources, i) ? sources->items[i].graph->n : 0;
	take = mem_calloc(total + 1, sizeof(*take));
	for (i = 0; i < sources->n; i++) {
		if (!was_read(sources, i))
			continue;
		order = migration_graph_in_file_order(sources->items[i].graph);
		for (k = 0; k < sources->items[i].graph->n; k++)
			if (!is_in_earlier(sources, i, order[k]->id))
				migration_revision_copy(&take[n++], order[k]);
		free(order);
	}
	return migration_graph_new_take(take, n, NULL);
}

/* What is wrong in one source and not in the whole, under the source's name. */
static void merge_problems(const struct migration_sources *sources)
{
	struct migration_problems *into = &sources->merged->problems;
	const struct migration_problem *p;
	size_t i, k, j, n_own = into->n;

	for (i = 0; i < sources->n; i++) {
		for (k = 0;
			was_read(sources, i) && k < sources->items[i].graph->index->n_file_problems;
			k++) {
			p = &sources->items[i].graph->problems.items[k];
			for (j = 0; j < n_own; j++)
				if (str_equal(into->items[j].code, p->code) &&
					str_equal(into->items[j].text, p->text))
					break;
			if (j < n_own)
				continue;
			migration_problems_add(into, p->code, p->fatal && sources->items[i].image,
				p->path, p->line, "%s: %s", sources->items[i].name, p->text);
		}
	}
	sources->merged->index->n_file_problems = into->n;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int compare_commit_files(const void *a, const void *b)
{
	return strcmp(((const struct migration_commit *)a)->file,
		((const struct migration_commit *)b)->file);
}

/* Which sources have it, whether they agree, which commit it came with. */
static void tell_revision(const struct migration_sources *sources, struct migration_revision *r)
{
	const struct migration_revision *its;
	const struct migration_commit *commit;
	struct migration_commit key = { .file = (char *)(uintptr_t)base_name(r->path) };
	size_t i;
	bool image = migration_sources_images(sources) == 0;

	r->sources = 0;
	r->differs = false;
	for (i = 0; i < sources->n; i++) {
		its = was_read(sources, i) ? migration_graph_find(sources->items[i].graph, r->id)
					   : NULL;
		if (!its)
			continue;
		r->sources |= 1u << i;
		r->differs = r->differs || its->digest != r->digest;
		image = image || sources->items[i].image;
	}
	r->undeployed = !image;
	free(r->commit);
	commit = sources->n_commits ? bsearch(&key, sources->commits, sources->n_commits,
					      sizeof(key), compare_commit_files)
				    : NULL;
	r->commit = commit ? mem_strdup(commit->text) : NULL;
}

static void merge(struct migration_sources *sources)
{
	size_t i, only = sources->n, read = migration_sources_read(sources);
	bool own = sources->merged != NULL;

	for (i = 0; i < sources->n; i++) {
		own = own && sources->merged != sources->items[i].graph;
		if (was_read(sources, i))
			only = i;
	}
	if (own)
		migration_graph_free(sources->merged);
	sources->merged = NULL;
	if (read == 1) {
		sources->merged = sources->items[only].graph;
	} else if (read) {
		sources->merged = merge_graphs(sources);
		merge_problems(sources);
	}
	for (i = 0; sources->merged && i < sources->merged->n; i++)
		tell_revision(sources, &sources->merged->revisions[i]);
}

void migration_sources_set(struct migration_sources *sources, size_t i,
	struct migration_graph *graph_take, const char *error)
{
	struct migration_source *source = &sources->items[i];
	struct migration_graph *old = source->graph;

	free(source->error);
	source->error = mem_strdup_opt(error);
	if (!graph_take)
		return;
	source->graph = graph_take;
	if (sources->merged == old)
		sources->merged = NULL;
	merge(sources);
	migration_graph_free(old);
}

size_t migration_sources_add(
	struct migration_sources *sources, const char *name, bool image, const char *where)
{
	struct migration_source *source = &sources->items[sources->n];

	source->name = name;
	source->image = image;
	source->where = mem_strdup(where);
	return sources->n++;
}

static void forget_log(struct migration_sources *sources)
{
	size_t i;

	for (i = 0; i < sources->n_commits; i++) {
		free(sources->commits[i].file);
		free(sources->commits[i].text);
	}
	free(sources->commits);
	sources->commits = NULL;
	sources->n_commits = sources->cap_commits = 0;
}

void migration_sources_fini(struct migration_sources *sources)
{
	size_t i;
	bool own = true;

	for (i = 0; i < sources->n; i++)
		own = own && sources->merged != sources->items[i].graph;
	if (own)
		migration_graph_free(sources->merged);
	for (i = 0; i < sources->n; i++) {
		migration_graph_free(sources->items[i].graph);
		free(sources->items[i].where);
		free(sources->items[i].error);
	}
	forget_log(sources);
	free(sources->log_error);
	memset(sources, 0, sizeof(*sources));
}

bool migration_sources_mark(struct migration_sources *sources, const struct strlist *version_rows)
{
	bool changed = false;
	size_t i;

	for (i = 0; i < sources->n; i++)
		if (was_read(sources, i))
			changed |= migration_graph_mark(sources->items[i].graph, version_rows);
	if (sources->merged)
		changed |= migration_graph_mark(sources->merged, version_rows);
	return changed;
}

/* --- the log of a checkout ------------------------------------------------------------------- */

/* "hash\2date\2author\2subject" in words; "" where it is something else. */
static char *commit_words(const char *line)
{
	struct strlist parts;
	const char *end;
	char *text;

	strlist_init(&parts);
	for (; parts.n < 3 && (end = strchr(line, '\2')); line = end + 1)
		strlist_add_n(&parts, line, (size_t)(end - line));
	text = parts.n < 3 ? mem_strdup("")
			   : mem_printf("%s, %s, %s: %s", parts.items[0], parts.items[1],
				     parts.items[2], line);
	strlist_fini(&parts);
	return text;
}

static int compare_commits(const void *a, const void *b)
{
	const struct migration_commit *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	return order ? order : (x->age > y->age) - (x->age < y->age);
}

/* By file, each once: the newest commit that added it brought what is there now. */
static void sort_log(struct migration_sources *sources)
{
	struct migration_commit *c = sources->commits;
	size_t i, n = 0;

	if (sources->n_commits > 1)
		qsort(c, sources->n_commits, sizeof(*c), compare_commits);
	for (i = 0; i < sources->n_commits; i++) {
		if (n && strcmp(c[n - 1].file, c[i].file) == 0) {
			free(c[i].file);
			free(c[i].text);
			continue;
		}
		c[n++] = c[i];
	}
	sources->n_commits = n;
}

void migration_sources_set_log(struct migration_sources *sources, const char *text, size_t len)
{
	char *copy = mem_strndup(text, len), *rest = copy, *line, *words = NULL;
	struct migration_commit *commit;
	size_t i;

	forget_log(sources);
	while ((line = strsep(&rest, "\n"))) {
		if (*line == '\1') {
			free(words);
			words = commit_words(line + 1);
		} else if (*line && words) {
			sources->commits = mem_grow(sources->commits, sources->n_commits,
				&sources->cap_commits, sizeof(*commit));
			commit = &sources->commits[sources->n_commits];
			commit->age = sources->n_commits++;
			commit->file = mem_strdup(base_name(line));
			commit->text = mem_strdup(words);
		}
	}
	free(words);
	free(copy);
	sort_log(sources);
	for (i = 0; sources->merged && i < sources->merged->n; i++)
		tell_revision(sources, &sources->merged->revisions[i]);
}

/* --- words ----------------------------------------------------------------------------------- */

/* Appends the names of the sources with these bits: "blue", "blue and green", "a, b and c". */
static void add_names(const struct migration_sources *sources, unsigned bits, struct buf *out)
{
	size_t i, left = 0, said = 0;

	for (i = 0; i < sources->n; i++)
		left += bits >> i & 1;
	for (i = 0; i < sources->n; i++) {
		if (!(bits >> i & 1))
			continue;
		buf_printf(out, "%s%s",
			!said++    ? ""
			: left > 1 ? ", "
				   : " and ",
			sources->items[i].name);
		left--;
	}
}

static unsigned bits_read(const struct migration_sources *sources, bool images_only)
{
	unsigned bits = 0;
	size_t i;

	for (i = 0; i < sources->n; i++)
		if (was_read(sources, i) && (sources->items[i].image || !images_only))
			bits |= 1u << i;
	return bits;
}

/* "files differ: green from blue": from the first that has it. */
static void add_differing(const struct migration_sources *sources,
	const struct migration_revision *revision, struct buf *out)
{
	const struct migration_revision *its, *first = NULL;
	size_t i, from = 0;
	unsigned others = 0;

	for (i = 0; i < sources->n; i++) {
		its = was_read(sources, i)
			      ? migration_graph_find(sources->items[i].graph, revision->id)
			      : NULL;
		if (!first && its)
			from = i;
		if (its && first && its->digest != first->digest)
			others |= 1u << i;
		first = first ? first : its;
	}
	buf_add_str(out, "files differ");
	if (!others)
		return;
	buf_add_str(out, ": ");
	add_names(sources, others, out);
	buf_printf(out, " from %s", sources->items[from].name);
}

void migration_sources_skew(const struct migration_sources *sources,
	const struct migration_revision *revision, struct buf *out)
{
	unsigned all = bits_read(sources, false), has = revision->sources & all;

	if (migration_sources_read(sources) < 2 || !has)
		return;
	if (has != all && (has & (has - 1)) == 0) {
		add_names(sources, has, out);
		buf_add_str(out, " only");
	} else if (has != all) {
		buf_add_str(out, "not in ");
		add_names(sources, all & ~has, out);
	}
	if (!revision->differs)
		return;
	if (has != all)
		buf_add_str(out, ", ");
	add_differing(sources, revision, out);
}

/* Whether the images do not agree on a file they all have. */
static bool images_differ(
	const struct migration_sources *sources, const struct migration_revision *revision)
{
	const struct migration_revision *its, *first = NULL;
	size_t i;

	for (i = 0; i < sources->n; i++) {
		if (!was_read(sources, i) || !sources->items[i].image)
			continue;
		its = migration_graph_find(sources->items[i].graph, revision->id);
		if (its && first && its->digest != first->digest)
			return true;
		first = its ? its : first;
	}
	return false;
}

bool migration_sources_colours_differ(
	const struct migration_sources *sources, const struct migration_revision *revision)
{
	unsigned images = bits_read(sources, true), has = revision->sources & images;

	return has && (has != images || (revision->differs && images_differ(sources, revision)));
}

void migration_sources_rollback(const struct migration_sources *sources,
	const struct migration_revision *revision, bool why, struct buf *out)
{
	unsigned images = bits_read(sources, true), has = revision->sources & images, lacking;

	if (!images)
		return;
	buf_add_str(out, !has ? "no image" : has != images ? "only " : "");
	add_names(sources, has, out);
	buf_add_str(out, " can roll it back");
	if (why && has != images) {
		lacking = images & ~has;
		buf_add_str(out, ": ");
		add_names(sources, lacking, out);
		buf_add_str(out,
			lacking & (lacking - 1) ? " have no file of it" : " has no file of it");
	}
	if (has && !revision->downgrade.present)
		buf_add_str(out, ", but it has no downgrade()");
	else if (has && revision->downgrade.empty)
		buf_add_str(out, ", but its downgrade() does nothing");
}

size_t migration_sources_ahead(
	const struct migration_sources *sources, size_t image, struct buf *out)
{
	const struct migration_graph *merged = sources->merged;
	const struct migration_revision *r;
	size_t i, n = 0;

	for (i = 0; merged && was_read(sources, image) && i < merged->n; i++) {
		r = &merged->revisions[i];
		if ((r->state != MIGRATION_APPLIED && r->state != MIGRATION_CURRENT) ||
			r->sources >> image & 1)
			continue;
		if (n++ < NAMED_MAX)
			buf_printf(out, "%s%s", n > 1 ? ", " : "", r->id);
	}
	if (n > NAMED_MAX)
		buf_printf(out, " and %zu more", n - NAMED_MAX);
	return n;
}
