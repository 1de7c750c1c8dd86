/*
 * ssh's configuration, option by option, over both ways to a host: what ssh(1) would do with it is
 * what is done, except that a host key that has changed is never accepted. Against real sshds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pwd.h>

#include "ask_fixture.h"

static struct sshd target, first, second, third;
static pid_t agent_pid;
static char login[64];

static void start_agent(void)
{
	char path[128];
	int i;

	snprintf(path, sizeof(path), "%s/agent", dir);
	agent_pid = fork();
	assert_true(agent_pid >= 0);
	if (agent_pid == 0) {
		close(1);
		execlp("ssh-agent", "ssh-agent", "-D", "-a", path, NULL);
		_exit(127);
	}
	for (i = 0; i < 3000 && access(path, F_OK) < 0; i++)
		usleep(10000);
	run("SSH_AUTH_SOCK=%s ssh-add -q %s/agent_key 2>/dev/null", path, dir);
}

static int group_setup(void **state)
{
	const struct passwd *user = getpwuid(getuid());
	char path[128];

	(void)state;
	snprintf(login, sizeof(login), "%s", user ? user->pw_name : "root");
	snprintf(dir, sizeof(dir), "/tmp/pgoncall-ssh.XXXXXX");
	assert_non_null(mkdtemp(dir));
	mkdir("/run/sshd", 0755);
	snprintf(path, sizeof(path), "%s/run", dir);
	mkdir(path, 0700);
	setenv("XDG_RUNTIME_DIR", path, 1);
	run("cd %s && for k in user other agent_key; do ssh-keygen -q -t ed25519 -N '' -C $k -f "
	    "$k; "
	    "done && cat user.pub agent_key.pub >authorized_keys && rm agent_key.pub && "
	    "ssh-keygen -yf agent_key >agent_key.pub",
		dir);
	target = sshd_start("target", "ed25519 ecdsa", "");
	first = sshd_start("first", "ed25519", "");
	second = sshd_start("second", "ecdsa", "");
	third = sshd_start("third", "ed25519", "");
	start_agent();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sshd_stop(&target);
	sshd_stop(&first);
	sshd_stop(&second);
	sshd_stop(&third);
	kill(agent_pid, SIGKILL);
	waitpid(agent_pid, NULL, 0);
	run("rm -rf %s", dir);
	return 0;
}

/* The client's configuration; $ is the directory and @ the target's port, unless after a \\. Behind it what
 * keeps the caller's own files out. The files of known keys are made anew: "known" knows the target. */
static void configure_keys(const char *text, const char *identity)
{
	struct buf out = BUF_INIT;

	for (; *text; text++) {
		if (*text == '\\')
			buf_add_char(&out, *++text);
		else if (*text == '$')
			buf_add_str(&out, dir);
		else if (*text == '@')
			buf_printf(&out, "%d", target.port);
		else
			buf_add_char(&out, *text);
	}
	write_file("ssh_config",
		"%s\nHost *\n User %s\n GlobalKnownHostsFile none\n UserKnownHostsFile %s/known\n"
		" IdentityAgent none\n IdentitiesOnly yes\n IdentityFile %s\n HashKnownHosts no\n",
		buf_str(&out), login, dir, identity);
	buf_fini(&out);
	run("rm -f %s/new* %s/known*", dir, dir);
	know("known", &target, "ed25519");
	know("known", &first, "ed25519");
	know("known", &second, "ecdsa");
	know("known", &third, "ed25519");
}

static void configure(const char *text)
{
	char identity[128];

	snprintf(identity, sizeof(identity), "%s/user", dir);
	configure_keys(text, identity);
}

/* No key but those that the text names. */
static void configure_keyless(const char *text)
{
	configure_keys(text, "none");
}

#define TARGET "Host h\n HostName 127.0.0.1\n Port @\n"

static void expect_up_both(const char *host, int questions)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "yes/no", "yes", true } } };

		asked_expect_up(&asked, both_ways[i], host);
		assert_int_equal(asked.client.questions, questions);
		asked_close(&asked);
	}
}

