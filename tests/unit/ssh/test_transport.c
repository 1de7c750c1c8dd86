/*
 * The transport over libssh2 against real sshds: commands and streams. Connecting itself is
 * test_connect.c's, ends and jumps are test_ends.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "transport_fixture.h"

/* --- commands --------------------------------------------------------------------------------- */

static void transport_runs_a_command(void **state)
{
	struct client client;
	struct command command;

	(void)state;
	client_connect(&client, "target");
	assert_int_equal(client.steps, TRANSPORT_STEP_COUNT);
	assert_non_null(strstr(client.detail[TRANSPORT_STEP_HOSTKEY], "ED25519 SHA256:"));
	assert_memory_equal(client.transport->ops->host_key(client.transport), "SHA256:", 7);
	command_start(&command, &client, "echo out; echo err >&2; exit 7", false);
	command_wait(&command, &client);
	assert_int_equal(command.why.code, ERR_OK);
	assert_int_equal(command.status, 7);
	assert_string_equal(buf_str(&command.out.buf), "out\n");
	assert_string_equal(buf_str(&command.err.buf), "err\n");
	command_fini(&command);
	WAIT_FOR(&client, client.transport->ops->rtt_ms(client.transport) >= 0);
	client_close(&client);
}

static void transport_reports_a_signal(void **state)
{
	struct client client;
	struct command command;

	(void)state;
	client_connect(&client, "target");
	command_start(&command, &client, "kill -TERM $$", false);
	command_wait(&command, &client);
	assert_int_equal(command.why.code, ERR_OK);
	assert_int_equal(command.status, 128 + SIGTERM);
	command_fini(&command);
	client_close(&client);
}

static void transport_passes_stdin_and_its_end(void **state)
{
	struct client client;
	struct command command;

	(void)state;
	client_connect(&client, "target");
	command_start(&command, &client, "cat; echo after", true);
	assert_int_equal(write(command.in, "one\ntwo\n", 8), 8);
	WAIT_FOR(&client, command.out.total == 8);
	shutdown(command.in, SHUT_WR);
	command_wait(&command, &client);
	assert_int_equal(command.status, 0);
	assert_string_equal(buf_str(&command.out.buf), "one\ntwo\nafter\n");
	command_fini(&command);
	client_close(&client);
}

/* stdin that was not given is at its end at once; output that is not wanted is dropped. */
static void transport_takes_missing_descriptors(void **state)
{
	const int none[3] = { -1, -1, -1 };
	struct client client;
	struct command command;
	int fds[3], pair[2];

	(void)state;
	client_connect(&client, "target");
	memset(&command, 0, sizeof(command));
	client.transport->ops->exec(client.transport, "cat; head -c 3000000 /dev/zero; exit 3",
		none, command_on_done, &command);
	WAIT_FOR(&client, command.done);
	assert_int_equal(command.status, 3);
	/* one socket for all three, and a file */
	memset(&command, 0, sizeof(command));
	command.out.keep = true;
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	fds[0] = fds[1] = fds[2] = pair[1];
	sink_start(&command.out, client.loop, pair[0]);
	client.transport->ops->exec(
		client.transport, "cat; echo err >&2", fds, command_on_done, &command);
	assert_int_equal(write(pair[0], "in\n", 3), 3);
	shutdown(pair[0], SHUT_WR);
	WAIT_FOR(&client, command.done && command.out.ended);
	assert_string_equal(buf_str(&command.out.buf), "in\nerr\n");
	sink_stop(&command.out);
	client_close(&client);
}

static void transport_reads_and_writes_files(void **state)
{
	struct client client;
	struct command command;
	char path[128];
	int fds[3];

	(void)state;
	client_connect(&client, "target");
	run("head -c 300000 /dev/urandom >%s/in", dir);
	snprintf(path, sizeof(path), "%s/in", dir);
	fds[0] = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/out", dir);
	fds[1] = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fds[2] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	memset(&command, 0, sizeof(command));
	client.transport->ops->exec(
		client.transport, "tee /dev/stderr", fds, command_on_done, &command);
	WAIT_FOR(&client, command.done);
	assert_int_equal(command.status, 0);
	run("cmp %s/in %s/out", dir, dir);
	client_close(&client);
}

