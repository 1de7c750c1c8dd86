/*
 * Walks the logical lines of a Python file: which statements run when the module is loaded, and what
 * they bind. Bodies of functions and classes are passed over; what is bound under an if, try, with or
 * loop is dynamic. Also finds the syntax errors that can be seen without a grammar: indentation, a
 * missing colon, brackets and strings that do not end.
 */
#include <pgoncall/migrations/python_module.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

enum {
	INDENTS_MAX = 100 /* Python's own bound */
};

/* Always in the table, so that no other names crowd them out. */
static const char *const tracked[] = { "revision", "down_revision", "branch_labels", "depends_on",
	"__doc__", "upgrade", "downgrade" };

/* These begin a line that has a colon after its head. match and case can be plain names. */
static const char *const compound[] = { "def", "class", "if", "elif", "else", "for", "while", "try",
	"except", "finally", "with", "async" };

struct walker {
	struct py_module *module;
	int indents[INDENTS_MAX];
	int n_indents;
	int header_line;  /* of a line that ended in a colon just now, else 0 */
	int skip_column;  /* column of the def or class whose body we are in, else -1 */
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

/* --- bindings --- */

static struct py_binding *find_binding(const struct py_module *m, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < m->n_bindings; i++)
		if (m->bindings[i].len == len && memcmp(m->bindings[i].name, s, len) == 0)
			return (struct py_binding *)&m->bindings[i];
	return NULL;
}

static const struct py_value *find_value(const struct py_names *names, const char *s, size_t len)
{
	const struct py_binding *b = find_binding((const struct py_module *)names, s, len);

	return b ? b->value : NULL;
}

static void bind(struct walker *w, const struct py_token *name, const struct py_value *value)
{
	struct py_module *m = w->module;
	struct py_binding *b = find_binding(m, name->s, name->len);

	if (!b && m->n_bindings < PY_BINDINGS_MAX) {
		b = &m->bindings[m->n_bindings++];
		b->name = name->s;
		b->len = name->len;
	}
	if (!b)
		return;
	py_unref(b->value);
	b->value = py_ref(value);
	b->line = name->line;
}

static void bind_dynamic(struct walker *w, const struct py_token *name)
{
	struct py_value *value = py_dynamic();

	bind(w, name, value);
	py_unref(value);
}

static void bind_all_dynamic(struct walker *w, const struct py_token *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (t[i].kind == PY_NAME)
			bind_dynamic(w, &t[i]);
}

/* Something is done to what a name holds (x.append(…), x[0] = …): its value is not known any more. */
static void mutate(struct walker *w, const struct py_token *t, size_t n)
{
	if (n > 1 && t[0].kind == PY_NAME && (py_is(&t[1], ".") || py_is(&t[1], "[")) &&
		find_value(&w->module->names, t[0].s, t[0].len))
		bind_dynamic(w, &t[0]);
}

/* --- statements --- */

/* Where the next of `what` stands at this depth, from `from` on; n where there is none. */
static size_t find_at_depth(
	const struct py_token *t, size_t n, size_t from, int depth, const char *what)
{
	size_t i;

	for (i = from; i < n; i++)
		if (t[i].depth == depth && py_is(&t[i], what))
			return i;
	return n;
}

/* Whether brackets enclose the whole of it. */
static bool is_bracketed(const struct py_token *t, size_t n)
{
	size_t i;

	if (n < 3 || !(py_is(t, "(") || py_is(t, "[")))
		return false;
	for (i = 1; i < n - 1; i++)
		if (t[i].depth <= t[0].depth)
			return false;
	return t[n - 1].depth == t[0].depth;
}

static void bind_target(
	struct walker *w, const struct py_token *t, size_t n, const struct py_value *value)
{
	size_t from, to, count = 0, i = 0;
	int depth;

	if (is_bracketed(t, n)) {
		t++;
		n -= 2;
	}
	if (!n)
		return;
	depth = t[0].depth;
	if (n == 1 && t[0].kind == PY_NAME) {
		bind(w, t, value);
		return;
	}
	if (find_at_depth(t, n, 0, depth, ",") == n) {
		mutate(w, t, n);
		return;
	}
	for (from = 0; from < n; from = find_at_depth(t, n, from, depth, ",") + 1)
		count++;
	if (value->type != PY_LIST || value->n != count ||
		find_at_depth(t, n, 0, depth, "*") != n) {
		bind_all_dynamic(w, t, n);
		return;
	}
	for (from = 0; from < n; from = to + 1) {
		to = find_at_depth(t, n, from, depth, ",");
		bind_target(w, t + from, to - from, value->items[i++]);
	}
}

static struct py_value *value_of(
	struct walker *w, const struct py_token *t, size_t n, bool conditional)
{
	return conditional ? py_dynamic() : py_eval(t, n, &w->module->names);
}

