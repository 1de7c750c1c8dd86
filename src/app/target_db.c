/*
 * The database of a target: the tunnel to it, the connection that watches and the one
 * kept for acting, and the snapshots. Retries by itself with back-off while the host is reached.
 */
#include "target_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/bridge.h>
#include <pgoncall/ssh/tunnel.h>

/* Longest wait before the next try: a dial, and a run of the runtime's inspect. */
#define AGAIN_DIAL_MS    1000
#define AGAIN_INSPECT_MS 2000
/* How long, after libpq saw its connection break, the tunnel is given to say why. */
#define VERDICT_LOOK_MS 2
#define VERDICT_LOOKS   150
/* An act waits up to 5 s for a session's end. */
#define ACTING_STATEMENT_TIMEOUT_MS 10000

static void db_open_acting(struct target *target);
/* What a connection is for. */
enum db_purpose { DB_WATCH, DB_ACT, DB_STEPS };

static struct db_conn *db_open_conn(struct target *target, enum db_purpose purpose);

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
void target_db_fail(struct target *target, const struct err *why, bool worth_trying)
{
	bool retrying = target->retry && (worth_trying || target->snapshot);
	int64_t delay_ms = target_backoff_ms(target->db_attempts++);
	int64_t most_ms = config_is_set(target->section, CONFIG_DB_CONTAINER) ? AGAIN_INSPECT_MS
									      : AGAIN_DIAL_MS;

	/* Over a link that is up another try costs little, and a server that starts again is to be
	 * found soon. What a person must mend is left more time, and so is a full server, on
	 * which every try takes a process for a moment. */
	if (worth_trying && target->db_fault != DB_FAULT_SLOTS && delay_ms > most_ms)
		delay_ms = most_ms;
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
	const char *table = target->version_table;
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
	if (target->version_note)
		buf_printf(&text, " (%s)", target->version_note);
	target_set_step(target, TARGET_STEP_VERSION, TARGET_STEP_DONE, buf_str(&text));
	buf_fini(&text);
}

