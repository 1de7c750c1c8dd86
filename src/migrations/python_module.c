/*
 * Walks the logical lines of a Python file: which statements run when the module is loaded. What they
 * bind is python_bind.c's. Bodies of functions and classes are passed over; what is bound under an if, try, with or
 * loop is dynamic. Also finds the syntax errors that can be seen without a grammar: indentation, a
 * missing colon, brackets and strings that do not end.
 */
#include <pgoncall/migrations/python_module.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/migrations/python_bind.h>

enum {
	INDENTS_MAX = 100,   /* Python's own bound */
	TOKENS_ROOM = 512,   /* more than most revision files have; 16 KiB */
	COMPOUND_LEN_MAX = 7 /* "finally" */
};

/* Always in the table, so that no other names crowd them out. */
#define TRACKED(word) { .name = word, .len = sizeof(word) - 1 }
static const struct py_binding tracked[] = { TRACKED("revision"), TRACKED("down_revision"),
	TRACKED("branch_labels"), TRACKED("depends_on"), TRACKED("__doc__"), TRACKED("upgrade"),
	TRACKED("downgrade") };

/* These begin a line that has a colon after its head. match and case can be plain names. */
static const char *const compound[] = { "def", "class", "if", "elif", "else", "for", "while", "try",
	"except", "finally", "with", "async" };

struct walker {
	struct py_module *module;
	int indents[INDENTS_MAX];
	int n_indents;
	int header_line; /* of a line that ended in a colon just now, else 0 */
	int skip_column; /* column of the def or class whose body we are in, else -1 */
	struct migration_function *function; /* the one whose body we are in, or NULL */
	bool seen_statement;
};

static __attribute__((format(printf, 3, 4))) void fail(
	struct walker *w, int line, const char *fmt, ...)
{
	struct py_module *m = w->module;
	va_list ap;

	if (m->error_line)
		return;
	va_start(ap, fmt);
	vsnprintf(m->error, sizeof(m->error), fmt, ap);
	va_end(ap);
	m->error_line = line;
}

/* --- statements --- */

static bool all_strings(const struct py_token *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (t[i].kind != PY_STRING)
			return false;
	return n > 0;
}

static void take_docstring(struct walker *w, const struct py_token *t, size_t n)
{
	struct py_value *value;

	if (!all_strings(t, n))
		return;
	value = py_eval(t, n, NULL);
	if (value->type == PY_STR)
		w->module->docstring = py_take_str(value);
	else
		py_unref(value);
}

/* The marks of a merge that was not finished begin so, too: "<<<<<<<", "=======". */
static bool can_begin_statement(const struct py_token *token)
{
	static const char *const openers[] = { "(", "[", "{", "-", "+", "~", "*", "...", "@" };
	size_t i;

	if (token->kind != PY_OP)
		return true;
	for (i = 0; i < sizeof(openers) / sizeof(openers[0]); i++)
		if (py_is(token, openers[i]))
			return true;
	return false;
}

static void walk_statement(struct walker *w, const struct py_token *t, size_t n, bool conditional)
{
	if (!n)
		return;
	if (!w->seen_statement)
		take_docstring(w, t, n);
	w->seen_statement = true;
	py_bind_statement(w->module, t, n, conditional);
}

static void walk_statements(struct walker *w, const struct py_token *t, size_t n, bool conditional)
{
	size_t from, to;

	for (from = 0; from < n; from = to + 1) {
		to = py_find_at_depth(t, n, from, 0, ";");
		walk_statement(w, t + from, to - from, conditional);
	}
}

/* --- functions --- */

static bool does_nothing(const struct py_token *t, size_t n)
{
	if (n == 1 && (py_is(t, "pass") || py_is(t, "...") || py_is(t, "return")))
		return true;
	if (n == 2 && py_is(t, "return") && py_is(&t[1], "None"))
		return true;
	return n == 0 || all_strings(t, n);
}

static void walk_body(struct walker *w, const struct py_token *t, size_t n, int last_line)
{
	size_t from, to;

	if (!w->function)
		return;
	for (from = 0; from < n; from = to + 1) {
		to = py_find_at_depth(t, n, from, 0, ";");
		if (!does_nothing(t + from, to - from))
			w->function->empty = false;
	}
	w->function->last_line = last_line;
}

/* "def name" or "class name", t at the word. */
static void walk_definition(
	struct walker *w, const struct py_token *t, size_t n, size_t colon, int last_line)
{
	bool is_def = py_is(t, "def");

	w->seen_statement = true;
	if (n < 2 || t[1].kind != PY_NAME)
		return;
	py_bind_dynamic(w->module, &t[1]);
	w->function = NULL;
	if (is_def && py_is(&t[1], "upgrade"))
		w->function = &w->module->upgrade;
	else if (is_def && py_is(&t[1], "downgrade"))
		w->function = &w->module->downgrade;
	if (!w->function)
		return;
	w->function->present = w->function->empty = true;
	w->function->line = t[0].line;
	w->function->last_line = last_line;
	if (colon + 1 < n)
		walk_body(w, t + colon + 1, n - colon - 1, last_line);
}

/* --- lines --- */

static void check_indent(struct walker *w, int column, int line)
{
	int top = w->indents[w->n_indents - 1];

	if (w->header_line) {
		if (column <= top)
			fail(w, line, "expected an indented block after line %d", w->header_line);
		else if (w->n_indents == INDENTS_MAX)
			fail(w, line, "too many levels of indentation");
		else
			w->indents[w->n_indents++] = column;
	} else if (column > top) {
		fail(w, line, "unexpected indent");
	}
	while (w->n_indents > 1 && column < w->indents[w->n_indents - 1])
		w->n_indents--;
	if (column < top && column != w->indents[w->n_indents - 1])
		fail(w, line, "unindent does not match any outer indentation level");
	w->header_line = 0;
}

