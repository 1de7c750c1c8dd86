/*
 * Preloaded into a program under test: a machine that sleeps, a disk that hangs and an earlier hour,
 * which a test cannot have otherwise. In the directory $PGONCALL_TEST_MACHINE, "slept" holds the
 * seconds that the machine has slept (CLOCK_BOOTTIME is ahead by them), while there is a "hang", no
 * fsync returns, and "behind" holds the seconds that the wall clock of gettimeofday lags, from which
 * PostgreSQL takes when a transaction began.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int machine_open(const char *name)
{
	const char *dir = getenv("PGONCALL_TEST_MACHINE");
	char path[4096];

	if (dir == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static long machine_seconds(const char *name)
{
	int fd = machine_open(name);
	char text[32] = "";

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*next)(clockid_t, struct timespec *);
	int rc;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
	rc = next(id, ts);
	if (rc == 0 && id == CLOCK_BOOTTIME)
		ts->tv_sec += machine_seconds("slept");
	return rc;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	static int (*next)(struct timeval *restrict, void *restrict);
	int rc;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "gettimeofday");
	rc = next(now, zone);
	if (rc == 0)
		now->tv_sec -= machine_seconds("behind");
	return rc;
}

int fsync(int file)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };
	static int (*next)(int);
	int fd;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "fsync");
	while ((fd = machine_open("hang")) >= 0) {
		close(fd);
		nanosleep(&pause, NULL);
	}
	return next(file);
}
