/*
 * Ending marked processes: the script against real ones of this machine, and its report.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/host/quote.h>
#include <pgoncall/host/stop.h>

#include "support.h"

/* --- processes ------------------------------------------------------------------------------- */

struct fixture {
	char mark[32];
	char dir[32]; /* each process says there that it has begun: a file with its pid */
};

static int set_up(void **state)
{
	struct fixture *f = mem_calloc(1, sizeof(*f));

	snprintf(f->mark, sizeof(f->mark), "PGONCALL_STEP=%06x", (unsigned)getpid() & 0xffffff);
	strcpy(f->dir, "/tmp/pgoncall-stop-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	/* What is left without its parent comes to us, and is reaped. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	*state = f;
	return 0;
}

static long pid_of(const struct fixture *f, const char *name)
{
	char *path = mem_printf("%s/%s", f->dir, name);
	FILE *file = NULL;
	long pid = 0;
	int i;

	for (i = 0; i < 1000 && pid == 0; i++) {
		file = fopen(path, "r");
		if (file && fscanf(file, "%ld\n", &pid) != 1)
			pid = 0;
		if (file)
			fclose(file);
		if (!pid)
			usleep(10000);
	}
	assert_true(pid > 0);
	free(path);
	return pid;
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

static bool lives(long pid)
{
	reap();
	return kill((pid_t)pid, 0) == 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char *line = mem_printf("cat %s/* 2>/dev/null", f->dir);
	struct buf pids = BUF_INIT;
	struct strlist words;
	size_t i;

	shell(line, &pids);
	strlist_init(&words);
	strlist_add_words(&words, buf_str(&pids));
	for (i = 0; i < words.n; i++)
		if (atol(words.items[i]) > 1)
			kill((pid_t)atol(words.items[i]), SIGKILL);
	alarm(20); /* a process that was not told of is a defect of the test */
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	alarm(0);
	free(line);
	line = mem_printf("rm -rf %s", f->dir);
	assert_int_equal(system(line), 0);
	free(line);
	strlist_fini(&words);
	buf_fini(&pids);
	free(f);
	return 0;
}

/* A session of its own, as sshd and container runtimes give a command. */
static void begin(const struct fixture *f, const char *mark, const char *script)
{
	char *marked = mem_printf("%s%s", mark ? HOST_STOP_PRELUDE : "", script);

	if (fork() == 0) {
		setsid();
		if (mark)
			putenv(mem_strdup(mark));
		if (chdir(f->dir) == 0)
			execl("/bin/sh", "sh", "-c", marked, (char *)NULL);
		_exit(127);
	}
	free(marked);
}

/* As: a word before the shell that looks, or NULL. */
static void stop_as(const struct fixture *f, const char *as, struct host_stop_report *report,
	struct buf *sentences)
{
	struct buf script = BUF_INIT, line = BUF_INIT, printed = BUF_INIT;

	host_stop_script(f->mark, &script);
	buf_printf(&line, "setsid -w %s ", as ? as : "");
	host_command_add_argv(
		&line, (const char *const[]){ "/bin/sh", "-c", buf_str(&script), NULL });
	shell(buf_str(&line), &printed);
	host_stop_read(buf_str(&printed), report, sentences);
	buf_fini(&printed);
	buf_fini(&line);
	buf_fini(&script);
}

static void stop(const struct fixture *f, struct host_stop_report *report, struct buf *sentences)
{
	stop_as(f, NULL, report, sentences);
	if (!report->whole)
		print_error("it was not looked to the end: %s\n", buf_str(sentences));
	assert_true(report->whole);
}

#define SLEEP "sleep 1000"

/* The shell, its child and one that lost the mark go; the same program of others stays. */
static void stop_ends_what_is_marked_and_no_other(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	long shell_pid, child, bare, other, like;

	begin(f, f->mark,
		"echo $$ >shell; " SLEEP " & echo $! >child; env -i " SLEEP
		" & echo $! >bare; wait");
	begin(f, NULL, "echo $$ >other; exec " SLEEP);
	begin(f, "PGONCALL_STEP=000000x", "echo $$ >like; exec " SLEEP);
	shell_pid = pid_of(f, "shell");
	child = pid_of(f, "child");
	bare = pid_of(f, "bare");
	other = pid_of(f, "other");
	like = pid_of(f, "like");
	stop(f, &report, &text);
	assert_int_equal(report.ended, 3);
	assert_int_equal(report.left + report.denied + report.apart, 0);
	assert_non_null(strstr(buf_str(&text), "it ended: "));
	assert_non_null(strstr(buf_str(&text), " sleep"));
	assert_false(lives(shell_pid));
	assert_false(lives(child));
	assert_false(lives(bare));
	assert_true(lives(other));
	assert_true(lives(like));
	buf_fini(&text);
}

/* A mark that begins in the same way, or stands within another variable, is none. */
static void stop_takes_no_mark_for_another(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	char *longer = mem_printf("%s0", f->mark);
	char *within = mem_printf("SSH_ORIGINAL_COMMAND=env %s sh", f->mark);

	begin(f, longer, "echo $$ >longer; exec " SLEEP);
	begin(f, within, "echo $$ >within; exec " SLEEP);
	pid_of(f, "longer");
	pid_of(f, "within");
	stop(f, &report, &text);
	assert_true(report.whole);
	assert_int_equal(report.ended + report.left + report.denied + report.apart, 0);
	assert_non_null(strstr(buf_str(&text), "nothing was sent"));
	assert_true(lives(pid_of(f, "longer")));
	assert_true(lives(pid_of(f, "within")));
	buf_fini(&text);
	free(within);
	free(longer);
}

/* What a step has started to stay is a session of its own. */
static void stop_leaves_other_sessions_alone(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	long service;

	begin(f, f->mark,
		"echo $$ >shell; sleep 0.1; setsid sh -c 'echo $$ >service; exec " SLEEP
		"' & " SLEEP);
	service = pid_of(f, "service");
	stop(f, &report, &text);
	assert_true(report.whole);
	assert_int_equal(report.ended, 2);
	assert_int_equal(report.apart, 1);
	assert_non_null(strstr(buf_str(&text), "session of its own: "));
	assert_true(lives(service));
	assert_false(lives(pid_of(f, "shell")));
	buf_fini(&text);
}

/* Under a login shell that stayed and is not marked, as some do. */
static void stop_ends_no_unmarked_leader(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	char *script = mem_printf("echo $$ >login; env %s sh -c '" HOST_STOP_PRELUDE
				  "echo $$ >shell; exec " SLEEP "' & wait; exec " SLEEP,
		f->mark);
	long login;

	begin(f, NULL, script);
	login = pid_of(f, "login");
	pid_of(f, "shell");
	stop(f, &report, &text);
	assert_true(report.whole);
	assert_int_equal(report.ended, 1);
	assert_true(lives(login));
	assert_false(lives(pid_of(f, "shell")));
	buf_fini(&text);
	free(script);
}

/* The shell of the step has ended, and what it left behind has not. */
static void await_gone(long pid)
{
	int i;

	for (i = 0; i < 1000 && lives(pid); i++)
		usleep(10000);
	assert_false(lives(pid));
}

/* A service is all that is left of the step: it is no session of the step's. */
static void stop_ends_no_service_that_outlived_the_step(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	long service;

	begin(f, f->mark,
		"echo $$ >shell; setsid sh -c 'echo $$ >service; exec " SLEEP
		"' & while ! [ -s service ]; do sleep 0.01; done");
	service = pid_of(f, "service");
	await_gone(pid_of(f, "shell"));
	stop(f, &report, &text);
	assert_int_equal(report.stray, 1);
	assert_int_equal(report.ended + report.left + report.denied + report.apart, 0);
	assert_non_null(strstr(buf_str(&text), "may be a service: "));
	assert_true(lives(service));
	buf_fini(&text);
}

/* What stayed in the step's session is the step's, though its leader is gone; the service is not. */
static void stop_ends_what_a_gone_shell_left_in_its_session(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	long service, child;

	begin(f, f->mark,
		"echo $$ >shell; setsid sh -c 'echo $$ >service; exec " SLEEP
		"' & while ! [ -s service ]; do sleep 0.01; done; sh -c 'echo $$ >child; "
		"exec " SLEEP "' & while ! [ -s child ]; do sleep 0.01; done");
	service = pid_of(f, "service");
	child = pid_of(f, "child");
	await_gone(pid_of(f, "shell"));
	stop(f, &report, &text);
	assert_int_equal(report.ended, 1);
	assert_int_equal(report.apart, 1);
	assert_false(lives(child));
	assert_true(lives(service));
	buf_fini(&text);
}

/* Under a login shell that leads the session, whose step is over: it cannot be told any more. */
static void stop_sends_nothing_where_the_session_is_not_known(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	char *script = mem_printf("echo $$ >login; env %s sh -c '" HOST_STOP_PRELUDE
				  "echo $$ >shell; " SLEEP " & echo $! >child'; exec " SLEEP,
		f->mark);
	long child;

	begin(f, NULL, script);
	child = pid_of(f, "child");
	await_gone(pid_of(f, "shell"));
	stop(f, &report, &text);
	assert_int_equal(report.stray, 1);
	assert_int_equal(report.ended, 0);
	assert_true(lives(child));
	buf_fini(&text);
	free(script);
}

/* A name with a newline is no reason to take one session for another. */
static void stop_reads_names_with_newlines(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	long service;

	begin(f, f->mark,
		"printf 'x\\nS 1 1' >/proc/$$/comm; setsid sh -c '"
		"printf \"x\\nS 1 1\" >/proc/$$/comm; echo $$ >service; "
		"while :; do sleep 1; done' & echo $$ >shell; while :; do sleep 1; done");
	service = pid_of(f, "service");
	pid_of(f, "shell");
	stop(f, &report, &text);
	assert_true(report.ended >= 1); /* its sleep may be between two */
	assert_true(report.apart >= 1);
	assert_true(lives(service));
	assert_false(lives(pid_of(f, "shell")));
	buf_fini(&text);
}

/* Below a shell of ours runs what changed its user: it goes on, and that is said. */
static void stop_names_what_may_not_be_ended(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	char *script = mem_printf(
		"echo $$ >login; chmod 777 .; mkdir bin; cp /bin/sleep bin/root; chmod 4755 "
		"bin/root; "
		"setpriv --reuid=65534 --clear-groups env %s sh -c '" HOST_STOP_PRELUDE
		"echo $$ >shell; bin/root 1000 & echo $! >root; wait' & wait; exec " SLEEP,
		f->mark);
	long root;

	begin(f, NULL, script);
	root = pid_of(f, "root");
	pid_of(f, "login");
	stop_as(f, "setpriv --reuid=65534 --clear-groups", &report, &text);
	assert_true(report.whole);
	assert_int_equal(report.ended, 1);
	assert_int_equal(report.denied, 1);
	assert_true(lives(root));
	buf_fini(&text);
	free(script);
}

/* Where nothing can be seen, nothing is said to be gone. */
static void stop_says_that_it_cannot_look(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;

	begin(f, f->mark, "echo $$ >shell; exec " SLEEP);
	pid_of(f, "shell");
	stop_as(f, "env PATH=/nowhere", &report, &text);
	assert_false(report.whole);
	assert_non_null(strstr(buf_str(&text), "grep is missing.\n"));
	assert_non_null(strstr(buf_str(&text), "is not known"));
	assert_null(strstr(buf_str(&text), "any more"));
	buf_clear(&text);
	stop_as(f, "setpriv --reuid=65534 --clear-groups", &report, &text);
	assert_true(report.whole);
	assert_true(report.unseen > 0);
	assert_non_null(strstr(buf_str(&text), "may not be looked into.\n"));
	assert_null(strstr(buf_str(&text), "any more"));
	assert_true(lives(pid_of(f, "shell")));
	buf_fini(&text);
}

/* That of busybox reads a line to its first NUL. */
static void stop_works_with_a_grep_that_knows_no_nul(void **state)
{
	struct fixture *f = *state;
	char *as = mem_printf("env PATH=%s:/usr/bin:/bin", f->dir);
	char *line = mem_printf("printf '#!/bin/sh\nexec busybox grep \"$@\"\n' >%s/grep && "
				"chmod +x %s/grep && printf 'x=y\\0%s\\0' >%s/environ && "
				"! %s/grep -qF %s %s/environ",
		f->dir, f->dir, f->mark, f->dir, f->dir, f->mark, f->dir);
	struct host_stop_report report;
	struct buf text = BUF_INIT;

	assert_int_equal(system(line), 0);
	begin(f, f->mark, "echo $$ >shell; exec " SLEEP);
	pid_of(f, "shell");
	stop_as(f, as, &report, &text);
	assert_true(report.whole);
	assert_int_equal(report.ended, 1);
	assert_false(lives(pid_of(f, "shell")));
	buf_fini(&text);
	free(line);
	line = mem_printf("rm %s/grep %s/environ", f->dir, f->dir);
	assert_int_equal(system(line), 0);
	free(line);
	free(as);
}

/* --- looking only ---------------------------------------------------------------------------- */

static void expect_looked(const struct fixture *f, const char *as, const char *sentence)
{
	struct buf script = BUF_INIT, line = BUF_INIT, printed = BUF_INIT, text = BUF_INIT;

	host_stop_look_script(f->mark, &script);
	buf_printf(&line, "%s ", as);
	host_command_add_argv(
		&line, (const char *const[]){ "/bin/sh", "-c", buf_str(&script), NULL });
	shell(buf_str(&line), &printed);
	host_stop_look_read(buf_str(&printed), &text);
	assert_string_equal(buf_str(&text), sentence);
	buf_fini(&text);
	buf_fini(&printed);
	buf_fini(&line);
	buf_fini(&script);
}

static void look_says_what_it_saw(void **state)
{
	struct fixture *f = *state;
	struct buf text = BUF_INIT;

	host_stop_look_read("end\n", &text);
	assert_string_equal(buf_str(&text), "no process that it started runs there any more\n");
	buf_clear(&text);
	begin(f, f->mark, "echo $$ >shell; exec " SLEEP);
	pid_of(f, "shell");
	expect_looked(f, "", "still running there: 1 process that it started\n");
	expect_looked(f, "env PATH=/nowhere",
		"whether a process of it runs there is not known: grep is missing there\n");
	host_stop_look_read("at 1\nat 2\nend\n", &text);
	assert_string_equal(buf_str(&text), "still running there: 2 processes that it started\n");
	buf_clear(&text);
	host_stop_look_read("", &text);
	assert_string_equal(buf_str(&text), "whether a process of it runs there is not known\n");
	buf_clear(&text);
	host_stop_look_read("unseen 9\nend\n", &text);
	assert_non_null(
		strstr(buf_str(&text), "was found there; of other users' processes 9 or more"));
	buf_fini(&text);
}

static void stop_says_what_does_not_end(void **state)
{
	struct fixture *f = *state;
	struct host_stop_report report;
	struct buf text = BUF_INIT;
	long deaf;

	begin(f, f->mark, "trap '' TERM; echo $$ >deaf; exec " SLEEP);
	deaf = pid_of(f, "deaf");
	stop(f, &report, &text);
	assert_true(report.whole);
	assert_int_equal(report.left, 1);
	assert_int_equal(report.ended, 0);
	assert_non_null(strstr(buf_str(&text), "goes on after 5 s"));
	assert_true(lives(deaf));
	buf_fini(&text);
}

/* --- the report ------------------------------------------------------------------------------ */

static void stop_reads_a_report(void **state)
{
	struct host_stop_report report;
	struct buf text = BUF_INIT;

	(void)state;
	host_stop_read("sent 12 sh\nsent 13 ev\033[2Jil (x) \nsent 14 sudo\ndenied 14 sudo\n"
		       "apart 15 redis\nsh: noise\nleft 14\nleft 13\nend\n",
		&report, &text);
	assert_true(report.whole);
	assert_int_equal(report.ended, 1);
	assert_int_equal(report.left, 1);
	assert_int_equal(report.denied, 1);
	assert_int_equal(report.apart, 1);
	assert_null(strchr(buf_str(&text), '\033'));
	assert_non_null(strstr(buf_str(&text), "it ended: 12 sh\n"));
	assert_non_null(strstr(buf_str(&text), "another user's): 14 sudo\n"));
	buf_clear(&text);
	/* Cut off: nothing says that it ended. */
	host_stop_read("sent 12 sh\n", &report, &text);
	assert_false(report.whole);
	assert_string_equal(buf_str(&text),
		"TERM was sent there, and whether it ended is not known: 12 sh\n"
		"What else of it runs there is not known.\n");
	buf_clear(&text);
	host_stop_read("", &report, &text);
	assert_false(report.whole);
	assert_non_null(strstr(buf_str(&text), "is not known"));
	buf_clear(&text);
	host_stop_read("unseen 3\nend\n", &report, &text);
	assert_true(report.whole);
	assert_int_equal(report.unseen, 3);
	assert_string_equal(buf_str(&text), "No process of it was found there, and nothing was "
					    "sent; but of other users' processes 3 or more may "
					    "not be looked into.\n");
	buf_clear(&text);
	host_stop_read("stray 7 postgres\nend\n", &report, &text);
	assert_int_equal(report.stray, 1);
	assert_non_null(strstr(buf_str(&text), "may be a service: 7 postgres\n"));
	buf_fini(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stop_ends_what_is_marked_and_no_other),
		TEST(stop_takes_no_mark_for_another),
		TEST(stop_leaves_other_sessions_alone),
		TEST(stop_ends_no_unmarked_leader),
		TEST(stop_ends_no_service_that_outlived_the_step),
		TEST(stop_ends_what_a_gone_shell_left_in_its_session),
		TEST(stop_sends_nothing_where_the_session_is_not_known),
		TEST(stop_reads_names_with_newlines),
		TEST(stop_names_what_may_not_be_ended),
		TEST(stop_says_that_it_cannot_look),
		TEST(stop_works_with_a_grep_that_knows_no_nul),
		TEST(look_says_what_it_saw),
		TEST(stop_says_what_does_not_end),
		cmocka_unit_test(stop_reads_a_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
