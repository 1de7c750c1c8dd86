/* Collecting what is wrong with a runbook's file; private to the layer. */
#ifndef PGONCALL_RUNBOOK_PROBLEM_H
#define PGONCALL_RUNBOOK_PROBLEM_H

#include <pgoncall/runbook/document.h>

#define RUNBOOK_PROBLEMS_MAX 100 /* further ones are dropped */

void problem_add(struct runbook_problems *problems, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* By line; those of one line stay in their order. */
void problems_sort(struct runbook_problems *problems);

#endif
