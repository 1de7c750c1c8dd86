/*
 * A target that is being reached: the two links to its host, the checklist, the state, and the
 * accessors. The database, the revisions and the logs have files of their own.
 */
#include "target_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/conn.h>
#include <pgoncall/host/local.h>
#include <pgoncall/ssh/auto_transport.h>
#include <pgoncall/ssh/thread.h>

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MOST_MS  15000

static const char *const step_names[TARGET_STEP_COUNT] = {
	[TARGET_STEP_CONFIG] = "ssh configuration",
	[TARGET_STEP_CONNECT] = "host",
	[TARGET_STEP_HOSTKEY] = "host key",
	[TARGET_STEP_AUTH] = "authentication",
	[TARGET_STEP_ADDRESS] = "database address",
	[TARGET_STEP_DATABASE] = "database",
	[TARGET_STEP_VERSION] = "version table",
};

/* Transport steps come first in the checklist, in the transport's order. */
_Static_assert((int)TARGET_STEP_CONFIG == (int)TRANSPORT_STEP_CONFIG &&
		(int)TARGET_STEP_AUTH == (int)TRANSPORT_STEP_AUTH,
	"the checklist begins with the transport's steps");

static void link_connect(struct target_link *link);

const char *target_step_name(enum target_step step)
{
	return step_names[step];
}

int64_t target_backoff_ms(int attempts)
{
	int64_t ms = BACKOFF_FIRST_MS;

	while (attempts-- > 0 && ms < BACKOFF_MOST_MS)
		ms *= 2;
	return ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
}

void target_changed(struct target *target)
{
	if (target->events.on_state)
		target->events.on_state(target->events.arg);
}

void target_set_step(struct target *target, enum target_step step, enum target_step_state state,
	const char *detail)
{
	target->progress[step].state = state;
	snprintf(target->progress[step].detail, sizeof(target->progress[step].detail), "%s", detail);
}

void target_set_state(struct target *target, enum target_state state)
{
	if (target->state == state)
		return;
	target->state = state;
	target->since = clock_monotonic();
	target_changed(target);
}

void target_fail(struct target *target, const struct err *why, bool retrying)
{
	int step;

	for (step = 0; step < TARGET_STEP_COUNT; step++) {
		if (target->progress[step].state == TARGET_STEP_RUNNING) {
			target_set_step(target, (enum target_step)step, TARGET_STEP_FAILED, why->text);
			break;
		}
	}
	if (target->events.on_error)
		target->events.on_error(target->events.arg, why, retrying);
	target_changed(target);
}

static void target_reset_steps(struct target *target)
{
	int step;

	for (step = 0; step < TARGET_STEP_COUNT; step++)
		target_set_step(target, (enum target_step)step, TARGET_STEP_WAITING, "");
	if (target->local) {
		target_set_step(target, TARGET_STEP_CONFIG, TARGET_STEP_SKIPPED, "this machine");
		target_set_step(target, TARGET_STEP_CONNECT, TARGET_STEP_SKIPPED, "this machine");
		target_set_step(target, TARGET_STEP_HOSTKEY, TARGET_STEP_SKIPPED, "no SSH");
		target_set_step(target, TARGET_STEP_AUTH, TARGET_STEP_SKIPPED, "no SSH");
	} else {
		target_set_step(target, TARGET_STEP_CONFIG, TARGET_STEP_RUNNING, "");
	}
}

/* --- links ----------------------------------------------------------------------------------- */

static bool link_is_main(const struct target_link *link)
{
	return link == &link->target->main;
}

static void link_on_step(void *arg, enum transport_step step, const char *detail)
{
	struct target_link *link = arg;
	struct target *target = link->target;
	int next;

	if (!link_is_main(link))
		return;
	target_set_step(target, (enum target_step)step, TARGET_STEP_DONE, detail);
	/* The steps begin anew when another way to the host is taken. */
	for (next = step + 1; next < TRANSPORT_STEP_COUNT; next++)
		target_set_step(target, (enum target_step)next,
			next == (int)step + 1 ? TARGET_STEP_RUNNING : TARGET_STEP_WAITING, "");
	target_changed(target);
}

/* A one-time code is not asked for twice: the logs go through the main link, whose small windows for
 * commands keep them from slowing it. */
static void link_share(struct target_link *link)
{
	link->shared = true;
	link->transport = link->target->main.transport;
	link->up = true;
	target_logs_start(link->target);
}

