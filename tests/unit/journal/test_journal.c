/*
 * Writing: files, locks, resuming, and what happens when the disk or the process ends in mid-write.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/str.h>
#include <pgoncall/journal/list.h>
#include <pgoncall/journal/log.h>

#include "support.h"

static int set_up(void **state)
{
	*state = make_directory();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	remove_directory(*state);
	return 0;
}

static void journal_directory_follows_the_environment(void **state)
{
	struct buf path = BUF_INIT;

	(void)state;
	setenv("XDG_STATE_HOME", "/state", 1);
	assert_int_equal(journal_directory(&path, NULL), 0);
	assert_string_equal(buf_str(&path), "/state/pgoncall/journal");
	buf_clear(&path);
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/home/ada", 1);
	assert_int_equal(journal_directory(&path, NULL), 0);
	assert_string_equal(buf_str(&path), "/home/ada/.local/state/pgoncall/journal");
	buf_clear(&path);
	unsetenv("HOME");
	assert_int_equal(journal_directory(&path, NULL), 0);
	buf_fini(&path);
}

static void journal_names_incidents_by_moment_and_target(void **state)
{
	struct buf name = BUF_INIT;

	(void)state;
	journal_make_incident("pro/d x", INT64_C(1737972000) * 1000000000, &name);
	assert_true(str_starts(buf_str(&name), "20250127T100000Z-pro_d_x-"));
	assert_int_equal(name.len, strlen("20250127T100000Z-pro_d_x-") + 4);
	buf_fini(&name);
}

static void journal_is_private_and_grows_by_chained_lines(void **state)
{
	struct journal *journal = open_journal(*state, NULL);
	struct journal_log log;
	struct stat st;

	assert_true(journal_ok(journal));
	assert_int_equal(put(journal, JOURNAL_INTENT, 0, "SELECT 1", NULL), 1);
	assert_int_equal(put(journal, JOURNAL_RESULT, 1, NULL, NULL), 2);
	assert_int_equal(put(journal, JOURNAL_NOTE, 0, NULL, "x"), 3);
	assert_int_equal(stat(journal_path(journal), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(*state, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(journal_load(journal_path(journal), &log, NULL), 0);
	assert_int_equal(log.n, 3);
	assert_int_equal(log.broken_line, 0);
	assert_int_equal(log.torn_lines, 0);
	assert_string_equal(log.head, journal_head(journal));
	assert_string_equal(log.records[1].prev, log.records[0].hash);
	assert_string_equal(log.records[0].incident, journal_incident(journal));
	assert_string_equal(log.records[0].command, "SELECT 1");
	journal_log_fini(&log);
	journal_close(journal);
}

static void journal_redacts_before_it_hashes(void **state)
{
	struct journal *journal = open_journal(*state, NULL);
	struct buf text = BUF_INIT;

	put(journal, JOURNAL_INTENT, 0, "psql postgresql://bo1:s3cret@db/x", "token=s3cret");
	read_file(journal_path(journal), &text);
	assert_null(strstr(buf_str(&text), "s3cret"));
	assert_int_equal(journal_verify(journal_path(journal), NULL, NULL), 0);
	buf_fini(&text);
	journal_close(journal);
}

static void journal_lets_in_one_writer(void **state)
{
	struct journal *journal = open_journal(*state, NULL), *other;
	struct journal_meta meta = meta_prod;
	struct err err;

	meta.incident = journal_incident(journal);
	assert_int_equal(journal_open(*state, &meta, &other, &err), -1);
	assert_null(other);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_non_null(strstr(err.text, "another console"));
	journal_close(journal);
}

static void journal_goes_on_in_an_incident(void **state)
{
	struct journal *journal = open_journal(*state, "incident-1");
	const struct journal_meta later = { .host_key = "SHA256:new" };
	struct journal_log log;

	put(journal, JOURNAL_NOTE, 0, NULL, "one");
	journal_close(journal);
	journal = open_journal(*state, "incident-1");
	journal_update_meta(journal, &later);
	assert_int_equal(put(journal, JOURNAL_NOTE, 0, NULL, "two"), 2);
	assert_int_equal(journal_load(journal_path(journal), &log, NULL), 0);
	assert_int_equal(log.n, 2);
	assert_int_equal(log.broken_line, 0);
	assert_string_equal(log.records[0].host_key, "SHA256:abc");
	assert_string_equal(log.records[1].host_key, "SHA256:new");
	assert_string_equal(log.records[1].role, "bo1");
	journal_log_fini(&log);
	journal_close(journal);
}

static void journal_refuses_names_that_are_paths(void **state)
{
	static const char *const bad[] = { "", ".", "..", "../x", "a/b", "a b", ".hidden" };
	struct journal_meta meta = meta_prod;
	struct journal *journal;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		meta.incident = bad[i];
		assert_int_equal(journal_open(*state, &meta, &journal, NULL), -1);
	}
}

static void journal_follows_no_symbolic_link(void **state)
{
	struct journal_meta meta = meta_prod;
	struct journal *journal = open_journal(*state, "first");
	char *link = mem_printf("%s/second.jsonl", (char *)*state);

	assert_int_equal(symlink(journal_path(journal), link), 0);
	journal_close(journal);
	meta.incident = "second";
	assert_int_equal(journal_open(*state, &meta, &journal, NULL), -1);
	free(link);
}

static void journal_adds_nothing_to_a_broken_chain(void **state)
{
	struct journal *journal = open_journal(*state, "i");
	struct journal_meta meta = meta_prod;
	struct err err;

	put(journal, JOURNAL_NOTE, 0, NULL, "one");
	put(journal, JOURNAL_NOTE, 0, NULL, "two");
	damage(journal_path(journal), "sed -i 's/one/ONE/' \"$1\"");
	journal_close(journal);
	meta.incident = "i";
	assert_int_equal(journal_open(*state, &meta, &journal, &err), -1);
	assert_non_null(strstr(err.text, "i.jsonl:1: the record was changed"));
	assert_non_null(strstr(err.text, "begin a new incident"));
}

/* The program died in mid-write: the next one goes on after the torn line. */
static void journal_goes_on_after_a_torn_line(void **state)
{
	struct journal *journal = open_journal(*state, "i");
	struct buf notes = BUF_INIT;
	struct journal_log log;
	char *path;

	put(journal, JOURNAL_NOTE, 0, NULL, "one");
	put(journal, JOURNAL_NOTE, 0, NULL, "two");
	path = mem_strdup(journal_path(journal));
	journal_close(journal);
	damage(path, "truncate -s -40 \"$1\"");
	journal = open_journal(*state, "i");
	assert_int_equal(put(journal, JOURNAL_NOTE, 0, NULL, "three"), 2);
	assert_int_equal(put(journal, JOURNAL_NOTE, 0, NULL, "four"), 3);
	journal_close(journal);
	assert_int_equal(journal_load(path, &log, NULL), 0);
	assert_int_equal(log.n, 3);
	assert_int_equal(log.broken_line, 0);
	assert_int_equal(log.torn_line, 2);
	assert_int_equal(log.torn_lines, 1);
	assert_false(log.torn_at_end);
	assert_string_equal(log.records[1].text, "three");
	assert_int_equal(log.records[1].line, 3);
	journal_log_fini(&log);
	assert_int_equal(journal_verify(path, &notes, NULL), 0);
	assert_non_null(strstr(buf_str(&notes), "i.jsonl:2: cut off in mid-write"));
	buf_fini(&notes);
	free(path);
}

