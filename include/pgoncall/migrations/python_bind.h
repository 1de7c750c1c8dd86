/*
 * What one statement of Python does to the names of a module. For src/migrations/python_*.c only.
 */
#ifndef PGONCALL_MIGRATIONS_PYTHON_BIND_H
#define PGONCALL_MIGRATIONS_PYTHON_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/migrations/python_module.h>

/* NULL where the module has never heard of the name. */
struct py_binding *py_binding_find(struct py_module *module, const char *s, size_t len);

/* A simple statement (no line end, no semicolon). conditional: it may not run, so that what it binds
 * is dynamic. */
void py_bind_statement(
	struct py_module *module, const struct py_token *tokens, size_t n, bool conditional);

/* The head of a compound statement: "as x", "for x in", and "x :=". */
void py_bind_head(struct py_module *module, const struct py_token *tokens, size_t n);

/* Something that cannot be known is bound to the name. */
void py_bind_dynamic(struct py_module *module, const struct py_token *name);

/* Where the next `what` stands at this depth of brackets, from `from` on; n where there is none. */
size_t py_find_at_depth(
	const struct py_token *tokens, size_t n, size_t from, int depth, const char *what);

#endif