/* The main link goes: what is shared goes first. */
static void link_unshare(struct target_link *link)
{
	if (!link->shared)
		return;
	target_logs_stop(link->target, "link lost, connecting again");
	link->shared = link->up = false;
	link->transport = NULL;
}

static void link_on_up(void *arg)
{
	struct target_link *link = arg;
	struct target *target = link->target;

	link->up = true;
	link->attempts = 0;
	if (!link_is_main(link)) {
		target_logs_start(target);
		return;
	}
	target->retry_at = 0;
	target_db_start(target);
	target_migrations_start(target);
	target_logs_connect(target);
	target_changed(target);
}

static void link_on_again(struct loop_timer *timer, void *arg)
{
	struct target_link *link = arg;

	loop_timer_stop(timer);
	link->again = NULL;
	link_connect(link);
}

/* Trying again by itself what a person must mend first would only lock accounts. */
static bool link_is_worth_trying(const struct err *why)
{
	return why->code != ERR_HOSTKEY && why->code != ERR_AUTH && why->code != ERR_CONFIG &&
		why->code != ERR_RESOLVE;
}

static void link_close(struct target_link *link)
{
	if (link_is_main(link))
		link_unshare(&link->target->logs_link);
	else if (link->shared)
		link_unshare(link);
	loop_timer_stop(link->again);
	link->again = NULL;
	link->up = false;
	target_ask_lapse(link->target, link->transport);
	if (link->transport)
		link->transport->ops->close(link->transport);
	link->transport = NULL;
}

static void link_plan_again(struct target_link *link, bool worth_trying)
{
	struct target *target = link->target;
	int64_t delay_ms = target_backoff_ms(link->attempts++);

	if (!target->retry || link->declined || !(worth_trying || target->snapshot))
		return;
	link->again = loop_timer_start(target->loop, delay_ms, 0, link_on_again, link);
	if (link_is_main(link))
		target->retry_at = clock_monotonic() + delay_ms * CLOCK_NS_PER_MS;
}

static void link_on_down(void *arg, const struct err *why)
{
	struct target_link *link = arg;
	struct target *target = link->target;
	struct err err = *why;

	if (!link_is_main(link)) {
		target_logs_stop(target, "link lost, connecting again");
		link_close(link);
		if (target->main.up)
			link_plan_again(link, link_is_worth_trying(&err));
		return;
	}
	target_db_stop(target);
	target_migrations_stop(target);
	link_close(link);
	link_plan_again(link, link_is_worth_trying(&err));
	if (target->snapshot)
		target_set_state(target, TARGET_LOST);
	target_fail(target, &err, link->again != NULL);
}

static enum ssh_transport_kind link_kind(const struct target *target)
{
	const char *name = config_get(target->section, CONFIG_TRANSPORT);

	return str_equal(name, "libssh2")   ? SSH_TRANSPORT_LIBSSH2
		: str_equal(name, "openssh") ? SSH_TRANSPORT_OPENSSH
					     : SSH_TRANSPORT_AUTO;
}

static void link_connect(struct target_link *link)
{
	struct target *target = link->target;
	struct transport_events events = { link_on_step, link_on_up, link_on_down, link };
	struct ssh_options options = {
		.destination = config_get(target->section, CONFIG_SSH),
		.config_file = config_get(target->section, CONFIG_SSH_CONFIG),
		.ask = target->events.on_ask ? target_on_ssh_question : NULL,
	};

	if (link->transport)
		return;
	link->interactive = link->declined = false;
	if (link_is_main(link)) {
		target_reset_steps(target);
		target->retry_at = 0;
	}
	link->transport = target->local
		? local_transport_open(target->loop, &events)
		: ssh_auto_open(link_kind(target), target->thread, target->loop, &options, &events);
	target_changed(target);
}

/* Where logs are all that is wanted, or are read once, one link is enough. */
void target_logs_connect(struct target *target)
{
	bool alone = !(target->wants & (TARGET_DATABASE | TARGET_MIGRATIONS)) ||
		     target->log_options.once;

	if (!target->main.up || !(target->wants & TARGET_LOGS) || !target->n_sources ||
		target->logs_link.transport || target->logs_link.again)
		return;
	if (target->main.interactive || alone)
		link_share(&target->logs_link);
	else
		link_connect(&target->logs_link);
}

/* --- life ------------------------------------------------------------------------------------ */

/* The thread could not be started: reported from the loop, as every failure. */
static void target_on_no_thread(void *arg)
{
	struct target *target = arg;
	struct err err;

	err_set(&err, ERR_SYSTEM, "the SSH thread cannot be started");
	target_fail(target, &err, false);
}

