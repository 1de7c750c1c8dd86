/*
 * How long a command that reports its progress will take. Private to db.
 */
#ifndef DB_PROGRESS_H
#define DB_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/db/snapshot.h>

/* A phase that was seen before: where it stood then. */
struct progress_phase {
	int pid;
	char *name; /* owned: the progress text without its percentage */
	double done;
	int64_t at; /* monotonic, ns */
};

/* All zero: nothing was seen yet. */
struct progress_memory {
	struct progress_phase *phases;
	size_t n;
};

/* Sets progress_left_s of the sessions whose phase was seen before, at the pace since then, and
 * remembers the phases of this picture. now: monotonic, ns. */
void progress_estimate(struct progress_memory *memory, struct db_snapshot *snapshot, int64_t now);
void progress_fini(struct progress_memory *memory);

#endif
