/*
 * More than one target, and a target that moves: switching leaves nothing open, several are asked at
 * once, a server that starts again is found soon, and one whose address has changed is found at all; and the machine
 * before the operator sleeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

#include "care.h"
#include "sandbox.h"
#include "texts.h"

enum {
	LIVE_MS = 30000,
	SOON_MS =
		3000, /* a try is made every 2 s at least; the rest is connecting on a busy machine */
};

static const char ours[] =
	"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgoncall'";

/* Connections that the SSH server at the port in this variable has accepted. */
static int count_ssh(struct fixture *f, const char *variable)
{
	char *script =
		mem_printf("ss -Htn state established \"( sport = :$%s )\" | wc -l", variable);
	int n = care_shell_number(f, script);

	free(script);
	return n;
}

static void wait_ssh(struct fixture *f, const char *variable, int n)
{
	int64_t deadline = clock_monotonic() + LIVE_MS * CLOCK_NS_PER_MS;

	while (count_ssh(f, variable) != n && clock_monotonic() < deadline)
		usleep(50000);
	assert_int_equal(count_ssh(f, variable), n);
}

/* --- several targets -------------------------------------------------------------------------- */

/* Staging is reached through the bastion, so its SSH sessions can be told from production's. */
static void targets_close_cleanly_when_switched(void **state)
{
	struct fixture *f = ((struct care *)*state)->fixture;
	const char *const arguments[] = { "-c", range_config(f->range), "staging", NULL };
	struct pty *p = fixture_open(f, 36, 120, arguments);

	pty_wait_text(p, "staging ▸ boardofone +STAGING", LIVE_MS);
	pty_wait_text(p, texts.current, LIVE_MS);
	care_wait_rows(f, ours, "2", LIVE_MS);
	assert_true(count_ssh(f, "BASTION_PORT") > 0);

	pty_type(p, ":target prod\r");
	pty_wait_text(p, "prod ▸ boardofone +PRODUCTION", LIVE_MS);
	pty_wait_text(p, texts.current, LIVE_MS);
	care_wait_rows(f, ours, "2", LIVE_MS);
	wait_ssh(f, "BASTION_PORT", 0);
	wait_ssh(f, "SSH_PORT", 2);

	pty_key(p, "@");
	pty_wait_text(p, "staging", PTY_WAIT_MS);
	pty_key(p, "j");
	pty_key(p, "Enter");
	pty_wait_text(p, "staging ▸ boardofone +STAGING", LIVE_MS);
	pty_wait_text(p, texts.current, LIVE_MS);
	care_wait_rows(f, ours, "2", LIVE_MS);

	fixture_quit(p);
	care_wait_rows(f, ours, "0", LIVE_MS);
	wait_ssh(f, "BASTION_PORT", 0);
	wait_ssh(f, "SSH_PORT", 0);
}

/* A port that takes connections and never says a word. */
static int listen_silently(int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 64), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	*port = ntohs(address.sin_port);
	return fd;
}

static void targets_are_checked_at_the_same_time(void **state)
{
	struct fixture *f = ((struct care *)*state)->fixture;
	const char *arguments[] = { "-c", NULL, "check", "--all", NULL };
	int port, fd = listen_silently(&port), i;
	struct buf config = BUF_INIT;
	struct run_result result;
	char *ssh, *text, *path;
	int64_t start, took;

	text = mem_printf("Host *\n HostName 127.0.0.1\n Port %d\n ConnectTimeout 3\n", port);
	ssh = fixture_write(f, "ssh_silent", text);
	for (i = 0; i < 5; i++)
		buf_printf(&config,
			"[target t%d]\nenvironment = staging\nssh = h%d\nssh_config = %s\n"
			"transport = libssh2\ndb_host = localhost\ndb_name = x\n",
			i, i, ssh);
	path = fixture_write(f, "config", buf_str(&config));
	arguments[1] = path;
	start = clock_monotonic();
	fixture_run(f, arguments, &result);
	took = (clock_monotonic() - start) / CLOCK_NS_PER_MS / sandbox_slowness();
	assert_int_equal(result.status, 3);
	for (i = 0; i < 5; i++) {
		free(text);
		text = mem_printf("t%d", i);
		assert_non_null(strstr(buf_str(&result.out), text));
	}
	/* One after another it would be five times 3 s. */
	if (took > 9000)
		fail_msg("it took %d ms", (int)took);
	run_result_fini(&result);
	buf_fini(&config);
	free(text);
	free(ssh);
	free(path);
	close(fd);
}

