/*
 * The harness itself, against small programs that every system has.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "escapes.h"
#include "match.h"
#include "pty.h"
#include "run.h"
#include "sandbox.h"

#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))

static struct pty *start_sized(void **state, int rows, int cols, const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct pty_options options = { .rows = rows, .cols = cols, .argv = argv };
	struct err err = { 0 };
	struct pty *p = pty_start(&options, &err);

	if (p == NULL)
		fail_msg("%s", err.text);
	*state = p;
	return p;
}

static struct pty *start(void **state, const char *script)
{
	return start_sized(state, 24, 80, script);
}

static int teardown(void **state)
{
	pty_stop(*state);
	*state = NULL;
	return 0;
}

/* --- looking ---------------------------------------------------------------------------------- */

static void pty_shows_what_is_written_and_typed(void **state)
{
	struct pty *p = start(state, "printf 'name? '; read x; echo \"hello, $x\"; exit 7");
	char *name;

	pty_wait_row(p, 0, "^name\\?$", PTY_WAIT_MS);
	pty_type(p, "Ada");
	pty_wait_text(p, "name\\? Ada", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_row(p, 1, "^hello, Ada$", PTY_WAIT_MS);
	name = pty_match(p, "hello, (\\w+)", 1);
	assert_string_equal(name, "Ada");
	free(name);
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 7);
	pty_assert_restored(p);
}

static void pty_shows_wide_and_combining_characters(void **state)
{
	struct pty *p = start(state, "printf '\\346\\227\\245\\346\\234\\254x e\\314\\201z\\n'");
	char *text;
	int row, col;

	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	text = pty_row_text(p, 0);
	assert_string_equal(text, "日本x e\xcc\x81z");
	free(text);
	assert_string_equal(pty_cell(p, 0, 0).text, "日");
	assert_int_equal(pty_cell(p, 0, 0).width, 2);
	assert_string_equal(pty_cell(p, 0, 1).text, "");
	assert_int_equal(pty_cell(p, 0, 1).width, 0);
	assert_string_equal(pty_cell(p, 0, 2).text, "本");
	assert_true(pty_find(p, "x", &row, &col));
	assert_int_equal(row, 0);
	assert_int_equal(col, 4);
	assert_string_equal(pty_cell(p, 0, 6).text, "e\xcc\x81");
	assert_true(pty_find(p, "z", &row, &col));
	assert_int_equal(col, 7);
	assert_false(pty_find(p, "nowhere", &row, &col));
}

static void pty_tells_colours_and_attributes(void **state)
{
	struct pty *p = start(state, "printf 'a\\033[1;31mb\\033[0;48;5;200mc\\033[0;38;2;1;2;3md"
				     "\\033[0;7me\\033[0;4mf\\033[m\\n'");
	struct pty_cell cell;

	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	cell = pty_cell(p, 0, 0);
	assert_int_equal(cell.fg.kind, PTY_COLOR_DEFAULT);
	assert_int_equal(cell.bg.kind, PTY_COLOR_DEFAULT);
	assert_false(cell.bold || cell.reverse || cell.underline);
	cell = pty_cell(p, 0, 1);
	assert_true(cell.bold);
	assert_int_equal(cell.fg.kind, PTY_COLOR_INDEXED);
	assert_int_equal(cell.fg.index, 1);
	cell = pty_cell(p, 0, 2);
	assert_false(cell.bold);
	assert_int_equal(cell.bg.kind, PTY_COLOR_INDEXED);
	assert_int_equal(cell.bg.index, 200);
	cell = pty_cell(p, 0, 3);
	assert_int_equal(cell.fg.kind, PTY_COLOR_RGB);
	assert_int_equal(cell.fg.blue, 3);
	assert_true(pty_cell(p, 0, 4).reverse);
	assert_true(pty_cell(p, 0, 5).underline);
	assert_string_equal(pty_cell(p, 99, 99).text, " ");
}

static void pty_understands_what_curses_sends(void **state)
{
	struct pty *p =
		start(state, "tput smcup; tput civis; tput cup 2 3; printf 'ab\\033[4bX';"
			     "tput cup 2 4; tput ech 2; tput smacs; printf q; tput rmacs; read x");
	int row, col;
	bool visible;

	pty_wait_row(p, 2, "^   a─ bbbX$", PTY_WAIT_MS);
	pty_cursor(p, &row, &col, &visible);
	assert_int_equal(row, 2);
	assert_int_equal(col, 5);
	assert_false(visible);
	pty_assert_no_foreign(p, ESCAPES_NONE);
}

