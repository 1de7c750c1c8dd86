/*
 * The end of a child process as a descriptor to poll. A thread waits, because that works wherever
 * the tests run (pidfd_open does not under valgrind) and takes no signal from anybody.
 */
#ifndef PGONCALL_TESTS_PTY_CHILD_H
#define PGONCALL_TESTS_PTY_CHILD_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid;     /* 0: none */
	bool ended;    /* reaped */
	int status;    /* once ended: exit status, or 128 + the signal that ended it */
	int fd;        /* readable once it can be reaped; -1: not watched */
	int fd_thread; /* the thread's end of the pipe */
	pthread_t thread;
};

/* To be initialised with. */
#define CHILD_INIT                                                                                 \
	{                                                                                          \
		.fd = -1, .fd_thread = -1                                                          \
	}

/* In the new process, first of all: it dies with the harness, whose pid before the fork is given,
 * and blocks no signal. */
void child_begin(pid_t parent);

/* After the fork, in the parent. 0 or -1 with errno. */
int child_watch(struct child *child, pid_t pid);

/* Whether it has ended; reaps it when it has. Does not wait. */
bool child_poll(struct child *child);

/* Waits for its end and frees what watches it. It must be about to end. */
void child_fini(struct child *child);

#endif
