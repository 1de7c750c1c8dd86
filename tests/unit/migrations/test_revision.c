/*
 * The reader of revision files, against tests/golden/migrations: each NAME.py there has a
 * NAME.expected that says what must be read from it. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/revision.h>

#define GOLDEN "tests/golden/migrations"

static void read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	char chunk[4096];
	size_t n;

	if (!file)
		fail_msg("cannot open %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, n);
	fclose(file);
}

/* One line per value: line feeds and other controls as Python would write them. */
static void add_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			buf_add_str(out, "\\n");
		else if ((unsigned char)*s < 0x20)
			buf_printf(out, "\\x%02x", (unsigned)*s);
		else
			buf_add_char(out, *s);
	}
}

static void add_value(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "%s:", key);
	if (*value) {
		buf_add_char(out, ' ');
		add_escaped(out, value);
	}
	buf_add_char(out, '\n');
}

static void add_list(struct buf *out, const char *key, const struct strlist *list)
{
	size_t i;

	buf_printf(out, "%s:", key);
	for (i = 0; i < list->n; i++) {
		buf_add_str(out, i ? " | " : " ");
		add_escaped(out, list->items[i]);
	}
	buf_add_char(out, '\n');
}

static void add_function(struct buf *out, const char *key, const struct migration_function *f)
{
	if (!f->present)
		buf_printf(out, "%s: absent\n", key);
	else
		buf_printf(out, "%s: lines %d-%d%s\n", key, f->line, f->last_line,
			f->empty ? ", empty" : "");
}

static void describe(struct buf *out, int status, const struct migration_revision *r,
	const struct migration_problems *problems)
{
	size_t i;

	if (status < 0) {
		buf_add_str(out, "no revision\n");
	} else {
		add_value(out, "id", r->id);
		add_list(out, "down", &r->down);
		add_list(out, "depends_on", &r->depends_on);
		add_list(out, "labels", &r->labels);
		add_value(out, "message", r->message);
		add_value(out, "created", r->created);
		buf_printf(out, "assigned: line %d, down_revision line %d%s\n", r->line,
			r->down_line, r->dynamic ? ", dynamic" : "");
		add_function(out, "upgrade", &r->upgrade);
		add_function(out, "downgrade", &r->downgrade);
	}
	for (i = 0; i < problems->n; i++)
		buf_printf(out, "problem: %s%s, line %d: %s\n", problems->items[i].code,
			problems->items[i].fatal ? " (fatal)" : "", problems->items[i].line,
			problems->items[i].text);
}

static void check_golden(const char *name)
{
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	struct migration_problems problems;
	struct migration_revision r;
	char *path = mem_printf(GOLDEN "/%s", name);
	char *expected = mem_printf("%.*s.expected", (int)(strlen(path) - 3), path);
	int status;

	read_file(path, &text);
	migration_problems_init(&problems);
	status = migration_revision_parse(path, buf_str(&text), text.len, &r, &problems);
	describe(&got, status, &r, &problems);
	if (getenv("PRINT_GOLDEN")) {
		FILE *file = fopen(expected, "w");
		fputs(buf_str(&got), file);
		fclose(file);
	}
	read_file(expected, &want);
	if (strcmp(buf_str(&got), buf_str(&want)) != 0)
		fail_msg("%s:\n--- got\n%s--- want\n%s", name, buf_str(&got), buf_str(&want));
	migration_problems_fini(&problems);
	migration_revision_fini(&r);
	buf_fini(&text);
	buf_fini(&want);
	buf_fini(&got);
	free(path);
	free(expected);
}

static int is_python(const struct dirent *entry)
{
	return migration_is_revision_file(entry->d_name);
}

