/*
 * Reading what a server says before it authenticates anybody: its lists of algorithms, and its
 * refusals. Both come from outside: cut short or nonsense, they are nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/ssh/memory.h>
#include <pgoncall/ssh/negotiate.h>
#include <pgoncall/ssh/wire.h>

static void make_hello(struct buf *out, const char *before)
{
	static const char *const lists[] = { "curve25519-sha256", "ssh-ed25519,rsa-sha2-256",
		"aes256-ctr", "aes256-ctr", "hmac-sha2-256-etm@openssh.com",
		"hmac-sha2-256-etm@openssh.com", "none", "none", "", "" };
	size_t i;

	buf_add_str(out, before);
	buf_add_str(out, "SSH-2.0-OpenSSH_9.2p1\r\n");
	wire_add_u32(out, 300);
	buf_add_char(out, 8);
	buf_add_char(out, 20);
	for (i = 0; i < 16; i++)
		buf_add_char(out, (char)i);
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		wire_add_string(out, lists[i], strlen(lists[i]));
}

static void free_lists(char *lists[NEGOTIATE_COUNT])
{
	size_t i;

	for (i = 0; i < NEGOTIATE_COUNT; i++)
		free(lists[i]);
}

static void negotiate_reads_a_hello(void **state)
{
	static const char *const before[] = { "", "Welcome\r\n", "SSH\nno SSH- here\n" };
	struct buf hello = BUF_INIT;
	char *lists[NEGOTIATE_COUNT];
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		buf_clear(&hello);
		make_hello(&hello, before[i]);
		assert_int_equal(negotiate_parse_hello(hello.data, hello.len, lists), 0);
		assert_string_equal(lists[NEGOTIATE_KEX], "curve25519-sha256");
		assert_string_equal(lists[NEGOTIATE_HOSTKEY], "ssh-ed25519,rsa-sha2-256");
		assert_string_equal(lists[NEGOTIATE_MAC], "hmac-sha2-256-etm@openssh.com");
		free_lists(lists);
	}
	buf_fini(&hello);
}

static void negotiate_survives_what_is_cut_short(void **state)
{
	struct buf hello = BUF_INIT;
	char *lists[NEGOTIATE_COUNT];
	size_t i;

	(void)state;
	make_hello(&hello, "Hi\n");
	for (i = 0; i < 120; i++) {
		char *cut = malloc(i ? i : 1); /* its own size, for the sanitiser */

		memcpy(cut, hello.data, i);
		assert_int_equal(negotiate_parse_hello(cut, i, lists), -1);
		free(cut);
	}
	hello.data[hello.len - 1] = '\n';
	memset(hello.data, 'S', 10);
	assert_int_equal(negotiate_parse_hello("SSH-2.0-x", 9, lists), -1);
	buf_fini(&hello);
}

static void negotiate_finds_what_is_common(void **state)
{
	static const char *const names[] = { "a", "bb", "c@d" };
	static const struct {
		const char *wanted, *common;
	} cases[] = {
		{ NULL, "a,bb,c@d" },
		{ "c@d,a", "c@d,a" },
		{ "b,bbb,aa", "" },
		{ "", "" },
		{ ",bb,,", "bb" },
	};
	char *common;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		common = negotiate_common(cases[i].wanted, names, 3);
		assert_string_equal(common, cases[i].common);
		free(common);
	}
}

static void make_refusal(struct buf *out, const char *methods, char partial)
{
	buf_clear(out);
	buf_add_char(out, 51);
	wire_add_string(out, methods, strlen(methods));
	buf_add_char(out, partial);
}

static void memory_reads_refusals(void **state)
{
	struct ssh_memory memory = { false, false, false, "" };
	struct buf packet = BUF_INIT;

	(void)state;
	make_refusal(&packet, "publickey,password", 0);
	memory_read_refusal(&memory, packet.data, packet.len);
	assert_true(memory.refused);
	assert_false(memory.partial);
	assert_string_equal(memory.methods, "publickey,password");
	make_refusal(&packet, "keyboard-interactive", 1);
	memory_read_refusal(&memory, packet.data, packet.len);
	assert_true(memory.partial);
	assert_string_equal(memory.methods, "keyboard-interactive");
	buf_fini(&packet);
}

static void memory_takes_nothing_else_for_one(void **state)
{
	struct ssh_memory memory = { false, false, false, "" };
	struct buf packet = BUF_INIT;
	size_t i;

	(void)state;
	make_refusal(&packet, "publickey", 0);
	for (i = 0; i < packet.len; i++)
		memory_read_refusal(&memory, packet.data, i);
	make_refusal(&packet, "publickey", 2);
	memory_read_refusal(&memory, packet.data, packet.len);
	make_refusal(&packet, "public\033key", 0);
	memory_read_refusal(&memory, packet.data, packet.len);
	packet.data[0] = 52;
	memory_read_refusal(&memory, packet.data, packet.len);
	buf_clear(&packet);
	buf_add_char(&packet, 51);
	wire_add_u32(&packet, 0xffffffff);
	buf_add_str(&packet, "publickey");
	memory_read_refusal(&memory, packet.data, packet.len);
	assert_false(memory.refused);
	buf_fini(&packet);
}

/* Guarded, a block that grows is moved by hand, so that the old one can be wiped. */
static void memory_keeps_what_grows(void **state)
{
	struct ssh_memory memory = { true, false, false, "" };
	void *abstract = &memory;
	char *bytes = memory_alloc(24, &abstract), *more;

	(void)state;
	memcpy(bytes, "secret secret secret 12", 24);
	more = memory_realloc(bytes, 4096, &abstract);
	assert_memory_equal(more, "secret secret secret 12", 24);
	memory_free(more, &abstract);
	memory_free(NULL, &abstract);
	memory.guarded = false;
	bytes = memory_realloc(NULL, 16, &abstract);
	assert_non_null(bytes);
	memory_free(bytes, &abstract);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(negotiate_reads_a_hello),
		cmocka_unit_test(negotiate_survives_what_is_cut_short),
		cmocka_unit_test(negotiate_finds_what_is_common),
		cmocka_unit_test(memory_reads_refusals),
		cmocka_unit_test(memory_takes_nothing_else_for_one),
		cmocka_unit_test(memory_keeps_what_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
