#!/bin/sh
# Runs test programs one after another, prints the output of those that fail, and ends with the line
# "N passed, N failed", counted over single tests (each program prints cmocka's or our own
# "[  PASSED  ] N test(s)." and "[  FAILED  ] N test(s)" lines).
# usage: tests/run.sh [-w WRAPPER] PROGRAM…
set -u
wrapper=
if [ "${1:-}" = -w ]; then
    wrapper=$2
    shift 2
fi
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program; do
    # shellcheck disable=SC2086 # the wrapper is a command line
    $wrapper "$program" >"$log" 2>&1
    status=$?
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    p=${p:-0}
    f=${f:-0}
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
    fi
    passed=$((passed + p))
    failed=$((failed + f))
    if [ "$status" -ne 0 ]; then
        echo "FAIL $program (exit $status)"
        sed 's/^/    /' "$log"
    else
        echo "ok   $program ($p)"
    fi
done
[ -z "${RUN_TOTALS:-}" ] || echo "$passed $failed" >>"$RUN_TOTALS"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
