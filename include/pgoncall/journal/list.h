/*
 * What a directory of journals holds: its incidents, and the writes whose result is not known.
 */
#ifndef PGONCALL_JOURNAL_LIST_H
#define PGONCALL_JOURNAL_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/journal/log.h>
#include <pgoncall/journal/record.h>

/* One incident, for a list. Strings owned. */
struct journal_summary {
	char *incident, *path, *target, *user;
	char *first_ts, *last_ts; /* "" when there is no record */
	size_t records;
	size_t writes;   /* intents */
	size_t unknowns; /* intents whose result is not known */
	bool broken;
};

struct journal_list {
	struct journal_summary *items;
	size_t n;
};

/* Newest incident first. A directory that does not exist is an empty list. */
int journal_list_load(const char *directory, struct journal_list *list, struct err *err);
void journal_list_fini(struct journal_list *list);

/* A write of which it is not known whether it was done: an intent with no result, and no note that
 * settles it. */
struct journal_pending {
	char *path;
	struct journal_record intent; /* owned */
	bool lost; /* an `unknown` was recorded: the link broke; else the program ended before */
	bool live; /* another console has the file open: it may be running right now */
};

struct journal_pending_list {
	struct journal_pending *items;
	size_t n;
	size_t cap;
};

/* Of every incident of this target (NULL: of all), oldest first. Broken files count up to their
 * break. */
int journal_pending_load(const char *directory, const char *target,
	struct journal_pending_list *list, struct err *err);
void journal_pending_fini(struct journal_pending_list *list);

/* Whether another console has this journal open. */
bool journal_is_live(const char *path);

#endif
