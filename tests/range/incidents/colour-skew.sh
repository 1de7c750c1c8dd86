# shellcheck shell=bash
# The green image is newer than the blue one: it brings a revision that blue has not.

EXTRA=$RANGE_HOME/incidents/d4c6f8a0b2e1_add_session_share_links.py

incident_summary() {
	echo "the green image has a revision that the blue image lacks"
}

stage() {
	app_add green "$EXTRA" migrations/versions
}

stands() {
	[ "$(app_run green uv run alembic heads 2>/dev/null)" = "d4c6f8a0b2e1 (head)" ] &&
		[ "$(app_run blue uv run alembic heads 2>/dev/null)" = "$HEAD_REVISION (head)" ]
}

unstage() {
	app_remove green "migrations/versions/$(basename "$EXTRA")"
}
