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

/* The first address set: the container's own, else that of its first network, else IPv6. */
static const char *container_address(const json_t *network)
{
	static const char *const keys[] = { "IPAddress", "GlobalIPv6Address" };
	const char *name, *text;
	json_t *one;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		text = container_text(network, keys[i]);
		if (*text)
			return text;
		json_object_foreach(json_object_get(network, "Networks"), name, one)
		{
			text = container_text(one, keys[i]);
			if (*text)
				return text;
		}
	}
	return "";
}

static bool container_is_address(const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
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
	container->address = mem_strdup(container_address(json_object_get(root, "network")));
}

int host_container_parse(const char *json, size_t len, const char *name,
	struct host_container *container, struct err *err)
{
	json_error_t why;
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
	if (*container->address && !container_is_address(container->address)) {
		rc = err_set(err, ERR_PARSE,
			"container %s has the address \"%s\", which is not one", name,
			container->address);
		host_container_fini(container);
	}
	json_decref(root);
	return rc;
}

void host_container_fini(struct host_container *container)
{
	free(container->status);
	free(container->health);
	free(container->started_at);
	free(container->image_id);
	free(container->image_name);
	free(container->working_dir);
	free(container->address);
	memset(container, 0, sizeof(*container));
}
