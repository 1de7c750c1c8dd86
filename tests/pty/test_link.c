/*
 * The link and the terminal change under the console: it keeps its picture and its selection, says
 * how old what it shows is, and comes back by itself.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>

#include "fixture.h"
#include "texts.h"

enum {
	LIVE_MS = 30000,
	DEAD_LINK_MS = 20000, /* keepalives find it within 10 s; then it must be said */
};

static struct pty *start(struct fixture *f)
{
	struct pty *p = fixture_console(f, 36, 120);

	pty_wait_text(p, texts.current, LIVE_MS);
	pty_wait_text(p, texts.link_up, PTY_WAIT_MS);
	return p;
}

/* The server is suspended first, so that a reconnect is not faster than the eye. */
static void link_keeps_the_picture_when_it_is_cut(void **state)
{
	struct fixture *f = *state;
	struct pty *p = start(f);
	struct err err = { 0 };

	pty_type(p, ":arm 10m the link will be cut\r");
	pty_wait_text(p, texts.armed, PTY_WAIT_MS);
	fixture_check(range_ssh_suspend(f->range, &err), &err);
	fixture_check(range_sshd_kill_connections(f->range, &err), &err);
	pty_wait_text(p, "link lost [0-9]+ s", DEAD_LINK_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	assert_true(pty_has(p, texts.current));
	pty_assert_alive(p);

	fixture_check(range_ssh_resume(f->range, &err), &err);
	pty_wait_gone(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.link_up, LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	assert_true(pty_has(p, texts.current));
	fixture_quit(p);
}

static void link_is_found_dead_when_it_is_silent(void **state)
{
	struct fixture *f = *state;
	struct pty *p = start(f);
	struct err err = { 0 };

	fixture_check(range_ssh_suspend(f->range, &err), &err);
	pty_wait_text(p, texts.lost, DEAD_LINK_MS);
	assert_true(pty_has(p, texts.current));
	fixture_check(range_ssh_resume(f->range, &err), &err);
	pty_wait_gone(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.link_up, LIVE_MS);
	fixture_quit(p);
}

static void link_lost_does_not_keep_the_operator(void **state)
{
	struct fixture *f = *state;
	struct pty *p = start(f);
	struct err err = { 0 };

	fixture_check(range_ssh_suspend(f->range, &err), &err);
	fixture_quit(p);
}

/* --- the tunnel's local end ------------------------------------------------------------------- */

/* What the script prints, without its last line feed; to be freed. */
static char *shell(const char *script)
{
	const char *const argv[] = { "bash", "-c", script, NULL };
	struct run_options options = { .argv = argv };
	struct run_result run;
	struct err err = { 0 };
	char *text;

	fixture_check(run_program(&options, &run, &err), &err);
	text = buf_steal(&run.out);
	text[strcspn(text, "\n")] = '\0';
	run_result_fini(&run);
	return text;
}

/* The first address on which the process listens, as "127.1.2.3 5432"; "" for none. */
static char *listener(pid_t pid)
{
	char *script = mem_printf("ss -Hltnp | grep -F 'pid=%d,' | sed -E 's/^\\S+ +\\S+ +\\S+ "
				  "+(\\S+):([0-9]+) .*/\\1 \\2/'",
		(int)pid);
	char *text = shell(script);

	free(script);
	return text;
}

static bool is_closed(struct pty *p, void *arg)
{
	char *text = listener(*(pid_t *)arg);
	bool none = !*text;

	(void)p;
	free(text);
	return none;
}

/* How many bytes the server answers when this user asks it whether it speaks TLS: one, if it hears
 * the question at all. */
static void expect_answer(const char *user, const char *address, const char *bytes)
{
	char *script = mem_printf(
		"set -- %s; runuser -u %s -- timeout 5 bash -c '"
		"exec 3<>/dev/tcp/'$1/$2' && printf \"\\0\\0\\0\\010\\004\\322\\026\\057\" >&3 &&"
		" head -c 1 <&3' 2>/dev/null | wc -c",
		address, user);
	char *text = shell(script);

	assert_string_equal(text, bytes);
	free(script);
	free(text);
}

static void link_lets_no_one_else_through(void **state)
{
	struct fixture *f = *state;
	struct pty *p = start(f);
	pid_t pid = pty_pid(p);
	char *server, *address = listener(pid);
	struct err err = { 0 };

	if (geteuid() != 0)
		skip();
	/* The question is one that the server answers, to who reaches it. */
	server = mem_printf(
		"%s %s", range_value(f->range, "DB_ADDR"), range_value(f->range, "DB_PORT"));
	expect_answer("nobody", server, "1");
	assert_memory_equal(address, "127.", 4);
	expect_answer("nobody", address, "0");
	expect_answer("root", address, "0");
	free(server);
	free(address);

	/* Nothing listens while the link is lost, and nothing after the program was killed. */
	fixture_check(range_ssh_suspend(f->range, &err), &err);
	fixture_check(range_sshd_kill_connections(f->range, &err), &err);
	pty_wait_text(p, texts.lost, DEAD_LINK_MS);
	if (!pty_await(p, is_closed, &pid, PTY_WAIT_MS))
		pty_fail(p, "a port is open while the link is lost");
	fixture_check(range_ssh_resume(f->range, &err), &err);
	pty_wait_gone(p, texts.lost, LIVE_MS);
	address = listener(pid);
	assert_memory_equal(address, "127.", 4);
	assert_int_equal(kill(pid, SIGKILL), 0);
	pty_wait_exit(p, PTY_WAIT_MS);
	expect_answer("root", address, "0");
	assert_true(is_closed(p, &pid));
	free(address);
}

/* --- resizing --------------------------------------------------------------------------------- */

static bool same_style(struct pty *p, const char *a, const char *b)
{
	struct pty_cell one, other;
	int row, col;

	if (!pty_find(p, a, &row, &col))
		return false;
	one = pty_cell(p, row, col);
	if (!pty_find(p, b, &row, &col))
		return false;
	other = pty_cell(p, row, col);
	return one.reverse == other.reverse && memcmp(&one.bg, &other.bg, sizeof(one.bg)) == 0;
}

/* f23423398b2a is selected: it does not look like a neighbour, the one above or the one below; on the
 * smallest screens only one of them shows. */
static bool is_selected(struct pty *p, void *arg)
{
	static const char *const neighbours[] = { "9f3c7b8e2d1a", "001_research_metrics" };
	int row, col;
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof(neighbours) / sizeof(neighbours[0]); i++)
		if (pty_find(p, "f23423398b2a", &row, &col) &&
			pty_find(p, neighbours[i], &row, &col))
			return !same_style(p, "f23423398b2a", neighbours[i]);
	return false;
}

static void expect_selected(struct pty *p)
{
	if (!pty_await(p, is_selected, NULL, PTY_WAIT_MS))
		pty_fail(p, "f23423398b2a is not selected");
}

static void select_a_revision(struct pty *p)
{
	pty_type(p, "1gjj");
	expect_selected(p);
}

static void resize_keeps_the_selection(void **state)
{
	static const int sizes[][2] = { { 24, 80 }, { 10, 40 }, { 24, 80 }, { 36, 120 } };
	struct fixture *f = *state;
	struct pty *p = start(f);

	select_a_revision(p);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		pty_resize(p, sizes[i][0], sizes[i][1]);
		expect_selected(p);
	}
	pty_resize(p, 5, 20);
	pty_wait_text(p, texts.too_small, PTY_WAIT_MS);
	pty_resize(p, 36, 120);
	expect_selected(p);
	pty_key(p, "Enter");
	pty_wait_text(p, texts.details, PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, texts.details, PTY_WAIT_MS);
	fixture_quit(p);
}

static void resize_survives_a_storm(void **state)
{
	struct fixture *f = *state;
	struct pty *p = start(f);

	select_a_revision(p);
	for (int i = 0; i < 200; i++) {
		pty_resize(p, 1 + i * 7 % 60, 1 + i * 13 % 200);
		pty_assert_alive(p);
	}
	pty_resize(p, 36, 120);
	expect_selected(p);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	fixture_quit(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(link_keeps_the_picture_when_it_is_cut),
		TEST(link_is_found_dead_when_it_is_silent),
		TEST(link_lost_does_not_keep_the_operator),
		TEST(link_lets_no_one_else_through),
		TEST(resize_keeps_the_selection),
		TEST(resize_survives_a_storm),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
