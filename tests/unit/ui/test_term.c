/*
 * The terminal on a pty of its own: taken and given back, keys read, only changes sent, restored
 * from a fatal signal.
 */
#include <pgoncall/ui/term.h>

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/ui/keys.h>

/* The program under test, in a child on a pty. */
struct child {
	pid_t pid;
	int master;
	struct termios before;
	struct buf output;
};

static void child_start(struct child *child, const char *term_name, void (*run)(struct term *term))
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct term_options options = { .colour = true };
	struct err err = { 0 };
	struct term *term;
	int slave;

	memset(child, 0, sizeof(*child));
	assert_int_equal(openpty(&child->master, &slave, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(child->master, &child->before), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		close(child->master);
		login_tty(slave);
		setenv("TERM", term_name, 1);
		if (term_start(&term, &options, &err) < 0) {
			if (write(STDOUT_FILENO, err.text, strlen(err.text)) < 0)
				_exit(100);
			_exit(99);
		}
		run(term);
		term_stop(term);
		_exit(0);
	}
	close(slave);
}

/* Reads until the output holds text (NULL: until the child is gone). */
static void child_read(struct child *child, const char *text)
{
	struct pollfd fd = { .fd = child->master, .events = POLLIN };
	char chunk[4096];
	ssize_t got;

	while (!text || !child->output.len ||
		!memmem(child->output.data, child->output.len, text, strlen(text))) {
		if (poll(&fd, 1, 10000) <= 0)
			fail_msg("no \"%s\" in \"%s\"", text ? text : "end",
				buf_str(&child->output));
		got = read(child->master, chunk, sizeof(chunk));
		if (got <= 0) {
			if (text)
				fail_msg("ended without \"%s\"", text);
			return;
		}
		buf_add(&child->output, chunk, (size_t)got);
	}
}

