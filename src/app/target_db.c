/*
 * The database of a target: its address, the tunnel to it, the connection that watches and the one
 * kept for acting, and the snapshots. Retries by itself with back-off while the host is reached.
 */
#include "target_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/ssh/tunnel.h>

#define ADDRESS_TIMEOUT_MS 10000
/* An act waits up to 5 s for a session's end. */
#define ACTING_STATEMENT_TIMEOUT_MS 10000

static void db_connect(struct target *target);
static void db_open_acting(struct target *target);

static void db_on_again(struct loop_timer *timer, void *arg)
{
	struct target *target = arg;

	loop_timer_stop(timer);
	target->db_again = NULL;
	target->retry_at = 0;
	if (target->main.up)
		target_db_start(target);
}

/* The database cannot be reached, or not any more; the host can. */
static void db_fail(struct target *target, const struct err *why, bool worth_trying)
{
	bool retrying = target->retry && (worth_trying || target->snapshot);
	int64_t delay_ms = target_backoff_ms(target->db_attempts++);

	target_db_stop(target);
	if (target->snapshot)
		target_set_state(target, TARGET_LOST);
	if (retrying && target->main.up) {
		target->db_again = loop_timer_start(target->loop, delay_ms, 0, db_on_again, target);
		target->retry_at = clock_monotonic() + delay_ms * CLOCK_NS_PER_MS;
	}
	target_fail(target, why, retrying);
}

static void db_note_version(struct target *target, const struct db_snapshot *snapshot)
{
	const char *table = config_get(target->section, CONFIG_VERSION_TABLE);
	struct buf text = BUF_INIT;
	size_t i;

	switch (snapshot->version_table) {
	case DB_VERSION_TABLE_FOUND:
		for (i = 0; i < snapshot->versions.n; i++)
			buf_printf(&text, "%s%s", i ? ", " : "", snapshot->versions.items[i]);
		if (!snapshot->versions.n)
			buf_printf(&text, "%s is empty", table);
		break;
	case DB_VERSION_TABLE_MISSING:
		buf_printf(&text, "there is no table %s", table);
		break;
	case DB_VERSION_TABLE_DENIED:
		buf_printf(&text, "role %s may not read %s", snapshot->server.role, table);
		break;
	case DB_VERSION_TABLE_LOCKED:
		buf_printf(&text, "%s is locked", table);
		break;
	default:
		buf_printf(&text, "%s could not be read", table);
		break;
	}
	target_set_step(target, TARGET_STEP_VERSION, TARGET_STEP_DONE, buf_str(&text));
	buf_fini(&text);
}

static void db_on_snapshot(void *arg, struct db_snapshot *snapshot_take, const struct err *err)
{
	struct target *target = arg;
	struct db_snapshot *old = target->snapshot;

	if (err) {
		if (!target->retry)
			db_fail(target, err, false);
		else if (target->events.on_error)
			target->events.on_error(target->events.arg, err, true);
		return;
	}
	target->snapshot = snapshot_take;
	target->db_attempts = 0;
	if (!target->version_noted) {
		target->version_noted = true;
		db_note_version(target, snapshot_take);
		target_set_state(target, TARGET_UP);
	}
	target_migrations_mark(target);
	if (target->events.on_snapshot)
		target->events.on_snapshot(target->events.arg, snapshot_take);
	db_snapshot_free(old);
}

void target_db_apply_interval(struct target *target)
{
	if (target->watch)
		db_watch_set_interval(target->watch,
			target->paused ? 0 : (int)(target->refresh_ns / CLOCK_NS_PER_MS));
}

static void db_on_watch_up(void *arg)
{
	struct target *target = arg;
	struct db_watch_options options = {
		.interval_ms = target->paused ? 0 : (int)(target->refresh_ns / CLOCK_NS_PER_MS),
		.version_table = config_get(target->section, CONFIG_VERSION_TABLE),
	};
	char detail[128];
	int version = db_conn_version_num(target->watch_conn);
	const char *tls = db_conn_tls(target->watch_conn);

	snprintf(detail, sizeof(detail), "%s as %s, PostgreSQL %d.%d%s%s",
		db_conn_dbname(target->watch_conn), db_conn_user(target->watch_conn), version / 10000,
		version % 10000, *tls ? ", " : "", tls);
	target_set_step(target, TARGET_STEP_DATABASE, TARGET_STEP_DONE, detail);
	target_set_step(target, TARGET_STEP_VERSION, TARGET_STEP_RUNNING, "");
	target->connection_id++;
	target->version_noted = false;
	target->watch = db_watch_start(
		target->loop, target->watch_conn, &options, db_on_snapshot, target);
	if (target->acting_conn && db_conn_is_up(target->acting_conn))
		db_watch_set_acting_pid(target->watch, db_conn_backend_pid(target->acting_conn));
	target_changed(target);
}

