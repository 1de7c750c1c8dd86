# shellcheck shell=bash
# A migration that only takes long: it builds an index, and the server reports how far it
# is. A function that sleeps stands in for a big table; all else is a real CREATE INDEX.

EXTRA=$RANGE_HOME/incidents/e5a9c3f2b7d1_add_sessions_search_index.py

incident_summary() {
	echo "a long migration is at work on an index, and should be left alone"
}

stage() {
	app_run_logged blue uv run alembic upgrade head &&
		db_psql bo1 -c "CREATE FUNCTION search_key(problem text) RETURNS text IMMUTABLE
			LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN lower(problem); END'" &&
		app_add blue "$EXTRA" migrations/versions &&
		app_spawn blue uv run alembic upgrade head
}

stands() {
	db_is_true "SELECT blocks_done > 0 AND blocks_done < blocks_total
		FROM pg_stat_progress_create_index WHERE relid = 'sessions'::regclass"
}

unstage() {
	db_psql bo1 -c 'DROP INDEX IF EXISTS idx_sessions_search_key' \
		-c 'DROP FUNCTION IF EXISTS search_key' &&
		app_remove blue "migrations/versions/$(basename "$EXTRA")"
}
