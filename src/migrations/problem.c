/*
 * The list of problems; see the header.
 */
#include <pgoncall/migrations/problem.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

void migration_problems_init(struct migration_problems *problems)
{
	memset(problems, 0, sizeof(*problems));
}

void migration_problems_fini(struct migration_problems *problems)
{
	migration_problems_cut(problems, 0);
	free(problems->items);
	migration_problems_init(problems);
}

void migration_problems_add(struct migration_problems *problems, const char *code, bool fatal,
	const char *path, int line, const char *fmt, ...)
{
	struct migration_problem *problem;
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	problems->items =
		mem_grow(problems->items, problems->n, &problems->cap, sizeof(*problems->items));
	problem = &problems->items[problems->n++];
	problem->code = code;
	problem->text = buf_steal(&text);
	problem->path = mem_strdup(path);
	problem->line = line;
	problem->fatal = fatal;
}

void migration_problems_append(
	struct migration_problems *problems, const struct migration_problems *others)
{
	const struct migration_problem *p;
	size_t i;

	for (i = 0; i < others->n; i++) {
		p = &others->items[i];
		migration_problems_add(problems, p->code, p->fatal, p->path, p->line, "%s", p->text);
	}
}

void migration_problems_cut(struct migration_problems *problems, size_t n)
{
	while (problems->n > n) {
		problems->n--;
		free(problems->items[problems->n].text);
		free(problems->items[problems->n].path);
	}
}

const struct migration_problem *migration_problems_find(
	const struct migration_problems *problems, const char *code)
{
	size_t i;

	for (i = 0; i < problems->n; i++)
		if (strcmp(problems->items[i].code, code) == 0)
			return &problems->items[i];
	return NULL;
}
