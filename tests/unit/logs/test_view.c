/*
 * What a view shows: sources, levels, patterns, context, marks, while lines come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/logs/view.h>

struct fix {
	struct log_store *store;
	struct log_view *view;
};

static void add(struct fix *f, size_t source, int64_t time_ns, const char *text)
{
	struct log_raw raw = {
		.text = text, .len = strlen(text), .has_time = true, .time_ns = time_ns
	};
	struct log_line line;

	log_line_init(&line, &raw, 0, 0);
	log_store_add_take(f->store, source, &line, 0);
	log_store_settle(f->store, 0, true);
}

static void setup(struct fix *f, size_t max)
{
	f->store = log_store_new(max);
	f->view = log_view_new(f->store);
	log_store_add_source(f->store, "a");
	log_store_add_source(f->store, "b");
}

static void done(struct fix *f)
{
	log_view_free(f->view);
	log_store_free(f->store);
}

static void update(struct fix *f)
{
	while (log_view_update(f->view))
		;
}

/* The first letter of each row's text, in capitals where it is context; "-" where lines were left out
 * between groups. */
static void expect_rows(struct fix *f, const char *want)
{
	char got[128] = "";
	size_t i, n = 0;

	update(f);
	for (i = 0; i < log_view_count(f->view) && n < sizeof(got) - 2; i++) {
		if (log_view_begins_group(f->view, i))
			got[n++] = '-';
		got[n] = log_view_line(f->view, i)->text[0];
		if (log_view_is_context(f->view, i))
			got[n] = (char)(got[n] - 'a' + 'A');
		n++;
	}
	assert_string_equal(got, want);
}

static void view_narrows_by_source_level_and_pattern(void **state)
{
	struct fix f;

	(void)state;
	setup(&f, 0);
	add(&f, 0, 1, "a INFO one");
	add(&f, 1, 2, "b ERROR two");
	add(&f, 0, 3, "c WARNING three");
	add(&f, 1, 4, "d DEBUG four");
	add(&f, 0, 5, "e said nothing of a level");
	expect_rows(&f, "abcde");
	log_view_show(f.view, 2);
	expect_rows(&f, "bd");
	log_view_show(f.view, 0);
	log_view_set_level(f.view, LOG_LEVEL_INFO);
	expect_rows(&f, "abce");
	log_view_set_level(f.view, LOG_LEVEL_WARNING);
	expect_rows(&f, "bc");
	log_view_set_level(f.view, LOG_LEVEL_ERROR);
	expect_rows(&f, "b");
	log_view_set_level(f.view, LOG_LEVEL_UNKNOWN);
	assert_int_equal(log_view_filter(f.view, "t(wo|hree)", NULL), 0);
	expect_rows(&f, "bc");
	assert_int_equal(log_view_filter(f.view, "!t(wo|hree)", NULL), 0);
	expect_rows(&f, "ade");
	assert_int_equal(log_view_filter(f.view, "NOTHING", NULL), 0);
	expect_rows(&f, "");
	assert_int_equal(log_view_filter(f.view, "nothing", NULL), 0);
	expect_rows(&f, "e");
	assert_int_equal(log_view_filter(f.view, NULL, NULL), 0);
	expect_rows(&f, "abcde");
	done(&f);
}

static void view_takes_in_late_lines(void **state)
{
	struct fix f;

	(void)state;
	setup(&f, 0);
	log_view_filter(f.view, "x", NULL);
	add(&f, 0, 10, "a x");
	add(&f, 0, 20, "b");
	add(&f, 0, 30, "c x");
	expect_rows(&f, "ac");
	add(&f, 1, 15, "d x");
	add(&f, 1, 5, "e x");
	expect_rows(&f, "eadc");
	add(&f, 1, 40, "f x");
	expect_rows(&f, "eadcf");
	done(&f);
}

static void view_shows_context(void **state)
{
	struct fix f;
	char text[] = "a";
	int i;

	(void)state;
	setup(&f, 0);
	for (i = 0; i < 16; i++, text[0]++)
		add(&f, 0, i, text);
	log_view_filter(f.view, "[dei]", NULL);
	expect_rows(&f, "dei");
	log_view_set_context(f.view, 1);
	expect_rows(&f, "CdeF-HiJ");
	log_view_set_context(f.view, 3);
	expect_rows(&f, "ABCdeFGHiJKL");
	log_view_set_context(f.view, 0);
	expect_rows(&f, "dei");
	/* Groups that touch are one; what other sources say in between was not left out. */
	log_view_filter(f.view, "[dgm]", NULL);
	log_view_set_context(f.view, 1);
	expect_rows(&f, "CdEFgH-LmN");
	add(&f, 1, 5, "y");
	log_view_show(f.view, 1);
	expect_rows(&f, "CdEFgH-LmN");
	done(&f);
}