static void revision_reads_every_golden_file(void **state)
{
	struct dirent **entries;
	int i, n = scandir(GOLDEN, &entries, is_python, alphasort);

	(void)state;
	assert_true(n > 40);
	for (i = 0; i < n; i++) {
		check_golden(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static void revision_file_names_are_alembics(void **state)
{
	(void)state;
	assert_true(migration_is_revision_file("622dbc22743e_add.py"));
	assert_true(migration_is_revision_file(".hidden.py"));
	assert_true(migration_is_revision_file("_x.py"));
	assert_true(migration_is_revision_file("__main__.py"));
	assert_true(migration_is_revision_file(".py"));
	assert_false(migration_is_revision_file("__init__.py"));
	assert_false(migration_is_revision_file("__init__old.py"));
	assert_false(migration_is_revision_file(".#622d.py"));
	assert_false(migration_is_revision_file("622d.pyc"));
	assert_false(migration_is_revision_file("622d.py.bak"));
	assert_false(migration_is_revision_file("README"));
}

static int parse_quietly(const char *text, size_t len, struct migration_revision *r)
{
	struct migration_problems problems;
	int status;

	migration_problems_init(&problems);
	status = migration_revision_parse("x.py", text, len, r, &problems);
	migration_problems_fini(&problems);
	return status;
}

/* A file must not be able to exhaust memory or stack, however it doubles and nests. */
static void revision_bounds_what_a_file_computes(void **state)
{
	struct buf text = BUF_INIT;
	struct migration_revision r;
	int i;

	(void)state;
	buf_add_str(&text, "a = 'x'\nt = ()\nf = 'y'\n");
	for (i = 0; i < 200; i++)
		buf_add_str(&text, "a = a + a\nt = (t, t)\nf = f'{f}{f}'\nt = t + t\n");
	for (i = 0; i < 100000; i++)
		buf_add_str(&text, "t = (t,)\n");
	buf_add_str(&text, "revision = 'bounded'\ndown_revision = a\ndepends_on = t\n");
	assert_int_equal(parse_quietly(text.data, text.len, &r), 0);
	assert_string_equal(r.id, "bounded");
	assert_true(r.dynamic);
	assert_int_equal(r.down.n, 0);
	migration_revision_fini(&r);
	buf_fini(&text);
}

static void revision_survives_deep_nesting(void **state)
{
	static const char *const openers[] = { "(", "[", "f'{", "f'''{", "f\"{x:{", "{1:", "x(" };
	struct buf text = BUF_INIT;
	struct migration_revision r;
	size_t k;
	int i;

	(void)state;
	for (k = 0; k < sizeof(openers) / sizeof(openers[0]); k++) {
		buf_clear(&text);
		buf_add_str(&text, "revision = 'deep'\ndown_revision = ");
		for (i = 0; i < 100000; i++)
			buf_add_str(&text, openers[k]);
		assert_int_equal(parse_quietly(text.data, text.len, &r), 0);
		assert_string_equal(r.id, "deep");
		migration_revision_fini(&r);
	}
	buf_fini(&text);
}

/* Long chains, sums, tuples and lines: nothing looks at the rest of the line for each of its parts. */
static void revision_is_linear(void **state)
{
	static const char *const parts[] = { "a=", "a,", "'a'+", "'a' ", "(", "a;", "f'{a}'",
		"a:=", "if a:", "x[" };
	struct buf text = BUF_INIT;
	struct migration_revision r;
	int64_t start = clock_monotonic();
	size_t k, i;

	(void)state;
	for (k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
		buf_clear(&text);
		for (i = 0; i < (2u << 20) / strlen(parts[k]); i++)
			buf_add_str(&text, parts[k]);
		buf_add_str(&text, "\nrevision = 'r'\n");
		if (parse_quietly(text.data, text.len, &r) == 0)
			migration_revision_fini(&r);
	}
	assert_true(clock_monotonic() - start < 60 * CLOCK_NS_PER_S);
	buf_fini(&text);
}

static void revision_refuses_a_huge_file(void **state)
{
	size_t len = 5 << 20;
	char *text = mem_alloc(len);
	struct migration_revision r;

	(void)state;
	memset(text, '\n', len);
	assert_int_equal(parse_quietly(text, len, &r), -1);
	free(text);
}

/* Every file cut off at every byte: nothing is read beyond the end (the sanitisers watch). */
static void revision_survives_every_cut(void **state)
{
	static const char *const names[] = { "prefixes.py", "f_strings.py", "function_bodies.py",
		"template_of_the_guide.py" };
	struct buf text = BUF_INIT;
	struct migration_revision r;
	size_t k, len;
	char *path, *cut;

	(void)state;
	for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		path = mem_printf(GOLDEN "/%s", names[k]);
		buf_clear(&text);
		read_file(path, &text);
		free(path);
		for (len = 0; len < text.len; len++) {
			cut = mem_alloc(len + 1);
			memcpy(cut, text.data, len);
			if (parse_quietly(cut, len, &r) == 0)
				migration_revision_fini(&r);
			free(cut);
		}
	}
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revision_reads_every_golden_file),
		cmocka_unit_test(revision_file_names_are_alembics),
		cmocka_unit_test(revision_bounds_what_a_file_computes),
		cmocka_unit_test(revision_survives_deep_nesting),
		cmocka_unit_test(revision_is_linear),
		cmocka_unit_test(revision_refuses_a_huge_file),
		cmocka_unit_test(revision_survives_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
