/*
 * Reading theme files into styles, and finding them. How a style becomes colours of a terminal is
 * the terminal's business.
 */
#include <pgoncall/ui/theme.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#define THEME_FILE_MAX (64u << 10)

/* The names in theme files, and the style an element has where no theme names it. */
static const struct {
	const char *name;
	uint8_t attrs;
} theme_elements[THEME_N] = {
	[THEME_TEXT] = { "text", 0 },
	[THEME_TITLE] = { "title", 0 },
	[THEME_TITLE_DIM] = { "title.dim", 0 },
	[THEME_TITLE_PRODUCTION] = { "title.production", THEME_REVERSE | THEME_BOLD },
	[THEME_TITLE_STAGING] = { "title.staging", THEME_BOLD | THEME_UNDERLINE },
	[THEME_TITLE_DEVELOPMENT] = { "title.development", 0 },
	[THEME_TITLE_READONLY] = { "title.readonly", 0 },
	[THEME_TITLE_ARMED] = { "title.armed", THEME_REVERSE | THEME_BOLD },
	[THEME_TITLE_LOST] = { "title.lost", THEME_REVERSE | THEME_BOLD },
	[THEME_BORDER] = { "border", THEME_ATTR_DIM },
	[THEME_BORDER_FOCUS] = { "border.focus", THEME_BOLD },
	[THEME_PANE_TITLE] = { "pane.title", 0 },
	[THEME_PANE_TITLE_FOCUS] = { "pane.title.focus", THEME_BOLD },
	[THEME_FINDING_OK] = { "finding.ok", 0 },
	[THEME_FINDING_INFO] = { "finding.info", 0 },
	[THEME_FINDING_WARNING] = { "finding.warning", THEME_BOLD },
	[THEME_FINDING_CRITICAL] = { "finding.critical", THEME_BOLD | THEME_UNDERLINE },
	[THEME_HEADER] = { "header", THEME_ATTR_DIM },
	[THEME_ROW_SELECTED] = { "row.selected", THEME_REVERSE },
	[THEME_ROW_SELECTED_UNFOCUSED] = { "row.selected.unfocused", THEME_UNDERLINE },
	[THEME_ROW_TAGGED] = { "row.tagged", THEME_BOLD },
	[THEME_APPLIED] = { "applied", 0 },
	[THEME_CURRENT] = { "current", THEME_BOLD },
	[THEME_PENDING] = { "pending", THEME_ITALIC },
	[THEME_NEXT] = { "next", THEME_BOLD },
	[THEME_UNKNOWN] = { "unknown", THEME_BOLD },
	[THEME_WAITING] = { "waiting", 0 },
	[THEME_BLOCKER] = { "blocker", THEME_BOLD },
	[THEME_IDLE_IN_TX] = { "idle-in-tx", THEME_UNDERLINE },
	[THEME_MIGRATION] = { "migration", THEME_BOLD },
	[THEME_LOG_ERROR] = { "log.error", THEME_BOLD },
	[THEME_LOG_WARNING] = { "log.warning", THEME_UNDERLINE },
	[THEME_LOG_DEBUG] = { "log.debug", THEME_ATTR_DIM },
	[THEME_LOG_MARKER] = { "log.marker", THEME_REVERSE },
	[THEME_HINT_KEY] = { "hint.key", THEME_BOLD },
	[THEME_HINT_TEXT] = { "hint.text", 0 },
	[THEME_HINT_OFF] = { "hint.off", THEME_ATTR_DIM },
	[THEME_PROMPT] = { "prompt", THEME_BOLD },
	[THEME_MESSAGE] = { "message", 0 },
	[THEME_MESSAGE_WARNING] = { "message.warning", THEME_BOLD },
	[THEME_MESSAGE_ERROR] = { "message.error", THEME_REVERSE },
	[THEME_DIALOG] = { "dialog", 0 },
	[THEME_DIALOG_TITLE] = { "dialog.title", THEME_BOLD },
	[THEME_DIALOG_DANGER] = { "dialog.danger", THEME_REVERSE | THEME_BOLD },
	[THEME_DIALOG_STATEMENT] = { "dialog.statement", THEME_BOLD },
	[THEME_DIALOG_INPUT] = { "dialog.input", THEME_UNDERLINE },
	[THEME_CHECK_OK] = { "check.ok", 0 },
	[THEME_CHECK_FAILED] = { "check.failed", THEME_BOLD },
	[THEME_SEARCH] = { "search", THEME_REVERSE },
	[THEME_STALE] = { "stale", THEME_ATTR_DIM },
	[THEME_DIM] = { "dim", THEME_ATTR_DIM },
	[THEME_CODE_KEYWORD] = { "code.keyword", THEME_BOLD },
	[THEME_CODE_STRING] = { "code.string", 0 },
	[THEME_CODE_NUMBER] = { "code.number", 0 },
	[THEME_CODE_COMMENT] = { "code.comment", THEME_ATTR_DIM },
};