static bool is_compound(const struct py_token *token)
{
	size_t i;

	if (token->kind != PY_NAME || token->len > COMPOUND_LEN_MAX)
		return false;
	for (i = 0; i < sizeof(compound) / sizeof(compound[0]); i++)
		if (*token->s == *compound[i] && py_is(token, compound[i]))
			return true;
	return false;
}

static void walk_line(struct walker *w, const struct py_token *t, size_t n, int last_line)
{
	size_t colon = py_find_at_depth(t, n, 0, 0, ":");
	bool conditional = t[0].column > 0, head = is_compound(&t[0]);
	int column = t[0].column;

	check_indent(w, column, t[0].line);
	if (!can_begin_statement(&t[0]))
		fail(w, t[0].line, "invalid syntax: '%.*s'", t[0].len < 8 ? (int)t[0].len : 8,
			t[0].s);
	if (head && colon == n)
		fail(w, t[0].line, "expected ':'");
	if (py_is(&t[n - 1], ":"))
		w->header_line = t[0].line;
	if (w->skip_column >= 0 && column > w->skip_column) {
		walk_body(w, t, n, last_line);
		return;
	}
	w->skip_column = -1;
	w->function = NULL;
	if (n > 1 && py_is(&t[0], "async") && py_is(&t[1], "def")) {
		t++;
		n--;
		colon--;
	}
	if (py_is(&t[0], "def") || py_is(&t[0], "class")) {
		w->skip_column = column;
		walk_definition(w, t, n, colon, last_line);
	} else if (head || w->header_line) {
		w->seen_statement = true;
		py_bind_head(w->module, t, n);
		if (head && colon + 1 < n)
			walk_statements(w, t + colon + 1, n - colon - 1, true);
	} else if (!py_is(&t[0], "@")) {
		walk_statements(w, t, n, conditional);
	}
}

/* --- encoding --- */

/* PEP 263: a comment on one of the first two lines that holds "coding:" or "coding=". */
static bool has_coding_comment(const char *text, size_t len)
{
	const char *s = text, *end = text + len, *eol, *hash, *word;
	int line;

	for (line = 0; line < 2 && s < end; line++, s = eol + 1) {
		eol = memchr(s, '\n', (size_t)(end - s));
		eol = eol ? eol : end;
		hash = memchr(s, '#', (size_t)(eol - s));
		word = hash ? memmem(hash, (size_t)(eol - hash), "coding", 6) : NULL;
		if (word && word + 6 < eol && (word[6] == ':' || word[6] == '='))
			return true;
		if (eol == end)
			break;
	}
	return false;
}

static bool is_ascii(const char *text, size_t len)
{
	uint64_t word, all = 0;
	size_t i;

	for (i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		all |= word;
	}
	for (; i < len; i++)
		all |= (unsigned char)text[i];
	return !(all & 0x8080808080808080u);
}

/* Python decodes what is no comment. */
static void check_encoding(struct walker *w, const struct py_token *token)
{
	size_t i, used;
	uint32_t cp;

	for (i = 0; i < token->len; i += used) {
		used = (unsigned char)token->s[i] < 0x80
			       ? 1
			       : utf8_decode(token->s + i, token->len - i, &cp);
		if (!used) {
			fail(w, token->line,
				"(unicode error) 'utf-8' codec can't decode byte 0x%02x",
				(unsigned)(unsigned char)token->s[i]);
			return;
		}
	}
}

/* --- the module --- */

static const struct py_value *find_value(const struct py_names *names, const char *s, size_t len)
{
	const struct py_binding *b = py_binding_find((struct py_module *)names, s, len);

	return b ? b->value : NULL;
}

void py_module_init(struct py_module *module, const char *text, size_t len)
{
	struct walker w = { .module = module, .n_indents = 1, .skip_column = -1 };
	bool utf8 = !is_ascii(text, len) && !has_coding_comment(text, len);
	struct py_token room[TOKENS_ROOM];
	struct py_tokens tokens;
	size_t i, from = 0;

	/* The bindings are set one by one. */
	memset(module, 0, offsetof(struct py_module, bindings));
	memset(&module->n_bindings, 0, sizeof(*module) - offsetof(struct py_module, n_bindings));
	module->names.find = find_value;
	memcpy(module->bindings, tracked, sizeof(tracked));
	module->n_bindings = sizeof(tracked) / sizeof(tracked[0]);
	py_tokens_init(&tokens, text, len, room, TOKENS_ROOM);
	for (i = 0; i < tokens.n; i++) {
		if (utf8)
			check_encoding(&w, &tokens.items[i]);
		if (tokens.items[i].kind != PY_NEWLINE)
			continue;
		walk_line(&w, tokens.items + from, i - from, tokens.items[i].line);
		from = i + 1;
	}
	if (tokens.error_line) {
		module->error_line = 0;
		fail(&w, tokens.error_line, "%s", tokens.error);
	} else if (w.header_line) {
		fail(&w, w.header_line, "expected an indented block after line %d", w.header_line);
	}
	py_tokens_fini(&tokens);
}

void py_module_fini(struct py_module *module)
{
	size_t i;

	for (i = 0; i < module->n_bindings; i++)
		py_unref(module->bindings[i].value);
	free(module->docstring);
	module->docstring = NULL;
	module->n_bindings = 0;
}

const struct py_binding *py_module_find(const struct py_module *module, const char *name)
{
	const struct py_binding *b =
		py_binding_find((struct py_module *)module, name, strlen(name));

	return b && b->value ? b : NULL;
}
