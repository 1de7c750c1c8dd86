/*
 * An index of sessions by pid: a sorted array.
 */
#include "pids.h"

#include <stdlib.h>

#include <pgoncall/base/mem.h>

static int pids_compare(const void *a, const void *b)
{
	const struct pid_entry *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

void pids_init(struct pids *pids, const struct db_snapshot *snapshot)
{
	size_t i;

	pids->entries = mem_calloc(snapshot->n_sessions + 1, sizeof(*pids->entries));
	pids->n = 0;
	for (i = 0; i < snapshot->n_sessions; i++)
		if (snapshot->sessions[i].pid)
			pids->entries[pids->n++] =
				(struct pid_entry){ .pid = snapshot->sessions[i].pid, .at = i };
	qsort(pids->entries, pids->n, sizeof(*pids->entries), pids_compare);
}

void pids_fini(struct pids *pids)
{
	free(pids->entries);
	pids->entries = NULL;
	pids->n = 0;
}

size_t pids_find(const struct pids *pids, int pid)
{
	const struct pid_entry key = { .pid = pid }, *found;

	found = bsearch(&key, pids->entries, pids->n, sizeof(key), pids_compare);
	return found ? found->at : SIZE_MAX;
}
