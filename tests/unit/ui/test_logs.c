/*
 * The log pane on its own: several logs, forms of lines, folding, and what its keys do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/ui/pane_logs.h>

#define S INT64_C(1000000000)

struct fix {
	struct log_store *store;
	struct log_view *view;
	struct pane *pane;
};

static void setup(struct fix *f)
{
	setenv("TZ", "UTC", 1);
	f->store = log_store_new(0);
	f->view = log_view_new(f->store);
	f->pane = pane_logs_new();
	log_store_add_source(f->store, "boardofone-api-1");
	log_store_add_source(f->store, "boardofone-green-api-1");
	log_store_add_source(f->store, "infrastructure-postgres-1");
	pane_logs_set(f->pane, f->view, "following");
}

static void done(struct fix *f)
{
	pane_fini(f->pane);
	f->pane->ops->free(f->pane);
	log_view_free(f->view);
	log_store_free(f->store);
}

static void add(struct fix *f, size_t source, int second, enum log_stream stream, const char *text)
{
	struct log_raw raw = { .text = text,
		.len = strlen(text),
		.has_time = true,
		.time_ns = second * S,
		.stream = stream };
	struct log_line line;

	log_line_init(&line, &raw, 0, 0);
	log_store_add_take(f->store, source, &line, 0);
	log_store_settle(f->store, 0, true);
}

static void command(struct fix *f, enum key_command what)
{
	char *message = NULL;

	assert_true(f->pane->ops->command(f->pane, what, &message));
	free(message);
}

/* Draws the pane's rows and compares. */
static void expect(struct fix *f, int rows, int cols, const char *want)
{
	struct buf text = BUF_INIT;
	struct cells cells;
	struct err fault;

	cells_init(&cells, rows, cols, false);
	while (pane_logs_work(f->pane, &fault))
		;
	pane_draw(f->pane, &cells, cells_whole(&cells), false);
	cells_dump(&cells, &text);
	assert_string_equal(buf_str(&text), want);
	buf_fini(&text);
	cells_fini(&cells);
}

static void logs_names_sources_shortly(void **state)
{
	struct fix f;

	(void)state;
	setup(&f);
	add(&f, 0, 1, LOG_STDOUT, "one");
	add(&f, 1, 2, LOG_STDERR, "two");
	add(&f, 2, 3, LOG_STDERR, "2025-01-27 10:00:00.123 UTC [7] LOG:  three");
	expect(&f, 3, 72,
		" 00:00:01 boardofone-api one\n"
		"²00:00:02 green-api      two\n"
		"²00:00:03 postgres       [7] LOG:  three\n");
	log_view_show(f.view, 4);
	expect(&f, 1, 60, "²00:00:03 [7] LOG:  three\n");
	command(&f, CMD_TIMESTAMPS);
	expect(&f, 1, 60, "²2025-01-27 10:00:00.123 UTC [7] LOG:  three\n");
	done(&f);
}

static void logs_shows_json_readably_or_raw(void **state)
{
	struct fix f;

	(void)state;
	setup(&f);
	log_view_show(f.view, 1);
	add(&f, 0, 1, LOG_STDOUT, "{\"level\":\"info\",\"msg\":\"up \\u001b[31m\",\"n\":1}");
	expect(&f, 1, 50, " 00:00:01 INFO up ^[[31m n=1\n");
	command(&f, CMD_RAW);
	expect(&f, 1, 70, " 00:00:01 {\"level\":\"info\",\"msg\":\"up \\u001b[31m\",\"n\":1}\n");
	done(&f);
}

