/*
 * The questions of the system's ssh, asked by us: passphrases, host keys, jump hosts' and security
 * keys', and who else may not ask. Against real sshds; the security key is software (sk_soft.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/un.h>

#include "ask_fixture.h"

static const enum ssh_transport_kind way = SSH_TRANSPORT_OPENSSH;

static struct sshd target, gate;

static void write_ssh_config(void)
{
	write_file("ssh_config",
		"Host target stranger locked behind skey pin batch\n Port %d\n"
		"Host stranger\n UserKnownHostsFile %s/new\n"
		"Host locked batch\n IdentityFile %s/locked_rsa\n"
		"Host batch\n BatchMode yes\n"
		"Host skey\n IdentityFile %s/skey\n SecurityKeyProvider %s/sk_soft.so\n"
		"Host pin\n IdentityFile %s/pin\n SecurityKeyProvider %s/sk_soft.so\n"
		"Host gate\n Port %d\n IdentityFile %s/locked\n UserKnownHostsFile %s/gate_known\n"
		"Host behind\n ProxyJump gate\n",
		target.port, dir, dir, dir, dir, dir, dir, gate.port, dir, dir);
	run("cat >>%s/ssh_config <<'.'\n"
	    "Host target stranger behind\n IdentityFile %s/user\n"
	    "Host *\n HostName 127.0.0.1\n User root\n IdentitiesOnly yes\n IdentityAgent none\n"
	    " UserKnownHostsFile %s/known_hosts\n GlobalKnownHostsFile none\n HashKnownHosts no\n"
	    ".",
		dir, dir, dir);
}

static int group_setup(void **state)
{
	char path[128];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/pgoncall-ssh.XXXXXX");
	assert_non_null(mkdtemp(dir));
	mkdir("/run/sshd", 0755);
	snprintf(path, sizeof(path), "%s/run", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	setenv("XDG_RUNTIME_DIR", path, 1);
	run("cc -shared -fPIC -o %s/sk_soft.so tests/unit/ssh/sk_soft.c -lcrypto", dir);
	run("cd %s && ssh-keygen -q -t ed25519 -N '' -f user && "
	    "ssh-keygen -q -t ed25519 -N 'open sesame' -f locked && "
	    "ssh-keygen -q -t rsa -b 2048 -N 'open sesame' -f locked_rsa && "
	    "ssh-keygen -q -t ed25519-sk -w ./sk_soft.so -N '' -f skey && "
	    "ssh-keygen -q -t ed25519-sk -O verify-required -w ./sk_soft.so -N '' -f pin && "
	    "cat user.pub locked.pub locked_rsa.pub skey.pub pin.pub >authorized_keys",
		dir);
	target = sshd_start("target", "ed25519", "");
	gate = sshd_start("gate", "ed25519", "");
	know("known_hosts", &target, "ed25519");
	write_ssh_config();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sshd_stop(&target);
	sshd_stop(&gate);
	run("rm -rf %s", dir);
	return 0;
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static bool file_exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* --- passphrases ------------------------------------------------------------------------------ */

static void askpass_asks_for_a_passphrase(void **state)
{
	struct asked asked = { .replies = { { "Passphrase for ", "wrong", false },
				       { "Passphrase for ", "open sesame", false } } };
	struct asked skipped = { .replies = { { NULL, NULL, false } } };
	struct asked batch = { .replies = { { "Passphrase for ", "open sesame", true } } };
	char line[160];

	(void)state;
	asked_expect_up(&asked, way, "locked");
	snprintf(line, sizeof(line), "1 dark|Passphrase for %s/locked_rsa:|\n", dir);
	expect_asked(&asked, line);
	snprintf(
		line, sizeof(line), "1 dark|Passphrase for %s/locked_rsa:|That was not it.\n", dir);
	expect_asked(&asked, line);
	assert_int_equal(asked.client.questions, 2);
	asked_close(&asked);
	asked_expect_down(&skipped, way, "locked", ERR_AUTH, "Permission denied");
	assert_int_equal(skipped.client.questions, 1);
	asked_close(&skipped);
	asked_expect_down(&batch, way, "batch", ERR_AUTH, "Permission denied");
	assert_int_equal(batch.client.questions, 0);
	asked_close(&batch);
}

/* libssh2 cannot use the key; nobody is asked in vain before the way is changed. */
static void askpass_serves_auto_with_a_locked_rsa_key(void **state)
{
	struct asked asked = { .replies = { { "Passphrase for ", "open sesame", false } } };

	(void)state;
	asked_expect_up(&asked, SSH_TRANSPORT_AUTO, "locked");
	assert_non_null(
		strstr(asked.reason, "locked_rsa, an RSA key, which libssh2 uses from the"));
	assert_int_equal(asked.client.questions, 1);
	asked_close(&asked);
}

/* --- host keys -------------------------------------------------------------------------------- */

