/*
 * This machine as a transport: commands with their descriptors and ends, connections, closing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/host/local.h>

#include "support.h"

struct fixture {
	struct loop *loop;
	struct transport *transport;
	int fds_before;
	int steps;
	bool up;
};

struct outcome {
	int calls;
	int status;
	struct err err;
};

static void on_step(void *arg, enum transport_step step, const char *detail)
{
	struct fixture *f = arg;

	assert_int_equal(step, f->steps);
	assert_non_null(detail);
	f->steps++;
}

static void on_up(void *arg)
{
	((struct fixture *)arg)->up = true;
}

static void on_done(void *arg, int status, const struct err *err)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->status = status;
	outcome->err = *err;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct transport_events events = { on_step, on_up, NULL, f };

	f->fds_before = count_fds();
	f->loop = loop_new();
	f->transport = local_transport_open(f->loop, &events);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int left;

	f->transport->ops->close(f->transport);
	loop_free(f->loop);
	left = count_fds() - f->fds_before;
	free(f);
	return left; /* a descriptor was left open */
}

/* Reads fd to its end, running the loop. */
static void slurp(struct loop *loop, int fd, struct buf *out)
{
	int64_t until = clock_monotonic() + WAIT_S * CLOCK_NS_PER_S;
	char block[65536];
	ssize_t n = -1;

	while (n != 0 && clock_monotonic() < until) {
		n = read(fd, block, sizeof(block));
		if (n > 0)
			buf_add(out, block, (size_t)n);
		else if (n < 0)
			loop_run_once(loop, 20);
	}
	assert_int_equal(n, 0);
}

static void local_comes_up_step_by_step(void **state)
{
	struct fixture *f = *state;

	assert_false(f->up);
	wait_for(f->loop, f->up);
	assert_int_equal(f->steps, TRANSPORT_STEP_COUNT);
	assert_string_equal(f->transport->ops->name, "local");
	assert_string_equal(f->transport->ops->host_key(f->transport), "");
}

static void local_exec_joins_three_descriptors(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	struct buf out = BUF_INIT, err = BUF_INIT;
	int in_pair[2], out_pair[2], err_pair[2];

	assert_int_equal(loop_socketpair(in_pair, NULL), 0);
	assert_int_equal(loop_socketpair(out_pair, NULL), 0);
	assert_int_equal(loop_socketpair(err_pair, NULL), 0);
	f->transport->ops->exec(f->transport, "cat; echo \"$((40+2))\" >&2; exit 7",
		(const int[]){ in_pair[1], out_pair[1], err_pair[1] }, on_done, &outcome);
	assert_int_equal(send(in_pair[0], "hello", 5, 0), 5);
	settle(f->loop);
	assert_int_equal(outcome.calls, 0);
	shutdown(in_pair[0], SHUT_WR);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.status, 7);
	assert_int_equal(outcome.err.code, ERR_OK);
	slurp(f->loop, out_pair[0], &out);
	slurp(f->loop, err_pair[0], &err);
	assert_string_equal(buf_str(&out), "hello");
	assert_string_equal(buf_str(&err), "42\n");
	close(in_pair[0]);
	close(out_pair[0]);
	close(err_pair[0]);
	buf_fini(&out);
	buf_fini(&err);
}

static void local_exec_tells_signals_and_missing_commands(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	const int none[3] = { -1, -1, -1 };

	f->transport->ops->exec(f->transport, "kill -9 $$", none, on_done, &outcome);
	assert_int_equal(outcome.calls, 0);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.status, 128 + SIGKILL);
	f->transport->ops->exec(f->transport, "no-such-command", none, on_done, &outcome);
	wait_for(f->loop, outcome.calls == 2);
	assert_int_equal(outcome.status, 127);
}

/* All of the output arrives although the reader is slow and the child long gone. */
static void local_exec_delivers_everything_before_done(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	struct buf out = BUF_INIT;
	int pair[2];

	assert_int_equal(loop_socketpair(pair, NULL), 0);
	f->transport->ops->exec(f->transport, "head -c 3000000 /dev/zero",
		(const int[]){ -1, pair[1], -1 }, on_done, &outcome);
	settle(f->loop);
	assert_int_equal(outcome.calls, 0);
	slurp(f->loop, pair[0], &out);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(out.len, 3000000);
	close(pair[0]);
	buf_fini(&out);
}

/* A daemon left behind holds the pipe; the command is over all the same. */
static void local_exec_ends_with_its_shell(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	struct buf out = BUF_INIT;
	int pair[2];

	assert_int_equal(loop_socketpair(pair, NULL), 0);
	f->transport->ops->exec(f->transport, "sleep 30 & echo $!",
		(const int[]){ -1, pair[1], -1 }, on_done, &outcome);
	wait_for(f->loop, outcome.calls == 1);
	slurp(f->loop, pair[0], &out);
	assert_int_equal(kill(atoi(buf_str(&out)), SIGKILL), 0);
	close(pair[0]);
	buf_fini(&out);
}

static void local_exec_ends_a_command_whose_reader_left(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	int pair[2];

	assert_int_equal(loop_socketpair(pair, NULL), 0);
	f->transport->ops->exec(f->transport, "sleep 1000; true", (const int[]){ -1, pair[1], -1 },
		on_done, &outcome);
	settle(f->loop);
	assert_int_equal(outcome.calls, 0);
	close(pair[0]);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.status, 128 + SIGTERM);
}

