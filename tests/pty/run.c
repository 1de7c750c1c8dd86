/*
 * Owns the pipes and the process of one program run to its end. What its output means is the
 * caller's to say.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>

#include "child.h"
#include "sandbox.h"

enum { RUN_DEFAULT_MS = 60 * 1000 };

struct run {
	int in;     /* what the program reads; owned */
	int out[2]; /* pipe; [1] is the program's end */
	int err[2]; /* likewise */
	struct child child;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int input_open(const char *text)
{
	int fd;

	if (text == NULL)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd >= 0 && (write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
			       lseek(fd, 0, SEEK_SET) != 0))
		close_fd(&fd);
	return fd;
}

/* In the child. */
static _Noreturn void child_exec(
	const struct run_options *o, const struct run *run, char **env, pid_t parent)
{
	child_begin(parent);
	setpgid(0, 0);
	dup2(run->in, 0);
	dup2(run->out[1], 1);
	dup2(run->err[1], 2);
	if (o->cwd != NULL && chdir(o->cwd) != 0)
		_exit(127);
	if (env != NULL)
		execvpe(o->argv[0], (char *const *)o->argv, env);
	else
		execvp(o->argv[0], (char *const *)o->argv);
	dprintf(2, "cannot run %s: %s\n", o->argv[0], strerror(errno));
	_exit(127);
}

static int run_fork(struct run *run, const struct run_options *o, struct err *err)
{
	char **env = o->home == NULL ? NULL : sandbox_env(o->home, o->env);
	pid_t parent = getpid();
	pid_t pid;
	int ret = 0;

	run->in = input_open(o->input);
	if (run->in < 0 || pipe2(run->out, O_CLOEXEC) != 0 || pipe2(run->err, O_CLOEXEC) != 0) {
		ret = err_system(err, errno, "cannot make the pipes for %s", o->argv[0]);
		goto out;
	}
	pid = fork();
	if (pid == 0)
		child_exec(o, run, env, parent);
	if (pid > 0)
		setpgid(pid, pid); /* here as well, so that its group can be killed from now on */
	if (pid < 0 || child_watch(&run->child, pid) != 0)
		ret = err_system(err, errno, "cannot start %s", o->argv[0]);
	close_fd(&run->out[1]);
	close_fd(&run->err[1]);
	fcntl(run->out[0], F_SETFL, O_NONBLOCK);
	fcntl(run->err[0], F_SETFL, O_NONBLOCK);
out:
	sandbox_env_free(env);
	return ret;
}

/* Takes what is there; closes the descriptor at its end. */
static void take(int *fd, struct buf *to)
{
	char bytes[16384];
	ssize_t n;

	while (*fd >= 0 && (n = read(*fd, bytes, sizeof(bytes))) != 0) {
		if (n > 0)
			buf_add(to, bytes, (size_t)n);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			break;
	}
	close_fd(fd);
}

/* Until the program has ended. -1 when the time is up. */
static int run_watch(struct run *run, struct run_result *result, int64_t deadline)
{
	for (;;) {
		struct pollfd fds[] = {
			{ run->child.fd, POLLIN, 0 },
			{ run->out[0], POLLIN, 0 },
			{ run->err[0], POLLIN, 0 },
		};
		int64_t left = (deadline - clock_monotonic()) / CLOCK_NS_PER_MS;
		int ended;

		if (left <= 0)
			return -1;
		poll(fds, 3, (int)left);
		ended = fds[0].revents != 0;
		take(&run->out[0], &result->out);
		take(&run->err[0], &result->err);
		if (ended)
			return 0;
	}
}

int run_program(const struct run_options *o, struct run_result *result, struct err *err)
{
	struct run run = { -1, { -1, -1 }, { -1, -1 }, CHILD_INIT };
	int64_t limit = (o->timeout_ms > 0 ? o->timeout_ms : RUN_DEFAULT_MS) * sandbox_slowness();
	int ret;

	memset(result, 0, sizeof(*result));
	result->status = -1;
	ret = run_fork(&run, o, err);
	if (ret == 0 && run_watch(&run, result, clock_monotonic() + limit * CLOCK_NS_PER_MS) != 0) {
		kill(-run.child.pid, SIGKILL);
		ret = err_set(err, ERR_TIMEOUT, "%s did not end within %d ms; it had said: %s",
			o->argv[0], (int)limit, buf_str(&result->err));
	}
	if (ret != 0 && run.child.pid > 0 && run.child.fd < 0)
		kill(-run.child.pid, SIGKILL);
	child_fini(&run.child);
	if (run.child.ended)
		result->status = run.child.status;
	close_fd(&run.in);
	close_fd(&run.out[0]);
	close_fd(&run.out[1]);
	close_fd(&run.err[0]);
	close_fd(&run.err[1]);
	return ret;
}

void run_result_fini(struct run_result *result)
{
	buf_fini(&result->out);
	buf_fini(&result->err);
}
