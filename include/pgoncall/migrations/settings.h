/*
 * Which files Alembic loads: its settings in alembic.ini, or in pyproject.toml under [tool.alembic]
 * (1.16 and later). Pure; nothing is executed, and what is not understood is passed over.
 */
#ifndef PGONCALL_MIGRATIONS_SETTINGS_H
#define PGONCALL_MIGRATIONS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/str.h>

struct migration_settings {
	char *script_location; /* "" where it is not said */
	struct strlist
		locations; /* version_locations, split; none: "versions" of script_location */
	bool recursive;    /* recursive_version_locations (1.10) */
	bool sourceless;   /* compiled files count, too */
};

/* text: one of the files, or both one after the other. "%(here)s" stays as it is written. */
void migration_settings_init(struct migration_settings *settings, const char *text, size_t len);
void migration_settings_fini(struct migration_settings *settings);

#endif
