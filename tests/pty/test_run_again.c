/*
 * A runbook that was left before its write and is opened again, by the same console or the next: the
 * values chosen for it are kept, and what was sent is not sent again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "care.h"
#include "fixture.h"
#include "play.h"
#include "scene.h"

enum { LIVE_MS = 20000 };

#define ANSWERS_END                                                                                \
	{                                                                                          \
		NULL, NULL, NULL, false                                                            \
	}

static const char tracking[] =
	"---\nrunbook: tracking\ntitle: Tracking\nrequire: primary\nvar.word: type=text\n---\n"
	"Leaves a track.\n\n"
	"### Look first\n```sql { name=look on=db mode=read }\nSELECT count(*), $word FROM "
	"tracks\n```\n\n"
	"### Leave the track\n"
	"```sql { name=track on=db mode=write confirm=y timeout=20s undo=none }\n"
	"INSERT INTO tracks SELECT $word FROM pg_sleep(%s)\n```\n\n"
	"### Look again\n```sql { name=after on=db mode=read }\nSELECT word FROM tracks\n```\n";

static const struct play_answer to_the_track[] = {
	{ "Look first", "", "blue", false },
	{ "Leave the track", "halt", NULL, false },
	ANSWERS_END,
};

/* A console whose runbook was played to its write. */
static struct pty *halted(struct fixture *f, const char *seconds)
{
	char *text = mem_printf(tracking, seconds), *config = fixture_runbook(f, "tracking", text);
	struct pty *p = play_console(f, config);

	play_arm(p);
	play_open(p, "tracking");
	assert_int_equal(play_runbook(p, to_the_track, NULL), PLAY_HALTED);
	free(config);
	free(text);
	return p;
}

static void leave(struct pty *p)
{
	pty_key(p, "c");
	pty_wait_gone(p, "4 Runbook.* · step", PTY_WAIT_MS);
}

/* Opens it again; the question is there. */
static void open_again(struct pty *p, const char *question)
{
	play_command(p, "runbook tracking");
	pty_wait_text(p, question, PTY_WAIT_MS);
	pty_wait_text(p, "Go on where it stood", PTY_WAIT_MS);
	pty_wait_text(p, "Begin anew", PTY_WAIT_MS);
}

static void again_goes_on_where_it_stood(void **state)
{
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	p = halted(f, "0");
	leave(p);
	open_again(p, "Tracking was left at .Leave the track.");
	pty_key(p, "Enter");
	pty_wait_text(p, "▸ +2 Leave the track", PTY_WAIT_MS);
	/* The word is not asked for again. */
	assert_int_equal(play_runbook(p, NULL, &visited), PLAY_FINISHED);
	assert_int_equal(visited.n, 2);
	fixture_expect_rows(f, "SELECT word FROM tracks", "blue");
	assert_int_equal(play_intents(f), 1);
	assert_int_equal(fixture_journal_count(f, "\"text\":\"begun\""), 1);
	fixture_expect_records(f, "\"text\":\"resumed\"", 1);
	strlist_fini(&visited);
}

/* A write of unknown result stays one: it is not sent again. */
static void again_with_a_write_of_unknown_result(void **state)
{
	struct fixture *f = *state;
	struct pty *p = halted(f, "15");

	pty_key(p, "Enter");
	pty_wait_text(p, "Press y to do it", PTY_WAIT_MS);
	pty_key(p, "y");
	care_wait_rows(f, /* what is not sent yet would not be unknown */
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO tracks%'", "1",
		LIVE_MS);
	pty_key(p, "C-c");
	pty_wait_text(p, "A write is under way", PTY_WAIT_MS);
	pty_key(p, "G"); /* wait no longer */
	pty_key(p, "Enter");
	pty_wait_text(p, "RESULT UNKNOWN", PTY_WAIT_MS);
	leave(p);
	open_again(p, "Tracking was left at .Leave the track.");
	pty_key(p, "Enter");
	pty_wait_text(p, "RESULT UNKNOWN", PTY_WAIT_MS);
	pty_key(p, "x");
	pty_wait_text(p, "not as expected", PTY_WAIT_MS);
	assert_int_equal(play_intents(f), 1);
	fixture_expect_records(f, "looked: it was not done", 1);
}

