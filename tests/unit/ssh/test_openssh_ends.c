/*
 * The transport over the system's ssh against real sshds: getting there or not, and how it ends.
 * And the choice between it and libssh2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "openssh_fixture.h"

/* --- not getting there ------------------------------------------------------------------------ */

static void openssh_says_why_it_cannot_connect(void **state)
{
	enum ssh_transport_kind kind = SSH_TRANSPORT_OPENSSH;

	(void)state;
	expect_down(kind, "stranger", ERR_AUTH, "Permission denied (publickey)");
	expect_down(kind, "unknown", ERR_HOSTKEY, "host key is known for [127.0.0.1]:");
	expect_down(kind, "changed", ERR_HOSTKEY, "Offending ED25519 key in ");
	expect_down(kind, "revoked", ERR_HOSTKEY, "revoked");
	expect_down(kind, "dead", ERR_CONNECT, "Connection refused");
	expect_down(kind, "nowhere", ERR_RESOLVE, "Could not resolve hostname");
	expect_down(kind, "silent", ERR_CONNECT, "timed out");
	expect_down(kind, "behind", ERR_CONNECT, "Connection refused");
	assert_int_equal(count_dirs(), 0);
	assert_int_equal(find_master(), 0);
}

static void openssh_writes_no_known_hosts(void **state)
{
	struct chosen chosen;

	(void)state;
	run("cp %s/known_hosts %s/known_hosts.before", dir, dir);
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "two_keys");
	chosen_close(&chosen);
	expect_down(SSH_TRANSPORT_OPENSSH, "unknown", ERR_HOSTKEY, "known for");
	run("cmp %s/known_hosts %s/known_hosts.before", dir, dir);
	run("test ! -s %s/known_none", dir);
}

static void openssh_uses_keys_and_ways_that_libssh2_cannot(void **state)
{
	static const char *const hosts[] = { "rsa_user", "proxied", "jumped", "etm", "rsa_only" };
	struct chosen chosen;
	struct command command;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, hosts[i]);
		command_start(&command, &chosen.client, "echo hi", false);
		command_wait(&command, &chosen.client);
		assert_string_equal(buf_str(&command.out.buf), "hi\n");
		command_fini(&command);
		chosen.client.transport->ops->close(chosen.client.transport);
		chosen.closed = true;
		WAIT_FOR(&chosen.client, !find_master() && !find_process("ssh -F"));
		chosen_close(&chosen);
	}
}

/* The server can print lines that look like ssh's own. */
static void openssh_does_not_believe_a_banner(void **state)
{
	struct chosen chosen;
	struct transport *transport;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "narrow");
	transport = chosen.client.transport;
	run("ssh-keygen -lf %s/narrow_ed25519.pub | grep -qF '%s'", dir,
		transport->ops->host_key(transport));
	assert_null(strstr(chosen.client.detail[TRANSPORT_STEP_HOSTKEY], "FAKE"));
	assert_memory_equal(chosen.client.detail[TRANSPORT_STEP_CONNECT], "OpenSSH_", 8);
	chosen_close(&chosen);
}

/* Forwardings, commands and local commands of the configuration are not for this. */
static void openssh_ignores_what_is_configured_for_a_terminal(void **state)
{
	struct chosen chosen;
	struct command command;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "decorated");
	command_start(&command, &chosen.client, "tty; echo hi", false);
	command_wait(&command, &chosen.client);
	assert_string_equal(buf_str(&command.out.buf), "not a tty\nhi\n");
	command_fini(&command);
	run("test ! -e %s/local_command", dir);
	assert_int_equal(connect_loopback(dead_port), -1);
	chosen_close(&chosen);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void lose_connection(bool kill_master)
{
	struct chosen chosen;
	struct client *client = &chosen.client;
	struct command command;

	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	command_start(&command, client, "echo on; sleep 600", false);
	WAIT_FOR(client, command.out.total == 3);
	if (kill_master)
		assert_int_equal(kill(find_master(), SIGKILL), 0);
	else
		assert_true(sshd_signal_connections(&target, SIGKILL) > 0);
	WAIT_FOR(client, client->down);
	assert_int_equal(client->why.code, ERR_TRANSPORT);
	assert_non_null(strstr(client->why.text, "lost the connection to target"));
	assert_int_equal(command.done, 1);
	assert_int_equal(command.why.code, ERR_TRANSPORT);
	assert_int_equal(command.status, -1);
	command_wait(&command, client);
	command_fini(&command);
	chosen_close(&chosen);
	assert_int_equal(client->down, 1);
	assert_int_equal(count_dirs(), 0);
}

