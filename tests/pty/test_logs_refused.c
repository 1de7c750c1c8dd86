/*
 * Logs that cannot be read: one sentence each, from real refusals of real programs, in batch and in
 * the pane.
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
#include <pgoncall/base/str.h>

#include "fixture.h"
#include "logs.h"
#include "match.h"
#include "sandbox.h"

enum { LIVE_MS = 30000 };

/* What runs a program as one who may do nothing. */
#define NOBODY "setpriv --reuid=65534 --regid=65534 --clear-groups "

/* A real journal, and a journalctl that reads it as NOBODY. */
#define JOURNAL_OF(unit)                                                                           \
	"chmod 711 $home; mkdir -p $home/open;"                                                    \
	"printf '__REALTIME_TIMESTAMP=%s\\n_SYSTEMD_UNIT=" unit "\\nMESSAGE=it is said\\n\\n'"     \
	" $(date +%s%6N) | /lib/systemd/systemd-journal-remote -o $home/open/api.journal -"        \
	" >/dev/null 2>&1; printf '#!/bin/sh\\nexec " NOBODY                                       \
	"/usr/bin/journalctl --directory=%s/open \"$@\"\\n' $home >$home/bin/journalctl;"          \
	"chmod +x $home/bin/journalctl; "

/* A container whose output goes nowhere. */
#define MUTE "pgoncall-mute-1"

struct refusal {
	const char *settings; /* of the target; @DOCKER@ is the range's docker */
	const char *log;
	const char *bin;      /* a script: makes programs in $home/bin; "" none */
	const char *sentence; /* all that stands on stderr behind "pgoncall: " */
};

static char *write_config(struct fixture *f, const char *settings)
{
	const char *docker = range_value(f->range, "RUNTIME_COMMAND");
	const char *at = strstr(settings, "@DOCKER@");
	char *text, *path;

	text = mem_printf(
		"[target prod]\nenvironment = production\nssh = none\ndb_host = 127.0.0.1\n"
		"db_name = x\ndb_user = x\n%.*s%s%s",
		at ? (int)(at - settings) : (int)strlen(settings), settings, at ? docker : "",
		at ? at + strlen("@DOCKER@") : "");
	path = fixture_write(f, "refused.conf", text);
	free(text);
	return path;
}

static void expect_refusal(struct fixture *f, const struct refusal *refusal)
{
	char *c = write_config(f, refusal->settings);
	char *path = mem_printf("PATH=%s/bin:%s", f->home, getenv("PATH"));
	char *want = mem_printf("\\Apgoncall: %s\n\\z", refusal->sentence);
	char *script = mem_printf("rm -rf $home/bin; mkdir $home/bin; %s", refusal->bin);
	const char *env[] = { path, NULL };
	struct run_options options = { .home = f->home, .env = env };
	struct run_result result;
	struct strlist argv;
	struct err err = { 0 };

	logs_shell(f, script);
	strlist_init(&argv);
	fixture_check(sandbox_program(&argv, &err), &err);
	strlist_add(&argv, "-c");
	strlist_add(&argv, c);
	strlist_add(&argv, "logs");
	strlist_add(&argv, "prod");
	strlist_add(&argv, refusal->log);
	options.argv = (const char *const *)argv.items;
	fixture_check(run_program(&options, &result, &err), &err);
	if (result.status != 3 || !match_text(buf_str(&result.err), want))
		print_error("%s: status %d\n%s", refusal->log, result.status, buf_str(&result.err));
	assert_int_equal(result.status, 3);
	assert_true(match_text(buf_str(&result.err), want));
	assert_int_equal(result.out.len, 0);
	run_result_fini(&result);
	strlist_fini(&argv);
	free(script);
	free(want);
	free(path);
	free(c);
}

