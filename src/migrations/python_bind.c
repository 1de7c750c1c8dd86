/*
 * Assignments and all else that binds a name: targets, chains, tuples, +=, imports, walrus. A name
 * whose value cannot be told is bound to PY_DYNAMIC, so that it never keeps a stale one.
 */
#include <pgoncall/migrations/python_bind.h>

#include <string.h>

struct py_binding *py_binding_find(struct py_module *m, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < m->n_bindings; i++)
		if (m->bindings[i].len == len && memcmp(m->bindings[i].name, s, len) == 0)
			return &m->bindings[i];
	return NULL;
}

static void bind(struct py_module *m, const struct py_token *name, const struct py_value *value)
{
	struct py_binding *b = py_binding_find(m, name->s, name->len);

	if (!b && m->n_bindings < PY_BINDINGS_MAX) {
		b = &m->bindings[m->n_bindings++];
		*b = (struct py_binding){ .name = name->s, .len = name->len };
	}
	if (!b)
		return;
	py_unref(b->value);
	b->value = py_ref(value);
	b->line = name->line;
}

void py_bind_dynamic(struct py_module *m, const struct py_token *name)
{
	struct py_value *value = py_dynamic();

	bind(m, name, value);
	py_unref(value);
}

static void bind_all_dynamic(struct py_module *m, const struct py_token *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (t[i].kind == PY_NAME)
			py_bind_dynamic(m, &t[i]);
}

/* Something is done to what a name holds (x.append(…), x[0] = …): its value is not known any more. */
static void mutate(struct py_module *m, const struct py_token *t, size_t n)
{
	if (n > 1 && t[0].kind == PY_NAME && (py_is(&t[1], ".") || py_is(&t[1], "[")) &&
		m->names.find(&m->names, t[0].s, t[0].len))
		py_bind_dynamic(m, &t[0]);
}

/* --- statements --- */

size_t py_find_at_depth(
	const struct py_token *t, size_t n, size_t from, int depth, const char *what)
{
	size_t i;

	for (i = from; i < n; i++)
		if (t[i].depth == depth && *t[i].s == *what && py_is(&t[i], what))
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
	struct py_module *m, const struct py_token *t, size_t n, const struct py_value *value)
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
		bind(m, t, value);
		return;
	}
	if (py_find_at_depth(t, n, 0, depth, ",") == n) {
		mutate(m, t, n);
		return;
	}
	for (from = 0; from < n; from = py_find_at_depth(t, n, from, depth, ",") + 1)
		count++;
	if (value->type != PY_LIST || value->n != count ||
		py_find_at_depth(t, n, 0, depth, "*") != n) {
		bind_all_dynamic(m, t, n);
		return;
	}
	for (from = 0; from < n; from = to + 1) {
		to = py_find_at_depth(t, n, from, depth, ",");
		bind_target(m, t + from, to - from, value->items[i++]);
	}
}

static struct py_value *value_of(
	struct py_module *m, const struct py_token *t, size_t n, bool conditional)
{
	return conditional ? py_dynamic() : py_eval(t, n, &m->names);
}

/* x += …, x |= … */
static void augment(struct py_module *m, const struct py_token *t, size_t n, bool conditional)
{
	const struct py_value *old = m->names.find(&m->names, t[0].s, t[0].len);
	struct py_value *more, *sum;

	if (!old || conditional || !py_is(&t[1], "+=")) {
		py_bind_dynamic(m, &t[0]);
		return;
	}
	more = py_eval(t + 2, n - 2, &m->names);
	sum = py_add(old, more);
	bind(m, &t[0], sum);
	py_unref(more);
	py_unref(sum);
}

/* The next "=" of an assignment; none beyond a lambda, whose defaults look alike. */
static size_t find_equals(const struct py_token *t, size_t n, size_t from)
{
	size_t i;

	for (i = from; i < n; i++) {
		if (t[i].depth != t[0].depth)
			continue;
		if (py_is(&t[i], "="))
			return i;
		if (py_is(&t[i], "lambda"))
			return n;
	}
	return n;
}

/* Targets are bound from left to right, all to the one value after the last "=". */
static void assign(struct py_module *m, const struct py_token *t, size_t n, bool conditional)
{
	size_t first = find_equals(t, n, 0), from, to, last;
	bool annotated = n > 1 && t[0].kind == PY_NAME && py_is(&t[1], ":");
	struct py_value *value;

	if (first == n) {
		if (n > 2 && t[0].kind == PY_NAME && t[1].kind == PY_OP && t[1].len > 1 &&
			t[1].s[t[1].len - 1] == '=' && !strchr("=!<>:", t[1].s[0]))
			augment(m, t, n, conditional);
		else
			mutate(m, t, n);
		return;
	}
	last = first;
	while (!annotated && (to = find_equals(t, n, last + 1)) < n)
		last = to;
	value = value_of(m, t + last + 1, n - last - 1, conditional);
	if (annotated) {
		bind(m, &t[0], value);
	} else {
		for (from = 0; from <= last; from = to + 1) {
			to = find_equals(t, n, from);
			bind_target(m, t + from, to - from, value);
		}
	}
	py_unref(value);
}

void py_bind_head(struct py_module *m, const struct py_token *t, size_t n)
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
			py_bind_dynamic(m, &t[i]);
	}
}

void py_bind_statement(struct py_module *m, const struct py_token *t, size_t n, bool conditional)
{
	if (py_is(&t[0], "import") || py_is(&t[0], "from") || py_is(&t[0], "del"))
		bind_all_dynamic(m, t + 1, n - 1);
	else
		assign(m, t, n, conditional);
	py_bind_head(m, t, n);
}
