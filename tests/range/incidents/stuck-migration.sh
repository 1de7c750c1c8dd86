# shellcheck shell=bash
# A deployment's migration hangs: one session of the application read users, never ended
# its transaction, and so holds up the ALTER TABLE, behind which everybody else queues.

incident_summary() {
	echo "an idle transaction blocks the migration, which blocks the application"
}

stage() {
	app_session blue idle
	wait_until 10 session_idles_in_transaction && queue_behind_migration
}

stands() {
	session_idles_in_transaction && queue_stands
}