static const char *const theme_colours[8] = {
	"black",
	"red",
	"green",
	"yellow",
	"blue",
	"magenta",
	"cyan",
	"white",
};

static const struct {
	const char *name;
	uint8_t attr;
} theme_attrs[] = {
	{ "bold", THEME_BOLD },
	{ "dim", THEME_ATTR_DIM },
	{ "italic", THEME_ITALIC },
	{ "underline", THEME_UNDERLINE },
	{ "reverse", THEME_REVERSE },
	{ "none", 0 },
};

const char *theme_element_name(enum theme_element element)
{
	return theme_elements[element].name;
}

void theme_init(struct theme *theme)
{
	int i;

	theme->name = mem_strdup("plain");
	for (i = 0; i < THEME_N; i++) {
		theme->styles[i].fg = theme->styles[i].bg = -1;
		theme->styles[i].attrs = theme_elements[i].attrs;
	}
}

void theme_fini(struct theme *theme)
{
	free(theme->name);
	theme->name = NULL;
}

struct theme_style theme_style_over(struct theme_style base, struct theme_style over)
{
	if (over.fg >= 0)
		base.fg = over.fg;
	if (over.bg >= 0)
		base.bg = over.bg;
	base.attrs |= over.attrs;
	return base;
}

/* --- one line -------------------------------------------------------------------------------- */

static int theme_parse_colour(const char *word, int16_t *colour)
{
	const char *base = word;
	int bright = 0, i;
	long number;

	if (strcmp(word, "default") == 0) {
		*colour = -1;
		return 0;
	}
	if (str_starts(word, "bright-")) {
		bright = 8;
		base += strlen("bright-");
	}
	for (i = 0; i < 8; i++) {
		if (strcmp(base, theme_colours[i]) == 0) {
			*colour = (int16_t)(i + bright);
			return 0;
		}
	}
	if (str_to_long(word, 0, 255, &number) < 0)
		return -1;
	*colour = (int16_t)number;
	return 0;
}

