/*
 * The picture the screen tests draw: a deploy that hangs at its migration. Session 8123 idles in a
 * transaction, the migration 8140 waits for it, and the application waits behind the migration.
 */
#ifndef TESTS_UNIT_UI_PICTURE_H
#define TESTS_UNIT_UI_PICTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/locktree.h>
#include <pgoncall/db/snapshot.h>
#include <pgoncall/diagnosis/findings.h>
#include <pgoncall/logs/view.h>
#include <pgoncall/migrations/graph.h>
#include <pgoncall/ui/console.h>

#define PICTURE_WALL (INT64_C(1737986531) * CLOCK_NS_PER_S) /* 2025-01-27 14:02:11 UTC */
#define PICTURE_MONO (INT64_C(100000) * CLOCK_NS_PER_S)

struct picture {
	struct console *console;
	struct db_snapshot *snapshot;
	struct migration_graph *graph;
	struct log_store *store;
	struct log_view *view;
	struct findings findings;
	struct console_now now;
};

/* --- sessions -------------------------------------------------------------------------------- */

static struct db_snapshot *picture_snapshot_new(void)
{
	struct db_snapshot *snapshot = mem_calloc(1, sizeof(*snapshot));

	snapshot->at_wall = PICTURE_WALL - 400 * CLOCK_NS_PER_MS;
	snapshot->at_monotonic = PICTURE_MONO - 400 * CLOCK_NS_PER_MS;
	snapshot->at = mem_strdup("2025-01-27 14:02:10.600000+00");
	snapshot->server.version = mem_strdup("15.8");
	snapshot->server.version_num = 150008;
	snapshot->server.see_all = snapshot->server.may_signal = true;
	snapshot->server.role = mem_strdup("bo1");
	snapshot->server.max_connections = 100;
	snapshot->server.used_connections = 41;
	return snapshot;
}

/* Adds an idle session; the returned one is valid until the next is added. */
static struct db_session *picture_add(
	struct db_snapshot *snapshot, int pid, const char *application, const char *query)
{
	struct db_session *s;

	snapshot->sessions = mem_realloc(
		snapshot->sessions, snapshot->n_sessions + 1, sizeof(*snapshot->sessions));
	s = &snapshot->sessions[snapshot->n_sessions++];
	memset(s, 0, sizeof(*s));
	s->pid = pid;
	s->gid = mem_strdup("");
	s->backend_start = mem_printf("2025-01-27 13:%02d:00.123456+00", pid % 60);
	s->xact_start = mem_strdup("");
	s->query_start = mem_strdup("2025-01-27 13:50:07.000001+00");
	s->user = mem_strdup("bo1");
	s->database = mem_strdup("boardofone");
	s->application = mem_strdup(application);
	s->client = mem_strdup("172.18.0.5");
	s->backend_type = mem_strdup("client backend");
	s->state = mem_strdup("idle");
	s->wait_event_type = mem_strdup("Client");
	s->wait_event = mem_strdup("ClientRead");
	s->query = mem_strdup(query);
	s->version_lock = mem_strdup("");
	s->progress = mem_strdup("");
	s->waits_for.mode = mem_strdup("");
	s->waits_for.relation = mem_strdup("");
	s->backend_age_s = 3600;
	s->xact_age_s = s->query_age_s = s->wait_age_s = NAN;
	s->state_age_s = pid % 97 + 3;
	return s;
}

static void picture_set(char **slot, const char *value)
{
	free(*slot);
	*slot = mem_strdup(value);
}

static void picture_wait(struct db_session *s, int blocker, const char *mode, double age_s)
{
	s->blocked_by = mem_calloc(1, sizeof(*s->blocked_by));
	s->blocked_by[0] = blocker;
	s->n_blocked_by = 1;
	picture_set(&s->state, "active");
	picture_set(&s->wait_event_type, "Lock");
	picture_set(&s->wait_event, "relation");
	picture_set(&s->waits_for.mode, mode);
	picture_set(&s->waits_for.relation, "users");
	picture_set(&s->xact_start, "2025-01-27 13:58:58.000001+00");
	s->wait_age_s = s->query_age_s = s->xact_age_s = age_s;
}

