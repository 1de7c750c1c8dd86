/*
 * Logs of real podman containers: podman words its timestamps, its times since when and its refusals
 * in ways of its own. What logs do wherever they come from is test_logs.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>

#include "fixture.h"
#include "logs.h"
#include "match.h"

enum { LIVE_MS = 30000 };

/* A container that says only what a test lets it say, and ends some time after the test. */
#define POD "pgoncall-pod-1"
#define NEW_POD_LOGS(DRIVER)                                                                       \
	"$home/podman rm -f -t 0 " POD " >/dev/null 2>&1 || :;"                                    \
	"$home/podman run -d --name " POD " --log-driver " DRIVER                                  \
	" --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --network none --rootfs /:O"          \
	" sleep 600 >/dev/null;"
#define NEW_POD NEW_POD_LOGS("k8s-file")

static char *write_config(struct fixture *f, const char *logs)
{
	char *text = mem_printf("[target prod]\nenvironment = production\nssh = server\n"
				"ssh_config = %s\nruntime = podman\nruntime_command = %s/podman\n"
				"db_host = %s\ndb_port = %s\ndb_name = %s\ndb_user = %s\n"
				"logs = %s\n",
		range_value(f->range, "SSH_CONFIG"), f->home, range_value(f->range, "DB_ADDR"),
		range_value(f->range, "DB_PORT"), range_value(f->range, "DB_NAME"),
		range_value(f->range, "DB_USER"), logs);
	char *path = fixture_write(f, "podman.conf", text);

	free(text);
	return path;
}

static struct pty *console(struct fixture *f)
{
	char *path = write_config(f, POD);
	const char *arguments[] = { "-c", path, "prod", NULL };
	struct pty *p = fixture_open(f, 36, 120, arguments);

	free(path);
	pty_wait_text(p, " pg [0-9]", LIVE_MS);
	pty_type(p, "3");
	return p;
}

static const struct logs_container pod = {
	.name = POD,
	.make = NEW_POD,
	.restart = "$home/podman restart -t 0 " POD " >/dev/null",
	/* In one write: podman's monitor gives lines that it reads at once the same time. */
	.count = "$home/podman exec " POD
		 " sh -c 'seq -f \"count %.0f\" '$from' '$to' >/proc/1/fd/1'",
	.open = console,
};

static void podman_logs_are_followed(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	p = logs_follow_new(f, &pod);
	logs_shell(f, "$home/podman exec " POD " sh -c 'echo it is said >/proc/1/fd/1; sleep 0.01;"
		      " echo it is complained >/proc/1/fd/2'");
	pty_wait_text(p, "[0-9][0-9]:[0-9][0-9]:[0-9][0-9].*it is complained", LIVE_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "stream +stderr", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, "stream +stderr", PTY_WAIT_MS);
	pty_key(p, "Up");
	pty_key(p, "Enter");
	pty_wait_text(p, "stream +stdout", PTY_WAIT_MS);
	pty_key(p, "Esc");
	logs_shell(f,
		"$home/podman exec " POD " sh -c 'echo FAILED: Multiple head revisions are present"
		" for given argument head >/proc/1/fd/2'");
	pty_wait_text(p, "1 error", LIVE_MS);
	fixture_quit(p);
}

static void podman_logs_go_on_where_they_were_cut(void **state)
{
	struct fixture *f = *state;

	logs_outlive_a_cut(f, &pod);
	logs_shell(f, "for i in $(seq 200); do pgrep -f '^/usr/bin/podman .* logs -f .*" POD
		      "' >/dev/null || exit 0; sleep 0.1; done; exit 1");
}

static void podman_logs_of_a_replaced_container_go_on(void **state)
{
	logs_outlive_a_replacement(*state, &pod);
}

/* Its monitor reads 8 KiB at once and keeps what it cuts by that in pieces, a timestamp with each. */
static void podman_logs_put_long_lines_together(void **state)
{
	struct fixture *f = *state;
	char *c = write_config(f, POD);

	logs_shell(f, NEW_POD "$home/podman exec " POD " sh -c '"
			      "printf \"before\\n%040000d\\nafter\\n\" 7 >/proc/1/fd/1'");
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", NULL }, 0,
		"Z before\n[-0-9T:.]+Z 0{39999}7\n[-0-9T:.]+Z after\n\\z", NULL);
	free(c);
}

/* The console begins with the last 500, as they were written, here by another write each time. */
static void podman_logs_begin_with_the_last_lines(void **state)
{
	struct fixture *f = *state;
	struct pty *p;
	char *text;

	logs_shell(f, NEW_POD);
	logs_count(f, &pod, 1, 3000);
	logs_shell(f, "sleep 1.1");
	logs_count(f, &pod, 3001, 5000);
	logs_shell(f, "sleep 1.1");
	p = console(f);
	pty_wait_text(p, "count 5000", LIVE_MS);
	text = logs_written(f, p);
	assert_null(strstr(text, "count 2999"));
	assert_true(match_text(text, "Z count 4501\n(.*Z count [0-9]+\n)*.*Z count 5000\n"));
	assert_false(match_text(text, "count [0-9]*[^0-9\n]"));
	free(text);
	fixture_quit(p);
}

static void podman_logs_in_batch(void **state)
{
	struct fixture *f = *state;
	char *c = write_config(f, POD);

	logs_shell(f, NEW_POD);
	logs_count(f, &pod, 1, 2000);
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", NULL }, 0,
		"Z count 1\n(.*\n)*.*Z count 2000\n", NULL);
	logs_expect_run(f,
		(const char *[]){ "-c", c, "logs", "prod", "--grep", "^(?!count [0-9]+$)", NULL },
		1, "\\A\\z", NULL);
	logs_expect_run(f,
		(const char *[]){
			"-c", c, "logs", "prod", "--since", "1h", "--grep", "count 1?7$", NULL },
		0, "\\A[-0-9T:.]+Z count 7\n[-0-9T:.]+Z count 17\n\\z", NULL);
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", "no-such", NULL }, 3,
		"\\A\\z", "there is no container no-such on server");
	free(c);
}

