/*
 * Real sshds of our own for tests: in a temporary directory, on loopback ports, with their own
 * keys, known_hosts and ssh configuration. And a client that collects what a transport tells.
 * Included by one test program each; everything is static.
 */
#ifndef TESTS_UNIT_SSH_SSHD_FIXTURE_H
#define TESTS_UNIT_SSH_SSHD_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/libssh2_transport.h>
#include <pgoncall/ssh/thread.h>
#include <pgoncall/ssh/tunnel.h>

/* Valgrind and the sanitisers slow everything down. */
#define WAIT_S 60

static char dir[64]; /* of the whole test program */

struct sshd {
	char name[32];
	int port;
	pid_t pid;
};

__attribute__((format(printf, 1, 2))) static void run(const char *fmt, ...)
{
	char command[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

__attribute__((format(printf, 2, 3))) static void write_file(const char *name, const char *fmt, ...)
{
	char path[256];
	FILE *file;
	va_list ap;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	va_start(ap, fmt);
	vfprintf(file, fmt, ap);
	va_end(ap);
	assert_int_equal(fclose(file), 0);
}

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static int connect_loopback(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Starts an sshd with host keys of the types given ("ed25519 ecdsa") and more configuration. */
static struct sshd sshd_start(const char *name, const char *key_types, const char *more)
{
	struct sshd sshd = { .port = free_port() };
	char keys[512] = "", types[64], config[300], log[300], *save = NULL, *type;
	int64_t deadline = clock_monotonic() + WAIT_S * CLOCK_NS_PER_S;
	int fd;

	snprintf(sshd.name, sizeof(sshd.name), "%s", name);
	snprintf(types, sizeof(types), "%s", key_types);
	for (type = strtok_r(types, " ", &save); type; type = strtok_r(NULL, " ", &save)) {
		run("test -f %s/%s_%s || ssh-keygen -q -t %s -N '' -f %s/%s_%s", dir, name, type,
			type, dir, name, type);
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "HostKey %s/%s_%s\n",
			dir, name, type);
	}
	snprintf(config, sizeof(config), "%s.conf", name);
	/* The first of two settings counts. */
	write_file(config,
		"%s\nPort %d\nListenAddress 127.0.0.1\n%sPidFile none\nUsePAM no\nStrictModes no\n"
		"PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
		"AuthorizedKeysFile %s/authorized_keys\nUseDNS no\nPrintMotd no\n"
		"MaxStartups 100\nLogLevel VERBOSE\nSetEnv HOME=%s\n", /* the shell reads no ~/.bashrc */
		more, sshd.port, keys, dir, dir);
	snprintf(config, sizeof(config), "%s/%s.conf", dir, name);
	snprintf(log, sizeof(log), "%s/%s.log", dir, name);
	sshd.pid = fork();
	assert_true(sshd.pid >= 0);
	if (sshd.pid == 0) {
		setpgid(0, 0);
		execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f", config, "-E", log, NULL);
		_exit(127);
	}
	while ((fd = connect_loopback(sshd.port)) < 0) {
		if (clock_monotonic() > deadline || waitpid(sshd.pid, NULL, WNOHANG) != 0)
			fail_msg("sshd does not start; see %s", log);
		usleep(10000);
	}
	close(fd);
	return sshd;
}

/* The processes below pid. */
static size_t children_of(pid_t pid, pid_t *list, size_t max)
{
	char path[64];
	FILE *file;
	size_t n = 0;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "r");
	while (file && n < max && fscanf(file, "%d", &child) == 1) {
		list[n++] = child;
		n += children_of(child, list + n, max - n);
	}
	if (file)
		fclose(file);
	return n;
}

/* Signals the processes of sshd's connections, not the listener. */
static size_t sshd_signal_connections(const struct sshd *sshd, int signum)
{
	pid_t list[256];
	size_t i, n = children_of(sshd->pid, list, 256);

	for (i = 0; i < n; i++)
		kill(list[i], signum);
	return n;
}

static void sshd_stop(struct sshd *sshd)
{
	if (sshd->pid <= 0)
		return;
	sshd_signal_connections(sshd, SIGKILL);
	kill(sshd->pid, SIGKILL);
	waitpid(sshd->pid, NULL, 0);
	sshd->pid = 0;
}

/* Appends sshd's host key of a type to a known_hosts file. */
__attribute__((unused)) static void know(
	const char *file, const struct sshd *sshd, const char *type)
{
	run("printf '[127.0.0.1]:%d %%s\\n' \"$(cut -d' ' -f1,2 %s/%s_%s.pub)\" >>%s/%s",
		sshd->port, dir, sshd->name, type, dir, file);
}

/* --- a client --------------------------------------------------------------------------------- */

struct client {
	struct loop *loop;
	struct ssh_thread *thread;
	struct transport *transport;
	int up, down, steps;
	char detail[TRANSPORT_STEP_COUNT][256];
	struct err why;
	const char *answer; /* to every question; NULL: declines */
	int questions;
	char prompt[256];
	char question[1024];
};

static void client_on_step(void *arg, enum transport_step step, const char *detail)
{
	struct client *client = arg;

	assert_int_equal(client->steps, step);
	client->steps++;
	snprintf(client->detail[step], sizeof(client->detail[step]), "%s", detail);
}

static void client_on_up(void *arg)
{
	((struct client *)arg)->up++;
}

static void client_on_down(void *arg, const struct err *why)
{
	struct client *client = arg;

	client->down++;
	client->why = *why;
}

static void client_on_ask(
	void *arg, struct transport *transport, const struct ssh_question *question)
{
	struct client *client = arg;

	client->questions++;
	snprintf(client->prompt, sizeof(client->prompt), "%s", question->prompt);
	snprintf(client->question, sizeof(client->question), "%s", question->detail);
	ssh_transport_answer(transport, client->answer);
}

/* Runs the loop until the condition holds; fails after WAIT_S. */
#define WAIT_FOR(client, condition)                                                                \
	do {                                                                                       \
		int64_t deadline_ = clock_monotonic() + WAIT_S * CLOCK_NS_PER_S;                   \
		while (!(condition)) {                                                             \
			loop_run_once((client)->loop, 100);                                        \
			if (clock_monotonic() > deadline_)                                         \
				fail_msg("waited in vain for %s", #condition);                     \
		}                                                                                  \
	} while (0)

static void client_open(struct client *client, const char *host, bool ask)
{
	struct transport_events events = { client_on_step, client_on_up, client_on_down, client };
	struct ssh_options options = { .destination = host };
	static char config[128];

	snprintf(config, sizeof(config), "%s/ssh_config", dir);
	options.config_file = config;
	options.ask = ask ? client_on_ask : NULL;
	client->loop = loop_new();
	assert_int_equal(ssh_thread_new(&client->thread, &client->why), 0);
	client->transport = ssh_transport_open(client->thread, client->loop, &options, &events);
}

__attribute__((unused)) static struct client client_connect(struct client *client, const char *host)
{
	memset(client, 0, sizeof(*client));
	client_open(client, host, false);
	WAIT_FOR(client, client->up || client->down);
	if (client->down)
		fail_msg("%s", client->why.text);
	return *client;
}

static void client_close(struct client *client)
{
	client->transport->ops->close(client->transport);
	ssh_thread_free(client->thread);
	loop_free(client->loop);
}

/* Opens, expects on_down, and closes. */
__attribute__((unused)) static void client_expect_down(
	struct client *client, const char *host, bool ask, enum err_code code, const char *words)
{
	client_open(client, host, ask);
	WAIT_FOR(client, client->up || client->down);
	assert_int_equal(client->up, 0);
	assert_int_equal(client->down, 1);
	if (getenv("SHOW"))
		fprintf(stderr, "  %s\n", client->why.text);
	if (client->why.code != code || !strstr(client->why.text, words))
		fail_msg("code %d, not %d; or no \"%s\" in: %s", client->why.code, code, words,
			client->why.text);
}

/* --- commands --------------------------------------------------------------------------------- */

/* One end of a socket pair or pipe that is read to its end. */
struct sink {
	struct loop_poll *poll;
	int fd;
	bool keep; /* the bytes, not only their number */
	struct buf buf;
	size_t total;
	bool ended;
	void (*on_bytes)(void *arg, const char *bytes, size_t len);
	void *arg;
};

static void sink_on_read(struct loop_poll *poll, int events, void *arg)
{
	struct sink *sink = arg;
	char bytes[65536];
	ssize_t n = read(sink->fd, bytes, sizeof(bytes));

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		loop_poll_stop(poll);
		sink->poll = NULL;
		sink->ended = true;
		return;
	}
	sink->total += (size_t)n;
	if (sink->keep)
		buf_add(&sink->buf, bytes, (size_t)n);
	if (sink->on_bytes)
		sink->on_bytes(sink->arg, bytes, (size_t)n);
}

static void sink_start(struct sink *sink, struct loop *loop, int fd)
{
	sink->fd = fd;
	assert_int_equal(loop_set_nonblocking(fd, NULL), 0);
	sink->poll = loop_poll_start(loop, fd, LOOP_READ, sink_on_read, sink);
}

static void sink_stop(struct sink *sink)
{
	loop_poll_stop(sink->poll);
	sink->poll = NULL;
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = -1;
	buf_fini(&sink->buf);
}

struct command {
	struct sink out, err;
	int in; /* our end of stdin, blocking; -1: none */
	int done;
	int status;
	struct err why;
};

static void command_on_done(void *arg, int status, const struct err *err)
{
	struct command *command = arg;

	command->done++;
	command->status = status;
	command->why = *err;
}

__attribute__((unused)) static void command_start(
	struct command *command, struct client *client, const char *text, bool with_stdin)
{
	int out[2], errs[2], in[2] = { -1, -1 }, fds[3];

	memset(command, 0, sizeof(*command));
	command->out.keep = command->err.keep = true;
	assert_int_equal(loop_socketpair(out, NULL), 0);
	assert_int_equal(pipe2(errs, O_CLOEXEC), 0);
	if (with_stdin)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
	fds[0] = in[0];
	fds[1] = out[1];
	fds[2] = errs[1];
	command->in = in[1];
	sink_start(&command->out, client->loop, out[0]);
	sink_start(&command->err, client->loop, errs[0]);
	client->transport->ops->exec(client->transport, text, fds, command_on_done, command);
}

__attribute__((unused)) static void command_fini(struct command *command)
{
	sink_stop(&command->out);
	sink_stop(&command->err);
	if (command->in >= 0)
		close(command->in);
	command->in = -1;
}

__attribute__((unused)) static void command_wait(struct command *command, struct client *client)
{
	WAIT_FOR(client, command->done && command->out.ended && command->err.ended);
	assert_int_equal(command->done, 1);
}

#endif
