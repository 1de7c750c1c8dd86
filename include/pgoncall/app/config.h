/*
 * The configuration: INI, read with libinih, never rewritten. Every problem is one sentence that
 * names file:line. Keys, defaults and checks stand in one table in config_keys.c.
 */
#ifndef PGONCALL_APP_CONFIG_H
#define PGONCALL_APP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>

enum config_key {
	/* [ui] */
	CONFIG_THEME,
	CONFIG_REFRESH,
	/* [target NAME] */
	CONFIG_ENVIRONMENT,
	CONFIG_SSH,
	CONFIG_SSH_CONFIG,
	CONFIG_TRANSPORT,
	CONFIG_RUNTIME,
	CONFIG_RUNTIME_COMMAND,
	CONFIG_DB_CONTAINER,
	CONFIG_DB_HOST,
	CONFIG_DB_PORT,
	CONFIG_DB_NAME,
	CONFIG_DB_USER,
	CONFIG_DB_SERVICE,
	CONFIG_DB_SSLMODE,
	CONFIG_APP,
	CONFIG_APP_BLUE,
	CONFIG_APP_GREEN,
	CONFIG_ALEMBIC,
	CONFIG_MIGRATIONS,
	CONFIG_SQL_MIGRATIONS,
	CONFIG_VERSION_TABLE,
	CONFIG_REPOSITORY,
	CONFIG_LOGS,
	CONFIG_LOG_MEMORY,
	CONFIG_COMPOSE,
	CONFIG_COMPOSE_SERVICE,
	CONFIG_CRITICAL_TABLES,
	CONFIG_HEALTH_URL,
	CONFIG_HEALTH_FROM,
	CONFIG_DEPLOY_LOG,
	CONFIG_RUNBOOKS,
	CONFIG_KEY_COUNT
};

/* One setting as it stands: the default, or what the file says at `line`. */
struct config_value {
	char *text; /* owned; "" where unset and without a default */
	int line;   /* 0: the default */
};

struct config_section {
	char *name; /* the target's name; "ui" for the first section */
	int line;   /* where it begins; 0: not in the file */
	struct config_value values[CONFIG_KEY_COUNT];
};

struct config {
	char *path;                     /* owned */
	struct config_section ui;
	struct config_section *targets; /* in the order of the file */
	size_t n_targets, cap_targets;
};

/* What the rest of the app and tests ask about a key. */
struct config_key_info {
	const char *name;
	bool target;              /* belongs to [target NAME], else to [ui] */
	bool required;
	const char *fallback;     /* the default, or NULL */
	const char *choices;      /* words allowed, separated by spaces, or NULL */
	int (*check)(const char *value, char *why, size_t size); /* further check, or NULL */
};

extern const struct config_key_info config_keys[CONFIG_KEY_COUNT];

/* path NULL: $XDG_CONFIG_HOME/pgoncall/config. Fails with ERR_CONFIG on the first problem; a file
 * that is not there is such a problem, and its sentence shows what a first file needs. */
int config_load(struct config *config, const char *path, struct err *err);
/* As config_load, but goes on and prints every problem, one a line, to out; returns their number. */
size_t config_check(const char *path, FILE *out);
void config_fini(struct config *config);

/* NULL and a sentence with the names there are, when no target has this name. */
const struct config_section *config_find(
	const struct config *config, const char *name, struct err *err);

const char *config_get(const struct config_section *section, enum config_key key);
bool config_is_set(const struct config_section *section, enum config_key key);
long config_get_long(const struct config_section *section, enum config_key key);
/* Bytes. */
size_t config_get_size(const struct config_section *section, enum config_key key);
/* A duration in ns. */
int64_t config_get_duration(const struct config_section *section, enum config_key key);
/* The container, or directory, with the migrations: `app`, else `app.blue`, else `app.green`. */
const char *config_app(const struct config_section *section);

#endif
