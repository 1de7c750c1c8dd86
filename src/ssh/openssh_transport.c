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
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/askpass.h>
#include <pgoncall/ssh/route.h>
#include <pgoncall/ssh/wait.h>

#define MASTER_WATCH_MS  20
#define MASTER_TIMEOUT_S 15
/* While the server waits for a person, or has just got an answer. */
#define MASTER_PATIENCE_S 120
/* `ssh -G` may run programs (Match exec). */
#define MASTER_RESOLVE_MS 20000
/* A socket's path is at most 107 bytes, and ssh appends 17 while it makes one. */
#define MASTER_RUNTIME_DIR_MAX 60

/* $0 is ssh; $1 its askpass and $2 where that finds us, or empty; the rest its arguments. The master is a process group of its own (loop_child_start), so
 * `kill 0` reaches it, a ProxyCommand's processes, and nothing else. */
static const char master_shell[] =
	"exec 3<&0 </dev/null\n"
	"{ read -r _ <&3; trap '' TERM; kill -TERM 0; } >/dev/null 2>&1 &\n"
	"if [ -n \"$2\" ]; then\n"
	"export SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=\"$1\" " ASKPASS_SOCKET_ENV "=\"$2\"\n"
	"else export SSH_ASKPASS_REQUIRE=never; fi\n"
	"shift 2\n"
	"exec \"$0\" \"$@\" 3<&-\n";

/* What must be so whatever ssh's configuration says. LogLevel is for openssh_log.c; that of a jump
 * host's ssh stays as configured. */
static const char *const master_settings[] = {
	"ControlPersist=no",
	"UpdateHostKeys=no", /* known_hosts gets what was agreed to and nothing else */
	"ClearAllForwardings=yes",
	"ForwardAgent=no",
	"ForwardX11=no",
	"Tunnel=no",
	"PermitLocalCommand=no",
	"RemoteCommand=none",
	"LogLevel=DEBUG1",
};

#define MASTER_SETTINGS (sizeof(master_settings) / sizeof(master_settings[0]))

static void resolving_cancel(struct resolving *resolving);

void openssh_enter(struct openssh *ssh)
{
	ssh->busy++;
}