static void picture_hold(struct db_session *s, const char *mode, const char *relation)
{
	s->holds = mem_realloc(s->holds, s->n_holds + 1, sizeof(*s->holds));
	s->holds[s->n_holds].mode = mem_strdup(mode);
	s->holds[s->n_holds++].relation = mem_strdup(relation);
}

static void picture_add_stuck(struct db_snapshot *snapshot)
{
	struct db_session *s;

	s = picture_add(snapshot, 8123, "psql",
		"SELECT id, email,\n       created_at\n  FROM users\n WHERE id = 42 FOR UPDATE");
	picture_set(&s->state, "idle in transaction");
	picture_set(&s->xact_start, "2025-01-27 13:50:07.000001+00");
	s->xact_age_s = 724;
	s->state_age_s = 700;
	picture_hold(s, "RowShare", "users");
	picture_hold(s, "AccessShare", "sessions");
	s = picture_add(snapshot, 8140, "alembic",
		"ALTER TABLE users ADD COLUMN last_seen_at TIMESTAMP WITH TIME ZONE");
	picture_wait(s, 8123, "AccessExclusive", 192);
	s->migration = true;
	picture_set(&s->version_lock, "RowExclusive");
	s = picture_add(
		snapshot, 8151, "api", "SELECT users.id, users.email FROM users WHERE id = $1");
	picture_wait(s, 8140, "AccessShare", 170);
	s = picture_add(snapshot, 8152, "api", "UPDATE users SET last_login = now() WHERE id = $1");
	picture_wait(s, 8140, "RowExclusive", 161);
}

/* 41 sessions: four in the tree, two at work, the rest idle. */
static struct db_snapshot *picture_stuck(void)
{
	struct db_snapshot *snapshot = picture_snapshot_new();
	struct db_session *s;
	int i;

	for (i = 0; i < 20; i++)
		picture_add(snapshot, 8000 + i, "api", "COMMIT");
	picture_add_stuck(snapshot);
	s = picture_add(snapshot, 8201, "worker", "SELECT pg_sleep(60)");
	picture_set(&s->state, "active");
	picture_set(&s->wait_event_type, "Timeout");
	picture_set(&s->wait_event, "PgSleep");
	s->xact_age_s = s->query_age_s = 12;
	s = picture_add(snapshot, 8202, "", "autovacuum: VACUUM ANALYZE public.sessions");
	picture_set(&s->user, "");
	picture_set(&s->backend_type, "autovacuum worker");
	picture_set(&s->state, "active");
	picture_set(&s->wait_event_type, "");
	picture_set(&s->wait_event, "");
	picture_set(&s->progress, "VACUUM: scanning heap 42 %");
	s->xact_age_s = s->query_age_s = 44;
	for (i = 0; i < 15; i++)
		picture_add(snapshot, 8300 + i, "worker", "SELECT 1");
	db_locktree_mark(snapshot);
	return snapshot;
}

/* --- revisions ------------------------------------------------------------------------------- */

static void picture_add_revision(struct migration_revision *revisions, size_t *n, const char *id,
	const char *down, const char *message, const char *date)
{
	struct migration_problems problems;
	char *path = mem_printf("migrations/versions/%s.py", id);
	char *text =
		mem_printf("\"\"\"%s\n\nRevision ID: %s\nRevises: %s\nCreate Date: %s\n\"\"\"\n"
			   "revision = '%s'\ndown_revision = %s\n\n\ndef upgrade():\n    "
			   "op.execute('SELECT 1')\n\n\n"
			   "def downgrade():\n    pass\n",
			message, id, down, date, id, down);

	migration_problems_init(&problems);
	if (migration_revision_parse(path, text, strlen(text), &revisions[*n], &problems) == 0)
		++*n;
	migration_problems_fini(&problems);
	free(text);
	free(path);
}

