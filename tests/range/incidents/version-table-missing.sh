# shellcheck shell=bash
# The tables are there, but alembic_version is not: dropped by hand, or not restored.

incident_summary() {
	echo "alembic_version is gone, the tables are not"
}

stage() {
	db_psql bo1 -c 'DROP TABLE alembic_version'
}

stands() {
	db_is_true "SELECT to_regclass('alembic_version') IS NULL"
}
