/*
 * The transport over libssh2 against real sshds: how links end, by loss, by silence and by close, and
 * links through jump hosts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport_fixture.h"

/* --- ends ------------------------------------------------------------------------------------- */

static void transport_reports_a_killed_link(void **state)
{
	struct client client;
	struct command command;
	int64_t start;

	(void)state;
	client_connect(&client, "target");
	command_start(&command, &client, "echo ready; sleep 1000", false);
	WAIT_FOR(&client, command.out.total == 6);
	start = clock_monotonic();
	assert_true(sshd_signal_connections(&target, SIGKILL) > 0);
	WAIT_FOR(&client, client.down);
	assert_true(clock_monotonic() - start < 10 * CLOCK_NS_PER_S);
	assert_int_equal(client.down, 1);
	assert_int_equal(client.why.code, ERR_TRANSPORT);
	assert_int_equal(command.done, 1); /* before on_down */
	assert_int_equal(command.why.code, ERR_TRANSPORT);
	assert_int_equal(command.status, -1);
	/* later streams end at once */
	command_fini(&command);
	command_start(&command, &client, "echo", false);
	command_wait(&command, &client);
	assert_int_equal(command.why.code, ERR_TRANSPORT);
	command_fini(&command);
	client_close(&client);
}

static void transport_notices_a_frozen_server(void **state)
{
	struct client client;
	struct command command;
	int64_t start;

	(void)state;
	client_connect(&client, "target");
	command_start(&command, &client, "echo ready; sleep 1000", false);
	WAIT_FOR(&client, command.out.total == 6);
	assert_true(sshd_signal_connections(&target, SIGSTOP) > 0);
	start = clock_monotonic();
	WAIT_FOR(&client, client.down);
	assert_true(clock_monotonic() - start < 12 * CLOCK_NS_PER_S);
	assert_int_equal(client.why.code, ERR_TRANSPORT);
	assert_int_equal(command.done, 1);
	command_fini(&command);
	client_close(&client);
	sshd_signal_connections(&target, SIGKILL);
}

static void expect_hi(struct client *client)
{
	struct command command;

	assert_int_equal(client->down, 0);
	command_start(&command, client, "echo hi", false);
	command_wait(&command, client);
	assert_int_equal(command.status, 0);
	assert_string_equal(buf_str(&command.out.buf), "hi\n");
	command_fini(&command);
}

/* Longer than a frozen server is borne with: nothing to say is not silence. Without any channel;
 * with a server that asks us for signs of life; and with one whose only session is taken, so that
 * it refuses the probe's. */
static void transport_stays_up_when_idle(void **state)
{
	struct client plain, asked, narrowed;
	struct command only, second;
	double before;

	(void)state;
	client_connect(&plain, "target");
	client_connect(&asked, "rekey");
	client_connect(&narrowed, "narrow");
	before = cpu_seconds();
	command_start(&only, &narrowed, "sleep 11; echo done", false);
	command_start(&second, &narrowed, "echo no", false);
	command_wait(&second, &narrowed);
	assert_int_equal(second.why.code, ERR_TRANSPORT);
	assert_non_null(strstr(second.why.text, "MaxSessions"));
	command_fini(&second);
	command_wait(&only, &narrowed);
	assert_int_equal(only.status, 0);
	command_fini(&only);
	assert_true(cpu_seconds() - before < 0.5);
	expect_hi(&plain);
	expect_hi(&asked);
	expect_hi(&narrowed);
	client_close(&plain);
	client_close(&asked);
	client_close(&narrowed);
}

/* A port whose listener takes no more: the system drops the first packet of every connection, as a
 * firewall does. */
struct black_hole {
	int listener, port;
	int fillers[8];
};

static void black_hole_open(struct black_hole *hole)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	size_t i;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hole->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(hole->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(hole->listener, 0), 0);
	getsockname(hole->listener, (struct sockaddr *)&address, &len);
	hole->port = ntohs(address.sin_port);
	for (i = 0; i < sizeof(hole->fillers) / sizeof(hole->fillers[0]); i++) {
		hole->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(hole->fillers[i], (struct sockaddr *)&address, sizeof(address));
	}
}

static void black_hole_close(struct black_hole *hole)
{
	size_t i;

	for (i = 0; i < sizeof(hole->fillers) / sizeof(hole->fillers[0]); i++)
		close(hole->fillers[i]);
	close(hole->listener);
}

