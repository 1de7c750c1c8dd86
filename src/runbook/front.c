/*
 * Front matter: flat `key: value` lines between two lines of `---`. No YAML: what has more structure
 * than a line is refused.
 */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "problem.h"

struct front {
	struct runbook *runbook;
	struct runbook_problems *problems;
	int line;
	struct strlist seen; /* keys */
};

/* --- values ---------------------------------------------------------------------------------- */

static void front_name(struct front *f, const char *value)
{
	free(f->runbook->name);
	f->runbook->name = mem_strdup(value);
	if (name_check(value) < 0)
		problem_add(f->problems, f->line,
			"runbook: \"%s\" is no name (lower-case letters, digits and hyphens)",
			value);
}

static void front_title(struct front *f, const char *value)
{
	free(f->runbook->title);
	f->runbook->title = mem_strdup(value);
}

/* The words of "a, b c". */
static void front_list(const char *value, struct strlist *words)
{
	char *copy = mem_strdup(value), *p;

	for (p = copy; (p = strchr(p, ',')); p++)
		*p = ' ';
	strlist_add_words(words, copy);
	free(copy);
}

static void front_when(struct front *f, const char *value)
{
	size_t i;

	front_list(value, &f->runbook->when);
	for (i = 0; i < f->runbook->when.n; i++)
		if (name_check(f->runbook->when.items[i]) < 0)
			problem_add(f->problems, f->line, "when: \"%s\" is no finding's code",
				f->runbook->when.items[i]);
}

static void front_require(struct front *f, const char *value)
{
	static const char *const names[] = { "primary", "armed", "app", "compose" };
	struct strlist words;
	size_t i, j;

	strlist_init(&words);
	front_list(value, &words);
	for (i = 0; i < words.n; i++) {
		for (j = 0; j < 4 && strcmp(words.items[i], names[j]) != 0; j++)
			;
		if (j == 4)
			problem_add(f->problems, f->line,
				"require: \"%s\" is not one of primary, armed, app, compose",
				words.items[i]);
		else
			f->runbook->require |= 1u << j;
	}
	strlist_fini(&words);
}

static void var_pick(struct front *f, struct runbook_var *var, const char *value)
{
	const struct runbook_picker *picker;
	struct buf names = BUF_INIT;
	size_t i;

	var->picker = runbook_picker_find(value);
	if (var->picker) {
		var->type = var->picker->type;
		return;
	}
	for (i = 0; (picker = runbook_picker_at(i)); i++)
		buf_printf(&names, "%s%s", i ? ", " : "", picker->name);
	problem_add(f->problems, f->line, "pick=%s: there are %s", value, buf_str(&names));
	buf_fini(&names);
}

/* from= is a source of the picker; the first one where nothing is said. */
static void var_settle(struct front *f, struct runbook_var *var, bool typed)
{
	struct strlist from;

	strlist_init(&from);
	strlist_add_words(&from, var->picker ? var->picker->from : "");
	if (typed && var->picker && var->picker->fields)
		problem_add(
			f->problems, f->line, "type= does not go with pick=%s", var->picker->name);
	if (!var->from && from.n)
		var->from = mem_strdup(from.items[0]);
	else if (!var->from)
		var->from = mem_strdup("");
	else if (!var->picker)
		problem_add(f->problems, f->line, "from= wants a pick=");
	else if (!strlist_has(&from, var->from))
		problem_add(f->problems, f->line, "from=%s: pick=%s has %s", var->from,
			var->picker->name, var->picker->from);
	strlist_fini(&from);
}

/* One "key=value" of a variable. */
static void var_word(struct front *f, struct runbook_var *var, char *word, bool *typed)
{
	char *value = strchr(word, '=');
	enum runbook_type type;

	if (!value || !value[1]) {
		problem_add(f->problems, f->line,
			"\"%s\" is not pick=, from= or type= with a value", word);
		return;
	}
	*value++ = '\0';
	if (strcmp(word, "pick") == 0) {
		var_pick(f, var, value);
	} else if (strcmp(word, "from") == 0) {
		free(var->from);
		var->from = mem_strdup(value);
	} else if (strcmp(word, "type") != 0) {
		problem_add(f->problems, f->line, "\"%s\" is not pick, from or type", word);
	} else if (runbook_type_parse(value, &type) < 0) {
		problem_add(f->problems, f->line, "type=%s is no type of a variable", value);
	} else {
		var->type = type;
		*typed = true;
	}
}

