/*
 * Whole screens against golden text, and keys against intents.
 */
#include <pgoncall/ui/console.h>

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/ui/theme.h>

#include "picture.h"

static void expect_screen(struct picture *picture, int rows, int cols, bool ascii, const char *name)
{
	struct cells cells;

	cells_init(&cells, rows, cols, ascii);
	console_draw(picture->console, &cells, &picture->now);
	assert_true(picture_matches(&cells, name));
	cells_fini(&cells);
}

static struct console_intent press(struct picture *picture, const char *keys)
{
	struct console_intent intent = { .kind = INTENT_NONE };

	for (; *keys; keys++)
		intent = console_key(picture->console, (unsigned char)*keys);
	return intent;
}

static void console_draws_the_stuck_migration(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	expect_screen(&picture, 36, 120, false, "stuck-120x36");
	expect_screen(&picture, 24, 80, false, "stuck-80x24");
	expect_screen(&picture, 20, 60, false, "stuck-60x20");
	expect_screen(&picture, 10, 40, false, "stuck-40x10");
	expect_screen(&picture, 8, 30, false, "stuck-30x8");
	expect_screen(&picture, 24, 80, true, "stuck-80x24-ascii");
	expect_screen(&picture, 50, 200, false, "stuck-200x50");
	picture_fini(&picture);
}

static void expect_both(struct picture *picture, const char *name)
{
	char *wide = mem_printf("%s-120x36", name), *narrow = mem_printf("%s-80x24", name);

	expect_screen(picture, 36, 120, false, wide);
	expect_screen(picture, 24, 80, false, narrow);
	free(wide);
	free(narrow);
}

static void console_draws_a_session(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	press(&picture, "gj\r");
	expect_both(&picture, "session");
	expect_screen(&picture, 10, 40, false, "session-40x10");
	picture_fini(&picture);
}

static void console_draws_a_revision(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	press(&picture, "1g\r");
	expect_screen(&picture, 24, 80, false, "revision-80x24");
	picture_fini(&picture);
}

static void console_draws_help(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	press(&picture, "?");
	expect_screen(&picture, 80, 120, false, "help-120x80");
	expect_screen(&picture, 24, 80, false, "help-80x24");
	picture_fini(&picture);
}

static void console_draws_findings(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	console_key(picture.console, KEY_CODE_BACKTAB);
	console_key(picture.console, KEY_CODE_BACKTAB);
	expect_screen(&picture, 24, 80, false, "finding-focused-80x24");
	press(&picture, "j");
	expect_screen(&picture, 24, 80, false, "finding-second-80x24");
	assert_int_equal(press(&picture, "\r").kind, INTENT_OPEN_RUNBOOK);
	assert_string_equal(press(&picture, "\r").text, "not-up-to-date");
	press(&picture, " ");
	expect_screen(&picture, 24, 80, false, "findings-80x24");
	picture_fini(&picture);
}

static void console_draws_a_lost_link(void **state)
{
	struct console_facts facts = picture_facts();
	struct picture picture;
	struct cells cells;

	(void)state;
	picture_init(&picture);
	facts.host_lost = true;
	console_set_facts(picture.console, &facts);
	picture.now.monotonic += 14 * CLOCK_NS_PER_S;
	console_set_link(picture.console, CONSOLE_LOST, PICTURE_MONO + 2 * CLOCK_NS_PER_S,
		PICTURE_MONO + 17 * CLOCK_NS_PER_S);
	expect_both(&picture, "lost");
	expect_screen(&picture, 10, 40, false, "lost-40x10");
	cells_init(&cells, 24, 80, false);
	console_draw(picture.console, &cells, &picture.now);
	assert_int_equal(cells_peek(&cells, 12, 20)->over, THEME_STALE);
	cells_fini(&cells);
	facts.host_lost = false;
	console_set_facts(picture.console, &facts);
	expect_screen(&picture, 24, 80, false, "lost-database-80x24");
	picture_fini(&picture);
}

static void console_draws_an_armed_target(void **state)
{
	struct console_facts facts = picture_facts();
	struct picture picture;

	(void)state;
	picture_init(&picture);
	facts.writable = true;
	facts.armed_until = PICTURE_MONO + 552 * CLOCK_NS_PER_S;
	console_set_facts(picture.console, &facts);
	console_set_message(picture.console, CONSOLE_WARNING,
		"Writes are allowed for 9 min 12 s; "
		":disarm ends that. Every write is asked for once more and goes into the journal "
		"of this incident.");
	expect_screen(&picture, 24, 80, false, "armed-80x24");
	picture_fini(&picture);
}