static void transport_runs_many_at_once(void **state)
{
	struct client client;
	struct command commands[20];
	char text[64], want[64];
	int i;

	(void)state;
	client_connect(&client, "target");
	for (i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "sleep 0.1; echo %d; exit %d", i, i);
		command_start(&commands[i], &client, text, false);
	}
	for (i = 0; i < 20; i++) {
		command_wait(&commands[i], &client);
		snprintf(want, sizeof(want), "%d\n", i);
		assert_int_equal(commands[i].why.code, ERR_OK);
		assert_int_equal(commands[i].status, i);
		assert_string_equal(buf_str(&commands[i].out.buf), want);
		command_fini(&commands[i]);
	}
	client_close(&client);
}

/* --- bulk ------------------------------------------------------------------------------------- */

static void hash_on_bytes(void *arg, const char *bytes, size_t len)
{
	EVP_DigestUpdate(arg, bytes, len);
}

static void hash_text(EVP_MD_CTX *ctx, char *out)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n, i;

	EVP_DigestFinal_ex(ctx, hash, &n);
	for (i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", hash[i]);
}

static void file_hash(const char *name, char *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char path[128], bytes[65536];
	ssize_t n;
	int fd;

	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		EVP_DigestUpdate(ctx, bytes, (size_t)n);
	close(fd);
	hash_text(ctx, out);
	EVP_MD_CTX_free(ctx);
}

static void transport_downloads_50_mb_whole(void **state)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct client client;
	struct command command;
	char text[128], want[65], got[65];

	(void)state;
	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	run("head -c 52428800 /dev/urandom >%s/big", dir);
	file_hash("big", want);
	client_connect(&client, "target");
	snprintf(text, sizeof(text), "cat %s/big", dir);
	command_start(&command, &client, text, false);
	command.out.keep = false;
	command.out.on_bytes = hash_on_bytes;
	command.out.arg = ctx;
	command_wait(&command, &client);
	hash_text(ctx, got);
	assert_int_equal(command.out.total, 52428800);
	assert_string_equal(got, want);
	command_fini(&command);
	client_close(&client);
	EVP_MD_CTX_free(ctx);
}

/* Shrinks the send buffer of the transport's own socket, so that packets are sent in parts. */
static void shrink_send_buffer(int port)
{
	struct sockaddr_in peer;
	socklen_t len;
	int fd, size = 4096, found = 0;

	for (fd = 3; fd < 256; fd++) {
		len = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
			peer.sin_family == AF_INET && ntohs(peer.sin_port) == port)
			found += setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0;
	}
	assert_int_equal(found, 1);
}

/* Uploads, floods, and runs a short command, all at once. */
static void move_much(const char *host, int port)
{
	struct client client;
	struct command command, flood, other;
	char path[128], want[65];
	int fds[3], pair[2];

	run("head -c 8000000 /dev/urandom >%s/up", dir);
	file_hash("up", want);
	client_connect(&client, host);
	shrink_send_buffer(port);
	memset(&command, 0, sizeof(command));
	command.out.keep = true;
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	snprintf(path, sizeof(path), "%s/up", dir);
	fds[0] = open(path, O_RDONLY | O_CLOEXEC);
	fds[1] = pair[1];
	fds[2] = -1;
	sink_start(&command.out, client.loop, pair[0]);
	client.transport->ops->exec(client.transport, "sha256sum", fds, command_on_done, &command);
	command_start(&flood, &client, "head -c 20000000 /dev/zero", false);
	flood.out.keep = false;
	command_start(&other, &client, "echo hi", false);
	command_wait(&other, &client);
	assert_string_equal(buf_str(&other.out.buf), "hi\n");
	command_wait(&flood, &client);
	assert_int_equal(flood.out.total, 20000000);
	WAIT_FOR(&client, command.done && command.out.ended);
	assert_int_equal(command.status, 0);
	assert_memory_equal(buf_str(&command.out.buf), want, 64);
	sink_stop(&command.out);
	command_fini(&flood);
	command_fini(&other);
	client_close(&client);
}

static void transport_uploads_through_a_small_buffer(void **state)
{
	(void)state;
	move_much("target", target.port);
}

static void transport_survives_new_keys(void **state)
{
	(void)state;
	move_much("rekey", rekey.port);
}

static void on_tick(struct loop_timer *timer, void *arg)
{
	(void)timer;
	++*(int *)arg;
}

/* A flood that nobody reads is held back, costs nothing, and holds nobody else up; when its reader
 * goes away, the command ends. */
