/*
 * Questions on the way to a target, asked in the console: a key's passphrase, the database's password,
 * an unknown host key, a one-time code. No secret is ever shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#include "daemon.h"
#include "fixture.h"
#include "texts.h"

enum { LIVE_MS = 30000 };

/* The password of the role that has one: the last field of the range's passfile. */
static char *read_password(struct fixture *f)
{
	FILE *file = fopen(range_value(f->range, "PGPASSFILE"), "r");
	char line[256] = "", *colon;

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	colon = strrchr(line, ':');
	assert_non_null(colon);
	return strdup(colon + 1);
}

static void expect_not_shown(struct pty *p, const char *secret)
{
	size_t len;
	const char *raw = pty_raw(p, &len);

	assert_null(memmem(raw, len, secret, strlen(secret)));
}

static void ask_takes_passphrase_and_password(void **state)
{
	struct fixture *f = *state;
	char *half = fixture_vary(f, "RANGE_CONFIG", "half.conf", "ssh", "ssh = server-encrypted-key");
	char *config = fixture_vary_file(f, half, "secured.conf", "db_user", "db_user = secured");
	const char *passphrase = range_value(f->range, "SSH_KEY_PASSPHRASE");
	char *password = read_password(f);
	const char *arguments[] = { "-c", config, "prod", NULL };
	struct pty *p = fixture_open(f, 30, 100, arguments);

	pty_wait_text(p, "Passphrase for ", LIVE_MS);
	pty_type(p, "not this one\r");
	pty_wait_text(p, "That was not it", LIVE_MS);
	pty_type(p, passphrase);
	pty_key(p, "Enter");
	pty_wait_text(p, "Password of role secured", LIVE_MS);
	pty_type(p, "nor this\r");
	pty_wait_text(p, "Wrong\\. Password of role secured", LIVE_MS);
	pty_type(p, password);
	pty_key(p, "Enter");
	pty_wait_text(p, "pg 15", LIVE_MS);
	expect_not_shown(p, passphrase);
	expect_not_shown(p, password);
	fixture_quit(p);
	free(password);
	free(config);
	free(half);
}

/* The commands ask on the terminal itself, and print their answer there. */
static void ask_on_a_plain_terminal(void **state)
{
	struct fixture *f = *state;
	char *config = fixture_vary(f, "RANGE_CONFIG", "key.conf", "ssh", "ssh = server-encrypted-key");
	const char *passphrase = range_value(f->range, "SSH_KEY_PASSPHRASE");
	const char *arguments[] = { "-c", config, "locks", "prod", NULL };
	struct pty *p = fixture_open(f, 24, 100, arguments);

	pty_wait_text(p, "Passphrase for ", LIVE_MS);
	pty_type(p, passphrase);
	pty_key(p, "Enter");
	pty_wait_text(p, "no session waits for another", LIVE_MS);
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	pty_assert_restored(p);
	expect_not_shown(p, passphrase);
	free(config);
}

/* --- a password and a one-time code ----------------------------------------------------------- */

/* An sshd beside the range's, on a port of its own, that asks through a PAM stack of its own. */
struct door {
	pid_t pid;
	char *config; /* for pgoncall -c */
};

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

__attribute__((format(printf, 3, 4))) static char *write_text(
	struct fixture *f, const char *name, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;
	char *path;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	path = fixture_write(f, name, buf_str(&text));
	buf_fini(&text);
	return path;
}

/* Its codes are those for whoever has lost the telephone: each is good for one time. */
static void write_stack(struct fixture *f)
{
	const char *user = range_value(f->range, "SSH_USER");
	char *path = mem_printf("%s/pam", f->home);

	mkdir(path, 0700);
	free(path);
	free(write_text(f, "passdb", "%s:open sesame:sshd\n", user));
	path = write_text(f, "codes",
		"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n11111111\n22222222\n33333333\n");
	chmod(path, 0600);
	free(path);
	free(write_text(f, "pam/other", "auth required pam_deny.so\naccount required pam_deny.so\n"));
	free(write_text(f, "pam/sshd",
		"auth required ../pam_wrapper/pam_matrix.so passdb=%s/passdb\n"
		"auth required pam_google_authenticator.so secret=%s/codes user=root "
		"allowed_perm=0600 no_strict_owner\n"
		"account required pam_permit.so\nsession required pam_permit.so\n",
		f->home, f->home));
}

