/*
 * Logs end to end: several containers as one stream, files and the journal, patterns, errors that
 * become findings, cuts and replacements, and whatever bytes a log may hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "escapes.h"
#include "fixture.h"
#include "logs.h"
#include "match.h"
#include "play.h"
#include "sandbox.h"
#include "texts.h"

enum { LIVE_MS = 30000 };

/* A container that says only what a test lets it say; its /data is the test's home. */
#define NOISE "pgoncall-noise-1"

/* --- the range -------------------------------------------------------------------------------- */

static bool has_containers(struct fixture *f)
{
	return strcmp(range_value(f->range, "RANGE_FORM"), "docker") == 0;
}

#define NEW_NOISE                                                                                  \
	"$docker rm -f " NOISE " >/dev/null 2>&1 || :;"                                            \
	"$docker run -d --name " NOISE " -v /usr:/usr:ro -v $home:/data:ro"                        \
	" $($docker inspect --format '{{.Config.Image}}' $APP_CONTAINER) sleep infinity "          \
	">/dev/null"

/* Text into the container's log; it must hold no quote. */
static void say(struct fixture *f, const char *text)
{
	char *script = mem_printf("$docker exec " NOISE " sh -c 'echo \"%s\" >/proc/1/fd/1'", text);

	logs_shell(f, script);
	free(script);
}

/* The range's configuration with these logs, and what else stands in the text. */
static struct pty *console(struct fixture *f, int rows, int cols, const char *logs)
{
	char *line = mem_printf("logs = %s", logs);
	char *path = fixture_vary(f, "RANGE_CONFIG", "logs.conf", "logs", line);
	const char *arguments[] = { "-c", path, "prod", NULL };
	struct pty *p = fixture_open(f, rows, cols, arguments);

	pty_wait_text(p, texts.current, LIVE_MS);
	pty_type(p, "3");
	free(path);
	free(line);
	return p;
}

static struct pty *noise_console(struct fixture *f)
{
	return console(f, 36, 120, NOISE);
}

static const struct logs_container noise = {
	.name = NOISE,
	.make = NEW_NOISE,
	.restart = "$docker restart -t 0 " NOISE " >/dev/null",
	.count = "$docker exec " NOISE " sh -c 'i='$from'; while [ $i -le '$to' ]; do "
		 "echo count $i >/proc/1/fd/1; i=$((i+1)); done'",
	.open = noise_console,
};

/* --- several logs ----------------------------------------------------------------------------- */

static void logs_of_several_sources_are_one(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	if (!has_containers(f))
		skip();
	p = console(
		f, 36, 120, "boardofone-api-1 infrastructure-postgres-1 boardofone-green-api-1");
	pty_wait_text(p, "3 logs following", LIVE_MS);
	pty_wait_text(p, " green-api ", LIVE_MS);
	pty_wait_text(p, " boardofone-api ", LIVE_MS);
	pty_key(p, "]");
	pty_wait_text(p, "3 Logs─── boardofone-api-1 following", PTY_WAIT_MS);
	pty_wait_gone(p, " green-api ", PTY_WAIT_MS);
	pty_key(p, "]");
	pty_wait_text(p, "infrastructure-postgres-1 following", PTY_WAIT_MS);
	pty_wait_gone(p, " green-api ", PTY_WAIT_MS);
	pty_key(p, "]");
	pty_key(p, "]");
	pty_wait_text(p, "3 logs following", PTY_WAIT_MS);
	pty_key(p, "[");
	pty_wait_text(p, "boardofone-green-api-1 following", PTY_WAIT_MS);
	play_command(p, "logs boardofone-api-1 boardofone-green-api-1");
	pty_wait_text(p, "2 logs following", PTY_WAIT_MS);
	play_command(p, "logs");
	pty_wait_text(p, "3 logs following", PTY_WAIT_MS);
	play_command(p, "logs --privileged");
	pty_wait_text(p, "is not a container's name", PTY_WAIT_MS);
	fixture_quit(p);
}

