/*
 * Getting to a host, against real sshds: host keys, authentication, and one clear sentence for
 * every way in which it fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sshd_fixture.h"

static struct sshd target, etm, rsa_only, few_tries;
static int silent_fd, silent_port, dead_port;
static pid_t agent_pid;

static void start_agent(void)
{
	char socket_path[128];
	int i;

	snprintf(socket_path, sizeof(socket_path), "%s/agent", dir);
	agent_pid = fork();
	assert_true(agent_pid >= 0);
	if (agent_pid == 0) {
		setpgid(0, 0);
		close(1);
		execlp("ssh-agent", "ssh-agent", "-D", "-a", socket_path, NULL);
		_exit(127);
	}
	for (i = 0; i < 500 && access(socket_path, F_OK) < 0; i++)
		usleep(10000);
	assert_int_equal(access(socket_path, F_OK), 0);
}

static void agent_add(const char *name)
{
	run("SSH_AUTH_SOCK=%s/agent ssh-add -q %s/%s 2>/dev/null", dir, dir, name);
}

static void agent_clear(void)
{
	run("SSH_AUTH_SOCK=%s/agent ssh-add -q -D 2>/dev/null", dir);
}

static int group_setup(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/pgoncall-ssh.XXXXXX");
	assert_non_null(mkdtemp(dir));
	mkdir("/run/sshd", 0755);
	run("ssh-keygen -q -t ed25519 -N '' -C good -f %s/good", dir);
	/* Not ECDSA in OpenSSH's format: libssh2 1.10 leaks 56 bytes when it opens one. */
	run("ssh-keygen -q -t ed25519 -N 'open sesame' -C locked -f %s/locked", dir);
	run("ssh-keygen -q -t rsa -b 2048 -N '' -C rsakey -f %s/rsa", dir);
	run("ssh-keygen -q -t ed25519 -N '' -C stranger -f %s/stranger", dir);
	run("ssh-keygen -q -t ed25519 -N 'open sesame' -C stranger -f %s/locked_stranger", dir);
	run("cat %s/good.pub %s/locked.pub %s/rsa.pub >%s/authorized_keys", dir, dir, dir, dir);
	run("ssh-keygen -q -t ecdsa -m PEM -N '' -C pem -f %s/pem && cat %s/pem.pub >>"
	    "%s/authorized_keys && rm %s/pem.pub",
		dir, dir, dir, dir);
	target = sshd_start("target", "ed25519 ecdsa", "");
	etm = sshd_start("etm", "ed25519", "MACs hmac-sha2-256-etm@openssh.com\n");
	rsa_only = sshd_start("rsa_only", "rsa", "");
	few_tries = sshd_start("few", "ed25519", "MaxAuthTries 2\n");
	know("known_hosts", &target, "ed25519");
	know("known_hosts", &etm, "ed25519");
	know("known_hosts", &rsa_only, "rsa");
	know("known_hosts", &few_tries, "ed25519");
	write_file("echo_key", "#!/bin/sh\necho key\n");
	run("chmod 700 %s/echo_key", dir);
	start_agent();

	silent_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(silent_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(silent_fd, 64), 0);
	getsockname(silent_fd, (struct sockaddr *)&a, &len);
	silent_port = ntohs(a.sin_port);
	dead_port = free_port();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sshd_stop(&target);
	sshd_stop(&etm);
	sshd_stop(&rsa_only);
	sshd_stop(&few_tries);
	kill(agent_pid, SIGKILL);
	waitpid(agent_pid, NULL, 0);
	close(silent_fd);
	run("rm -rf %s", dir);
	return 0;
}

/* The client's configuration: the host `h` at a port, more lines before; $ is the directory. */
static void configure(int port, const char *more)
{
	char expanded[1024] = "";
	size_t n = 0;

	for (; *more; more++) {
		n += (size_t)snprintf(expanded + n, sizeof(expanded) - n, "%.*s",
			*more == '$' ? (int)sizeof(dir) : 1, *more == '$' ? dir : more);
		assert_true(n < sizeof(expanded));
	}
	write_file("ssh_config",
		"Host h\n%s"
		"Host h\n HostName 127.0.0.1\n User root\n Port %d\n"
		"Host *\n IdentityAgent none\n IdentitiesOnly yes\n HashKnownHosts no\n"
		" UserKnownHostsFile %s/known_hosts\n GlobalKnownHostsFile none\n",
		expanded, port, dir);
}

