/*
 * Reading the configuration file: sections, keys, required ones, the first problem or all of them.
 * What keys there are and what they may hold is config_keys.c's.
 */
#include <pgoncall/app/config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

/* libinih's line buffer, less the line end it reads with; longer values go on in indented lines. */
#define CONFIG_LINE_MAX 197

static const char config_first_file[] =
	"write a first one: [target prod], then environment = production, ssh = user@host, "
	"db_container = NAME (or db_host = ADDRESS), db_name = NAME, db_user = NAME";

struct config_reader {
	struct config *config;
	FILE *file;
	int line;                       /* of the line being parsed */
	bool indented;                  /* it begins with white space: continues the value above */
	struct config_section *section; /* open section, or NULL */
	char *section_name;             /* as libinih gave it, to notice a new one */
	size_t problems;
	struct err first;               /* the first problem */
	FILE *out;                      /* every problem, or NULL */
};

static void config_problem(struct config_reader *reader, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void config_problem(struct config_reader *reader, int line, const char *fmt, ...)
{
	char text[512], *safe;
	struct err err;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	safe = utf8_sanitised_dup(text, UTF8_ONE_LINE);
	err_set(&err, ERR_CONFIG, "%s:%d: %s", reader->config->path, line, safe);
	free(safe);
	if (!reader->problems++)
		reader->first = err;
	if (reader->out)
		fprintf(reader->out, "%s\n", err.text);
}

static void config_section_init(struct config_section *section, const char *name, int line)
{
	int key;

	memset(section, 0, sizeof(*section));
	section->name = mem_strdup(name);
	section->line = line;
	for (key = 0; key < CONFIG_KEY_COUNT; key++)
		section->values[key].text =
			mem_strdup(config_keys[key].fallback ? config_keys[key].fallback : "");
}

static void config_section_fini(struct config_section *section)
{
	int key;

	free(section->name);
	for (key = 0; key < CONFIG_KEY_COUNT; key++)
		free(section->values[key].text);
}

static void config_open_section(struct config_reader *reader, const char *name);

/* libinih tells of a section only with its first setting; the line itself tells of empty and of
 * repeated ones. */
static void config_note_header(struct config_reader *reader, const char *line)
{
	const char *end = strchr(line, ']');
	char *name;

	if (line[0] != '[' || !end)
		return;
	name = mem_strndup(line + 1, (size_t)(end - line - 1));
	config_open_section(reader, name);
	free(name);
}

static char *config_read_line(char *str, int num, void *stream)
{
	struct config_reader *reader = stream;
	size_t len;
	int c;

	if (!fgets(str, num, reader->file))
		return NULL;
	len = strlen(str);
	reader->line++;
	reader->indented = str[0] == ' ' || str[0] == '\t';
	if (len && str[len - 1] != '\n' && len + 1 >= (size_t)num) {
		config_problem(reader, reader->line,
			"the line is longer than %d characters; go on with the value on the next line, "
			"indented",
			CONFIG_LINE_MAX);
		/* The rest would be parsed as a line of its own; swallow it. */
		do {
			c = fgetc(reader->file);
		} while (c != EOF && c != '\n');
		str[0] = '\0';
	}
	config_note_header(reader, str);
	return str;
}

static bool config_target_name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", name[i]))
			return false;
	return i > 0 && i <= 64 && name[0] != '-';
}

static void config_open_target(struct config_reader *reader, const char *name)
{
	struct config *config = reader->config;
	size_t i;

	reader->section = NULL;
	if (!config_target_name_ok(name)) {
		config_problem(reader, reader->line,
			"'%s' is no target name; use letters, digits, '-', '_' and '.'", name);
		return;
	}
	for (i = 0; i < config->n_targets; i++) {
		if (str_equal(config->targets[i].name, name)) {
			config_problem(reader, reader->line,
				"target '%s' is there already, at line %d; give this one another name", name,
				config->targets[i].line);
			return;
		}
	}
	config->targets = mem_grow(config->targets, config->n_targets, &config->cap_targets,
		sizeof(*config->targets));
	reader->section = &config->targets[config->n_targets++];
	config_section_init(reader->section, name, reader->line);
}