static void front_var(struct front *f, const char *name, const char *value)
{
	struct runbook *runbook = f->runbook;
	struct runbook_var *var;
	struct strlist words;
	bool typed = false;
	size_t i;

	runbook->vars = mem_grow(
		runbook->vars, runbook->n_vars, &runbook->cap_vars, sizeof(*runbook->vars));
	var = &runbook->vars[runbook->n_vars++];
	memset(var, 0, sizeof(*var));
	var->name = mem_strdup(name);
	var->line = f->line;
	if (name_check(name) < 0 || strchr(name, '-'))
		problem_add(f->problems, f->line,
			"\"%s\" is no variable's name (lower-case letters, digits and _)", name);
	if (runbook_provided_find(name))
		problem_add(
			f->problems, f->line, "$%s is set by pgoncall: take another name", name);
	strlist_init(&words);
	front_list(value, &words);
	for (i = 0; i < words.n; i++)
		var_word(f, var, words.items[i], &typed);
	var_settle(f, var, typed);
	strlist_fini(&words);
}

/* --- lines ----------------------------------------------------------------------------------- */

static const struct {
	const char *key;
	void (*set)(struct front *f, const char *value);
} front_keys[] = {
	{ "runbook", front_name },
	{ "title", front_title },
	{ "when", front_when },
	{ "require", front_require },
};

static void front_set(struct front *f, const char *key, const char *value)
{
	size_t i;

	if (strlist_has(&f->seen, key))
		problem_add(f->problems, f->line, "%s: is set twice", key);
	strlist_add(&f->seen, key);
	if (str_starts(key, "var.")) {
		front_var(f, key + 4, value);
		return;
	}
	for (i = 0; i < sizeof(front_keys) / sizeof(front_keys[0]); i++) {
		if (strcmp(front_keys[i].key, key) == 0) {
			if (!*value)
				problem_add(f->problems, f->line, "%s: has no value", key);
			front_keys[i].set(f, value);
			return;
		}
	}
	problem_add(f->problems, f->line,
		"\"%s\" is no key (runbook, title, when, require, var.NAME)", key);
}

static void front_line(struct front *f, const char *bytes, size_t len)
{
	char *text = mem_strndup(bytes, len), *line = str_trim(text);
	char *colon = strchr(line, ':');

	if (!*line || *line == '#') {
		free(text);
		return;
	}
	if (!colon || text[0] == ' ' || text[0] == '\t') {
		problem_add(f->problems, f->line, "front matter holds lines of key: value only");
	} else {
		*colon = '\0';
		front_set(f, str_trim(line), str_trim(colon + 1));
	}
	free(text);
}

static bool is_fence(const char *bytes, size_t len)
{
	while (len && strchr(" \t\r", bytes[len - 1]))
		len--;
	return len == 3 && memcmp(bytes, "---", 3) == 0;
}

/* The line at bytes without its line feed; *next is where the next begins. */
static size_t line_len(const char *bytes, size_t len, size_t *next)
{
	const char *end = memchr(bytes, '\n', len);
	size_t n = end ? (size_t)(end - bytes) : len;

	*next = end ? n + 1 : n;
	return n;
}

static void front_require_keys(const struct front *f)
{
	if (!strlist_has(&f->seen, "runbook"))
		problem_add(f->problems, 1, "the front matter has no \"runbook: NAME\"");
	if (!strlist_has(&f->seen, "title"))
		problem_add(f->problems, 1, "the front matter has no \"title: …\"");
}

size_t front_parse(const char *bytes, size_t len, struct runbook *runbook, int *lines,
	struct runbook_problems *problems)
{
	struct front f = { .runbook = runbook, .problems = problems, .line = 1 };
	size_t at = 0, n, next;

	*lines = 0;
	n = line_len(bytes, len, &next);
	if (!is_fence(bytes, n)) {
		problem_add(problems, 1, "there is no front matter: the first line must be ---");
		return 0;
	}
	strlist_init(&f.seen);
	for (at = next; at < len; at += next) {
		n = line_len(bytes + at, len - at, &next);
		f.line++;
		if (is_fence(bytes + at, n))
			break;
		front_line(&f, bytes + at, n);
	}
	if (at >= len)
		problem_add(problems, 1, "the front matter has no end: a second line of ---");
	else
		at += next;
	front_require_keys(&f);
	*lines = f.line;
	strlist_fini(&f.seen);
	return at;
}