static void wait_for_port(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = -1, i;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (i = 0; i < 3000; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			break;
		close(fd);
		usleep(10000);
	}
	assert_true(i < 3000);
	close(fd);
}

static struct door open_door(struct fixture *f)
{
	int port = free_port();
	char *service = mem_printf("PAM_WRAPPER_SERVICE_DIR=%s/pam", f->home);
	char *log = mem_printf("%s/door.log", f->home), *sshd_config, *known, *ssh_config, *line;
	const char *argv[] = { "env", "LD_PRELOAD=libpam_wrapper.so", "PAM_WRAPPER=1", service,
		"/usr/sbin/sshd", "-D", "-e", "-f", NULL, NULL };
	struct door door;
	struct err err = { 0 };

	write_stack(f);
	sshd_config = write_text(f, "door_config",
		"ListenAddress 127.0.0.1\nPort %d\nHostKey %s\nPidFile none\nUsePAM yes\n"
		"KbdInteractiveAuthentication yes\nPasswordAuthentication no\nPermitRootLogin yes\n"
		"SetEnv HOME=%s\n",
		port, range_value(f->range, "SSHD_HOST_KEY"), f->home);
	known = mem_printf("%s/door_known", f->home);
	line = mem_printf("printf '[127.0.0.1]:%d %%s\\n' \"$(cut -d' ' -f1,2 %s.pub)\" >%s", port,
		range_value(f->range, "SSHD_HOST_KEY"), known);
	assert_int_equal(system(line), 0);
	free(line);
	ssh_config = write_text(f, "door_ssh_config",
		"Host server\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile none\n"
		" IdentityAgent none\n UserKnownHostsFile %s\n GlobalKnownHostsFile none\n",
		port, range_value(f->range, "SSH_USER"), known);
	line = mem_printf("ssh_config = %s", ssh_config);
	door.config = fixture_vary(f, "RANGE_CONFIG", "door.conf", "ssh_config", line);
	argv[8] = sshd_config;
	door.pid = daemon_start(argv, -1, log, &err);
	assert_true(door.pid > 0);
	wait_for_port(port);
	free(line);
	free(ssh_config);
	free(known);
	free(sshd_config);
	free(log);
	free(service);
	return door;
}

/* A code is good for one time: log streams must not want a second one. */
static void ask_takes_a_password_and_a_code(void **state)
{
	struct fixture *f = *state;
	struct door door = open_door(f);
	const char *arguments[] = { "-c", door.config, "prod", NULL };
	struct pty *p = fixture_open(f, 30, 100, arguments);

	pty_wait_text(p, "The server asks(.|\n)*Password:", LIVE_MS);
	pty_type(p, "open sesame\r");
	pty_wait_text(p, "Verification code:", LIVE_MS);
	pty_type(p, "11111111\r");
	pty_wait_text(p, "pg 15", LIVE_MS);
	pty_wait_text(p, "following", LIVE_MS);
	assert_false(pty_has(p, "The server asks"));
	expect_not_shown(p, "open sesame");
	expect_not_shown(p, "11111111");
	fixture_quit(p);
	daemon_stop(door.pid);
	free(door.config);
}

static void ask_takes_a_code_on_a_plain_terminal(void **state)
{
	struct fixture *f = *state;
	struct door door = open_door(f);
	const char *arguments[] = { "-c", door.config, "locks", "prod", NULL };
	struct pty *p = fixture_open(f, 24, 100, arguments);

	pty_wait_text(p, "Password:", LIVE_MS);
	pty_type(p, "wrong\r");
	pty_wait_text(p, "Verification code:", LIVE_MS);
	pty_type(p, "22222222\r");
	pty_wait_text(p, "That was not it", LIVE_MS);
	pty_type(p, "open sesame\r");
	pty_wait_text(p, "Verification code:(.|\n)*Verification code:", LIVE_MS);
	pty_type(p, "33333333\r");
	pty_wait_text(p, "no session waits for another", LIVE_MS);
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	pty_assert_restored(p);
	expect_not_shown(p, "open sesame");
	expect_not_shown(p, "33333333");
	daemon_stop(door.pid);
	free(door.config);
}

