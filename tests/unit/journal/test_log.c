/*
 * Every way to tamper with a file that its chain must show, by line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/journal/log.h>

#include "support.h"

struct tampering {
	const char *script;
	const char *expect; /* part of the sentence; NULL: the chain holds */
};

static const struct tampering tamperings[] = {
	{ "true", NULL },
	{ "sed -i '3s/three/THREE/' \"$1\"", "i.jsonl:3: the record was changed" },
	{ "sed -i '1s/one/two/' \"$1\"", "i.jsonl:1: the record was changed" },
	{ "sed -i 2d \"$1\"", "i.jsonl:2: record 3 stands where record 2 should" },
	{ "sed -i 1d \"$1\"", "i.jsonl:1: record 2 stands where record 1 should" },
	{ "sed -i '2{h;d};3G' \"$1\"", "i.jsonl:2: record 3 stands where record 2 should" },
	{ "sed -i 2p \"$1\"", "i.jsonl:3: record 2 stands where record 3 should" },
	{ "sed -i '3s/^.*$/{/' \"$1\"", "i.jsonl:4: record 4 stands where record 3 should" },
	{ "sed -i 's/\"v\":1/\"v\": 1/' \"$1\"", "i.jsonl:1: the record was changed" },
	{ "sed -i '2s/ada/eve/' \"$1\"", "i.jsonl:2: the record was changed" },
	{ "sed -i '4s/\"hash\":\"./\"hash\":\"/' \"$1\"",
		"i.jsonl:4: the record has no prev or hash" },
	{ "echo '{\"v\":1}' >>\"$1\"", "i.jsonl:6: the record has no prev or hash" },
	/* a changed line given its right hash again: its follower knows better */
	{ "l=$(sed -n '2s/two/TWO/;2s/,\"hash\":\"[0-9a-f]*\"}$/}/p' \"$1\");"
	  "h=$(printf %s \"$l\" | sha256sum | cut -d' ' -f1);"
	  "printf '%s' \"${l%?},\\\"hash\\\":\\\"$h\\\"}\" >\"$1.l\"; echo >>\"$1.l\";"
	  "sed -i -e \"2r $1.l\" -e 2d \"$1\"; rm \"$1.l\"",
		"i.jsonl:3: the record does not follow the one before it" },
	/* no break: torn lines, and what the chain cannot show */
	{ "sed -i '$s/.\\{30\\}$//' \"$1\"", NULL },
	{ "sed -i '$d' \"$1\"", NULL },
	{ "printf '{\"v\":1,\"se' >>\"$1\"", NULL },
	{ ": >\"$1\"", NULL },
};

static void tampered(const struct tampering *tampering)
{
	char *directory = make_directory();
	struct journal *journal = open_journal(directory, "i");
	char *path = mem_strdup(journal_path(journal));
	struct err err = { .text = "" };
	int rc;

	put(journal, JOURNAL_NOTE, 0, NULL, "one");
	put(journal, JOURNAL_NOTE, 0, NULL, "two");
	put(journal, JOURNAL_NOTE, 0, NULL, "three");
	put(journal, JOURNAL_NOTE, 0, NULL, "four");
	put(journal, JOURNAL_NOTE, 0, NULL, "five");
	journal_close(journal);
	damage(path, tampering->script);
	rc = journal_verify(path, NULL, &err);
	if (!tampering->expect)
		assert_int_equal(rc, 0);
	else if (rc == 0 || !strstr(err.text, tampering->expect))
		fail_msg("%s: \"%s\" lacks \"%s\"", tampering->script, err.text, tampering->expect);
	free(path);
	remove_directory(directory);
}

static void log_shows_every_tampering_by_line(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(tamperings) / sizeof(tamperings[0]); i++)
		tampered(&tamperings[i]);
}

/* What comes before the break is still to be read. */
static void log_keeps_what_is_before_the_break(void **state)
{
	char *directory = make_directory();
	struct journal *journal = open_journal(directory, "i");
	char *path = mem_strdup(journal_path(journal));
	struct journal_log log;

	(void)state;
	put(journal, JOURNAL_NOTE, 0, NULL, "one");
	put(journal, JOURNAL_NOTE, 0, NULL, "two");
	put(journal, JOURNAL_NOTE, 0, NULL, "three");
	journal_close(journal);
	damage(path, "sed -i '3s/three/3/' \"$1\"");
	assert_int_equal(journal_load(path, &log, NULL), 0);
	assert_int_equal(log.n, 2);
	assert_int_equal(log.broken_line, 3);
	assert_string_equal(log.records[1].text, "two");
	assert_null(journal_log_find(&log, 0));
	assert_null(journal_log_find(&log, 3));
	assert_ptr_equal(journal_log_find(&log, 2), &log.records[1]);
	journal_log_fini(&log);
	free(path);
	remove_directory(directory);
}

static void log_knows_what_is_pending(void **state)
{
	char *directory = make_directory();
	struct journal *journal = open_journal(directory, "i");
	struct journal_log log;
	bool lost;

	(void)state;
	put(journal, JOURNAL_INTENT, 0, "done", NULL);
	put(journal, JOURNAL_RESULT, 1, NULL, NULL);
	put(journal, JOURNAL_INTENT, 0, "lost", NULL);
	put(journal, JOURNAL_UNKNOWN, 3, NULL, NULL);
	put(journal, JOURNAL_INTENT, 0, "lost and settled", NULL);
	put(journal, JOURNAL_UNKNOWN, 5, NULL, NULL);
	put(journal, JOURNAL_NOTE, 5, NULL, "it was done");
	put(journal, JOURNAL_NOTE, 0, NULL, "a note about nothing");
	put(journal, JOURNAL_INTENT, 0, "cut off", NULL);
	assert_int_equal(journal_load(journal_path(journal), &log, NULL), 0);
	assert_int_equal(log.n, 9);
	assert_false(journal_log_is_pending(&log, &log.records[0], NULL));
	assert_true(journal_log_is_pending(&log, &log.records[2], &lost));
	assert_true(lost);
	assert_false(journal_log_is_pending(&log, &log.records[4], &lost));
	assert_true(journal_log_is_pending(&log, &log.records[8], &lost));
	assert_false(lost);
	journal_log_fini(&log);
	journal_close(journal);
	remove_directory(directory);
}

static void log_says_why_a_file_cannot_be_read(void **state)
{
	struct journal_log log;
	struct err err;

	(void)state;
	assert_int_equal(journal_load("/nowhere/x.jsonl", &log, &err), -1);
	assert_non_null(strstr(err.text, "/nowhere/x.jsonl"));
	assert_int_equal(journal_load("/tmp", &log, &err), -1);
	assert_int_equal(journal_load("/dev/null", &log, &err), -1);
	assert_non_null(strstr(err.text, "not a file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_shows_every_tampering_by_line),
		cmocka_unit_test(log_keeps_what_is_before_the_break),
		cmocka_unit_test(log_knows_what_is_pending),
		cmocka_unit_test(log_says_why_a_file_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
