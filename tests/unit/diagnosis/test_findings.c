/*
 * Findings from snapshots and revision graphs made by hand: which are there, in which order, and what
 * they say.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/db/locktree.h>
#include <pgoncall/db/schema.h>
#include <pgoncall/diagnosis/findings.h>

/* --- pictures --------------------------------------------------------------------------------- */

static struct db_snapshot *picture_new(void)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	db_snapshot_set(&snapshot->server.role, "oncall");
	db_snapshot_set(&snapshot->server.database, "boardofone");
	snapshot->server.see_all = true;
	snapshot->server.max_connections = 100;
	snapshot->server.reserved_connections = 3;
	snapshot->server.used_connections = 12;
	snapshot->version_table = DB_VERSION_TABLE_FOUND;
	return snapshot;
}

/* A client's session in that state for so long. */
static struct db_session *picture_add(struct db_snapshot *snapshot, int pid, const char *user,
	const char *application, const char *state, double state_age_s)
{
	struct db_session *session = db_snapshot_add(snapshot);

	session->pid = pid;
	db_snapshot_set(&session->user, user);
	db_snapshot_set(&session->application, application);
	db_snapshot_set(&session->state, state);
	db_snapshot_set(&session->backend_type, "client backend");
	db_snapshot_set(&session->backend_start, "2025-01-27 10:00:00.5+00");
	session->state_age_s = session->xact_age_s = state_age_s;
	return session;
}

static struct db_session *picture_wait(struct db_session *session, int blocker, const char *mode,
	const char *relation, double wait_age_s)
{
	db_session_add_blocker(session, blocker);
	db_snapshot_set(&session->waits_for.mode, mode);
	db_snapshot_set(&session->waits_for.relation, relation);
	session->wait_age_s = wait_age_s;
	return session;
}

/* The incident of the design: idle blocker 8123, migration 8140, readers 8151 … 8153. */
static struct db_snapshot *picture_stuck(void)
{
	struct db_snapshot *snapshot = picture_new();
	struct db_session *session;
	int i;

	picture_add(snapshot, 8123, "bo1", "boardofone-api", "idle in transaction", 724);
	session = picture_add(snapshot, 8140, "bo1", "alembic", "active", 192);
	picture_wait(session, 8123, "AccessExclusive", "users", 192)->migration = true;
	for (i = 0; i < 3; i++) {
		session = picture_add(snapshot, 8151 + i, "bo1", "api", "active", 170 - i);
		picture_wait(session, 8140, "AccessShare", "users", 170 - i);
	}
	db_locktree_mark(snapshot);
	return snapshot;
}

/* --- graphs ----------------------------------------------------------------------------------- */

struct file {
	const char *id, *down, *message;
};

/* From files with these ids; down "" is a base. NULL rows: not marked. */
static struct migration_graph *graph_new(const struct file *files, size_t n, const char *rows)
{
	struct migration_problems problems;
	struct migration_revision *revisions = calloc(n, sizeof(*revisions));
	struct migration_graph *graph;
	struct buf text = BUF_INIT;
	struct strlist list;
	char path[64];
	size_t i;

	migration_problems_init(&problems);
	for (i = 0; i < n; i++) {
		buf_clear(&text);
		buf_printf(&text,
			"\"\"\"%s\"\"\"\nrevision = '%s'\ndown_revision = %s%s%s\n"
			"def upgrade():\n    pass\ndef downgrade():\n    pass\n",
			files[i].message, files[i].id, *files[i].down ? "'" : "",
			*files[i].down ? files[i].down : "None", *files[i].down ? "'" : "");
		snprintf(path, sizeof(path), "%s.py", files[i].id);
		assert_int_equal(migration_revision_parse(
					 path, text.data, text.len, &revisions[i], &problems),
			0);
	}
	graph = migration_graph_new(revisions, n, &problems);
	free(revisions);
	buf_fini(&text);
	migration_problems_fini(&problems);
	if (rows) {
		strlist_init(&list);
		strlist_add_words(&list, rows);
		migration_graph_mark(graph, &list);
		strlist_fini(&list);
	}
	return graph;
}

static const struct file chain[] = {
	{ "9f3c7b8e2d1a", "", "Add waitlist table" },
	{ "001_research_metrics", "9f3c7b8e2d1a", "Add research metrics table" },
	{ "622dbc22743e", "001_research_metrics", "Add session_events and tasks tables" },
};

/* --- checks ----------------------------------------------------------------------------------- */

/* The findings as "severity code runbook: text" lines. */
static char *findings_text(const struct findings *findings)
{
	struct buf out = BUF_INIT;
	size_t i;

	for (i = 0; i < findings->n; i++)
		buf_printf(&out, "%s %s [%s] %s\n",
			finding_severity_name(findings->items[i].severity), findings->items[i].code,
			findings->items[i].runbook, findings->items[i].text);
	return buf_steal(&out);
}