static void logs_are_searched_and_filtered(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	if (!has_containers(f))
		skip();
	p = logs_follow_new(f, &noise);
	say(f, "INFO apple 1");
	say(f, "ERROR pear 2");
	say(f, "WARNING plum 3");
	say(f, "DEBUG grape 4");
	say(f, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
	pty_wait_text(p, "aaaa!", PTY_WAIT_MS);

	pty_type(p, "&p(ea|lu)[rm]\r");
	pty_wait_gone(p, "apple", PTY_WAIT_MS);
	pty_wait_text(p, "of [0-9]+ lines · .* · showing", PTY_WAIT_MS);
	assert_true(pty_has(p, "ERROR pear 2") && pty_has(p, "WARNING plum 3"));
	pty_type(p, "x");
	pty_wait_text(p, "apple", PTY_WAIT_MS);
	pty_type(p, "xx&!p(ea|lu)[rm]\r");
	pty_wait_gone(p, "pear 2", PTY_WAIT_MS);
	pty_wait_text(p, "grape", PTY_WAIT_MS);
	pty_type(p, "&(a\r");
	pty_wait_text(p, "not valid at character.*parenthesis", PTY_WAIT_MS);
	pty_type(p, "&(a+)+$\r");
	pty_wait_text(p, "takes too long on these lines and was given up", PTY_WAIT_MS);
	pty_wait_text(p, "apple", PTY_WAIT_MS);
	pty_type(p, "/(a+)+$\r");
	pty_wait_text(p, "takes too long", PTY_WAIT_MS);

	pty_type(p, "L");
	pty_wait_gone(p, "grape", PTY_WAIT_MS);
	pty_type(p, "L");
	pty_wait_gone(p, "apple", PTY_WAIT_MS);
	pty_wait_text(p, "warnings and errors", PTY_WAIT_MS);
	pty_type(p, "L");
	pty_wait_gone(p, "plum", PTY_WAIT_MS);
	pty_type(p, "L");
	pty_wait_text(p, "grape", PTY_WAIT_MS);

	pty_type(p, "gm");
	pty_wait_text(p, "◆.*apple", PTY_WAIT_MS);
	pty_wait_text(p, "paused", PTY_WAIT_MS);
	say(f, "INFO while it was paused");
	pty_wait_text(p, "paused · \\+1 new", PTY_WAIT_MS);
	pty_type(p, "G");
	pty_wait_text(p, "following", PTY_WAIT_MS);
	pty_type(p, "/PEAR\r");
	pty_wait_text(p, "No line matches PEAR", PTY_WAIT_MS);
	play_command(p, "goto -1h");
	pty_wait_text(p, "paused", PTY_WAIT_MS);
	play_command(p, "goto 25:99");
	pty_wait_text(p, "is no time: 14:02", PTY_WAIT_MS);
	pty_key(p, "Esc");
	fixture_quit(p);
}

/* --- what they mean --------------------------------------------------------------------------- */

static void logs_become_findings(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	if (!has_containers(f))
		skip();
	p = logs_follow_new(f, &noise);
	say(f, "FAILED: Multiple head revisions are present for given argument head");
	pty_wait_text(p, "! " NOISE " logged at .*Multiple head revisions", LIVE_MS);
	pty_wait_text(p, "r: Multiple heads", PTY_WAIT_MS);
	say(f, "INFO  [alembic.runtime.migration] Running upgrade 001 -> 002, x");
	pty_wait_text(p, "Running upgrade 001", PTY_WAIT_MS);
	assert_true(pty_has(p, "logged at .*Multiple head revisions"));
	say(f, "✅ Migrations completed successfully");
	pty_wait_gone(p, "logged at .*Multiple head revisions", LIVE_MS);
	fixture_quit(p);
}

/* --- cuts and replacements -------------------------------------------------------------------- */

static void logs_go_on_where_they_were_cut(void **state)
{
	if (!has_containers(*state))
		skip();
	logs_outlive_a_cut(*state, &noise);
}

static void logs_of_a_replaced_container_go_on(void **state)
{
	if (!has_containers(*state))
		skip();
	logs_outlive_a_replacement(*state, &noise);
}

/* A container that is quiet never lets "docker logs -f" notice that nobody reads any more: the console
 * must not leave it behind on the host, whether it is left or its link is cut. */
static void logs_of_a_renamed_container_are_left(void **state)
{
	if (has_containers(*state))
		logs_outlive_a_renaming(*state, &noise, "$docker rename " NOISE " " NOISE "-old",
			"$docker rm -f " NOISE "-old >/dev/null");
}

static void logs_leave_nothing_running_on_the_host(void **state)
{
	static const char gone[] =
		"for i in $(seq 200); do n=$(pgrep -cf \"^$RUNTIME_COMMAND logs -f .*" NOISE
		"\" || :); [ $n -gt %d ] || exit 0; sleep 0.1; done; exit 1";
	struct fixture *f = *state;
	struct err err = { 0 };
	char *script;
	struct pty *p;

	if (!has_containers(f))
		skip();
	p = logs_follow_new(f, &noise);
	say(f, "only once");
	pty_wait_text(p, "only once", LIVE_MS);
	logs_shell(f, "pgrep -f \"^$RUNTIME_COMMAND logs -f .*" NOISE "\" >/dev/null");
	fixture_check(range_sshd_kill_connections(f->range, &err), &err);
	pty_wait_text(p, "the link was lost", LIVE_MS);
	script = mem_printf(gone, 1);
	logs_shell(f, script);
	free(script);
	fixture_quit(p);
	script = mem_printf(gone, 0);
	logs_shell(f, script);
	free(script);
}

static void logs_part_groups_of_context(void **state)
{
	struct fixture *f = *state;
	struct pty *p;
	char *text;

	if (!has_containers(f))
		skip();
	p = logs_follow_new(f, &noise);
	logs_count(f, &noise, 1, 40);
	pty_wait_text(p, "count 40", LIVE_MS);
	pty_type(p, "&count (6|10|30)$\r");
	pty_wait_gone(p, "count 40", PTY_WAIT_MS);
	assert_false(pty_has(p, "┄┄┄"));
	pty_type(p, "x");
	pty_wait_text(p, "count 33", PTY_WAIT_MS);
	pty_wait_text(p, "┄┄┄", PTY_WAIT_MS);
	text = logs_written(f, p);
	assert_true(match_text(text, "\\A[^\n]*count [0-9]+\n([^-\n][^\n]*\n)*[^\n]*count "
				     "1[0-9]\n--\n[^\n]*count 2[0-9]\n"
				     "([^-\n][^\n]*\n)*\\z"));
	free(text);
	pty_key(p, "Esc");
	fixture_quit(p);
}

/* --- files, the journal, a local command ------------------------------------------------------ */

#define JOURNAL_REMOTE "/lib/systemd/systemd-journal-remote"

/* A real journal, written by systemd's own importer. */
static void journal_add(struct fixture *f, const char *message, int priority)
{
	char *script = mem_printf(
		"printf "
		"'__REALTIME_TIMESTAMP=%%s\\n_SYSTEMD_UNIT=api.service\\nSYSLOG_IDENTIFIER=api\\n"
		"_PID=7\\nPRIORITY=%d\\n_BOOT_ID=%%s\\nMESSAGE=%s\\n\\n' $(date +%%s%%6N)"
		" $(tr -d - </proc/sys/kernel/random/boot_id) | " JOURNAL_REMOTE
		" -o $home/api.journal - >/dev/null 2>&1",
		priority, message);

	logs_shell(f, script);
	free(script);
}

/* The console on this machine, without SSH, whose journalctl reads the test's journal. */
static struct pty *local_console(struct fixture *f, const char *logs, const char *deploy_log)
{
	char *config = mem_printf("[target prod]\nenvironment = production\nssh = none\n"
				  "runtime = none\ndb_host = %s\ndb_port = %s\ndb_name = %s\n"
				  "db_user = %s\nlogs = %s\ndeploy_log = %s\n",
		range_value(f->range, "DB_ADDR"), range_value(f->range, "DB_PORT"),
		range_value(f->range, "DB_NAME"), range_value(f->range, "DB_USER"), logs,
		deploy_log);
	char *path = fixture_write(f, "local.conf", config);
	char *bin = mem_printf("PATH=%s/bin:%s", f->home, getenv("PATH"));
	char *passfile = mem_printf("PGPASSFILE=%s", range_value(f->range, "PGPASSFILE"));
	const char *env[] = { bin, passfile, NULL };
	struct pty_options options = { .rows = 36, .cols = 120, .home = f->home, .env = env };
	struct strlist argv;
	struct err err = { 0 };

	strlist_init(&argv);
	fixture_check(sandbox_program(&argv, &err), &err);
	strlist_add(&argv, "-c");
	strlist_add(&argv, path);
	strlist_add(&argv, "prod");
	options.argv = (const char *const *)argv.items;
	f->pty = pty_start(&options, &err);
	assert_non_null(f->pty);
	strlist_fini(&argv);
	free(passfile);
	free(bin);
	free(path);
	free(config);
	return f->pty;
}

static void logs_of_files_units_and_commands(void **state)
{
	struct fixture *f = *state;
	char *logs = mem_printf("file:%s/app.log journal:api.service", f->home);
	char *deploy = mem_printf("cat %s/deploy.log", f->home);
	struct pty *p;
	char *text;

	assert_int_equal(access(JOURNAL_REMOTE, X_OK), 0);
	logs_shell(f, "mkdir $home/bin; printf '#!/bin/sh\\nexec /usr/bin/journalctl"
		      " --file=%s/api.journal \"$@\"\\n' $home >$home/bin/journalctl;"
		      "chmod +x $home/bin/journalctl; echo the first line >$home/app.log;"
		      "printf 'deploy\\tMigrate\\t2025-01-27T10:00:00.1Z \\342\\235\\214 Migration "
		      "failed!\\n'"
		      " >$home/deploy.log");
	journal_add(f, "unit broke", 3);
	p = local_console(f, logs, deploy);
	pty_type(p, "3");
	pty_wait_text(p, "3 logs ", LIVE_MS);
	pty_wait_text(p, "the first line", LIVE_MS);
	pty_wait_text(p, "api\\[7\\]: unit broke", LIVE_MS);
	pty_wait_text(p, "Migrate: ❌ Migration failed!", LIVE_MS);
	logs_shell(f, "echo the second line >>$home/app.log");
	pty_wait_text(p, "the second line", LIVE_MS);
	/* Rotated away: tail -F goes over to the new one. */
	logs_shell(f, "mv $home/app.log $home/app.log.1; echo a new file >$home/app.log");
	pty_wait_text(p, "a new file", LIVE_MS);
	journal_add(f, "unit is well", 6);
	pty_wait_text(p, "api\\[7\\]: unit is well", LIVE_MS);
	text = logs_written(f, p);
	assert_true(match_text(
		text, "the first line\n(.*\n)*.*the second line\n(.*\n)*.*a new file\n"));
	assert_null(strstr(strstr(text, "the second line") + 5, "the second line"));
	free(text);
	free(deploy);
	free(logs);
	fixture_quit(p);
}

/* --- hostile bytes ---------------------------------------------------------------------------- */

static const char *const hostile[] = {
	"\033[31mRED\033[0m plain \033[1;38;2;1;2;3;48;5;77mtrue\033[m",
	"\033[2J\033[H\033[3J\033[?1049l\033[?25l\033[?1000h\033[5;10r\033c\033[!p gone",
	"\033]0;a title\007\033]2;another\033\\\033]8;;http://x\033\\link\033]8;;\033\\",
	"\033]52;c;ZXZpbA==\007\033]52;p;ZXZpbA==\033\\ clipboard",
	"\033]4;1;rgb:00/00/00\007\033]10;#fff\007\033]104\007 palette",
	"\033P$q\"p\033\\\033P1000p\033\\\033_Ga=T;AAAA\033\\\033^pm\033\\\033Xsos\033\\ strings",
	"\033[6n\033[c\033[>c\033[?1$p\033[21t\033[18t\033Z questions that answer as typed keys",
	"\033(0lqk\033)0\016\017\0337\0338\033D\033M\033E\033#8 sets",
	"\302\2331mC1 CSI\302\235 0;C1 OSC\302\234 \302\220C1 DCS\302\234 \302\205next",
	"\2331m raw C1 \2350;t\234 \220x\234",
	"\b\b\b\b\v\f\a\177 \t C0",
	"\342\200\256override\342\200\254 \342\201\246isolate\342\201\251 \342\200\217mark",
	"\377\376 \300\257 \355\240\200 \364\220\200\200 \342\202 bad UTF-8",
	"e\314\201\314\201\314\201\314\201\314\201\314\201\314\201\314\201 a pile of marks",
	"{\"msg\":\"json \\u001b]52;c;eA==\\u0007 \\u009b2J \\u202e "
	"\\u0000\",\"\\u001b[2J\":\"k\"}",
	"10 %\r20 %\r30 %\rdone",
	"\033[31m\033[999999999999;999999999m \033[", /* cut off */
	"\033]0;never ends",
};

static void hostile_write(struct fixture *f)
{
	char *path = mem_printf("%s/hostile.bin", f->home);
	FILE *file = fopen(path, "we");
	size_t i;
	int a, b;

	assert_non_null(file);
	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		fprintf(file, "%s\n", hostile[i]);
	/* Every byte, and every byte after an escape and after a C1 introducer. */
	for (a = 0; a < 256; a++)
		fprintf(file, "byte %02x [%c] [\033%c] [\302\233%c] [\033[%c] [\033]%c]\n",
			(unsigned)a, a, a, a, a, a);
	for (a = 0; a < 32; a++)
		for (b = 0; b < 256; b += 5)
			fprintf(file, "%c%c%c", a, b, a);
	fputs("\na NUL [", file);
	fputc('\0', file);
	fputs("] in it\n", file);
	/* Ten million bytes in one line, escapes among them. */
	for (i = 0; i < 1000000; i++)
		fputs(i % 1000 ? "0123456789" : "\033[2J\033]0;x", file);
	fputs("\nthe end of the flood of evil\n", file);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void look_at_everything(struct pty *p)
{
	static const char keys[] = "gFJJFtt";
	size_t i;

	for (i = 0; keys[i]; i++) {
		char key[2] = { keys[i], '\0' };

		pty_type(p, key);
		if (keys[i] == 'g')
			continue;
		for (int page = 0; page < 12; page++)
			pty_key(p, "PageDown");
		pty_type(p, "\014g"); /* all of the screen anew */
	}
	pty_wait_text(p, "paused", PTY_WAIT_MS);
	for (i = 0; i < 20; i++) {
		pty_key(p, "Enter");
		pty_wait_text(p, "stream +std", PTY_WAIT_MS);
		pty_key(p, "Esc");
		pty_wait_gone(p, "stream +std", PTY_WAIT_MS);
		pty_key(p, "Down");
	}
}

/* Not one foreign byte: what is on the terminal is ncurses' own. */
static void logs_hostile_bytes_never_reach_the_terminal(void **state)
{
	static const char *const never[] = { "38;2;1;2;3", "\033]", "\033P", "\033_", "\033c",
		"?1000h", "\033[6n", "\302\233", "\302\235", "\342\200\256", "\342\201\246" };
	struct fixture *f = *state;
	struct pty_cell cell;
	const char *raw;
	struct pty *p;
	size_t len, i;
	int row, col;

	if (!has_containers(f))
		skip();
	hostile_write(f);
	p = logs_follow_new(f, &noise);
	pty_type(p, "z");
	logs_shell(f, "$docker exec " NOISE " sh -c 'cat /data/hostile.bin >/proc/1/fd/1;"
		      " cat /data/hostile.bin >/proc/1/fd/2; echo END OF EVIL >/proc/1/fd/1'");
	pty_wait_text(p, "END OF EVIL", LIVE_MS);
	look_at_everything(p);
	pty_type(p, "g/RED\r");
	pty_wait_text(p, "RED plain", PTY_WAIT_MS);
	pty_key(p, "Down");
	assert_true(pty_find(p, "RED plain", &row, &col));
	pty_type(p, "\014");
	/* SGR became a colour of the cell; the search's look lies over the word itself. */
	assert_true(pty_find(p, "true", &row, &col));
	cell = pty_cell(p, row, col);
	assert_true(cell.bold);
	pty_key(p, "Esc");
	pty_assert_no_foreign(p, ESCAPES_NONE);
	raw = pty_raw(p, &len);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (memmem(raw, len, never[i], strlen(never[i])))
			fail_msg("the terminal was sent %zu of %s", i, never[i] + 1);
	pty_type(p, "z");
	pty_key(p, "Esc");
	pty_type(p, "q");
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	pty_assert_restored(p);
	pty_assert_no_foreign(p, ESCAPES_NONE);
}

/* --- in batch --------------------------------------------------------------------------------- */

static void batch_logs_prints_greps_and_merges(void **state)
{
	struct fixture *f = *state;
	const char *c = range_config(f->range);

	if (!has_containers(f))
		skip();
	hostile_write(f);
	logs_shell(f, NEW_NOISE);
	logs_count(f, &noise, 1, 2000);
	logs_shell(f, "$docker exec " NOISE " sh -c 'cat /data/hostile.bin >/proc/1/fd/2'");
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", NOISE, NULL }, 0,
		"Z count 1\n(.*\n)*.*Z count 2000\n", NULL);
	logs_expect_run(f,
		(const char *[]){ "-c", c, "logs", "prod", NOISE, "--grep", "COUNT 7", NULL }, 1,
		"\\A\\z", NULL);
	logs_expect_run(f,
		(const char *[]){ "-c", c, "logs", "prod", NOISE, "--grep", "count 1?7$", NULL }, 0,
		"\\A[-0-9T:.]+Z count 7\n[-0-9T:.]+Z count 17\n\\z", NULL);
	logs_expect_run(f,
		(const char *[]){ "-c", c, "logs", "prod", NOISE, "boardofone-api-1", "--since",
			"1h", "--grep", "count 2000|startup complete", NULL },
		0, "boardofone-api-1 .*startup complete(.*\n)*.*" NOISE " count 2000\n", NULL);
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", "no-such", NULL }, 3,
		"\\A\\z", "there is no container no-such on server");
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", "--since", "soon", NULL }, 64,
		"\\A\\z", "--since soon is no span of time");
	logs_expect_run(f, (const char *[]){ "-c", c, "logs", "prod", "--grep", "(", NULL }, 64,
		"\\A\\z", "the pattern \\( is not valid");
}