static void openssh_goes_down_with_the_connection(void **state)
{
	(void)state;
	lose_connection(false);
}

static void openssh_goes_down_with_its_master(void **state)
{
	(void)state;
	lose_connection(true);
}

/* A server that stops answering is noticed by ServerAlive. */
static void openssh_notices_a_dead_server(void **state)
{
	struct chosen chosen;
	struct client *client = &chosen.client;
	int64_t start;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	start = clock_monotonic();
	sshd_signal_connections(&target, SIGSTOP);
	WAIT_FOR(client, client->down);
	assert_true(clock_monotonic() - start < 12 * CLOCK_NS_PER_S);
	assert_non_null(strstr(client->why.text, "not responding"));
	sshd_signal_connections(&target, SIGKILL);
	chosen_close(&chosen);
}

static void restart_on_done(void *arg, int status, const struct err *err)
{
	const int none[3] = { -1, -1, -1 };
	struct chosen *chosen = arg;

	(void)status;
	assert_int_equal(err->code, ERR_CANCELLED);
	if (chosen->changes++ > 0)
		return;
	chosen->client.transport->ops->exec(
		chosen->client.transport, "true", none, restart_on_done, chosen);
	chosen->client.transport->ops->close(chosen->client.transport);
}

/* close ends every stream before it returns; what is asked for meanwhile is refused. */
static void openssh_closes_at_once(void **state)
{
	const int none[3] = { -1, -1, -1 };
	struct chosen chosen;
	struct client *client = &chosen.client;
	struct command command;
	int64_t start;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	command_start(&command, client, "echo on; sleep 600", false);
	client->transport->ops->exec(
		client->transport, "sleep 600", none, restart_on_done, &chosen);
	WAIT_FOR(client, command.out.total == 3);
	start = clock_monotonic();
	client->transport->ops->close(client->transport);
	assert_true(clock_monotonic() - start < 100 * CLOCK_NS_PER_MS);
	chosen.closed = true;
	assert_int_equal(command.done, 1);
	assert_int_equal(command.why.code, ERR_CANCELLED);
	assert_int_equal(chosen.changes, 1);
	WAIT_FOR(client, chosen.changes == 2);
	assert_int_equal(count_dirs(), 0);
	WAIT_FOR(client, find_master() == 0);
	command_wait(&command, client);
	command_fini(&command);
	chosen_close(&chosen);
	assert_int_equal(client->down, 0);
}

static void openssh_can_be_given_up(void **state)
{
	struct chosen chosen;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		memset(&chosen, 0, sizeof(chosen));
		chosen_open(&chosen, SSH_TRANSPORT_OPENSSH, "silent");
		if (i)
			WAIT_FOR(&chosen.client, chosen.client.steps == 1);
		chosen_close(&chosen);
		assert_int_equal(chosen.client.down, 0);
		assert_int_equal(count_dirs(), 0);
	}
}

