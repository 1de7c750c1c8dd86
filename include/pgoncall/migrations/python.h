/*
 * Python's tokens and literals, as far as revision files need them. Nothing is executed.
 *
 * Source: "Lexical analysis" of the Python language reference, 3.8 to 3.14; f-strings are read by
 * the rules of 3.12 (PEP 701), which take all that earlier versions took.
 */
#ifndef PGONCALL_MIGRATIONS_PYTHON_H
#define PGONCALL_MIGRATIONS_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>

#define PY_SOURCE_MAX (4u << 20) /* a longer file is not read */

/* --- tokens --- */

enum py_kind { PY_NEWLINE, PY_NAME, PY_NUMBER, PY_STRING, PY_OP };

/* PY_NEWLINE ends a logical line: not inside brackets, not after a backslash, never twice running. */
struct py_token {
	const char *s; /* into the source */
	size_t len;
	enum py_kind kind;
	int line;   /* 1-based; of a PY_NEWLINE the line it stands on */
	int column; /* of indentation, tabs to multiples of 8; only of a logical line's first token */
	int depth; /* open brackets around it; a bracket has the depth outside */
};

struct py_tokens {
	struct py_token *items;
	size_t n;
	size_t cap;
	struct py_token *room; /* borrowed: where they are while they fit; NULL: none was given */
	int error_line;        /* 0: the whole source was read */
	char error[96]; /* as Python words it */
};

/* Always gives tokens, up to the first error; they borrow text. The last is a PY_NEWLINE unless
 * there is none at all. room: n_room tokens that outlive them and spare a block of the heap, or NULL. */
void py_tokens_init(struct py_tokens *tokens, const char *text, size_t len, struct py_token *room,
	size_t n_room);
void py_tokens_fini(struct py_tokens *tokens);
/* Whether it is this operator, or this name. Asked of every token many times over, and nearly always
 * answered by its first character. */
bool py_is_whole(const struct py_token *token, const char *what);
static inline bool py_is(const struct py_token *token, const char *what)
{
	return (token->kind == PY_OP || token->kind == PY_NAME) && *token->s == *what &&
	       py_is_whole(token, what);
}

/* --- values --- */

enum py_type {
	PY_NONE,
	PY_STR,
	PY_LIST,   /* tuple, list or set; a set in the order written */
	PY_OTHER,  /* a literal of another type, which `what` names: "int", "bytes", … */
	PY_DYNAMIC /* only running it would tell */
};

/* Immutable and counted: a name and a list may share one. */
struct py_value {
	enum py_type type;
	unsigned refs;
	size_t weight;           /* bytes and items of the whole: bounds what grows by computing */
	int depth;               /* of lists within lists */
	char *str;               /* PY_STR, and the digits of an int */
	const char *what;        /* PY_OTHER; static */
	struct py_value **items; /* PY_LIST */
	size_t n;
};

/* What a name stands for: a borrowed value, or NULL where nothing is known of it. */
struct py_names {
	const struct py_value *(*find)(const struct py_names *names, const char *s, size_t len);
};

/* Evaluates an expression (with bare commas: a tuple). Never NULL; the caller unrefs. */
struct py_value *py_eval(const struct py_token *tokens, size_t n, const struct py_names *names);
struct py_value *py_dynamic(void);
/* a + b, for two strings or two lists; anything else is PY_DYNAMIC. */
struct py_value *py_add(const struct py_value *a, const struct py_value *b);
struct py_value *py_ref(const struct py_value *value);
void py_unref(struct py_value *value);
/* The string of a PY_STR, for the caller to free, in place of py_unref. */
char *py_take_str(struct py_value *value_take);

/* Appends what a string token stands for, in valid UTF-8 (bad bytes, NUL and \N{…} become U+FFFD;
 * line ends become LF). PY_STR, PY_OTHER for bytes, or PY_DYNAMIC. */
enum py_type py_string_value(
	const struct py_token *token, const struct py_names *names, struct buf *out);

#endif