static int listen_on(int family, const struct sockaddr *address, socklen_t size)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, address, size), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static int listen_on_loopback(int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = listen_on(AF_INET, (struct sockaddr *)&address, size);
	getsockname(fd, (struct sockaddr *)&address, &size);
	*port = ntohs(address.sin_port);
	return fd;
}

/* Dials host:port and talks to what the listener accepts. */
static void expect_talk(struct fixture *f, int listener, const char *host, int port)
{
	struct outcome outcome = { 0 };
	char text[16] = { 0 };
	int pair[2], peer;
	ssize_t n = -1;

	assert_int_equal(loop_socketpair(pair, NULL), 0);
	f->transport->ops->dial(f->transport, host, port, pair[1], on_done, &outcome);
	assert_int_equal(send(pair[0], "ping", 4, 0), 4);
	loop_set_nonblocking(listener, NULL);
	wait_for(f->loop, (peer = accept(listener, NULL, NULL)) >= 0);
	loop_set_nonblocking(peer, NULL);
	wait_for(f->loop, (n = read(peer, text, sizeof(text))) > 0);
	assert_string_equal(text, "ping");
	shutdown(pair[0], SHUT_WR);
	wait_for(f->loop, (n = read(peer, text, sizeof(text))) == 0);
	assert_int_equal(send(peer, "pong", 4, 0), 4);
	close(peer);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.err.code, ERR_OK);
	assert_int_equal(outcome.status, 0);
	assert_int_equal(read(pair[0], text, sizeof(text)), 4);
	assert_int_equal(read(pair[0], text, sizeof(text)), 0);
	close(pair[0]);
}

static void local_dial_joins_with_tcp_and_unix_sockets(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/test_local.XXXXXX";
	int port, listener = listen_on_loopback(&port);

	expect_talk(f, listener, "127.0.0.1", port);
	expect_talk(f, listener, "localhost", port);
	close(listener);
	assert_non_null(mkdtemp(dir));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5433", dir);
	listener = listen_on(AF_UNIX, (struct sockaddr *)&address, sizeof(address));
	expect_talk(f, listener, address.sun_path, 0);
	close(listener);
	unlink(address.sun_path);
	rmdir(dir);
}

static void local_dial_says_why_not(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	int pair[2], port, listener = listen_on_loopback(&port);
	char byte;

	close(listener);
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	f->transport->ops->dial(f->transport, "127.0.0.1", port, pair[1], on_done, &outcome);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.err.code, ERR_CONNECT);
	assert_int_equal(outcome.status, -1);
	assert_non_null(strstr(outcome.err.text, "nothing answers at 127.0.0.1 port"));
	assert_non_null(strstr(outcome.err.text, "Connection refused"));
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	f->transport->ops->dial(
		f->transport, "no.such.host.invalid", 1, pair[1], on_done, &outcome);
	wait_for(f->loop, outcome.calls == 2);
	assert_int_equal(outcome.err.code, ERR_RESOLVE);
	close(pair[0]);
}

static void local_close_ends_every_stream(void **state)
{
	struct fixture *f = *state;
	struct outcome outcomes[3] = { 0 };
	const struct transport_events events = { 0 };
	struct transport *transport = local_transport_open(f->loop, &events);
	int pair[2], dialled[2], pid = 0, i;
	struct buf out = BUF_INIT;
	char text[32] = { 0 };

	assert_int_equal(loop_socketpair(pair, NULL), 0);
	assert_int_equal(loop_socketpair(dialled, NULL), 0);
	transport->ops->exec(transport, "echo $$; sleep 1000; true",
		(const int[]){ -1, pair[1], -1 }, on_done, &outcomes[0]);
	wait_for(f->loop, read(pair[0], text, sizeof(text) - 1) > 0);
	pid = atoi(text);
	transport->ops->dial(transport, "localhost", 1, dialled[1], on_done, &outcomes[1]);
	transport->ops->exec(
		transport, "exit 3", (const int[]){ -1, -1, -1 }, on_done, &outcomes[2]);
	transport->ops->close(transport);
	for (i = 0; i < 3; i++) {
		assert_int_equal(outcomes[i].calls, 1);
		assert_int_equal(outcomes[i].err.code, ERR_CANCELLED);
		assert_int_equal(outcomes[i].status, -1);
	}
	slurp(f->loop, pair[0], &out);
	slurp(f->loop, dialled[0], &out);
	wait_for(f->loop, kill(pid, 0) < 0 && errno == ESRCH);
	close(pair[0]);
	close(dialled[0]);
	buf_fini(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(local_comes_up_step_by_step),
		TEST(local_exec_joins_three_descriptors),
		TEST(local_exec_tells_signals_and_missing_commands),
		TEST(local_exec_delivers_everything_before_done),
		TEST(local_exec_ends_with_its_shell),
		TEST(local_exec_ends_a_command_whose_reader_left),
		TEST(local_dial_joins_with_tcp_and_unix_sockets),
		TEST(local_dial_says_why_not),
		TEST(local_close_ends_every_stream),
	};

	/* libuv keeps some descriptors from the first loop on. */
	loop_free(loop_new());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
