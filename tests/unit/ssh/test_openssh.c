/*
 * The transport over the system's ssh against real sshds: commands and streams. Connecting, ends
 * and the choice between it and libssh2 are test_openssh_ends.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "openssh_fixture.h"

/* --- commands --------------------------------------------------------------------------------- */

static void openssh_runs_a_command(void **state)
{
	struct chosen chosen;
	struct command command;
	struct transport *transport;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	transport = chosen.client.transport;
	assert_string_equal(transport->ops->name, "openssh");
	assert_memory_equal(transport->ops->host_key(transport), "SHA256:", 7);
	assert_non_null(strstr(chosen.client.detail[TRANSPORT_STEP_HOSTKEY], "ED25519 SHA256:"));
	assert_string_equal(chosen.client.detail[TRANSPORT_STEP_AUTH], "publickey");
	assert_int_equal(count_dirs(), 1);
	command_start(&command, &chosen.client, "echo out; echo err >&2; exit 7", false);
	command_wait(&command, &chosen.client);
	assert_int_equal(command.why.code, ERR_OK);
	assert_int_equal(command.status, 7);
	assert_string_equal(buf_str(&command.out.buf), "out\n");
	assert_string_equal(buf_str(&command.err.buf), "err\n");
	command_fini(&command);
	chosen_close(&chosen);
	assert_int_equal(count_dirs(), 0);
}

/* 255 is ssh's own status for trouble, and may be the command's. */
static void openssh_tells_its_own_255_from_the_commands(void **state)
{
	struct chosen chosen;
	struct command command;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	command_start(&command, &chosen.client, "echo hi >&2; exit 255", false);
	command_wait(&command, &chosen.client);
	assert_int_equal(command.why.code, ERR_OK);
	assert_int_equal(command.status, 255);
	assert_string_equal(buf_str(&command.err.buf), "hi\n");
	command_fini(&command);
	command_start(&command, &chosen.client, "kill -TERM $$", false);
	command_wait(&command, &chosen.client);
	assert_int_equal(command.why.code, ERR_TRANSPORT);
	assert_int_equal(command.status, -1);
	assert_non_null(strstr(command.why.text, "a signal ended the command"));
	assert_string_equal(buf_str(&command.err.buf), "");
	command_fini(&command);
	assert_int_equal(chosen.client.down, 0);
	chosen_close(&chosen);
}

static void openssh_passes_stdin_and_its_end(void **state)
{
	struct chosen chosen;
	struct command command;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	command_start(&command, &chosen.client, "cat; echo after", true);
	assert_int_equal(write(command.in, "one\ntwo\n", 8), 8);
	WAIT_FOR(&chosen.client, command.out.total == 8);
	shutdown(command.in, SHUT_WR);
	command_wait(&command, &chosen.client);
	assert_int_equal(command.status, 0);
	assert_string_equal(buf_str(&command.out.buf), "one\ntwo\nafter\n");
	command_fini(&command);
	chosen_close(&chosen);
}

static void openssh_takes_missing_descriptors(void **state)
{
	const int none[3] = { -1, -1, -1 };
	struct chosen chosen;
	struct command command;
	int fds[3], pair[2];

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	memset(&command, 0, sizeof(command));
	chosen.client.transport->ops->exec(chosen.client.transport,
		"cat; head -c 3000000 /dev/zero; exit 3", none, command_on_done, &command);
	WAIT_FOR(&chosen.client, command.done);
	assert_int_equal(command.status, 3);
	/* one socket for all three */
	memset(&command, 0, sizeof(command));
	command.out.keep = true;
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	fds[0] = fds[1] = fds[2] = pair[1];
	sink_start(&command.out, chosen.client.loop, pair[0]);
	chosen.client.transport->ops->exec(
		chosen.client.transport, "cat; echo err >&2", fds, command_on_done, &command);
	assert_int_equal(write(pair[0], "in\n", 3), 3);
	shutdown(pair[0], SHUT_WR);
	WAIT_FOR(&chosen.client, command.done && command.out.ended);
	assert_string_equal(buf_str(&command.out.buf), "in\nerr\n");
	sink_stop(&command.out);
	chosen_close(&chosen);
}