static void config_open_section(struct config_reader *reader, const char *name)
{
	free(reader->section_name);
	reader->section_name = mem_strdup(name);
	reader->section = NULL;
	if (str_equal(name, "ui")) {
		reader->section = &reader->config->ui;
		reader->section->line = reader->line;
	} else if (str_starts(name, "target ")) {
		config_open_target(reader, name + strlen("target ") + strspn(name + 7, " \t"));
	} else if (*name) {
		config_problem(reader, reader->line,
			"unknown section [%s]; there are [ui] and [target NAME]", name);
	} else {
		config_problem(reader, reader->line,
			"a setting before the first section; put it under [ui] or [target NAME]");
	}
}

static int config_find_key(bool target, const char *name)
{
	int key;

	for (key = 0; key < CONFIG_KEY_COUNT; key++)
		if (config_keys[key].target == target && str_equal(config_keys[key].name, name))
			return key;
	return -1;
}

static void config_check_value(
	struct config_reader *reader, const struct config_key_info *info, const char *value)
{
	struct strlist choices;
	char why[128];

	if (!*value)
		return;
	if (info->choices) {
		strlist_init(&choices);
		strlist_add_words(&choices, info->choices);
		if (!strlist_has(&choices, value))
			config_problem(reader, reader->line, "%s = %s: must be one of: %s", info->name,
				value, info->choices);
		strlist_fini(&choices);
	}
	if (info->check && info->check(value, why, sizeof(why)) < 0)
		config_problem(reader, reader->line, "%s = %s: %s", info->name, value, why);
}

static void config_set(struct config_reader *reader, int key, const char *value)
{
	struct config_value *slot = &reader->section->values[key];
	char *joined;

	if (slot->line && reader->indented) {
		joined = mem_printf("%s %s", slot->text, value);
		free(slot->text);
		slot->text = joined;
		config_check_value(reader, &config_keys[key], slot->text);
		return;
	}
	if (slot->line) {
		config_problem(reader, reader->line, "%s is set already, at line %d; keep one of the two",
			config_keys[key].name, slot->line);
		return;
	}
	slot->line = reader->line;
	config_check_value(reader, &config_keys[key], value);
	if (!*value)
		return; /* "key =" leaves the default */
	free(slot->text);
	slot->text = mem_strdup(value);
}

static int config_on_value(void *user, const char *section, const char *name, const char *value)
{
	struct config_reader *reader = user;
	int key;

	if (!reader->section_name || !str_equal(reader->section_name, section))
		config_open_section(reader, section);
	if (!reader->section)
		return 1;
	key = config_find_key(reader->section != &reader->config->ui, name);
	if (key >= 0)
		config_set(reader, key, value);
	else
		config_problem(reader, reader->line, "unknown setting '%s' in [%s]; see pgoncall(1), "
			"CONFIGURATION", name, section);
	return 1;
}

static void config_check_target(struct config_reader *reader, const struct config_section *target)
{
	int key;

	for (key = 0; key < CONFIG_KEY_COUNT; key++)
		if (config_keys[key].required && !*target->values[key].text)
			config_problem(reader, target->line, "target '%s' has no '%s', which is required",
				target->name, config_keys[key].name);
	if (!config_is_set(target, CONFIG_DB_CONTAINER) && !config_is_set(target, CONFIG_DB_HOST) &&
		!config_is_set(target, CONFIG_DB_SERVICE))
		config_problem(reader, target->line,
			"target '%s' has neither 'db_container' nor 'db_host' nor 'db_service'; one is "
			"required",
			target->name);
}

static char *config_default_path(void)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (!str_empty(xdg))
		return mem_printf("%s/pgoncall/config", xdg);
	return mem_printf("%s/.config/pgoncall/config", home ? home : "");
}

