/*
 * Legacy SQL files against what their table records; see the header.
 */
#include <pgoncall/migrations/legacy.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

static const char *const state_names[] = {
	[LEGACY_APPLIED] = "applied",
	[LEGACY_PENDING] = "pending",
	[LEGACY_MISSING] = "missing",
};

const char *legacy_state_name(enum legacy_state state)
{
	return state_names[state];
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Length of a name without ".sql". */
static size_t stem_len(const char *name)
{
	size_t len = strlen(name);

	return str_ends(name, ".sql") ? len - 4 : len;
}

static int compare_stems(const char *a, const char *b)
{
	size_t x = stem_len(a), y = stem_len(b);
	int order = memcmp(a, b, x < y ? x : y);

	return order ? order : (x > y) - (x < y);
}

/* Runs of digits by value, the rest by byte; equal values (1 and 01) by byte in the end. */
static int compare_natural(const char *a, const char *b)
{
	const char *s = a, *t = b;
	size_t x, y;
	int order;

	while (*s && *t) {
		x = strspn(s, "0123456789");
		y = strspn(t, "0123456789");
		if (!x || !y) {
			if (*s != *t)
				return (unsigned char)*s < (unsigned char)*t ? -1 : 1;
			s++;
			t++;
			continue;
		}
		for (; x > 1 && *s == '0'; x--)
			s++;
		for (; y > 1 && *t == '0'; y--)
			t++;
		order = x != y ? (x < y ? -1 : 1) : memcmp(s, t, x);
		if (order)
			return order;
		s += x;
		t += y;
	}
	if (*s || *t)
		return *s ? 1 : -1;
	return strcmp(a, b);
}

static int compare_files(const void *a, const void *b)
{
	return compare_natural(
		((const struct legacy_file *)a)->name, ((const struct legacy_file *)b)->name);
}

static int compare_row_names(const void *a, const void *b)
{
	return compare_stems(*(const char *const *)a, *(const char *const *)b);
}

static void add_file(struct legacy_list *list, size_t *cap, const char *name, const char *path,
	enum legacy_state state)
{
	struct legacy_file *file;

	list->items = mem_grow(list->items, list->n, cap, sizeof(*list->items));
	file = &list->items[list->n++];
	file->name = mem_strdup(name);
	file->path = mem_strdup(path);
	file->state = state;
	list->n_pending += state == LEGACY_PENDING;
	list->n_missing += state == LEGACY_MISSING;
}

/* Base names, sorted, borrowed from the list; the array is the caller's. */
static const char **sorted_names(const struct strlist *names)
{
	const char **sorted = mem_calloc(names->n + 1, sizeof(*sorted));
	size_t i;

	for (i = 0; i < names->n; i++)
		sorted[i] = base_name(names->items[i]);
	if (names->n > 1)
		qsort(sorted, names->n, sizeof(*sorted), compare_row_names);
	return sorted;
}

static bool has_name(const char **sorted, size_t n, const char *name)
{
	return n && bsearch(&name, sorted, n, sizeof(*sorted), compare_row_names);
}

/* The number a name begins with, without leading zeros; its length, 0 where there is none. */
static size_t leading_number(const char **name)
{
	size_t n = strspn(*name, "0123456789");

	for (; n > 1 && **name == '0'; n--)
		++*name;
	return n;
}

/* Whether the row is nothing but a number, and the file's name begins with it. */
static bool is_number_of(const char *row, const char *file)
{
	size_t row_len = leading_number(&row), file_len = leading_number(&file);

	return row_len && !row[row_len] && row_len == file_len && memcmp(row, file, file_len) == 0;
}

static bool has_number(const char **rows, size_t n, const char *file)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (is_number_of(rows[i], file))
			return true;
	return false;
}

static bool is_number_of_any(const char *row, const char **files, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (is_number_of(row, files[i]))
			return true;
	return false;
}

static void only_sql(const struct strlist *paths, struct strlist *files)
{
	size_t i;

	strlist_init(files);
	for (i = 0; i < paths->n; i++)
		if (str_ends(paths->items[i], ".sql"))
			strlist_add(files, paths->items[i]);
}

size_t legacy_count_names(const struct strlist *paths, const struct strlist *rows)
{
	struct strlist files;
	const char **present, **recorded;
	size_t i, n = 0;

	only_sql(paths, &files);
	present = sorted_names(&files);
	recorded = sorted_names(rows);
	for (i = 0; i < rows->n; i++)
		n += has_name(present, files.n, recorded[i]) ||
		     is_number_of_any(recorded[i], present, files.n);
	free(present);
	free(recorded);
	strlist_fini(&files);
	return n;
}

void legacy_list_init(
	struct legacy_list *list, const struct strlist *paths, const struct strlist *rows)
{
	static const struct strlist none;
	struct strlist files;
	const char **recorded, **present, *name;
	size_t i, cap = 0;

	memset(list, 0, sizeof(*list));
	rows = rows ? rows : &none;
	only_sql(paths, &files);
	recorded = sorted_names(rows);
	present = sorted_names(&files);
	for (i = 0; i < files.n; i++) {
		name = base_name(files.items[i]);
		add_file(list, &cap, name, files.items[i],
			has_name(recorded, rows->n, name) || has_number(recorded, rows->n, name)
				? LEGACY_APPLIED
				: LEGACY_PENDING);
	}
	for (i = 0; i < rows->n; i++) {
		name = recorded[i];
		if (!has_name(present, files.n, name) &&
			!is_number_of_any(name, present, files.n) &&
			(i == 0 || compare_stems(name, recorded[i - 1]) != 0))
			add_file(list, &cap, name, "", LEGACY_MISSING);
	}
	if (list->n > 1)
		qsort(list->items, list->n, sizeof(*list->items), compare_files);
	free(recorded);
	free(present);
	strlist_fini(&files);
}

void legacy_list_fini(struct legacy_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		free(list->items[i].name);
		free(list->items[i].path);
	}
	free(list->items);
	memset(list, 0, sizeof(*list));
}
