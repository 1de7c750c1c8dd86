/*
 * The transport over the system's ssh: its master process, from nothing to up to down. Streams are
 * openssh_stream.c's, the reading of ssh's words is openssh_log.c's.
 *
 * The master is up when its control socket is there: ssh makes it after the server has let us in.
 * The socket lies in a directory of our own (0700), so nobody else gets through it. A shell beside
 * the master waits at the end of a pipe (the leash) and ends the master when this program is gone,
 * however it went.
 */
#include "openssh_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/loop/loop.h>

#define MASTER_WATCH_MS  20
#define MASTER_TIMEOUT_S 15
/* A socket's path is at most 107 bytes, and ssh appends 17 while it makes one. */
#define MASTER_RUNTIME_DIR_MAX 60

/* $0 is ssh and "$@" its arguments. The master is a process group of its own (loop_child_start), so
 * `kill 0` reaches it, a ProxyCommand's processes, and nothing else. */
static const char master_shell[] =
	"exec 3<&0 </dev/null\n"
	"{ read -r _ <&3; trap '' TERM; kill -TERM 0; } >/dev/null 2>&1 &\n"
	"export SSH_ASKPASS_REQUIRE=never\n"
	"exec \"$0\" \"$@\" 3<&-\n";

/* What must be so whatever ssh's configuration says. LogLevel is for openssh_log.c; that of a jump
 * host's ssh stays as configured. */
static const char *const master_settings[] = {
	"ControlPersist=no",
	"BatchMode=yes",
	"StrictHostKeyChecking=yes", /* neither asks nor writes known_hosts … */
	"UpdateHostKeys=no",         /* … nor adds the server's other keys there */
	"ServerAliveInterval=3",
	"ServerAliveCountMax=2",
	"ClearAllForwardings=yes",
	"ForwardAgent=no",
	"ForwardX11=no",
	"Tunnel=no",
	"PermitLocalCommand=no",
	"RemoteCommand=none",
	"LogLevel=DEBUG1",
};

#define MASTER_SETTINGS (sizeof(master_settings) / sizeof(master_settings[0]))

void openssh_enter(struct openssh *ssh)
{
	ssh->busy++;
}

void openssh_leave(struct openssh *ssh)
{
	if (--ssh->busy > 0 || ssh->state != OPENSSH_CLOSED)
		return;
	openssh_log_fini(&ssh->log);
	free(ssh->destination);
	free(ssh);
}

/* --- the directory ---------------------------------------------------------------------------- */

static int openssh_make_dir(struct openssh *ssh, struct err *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (str_empty(runtime) || runtime[0] != '/' || strlen(runtime) > MASTER_RUNTIME_DIR_MAX ||
		access(runtime, W_OK | X_OK) < 0)
		runtime = "/tmp";
	snprintf(ssh->dir, sizeof(ssh->dir), "%s/pgoncall-XXXXXX", runtime);
	if (!mkdtemp(ssh->dir)) {
		err_system(err, errno, "cannot make the directory %s for ssh's control socket",
			ssh->dir);
		ssh->dir[0] = '\0';
		return -1;
	}
	snprintf(ssh->socket, sizeof(ssh->socket), "%s/s", ssh->dir);
	return 0;
}

