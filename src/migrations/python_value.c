/*
 * Evaluates the expressions revision files give to their identifiers: literals of strings and
 * containers, names that stand for such, "+", and str(), tuple(), list(), set(), frozenset(). All
 * else is PY_DYNAMIC.
 *
 * What computing makes is bounded in size and nesting, so that a file that doubles a string on each
 * line, or wraps a tuple in another, exhausts neither memory nor stack; no identifier comes near.
 */
#include <pgoncall/migrations/python.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

enum { VALUE_WEIGHT_MAX = 4096, NESTING_MAX = 64 };

/* --- values --- */

static struct py_value *value_new(enum py_type type)
{
	struct py_value *value = mem_calloc(1, sizeof(*value));

	value->type = type;
	value->refs = 1;
	value->weight = 1;
	return value;
}

/* There are many of these, and nothing is in them: one of each serves all. refs 0: never freed. */
static const struct py_value the_dynamic = { .type = PY_DYNAMIC, .weight = 1 };
static const struct py_value the_none = { .type = PY_NONE, .weight = 1 };

struct py_value *py_dynamic(void)
{
	return (struct py_value *)(uintptr_t)&the_dynamic;
}

static struct py_value *value_none(void)
{
	return (struct py_value *)(uintptr_t)&the_none;
}

static struct py_value *value_string_take(char *s)
{
	struct py_value *value = value_new(PY_STR);

	value->str = s;
	value->weight += strlen(s);
	return value;
}

static struct py_value *value_other(const char *what)
{
	struct py_value *value = value_new(PY_OTHER);

	value->what = what;
	return value;
}

struct py_value *py_ref(const struct py_value *value)
{
	struct py_value *shared = (struct py_value *)value; /* the count is not part of the value */

	if (shared->refs)
		shared->refs++;
	return shared;
}

void py_unref(struct py_value *value)
{
	size_t i;

	if (!value || !value->refs || --value->refs)
		return;
	for (i = 0; i < value->n; i++)
		py_unref(value->items[i]);
	free(value->items);
	free(value->str);
	free(value);
}

char *py_take_str(struct py_value *value_take)
{
	char *s = value_take->str;

	if (value_take->refs == 1)
		value_take->str = NULL;
	else
		s = mem_strdup(s);
	py_unref(value_take);
	return s;
}

/* Takes item. */
static void list_add(struct py_value *list, size_t *cap, struct py_value *item)
{
	list->items = mem_grow(list->items, list->n, cap, sizeof(struct py_value *));
	list->items[list->n++] = item;
	list->weight += item->weight;
	if (list->depth <= item->depth)
		list->depth = item->depth + 1;
}

struct py_value *py_add(const struct py_value *a, const struct py_value *b)
{
	struct py_value *sum;
	size_t i, cap = 0;

	if (a->weight + b->weight > VALUE_WEIGHT_MAX || a->type != b->type)
		return py_dynamic();
	if (a->type == PY_STR)
		return value_string_take(mem_printf("%s%s", a->str, b->str));
	if (a->type != PY_LIST)
		return py_dynamic();
	sum = value_new(PY_LIST);
	for (i = 0; i < a->n; i++)
		list_add(sum, &cap, py_ref(a->items[i]));
	for (i = 0; i < b->n; i++)
		list_add(sum, &cap, py_ref(b->items[i]));
	return sum;
}

/* --- expressions --- */

struct parser {
	const struct py_token *tokens;
	size_t n;
	size_t pos;
	const struct py_names *names;
	int nesting;
};

static struct py_value *parse_expression(struct parser *p);

static bool at(const struct parser *p, const char *what)
{
	return p->pos < p->n && py_is(&p->tokens[p->pos], what);
}

static bool at_end_of_element(const struct parser *p)
{
	return p->pos >= p->n || at(p, ",") || at(p, ")") || at(p, "]") || at(p, "}") || at(p, ":");
}

/* To the next comma, colon or closing bracket of the same depth. */
static void skip_element(struct parser *p, int depth)
{
	for (; p->pos < p->n; p->pos++)
		if (p->tokens[p->pos].depth == depth && (at(p, ",") || at(p, ":")))
			return;
		else if (p->tokens[p->pos].depth < depth)
			return;
}

static struct py_value *parse_strings(struct parser *p)
{
	struct buf text = BUF_INIT;
	enum py_type type = PY_STR, one;

	/* What stands for itself is no longer than its token. */
	buf_reserve(&text, p->pos < p->n ? p->tokens[p->pos].len : 0);
	for (; p->pos < p->n && p->tokens[p->pos].kind == PY_STRING; p->pos++) {
		one = py_string_value(&p->tokens[p->pos], p->names, &text);
		if (type != PY_DYNAMIC && one != PY_STR)
			type = one;
	}
	if (type == PY_STR)
		return value_string_take(buf_steal(&text));
	buf_fini(&text);
	return type == PY_OTHER ? value_other("bytes") : py_dynamic();
}

/* Elements up to the closing bracket (or the end), separated by commas. *comma: there was one.
 * *keyed: there was a "key: value". */
static struct py_value *parse_elements(struct parser *p, bool *comma, bool *keyed)
{
	struct py_value *list = value_new(PY_LIST);
	size_t cap = 0;

	*comma = *keyed = false;
	while (p->pos < p->n && !at(p, ")") && !at(p, "]") && !at(p, "}")) {
		list_add(list, &cap, parse_expression(p));
		if (at(p, ":")) {
			*keyed = true;
			p->pos++;
			py_unref(parse_expression(p));
		}
		if (!at(p, ","))
			break;
		*comma = true;
		p->pos++;
	}
	return list;
}

