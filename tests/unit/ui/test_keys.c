/*
 * The table of bindings: no key twice, movement keys only move, off means off.
 */
#include <pgoncall/ui/keys.h>

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void keys_bind_each_key_once_in_a_context(void **state)
{
	const struct key_binding *table;
	size_t n, i, j;

	(void)state;
	table = keys_table(&n);
	for (i = 0; i < n; i++) {
		assert_non_null(table[i].help);
		for (j = i + 1; j < n; j++) {
			if (table[i].context != table[j].context)
				continue;
			assert_int_not_equal(table[i].key, table[j].key);
			assert_true(!table[i].also || table[i].also != table[j].key);
			assert_true(!table[j].also || table[j].also != table[i].key);
		}
	}
}

static void keys_of_movement_only_move(void **state)
{
	static const uint32_t moving[] = { 'h', 'j', 'k', 'l', 'g', 'G', KEY_CTRL('D'),
		KEY_CTRL('U'), KEY_CODE_UP, KEY_CODE_DOWN, KEY_CODE_LEFT, KEY_CODE_RIGHT,
		KEY_CODE_HOME, KEY_CODE_END, KEY_CODE_PAGE_UP, KEY_CODE_PAGE_DOWN };
	enum key_command command;
	struct key_set all;
	size_t i;
	int context;

	(void)state;
	memset(&all, true, sizeof(all));
	for (context = 0; context < KEYS_N; context++) {
		for (i = 0; i < sizeof(moving) / sizeof(moving[0]); i++) {
			command = keys_find(&all, (enum key_context)context, moving[i]);
			assert_true(command >= CMD_UP && command <= CMD_PAGE_DOWN);
		}
	}
}

static void keys_that_are_off_do_nothing(void **state)
{
	struct key_set set;

	(void)state;
	keys_set_init(&set);
	assert_int_equal(keys_find(&set, KEYS_ACTIVITY, 'K'), CMD_NONE);
	assert_int_equal(keys_find(&set, KEYS_ACTIVITY, 't'), CMD_TREE);
	assert_int_equal(keys_find(&set, KEYS_LOGS, 't'), CMD_TIMESTAMPS);
	assert_int_equal(keys_find(&set, KEYS_REVISIONS, 't'), CMD_NONE);
	assert_int_equal(keys_find(&set, KEYS_LOGS, KEY_CODE_F1), CMD_HELP);
	set.on[CMD_TERMINATE] = true;
	assert_int_equal(keys_find(&set, KEYS_ACTIVITY, 'K'), CMD_TERMINATE);
	assert_int_equal(keys_find(&set, KEYS_LOGS, 'K'), CMD_NONE);
}

static void keys_have_names(void **state)
{
	char name[24];

	(void)state;
	assert_string_equal(keys_name(KEY_CTRL('D'), name, sizeof(name)), "Ctrl-D");
	assert_string_equal(keys_name(KEY_CODE_ENTER, name, sizeof(name)), "Enter");
	assert_string_equal(keys_name('&', name, sizeof(name)), "&");
	assert_string_equal(keys_name(KEY_CODE_BACKTAB, name, sizeof(name)), "Shift-Tab");
}

static void keys_print_as_mdoc(void **state)
{
	struct key_set set;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	keys_set_init(&set);
	keys_print_mdoc(out, &set);
	fclose(out);
	assert_non_null(strstr(text, ".Ss Everywhere\n"));
	assert_non_null(strstr(text, ".It \\&?, F1\nshow this help.\n"));
	assert_null(strstr(text, "terminate"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_bind_each_key_once_in_a_context),
		cmocka_unit_test(keys_of_movement_only_move),
		cmocka_unit_test(keys_that_are_off_do_nothing),
		cmocka_unit_test(keys_have_names),
		cmocka_unit_test(keys_print_as_mdoc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
