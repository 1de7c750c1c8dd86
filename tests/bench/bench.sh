#!/bin/sh
# Speed as ratios to OpenSSH, measured in turns on one range: the throughput and the round trip of
# the tunnel against `ssh -L`, the time to an answer against the one-line command that it replaces, a
# flood of log lines against `ssh HOST docker logs | cat` with keys pressed meanwhile, and the revision
# timeline against Alembic (revisions.sh). Prints a line per comparison; exits 1 if a limit is missed.
# shellcheck disable=SC2317 # the parts are called by their names
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
rounds=${BENCH_ROUNDS:-15}
missed=0
RANGE_QUIET=1
export RANGE_QUIET

sudo=
[ "$(id -u)" -eq 0 ] || sudo="sudo -E"

tmp=$(mktemp -d)
range=
forward=
# shellcheck disable=SC2086,SC2317 # sudo and its option are two words; called by the trap
cleanup() {
    [ -z "$forward" ] || ssh -F "$SSH_CONFIG" -S "$tmp/ssh" -O exit server >/dev/null 2>&1 || :
    [ -z "$range" ] || $sudo tests/range/down "$range" || :
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# WHAT UNIT (at-least|at-most) LIMIT OURS THEIRS [RATIO]
row() {
    verdict=$(awk -v ours="$5" -v theirs="$6" -v sense="$3" -v limit="$4" -v ratio="${7:-0}" 'BEGIN {
        if (!(ratio > 0))
            ratio = theirs > 0 ? ours / theirs : 0
        ok = ratio > 0 && (sense == "at-least" ? ratio >= limit : ratio <= limit)
        printf "%6.2f  %-8s %4.2f  %s", ratio, sense, limit, ok ? "ok" : "MISSED"
    }')
    printf '%-42s %9s %9s %-4s  %s\n' "$1" "$5" "$6" "$2" "$verdict"
    case $verdict in *MISSED) missed=1 ;; esac
}

# NAME FILE: the numbers of one line of a program's output.
numbers() {
    sed -n "s/^$1 //p" "$2"
}

compare_tunnels() {
    # An address of its own: others may use the port on 127.0.0.1.
    their_host=127.77.$(($$ / 250 % 250)).$(($$ % 250 + 1))
    # Returns once it listens.
    ssh -F "$SSH_CONFIG" -f -N -M -S "$tmp/ssh" -o ExitOnForwardFailure=yes \
        -L "$their_host:$DB_PORT:$DB_ADDR:$DB_PORT" server
    forward=yes
    timeout 300 "$build/bench/tunnel" "$SSH_CONFIG" server "$DB_ADDR" "$DB_PORT" "$DB_NAME" \
        "$DB_USER" "$their_host" "$DB_PORT" >"$tmp/tunnel"
    # shellcheck disable=SC2046 # several numbers
    row "tunnel, 200 MB result (ssh -L)" MB/s at-least 0.8 $(numbers throughput "$tmp/tunnel")
    # shellcheck disable=SC2046
    row "tunnel, SELECT 1 (ssh -L)" ms at-most 1.2 $(numbers roundtrip "$tmp/tunnel")
}

# The question somebody would type by hand at 03:00: who waits, and for whom.
by_hand="SELECT pid, pg_blocking_pids(pid), wait_event_type, state, xact_start, query
FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"

# WHAT
compare_startup() {
    if [ "$RANGE_FORM" = docker ]; then
        psql="$RUNTIME_COMMAND exec $DB_CONTAINER psql -U $DB_USER -d $DB_NAME"
    else
        psql="$PG_BIN/psql -h $DB_ADDR -p $DB_PORT -U $DB_USER -d $DB_NAME"
    fi
    timeout 300 "$build/bench/startup" "$rounds" "$build/pgoncall" -c "$RANGE_CONFIG" locks prod \
        -- ssh -F "$SSH_CONFIG" server "$psql -c \"$by_hand\"" >"$tmp/startup"
    # shellcheck disable=SC2046
    row "$1" ms at-most 1 $(numbers startup "$tmp/startup")
}