/* Only the line feed is missing: the record counts. */
static void journal_keeps_a_last_line_without_its_feed(void **state)
{
	struct journal *journal = open_journal(*state, "i");
	char *path = mem_strdup(journal_path(journal));
	struct journal_log log;

	put(journal, JOURNAL_NOTE, 0, NULL, "one");
	journal_close(journal);
	damage(path, "truncate -s -1 \"$1\"");
	journal = open_journal(*state, "i");
	assert_int_equal(put(journal, JOURNAL_NOTE, 0, NULL, "two"), 2);
	journal_close(journal);
	assert_int_equal(journal_load(path, &log, NULL), 0);
	assert_int_equal(log.n, 2);
	assert_int_equal(log.torn_lines, 0);
	assert_int_equal(log.broken_line, 0);
	journal_log_fini(&log);
	free(path);
}

/* The disk is full (a limit on the file's size stands for it): the write is refused, nothing of it
 * stays, and the journal has failed for good. */
static void journal_fails_for_good_when_the_disk_is_full(void **state)
{
	struct journal *journal = open_journal(*state, "i");
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct rlimit limit, old;
	struct journal_log log;
	struct stat before, after;
	struct err err;

	signal(SIGXFSZ, SIG_IGN);
	entry.event = JOURNAL_INTENT;
	entry.command = "SELECT 1";
	assert_int_equal(journal_write(journal, &entry, NULL), 1);
	assert_int_equal(stat(journal_path(journal), &before), 0);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = (rlim_t)before.st_size + 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(journal_write(journal, &entry, &err), -1);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_non_null(strstr(err.text, "File too large"));
	assert_non_null(strstr(err.text, "writes are refused, reading goes on"));
	assert_false(journal_ok(journal));
	assert_int_equal(stat(journal_path(journal), &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(journal_write(journal, &entry, &err), -1);
	assert_non_null(strstr(err.text, "File too large"));
	assert_int_equal(journal_load(journal_path(journal), &log, NULL), 0);
	assert_int_equal(log.n, 1);
	assert_int_equal(log.broken_line + log.torn_lines, 0);
	journal_log_fini(&log);
	journal_close(journal);
}

static void journal_notices_another_hand_in_its_file(void **state)
{
	struct journal *journal = open_journal(*state, "i");
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct err err;

	assert_int_equal(journal_write(journal, &entry, NULL), 1);
	damage(journal_path(journal), "echo >>\"$1\"");
	assert_int_equal(journal_write(journal, &entry, &err), -1);
	assert_non_null(strstr(err.text, "changed by another program"));
	journal_close(journal);
	journal = open_journal(*state, "j");
	unlink(journal_path(journal));
	assert_int_equal(journal_write(journal, &entry, &err), -1);
	assert_non_null(strstr(err.text, "was removed"));
	journal_close(journal);
}

/* A child writes intent and result in turn and tells each intent before it goes on; killed at any
 * moment, every intent it told of is in the file, and the chain holds. */
static void journal_survives_kill_at_any_moment(void **state)
{
	struct journal_pending_list pending;
	struct journal_log log;
	int round, fds[2], status;
	int64_t told, seq;
	char *path;
	pid_t pid;

	for (round = 0; round < 20; round++) {
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (pid == 0) {
			struct journal *journal = open_journal(*state, "i");

			for (;;) {
				seq = put(journal, JOURNAL_INTENT, 0, "SELECT 1", NULL);
				if (seq < 0 || write(fds[1], &seq, sizeof(seq)) < 0)
					_exit(1);
				put(journal, JOURNAL_RESULT, seq, NULL, NULL);
			}
		}
		close(fds[1]);
		told = 0;
		while (told < 4 * round + 3 && read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
			told = seq;
		kill(pid, SIGKILL);
		while (read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
			told = seq;
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		path = mem_printf("%s/i.jsonl", (char *)*state);
		assert_int_equal(journal_load(path, &log, NULL), 0);
		assert_int_equal(log.broken_line, 0);
		assert_non_null(journal_log_find(&log, told));
		assert_int_equal(journal_log_find(&log, told)->event, JOURNAL_INTENT);
		journal_log_fini(&log);
		free(path);
	}
	assert_int_equal(journal_pending_load(*state, "prod", &pending, NULL), 0);
	assert_true(pending.n <= 20);
	journal_pending_fini(&pending);
}

static void journal_says_why_it_cannot_be_opened(void **state)
{
	struct journal *journal;
	struct err err;

	(void)state;
	assert_int_equal(journal_open("/proc/nowhere", &meta_prod, &journal, &err), -1);
	assert_non_null(strstr(err.text, "/proc/nowhere"));
	assert_int_equal(journal_open("/dev/null/x", &meta_prod, &journal, &err), -1);
	assert_non_null(strstr(err.text, "/dev/null"));
	assert_int_equal(journal_open("/dev/null", &meta_prod, &journal, &err), -1);
	assert_non_null(strstr(err.text, "not a directory"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(journal_directory_follows_the_environment),
		TEST(journal_names_incidents_by_moment_and_target),
		TEST(journal_is_private_and_grows_by_chained_lines),
		TEST(journal_redacts_before_it_hashes),
		TEST(journal_lets_in_one_writer),
		TEST(journal_goes_on_in_an_incident),
		TEST(journal_refuses_names_that_are_paths),
		TEST(journal_follows_no_symbolic_link),
		TEST(journal_adds_nothing_to_a_broken_chain),
		TEST(journal_goes_on_after_a_torn_line),
		TEST(journal_keeps_a_last_line_without_its_feed),
		TEST(journal_fails_for_good_when_the_disk_is_full),
		TEST(journal_notices_another_hand_in_its_file),
		TEST(journal_survives_kill_at_any_moment),
		TEST(journal_says_why_it_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
