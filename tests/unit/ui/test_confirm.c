/*
 * The confirmation: what is Yes, and that everything else is No.
 */
#include <pgoncall/ui/confirm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/ui/keys.h>

static struct confirm *confirm_make(enum confirm_level level)
{
	struct confirm_request request = { .id = 9,
		.level = level,
		.question = "Do it?",
		.statement = "SELECT 1",
		.verb = "terminate",
		.target = "boardofone@prod" };

	return confirm_new(&request);
}

/* The verdict after typing the keys; '\n' is Enter, '\b' Backspace. Nothing may come before the
 * last key. */
static enum confirm_verdict answer(enum confirm_level level, const char *keys)
{
	struct confirm *confirm = confirm_make(level);
	enum confirm_verdict verdict = CONFIRM_PENDING;
	uint32_t key;

	for (; *keys; keys++) {
		assert_int_equal(verdict, CONFIRM_PENDING);
		key = (unsigned char)*keys;
		key = key == '\n' ? KEY_CODE_ENTER : key == '\b' ? KEY_CODE_BACKSPACE : key;
		verdict = confirm_key(confirm, key);
	}
	confirm_free(confirm);
	return verdict;
}

static void confirm_takes_y_only(void **state)
{
	(void)state;
	assert_int_equal(answer(CONFIRM_Y, "y"), CONFIRM_YES);
	assert_int_equal(answer(CONFIRM_Y, "\n"), CONFIRM_NO);
	assert_int_equal(answer(CONFIRM_Y, "n"), CONFIRM_NO);
	assert_int_equal(answer(CONFIRM_Y, "\033"), CONFIRM_NO);
	assert_int_equal(answer(CONFIRM_Y, "Y"), CONFIRM_PENDING);
	assert_int_equal(answer(CONFIRM_Y, "K"), CONFIRM_PENDING);
	assert_int_equal(answer(CONFIRM_Y, " "), CONFIRM_PENDING);
}

static void confirm_takes_the_whole_word(void **state)
{
	(void)state;
	assert_int_equal(answer(CONFIRM_VERB, "terminate\n"), CONFIRM_YES);
	assert_int_equal(answer(CONFIRM_TARGET, "boardofone@prod\n"), CONFIRM_YES);
	assert_int_equal(answer(CONFIRM_TARGET, "boardofone@prox\bd\n"), CONFIRM_YES);
	assert_int_equal(answer(CONFIRM_TARGET, "terminate\n"), CONFIRM_PENDING);
	assert_int_equal(answer(CONFIRM_TARGET, "boardofone@pro\n"), CONFIRM_PENDING);
	assert_int_equal(answer(CONFIRM_TARGET, "boardofone@prod \n"), CONFIRM_PENDING);
	assert_int_equal(answer(CONFIRM_TARGET, "BOARDOFONE@PROD\n"), CONFIRM_PENDING);
	assert_int_equal(answer(CONFIRM_TARGET, "y"), CONFIRM_PENDING);
	assert_int_equal(answer(CONFIRM_TARGET, "yes\n"), CONFIRM_PENDING);
}

static void confirm_is_no_by_default(void **state)
{
	(void)state;
	assert_int_equal(answer(CONFIRM_VERB, "\n"), CONFIRM_NO);
	assert_int_equal(answer(CONFIRM_TARGET, "\n"), CONFIRM_NO);
	assert_int_equal(answer(CONFIRM_TARGET, "boardofone@prod\033"), CONFIRM_NO);
	assert_int_equal(answer(CONFIRM_TARGET, "boardofone@prod\003"), CONFIRM_NO);
	assert_int_equal(answer(CONFIRM_TARGET, "b\b\n"), CONFIRM_NO);
}

static void confirm_without_a_word_is_never_yes(void **state)
{
	struct confirm_request request = { .level = CONFIRM_TARGET, .question = "Do it?" };
	struct confirm *confirm = confirm_new(&request);

	(void)state;
	assert_int_equal(confirm_key(confirm, KEY_CODE_ENTER), CONFIRM_NO);
	confirm_key(confirm, 'x');
	assert_int_equal(confirm_key(confirm, KEY_CODE_ENTER), CONFIRM_PENDING);
	confirm_free(confirm);
}

/* However long the statement is, all of it can be scrolled to, and no control gets through. */
static void confirm_shows_all_of_a_long_statement(void **state)
{
	struct confirm_request request = { .level = CONFIRM_Y, .question = "Do it?" };
	struct buf statement = BUF_INIT, dump = BUF_INIT;
	struct confirm *confirm;
	struct cells cells;
	int i;

	(void)state;
	for (i = 0; i < 60; i++)
		buf_printf(&statement, "-- line %d\033[2K\n", i);
	buf_add_str(&statement, "DROP TABLE the_last_line");
	request.statement = buf_str(&statement);
	confirm = confirm_new(&request);
	cells_init(&cells, 24, 80, false);
	confirm_draw(confirm, &cells, cells_whole(&cells));
	cells_dump(&cells, &dump);
	assert_null(strstr(buf_str(&dump), "the_last_line"));
	assert_non_null(strstr(buf_str(&dump), "-- line 0^[[2K"));
	assert_non_null(strstr(buf_str(&dump), "more rows"));
	for (i = 0; i < 10; i++)
		confirm_key(confirm, KEY_CODE_PAGE_DOWN);
	buf_clear(&dump);
	confirm_draw(confirm, &cells, cells_whole(&cells));
	cells_dump(&cells, &dump);
	assert_non_null(strstr(buf_str(&dump), "DROP TABLE the_last_line"));
	cells_fini(&cells);
	confirm_free(confirm);
	buf_fini(&dump);
	buf_fini(&statement);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(confirm_takes_y_only),
		cmocka_unit_test(confirm_takes_the_whole_word),
		cmocka_unit_test(confirm_is_no_by_default),
		cmocka_unit_test(confirm_without_a_word_is_never_yes),
		cmocka_unit_test(confirm_shows_all_of_a_long_statement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
