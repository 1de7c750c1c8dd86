/*
 * Running a local tool from a worker: spawn, two pipes, a deadline. Owns the child until it has
 * been waited for; never leaves one behind.
 */
#include <pgoncall/ssh/run.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pgoncall/ssh/wait.h>

extern char **environ;

#define RUN_OUT_MAX (1024 * 1024)
#define RUN_ERR_MAX 4096

static void run_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The child starts with default signals and none blocked, whatever this thread blocks. */
static int run_spawn(char *const argv[], int out, int err, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	rc = posix_spawnp(pid, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Reads what is there; closes *fd at its end. Bytes beyond max are dropped. */
static void run_read(int *fd, struct buf *buf, size_t max)
{
	char chunk[4096];
	ssize_t n = read(*fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		run_close(fd);
		return;
	}
	if (buf->len + (size_t)n > max)
		n = (ssize_t)(max - buf->len);
	buf_add(buf, chunk, (size_t)n);
}

static int run_collect(
	int fds[2], const struct ssh_wait *wait, struct ssh_run *run, struct err *err)
{
	while (fds[0] >= 0 || fds[1] >= 0) {
		struct pollfd p[3] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 },
			{ wait->cancel_fd, POLLIN, 0 } };
		int n = poll(p, 3, wait_left_ms(wait));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_system(err, errno, "cannot wait for a tool");
		if (p[2].revents)
			return err_set(err, ERR_CANCELLED, "the connection attempt was stopped");
		if (n == 0)
			return err_set(err, ERR_TIMEOUT, "it did not end in time");
		if (p[0].revents)
			run_read(&fds[0], &run->out, RUN_OUT_MAX);
		if (p[1].revents)
			run_read(&fds[1], &run->err, RUN_ERR_MAX);
	}
	return 0;
}

static int run_reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int run_tool(char *const argv[], const struct ssh_wait *wait, struct ssh_run *run, struct err *err)
{
	int out[2] = { -1, -1 }, errs[2] = { -1, -1 }, ends[2], rc = -1;
	pid_t pid;

	memset(run, 0, sizeof(*run));
	run->status = -1;
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errs, O_CLOEXEC) < 0) {
		err_system(err, errno, "cannot make a pipe for %s", argv[0]);
		goto out;
	}
	rc = run_spawn(argv, out[1], errs[1], &pid);
	if (rc) {
		rc = err_system(err, rc, "cannot run %s (is openssh-client installed?)", argv[0]);
		goto out;
	}
	run_close(&out[1]);
	run_close(&errs[1]);
	ends[0] = out[0];
	ends[1] = errs[0];
	rc = run_collect(ends, wait, run, err);
	out[0] = ends[0];
	errs[0] = ends[1];
	if (rc < 0) {
		kill(-pid, SIGKILL);
		err_prefix(err, "%s", argv[0]);
	}
	run->status = run_reap(pid);
out:
	run_close(&out[0]);
	run_close(&out[1]);
	run_close(&errs[0]);
	run_close(&errs[1]);
	return rc;
}

void run_fini(struct ssh_run *run)
{
	buf_fini(&run->out);
	buf_fini(&run->err);
}
