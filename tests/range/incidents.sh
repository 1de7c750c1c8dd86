# shellcheck shell=bash
# Staging incidents: one at a time, always from the baseline. It owns DIR/incident (the
# name of what is staged) and the steps that incidents share. An incident is a file
# incidents/NAME.sh with these functions, which may use database.sh and the form's app_*:
#
#   incident_summary    one line, for --list
#   stage               makes it happen, with real sessions and real commands
#   stands              0 once the database (or the project) shows it
#   unstage             optional: takes back what the common clear does not

INCIDENTS=$RANGE_HOME/incidents

incident_list() {
	local file
	for file in "$INCIDENTS"/*.sh; do
		# shellcheck disable=SC1090 # one of ours
		(. "$file" && printf '%-22s %s\n' "$(basename "$file" .sh)" "$(incident_summary)")
	done
}

incident_known() {
	[ -f "$INCIDENTS/$1.sh" ] || range_die "no such incident: $1 (tests/range/incident --list)"
}

# An empty name loads nothing but the defaults.
incident_load() {
	unstage() { :; }
	[ -n "$1" ] || return 0
	# shellcheck disable=SC1090 # one of ours
	. "$INCIDENTS/$1.sh"
}

incident_staged() {
	cat "$RANGE_DIR/incident" 2>/dev/null
}

incident_stage() {
	incident_clear
	incident_load "$1"
	echo "$1" >"$RANGE_DIR/incident"
	{ stage && wait_until 15 stands; } ||
		range_die "$1 could not be staged: $(app_last_complaint)"
	range_note "$1 stands"
}

incident_clear() {
	local name
	name=$(incident_staged)
	incident_load "$name"
	app_end_spawned blue
	app_end_spawned green
	database_end_leftovers || range_die "sessions of the incident would not end"
	unstage || range_die "$name could not be taken back"
	database_restore || range_die "the database did not return to $BASELINE_REVISION: $(app_last_complaint)"
	rm -f "$RANGE_DIR/incident"
}

incident_describe() {
	local name
	name=$(incident_staged)
	incident_load "$name"
	if [ -z "$name" ]; then
		echo none
	elif stands; then
		echo "$name stands"
	else
		echo "$name was staged, and stands no more"
	fi
}

# --- steps that incidents share ---

# app_session COLOUR KIND [ARGUMENT]: an application session; app/session.py has the kinds.
app_session() {
	local colour=$1
	shift
	app_spawn "$colour" /usr/bin/python3 bo1/session.py "$@"
}

# Counts sessions of the range's database: waiting for a lock, or idle in a transaction.
waiting_sessions() {
	db_psql postgres -c "SELECT count(*) FROM pg_stat_activity
		WHERE datname = '$DB_NAME' AND cardinality(pg_blocking_pids(pid)) > 0"
}

migration_waits() {
	db_is_true "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'bo1'
		AND wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE users ADD COLUMN last_session%')"
}

session_idles_in_transaction() {
	db_is_true "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'bo1'
		AND application_name = 'boardofone-api' AND state = 'idle in transaction')"
}

# A migration that waits on users, and three sessions of the application behind it.
queue_behind_migration() {
	app_spawn blue uv run alembic upgrade head
	wait_until 10 migration_waits || return
	app_session blue read
	app_session blue read
	app_session green write
}

queue_stands() {
	migration_waits && [ "$(waiting_sessions)" -ge 4 ]
}
