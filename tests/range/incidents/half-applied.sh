# shellcheck shell=bash
# A deployment's migration failed half-way: what came before its autocommit block is
# committed, the index that it built there is invalid, and its revision is not recorded.

EXTRA=$RANGE_HOME/incidents/a3c5e7f9b1d2_add_session_slugs.py

incident_summary() {
	echo "a migration failed in its autocommit block: a column and an invalid index stay"
}

stage() {
	app_add blue "$EXTRA" migrations/versions &&
		! app_run_logged blue uv run alembic upgrade head
}

stands() {
	db_is_true "SELECT version_num = '$HEAD_REVISION' FROM alembic_version" &&
		db_is_true "SELECT NOT indisvalid FROM pg_index
			WHERE indexrelid = to_regclass('idx_sessions_slug_owner')" &&
		db_is_true "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'sessions'::regclass
			AND attname = 'slug' AND NOT attisdropped)"
}

unstage() {
	db_psql bo1 -c 'DROP INDEX IF EXISTS idx_sessions_slug_owner' \
		-c 'ALTER TABLE sessions DROP COLUMN IF EXISTS slug' &&
		app_remove blue "migrations/versions/$(basename "$EXTRA")"
}
