# shellcheck shell=bash
# One session of the application read users and never ended its transaction; nobody waits
# for it yet, but the next migration would.

incident_summary() {
	echo "a session of the application sits idle in a transaction"
}

stage() {
	app_session blue idle
}

stands() {
	session_idles_in_transaction
}
