/*
 * The incident, played on a terminal from the finding to the freed queue: a deploy hangs because an
 * idle transaction blocks the migration, which blocks everybody. And what must not end it: Enter
 * alone, a wrong word, a target that is not armed.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "escapes.h"
#include "fixture.h"
#include "texts.h"

enum { LIVE_MS = 30000 }; /* what the picture may take to follow the database */

static void expect_there(struct fixture *f, int pid, bool there)
{
	char *sql = mem_printf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid);

	fixture_expect_rows(f, sql, there ? "1" : "0");
	free(sql);
}

/* A pattern of the table with the pid in its place. */
static char *with_pid(const char *pattern, int pid)
{
	const char *at = strstr(pattern, "%d");

	assert_non_null(at);
	return mem_printf("%.*s%d%s", (int)(at - pattern), pattern, pid, at + 2);
}

static void wait_for_pid(struct pty *p, const char *pattern, int pid, int timeout_ms)
{
	char *text = with_pid(pattern, pid);

	pty_wait_text(p, text, timeout_ms);
	free(text);
}

static int stage(struct fixture *f)
{
	struct err err = { 0 };

	fixture_check(range_incident(f->range, "stuck-migration", &err), &err);
	return fixture_number(f,
		"SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
		" AND application_name = 'boardofone-api'");
}

/* --- the journal ------------------------------------------------------------------------------ */

/* The one journal in the fixture's home; path to be freed. */
static char *journal_find(struct fixture *f)
{
	char *dir_path = mem_printf("%s/.local/state/pgoncall/journal", f->home);
	DIR *dir = opendir(dir_path);
	char *found = NULL;
	struct dirent *entry;
	struct stat st;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (!str_ends(entry->d_name, ".jsonl"))
			continue;
		assert_null(found);
		found = mem_printf("%s/%s", dir_path, entry->d_name);
	}
	closedir(dir);
	free(dir_path);
	assert_non_null(found);
	assert_int_equal(stat(found, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	return found;
}

static json_t *journal_read(const char *path)
{
	FILE *file = fopen(path, "re");
	json_t *lines = json_array();
	char *line = NULL;
	size_t size = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		json_error_t why;
		json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &why);

		if (!json_is_object(object))
			fail_msg("%s: %s: %s", path, why.text, line);
		json_array_append_new(lines, object);
	}
	free(line);
	fclose(file);
	return lines;
}

static const char *field(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text == NULL ? "" : text;
}

/* The first line at or after `from` with this event; fails without one. */
static size_t journal_event(const json_t *lines, size_t from, const char *event)
{
	for (size_t i = from; i < json_array_size(lines); i++)
		if (strcmp(field(json_array_get(lines, i), "event"), event) == 0)
			return i;
	fail_msg("no event \"%s\" in the journal from line %zu on", event, from + 1);
	return 0;
}

static void expect_chain(const json_t *lines)
{
	const char *last = "0000000000000000000000000000000000000000000000000000000000000000";

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const json_t *line = json_array_get(lines, i);

		assert_int_equal(json_integer_value(json_object_get(line, "v")), 1);
		assert_int_equal(json_integer_value(json_object_get(line, "seq")), i + 1);
		assert_string_equal(field(line, "prev"), last);
		last = field(line, "hash");
		assert_int_equal(strlen(last), 64);
	}
}

/* Every hash, by other means than the program's: sha256sum of the line without its hash. */
static void expect_hashes(const char *path)
{
	static const char script[] =
		"while IFS= read -r line; do"
		" want=$(printf %s \"$line\" | sed 's/.*,\"hash\":\"\\([0-9a-f]*\\)\"}$/\\1/');"
		" got=$(printf %s \"$line\" | sed 's/,\"hash\":\"[0-9a-f]*\"}$/}/' | sha256sum);"
		" [ \"$want\" = \"${got%% *}\" ] || { echo \"$line\"; exit 1; };"
		"done <\"$1\"";
	const char *argv[] = { "sh", "-c", script, "sh", path, NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;

	assert_int_equal(run_program(&options, &result, NULL), 0);
	if (result.status != 0)
		print_error("%s", buf_str(&result.out));
	assert_int_equal(result.status, 0);
	run_result_fini(&result);
}

/* Armed, then one intent before its result, both about the session that was ended. */
static void expect_journal(struct fixture *f, int pid)
{
	static const char *const verify[] = { "journal", "verify", NULL };
	char *path = journal_find(f);
	json_t *lines = journal_read(path);
	size_t armed = journal_event(lines, 0, "arm");
	size_t intent = journal_event(lines, armed, "intent");
	size_t result = journal_event(lines, intent, "result");
	const json_t *line = json_array_get(lines, intent);
	struct run_result run;
	char number[16];

	expect_chain(lines);
	expect_hashes(path);
	snprintf(number, sizeof(number), "%d", pid);
	assert_non_null(strstr(field(line, "command"), "pg_terminate_backend"));
	assert_string_equal(field(json_object_get(line, "vars"), "pid"), number);
	assert_string_equal(field(line, "target"), "prod");
	assert_string_equal(field(line, "database"), "boardofone");
	assert_string_equal(field(line, "role"), "bo1");
	assert_non_null(strstr(field(line, "host_key"), "SHA256:"));
	assert_non_null(strstr(field(line, "confirm"), "boardofone@prod"));
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(lines, result), "rows")), 1);
	for (size_t i = intent + 1; i < json_array_size(lines); i++)
		assert_string_not_equal(field(json_array_get(lines, i), "event"), "intent");
	json_decref(lines);
	free(path);
	fixture_run(f, verify, &run);
	assert_int_equal(run.status, 0);
	run_result_fini(&run);
}