static void openssh_reads_and_writes_files(void **state)
{
	struct chosen chosen;
	struct command command;
	char path[128];
	int fds[3];

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	run("head -c 300000 /dev/urandom >%s/in", dir);
	snprintf(path, sizeof(path), "%s/in", dir);
	fds[0] = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/out", dir);
	fds[1] = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fds[2] = -1;
	memset(&command, 0, sizeof(command));
	chosen.client.transport->ops->exec(
		chosen.client.transport, "cat", fds, command_on_done, &command);
	WAIT_FOR(&chosen.client, command.done);
	assert_int_equal(command.status, 0);
	run("cmp %s/in %s/out", dir, dir);
	chosen_close(&chosen);
}

static void run_many(const char *host)
{
	struct chosen chosen;
	struct command commands[20];
	char text[64], want[64];
	int i;

	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, host);
	for (i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "sleep 0.1; cat; echo %d; exit %d", i, i);
		command_start(&commands[i], &chosen.client, text, true);
		assert_int_equal(write(commands[i].in, "in ", 3), 3);
		shutdown(commands[i].in, SHUT_WR);
	}
	for (i = 0; i < 20; i++) {
		command_wait(&commands[i], &chosen.client);
		snprintf(want, sizeof(want), "in %d\n", i);
		if (commands[i].why.code)
			fail_msg("%s", commands[i].why.text);
		assert_int_equal(commands[i].status, i);
		assert_string_equal(buf_str(&commands[i].out.buf), want);
		assert_null(strstr(buf_str(&commands[i].err.buf), "mux"));
		command_fini(&commands[i]);
	}
	chosen_close(&chosen);
}

/* More than MaxSessions lets in: the rest waits for its turn and loses nothing. */
static void openssh_runs_many_at_once(void **state)
{
	(void)state;
	run_many("target");
	run_many("narrow");
}

static void hash_on_bytes(void *arg, const char *bytes, size_t len)
{
	EVP_DigestUpdate(arg, bytes, len);
}

/* Slowly at first, so that the far side is held back on the way. */
static void openssh_downloads_50_mb_whole(void **state)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct chosen chosen;
	struct command command, sum;
	unsigned char hash[EVP_MAX_MD_SIZE];
	char text[128], got[2 * EVP_MAX_MD_SIZE + 1];
	unsigned int n, i;

	(void)state;
	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	run("head -c 52428800 /dev/urandom >%s/big", dir);
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	snprintf(text, sizeof(text), "cat %s/big", dir);
	command_start(&command, &chosen.client, text, false);
	command.out.keep = false;
	command.out.on_bytes = hash_on_bytes;
	command.out.arg = ctx;
	loop_poll_change(command.out.poll, 0);
	/* a stream that is not read does not hold up others */
	snprintf(text, sizeof(text), "sha256sum <%s/big", dir);
	command_start(&sum, &chosen.client, text, false);
	command_wait(&sum, &chosen.client);
	assert_int_equal(command.done, 0);
	assert_int_equal(command.out.total, 0);
	loop_poll_change(command.out.poll, LOOP_READ);
	command_wait(&command, &chosen.client);
	assert_int_equal(command.status, 0);
	assert_int_equal(command.out.total, 52428800);
	EVP_DigestFinal_ex(ctx, hash, &n);
	for (i = 0; i < n; i++)
		sprintf(got + 2 * i, "%02x", hash[i]);
	assert_memory_equal(buf_str(&sum.out.buf), got, 64);
	command_fini(&sum);
	command_fini(&command);
	chosen_close(&chosen);
	EVP_MD_CTX_free(ctx);
}

/* A command that prints nothing would never find out by itself. */
static void openssh_ends_a_command_that_nobody_reads(void **state)
{
	struct chosen chosen;
	struct command command;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	command_start(&command, &chosen.client, "echo on; sleep 600", false);
	WAIT_FOR(&chosen.client, command.out.total == 3);
	sink_stop(&command.out);
	WAIT_FOR(&chosen.client, command.done);
	assert_int_equal(command.why.code, ERR_CANCELLED);
	command_fini(&command);
	chosen_close(&chosen);
}

/* --- connections ------------------------------------------------------------------------------ */

/* A listener in a child that sends back what it gets, once; with a limit, it leaves after that many
 * bytes. */