static void pty_waits_until_text_is_gone(void **state)
{
	struct pty *p = start(state, "printf 'waiting'; read x; clear; echo done; read x");

	pty_wait_text(p, "waiting", PTY_WAIT_MS);
	assert_true(pty_has(p, "^wait"));
	pty_key(p, "Enter");
	pty_wait_gone(p, "waiting", PTY_WAIT_MS);
	pty_wait_text(p, "^done$", PTY_WAIT_MS);
	pty_assert_alive(p);
}

static bool never(struct pty *p, void *arg)
{
	(void)p;
	(void)arg;
	return false;
}

static void pty_stops_waiting_when_the_program_has_ended(void **state)
{
	struct pty *p = start(state, "echo last words");

	assert_false(pty_await(p, never, NULL, 100 * PTY_WAIT_MS));
	assert_true(pty_has(p, "last words"));
	assert_int_equal(pty_wait_exit(p, 0), 0);
}

static void pty_stops_waiting_when_the_time_is_up(void **state)
{
	struct pty *p = start(state, "read x");

	assert_false(pty_await(p, never, NULL, 50));
	pty_assert_alive(p);
}

/* --- typing ----------------------------------------------------------------------------------- */

struct key_case {
	const char *key;
	const char *sent; /* as cat -v shows it */
};

static bool first_row_is(struct pty *p, void *arg)
{
	char *row = pty_row_text(p, 0);
	bool same = strcmp(row, arg) == 0;

	free(row);
	return same;
}

static void expect_keys(struct pty *p, const struct key_case *cases, size_t n)
{
	struct buf expected = BUF_INIT;

	pty_wait_text(p, "^ready", PTY_WAIT_MS);
	buf_add_str(&expected, "ready");
	for (size_t i = 0; i < n; i++) {
		pty_key(p, cases[i].key);
		pty_type(p, "|");
		buf_printf(&expected, "%s|", cases[i].sent);
		if (!pty_await(p, first_row_is, expected.data, PTY_WAIT_MS))
			pty_fail(p, "%s: expected %s", cases[i].key, cases[i].sent);
	}
	buf_fini(&expected);
}

static void pty_sends_keys_as_xterm_does(void **state)
{
	static const struct key_case cases[] = {
		{ "a", "a" },
		{ "K", "K" },
		{ "?", "?" },
		{ "é", "M-CM-)" },
		{ "Space", " " },
		{ "Enter", "^M" },
		{ "Tab", "^I" },
		{ "S-Tab", "^[[Z" },
		{ "Backspace", "^?" },
		{ "C-c", "^C" },
		{ "C-i", "^I" },
		{ "C-[", "^[" },
		{ "C-Space", "^@" },
		{ "M-x", "^[x" },
		{ "M-C-a", "^[^A" },
		{ "-", "-" },
		{ "Up", "^[[A" },
		{ "Left", "^[[D" },
		{ "Home", "^[[H" },
		{ "End", "^[[F" },
		{ "PageDown", "^[[6~" },
		{ "Delete", "^[[3~" },
		{ "Insert", "^[[2~" },
		{ "F1", "^[OP" },
		{ "F4", "^[OS" },
		{ "F5", "^[[15~" },
		{ "F12", "^[[24~" },
		{ "C-Right", "^[[1;5C" },
		{ "Esc", "^[" },
	};
	struct pty *p;

	p = start_sized(state, 24, 250, "stty raw -echo; printf ready; exec cat -vt");
	expect_keys(p, cases, N_ITEMS(cases));
}

static void pty_sends_keys_in_application_mode(void **state)
{
	static const struct key_case cases[] = {
		{ "Up", "^[OA" },
		{ "Down", "^[OB" },
		{ "Home", "^[OH" },
		{ "End", "^[OF" },
		{ "PageUp", "^[[5~" },
		{ "F1", "^[OP" },
	};
	struct pty *p = start_sized(
		state, 24, 250, "tput smkx; stty raw -echo; printf ready; exec cat -vt");

	expect_keys(p, cases, N_ITEMS(cases));
}

static void pty_interrupts_with_control_c(void **state)
{
	struct pty *p = start(state, "echo ready; exec cat");

	pty_wait_text(p, "ready", PTY_WAIT_MS);
	pty_key(p, "C-c");
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 128 + SIGINT);
	pty_assert_restored(p);
}

