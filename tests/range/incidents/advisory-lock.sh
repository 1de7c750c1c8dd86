# shellcheck shell=bash
# A worker took an advisory lock for its session and went idle; the next one waits for it.
# There is no transaction to be seen, and no query to cancel.

incident_summary() {
	echo "an idle session holds an advisory lock that another waits for"
}

stage() {
	app_session blue advisory
	wait_until 10 advisory_is_held && app_session green advisory-wait
}

advisory_is_held() {
	db_is_true "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted)"
}

stands() {
	db_is_true "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
}
