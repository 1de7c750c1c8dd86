# shellcheck shell=bash
# A unique index was built concurrently over rows that are not unique: the build failed,
# and left an index that slows every write and serves no query.

incident_summary() {
	echo "a failed CREATE INDEX CONCURRENTLY left an invalid index"
}

stage() {
	! db_psql bo1 -c 'CREATE UNIQUE INDEX CONCURRENTLY idx_sessions_one_per_user ON sessions (user_id)' \
		2>/dev/null
}

stands() {
	db_is_true "SELECT NOT indisvalid FROM pg_index
		WHERE indexrelid = to_regclass('idx_sessions_one_per_user')"
}

unstage() {
	db_psql bo1 -c 'DROP INDEX IF EXISTS idx_sessions_one_per_user'
}
