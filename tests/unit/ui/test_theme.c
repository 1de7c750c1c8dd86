/*
 * Theme files: what is read, what is refused, and that the ones delivered can be read.
 */
#include <pgoncall/ui/theme.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_error(const char *text, const char *sentence)
{
	struct err err = { 0 };
	struct theme theme;

	theme_init(&theme);
	assert_int_equal(theme_parse(&theme, text, "x.theme", &err), -1);
	assert_string_equal(err.text, sentence);
	assert_int_equal(theme.styles[THEME_TITLE].fg, -1);
	theme_fini(&theme);
}

static void theme_reads_lines(void **state)
{
	struct err err = { 0 };
	struct theme theme;

	(void)state;
	theme_init(&theme);
	assert_int_equal(theme_parse(&theme,
				 "# all\n\ntitle.production = bright-white, red, bold "
				 "underline # loud\n  current=green\npending = 208, default, "
				 "none\nsearch = default",
				 "x", &err),
		0);
	assert_int_equal(theme.styles[THEME_TITLE_PRODUCTION].fg, 15);
	assert_int_equal(theme.styles[THEME_TITLE_PRODUCTION].bg, 1);
	assert_int_equal(theme.styles[THEME_TITLE_PRODUCTION].attrs, THEME_BOLD | THEME_UNDERLINE);
	assert_int_equal(theme.styles[THEME_CURRENT].fg, 2);
	assert_int_equal(theme.styles[THEME_CURRENT].bg, -1);
	assert_int_equal(theme.styles[THEME_PENDING].fg, 208);
	assert_int_equal(theme.styles[THEME_SEARCH].attrs, 0);
	theme_fini(&theme);
}

static void theme_names_the_place_of_an_error(void **state)
{
	(void)state;
	expect_error("title = red\ntitel = red", "x.theme:2: no element is called \"titel\"");
	expect_error("title = rot", "x.theme:1: \"rot\" is no colour");
	expect_error("title = red, 256", "x.theme:1: \"256\" is no colour");
	expect_error("title = red, blue, bold loud", "x.theme:1: \"loud\" is no attribute");
	expect_error(
		"title", "x.theme:1: expected \"element = foreground, background, attributes\"");
}

static void theme_loads_what_is_delivered(void **state)
{
	struct strlist dirs = { 0 }, names = { 0 };
	struct err err = { 0 };
	struct theme theme;
	int i;

	(void)state;
	strlist_add(&dirs, "/nonexistent");
	strlist_add(&dirs, "themes");
	theme_init(&theme);
	if (theme_load(&theme, "default", &dirs, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(theme.name, "default");
	if (theme_load(&theme, "mono", &dirs, &err) < 0)
		fail_msg("%s", err.text);
	for (i = 0; i < THEME_N; i++) {
		assert_int_equal(theme.styles[i].fg, -1);
		assert_int_equal(theme.styles[i].bg, -1);
	}
	assert_int_not_equal(theme.styles[THEME_ROW_SELECTED].attrs, 0);
	assert_int_equal(theme_load(&theme, "none", &dirs, &err), -1);
	assert_string_equal(
		err.text, "there is no theme \"none\" (looked in /nonexistent, themes)");
	assert_int_equal(theme_load(&theme, "../x", &dirs, &err), -1);
	theme_list(&dirs, &names);
	assert_true(strlist_has(&names, "default") && strlist_has(&names, "mono"));
	strlist_fini(&names);
	strlist_fini(&dirs);
	theme_fini(&theme);
}

static void theme_lays_one_style_over_another(void **state)
{
	struct theme_style base = { 1, 2, THEME_BOLD }, over = { -1, 4, THEME_REVERSE };

	(void)state;
	base = theme_style_over(base, over);
	assert_int_equal(base.fg, 1);
	assert_int_equal(base.bg, 4);
	assert_int_equal(base.attrs, THEME_BOLD | THEME_REVERSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(theme_reads_lines),
		cmocka_unit_test(theme_names_the_place_of_an_error),
		cmocka_unit_test(theme_loads_what_is_delivered),
		cmocka_unit_test(theme_lays_one_style_over_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