/* A reader that has enough ends it, at once and quietly. */
static void batch_logs_ends_with_its_reader(void **state)
{
	struct fixture *f = *state;
	char *script;
	struct strlist program;

	if (!has_containers(f))
		skip();
	logs_shell(f, NEW_NOISE);
	logs_count(f, &noise, 1, 2000);
	strlist_init(&program);
	assert_int_equal(sandbox_program(&program, NULL), 0);
	script = mem_printf("n=$(HOME=$home timeout 20 %s -c $RANGE_CONFIG logs prod " NOISE
			    " -f 2>/dev/null | head -n 3 | grep -c 'count [0-9]*$'); test $n = 3",
		program.items[program.n - 1]);
	logs_shell(f, script);
	free(script);
	strlist_fini(&program);
}

/* A target without a host, on this machine. */
static char *write_here(struct fixture *f)
{
	return fixture_write(f, "zone.conf",
		"[target prod]\nenvironment = production\nssh = none\nruntime = none\n"
		"db_host = 127.0.0.1\ndb_name = x\ndb_user = x\n");
}

/* A file's times are of the zone of where it lies, here two hours east; what would lie ahead is not. */
static void batch_logs_know_the_zone_of_a_file(void **state)
{
	struct fixture *f = *state;
	struct strlist program;
	char *script, *config = write_here(f);

	strlist_init(&program);
	assert_int_equal(sandbox_program(&program, NULL), 0);
	script = mem_printf(
		"export TZ=XYZ-2 HOME=$home; before=$(date -u +%%FT%%H);"
		"echo 2025-01-27 10:00:00,123 INFO first >$home/app.log;"
		"echo 2025-01-27T10:00:00Z INFO second >>$home/app.log;"
		"TZ=XYZ-7 date '+%%F %%T INFO third' >>$home/app.log;"
		"%s -c %s logs prod file:$home/app.log >$home/out; cat $home/out >&2;"
		"grep '^2025-01-27T08:00:00.123Z INFO first$' $home/out;"
		"grep '^2025-01-27T10:00:00.000Z INFO second$' $home/out;"
		"grep -e \"^$before.*third$\" -e \"^$(date -u +%%FT%%H).*third$\" $home/out;"
		"test $(wc -l <$home/out) = 3",
		program.items[program.n - 1], config);
	logs_shell(f, script);
	free(script);
	free(config);
	strlist_fini(&program);
}

