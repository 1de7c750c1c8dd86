/*
 * Words as a real shell reads them back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/host/quote.h>

#include "support.h"

static const char *const hostile[] = {
	"plain",
	"",
	" ",
	"it's",
	"'",
	"''",
	"\\",
	"\\'",
	"$(touch /tmp/x)",
	"`id`",
	"$HOME",
	"a;b",
	"a\nb",
	"trailing\n",
	"\"quoted\"",
	"*",
	"~",
	"~root",
	"-rf",
	"--flag=value with space",
	"A=b",
	"!history",
	"#comment",
	"a&b|c>d<e",
	"{a,b}",
	"[ab]",
	"\t\x01\x1b[31m",
	"\xff\xfe not utf8",
	"na\xc3\xafve",
	"%s%n",
	"=ls",
};

#define N_HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void quote_brings_every_word_through_a_shell(void **state)
{
	struct buf line = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	size_t i;

	(void)state;
	buf_add_str(&line, "printf '[%s]\\n'");
	for (i = 0; i < N_HOSTILE; i++) {
		host_command_add(&line, hostile[i]);
		buf_printf(&want, "[%s]\n", hostile[i]);
	}
	shell(buf_str(&line), &got);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	buf_fini(&line);
	buf_fini(&want);
	buf_fini(&got);
}

/* As the first word nothing may become an assignment, a builtin's option or an expansion. */
static void quote_makes_the_first_word_a_command(void **state)
{
	struct buf line = BUF_INIT, got = BUF_INIT;

	(void)state;
	host_command_add(&line, "PATH=/nowhere");
	buf_add_str(&line, " 2>/dev/null; echo $? ${PATH:+set}");
	shell(buf_str(&line), &got);
	assert_string_equal(buf_str(&got), "127 set\n");
	buf_fini(&line);
	buf_fini(&got);
}

static void quote_leaves_harmless_words_readable(void **state)
{
	struct buf line = BUF_INIT;

	(void)state;
	host_command_add_setting(&line, "  sudo \t docker  ");
	host_command_add_argv(
		&line, (const char *const[]){ "logs", "--since=30m", "a_b-1.2", NULL });
	assert_string_equal(buf_str(&line), "sudo docker logs --since=30m a_b-1.2");
	buf_fini(&line);
}

static void quote_quotes_the_words_of_a_setting(void **state)
{
	struct buf line = BUF_INIT;

	(void)state;
	host_command_add_setting(&line, "docker; rm -rf $HOME");
	assert_string_equal(buf_str(&line), "'docker;' rm -rf '$HOME'");
	buf_fini(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quote_brings_every_word_through_a_shell),
		cmocka_unit_test(quote_makes_the_first_word_a_command),
		cmocka_unit_test(quote_leaves_harmless_words_readable),
		cmocka_unit_test(quote_quotes_the_words_of_a_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
