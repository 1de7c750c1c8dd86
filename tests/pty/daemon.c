/*
 * Owns the starting and ending of processes beside a test. What they do, and whether they are ready,
 * is the caller's to find out.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>

#include "child.h"

static _Noreturn void daemon_exec(const char *const *argv, int input, int output, pid_t parent)
{
	child_begin(parent);
	setsid();
	dup2(input, 0);
	dup2(output, 1);
	dup2(output, 2);
	execvp(argv[0], (char *const *)argv);
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

pid_t daemon_start(const char *const *argv, int input, const char *log, struct err *err)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	pid_t parent = getpid(), pid = -1;

	if (nothing < 0 || output < 0)
		err_system(err, errno, "cannot open %s", nothing < 0 ? "/dev/null" : log);
	else
		pid = fork();
	if (pid == 0)
		daemon_exec(argv, input < 0 ? nothing : input, output, parent);
	if (pid < 0 && nothing >= 0 && output >= 0)
		err_system(err, errno, "cannot start %s", argv[0]);
	if (nothing >= 0)
		close(nothing);
	if (output >= 0)
		close(output);
	return pid;
}

size_t daemon_children(pid_t pid, pid_t **children)
{
	char *path = mem_printf("/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *file = fopen(path, "re");
	size_t n = 0, cap = 0;
	int child;

	*children = NULL;
	free(path);
	if (file == NULL)
		return 0;
	while (fscanf(file, "%d", &child) == 1) {
		*children = mem_grow(*children, n, &cap, sizeof(**children));
		(*children)[n++] = (pid_t)child;
	}
	fclose(file);
	return n;
}

/* The parent is stopped first, so that it starts no more while those below it are looked for. */
static void kill_with_children(pid_t pid)
{
	pid_t *children;
	size_t n;

	kill(pid, SIGSTOP);
	n = daemon_children(pid, &children);
	for (size_t i = 0; i < n; i++)
		kill_with_children(children[i]);
	free(children);
	kill(pid, SIGKILL);
}

void daemon_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill_with_children(pid);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
