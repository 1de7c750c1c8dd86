/*
 * Keys against intents: what a key makes the program do, on which session, and when nothing.
 */
#include <pgoncall/ui/console.h>

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/theme.h>

#include "picture.h"

static struct console_intent press(struct picture *picture, const char *keys)
{
	struct console_intent intent = { .kind = INTENT_NONE };

	for (; *keys; keys++)
		intent = console_key(picture->console, (unsigned char)*keys);
	return intent;
}

/* The whole screen as text, to be freed. */
static char *drawn(struct picture *picture, int rows, int cols)
{
	struct buf dump = BUF_INIT;
	struct cells cells;

	cells_init(&cells, rows, cols, false);
	console_draw(picture->console, &cells, &picture->now);
	cells_dump(&cells, &dump);
	cells_fini(&cells);
	return buf_steal(&dump);
}

static void expect_seen(struct picture *picture, const char *text, bool seen)
{
	char *screen = drawn(picture, 36, 120);

	if (!strstr(screen, text) == seen)
		fail_msg("\"%s\" is%s there:\n%s", text, seen ? " not" : "", screen);
	free(screen);
}

static void expect_sessions(
	struct console_intent intent, enum console_intent_kind kind, int first, int second)
{
	assert_int_equal(intent.kind, kind);
	assert_int_equal(intent.n_sessions, second ? 2 : 1);
	assert_int_equal(intent.sessions[0].pid, first);
	if (second)
		assert_int_equal(intent.sessions[1].pid, second);
}

/* The stuck picture without the session, which stays last seen in memory only. */
static struct db_snapshot *without(int pid)
{
	struct db_snapshot *snapshot = picture_snapshot_new();

	picture_add(snapshot, 7000, "new", "SELECT 1");
	picture_add(snapshot, 7001, "new", "SELECT 1");
	picture_add_stuck(snapshot);
	if (pid)
		snapshot->sessions[5].pid = pid + 1000; /* 8152 */
	db_locktree_mark(snapshot);
	return snapshot;
}

static void intents_act_on_the_selected_session(void **state)
{
	struct console_intent intent;
	struct picture picture;

	(void)state;
	picture_init(&picture);
	intent = press(&picture, "gK");
	expect_sessions(intent, INTENT_TERMINATE, 8123, 0);
	assert_string_equal(intent.sessions[0].backend_start, "2025-01-27 13:23:00.123456+00");
	assert_string_equal(intent.sessions[0].xact_start, "2025-01-27 13:50:07.000001+00");
	expect_sessions(press(&picture, "jc"), INTENT_CANCEL_QUERY, 8140, 0);
	/* In another pane the keys are not bound. */
	assert_int_equal(press(&picture, "1K").kind, INTENT_NONE);
	assert_int_equal(press(&picture, "3c").kind, INTENT_NONE);
	picture_fini(&picture);
}

static void intents_stay_on_the_session_when_the_picture_changes(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	press(&picture, "gjj");
	picture_next(&picture, without(0));
	free(drawn(&picture, 24, 80));
	free(drawn(&picture, 10, 40));
	free(drawn(&picture, 5, 5));
	expect_sessions(press(&picture, "c"), INTENT_CANCEL_QUERY, 8151, 0);
	press(&picture, "t");
	expect_sessions(press(&picture, "c"), INTENT_CANCEL_QUERY, 8151, 0);
	press(&picture, "sss");
	expect_sessions(press(&picture, "c"), INTENT_CANCEL_QUERY, 8151, 0);
	picture_fini(&picture);
}

static void intents_never_act_on_a_session_nobody_chose(void **state)
{
	struct picture picture;
	struct console_intent intent;

	(void)state;
	picture_init(&picture);
	press(&picture, "gjjj");
	picture_next(&picture, without(8152));
	intent = press(&picture, "K");
	assert_int_equal(intent.kind, INTENT_NONE);
	expect_seen(&picture, "Session 8152 is not there any more.", true);
	intent = press(&picture, "K");
	assert_int_equal(intent.kind, INTENT_TERMINATE);
	assert_int_not_equal(intent.sessions[0].pid, 8152);
	picture_fini(&picture);
}

