/*
 * Pictures of a real server: trees that were staged, what an unprivileged role sees, and that no
 * question of ours ever waits behind a lock.
 */
#include "cluster.h"

#include <pgoncall/db/locktree.h>

static const char watch_seed[] =
	"CREATE ROLE bo1 LOGIN;\n"
	"CREATE ROLE plain LOGIN;\n"
	"CREATE ROLE outsider LOGIN;\n"
	"CREATE DATABASE other;\n"
	"CREATE DATABASE boardofone OWNER bo1;\n"
	"\\c boardofone\n"
	"SET ROLE bo1;\n"
	"CREATE TABLE users (id int PRIMARY KEY, email text);\n"
	"INSERT INTO users SELECT g, 'x' FROM generate_series(1, 100) g;\n"
	"CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);\n"
	"INSERT INTO alembic_version VALUES ('001_research_metrics');\n"
	"GRANT SELECT ON users, alembic_version TO plain;\n"
	"CREATE SCHEMA audit;\n"
	"CREATE TABLE audit.version_of (version_num varchar(32));\n"
	"INSERT INTO audit.version_of VALUES ('b'), ('a');\n"
	"CREATE TABLE audit.events (id int);\n"
	"CREATE TABLE strange (version int);\n"
	"RESET ROLE;\n"
	"\\c other\n"
	"CREATE TABLE elsewhere (id int);\n";

static int watch_setup(void **state)
{
	int rc = cluster_start(state);

	if (rc == 0)
		cluster_psql("postgres", watch_seed);
	return rc;
}

/* The watching connection, as the console opens it. */
static void watcher_open(struct actor *actor, const char *user)
{
	struct db_conn_options options = actor_options(user, NULL);

	options.read_only = true;
	options.statement_timeout_ms = 0;
	options.lock_timeout_ms = 0;
	actor_open(actor, &options);
	cluster_wait(actor->up || actor->downs);
	assert_true(actor->up);
}

/* The same as the only client: backends of sessions closed before take a moment to end. */
static void watcher_start(struct actor *actor, const char *user)
{
	int64_t end = clock_monotonic() + CLUSTER_PATIENCE_S * CLOCK_NS_PER_S;
	struct db_snapshot *snapshot;
	int used;

	watcher_open(actor, user);
	do {
		snapshot = picture_take(actor, NULL);
		used = snapshot->server.used_connections;
		db_snapshot_free(snapshot);
	} while (used > 1 && clock_monotonic() < end);
	assert_int_equal(used, 1);
}

/* The incident: a reader forgets its transaction, a migration waits, three readers queue. */
struct incident {
	struct actor watcher, idle, alembic, readers[3];
};

static void incident_start(struct incident *incident)
{
	struct db_snapshot *snapshot;
	int i;

	watcher_start(&incident->watcher, "postgres");
	actor_start(&incident->idle, "bo1", "boardofone-api");
	actor_do(&incident->idle, "BEGIN");
	actor_do(&incident->idle, "SELECT count(*) FROM users");
	actor_start(&incident->alembic, "bo1", "");
	actor_do(&incident->alembic, "BEGIN");
	actor_do(&incident->alembic, "SELECT version_num FROM alembic_version");
	actor_do(&incident->alembic, "CREATE TABLE session_events (id int)");
	actor_send(&incident->alembic, "ALTER TABLE users ADD COLUMN last_session timestamptz");
	snapshot = picture_with_waiting(&incident->watcher, 1);
	db_snapshot_free(snapshot);
	for (i = 0; i < 3; i++) {
		actor_start(&incident->readers[i], "bo1", "reader");
		actor_send(&incident->readers[i], "SELECT count(*) FROM users");
	}
}

static void incident_end(struct incident *incident)
{
	int i;

	actor_do(&incident->idle, "ROLLBACK");
	cluster_wait(db_conn_pending(incident->alembic.conn) == 0);
	actor_do(&incident->alembic, "ROLLBACK");
	for (i = 0; i < 3; i++) {
		cluster_wait(incident->readers[i].answers == 1);
		assert_int_equal(incident->readers[i].errors, 0);
		actor_close(&incident->readers[i]);
	}
	actor_close(&incident->alembic);
	actor_close(&incident->idle);
	actor_close(&incident->watcher);
}

