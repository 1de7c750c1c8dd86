/*
 * Lines of the journal: their form, their hash, and reading them back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support.h"

static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
static const int64_t moment = INT64_C(1737972000123) * 1000000;

static void record_has_every_field_in_one_order(void **state)
{
	const struct journal_var vars[] = { { "pid", "8123" }, { "db_password", "hunter2" } };
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct journal_meta meta = meta_prod;
	char hash[JOURNAL_HASH_HEX + 1];
	struct buf line = BUF_INIT, want = BUF_INIT;

	(void)state;
	meta.incident = "i-1";
	entry.event = JOURNAL_INTENT;
	entry.runbook = "stuck-migration";
	entry.step = "terminate";
	entry.command = "SELECT \"a\"\n\xff\xe2\x82\xac";
	entry.vars = vars;
	entry.n_vars = 2;
	entry.confirm = "target: boardofone@prod";
	journal_record_write(&entry, &meta, 7, moment, zeros, &line, hash);
	buf_printf(&want,
		"{\"v\":1,\"seq\":7,\"ts\":\"2025-01-27T10:00:00.123Z\",\"event\":\"intent\","
		"\"intent\":null,\"incident\":\"i-1\",\"user\":\"ada@desk\",\"target\":\"prod\","
		"\"host\":\"deploy@server\",\"host_key\":\"SHA256:abc\",\"database\":"
		"\"boardofone\","
		"\"role\":\"bo1\",\"runbook\":\"stuck-migration\",\"step\":\"terminate\","
		"\"command\":\"SELECT \\\"a\\\"\\n<FF>\\u20AC\","
		"\"vars\":{\"pid\":\"8123\",\"db_password\":\"***\"},"
		"\"confirm\":\"target: boardofone@prod\",\"exit\":null,\"rows\":null,"
		"\"duration_ms\":null,\"output_sha256\":null,\"text\":null,\"prev\":\"%s\","
		"\"hash\":\"%s\"}",
		zeros, hash);
	assert_string_equal(buf_str(&line), buf_str(&want));
	buf_fini(&line);
	buf_fini(&want);
}

/* What the header promises: sed and sha256sum suffice. */
static void record_hash_can_be_checked_by_hand(void **state)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	char hash[JOURNAL_HASH_HEX + 1], got[JOURNAL_HASH_HEX + 1] = "";
	struct buf line = BUF_INIT;
	char *directory = make_directory(), *path, *command;
	FILE *pipe;

	(void)state;
	entry.command = "echo 'it''s'";
	journal_record_write(&entry, &meta_prod, 1, moment, zeros, &line, hash);
	buf_add_char(&line, '\n');
	path = mem_printf(
		"%.*s/line", (int)(strlen(directory) - strlen("/state/journal")), directory);
	write_file(path, line.data, line.len);
	command = mem_printf(
		"sed 's/,\"hash\":\"[0-9a-f]*\"}$/}/' '%s' | tr -d '\\n' | sha256sum", path);
	pipe = popen(command, "r");
	assert_int_equal(fread(got, 1, JOURNAL_HASH_HEX, pipe), JOURNAL_HASH_HEX);
	pclose(pipe);
	assert_string_equal(got, hash);
	free(command);
	free(path);
	buf_fini(&line);
	remove_directory(directory);
}

static void record_reads_back_what_was_written(void **state)
{
	const struct journal_var vars[] = { { "rev", "622dbc22743e" } };
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct journal_record record;
	char hash[JOURNAL_HASH_HEX + 1];
	struct buf line = BUF_INIT;

	(void)state;
	entry.event = JOURNAL_RESULT;
	entry.intent = 3;
	entry.vars = vars;
	entry.n_vars = 1;
	entry.exit = 0;
	entry.rows = 12;
	entry.duration_ms = 210;
	entry.text = "line\none \x1b[31m";
	journal_record_write(&entry, &meta_prod, 4, moment, zeros, &line, hash);
	assert_null(memchr(line.data, 0x1b, line.len));
	assert_int_equal(journal_record_read(line.data, line.len, &record, NULL), 0);
	assert_int_equal(record.event, JOURNAL_RESULT);
	assert_int_equal(record.seq, 4);
	assert_int_equal(record.intent, 3);
	assert_int_equal(record.exit, 0);
	assert_int_equal(record.rows, 12);
	assert_int_equal(record.duration_ms, 210);
	assert_string_equal(record.ts, "2025-01-27T10:00:00.123Z");
	assert_string_equal(record.text, "line\none \x1b[31m");
	assert_string_equal(record.vars, "{\"rev\":\"622dbc22743e\"}");
	assert_string_equal(record.hash, hash);
	assert_string_equal(record.prev, zeros);
	assert_null(record.command);
	assert_null(record.incident);
	journal_record_fini(&record);
	buf_fini(&line);
}

/* Every single changed byte is noticed. */
static void record_notices_every_changed_byte(void **state)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct journal_record record;
	char hash[JOURNAL_HASH_HEX + 1];
	struct buf line = BUF_INIT;
	size_t i;

	(void)state;
	entry.command = "SELECT 1";
	journal_record_write(&entry, &meta_prod, 1, moment, zeros, &line, hash);
	for (i = 0; i < line.len; i++) {
		line.data[i] ^= 1;
		assert_true(journal_record_read(line.data, line.len, &record, NULL) < 0);
		line.data[i] ^= 1;
	}
	for (i = 0; i < line.len; i++)
		assert_true(journal_record_read(line.data, i, &record, NULL) == -2);
	assert_int_equal(journal_record_read(line.data, line.len, &record, NULL), 0);
	journal_record_fini(&record);
	buf_fini(&line);
}

static void record_refuses_what_is_no_record(void **state)
{
	static const char *const bad[] = { "{}", "{\"v\":2}", "{\"v\":1}",
		"{\"v\":1,\"prev\":\"x\",\"hash\":\"y\"}", "{\"v\":1,\"v\":1}" };
	struct journal_record record;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(journal_record_read(bad[i], strlen(bad[i]), &record, &err) < 0);
	assert_int_equal(journal_record_read("[]", 2, &record, &err), -2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_has_every_field_in_one_order),
		cmocka_unit_test(record_hash_can_be_checked_by_hand),
		cmocka_unit_test(record_reads_back_what_was_written),
		cmocka_unit_test(record_notices_every_changed_byte),
		cmocka_unit_test(record_refuses_what_is_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
