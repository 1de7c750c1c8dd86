/*
 * Sessions by pid, in logarithmic time. Private to db.
 */
#ifndef DB_PIDS_H
#define DB_PIDS_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/db/snapshot.h>

struct pid_entry {
	int pid;
	size_t at; /* index in the snapshot's sessions */
};

/* Prepared transactions (pid 0) are not in it. Valid until sessions are added or removed. */
struct pids {
	struct pid_entry *entries; /* by pid */
	size_t n;
};

void pids_init(struct pids *pids, const struct db_snapshot *snapshot);
void pids_fini(struct pids *pids);
/* SIZE_MAX where no session has it. */
size_t pids_find(const struct pids *pids, int pid);

#endif