static const char *holds_mode(const struct db_session *session, const char *relation)
{
	size_t i;

	for (i = 0; i < session->n_holds; i++)
		if (strcmp(session->holds[i].relation, relation) == 0)
			return session->holds[i].mode;
	return "";
}

static void watch_sees_the_server(void **state)
{
	struct db_snapshot *snapshot;
	struct actor watcher;

	(void)state;
	watcher_start(&watcher, "postgres");
	snapshot = picture_take(&watcher, "alembic_version");
	assert_true(snapshot->server.version_num >= 130000);
	assert_int_equal(atoi(snapshot->server.version), snapshot->server.version_num / 10000);
	assert_false(snapshot->server.standby);
	assert_true(snapshot->server.superuser && snapshot->server.see_all);
	assert_true(snapshot->server.may_signal);
	assert_string_equal(snapshot->server.role, "postgres");
	assert_string_equal(snapshot->server.database, "boardofone");
	assert_int_equal(snapshot->server.max_connections, 60);
	assert_int_equal(snapshot->server.reserved_connections, 3);
	assert_int_equal(snapshot->server.used_connections, 1);
	assert_int_equal(snapshot->version_table, DB_VERSION_TABLE_FOUND);
	assert_int_equal(snapshot->versions.n, 1);
	assert_string_equal(snapshot->versions.items[0], "001_research_metrics");
	assert_int_equal(snapshot->n_sessions, 0);
	assert_int_equal(snapshot->n_hidden, 0);
	assert_true(snapshot->duration_ms > 0 && snapshot->at_wall > 0 && snapshot->at[0]);
	db_snapshot_free(snapshot);
	actor_close(&watcher);
}

static void watch_sees_a_stuck_migration(void **state)
{
	const struct db_session *idle, *alembic, *reader;
	struct db_snapshot *snapshot;
	struct incident incident;
	struct db_tree_row *rows;
	size_t n;

	(void)state;
	incident_start(&incident);
	snapshot = picture_with_waiting(&incident.watcher, 4);
	assert_int_equal(snapshot->n_sessions, 5);
	idle = picture_session(snapshot, &incident.idle);
	alembic = picture_session(snapshot, &incident.alembic);
	reader = picture_session(snapshot, &incident.readers[2]);

	assert_true(idle->is_root);
	assert_int_equal(idle->n_behind, 4);
	assert_string_equal(idle->state, "idle in transaction");
	assert_string_equal(idle->application, "boardofone-api");
	assert_string_equal(idle->backend_type, "client backend");
	assert_string_equal(holds_mode(idle, "users"), "AccessShare");
	assert_string_equal(holds_mode(idle, "users_pkey"), "");
	assert_true(idle->xact_age_s >= 0 && idle->state_age_s >= 0);
	assert_true(idle->wait_age_s != idle->wait_age_s);
	assert_true(idle->backend_start[0] && idle->xact_start[0] && idle->query_start[0]);
	assert_false(idle->migration);

	assert_true(alembic->migration);
	assert_string_equal(alembic->version_lock, "AccessShare");
	assert_string_equal(alembic->waits_for.mode, "AccessExclusive");
	assert_string_equal(alembic->waits_for.relation, "users");
	assert_string_equal(alembic->wait_event_type, "Lock");
	assert_int_equal(alembic->n_blocked_by, 1);
	assert_int_equal(alembic->blocked_by[0], idle->pid);
	assert_int_equal(alembic->root, idle->pid);
	assert_int_equal(alembic->n_behind, 3);
	assert_true(alembic->wait_age_s >= 0 && alembic->wait_age_s < CLUSTER_PATIENCE_S);
	assert_string_equal(
		alembic->query, "ALTER TABLE users ADD COLUMN last_session timestamptz");
	assert_string_equal(holds_mode(alembic, "alembic_version"), "AccessShare");
	assert_string_equal(alembic->holds[0].mode, "AccessExclusive");
	assert_int_equal(strncmp(alembic->holds[0].relation, "relation ", 9), 0);

	assert_int_equal(reader->depth, 2);
	assert_int_equal(reader->root, idle->pid);
	assert_int_equal(reader->blocked_by[0], alembic->pid);
	assert_string_equal(reader->waits_for.mode, "AccessShare");
	assert_false(reader->migration);
	assert_int_equal(snapshot->versions.n, 1);

	rows = db_locktree_rows(snapshot, true, &n);
	assert_int_equal(n, 5);
	assert_int_equal(rows[0].session->pid, idle->pid);
	assert_int_equal(rows[1].session->pid, alembic->pid);
	free(rows);
	db_snapshot_free(snapshot);
	incident_end(&incident);
}

