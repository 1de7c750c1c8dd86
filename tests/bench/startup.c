/*
 * Compares how long two commands take from exec to the end of their output, in turns, and what
 * memory each needs at most.
 *
 * usage: startup ROUNDS COMMAND… -- COMMAND…
 *
 * Prints "startup FIRST SECOND" in milliseconds, medians, and "memory FIRST SECOND" in MB, the largest
 * resident sets. A command must print something and end with a status of at most 2, which is how
 * pgoncall says that it found something; what a command prints on stderr is shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>

#include "samples.h"

#define STATUS_MAX 2

extern char **environ;

struct side {
	char **argv;
	struct samples times; /* ms */
	long rss_kb;
};

/* Reads to the end of the output; how much there was. */
static size_t read_output(int fd)
{
	char chunk[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n > 0)
			total += (size_t)n;
		else if (errno != EINTR)
			break;
	}
	return total;
}

static int spawn(char **argv, int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int rc;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* What the child of another round left in the caches is the same for both. */
static int run_once(struct side *side, bool counts)
{
	struct rusage usage;
	int fds[2], status, rc;
	size_t printed;
	pid_t pid;
	int64_t start;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	start = clock_monotonic();
	rc = spawn(side->argv, fds[1], &pid);
	close(fds[1]);
	if (rc) {
		close(fds[0]);
		fprintf(stderr, "bench: %s: %s\n", side->argv[0], strerror(rc));
		return -1;
	}
	printed = read_output(fds[0]);
	close(fds[0]);
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		continue;
	if (counts)
		samples_add(&side->times, ms_since(start));
	if (usage.ru_maxrss > side->rss_kb)
		side->rss_kb = usage.ru_maxrss;
	if (printed && WIFEXITED(status) && WEXITSTATUS(status) <= STATUS_MAX)
		return 0;
	fprintf(stderr, "bench: %s ended with status %d and %zu bytes of output\n", side->argv[0],
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), printed);
	return -1;
}

/* Where "--" stands, which it ends; NULL: nowhere. */
static char **split_commands(char **argv)
{
	for (; *argv; argv++) {
		if (strcmp(*argv, "--") == 0) {
			*argv = NULL;
			return argv + 1;
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct side sides[2];
	int rounds = argc > 1 ? atoi(argv[1]) : 0, i, turn;

	if (argc > 4) {
		sides[0].argv = argv + 2;
		sides[1].argv = split_commands(sides[0].argv);
	}
	if (rounds <= 0 || !sides[1].argv || !sides[0].argv[0] || !sides[1].argv[0]) {
		fprintf(stderr, "usage: %s ROUNDS COMMAND... -- COMMAND...\n", argv[0]);
		return 2;
	}
	for (i = 0; i <= rounds; i++)
		for (turn = 0; turn < 2; turn++)
			if (run_once(&sides[(i + turn) % 2], i > 0) < 0)
				return 1;
	printf("startup %.1f %.1f\n", samples_median(&sides[0].times),
		samples_median(&sides[1].times));
	printf("memory %.1f %.1f\n", (double)sides[0].rss_kb / 1024,
		(double)sides[1].rss_kb / 1024);
	return 0;
}