static struct migration_graph *picture_graph_new(const char *version)
{
	static const char *const rows[][4] = {
		{ "ced8f3f148bb", "None", "Initial schema", "2024-10-01 09:00:00" },
		{ "8a5d2f9e1b3c", "'ced8f3f148bb'", "Add beta whitelist", "2024-10-12 09:00:00" },
		{ "2f7e9d4c8b1a", "'8a5d2f9e1b3c'", "Add actions lite", "2024-11-02 09:00:00" },
		{ "71a746e3c1d9", "'2f7e9d4c8b1a'", "Add context tables", "2024-11-20 09:00:00" },
		{ "9f3c7b8e2d1a", "'71a746e3c1d9'", "Add waitlist table", "2024-12-02 09:00:00" },
		{ "f23423398b2a", "'9f3c7b8e2d1a'", "Fix research cache vector type and index",
			"2025-01-06 09:00:00" },
		{ "001_research_metrics", "'f23423398b2a'", "Add research_metrics table",
			"2025-01-15 09:00:00" },
		{ "622dbc22743e", "'001_research_metrics'",
			"Add session_events and session_tasks tables", "2025-01-26 09:00:00" },
	};
	struct migration_revision revisions[8];
	struct migration_graph *graph;
	struct strlist versions = { 0 };
	size_t n = 0, i;

	for (i = 0; i < 8; i++)
		picture_add_revision(revisions, &n, rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
	graph = migration_graph_new(revisions, n, NULL);
	if (version) {
		strlist_add(&versions, version);
		migration_graph_mark(graph, &versions);
	}
	strlist_fini(&versions);
	return graph;
}

/* --- logs ------------------------------------------------------------------------------------ */

static void picture_log(struct log_store *store, int seconds, const char *text)
{
	struct log_raw raw = { .text = text,
		.len = strlen(text),
		.has_time = true,
		.time_ns = PICTURE_WALL + seconds * CLOCK_NS_PER_S,
		.stream = LOG_STDOUT };
	struct log_line line;

	log_line_init(&line, &raw, 0, raw.time_ns);
	log_store_add_take(store, 0, &line, 0);
	log_store_settle(store, 0, true);
}

static void picture_logs(struct log_store *store)
{
	picture_log(
		store, -200, "INFO:     172.18.0.1:41234 - \"GET /api/health/db HTTP/1.1\" 200 OK");
	picture_log(store, -196, "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.");
	picture_log(store, -196, "INFO  [alembic.runtime.migration] Will assume transactional DDL.");
	picture_log(store, -193,
		"INFO  [alembic.runtime.migration] Running upgrade 001_research_metrics "
		"-> 622dbc22743e, add_session_events_and_session_tasks_tables");
	picture_log(store, -150, "WARNING  pool: connection checkout took 20.1 s");
	picture_log(store, -120,
		"\033[31mERROR\033[0m  api: request timed out after 30 s: GET "
		"/api/v1/sessions user=42");
	picture_log(store, -60, "ERROR  api: request timed out after 30 s: POST /api/v1/login");
	picture_log(store, -13,
		"INFO:     172.18.0.1:41239 - \"GET /api/health/db HTTP/1.1\" 503 "
		"Service Unavailable");
}

/* --- all of it ------------------------------------------------------------------------------- */

static void picture_find(struct findings *findings, const char *code,
	enum finding_severity severity, const char *text, const char *runbook)
{
	struct finding *f;

	findings->items =
		mem_grow(findings->items, findings->n, &findings->cap, sizeof(*findings->items));
	f = &findings->items[findings->n++];
	memset(f, 0, sizeof(*f));
	f->code = code;
	f->severity = severity;
	f->text = mem_strdup(text);
	f->runbook = runbook;
	f->backend_start = mem_strdup("");
}

static struct console_facts picture_facts(void)
{
	struct console_facts facts = { .target = "prod",
		.database = "boardofone",
		.environment = CONFIRM_PRODUCTION,
		.ssh_ms = 11 };

