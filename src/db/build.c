/*
 * The server's rows as a snapshot. Owns nothing; what the columns are stands in query.h.
 */
#include "build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/db/query.h>

#include "array.h"

/* A row being read. */
struct row {
	const struct db_result *result;
	size_t at;
};

static const char *row_text(const struct row *row, size_t col)
{
	return db_result_value(row->result, row->at, col);
}

static void row_set(const struct row *row, size_t col, char **field)
{
	db_snapshot_set(field, row_text(row, col));
}

static bool row_bool(const struct row *row, size_t col)
{
	return row_text(row, col)[0] == 't';
}

static int row_int(const struct row *row, size_t col)
{
	return atoi(row_text(row, col));
}

/* Never negative: the server's clock may have been set back. */
static double row_age(const struct row *row, size_t col)
{
	double age;

	if (db_result_is_null(row->result, row->at, col))
		return NAN;
	age = strtod(row_text(row, col), NULL);
	return age < 0 ? 0 : age;
}

int build_facts(struct db_snapshot *snapshot, const struct db_result *result, struct err *err)
{
	const struct row row = { result, 0 };
	struct db_server *server = &snapshot->server;

	if (db_result_rows(result) != 1 || db_result_cols(result) != DB_FACTS_COLS)
		return err_set(err, ERR_DATABASE,
			"the server's answer about itself has another shape than expected");
	row_set(&row, DB_FACTS_AT, &snapshot->at);
	row_set(&row, DB_FACTS_VERSION, &server->version);
	row_set(&row, DB_FACTS_ROLE, &server->role);
	row_set(&row, DB_FACTS_DATABASE, &server->database);
	server->version_num = row_int(&row, DB_FACTS_VERSION_NUM);
	server->standby = row_bool(&row, DB_FACTS_STANDBY);
	server->superuser = row_bool(&row, DB_FACTS_SUPERUSER);
	server->see_all = row_bool(&row, DB_FACTS_SEE_ALL);
	server->may_signal = row_bool(&row, DB_FACTS_MAY_SIGNAL);
	server->max_connections = row_int(&row, DB_FACTS_MAX_CONNECTIONS);
	server->reserved_connections = row_int(&row, DB_FACTS_RESERVED);
	server->used_connections = row_int(&row, DB_FACTS_USED);
	row_set(&row, DB_FACTS_XMIN_KIND, &server->xmin_kind);
	row_set(&row, DB_FACTS_XMIN_NAME, &server->xmin_name);
	server->xmin_age = atol(row_text(&row, DB_FACTS_XMIN_AGE));
	server->replicas = row_int(&row, DB_FACTS_REPLICAS);
	server->lag_s = row_age(&row, DB_FACTS_LAG);
	server->lag_bytes = row_age(&row, DB_FACTS_LAG_BYTES);
	if (!row_bool(&row, DB_FACTS_TABLE))
		snapshot->version_table = DB_VERSION_TABLE_MISSING;
	else if (!row_bool(&row, DB_FACTS_TABLE_READABLE))
		snapshot->version_table = DB_VERSION_TABLE_DENIED;
	else if (row_bool(&row, DB_FACTS_TABLE_LOCKED))
		snapshot->version_table = DB_VERSION_TABLE_LOCKED;
	else
		snapshot->version_table = DB_VERSION_TABLE_FOUND;
	return 0;
}

/* "AccessExclusiveLock" → "AccessExclusive". */
static char *mode_dup(const char *mode, size_t len)
{
	static const char suffix[] = "Lock";
	size_t cut = sizeof(suffix) - 1;

	if (len > cut && strncmp(mode + len - cut, suffix, cut) == 0)
		len -= cut;
	return mem_strndup(mode, len);
}

static void mode_set(char **field, const char *mode)
{
	free(*field);
	*field = mode_dup(mode, strlen(mode));
}

static void build_holds(struct db_session *session, const char *array)
{
	struct strlist list;
	struct db_lock *lock;
	const char *space;
	size_t i;

	strlist_init(&list);
	array_parse(array, &list);
	session->holds = mem_calloc(list.n + 1, sizeof(*session->holds));
	for (i = 0; i < list.n; i++) {
		space = strchr(list.items[i], ' ');
		if (!space)
			continue;
		lock = &session->holds[session->n_holds++];
		lock->mode = mode_dup(list.items[i], (size_t)(space - list.items[i]));
		lock->relation = mem_strdup(space + 1);
	}
	strlist_fini(&list);
}

static void build_blocked_by(struct db_session *session, const char *array)
{
	struct strlist list;
	size_t i;

	strlist_init(&list);
	array_parse(array, &list);
	for (i = 0; i < list.n; i++)
		db_session_add_blocker(session, atoi(list.items[i]));
	strlist_fini(&list);
}