static void db_on_snapshot(void *arg, struct db_snapshot *snapshot_take, const struct err *err)
{
	struct target *target = arg;
	struct db_snapshot *old = target->snapshot;

	if (err) {
		if (!target->retry)
			target_db_fail(target, err, false);
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

/* Whether the server's end is a Unix socket, through a tunnel or not. */
static bool db_is_socket(const struct target *target)
{
	return target->place.name[0] == '/';
}

/* The checklist's line. A socket has no TLS: over SSH that is no loss, but it is no silent one. */
static void db_note_connection(struct target *target)
{
	const struct db_conn *conn = target->watch_conn;
	const char *tls = db_conn_tls(conn),
		   *sslmode = config_get(target->section, CONFIG_DB_SSLMODE);
	int version = db_conn_version_num(conn);
	struct buf detail = BUF_INIT;

	buf_printf(&detail, "%s as %s, PostgreSQL %d.%d", db_conn_dbname(conn), db_conn_user(conn),
		version / 10000, version % 10000);
	if (*tls)
		buf_printf(&detail, ", %s", tls);
	if (db_is_socket(target))
		buf_printf(&detail, ", %s%s%s%s",
			target->local ? "a socket" : "a socket at the far end of SSH",
			target->db_bridged ? " (through a command there)" : "",
			*sslmode ? ": TLS does not apply, db_sslmode = " : "", sslmode);
	target_set_step(target, TARGET_STEP_DATABASE, TARGET_STEP_DONE, buf_str(&detail));
	buf_fini(&detail);
}

static void db_start_watch(struct target *target)
{
	struct db_watch_options options = {
		.interval_ms = target->paused ? 0 : (int)(target->refresh_ns / CLOCK_NS_PER_MS),
		.version_table = target->version_table,
		.brief = target->wants & TARGET_BRIEF,
	};

	target->watch = db_watch_start(
		target->loop, target->watch_conn, &options, db_on_snapshot, target);
	if (target->acting_conn && db_conn_is_up(target->acting_conn))
		db_watch_set_acting_pid(target->watch, db_conn_backend_pid(target->acting_conn));
	target_legacy_ask(target);
}

/* Which table it is, where the configuration does not say; the likeliest, and which others there are. */
static void db_on_version_tables(void *arg, const struct strlist *names, const struct err *err)
{
	struct target *target = arg;
	struct buf note = BUF_INIT;
	size_t i;

	/* A connection that broke is reported by its own callback. */
	if (err && !db_conn_is_up(target->watch_conn))
		return;
	free(target->version_table);
	free(target->version_note);
	target->version_note = NULL;
	target->version_table = mem_strdup(
		names && names->n ? names->items[0] : config_get(target->section, CONFIG_VERSION_TABLE));
	if (names && names->n > 1) {
		buf_printf(&note, "%zu tables look like Alembic's: %s is used, not ", names->n,
			names->items[0]);
		for (i = 1; i < names->n; i++)
			buf_printf(&note, "%s%s", i > 1 ? ", " : "", names->items[i]);
		buf_add_str(&note, "; set version_table to say which");
		target->version_note = buf_steal(&note);
	}
	buf_fini(&note);
	db_start_watch(target);
}

static void db_on_watch_up(void *arg)
{
	struct target *target = arg;

	db_note_connection(target);
	target_set_step(target, TARGET_STEP_VERSION, TARGET_STEP_RUNNING, "");
	target->connection_id++;
	target->version_noted = false;
	if (target->section->values[CONFIG_VERSION_TABLE].line) {
		free(target->version_table);
		target->version_table =
			mem_strdup(config_get(target->section, CONFIG_VERSION_TABLE));
		db_start_watch(target);
	} else {
		db_version_tables_ask(target->watch_conn, db_on_version_tables, target);
	}
	db_open_acting(target);
	target_changed(target);
}

static bool db_is_worth_trying(enum db_fault fault)
{
	return fault == DB_FAULT_SLOTS || fault == DB_FAULT_STARTING || fault == DB_FAULT_LOST ||
	       fault == DB_FAULT_UNREACHABLE;
}

/* Another way that has not been tried: the command in place of forwarding, or the container's next
 * address. */
static bool db_take_another_way(struct target *target)
{
	struct target_place *place = &target->place;

	if (target->tunnel && tunnel_is_bridged(target->tunnel) && !target->db_bridged) {
		target->db_bridged = true;
		target->watch_conn = db_open_conn(target, DB_WATCH);
		return true;
	}
	if (target->db_fault != DB_FAULT_UNREACHABLE || place->at + 1 >= place->addresses.n)
		return false;
	place->at++;
	tunnel_close(target->tunnel);
	target->tunnel = NULL;
	target_db_connect(target);
	return true;
}

/* libpq sees only a closed socket; the tunnel knows why, once its streams have ended. */
static void db_decide(struct target *target)
{
	const struct err *tunnel = target->tunnel ? tunnel_last_error(target->tunnel) : NULL;
	struct err why = target->db_why;

	loop_timer_stop(target->db_verdict);
	target->db_verdict = NULL;
	if (tunnel && tunnel->code != ERR_OK)
		why = *tunnel;
	if (!db_take_another_way(target))
		target_db_fail(target, &why, db_is_worth_trying(target->db_fault));
}

static void db_on_verdict(struct loop_timer *timer, void *arg)
{
	struct target *target = arg;

	(void)timer;
	if (!target->tunnel || !tunnel_streams(target->tunnel) ||
		++target->db_looks > VERDICT_LOOKS)
		db_decide(target);
}

static void db_close_conns(struct target *target)
{
	loop_timer_stop(target->acting_again);
	target->acting_again = NULL;
	db_watch_stop(target->watch);
	target->watch = NULL;
	if (target->watch_conn || target->acting_conn) {
		target->connection_id++;
		target->steps_id++;
	}
	target_steps_close(target);
	target->slots_full = false;
	db_conn_close(target->acting_conn);
	db_conn_close(target->watch_conn);
	target->acting_conn = target->watch_conn = NULL;
}

static void db_on_watch_down(void *arg, const struct err *why)
{
	struct target *target = arg;
	enum db_fault fault = db_conn_fault(target->watch_conn);
	struct err copy = *why;

	target->db_fault = fault;
	if (fault == DB_FAULT_PASSWORD_NEEDED || fault == DB_FAULT_PASSWORD_WRONG) {
		target_db_stop(target);
		if (target_ask_password(target, fault == DB_FAULT_PASSWORD_WRONG, &copy)) {
			target_changed(target);
			return;
		}
	}
	if (fault != DB_FAULT_LOST && fault != DB_FAULT_UNREACHABLE) {
		target_db_fail(target, &copy, db_is_worth_trying(fault));
		return;
	}
	target->db_why = copy;
	target->db_looks = 0;
	db_close_conns(target);
	target->db_verdict =
		loop_timer_start(target->loop, 0, VERDICT_LOOK_MS, db_on_verdict, target);
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
	target->steps_id++;
	if (target->watch)
		db_watch_set_acting_pid(target->watch, 0);
	if (target->retry && target->watch && !target->acting_again)
		target->acting_again =
			loop_timer_start(target->loop, 2000, 0, db_on_acting_again, target);
	err_prefix(&err, "the connection kept for acting is not there");
	if (target->events.on_error && target->watch)
		target->events.on_error(target->events.arg, &err, true);
	target_changed(target);
}

/* Whoever asked has been told by his query. */
static void db_on_steps_down(void *arg, const struct err *why)
{
	struct target *target = arg;

	(void)why;
	target->slots_full = db_conn_fault(target->steps_conn) == DB_FAULT_SLOTS;
	target_steps_close(target);
}

/* Whether the tunnel's peer is the socket of one of our connections. */
static bool db_peer_allowed(void *arg, int peer_port)
{
	struct target *target = arg;

	return (target->watch_conn && db_conn_socket_port(target->watch_conn) == peer_port) ||
	       (target->acting_conn && db_conn_socket_port(target->acting_conn) == peer_port) ||
	       (target->steps_conn && db_conn_socket_port(target->steps_conn) == peer_port);
}

static struct db_conn *db_open_conn(struct target *target, enum db_purpose purpose)
{
	static const struct {
		void (*on_up)(void *arg);
		void (*on_down)(void *arg, const struct err *why);
	} events_of[] = {
		[DB_WATCH] = { db_on_watch_up, db_on_watch_down },
		[DB_ACT] = { db_on_acting_up, db_on_acting_down },
		[DB_STEPS] = { NULL, db_on_steps_down },
	};
	struct target_place *place = &target->place;
	struct db_conn_options options = {
		.host = place->name,
		.hostaddr = place->addresses.n ? place->addresses.items[place->at] : NULL,
		.port = place->port,
		.dbname = config_get(target->section, CONFIG_DB_NAME),
		.user = config_get(target->section, CONFIG_DB_USER),
		.password = target->asking.db_password,
		.sslmode = config_get(target->section, CONFIG_DB_SSLMODE),
		.service = config_get(target->section, CONFIG_DB_SERVICE),
		.read_only = purpose != DB_ACT,
		.statement_timeout_ms = purpose == DB_WATCH ? 0 : ACTING_STATEMENT_TIMEOUT_MS,
	};
	struct db_conn_events events = { events_of[purpose].on_up, events_of[purpose].on_down,
		target };

	if (target->tunnel) {
		options.hostaddr = tunnel_address(target->tunnel);
		options.port = tunnel_port(target->tunnel);
		options.over_socket = db_is_socket(target);
	} else if (db_is_socket(target) || str_equal(options.hostaddr, place->name)) {
		options.hostaddr = NULL;
	}
	return db_conn_open(target->loop, &options, &events);
}

static void db_open_acting(struct target *target)
{
	if (!target->acting_conn && target->watch_conn && (target->wants & TARGET_ACTING))
		target->acting_conn = db_open_conn(target, DB_ACT);
}

struct db_conn *target_steps_conn(struct target *target)
{
	if (!target->watch_conn)
		return NULL;
	/* Once: for the next step a slot may be free again. */
	if (!target->steps_conn && target->slots_full) {
		target->slots_full = false;
		return target->acting_conn;
	}
	if (!target->steps_conn)
		target->steps_conn = db_open_conn(target, DB_STEPS);
	return target->steps_conn;
}

void target_steps_close(struct target *target)
{
	struct db_conn *conn = target->steps_conn;

	if (!conn)
		return;
	target->steps_conn = NULL;
	target->connection_id++;
	target->steps_id++;
	db_conn_close(conn);
}

void target_acting_renew(struct target *target)
{
	struct db_conn *conn = target->acting_conn;

	if (!conn)
		return;
	target->acting_conn = NULL;
	target->connection_id++;
	target->steps_id++;
	if (target->watch)
		db_watch_set_acting_pid(target->watch, 0);
	db_conn_close(conn);
	db_open_acting(target);
}

/* The command is ready before it is known whether it is needed. */
static void db_prepare_bridge(struct target *target)
{
	struct buf command = BUF_INIT;
	char *path = mem_printf("%s/.s.PGSQL.%d", target->place.name, target->place.port);

	host_bridge_command(path, &command);
	tunnel_set_bridge(target->tunnel, buf_str(&command), host_bridge_explain);
	buf_fini(&command);
	free(path);
}

void target_db_connect(struct target *target)
{
	const struct target_place *place = &target->place;
	struct err err;

	target->db_bridged = false;
	if (!target->local) {
		target->tunnel = tunnel_open(target->loop, target->main.transport,
			place->addresses.items[place->at], place->port, db_peer_allowed, target,
			&err);
		if (!target->tunnel) {
			target_db_fail(target, &err, true);
			return;
		}
		if (db_is_socket(target))
			db_prepare_bridge(target);
	}
	target_set_step(target, TARGET_STEP_DATABASE, TARGET_STEP_RUNNING,
		place->addresses.items[place->at]);
	target->watch_conn = db_open_conn(target, DB_WATCH);
	db_open_acting(target);
	target_changed(target);
}

bool target_db_is_busy(const struct target *target)
{
	return target->watch_conn || target->address_run || target->db_verdict;
}

void target_db_start(struct target *target)
{
	if (!(target->wants & TARGET_DATABASE) || target_db_is_busy(target))
		return;
	target->db_fault = DB_FAULT_NONE;
	target_place_find(target);
}

void target_db_stop(struct target *target)
{
	loop_timer_stop(target->db_again);
	loop_timer_stop(target->db_verdict);
	target->db_again = target->db_verdict = NULL;
	host_run_cancel(target->address_run);
	target->address_run = NULL;
	db_close_conns(target);
	tunnel_close(target->tunnel);
	target->tunnel = NULL;
	target_place_forget(target);
}