/* The same pid with another backend_start is another session. */
static void intents_know_a_reused_pid(void **state)
{
	struct db_snapshot *next = without(0);
	struct picture picture;

	(void)state;
	picture_init(&picture);
	press(&picture, "g k\r");
	expect_seen(&picture, "Session 8123", true);
	expect_seen(&picture, "Gone; last seen so.", false);
	picture_set(&next->sessions[2].backend_start, "2025-01-27 14:02:00.000000+00");
	picture_next(&picture, next);
	expect_seen(&picture, "Gone; last seen so.", true);
	expect_seen(&picture, "1 tagged", false);
	press(&picture, "\033");
	assert_int_equal(press(&picture, "g").kind, INTENT_NONE);
	expect_sessions(press(&picture, "K"), INTENT_TERMINATE, 8123, 0);
	assert_string_equal(
		press(&picture, "K").sessions[0].backend_start, "2025-01-27 14:02:00.000000+00");
	picture_fini(&picture);
}

static void intents_act_on_tags(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	press(&picture, "gjj  ");
	expect_sessions(press(&picture, "c"), INTENT_CANCEL_QUERY, 8151, 8152);
	expect_seen(&picture, "2 tagged", true);
	picture_next(&picture, without(8152));
	expect_sessions(press(&picture, "c"), INTENT_CANCEL_QUERY, 8151, 0);
	press(&picture, "gjj c");
	expect_seen(&picture, "tagged", false);
	picture_fini(&picture);
}

static void intents_keep_an_open_page_when_its_session_ends(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	press(&picture, "gjjj\r");
	expect_seen(&picture, "UPDATE users SET last_login", true);
	picture_next(&picture, without(8152));
	expect_seen(&picture, "UPDATE users SET last_login", true);
	expect_seen(&picture, "Gone; last seen so.", true);
	assert_int_equal(press(&picture, "q").kind, INTENT_NONE);
	expect_seen(&picture, "Gone; last seen so.", false);
	picture_fini(&picture);
}

static void intents_of_the_command_line(void **state)
{
	struct console_intent intent;
	struct picture picture;

	(void)state;
	picture_init(&picture);
	intent = press(&picture, ":target staging\r");
	assert_int_equal(intent.kind, INTENT_COMMAND);
	assert_string_equal(intent.text, "target staging");
	assert_int_equal(press(&picture, ":\r").kind, INTENT_NONE);
	assert_int_equal(press(&picture, ":quit\003").kind, INTENT_NONE);
	assert_int_equal(press(&picture, "q").kind, INTENT_QUIT);
	picture_fini(&picture);
}

static void intents_quit_from_the_inside_out(void **state)
{
	struct console_facts facts = picture_facts();
	struct picture picture;

	(void)state;
	picture_init(&picture);
	press(&picture, "z&psql\r?");
	assert_int_equal(press(&picture, "q").kind, INTENT_NONE); /* help */
	expect_seen(&picture, "showing \"psql\"", true);
	assert_int_equal(press(&picture, "q").kind, INTENT_NONE); /* filter */
	expect_seen(&picture, "showing", false);
	assert_int_equal(press(&picture, "q").kind, INTENT_NONE); /* zoom */
	expect_seen(&picture, "┬2 Activity", true);
	facts.busy = true;
	console_set_facts(picture.console, &facts);
	assert_int_equal(press(&picture, "q").kind, INTENT_NONE);
	expect_seen(&picture, "Something is still running.", true);
	assert_int_equal(press(&picture, "\003").kind, INTENT_INTERRUPT);
	assert_int_equal(press(&picture, "q").kind, INTENT_QUIT);
	picture_fini(&picture);
}

