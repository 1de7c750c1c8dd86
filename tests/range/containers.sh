# shellcheck shell=bash
# The docker form: an engine of the range's own (containerd and dockerd by hand, nothing
# of the system's), images made of symbolic links into the machine's /usr, and the three
# containers. It owns DIR/engine, DIR/docker.sock, the bridge and the range's cgroup.

DB_CONTAINER=infrastructure-postgres-1
APP_CONTAINER=boardofone-api-1
GREEN_CONTAINER=boardofone-green-api-1

# --- the form's interface: up, status and the incidents call these ---

# Fails, with the reason on stderr, where containers cannot run.
form_start_database() {
	engine_can_start && engine_network && engine_start && images_make && container_run_database
}

form_start_apps() {
	local blue
	container_run_app "$APP_CONTAINER" blue boardofone "$BLUE_PORT" &
	blue=$!
	container_run_app "$GREEN_CONTAINER" green boardofone-green "$GREEN_PORT" || exit 1
	wait "$blue" || exit 1
	compose_file >"$RANGE_DIR/docker-compose.app.yml"
}

form_env() {
	env_add RANGE_BRIDGE "$RANGE_BRIDGE" RANGE_SUBNET "172.29.$RANGE_SLOT.0/24" \
		DOCKER "$DOCKER" DOCKER_HOST "$DOCKER_HOST" RUNTIME_COMMAND "$DOCKER -H $DOCKER_HOST" \
		DB_CONTAINER "$DB_CONTAINER" APP_CONTAINER "$APP_CONTAINER" \
		GREEN_CONTAINER "$GREEN_CONTAINER" DB_ADDR "$(db_address)" DB_PORT 5432 \
		ADMIN_CONNINFO "$(db_conninfo postgres)" DB_CONNINFO "$(db_conninfo bo1)" PGDATA /var/lib/postgresql/data \
		ENGINE_LOG "$(engine_log)"
}

form_config() {
	cat <<-CONF
		runtime         = docker
		runtime_command = $RUNTIME_COMMAND
		db_container    = $DB_CONTAINER
		db_port         = 5432
		app             = $APP_CONTAINER
		; with both colours, in place of app:
		; app.blue      = $APP_CONTAINER
		; app.green     = $GREEN_CONTAINER
		alembic         = uv run alembic
		logs            = $APP_CONTAINER $DB_CONTAINER
		compose         = $(compose_command)
		compose_service = $(compose_service)
	CONF
}

form_parts() {
	local name
	part_line engine "$(engine_version)"
	for name in "$DB_CONTAINER" "$APP_CONTAINER" "$GREEN_CONTAINER"; do
		part_line "$name" "$(container_state "$name")"
	done
}

db_conninfo() {
	echo "host=$(db_address) port=5432 user=$1 dbname=${DB:-$DB_NAME} connect_timeout=3"
}

db_log() {
	docker_ logs "$DB_CONTAINER" 2>&1
}

# app_run COLOUR COMMAND…: in the app's container, as docker exec does.
app_run() {
	local container
	container=$(app_container "$1")
	shift
	docker_ exec "$container" "$@"
}

# app_run_logged COLOUR COMMAND…: as a deployment runs it, with the app's log as its output.
app_run_logged() {
	local colour=$1
	shift
	app_run "$colour" sh -c 'exec "$@" >/proc/1/fd/1 2>/proc/1/fd/2' logged "$@"
}

# app_spawn COLOUR COMMAND…: left running; what it prints goes to the container's log.
app_spawn() {
	local container
	container=$(app_container "$1")
	shift
	docker_ exec -d "$container" /range/tracked spawn /range/spawned /proc/1/fd/1 /proc/1/fd/2 "$@"
}

app_end_spawned() {
	docker_ exec "$(app_container "$1")" /range/tracked end /range/spawned
}

# app_add COLOUR FILE DIRECTORY, app_remove COLOUR PATH: inside the project.
app_add() {
	docker_ cp -q "$2" "$(app_container "$1"):/app/$3/" 2>/dev/null ||
		docker_ cp "$2" "$(app_container "$1"):/app/$3/" >/dev/null
}

app_remove() {
	docker_ exec "$(app_container "$1")" rm -f "/app/$2"
}

app_log() {
	docker_ logs "$(app_container "$1")" 2>&1
}

# --- the engine ---

docker_() {
	"$DOCKER" --config "$RANGE_DIR/engine/client" -H "$DOCKER_HOST" "$@"
}