static void pty_answers_queries(void **state)
{
	struct pty *p = start(state, "stty raw -echo; tput cup 4 9; printf '\\033[6n';"
				     "dd bs=1 count=7 2>/dev/null | cat -v; read x");

	pty_wait_row(p, 4, "\\^\\[\\[5;10R", PTY_WAIT_MS);
}

static void pty_types_more_than_the_line_buffer_holds(void **state)
{
	struct pty *p = start(state, "stty raw -echo; echo ready; read go; head -c 100000 | cksum");
	char *text = mem_alloc(100001);

	memset(text, 'x', 100000);
	text[100000] = '\0';
	pty_wait_text(p, "ready", PTY_WAIT_MS);
	pty_type(p, "go\n");
	pty_type(p, text);
	free(text);
	pty_wait_text(p, "100000", PTY_WAIT_MS);
}

/* --- size ------------------------------------------------------------------------------------- */

static void pty_resizes(void **state)
{
	static const int sizes[][2] = { { 36, 120 }, { 24, 80 }, { 10, 40 }, { 5, 20 },
		{ 36, 120 } };
	struct pty *p;

	p = start(state, "trap 'printf \"size \"; stty size' WINCH; stty size;"
			 "while :; do sleep 1000 & wait; done");
	pty_wait_text(p, "^24 80$", PTY_WAIT_MS);
	for (size_t i = 0; i < N_ITEMS(sizes); i++) {
		char want[64];
		int rows, cols;

		pty_resize(p, sizes[i][0], sizes[i][1]);
		snprintf(want, sizeof(want), "^size %d %d$", sizes[i][0], sizes[i][1]);
		pty_wait_text(p, want, PTY_WAIT_MS);
		pty_size(p, &rows, &cols);
		assert_int_equal(rows, sizes[i][0]);
		assert_int_equal(cols, sizes[i][1]);
	}
}

static bool has_pattern(struct pty *p, void *arg)
{
	return pty_has(p, arg);
}

/* less misses a signal or a key that comes while it repaints, so the key is sent again. */
static void press_until(struct pty *p, const char *key, const char *pattern)
{
	for (int i = 0; i < 50; i++) {
		pty_key(p, key);
		if (pty_await(p, has_pattern, (void *)pattern, PTY_WAIT_MS / 50))
			return;
	}
	pty_fail(p, "%s does not lead to /%s/", key, pattern);
}

static void pty_resizes_a_full_screen_program(void **state)
{
	struct pty *p = start(state, "seq 1 1000 | less");

	pty_wait_row(p, 0, "^1$", PTY_WAIT_MS);
	for (int i = 0; i < 20; i++) {
		pty_resize(p, 5 + i * 3, 20 + i * 5);
		pty_resize(p, 70 - i * 3, 130 - i * 5);
	}
	for (int i = 0; i < 100; i++)
		pty_resize(p, 1 + i * 7 % 60, 1 + i * 13 % 200);
	pty_resize(p, 12, 40);
	press_until(p, "C-l", "\\A1\\n(.+\\n){10}:\\n\\z");
	press_until(p, "G", "^1000$");
	pty_wait_row(p, 10, "^1000$", PTY_WAIT_MS);
	pty_key(p, "q");
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	pty_assert_restored(p);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void pty_tells_how_the_program_ended(void **state)
{
	static const struct {
		const char *script;
		int status;
	} cases[] = {
		{ "exit 0", 0 },
		{ "exit 78", 78 },
		{ "kill -KILL $$", 128 + SIGKILL },
		{ "kill -SEGV $$", 128 + SIGSEGV },
		{ "exec /nonexistent/program", 127 },
	};

	for (size_t i = 0; i < N_ITEMS(cases); i++) {
		struct pty *p = start(state, cases[i].script);

		assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), cases[i].status);
		teardown(state);
	}
}

static void pty_loses_no_output_at_the_end(void **state)
{
	struct pty *p = start(state, "seq 1 100000");
	const char *raw;
	size_t len;

	assert_int_equal(pty_wait_exit(p, 3 * PTY_WAIT_MS), 0);
	raw = pty_raw(p, &len);
	assert_int_equal(
		len, 688895); /* 588895 bytes, and a carriage return before each line feed */
	assert_string_equal(raw + len - 8, "100000\r\n");
	pty_wait_text(p, "^100000$", 0);
}