/* Left, and not taken up again before the console ended: the next start offers it. */
static void again_at_a_later_start(void **state)
{
	struct fixture *f = *state;
	char *config = mem_printf("%s/config", f->home);
	struct pty *p = halted(f, "0");

	leave(p);
	fixture_quit(p);
	p = play_console(f, config);
	pty_wait_text(p, "tracking was left at step look, ", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "▸ +2 Leave the track", PTY_WAIT_MS);
	play_arm(p);
	assert_int_equal(play_runbook(p, NULL, NULL), PLAY_FINISHED);
	fixture_expect_rows(f, "SELECT word FROM tracks", "blue");
	assert_int_equal(fixture_journal_count(f, "\"text\":\"begun\""), 1);
	free(config);
}

/* What is typed when the first picture comes is not taken for an answer: the question waits. */
static void again_does_not_ask_into_a_command(void **state)
{
	struct fixture *f = *state;
	char *config = mem_printf("%s/config", f->home);
	struct pty *p = halted(f, "0");
	struct err err = { 0 };

	leave(p);
	fixture_quit(p);
	fixture_check(range_ssh_suspend(f->range, &err), &err);
	p = fixture_open(f, 40, 120, (const char *const[]){ "-c", config, "prod", NULL });
	pty_wait_text(p, "Connecting", PTY_WAIT_MS);
	pty_key(p, ":");
	pty_type(p, "note jolly ");
	pty_wait_text(p, ":note jolly", PTY_WAIT_MS);
	fixture_check(range_ssh_resume(f->range, &err), &err);
	play_await_pictures(p);
	assert_false(pty_has(p, "was left at step"));
	pty_type(p, "good\r");
	pty_wait_text(p, "tracking was left at step look, 20[0-9-]+ [0-9]+:[0-9]+ UTC ", LIVE_MS);
	fixture_expect_records(f, "\"text\":\"jolly good\"", 1);
	free(config);
}

/* Enter alone is no value: nothing is run with an empty one. */
static void again_asks_for_what_was_not_typed(void **state)
{
	struct fixture *f = *state;
	char *text = mem_printf(tracking, "0"), *config = fixture_runbook(f, "tracking", text);
	struct pty *p = play_console(f, config);

	play_arm(p);
	play_open(p, "tracking");
	pty_key(p, "Enter");
	pty_wait_text(p, "what is word", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "Nothing was typed for word", PTY_WAIT_MS);
	assert_true(pty_has(p, "· picking"));
	pty_key(p, "Enter");
	pty_wait_text(p, "what is word", PTY_WAIT_MS);
	assert_int_equal(play_runbook(p, to_the_track, NULL), PLAY_HALTED);
	assert_int_equal(play_runbook(p, NULL, NULL), PLAY_FINISHED);
	fixture_expect_rows(f, "SELECT word FROM tracks", "blue");
	free(config);
	free(text);
}

static int setup(void **state)
{
	if (fixture_setup(state) != 0)
		return -1;
	scene_sql(*state, "CREATE TABLE tracks (word text); ALTER TABLE tracks OWNER TO bo1");
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pty_stop(f->pty);
	f->pty = NULL;
	scene_sql(f, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
		     " WHERE query LIKE 'INSERT INTO tracks%'");
	scene_sql(f, "DROP TABLE IF EXISTS tracks");
	return fixture_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(again_goes_on_where_it_stood),
		TEST(again_with_a_write_of_unknown_result),
		TEST(again_at_a_later_start),
		TEST(again_does_not_ask_into_a_command),
		TEST(again_asks_for_what_was_not_typed),
	};

	/* A pattern runs some of them only. */
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