static void expect_up(const char *how, const char *answer)
{
	struct client client;

	memset(&client, 0, sizeof(client));
	client.answer = answer;
	client_open(&client, "h", answer != NULL);
	WAIT_FOR(&client, client.up || client.down);
	if (client.down)
		fail_msg("%s", client.why.text);
	if (!strstr(client.detail[TRANSPORT_STEP_AUTH], how))
		fail_msg("\"%s\" is not in: %s", how, client.detail[TRANSPORT_STEP_AUTH]);
	client_close(&client);
}

static void expect_down(enum err_code code, const char *words, bool wants_openssh)
{
	struct client client;

	memset(&client, 0, sizeof(client));
	client_expect_down(&client, "h", false, code, words);
	assert_int_equal(ssh_transport_wants_openssh(client.transport), wants_openssh);
	client_close(&client);
}

/* --- host keys -------------------------------------------------------------------------------- */

static void connect_refuses_an_unknown_host_key(void **state)
{
	struct client client;

	(void)state;
	configure(target.port, " IdentityFile $/good\n UserKnownHostsFile $/empty\n");
	memset(&client, 0, sizeof(client));
	client_expect_down(&client, "h", false, ERR_HOSTKEY, "is unknown: ED25519 SHA256:");
	assert_non_null(strstr(client.why.text, "with: ssh -F "));
	assert_int_equal(client.steps, 2); /* nothing after the TCP connection */
	client_close(&client);
	/* asked, and declined */
	memset(&client, 0, sizeof(client));
	client.answer = "no";
	client_expect_down(&client, "h", true, ERR_HOSTKEY, "is unknown");
	assert_int_equal(client.questions, 1);
	client_close(&client);
}

static void connect_keeps_an_accepted_host_key(void **state)
{
	struct client client;

	(void)state;
	configure(target.port, " IdentityFile $/good\n UserKnownHostsFile $/new\n");
	memset(&client, 0, sizeof(client));
	client.answer = "yes";
	client_open(&client, "h", true);
	WAIT_FOR(&client, client.up || client.down);
	assert_int_equal(client.up, 1);
	assert_int_equal(client.questions, 1);
	assert_non_null(strstr(client.question, "ED25519 SHA256:"));
	client_close(&client);
	expect_up("good", NULL);
	/* strict: not even asked */
	configure(target.port, " IdentityFile $/good\n UserKnownHostsFile $/empty\n"
			       " StrictHostKeyChecking yes\n");
	memset(&client, 0, sizeof(client));
	client.answer = "yes";
	client_expect_down(&client, "h", true, ERR_HOSTKEY, "is unknown");
	assert_int_equal(client.questions, 0);
	client_close(&client);
}

static void connect_refuses_a_changed_host_key(void **state)
{
	char where[128];

	(void)state;
	run("printf '# a comment\\n[127.0.0.1]:%d %%s\\n' \"$(cut -d' ' -f1,2 %s/stranger.pub)\" "
	    ">%s/changed",
		target.port, dir, dir);
	configure(target.port, " IdentityFile $/good\n UserKnownHostsFile $/changed\n");
	snprintf(where, sizeof(where), "%s/changed:2 has another", dir);
	expect_down(ERR_HOSTKEY, where, false);
	expect_down(ERR_HOSTKEY, "has CHANGED", false);
}

static void connect_refuses_a_revoked_host_key(void **state)
{
	char where[128];

	(void)state;
	run("cp %s/known_hosts %s/revoked; printf '@revoked * %%s\\n' \"$(cut -d' ' -f1,2 "
	    "%s/target_ed25519.pub)\" >>%s/revoked",
		dir, dir, dir, dir);
	configure(target.port, " IdentityFile $/good\n UserKnownHostsFile $/revoked\n");
	snprintf(where, sizeof(where), "is REVOKED by %s/revoked:5", dir);
	expect_down(ERR_HOSTKEY, where, false);
}

static void connect_honours_host_key_alias(void **state)
{
	(void)state;
	run("printf 'prod %%s\\n' \"$(cut -d' ' -f1,2 %s/target_ecdsa.pub)\" >%s/alias", dir, dir);
	configure(target.port, " IdentityFile $/good\n UserKnownHostsFile $/alias\n"
			       " HostKeyAlias prod\n");
	expect_up("good", NULL);
}

/* --- authentication --------------------------------------------------------------------------- */

static void connect_uses_a_key_file(void **state)
{
	(void)state;
	configure(target.port, " IdentityFile $/good\n");
	expect_up("good", NULL);
	/* without .pub, in PEM */
	configure(target.port, " IdentityFile $/pem\n");
	expect_up("pem", NULL);
	/* after one that is refused and one that is not there */
	configure(target.port, " IdentityFile $/stranger\n IdentityFile $/nothing\n"
			       " IdentityFile $/good\n");
	expect_up("good", NULL);
}

