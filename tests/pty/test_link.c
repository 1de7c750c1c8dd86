/*
 * The link and the terminal change under the console: it keeps its picture and its selection, says
 * how old what it shows is, and comes back by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
		TEST(resize_keeps_the_selection),
		TEST(resize_survives_a_storm),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
