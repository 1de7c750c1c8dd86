/*
 * What the commands print, against golden files in tests/golden/app that a person can read. Run with
 * UPDATE_GOLDEN=1 to write them anew, and read the difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <pgoncall/app/output.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/locktree.h>

struct capture {
	FILE *file;
	char *text;
	size_t size;
};

static FILE *capture_open(struct capture *capture)
{
	memset(capture, 0, sizeof(*capture));
	capture->file = open_memstream(&capture->text, &capture->size);
	assert_non_null(capture->file);
	return capture->file;
}

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "r");
	struct buf text = BUF_INIT;
	char chunk[4096];
	size_t got;

	if (!file)
		return mem_strdup("");
	while ((got = fread(chunk, 1, sizeof(chunk), file)))
		buf_add(&text, chunk, got);
	fclose(file);
	return buf_steal(&text);
}

static void expect_golden(struct capture *capture, const char *name)
{
	char *path = mem_printf("tests/golden/app/%s", name), *want;
	FILE *file;

	fclose(capture->file);
	if (getenv("UPDATE_GOLDEN")) {
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(capture->text, file);
		fclose(file);
	}
	want = read_all(path);
	assert_string_equal(capture->text, want);
	free(want);
	free(path);
	free(capture->text);
}

static const struct {
	const char *path, *text;
} files[] = {
	{ "a0.py", "\"\"\"Initial schema\n\nRevision ID: a0\nCreate Date: 2025-01-01 10:00:00\n\"\"\"\n"
		   "revision = 'a0'\ndown_revision = None\n"
		   "def upgrade():\n    x()\ndef downgrade():\n    x()\n" },
	{ "b1.py", "\"\"\"Add users\x1b[31m\n\nCreate Date: 2025-01-02 10:00:00\n\"\"\"\n"
		   "revision = 'b1'\ndown_revision = 'a0'\n"
		   "def upgrade():\n    x()\ndef downgrade():\n    x()\n" },
	{ "b2.py", "\"\"\"Add teams\n\nCreate Date: 2025-01-03 10:00:00\n\"\"\"\n"
		   "revision = 'b2'\ndown_revision = 'a0'\nbranch_labels = ('teams',)\n"
		   "def upgrade():\n    x()\ndef downgrade():\n    x()\n" },
	{ "c0.py", "\"\"\"Merge\n\nCreate Date: 2025-01-04 10:00:00\n\"\"\"\n"
		   "revision = 'c0'\ndown_revision = ('b1', 'b2')\n"
		   "def upgrade():\n    x()\ndef downgrade():\n    x()\n" },
	{ "d0.py", "revision = 'd0'\ndown_revision = 'gone'\n"
		   "def upgrade():\n    x()\ndef downgrade():\n    x()\n" },
};

static struct migration_graph *make_graph(const char *row)
{
	size_t n = sizeof(files) / sizeof(files[0]), i;
	struct migration_revision *revisions = mem_calloc(n, sizeof(*revisions));
	struct migration_problems problems;
	struct migration_graph *graph;
	struct strlist rows;

	migration_problems_init(&problems);
	for (i = 0; i < n; i++)
		assert_int_equal(migration_revision_parse(files[i].path, files[i].text,
					 strlen(files[i].text), &revisions[i], &problems),
			0);
	graph = migration_graph_new(revisions, n, &problems);
	free(revisions);
	if (row) {
		strlist_init(&rows);
		strlist_add(&rows, row);
		migration_graph_mark(graph, &rows);
		strlist_fini(&rows);
	}
	return graph;
}

static void output_history_is_readable_and_stable(void **state)
{
	struct migration_graph *graph = make_graph("b1");
	struct output_revisions shown = { .graph = graph };
	struct capture capture;

	(void)state;
	output_history_text(capture_open(&capture), &shown, false);
	expect_golden(&capture, "history.txt");
	output_history_text(capture_open(&capture), &shown, true);
	expect_golden(&capture, "history-ascii.txt");
	output_history_json(capture_open(&capture), &shown);
	expect_golden(&capture, "history.json");
	output_pending_text(capture_open(&capture), &shown);
	expect_golden(&capture, "pending.txt");
	migration_graph_free(graph);
}

static void output_history_without_database_is_unknown(void **state)
{
	struct migration_graph *graph = make_graph(NULL);
	struct output_revisions shown = { .graph = graph };
	struct capture capture;
	json_t *root, *revision;
	size_t i;

	(void)state;
	output_history_json(capture_open(&capture), &shown);
	fclose(capture.file);
	root = json_loads(capture.text, 0, NULL);
	assert_non_null(root);
	json_array_foreach(json_object_get(root, "revisions"), i, revision)
		assert_string_equal(
			json_string_value(json_object_get(revision, "state")), "unknown");
	json_decref(root);
	free(capture.text);
	migration_graph_free(graph);
}

static struct db_session *add_session(struct db_snapshot *snapshot, int pid, const char *application,
	const char *state, const char *query)
{
	struct db_session *s = db_snapshot_add(snapshot);

	s->pid = pid;
	db_snapshot_set(&s->backend_start, "2025-01-27 10:00:00.123456+00");
	db_snapshot_set(&s->user, "bo1");
	db_snapshot_set(&s->database, "boardofone");
	db_snapshot_set(&s->application, application);
	db_snapshot_set(&s->backend_type, "client backend");
	db_snapshot_set(&s->state, state);
	db_snapshot_set(&s->query, query);
	s->xact_age_s = s->query_age_s = 100;
	return s;
}

static void wait_for(struct db_session *s, int blocker, const char *mode, double age)
{
	db_session_add_blocker(s, blocker);
	db_snapshot_set(&s->waits_for.mode, mode);
	db_snapshot_set(&s->waits_for.relation, "users");
	db_snapshot_set(&s->wait_event_type, "Lock");
	db_snapshot_set(&s->wait_event, "relation");
	s->wait_age_s = age;
}

static struct db_snapshot *make_snapshot(void)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	db_snapshot_set(&snapshot->at, "2025-01-27 10:10:00.000001+00");
	db_snapshot_set(&snapshot->server.version, "15.8");
	db_snapshot_set(&snapshot->server.role, "bo1");
	snapshot->server.version_num = 150008;
	snapshot->server.see_all = snapshot->server.may_signal = true;
	snapshot->server.max_connections = 100;
	snapshot->version_table = DB_VERSION_TABLE_FOUND;
	strlist_add(&snapshot->versions, "b1");
	add_session(snapshot, 8123, "boardofone-api", "idle in transaction",
		"SELECT count(*)\n\tFROM users");
	wait_for(add_session(snapshot, 8140, "", "active", "ALTER TABLE users ADD COLUMN x int"), 8123,
		"AccessExclusive", 192.4);
	wait_for(add_session(snapshot, 8151, "boardofone-api", "active", "SELECT * FROM users"), 8140,
		"AccessShare", 170);
	wait_for(add_session(snapshot, 8152, "boardofone-api\x1b]52;c;eA==\x07", "active",
			 "UPDATE users SET x = 1"),
		8140, "RowExclusive", 161);
	add_session(snapshot, 9000, "psql", "idle", "SELECT 1");
	db_locktree_mark(snapshot);
	return snapshot;
}

static void output_locks_is_readable_and_stable(void **state)
{
	struct db_snapshot *snapshot = make_snapshot();
	struct finding_input input = { .snapshot = snapshot };
	struct findings findings = { NULL, 0, 0 };
	struct capture capture;

	(void)state;
	findings_compute(&findings, &input);
	output_locks_text(capture_open(&capture), snapshot, &findings, false);
	expect_golden(&capture, "locks.txt");
	output_locks_json(capture_open(&capture), snapshot, &findings);
	expect_golden(&capture, "locks.json");
	findings_fini(&findings);
	db_snapshot_free(snapshot);
}

static void output_check_shows_a_verdict_per_line(void **state)
{
	struct check_report report = { NULL, 0, 0 };
	struct findings findings = { NULL, 0, 0 };
	struct capture capture;

	(void)state;
	check_report_add(&report, "database", CHECK_OK, "PostgreSQL 15.8, primary, role bo1");
	check_report_add(&report, "revisions", CHECK_WARNING, "current %s; head %s", "b1", "c0");
	assert_int_equal(check_report_status(&report, &findings), CHECK_WARNING);
	check_report_add(&report, "critical tables", CHECK_CRITICAL, "%s", "users\x1b[2J");
	assert_int_equal(check_report_status(&report, &findings), CHECK_CRITICAL);
	output_check_text(capture_open(&capture), "prod", &report, &findings);
	expect_golden(&capture, "check.txt");
	output_check_json(capture_open(&capture), "prod", &report, &findings);
	expect_golden(&capture, "check.json");
	check_report_fini(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_history_is_readable_and_stable),
		cmocka_unit_test(output_history_without_database_is_unknown),
		cmocka_unit_test(output_locks_is_readable_and_stable),
		cmocka_unit_test(output_check_shows_a_verdict_per_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