static int theme_parse_attrs(char *words, uint8_t *attrs, const char **bad)
{
	char *save = NULL, *word;
	size_t i, n = sizeof(theme_attrs) / sizeof(theme_attrs[0]);

	*attrs = 0;
	for (word = strtok_r(words, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		for (i = 0; i < n && strcmp(word, theme_attrs[i].name); i++)
			;
		if (i == n) {
			*bad = word;
			return -1;
		}
		*attrs |= theme_attrs[i].attr;
	}
	return 0;
}

static int theme_find_element(const char *name)
{
	int i;

	for (i = 0; i < THEME_N; i++)
		if (strcmp(name, theme_elements[i].name) == 0)
			return i;
	return -1;
}

/* "element = fg, bg, attrs"; what is left out is default, default, none. */
static int theme_parse_line(
	struct theme *theme, char *line, const char *path, int number, struct err *err)
{
	struct theme_style style = { -1, -1, 0 };
	char *value = strchr(line, '='), *bg, *attrs = NULL;
	const char *bad = NULL;
	int element;

	if (!value)
		return err_set(err, ERR_PARSE,
			"%s:%d: expected \"element = foreground, background, "
			"attributes\"",
			path, number);
	*value++ = '\0';
	line = str_trim(line);
	element = theme_find_element(line);
	if (element < 0)
		return err_set(
			err, ERR_PARSE, "%s:%d: no element is called \"%s\"", path, number, line);
	if ((bg = strchr(value, ','))) {
		*bg++ = '\0';
		if ((attrs = strchr(bg, ',')))
			*attrs++ = '\0';
	}
	value = str_trim(value);
	if (theme_parse_colour(value, &style.fg) < 0)
		return err_set(err, ERR_PARSE, "%s:%d: \"%s\" is no colour", path, number, value);
	if (bg && theme_parse_colour(bg = str_trim(bg), &style.bg) < 0)
		return err_set(err, ERR_PARSE, "%s:%d: \"%s\" is no colour", path, number, bg);
	if (attrs && theme_parse_attrs(attrs, &style.attrs, &bad) < 0)
		return err_set(err, ERR_PARSE, "%s:%d: \"%s\" is no attribute", path, number, bad);
	theme->styles[element] = style;
	return 0;
}

int theme_parse(struct theme *theme, const char *text, const char *path, struct err *err)
{
	char *copy = mem_strdup(text), *line = copy, *next, *comment;
	struct theme parsed = *theme;
	int number, result = 0;

	for (number = 1; line && result == 0; number++, line = next) {
		if ((next = strchr(line, '\n')))
			*next++ = '\0';
		if ((comment = strchr(line, '#')))
			*comment = '\0';
		if (*(line = str_trim(line)))
			result = theme_parse_line(&parsed, line, path, number, err);
	}
	if (result == 0)
		*theme = parsed;
	free(copy);
	return result;
}

/* --- files ----------------------------------------------------------------------------------- */

/* TREE/themes for a program TREE/build…/pgoncall. */
static void theme_add_tree(struct strlist *dirs)
{
	char path[4096], *slash;
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int up;

	if (len <= 0)
		return;
	path[len] = '\0';
	for (up = 0; up < 2; up++) {
		slash = strrchr(path, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
	strlist_add_take(dirs, mem_printf("%s/themes", path));
}

void theme_dirs(struct strlist *dirs)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		strlist_add_take(dirs, mem_printf("%s/pgoncall/themes", config));
	else if (home && *home)
		strlist_add_take(dirs, mem_printf("%s/.config/pgoncall/themes", home));
	theme_add_tree(dirs);
	strlist_add(dirs, PGONCALL_DATADIR "/themes");
}

static int theme_read(struct theme *theme, FILE *file, const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	char chunk[4096];
	size_t got;
	int result = -1;

	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0 && text.len <= THEME_FILE_MAX)
		buf_add(&text, chunk, got);
	if (ferror(file))
		err_system(err, errno, "%s cannot be read", path);
	else if (text.len > THEME_FILE_MAX)
		err_set(err, ERR_PARSE, "%s is too long for a theme", path);
	else
		result = theme_parse(theme, buf_str(&text), path, err);
	buf_fini(&text);
	return result;
}

static void theme_join_dirs(const struct strlist *dirs, struct buf *out)
{
	size_t i;

	for (i = 0; i < dirs->n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", dirs->items[i]);
}

int theme_load(struct theme *theme, const char *name, const struct strlist *dirs, struct err *err)
{
	struct buf searched = BUF_INIT;
	char *path = NULL;
	FILE *file = NULL;
	size_t i;
	int result;

	theme_fini(theme);
	theme_init(theme);
	if (!*name || strchr(name, '/') || *name == '.')
		return err_set(err, ERR_CONFIG, "\"%s\" is no name of a theme", name);
	for (i = 0; i < dirs->n && !file; i++) {
		free(path);
		path = mem_printf("%s/%s.theme", dirs->items[i], name);
		file = fopen(path, "re");
	}
	if (!file) {
		theme_join_dirs(dirs, &searched);
		result = err_set(err, ERR_CONFIG, "there is no theme \"%s\" (looked in %s)", name,
			buf_str(&searched));
		buf_fini(&searched);
	} else {
		result = theme_read(theme, file, path, err);
		fclose(file);
	}
	if (result == 0) {
		free(theme->name);
		theme->name = mem_strdup(name);
	}
	free(path);
	return result;
}

static int theme_compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void theme_list(const struct strlist *dirs, struct strlist *names)
{
	struct dirent *entry;
	size_t i, len;
	char *name;
	DIR *dir;

	for (i = 0; i < dirs->n; i++) {
		if (!(dir = opendir(dirs->items[i])))
			continue;
		while ((entry = readdir(dir))) {
			len = strlen(entry->d_name);
			if (*entry->d_name == '.' || !str_ends(entry->d_name, ".theme"))
				continue;
			name = mem_strndup(entry->d_name, len - strlen(".theme"));
			if (strlist_has(names, name))
				free(name);
			else
				strlist_add_take(names, name);
		}
		closedir(dir);
	}
	if (names->n)
		qsort(names->items, names->n, sizeof(*names->items), theme_compare_names);
}
