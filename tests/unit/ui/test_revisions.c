/*
 * The pane of revisions by itself, zoomed: branches, colours side by side, legacy SQL, what runs, the
 * page with SQL and source, filters, jumps.
 */
#include <pgoncall/ui/console.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/ui/pane_revisions.h>
#include <pgoncall/ui/theme.h>

#include "picture.h"

static const struct {
	const char *id, *text;
} files[] = {
	{ "a0", "\"\"\"Initial schema\n\nCreate Date: 2025-01-01 10:00:00\n\"\"\"\n"
		"revision = 'a0'\ndown_revision = None\n"
		"def upgrade():\n    op.x()  # all of it\ndef downgrade():\n    op.y(1, "
		"\"two\")\n" },
	{ "b1", "\"\"\"Add users\"\"\"\nrevision = 'b1'\ndown_revision = 'a0'\ndef upgrade():\n    "
		"x()\n" },
	{ "b2", "\"\"\"Add teams\"\"\"\nrevision = 'b2'\ndown_revision = 'a0'\nbranch_labels = "
		"'teams'\n"
		"def upgrade():\n    x()\ndef downgrade():\n    pass\n" },
	{ "c0", "\"\"\"Merge both\"\"\"\nrevision = 'c0'\ndown_revision = ('b1', 'b2')\n" },
	{ "x0", "\"\"\"Billing\"\"\"\nrevision = 'x0'\ndown_revision = None\ndepends_on = 'b1'\n" },
	{ "d0", "\"\"\"Only in green\"\"\"\nrevision = 'd0'\ndown_revision = 'c0'\n" },
};

struct scene {
	struct migration_sources sources;
	struct legacy_list legacy;
	struct revisions_view view;
	struct console *console;
	struct console_now now;
};

/* The first n files. */
static struct migration_graph *parse(size_t n)
{
	struct migration_revision *take = mem_calloc(n + 1, sizeof(*take));
	struct migration_problems problems;
	struct migration_graph *graph;
	char path[32];
	size_t i;

	migration_problems_init(&problems);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s_x.py", files[i].id);
		assert_int_equal(migration_revision_parse(path, files[i].text,
					 strlen(files[i].text), &take[i], &problems),
			0);
		migration_revision_keep(&take[i], files[i].text, strlen(files[i].text));
	}
	graph = migration_graph_new(take, n, &problems);
	free(take);
	return graph;
}

static void scene_mark(struct scene *scene, const char *words)
{
	struct strlist rows;

	strlist_init(&rows);
	strlist_add_words(&rows, words);
	migration_sources_mark(&scene->sources, &rows);
	console_set_revisions(scene->console, &scene->view);
	strlist_fini(&rows);
}

static void scene_init(struct scene *scene, size_t blue, size_t green)
{
	struct console_options options = { .history_path = NULL };
	struct strlist sql, rows;

	memset(scene, 0, sizeof(*scene));
	keys_set_init(&options.keys);
	options.keys.on[CMD_SQL_UPGRADE] = options.keys.on[CMD_SQL_DOWNGRADE] = true;
	scene->console = console_new(&options);
	migration_sources_add(&scene->sources, "blue", true, "api-1");
	migration_sources_set(&scene->sources, 0, parse(blue), NULL);
	if (green) {
		migration_sources_add(&scene->sources, "green", true, "green-api-1");
		migration_sources_set(&scene->sources, 1, parse(green), NULL);
	}
	strlist_init(&sql);
	strlist_init(&rows);
	strlist_add_words(&sql, "001_a.sql 002_b.sql");
	strlist_add_words(&rows, "001_a.sql 000_gone.sql");
	legacy_list_init(&scene->legacy, &sql, &rows);
	strlist_fini(&sql);
	strlist_fini(&rows);
	scene->view.graph = scene->sources.merged;
	scene->view.sources = &scene->sources;
	scene->view.legacy = &scene->legacy;
	scene_mark(scene, "b1");
	console_key(scene->console, '1');
	console_key(scene->console, 'z');
}

static void scene_fini(struct scene *scene)
{
	console_free(scene->console);
	migration_sources_fini(&scene->sources);
	legacy_list_fini(&scene->legacy);
}

static struct console_intent press(struct scene *scene, const char *keys)
{
	struct console_intent intent = { .kind = INTENT_NONE };

	for (; *keys; keys++)
		intent = console_key(scene->console, (unsigned char)*keys);
	return intent;
}

static void expect_screen(struct scene *scene, int rows, int cols, bool ascii, const char *name)
{
	struct cells cells;

	cells_init(&cells, rows, cols, ascii);
	console_draw(scene->console, &cells, &scene->now);
	assert_true(picture_matches(&cells, name));
	cells_fini(&cells);
}