static void expect_down_both(const char *host, enum err_code code, const char *words)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "yes/no", "yes", true } } };

		asked_expect_down(&asked, both_ways[i], host, code, words);
		assert_int_equal(asked.client.questions, 0);
		asked_close(&asked);
	}
}

/* --- who and where ---------------------------------------------------------------------------- */

/* Alias, HostName, Port and User; the destination may name user and port as well. */
static void options_name_the_host(void **state)
{
	char destination[128];

	(void)state;
	configure("Host prod\n HostName 127.0.0.1\n Port @\n");
	expect_up_both("prod", 0);
	configure("Host prod\n HostName 127.0.0.1\n Port @\n User nobody-of-that-name\n");
	expect_down_both("prod", ERR_AUTH, "nobody-of-that-name");
	snprintf(destination, sizeof(destination), "%s@prod", login);
	expect_up_both(destination, 0);
	configure("");
	snprintf(destination, sizeof(destination), "ssh://%s@127.0.0.1:%d", login, target.port);
	expect_up_both(destination, 0);
}

static void options_follow_include_and_match(void **state)
{
	char path[128];

	(void)state;
	write_file("included", "Host h\n HostName 127.0.0.1\nMatch host 127.0.0.1\n Port %d\n",
		target.port);
	snprintf(path, sizeof(path), "Include %s/included\n", dir);
	configure(path);
	expect_up_both("h", 0);
	configure("Host h\n HostName 127.0.0.1\nMatch exec \"test -e $/user\"\n Port @\n");
	expect_up_both("h", 0);
}

/* --- which key -------------------------------------------------------------------------------- */

static void options_take_identity_files(void **state)
{
	char name[128];

	(void)state;
	configure(TARGET " IdentityFile $/nothing\n IdentityFile $/other\n IdentityFile $/user\n");
	expect_up_both("h", 0);
	/* tokens: host, port, remote user, local user, alias; and a variable */
	snprintf(name, sizeof(name), "key-127.0.0.1-%d-%.32s-%.32s-h", target.port, login, login);
	run("cp %s/user '%s/%s'", dir, dir, name);
	setenv("KEY_DIR", dir, 1);
	configure_keyless(TARGET " IdentityFile \\${KEY_DIR}/key-%h-%p-%r-%u-%n\n");
	expect_up_both("h", 0);
}

/* ~ is the home of the password database, as for ssh itself; a key there would be the caller's. */
static void options_expand_the_home(void **state)
{
	struct asked asked = { .replies = { { NULL, NULL, false } } };
	const struct passwd *user = getpwuid(getuid());
	char words[256];

	(void)state;
	configure_keyless(TARGET " IdentityFile ~/pgoncall-no-such-key\n");
	asked_expect_down(&asked, SSH_TRANSPORT_LIBSSH2, "h", ERR_AUTH, "no key file to try");
	asked_close(&asked);
	snprintf(words, sizeof(words), "%s/", user ? user->pw_dir : "/root");
	configure_keyless(TARGET " IdentityFile ~/../../..$/other\n");
	memset(&asked, 0, sizeof(asked));
	asked_expect_down(&asked, SSH_TRANSPORT_LIBSSH2, "h", ERR_AUTH, words);
	asked_close(&asked);
}

static void options_choose_the_agent(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/agent", dir);
	configure_keyless(
		TARGET " IdentityAgent $/agent\n IdentitiesOnly no\n IdentityFile $/other\n");
	expect_up_both("h", 0);
	/* none, though there is one */
	setenv("SSH_AUTH_SOCK", path, 1);
	configure_keyless(
		TARGET " IdentityAgent none\n IdentitiesOnly no\n IdentityFile $/other\n");
	expect_down_both("h", ERR_AUTH, "publickey");
	configure_keyless(
		TARGET " IdentityAgent SSH_AUTH_SOCK\n IdentitiesOnly no\n IdentityFile $/other\n");
	expect_up_both("h", 0);
	/* only those that an IdentityFile names */
	configure_keyless(TARGET
		" IdentityAgent SSH_AUTH_SOCK\n IdentitiesOnly yes\n IdentityFile $/other\n");
	expect_down_both("h", ERR_AUTH, "publickey");
	configure_keyless(TARGET " IdentityAgent SSH_AUTH_SOCK\n IdentitiesOnly yes\n IdentityFile "
				 "$/agent_key.pub\n");
	expect_up_both("h", 0);
	unsetenv("SSH_AUTH_SOCK");
}