static void transport_holds_back_a_flood(void **state)
{
	struct client client;
	struct command flood, other;
	struct loop_timer *timer;
	char text[160];
	int ticks = 0;
	double before;

	(void)state;
	client_connect(&client, "target");
	snprintf(text, sizeof(text), "echo $$ >%s/flood.pid; exec yes", dir);
	command_start(&flood, &client, text, false);
	loop_poll_change(flood.out.poll, 0);
	command_start(&other, &client, "sleep 0.5; echo hi", false);
	command_wait(&other, &client);
	assert_string_equal(buf_str(&other.out.buf), "hi\n");
	before = cpu_seconds();
	timer = loop_timer_start(client.loop, 1500, 0, on_tick, &ticks);
	WAIT_FOR(&client, ticks);
	loop_timer_stop(timer);
	assert_true(cpu_seconds() - before < 0.3);
	assert_int_equal(flood.done, 0);
	command_fini(&other);

	command_start(&other, &client, "echo again", false);
	command_wait(&other, &client);
	command_fini(&other);

	command_fini(&flood);
	WAIT_FOR(&client, flood.done);
	assert_int_equal(flood.why.code, ERR_CANCELLED);
	run("for i in $(seq 100); do kill -0 $(cat %s/flood.pid) 2>/dev/null || exit 0; "
	    "sleep 0.1; done; exit 1",
		dir);
	client_close(&client);
}

/* Also a silent command ends when its reader goes away. */
static void transport_notices_that_a_reader_left(void **state)
{
	struct client client;
	struct command command;

	(void)state;
	client_connect(&client, "target");
	command_start(&command, &client, "echo ready; exec sleep 1000", false);
	WAIT_FOR(&client, command.out.total == 6);
	command_fini(&command);
	WAIT_FOR(&client, command.done);
	assert_int_equal(command.why.code, ERR_CANCELLED);
	client_close(&client);
}

/* --- streams ---------------------------------------------------------------------------------- */

/* A server that reads one connection to its end and answers with the number of bytes. */
struct counter {
	struct loop_poll *listen_poll, *poll;
	int listen_fd, fd, port;
	size_t total;
	struct loop *loop;
};

static void counter_on_read(struct loop_poll *poll, int events, void *arg)
{
	struct counter *counter = arg;
	char bytes[65536];
	ssize_t n = read(counter->fd, bytes, sizeof(bytes));

	(void)events;
	if (n > 0) {
		counter->total += (size_t)n;
		return;
	}
	loop_poll_stop(poll);
	counter->poll = NULL;
	dprintf(counter->fd, "got %zu\n", counter->total);
	close(counter->fd);
}

static void counter_on_connection(struct loop_poll *poll, int events, void *arg)
{
	struct counter *counter = arg;

	(void)poll;
	(void)events;
	counter->fd = accept(counter->listen_fd, NULL, NULL);
	counter->poll =
		loop_poll_start(counter->loop, counter->fd, LOOP_READ, counter_on_read, counter);
}

static void counter_start(struct counter *counter, struct loop *loop)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);

	memset(counter, 0, sizeof(*counter));
	counter->loop = loop;
	counter->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(counter->listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(counter->listen_fd, 8), 0);
	getsockname(counter->listen_fd, (struct sockaddr *)&a, &len);
	counter->port = ntohs(a.sin_port);
	counter->listen_poll = loop_poll_start(
		loop, counter->listen_fd, LOOP_READ, counter_on_connection, counter);
}

static void counter_stop(struct counter *counter)
{
	loop_poll_stop(counter->listen_poll);
	loop_poll_stop(counter->poll);
	close(counter->listen_fd);
}

static void transport_dials_with_half_close(void **state)
{
	struct client client;
	struct counter counter;
	struct command stream;
	int pair[2];

	(void)state;
	client_connect(&client, "target");
	counter_start(&counter, client.loop);
	memset(&stream, 0, sizeof(stream));
	stream.out.keep = true;
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	sink_start(&stream.out, client.loop, pair[0]);
	client.transport->ops->dial(
		client.transport, "127.0.0.1", counter.port, pair[1], command_on_done, &stream);
	assert_int_equal(write(pair[0], "12345", 5), 5);
	shutdown(pair[0], SHUT_WR);
	WAIT_FOR(&client, stream.done && stream.out.ended);
	assert_int_equal(stream.why.code, ERR_OK);
	assert_int_equal(stream.status, 0);
	assert_string_equal(buf_str(&stream.out.buf), "got 5\n");
	sink_stop(&stream.out);
	counter_stop(&counter);
	client_close(&client);
}