static void findings_expect(const struct finding_input *in, int status, const char *expected)
{
	struct findings findings = { NULL, 0, 0 };
	char *text;

	findings_compute(&findings, in);
	text = findings_text(&findings);
	assert_string_equal(text ? text : "", expected);
	assert_int_equal(findings_exit_status(&findings), status);
	free(text);
	findings_fini(&findings);
}

static void findings_of_a_stuck_migration(void **state)
{
	struct db_snapshot *snapshot = picture_stuck();
	struct migration_graph *graph = graph_new(chain, 3, "001_research_metrics");
	const struct finding_input in = { .snapshot = snapshot, .graph = graph };
	struct findings findings = { NULL, 0, 0 };

	(void)state;
	findings_compute(&findings, &in);
	assert_int_equal(findings.items[0].pid, 8123);
	assert_string_equal(findings.items[0].backend_start, "2025-01-27 10:00:00.5+00");
	assert_ptr_equal(findings_find(&findings, "pending-migrations"), &findings.items[1]);
	assert_null(findings_find(&findings, "standby"));
	findings_fini(&findings);
	migration_graph_free(graph);
	db_snapshot_free(snapshot);
}

static void findings_of_a_working_migration(void **state)
{
	struct migration_graph *graph = graph_new(chain, 3, "9f3c7b8e2d1a");
	struct db_snapshot *snapshot = picture_new();
	const struct finding_input in = { .snapshot = snapshot, .graph = graph };
	struct db_session *session;

	(void)state;
	session = picture_add(snapshot, 8140, "bo1", "", "active", 400);
	session->migration = true;
	db_snapshot_set(&session->progress, "CREATE INDEX: building index 42 %");
	db_locktree_mark(snapshot);
	/* No worry, and yet the first to know. */
	findings_expect(&in, 1,
		"info migration-working [] Migration 9f3c7b8e2d1a → 622dbc22743e (2 revisions) is "
		"at work: pid 8140 (bo1, active for 6 min 40 s), CREATE INDEX: building index 42 "
		"%; leave it alone.\n"
		"warning pending-migrations [manual-migration] 2 revisions are pending, the next "
		"is 001_research_metrics (Add research metrics table).\n");
	session = picture_add(snapshot, 8151, "bo1", "api", "active", 5);
	picture_wait(session, 8140, "RowExclusive", "users", 5);
	db_locktree_mark(snapshot);
	findings_expect(&in, 1,
		"warning migration-working [] Migration 9f3c7b8e2d1a → 622dbc22743e (2 revisions) "
		"is at "
		"work: pid 8140 (bo1, active for 6 min 40 s), CREATE INDEX: building index 42 %; "
		"leave "
		"it alone. 1 session waits behind it.\n"
		"warning pending-migrations [manual-migration] 2 revisions are pending, the next "
		"is "
		"001_research_metrics (Add research metrics table).\n");
	/* An open connection with no transaction is no work. */
	db_snapshot_set(&snapshot->sessions[0].state, "idle");
	snapshot->sessions[0].xact_age_s = NAN;
	snapshot->n_sessions = 1;
	snapshot->sessions[0].n_behind = 0;
	snapshot->sessions[0].root_index = SIZE_MAX;
	findings_expect(&in, 1,
		"warning pending-migrations [manual-migration] 2 revisions are pending, the next "
		"is "
		"001_research_metrics (Add research metrics table).\n");
	snapshot->n_sessions = 2;
	migration_graph_free(graph);
	db_snapshot_free(snapshot);
}

static void findings_of_transactions(void **state)
{
	struct db_snapshot *snapshot = picture_new();
	const struct finding_input in = { .snapshot = snapshot };

	(void)state;
	picture_add(snapshot, 10, "bo1", "api", "idle in transaction", 59);
	picture_add(snapshot, 11, "bo1", "worker", "idle in transaction (aborted)", 61);
	picture_add(snapshot, 12, "bo1", "worker", "idle in transaction", 400);
	picture_add(snapshot, 13, "bo1", "report", "active", 299);
	picture_add(snapshot, 14, "bo1", "report", "active", 301);
	picture_add(snapshot, 15, "bo1", "api", "idle", NAN);
	db_snapshot_set(&picture_add(snapshot, 16, "", "", "active", 9000)->backend_type,
		"autovacuum worker");
	db_locktree_mark(snapshot);
	findings_expect(&in, 1,
		"warning idle-in-transaction [production-health-check] pid 12 (bo1, worker, idle "
		"in "
		"transaction for 6 min 40 s) keeps its transaction open and its locks held: the "
		"next "
		"migration would wait for it. 1 more like it.\n"
		"warning long-transaction [production-health-check] pid 14 (bo1, report, active "
		"for 5 "
		"min 1 s) has been in one transaction for 5 min 1 s: the next migration would wait "
		"for "
		"it.\n");
	db_snapshot_free(snapshot);
}