/* x += …, x |= … */
static void augment(struct walker *w, const struct py_token *t, size_t n, bool conditional)
{
	const struct py_value *old = find_value(&w->module->names, t[0].s, t[0].len);
	struct py_value *more, *sum;

	if (!old || conditional || !py_is(&t[1], "+=")) {
		bind_dynamic(w, &t[0]);
		return;
	}
	more = py_eval(t + 2, n - 2, &w->module->names);
	sum = py_add(old, more);
	bind(w, &t[0], sum);
	py_unref(more);
	py_unref(sum);
}

/* The next "=" of an assignment; none in a lambda, whose defaults look alike. */
static size_t find_equals(const struct py_token *t, size_t n, size_t from)
{
	size_t equals = find_at_depth(t, n, from, t[0].depth, "=");
	size_t lambda = find_at_depth(t, n, from, t[0].depth, "lambda");

	return lambda < equals ? n : equals;
}

/* Targets are bound from left to right, all to the one value after the last "=". */
static void assign(struct walker *w, const struct py_token *t, size_t n, bool conditional)
{
	size_t first = find_equals(t, n, 0), from, to, last;
	bool annotated = n > 1 && t[0].kind == PY_NAME && py_is(&t[1], ":");
	struct py_value *value;

	if (first == n) {
		if (n > 2 && t[0].kind == PY_NAME && t[1].kind == PY_OP && t[1].len > 1 &&
			t[1].s[t[1].len - 1] == '=' && !strchr("=!<>:", t[1].s[0]))
			augment(w, t, n, conditional);
		else
			mutate(w, t, n);
		return;
	}
	last = first;
	while (!annotated && (to = find_equals(t, n, last + 1)) < n)
		last = to;
	value = value_of(w, t + last + 1, n - last - 1, conditional);
	if (annotated) {
		bind(w, &t[0], value);
	} else {
		for (from = 0; from <= last; from = to + 1) {
			to = find_equals(t, n, from);
			bind_target(w, t + from, to - from, value);
		}
	}
	py_unref(value);
}

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
		w->module->docstring = mem_strdup(value->str);
	py_unref(value);
}

/* "as x", "for x in", and "x :=", wherever they stand. */
static void bind_others(struct walker *w, const struct py_token *t, size_t n)
{
	bool binding = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (py_is(&t[i], "as") || py_is(&t[i], "for"))
			binding = t[i].depth == t[0].depth;
		else if (py_is(&t[i], "in") || py_is(&t[i], ":") ||
			 (py_is(&t[i], ",") && t[i].depth == t[0].depth && py_is(&t[0], "with")))
			binding = false;
		else if (t[i].kind == PY_NAME && (binding || (i + 1 < n && py_is(&t[i + 1], ":="))))
			bind_dynamic(w, &t[i]);
	}
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
	if (py_is(&t[0], "import") || py_is(&t[0], "from") || py_is(&t[0], "del"))
		bind_all_dynamic(w, t + 1, n - 1);
	else
		assign(w, t, n, conditional);
	bind_others(w, t, n);
}

static void walk_statements(
	struct walker *w, const struct py_token *t, size_t n, bool conditional)
{
	size_t from, to;

	for (from = 0; from < n; from = to + 1) {
		to = find_at_depth(t, n, from, 0, ";");
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
		to = find_at_depth(t, n, from, 0, ";");
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
	bind_dynamic(w, &t[1]);
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

	for (i = 0; i < sizeof(compound) / sizeof(compound[0]); i++)
		if (py_is(token, compound[i]))
			return true;
	return false;
}

static void walk_line(struct walker *w, const struct py_token *t, size_t n, int last_line)
{
	size_t colon = find_at_depth(t, n, 0, 0, ":");
	bool conditional = t[0].column > 0, head = is_compound(&t[0]);
	int column = t[0].column;

	check_indent(w, column, t[0].line);
	if (!can_begin_statement(&t[0]))
		fail(w, t[0].line, "invalid syntax: '%.*s'", t[0].len < 8 ? (int)t[0].len : 8, t[0].s);
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
		bind_others(w, t, n);
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
			fail(w, token->line, "(unicode error) 'utf-8' codec can't decode byte 0x%02x",
				(unsigned)(unsigned char)token->s[i]);
			return;
		}
	}
}

/* --- the module --- */

void py_module_init(struct py_module *module, const char *text, size_t len)
{
	struct walker w = { .module = module, .n_indents = 1, .skip_column = -1 };
	bool utf8 = !has_coding_comment(text, len);
	struct py_tokens tokens;
	size_t i, from = 0;

	memset(module, 0, sizeof(*module));
	module->names.find = find_value;
	for (i = 0; i < sizeof(tracked) / sizeof(tracked[0]); i++) {
		module->bindings[i].name = tracked[i];
		module->bindings[i].len = strlen(tracked[i]);
		module->n_bindings++;
	}
	py_tokens_init(&tokens, text, len);
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
	memset(module, 0, sizeof(*module));
}

const struct py_binding *py_module_find(const struct py_module *module, const char *name)
{
	const struct py_binding *b = find_binding(module, name, strlen(name));

	return b && b->value ? b : NULL;
}
