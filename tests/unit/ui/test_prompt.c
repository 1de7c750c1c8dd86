/*
 * The line editor: typing, editing, history, completion, cancelling, and that it leaves nothing
 * behind.
 */
#include <pgoncall/ui/prompt.h>

#include <dirent.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/keys.h>

static void offer(void *arg, const char *line, struct strlist *words)
{
	static const char *const all[] = { "target", "tables", "terminate", "logs" };
	size_t i;

	(void)line;
	++*(int *)arg;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		strlist_add(words, all[i]);
}

static struct prompt *prompt_make(const char *history, const char *editrc, int *asked)
{
	struct prompt_options options = { .history_path = history,
		.editrc = editrc ? editrc : "/dev/null",
		.complete = asked ? offer : NULL,
		.arg = asked };
	struct prompt *prompt;
	struct err err = { 0 };

	if (prompt_new(&prompt, &options, &err) < 0)
		fail_msg("%s", err.text);
	return prompt;
}

/* Types UTF-8; '\n' is Enter. Returns the last status. */
static enum prompt_status type(struct prompt *prompt, const char *text)
{
	enum prompt_status status = PROMPT_EDITING;
	uint32_t key;
	size_t len;

	for (; *text; text += len) {
		len = utf8_decode(text, strlen(text), &key);
		status = prompt_feed(prompt, key == '\n' ? KEY_CODE_ENTER : key);
	}
	return status;
}

static void feed_all(struct prompt *prompt, const uint32_t *keys, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		assert_int_equal(prompt_feed(prompt, keys[i]), PROMPT_EDITING);
}

static void expect_drawn(struct prompt *prompt, int rows, int cols, const char *text)
{
	struct buf dump = BUF_INIT;
	struct cells cells;

	cells_init(&cells, rows, cols, false);
	prompt_draw(prompt, &cells, cells_whole(&cells));
	cells_dump(&cells, &dump);
	assert_string_equal(buf_str(&dump), text);
	assert_int_equal(cells.cursor_row, rows - 1);
	assert_in_range(cells.cursor_col, 0, cols - 1);
	buf_fini(&dump);
	cells_fini(&cells);
}

static void prompt_edits_a_line(void **state)
{
	static const uint32_t keys[] = { KEY_CODE_HOME, 'X', KEY_CODE_RIGHT, 'Y', KEY_CODE_END,
		KEY_CODE_BACKSPACE, KEY_CODE_LEFT, KEY_CODE_DELETE, KEY_CODE_META | 'b', '!' };
	struct prompt *prompt = prompt_make(NULL, NULL, NULL);

	(void)state;
	prompt_open(prompt, PROMPT_COMMAND, ":");
	assert_int_equal(type(prompt, "abc defg"), PROMPT_EDITING);
	assert_string_equal(prompt_line(prompt), "abc defg");
	feed_all(prompt, keys, sizeof(keys) / sizeof(keys[0]));
	expect_drawn(prompt, 1, 20, ":XaYbc !de\n");
	assert_int_equal(type(prompt, "\n"), PROMPT_DONE);
	assert_string_equal(prompt_line(prompt), "XaYbc !de");
	prompt_free(prompt);
}

static void prompt_takes_wide_characters_and_scrolls(void **state)
{
	struct prompt *prompt = prompt_make(NULL, NULL, NULL);

	(void)state;
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, "é日本");
	expect_drawn(prompt, 1, 10, ":é日本\n");
	type(prompt, "0123456789");
	expect_drawn(prompt, 1, 10, ":…3456789\n");
	assert_int_equal(type(prompt, "\n"), PROMPT_DONE);
	assert_string_equal(prompt_line(prompt), "é日本0123456789");
	prompt_free(prompt);
}

static void prompt_cancels(void **state)
{
	static const uint32_t cancelling[] = { KEY_CODE_ESC, KEY_CTRL('C') };
	struct prompt *prompt = prompt_make(NULL, NULL, NULL);
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		prompt_open(prompt, PROMPT_COMMAND, ":");
		type(prompt, "quit");
		assert_int_equal(prompt_feed(prompt, cancelling[i]), PROMPT_CANCELLED);
		assert_string_equal(prompt_line(prompt), "");
	}
	prompt_open(prompt, PROMPT_COMMAND, ":");
	assert_int_equal(prompt_feed(prompt, KEY_CTRL('D')), PROMPT_CANCELLED);
	prompt_open(prompt, PROMPT_COMMAND, ":");
	assert_int_equal(prompt_feed(prompt, KEY_CODE_BACKSPACE), PROMPT_CANCELLED);
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, "half a li");
	prompt_open(prompt, PROMPT_COMMAND, ":");
	assert_string_equal(prompt_line(prompt), "");
	type(prompt, "left open");
	prompt_free(prompt);
}