static void view_survives_what_is_dropped(void **state)
{
	struct fix f;
	char text[64];
	size_t i, n;

	(void)state;
	setup(&f, 20000);
	log_view_filter(f.view, "7$", NULL);
	for (i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "a line number %zu", i);
		add(&f, 0, (int64_t)i, text);
		if (i % 13 == 0)
			update(&f);
	}
	update(&f);
	n = log_view_count(f.view);
	assert_true(n > 5);
	/* The note about dropped lines is the first row, whatever the filter. */
	assert_int_equal(log_view_line(f.view, 0)->kind, LOG_LINE_DROPPED);
	for (i = 1; i < n; i++)
		assert_int_equal(
			log_view_line(f.view, i)->text[log_view_line(f.view, i)->len - 1], '7');
	assert_string_equal(log_view_line(f.view, n - 1)->text, "a line number 4997");
	assert_int_equal(log_view_row(f.view, log_view_ref(f.view, n - 1)), n - 1);
	assert_int_equal(log_view_row_at(f.view, 4990), n - 1);
	assert_int_equal(log_view_row_at(f.view, 4998), n);
	done(&f);
}

static void view_gives_up_a_pattern_that_takes_too_long(void **state)
{
	struct fix f;
	struct err err;

	(void)state;
	setup(&f, 0);
	add(&f, 0, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
	assert_false(log_view_take_fault(f.view, &err));
	assert_int_equal(log_view_filter(f.view, "(a+)+$", NULL), 0);
	update(&f);
	assert_true(log_view_take_fault(f.view, &err));
	assert_non_null(strstr(err.text, "takes too long"));
	assert_false(log_view_take_fault(f.view, &err));
	assert_false(log_view_is_narrowed(f.view));
	expect_rows(&f, "a");
	assert_int_equal(log_view_filter(f.view, "(", &err), -1);
	assert_non_null(strstr(err.text, "parenthesis"));
	done(&f);
}

static void view_finds_errors_marks_and_text(void **state)
{
	struct log_regex *regex;
	struct fix f;
	size_t row = 99;

	(void)state;
	setup(&f, 0);
	add(&f, 0, 1, "a ERROR x");
	add(&f, 0, 2, " continues");
	add(&f, 0, 3, "c fine");
	add(&f, 0, 4, "d ERROR y");
	assert_true(log_view_next_error(f.view, 0, 1, &row));
	assert_int_equal(row, 3);
	assert_true(log_view_next_error(f.view, 3, -1, &row));
	assert_int_equal(row, 0);
	assert_false(log_view_next_error(f.view, 0, -1, &row));
	assert_false(log_view_next_error(f.view, 3, 1, &row));
	assert_int_equal(log_regex_new(&regex, "FINE|cont", NULL), 0);
	assert_int_equal(log_view_search(f.view, regex, 2, 1, &row), LOG_VIEW_FOUND);
	assert_int_equal(row, 1);
	log_regex_free(regex);
	assert_int_equal(log_regex_new(&regex, "fine$", NULL), 0);
	assert_int_equal(log_view_search(f.view, regex, 3, -1, &row), LOG_VIEW_FOUND);
	assert_int_equal(row, 2);
	log_regex_free(regex);
	assert_int_equal(log_regex_new(&regex, "never", NULL), 0);
	assert_int_equal(log_view_search(f.view, regex, 0, 1, &row), LOG_VIEW_NONE);
	log_regex_free(regex);
	assert_false(log_view_next_mark(f.view, 0, &row));
	log_view_toggle_mark(f.view, log_view_ref(f.view, 3));
	log_view_toggle_mark(f.view, log_view_ref(f.view, 1));
	assert_true(log_view_next_mark(f.view, 1, &row));
	assert_int_equal(row, 3);
	assert_true(log_view_next_mark(f.view, 3, &row));
	assert_int_equal(row, 1);
	log_view_toggle_mark(f.view, log_view_ref(f.view, 1));
	assert_false(log_view_is_marked(f.view, log_view_ref(f.view, 1)));
	assert_true(log_view_is_marked(f.view, log_view_ref(f.view, 3)));
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(view_narrows_by_source_level_and_pattern),
		cmocka_unit_test(view_takes_in_late_lines),
		cmocka_unit_test(view_shows_context),
		cmocka_unit_test(view_survives_what_is_dropped),
		cmocka_unit_test(view_gives_up_a_pattern_that_takes_too_long),
		cmocka_unit_test(view_finds_errors_marks_and_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