/* --- the incident ----------------------------------------------------------------------------- */

static void command(struct pty *p, const char *line)
{
	pty_key(p, ":");
	pty_type(p, line);
	pty_key(p, "Enter");
}

/* K on the root, and all the dialog has to say. */
static void ask(struct pty *p)
{
	pty_key(p, "K");
	for (size_t i = 0; texts.dialog_says[i] != NULL; i++)
		pty_wait_text(p, texts.dialog_says[i], PTY_WAIT_MS);
}

static void decline_in_every_way(struct fixture *f, struct pty *p, int pid)
{
	ask(p);
	pty_key(p, "Enter");
	pty_wait_gone(p, texts.dialog, PTY_WAIT_MS);
	pty_wait_text(p, texts.declined, PTY_WAIT_MS);
	ask(p);
	pty_key(p, "Esc");
	pty_wait_gone(p, texts.dialog, PTY_WAIT_MS);
	ask(p);
	pty_type(p, "boardofone@staging");
	pty_key(p, "Enter");
	pty_wait_text(p, texts.mismatch, PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, texts.dialog, PTY_WAIT_MS);
	expect_there(f, pid, true);
}

static void incident_is_seen_confirmed_and_ended(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);
	int pid;

	pty_wait_text(p, texts.read_only, LIVE_MS);
	pty_wait_text(p, texts.pending, LIVE_MS);
	pty_wait_text(p, texts.current, PTY_WAIT_MS);
	pid = stage(f);
	wait_for_pid(p, texts.finding, pid, LIVE_MS);
	wait_for_pid(p, texts.root, pid, PTY_WAIT_MS);

	pty_key(p, "2");
	pty_key(p, "g");
	pty_key(p, "K");
	pty_wait_text(p, texts.refused, PTY_WAIT_MS);
	assert_false(pty_has(p, texts.dialog));
	expect_there(f, pid, true);

	command(p, "arm 10m deploy hangs");
	pty_wait_text(p, texts.armed, PTY_WAIT_MS);
	decline_in_every_way(f, p, pid);

	ask(p);
	pty_type(p, "boardofone@prod");
	pty_key(p, "Enter");
	wait_for_pid(p, texts.ended, pid, LIVE_MS);
	expect_there(f, pid, false);
	pty_wait_gone(p, texts.any_finding, LIVE_MS);
	pty_wait_text(p, texts.migrated, LIVE_MS);
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	fixture_expect_rows(f,
		"SELECT count(*) FROM pg_stat_activity"
		" WHERE cardinality(pg_blocking_pids(pid)) > 0",
		"0");

	pty_key(p, "q");
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	pty_assert_restored(p);
	pty_assert_no_foreign(p, ESCAPES_NONE);
	expect_journal(f, pid);
}

/* Keys that were typed before the question was on the screen must not answer it. */
static void incident_flushes_typeahead(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);
	int pid = stage(f);

	wait_for_pid(p, texts.finding, pid, LIVE_MS);
	pty_key(p, "2");
	pty_key(p, "g");
	command(p, "arm 10m deploy hangs");
	pty_wait_text(p, texts.armed, PTY_WAIT_MS);
	pty_type(p, "Kboardofone@prod\r");
	pty_wait_text(p, texts.dialog, PTY_WAIT_MS);
	pty_key(p, "Enter"); /* alone it is No; with the text before it, it would be Yes */
	pty_wait_text(p, texts.declined, PTY_WAIT_MS);
	pty_wait_gone(p, texts.dialog, PTY_WAIT_MS);
	expect_there(f, pid, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			incident_is_seen_confirmed_and_ended, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			incident_flushes_typeahead, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