engine_log() {
	echo "$RANGE_DIR/run/dockerd.log"
}

engine_version() {
	local version
	version=$(docker_ version --format '{{.Server.Version}}' 2>/dev/null) && echo "docker $version"
}

engine_can_start() {
	local tool
	[ "$EUID" = 0 ] || engine_refuse "only root can start an engine" || return
	for tool in docker dockerd containerd runc ip; do
		command -v "$tool" >/dev/null || engine_refuse "$tool is not installed" || return
	done
	DOCKER=$(command -v docker)
	DOCKER_HOST=unix://$RANGE_DIR/docker.sock
}

engine_refuse() {
	range_note "containers cannot run here: $1"
	return 1
}

# A bridge is made in one step or not at all: nobody else's is ever taken.
engine_network() {
	RANGE_BRIDGE=pgo$RANGE_SLOT
	echo "$RANGE_BRIDGE" >"$RANGE_DIR/bridge"
	ip link add "$RANGE_BRIDGE" type bridge 2>"$RANGE_DIR/run/bridge.log" || {
		rm "$RANGE_DIR/bridge"
		engine_refuse "no bridge: $(last_line "$RANGE_DIR/run/bridge.log")"
		return
	}
	{
		ip address add "172.29.$RANGE_SLOT.1/24" dev "$RANGE_BRIDGE" &&
			ip link set "$RANGE_BRIDGE" up
	} 2>>"$RANGE_DIR/run/bridge.log" || engine_refuse "no bridge: $(last_line "$RANGE_DIR/run/bridge.log")"
	bridge_rule -I "$RANGE_BRIDGE" || true
}

engine_start() {
	mkdir -p "$RANGE_DIR/engine/client"
	containerd_start && dockerd_start
}

containerd_start() {
	local dir=$RANGE_DIR/engine
	containerd_config >"$dir/containerd.toml"
	daemon_start containerd "$(command -v containerd)" --config "$dir/containerd.toml"
	daemon_wait containerd 10 test -S "$dir/containerd.sock" ||
		engine_refuse "containerd did not start: $(last_line "$RANGE_DIR/run/containerd.log")"
}

# Without the plugins that leave traces elsewhere or probe the machine for nothing.
containerd_config() {
	cat <<-CONF
		version = 2
		root = "$RANGE_DIR/engine/containerd"
		state = "$RANGE_DIR/engine/state"
		disabled_plugins = [
		  "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt",
		  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
		  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
		]
		[grpc]
		  address = "$RANGE_DIR/engine/containerd.sock"
	CONF
}

# The socket is its group's, too: the SSH user needs no sudo, and nobody else gets as far
# as the socket because the range's directory is closed to them.
dockerd_start() {
	local dir=$RANGE_DIR/engine
	echo "{\"deprecated-key-path\": \"$dir/key.json\"}" >"$dir/daemon.json"
	daemon_start dockerd "$(command -v dockerd)" --config-file "$dir/daemon.json" \
		--host "$DOCKER_HOST" --group "$(id -g "$SSH_USER")" --pidfile "$dir/dockerd.pid" \
		--data-root "$dir/data" --exec-root "$dir/exec" --containerd "$dir/containerd.sock" \
		--bridge "$RANGE_BRIDGE" --iptables=false --ip-forward=false --ip-masq=false \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$(range_cgroup_name "$RANGE_DIR")"
	daemon_wait dockerd 15 docker_ version || engine_refuse "dockerd did not start: $(last_line "$(engine_log)")"
}

# --- images ---

images_make() {
	local root=$RANGE_DIR/engine/rootfs log=$RANGE_DIR/run/images.log
	{
		rootfs_make "$root" && image_import "$root" infrastructure-postgres:15 \
			"ENV PATH=$PG_BIN:/usr/sbin:/usr/bin:/sbin:/bin" &&
			rootfs_add_app "$root" && image_import "$root" boardofone-api:1 \
			'ENV PATH=/app/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'WORKDIR /app' &&
			rm -rf "$root"
	} >"$log" 2>&1 || engine_refuse "no image: $(last_line "$log")"
}

