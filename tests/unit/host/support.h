/*
 * For the tests of this layer: waiting for a condition on a loop, bounded so that a broken program
 * fails instead of hanging.
 */
#ifndef TESTS_UNIT_HOST_SUPPORT_H
#define TESTS_UNIT_HOST_SUPPORT_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/loop/loop.h>

#define WAIT_S 20

/* Runs the loop until the condition holds, and fails when it does not within WAIT_S. */
#define wait_for(loop, condition)                                                                  \
	do {                                                                                       \
		int64_t wait_until = clock_monotonic() + WAIT_S * CLOCK_NS_PER_S;                  \
		bool wait_holds;                                                                   \
		while (!(wait_holds = (condition)) && clock_monotonic() < wait_until)              \
			loop_run_once(loop, 50);                                                   \
		assert_true(wait_holds);                                                           \
	} while (0)

/* Runs what is ready a few times: for asserting that nothing more happens. */
static inline void settle(struct loop *loop)
{
	int i;

	for (i = 0; i < 5; i++)
		loop_run_once(loop, 5);
}

static inline int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* What /bin/sh makes of a command line: its stdout. */
static inline void shell(const char *command, struct buf *out)
{
	char block[4096];
	FILE *pipe = popen(command, "r");
	size_t n;

	while ((n = fread(block, 1, sizeof(block), pipe)) > 0)
		buf_add(out, block, n);
	pclose(pipe);
}

#endif