static pid_t start_echo(int *port, ssize_t limit)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	char bytes[4096];
	ssize_t n;
	pid_t pid;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd = accept(fd, NULL, NULL);
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			if (write(fd, bytes, (size_t)n) != n || n >= limit)
				_exit(n < limit);
		_exit(0);
	}
	close(fd);
	return pid;
}

static void openssh_dials_an_address(void **state)
{
	struct chosen chosen;
	struct command command;
	int pair[2], port, status;
	pid_t echo;

	(void)state;
	echo = start_echo(&port, 4096);
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	memset(&command, 0, sizeof(command));
	command.out.keep = true;
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	sink_start(&command.out, chosen.client.loop, pair[0]);
	chosen.client.transport->ops->dial(
		chosen.client.transport, "127.0.0.1", port, pair[1], command_on_done, &command);
	assert_int_equal(write(pair[0], "ping", 4), 4);
	WAIT_FOR(&chosen.client, command.out.total == 4);
	assert_int_equal(command.done, 0);
	assert_int_equal(write(pair[0], "pong", 4), 4);
	shutdown(pair[0], SHUT_WR);
	WAIT_FOR(&chosen.client, command.done && command.out.ended);
	assert_string_equal(buf_str(&command.out.buf), "pingpong");
	assert_int_equal(command.why.code, ERR_OK);
	assert_int_equal(command.status, 0);
	sink_stop(&command.out);
	assert_int_equal(waitpid(echo, &status, 0), echo);
	assert_int_equal(status, 0);
	chosen_close(&chosen);
}

static void dial_echo(struct chosen *chosen, struct command *command, int pair[2], int port)
{
	memset(command, 0, sizeof(*command));
	command->out.keep = true;
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	sink_start(&command->out, chosen->client.loop, pair[0]);
	chosen->client.transport->ops->dial(
		chosen->client.transport, "localhost", port, pair[1], command_on_done, command);
	assert_int_equal(write(pair[0], "ping", 4), 4);
	WAIT_FOR(&chosen->client, command->out.total == 4);
}

/* Whoever leaves first, the other side and the owner are told. */
static void openssh_ends_a_connection_from_both_sides(void **state)
{
	struct chosen chosen;
	struct command command;
	int pair[2], port, status;
	pid_t echo;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	echo = start_echo(&port, 4);
	dial_echo(&chosen, &command, pair, port);
	WAIT_FOR(&chosen.client, command.done && command.out.ended);
	assert_int_equal(command.why.code, ERR_OK);
	sink_stop(&command.out);
	assert_int_equal(waitpid(echo, &status, 0), echo);
	echo = start_echo(&port, 4096);
	dial_echo(&chosen, &command, pair, port);
	sink_stop(&command.out);
	WAIT_FOR(&chosen.client, command.done);
	assert_int_equal(waitpid(echo, &status, 0), echo);
	assert_int_equal(command.why.code, ERR_OK);
	chosen_close(&chosen);
}

static void openssh_says_that_nothing_listens(void **state)
{
	struct chosen chosen;
	struct command command;
	int pair[2];

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	memset(&command, 0, sizeof(command));
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	sink_start(&command.out, chosen.client.loop, pair[0]);
	chosen.client.transport->ops->dial(chosen.client.transport, "127.0.0.1", dead_port, pair[1],
		command_on_done, &command);
	WAIT_FOR(&chosen.client, command.done && command.out.ended);
	assert_int_equal(command.why.code, ERR_CONNECT);
	assert_non_null(strstr(command.why.text, "Connection refused"));
	assert_int_equal(command.status, -1);
	sink_stop(&command.out);
	assert_int_equal(chosen.client.down, 0);
	chosen_close(&chosen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssh_runs_a_command),
		cmocka_unit_test(openssh_tells_its_own_255_from_the_commands),
		cmocka_unit_test(openssh_passes_stdin_and_its_end),
		cmocka_unit_test(openssh_takes_missing_descriptors),
		cmocka_unit_test(openssh_reads_and_writes_files),
		cmocka_unit_test(openssh_runs_many_at_once),
		cmocka_unit_test(openssh_downloads_50_mb_whole),
		cmocka_unit_test(openssh_ends_a_command_that_nobody_reads),
		cmocka_unit_test(openssh_dials_an_address),
		cmocka_unit_test(openssh_ends_a_connection_from_both_sides),
		cmocka_unit_test(openssh_says_that_nothing_listens),
	};

	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