static void connect_asks_for_a_passphrase(void **state)
{
	struct client client;

	(void)state;
	configure(target.port, " IdentityFile $/locked\n");
	expect_up("locked", "open sesame");
	memset(&client, 0, sizeof(client));
	client.answer = "wrong";
	client_expect_down(&client, "h", true, ERR_AUTH, "wrong passphrase");
	assert_non_null(strstr(client.why.text, "; try again with the right passphrase, or "));
	assert_int_equal(client.questions, 3);
	assert_non_null(strstr(client.prompt, "Passphrase for "));
	client_close(&client);
	expect_down(ERR_AUTH, "it is encrypted and nobody gave the passphrase", false);
	/* declined: that is not taken for a server that hung up */
	memset(&client, 0, sizeof(client));
	client_expect_down(&client, "h", true, ERR_AUTH, "nobody gave the passphrase");
	assert_int_equal(client.questions, 1);
	client_close(&client);
	/* a key that the server does not want is not asked for */
	configure(target.port, " IdentityFile $/locked_stranger\n");
	memset(&client, 0, sizeof(client));
	client.answer = "open sesame";
	client_expect_down(&client, "h", true, ERR_AUTH, "locked_stranger refused");
	assert_int_equal(client.questions, 0);
	client_close(&client);
}

static void connect_uses_the_agent(void **state)
{
	static const char *const names[] = { "good", "rsa" };
	char more[128];
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		agent_clear();
		agent_add("stranger");
		agent_add(names[i]);
		configure(target.port,
			" IdentityAgent $/agent\n IdentitiesOnly no\n IdentityFile none\n");
		expect_up("agent key ", NULL);
		/* only what IdentityFile names, by its public half */
		snprintf(more, sizeof(more), " IdentityAgent $/agent\n IdentityFile $/%s\n",
			names[i]);
		configure(target.port, more);
		expect_up("agent key ", NULL);
		configure(target.port, " IdentityAgent $/agent\n IdentityFile $/stranger\n");
		expect_down(ERR_AUTH, "agent key ED25519 stranger refused", false);
	}
	agent_clear();
	configure(target.port, " IdentityAgent $/nosuch\n IdentityFile $/stranger\n");
	expect_down(ERR_AUTH, "no agent answers at", false);
	expect_down(ERR_AUTH, "; start the agent and add the key (ssh-add)", false);
	agent_add("good");
	run("echo key | SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=%s/echo_key SSH_AUTH_SOCK=%s/agent "
	    "ssh-add -x >/dev/null 2>&1",
		dir, dir);
	configure(target.port, " IdentityAgent $/agent\n IdentitiesOnly no\n IdentityFile none\n");
	expect_down(ERR_AUTH, "the agent shows no keys (locked? ssh-add -X)", false);
	run("SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=%s/echo_key SSH_AUTH_SOCK=%s/agent ssh-add -X "
	    ">/dev/null 2>&1",
		dir, dir);
	expect_up("agent key ", NULL);
	agent_clear();
}

static void connect_lists_what_was_tried(void **state)
{
	(void)state;
	configure(target.port, " IdentityFile $/stranger\n");
	expect_down(ERR_AUTH, "stranger refused; it takes publickey", false);
	configure(target.port, " IdentityFile $/rsa\n");
	expect_down(ERR_AUTH, "skipped (an RSA key, which libssh2 uses from the agent only", true);
	configure(target.port, " IdentityFile $/nothing\n");
	expect_down(ERR_AUTH, "there is no agent and no key file to try", false);
	configure(few_tries.port, " IdentityFile $/stranger\n IdentityFile $/locked_stranger\n"
				  " IdentityFile $/etm_ed25519\n IdentityFile $/good\n");
	expect_down(ERR_AUTH, "Too many authentication failures", false);
}

/* --- the way there ---------------------------------------------------------------------------- */

static void connect_says_what_is_wrong_with_the_address(void **state)
{
	char where[64];

	(void)state;
	configure(dead_port, " IdentityFile $/good\n");
	snprintf(where, sizeof(where), "nothing listens at 127.0.0.1:%d", dead_port);
	expect_down(ERR_CONNECT, where, false);
	configure(22, " HostName no-such-host.invalid\n");
	expect_down(ERR_RESOLVE, "cannot find the address of no-such-host.invalid", false);
	configure(silent_port, " ConnectTimeout 1\n");
	expect_down(ERR_TIMEOUT, "did not speak SSH in time", false);
}