static void console_draws_a_checklist(void **state)
{
	struct console_check_step steps[] = {
		{ "SSH to deploy@server", "11 ms, by libssh2", NULL, CONSOLE_CHECK_OK },
		{ "Host key", "ED25519 SHA256:uNiVztksCsDhcc0u9e8BrNqVOOR8FqjMMzgFnkIBaXo", NULL,
			CONSOLE_CHECK_OK },
		{ "Container infrastructure-postgres-1", NULL, NULL, CONSOLE_CHECK_RUNNING },
		{ "Database boardofone as bo1", NULL, NULL, CONSOLE_CHECK_WAITING },
		{ "Version table alembic_version", NULL, NULL, CONSOLE_CHECK_WAITING },
	};
	struct picture picture;

	(void)state;
	picture_init(&picture);
	console_set_snapshot(picture.console, NULL);
	console_set_findings(picture.console, NULL);
	console_set_link(picture.console, CONSOLE_CONNECTING, PICTURE_MONO, 0);
	console_set_checklist(picture.console, steps, 5);
	expect_screen(&picture, 24, 80, false, "connecting-80x24");
	steps[2].state = CONSOLE_CHECK_FAILED;
	steps[2].detail = "Error: No such container: infrastructure-postgres-1";
	steps[2].remedy =
		"Look at `docker ps` on the server and set db_container to the name of the "
		"database's container.";
	console_set_checklist(picture.console, steps, 5);
	console_set_link(picture.console, CONSOLE_LOST, PICTURE_MONO - 2 * CLOCK_NS_PER_S,
		PICTURE_MONO + 8 * CLOCK_NS_PER_S);
	expect_screen(&picture, 24, 80, false, "connecting-failed-80x24");
	expect_screen(&picture, 12, 44, false, "connecting-failed-44x12");
	picture_fini(&picture);
}

static void ask_to_terminate(struct picture *picture)
{
	static const struct confirm_fact facts[] = {
		{ "session", "8123, connected since 2025-01-27 13:23:00 UTC" },
		{ "user", "bo1" },
		{ "application", "psql, from 172.18.0.5" },
		{ "state", "idle in transaction since 12m04" },
		{ "last query", "SELECT id, email,\n       created_at\n  FROM users\n WHERE id = "
				"42 FOR UPDATE" },
		{ "in its way", "3 sessions wait behind it, a migration among them" },
	};
	struct confirm_request request = {
		.id = 7,
		.level = CONFIRM_TARGET,
		.question = "End session 8123 (psql, idle in transaction 12m04)?",
		.statement =
			"SELECT pg_terminate_backend(pid, 5000)\nFROM pg_stat_activity\n"
			"WHERE pid = 8123\n  AND backend_start = '2025-01-27 13:23:00.123456+00'\n"
			"  AND xact_start = '2025-01-27 13:50:07.000001+00'",
		.host = "deploy@server",
		.database = "boardofone",
		.role = "bo1",
		.environment = CONFIRM_PRODUCTION,
		.facts = facts,
		.n_facts = sizeof(facts) / sizeof(facts[0]),
		.effect = "Closes its connection and rolls back its transaction.",
		.undo = "Cannot be undone. The client may connect again.",
		.target = "boardofone@prod",
	};

	console_confirm(picture->console, &request);
}

static void console_draws_a_confirmation(void **state)
{
	struct picture picture;

	(void)state;
	picture_init(&picture);
	ask_to_terminate(&picture);
	press(&picture, "boardof");
	expect_both(&picture, "confirm");
	press(&picture, "\r");
	expect_screen(&picture, 24, 80, false, "confirm-mismatch-80x24");
	console_key(picture.console, KEY_CODE_PAGE_DOWN);
	console_key(picture.console, KEY_CODE_PAGE_DOWN);
	expect_screen(&picture, 24, 80, false, "confirm-scrolled-80x24");
	expect_screen(&picture, 10, 40, false, "confirm-40x10");
	assert_int_equal(press(&picture, "one@prod\r").kind, INTENT_CONFIRMED);
	assert_false(console_is_asking(picture.console));
	picture_fini(&picture);
}

static void console_draws_questions(void **state)
{
	struct strlist items = { 0 };
	struct picture picture;

	(void)state;
	picture_init(&picture);
	console_ask(picture.console, 3, "Host key",
		"The key of server (192.0.2.7) is not known yet: "
		"ED25519 SHA256:uNiVztksCsDhcc0u9e8BrNqVOOR8FqjMMzgFnkIBaXo. Type yes to trust it.",
		false);
	press(&picture, "ye");
	expect_screen(&picture, 24, 80, false, "ask-80x24");
	console_ask(picture.console, 4, "Passphrase", "Passphrase of ~/.ssh/id_ed25519", true);
	press(&picture, "hunter2");
	expect_screen(&picture, 24, 80, false, "ask-secret-80x24");
	assert_string_equal(press(&picture, "\r").text, "hunter2");
	strlist_add(&items, "Stuck migration                    answers migration-blocked");
	strlist_add(&items, "Manual migration");
	strlist_add(&items, "Roll back a migration");
	console_pick(picture.console, 5, "Runbooks", &items, 0);
	press(&picture, "j");
	expect_screen(&picture, 24, 80, false, "pick-80x24");
	assert_int_equal(press(&picture, "\r").kind, INTENT_PICKED);
	strlist_fini(&items);
	picture_fini(&picture);
}

