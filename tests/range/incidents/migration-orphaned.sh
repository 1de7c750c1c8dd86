# shellcheck shell=bash
# The deployment's job was killed while its migration waited: the alembic process is gone,
# its session is not, because the server does not notice a dead client while it waits.

incident_summary() {
	echo "a migration's session waits on after its alembic process was killed"
}

stage() {
	app_session blue idle
	wait_until 10 session_idles_in_transaction || return
	app_spawn green uv run alembic upgrade head
	wait_until 10 migration_waits && app_end_spawned green
}

stands() {
	migration_waits && session_idles_in_transaction
}
