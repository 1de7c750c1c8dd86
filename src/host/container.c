/*
 * Reading a runtime's answer about a container. The answer is foreign: types are checked, and the
 * address, which we connect to, must be an address.
 */
#include <pgoncall/host/container.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <pgoncall/base/mem.h>

/* The string at key, or "": docker and podman leave out what does not apply. */
static const char *container_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool container_is_address(const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* Returns -1 on what is no address. */
static int container_add_address(
	struct host_container *container, const json_t *network, const char *key, const char **bad)
{
	const char *text = container_text(network, key);

	if (!*text || strlist_has(&container->addresses, text))
		return 0;
	if (!container_is_address(text)) {
		*bad = text;
		return -1;
	}
	strlist_add(&container->addresses, text);
	return 0;
}

/* The container's own first, then those of its networks; IPv4 before IPv6. */
static int container_add_addresses(
	struct host_container *container, const json_t *network, const char **bad)
{
	static const char *const keys[] = { "IPAddress", "GlobalIPv6Address" };
	json_t *networks = json_object_get(network, "Networks"), *one;
	const char *name;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (container_add_address(container, network, keys[i], bad) < 0)
			return -1;
		json_object_foreach(networks, name, one)
		{
			if (container_add_address(container, one, keys[i], bad) < 0)
				return -1;
		}
	}
	if (!container->addresses.n && container->host_network)
		strlist_add(&container->addresses, "127.0.0.1");
	return 0;
}

static const char *container_health(const json_t *state)
{
	const char *docker = container_text(json_object_get(state, "Health"), "Status");

	/* podman before 4 */
	return *docker ? docker : container_text(json_object_get(state, "Healthcheck"), "Status");
}

static void container_fill(struct host_container *container, const json_t *root)
{
	const json_t *state = json_object_get(root, "state");
	const char *directory = container_text(root, "working_dir");

	container->running = json_is_true(json_object_get(state, "Running"));
	container->status = mem_strdup(container_text(state, "Status"));
	container->health = mem_strdup(container_health(state));
	container->started_at = mem_strdup(container_text(state, "StartedAt"));
	container->image_id = mem_strdup(container_text(root, "image"));
	container->image_name = mem_strdup(container_text(root, "image_name"));
	container->working_dir = mem_strdup(*directory ? directory : "/");
	container->network_mode = mem_strdup(container_text(root, "network_mode"));
	container->host_network = strcmp(container->network_mode, "host") == 0 ||
		json_object_get(
			json_object_get(json_object_get(root, "network"), "Networks"), "host");
}

int host_container_parse(const char *json, size_t len, const char *name,
	struct host_container *container, struct err *err)
{
	json_error_t why;
	const char *bad = "";
	json_t *root;
	int rc = 0;

	memset(container, 0, sizeof(*container));
	root = json_loadb(json, len, 0, &why);
	if (!json_is_object(root) || !json_is_object(json_object_get(root, "state"))) {
		json_decref(root);
		return err_set(err, ERR_PARSE,
			"what the runtime says about container %s cannot be read: %s", name,
			root ? "not the object that was asked for" : why.text);
	}
	container_fill(container, root);
	if (container_add_addresses(container, json_object_get(root, "network"), &bad) < 0) {
		rc = err_set(err, ERR_PARSE,
			"container %s has the address \"%s\", which is not one", name, bad);
		host_container_fini(container);
	}
	json_decref(root);
	return rc;
}

int host_container_check_address(
	const struct host_container *container, const char *name, struct err *err)
{
	static const char shared[] = "container:";

	if (!container->running)
		return err_set(err, ERR_COMMAND,
			"container %s is not running (%s): start it, or set db_container to the one "
			"that is",
			name, *container->status ? container->status : "state unknown");
	if (container->addresses.n)
		return 0;
	if (strncmp(container->network_mode, shared, sizeof(shared) - 1) == 0)
		return err_set(err, ERR_COMMAND,
			"container %s shares the network of container %.12s: set db_container to that "
			"one",
			name, container->network_mode + sizeof(shared) - 1);
	return err_set(err, ERR_COMMAND,
		"container %s has no address of its own (network %s): set db_host to where its "
		"server listens, or to the directory on the host where its socket lies",
		name, *container->network_mode ? container->network_mode : "unknown");
}

void host_container_fini(struct host_container *container)
{
	free(container->status);
	free(container->health);
	free(container->started_at);
	free(container->image_id);
	free(container->image_name);
	free(container->working_dir);
	free(container->network_mode);
	strlist_fini(&container->addresses);
	memset(container, 0, sizeof(*container));
}