/* Of the prepared transactions that hold what is awaited, those whose lock is in the way; all of them
 * where that cannot be told. */
static void build_gids(struct db_session *session, const char *array)
{
	struct strlist list, all;
	const char *space;
	char *mode;
	size_t i;

	strlist_init(&list);
	strlist_init(&all);
	array_parse(array, &list);
	for (i = 0; i < list.n; i++) {
		space = strchr(list.items[i], ' ');
		if (!space)
			continue;
		mode = mode_dup(list.items[i], (size_t)(space - list.items[i]));
		strlist_add(&all, space + 1);
		if (db_lock_conflicts(mode, session->waits_for.mode))
			strlist_add(&session->blocked_by_gids, space + 1);
		free(mode);
	}
	if (!session->blocked_by_gids.n)
		strlist_copy(&session->blocked_by_gids, &all);
	strlist_fini(&list);
	strlist_fini(&all);
}

/* "CREATE INDEX: building index 42 %" */
static void build_progress(struct db_session *s, const struct row *row)
{
	double total = strtod(row_text(row, DB_SESSION_PROGRESS_TOTAL), NULL);

	row_set(row, DB_SESSION_PROGRESS, &s->progress);
	s->progress_done = strtod(row_text(row, DB_SESSION_PROGRESS_DONE), NULL);
	if (!s->progress[0] || !(total > 0))
		return;
	s->progress_ratio = fmin(1, fmax(0, s->progress_done / total));
	free(s->progress);
	s->progress = mem_printf("%s %d %%", row_text(row, DB_SESSION_PROGRESS),
		(int)(100 * s->progress_ratio));
}

static void build_session(struct db_session *s, const struct row *row)
{
	s->pid = row_int(row, DB_SESSION_PID);
	s->leader_pid = row_int(row, DB_SESSION_LEADER);
	row_set(row, DB_SESSION_GID, &s->gid);
	row_set(row, DB_SESSION_BACKEND_START, &s->backend_start);
	row_set(row, DB_SESSION_XACT_START, &s->xact_start);
	row_set(row, DB_SESSION_QUERY_START, &s->query_start);
	row_set(row, DB_SESSION_USER, &s->user);
	row_set(row, DB_SESSION_DATABASE, &s->database);
	row_set(row, DB_SESSION_APPLICATION, &s->application);
	row_set(row, DB_SESSION_CLIENT, &s->client);
	row_set(row, DB_SESSION_BACKEND_TYPE, &s->backend_type);
	row_set(row, DB_SESSION_STATE, &s->state);
	row_set(row, DB_SESSION_WAIT_EVENT_TYPE, &s->wait_event_type);
	row_set(row, DB_SESSION_WAIT_EVENT, &s->wait_event);
	row_set(row, DB_SESSION_QUERY, &s->query);
	build_progress(s, row);
	s->backend_age_s = row_age(row, DB_SESSION_BACKEND_AGE);
	s->xact_age_s = row_age(row, DB_SESSION_XACT_AGE);
	s->query_age_s = row_age(row, DB_SESSION_QUERY_AGE);
	s->state_age_s = row_age(row, DB_SESSION_STATE_AGE);
	s->wait_age_s = row_age(row, DB_SESSION_WAIT_AGE);
	s->superuser = row_bool(row, DB_SESSION_SUPERUSER);
	s->member = row_bool(row, DB_SESSION_MEMBER);
	s->hidden = db_result_is_null(row->result, row->at, DB_SESSION_BACKEND_TYPE);
	mode_set(&s->version_lock, row_text(row, DB_SESSION_VERSION_LOCK));
	mode_set(&s->waits_for.mode, row_text(row, DB_SESSION_WAITS_MODE));
	row_set(row, DB_SESSION_WAITS_FOR, &s->waits_for.relation);
	build_blocked_by(s, row_text(row, DB_SESSION_BLOCKED_BY));
	build_gids(s, row_text(row, DB_SESSION_GIDS));
	build_holds(s, row_text(row, DB_SESSION_HOLDS));
}

int build_sessions(struct db_snapshot *snapshot, const struct db_result *result, struct err *err)
{
	struct row row = { result, 0 };
	double ms;

	if (db_result_cols(result) != DB_SESSION_COLS)
		return err_set(err, ERR_DATABASE,
			"the server's list of sessions has another shape than expected");
	for (; row.at < db_result_rows(result); row.at++) {
		build_session(db_snapshot_add(snapshot), &row);
		ms = strtod(row_text(&row, DB_SESSION_SERVER_MS), NULL);
		snapshot->server_ms = fmax(snapshot->server_ms, ms);
	}
	return 0;
}

void build_versions(struct db_snapshot *snapshot, const struct db_result *result)
{
	size_t i;

	for (i = 0; i < db_result_rows(result); i++)
		strlist_add(&snapshot->versions, db_result_value(result, i, 0));
}
