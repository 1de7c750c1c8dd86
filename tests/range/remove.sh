# shellcheck shell=bash
# Taking a range away: whole, half-built, or with everything in it killed already. It
# owns the order (processes, mounts, network, directory), and believes only what the
# range itself recorded: pid and start time, its cgroup, its mounts, its bridge.

# range_remove DIR: leaves no trace; safe to repeat.
range_remove() {
	range_is_ours "$1" || range_die "not a range of yours: $1"
	range_stop "$1"
	rm -rf --one-file-system "$1"
	[ ! -e "$1" ] || range_die "could not remove all of $1 (built by root?)"
}

# range_stop DIR: all but the directory.
range_stop() {
	end_recorded "$1"
	end_pid_files "$1"
	cgroup_remove "$(range_cgroup_name "$1")"
	unmount_below "$1"
	network_remove "$1"
	run_files_remove "$1"
	shared_memory_remove "$1"
}

# The engine first and with KILL: it would restart or stop things in its own time. The
# server is asked to stop at once, which frees its shared memory.
end_recorded() {
	local name record
	for name in dockerd containerd; do record_end "$1/run/$name" KILL; done
	record_end "$1/run/postgres" QUIT
	for record in "$1"/run/* "$1"/app*/.spawned; do
		case $record in *.log | *'*'*) ;; *) record_end "$record" TERM 2 ;; esac
	done
}

# A test may have started sshd again by hand: its pid file counts if the process's command
# line names this range.
end_pid_files() {
	local file pid
	for file in "$1"/ssh/*.pid; do
		pid=$(cat "$file" 2>/dev/null) || continue
		! tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$1/" || kill "$pid" 2>/dev/null || true
	done
}

# --- cgroups: everything a root's range started, containers and all ---

range_cgroup_name() {
	echo "pgoncall-${1##*.}"
}

# One cgroup of the range's in the first hierarchy that admits it; none without root.
cgroup_make() {
	local root name
	name=$(range_cgroup_name "$1")
	for root in /sys/fs/cgroup /sys/fs/cgroup/pids /sys/fs/cgroup/unified; do
		[ -w "$root/cgroup.procs" ] || continue
		mkdir -p "$root/$name/host" 2>/dev/null || continue
		[ ! -w "$root/$name/host/cgroup.procs" ] || { echo "$root/$name/host" && return; }
	done
	return 0
}

cgroup_dirs() {
	find /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1" -depth -type d 2>/dev/null || true
}

cgroup_kill() {
	local dir pid left=1
	while read -r dir; do
		while read -r pid; do
			left=0
			kill -KILL "$pid" 2>/dev/null || true
		done < <(cat "$dir/cgroup.procs" 2>/dev/null)
	done < <(cgroup_dirs "$1")
	return $left
}

cgroup_is_empty() {
	! cgroup_kill "$1"
}

cgroup_remove() {
	local dir
	wait_until 5 cgroup_is_empty "$1" || range_note "processes of $1 would not end"
	while read -r dir; do
		wait_until 2 rmdir "$dir" || range_note "cgroup left behind: $dir"
	done < <(cgroup_dirs "$1")
}

# --- mounts, network, sockets, shared memory ---

mounts_below() {
	awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r
}

unmount_below() {
	local point
	while read -r point; do
		umount "$point" 2>/dev/null || umount -l "$point"
	done < <(mounts_below "$1")
	[ -z "$(mounts_below "$1")" ] || range_die "could not unmount $(mounts_below "$1" | head -n 1)"
}

# bridge_rule -I|-D BRIDGE: where the kernel filters bridged packets, a machine that forwards
# nothing would cut the containers off from each other. One rule, for the range's own bridge.
bridge_rule() {
	grep -qsx 1 /proc/sys/net/bridge/bridge-nf-call-iptables || return 1
	iptables -w 5 "$1" FORWARD -i "$2" -o "$2" -j ACCEPT 2>/dev/null
}

network_remove() {
	local bridge
	read -r bridge 2>/dev/null <"$1/bridge" || return 0
	while bridge_rule -D "$bridge"; do :; done
	ip link delete "$bridge" 2>/dev/null || true
}

# containerd's shims listen under /run, wherever its state is; each bundle names its socket.
# The directories are the system's once anything else is in them.
run_files_remove() {
	local file address
	for file in "$1"/engine/state/io.containerd.runtime.v2.task/moby/*/address; do
		address=$(cat "$file" 2>/dev/null) || continue
		case $address in unix:///run/containerd/s/*) rm -f "${address#unix://}" ;; esac
	done
	rmdir /run/containerd/s /run/containerd /run/docker/plugins /run/docker 2>/dev/null || true
}

# A server that was killed leaves the small segment by which it knows a twin: key and id
# are on line 7 of postmaster.pid, and nobody may be attached.
shared_memory_remove() {
	local key id
	read -r key id < <(sed -n 7p "$1/pgdata/postmaster.pid" 2>/dev/null) || return 0
	awk -v key="$key" -v id="$id" '$1 == key && $2 == id && $7 == 0 { found = 1 }
		END { exit !found }' /proc/sysvipc/shm || return 0
	ipcrm -m "$id"
}