/* --- host keys -------------------------------------------------------------------------------- */

static void options_read_all_known_hosts(void **state)
{
	(void)state;
	configure(TARGET " UserKnownHostsFile $/new1 $/new2\n");
	know("new2", &target, "ecdsa");
	expect_up_both("h", 0);
	configure(TARGET " UserKnownHostsFile $/new1\n GlobalKnownHostsFile $/new2 $/new3\n");
	know("new3", &target, "ed25519");
	expect_up_both("h", 0);
	run("test ! -e %s/new1", dir);
	configure(TARGET " HostKeyAlias the-db\n UserKnownHostsFile $/new1\n");
	run("printf 'the-db %%s\\n' \"$(cut -d' ' -f1,2 %s/target_ed25519.pub)\" >%s/new1", dir,
		dir);
	expect_up_both("h", 0);
}

static void options_obey_strictness(void **state)
{
	static const char *const accepting[] = { "accept-new", "no", "off" };
	char text[256];
	size_t i;

	(void)state;
	configure(TARGET " UserKnownHostsFile $/new\n StrictHostKeyChecking yes\n");
	expect_down_both("h", ERR_HOSTKEY, "");
	run("test ! -s %s/new", dir);
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "yes/no", "yes", true } } };

		configure(TARGET " UserKnownHostsFile $/new\n StrictHostKeyChecking ask\n");
		asked_expect_up(&asked, both_ways[i], "h");
		assert_int_equal(asked.client.questions, 1);
		run("grep -q '^.127.0.0.1.:%d ' %s/new", target.port, dir);
		asked_close(&asked);
	}
	for (i = 0; i < 6; i++) {
		struct asked asked = { .replies = { { NULL, NULL, false } } };

		snprintf(text, sizeof(text),
			TARGET " UserKnownHostsFile $/new\n StrictHostKeyChecking %s\n",
			accepting[i / 2]);
		configure(text);
		asked_expect_up(&asked, both_ways[i % 2], "h");
		assert_int_equal(asked.client.questions, 0);
		run("grep -q '^.127.0.0.1.:%d ' %s/new", target.port, dir);
		asked_close(&asked);
		if (i % 2)
			continue;
		/* a changed one: never, whatever ssh would do */
		run("printf '[127.0.0.1]:%d %%s\\n' \"$(cut -d' ' -f1,2 %s/other.pub)\" >%s/new",
			target.port, dir, dir);
		expect_down_both("h", ERR_HOSTKEY, "/new:1");
	}
}

static void options_hash_what_is_written(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "yes/no", "yes", true } } };

		configure(TARGET " UserKnownHostsFile $/new\n HashKnownHosts yes\n");
		asked_expect_up(&asked, both_ways[i], "h");
		asked_close(&asked);
		run("grep -q '^|1|' %s/new && ! grep -q 127 %s/new", dir, dir);
		run("ssh-keygen -F '[127.0.0.1]:%d' -f %s/new | grep -q found", target.port, dir);
	}
}

/* The one that is asked for is the one shown. */
static void options_choose_the_host_key(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { NULL, NULL, false } } };

		configure(TARGET
			" HostKeyAlgorithms ecdsa-sha2-nistp256\n UserKnownHostsFile $/new\n");
		know("new", &target, "ecdsa");
		know("new", &target, "ed25519");
		asked_expect_up(&asked, both_ways[i], "h");
		assert_non_null(
			strstr(asked.client.detail[TRANSPORT_STEP_HOSTKEY], "ECDSA SHA256:"));
		asked_close(&asked);
	}
	configure(TARGET " HostKeyAlgorithms rsa-sha2-512\n");
	{
		struct asked asked = { .replies = { { NULL, NULL, false } } };

		asked_expect_down(&asked, SSH_TRANSPORT_LIBSSH2, "h", ERR_TRANSPORT,
			"HostKeyAlgorithms of ssh's configuration allows rsa-sha2-512 for h, none "
			"of which libssh2");
		asked_close(&asked);
	}
}

