/*
 * The report of an incident, as a person reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/journal/report.h>

static const int64_t ten_o_clock = INT64_C(1737972000) * 1000000000;

static const struct journal_meta meta = {
	.incident = "20250127T100000Z-prod-3fa9",
	.user = "ada@desk",
	.target = "prod",
	.host = "deploy@server",
	.database = "boardofone",
	.role = "bo1",
};

/* A log of these entries, one second apart, without a file. */
static void make_log(struct journal_log *log, const struct journal_entry *entries, size_t n)
{
	struct buf line = BUF_INIT;
	size_t i;

	memset(log, 0, sizeof(*log));
	memset(log->head, '0', JOURNAL_HASH_HEX);
	log->records = calloc(n, sizeof(*log->records));
	for (i = 0; i < n; i++) {
		buf_clear(&line);
		journal_record_write(&entries[i], &meta, (int64_t)i + 1,
			ten_o_clock + (int64_t)i * 1000000000, log->head, &line, log->head);
		assert_int_equal(
			journal_record_read(line.data, line.len, &log->records[i], NULL), 0);
		log->n++;
	}
	buf_fini(&line);
}

static void report_tells_the_timeline(void **state)
{
	const struct journal_var vars[] = { { "pid", "8123" } };
	struct journal_entry entries[6] = { JOURNAL_ENTRY_INIT, JOURNAL_ENTRY_INIT,
		JOURNAL_ENTRY_INIT, JOURNAL_ENTRY_INIT, JOURNAL_ENTRY_INIT, JOURNAL_ENTRY_INIT };
	struct buf got = BUF_INIT, want = BUF_INIT;
	struct journal_log log;

	(void)state;
	entries[0].event = JOURNAL_ARM;
	entries[0].duration_ms = 600000;
	entries[0].text = "deploy is stuck";
	entries[1].event = JOURNAL_INTENT;
	entries[1].runbook = "stuck-migration";
	entries[1].step = "terminate";
	entries[1].command = "SELECT pg_terminate_backend(8123)";
	entries[1].confirm = "target: boardofone@prod";
	entries[1].vars = vars;
	entries[1].n_vars = 1;
	entries[2].event = JOURNAL_RESULT;
	entries[2].intent = 2;
	entries[2].exit = 0;
	entries[2].rows = 1;
	entries[2].duration_ms = 210;
	entries[3].event = JOURNAL_INTENT;
	entries[3].command = "docker exec api alembic upgrade x";
	entries[4].event = JOURNAL_UNKNOWN;
	entries[4].intent = 4;
	entries[4].text = "the link to server was lost";
	entries[5].event = JOURNAL_NOTE;
	entries[5].text = "owner <told> by *phone*";
	make_log(&log, entries, 6);
	journal_report(&log, &got);
	buf_printf(&want,
		"# Incident 20250127T100000Z-prod-3fa9\n"
		"\n"
		"- Target: prod\n"
		"- Host: deploy@server\n"
		"- Database: boardofone\n"
		"- Role: bo1\n"
		"- Operator: ada@desk\n"
		"- Writes: 2, of unknown result: 1\n"
		"- Records: 6\n"
		"- The chain of hashes holds; its end is `%s`\n"
		"\n"
		"## Timeline (UTC)\n"
		"\n"
		"**2025-01-27 10:00:00Z** Writes allowed for 10 min: deploy is stuck\n"
		"\n"
		"**2025-01-27 10:00:01Z** Write 2, runbook stuck-migration, step terminate: done, "
		"exit 0, 1 row, 210 ms\n"
		"\n"
		"Confirmed with target: boardofone@prod\n"
		"\n"
		"Variables \\{\"pid\":\"8123\"\\}\n"
		"\n"
		"```\n"
		"SELECT pg_terminate_backend(8123)\n"
		"```\n"
		"\n"
		"**2025-01-27 10:00:03Z** Write 4: **result unknown**, the connection was lost; "
		"the "
		"link to server was lost\n"
		"\n"
		"```\n"
		"docker exec api alembic upgrade x\n"
		"```\n"
		"\n"
		"**2025-01-27 10:00:05Z** Note: owner \\<told\\> by \\*phone\\*\n"
		"\n"
		"## Writes of unknown result\n"
		"\n"
		"- Write 4 at 2025-01-27 10:00:03Z: look whether it was done; it was not "
		"repeated.\n"
		"\n"
		"The hashes make a change to the journal evident, not impossible: compare the end "
		"of "
		"the chain with a copy kept elsewhere.\n",
		log.head);
	assert_string_equal(buf_str(&got), buf_str(&want));
	journal_log_fini(&log);
	buf_fini(&got);
	buf_fini(&want);
}

/* No text of the journal breaks out of its place. */
static void report_contains_hostile_text(void **state)
{
	struct journal_entry entries[2] = { JOURNAL_ENTRY_INIT, JOURNAL_ENTRY_INIT };
	struct buf got = BUF_INIT;
	struct journal_log log;

	(void)state;
	entries[0].event = JOURNAL_NOTE;
	entries[0].text = "x\n# Heading\n<script>alert(1)</script>\x1b[2J";
	entries[1].event = JOURNAL_INTENT;
	entries[1].command = "SELECT 1\n````\n# not a heading\x1b[2J";
	make_log(&log, entries, 2);
	journal_report(&log, &got);
	assert_null(strstr(buf_str(&got), "\n# Heading"));
	assert_null(strstr(buf_str(&got), "<script>"));
	assert_null(strchr(buf_str(&got), 0x1b));
	assert_non_null(
		strstr(buf_str(&got), "\n`````\nSELECT 1\n````\n# not a heading^[[2J\n`````\n"));
	journal_log_fini(&log);
	buf_fini(&got);
}

static void report_of_an_empty_or_broken_log_says_so(void **state)
{
	struct journal_log log;
	struct buf got = BUF_INIT;

	(void)state;
	make_log(&log, NULL, 0);
	log.broken_line = 3;
	err_set(&log.broken, ERR_PARSE, "x.jsonl:3: the record was changed");
	journal_report(&log, &got);
	assert_non_null(strstr(buf_str(&got), "broken"));
	assert_non_null(strstr(buf_str(&got), "x.jsonl:3: the record was changed"));
	journal_log_fini(&log);
	buf_fini(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_tells_the_timeline),
		cmocka_unit_test(report_contains_hostile_text),
		cmocka_unit_test(report_of_an_empty_or_broken_log_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