static void intents_choose_columns_and_states(void **state)
{
	struct picture picture;
	struct err err;
	bool on;

	(void)state;
	picture_init(&picture);
	press(&picture, "z");
	expect_seen(&picture, "DATABASE", false);
	assert_int_equal(console_set_columns(picture.console, "database,user,query", &err), 0);
	expect_seen(&picture, "DATABASE", true);
	expect_seen(&picture, "WAITS FOR", false);
	assert_int_equal(console_set_columns(picture.console, "user,shoe", &err), -1);
	assert_non_null(strstr(err.text, "no column 'shoe'"));
	expect_seen(&picture, "DATABASE", true);
	assert_string_equal(console_column(picture.console, 1, &on), "user");
	assert_true(on);
	console_toggle_column(picture.console, 1);
	console_column(picture.console, 1, &on);
	assert_false(on);
	console_toggle_column(picture.console, 4);
	expect_seen(&picture, "WAITS FOR", true);
	press(&picture, "&state:idle_in\r");
	expect_seen(&picture, "1 of", true);
	press(&picture, "&");
	press(&picture, "\025state:active !8140\r");
	expect_seen(&picture, " 8140 ", false);
	expect_seen(&picture, " 8151 ", true);
	picture_fini(&picture);
}

static void intents_of_the_past(void **state)
{
	struct console_facts facts = picture_facts();
	struct picture picture;

	(void)state;
	picture_init(&picture);
	assert_int_equal(press(&picture, "<").kind, INTENT_PAST_OLDER);
	assert_int_equal(press(&picture, ">").kind, INTENT_PAST_NEWER);
	facts.past_wall = picture.now.wall - 120 * CLOCK_NS_PER_S;
	console_set_facts(picture.console, &facts);
	expect_seen(&picture, " PAST ", true);
	assert_int_equal(press(&picture, "q").kind, INTENT_PAST_END);
	facts.past_wall = 0;
	console_set_facts(picture.console, &facts);
	expect_seen(&picture, " PAST ", false);
	assert_int_equal(press(&picture, "q").kind, INTENT_QUIT);
	picture_fini(&picture);
}

static void intents_of_questions(void **state)
{
	struct confirm_request request = { .id = 5, .level = CONFIRM_Y, .question = "Do it?" };
	struct console_intent intent;
	struct picture picture;

	(void)state;
	picture_init(&picture);
	console_confirm(picture.console, &request);
	assert_int_equal(press(&picture, "K").kind, INTENT_NONE);
	intent = press(&picture, "y");
	assert_true(intent.kind == INTENT_CONFIRMED && intent.id == 5);
	console_confirm(picture.console, &request);
	assert_int_equal(press(&picture, "\r").kind, INTENT_DECLINED);
	console_confirm(picture.console, &request);
	intent = console_expire(picture.console);
	assert_true(intent.kind == INTENT_DECLINED && intent.id == 5);
	assert_int_equal(console_expire(picture.console).kind, INTENT_NONE);
	/* A question closes the line that is being typed: what follows goes to the question. */
	press(&picture, ":qu");
	console_confirm(picture.console, &request);
	assert_int_equal(press(&picture, "it").kind, INTENT_NONE);
	assert_int_equal(console_key(picture.console, KEY_CODE_META | 'y').kind, INTENT_DECLINED);
	assert_false(console_is_asking(picture.console));
	picture_fini(&picture);
}

/* Pastes text, and returns the kinds of all intents that came of it, added up. */
static int paste(struct picture *picture, const char *text)
{
	int kinds = console_key(picture->console, KEY_CODE_PASTE_BEGIN).kind;

	for (; *text; text++)
		kinds += console_key(
			picture->console, *text == '\n' ? KEY_CODE_ENTER : (unsigned char)*text)
				 .kind;
	return kinds + (int)console_key(picture->console, KEY_CODE_PASTE_END).kind;
}

