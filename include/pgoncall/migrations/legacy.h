/*
 * Legacy SQL migrations: the *.sql files of a directory against the rows of table sql_migrations.
 * Pure; reading either is somebody else's.
 */
#ifndef PGONCALL_MIGRATIONS_LEGACY_H
#define PGONCALL_MIGRATIONS_LEGACY_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/str.h>

enum legacy_state {
	LEGACY_APPLIED, /* a file, and recorded */
	LEGACY_PENDING, /* a file, not recorded */
	LEGACY_MISSING  /* recorded, but no such file */
};

struct legacy_file {
	char *name; /* file name without its directory; as recorded where there is no file */
	char *path; /* as given; "" where there is no file */
	enum legacy_state state;
};

struct legacy_list {
	struct legacy_file *items; /* by name, numbers by value: 2_x before 10_x */
	size_t n;
	size_t n_pending;
	size_t n_missing;
};

/*
 * `paths`: what is in the directory (other than *.sql is passed over). `rows`: what the table
 * records, with or without ".sql", with or without a directory, or only the number a file's name
 * begins with; NULL where there is no table, then every file is pending.
 */
void legacy_list_init(
	struct legacy_list *list, const struct strlist *paths, const struct strlist *rows);
void legacy_list_fini(struct legacy_list *list);
/* How many of the rows name one of the files: which of a table's columns holds the names. */
size_t legacy_count_names(const struct strlist *paths, const struct strlist *rows);
/* "applied", "pending", "missing". */
const char *legacy_state_name(enum legacy_state state);

#endif