/* A traceback stays with its line, and --since leaves out what a file has from before. */
static void batch_logs_of_a_file_since(void **state)
{
	struct fixture *f = *state;
	struct strlist program;
	char *script, *config = write_here(f);

	strlist_init(&program);
	assert_int_equal(sandbox_program(&program, NULL), 0);
	script = mem_printf(
		"export TZ=UTC HOME=$home; cd $home; {"
		" date -d '1 hour ago' '+%%F %%T ERROR old';"
		" echo Traceback; echo ValueError;"
		" date -d '2 minutes ago' '+%%F %%T INFO new'; echo more; } >since.log;"
		"echo timeless >bare.log; touch -d '1 hour ago' bare.log;"
		"said() { %s -c %s logs prod \"$@\" | cut -d ' ' -f 2- | tr '\\n' '|' >out;"
		" cat out >&2; };"
		"said file:$home/since.log;"
		" test \"$(cat out)\" = 'ERROR old|Traceback|ValueError|INFO new|more|';"
		"said file:$home/since.log --since 30m; test \"$(cat out)\" = 'INFO new|more|';"
		"said file:$home/bare.log --since 30m; test \"$(cat out)\" = '';"
		"said file:$home/bare.log --since 2h; test \"$(cat out)\" = 'timeless|'",
		program.items[program.n - 1], config);
	logs_shell(f, script);
	free(script);
	free(config);
	strlist_fini(&program);
}