static void pty_finds_a_terminal_that_was_not_restored(void **state)
{
	static const struct {
		const char *script;
		const char *complaint; /* NULL: none */
	} cases[] = {
		{ "s=$(stty -g); tput smcup; tput civis; stty raw; stty $s; tput cnorm; tput rmcup",
			NULL },
		{ "tput smkx; tput rmkx; printf '\\033[1;31mred\\033[m\\n'", NULL },
		{ "stty raw", "raw mode" },
		{ "stty -echo", "local flags" },
		{ "stty intr ^X", "control characters" },
		{ "tput smcup", "alternate screen" },
		{ "tput civis", "cursor is hidden" },
		{ "tput smkx", "cursor keys" },
		{ "printf '\\033[?1000h'", "mouse" },
		{ "printf '\\033[?1002;1006h'", "mouse" },
		{ "printf '\\033[?2004h'", "paste" },
		{ "printf '\\033[31m'", "colour" },
		{ "printf '\\033[7m'", "colour" },
	};

	for (size_t i = 0; i < N_ITEMS(cases); i++) {
		struct pty *p = start(state, cases[i].script);
		struct err err = { 0 };

		pty_wait_exit(p, PTY_WAIT_MS);
		if (pty_check_restored(p, &err) == 0) {
			if (cases[i].complaint != NULL)
				pty_fail(p, "not noticed: %s", cases[i].script);
		} else if (cases[i].complaint == NULL ||
			   strstr(err.text, cases[i].complaint) == NULL) {
			pty_fail(p, "%s: %s", cases[i].script, err.text);
		}
		teardown(state);
	}
}

static void pty_stop_ends_what_ignores_sigterm(void **state)
{
	struct pty *p = start(state, "trap '' TERM; echo ready; while :; do read x; done");
	pid_t pid = pty_pid(p);
	char *home = mem_strdup(pty_home(p));
	struct stat st;

	pty_wait_text(p, "ready", PTY_WAIT_MS);
	assert_int_equal(stat(home, &st), 0);
	teardown(state);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(stat(home, &st), -1);
	free(home);
}

/* --- isolation -------------------------------------------------------------------------------- */

static void pty_gives_a_home_and_an_environment_of_its_own(void **state)
{
	static const char *const argv[] = { "sh", "-c", "touch ~/mine; env | sort", NULL };
	static const char *const env[] = { "EXTRA=1", "TZ=Asia/Tokyo", "LOGNAME", NULL };
	char *home = sandbox_new(NULL);
	struct pty_options options = {
		.rows = 60, .cols = 200, .argv = argv, .env = env, .home = home
	};
	struct buf want = BUF_INIT;
	struct pty *p;

	setenv("PGPASSWORD", "leaked", 1);
	p = pty_start(&options, NULL);
	*state = p;
	assert_non_null(p);
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	unsetenv("PGPASSWORD");
	pty_wait_text(p, "^TERM=xterm-256color$", 0);
	pty_wait_text(p, "^LANG=C.UTF-8$", 0);
	pty_wait_text(p, "^EXTRA=1$", 0);
	pty_wait_text(p, "^TZ=Asia/Tokyo$", 0);
	assert_false(pty_has(p, "leaked|LOGNAME|SSH_"));
	buf_printf(&want, "^XDG_STATE_HOME=%s/.local/state$", home);
	pty_wait_text(p, want.data, 0);
	teardown(state);
	buf_clear(&want);
	buf_printf(&want, "%s/mine", home);
	assert_int_equal(remove(want.data), 0);
	buf_fini(&want);
	sandbox_remove_take(home);
}

static void sandbox_tells_reports_from_warnings(void **state)
{
	static const char *const argv[] = { "sh", "-c",
		"log=${ASAN_OPTIONS##*log_path=}; echo WARNING: only >$log.1;"
		" [ -z \"$REPORT\" ] || echo '==1==ERROR: LeakSanitizer' >$log.2",
		NULL };
	static const char *const with_report[] = { "REPORT=1", NULL };
	char *home = sandbox_new(NULL);
	struct run_options options = { .argv = argv, .home = home };
	struct run_result result;

	(void)state;
	assert_int_equal(run_program(&options, &result, NULL), 0);
	run_result_fini(&result);
	assert_false(sandbox_has_report(home));
	options.env = with_report;
	assert_int_equal(run_program(&options, &result, NULL), 0);
	run_result_fini(&result);
	assert_true(sandbox_has_report(home));
	sandbox_remove_take(home);
}

/* --- failures --------------------------------------------------------------------------------- */