# WHAT UNIT OURS LIMIT: an absolute limit.
most() {
    verdict=$(awk -v ours="$3" -v limit="$4" 'BEGIN {
        printf "%s", (ours > 0 && ours <= limit) ? "ok" : "MISSED"
    }')
    printf '%-42s %9s %9s %-4s  %6s  at-most %5s  %s\n' "$1" "$3" "-" "$2" "-" "$4" "$verdict"
    [ "$verdict" = ok ] || missed=1
}

# A million lines, 100 MB, into a log of the range at full speed.
compare_logs() {
    awk 'BEGIN {
        for (i = 1; i <= 1000000; i++)
            printf "INFO    [bo1.worker] job %07d of the flood is done in %03d ms: nothing to see, it goes on and on.\n",
                i, i % 997
    }' >"$tmp/flood.txt"
    chmod 755 "$tmp"
    if [ "$RANGE_FORM" = docker ]; then
        $RUNTIME_COMMAND rm -f flood >/dev/null 2>&1 || :
        $RUNTIME_COMMAND run -d --name flood -v /usr:/usr:ro -v "$tmp/flood.txt:/flood.txt:ro" \
            "$($RUNTIME_COMMAND inspect --format '{{.Config.Image}}' "$APP_CONTAINER")" \
            sleep infinity >/dev/null
        log=flood
        HELLO="$RUNTIME_COMMAND exec flood sh -c 'echo hello >/proc/1/fd/1'"
        pour="$RUNTIME_COMMAND exec -e N=\$N flood sh -c \
            '{ cat /flood.txt; echo END OF THE FLOOD \$N; } >/proc/1/fd/1'"
        follow="$RUNTIME_COMMAND logs -f --tail 0 flood"
    else
        : >"$tmp/flood.log"
        log=file:$tmp/flood.log
        HELLO="echo hello >>$tmp/flood.log"
        pour="{ cat $tmp/flood.txt; echo END OF THE FLOOD \$N; } >>$tmp/flood.log"
        follow="tail -n 0 -F $tmp/flood.log"
    fi
    export HELLO
    sed "s|^logs .*|logs = $log|" "$RANGE_CONFIG" >"$tmp/config"
    PGONCALL_RANGE=$range timeout 600 "$build/bench/logs" "$tmp/config" 100000000 "$pour" \
        "ssh -F $SSH_CONFIG server $follow | cat" >"$tmp/logs"
    # shellcheck disable=SC2046
    row "log flood, 100 MB (ssh ... logs | cat)" MB/s at-least 0.5 $(numbers throughput "$tmp/logs")
    # shellcheck disable=SC2046
    set -- $(numbers keys "$tmp/logs")
    most "  keys while it pours, 99th percentile" ms "$1" 50
    # shellcheck disable=SC2046
    row "  ending a session (without the flood)" ms at-most 1.5 $(numbers kill "$tmp/logs")
    most "  memory of the console, at most" MB "$(numbers memory "$tmp/logs")" 64
}

# shellcheck source=tests/bench/revisions.sh
. tests/bench/revisions.sh

# shellcheck disable=SC2086
range=$($sudo tests/range/up --owner $$)
# shellcheck source=/dev/null # written by up
. "$range/env"
# The operator's own settings stay out of it.
unset PGHOST PGPORT PGOPTIONS PGSSLMODE PGSERVICE PGAPPNAME
export PGPASSFILE

printf '%-42s %9s %9s %-4s  %6s  %s\n' "what (against)" ours theirs "" ratio limit
compare_starts() {
    compare_startup "start, pgoncall locks (ssh ... psql)"
    # shellcheck disable=SC2086
    $sudo tests/range/incident "$range" stuck-migration >/dev/null
    compare_startup "  the same while a migration is stuck"
    printf '%-42s %9s %9s MB\n' "memory of pgoncall locks, at most" \
        "$(numbers memory "$tmp/startup" | cut -d' ' -f1)" "-"
}

for part in ${BENCH:-tunnels logs starts revisions}; do
    [ "$part" = activity ] || "compare_$part"
done
exit "$missed"
