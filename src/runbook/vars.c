/*
 * Tables of types, pickers and provided variables, the checks of values, and a run's values. How a
 * value gets into a statement is resolve.c's.
 */
#include <pgoncall/runbook/vars.h>

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

#define NAME_MAX_BYTES  63  /* of a PostgreSQL name: NAMEDATALEN - 1 */
#define OTHER_MAX_BYTES 255 /* of a revision, a container's name */
#define TEXT_MAX_BYTES  65536

/* --- checks: each says what the value must be, or NULL where it is that ------------------------ */

static const char *check_text(const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	if (strlen(value) > TEXT_MAX_BYTES)
		return "at most 64 KiB of text";
	for (; *s; s++)
		if ((*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f)
			return "text without control characters";
	return NULL;
}

static bool is_whole_number(const char *value, long min, long max)
{
	long number;

	return isdigit((unsigned char)value[*value == '-']) &&
	       str_to_long(value, min, max, &number) == 0;
}

static const char *check_pid(const char *value)
{
	return is_whole_number(value, 1, INT32_MAX) ? NULL : "a process id (1 to 2147483647)";
}

static const char *check_number(const char *value)
{
	return is_whole_number(value, INT64_MIN, INT64_MAX) ? NULL : "a whole number";
}

/* Alembic forbids @ - + and takes short forms and words that mean different revisions at different
 * times; only a name that means one revision passes. */
static const char *check_revision(const char *value)
{
	static const char *const moving[] = { "head", "heads", "current" };
	size_t i;

	for (i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
		if (strcmp(value, moving[i]) == 0)
			return "one revision by its id (head, heads and current move)";
	if (*value && *value != '.' && !value[strspn(value, LETTERS DIGITS "_.")] &&
		strlen(value) <= OTHER_MAX_BYTES)
		return NULL;
	return "a revision id (letters, digits, _ and .)";
}

static const char *check_container(const char *value)
{
	if (isalnum((unsigned char)*value) && !value[strspn(value, LETTERS DIGITS "_.-")] &&
		strlen(value) <= OTHER_MAX_BYTES)
		return NULL;
	return "a container's name (letters, digits, _ . and -)";
}

/* Bytes of the SQL name at s, 0 for none. Letters beyond ASCII are letters. */
static size_t name_len(const char *s)
{
	size_t n = 0;

	while (isalpha((unsigned char)s[n]) || s[n] == '_' || (unsigned char)s[n] >= 0x80 ||
		(n && (isdigit((unsigned char)s[n]) || s[n] == '$')))
		n++;
	return n <= NAME_MAX_BYTES ? n : 0;
}

static const char *check_identifier(const char *value)
{
	size_t n = name_len(value);

	return n && !value[n] ? NULL : "a name of letters, digits, _ and $, at most 63 bytes";
}

static const char *check_table(const char *value)
{
	size_t n = name_len(value), m;

	if (n && !value[n])
		return NULL;
	m = n && value[n] == '.' ? name_len(value + n + 1) : 0;
	return m && !value[n + 1 + m]
		       ? NULL
		       : "NAME or SCHEMA.NAME, of letters, digits, _ and $, at most 63 bytes each";
}

static const char *check_duration(const char *value)
{
	int64_t ns;

	if (isdigit((unsigned char)*value) && !value[strspn(value, LETTERS DIGITS ".")] &&
		strlen(value) <= 32 && clock_parse_duration(value, &ns) == 0)
		return NULL;
	return "a duration, e.g. 500ms, 30s or 10m";
}

static const char *check_timestamp(const char *value)
{
	if (!*value)
		return NULL;
	if (isdigit((unsigned char)*value) && !value[strspn(value, DIGITS "-+:. TZ")] &&
		strlen(value) <= 64)
		return NULL;
	return "a moment as PostgreSQL prints it";
}

static const char *check_words(const char *value)
{
	return value[strspn(value, " \t")] ? check_text(value) : "at least one word";
}

static const struct {
	const char *name;
	const char *cast;
	const char *(*check)(const char *value);
	bool declared; /* a runbook may declare a variable of this type */
} types[RUNBOOK_TYPE_COUNT] = {
	[RUNBOOK_TEXT] = { "text", "::text", check_text, true },
	[RUNBOOK_PID] = { "pid", "::integer", check_pid, true },
	[RUNBOOK_NUMBER] = { "number", "::bigint", check_number, true },
	[RUNBOOK_REVISION] = { "revision", "::text", check_revision, true },
	[RUNBOOK_CONTAINER] = { "container", "::text", check_container, true },
	[RUNBOOK_IDENTIFIER] = { "identifier", "::text", check_identifier, true },
	[RUNBOOK_TABLE] = { "table", "::text", check_table, true },
	[RUNBOOK_INDEX] = { "index", "::text", check_table, true },
	[RUNBOOK_DURATION] = { "duration", "::interval", check_duration, true },
	[RUNBOOK_TIMESTAMP] = { "timestamp", "::timestamptz", check_timestamp, true },
	[RUNBOOK_WORDS] = { "words", "::text[]", check_words, false },
	[RUNBOOK_COMMAND] = { "command", "", check_words, false },
};

const char *runbook_type_name(enum runbook_type type)
{
	return types[type].name;
}

int runbook_type_parse(const char *name, enum runbook_type *type)
{
	size_t i;

	for (i = 0; i < RUNBOOK_TYPE_COUNT; i++) {
		if (types[i].declared && strcmp(types[i].name, name) == 0) {
			*type = (enum runbook_type)i;
			return 0;
		}
	}
	return -1;
}

const char *runbook_type_cast(enum runbook_type type)
{
	return types[type].cast;
}

int runbook_type_check(enum runbook_type type, const char *name, const char *value, struct err *err)
{
	const struct runbook_provided *provided = runbook_provided_find(name);
	const char *wanted;

	if (!value && provided)
		return err_set(err, ERR_REFUSED, "$%s is not known here: %s", name, provided->from);
	if (!value)
		return err_set(err, ERR_REFUSED, "$%s is not set yet", name);
	wanted = types[type].check(value);
	if (wanted)
		return err_set(
			err, ERR_REFUSED, "$%s must be %s, not \"%.100s\"", name, wanted, value);
	return 0;
}

/* --- pickers --------------------------------------------------------------------------------- */

/* All that identifies a session, and what a person knows it by. */
static const struct runbook_field backend_fields[] = {
	{ "pid", RUNBOOK_PID },
	{ "backend_start", RUNBOOK_TIMESTAMP },
	{ "xact_start", RUNBOOK_TIMESTAMP },
	{ "query_start", RUNBOOK_TIMESTAMP },
	{ "user", RUNBOOK_TEXT },
	{ "application", RUNBOOK_TEXT },
	{ "client", RUNBOOK_TEXT },
	{ "state", RUNBOOK_TEXT },
	{ "query", RUNBOOK_TEXT },
	{ NULL, RUNBOOK_TEXT },
};

static const struct runbook_picker pickers[] = {
	{ .name = "backend",
		.from = "locks activity migration",
		.type = RUNBOOK_PID,
		.fields = backend_fields },
	{ .name = "prepared", .from = "locks", .type = RUNBOOK_TEXT },
	{ .name = "revision", .from = "timeline pending applied", .type = RUNBOOK_REVISION },
	{ .name = "container", .from = "app all", .type = RUNBOOK_CONTAINER },
	{ .name = "table", .from = "tables critical", .type = RUNBOOK_TABLE },
	{ .name = "index", .from = "invalid", .type = RUNBOOK_INDEX },
	{ .name = "file", .from = "sql_migrations", .type = RUNBOOK_TEXT },
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

const struct runbook_picker *runbook_picker_at(size_t i)
{
	return i < N_OF(pickers) ? &pickers[i] : NULL;
}

const struct runbook_picker *runbook_picker_find(const char *name)
{
	size_t i;

	for (i = 0; i < N_OF(pickers); i++)
		if (strcmp(pickers[i].name, name) == 0)
			return &pickers[i];
	return NULL;
}

const struct runbook_field *runbook_field_find(
	const struct runbook_picker *picker, const char *field)
{
	const struct runbook_field *f;

	for (f = picker->fields; f && f->name; f++)
		if (strcmp(f->name, field) == 0)
			return f;
	return NULL;
}

/* --- provided -------------------------------------------------------------------------------- */

#define SET_KEY(key) "set " key " in the configuration"

static const struct runbook_provided provided_vars[] = {
	{ "target", RUNBOOK_TEXT, "the target has no name" },
	{ "environment", RUNBOOK_TEXT, SET_KEY("environment") },
	{ "host", RUNBOOK_TEXT, SET_KEY("ssh") },
	{ "database", RUNBOOK_IDENTIFIER, SET_KEY("db_name") },
	{ "role", RUNBOOK_IDENTIFIER, SET_KEY("db_user") },
	{ "app", RUNBOOK_CONTAINER, SET_KEY("app, or app.blue and app.green,") },
	{ "blue", RUNBOOK_CONTAINER, SET_KEY("app.blue") },
	{ "green", RUNBOOK_CONTAINER, SET_KEY("app.green") },
	{ "apps", RUNBOOK_WORDS, SET_KEY("app, or app.blue and app.green,") },
	{ "db_container", RUNBOOK_CONTAINER, SET_KEY("db_container") },
	{ "alembic", RUNBOOK_WORDS, SET_KEY("alembic") },
	{ "runtime", RUNBOOK_WORDS, "this target has no container runtime" },
	{ "compose", RUNBOOK_WORDS, SET_KEY("compose") },
	{ "compose_service", RUNBOOK_CONTAINER, SET_KEY("compose_service") },
	{ "containers", RUNBOOK_COMMAND, "this target names no container" },
	{ "logs", RUNBOOK_COMMAND, SET_KEY("app") },
	{ "logs_follow", RUNBOOK_COMMAND, SET_KEY("app") },
	{ "version_table", RUNBOOK_TABLE, SET_KEY("version_table") },
	{ "critical_tables", RUNBOOK_WORDS, SET_KEY("critical_tables") },
	{ "health_url", RUNBOOK_TEXT, SET_KEY("health_url") },
	{ "migrations", RUNBOOK_TEXT, SET_KEY("migrations") },
	{ "sql_migrations", RUNBOOK_TEXT, SET_KEY("sql_migrations") },
	{ "repository", RUNBOOK_TEXT, SET_KEY("repository") },
	{ "deploy_log", RUNBOOK_WORDS, SET_KEY("deploy_log") },
	{ "current", RUNBOOK_REVISION, "the version table does not hold exactly one row" },
	{ "heads", RUNBOOK_WORDS, "the revision files have not been read" },
	{ "head", RUNBOOK_REVISION, "the revision files do not have exactly one head" },
	{ "previous", RUNBOOK_REVISION,
		"the current revision does not have exactly one before it" },
};

const struct runbook_provided *runbook_provided_at(size_t i)
{
	return i < N_OF(provided_vars) ? &provided_vars[i] : NULL;
}

const struct runbook_provided *runbook_provided_find(const char *name)
{
	size_t i;

	for (i = 0; i < N_OF(provided_vars); i++)
		if (strcmp(provided_vars[i].name, name) == 0)
			return &provided_vars[i];
	return NULL;
}

/* --- values ---------------------------------------------------------------------------------- */

void runbook_vars_fini(struct runbook_vars *vars)
{
	size_t i;

	for (i = 0; i < vars->n; i++) {
		free(vars->items[i].name);
		free(vars->items[i].value);
	}
	free(vars->items);
	memset(vars, 0, sizeof(*vars));
}

static size_t vars_index(const struct runbook_vars *vars, const char *name)
{
	size_t i;

	for (i = 0; i < vars->n; i++)
		if (strcmp(vars->items[i].name, name) == 0)
			break;
	return i;
}

void runbook_vars_set(struct runbook_vars *vars, const char *name, const char *value)
{
	size_t i = vars_index(vars, name);
	char *copy = mem_strdup_opt(value); /* may be what is replaced */

	if (i < vars->n && value) {
		free(vars->items[i].value);
		vars->items[i].value = copy;
	} else if (i < vars->n) {
		free(vars->items[i].name);
		free(vars->items[i].value);
		vars->items[i] = vars->items[--vars->n];
	} else if (value) {
		vars->items = mem_grow(vars->items, vars->n, &vars->cap, sizeof(*vars->items));
		vars->items[vars->n].name = mem_strdup(name);
		vars->items[vars->n++].value = copy;
	}
}

const char *runbook_vars_get(const struct runbook_vars *vars, const char *name)
{
	size_t i = vars_index(vars, name);

	return i < vars->n ? vars->items[i].value : NULL;
}

void runbook_vars_merge(struct runbook_vars *vars, const struct runbook_vars *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		runbook_vars_set(vars, from->items[i].name, from->items[i].value);
}
