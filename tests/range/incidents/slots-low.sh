# shellcheck shell=bash
# A connection pool without a bound: idle sessions of the application hold every slot that
# is not reserved for the superuser.

incident_summary() {
	echo "idle sessions of the application hold every connection slot"
}

stage() {
	app_session green hoard 1000 && wait_until 40 stands
}

stands() {
	db_is_true "SELECT count(*) >= current_setting('max_connections')::int
			- current_setting('superuser_reserved_connections')::int
		FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'postgres'"
}