struct target *target_open(
	struct loop *loop, const struct target_options *options, const struct target_events *events)
{
	struct target *target = mem_calloc(1, sizeof(*target));

	target->loop = loop;
	target->section = options->section;
	target->events = *events;
	target->wants = options->wants;
	target->retry = options->retry;
	target->refresh_ns = options->refresh_ns;
	target->local = str_equal(config_get(target->section, CONFIG_SSH), "none");
	target->runtime.command = config_get(target->section, CONFIG_RUNTIME_COMMAND);
	host_runtime_parse(config_get(target->section, CONFIG_RUNTIME), &target->runtime.kind);
	target->main.target = target->logs_link.target = target;
	target->since = clock_monotonic();
	target->log_options = options->logs;
	target_logs_init(target);
	target_migrations_init(target);
	if (!target->local && ssh_thread_new(&target->thread, NULL) < 0)
		loop_post(loop, target_on_no_thread, target);
	else
		link_connect(&target->main);
	return target;
}

void target_close(struct target *target)
{
	if (!target)
		return;
	memset(&target->events, 0, sizeof(target->events));
	target->retry = false;
	target_db_stop(target);
	target_migrations_stop(target);
	target_logs_stop(target, "closed");
	link_close(&target->logs_link);
	link_close(&target->main);
	ssh_thread_free(target->thread);
	target_logs_fini(target);
	target_ask_fini(target);
	db_snapshot_free(target->snapshot);
	target_migrations_fini(target);
	free(target->version_table);
	free(target->version_note);
	free(target);
}

void target_refresh(struct target *target)
{
	if (!target->main.transport) {
		loop_timer_stop(target->main.again);
		target->main.again = NULL;
		link_connect(&target->main);
	} else if (target->main.up && !target_db_is_busy(target)) {
		loop_timer_stop(target->db_again);
		target->db_again = NULL;
		target_db_start(target);
	} else if (target->watch) {
		db_watch_refresh(target->watch);
	}
	target_migrations_start(target);
}

void target_drop(struct target *target, const struct err *why)
{
	if (target->logs_link.transport && !target->logs_link.shared)
		link_on_down(&target->logs_link, why);
	if (target->main.transport)
		link_on_down(&target->main, why);
}

void target_pause(struct target *target, bool paused)
{
	target->paused = paused;
	target_db_apply_interval(target);
}

void target_set_refresh(struct target *target, int64_t refresh_ns)
{
	target->refresh_ns = refresh_ns;
	target_db_apply_interval(target);
}

/* --- what is known --------------------------------------------------------------------------- */

enum target_state target_get_state(const struct target *target)
{
	return target->state;
}

int64_t target_state_since(const struct target *target)
{
	return target->since;
}

int64_t target_retry_at(const struct target *target)
{
	return target->retry_at;
}

bool target_host_is_up(const struct target *target)
{
	return target->main.up;
}

const struct target_progress *target_progress(const struct target *target)
{
	return target->progress;
}

const struct config_section *target_section(const struct target *target)
{
	return target->section;
}

const struct db_snapshot *target_snapshot(const struct target *target)
{
	return target->snapshot;
}

const struct migration_graph *target_graph(const struct target *target)
{
	return target->revisions.sources.merged;
}

const char *target_migrations_error(const struct target *target)
{
	return target->revisions.error;
}

const struct target_log *target_logs(const struct target *target, size_t *n)
{
	*n = target->n_sources;
	return target->logs;
}

struct log_store *target_log_store(const struct target *target)
{
	return target->store;
}

struct transport *target_transport(const struct target *target)
{
	return target->main.up ? target->main.transport : NULL;
}

struct db_conn *target_watch_conn(const struct target *target)
{
	return target->watch_conn;
}

struct db_conn *target_acting_conn(const struct target *target)
{
	return target->acting_conn;
}

const struct host_runtime *target_runtime(const struct target *target)
{
	return &target->runtime;
}

uint64_t target_connection_id(const struct target *target)
{
	return target->connection_id;
}

uint64_t target_steps_id(const struct target *target)
{
	return target->steps_id;
}

double target_rtt_ms(const struct target *target)
{
	if (!target->main.up)
		return -1;
	return target->main.transport->ops->rtt_ms(target->main.transport);
}

const char *target_host_key(const struct target *target)
{
	if (!target->main.up)
		return "";
	return target->main.transport->ops->host_key(target->main.transport);
}
