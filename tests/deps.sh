#!/bin/sh
# Installs, through apt, the Debian packages that building, linting, the tests and the range need and
# that are not there yet, and those named as arguments; says which. Needs root or sudo only when
# something is missing.
set -eu

packages="$* build-essential pkg-config git
    libncurses-dev libpq-dev libssh2-1-dev libedit-dev libuv1-dev libutf8proc-dev libbsd-dev
    libinih-dev libjansson-dev libarchive-dev libssl-dev libpcre2-dev libcmark-dev
    libcurl4-openssl-dev libcmocka-dev libvterm-dev valgrind mandoc shellcheck
    busybox openssh-server openssh-client postgresql-15 alembic python3-psycopg2
    docker.io docker-compose iproute2 procps strace curl less socat netcat-openbsd
    systemd-journal-remote
    podman runc containernetworking-plugins iptables sudo ca-certificates
    libpam-wrapper libpam-google-authenticator python3-paramiko
    krb5-kdc krb5-admin-server krb5-user"

missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: these packages are missing and need root or sudo to install:$missing" >&2
        exit 1
    }
    sudo=sudo
fi
echo "deps: installing through apt:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# No service of a package is started: the range starts its own, elsewhere.
install_missing() {
    # shellcheck disable=SC2086 # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y --no-install-recommends $missing
}

if ! install_missing >"$log" 2>&1; then
    { $sudo apt-get update && install_missing; } >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "deps: apt could not install:$missing" >&2
        exit 1
    }
fi