static void logs_folds_or_cuts_long_lines(void **state)
{
	struct fix f;

	(void)state;
	setup(&f);
	log_view_show(f.view, 1);
	add(&f, 0, 1, LOG_STDOUT, "abcdefghijklmnopqrstuvwxyz");
	add(&f, 0, 2, LOG_STDOUT, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ");
	expect(&f, 3, 30, " 00:00:01 abcdefghijklmnopqrs…\n 00:00:02 ABCDEFGHIJKLMNOPQRS…\n\n");
	pane_move(f.pane, CMD_RIGHT);
	expect(&f, 2, 30, " 00:00:01 …rstuvwxyz\n 00:00:02 …RSTUVWXYZABCDEFGHI…\n");
	pane_move(f.pane, CMD_LEFT);
	command(&f, CMD_FOLD);
	/* The end shows while it follows. */
	expect(&f, 4, 30,
		" 00:00:02 ABCDEFGHIJKLMNOPQRST\n"
		"          UVWXYZABCDEFGHIJKLMN\n"
		"          OPQRSTUVWXYZ\n\n");
	pane_move(f.pane, CMD_TOP);
	expect(&f, 5, 30,
		" 00:00:01 abcdefghijklmnopqrst\n"
		"          uvwxyz\n"
		" 00:00:02 ABCDEFGHIJKLMNOPQRST\n"
		"          UVWXYZABCDEFGHIJKLMN\n"
		"          OPQRSTUVWXYZ\n");
	done(&f);
}

/* Nothing moves under the reader's eyes; the title counts. */
static void logs_stands_still_while_paused(void **state)
{
	struct buf title = BUF_INIT;
	struct fix f;
	int i;

	(void)state;
	setup(&f);
	log_view_show(f.view, 1);
	for (i = 1; i <= 4; i++)
		add(&f, 0, i, LOG_STDOUT, "old");
	expect(&f, 2, 20, " 00:00:03 old\n 00:00:04 old\n");
	pane_move(f.pane, CMD_UP);
	for (i = 10; i < 60; i++)
		add(&f, 0, i, LOG_STDOUT, "new");
	expect(&f, 2, 20, " 00:00:03 old\n 00:00:04 old\n");
	f.pane->ops->title(f.pane, &title);
	assert_string_equal(buf_str(&title), "boardofone-api-1 paused · +50 new");
	command(&f, CMD_FOLLOW);
	expect(&f, 2, 20, " 00:00:58 new\n 00:00:59 new\n");
	buf_fini(&title);
	done(&f);
}

static void logs_refuses_what_is_no_pattern(void **state)
{
	struct err err;
	struct fix f;

	(void)state;
	setup(&f);
	add(&f, 0, 1, LOG_STDOUT, "one");
	assert_int_equal(pane_set_filter(f.pane, "on", NULL), 0);
	assert_int_equal(pane_set_filter(f.pane, "[", &err), -1);
	assert_non_null(strstr(err.text, "not valid at character"));
	assert_string_equal(f.pane->filter, "on");
	assert_int_equal(pane_set_search(f.pane, "*", &err), -1);
	assert_null(f.pane->search);
	assert_int_equal(pane_set_filter(f.pane, NULL, NULL), 0);
	assert_null(f.pane->filter);
	done(&f);
}

static void logs_marks_lines_and_shows_notes(void **state)
{
	struct log_line note;
	struct fix f;

	(void)state;
	setup(&f);
	add(&f, 0, 1, LOG_STDERR, "one");
	log_line_note(&note, LOG_LINE_NOTE, 2 * S, "the link was lost");
	log_store_add_take(f.store, 0, &note, 0);
	log_store_settle(f.store, 0, true);
	pane_move(f.pane, CMD_TOP);
	command(&f, CMD_MARK);
	expect(&f, 2, 60, "◆00:00:01 board… one\n 00:00:02 boardofone-api: the link was lost\n");
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_names_sources_shortly),
		cmocka_unit_test(logs_shows_json_readably_or_raw),
		cmocka_unit_test(logs_folds_or_cuts_long_lines),
		cmocka_unit_test(logs_stands_still_while_paused),
		cmocka_unit_test(logs_refuses_what_is_no_pattern),
		cmocka_unit_test(logs_marks_lines_and_shows_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