static void transport_says_where_nobody_listens(void **state)
{
	struct client client;
	struct command stream;
	char where[32];
	int pair[2], port = free_port();

	(void)state;
	client_connect(&client, "target");
	memset(&stream, 0, sizeof(stream));
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	sink_start(&stream.out, client.loop, pair[0]);
	client.transport->ops->dial(
		client.transport, "127.0.0.1", port, pair[1], command_on_done, &stream);
	WAIT_FOR(&client, stream.done && stream.out.ended);
	assert_int_equal(stream.why.code, ERR_CONNECT);
	snprintf(where, sizeof(where), "127.0.0.1:%d", port);
	assert_non_null(strstr(stream.why.text, where));
	assert_int_equal(client.down, 0);
	sink_stop(&stream.out);
	client_close(&client);
}

struct doorman {
	int port; /* of the one who may come in */
	int asked;
};

static bool doorman_allows(void *arg, int peer_port)
{
	struct doorman *doorman = arg;

	doorman->asked++;
	return peer_port == doorman->port;
}

static int connect_to(const struct ssh_tunnel *tunnel, int *own_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, tunnel_address(tunnel), &a.sin_addr);
	a.sin_port = htons((uint16_t)tunnel_port(tunnel));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	*own_port = ntohs(a.sin_port);
	return fd;
}

static void tunnel_lets_in_one_peer(void **state)
{
	struct client client;
	struct counter counter;
	struct doorman doorman = { 0, 0 };
	struct ssh_tunnel *tunnel;
	struct sink mine, foreign;
	struct err err = { ERR_OK, "" };
	int fd, port;

	(void)state;
	memset(&mine, 0, sizeof(mine));
	memset(&foreign, 0, sizeof(foreign));
	mine.keep = true;
	client_connect(&client, "target");
	counter_start(&counter, client.loop);
	tunnel = tunnel_open(client.loop, client.transport, "127.0.0.1", counter.port,
		doorman_allows, &doorman, &err);
	assert_non_null(tunnel);
	assert_int_equal(tunnel_port(tunnel), counter.port);
	assert_memory_equal(tunnel_address(tunnel), "127.", 4);
	assert_string_not_equal(tunnel_address(tunnel), "127.0.0.1");

	fd = connect_to(tunnel, &port);
	sink_start(&foreign, client.loop, fd);
	WAIT_FOR(&client, foreign.ended);
	assert_int_equal(doorman.asked, 1);

	fd = connect_to(tunnel, &doorman.port);
	sink_start(&mine, client.loop, fd);
	assert_int_equal(write(fd, "hello", 5), 5);
	shutdown(fd, SHUT_WR);
	WAIT_FOR(&client, mine.ended);
	assert_string_equal(buf_str(&mine.buf), "got 5\n");
	assert_int_equal(counter.total, 5);
	assert_int_equal(tunnel_last_error(tunnel)->code, ERR_OK);

	counter_stop(&counter);
	sink_stop(&mine);
	fd = connect_to(tunnel, &doorman.port);
	sink_start(&mine, client.loop, fd);
	WAIT_FOR(&client, mine.ended);
	WAIT_FOR(&client, tunnel_last_error(tunnel)->code == ERR_CONNECT);

	tunnel_close(tunnel);
	sink_stop(&mine);
	sink_stop(&foreign);
	client_close(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transport_runs_a_command),
		cmocka_unit_test(transport_reports_a_signal),
		cmocka_unit_test(transport_passes_stdin_and_its_end),
		cmocka_unit_test(transport_takes_missing_descriptors),
		cmocka_unit_test(transport_reads_and_writes_files),
		cmocka_unit_test(transport_runs_many_at_once),
		cmocka_unit_test(transport_downloads_50_mb_whole),
		cmocka_unit_test(transport_uploads_through_a_small_buffer),
		cmocka_unit_test(transport_survives_new_keys),
		cmocka_unit_test(transport_holds_back_a_flood),
		cmocka_unit_test(transport_notices_that_a_reader_left),
		cmocka_unit_test(transport_dials_with_half_close),
		cmocka_unit_test(transport_says_where_nobody_listens),
		cmocka_unit_test(tunnel_lets_in_one_peer),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