static void fails_on_purpose(void **state)
{
	struct pty *p = start(state, "echo picture; read x");

	pty_wait_text(p, "picture", PTY_WAIT_MS);
	pty_wait_text(p, "never there", 20);
}

/* This program runs itself with one test that fails, and reads what that prints. */
static void pty_prints_the_screen_when_a_wait_fails(void **state)
{
	char *self = realpath("/proc/self/exe", NULL);
	const char *argv[] = { self, "--failing", NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(run_program(&options, &result, &err), 0);
	free(self);
	assert_int_equal(result.status, 1);
	assert_true(match_text(buf_str(&result.err), "waited in vain 20 ms for /never there/"));
	assert_true(match_text(buf_str(&result.err), "^ *\\S* *0\\|picture$"));
	assert_true(match_text(
		buf_str(&result.err), "80x24, cursor at row 1 column 0, program \\d+ runs"));
	assert_true(match_text(buf_str(&result.err), "test_harness\\.c:\\d+"));
	run_result_fini(&result);
}

/* --- programs in pipes ------------------------------------------------------------------------ */

static int run_script(
	const char *script, const char *input, int timeout_ms, struct run_result *result)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct run_options options = { .argv = argv, .input = input, .timeout_ms = timeout_ms };

	return run_program(&options, result, NULL);
}

static void run_collects_output_and_status(void **state)
{
	struct run_result result;

	(void)state;
	assert_int_equal(run_script("cat; echo bad >&2; exit 3", "text", 0, &result), 0);
	assert_int_equal(result.status, 3);
	assert_string_equal(buf_str(&result.out), "text");
	assert_string_equal(buf_str(&result.err), "bad\n");
	run_result_fini(&result);
	assert_int_equal(run_script("seq 1 100000; seq 1 100000 >&2", NULL, 0, &result), 0);
	assert_int_equal(result.out.len, 588895);
	assert_int_equal(result.err.len, 588895);
	run_result_fini(&result);
}

static void run_does_not_wait_for_what_was_left_running(void **state)
{
	struct run_result result;

	(void)state;
	assert_int_equal(run_script("sleep 100 & echo $!", NULL, 0, &result), 0);
	assert_int_equal(kill(atoi(buf_str(&result.out)), SIGKILL), 0);
	run_result_fini(&result);
}

static void run_ends_what_takes_too_long(void **state)
{
	struct run_result result;

	(void)state;
	assert_int_equal(run_script("echo begun; sleep 100", NULL, 100, &result), -1);
	assert_int_equal(result.status, 128 + SIGKILL);
	assert_string_equal(buf_str(&result.out), "begun\n");
	run_result_fini(&result);
}

/* --- escapes ---------------------------------------------------------------------------------- */

static void escapes_foreign_tells_what_curses_does_not_send(void **state)
{
	static const struct {
		const char *bytes;
		unsigned allowed;
		const char *described; /* NULL: not foreign */
	} cases[] = {
		{ "plain é text\r\n\t\b", ESCAPES_NONE, NULL },
		{ "\x1b[?1049h\x1b[22;0;0t\x1b[1;24r\x1b(B\x1b[m\x1b[4l\x1b[?7h", ESCAPES_NONE,
			NULL },
		{ "\x1b[38;5;200m\x1b[3;4H\x1b[2K\x1b[5X\x1b[?12l\x1b[?25h\x1b=\x1b>", ESCAPES_NONE,
			NULL },
		{ "a\x1b]52;c;aGk=\ab", ESCAPES_NONE, "OSC at byte 1: \\e]52;c;aGk=\\a" },
		{ "a\x1b]52;c;aGk=\ab", ESCAPES_CLIPBOARD, NULL },
		{ "\x1b]0;title\x1b\\", ESCAPES_CLIPBOARD, "OSC at byte 0: \\e]0;title\\e\\" },
		{ "\x1b]0;title\x1b\\x", ESCAPES_TITLE, NULL },
		{ "x\a", ESCAPES_NONE, "control character at byte 1: \\a" },
		{ "x\a", ESCAPES_BELL, NULL },
		{ "\x1bPq#0\x1b\\", ESCAPES_NONE, "control string at byte 0: \\ePq#0\\e\\" },
		{ "\x1b_G\x1b\\", ESCAPES_NONE, "control string at byte 0: \\e_G\\e\\" },
		{ "é\xc2\x9b"
		  "31m",
			ESCAPES_NONE, "C1 control at byte 2: \\xc2\\x9b" },
		{ "\x1b[6n", ESCAPES_NONE, "control sequence at byte 0: \\e[6n" },
		{ "\x1b[?1049;47h", ESCAPES_NONE, "control sequence at byte 0: \\e[?1049;47h" },
		{ "\x1b[21t", ESCAPES_NONE, "control sequence at byte 0: \\e[21t" },
		{ "\x1b"
		  "c",
			ESCAPES_NONE, "escape sequence at byte 0: \\ec" },
		{ "\x1b[12", ESCAPES_NONE, "control sequence at byte 0: \\e[12" },
		{ "\x1b", ESCAPES_NONE, "escape sequence at byte 0: \\e" },
	};

	(void)state;
	for (size_t i = 0; i < N_ITEMS(cases); i++) {
		char *got =
			escapes_foreign(cases[i].bytes, strlen(cases[i].bytes), cases[i].allowed);

		if (!str_equal(got, cases[i].described))
			fail_msg("case %zu: %s", i, got == NULL ? "nothing" : got);
		free(got);
	}
}