static void intents_never_come_from_a_paste(void **state)
{
	struct confirm_request request = {
		.id = 5, .level = CONFIRM_TARGET, .question = "Do it?", .target = "a@b"
	};
	struct picture picture;

	(void)state;
	picture_init(&picture);
	assert_int_equal(paste(&picture, "gKcq:quit\n\003"), INTENT_NONE);
	press(&picture, ":");
	assert_int_equal(paste(&picture, "sql SELECT 1;\nDROP"), INTENT_NONE);
	assert_string_equal(press(&picture, "!\r").text, "sql SELECT 1;DROP!");
	console_confirm(picture.console, &request);
	assert_int_equal(paste(&picture, "a@b\n"), INTENT_NONE);
	assert_int_equal(press(&picture, "\r").kind, INTENT_DECLINED);
	console_ask(picture.console, 6, "Password", "Password of bo1", true);
	assert_int_equal(paste(&picture, "pass word\n"), INTENT_NONE);
	assert_string_equal(press(&picture, "\r").text, "pass word");
	picture_fini(&picture);
}

static void intents_copy_and_write_what_is_shown(void **state)
{
	struct console_intent intent;
	struct picture picture;

	(void)state;
	picture_init(&picture);
	intent = press(&picture, "1gy");
	assert_int_equal(intent.kind, INTENT_COPY);
	assert_string_equal(intent.text, "622dbc22743e");
	assert_non_null(strstr(press(&picture, "2gjy").text, "ALTER TABLE users"));
	assert_non_null(strstr(press(&picture, "3gy").text, "GET /api/health/db"));
	intent = press(&picture, "2&8140\rw");
	assert_int_equal(intent.kind, INTENT_WRITE);
	assert_string_equal(intent.text, "8140 bo1 alembic 172.18.0.5 boardofone active waits for "
					 "AccessExclusive on users 3m12 ALTER TABLE users ADD "
					 "COLUMN last_seen_at TIMESTAMP WITH "
					 "TIME ZONE\n");
	picture_fini(&picture);
}

static void intents_lead_to_runbooks(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	assert_string_equal(press(&picture, "r").text, "stuck-migration");
	console_set_findings(picture.console, NULL);
	assert_int_equal(press(&picture, "r").kind, INTENT_RUNBOOKS);
	assert_string_equal(press(&picture, "r").text, "");
	picture_fini(&picture);
}

static void intents_of_keys_that_are_off_are_none(void **state)
{
	struct picture picture;
	struct key_set set;

	(void)state;
	picture_init(&picture);
	keys_set_init(&set);
	console_set_keys(picture.console, &set);
	assert_int_equal(press(&picture, "gK").kind, INTENT_NONE);
	assert_int_equal(press(&picture, "r").kind, INTENT_NONE);
	expect_seen(&picture, "terminate", false);
	expect_seen(&picture, "runbook", false);
	expect_seen(&picture, "r: Stuck", false);
	press(&picture, "?");
	expect_seen(&picture, "terminate", false);
	picture_fini(&picture);
}

/* --- logs ------------------------------------------------------------------------------------ */

static void intents_move_through_logs(void **state)
{
	struct log_store *small = log_store_new(4000);
	struct log_view *view = log_view_new(small);
	struct picture picture;
	int i;

	(void)state;
	picture_init(&picture);
	press(&picture, "3E");
	assert_non_null(strstr(press(&picture, "y").text, "POST /api/v1/login"));
	assert_non_null(strstr(press(&picture, "Ey").text, "GET /api/v1/sessions"));
	press(&picture, "E");
	expect_seen(&picture, "There is no error before this line.", true);
	assert_non_null(strstr(press(&picture, "eey").text, "POST /api/v1/login"));
	expect_seen(&picture, "paused", true);
	press(&picture, "f");
	expect_seen(&picture, "following", true);
	log_store_add_source(small, "other");
	console_set_logs(picture.console, view, "following");
	for (i = 0; i < 100; i++)
		picture_log(small, i, "a line that takes some room in a ring that has little");
	console_logs_work(picture.console);
	press(&picture, "g");
	expect_seen(&picture, "older lines are no longer kept", true);
	for (i = 0; i < 100; i++) {
		picture_log(small, i, "ERROR one more");
		console_logs_work(picture.console);
		free(drawn(&picture, 24, 80));
	}
	press(&picture, "&more\r");
	expect_seen(&picture, "showing \"more\"", true);
	press(&picture, "gGeEjk");
	free(drawn(&picture, 24, 80));
	console_set_logs(picture.console, NULL, NULL);
	free(drawn(&picture, 24, 80));
	log_view_free(view);
	log_store_free(small);
	picture_fini(&picture);
}

