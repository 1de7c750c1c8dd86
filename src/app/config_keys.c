/*
 * The table of settings: to add one is to add a row here and a name in the header. Holds the checks
 * of single values; reading the file is config.c's.
 */
#include <pgoncall/app/config.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <pgoncall/base/clock.h>

static int check_port(const char *value, char *why, size_t size)
{
	long port;

	if (str_to_long(value, 1, 65535, &port) == 0)
		return 0;
	snprintf(why, size, "is no port number (1 to 65535)");
	return -1;
}

static int check_refresh(const char *value, char *why, size_t size)
{
	int64_t ns;

	if (clock_parse_duration(value, &ns) == 0 && ns >= CLOCK_NS_PER_S / 5 &&
		ns <= 60 * CLOCK_NS_PER_S)
		return 0;
	snprintf(why, size, "is no interval from 200ms to 60s");
	return -1;
}

/* NAME or SCHEMA.NAME, of letters, digits and underscores: what Alembic itself writes unquoted. */
static int check_table(const char *value, char *why, size_t size)
{
	size_t dots = 0, i;

	for (i = 0; value[i]; i++) {
		if (value[i] == '.' && i && value[i + 1])
			dots++;
		else if (!isalnum((unsigned char)value[i]) && value[i] != '_' && value[i] != '$')
			dots = 2;
	}
	if (i && dots < 2)
		return 0;
	snprintf(why, size, "is no table name (NAME or SCHEMA.NAME)");
	return -1;
}

static int check_tables(const char *value, char *why, size_t size)
{
	struct strlist words;
	int rc = 0;
	size_t i;

	strlist_init(&words);
	strlist_add_words(&words, value);
	for (i = 0; i < words.n && rc == 0; i++)
		rc = check_table(words.items[i], why, size);
	strlist_fini(&words);
	if (rc < 0)
		snprintf(why, size, "is no list of table names (NAME or SCHEMA.NAME, with spaces between)");
	return rc;
}

static int check_log_memory(const char *value, char *why, size_t size)
{
	size_t bytes;

	if (str_to_size(value, (size_t)1 << 30, &bytes) == 0 && bytes >= (size_t)1 << 20)
		return 0;
	snprintf(why, size, "is no amount of memory from 1MiB to 1GiB");
	return -1;
}

/* Some places are left for what :logs adds. */
#define LOGS_MAX 48

static int check_logs(const char *value, char *why, size_t size)
{
	struct strlist words;
	bool fits;

	strlist_init(&words);
	strlist_add_words(&words, value);
	fits = words.n <= LOGS_MAX;
	strlist_fini(&words);
	if (fits)
		return 0;
	snprintf(why, size, "names more than %d logs", LOGS_MAX);
	return -1;
}

/* A word beginning with '-' would be taken as an option by ssh(1). */
static int check_ssh(const char *value, char *why, size_t size)
{
	if (*value != '-' && !strpbrk(value, " \t"))
		return 0;
	snprintf(why, size, "is no host for ssh(1) (one word: an alias, or user@host)");
	return -1;
}

const struct config_key_info config_keys[CONFIG_KEY_COUNT] = {
	[CONFIG_THEME] = { .name = "theme", .fallback = "default" },
	[CONFIG_REFRESH] = { .name = "refresh", .fallback = "1s", .check = check_refresh },
	[CONFIG_ENVIRONMENT] = { .name = "environment",
		.target = true,
		.required = true,
		.choices = "production staging development" },
	[CONFIG_SSH] = { .name = "ssh", .target = true, .required = true, .check = check_ssh },
	[CONFIG_SSH_CONFIG] = { .name = "ssh_config", .target = true },
	[CONFIG_TRANSPORT] = { .name = "transport",
		.target = true,
		.fallback = "auto",
		.choices = "auto libssh2 openssh" },
	[CONFIG_RUNTIME] = { .name = "runtime",
		.target = true,
		.fallback = "docker",
		.choices = "docker podman none" },
	[CONFIG_RUNTIME_COMMAND] = { .name = "runtime_command", .target = true },
	[CONFIG_DB_CONTAINER] = { .name = "db_container", .target = true },
	[CONFIG_DB_HOST] = { .name = "db_host", .target = true },
	[CONFIG_DB_PORT] = { .name = "db_port",
		.target = true,
		.fallback = "5432",
		.check = check_port },
	[CONFIG_DB_NAME] = { .name = "db_name", .target = true, .required = true },
	[CONFIG_DB_USER] = { .name = "db_user", .target = true },
	[CONFIG_DB_SERVICE] = { .name = "db_service", .target = true },
	[CONFIG_DB_SSLMODE] = { .name = "db_sslmode",
		.target = true,
		.choices = "disable allow prefer require verify-ca verify-full" },
	[CONFIG_APP] = { .name = "app", .target = true },
	[CONFIG_APP_BLUE] = { .name = "app.blue", .target = true },
	[CONFIG_APP_GREEN] = { .name = "app.green", .target = true },
	[CONFIG_ALEMBIC] = { .name = "alembic", .target = true, .fallback = "alembic" },
	[CONFIG_MIGRATIONS] = { .name = "migrations",
		.target = true,
		.fallback = "migrations/versions" },
	[CONFIG_SQL_MIGRATIONS] = { .name = "sql_migrations", .target = true },
	[CONFIG_VERSION_TABLE] = { .name = "version_table",
		.target = true,
		.fallback = "alembic_version",
		.check = check_table },
	[CONFIG_REPOSITORY] = { .name = "repository", .target = true },
	[CONFIG_LOGS] = { .name = "logs", .target = true, .check = check_logs },
	[CONFIG_LOG_MEMORY] = { .name = "log_memory",
		.target = true,
		.fallback = "16MiB",
		.check = check_log_memory },
	[CONFIG_COMPOSE] = { .name = "compose", .target = true },
	[CONFIG_COMPOSE_SERVICE] = { .name = "compose_service", .target = true },
	[CONFIG_CRITICAL_TABLES] = { .name = "critical_tables",
		.target = true,
		.check = check_tables },
	[CONFIG_HEALTH_URL] = { .name = "health_url", .target = true },
	[CONFIG_HEALTH_FROM] = { .name = "health_from",
		.target = true,
		.fallback = "here",
		.choices = "here host" },
	[CONFIG_DEPLOY_LOG] = { .name = "deploy_log", .target = true },
	[CONFIG_RUNBOOKS] = { .name = "runbooks", .target = true },
};