/* --- a target that moves ---------------------------------------------------------------------- */

static void targets_are_found_soon_after_a_restart(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct err err = { 0 };
	struct pty *p;

	if (!care_has_containers(f->range))
		skip();
	p = fixture_console(f, 36, 120);
	pty_wait_text(p, texts.current, LIVE_MS);
	care->database_down = true;
	fixture_check(care_container_do(f->range, "stop", &err), &err);
	/* Long enough that a back-off which only doubles would wait its longest. */
	pty_wait_text(p, "database lost 1[0-9] s", LIVE_MS);
	fixture_check(care_container_do(f->range, "start", &err), &err);
	care->database_down = false;
	care_wait_rows(f, "SELECT 1", "1", LIVE_MS);
	pty_wait_gone(p, texts.lost, SOON_MS);
	care_wait_rows(f, ours, "2", SOON_MS);
	fixture_quit(p);
}

/* Another container takes the address while the database is down. */
static void targets_are_found_at_a_new_address(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct pty *p;

	if (!care_has_containers(f->range))
		skip();
	p = fixture_console(f, 36, 120);
	pty_wait_text(p, texts.current, LIVE_MS);
	care->database_down = true;
	assert_int_equal(
		care_shell_number(f,
			"$RUNTIME_COMMAND stop $DB_CONTAINER >/dev/null && $RUNTIME_COMMAND run -d "
			"--name squatter --volume /usr:/usr:ro boardofone-api:1 /bin/sleep 1000 "
			">/dev/null && $RUNTIME_COMMAND start $DB_CONTAINER >/dev/null && "
			"[ $($RUNTIME_COMMAND inspect -f '{{.NetworkSettings.IPAddress}}' "
			"$DB_CONTAINER) != $DB_ADDR ] && echo 1"),
		1);
	care->database_down = false;
	pty_wait_text(p, "database lost [0-9]+ s|ssh [0-9.]+ ms", LIVE_MS);
	pty_wait_gone(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.link_up, LIVE_MS);
	assert_true(pty_has(p, texts.current));
	fixture_quit(p);
	/* back to the address that the range's file names */
	assert_int_equal(
		care_shell_number(f,
			"$RUNTIME_COMMAND stop $DB_CONTAINER >/dev/null; $RUNTIME_COMMAND rm -f "
			"squatter >/dev/null; $RUNTIME_COMMAND start $DB_CONTAINER >/dev/null; "
			"$RUNTIME_COMMAND inspect -f '{{.NetworkSettings.IPAddress}}' "
			"$DB_CONTAINER | grep -cx $DB_ADDR"),
		1);
	care_wait_rows(f, "SELECT 1", "1", LIVE_MS);
}

/* --- a machine that sleeps -------------------------------------------------------------------- */

static void targets_are_disarmed_by_sleep(void **state)
{
	struct fixture *f = ((struct care *)*state)->fixture;
	const char *const arguments[] = { "-c", range_config(f->range), "prod", NULL };
	struct pty *p = fixture_open_machine(f, 36, 120, arguments);

	pty_wait_text(p, texts.current, LIVE_MS);
	pty_type(p, ":arm 10m the lid will be closed\r");
	pty_wait_text(p, texts.armed, PTY_WAIT_MS);
	free(fixture_write(f, "slept", "330\n"));
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	pty_wait_text(p, "this machine slept for 5 min", PTY_WAIT_MS);
	pty_wait_text(p, texts.link_up, LIVE_MS);
	assert_true(pty_has(p, texts.read_only));
	fixture_quit(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, care_setup, care_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(targets_close_cleanly_when_switched),
		TEST(targets_are_checked_at_the_same_time),
		TEST(targets_are_found_soon_after_a_restart),
		TEST(targets_are_found_at_a_new_address),
		TEST(targets_are_disarmed_by_sleep),
	};

	return cmocka_run_group_tests(tests, care_group_setup, care_group_teardown);
}