static void db_on_watch_down(void *arg, const struct err *why)
{
	struct target *target = arg;
	const struct err *tunnel = target->tunnel ? tunnel_last_error(target->tunnel) : NULL;
	enum db_fault fault = db_conn_fault(target->watch_conn);
	struct err copy = *why;

	/* libpq sees only a closed socket; the tunnel knows why. */
	if (tunnel && tunnel->code != ERR_OK &&
		(fault == DB_FAULT_LOST || fault == DB_FAULT_UNREACHABLE))
		copy = *tunnel;
	if (fault == DB_FAULT_PASSWORD_NEEDED || fault == DB_FAULT_PASSWORD_WRONG) {
		target_db_stop(target);
		if (target_ask_password(target, fault == DB_FAULT_PASSWORD_WRONG)) {
			target_changed(target);
			return;
		}
	}
	db_fail(target, &copy,
		fault == DB_FAULT_SLOTS || fault == DB_FAULT_STARTING || fault == DB_FAULT_LOST ||
			fault == DB_FAULT_UNREACHABLE);
}

static void db_on_acting_up(void *arg)
{
	struct target *target = arg;

	target->connection_id++;
	if (target->watch)
		db_watch_set_acting_pid(target->watch, db_conn_backend_pid(target->acting_conn));
	target_changed(target);
}

static void db_on_acting_again(struct loop_timer *timer, void *arg)
{
	struct target *target = arg;

	loop_timer_stop(timer);
	target->acting_again = NULL;
	db_open_acting(target);
}

/* Watching goes on; the acting connection is opened anew. */
static void db_on_acting_down(void *arg, const struct err *why)
{
	struct target *target = arg;
	struct err err = *why;

	db_conn_close(target->acting_conn);
	target->acting_conn = NULL;
	target->connection_id++;
	if (target->watch)
		db_watch_set_acting_pid(target->watch, 0);
	if (target->retry && !target->acting_again)
		target->acting_again =
			loop_timer_start(target->loop, 2000, 0, db_on_acting_again, target);
	err_prefix(&err, "the connection kept for acting is not there");
	if (target->events.on_error && target->watch)
		target->events.on_error(target->events.arg, &err, true);
	target_changed(target);
}

/* Whether the tunnel's peer is the socket of one of our two connections. */
static bool db_peer_allowed(void *arg, int peer_port)
{
	struct target *target = arg;

	return (target->watch_conn && db_conn_socket_port(target->watch_conn) == peer_port) ||
		(target->acting_conn && db_conn_socket_port(target->acting_conn) == peer_port);
}

static struct db_conn *db_open_conn(struct target *target, bool acting)
{
	struct db_conn_options options = {
		.host = target->address,
		.port = (int)config_get_long(target->section, CONFIG_DB_PORT),
		.dbname = config_get(target->section, CONFIG_DB_NAME),
		.user = config_get(target->section, CONFIG_DB_USER),
		.password = target->asking.db_password,
		.sslmode = config_get(target->section, CONFIG_DB_SSLMODE),
		.read_only = !acting,
		.statement_timeout_ms = acting ? ACTING_STATEMENT_TIMEOUT_MS : 0,
	};
	struct db_conn_events events = {
		acting ? db_on_acting_up : db_on_watch_up,
		acting ? db_on_acting_down : db_on_watch_down,
		target,
	};

	if (target->tunnel) {
		options.hostaddr = tunnel_address(target->tunnel);
		options.port = tunnel_port(target->tunnel);
	}
	return db_conn_open(target->loop, &options, &events);
}

static void db_open_acting(struct target *target)
{
	if (!target->acting_conn && target->watch_conn && (target->wants & TARGET_ACTING))
		target->acting_conn = db_open_conn(target, true);
}