void openssh_leave(struct openssh *ssh)
{
	if (--ssh->busy > 0 || ssh->state != OPENSSH_CLOSED)
		return;
	openssh_log_fini(&ssh->log);
	free(ssh->asked);
	free(ssh->config_file);
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
	if (ssh->resolving)
		resolving_cancel(ssh->resolving);
	loop_timer_stop(ssh->watch);
	ssh->watch = NULL;
	openssh_stop_log(ssh);
	openssh_forwards_free(ssh);
	if (ssh->master) {
		loop_child_kill(ssh->master, SIGTERM);
		loop_child_forget(ssh->master);
		ssh->master = NULL;
	}
	openssh_ask_stop(ssh);
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
	openssh_ask_stop(ssh);
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

static bool openssh_is_stuck(const struct openssh *ssh, struct err *err)
{
	int64_t timeout = ssh->timeout, patience = MASTER_PATIENCE_S * CLOCK_NS_PER_S;

	if (ssh->resolving || openssh_is_asking(ssh))
		return false;
	if ((ssh->patient || ssh->log.interactive) && timeout < patience)
		timeout = patience;
	if (clock_monotonic() - ssh->progress_at <= timeout)
		return false;
	err_set(err, ERR_TIMEOUT,
		"the system's ssh came no further within %d s on its way to %s; check the address, "
		"the network and the VPN",
		(int)(timeout / CLOCK_NS_PER_S), ssh->destination);
	return true;
}

static void openssh_on_watch(struct loop_timer *timer, void *arg)
{
	struct openssh *ssh = arg;
	struct err err = ssh->failure;

	(void)timer;
	openssh_enter(ssh);
	openssh_look_for_socket(ssh);
	if (ssh->state == OPENSSH_CONNECTING && (err.code || openssh_is_stuck(ssh, &err)))
		openssh_go_down(ssh, &err);
	else if (ssh->state == OPENSSH_CONNECTING && openssh_is_asking(ssh))
		openssh_show_next(ssh);
	openssh_leave(ssh);
}

/* --- opening and closing ---------------------------------------------------------------------- */

/* The path of this program, which is ssh's askpass; false: it cannot be told. */
static bool openssh_find_self(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	if (n <= 0)
		return false;
	path[n] = '\0';
	return access(path, X_OK) == 0;
}

/* Settings that depend on ssh's configuration, which ours come before. */
static void openssh_add_settings(
	const struct openssh *ssh, const struct ssh_config *config, struct strlist *argv)
{
	static const char *const strict[] = {
		[SSH_STRICT_ASK] = "StrictHostKeyChecking=ask",
		[SSH_STRICT_YES] = "StrictHostKeyChecking=yes",
		[SSH_STRICT_NEW] = "StrictHostKeyChecking=accept-new", /* "no" takes changed ones */
	};
	bool asks = ssh->ask_fd >= 0;
	int interval, count;

	ssh_config_alive(config, &interval, &count);
	strlist_add(argv, "-o");
	strlist_add_take(argv, mem_printf("ServerAliveInterval=%d", interval));
	strlist_add(argv, "-o");
	strlist_add_take(argv, mem_printf("ServerAliveCountMax=%d", count));
	if (ssh->timeout_s > 0) {
		strlist_add(argv, "-o");
		strlist_add_take(argv, mem_printf("ConnectTimeout=%d", ssh->timeout_s));
	}
	strlist_add(argv, "-o");
	strlist_add(argv, !asks && config->strict == SSH_STRICT_ASK ? strict[SSH_STRICT_YES]
								    : strict[config->strict]);
	if (!asks) {
		strlist_add(argv, "-o");
		strlist_add(argv, "BatchMode=yes");
	}
}

static int openssh_spawn(struct openssh *ssh, const struct ssh_config *config,
	const int fds_take[3], struct err *err)
{
	const char *first[] = { "/bin/sh", "-c", master_shell, "ssh", "", "", "-M", "-N", "-T",
		"-S", ssh->socket };
	char self[4096];
	struct strlist argv;
	size_t i;
	int rc;

	if (ssh->ask_fd >= 0 && openssh_find_self(self, sizeof(self))) {
		first[4] = self;
		first[5] = ssh->ask_path;
	}
	strlist_init(&argv);
	for (i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		strlist_add(&argv, first[i]);
	if (!str_empty(ssh->config_file)) {
		strlist_add(&argv, "-F");
		strlist_add(&argv, ssh->config_file);
	}
	for (i = 0; i < MASTER_SETTINGS; i++) {
		strlist_add(&argv, "-o");
		strlist_add(&argv, master_settings[i]);
	}
	openssh_add_settings(ssh, config, &argv);
	strlist_add(&argv, "--");
	strlist_add(&argv, ssh->destination);
	rc = loop_child_start(
		ssh->loop, argv.items, fds_take, openssh_on_exit, ssh, &ssh->master, err);
	strlist_fini(&argv);
	return rc;
}

static int openssh_start(struct openssh *ssh, const struct ssh_config *config, struct err *err)
{
	int in[2], out[2];

	if (openssh_make_dir(ssh, err) < 0)
		return -1;
	if (ssh->ask && !config->batch_mode && openssh_ask_start(ssh, err) < 0)
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
	if (openssh_spawn(ssh, config, (const int[3]){ in[0], -1, out[1] }, err) < 0)
		return -1;
	if (loop_set_nonblocking(ssh->log_fd, err) < 0)
		return -1;
	ssh->log_poll = loop_poll_start(ssh->loop, ssh->log_fd, LOOP_READ, openssh_on_log, ssh);
	return 0;
}

/* --- ssh's configuration ---------------------------------------------------------------------- */

/* Read in a worker; the transport lives at least as long. */
struct resolving {
	struct openssh *ssh;
	struct ssh_config config;
	struct ssh_wait wait;
	struct err err;
	int rc;
};

static void resolving_cancel(struct resolving *resolving)
{
	eventfd_write(resolving->wait.cancel_fd, 1);
}

static void resolving_work(void *arg)
{
	struct resolving *resolving = arg;
	const struct openssh *ssh = resolving->ssh;

	resolving->rc = route_resolve_target(&resolving->config, ssh->destination, ssh->config_file,
		&resolving->wait, &resolving->err);
	/* A path that only ssh can expand is ssh's business. */
	if (resolving->config.hostname)
		resolving->rc = 0;
}

static void resolving_done(void *arg)
{
	struct resolving *resolving = arg;
	struct openssh *ssh = resolving->ssh;
	int timeout_s = ssh->timeout_s > 0 ? ssh->timeout_s : resolving->config.connect_timeout_s;

	ssh->resolving = NULL;
	if (ssh->state == OPENSSH_CONNECTING && resolving->rc < 0)
		ssh->failure = resolving->err;
	else if (ssh->state == OPENSSH_CONNECTING)
		openssh_start(ssh, &resolving->config, &ssh->failure);
	/* A little more, so that ssh's own timeout, which says more, comes first. */
	ssh->timeout = (timeout_s > 0 ? timeout_s : MASTER_TIMEOUT_S) * CLOCK_NS_PER_S +
		       CLOCK_NS_PER_S / 2;
	ssh->progress_at = clock_monotonic();
	ssh_config_fini(&resolving->config);
	close(resolving->wait.cancel_fd);
	free(resolving);
	openssh_leave(ssh);
}

static void openssh_resolve(struct openssh *ssh)
{
	struct resolving *resolving = mem_calloc(1, sizeof(*resolving));

	resolving->ssh = ssh;
	resolving->wait.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	wait_set(&resolving->wait, MASTER_RESOLVE_MS);
	ssh->resolving = resolving;
	openssh_enter(ssh);
	loop_work(ssh->loop, resolving_work, resolving_done, resolving);
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

	ssh->base.ops = &openssh_ops;
	ssh->loop = main_loop;
	ssh->events = *events;
	ssh->ask = options->ask;
	ssh->destination = mem_strdup(options->destination);
	ssh->config_file = mem_strdup_opt(options->config_file);
	ssh->timeout_s = options->timeout_s;
	ssh->leash = ssh->log_fd = ssh->ask_fd = -1;
	ssh->session_limit = SIZE_MAX;
	openssh_resolve(ssh);
	ssh->watch = loop_timer_start(
		main_loop, MASTER_WATCH_MS, MASTER_WATCH_MS, openssh_on_watch, ssh);
	return &ssh->base;
}
