/*
 * What a directory of journals holds. Every file is read whole: there are tens, not thousands, and
 * an index would be one more thing that can be wrong.
 */
#include <pgoncall/journal/list.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#define SUFFIX ".jsonl"

static int list_wants(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_ends(entry->d_name, SUFFIX);
}

static int list_by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The paths of all journals, oldest incident first (names begin with the moment). */
static int list_paths(const char *directory, struct strlist *paths, struct err *err)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, list_wants, list_by_name), i;

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return err_system(err, errno, "cannot read the directory %s", directory);
	for (i = 0; i < n; i++) {
		strlist_add_take(paths, mem_printf("%s/%s", directory, entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static char *list_incident_of(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return mem_strndup(name, strlen(name) - strlen(SUFFIX));
}

static void list_summarise(const char *path, struct journal_summary *summary)
{
	const struct journal_record *first = NULL, *last = NULL;
	struct journal_log log;
	struct err err;
	size_t i;

	memset(summary, 0, sizeof(*summary));
	summary->path = mem_strdup(path);
	summary->incident = list_incident_of(path);
	if (journal_load(path, &log, &err) < 0) {
		memset(&log, 0, sizeof(log));
		log.broken_line = 1;
	}
	if (log.n) {
		first = &log.records[0];
		last = &log.records[log.n - 1];
	}
	summary->target = mem_strdup(first && first->target ? first->target : "");
	summary->user = mem_strdup(first && first->user ? first->user : "");
	summary->first_ts = mem_strdup(first && first->ts ? first->ts : "");
	summary->last_ts = mem_strdup(last && last->ts ? last->ts : "");
	summary->records = log.n;
	summary->broken = log.broken_line != 0;
	for (i = 0; i < log.n; i++) {
		if (log.records[i].event != JOURNAL_INTENT)
			continue;
		summary->writes++;
		summary->unknowns += journal_log_is_pending(&log, &log.records[i], NULL);
	}
	journal_log_fini(&log);
}

int journal_list_load(const char *directory, struct journal_list *list, struct err *err)
{
	struct strlist paths;
	size_t i;
	int rc;

	memset(list, 0, sizeof(*list));
	strlist_init(&paths);
	rc = list_paths(directory, &paths, err);
	list->n = paths.n;
	list->items = mem_calloc(paths.n + 1, sizeof(*list->items));
	for (i = 0; i < paths.n; i++)
		list_summarise(paths.items[paths.n - 1 - i], &list->items[i]);
	strlist_fini(&paths);
	return rc;
}

void journal_list_fini(struct journal_list *list)
{
	struct journal_summary *item;
	size_t i;

	for (i = 0; i < list->n; i++) {
		item = &list->items[i];
		free(item->incident);
		free(item->path);
		free(item->target);
		free(item->user);
		free(item->first_ts);
		free(item->last_ts);
	}
	free(list->items);
	memset(list, 0, sizeof(*list));
}

/* A writer holds an exclusive lock for as long as it lives. */
bool journal_is_live(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool live = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return live;
}

/* Moves the record out of the log. */
static void pending_add(
	struct journal_pending_list *list, struct journal_log *log, size_t i, bool lost, bool live)
{
	struct journal_pending *item;

	list->items = mem_grow(list->items, list->n, &list->cap, sizeof(*list->items));
	item = &list->items[list->n++];
	item->path = mem_strdup(log->path);
	item->intent = log->records[i];
	item->lost = lost;
	item->live = live;
	memset(&log->records[i], 0, sizeof(log->records[i]));
}

static void pending_add_of(
	struct journal_pending_list *list, struct journal_log *log, const char *target, bool live)
{
	const struct journal_record *record;
	bool lost;
	size_t i;

	for (i = 0; i < log->n; i++) {
		record = &log->records[i];
		if (record->event != JOURNAL_INTENT ||
			(target && !str_equal(record->target, target)))
			continue;
		if (journal_log_is_pending(log, record, &lost))
			pending_add(list, log, i, lost, live);
	}
}

int journal_pending_load(const char *directory, const char *target,
	struct journal_pending_list *list, struct err *err)
{
	struct journal_log log;
	struct strlist paths;
	bool live;
	size_t i;
	int rc;

	memset(list, 0, sizeof(*list));
	strlist_init(&paths);
	rc = list_paths(directory, &paths, err);
	for (i = 0; rc == 0 && i < paths.n; i++) {
		/* Asked first: what a live writer adds meanwhile must not look like its end. */
		live = journal_is_live(paths.items[i]);
		rc = journal_load(paths.items[i], &log, err);
		if (rc == 0) {
			pending_add_of(list, &log, target, live);
			journal_log_fini(&log);
		}
	}
	strlist_fini(&paths);
	if (rc < 0)
		journal_pending_fini(list);
	return rc;
}

void journal_pending_fini(struct journal_pending_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		journal_record_fini(&list->items[i].intent);
		free(list->items[i].path);
	}
	free(list->items);
	memset(list, 0, sizeof(*list));
}