/* It fails after 5 s; the command that waits with it, until the link is up, is opened first. */
static void transport_gives_up_an_address_that_is_silent(void **state)
{
	struct client client;
	struct black_hole hole;
	struct command dialled, command;
	int64_t begun = clock_monotonic();
	int fds[2];

	(void)state;
	black_hole_open(&hole);
	memset(&dialled, 0, sizeof(dialled));
	assert_int_equal(loop_socketpair(fds, NULL), 0);
	memset(&client, 0, sizeof(client));
	client_open(&client, "target", false);
	client.transport->ops->dial(client.transport, "127.0.0.1", hole.port, fds[1],
		command_on_done, &dialled);
	command_start(&command, &client, "echo hi", false);
	command_wait(&command, &client);
	assert_int_equal(command.status, 0);
	assert_false(dialled.done);
	command_fini(&command);
	WAIT_FOR(&client, dialled.done);
	assert_int_equal(dialled.why.code, ERR_TIMEOUT);
	assert_non_null(strstr(dialled.why.text, "did not answer within 5 s"));
	assert_true(clock_monotonic() - begun >= 5 * CLOCK_NS_PER_S);
	assert_int_equal(client.down, 0);
	close(fds[0]);
	black_hole_close(&hole);
	client_close(&client);
}

struct again {
	struct client *client;
	struct command command;
};

static void again_on_done(void *arg, int status, const struct err *err)
{
	struct again *again = arg;
	const int none[3] = { -1, -1, -1 };

	(void)status;
	(void)err;
	again->client->transport->ops->exec(
		again->client->transport, "echo", none, command_on_done, &again->command);
}

/* Who answers a cancelled command with another one gets that cancelled as well. */
static void transport_close_refuses_what_is_asked_meanwhile(void **state)
{
	struct client client;
	struct again again;
	const int none[3] = { -1, -1, -1 };

	(void)state;
	client_connect(&client, "target");
	memset(&again, 0, sizeof(again));
	again.client = &client;
	client.transport->ops->exec(client.transport, "sleep 1000", none, again_on_done, &again);
	client.transport->ops->close(client.transport);
	WAIT_FOR(&client, again.command.done);
	assert_int_equal(again.command.why.code, ERR_CANCELLED);
	ssh_thread_free(client.thread);
	loop_free(client.loop);
}

static void transport_close_cancels_streams(void **state)
{
	struct client client;
	struct command commands[12];
	int i;

	(void)state;
	client_connect(&client, "target");
	for (i = 0; i < 12; i++)
		command_start(&commands[i], &client, "echo ready; sleep 1000", false);
	WAIT_FOR(&client, commands[0].out.total == 6);
	client.transport->ops->close(client.transport);
	for (i = 0; i < 12; i++) {
		assert_int_equal(commands[i].done, 1);
		assert_int_equal(commands[i].why.code, ERR_CANCELLED);
		WAIT_FOR(&client, commands[i].out.ended && commands[i].err.ended);
		command_fini(&commands[i]);
	}
	assert_int_equal(client.down, 0);
	ssh_thread_free(client.thread);
	loop_free(client.loop);
}

/* Streams asked for before the link is up wait for it. */
static void transport_queues_early_commands(void **state)
{
	struct client client;
	struct command command;

	(void)state;
	memset(&client, 0, sizeof(client));
	client_open(&client, "target", false);
	command_start(&command, &client, "echo early", false);
	command_wait(&command, &client);
	assert_int_equal(client.up, 1);
	assert_string_equal(buf_str(&command.out.buf), "early\n");
	command_fini(&command);
	client_close(&client);
}

/* --- jumps ------------------------------------------------------------------------------------ */

static void transport_jumps(void **state)
{
	static const char *const hosts[] = { "inner", "innermost" };
	struct client client;
	struct command command;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		client_connect(&client, hosts[i]);
		assert_int_equal(client.steps, TRANSPORT_STEP_COUNT);
		assert_non_null(strstr(client.detail[TRANSPORT_STEP_CONFIG], " via bastion"));
		command_start(&command, &client,
			"head -c 3000000 /dev/zero; echo $SSH_CONNECTION >&2", false);
		command.out.keep = false;
		command_wait(&command, &client);
		assert_int_equal(command.status, 0);
		assert_int_equal(command.out.total, 3000000);
		WAIT_FOR(&client, client.transport->ops->rtt_ms(client.transport) >= 0);
		command_fini(&command);
		client_close(&client);
	}
}

static void transport_reports_a_lost_jump_host(void **state)
{
	struct client client;

	(void)state;
	client_connect(&client, "inner");
	assert_true(sshd_signal_connections(&bastion, SIGKILL) > 0);
	WAIT_FOR(&client, client.down);
	assert_int_equal(client.down, 1);
	assert_int_equal(client.why.code, ERR_TRANSPORT);
	client_close(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transport_reports_a_killed_link),
		cmocka_unit_test(transport_notices_a_frozen_server),
		cmocka_unit_test(transport_stays_up_when_idle),
		cmocka_unit_test(transport_gives_up_an_address_that_is_silent),
		cmocka_unit_test(transport_close_cancels_streams),
		cmocka_unit_test(transport_close_refuses_what_is_asked_meanwhile),
		cmocka_unit_test(transport_queues_early_commands),
		cmocka_unit_test(transport_jumps),
		cmocka_unit_test(transport_reports_a_lost_jump_host),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
