/*
 * Compiled files without a source; see the header.
 */
#include <pgoncall/migrations/compiled.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#define CACHE "__pycache__/"
/* More names than that say nothing more. */
#define NAMES_MAX 20000

struct stem {
	const char *s;
	size_t len;
};

bool migration_is_compiled_file(const char *name)
{
	return (str_ends(name, ".pyc") || str_ends(name, ".pyo")) && !str_starts(name, ".#") &&
	       !str_starts(name, "__init__");
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void migration_compiled_note(struct migration_compiled *compiled, const char *path, bool recursive)
{
	const char *name = base_of(path), *cache = strstr(path, CACHE);
	bool below = strchr(path, '/') != NULL;

	if (cache && (cache == path || cache[-1] == '/')) {
		if ((recursive || cache == path) && migration_is_compiled_file(name))
			compiled->cached++;
	} else if (below && !recursive) {
		/* Not loaded. */
	} else if (migration_is_revision_file(name)) {
		compiled->seen++;
	} else if (migration_is_compiled_file(name) && compiled->names.n < NAMES_MAX) {
		strlist_add(&compiled->names, name);
	}
}

/* "ae10" of "ae10.py", "ae10.pyc" and "ae10.cpython-311.pyc". */
static struct stem stem_of(const char *path)
{
	const char *name = base_of(path);

	return (struct stem){ name, strcspn(name, ".") };
}

static int compare_stems(const void *a, const void *b)
{
	const struct stem *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->s, y->s, len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static size_t count_named(const struct migration_compiled *compiled,
	const struct migration_revision *revisions, size_t n,
	const struct migration_problems *problems)
{
	struct stem *sources = mem_calloc(n + problems->n + 1, sizeof(*sources)), stem;
	size_t i, n_sources = 0, count = 0;

	for (i = 0; i < n; i++)
		sources[n_sources++] = stem_of(revisions[i].path);
	for (i = 0; i < problems->n; i++)
		sources[n_sources++] = stem_of(problems->items[i].path);
	qsort(sources, n_sources, sizeof(*sources), compare_stems);
	for (i = 0; i < compiled->names.n; i++) {
		stem = stem_of(compiled->names.items[i]);
		count += !bsearch(&stem, sources, n_sources, sizeof(stem), compare_stems);
	}
	free(sources);
	return count;
}

size_t migration_compiled_count(const struct migration_compiled *compiled,
	const struct migration_revision *revisions, size_t n,
	const struct migration_problems *problems)
{
	if (compiled->names.n)
		return count_named(compiled, revisions, n, problems);
	return compiled->seen || n ? 0 : compiled->cached;
}

void migration_compiled_report(const struct migration_compiled *compiled,
	enum migration_sourceless sourceless, const struct migration_revision *revisions, size_t n,
	struct migration_problems *problems)
{
	size_t count = migration_compiled_count(compiled, revisions, n, problems);
	const char *s = count == 1 ? "" : "s";

	if (!count)
		return;
	if (sourceless == MIGRATION_SOURCELESS_YES)
		migration_problems_add(problems, "compiled-only", false, "", 0,
			"%zu revision%s %s here only as compiled file%s (.pyc; sourceless is set), "
			"which cannot be read from source: only Alembic's own history knows them",
			count, s, count == 1 ? "is" : "are", s);
	else if (n || compiled->seen)
		return; /* left over beside the sources: nobody loads them */
	else if (sourceless == MIGRATION_SOURCELESS_NO)
		migration_problems_add(problems, "compiled-only", true, "", 0,
			"there %s only %zu compiled file%s (.pyc) and no source, and Alembic loads "
			"none of them unless alembic.ini says sourceless = true",
			count == 1 ? "is" : "are", count, s);
	else
		migration_problems_add(problems, "compiled-only", false, "", 0,
			"there %s only %zu compiled file%s (.pyc), which cannot be read from "
			"source: only Alembic's own history knows them, where sourceless is set",
			count == 1 ? "is" : "are", count, s);
}

void migration_compiled_append(
	struct migration_compiled *compiled, const struct migration_compiled *other)
{
	size_t i;

	for (i = 0; i < other->names.n; i++)
		strlist_add(&compiled->names, other->names.items[i]);
	compiled->cached += other->cached;
	compiled->seen += other->seen;
}

void migration_compiled_fini(struct migration_compiled *compiled)
{
	strlist_fini(&compiled->names);
	memset(compiled, 0, sizeof(*compiled));
}