static void revisions_show_branches_and_colours(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene, 5, 6);
	expect_screen(&scene, 18, 80, false, "revisions-skew-80x18");
	expect_screen(&scene, 18, 80, true, "revisions-skew-80x18-ascii");
	expect_screen(&scene, 18, 40, false, "revisions-skew-40x18");
	press(&scene, "b");
	expect_screen(&scene, 18, 80, false, "revisions-no-lanes-80x18");
	scene_fini(&scene);
}

static void revisions_show_what_runs(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene, 4, 0);
	scene.view.running = "b2";
	scene.view.running_sure = true;
	console_set_revisions(scene.console, &scene.view);
	expect_screen(&scene, 14, 80, false, "revisions-running-80x14");
	scene.view.running_blocked = true;
	console_set_revisions(scene.console, &scene.view);
	expect_screen(&scene, 14, 80, false, "revisions-blocked-80x14");
	scene_fini(&scene);
}

static void revisions_show_unknown_rows(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene, 4, 0);
	scene_mark(&scene, "zz_elsewhere");
	press(&scene, "g");
	expect_screen(&scene, 14, 80, false, "revisions-unknown-80x14");
	scene_fini(&scene);
}

static void revisions_page_has_source_and_sql(void **state)
{
	struct revisions_preview preview = { .id = "a0",
		.text = "-- Running upgrade  -> a0\n\nCREATE TABLE users (\n\tid "
			"INTEGER\n);\n\x1b[2J",
		.state = "printed by alembic in api-1 in 0.4 s" };
	struct console_intent intent;
	struct scene scene;

	(void)state;
	scene_init(&scene, 5, 6);
	press(&scene, "/a0\r\r");
	expect_screen(&scene, 36, 80, false, "revisions-page-80x36");
	intent = press(&scene, "u");
	assert_int_equal(intent.kind, INTENT_SQL_UPGRADE);
	assert_string_equal(intent.text, "a0");
	preview.running = true;
	console_set_preview(scene.console, &preview);
	/* The first Ctrl-C ends what runs, and leaves the page. */
	intent = press(&scene, "\x03");
	assert_int_equal(intent.kind, INTENT_INTERRUPT);
	preview.running = false;
	console_set_preview(scene.console, &preview);
	expect_screen(&scene, 36, 80, false, "revisions-sql-80x36");
	intent = press(&scene, "d");
	assert_int_equal(intent.kind, INTENT_SQL_DOWNGRADE);
	scene_fini(&scene);
}

static void expect_rows(struct scene *scene, const char *filter, const char *want)
{
	struct buf got = BUF_INIT;
	char *line, *rest;

	press(scene, "&");
	press(scene, filter);
	press(scene, "\r");
	console_pane_text(scene->console, &got);
	rest = got.data ? got.data : (char *)(uintptr_t) "";
	for (line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		if (*line && !str_starts(want, line))
			fail_msg("'%s' gave '%s', not '%s'", filter, line, want);
		want += strlen(line);
		want += *want == '\n';
	}
	assert_string_equal(want, "");
	buf_fini(&got);
	press(scene, "\x1b");
}

static void revisions_are_filtered_and_found(void **state)
{
	struct console_intent intent;
	struct scene scene;

	(void)state;
	scene_init(&scene, 5, 6);
	expect_rows(&scene, "label:teams",
		"d0 Only in green green only head pending label:teams\n"
		"c0 Merge both merge pending label:teams\n"
		"b2 Add teams next pending label:teams\n");
	expect_rows(&scene, "2025-01-01", "a0 Initial schema 2025-01-01 10:00:00\n");
	expect_rows(&scene, "missing",
		"legacy SQL: 1 applied, 1 pending, 1 missing\n000_gone.sql legacy SQL missing\n");
	expect_rows(&scene, "green only", "d0 Only in green green only head pending label:teams\n");
	scene_fini(&scene);
	scene_init(&scene, 5, 6);
	/* From a0 to the current one, and through the heads. */
	press(&scene, "G");
	intent = press(&scene, "Cu");
	assert_string_equal(intent.text, "b1");
	press(&scene, "\x1b");
	press(&scene, "g");
	intent = press(&scene, "Hu");
	assert_true(intent.text != NULL);
	scene_fini(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revisions_show_branches_and_colours),
		cmocka_unit_test(revisions_show_what_runs),
		cmocka_unit_test(revisions_show_unknown_rows),
		cmocka_unit_test(revisions_page_has_source_and_sql),
		cmocka_unit_test(revisions_are_filtered_and_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