/* --- the way ---------------------------------------------------------------------------------- */

static void options_jump_three_times(void **state)
{
	char text[512];

	(void)state;
	snprintf(text, sizeof(text),
		"Host one\n HostName 127.0.0.1\n Port %d\nHost two\n HostName 127.0.0.1\n Port %d\n"
		"Host three\n HostName 127.0.0.1\n Port %d\n"
		"Host h nested\n HostName 127.0.0.1\n Port @\nHost h\n ProxyJump one,two,three\n"
		"Host nested\n ProxyJump chained\n"
		"Host chained\n HostName 127.0.0.1\n Port %d\n ProxyJump two\n"
		"Host two\n ProxyJump none\n",
		first.port, second.port, third.port, third.port);
	configure(text);
	expect_up_both("h", 0);
	expect_up_both("nested", 0);
	run("grep -q 'Accepted publickey' %s/first.log && grep -q 'Accepted publickey' "
	    "%s/second.log && grep -q 'Accepted publickey' %s/third.log",
		dir, dir, dir);
}

static void options_limit_the_connecting(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[128];
	int64_t start;
	size_t i;

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(text, sizeof(text), "Host h\n HostName 127.0.0.1\n Port %d\n ConnectTimeout 1\n",
		ntohs(a.sin_port));
	configure(text);
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { NULL, NULL, false } } };

		start = clock_monotonic();
		asked_expect_down(&asked, both_ways[i], "h", i ? ERR_CONNECT : ERR_TIMEOUT, "time");
		assert_true(clock_monotonic() - start < 8 * CLOCK_NS_PER_S);
		asked_close(&asked);
	}
	close(fd);
}

/* A server that stops is given up after the configured 2 s, where ours would be nine and six. */
static void options_find_a_dead_link_sooner(void **state)
{
	int64_t start;
	size_t i;

	(void)state;
	configure(TARGET " ServerAliveInterval 1\n ServerAliveCountMax 2\n");
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { NULL, NULL, false } } };
		struct client *client = &asked.client;

		asked_expect_up(&asked, both_ways[i], "h");
		start = clock_monotonic();
		assert_true(sshd_signal_connections(&target, SIGSTOP) > 0);
		WAIT_FOR(client, client->down);
		assert_true(clock_monotonic() - start < 55 * CLOCK_NS_PER_S / 10);
		assert_int_equal(client->why.code, ERR_TRANSPORT);
		sshd_signal_connections(&target, SIGKILL);
		asked_close(&asked);
	}
}

static void options_keep_to_the_batch(void **state)
{
	(void)state;
	configure(TARGET " BatchMode yes\n UserKnownHostsFile $/new\n");
	expect_down_both("h", ERR_HOSTKEY, "");
	run("test ! -s %s/new", dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_name_the_host),
		cmocka_unit_test(options_follow_include_and_match),
		cmocka_unit_test(options_take_identity_files),
		cmocka_unit_test(options_expand_the_home),
		cmocka_unit_test(options_choose_the_agent),
		cmocka_unit_test(options_read_all_known_hosts),
		cmocka_unit_test(options_obey_strictness),
		cmocka_unit_test(options_hash_what_is_written),
		cmocka_unit_test(options_choose_the_host_key),
		cmocka_unit_test(options_jump_three_times),
		cmocka_unit_test(options_limit_the_connecting),
		cmocka_unit_test(options_find_a_dead_link_sooner),
		cmocka_unit_test(options_keep_to_the_batch),
	};

	if (askpass_is_meant())
		return askpass_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