/* --- the health check ------------------------------------------------------------------------- */

/* Each error text of the operations guide, as Alembic, the driver or the guide words it. */
static const struct {
	const char *said, *runbook;
} guide_errors[] = {
	{ "alembic_version table does not exist", "version-table-missing" },
	{ "FAILED: Can'\\''t locate revision identified by '\\''xyz'\\''", "unknown-revision" },
	{ "FAILED: Target database is not up to date.", "not-up-to-date" },
	{ "FAILED: Multiple head revisions are present for given argument head", "multiple-heads" },
	{ "ERROR:  column already exists", "column-exists" },
};

/* pgoncall check with these logs; what it prints matches. */
static void expect_verdict(struct fixture *f, const char *logs, int status, const char *pattern)
{
	char *line = mem_printf("logs = %s", logs);
	char *path = fixture_vary(f, "RANGE_CONFIG", "check.conf", "logs", line);

	logs_expect_run(
		f, (const char *[]){ "-c", path, "check", "prod", NULL }, status, pattern, NULL);
	free(path);
	free(line);
}

static void batch_check_reads_the_logs(void **state)
{
	struct fixture *f = *state;
	char *pattern;
	size_t i;

	if (!has_containers(f))
		skip();
	logs_shell(f, NEW_NOISE);
	say(f, "INFO it is well");
	expect_verdict(
		f, NOISE, 1, "ok +logs +0 kinds of error in the 1 line of the last 15 min\n");
	for (i = 0; i < sizeof(guide_errors) / sizeof(guide_errors[0]); i++) {
		say(f, guide_errors[i].said);
		pattern =
			mem_printf("WARNING +logs +%zu kind.*\n(.*\n)*.*alembic-error-in-log " NOISE
				   " logged at [0-9:]+: .*\\(runbook %s\\)\n",
				i + 1, guide_errors[i].runbook);
		expect_verdict(f, NOISE, 1, pattern);
		free(pattern);
	}
	/* It is over once the migrations went through. */
	say(f, "✅ Migrations completed successfully");
	expect_verdict(f, NOISE, 1, "ok +logs +0 kinds");
}