static void config_parse(struct config_reader *reader)
{
	struct config *config = reader->config;
	size_t i;
	int rc;

	config_section_init(&config->ui, "ui", 0);
	rc = ini_parse_stream(config_read_line, reader, config_on_value, reader);
	if (rc > 0)
		config_problem(reader, rc, "neither a [section], nor a 'key = value', nor a comment");
	for (i = 0; i < config->n_targets; i++)
		config_check_target(reader, &config->targets[i]);
	if (!config->n_targets && !reader->problems)
		config_problem(reader, 1, "no target is configured; %s", config_first_file);
}

/* Leaves *config to be freed by the caller, whatever it returns. */
static int config_read(
	struct config_reader *reader, struct config *config, const char *path, FILE *out)
{
	memset(config, 0, sizeof(*config));
	memset(reader, 0, sizeof(*reader));
	reader->config = config;
	reader->out = out;
	config->path = path ? mem_strdup(path) : config_default_path();
	reader->file = fopen(config->path, "re");
	if (!reader->file) {
		reader->problems = 1;
		err_set(&reader->first, ERR_CONFIG, "%s: %s; %s", config->path, strerror(errno),
			config_first_file);
		if (out)
			fprintf(out, "%s\n", reader->first.text);
		return -1;
	}
	config_parse(reader);
	fclose(reader->file);
	free(reader->section_name);
	return reader->problems ? -1 : 0;
}

int config_load(struct config *config, const char *path, struct err *err)
{
	struct config_reader reader;

	if (config_read(&reader, config, path, NULL) == 0)
		return 0;
	config_fini(config);
	if (err)
		*err = reader.first;
	return -1;
}

size_t config_check(const char *path, FILE *out)
{
	struct config_reader reader;
	struct config config;

	config_read(&reader, &config, path, out);
	config_fini(&config);
	return reader.problems;
}

void config_fini(struct config *config)
{
	size_t i;

	config_section_fini(&config->ui);
	for (i = 0; i < config->n_targets; i++)
		config_section_fini(&config->targets[i]);
	free(config->targets);
	free(config->path);
	memset(config, 0, sizeof(*config));
}

const struct config_section *config_find(
	const struct config *config, const char *name, struct err *err)
{
	struct buf names = BUF_INIT;
	size_t i;

	for (i = 0; i < config->n_targets; i++)
		if (str_equal(config->targets[i].name, name))
			return &config->targets[i];
	for (i = 0; i < config->n_targets; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", config->targets[i].name);
	err_set(err, ERR_CONFIG, "no target or command is named '%s'; the targets of %s are: %s", name,
		config->path, buf_str(&names));
	buf_fini(&names);
	return NULL;
}

const char *config_get(const struct config_section *section, enum config_key key)
{
	return section->values[key].text;
}

bool config_is_set(const struct config_section *section, enum config_key key)
{
	return *section->values[key].text != '\0';
}

long config_get_long(const struct config_section *section, enum config_key key)
{
	long value = 0;

	if (str_to_long(section->values[key].text, 0, 2147483647L, &value) < 0)
		return 0;
	return value;
}

size_t config_get_size(const struct config_section *section, enum config_key key)
{
	size_t bytes = 0;

	if (str_to_size(section->values[key].text, (size_t)1 << 40, &bytes) < 0)
		return 0;
	return bytes;
}

int64_t config_get_duration(const struct config_section *section, enum config_key key)
{
	int64_t ns = 0;

	if (clock_parse_duration(section->values[key].text, &ns) < 0)
		return 0;
	return ns;
}

const char *config_app(const struct config_section *section)
{
	static const enum config_key order[] = { CONFIG_APP, CONFIG_APP_BLUE, CONFIG_APP_GREEN };
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (config_is_set(section, order[i]))
			return config_get(section, order[i]);
	return "";
}
