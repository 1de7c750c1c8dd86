# shellcheck shell=bash
# The green image brought a revision of its own and applied it; the blue image, back in
# service, does not know the revision that the database is at.

EXTRA=$RANGE_HOME/incidents/d4c6f8a0b2e1_add_session_share_links.py

incident_summary() {
	echo "the database is at a revision only the green image knows"
}

stage() {
	app_add green "$EXTRA" migrations/versions &&
		app_run_logged green uv run alembic upgrade head
}

stands() {
	db_is_true "SELECT version_num = 'd4c6f8a0b2e1' FROM alembic_version"
}

# Whatever the version rows say by now, the extra revision's table goes with its file.
unstage() {
	db_psql bo1 -c 'DROP TABLE IF EXISTS session_share_links' &&
		app_remove green "migrations/versions/$(basename "$EXTRA")"
}