/* --- what the system's ssh asks --------------------------------------------------------------- */

/* libssh2 cannot use the key; the console changes the way, says so, and asks all the same. */
static void ask_takes_the_passphrase_of_an_rsa_key(void **state)
{
	struct fixture *f = *state;
	char *line = mem_printf("	IdentityFile %s/id_rsa_locked", f->home);
	char *ssh_config = fixture_vary(f, "SSH_CONFIG", "rsa", "IdentityFile", line);
	char *keygen = mem_printf("ssh-keygen -q -t rsa -b 2048 -N 'open sesame' -f %s/id_rsa_locked && "
				  "cat %s/id_rsa_locked.pub >>%s",
		f->home, f->home, range_value(f->range, "AUTHORIZED_KEYS"));
	char *config;
	const char *arguments[] = { "-c", NULL, "prod", NULL };
	struct pty *p;

	assert_int_equal(system(keygen), 0);
	free(line);
	line = mem_printf("ssh_config = %s", ssh_config);
	config = fixture_vary(f, "RANGE_CONFIG", "rsa.conf", "ssh_config", line);
	arguments[1] = config;
	p = fixture_open(f, 30, 100, arguments);
	pty_wait_text(p, "Passphrase for ", LIVE_MS);
	pty_wait_text(p, "system's ssh", LIVE_MS);
	pty_type(p, "not this one\r");
	pty_wait_text(p, "That was not it", LIVE_MS);
	pty_type(p, "open sesame\r");
	pty_wait_text(p, "pg 15", LIVE_MS);
	pty_wait_text(p, "following", LIVE_MS);
	expect_not_shown(p, "open sesame");
	fixture_quit(p);
	free(config);
	free(ssh_config);
	free(keygen);
	free(line);
}

/* Without known hosts, and with ssh's default of asking. */
static char *unknown_host_config(struct fixture *f)
{
	char *known = fixture_write(f, "known_hosts", "");
	char *half = fixture_vary(
		f, "SSH_CONFIG", "half", "StrictHostKeyChecking", "StrictHostKeyChecking ask");
	struct buf line = BUF_INIT;
	char *ssh_config, *config;

	buf_printf(&line, "UserKnownHostsFile %s", known);
	ssh_config = fixture_vary_file(f, half, "asking", "UserKnownHostsFile", buf_str(&line));
	buf_clear(&line);
	buf_printf(&line, "ssh_config = %s", ssh_config);
	config = fixture_vary(f, "RANGE_CONFIG", "asking.conf", "ssh_config", buf_str(&line));
	buf_fini(&line);
	free(ssh_config);
	free(half);
	free(known);
	return config;
}

static void ask_accepts_a_host_key_on_yes(void **state)
{
	struct fixture *f = *state;
	char *config = unknown_host_config(f);
	const char *arguments[] = { "-c", config, "prod", NULL };
	struct pty *p = fixture_open(f, 30, 100, arguments);

	pty_wait_text(p, "SHA256:", LIVE_MS);
	pty_type(p, "yes\r");
	pty_wait_text(p, texts.current, LIVE_MS);
	fixture_quit(p);
	/* It is known from now on. */
	p = fixture_open(f, 30, 100, arguments);
	pty_wait_text(p, texts.current, LIVE_MS);
	fixture_quit(p);
	free(config);
}

static void ask_declines_an_unknown_host_key(void **state)
{
	struct fixture *f = *state;
	char *config = unknown_host_config(f);
	const char *arguments[] = { "-c", config, "prod", NULL };
	struct pty *p = fixture_open(f, 30, 100, arguments);

	pty_wait_text(p, "SHA256:", LIVE_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "host key.*\\n?.*(unknown|not known|declined|refused)", LIVE_MS);
	pty_assert_alive(p);
	fixture_quit(p);
	free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			ask_takes_passphrase_and_password, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ask_on_a_plain_terminal, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ask_takes_a_password_and_a_code, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ask_takes_a_code_on_a_plain_terminal, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ask_takes_the_passphrase_of_an_rsa_key, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ask_accepts_a_host_key_on_yes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ask_declines_an_unknown_host_key, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