/* A log that cannot be read, or does not end, is no reason not to say the rest. */
static void batch_check_does_not_wait_for_logs(void **state)
{
	struct fixture *f = *state;
	char *fifo = mem_printf("file:%s/fifo", f->home);

	if (!has_containers(f))
		skip();
	expect_verdict(f, "no-such boardofone-api-1", 3,
		"connections(.*\n)*.*UNKNOWN +logs +there is no container no-such on server");
	logs_shell(f, "mkfifo $home/fifo");
	expect_verdict(f, fifo, 3,
		"connections(.*\n)*.*UNKNOWN +logs +.*fifo could not be read to its end in time");
	free(fifo);
}

/* The same on this machine, which is two hours east then; the pattern is grep -E's. */
static void expect_verdict_east(
	struct fixture *f, const char *logs, int status, const char *pattern)
{
	char *line = mem_printf("logs = %s", logs);
	char *first = fixture_vary(f, "RANGE_CONFIG", "check1.conf", "logs", line);
	char *path = fixture_vary_file(f, first, "check.conf", "ssh", "ssh = none");
	struct strlist program;
	char *script;

	strlist_init(&program);
	assert_int_equal(sandbox_program(&program, NULL), 0);
	script = mem_printf(
		"status=0; TZ=XYZ-2 HOME=$home %s -c %s check prod >$home/out || status=$?;"
		"grep -E '%s' $home/out && test $status = %d && exit; "
		"cat $home/out >&2; exit 1",
		program.items[program.n - 1], path, pattern, status);
	logs_shell(f, script);
	free(script);
	strlist_fini(&program);
	free(path);
	free(first);
	free(line);
}

