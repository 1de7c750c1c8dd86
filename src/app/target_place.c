/*
 * Where a target's server listens: db_host, else the address of db_container (asked from the
 * runtime, as often as it is connected to: it changes when the container is made anew), else what
 * db_service says. Connecting there is target_db.c's.
 */
#include "target_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/db/service.h>
#include <pgoncall/host/complaint.h>

#define ADDRESS_TIMEOUT_MS 10000

void target_place_forget(struct target *target)
{
	struct target_place *place = &target->place;

	if (place->known)
		strlist_fini(&place->addresses);
	free(place->name);
	memset(place, 0, sizeof(*place));
}

static struct target_place *place_begin(struct target *target, const char *name, int port)
{
	struct target_place *place = &target->place;

	target_place_forget(target);
	strlist_init(&place->addresses);
	place->known = true;
	place->name = mem_strdup(name);
	place->port = port;
	return place;
}

/* The configuration's own, else the service's, else 5432. A service that cannot be read is reported
 * when libpq is given its name. */
static int place_port(const struct target *target)
{
	bool own = target->section->values[CONFIG_DB_PORT].line != 0;
	int port = (int)config_get_long(target->section, CONFIG_DB_PORT);
	struct db_service service;
	struct err err;

	if (own || !config_is_set(target->section, CONFIG_DB_SERVICE))
		return port;
	if (db_service_read(config_get(target->section, CONFIG_DB_SERVICE), &service, &err) == 0)
		port = service.port;
	db_service_fini(&service);
	return port;
}

/* What the address is to the operator: "db.internal", "/run/postgresql (socket)". */
static void place_note(struct target *target, const char *how)
{
	char detail[512];

	snprintf(detail, sizeof(detail), "%s%s", target->place.name, how);
	target_set_step(target, TARGET_STEP_ADDRESS, TARGET_STEP_DONE, detail);
}

static void place_take_host(struct target *target)
{
	struct target_place *place = place_begin(
		target, config_get(target->section, CONFIG_DB_HOST), place_port(target));

	strlist_add(&place->addresses, place->name);
	place_note(target, place->name[0] == '/' ? " (socket)" : "");
	target_db_connect(target);
}

static int place_read_service(struct target *target, struct err *err)
{
	const char *name = config_get(target->section, CONFIG_DB_SERVICE);
	struct db_service service;
	struct target_place *place;
	char how[128];
	int rc = -1;

	if (db_service_read(name, &service, err) < 0)
		goto out;
	if (strchr(service.host, ',') || (!*service.host && !*service.hostaddr)) {
		err_set(err, ERR_CONFIG, "db_service = %s: the service names %s; set db_host", name,
			*service.host ? "several hosts" : "no host");
		goto out;
	}
	place = place_begin(
		target, *service.host ? service.host : service.hostaddr, place_port(target));
	strlist_add(&place->addresses, *service.hostaddr ? service.hostaddr : service.host);
	snprintf(how, sizeof(how), " (service %s)", name);
	place_note(target, how);
	rc = 0;
out:
	db_service_fini(&service);
	return rc;
}

static void place_take_service(struct target *target)
{
	struct err err;

	if (place_read_service(target, &err) < 0)
		target_db_fail(target, &err, false);
	else
		target_db_connect(target);
}

/* --- containers ------------------------------------------------------------------------------ */

static int place_read_container(struct target *target, const struct host_output *output,
	const struct err *run_err, struct err *err)
{
	const char *name = config_get(target->section, CONFIG_DB_CONTAINER);
	struct host_container container;
	struct target_place *place;
	size_t i;

	if (host_complaint_check(&target->runtime, name,
		    target->local ? "this machine" : config_get(target->section, CONFIG_SSH),
		    output, run_err, err) < 0)
		return -1;
	if (host_container_parse(output->out.data, output->out.len, name, &container, err) < 0)
		return -1;
	if (host_container_check_address(&container, name, err) < 0) {
		host_container_fini(&container);
		return -1;
	}
	place = place_begin(target, name, place_port(target));
	for (i = 0; i < container.addresses.n; i++)
		strlist_add(&place->addresses, container.addresses.items[i]);
	place_note(target, container.host_network ? " on the host's network" : "");
	host_container_fini(&container);
	return 0;
}

static void place_on_inspect(void *arg, const struct host_output *output, const struct err *run_err)
{
	struct target *target = arg;
	struct err err;

	target->address_run = NULL;
	if (place_read_container(target, output, run_err, &err) < 0)
		target_db_fail(target, &err, err.code != ERR_REFUSED);
	else
		target_db_connect(target);
}

static void place_ask_runtime(struct target *target)
{
	const char *name = config_get(target->section, CONFIG_DB_CONTAINER);
	struct host_run_options options = { .timeout_ms = ADDRESS_TIMEOUT_MS };
	struct buf command = BUF_INIT;
	struct err err;

	target_set_step(target, TARGET_STEP_ADDRESS, TARGET_STEP_RUNNING, name);
	if (host_runtime_inspect(&target->runtime, name, &command, &err) == 0)
		target->address_run = host_run_start(target->loop, target->main.transport,
			buf_str(&command), &options, place_on_inspect, target);
	else
		target_db_fail(target, &err, false);
	buf_fini(&command);
}

void target_place_find(struct target *target)
{
	if (config_is_set(target->section, CONFIG_DB_HOST))
		place_take_host(target);
	else if (config_is_set(target->section, CONFIG_DB_CONTAINER))
		place_ask_runtime(target);
	else
		place_take_service(target);
}
