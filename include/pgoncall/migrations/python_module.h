/*
 * What a Python file defines at its top level, as far as literals tell: names and their values, the
 * docstring, and the functions upgrade() and downgrade().
 */
#ifndef PGONCALL_MIGRATIONS_PYTHON_MODULE_H
#define PGONCALL_MIGRATIONS_PYTHON_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/migrations/python.h>
#include <pgoncall/migrations/revision.h>

#define PY_BINDINGS_MAX 64 /* further names are taken as not known */

struct py_binding {
	const char *name; /* not NUL-ended; into the source, or static */
	size_t len;
	struct py_value *value; /* owned; NULL: nothing was bound to it. The last binding counts. */
	int line;
};

struct py_module {
	struct py_names names; /* first, so that names lead back to the module */
	struct py_binding bindings[PY_BINDINGS_MAX];
	size_t n_bindings;
	char *docstring; /* owned, not trimmed; NULL where there is none */
	struct migration_function upgrade;
	struct migration_function downgrade;
	int error_line; /* 0: no error found (this is no full check of Python's grammar) */
	char error[96];
};

/* text must live as long as the module. */
void py_module_init(struct py_module *module, const char *text, size_t len);
void py_module_fini(struct py_module *module);
/* NULL where the name was never bound. */
const struct py_binding *py_module_find(const struct py_module *module, const char *name);

#endif