/* (…), […], {…}; p->pos at the opening bracket. */
static struct py_value *parse_bracket(struct parser *p)
{
	char open = p->tokens[p->pos].s[0];
	int depth = p->tokens[p->pos].depth;
	struct py_value *list, *value;
	bool comma, keyed, closed;

	p->pos++;
	list = parse_elements(p, &comma, &keyed);
	closed = p->pos < p->n && p->tokens[p->pos].depth == depth;
	if (!closed) {
		py_unref(list);
		return py_dynamic();
	}
	p->pos++;
	if (keyed || (open == '{' && !list->n)) {
		py_unref(list);
		return value_other("dict");
	}
	if (open == '(' && !comma && list->n == 1) {
		value = py_ref(list->items[0]);
		py_unref(list);
		return value;
	}
	if (list->depth > NESTING_MAX) {
		py_unref(list);
		return py_dynamic();
	}
	return list;
}

/* str(…) and the constructors of containers, of one argument or none. */
static struct py_value *convert(const struct py_token *name, const struct py_value *arg)
{
	bool container = py_is(name, "tuple") || py_is(name, "list") || py_is(name, "set") ||
			 py_is(name, "frozenset");

	if (container && !arg)
		return value_new(PY_LIST);
	if (container && arg->type == PY_LIST)
		return py_ref(arg);
	if (!py_is(name, "str"))
		return py_dynamic();
	if (!arg)
		return value_string_take(mem_strdup(""));
	if (arg->type == PY_STR)
		return py_ref(arg);
	if (arg->type == PY_OTHER && arg->str)
		return value_string_take(mem_strdup(arg->str));
	return py_dynamic();
}

/* p->pos at the bracket after the name. */
static struct py_value *parse_call(struct parser *p, const struct py_token *name)
{
	int depth = p->tokens[p->pos].depth;
	struct py_value *args, *value;
	bool comma, keyed;

	p->pos++;
	args = parse_elements(p, &comma, &keyed);
	if (p->pos >= p->n || p->tokens[p->pos].depth != depth || keyed || args->n > 1) {
		value = py_dynamic();
	} else {
		p->pos++;
		value = convert(name, args->n ? args->items[0] : NULL);
	}
	py_unref(args);
	return value;
}

static struct py_value *parse_name(struct parser *p)
{
	const struct py_token *name = &p->tokens[p->pos++];
	const struct py_value *known;

	known = p->names ? p->names->find(p->names, name->s, name->len) : NULL;
	if (known)
		return py_ref(known);
	if (at(p, "("))
		return parse_call(p, name);
	if (py_is(name, "None"))
		return value_none();
	if (py_is(name, "True") || py_is(name, "False"))
		return value_other("bool");
	return py_dynamic();
}

/* Digits are kept of a plain decimal int, for str(). */
static struct py_value *parse_number(struct parser *p)
{
	const struct py_token *token = &p->tokens[p->pos++];
	struct py_value *value = value_other("number");
	size_t i;

	for (i = 0; i < token->len; i++)
		if (token->s[i] < '0' || token->s[i] > '9' ||
			(token->len > 1 && token->s[0] == '0'))
			return value;
	value->what = "int";
	value->str = mem_strndup(token->s, token->len);
	return value;
}

static struct py_value *parse_operand(struct parser *p)
{
	const struct py_token *token;

	if (p->pos >= p->n)
		return py_dynamic();
	token = &p->tokens[p->pos];
	switch (token->kind) {
	case PY_STRING:
		return parse_strings(p);
	case PY_NAME:
		return parse_name(p);
	case PY_NUMBER:
		return parse_number(p);
	case PY_OP:
		if (py_is(token, "(") || py_is(token, "[") || py_is(token, "{"))
			return parse_bracket(p);
		if (py_is(token, "...")) {
			p->pos++;
			return value_other("ellipsis");
		}
		break;
	case PY_NEWLINE:
		break;
	}
	return py_dynamic();
}

static struct py_value *parse_expression(struct parser *p)
{
	int depth = p->pos < p->n ? p->tokens[p->pos].depth : 0;
	struct py_value *value, *next, *sum;

	if (++p->nesting > NESTING_MAX) {
		value = py_dynamic();
	} else {
		value = parse_operand(p);
		while (at(p, "+")) {
			p->pos++;
			next = parse_operand(p);
			sum = py_add(value, next);
			py_unref(value);
			py_unref(next);
			value = sum;
		}
	}
	p->nesting--;
	if (!at_end_of_element(p)) {
		py_unref(value);
		value = py_dynamic();
		skip_element(p, depth);
	}
	return value;
}

struct py_value *py_eval(const struct py_token *tokens, size_t n, const struct py_names *names)
{
	struct parser p = { .tokens = tokens, .n = n, .names = names };
	struct py_value *list, *value;
	bool comma, keyed;

	/* Most are one word. */
	if (n == 1 && tokens->kind == PY_STRING)
		return parse_strings(&p);
	if (n == 1 && py_is(tokens, "None"))
		return value_none();
	list = parse_elements(&p, &comma, &keyed);
	if (p.pos < n || keyed || !list->n) {
		py_unref(list);
		return py_dynamic();
	}
	if (comma && list->depth <= NESTING_MAX)
		return list;
	value = comma ? py_dynamic() : py_ref(list->items[0]);
	py_unref(list);
	return value;
}