static void watch_never_queues_behind_locks(void **state)
{
	struct actor watcher, holder;
	struct db_snapshot *snapshot;
	int64_t begun;

	(void)state;
	watcher_start(&watcher, "postgres");
	actor_start(&holder, "bo1", "holder");
	actor_do(&holder, "BEGIN");
	actor_do(&holder,
		"LOCK TABLE users, alembic_version, audit.events IN ACCESS EXCLUSIVE MODE");
	begun = clock_monotonic();
	snapshot = picture_take(&watcher, "alembic_version");
	/* Well below lock_timeout: nothing waited at all. Sanitizers and valgrind are slow. */
	assert_true(clock_monotonic() - begun < 2 * CLOCK_NS_PER_S);
	assert_int_equal(snapshot->version_table, DB_VERSION_TABLE_LOCKED);
	assert_int_equal(snapshot->versions.n, 0);
	assert_string_equal(picture_session(snapshot, &holder)->version_lock, "AccessExclusive");
	assert_int_equal(watcher.errors, 0);
	db_snapshot_free(snapshot);
	actor_do(&holder, "ROLLBACK");
	actor_close(&holder);
	actor_close(&watcher);
}

/* The lock comes between two pictures: the version rows are asked for, and time out alone. */
static void watch_survives_a_lock_on_the_version_table(void **state)
{
	const struct db_watch_options options = { .interval_ms = 0,
		.version_table = "alembic_version" };
	struct picture picture = { NULL, { ERR_OK, "" }, 0, 0 };
	struct actor watcher, holder;
	struct db_watch *watch;

	(void)state;
	watcher_start(&watcher, "postgres");
	actor_start(&holder, "bo1", "holder");
	watch = db_watch_start(cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
	cluster_wait(picture.n == 1);
	assert_int_equal(picture.snapshot->version_table, DB_VERSION_TABLE_FOUND);
	actor_do(&holder, "BEGIN");
	actor_do(&holder, "LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE");
	db_watch_refresh(watch);
	cluster_wait(picture.n == 2);
	assert_int_equal(picture.n_errors, 0);
	assert_int_equal(picture.snapshot->version_table, DB_VERSION_TABLE_LOCKED);
	assert_int_equal(picture.snapshot->n_sessions, 1);
	actor_do(&holder, "ROLLBACK");
	db_watch_refresh(watch);
	cluster_wait(picture.n == 3);
	assert_int_equal(picture.snapshot->version_table, DB_VERSION_TABLE_FOUND);
	assert_int_equal(picture.snapshot->versions.n, 1);
	db_watch_stop(watch);
	db_snapshot_free(picture.snapshot);
	actor_close(&holder);
	actor_close(&watcher);
}

static void watch_reads_version_tables(void **state)
{
	static const struct {
		const char *user, *table;
		enum db_version_table found;
		const char *first;
	} cases[] = {
		{ "postgres", "alembic_version", DB_VERSION_TABLE_FOUND, "001_research_metrics" },
		{ "postgres", "public.alembic_version", DB_VERSION_TABLE_FOUND,
			"001_research_metrics" },
		{ "postgres", "audit.version_of", DB_VERSION_TABLE_FOUND, "a" },
		{ "postgres", "version_of", DB_VERSION_TABLE_MISSING, NULL },
		{ "postgres", "nowhere.alembic_version", DB_VERSION_TABLE_MISSING, NULL },
		{ "postgres", "x\"; DROP TABLE users; --", DB_VERSION_TABLE_MISSING, NULL },
		{ "postgres", "strange", DB_VERSION_TABLE_FAILED, NULL },
		{ "postgres", "", DB_VERSION_TABLE_NOT_ASKED, NULL },
		{ "plain", "alembic_version", DB_VERSION_TABLE_FOUND, "001_research_metrics" },
		{ "plain", "audit.version_of", DB_VERSION_TABLE_DENIED, NULL },
		{ "outsider", "alembic_version", DB_VERSION_TABLE_DENIED, NULL },
	};
	struct db_snapshot *snapshot;
	struct actor watcher;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		watcher_start(&watcher, cases[i].user);
		snapshot = picture_take(&watcher, cases[i].table);
		if (snapshot->version_table != cases[i].found)
			fail_msg("%s as %s: %d", cases[i].table, cases[i].user,
				snapshot->version_table);
		assert_int_equal(snapshot->versions.n > 0, cases[i].first != NULL);
		if (cases[i].first)
			assert_string_equal(snapshot->versions.items[0], cases[i].first);
		db_snapshot_free(snapshot);
		actor_close(&watcher);
	}
}

