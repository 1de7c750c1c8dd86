# shellcheck shell=bash
# What up, down, status and incident share: where a range is and who owns it, its env
# file, starting and ending its processes, waiting. It owns the layout of a range's
# directory; the parts themselves are in ssh.sh, database.sh, containers.sh, process.sh.
#
#   DIR/owner    "pid start-time" of the process for which the range stands
#   DIR/slot     the number from which its ports, bridge and subnet follow
#   DIR/env      KEY=value for whoever uses the range; complete once DIR/ready exists
#   DIR/run/     one record (see tracked) and one log per process started here

RANGE_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
RANGE_ASKED_FOR=${PGONCALL_RANGE:-}
RANGE_PARENT=$(cd "${TMPDIR:-/tmp}" && pwd -P)
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8

# shellcheck source=tests/range/tracked
. "$RANGE_HOME/tracked"

# The caller's own database, engine and agent are none of the range's.
unset DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS_VERIFY DOCKER_CERT_PATH SSH_AUTH_SOCK
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE
unset PGOPTIONS PGSSLMODE PGAPPNAME PGTARGETSESSIONATTRS PGDATA DATABASE_URL PSQLRC

range_note() {
	[ -n "${RANGE_QUIET:-}" ] || printf 'range: %s\n' "$*" >&2
}

range_die() {
	printf 'range: %s\n' "$*" >&2
	exit 1
}

# wait_until SECONDS COMMAND…: polls until it succeeds.
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}

# For messages: the last line that says anything.
last_line() {
	grep -v -e '^ *$' -e '--help' "$1" 2>/dev/null | tail -n 1
}

# --- who the range is for ---

# The account that logs in over SSH: who runs up, or who ran sudo.
range_user() {
	if [ "$EUID" = 0 ] && [ -n "${SUDO_USER:-}" ]; then
		echo "$SUDO_USER"
	else
		id -un
	fi
}

# The server refuses root; the postgres account serves where the range is root's.
database_user() {
	local user
	user=$(range_user)
	if [ "$user" = root ]; then echo postgres; else echo "$user"; fi
}

# become USER: the words to put before a command so that USER runs it, none if we are USER.
# The process stays the same one, so records stay true.
become() {
	[ "$1" = "$(id -un)" ] ||
		echo "setpriv --reuid=$1 --regid=$(id -g "$1") --init-groups --"
}

as_user() {
	local words
	read -ra words <<<"$(become "$1")"
	shift
	"${words[@]}" "$@"
}

# The process that asked for the range. A subshell, as in dir=$(up), ends at once: the
# shell it was forked from, with the same command line, is meant.
asking_process() {
	local pid=$PPID parent
	while parent=$(parent_of "$pid") && [ "$parent" -gt 1 ] && same_program "$pid" "$parent"; do
		pid=$parent
	done
	echo "$pid"
}

parent_of() {
	sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null
}

same_program() {
	[ "$(readlink "/proc/$1/exe")" = "$(readlink "/proc/$2/exe")" ] &&
		cmp -s "/proc/$1/cmdline" "/proc/$2/cmdline"
}

# --- which ranges there are ---

# Directories of ranges that are this user's: others' records are not to be believed.
range_dirs() {
	local dir
	for dir in "$RANGE_PARENT"/pgoncall-range.??????; do
		! range_is_ours "$dir" || echo "$dir"
	done
}

range_is_ours() {
	local owner
	[ -d "$1" ] && [ ! -L "$1" ] || return 1
	[[ $(basename "$1") == pgoncall-range.?????? ]] || return 1
	owner=$(stat -c %U "$1") || return 1
	[ "$owner" = "$(id -un)" ] || [ "$owner" = "$(range_user)" ]
}

# Its owner is gone, or up was killed before it could write one down.
range_is_stale() {
	local pid start
	if read -r pid start 2>/dev/null <"$1/owner"; then
		! process_is "$pid" "$start"
	else
		[ -n "$(find "$1" -maxdepth 0 -mmin +1)" ]
	fi
}

# The range meant when none is named: $PGONCALL_RANGE, else the only one.
range_default() {
	local dirs
	if [ -n "$RANGE_ASKED_FOR" ]; then
		echo "$RANGE_ASKED_FOR"
		return
	fi
	mapfile -t dirs < <(range_dirs)
	case ${#dirs[@]} in
	1) echo "${dirs[0]}" ;;
	0) range_die "no range stands; tests/range/up builds one" ;;
	*) range_die "several ranges stand, name one: ${dirs[*]}" ;;
	esac
}

# range_load [DIR]: reads the env file of a standing range.
range_load() {
	RANGE_DIR=${1:-$(range_default)} || exit 1
	RANGE_DIR=$(cd "$RANGE_DIR" 2>/dev/null && pwd -P) || range_die "no such range: $1"
	range_is_ours "$RANGE_DIR" || range_die "not a range of yours: $RANGE_DIR"
	[ -f "$RANGE_DIR/ready" ] || range_die "half-built range: $RANGE_DIR; remove it with tests/range/down"
	# shellcheck disable=SC1091 # written by up
	. "$RANGE_DIR/env"
	form_load
}

# The functions named in common by both forms come from the file of this range's form.
form_load() {
	if [ "$RANGE_FORM" = docker ]; then
		# shellcheck source=tests/range/containers.sh
		. "$RANGE_HOME/containers.sh"
	else
		# shellcheck source=tests/range/process.sh
		. "$RANGE_HOME/process.sh"
	fi
}

# --- the env file ---

# env_add KEY VALUE…: one shell-sourceable line per pair, quoted only where needed.
env_add() {
	local value
	while [ $# -gt 1 ]; do
		value=$2
		[[ $value =~ ^[A-Za-z0-9_./:@,=+-]*$ ]] || value="'${value//\'/\'\\\'\'}'"
		printf '%s=%s\n' "$1" "$value" >>"$RANGE_DIR/env"
		printf -v "$1" '%s' "$2"
		shift 2
	done
}

# --- its processes ---

# daemon_start NAME COMMAND…: in a session of its own, recorded, logging to run/NAME.log.
daemon_start() {
	local name=$1 log=$RANGE_DIR/run/$1.log
	shift
	# shellcheck disable=SC2094 # appended to by both
	(
		cgroup_join
		exec setsid "$RANGE_HOME/tracked" spawn "$RANGE_DIR/run/$name" "$log" "$log" "$@"
	) >/dev/null 2>>"$log" &
	disown $!
}

cgroup_join() {
	[ -z "${RANGE_CGROUP:-}" ] || echo "$BASHPID" >"$RANGE_CGROUP/cgroup.procs"
}

daemon_alive() {
	record_alive "$RANGE_DIR/run/$1"
}

daemon_died() {
	[ -f "$RANGE_DIR/run/$1" ] && ! daemon_alive "$1"
}

# daemon_wait NAME SECONDS COMMAND…: polls until it succeeds, or the daemon is gone.
daemon_wait() {
	local name=$1 deadline=$((SECONDS + $2))
	shift 2
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) && ! daemon_died "$name" || return 1
		sleep 0.05
	done
}

port_is_open() {
	(exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# project_copy DIRECTORY: the Alembic project and the web API, as an image holds them.
project_copy() {
	mkdir -p "$1"
	cp -r "$RANGE_HOME/project/." "$1"
	cp "$RANGE_HOME"/app/*.py "$1/bo1/"
	find "$1" -name __pycache__ -prune -exec rm -rf {} +
}