/* Again when a process that was just ended has left something meanwhile. */
static void openssh_remove_dir(struct openssh *ssh)
{
	const struct dirent *entry;
	DIR *dir;
	int i;

	for (i = 0; ssh->dir[0] && i < 5; i++) {
		dir = opendir(ssh->dir);
		while (dir && (entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				unlinkat(dirfd(dir), entry->d_name, 0);
		if (dir)
			closedir(dir);
		if (rmdir(ssh->dir) == 0 || errno != ENOTEMPTY)
			break;
	}
	ssh->dir[0] = '\0';
}

/* --- going up and down ------------------------------------------------------------------------ */

static void openssh_stop_log(struct openssh *ssh)
{
	loop_poll_stop(ssh->log_poll);
	ssh->log_poll = NULL;
	if (ssh->log_fd >= 0)
		close(ssh->log_fd);
	ssh->log_fd = -1;
}

static void openssh_cut_leash(struct openssh *ssh)
{
	if (ssh->leash >= 0)
		close(ssh->leash);
	ssh->leash = -1;
}

/* Everything but the streams. */
static void openssh_stop(struct openssh *ssh)
{
	loop_timer_stop(ssh->watch);
	ssh->watch = NULL;
	openssh_stop_log(ssh);
	if (ssh->master) {
		loop_child_kill(ssh->master, SIGTERM);
		loop_child_forget(ssh->master);
		ssh->master = NULL;
	}
	openssh_cut_leash(ssh);
	openssh_remove_dir(ssh);
}

/* In a callback that has entered. */
static void openssh_go_down(struct openssh *ssh, const struct err *why)
{
	const struct err copy = *why;

	ssh->state = OPENSSH_DOWN;
	openssh_stop(ssh);
	openssh_streams_end(ssh, &copy);
	if (ssh->state == OPENSSH_DOWN && ssh->events.on_down)
		ssh->events.on_down(ssh->events.arg, &copy);
}

static void openssh_tell_steps(struct openssh *ssh)
{
	int passed = ssh->state == OPENSSH_UP ? TRANSPORT_STEP_COUNT : ssh->log.passed;
	const char *detail;

	while (ssh->told < passed && ssh->state != OPENSSH_CLOSED) {
		detail = ssh->log.detail[ssh->told];
		if (ssh->events.on_step)
			ssh->events.on_step(ssh->events.arg, (enum transport_step)ssh->told,
				detail ? detail : "");
		ssh->told++;
	}
}

static void openssh_look_for_socket(struct openssh *ssh)
{
	struct stat st;

	if (ssh->state != OPENSSH_CONNECTING || !ssh->master || lstat(ssh->socket, &st) < 0 ||
		!S_ISSOCK(st.st_mode))
		return;
	loop_timer_stop(ssh->watch);
	ssh->watch = NULL;
	ssh->state = OPENSSH_UP;
	openssh_tell_steps(ssh);
	if (ssh->state == OPENSSH_UP && ssh->events.on_up)
		ssh->events.on_up(ssh->events.arg);
}

void openssh_read_log(struct openssh *ssh)
{
	char chunk[4096];
	ssize_t n;
	int i;

	for (i = 0; i < 16 && ssh->log_fd >= 0; i++) {
		n = read(ssh->log_fd, chunk, sizeof(chunk));
		if (n > 0) {
			openssh_log_feed(&ssh->log, chunk, (size_t)n);
			ssh->progress_at = clock_monotonic();
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else {
			if (n == 0 || errno != EAGAIN)
				openssh_stop_log(ssh);
			return;
		}
	}
}

static void openssh_on_log(struct loop_poll *poll, int events, void *arg)
{
	struct openssh *ssh = arg;

	(void)poll;
	(void)events;
	openssh_enter(ssh);
	openssh_read_log(ssh);
	openssh_tell_steps(ssh);
	openssh_look_for_socket(ssh);
	openssh_leave(ssh);
}

static void openssh_on_exit(struct loop_child *child, int status, void *arg)
{
	struct openssh *ssh = arg;
	struct err err = { ERR_OK, "" };

	(void)child;
	openssh_enter(ssh);
	ssh->master = NULL;
	openssh_read_log(ssh);
	if (ssh->state == OPENSSH_CONNECTING)
		openssh_tell_steps(ssh);
	if (ssh->state != OPENSSH_CLOSED) {
		openssh_log_explain(
			&ssh->log, ssh->destination, status, ssh->state == OPENSSH_UP, &err);
		openssh_go_down(ssh, &err);
	}
	openssh_leave(ssh);
}

static void openssh_on_watch(struct loop_timer *timer, void *arg)
{
	struct openssh *ssh = arg;
	struct err err = ssh->failure;

	(void)timer;
	openssh_enter(ssh);
	openssh_look_for_socket(ssh);
	if (ssh->state == OPENSSH_CONNECTING && !err.code &&
		clock_monotonic() - ssh->progress_at > ssh->timeout)
		err_set(&err, ERR_TIMEOUT,
			"the system's ssh came no further within %d s on its way to %s; check the "
			"address, the network and the VPN",
			(int)(ssh->timeout / CLOCK_NS_PER_S), ssh->destination);
	if (err.code)
		openssh_go_down(ssh, &err);
	openssh_leave(ssh);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static int openssh_spawn(struct openssh *ssh, const struct ssh_options *options,
	const int fds_take[3], struct err *err)
{
	const char *argv[2 * MASTER_SETTINGS + 24] = { "/bin/sh", "-c", master_shell, "ssh", "-M",
		"-N", "-T", "-S", ssh->socket };
	char timeout[48];
	size_t n = 9, i;

	if (!str_empty(options->config_file)) {
		argv[n++] = "-F";
		argv[n++] = options->config_file;
	}
	for (i = 0; i < MASTER_SETTINGS; i++) {
		argv[n++] = "-o";
		argv[n++] = master_settings[i];
	}
	if (options->timeout_s > 0) {
		snprintf(timeout, sizeof(timeout), "ConnectTimeout=%d", options->timeout_s);
		argv[n++] = "-o";
		argv[n++] = timeout;
	}
	argv[n++] = "--";
	argv[n++] = ssh->destination;
	argv[n] = NULL;
	return loop_child_start(
		ssh->loop, (char *const *)argv, fds_take, openssh_on_exit, ssh, &ssh->master, err);
}

static int openssh_start(struct openssh *ssh, const struct ssh_options *options, struct err *err)
{
	int in[2], out[2];

	if (openssh_make_dir(ssh, err) < 0)
		return -1;
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_system(err, errno, "cannot make a pipe for ssh");
	if (pipe2(out, O_CLOEXEC) < 0) {
		err_system(err, errno, "cannot make a pipe for ssh");
		close(in[0]);
		close(in[1]);
		return -1;
	}
	ssh->leash = in[1];
	ssh->log_fd = out[0];
	if (openssh_spawn(ssh, options, (const int[3]){ in[0], -1, out[1] }, err) < 0)
		return -1;
	if (loop_set_nonblocking(ssh->log_fd, err) < 0)
		return -1;
	ssh->log_poll = loop_poll_start(ssh->loop, ssh->log_fd, LOOP_READ, openssh_on_log, ssh);
	return 0;
}

static double openssh_rtt_ms(const struct transport *base)
{
	(void)base;
	return -1;
}

static const char *openssh_host_key(const struct transport *base)
{
	const struct openssh *ssh = (const struct openssh *)base;

	return ssh->log.passed > TRANSPORT_STEP_HOSTKEY && ssh->log.host_key ? ssh->log.host_key
									     : "";
}

static void openssh_close(struct transport *base)
{
	struct openssh *ssh = (struct openssh *)base;
	struct err err = { ERR_OK, "" };

	if (ssh->state == OPENSSH_CLOSED)
		return;
	openssh_enter(ssh);
	ssh->state = OPENSSH_CLOSED;
	err_set(&err, ERR_CANCELLED, "the connection was closed");
	openssh_streams_end(ssh, &err);
	openssh_stop(ssh);
	openssh_leave(ssh);
}

static const struct transport_ops openssh_ops = {
	.name = "openssh",
	.dial = openssh_dial,
	.exec = openssh_exec,
	.rtt_ms = openssh_rtt_ms,
	.host_key = openssh_host_key,
	.close = openssh_close,
};

struct transport *openssh_transport_open(struct loop *main_loop, const struct ssh_options *options,
	const struct transport_events *events)
{
	struct openssh *ssh = mem_calloc(1, sizeof(*ssh));
	int timeout_s = options->timeout_s > 0 ? options->timeout_s : MASTER_TIMEOUT_S;

	ssh->base.ops = &openssh_ops;
	ssh->loop = main_loop;
	ssh->events = *events;
	ssh->destination = mem_strdup(options->destination);
	ssh->leash = ssh->log_fd = -1;
	ssh->session_limit = SIZE_MAX;
	/* A little more, so that ssh's own timeout, which says more, comes first. */
	ssh->timeout = timeout_s * CLOCK_NS_PER_S + CLOCK_NS_PER_S / 2;
	ssh->progress_at = clock_monotonic();
	openssh_start(ssh, options, &ssh->failure);
	ssh->watch = loop_timer_start(main_loop, ssh->failure.code ? 0 : MASTER_WATCH_MS,
		MASTER_WATCH_MS, openssh_on_watch, ssh);
	return &ssh->base;
}