static void askpass_asks_about_an_unknown_host_key(void **state)
{
	struct asked no = { .replies = { { "continue connecting", "y", true } } };
	struct asked silent = { .replies = { { NULL, NULL, false } } };
	struct asked yes = { .replies = { { "continue connecting", "yes", false } } };
	struct asked known = { .replies = { { NULL, NULL, false } } };

	(void)state;
	remove_file("new");
	asked_expect_down(&no, way, "stranger", ERR_HOSTKEY, "Host key verification failed");
	assert_int_equal(no.client.questions, 1);
	asked_close(&no);
	asked_expect_down(&silent, way, "stranger", ERR_HOSTKEY, "Host key verification failed");
	asked_close(&silent);
	assert_false(file_exists("new"));
	asked_expect_up(&yes, way, "stranger");
	assert_int_equal(yes.client.questions, 1);
	expect_asked(&yes, "0 echo|Are you sure you want to continue connecting");
	expect_asked(&yes, "/ED25519 key fingerprint is SHA256:");
	asked_close(&yes);
	run("grep -q '^.127.0.0.1.:%d ssh-ed25519 ' %s/new", target.port, dir);
	asked_expect_up(&known, way, "stranger");
	assert_int_equal(known.client.questions, 0);
	asked_close(&known);
}

/* A jump host's ssh is another process; its questions arrive here as well. */
static void askpass_asks_for_jump_hosts(void **state)
{
	struct asked asked = { .replies = { { "continue connecting", "yes", false },
				       { "Passphrase for ", "open sesame", false } } };

	(void)state;
	remove_file("gate_known");
	asked_expect_up(&asked, way, "behind");
	assert_int_equal(asked.client.questions, 2);
	asked_close(&asked);
	run("grep -q '^.127.0.0.1.:%d ' %s/gate_known", gate.port, dir);
}

/* --- security keys ---------------------------------------------------------------------------- */

/* ssh says that a touch is awaited, and takes it back when it came. */
static void askpass_says_what_to_touch(void **state)
{
	struct asked asked = { .replies = { { NULL, NULL, false } } };
	struct client *client = &asked.client;
	char touch[128];

	(void)state;
	snprintf(touch, sizeof(touch), "%s/touch", dir);
	setenv("SK_SOFT_TOUCH", touch, 1);
	asked_open(&asked, SSH_TRANSPORT_AUTO, "skey", true);
	WAIT_FOR(client, client->questions == 1 || client->up || client->down);
	expect_asked(&asked, "6 echo|Confirm user presence for key ED25519-SK SHA256:");
	assert_non_null(strstr(asked.reason, "/skey, a security key, which libssh2 cannot use"));
	assert_int_equal(client->up, 0);
	assert_int_equal(asked.withdrawn, 0);
	write_file("touch", "touched\n");
	WAIT_FOR(client, client->up || client->down);
	unsetenv("SK_SOFT_TOUCH");
	if (client->down)
		fail_msg("%s", client->why.text);
	assert_int_equal(asked.withdrawn, 1);
	asked_close(&asked);
}

static void askpass_asks_for_a_pin(void **state)
{
	struct asked asked = { .replies = { { "Enter PIN for ", "1234", false } } };
	struct asked wrong = { .replies = { { "Enter PIN for ", "4321", true } } };

	(void)state;
	asked_expect_up(&asked, SSH_TRANSPORT_AUTO, "pin");
	expect_asked(&asked, "4 dark|Enter PIN for ED25519-SK key ");
	asked_close(&asked);
	asked_expect_down(&wrong, way, "pin", ERR_AUTH, "Permission denied");
	asked_close(&wrong);
}

/* --- who may ask, and what is left behind ----------------------------------------------------- */

/* The socket of the transport that is open. */
static void find_socket(char path[108])
{
	const struct dirent *entry;
	char runtime[72];
	DIR *list;

	snprintf(runtime, sizeof(runtime), "%s/run", dir);
	*path = '\0';
	list = opendir(runtime);
	assert_non_null(list);
	while ((entry = readdir(list)))
		if (str_starts(entry->d_name, "pgoncall-"))
			snprintf(path, 108, "%s/%.24s/a", runtime, entry->d_name);
	closedir(list);
	assert_true(*path);
}

static void askpass_listens_to_nobody_else(void **state)
{
	struct asked asked = { .leave_open = true };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct client *client = &asked.client;
	struct stat st;
	char byte;
	int fd;

	(void)state;
	asked_open(&asked, way, "locked", true);
	WAIT_FOR(client, client->questions == 1);
	find_socket(address.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, "pgive me the password", 22), 22);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	WAIT_FOR(client, read(fd, &byte, 1) == 0 || errno == ECONNRESET);
	close(fd);
	assert_int_equal(client->questions, 1);
	*strrchr(address.sun_path, '/') = '\0';
	assert_int_equal(stat(address.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	/* given up while asking: nothing stays */
	asked_close(&asked);
	assert_int_equal(stat(address.sun_path, &st), -1);
}

/* The process alone: without a socket to ask through it is no use, and it says nothing. */
static void askpass_without_a_socket_fails(void **state)
{
	char self[256], command[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	assert_true(n > 0);
	self[n] = '\0';
	snprintf(command, sizeof(command),
		"test -z \"$(PGONCALL_ASKPASS=%s/nothing '%s' 'Password:')\"", dir, self);
	run("%s", command);
	run("! PGONCALL_ASKPASS=%s/nothing '%s' 'Password:'", dir, self);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(askpass_asks_for_a_passphrase),
		cmocka_unit_test(askpass_serves_auto_with_a_locked_rsa_key),
		cmocka_unit_test(askpass_asks_about_an_unknown_host_key),
		cmocka_unit_test(askpass_asks_for_jump_hosts),
		cmocka_unit_test(askpass_says_what_to_touch),
		cmocka_unit_test(askpass_asks_for_a_pin),
		cmocka_unit_test(askpass_listens_to_nobody_else),
		cmocka_unit_test(askpass_without_a_socket_fails),
	};

	if (askpass_is_meant())
		return askpass_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
