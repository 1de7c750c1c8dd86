# shellcheck shell=bash
# The database's content: roles, the baseline (seven revisions applied by Alembic, seed
# data, legacy SQL files), and the way back to the baseline. It owns no server: the forms
# start that, and say how to reach it (db_conninfo) and the app (app_run).

DB_NAME=boardofone
BASELINE_REVISION=001_research_metrics
HEAD_REVISION=622dbc22743e
PG_BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

# [DB=NAME] db_psql ROLE [psql arguments]: stops at the first error, prints bare values, and
# gives up on a lock after 10 s.
db_psql() {
	local conninfo
	conninfo=$(db_conninfo "$1") || return 1
	shift
	"$PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 "$@" "$conninfo options='-cclient_min_messages=warning -clock_timeout=10s'"
}

# db_is_true SQL: as the superuser, who sees every session.
db_is_true() {
	[ "$(db_psql postgres -c "$1" 2>/dev/null)" = t ]
}

db_answers() {
	DB=postgres db_psql postgres -c 'SELECT 1'
}

database_build() {
	range_note "applying seven revisions with Alembic"
	app_run_logged blue uv run alembic upgrade "$BASELINE_REVISION" ||
		range_die "alembic failed: $(app_last_complaint)"
	database_fill || range_die "the seed data could not be loaded"
}

database_make_roles() {
	local password admin=${POSTGRES_PASSWORD:-}
	password=$(random_password)
	(umask 077 && echo "*:*:$DB_NAME:secured:$password" >"$RANGE_DIR/pgpass")
	[ -z "$admin" ] || echo "*:*:*:postgres:$admin" >>"$RANGE_DIR/pgpass"
	chown "$SSH_USER" "$RANGE_DIR/pgpass"
	{
		[ -z "$admin" ] || echo "ALTER ROLE postgres PASSWORD '$admin';"
		cat "$RANGE_HOME/postgres/roles.sql"
	} | DB=postgres db_psql postgres -v password="$password"
}

random_password() {
	od -An -N12 -tx1 /dev/urandom | tr -d ' \n'
}

# For messages: what the app said last that is not ordinary traffic.
app_last_complaint() {
	app_log blue | grep -v INFO | tail -n 1
}

# The third legacy file stays pending.
database_fill() {
	local legacy=$RANGE_HOME/project/bo1/database/migrations
	cat "$RANGE_HOME/postgres/seed.sql" "$legacy"/00[12]_*.sql | db_psql bo1
}

# --- back to the baseline ---

database_at_baseline() {
	db_is_true "SELECT (SELECT array_agg(version_num::text) FROM alembic_version)
			= ARRAY['$BASELINE_REVISION']
		AND to_regclass('session_events') IS NULL AND to_regclass('session_tasks') IS NULL
		AND NOT EXISTS (SELECT FROM pg_attribute
			WHERE attrelid = 'users'::regclass AND attname = 'last_session')"
}

# The downgrade of the head tolerates what is not there, so that stamping the head first
# leads back from any version rows and from half a migration.
database_restore() {
	database_at_baseline && return
	[ "$(db_psql postgres -c 'TABLE alembic_version' 2>/dev/null)" = "$HEAD_REVISION" ] ||
		alembic_patiently stamp --purge "$HEAD_REVISION"
	alembic_patiently downgrade "$BASELINE_REVISION"
	database_at_baseline
}

# A session that is none of the incident's must not keep us here for ever.
alembic_patiently() {
	app_run_logged blue env PGOPTIONS=-clock_timeout=10s uv run alembic "$@"
}

# Sessions of the application that hold a transaction open or wait for a lock.
BUSY_SESSIONS="datname = '$DB_NAME' AND usename = 'bo1' AND xact_start IS NOT NULL
	AND application_name IN ('', 'boardofone-api')"

database_is_quiet() {
	db_is_true "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE $BUSY_SESSIONS)"
}

# What incidents left: prepared transactions at once; sessions whose clients are gone are
# given a moment to roll back by themselves.
database_end_leftovers() {
	local gid
	while read -r gid; do
		db_psql postgres -c "ROLLBACK PREPARED '$gid'"
	done < <(db_psql postgres -c "SELECT gid FROM pg_prepared_xacts WHERE database = '$DB_NAME'")
	wait_until 2 database_is_quiet && return
	db_psql postgres -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE $BUSY_SESSIONS" >/dev/null
	wait_until 5 database_is_quiet
}
