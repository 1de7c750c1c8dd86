#!/bin/sh
# Every lint in a row: layers, headers that compile alone, warnings as errors, manual pages, shell
# scripts, sizes of files, and the man page's key section against the binding table.
# Called by `make lint`, which passes BUILD, CC and FLAGS. Prints what is wrong; exits 1 if anything is.
# shellcheck disable=SC2317 # the functions are called through step
set -u
cd "$(dirname "$0")/../.." || exit 2
bad=0

step() { # NAME COMMAND…
    name=$1
    shift
    if output=$("$@" 2>&1); then
        echo "lint ok   $name"
    else
        echo "lint FAIL $name"
        echo "$output" | sed 's/^/    /'
        bad=1
    fi
}

headers_compile_alone() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    find include src -name '*.h' | sort | xargs -P 2 -I{} sh -c '
        echo "#include \"{}\"" | $CC $FLAGS -O0 -U_FORTIFY_SOURCE -Werror -fsyntax-only -x c -I. - || { echo "{}"; exit 255; }'
}

no_warnings() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    find src -name '*.c' | sort | xargs -P 2 -I{} sh -c '
        $CC $FLAGS -O2 -Werror -DPGONCALL_VERSION=\"lint\" -DPGONCALL_DATADIR=\"/\" -c -o /dev/null "{}" || exit 255'
}

manuals() {
    for page in man/*.[0-9]; do
        mandoc -Tlint -Wwarning "$page" || return 1
    done
}

scripts() {
    find tests .ci -type f | while read -r file; do
        if head -n 1 "$file" | grep -qE '^#!.*\b(sh|bash)$'; then
            echo "$file"
        fi
    done | xargs shellcheck -x
}

sizes() {
    status=0
    long=$(find src include tests -name '*.[ch]' -exec wc -l {} + | awk '$2 != "total" && $1 > 800')
    [ -z "$long" ] || { echo "$long"; echo "800 lines are the most"; status=1; }
    lines=$(wc -l <src/app/main.c)
    [ "$lines" -lt 100 ] || { echo "src/app/main.c: $lines lines; main stays under 100"; status=1; }
    return "$status"
}

# The key section of the manual is what the binding table prints.
keys_in_manual() {
    "$BUILD/keys_mdoc" >"$BUILD/keys.mdoc" || return 1
    sed -n '/^\.\\" BEGIN KEYS/,/^\.\\" END KEYS/p' man/pgoncall.1 | sed '1d;$d' >"$BUILD/keys.man"
    diff -u "$BUILD/keys.man" "$BUILD/keys.mdoc"
}

# What `make install` puts under DESTDIR is complete, and `make uninstall` takes all of it away.
installs() {
    root=$(mktemp -d) || return 1
    make -s install DESTDIR="$root" PREFIX=/usr >/dev/null &&
        [ -x "$root/usr/bin/pgoncall" ] && [ -f "$root/usr/share/man/man1/pgoncall.1" ] &&
        [ -f "$root/usr/share/pgoncall/themes/default.theme" ] &&
        [ -f "$root/usr/share/pgoncall/runbooks/stuck-migration.md" ] &&
        make -s uninstall DESTDIR="$root" PREFIX=/usr >/dev/null &&
        [ -z "$(find "$root" -type f)" ]
    status=$?
    find "$root" -type f
    rm -rf "$root"
    return "$status"
}

export CC FLAGS
step "layers" tests/lint/layers.sh
step "headers compile alone" headers_compile_alone
step "no warnings" no_warnings
step "manual pages" manuals
step "shell scripts" scripts
step "sizes" sizes
step "keys in the manual" keys_in_manual
step "runbooks" "$BUILD/pgoncall" runbook lint runbooks/[a-z]*.md
step "install and uninstall" installs
exit $bad
