# shellcheck shell=bash
# A prepared transaction, left by a transaction manager that died, holds its locks on users
# with no session to end; the migration and the application queue behind it.

incident_summary() {
	echo "an orphaned prepared transaction blocks the migration"
}

stage() {
	app_session blue prepare "billing-$(date +%s)"
	wait_until 10 transaction_is_prepared && queue_behind_migration
}

transaction_is_prepared() {
	db_is_true "SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = '$DB_NAME')"
}

stands() {
	transaction_is_prepared && queue_stands
}
