/*
 * Alembic's settings: where its revision files are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/migrations/settings.h>

static void expect(const char *text, const char *want)
{
	struct migration_settings settings;
	struct buf got = BUF_INIT;
	size_t i;

	migration_settings_init(&settings, text, strlen(text));
	buf_printf(&got, "%s%s%s:", settings.script_location,
		settings.recursive ? " recursive" : "", settings.sourceless ? " sourceless" : "");
	for (i = 0; i < settings.locations.n; i++)
		buf_printf(&got, " <%s>", settings.locations.items[i]);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
	migration_settings_fini(&settings);
}

static void settings_of_an_ini(void **state)
{
	(void)state;
	expect("", ":");
	expect("[alembic]\nscript_location = migrations\n[loggers]\nscript_location = other\n",
		"migrations:");
	expect("[alembic]\n# version_locations = no\nversion_locations = a/b c, d\n",
		": <a/b> <c> <d>");
	expect("[alembic]\nversion_locations = a b:c\nversion_path_separator = os  # as the "
	       "template\n",
		": <a b> <c>");
	expect("[alembic]\nversion_locations =\n  one two\n  three\npath_separator = newline\n",
		": <one two> <three>");
	expect("[alembic]\nversion_locations = a;b\nversion_path_separator: ;\n"
	       "recursive_version_locations = true\r\n",
		" recursive: <a> <b>");
	expect("[alembic]\nsourceless = true\n", " sourceless:");
	expect("[alembic]\nsourceless = false\n[x]\nsourceless = true\n", ":");
}

static void settings_of_a_pyproject(void **state)
{
	(void)state;
	expect("[tool.black]\nscript_location = \"no\"\n[tool.alembic]\nscript_location = "
	       "\"migrations\"\n"
	       "version_locations = [\n  \"a b\",  # first\n  'c',\n]\n"
	       "recursive_version_locations = true\n[tool.x]\n",
		"migrations recursive: <a b> <c>");
	expect("[tool.alembic]\nversion_locations = [\"open", ":");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_of_an_ini),
		cmocka_unit_test(settings_of_a_pyproject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