static void findings_of_the_version_table(void **state)
{
	struct db_snapshot *snapshot = picture_new();
	const struct finding_input in = { .snapshot = snapshot };

	(void)state;
	snapshot->version_table = DB_VERSION_TABLE_MISSING;
	findings_expect(&in, 2,
		"critical version-table-missing [version-table-missing] Database boardofone has no "
		"Alembic version table: it was never migrated, or it is the wrong database or "
		"search_path.\n");
	snapshot->version_table = DB_VERSION_TABLE_LOCKED;
	findings_expect(&in, 0, "");
	snapshot->version_table = DB_VERSION_TABLE_DENIED;
	findings_expect(&in, 1,
		"warning privileges-hide-rows [] Role oncall may not read the version table: GRANT "
		"SELECT on it to see which revision is applied.\n");
	db_snapshot_free(snapshot);
}

static void findings_of_revisions(void **state)
{
	static const struct file two_heads[] = {
		{ "a", "", "first" },
		{ "b1", "a", "one" },
		{ "b2", "a", "other" },
	};
	static const struct file gap[] = {
		{ "c", "lost", "parent is not there" },
	};
	struct finding_input in = { NULL };
	struct migration_graph *graph;

	(void)state;
	findings_expect(&in, 0, "");

	graph = graph_new(chain, 3, "622dbc22743e");
	in.graph = graph;
	findings_expect(&in, 0, "");
	migration_graph_free(graph);

	graph = graph_new(chain, 3, NULL);
	in.graph = graph;
	findings_expect(&in, 0, "");
	migration_graph_free(graph);

	graph = graph_new(chain, 3, "deadbeef0000");
	in.graph = graph;
	findings_expect(&in, 2,
		"critical unknown-revision [unknown-revision] The database stands at revision "
		"deadbeef0000, which no migration file here knows: another image or branch "
		"migrated "
		"it, and alembic current, upgrade and stamp fail.\n");
	migration_graph_free(graph);

	graph = graph_new(two_heads, 3, "b1 b2");
	in.graph = graph;
	findings_expect(&in, 1,
		"warning multiple-heads [multiple-heads] The migrations have 2 heads (b1, b2): "
		"alembic "
		"upgrade head fails until they are merged.\n");
	migration_graph_free(graph);

	graph = graph_new(gap, 1, NULL);
	in.graph = graph;
	{
		struct findings findings = { NULL, 0, 0 };

		findings_compute(&findings, &in);
		assert_int_equal(findings.n, 1);
		assert_string_equal(findings.items[0].code, "revision-chain-broken");
		assert_int_equal(findings.items[0].severity, FINDING_CRITICAL);
		assert_string_equal(findings.items[0].runbook, "debugging");
		assert_non_null(strstr(findings.items[0].text, "lost"));
		findings_fini(&findings);
	}
	migration_graph_free(graph);

	in.graph = NULL;
	in.migrations_error = "container boardofone-api-1 does not run";
	findings_expect(&in, 1,
		"warning revision-chain-broken [debugging] The migration files could not be read: "
		"container boardofone-api-1 does not run\n");
}

static void findings_of_the_schema(void **state)
{
	struct db_schema_facts facts;
	struct finding_input in = { .schema = &facts };
	struct migration_graph *graph;

	(void)state;
	strlist_init(&facts.missing_tables);
	strlist_init(&facts.invalid_indexes);
	findings_expect(&in, 0, "");
	strlist_add(&facts.missing_tables, "users");
	findings_expect(&in, 2,
		"critical critical-table-missing [production-health-check] Table users is missing.\n");
	strlist_add(&facts.missing_tables, "sessions");
	strlist_add(&facts.invalid_indexes, "public.i on public.t");
	findings_expect(&in, 2,
		"critical critical-table-missing [production-health-check] Tables users, sessions "
		"are missing.\n"
		"warning invalid-index [invalid-index] Index public.i on public.t is invalid: every "
		"write pays for it and no query uses it.\n");
	/* What may create them is no applied revision yet: no alarm, and behind what is one. */
	graph = graph_new(chain, 3, "001_research_metrics");
	in.graph = graph;
	findings_expect(&in, 1,
		"warning invalid-index [invalid-index] Index public.i on public.t is invalid: every "
		"write pays for it and no query uses it.\n"
		"warning pending-migrations [manual-migration] 1 revision is pending: 622dbc22743e "
		"(Add session_events and tasks tables).\n"
		"info critical-table-missing [production-health-check] Tables users, sessions are "
		"missing; a pending revision may create them.\n");
	migration_graph_free(graph);
	strlist_fini(&facts.missing_tables);
	strlist_fini(&facts.invalid_indexes);
}