/* What one command that shows no sessions asks for; the other facts are empty, not wrong. */
static void watch_is_brief_where_asked(void **state)
{
	const char *const tables[] = { "alembic_version", "audit.version_of", "nowhere" };
	const enum db_version_table found[] = { DB_VERSION_TABLE_FOUND, DB_VERSION_TABLE_FOUND,
		DB_VERSION_TABLE_MISSING };
	struct db_watch_options options = { .brief = true };
	struct picture picture;
	struct actor watcher;
	struct db_watch *watch;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		memset(&picture, 0, sizeof(picture));
		watcher_start(&watcher, "bo1");
		options.version_table = tables[i];
		watch = db_watch_start(
			cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
		cluster_wait(picture.n == 1);
		assert_int_equal(picture.n_errors, 0);
		assert_int_equal(picture.snapshot->version_table, found[i]);
		assert_int_equal(picture.snapshot->versions.n, i == 0 ? 1 : i == 1 ? 2 : 0);
		assert_int_equal(picture.snapshot->n_sessions, 0);
		assert_string_equal(picture.snapshot->server.role, "bo1");
		assert_string_equal(picture.snapshot->server.database, "boardofone");
		assert_true(picture.snapshot->server.version_num >= 130000);
		db_watch_stop(watch);
		db_snapshot_free(picture.snapshot);
		actor_close(&watcher);
	}
}

static void watch_shows_edges_to_an_unprivileged_role(void **state)
{
	const struct db_session *idle, *alembic;
	struct db_snapshot *snapshot;
	struct incident incident;
	struct actor plain;

	(void)state;
	incident_start(&incident);
	watcher_open(&plain, "plain");
	snapshot = picture_with_waiting(&plain, 4);
	assert_false(snapshot->server.see_all);
	assert_false(snapshot->server.may_signal);
	/* The five of the incident and the superuser's watcher. */
	assert_int_equal(snapshot->n_sessions, 6);
	assert_int_equal(snapshot->n_hidden, 6);
	idle = picture_session(snapshot, &incident.idle);
	alembic = picture_session(snapshot, &incident.alembic);
	assert_true(idle->hidden && idle->is_root);
	assert_int_equal(idle->n_behind, 4);
	assert_string_equal(idle->state, "");
	assert_string_equal(idle->backend_start, "");
	assert_string_equal(idle->user, "bo1");
	assert_false(idle->member || idle->superuser);
	assert_int_equal(alembic->root, idle->pid);
	assert_string_equal(alembic->waits_for.relation, "users");
	db_snapshot_free(snapshot);
	actor_close(&plain);
	incident_end(&incident);
}