static void prompt_completes(void **state)
{
	int asked = 0;
	struct prompt *prompt = prompt_make(NULL, NULL, &asked);

	(void)state;
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, "t\t");
	assert_int_equal(asked, 1);
	assert_int_equal(prompt_rows(prompt), 2);
	expect_drawn(prompt, 2, 40, " target  tables  terminate\n:t\n");
	type(prompt, "e\t");
	expect_drawn(prompt, 1, 40, ":terminate\n");
	assert_int_equal(prompt_rows(prompt), 1);
	type(prompt, "lo\t");
	assert_int_equal(type(prompt, "\n"), PROMPT_DONE);
	assert_string_equal(prompt_line(prompt), "terminate logs ");
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, "x\t");
	assert_string_equal(prompt_line(prompt), "x");
	prompt_free(prompt);
}

static void prompt_keeps_history_across_runs(void **state)
{
	char dir[] = "/tmp/prompt-XXXXXX", *made, *path;
	struct prompt *prompt;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	made = mem_printf("%s/state", dir);
	path = mem_printf("%s/history", made);
	prompt = prompt_make(path, NULL, NULL);
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, "first\n");
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, " not kept\n");
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, "zweite é\n");
	prompt_free(prompt);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	prompt = prompt_make(path, NULL, NULL);
	prompt_open(prompt, PROMPT_COMMAND, ":");
	prompt_feed(prompt, KEY_CODE_UP);
	assert_string_equal(prompt_line(prompt), "zweite é");
	prompt_feed(prompt, KEY_CODE_UP);
	assert_string_equal(prompt_line(prompt), "first");
	prompt_open(prompt, PROMPT_SEARCH, "/");
	prompt_feed(prompt, KEY_CODE_UP);
	assert_string_equal(prompt_line(prompt), "");
	type(prompt, "sought\n");
	prompt_open(prompt, PROMPT_COMMAND, ":");
	prompt_feed(prompt, KEY_CODE_UP);
	assert_string_equal(prompt_line(prompt), "zweite é");
	prompt_feed(prompt, KEY_CTRL('U'));
	prompt_feed(prompt, KEY_CTRL('R'));
	type(prompt, "fir\n");
	assert_string_equal(prompt_line(prompt), "first");
	prompt_free(prompt);
	unlink(path);
	rmdir(made);
	rmdir(dir);
	free(path);
	free(made);
}

static void prompt_follows_editrc(void **state)
{
	char path[] = "/tmp/editrc-XXXXXX";
	int fd = mkstemp(path);
	struct prompt *prompt;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "bind -v\n", 8), 8);
	close(fd);
	prompt = prompt_make(NULL, path, NULL);
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, "abc def");
	assert_int_equal(prompt_feed(prompt, KEY_CODE_ESC), PROMPT_EDITING);
	type(prompt, "0dwA!");
	assert_string_equal(prompt_line(prompt), "def!");
	assert_int_equal(prompt_feed(prompt, KEY_CODE_ESC), PROMPT_EDITING);
	assert_int_equal(prompt_feed(prompt, KEY_CODE_ESC), PROMPT_CANCELLED);
	prompt_open(prompt, PROMPT_COMMAND, ":");
	type(prompt, "up");
	prompt_feed(prompt, KEY_CODE_HOME);
	type(prompt, "X\n");
	assert_string_equal(prompt_line(prompt), "Xup");
	prompt_free(prompt);
	unlink(path);
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void prompt_leaves_no_descriptors(void **state)
{
	int before = count_descriptors(), i;
	struct prompt *prompt;

	(void)state;
	for (i = 0; i < 5; i++) {
		prompt = prompt_make(NULL, NULL, NULL);
		if (i % 2) {
			prompt_open(prompt, PROMPT_SEARCH, "/");
			type(prompt, "x");
		}
		prompt_free(prompt);
	}
	assert_int_equal(count_descriptors(), before);
}

static void prompt_insert_leaves_controls_out(void **state)
{
	struct prompt *prompt = prompt_make(NULL, NULL, NULL);

	(void)state;
	prompt_open(prompt, PROMPT_COMMAND, ":");
	prompt_insert(prompt, "a\n\033[Ab\x03"
			      "c");
	assert_string_equal(prompt_line(prompt), "a[Abc");
	prompt_free(prompt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prompt_edits_a_line),
		cmocka_unit_test(prompt_takes_wide_characters_and_scrolls),
		cmocka_unit_test(prompt_cancels),
		cmocka_unit_test(prompt_completes),
		cmocka_unit_test(prompt_keeps_history_across_runs),
		cmocka_unit_test(prompt_follows_editrc),
		cmocka_unit_test(prompt_leaves_no_descriptors),
		cmocka_unit_test(prompt_insert_leaves_controls_out),
	};

	setlocale(LC_ALL, "C.UTF-8");
	setenv("TERM", "dumb", 1); /* libtinfo leaks a string for each description it fixes up */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
