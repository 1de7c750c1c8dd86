# shellcheck shell=bash
# Two branches were merged in git, and each brought a revision on top of the same one.

EXTRA=$RANGE_HOME/incidents/b7d1e5a9c3f2_add_user_preferences.py

incident_summary() {
	echo "the project has two heads, so upgrade head refuses"
}

stage() {
	app_add blue "$EXTRA" migrations/versions && app_add green "$EXTRA" migrations/versions
}

stands() {
	[ "$(app_run blue uv run alembic heads 2>/dev/null | wc -l)" -eq 2 ]
}

unstage() {
	db_psql bo1 -c 'ALTER TABLE users DROP COLUMN IF EXISTS preferences' &&
		app_remove blue "migrations/versions/$(basename "$EXTRA")" &&
		app_remove green "migrations/versions/$(basename "$EXTRA")"
}
