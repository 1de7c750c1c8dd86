/*
 * Runs one of OpenSSH's own tools to its end from a worker and keeps what it prints: for `ssh -G`
 * and `ssh-keygen -F`, never for anything remote.
 */
#ifndef PGONCALL_SSH_RUN_H
#define PGONCALL_SSH_RUN_H

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>

struct ssh_wait;

struct ssh_run {
	struct buf out; /* at most 1 MiB */
	struct buf err; /* at most 4 KiB, not sanitised */
	int status;     /* exit status, or 128 + signal */
};

/* argv[0] is searched on PATH; stdin is /dev/null; the child is a process group of its own and is
 * killed when the wait ends early. 0 also when the tool fails: see status. Fini in any case. */
int run_tool(char *const argv[], const struct ssh_wait *wait, struct ssh_run *run, struct err *err);
void run_fini(struct ssh_run *run);

#endif
