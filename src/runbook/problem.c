/* Collecting what is wrong with a runbook's file. */
#include "problem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

void problem_add(struct runbook_problems *problems, int line, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	if (problems->n >= RUNBOOK_PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	problems->items =
		mem_grow(problems->items, problems->n, &problems->cap, sizeof(*problems->items));
	problems->items[problems->n].line = line;
	problems->items[problems->n++].text = buf_steal(&text);
}

/* There are few, and nearly in order. */
void problems_sort(struct runbook_problems *problems)
{
	struct runbook_problem moved;
	size_t i, j;

	for (i = 1; i < problems->n; i++) {
		moved = problems->items[i];
		for (j = i; j && problems->items[j - 1].line > moved.line; j--)
			problems->items[j] = problems->items[j - 1];
		problems->items[j] = moved;
	}
}

void runbook_problems_fini(struct runbook_problems *problems)
{
	size_t i;

	for (i = 0; i < problems->n; i++)
		free(problems->items[i].text);
	free(problems->items);
	memset(problems, 0, sizeof(*problems));
}
