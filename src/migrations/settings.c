/*
 * Alembic's settings, as far as they say where revision files are. The two forms share "name = value"
 * lines under "[section]" lines; a TOML value is in quotes, or a list of such over one or more lines.
 */
#include <pgoncall/migrations/settings.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

struct reading {
	struct migration_settings *out;
	bool ours; /* within [alembic] or [tool.alembic] */
	char *locations;
	char *separator;
};

static bool is_true(const char *value)
{
	return strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
	       strcasecmp(value, "on") == 0 || strcmp(value, "1") == 0;
}

/* The strings of a TOML value, in quotes of either kind. */
static void add_quoted(struct strlist *out, const char *value)
{
	const char *end;

	while ((value = strpbrk(value, "\"'"))) {
		end = strchr(value + 1, *value);
		if (!end)
			return;
		strlist_add_n(out, value + 1, (size_t)(end - value - 1));
		value = end + 1;
	}
}

static void set_text(char **slot, const char *value)
{
	free(*slot);
	*slot = mem_strdup(value);
}

static void read_value(struct reading *r, const char *name, const char *value)
{
	struct strlist quoted;
	bool toml = *value == '"' || *value == '\'' || *value == '[';

	strlist_init(&quoted);
	if (toml)
		add_quoted(&quoted, value);
	if (strcmp(name, "script_location") == 0) {
		set_text(&r->out->script_location, toml && quoted.n ? quoted.items[0] : value);
	} else if (strcmp(name, "version_locations") == 0 && toml) {
		strlist_fini(&r->out->locations);
		strlist_copy(&r->out->locations, &quoted);
	} else if (strcmp(name, "version_locations") == 0) {
		set_text(&r->locations, value);
	} else if (strcmp(name, "version_path_separator") == 0 ||
		   (strcmp(name, "path_separator") == 0 && !toml)) {
		set_text(&r->separator, value);
	} else if (strcmp(name, "recursive_version_locations") == 0) {
		r->out->recursive = is_true(toml && quoted.n ? quoted.items[0] : value);
	} else if (strcmp(name, "sourceless") == 0) {
		r->out->sourceless = is_true(toml && quoted.n ? quoted.items[0] : value);
	}
	strlist_fini(&quoted);
}

/* A comment of the line's own, or, as Alembic's template has one, "#" behind white space. */
static void cut_comment(char *line)
{
	char *s;

	if (line[strspn(line, " \t")] == '#' || line[strspn(line, " \t")] == ';')
		*line = '\0';
	for (s = line; *s; s++)
		if (*s == '#' && s > line && (s[-1] == ' ' || s[-1] == '\t')) {
			*s = '\0';
			return;
		}
}

static void read_line(struct reading *r, char *line)
{
	char *equals, *name;

	line = str_trim(line);
	if (*line == '[') {
		r->ours = strcmp(line, "[alembic]") == 0 || strcmp(line, "[tool.alembic]") == 0;
		return;
	}
	equals = line + strcspn(line, "=:");
	if (!r->ours || !*equals)
		return;
	*equals = '\0';
	name = str_trim(line);
	read_value(r, name, str_trim(equals + 1));
}

/* Lines that go on (indented, or within a list) are put behind the one before. */
static void read_text(struct reading *r, char *text)
{
	struct buf whole = BUF_INIT;
	char *line, *rest = text;
	bool list = false;

	while ((line = strsep(&rest, "\n"))) {
		cut_comment(line);
		if (!line[strspn(line, " \t\r")])
			continue;
		if (whole.len && (list || *line == ' ' || *line == '\t')) {
			buf_printf(&whole, "\t%s", str_trim(line));
		} else {
			if (whole.len)
				read_line(r, whole.data);
			buf_clear(&whole);
			buf_add_str(&whole, line);
		}
		list = strchr(buf_str(&whole), '=') && strchr(buf_str(&whole), '[') &&
		       !strchr(buf_str(&whole), ']');
	}
	if (whole.len)
		read_line(r, whole.data);
	buf_fini(&whole);
}

/* As Alembic splits them: by what version_path_separator says, else at spaces and commas. */
static void split_locations(struct reading *r)
{
	static const struct {
		const char *name, *at;
	} separators[] = { { "os", ":" }, { ":", ":" }, { ";", ";" }, { "space", " \t" },
		{ "newline", "\t" } };
	const char *at = " ,\t";
	char *rest = r->locations, *word;
	size_t i;

	for (i = 0; r->separator && i < sizeof(separators) / sizeof(separators[0]); i++)
		if (strcmp(r->separator, separators[i].name) == 0)
			at = separators[i].at;
	while (rest && (word = strsep(&rest, at))) {
		word = str_trim(word);
		if (*word)
			strlist_add(&r->out->locations, word);
	}
}

void migration_settings_init(struct migration_settings *settings, const char *text, size_t len)
{
	struct reading r = { .out = settings };
	char *copy = mem_strndup(text, len);

	memset(settings, 0, sizeof(*settings));
	settings->script_location = mem_strdup("");
	read_text(&r, copy);
	split_locations(&r);
	free(r.locations);
	free(r.separator);
	free(copy);
}

void migration_settings_fini(struct migration_settings *settings)
{
	free(settings->script_location);
	strlist_fini(&settings->locations);
	memset(settings, 0, sizeof(*settings));
}