/* --- in the journal, where podman keeps logs on machines with systemd ------------------------- */

static const struct logs_container journal_pod = {
	.name = POD,
	.make = NEW_POD_LOGS("journald"),
	.restart = "$home/podman restart -t 0 " POD " >/dev/null",
	.same_stream = true,
	.count = "$home/podman exec " POD
		 " sh -c 'seq -f \"count %.0f\" '$from' '$to' >/proc/1/fd/1'",
	.open = console,
};

/* Followed it is without an end, also long after the container's start. */
static void podman_logs_in_the_journal_are_followed(void **state)
{
	struct fixture *f = *state;
	struct pty *p;
	char *text;

	logs_shell(f, NEW_POD_LOGS("journald"));
	logs_count(f, &journal_pod, 1, 3000);
	p = console(f);
	pty_wait_text(p, "count 3000", LIVE_MS);
	logs_shell(f, "$home/podman exec " POD " sh -c 'echo it is complained >/proc/1/fd/2'");
	pty_wait_text(p, "[0-9][0-9]:[0-9][0-9]:[0-9][0-9].*it is complained", LIVE_MS);
	text = logs_written(f, p);
	assert_null(strstr(text, "count 2500\n"));
	assert_true(match_text(text, "Z count 2501\n(.*Z count [0-9]+\n)*.*Z count 3000\n"));
	assert_null(strstr(text, "log ended"));
	free(text);
	fixture_quit(p);
}

static void podman_logs_in_the_journal_go_on_where_they_were_cut(void **state)
{
	logs_outlive_a_cut(*state, &journal_pod);
}

static void podman_logs_in_the_journal_outlive_a_replacement(void **state)
{
	logs_outlive_a_replacement(*state, &journal_pod);
}

static void podman_logs_in_the_journal_in_batch(void **state)
{
	struct fixture *f = *state;
	char *c = write_config(f, POD);

	logs_shell(f,
		NEW_POD_LOGS(
			"journald") "$home/podman exec " POD " sh -c '"
				    "printf \"before\\n%040000d\\nafter\\n\" 7 >/proc/1/fd/1'");
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", NULL }, 0,
		"Z before\n[-0-9T:.]+Z 0{39999}7\n[-0-9T:.]+Z after\n\\z", NULL);
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", "--since", "1h", NULL }, 0,
		"\\A[-0-9T:.]+Z before\n", NULL);
	free(c);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void podman_logs_that_are_not_kept_are_told(void **state)
{
	struct fixture *f = *state;
	char *c = write_config(f, POD);
	struct pty *p;

	logs_shell(f, NEW_POD_LOGS("none"));
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", NULL }, 3, "\\A\\z",
		"the log of " POD " is not kept on server where '.*/podman logs' could read it: "
		"start the container with another --log-driver, or name the file it writes");
	p = console(f);
	pty_wait_text(p, "the log of " POD " is not kept on server", LIVE_MS);
	fixture_quit(p);
	free(c);
}

/* Its events go to a file, as set for some reason on a machine with systemd. */
static void podman_logs_that_are_not_followed_are_told(void **state)
{
	struct fixture *f = *state;
	char *c = write_config(f, POD);
	struct pty *p;

	logs_shell(f, "sed -i 's/--events-backend journald/--events-backend file/' "
		      "$home/podman;" NEW_POD_LOGS("journald"));
	logs_count(f, &journal_pod, 1, 2);
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", NULL }, 0,
		"Z count 1\n[-0-9T:.]+Z count 2\n\\z", NULL);
	p = console(f);
	pty_wait_text(p, "podman on server keeps the log of " POD " in the journal and its events",
		LIVE_MS);
	fixture_quit(p);
	free(c);
}

static int setup_with(void **state, const char *script)
{
	int ret = fixture_setup(state);

	if (ret == 0)
		logs_shell(*state, script);
	return ret;
}

static int setup(void **state)
{
	return setup_with(state, "tests/range/podman make $home");
}

static int setup_journal(void **state)
{
	return setup_with(state, "tests/range/podman journal $home");
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pty_stop(f->pty);
	f->pty = NULL;
	logs_shell(f, "tests/range/podman remove $home");
	return fixture_teardown(state);
}

#define TEST(name)         cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_JOURNAL(name) cmocka_unit_test_setup_teardown(name, setup_journal, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(podman_logs_are_followed),
		TEST(podman_logs_go_on_where_they_were_cut),
		TEST(podman_logs_of_a_replaced_container_go_on),
		TEST(podman_logs_put_long_lines_together),
		TEST(podman_logs_begin_with_the_last_lines),
		TEST(podman_logs_in_batch),
		TEST_JOURNAL(podman_logs_in_the_journal_are_followed),
		TEST_JOURNAL(podman_logs_in_the_journal_go_on_where_they_were_cut),
		TEST_JOURNAL(podman_logs_in_the_journal_outlive_a_replacement),
		TEST_JOURNAL(podman_logs_in_the_journal_in_batch),
		TEST(podman_logs_that_are_not_kept_are_told),
		TEST_JOURNAL(podman_logs_that_are_not_followed_are_told),
	};

	/* Containers take root here, as in the range itself. */
	if (geteuid() != 0 || access("/usr/bin/podman", X_OK) != 0) {
		print_message("podman cannot be run here: skipped\n");
		return 0;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