	return facts;
}

__attribute__((unused)) static void picture_init(struct picture *picture)
{
	static const enum key_command on[] = { CMD_CANCEL_QUERY, CMD_TERMINATE, CMD_RUNBOOKS,
		CMD_OPEN_RUNBOOK, CMD_REVIEW, CMD_REFRESH, CMD_PAUSE, CMD_PAST_OLDER, CMD_PAST_NEWER,
		CMD_TARGET, CMD_COPY,
		CMD_WRITE, CMD_THEME, CMD_SUSPEND, CMD_PREVIOUS_SOURCE, CMD_NEXT_SOURCE };
	struct console_options options = { .editrc = "/dev/null" };
	struct console_facts facts = picture_facts();
	size_t i;

	setenv("TZ", "UTC", 1);
	memset(picture, 0, sizeof(*picture));
	keys_set_init(&options.keys);
	for (i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		options.keys.on[on[i]] = true;
	picture->console = console_new(&options);
	picture->snapshot = picture_stuck();
	picture->graph = picture_graph_new("001_research_metrics");
	picture->store = log_store_new(0);
	log_store_add_source(picture->store, "boardofone-api-1");
	picture->view = log_view_new(picture->store);
	picture_logs(picture->store);
	picture_find(&picture->findings, "migration-blocked", FINDING_CRITICAL,
		"Migration 001_research_metrics → 622dbc22743e has waited 3m12s for users: blocked "
		"by "
		"pid 8123.",
		"stuck-migration");
	picture_find(&picture->findings, "pending-migrations", FINDING_WARNING,
		"1 revision is pending: 622dbc22743e.", "not-up-to-date");
	console_set_facts(picture->console, &facts);
	console_set_link(picture->console, CONSOLE_UP, PICTURE_MONO - 60 * CLOCK_NS_PER_S, 0);
	console_set_snapshot(picture->console, picture->snapshot);
	console_set_graph(picture->console, picture->graph, NULL);
	console_set_findings(picture->console, &picture->findings);
	console_set_logs(picture->console, picture->view, "following");
	picture->now.monotonic = PICTURE_MONO;
	picture->now.wall = PICTURE_WALL;
}

__attribute__((unused)) static void picture_fini(struct picture *picture)
{
	console_free(picture->console);
	db_snapshot_free(picture->snapshot);
	migration_graph_free(picture->graph);
	log_view_free(picture->view);
	log_store_free(picture->store);
	findings_fini(&picture->findings);
}

/* Replaces the snapshot; takes the new one. */
__attribute__((unused)) static void picture_next(
	struct picture *picture, struct db_snapshot *snapshot_take)
{
	console_set_snapshot(picture->console, snapshot_take);
	db_snapshot_free(picture->snapshot);
	picture->snapshot = snapshot_take;
}

/* --- golden text ----------------------------------------------------------------------------- */

/* Compares a screen with tests/golden/ui/NAME.txt; UPDATE_GOLDEN=1 writes it instead. Returns
 * whether they are equal, and prints what was drawn when they are not. */
__attribute__((unused)) static bool picture_matches(const struct cells *cells, const char *name)
{
	char *path = mem_printf("tests/golden/ui/%s.txt", name), chunk[4096];
	struct buf drawn = BUF_INIT, golden = BUF_INIT;
	const char *update = getenv("UPDATE_GOLDEN");
	bool write = update && *update, equal;
	FILE *file = fopen(path, write ? "w" : "r");
	size_t got;

	cells_dump(cells, &drawn);
	if (file && write)
		fwrite(drawn.data, 1, drawn.len, file);
	while (file && !write && (got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&golden, chunk, got);
	if (file)
		fclose(file);
	equal = write ||
		(file && golden.len == drawn.len && strcmp(buf_str(&golden), buf_str(&drawn)) == 0);
	if (!equal)
		fprintf(stderr, "%s differs; drawn:\n%s", path, buf_str(&drawn));
	buf_fini(&drawn);
	buf_fini(&golden);
	free(path);
	return equal;
}

#endif