/* The address is known. */
static void db_connect(struct target *target)
{
	struct err err;

	if (!target->local && target->address[0] == '/') {
		err_set(&err, ERR_CONFIG,
			"db_host = %s: a socket directory is not reached over SSH; set db_host to an "
			"address as seen from %s",
			target->address, config_get(target->section, CONFIG_SSH));
		db_fail(target, &err, false);
		return;
	}
	if (!target->local) {
		target->tunnel = tunnel_open(target->loop, target->main.transport, target->address,
			(int)config_get_long(target->section, CONFIG_DB_PORT), db_peer_allowed, target,
			&err);
		if (!target->tunnel) {
			db_fail(target, &err, true);
			return;
		}
	}
	target_set_step(target, TARGET_STEP_DATABASE, TARGET_STEP_RUNNING, target->address);
	target->watch_conn = db_open_conn(target, false);
	db_open_acting(target);
	target_changed(target);
}

static int db_read_address(struct target *target, const struct host_output *output,
	const struct err *run_err, struct err *err)
{
	const char *name = config_get(target->section, CONFIG_DB_CONTAINER);
	struct host_container container;
	char what[256];
	int rc = -1;

	snprintf(what, sizeof(what), "looking for container %s on %s", name,
		config_get(target->section, CONFIG_SSH));
	if (host_output_check(output, run_err, what, err) < 0)
		return -1;
	if (host_container_parse(output->out.data, output->out.len, name, &container, err) < 0)
		return -1;
	if (!container.running)
		err_set(err, ERR_COMMAND, "container %s is not running (%s): start it, or set db_container",
			name, container.status);
	else if (!*container.address)
		err_set(err, ERR_COMMAND,
			"container %s has no address of its own: set db_host to where its server listens",
			name);
	else
		rc = 0;
	if (rc == 0)
		target->address = mem_strdup(container.address);
	host_container_fini(&container);
	return rc;
}

static void db_on_address(void *arg, const struct host_output *output, const struct err *run_err)
{
	struct target *target = arg;
	char detail[256];
	struct err err;

	target->address_run = NULL;
	if (db_read_address(target, output, run_err, &err) < 0) {
		db_fail(target, &err, true);
		return;
	}
	snprintf(detail, sizeof(detail), "%s at %s",
		config_get(target->section, CONFIG_DB_CONTAINER), target->address);
	target_set_step(target, TARGET_STEP_ADDRESS, TARGET_STEP_DONE, detail);
	db_connect(target);
}

static void db_find_address(struct target *target)
{
	struct host_run_options options = { .timeout_ms = ADDRESS_TIMEOUT_MS };
	struct buf command = BUF_INIT;
	struct err err;

	target_set_step(target, TARGET_STEP_ADDRESS, TARGET_STEP_RUNNING,
		config_get(target->section, CONFIG_DB_CONTAINER));
	if (host_runtime_inspect(&target->runtime, config_get(target->section, CONFIG_DB_CONTAINER),
		    &command, &err) == 0)
		target->address_run = host_run_start(target->loop, target->main.transport,
			buf_str(&command), &options, db_on_address, target);
	else
		db_fail(target, &err, false);
	buf_fini(&command);
}

void target_db_start(struct target *target)
{
	if (!(target->wants & TARGET_DATABASE) || target->watch_conn || target->address_run)
		return;
	if (config_is_set(target->section, CONFIG_DB_HOST)) {
		target->address = mem_strdup(config_get(target->section, CONFIG_DB_HOST));
		target_set_step(target, TARGET_STEP_ADDRESS, TARGET_STEP_DONE, target->address);
		db_connect(target);
	} else {
		db_find_address(target);
	}
}

void target_db_stop(struct target *target)
{
	loop_timer_stop(target->db_again);
	loop_timer_stop(target->acting_again);
	target->db_again = target->acting_again = NULL;
	host_run_cancel(target->address_run);
	target->address_run = NULL;
	db_watch_stop(target->watch);
	target->watch = NULL;
	if (target->watch_conn || target->acting_conn)
		target->connection_id++;
	db_conn_close(target->acting_conn);
	db_conn_close(target->watch_conn);
	target->acting_conn = target->watch_conn = NULL;
	tunnel_close(target->tunnel);
	target->tunnel = NULL;
	free(target->address);
	target->address = NULL;
}
