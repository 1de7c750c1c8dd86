/*
 * Owns the waiting for a child process; who starts and signals it is the caller's to say.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void child_begin(pid_t parent)
{
	sigset_t none;
	int signum;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* What a shell's background job ignores (SIGINT, SIGQUIT) the program must not. */
	for (signum = 1; signum < SIGRTMIN; signum++)
		signal(signum, SIG_DFL);
}

/* Leaves the child to be reaped by the owner, so its pid stays its own until then. */
static void *watch(void *arg)
{
	const struct child *child = arg;
	siginfo_t info;

	while (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
		;
	close(child->fd_thread);
	return NULL;
}

int child_watch(struct child *child, pid_t pid)
{
	int fds[2];
	int number;

	child->pid = pid;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	child->fd = fds[0];
	child->fd_thread = fds[1];
	number = pthread_create(&child->thread, NULL, watch, child);
	if (number == 0)
		return 0;
	close(fds[0]);
	close(fds[1]);
	child->fd = -1;
	errno = number;
	return -1;
}

static void reap(struct child *child, int options)
{
	int wstatus;
	pid_t pid;

	do
		pid = waitpid(child->pid, &wstatus, options);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return;
	child->ended = true;
	child->status = WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

bool child_poll(struct child *child)
{
	struct pollfd fd = { child->fd, POLLIN, 0 };

	if (!child->ended && poll(&fd, 1, 0) > 0)
		reap(child, WNOHANG);
	return child->ended;
}

void child_fini(struct child *child)
{
	if (child->pid > 0 && !child->ended)
		reap(child, 0);
	if (child->fd >= 0) {
		pthread_join(child->thread, NULL);
		close(child->fd);
	}
	child->fd = -1;
}
