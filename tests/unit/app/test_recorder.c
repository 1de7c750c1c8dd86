/*
 * The journal's queue where an incident is asked for by name: what it does not take goes into no other.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/journal/record.h>

#include "../../../src/app/console_journal.h"

#define PATIENCE_NS (20 * CLOCK_NS_PER_S)

static const char named[] = "2026-01-01T030000Z-test";

struct bench {
	char dir[64];
	struct loop *loop;
	int answers;
	int64_t seq;
	char error[1024];
};

static int setup(void **state)
{
	static struct bench bench;
	char hash[65];

	/* As in the program libcrypto's own state is this thread's, which frees it at the end. */
	journal_sha256("", 0, hash);
	memset(&bench, 0, sizeof(bench));
	snprintf(bench.dir, sizeof(bench.dir), "/tmp/pgoncall-recorder-XXXXXX");
	if (!mkdtemp(bench.dir) || setenv("XDG_STATE_HOME", bench.dir, 1) != 0)
		return -1;
	bench.loop = loop_new();
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;
	char command[96];

	loop_free(bench->loop);
	snprintf(command, sizeof(command), "rm -rf %s", bench->dir);
	return system(command);
}

static void on_done(void *arg, int64_t seq, const struct err *err)
{
	struct bench *bench = arg;

	bench->answers++;
	bench->seq = seq;
	snprintf(bench->error, sizeof(bench->error), "%s", err ? err->text : "");
}

static void await(struct bench *bench)
{
	int64_t end = clock_monotonic() + PATIENCE_NS;

	while (!bench->answers && clock_monotonic() < end)
		loop_run_once(bench->loop, 20);
	assert_int_equal(bench->answers, 1);
	bench->answers = 0;
}

static void open_named(struct bench *bench, struct recorder *recorder, const char *incident)
{
	const struct journal_meta meta = { .target = "test", .incident = incident };

	recorder_open(recorder, &meta, on_done, bench);
	await(bench);
}

static void write_event(struct bench *bench, struct recorder *recorder, enum journal_event event)
{
	const struct journal_meta meta = { .target = "test" };
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = event;
	entry.text = "text";
	if (event == JOURNAL_INTENT)
		entry.command = "SELECT 1";
	recorder_write(recorder, &meta, &entry, on_done, bench);
	await(bench);
}

static int files(const struct bench *bench)
{
	char path[96];
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "%s/pgoncall/journal", bench->dir);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Two consoles go on with the same run: the second one writes nothing, and so changes nothing, until
 * the first has left. */
static void recorder_keeps_to_the_named_incident(void **state)
{
	struct bench *bench = *state;
	struct recorder *first = recorder_new(bench->loop), *second = recorder_new(bench->loop);

	open_named(bench, first, named);
	assert_int_equal(bench->seq, 1);
	open_named(bench, second, named);
	assert_int_equal(bench->seq, -1);
	assert_non_null(strstr(bench->error, "another console (pid "));
	write_event(bench, second, JOURNAL_INTENT);
	assert_int_equal(bench->seq, -1);
	assert_non_null(strstr(bench->error, "another console"));
	assert_null(recorder_incident(second));
	assert_int_equal(files(bench), 1);
	recorder_close(first);
	write_event(bench, second, JOURNAL_INTENT);
	assert_int_equal(bench->seq, 1);
	assert_string_equal(recorder_incident(second), named);
	assert_int_equal(files(bench), 1);
	recorder_close(second);
}

/* The file was made meanwhile by something else: nothing is begun in it, what happened is told. */
static void recorder_begins_nothing_in_another_incident(void **state)
{
	struct bench *bench = *state;
	struct recorder *recorder = recorder_new(bench->loop);

	write_event(bench, recorder, JOURNAL_NOTE);
	assert_int_equal(bench->seq, 1);
	open_named(bench, recorder, named);
	assert_int_equal(bench->seq, -1);
	assert_non_null(strstr(bench->error, "start it again"));
	write_event(bench, recorder, JOURNAL_INTENT);
	assert_int_equal(bench->seq, -1);
	write_event(bench, recorder, JOURNAL_NOTE);
	assert_int_equal(bench->seq, 2);
	assert_int_equal(files(bench), 1);
	recorder_close(recorder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			recorder_keeps_to_the_named_incident, setup, teardown),
		cmocka_unit_test_setup_teardown(
			recorder_begins_nothing_in_another_incident, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
