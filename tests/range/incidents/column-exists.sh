# shellcheck shell=bash
# Somebody added the pending revision's column by hand, as a hotfix; the deployment's
# migration now fails, and its traceback is in the log.

incident_summary() {
	echo "the pending revision adds a column that is already there"
}

stage() {
	db_psql bo1 -c 'ALTER TABLE users ADD COLUMN last_session timestamptz' &&
		! app_run_logged blue uv run alembic upgrade head
}

stands() {
	db_is_true "SELECT version_num = '$BASELINE_REVISION' AND EXISTS (SELECT FROM pg_attribute
		WHERE attrelid = 'users'::regclass AND attname = 'last_session') FROM alembic_version"
}