static void watch_finds_prepared_transactions(void **state)
{
	const struct db_session *first, *second, *root;
	struct actor watcher, maker, x, y;
	struct db_snapshot *snapshot;
	size_t i;

	(void)state;
	watcher_start(&watcher, "postgres");
	actor_start(&maker, "bo1", "maker");
	actor_do(&maker, "BEGIN");
	actor_do(&maker, "UPDATE users SET email = 'y' WHERE id = 1");
	actor_do(&maker, "PREPARE TRANSACTION 'one ''quoted'' \"gid\", \\ {}'");
	actor_do(&maker, "BEGIN");
	actor_do(&maker, "LOCK TABLE audit.events IN SHARE MODE");
	actor_do(&maker, "SELECT txid_current()");
	actor_do(&maker, "PREPARE TRANSACTION 'two'");
	actor_start(&x, "bo1", "x");
	actor_send(&x, "UPDATE users SET email = 'z' WHERE id = 1");
	actor_start(&y, "bo1", "y");
	actor_send(&y, "INSERT INTO audit.events VALUES (1)");
	snapshot = picture_with_waiting(&watcher, 2);
	first = picture_session(snapshot, &x);
	second = picture_session(snapshot, &y);
	assert_int_equal(first->n_blocked_by, 1);
	assert_int_equal(first->blocked_by[0], 0);
	assert_int_equal(first->blocked_by_gids.n, 1);
	assert_string_equal(first->waits_for.mode, "Share");
	assert_non_null(strstr(first->waits_for.relation, "transaction "));
	assert_non_null(strstr(first->waits_for.relation, " (row of users)"));
	root = &snapshot->sessions[first->root_index];
	assert_int_equal(root->pid, 0);
	assert_true(root->is_root);
	assert_int_equal(root->n_behind, 1);
	assert_string_equal(root->gid, "one 'quoted' \"gid\", \\ {}");
	assert_string_equal(root->state, "prepared");
	assert_string_equal(holds_mode(root, "users"), "RowExclusive");
	assert_string_equal(snapshot->sessions[second->root_index].gid, "two");
	assert_string_equal(second->waits_for.relation, "audit.events");
	for (i = 0; i < snapshot->n_sessions; i++)
		assert_true(snapshot->sessions[i].pid || snapshot->sessions[i].gid[0]);
	db_snapshot_free(snapshot);
	actor_do(&maker, "ROLLBACK PREPARED 'one ''quoted'' \"gid\", \\ {}'");
	actor_do(&maker, "ROLLBACK PREPARED 'two'");
	cluster_wait(x.answers == 1 && y.answers == 1);
	actor_close(&x);
	actor_close(&y);
	actor_close(&maker);
	actor_close(&watcher);
}

static void watch_finds_idle_advisory_holders(void **state)
{
	struct actor watcher, holder, waiter;
	const struct db_session *root;
	struct db_snapshot *snapshot;

	(void)state;
	watcher_start(&watcher, "postgres");
	actor_start(&holder, "bo1", "holder");
	actor_do(&holder, "SELECT pg_advisory_lock(1, 2)");
	actor_start(&waiter, "bo1", "waiter");
	actor_send(&waiter, "SELECT pg_advisory_lock(1, 2)");
	snapshot = picture_with_waiting(&watcher, 1);
	root = picture_session(snapshot, &holder);
	assert_true(root->is_root);
	assert_string_equal(root->state, "idle");
	assert_string_equal(holds_mode(root, "advisory 1:2"), "Exclusive");
	assert_string_equal(picture_session(snapshot, &waiter)->waits_for.relation, "advisory 1:2");
	db_snapshot_free(snapshot);
	actor_do(&holder, "SELECT pg_advisory_unlock(1, 2)");
	actor_close(&waiter);
	actor_close(&holder);
	actor_close(&watcher);
}

static void watch_misnames_no_other_database(void **state)
{
	struct db_conn_options options = actor_options("postgres", "there");
	struct actor watcher, holder, waiter;
	const struct db_session *session;
	struct db_snapshot *snapshot;

	(void)state;
	options.dbname = "other";
	watcher_start(&watcher, "postgres");
	actor_open(&holder, &options);
	actor_open(&waiter, &options);
	cluster_wait(holder.up && waiter.up);
	actor_do(&holder, "BEGIN");
	actor_do(&holder, "LOCK TABLE elsewhere");
	actor_send(&waiter, "SELECT * FROM elsewhere");
	snapshot = picture_with_waiting(&watcher, 1);
	session = picture_session(snapshot, &waiter);
	assert_string_equal(session->database, "other");
	assert_int_equal(strncmp(session->waits_for.relation, "database other relation ", 24), 0);
	db_snapshot_free(snapshot);
	actor_do(&holder, "ROLLBACK");
	actor_close(&waiter);
	actor_close(&holder);
	actor_close(&watcher);
}