static void findings_take_others(void **state)
{
	struct findings findings = { NULL, 0, 0 };
	size_t i;

	(void)state;
	findings_add(&findings, "legacy-sql-pending", "%d files", 2);
	findings_add(&findings, "health-failed", "503\nbad\033");
	findings_add(&findings, "legacy-sql-pending", "later");
	findings_sort(&findings);
	assert_string_equal(findings.items[0].code, "health-failed");
	assert_string_equal(findings.items[0].text, "503 bad^[");
	assert_string_equal(findings.items[1].text, "2 files");
	assert_string_equal(findings.items[2].text, "later");
	assert_int_equal(findings_exit_status(&findings), 2);
	findings_fini(&findings);
	assert_int_equal(findings_exit_status(&findings), 0);
	for (i = 0; finding_code(i); i++)
		;
	assert_int_equal(i, 20);
}

static void add_image(struct migration_sources *sources, const char *name, const struct file *files,
	size_t n)
{
	size_t i = migration_sources_add(sources, name, true, name);

	migration_sources_set(sources, i, graph_new(files, n, NULL), NULL);
}

static void mark(struct migration_sources *sources, const char *row)
{
	struct strlist rows;

	strlist_init(&rows);
	strlist_add(&rows, row);
	migration_sources_mark(sources, &rows);
	strlist_fini(&rows);
}

static void findings_of_images_that_disagree(void **state)
{
	static const struct file two_tips[] = {
		{ "a", "", "first" },
		{ "b", "a", "blue's" },
		{ "c", "a", "other" },
	};
	struct migration_sources sources = { 0 };
	struct finding_input in = { .sources = &sources };

	(void)state;
	add_image(&sources, "blue", two_tips, 2);
	add_image(&sources, "green", two_tips, 2);
	in.graph = sources.merged;
	mark(&sources, "b");
	findings_expect(&in, 0, "");
	/* One more in green, not applied: two heads there, and none of them in blue. */
	migration_sources_set(&sources, 1, graph_new(two_tips, 3, NULL), NULL);
	in.graph = sources.merged;
	mark(&sources, "b");
	findings_expect(&in, 1,
		"warning multiple-heads [multiple-heads] The migrations of green have 2 heads (b, "
		"c): alembic upgrade head fails until they are merged.\n"
		"warning colour-skew [standard-deployment] The images disagree about their "
		"migrations: c (green only). What an upgrade runs depends on the image it runs in.\n"
		"warning pending-migrations [manual-migration] 1 revision is pending: c (other).\n");
	/* Applied by green: blue is behind, and only green goes back. */
	mark(&sources, "c");
	findings_expect(&in, 1,
		"warning multiple-heads [multiple-heads] The migrations of green have 2 heads (b, "
		"c): alembic upgrade head fails until they are merged.\n"
		"warning colour-skew [standard-deployment] The database is ahead of blue: c is "
		"applied, and blue has no file of it, so alembic fails there; only green can roll it "
		"back, but its downgrade() does nothing.\n"
		"warning pending-migrations [manual-migration] 1 revision is pending: b (blue's).\n");
	migration_sources_fini(&sources);
}

static void findings_of_legacy_files(void **state)
{
	struct finding_input in = { NULL };
	struct legacy_list legacy;
	struct strlist files, rows;

	(void)state;
	strlist_init(&files);
	strlist_init(&rows);
	strlist_add_words(&files, "1_a.sql 2_b.sql 3_c.sql");
	strlist_add_words(&rows, "1_a.sql gone.sql");
	legacy_list_init(&legacy, &files, &rows);
	in.legacy = &legacy;
	findings_expect(&in, 1,
		"warning legacy-sql-pending [legacy-sql-hotfix] 2 legacy SQL files are pending: "
		"2_b.sql, 3_c.sql; 1 recorded in sql_migrations and not in the image: gone.sql.\n");
	legacy_list_fini(&legacy);
	strlist_add_words(&rows, "2_b.sql 3_c.sql");
	legacy_list_init(&legacy, &files, &rows);
	findings_expect(&in, 0,
		"info legacy-sql-pending [legacy-sql-hotfix] Legacy SQL: 1 recorded in "
		"sql_migrations and not in the image: gone.sql.\n");
	legacy_list_fini(&legacy);
	strlist_fini(&files);
	strlist_fini(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_of_a_stuck_migration),
		cmocka_unit_test(findings_of_a_working_migration),
		cmocka_unit_test(findings_of_transactions),
		cmocka_unit_test(findings_of_the_version_table),
		cmocka_unit_test(findings_of_revisions),
		cmocka_unit_test(findings_of_the_schema),
		cmocka_unit_test(findings_take_others),
		cmocka_unit_test(findings_of_images_that_disagree),
		cmocka_unit_test(findings_of_legacy_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
