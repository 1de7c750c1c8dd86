/*
 * Directories of runbooks; see the header. What is in a file is document.c's.
 */
#include <pgoncall/runbook/library.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

static int is_runbook_file(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return *name != '.' && str_ends(name, ".md") && strcmp(name, "README.md") != 0;
}

static void library_say_problems(
	struct runbook_library *library, const char *path, const struct runbook_problems *problems)
{
	size_t i;

	for (i = 0; i < problems->n; i++) {
		if (problems->items[i].line)
			strlist_add_take(&library->problems,
				mem_printf("%s:%d: %s", path, problems->items[i].line,
					problems->items[i].text));
		else
			strlist_add(&library->problems, problems->items[i].text);
	}
}

static const struct runbook_entry *library_entry(
	const struct runbook_library *library, const char *name)
{
	size_t i;

	for (i = 0; i < library->n; i++)
		if (strcmp(library->items[i].runbook->name, name) == 0)
			return &library->items[i];
	return NULL;
}

/* The first directory's counts; two in one directory are a mistake. Takes the runbook. */
static void library_take(struct runbook_library *library, struct runbook *runbook, size_t directory)
{
	const struct runbook_entry *other = library_entry(library, runbook->name);

	if (!other) {
		library->items = mem_grow(
			library->items, library->n, &library->cap, sizeof(*library->items));
		library->items[library->n].runbook = runbook;
		library->items[library->n++].directory = directory;
		return;
	}
	if (other->directory == directory)
		strlist_add_take(&library->problems,
			mem_printf("%s:1: the name \"%s\" is taken by %s", runbook->path,
				runbook->name, other->runbook->path));
	else
		strlist_add_take(&library->notes,
			mem_printf("%s: replaces %s", other->runbook->path, runbook->path));
	runbook_free(runbook);
}

static void library_refuse(
	struct runbook_library *library, const char *file, size_t directory, const char *why)
{
	struct runbook_refusal *refusal;

	library->refused = mem_grow(library->refused, library->n_refused, &library->cap_refused,
		sizeof(*library->refused));
	refusal = &library->refused[library->n_refused++];
	refusal->name = mem_strndup(file, strlen(file) - strlen(".md"));
	refusal->why = mem_strdup(why);
	refusal->directory = directory;
}

static const struct runbook_refusal *library_refusal(
	const struct runbook_library *library, const char *name, const struct runbook_entry *entry)
{
	size_t i;

	for (i = 0; i < library->n_refused; i++)
		if (strcmp(library->refused[i].name, name) == 0 &&
			(!entry || entry->directory > library->refused[i].directory))
			return &library->refused[i];
	return NULL;
}

static int compare_names(const void *a, const void *b)
{
	const struct runbook_entry *x = a, *y = b;

	return strcmp(x->runbook->name, y->runbook->name);
}

int runbook_library_add(struct runbook_library *library, const char *directory, struct err *err)
{
	size_t number = library->n_directories++, first = library->n, said;
	struct runbook_problems problems;
	struct dirent **entries;
	struct runbook *runbook;
	char *path;
	int i, n;

	n = scandir(directory, &entries, is_runbook_file, alphasort);
	if (n < 0)
		return err_system(err, errno, "the runbooks in %s cannot be read", directory);
	for (i = 0; i < n; i++) {
		path = mem_printf("%s/%s", directory, entries[i]->d_name);
		memset(&problems, 0, sizeof(problems));
		runbook = runbook_read(path, &problems);
		said = library->problems.n;
		library_say_problems(library, path, &problems);
		if (runbook)
			library_take(library, runbook, number);
		else
			library_refuse(library, entries[i]->d_name, number,
				library->problems.n > said ? library->problems.items[said] : path);
		runbook_problems_fini(&problems);
		free(path);
		free(entries[i]);
	}
	free(entries);
	if (library->n > first)
		qsort(library->items + first, library->n - first, sizeof(*library->items),
			compare_names);
	return 0;
}

void runbook_library_fini(struct runbook_library *library)
{
	size_t i;

	for (i = 0; i < library->n; i++)
		runbook_free(library->items[i].runbook);
	free(library->items);
	for (i = 0; i < library->n_refused; i++) {
		free(library->refused[i].name);
		free(library->refused[i].why);
	}
	free(library->refused);
	strlist_fini(&library->problems);
	strlist_fini(&library->notes);
	memset(library, 0, sizeof(*library));
}

const struct runbook *runbook_library_find(
	const struct runbook_library *library, const char *name, struct err *err)
{
	const struct runbook_entry *entry = library_entry(library, name);
	const struct runbook_refusal *refusal = library_refusal(library, name, entry);
	struct buf names = BUF_INIT;
	const char *other;
	size_t i;

	if (refusal) {
		err_set(err, ERR_USAGE, "%s; mend that file, or take it away", refusal->why);
		return NULL;
	}
	if (entry)
		return entry->runbook;
	for (i = 0; i < library->n; i++) {
		other = library->items[i].runbook->name;
		if (*name && (strstr(other, name) || strncmp(other, name, 3) == 0))
			buf_printf(&names, "%s%s", names.len ? ", " : "", other);
	}
	if (names.len)
		err_set(err, ERR_USAGE, "there is no runbook \"%s\"; there is %s", name,
			buf_str(&names));
	else
		err_set(err, ERR_USAGE,
			"there is no runbook \"%s\": `pgoncall runbook list` shows them", name);
	buf_fini(&names);
	return NULL;
}

const struct runbook *runbook_library_for(
	const struct runbook_library *library, const char *code, size_t i)
{
	size_t j;

	for (j = 0; j < library->n; j++)
		if (strlist_has(&library->items[j].runbook->when, code) && i-- == 0)
			return library->items[j].runbook;
	return NULL;
}