/* Files of a program that writes UTC where the place is two hours east, or writes no times at all. */
static void batch_check_knows_when_a_file_was_written(void **state)
{
	struct fixture *f = *state;
	char *utc = mem_printf("file:%s/utc.log", f->home);
	char *strange = mem_printf("file:%s/strange.log", f->home);
	char *bare = mem_printf("file:%s/bare.log", f->home);
	char *ahead = mem_printf("file:%s/ahead.log", f->home);
	char *early = mem_printf("file:%s/early.log", f->home);
	char *both = mem_printf("%s no-such", utc);

	logs_shell(f, "export TZ=UTC; cd $home;"
		      "date '+%F %T ERROR:  column already exists' >utc.log;"
		      "TZ=XYZ5 date '+%F %T ERROR:  column already exists' >strange.log;"
		      "TZ=XYZ-9 date '+%F %T ERROR:  column already exists' >ahead.log;"
		      "date -d '3 hours ago' '+ERROR:  column already exists%n%F %TZ INFO it is"
		      " old' >early.log; date '+%F %TZ INFO it is new' >>early.log;"
		      "echo 'ERROR:  column already exists' >bare.log");
	expect_verdict_east(f, early, 1, "ok +logs +0 kinds of error in the 1 line of");
	expect_verdict_east(f, utc, 1, "WARNING +logs +1 kind of error in the 1 line of the last");
	expect_verdict_east(f, both, 3,
		"UNKNOWN +logs +there is no container no-such.*; 1 kind of error in the 1 line ");
	expect_verdict_east(f, strange, 3,
		"UNKNOWN +logs +.*strange.log was written to at [0-9:]+, and its last time "
		"is [0-9:]+: its times may be of another zone, so new errors cannot be told");
	expect_verdict_east(f, ahead, 3,
		"UNKNOWN +logs +.*ahead.log was written to at [0-9:]+, and its last time is ");
	expect_verdict_east(f, bare, 1,
		"WARNING +logs +1 kind of error in the 1 line .*1 without a time, perhaps older");
	expect_verdict_east(f, bare, 1, "bare.log logged, without a time: ERROR:  column");
	logs_shell(f, "touch -d '2 hours ago' $home/bare.log");
	expect_verdict_east(f, bare, 1, "ok +logs +0 kinds of error in the 0 lines");
	free(both);
	free(early);
	free(ahead);
	free(bare);
	free(strange);
	free(utc);
}

static int remove_noise(void **state)
{
	struct fixture *f = *state;

	pty_stop(f->pty);
	f->pty = NULL;
	if (has_containers(f))
		logs_shell(f, "$docker rm -f " NOISE " >/dev/null 2>&1 || :");
	return fixture_teardown(state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			logs_of_several_sources_are_one, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			logs_are_searched_and_filtered, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(logs_become_findings, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			logs_go_on_where_they_were_cut, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			logs_of_a_replaced_container_go_on, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			logs_of_a_renamed_container_are_left, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			logs_leave_nothing_running_on_the_host, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			logs_part_groups_of_context, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			logs_of_files_units_and_commands, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			logs_hostile_bytes_never_reach_the_terminal, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			batch_logs_prints_greps_and_merges, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			batch_logs_ends_with_its_reader, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			batch_logs_know_the_zone_of_a_file, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			batch_logs_of_a_file_since, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			batch_check_reads_the_logs, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			batch_check_does_not_wait_for_logs, fixture_setup, remove_noise),
		cmocka_unit_test_setup_teardown(
			batch_check_knows_when_a_file_was_written, fixture_setup, remove_noise),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