static void child_type(struct child *child, const char *bytes)
{
	assert_int_equal(write(child->master, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

/* The wait status. */
static int child_end(struct child *child)
{
	int status;

	child_read(child, NULL);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	close(child->master);
	return status;
}

static bool child_said(const struct child *child, const char *text)
{
	return child->output.len &&
	       memmem(child->output.data, child->output.len, text, strlen(text));
}

static void show(struct term *term, const char *text)
{
	struct cells cells;
	int rows, cols;

	term_size(term, &rows, &cols);
	cells_init(&cells, rows, cols, term_is_ascii(term));
	cells_put(&cells, cells_whole(&cells), 0, 0, THEME_TEXT, text);
	term_show(term, &cells);
	cells_fini(&cells);
}

static uint32_t wait_key(struct term *term)
{
	struct pollfd fd = { .fd = term_fd(term), .events = POLLIN };
	uint32_t key;

	while (!term_key(term, &key))
		if (poll(&fd, 1, 10000) <= 0)
			_exit(98);
	return key;
}

/* --- showing --------------------------------------------------------------------------------- */

static void run_show(struct term *term)
{
	show(term, "first screen, 日本 é");
	wait_key(term);
	show(term, "first screem, 日本 é");
	wait_key(term);
}

static void term_shows_and_gives_back(void **state)
{
	struct child child;
	size_t before;

	(void)state;
	child_start(&child, "xterm-256color", run_show);
	child_read(&child, "first screen, 日本 é");
	assert_true(child_said(&child, "\033[?1049h"));
	before = child.output.len;
	child_type(&child, "x");
	child_read(&child, "m\033"); /* the one cell, then the cursor away */
	assert_true(child.output.len - before < 60);
	child_type(&child, "x");
	assert_int_equal(child_end(&child), 0);
	assert_true(child_said(&child, "\033[?1049l"));
	buf_fini(&child.output);
}

/* --- keys ------------------------------------------------------------------------------------ */

static const struct {
	const char *bytes;
	uint32_t key;
} typed[] = {
	{ "a", 'a' },
	{ "\r", KEY_CODE_ENTER },
	{ "\n", KEY_CODE_ENTER },
	{ "\t", KEY_CODE_TAB },
	{ "\x7F", KEY_CODE_BACKSPACE },
	{ "\b", KEY_CODE_BACKSPACE },
	{ "\033OA", KEY_CODE_UP },
	{ "\033OB", KEY_CODE_DOWN },
	{ "\033[5~", KEY_CODE_PAGE_UP },
	{ "\033[3~", KEY_CODE_DELETE },
	{ "\033[Z", KEY_CODE_BACKTAB },
	{ "\033OP", KEY_CODE_F1 },
	{ "é", 0xE9 },
	{ "日", 0x65E5 },
	{ "\033[200~", KEY_CODE_PASTE_BEGIN },
	{ "\033[201~", KEY_CODE_PASTE_END },
	{ "\x03", KEY_CTRL('C') },
	{ "\x1A", KEY_CTRL('Z') },
	{ "\x0C", KEY_CTRL('L') },
	{ "\033b", KEY_CODE_META | 'b' },
	{ "\033", KEY_CODE_ESC },
};
#define TYPED_N (sizeof(typed) / sizeof(typed[0]))

static void run_keys(struct term *term)
{
	char name[16];
	size_t i;

	for (i = 0; i < TYPED_N; i++) {
		snprintf(name, sizeof(name), "<%zu>", i);
		show(term, name);
		if (wait_key(term) != typed[i].key)
			_exit((int)i + 1);
	}
	show(term, "all read");
}

static void term_reads_keys(void **state)
{
	struct child child;
	char name[16];
	size_t i;
	int status;

	(void)state;
	child_start(&child, "xterm-256color", run_keys);
	for (i = 0; i < TYPED_N; i++) {
		/* Only the digits change from screen to screen. */
		snprintf(name, sizeof(name), i ? "%zu" : "<%zu", i % 10);
		child_read(&child, name);
		buf_clear(&child.output);
		child_type(&child, typed[i].bytes);
	}
	status = child_end(&child);
	if (status)
		fail_msg("key %d was read wrongly", WEXITSTATUS(status) - 1);
	buf_fini(&child.output);
}

/* --- trouble --------------------------------------------------------------------------------- */

static void on_fatal(int signum)
{
	term_restore();
	signal(signum, SIG_DFL);
	raise(signum);
}

static void run_fatal(struct term *term)
{
	signal(SIGTERM, on_fatal);
	show(term, "waiting");
	wait_key(term);
}

static void term_is_restored_by_a_fatal_signal(void **state)
{
	struct child child;
	struct termios after;
	int status;

	(void)state;
	child_start(&child, "xterm-256color", run_fatal);
	child_read(&child, "waiting");
	assert_int_equal(tcgetattr(child.master, &after), 0);
	assert_int_equal(after.c_lflag & (ICANON | ECHO), 0);
	kill(child.pid, SIGTERM);
	child_read(&child, "\033[?1049l");
	assert_int_equal(tcgetattr(child.master, &after), 0);
	assert_int_equal(after.c_lflag, child.before.c_lflag);
	status = child_end(&child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	buf_fini(&child.output);
}

static void run_resize(struct term *term)
{
	int rows, cols;
	char text[40];

	show(term, "small");
	wait_key(term);
	term_resize(term);
	term_size(term, &rows, &cols);
	snprintf(text, sizeof(text), "now %d by %d", cols, rows);
	show(term, text);
	wait_key(term);
}

static void term_follows_the_size(void **state)
{
	struct winsize size = { .ws_row = 50, .ws_col = 132 };
	struct child child;

	(void)state;
	child_start(&child, "xterm", run_resize);
	child_read(&child, "small");
	ioctl(child.master, TIOCSWINSZ, &size);
	child_type(&child, "x");
	child_read(&child, "now 132 by 50");
	child_type(&child, "x");
	assert_int_equal(child_end(&child), 0);
	buf_fini(&child.output);
}

static void run_copy(struct term *term)
{
	struct err err = { 0 };
	char *much = mem_alloc(80001);

	memset(much, 'x', 80000);
	much[80000] = '\0';
	if (term_copy(term, "ab", &err) < 0 || term_copy(term, much, &err) == 0)
		_exit(1);
	free(much);
}

static void term_copies_by_osc_52(void **state)
{
	struct child child;

	(void)state;
	child_start(&child, "xterm", run_copy);
	assert_int_equal(child_end(&child), 0);
	assert_true(child_said(&child, "\033]52;c;YWI=\033\\"));
	buf_fini(&child.output);
}

static void term_says_why_it_cannot_start(void **state)
{
	struct term_options options = { .colour = true };
	int null = open("/dev/null", O_RDWR), saved = dup(STDIN_FILENO);
	struct err err = { 0 };
	struct child child;
	struct term *term;

	(void)state;
	child_start(&child, "no-such-terminal", run_show);
	assert_int_equal(WEXITSTATUS(child_end(&child)), 99);
	assert_true(child_said(&child, "a terminal of type \"no-such-terminal\""));
	buf_fini(&child.output);
	dup2(null, STDIN_FILENO);
	assert_int_equal(term_start(&term, &options, &err), -1);
	dup2(saved, STDIN_FILENO);
	assert_non_null(strstr(err.text, "needs a terminal"));
	assert_null(term);
	close(null);
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(term_shows_and_gives_back),
		cmocka_unit_test(term_reads_keys),
		cmocka_unit_test(term_is_restored_by_a_fatal_signal),
		cmocka_unit_test(term_follows_the_size),
		cmocka_unit_test(term_copies_by_osc_52),
		cmocka_unit_test(term_says_why_it_cannot_start),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