static void escapes_private_mode_follows_the_last_word(void **state)
{
	const char *bytes = "\x1b[?25l\x1b[?1;1049htext\x1b[?25h\x1b[?1049l";
	size_t len = strlen(bytes);

	(void)state;
	assert_true(escapes_private_mode(bytes, len, 25, true));
	assert_true(escapes_private_mode(bytes, len, 1, false));
	assert_false(escapes_private_mode(bytes, len, 1049, false));
	assert_false(escapes_private_mode(bytes, 6, 25, true));
	assert_true(escapes_private_mode(bytes, len, 7, true));
}

static void escapes_any_finds_all_but_line_ends(void **state)
{
	char *found = escapes_any("a\x1b[31mb", 7);

	(void)state;
	assert_null(escapes_any("{\"a\":\t\"é\"}\r\n", 13));
	assert_string_equal(found, "control sequence at byte 1: \\e[31m");
	free(found);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(pty_shows_what_is_written_and_typed, teardown),
		cmocka_unit_test_teardown(pty_shows_wide_and_combining_characters, teardown),
		cmocka_unit_test_teardown(pty_tells_colours_and_attributes, teardown),
		cmocka_unit_test_teardown(pty_understands_what_curses_sends, teardown),
		cmocka_unit_test_teardown(pty_waits_until_text_is_gone, teardown),
		cmocka_unit_test_teardown(pty_stops_waiting_when_the_program_has_ended, teardown),
		cmocka_unit_test_teardown(pty_stops_waiting_when_the_time_is_up, teardown),
		cmocka_unit_test_teardown(pty_sends_keys_as_xterm_does, teardown),
		cmocka_unit_test_teardown(pty_sends_keys_in_application_mode, teardown),
		cmocka_unit_test_teardown(pty_interrupts_with_control_c, teardown),
		cmocka_unit_test_teardown(pty_answers_queries, teardown),
		cmocka_unit_test_teardown(pty_types_more_than_the_line_buffer_holds, teardown),
		cmocka_unit_test_teardown(pty_resizes, teardown),
		cmocka_unit_test_teardown(pty_resizes_a_full_screen_program, teardown),
		cmocka_unit_test_teardown(pty_tells_how_the_program_ended, teardown),
		cmocka_unit_test_teardown(pty_loses_no_output_at_the_end, teardown),
		cmocka_unit_test_teardown(pty_finds_a_terminal_that_was_not_restored, teardown),
		cmocka_unit_test_teardown(pty_stop_ends_what_ignores_sigterm, teardown),
		cmocka_unit_test_teardown(pty_gives_a_home_and_an_environment_of_its_own, teardown),
		cmocka_unit_test(sandbox_tells_reports_from_warnings),
		cmocka_unit_test(pty_prints_the_screen_when_a_wait_fails),
		cmocka_unit_test(run_collects_output_and_status),
		cmocka_unit_test(run_does_not_wait_for_what_was_left_running),
		cmocka_unit_test(run_ends_what_takes_too_long),
		cmocka_unit_test(escapes_foreign_tells_what_curses_does_not_send),
		cmocka_unit_test(escapes_private_mode_follows_the_last_word),
		cmocka_unit_test(escapes_any_finds_all_but_line_ends),
	};
	const struct CMUnitTest failing[] = {
		cmocka_unit_test_teardown(fails_on_purpose, teardown),
	};

	if (argc > 1 && strcmp(argv[1], "--failing") == 0)
		return cmocka_run_group_tests(failing, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