static void console_draws_unknown_and_merged_revisions(void **state)
{
	struct migration_graph *graph = picture_graph_new("deadbeef0001");
	struct picture picture;

	(void)state;
	picture_init(&picture);
	console_set_graph(picture.console, graph, NULL);
	expect_screen(&picture, 24, 80, false, "unknown-80x24");
	console_set_graph(picture.console, NULL,
		"docker cp boardofone-api-1:migrations/versions -: no such directory");
	expect_screen(&picture, 24, 80, false, "no-revisions-80x24");
	console_set_graph(picture.console, picture.graph, NULL);
	migration_graph_free(graph);
	picture_fini(&picture);
}

static void console_draws_search_filter_and_paused_logs(void **state)
{
	struct picture picture;
	int i;

	(void)state;
	picture_init(&picture);
	press(&picture, "/ser");
	expect_screen(&picture, 24, 80, false, "searching-80x24");
	press(&picture, "\r");
	press(&picture, "&api\r");
	expect_screen(&picture, 24, 80, false, "filtered-80x24");
	press(&picture, "3kk");
	for (i = 0; i < 1234; i++)
		picture_log(picture.store, i / 100, "INFO  another line");
	console_logs_work(picture.console);
	expect_screen(&picture, 24, 80, false, "paused-80x24");
	picture_fini(&picture);
}

/* The style and overlay of the row of the screen where `text` stands. */
static const struct cell *cell_of(struct cells *cells, const char *text)
{
	struct buf row = BUF_INIT;
	struct cells line = { .rows = 1, .cols = cells->cols };
	int r;

	for (r = 0; r < cells->rows; r++) {
		buf_clear(&row);
		line.at = &cells->at[(size_t)r * (size_t)cells->cols];
		cells_dump(&line, &row);
		if (strstr(buf_str(&row), text))
			break;
	}
	buf_fini(&row);
	assert_true(r < cells->rows);
	return cells_peek(cells, r, 6);
}

static void console_marks_rows_by_style(void **state)
{
	struct picture picture;
	struct cells cells;

	(void)state;
	picture_init(&picture);
	cells_init(&cells, 24, 80, false);
	press(&picture, "gjj");
	console_draw(picture.console, &cells, &picture.now);
	assert_int_equal(cell_of(&cells, "8123   bo1")->style, THEME_BLOCKER);
	assert_int_equal(cell_of(&cells, "8140  bo1")->style, THEME_MIGRATION);
	assert_int_equal(cell_of(&cells, "8151 bo1")->style, THEME_WAITING);
	assert_int_equal(cell_of(&cells, "8151 bo1")->over, THEME_ROW_SELECTED);
	assert_int_equal(cell_of(&cells, "8152 bo1")->over, 0);
	assert_int_equal(cell_of(&cells, "CURRENT")->style, THEME_CURRENT);
	assert_int_equal(cell_of(&cells, "CURRENT")->over, THEME_ROW_SELECTED_UNFOCUSED);
	press(&picture, "/RowExcl\r");
	console_draw(picture.console, &cells, &picture.now);
	assert_int_equal(cell_of(&cells, "8152 bo1")->over, THEME_ROW_SELECTED);
	cells_fini(&cells);
	picture_fini(&picture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(console_draws_the_stuck_migration),
		cmocka_unit_test(console_marks_rows_by_style),
		cmocka_unit_test(console_draws_a_session),
		cmocka_unit_test(console_draws_a_revision),
		cmocka_unit_test(console_draws_help),
		cmocka_unit_test(console_draws_findings),
		cmocka_unit_test(console_draws_a_lost_link),
		cmocka_unit_test(console_draws_an_armed_target),
		cmocka_unit_test(console_draws_a_checklist),
		cmocka_unit_test(console_draws_a_confirmation),
		cmocka_unit_test(console_draws_questions),
		cmocka_unit_test(console_draws_unknown_and_merged_revisions),
		cmocka_unit_test(console_draws_search_filter_and_paused_logs),
	};

	setlocale(LC_ALL, "C.UTF-8");
	setenv("TERM", "dumb", 1); /* libtinfo leaks a string for each description it fixes up */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
