#!/bin/sh
# Holds the direction of includes: every #include <pgoncall/LAYER/…> is allowed by tests/lint/layers,
# and each foreign header is included by its one owner only. Prints file:line of each breach.
set -u
cd "$(dirname "$0")/../.." || exit 2
bad=0

allowed() { # LAYER -> " base loop … "
    sed -n "s/^$1://p" tests/lint/layers
}

breach() {
    echo "$1"
    bad=1
}

for dir in src/* include/pgoncall/*; do
    layer=$(basename "$dir")
    [ "$layer" = "*" ] && continue
    grep -q "^$layer:" tests/lint/layers || breach "$dir: no line for this layer in tests/lint/layers"
    may=" $layer $(allowed "$layer") "
    hits=$(grep -rnoE '#include [<"](pgoncall/)?[^>"]+[>"]' "$dir" 2>/dev/null || true)
    while IFS= read -r hit; do
        [ -n "$hit" ] || continue
        where=${hit%%:#include*}
        what=${hit#*#include }
        case $what in
        *../*) breach "$where: includes $what: no way up the tree" ;;
        "<pgoncall/"*)
            target=${what#<pgoncall/}
            target=${target%%/*}
            case $may in
            *" $target "*) ;;
            *) breach "$where: layer $layer may not include $what" ;;
            esac
            ;;
        esac
    done <<EOF
$hits
EOF
done

owner() { # HEADER-REGEX PATH-REGEX
    hits=$(grep -rnE "#include <$1>" src include | grep -vE "^$2:" || true)
    [ -z "$hits" ] || breach "$hits
    <$1> belongs to $2 only"
}

owner 'uv\.h' 'src/loop/[a-z_]+\.c'
owner 'libssh2.*\.h' 'src/ssh/[a-z_]+\.[ch]'
owner 'libpq-fe\.h' 'src/db/[a-z_]+\.c'
owner 'pg_query\.h' 'src/review/[a-z_]+\.c'
owner '(n?curses|term)\.h' 'src/ui/term[a-z_]*\.c'
owner 'histedit\.h' 'src/ui/prompt\.c'
owner 'cmark\.h' 'src/runbook/[a-z_]+\.c'
owner 'archive.*\.h' 'src/host/[a-z_]+\.c'
owner 'curl/curl\.h' 'src/host/http\.c'
owner 'ini\.h' 'src/app/config\.c'
owner 'utf8proc\.h' 'src/base/utf8\.c'
exit $bad
