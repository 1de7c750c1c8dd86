# shellcheck shell=sh
# The revision timeline against Alembic's own commands on the same files, in turns; sourced by bench.sh,
# which has brought up a range. Time is wall-clock time of the whole command, memory its largest
# resident set.

# In the files' own directory, as somebody would call it there.
in_project() {
    printf '%s' "cd $tmp/project && exec $*"
}

bench_sql() {
    if [ "$RANGE_FORM" = docker ]; then
        # shellcheck disable=SC2086 # a command of several words
        $sudo $RUNTIME_COMMAND exec -i "$DB_CONTAINER" psql -q -U "$DB_USER" -d "$DB_NAME" >/dev/null
    else
        "$PG_BIN/psql" -q -h "$DB_ADDR" -p "$DB_PORT" -U "$DB_USER" -d "$DB_NAME" >/dev/null
    fi
}

# The database at the newest revision: the case in which Alembic looks longest.
prepare_revisions() {
    head=$(/usr/bin/python3 tests/bench/revisions.py "$tmp/project" 5000)
    /usr/bin/python3 tests/bench/revisions.py "$tmp/large" 10000 >/dev/null
    /usr/bin/python3 tests/bench/revisions.py "$tmp/huge" 50000 >/dev/null
    DATABASE_URL=postgresql://$DB_USER@$DB_ADDR:$DB_PORT/$DB_NAME
    export DATABASE_URL
    bench_sql <<-SQL
	CREATE SCHEMA IF NOT EXISTS bench;
	CREATE TABLE IF NOT EXISTS bench.alembic_version (version_num varchar(32) PRIMARY KEY);
	TRUNCATE bench.alembic_version;
	INSERT INTO bench.alembic_version VALUES ('$head');
	SQL
    cat >"$tmp/bench.config" <<-CONF
	[target bench]
	environment   = development
	ssh           = none
	runtime       = none
	app           = $tmp/project
	migrations    = migrations/versions
	db_host       = $DB_ADDR
	db_port       = $DB_PORT
	db_name       = $DB_NAME
	db_user       = $DB_USER
	version_table = bench.alembic_version
	CONF
}

# WHAT ROUNDS OURS THEIRS: commands for sh; leaves the numbers in $tmp/revisions.
compare_commands() {
    timeout 900 "$build/bench/startup" "$1" sh -c "$2" -- sh -c "$3" >"$tmp/revisions"
}

compare_revisions() {
    here=$(pwd)
    case $build in /*) program=$build/pgoncall ;; *) program=$here/$build/pgoncall ;; esac
    prepare_revisions

    compare_commands "$rounds" "$(in_project "$program" history --dir migrations/versions)" \
        "$(in_project alembic history)"
    # shellcheck disable=SC2046 # two numbers
    row "history, 5,000 revisions (alembic history)" ms at-most 0.05 $(numbers startup "$tmp/revisions")

    compare_commands 3 "$(in_project "$program" -c "$tmp/bench.config" pending bench --json)" \
        "$(in_project alembic current)"
    # shellcheck disable=SC2046
    row "pending, 5,000 revisions (alembic current)" ms at-most 0.01 $(numbers startup "$tmp/revisions")
    # shellcheck disable=SC2046
    row "  memory of both" MB at-most 0.25 $(numbers memory "$tmp/revisions")

    compare_commands 5 "exec $program history --dir $tmp/huge" "exec $program history --dir $tmp/large"
    # shellcheck disable=SC2046
    row "history, 50,000 revisions (ours of 10,000)" ms at-most 6.5 $(numbers startup "$tmp/revisions")

    # Ours alone: a frame is 16 ms.
    timeout 300 "$build/bench/scroll" >"$tmp/scroll"
    # shellcheck disable=SC2046
    row "scrolling 10,000 revisions, one key (frame)" ms at-most 0.5 $(numbers scroll "$tmp/scroll")
    bench_sql <<-SQL
	DROP SCHEMA bench CASCADE;
	SQL
}