static void connect_says_what_libssh2_cannot(void **state)
{
	(void)state;
	configure(etm.port, " IdentityFile $/good\n");
	expect_down(ERR_TRANSPORT,
		"no algorithm in common for MACs: the server takes only "
		"hmac-sha2-256-etm@openssh.com; set transport",
		true);
	configure(rsa_only.port, " IdentityFile $/good\n");
	expect_down(ERR_TRANSPORT,
		"no algorithm in common for host keys: the server takes only "
		"rsa-sha2-512,rsa-sha2-256; ",
		true);
	configure(target.port, " ProxyCommand nc %h %p\n");
	expect_down(ERR_RESOLVE, "sets ProxyCommand, which libssh2 cannot follow", true);
}

static void connect_repeats_what_ssh_says(void **state)
{
	(void)state;
	configure(22, " NoSuchSetting \033[31myes\n");
	expect_down(ERR_RESOLVE, "ssh cannot resolve its configuration for h: ", false);
	expect_down(ERR_RESOLVE, "osuchsetting", false);
	configure(22, " ProxyJump h\n");
	expect_down(ERR_RESOLVE, "loop", false);
}

static void connect_names_the_jump_host(void **state)
{
	char more[256];

	(void)state;
	snprintf(more, sizeof(more), " ProxyJump gate\nHost gate\n HostName 127.0.0.1\n Port %d\n",
		dead_port);
	configure(target.port, more);
	expect_down(ERR_CONNECT, "jump host gate: nothing listens", false);
	/* the jump host works, and nothing listens behind it */
	snprintf(more, sizeof(more),
		" IdentityFile $/good\n ProxyJump root@gate\n"
		"Host gate\n HostName 127.0.0.1\n Port %d\n IdentityFile $/good\n",
		target.port);
	configure(dead_port, more);
	expect_down(ERR_CONNECT, "does not take connections, as seen from 127.0.0.1:", false);
}

/* Closing does not wait for a server that says nothing. */
static void connect_can_be_given_up(void **state)
{
	struct client client;
	int64_t start;
	int i;

	(void)state;
	configure(silent_port, " IdentityFile $/good\n");
	for (i = 0; i < 5; i++) {
		memset(&client, 0, sizeof(client));
		client_open(&client, "h", false);
		if (i)
			WAIT_FOR(&client, client.steps == 1);
		start = clock_monotonic();
		client.transport->ops->close(client.transport);
		assert_true(clock_monotonic() - start < 500 * CLOCK_NS_PER_MS);
		ssh_thread_free(client.thread);
		loop_free(client.loop);
		assert_true(clock_monotonic() - start < 2 * CLOCK_NS_PER_S);
		assert_int_equal(client.down, 0);
	}
}

static void ignore_question(
	void *arg, struct transport *transport, const struct ssh_question *question)
{
	(void)transport;
	(void)question;
	++((struct client *)arg)->questions;
}

/* Also while a question is open. */
static void connect_can_be_given_up_while_asking(void **state)
{
	struct client client;
	struct transport_events events = { client_on_step, client_on_up, client_on_down, &client };
	struct ssh_options options = { .destination = "h", .ask = ignore_question };
	char config[128];

	(void)state;
	configure(target.port, " IdentityFile $/locked\n");
	memset(&client, 0, sizeof(client));
	snprintf(config, sizeof(config), "%s/ssh_config", dir);
	options.config_file = config;
	client.loop = loop_new();
	assert_int_equal(ssh_thread_new(&client.thread, NULL), 0);
	client.transport = ssh_transport_open(client.thread, client.loop, &options, &events);
	WAIT_FOR(&client, client.questions);
	client_close(&client);
	assert_int_equal(client.down, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_refuses_an_unknown_host_key),
		cmocka_unit_test(connect_keeps_an_accepted_host_key),
		cmocka_unit_test(connect_refuses_a_changed_host_key),
		cmocka_unit_test(connect_refuses_a_revoked_host_key),
		cmocka_unit_test(connect_honours_host_key_alias),
		cmocka_unit_test(connect_uses_a_key_file),
		cmocka_unit_test(connect_asks_for_a_passphrase),
		cmocka_unit_test(connect_uses_the_agent),
		cmocka_unit_test(connect_lists_what_was_tried),
		cmocka_unit_test(connect_says_what_is_wrong_with_the_address),
		cmocka_unit_test(connect_says_what_libssh2_cannot),
		cmocka_unit_test(connect_repeats_what_ssh_says),
		cmocka_unit_test(connect_names_the_jump_host),
		cmocka_unit_test(connect_can_be_given_up),
		cmocka_unit_test(connect_can_be_given_up_while_asking),
	};

	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
