# shellcheck shell=bash
# No migration in sight: somebody typed an ALTER TABLE that waits for an idle transaction,
# holds nothing yet, and blocks every reader that comes after it. 300 readers, or as many
# as the server has room for.

incident_summary() {
	echo "an ALTER typed by hand queues, and up to 300 readers queue behind it"
}

queue_depth() {
	db_psql postgres -c "SELECT least(298, current_setting('max_connections')::int - 25
		- (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'boardofone-api')::int)"
}

alter_waits() {
	db_is_true "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'psql'
		AND wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE users%')"
}

stage() {
	local depth
	depth=$(queue_depth) && echo "$depth" >"$RANGE_DIR/queue-depth" || return
	app_session blue idle
	wait_until 10 session_idles_in_transaction || return
	app_session blue alter
	wait_until 10 alter_waits && app_session green crowd "$depth"
}

stands() {
	alter_waits && db_is_true "SELECT count(*) > $(cat "$RANGE_DIR/queue-depth")
		FROM pg_stat_activity WHERE datname = '$DB_NAME' AND wait_event_type = 'Lock'"
}
