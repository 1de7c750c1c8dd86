/*
 * Questions on the way to a target, asked in the console: a key's passphrase, the database's password,
 * an unknown host key. No secret is ever shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>

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
			ask_accepts_a_host_key_on_yes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ask_declines_an_unknown_host_key, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