static void logs_say_why_they_cannot_be_read(void **state)
{
	static const struct refusal refusals[] = {
		{ "runtime = docker\nruntime_command = @DOCKER@\n", "no-such", "",
			"there is no container no-such on this machine: .* ps -a' there lists "
			"those that there are" },
		{ "runtime = docker\nruntime_command = @DOCKER@\n", MUTE,
			"$docker run -d --name " MUTE " --log-driver none -v /usr:/usr:ro"
			" $($docker inspect --format '{{.Config.Image}}' $APP_CONTAINER)"
			" sleep infinity >/dev/null;",
			"the log of " MUTE " is not kept on this machine where '.* logs' could "
			"read it: start the container with another --log-driver, or name the file "
			"it writes \\(logs = file:/path\\)" },
		{ "runtime = docker\nruntime_command = docker -H unix:///no/such.sock\n", "api-1",
			"", "Docker does not run on this machine, or not where .*" },
		{ "runtime = docker\nruntime_command = " NOBODY "@DOCKER@\n", "api-1", "",
			"the SSH user may not use Docker on this machine: add it to group "
			"docker there, .*" },
		{ "runtime = docker\nruntime_command = no-such-docker\n", "api-1", "",
			"'no-such-docker' cannot be run on this machine: install it, .*" },
		{ "runtime = none\n", "file:/no/such.log", "",
			"reading file:/no/such.log on this machine: exit 1: tail: cannot open "
			"'/no/such.log' for reading: No such file or directory" },
		{ "runtime = none\n", "file:/etc/shadow",
			"printf '#!/bin/sh\\nexec " NOBODY
			"/usr/bin/tail \"$@\"\\n' >$home/bin/tail; chmod +x $home/bin/tail",
			"reading file:/etc/shadow on this machine: exit 1: [^ ]*tail: cannot open "
			"'/etc/shadow' for reading: Permission denied" },
		{ "runtime = none\n", "journal:api.service",
			JOURNAL_OF("api.service") "chmod 600 $home/open/api.journal;",
			"reading journal:api.service on this machine: exit 1: No journal files "
			"were opened due to insufficient permissions." },
		{ "runtime = none\n", "journal:api.service",
			"printf '#!/bin/sh\\nexec /no/such/journalctl\\n' >$home/bin/journalctl;"
			"chmod +x $home/bin/journalctl",
			"reading journal:api.service on this machine: exit 12[67]: .*"
			"journalctl: .*not found" },
		{ "runtime = none\n", "api-1", "",
			"\"api-1\" is no log here: with runtime = none, logs are file:/path or "
			"journal:unit" },
	};
	struct fixture *f = *state;
	size_t i;

	if (strcmp(range_value(f->range, "RANGE_FORM"), "docker") != 0)
		skip();
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		expect_refusal(f, &refusals[i]);
	logs_shell(f, "$docker rm -f -v " MUTE " >/dev/null");
}

/* In the pane: a row with the sentence, once however often it is tried again. */
static void logs_that_cannot_be_read_say_so_in_the_pane(void **state)
{
	struct fixture *f = *state;
	struct pty *p;
	char *text, *at;
	char *c = fixture_vary(f, "RANGE_CONFIG", "refused.conf", "logs",
		"logs = no-such file:/no/such.log boardofone-api-1");
	const char *arguments[] = { "-c", c, "prod", NULL };

	if (strcmp(range_value(f->range, "RANGE_FORM"), "docker") != 0)
		skip();
	p = fixture_open(f, 36, 160, arguments);
	pty_wait_text(p, "there is no container no-such on server", LIVE_MS);
	pty_wait_text(p, "cannot open '/no/such.log' for reading", LIVE_MS);
	pty_wait_text(p, "no-such ended \\(exit 1\\), again in 3 s", LIVE_MS);
	pty_type(p, "3");
	text = logs_written(f, p);
	at = strstr(text, "there is no container no-such");
	assert_non_null(at);
	assert_null(strstr(at + 1, "there is no container no-such"));
	assert_null(strstr(text, "No such container"));
	free(text);
	free(c);
	fixture_quit(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			logs_say_why_they_cannot_be_read, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(logs_that_cannot_be_read_say_so_in_the_pane,
			fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
