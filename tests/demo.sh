#!/bin/sh
# The demonstration: brings up a range, stages the stuck migration, opens the console on it, and
# takes the range down when the console is left.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}

sudo=
[ "$(id -u)" -eq 0 ] || sudo="sudo -E"

if [ ! -t 0 ] || [ ! -t 1 ]; then
    echo "demo: the console needs a terminal" >&2
    exit 1
fi
# shellcheck disable=SC2086 # sudo and its option are two words
range=$($sudo tests/range/up --owner $$)
# shellcheck disable=SC2086
trap '$sudo tests/range/down "$range"' EXIT
trap 'exit 1' INT TERM HUP
# shellcheck disable=SC2086
$sudo tests/range/incident "$range" stuck-migration

# The operator's own files stay out of the demonstration.
XDG_STATE_HOME=$(mktemp -d) XDG_DATA_HOME=/nonexistent
export XDG_STATE_HOME XDG_DATA_HOME
status=0
"$build/pgoncall" -c "$range/config" prod || status=$?
if [ -d "$XDG_STATE_HOME/pgoncall/journal" ]; then
    echo "demo: the journal of what you did: $XDG_STATE_HOME/pgoncall/journal"
else
    rm -rf "$XDG_STATE_HOME"
fi
exit "$status"
