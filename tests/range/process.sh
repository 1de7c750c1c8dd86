# shellcheck shell=bash
# The process form, for machines where containers cannot run: the same server, project and
# web API as plain processes (runtime = none). It offers what containers.sh offers, and
# owns DIR/pgdata, DIR/app and DIR/app-green.

# --- the form's interface ---

# TCP is open to every user of the machine, so there the superuser needs a password.
form_start_database() {
	local user
	user=$(database_user)
	# shellcheck disable=SC2034 # for database_make_roles
	POSTGRES_PASSWORD=$(random_password)
	process_admit "$user"
	install -d -m 0700 -o "$user" "$RANGE_DIR/pgdata" "$RANGE_DIR/pgsocket"
	# shellcheck disable=SC2046 # become gives words
	PG_BIN=$PG_BIN PGDATA=$RANGE_DIR/pgdata PORT=$PG_PORT LISTEN=127.0.0.1 \
		SOCKET_DIR=$RANGE_DIR/pgsocket CLIENT_NET=127.0.0.1/32 \
		MAX_CONNECTIONS=${RANGE_MAX_CONNECTIONS:-60} PASSWORD_ROLES=secured,postgres \
		daemon_start postgres $(become "$user") sh "$RANGE_DIR/pgentry"
	daemon_wait postgres 20 db_answers
}

form_start_apps() {
	app_start blue "$BLUE_PORT"
	app_start green "$GREEN_PORT"
}

form_env() {
	env_add PG_PORT "$PG_PORT" DB_ADDR 127.0.0.1 DB_PORT "$PG_PORT" ADMIN_CONNINFO "$(db_conninfo postgres)" DB_CONNINFO "$(db_conninfo bo1)" \
		PGDATA "$RANGE_DIR/pgdata" PGSOCKET_DIR "$RANGE_DIR/pgsocket" \
		POSTGRES_LOG "$RANGE_DIR/run/postgres.log" POSTGRES_PID_FILE "$RANGE_DIR/pgdata/postmaster.pid" \
		APP_DIR "$(app_dir blue)" GREEN_DIR "$(app_dir green)" API_LOG "$(app_dir blue)/api.log"
}

form_config() {
	cat <<-CONF
		runtime         = none
		db_host         = 127.0.0.1
		db_port         = $PG_PORT
		app             = $APP_DIR
		; with both colours, in place of app:
		; app.blue      = $APP_DIR
		; app.green     = $GREEN_DIR
		alembic         = $APP_DIR/bin/uv run alembic
		logs            = file:$API_LOG file:$POSTGRES_LOG
	CONF
}

form_parts() {
	part_line postgres "$(daemon_alive postgres && db_answers >/dev/null 2>&1 && echo "127.0.0.1:$DB_PORT")"
	part_line app "$(daemon_alive app-blue && echo "$APP_DIR")"
	part_line app-green "$(daemon_alive app-green && echo "$GREEN_DIR")"
}

db_conninfo() {
	local host=127.0.0.1
	[ "$1" != postgres ] || host=$RANGE_DIR/pgsocket
	echo "host=$host port=$PG_PORT user=$1 dbname=${DB:-$DB_NAME} connect_timeout=3"
}

db_log() {
	cat "$RANGE_DIR/run/postgres.log"
}

# app_run COLOUR COMMAND…: in the app's directory, with its bin first, as the SSH user.
app_run() {
	local dir
	dir=$(app_dir "$1")
	shift
	(cd "$dir" && DATABASE_URL=$(app_database_url) PATH=$dir/bin:$PATH PYTHONDONTWRITEBYTECODE=1 \
		as_user "$SSH_USER" "$@")
}

# app_run_logged COLOUR COMMAND…: as a deployment runs it, with the app's log as its output.
app_run_logged() {
	local colour=$1
	shift
	app_run "$colour" "$@" >>"$(app_dir "$colour")/api.log" 2>&1
}

# app_spawn COLOUR COMMAND…: left running; what it prints goes to the API's log.
app_spawn() {
	local colour=$1 dir
	dir=$(app_dir "$1")
	shift
	(
		cgroup_join
		app_run "$colour" setsid "$RANGE_HOME/tracked" spawn \
			"$dir/.spawned" "$dir/api.log" "$dir/api.log" "$@"
	) >/dev/null 2>&1 &
	disown $!
}

app_end_spawned() {
	record_end "$(app_dir "$1")/.spawned"
}

app_add() {
	install -m 0644 -o "$SSH_USER" "$2" "$(app_dir "$1")/$3/"
}

app_remove() {
	rm -f "$(app_dir "$1")/$2"
}

app_log() {
	cat "$(app_dir "$1")/api.log"
}

# --- its parts ---

# The server's account must get through the range's directory, and only that account.
process_admit() {
	cp "$RANGE_HOME/postgres/entry" "$RANGE_DIR/pgentry"
	[ "$1" = "$SSH_USER" ] || {
		chgrp "$(id -g "$1")" "$RANGE_DIR"
		chmod 0710 "$RANGE_DIR"
	}
}

app_dir() {
	if [ "$1" = green ]; then echo "$RANGE_DIR/app-green"; else echo "$RANGE_DIR/app"; fi
}

app_database_url() {
	echo "postgresql://bo1@127.0.0.1:$PG_PORT/$DB_NAME"
}

# Over SSH nothing sets DATABASE_URL, so alembic.ini holds it.
app_start() {
	local colour=$1 port=$2 dir
	dir=$(app_dir "$colour")
	project_copy "$dir"
	sed -i "s|^sqlalchemy.url = .*|sqlalchemy.url = $(app_database_url)|" "$dir/alembic.ini"
	: >"$dir/api.log"
	chown -R "$SSH_USER" "$dir"
	# shellcheck disable=SC2046 # become gives words
	DATABASE_URL=$(app_database_url) BIND=127.0.0.1 PORT=$port COLOUR=$colour \
		daemon_start "app-$colour" $(become "$SSH_USER") \
		sh -c "exec /usr/bin/python3 '$dir/bo1/api.py' >>'$dir/api.log' 2>&1"
}
