/*
 * Compares two monitors on terminals of the same size, watching the same server at the same time.
 *
 * usage: activity [-]SECONDS COLS ROWS MARKER COMMAND… -- MARKER COMMAND…
 *
 * Each is started nine times, in turns, to see how long it takes until its marker (a text of its first
 * full screen) was written; then both run side by side for SECONDS. With -SECONDS only the latter is
 * done. Prints, ours first, "first" (ms,
 * the least), "cpu" (ms a minute, of the second half), "anon" and "rss" (MB, at the end).
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>

#include "samples.h"

#define ROUNDS   9
#define FIRST_MS 30000
#define TAIL     65536 /* bytes of output searched for the marker */

struct side {
	const char *marker;
	char **argv;
	struct winsize size;
	pid_t pid;
	int fd;
	char tail[TAIL + 1];
	size_t len;
	struct samples first;
	double cpu_before, cpu_after; /* ns */
	long anon_kb, rss_kb;
};

static int side_start(struct side *side)
{
	side->len = 0;
	side->pid = forkpty(&side->fd, NULL, NULL, &side->size);
	if (side->pid < 0) {
		perror("bench: forkpty");
		return -1;
	}
	if (!side->pid) {
		setenv("TERM", "xterm-256color", 1);
		execvp(side->argv[0], side->argv);
		perror(side->argv[0]);
		_exit(127);
	}
	return 0;
}

/* Takes what has come; false at the end. */
static bool side_read(struct side *side)
{
	ssize_t n;

	if (side->len > TAIL / 2) {
		memmove(side->tail, side->tail + side->len - TAIL / 4, TAIL / 4);
		side->len = TAIL / 4;
	}
	n = read(side->fd, side->tail + side->len, TAIL - side->len);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	side->len += (size_t)n;
	return true;
}

static bool side_shows(const struct side *side)
{
	return memmem(side->tail, side->len, side->marker, strlen(side->marker)) != NULL;
}

static void side_end(struct side *side)
{
	kill(side->pid, SIGTERM);
	/* What it still writes must not keep it from ending. */
	while (side_read(side))
		continue;
	waitpid(side->pid, NULL, 0);
	close(side->fd);
}

static int side_time_first(struct side *side, bool counts)
{
	int64_t begun = clock_monotonic();
	struct pollfd fd;

	if (side_start(side) < 0)
		return -1;
	while (!side_shows(side) && ms_since(begun) < FIRST_MS) {
		fd = (struct pollfd){ .fd = side->fd, .events = POLLIN };
		if (poll(&fd, 1, 1000) > 0 && !side_read(side))
			break;
	}
	if (!side_shows(side)) {
		fprintf(stderr, "bench: %s never showed \"%s\"; it wrote: %.*s\n", side->argv[0],
			side->marker, (int)side->len, side->tail);
		side_end(side);
		return -1;
	}
	if (counts)
		samples_add(&side->first, ms_since(begun));
	side_end(side);
	return 0;
}

/* Time on a CPU in ns, of all its threads; schedstat is finer than the ticks of stat. */
static double side_cpu(const struct side *side)
{
	char path[300];
	double total = 0, ns;
	struct dirent *entry;
	FILE *file;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)side->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", (int)side->pid,
			entry->d_name);
		file = fopen(path, "r");
		if (file && fscanf(file, "%lf", &ns) == 1)
			total += ns;
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
	return total;
}

static void side_memory(struct side *side)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)side->pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "RssAnon: %ld", &side->anon_kb);
		sscanf(line, "VmRSS: %ld", &side->rss_kb);
	}
	if (file)
		fclose(file);
}

/* Both side by side; their screens are read and thrown away. */
static int run_together(struct side *sides, int seconds)
{
	int64_t begun = clock_monotonic();
	struct pollfd fds[2];
	bool half = false;
	int i;

	for (i = 0; i < 2; i++)
		if (side_start(&sides[i]) < 0)
			return -1;
	while (ms_since(begun) < seconds * 1000.0) {
		for (i = 0; i < 2; i++)
			fds[i] = (struct pollfd){ .fd = sides[i].fd, .events = POLLIN };
		poll(fds, 2, 100);
		for (i = 0; i < 2; i++) {
			if (fds[i].revents && !side_read(&sides[i])) {
				fprintf(stderr, "bench: %s ended: %.*s\n", sides[i].argv[0],
					(int)sides[i].len, sides[i].tail);
				return -1;
			}
		}
		if (!half && ms_since(begun) > seconds * 500.0) {
			half = true;
			for (i = 0; i < 2; i++)
				sides[i].cpu_before = side_cpu(&sides[i]);
		}
	}
	for (i = 0; i < 2; i++) {
		sides[i].cpu_after = side_cpu(&sides[i]);
		side_memory(&sides[i]);
		side_end(&sides[i]);
	}
	return 0;
}

static double cpu_a_minute(const struct side *side, int seconds)
{
	return (side->cpu_after - side->cpu_before) / 1e6 * 60 / (seconds / 2.0);
}

static int usage(const char *name)
{
	fprintf(stderr, "usage: %s SECONDS COLS ROWS MARKER COMMAND... -- MARKER COMMAND...\n",
		name);
	return 2;
}

int main(int argc, char **argv)
{
	static struct side sides[2];
	int given = argc > 1 ? atoi(argv[1]) : 0, seconds = abs(given), i, turn;
	char **p;

	if (argc < 9 || seconds < 4)
		return usage(argv[0]);
	for (i = 0; i < 2; i++)
		sides[i].size = (struct winsize){ .ws_col = (unsigned short)atoi(argv[2]),
			.ws_row = (unsigned short)atoi(argv[3]) };
	sides[0].marker = argv[4];
	sides[0].argv = argv + 5;
	for (p = sides[0].argv; *p && strcmp(*p, "--") != 0; p++)
		continue;
	if (!*p || !p[1] || !p[2])
		return usage(argv[0]);
	*p = NULL;
	sides[1].marker = p[1];
	sides[1].argv = p + 2;
	for (i = 0; i <= ROUNDS && given > 0; i++)
		for (turn = 0; turn < 2; turn++)
			if (side_time_first(&sides[(i + turn) % 2], i > 0) < 0)
				return 1;
	if (run_together(sides, seconds) < 0)
		return 1;
	/* The least, since what else runs on the machine only adds; samples_median sorts. */
	samples_median(&sides[0].first);
	samples_median(&sides[1].first);
	printf("first %.0f %.0f\n", sides[0].first.values[0], sides[1].first.values[0]);
	printf("cpu %.0f %.0f\n", cpu_a_minute(&sides[0], seconds),
		cpu_a_minute(&sides[1], seconds));
	printf("anon %.2f %.2f\n", sides[0].anon_kb / 1024.0, sides[1].anon_kb / 1024.0);
	printf("rss %.2f %.2f\n", sides[0].rss_kb / 1024.0, sides[1].rss_kb / 1024.0);
	return 0;
}