/* The program ends without closing anything: its master ends too. */
static void openssh_leaves_no_master_behind(void **state)
{
	struct chosen chosen;
	int64_t deadline = clock_monotonic() + WAIT_S * CLOCK_NS_PER_S;
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
		_exit(find_master() > 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	while (find_master() > 0 && clock_monotonic() < deadline)
		usleep(10000);
	assert_int_equal(find_master(), 0);
	run("rm -rf %s/run/pgoncall-*", dir);
}

/* --- the choice ------------------------------------------------------------------------------- */

static void expect_change(const char *host, const char *words)
{
	struct chosen chosen;
	struct client *client = &chosen.client;
	struct command command;

	chosen_connect(&chosen, SSH_TRANSPORT_AUTO, host);
	assert_int_equal(chosen.changes, 1);
	if (!strstr(chosen.reason, words) || strstr(chosen.reason, "set transport"))
		fail_msg("no \"%s\" in: %s", words, chosen.reason);
	assert_string_equal(client->transport->ops->name, "openssh");
	assert_memory_equal(client->transport->ops->host_key(client->transport), "SHA256:", 7);
	command_start(&command, client, "echo hi", false);
	command_wait(&command, client);
	assert_string_equal(buf_str(&command.out.buf), "hi\n");
	command_fini(&command);
	chosen_close(&chosen);
	assert_int_equal(client->down, 0);
}

static void auto_keeps_libssh2_where_it_can(void **state)
{
	struct chosen chosen;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_AUTO, "target");
	assert_int_equal(chosen.changes, 0);
	assert_string_equal(chosen.client.transport->ops->name, "libssh2");
	chosen_close(&chosen);
	expect_down(SSH_TRANSPORT_AUTO, "dead", ERR_CONNECT, "nothing listens");
	expect_down(SSH_TRANSPORT_AUTO, "stranger", ERR_AUTH, "refused");
}

static void auto_changes_and_says_why(void **state)
{
	(void)state;
	expect_change("rsa_only", "no algorithm in common");
	expect_change("etm", "no algorithm in common");
	expect_change("rsa_user", "an RSA key, which libssh2 uses from the agent only");
	expect_change("proxied", "sets ProxyCommand, which libssh2 cannot follow");
}

static void auto_names_both_reasons(void **state)
{
	(void)state;
	expect_down(
		SSH_TRANSPORT_AUTO, "etm_stranger", ERR_AUTH, "(tried after libssh2: 127.0.0.1:");
	/* An RSA key that the server does not want is no reason to change. */
	expect_down(SSH_TRANSPORT_AUTO, "rsa_stranger", ERR_AUTH, "rsa_stranger refused; it takes");
}

static void auto_obeys_the_target(void **state)
{
	(void)state;
	expect_down(SSH_TRANSPORT_LIBSSH2, "etm", ERR_TRANSPORT, "set transport = openssh");
}

static void auto_passes_questions_on(void **state)
{
	struct chosen chosen;
	struct client *client = &chosen.client;

	(void)state;
	memset(&chosen, 0, sizeof(chosen));
	client->answer = "no";
	chosen_open(&chosen, SSH_TRANSPORT_AUTO, "asking");
	WAIT_FOR(client, client->up || client->down);
	assert_int_equal(client->questions, 1);
	assert_int_equal(client->why.code, ERR_HOSTKEY);
	chosen_close(&chosen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssh_says_why_it_cannot_connect),
		cmocka_unit_test(openssh_writes_no_known_hosts),
		cmocka_unit_test(openssh_uses_keys_and_ways_that_libssh2_cannot),
		cmocka_unit_test(openssh_does_not_believe_a_banner),
		cmocka_unit_test(openssh_ignores_what_is_configured_for_a_terminal),
		cmocka_unit_test(openssh_goes_down_with_the_connection),
		cmocka_unit_test(openssh_goes_down_with_its_master),
		cmocka_unit_test(openssh_notices_a_dead_server),
		cmocka_unit_test(openssh_closes_at_once),
		cmocka_unit_test(openssh_can_be_given_up),
		cmocka_unit_test(openssh_leaves_no_master_behind),
		cmocka_unit_test(auto_keeps_libssh2_where_it_can),
		cmocka_unit_test(auto_changes_and_says_why),
		cmocka_unit_test(auto_names_both_reasons),
		cmocka_unit_test(auto_obeys_the_target),
		cmocka_unit_test(auto_passes_questions_on),
	};

	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