/* --- hostile text, any keys, any size -------------------------------------------------------- */

static void intents_show_no_hostile_text(void **state)
{
	static const char evil[] = "\033]0;x\007\033[2J\r\n\xE2\x80\xAE\x9B\xFF";
	struct picture picture;
	struct db_session *s;
	struct cells cells;
	const struct cell *cell;
	int row, col;

	(void)state;
	picture_init(&picture);
	s = &picture.snapshot->sessions[20];
	picture_set(&s->application, evil);
	picture_set(&s->user, evil);
	picture_set(&s->query, evil);
	picture_set(&s->client, evil);
	console_set_snapshot(picture.console, picture.snapshot);
	console_set_message(picture.console, CONSOLE_ERROR, evil);
	cells_init(&cells, 36, 120, false);
	console_draw(picture.console, &cells, &picture.now);
	for (row = 0; row < cells.rows; row++) {
		for (col = 0; col < cells.cols; col++) {
			cell = cells_peek(&cells, row, col);
			assert_true(cell->cp == 0 || utf8_width(cell->cp) > 0);
		}
	}
	press(&picture, "g\r");
	console_draw(picture.console, &cells, &picture.now);
	cells_fini(&cells);
	picture_fini(&picture);
}

static void intents_survive_any_keys_at_any_size(void **state)
{
	static const char keys[] = "jkgGhl123z?/&:rvRp@ywTtsfeE[]bcK nNq\r\033\t\004\025xyz \003";
	struct picture picture;
	unsigned seed = 7;
	int i, rows, cols;

	(void)state;
	picture_init(&picture);
	for (i = 0; i < 4000; i++) {
		seed = seed * 1103515245u + 12345u;
		console_key(
			picture.console, (unsigned char)keys[(seed >> 16) % (sizeof(keys) - 1)]);
		seed = seed * 1103515245u + 12345u;
		rows = (int)((seed >> 16) % 40);
		cols = (int)((seed >> 8) % 140);
		if (i % 3 == 0)
			free(drawn(&picture, rows, cols));
		if (i % 50 == 0)
			picture_next(
				&picture, i % 100 ? picture_stuck() : without(i % 300 ? 0 : 8152));
		if (i % 70 == 0)
			console_set_snapshot(picture.console, picture.snapshot);
		if (i % 90 == 0)
			console_set_findings(picture.console, i % 180 ? NULL : &picture.findings);
	}
	picture_fini(&picture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intents_act_on_the_selected_session),
		cmocka_unit_test(intents_stay_on_the_session_when_the_picture_changes),
		cmocka_unit_test(intents_never_act_on_a_session_nobody_chose),
		cmocka_unit_test(intents_know_a_reused_pid),
		cmocka_unit_test(intents_act_on_tags),
		cmocka_unit_test(intents_keep_an_open_page_when_its_session_ends),
		cmocka_unit_test(intents_of_the_command_line),
		cmocka_unit_test(intents_quit_from_the_inside_out),
		cmocka_unit_test(intents_choose_columns_and_states),
		cmocka_unit_test(intents_of_the_past),
		cmocka_unit_test(intents_of_questions),
		cmocka_unit_test(intents_never_come_from_a_paste),
		cmocka_unit_test(intents_copy_and_write_what_is_shown),
		cmocka_unit_test(intents_lead_to_runbooks),
		cmocka_unit_test(intents_of_keys_that_are_off_are_none),
		cmocka_unit_test(intents_move_through_logs),
		cmocka_unit_test(intents_show_no_hostile_text),
		cmocka_unit_test(intents_survive_any_keys_at_any_size),
	};

	setlocale(LC_ALL, "C.UTF-8");
	setenv("TERM", "dumb", 1); /* libtinfo leaks a string for each description it fixes up */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