# Programs and libraries are the machine's own, mounted read-only; the rest is made here.
rootfs_make() {
	local link uid
	uid=$(id -u postgres)
	mkdir -p "$1"/{dev,etc,proc,range,root,run,sys,usr,var/lib}
	for link in /bin /sbin /lib*; do
		[ ! -L "$link" ] || cp -P "$link" "$1$link"
	done
	ln -s /run "$1/var/run"
	install -d -m 1777 "$1/tmp"
	install -d -o postgres "$1/run/postgresql" "$1/var/lib/postgresql"
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' \
		"postgres:x:$uid:$(id -g postgres)::/var/lib/postgresql:/bin/sh" >"$1/etc/passwd"
	printf '%s\n' 'root:x:0:' "postgres:x:$(id -g postgres):" >"$1/etc/group"
	printf '%s\n' 'passwd: files' 'group: files' 'hosts: files' >"$1/etc/nsswitch.conf"
	cp "$RANGE_HOME/postgres/entry" "$RANGE_HOME/tracked" "$1/range/"
}

rootfs_add_app() {
	project_copy "$1/app"
	rm "$1/range/entry"
}

# image_import ROOTFS NAME CHANGE…
image_import() {
	local root=$1 name=$2 change changes=()
	shift 2
	for change in "$@"; do changes+=(--change "$change"); done
	tar -C "$root" -cf - . | docker_ import "${changes[@]}" - "$name"
}

# --- containers ---

# container_run NAME PROJECT SERVICE [docker run arguments]
container_run() {
	local name=$1 project=$2 service=$3
	shift 3
	docker_ run -d --name "$name" --hostname "$service" \
		--volume /usr:/usr:ro --volume /etc/alternatives:/etc/alternatives:ro \
		--label com.docker.compose.project="$project" \
		--label com.docker.compose.service="$service" \
		--label com.docker.compose.container-number=1 \
		--label com.docker.compose.oneoff=False \
		--env LANG=C.UTF-8 "$@"
}

container_run_database() {
	container_run "$DB_CONTAINER" infrastructure postgres --user postgres --stop-signal SIGINT \
		--shm-size 128m \
		--env PG_BIN="$PG_BIN" --env PGDATA=/var/lib/postgresql/data --env PORT=5432 \
		--env LISTEN='*' --env SOCKET_DIR=/run/postgresql --env CLIENT_NET=0.0.0.0/0 \
		--env MAX_CONNECTIONS="${RANGE_MAX_CONNECTIONS:-60}" \
		--env PASSWORD_ROLES=secured infrastructure-postgres:15 /range/entry \
		>"$RANGE_DIR/run/$DB_CONTAINER.log" 2>&1 ||
		engine_refuse "no container started: $(last_line "$RANGE_DIR/run/$DB_CONTAINER.log")"
}

# The link keeps the name "postgres" true when the server's address changes. The port is
# published on a loopback address by docker-proxy, for the health URL; the database's is not.
container_run_app() {
	container_run "$1" "$3" api --link "$DB_CONTAINER:postgres" --publish "127.0.0.1:$4:8000" \
		--env DATABASE_URL="postgresql://bo1@postgres:5432/$DB_NAME" --env COLOUR="$2" \
		--env PYTHONDONTWRITEBYTECODE=1 boardofone-api:1 /app/bo1/api.py \
		>"$RANGE_DIR/run/$1.log" 2>&1 ||
		range_die "$1 did not start: $(last_line "$RANGE_DIR/run/$1.log")"
}

app_container() {
	if [ "$1" = green ]; then echo "$GREEN_CONTAINER"; else echo "$APP_CONTAINER"; fi
}

container_field() {
	docker_ inspect --format "$2" "$1" 2>/dev/null
}

db_address() {
	container_field "$DB_CONTAINER" '{{.NetworkSettings.IPAddress}}'
}

container_state() {
	[ "$(container_field "$1" '{{.State.Running}}')" != true ] ||
		container_field "$1" '{{.NetworkSettings.IPAddress}} since {{.State.StartedAt}}'
}

# --- docker-compose, for the restart of the guide ---

compose_file() {
	cat <<-CONF
		version: "2.4"
		services:
		  api:
		    image: boardofone-api:1
		    network_mode: bridge
	CONF
}

# "COMMAND restart SERVICE" restarts the app. docker-compose where it is installed
# (it knows the container by the labels of container_run); else plain docker serves.
compose_command() {
	if command -v docker-compose >/dev/null; then
		echo "$(command -v docker-compose) -H $DOCKER_HOST" \
			"-f $RANGE_DIR/docker-compose.app.yml -p boardofone"
	else
		echo "$RUNTIME_COMMAND"
	fi
}

compose_service() {
	if command -v docker-compose >/dev/null; then echo api; else echo "$APP_CONTAINER"; fi
}
