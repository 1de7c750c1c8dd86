#!/bin/sh
# Runs a program under valgrind; any report, leak or lost descriptor makes it fail.
exec valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible \
    --suppressions="$(dirname "$0")/valgrind.supp" "$@"