static void watch_shows_index_progress(void **state)
{
	struct actor watcher, writer, builder;
	const struct db_session *session;
	struct db_snapshot *snapshot;

	(void)state;
	watcher_start(&watcher, "postgres");
	actor_start(&writer, "bo1", "writer");
	actor_do(&writer, "BEGIN");
	actor_do(&writer, "UPDATE users SET email = 'w' WHERE id = 2");
	actor_start(&builder, "bo1", "");
	actor_send(&builder, "CREATE INDEX CONCURRENTLY by_email ON users (email)");
	snapshot = picture_with_waiting(&watcher, 1);
	session = picture_session(snapshot, &builder);
	assert_true(session->migration);
	assert_string_equal(
		session->progress, "CREATE INDEX CONCURRENTLY: waiting for writers before build");
	assert_non_null(strstr(session->waits_for.relation, "virtual transaction "));
	assert_int_equal(session->root, db_conn_backend_pid(writer.conn));
	db_snapshot_free(snapshot);
	actor_do(&writer, "ROLLBACK");
	cluster_wait(builder.answers == 1);
	actor_do(&builder, "DROP INDEX by_email");
	actor_close(&builder);
	actor_close(&writer);
	actor_close(&watcher);
}

/* Our acting connection is left out of the picture until it takes part in a tree. */
static void watch_leaves_ourselves_out(void **state)
{
	const struct db_watch_options options = { .interval_ms = 0,
		.version_table = NULL };
	struct picture picture = { NULL, { ERR_OK, "" }, 0, 0 };
	struct actor watcher, acting, holder;
	struct db_watch *watch;

	(void)state;
	watcher_start(&watcher, "postgres");
	actor_start(&acting, "postgres", "pgoncall");
	actor_start(&holder, "bo1", "holder");
	watch = db_watch_start(cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
	db_watch_set_acting_pid(watch, db_conn_backend_pid(acting.conn));
	cluster_wait(picture.n == 1);
	assert_int_equal(picture.snapshot->n_sessions, 1);
	assert_null(db_snapshot_find(picture.snapshot, db_conn_backend_pid(acting.conn)));
	actor_do(&holder, "BEGIN");
	actor_do(&holder, "LOCK TABLE users");
	actor_send(&acting, "SELECT * FROM users");
	while (picture_waiting(picture.snapshot) == 0) {
		int before = picture.n;

		db_watch_refresh(watch);
		cluster_wait(picture.n > before);
	}
	assert_true(picture_session(picture.snapshot, &acting)->ours);
	actor_do(&holder, "ROLLBACK");
	db_watch_stop(watch);
	db_snapshot_free(picture.snapshot);
	actor_close(&holder);
	actor_close(&acting);
	actor_close(&watcher);
}

static void watch_keeps_its_rhythm(void **state)
{
	struct db_watch_options options = { .interval_ms = 10,
		.version_table = "alembic_version" };
	struct picture picture = { NULL, { ERR_OK, "" }, 0, 0 };
	struct db_watch *watch;
	struct actor watcher;
	int n;

	(void)state;
	watcher_start(&watcher, "postgres");
	watch = db_watch_start(cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
	cluster_wait(picture.n >= 5);
	/* Never more than one round's three questions at a time. */
	assert_true(db_conn_pending(watcher.conn) <= 3);
	assert_true(db_watch_interval_ms(watch) >= 10);
	db_watch_set_interval(watch, 0);
	cluster_wait(db_conn_pending(watcher.conn) == 0);
	assert_int_equal(db_watch_interval_ms(watch), 0);
	n = picture.n;
	loop_run_once(cluster.loop, 100);
	loop_run_once(cluster.loop, 100);
	assert_int_equal(picture.n, n);
	db_watch_refresh(watch);
	cluster_wait(picture.n == n + 1);
	assert_int_equal(picture.n_errors, 0);
	db_watch_stop(watch);
	db_watch_stop(NULL);
	db_snapshot_free(picture.snapshot);
	actor_close(&watcher);
}

/* Behind a pooler what was prepared may be gone: the picture comes all the same. */
static void watch_does_without_prepared_statements(void **state)
{
	const struct db_watch_options options = { .interval_ms = 0,
		.version_table = "alembic_version" };
	struct picture picture = { NULL, { ERR_OK, "" }, 0, 0 };
	struct db_watch *watch;
	struct actor watcher;

	(void)state;
	watcher_start(&watcher, "postgres");
	watch = db_watch_start(cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
	cluster_wait(picture.n == 1);
	actor_do(&watcher, "DEALLOCATE ALL");
	db_watch_refresh(watch);
	cluster_wait(picture.n == 2);
	assert_int_equal(picture.n_errors, 0);
	assert_int_equal(picture.snapshot->versions.n, 1);
	db_watch_refresh(watch);
	cluster_wait(picture.n == 3);
	assert_int_equal(picture.n_errors, 0);
	db_watch_stop(watch);
	db_snapshot_free(picture.snapshot);
	actor_close(&watcher);
}

/* Who keeps VACUUM from removing rows, and who waits for a safe snapshot. */
static void watch_names_the_oldest_xmin_and_safe_snapshots(void **state)
{
	struct actor watcher, writer, reader;
	struct db_snapshot *snapshot;
	const struct db_session *session;
	char pid[16];

	(void)state;
	watcher_start(&watcher, "postgres");
	actor_start(&writer, "bo1", "writer");
	actor_start(&reader, "bo1", "reader");
	actor_do(&writer, "BEGIN ISOLATION LEVEL SERIALIZABLE");
	actor_do(&writer, "UPDATE users SET email = 'y' WHERE id = 1");
	actor_do(&reader, "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE");
	actor_send(&reader, "SELECT count(*) FROM users");
	do {
		snapshot = picture_take(&watcher, "alembic_version");
		session = picture_session(snapshot, &reader);
		if (strcmp(session->waits_for.mode, "SafeSnapshot") == 0)
			break;
		db_snapshot_free(snapshot);
	} while (true);
	assert_int_equal(session->n_blocked_by, 1);
	assert_int_equal(session->blocked_by[0], db_conn_backend_pid(writer.conn));
	assert_string_equal(session->waits_for.relation, "serializable transactions");
	assert_true(session->wait_age_s >= 0);
	assert_int_equal(session->depth, 1);
	snprintf(pid, sizeof(pid), "%d", db_conn_backend_pid(writer.conn));
	assert_string_equal(snapshot->server.xmin_kind, "backend");
	assert_string_equal(snapshot->server.xmin_name, pid);
	assert_int_equal(snapshot->server.replicas, 0);
	assert_true(snapshot->server_ms > 0);
	db_snapshot_free(snapshot);
	actor_do(&writer, "ROLLBACK");
	cluster_wait(db_conn_pending(reader.conn) == 0);
	actor_do(&reader, "ROLLBACK");
	actor_close(&reader);
	actor_close(&writer);
	actor_close(&watcher);
}

/* A second refresh during an answer gives one more picture, not two at a time. */
static void watch_never_overlaps(void **state)
{
	const struct db_watch_options options = { .interval_ms = 0,
		.version_table = "alembic_version" };
	struct picture picture = { NULL, { ERR_OK, "" }, 0, 0 };
	struct actor watcher, holder;
	struct db_watch *watch;

	(void)state;
	watcher_start(&watcher, "postgres");
	watch = db_watch_start(cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
	cluster_wait(picture.n == 1);
	/* The version rows take lock_timeout to answer. */
	actor_start(&holder, "bo1", "holder");
	actor_do(&holder, "BEGIN");
	actor_do(&holder, "LOCK TABLE alembic_version");
	db_watch_refresh(watch);
	cluster_wait(db_conn_pending(watcher.conn) > 0);
	db_watch_refresh(watch);
	db_watch_refresh(watch);
	assert_true(db_conn_pending(watcher.conn) <= 3);
	cluster_wait(picture.n == 3);
	loop_run_once(cluster.loop, 50);
	assert_int_equal(picture.n, 3);
	db_watch_stop(watch);
	db_snapshot_free(picture.snapshot);
	actor_do(&holder, "ROLLBACK");
	actor_close(&holder);
	actor_close(&watcher);
}

struct stopper {
	struct db_watch *watch;
	int n;
};

static void stop_on_snapshot(void *arg, struct db_snapshot *snapshot_take, const struct err *err)
{
	struct stopper *stopper = arg;

	(void)err;
	stopper->n++;
	db_snapshot_free(snapshot_take);
	db_watch_stop(stopper->watch);
}

static void watch_stops_at_any_time(void **state)
{
	const struct db_watch_options options = { .interval_ms = 10,
		.version_table = "alembic_version" };
	struct picture picture = { NULL, { ERR_OK, "" }, 0, 0 };
	struct stopper stopper = { NULL, 0 };
	struct actor watcher;
	struct db_watch *watch;
	int turns, i;

	(void)state;
	watcher_start(&watcher, "postgres");
	stopper.watch =
		db_watch_start(cluster.loop, watcher.conn, &options, stop_on_snapshot, &stopper);
	cluster_wait(stopper.n == 1);
	for (turns = 0; turns < 8; turns++) {
		watch = db_watch_start(
			cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
		for (i = 0; i < turns; i++)
			loop_run_once(cluster.loop, 5);
		db_watch_stop(watch);
	}
	/* Stopped with answers under way, and then the connection goes as well. */
	watch = db_watch_start(cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
	cluster_wait(db_conn_pending(watcher.conn) > 0);
	db_watch_stop(watch);
	actor_close(&watcher);
	assert_int_equal(stopper.n, 1);
	db_snapshot_free(picture.snapshot);
}

static void watch_reports_a_lost_connection(void **state)
{
	const struct db_watch_options options = { .interval_ms = 0,
		.version_table = "alembic_version" };
	struct picture picture = { NULL, { ERR_OK, "" }, 0, 0 };
	struct actor watcher, killer;
	struct db_watch *watch;
	char sql[64];

	(void)state;
	watcher_start(&watcher, "bo1");
	actor_start(&killer, "postgres", "killer");
	watch = db_watch_start(cluster.loop, watcher.conn, &options, picture_on_snapshot, &picture);
	cluster_wait(picture.n == 1);
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)",
		db_conn_backend_pid(watcher.conn));
	actor_do(&killer, sql);
	cluster_wait(watcher.downs == 1);
	db_watch_refresh(watch);
	cluster_wait(picture.n_errors == 1);
	assert_non_null(strstr(picture.err.text, "no connection"));
	db_watch_stop(watch);
	db_snapshot_free(picture.snapshot);
	actor_close(&killer);
	actor_close(&watcher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watch_sees_the_server),
		cmocka_unit_test(watch_sees_a_stuck_migration),
		cmocka_unit_test(watch_never_queues_behind_locks),
		cmocka_unit_test(watch_survives_a_lock_on_the_version_table),
		cmocka_unit_test(watch_reads_version_tables),
		cmocka_unit_test(watch_is_brief_where_asked),
		cmocka_unit_test(watch_shows_edges_to_an_unprivileged_role),
		cmocka_unit_test(watch_finds_prepared_transactions),
		cmocka_unit_test(watch_finds_idle_advisory_holders),
		cmocka_unit_test(watch_misnames_no_other_database),
		cmocka_unit_test(watch_shows_index_progress),
		cmocka_unit_test(watch_leaves_ourselves_out),
		cmocka_unit_test(watch_keeps_its_rhythm),
		cmocka_unit_test(watch_does_without_prepared_statements),
		cmocka_unit_test(watch_names_the_oldest_xmin_and_safe_snapshots),
		cmocka_unit_test(watch_never_overlaps),
		cmocka_unit_test(watch_stops_at_any_time),
		cmocka_unit_test(watch_reports_a_lost_connection),
	};

	return cmocka_run_group_tests(tests, watch_setup, cluster_stop);
}
