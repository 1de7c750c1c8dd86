#!/bin/sh
# pgoncall side by side with pg_activity: the same server, the same sessions, the same interval, on
# terminals of 120 by 36. Prints a line per comparison; exits 1 if a limit is missed. Brings up a
# server of its own, for pg_stat_statements. Needs root or sudo, for the packages that only this
# comparison uses.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
seconds=${BENCH_SECONDS:-40}
interval=2
missed=0
psql="psql -XqAt -v ON_ERROR_STOP=1"

sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
for package in pg-activity postgresql-contrib; do
    dpkg-query -W "$package" >/dev/null 2>&1 ||
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
            "$package" >/dev/null
done

tmp=$(mktemp -d)
crowd=
as() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}
pg_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    [ -z "$crowd" ] || kill "$crowd" 2>/dev/null || :
    as "$pg_bin/pg_ctl" -D "$tmp/data" -m immediate stop >/dev/null 2>&1 || :
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

start_server() {
    [ "$(id -u)" -ne 0 ] || chown postgres "$tmp"
    as "$pg_bin/initdb" -D "$tmp/data" -A trust -N -U postgres --no-instructions >/dev/null
    as tee -a "$tmp/data/postgresql.conf" >/dev/null <<CONF
port = 5432
listen_addresses = ''
unix_socket_directories = '$tmp'
max_connections = 600
fsync = off
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track_planning = on
CONF
    as "$pg_bin/pg_ctl" -D "$tmp/data" -w -l "$tmp/log" start >/dev/null
    export PGHOST="$tmp" PGPORT=5432
    unset PGOPTIONS PGSERVICE PGAPPNAME PGPASSWORD
    $psql -U postgres -d postgres <<SQL
CREATE EXTENSION pg_stat_statements;
CREATE ROLE bo1 LOGIN;
CREATE ROLE ours LOGIN SUPERUSER;
CREATE ROLE theirs LOGIN SUPERUSER;
CREATE DATABASE boardofone OWNER bo1;
\\c boardofone bo1
CREATE TABLE users (id int PRIMARY KEY, email text);
INSERT INTO users SELECT g, 'x' FROM generate_series(1, 1000) g;
CREATE TABLE alembic_version (version_num varchar(32));
INSERT INTO alembic_version VALUES ('001_research_metrics');
SQL
    cat >"$tmp/config" <<CONF
[ui]
refresh = ${interval}s
[target bench]
environment = staging
ssh = none
runtime = none
db_host = $tmp
db_name = boardofone
db_user = ours
CONF
}

# IDLE WAITING: those sessions, and no others.
start_crowd() {
    if [ -n "$crowd" ]; then
        kill "$crowd"
        wait "$crowd" 2>/dev/null || :
    fi
    /usr/bin/python3 tests/bench/crowd.py "host=$tmp dbname=boardofone user=bo1" "$1" "$2" \
        >"$tmp/crowd" 2>&1 &
    crowd=$!
    n=0
    until grep -q ready "$tmp/crowd"; do
        n=$((n + 1))
        if [ "$n" -ge 600 ] || ! kill -0 "$crowd"; then
            cat "$tmp/crowd" >&2
            exit 1
        fi
        sleep 0.1
    done
}

# ROLE: ms of server time a refresh, planning included, since the reset at half of the time: what is
# done once for a connection is not part of a refresh. Each statement counts with the least it took:
# whatever else runs on the machine only adds to both sides, and not evenly.
server_ms() {
    $psql -U postgres -d postgres -c "SELECT round(coalesce(
        sum(calls * (min_exec_time + min_plan_time)), 0)::numeric / ($seconds / 2 / $interval), 3)
        FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
        WHERE r.rolname = '$1'"
}

# WHAT UNIT OURS THEIRS LIMIT
row() {
    verdict=$(awk -v ours="$3" -v theirs="$4" -v limit="$5" 'BEGIN {
        ratio = theirs > 0 ? ours / theirs : 0
        ok = theirs > 0 && ratio <= limit
        printf "%6.3f  at-most %5.3f  %s", ratio, limit, ok ? "ok" : "MISSED"
    }')
    printf '%-42s %9s %9s %-6s %s\n' "$1" "$3" "$4" "$2" "$verdict"
    case $verdict in *MISSED) missed=1 ;; esac
}

numbers() {
    sed -n "s/^$1 //p" "$tmp/out"
}

# WHAT IDLE WAITING [own]: with "own", server time is not compared. In the view that pg_activity shows
# at start it does not ask who blocks whom, which is most of what a deep queue costs us; there our own
# limit counts.
compare() {
    start_crowd "$2" "$3"
    XDG_STATE_HOME=$tmp/state "$build/bench/activity" 4 120 36 Activity \
        "$build/pgoncall" -c "$tmp/config" bench \
        -- "RUNNING QUERIES" pg_activity -h "$tmp" -p 5432 -U theirs -d boardofone \
        --refresh "$interval" >"$tmp/out"
    first=$(numbers first)
    { sleep $((seconds / 2)) && $psql -U postgres -d postgres -c \
        "SELECT pg_stat_statements_reset()" >/dev/null; } &
    XDG_STATE_HOME=$tmp/state "$build/bench/activity" "-$seconds" 120 36 Activity \
        "$build/pgoncall" -c "$tmp/config" bench \
        -- "RUNNING QUERIES" pg_activity -h "$tmp" -p 5432 -U theirs -d boardofone \
        --refresh "$interval" >"$tmp/out"
    ours=$(server_ms ours)
    # shellcheck disable=SC2086,SC2046 # two numbers each
    {
        row "$1: first screen" ms $first 0.333
        row "  client CPU" ms/min $(numbers cpu) 0.1
        row "  private memory (RssAnon)" MB $(numbers anon) 0.25
        row "  resident memory" MB $(numbers rss) 0.5
    }
    [ "${4:-}" = own ] || row "  server time per refresh" ms "$ours" "$(server_ms theirs)" 0.5
    awk -v ms="$ours" -v s="$interval" -v what="  server time a second (no comparison)" 'BEGIN {
        printf "%-42s %9.2f %9s ms     limit 5  %s\n", what, ms / s, "-", ms / s < 5 ? "ok" : "MISSED"
        exit ms / s >= 5 }' || missed=1
}

start_server
printf '%-42s %9s %9s %-6s %6s  %s\n' "what (against pg_activity)" ours theirs "" ratio limit
compare "100 sessions, 10 waiting" 90 8
compare "500 sessions, 300 waiting" 198 299 own
exit "$missed"
