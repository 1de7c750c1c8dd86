/*
 * Reading what a container runtime says about a container: the answer to host_runtime_inspect.
 */
#ifndef PGONCALL_HOST_CONTAINER_H
#define PGONCALL_HOST_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>

/* What inspect says. Strings are owned and never NULL; "" is not known. */
struct host_container {
	bool running;
	char *status;     /* "running", "exited", … */
	char *health;     /* "healthy", "unhealthy", "starting" or "" */
	char *started_at; /* RFC 3339 as the runtime wrote it */
	char *image_id;   /* "sha256:…" (docker) or hex (podman) */
	char *image_name;
	char *working_dir; /* absolute, "/" when unset */
	/* Where the host reaches it: IPv4 and IPv6 literals, validated, the likeliest first; the
	 * host's own loopback address with host networking; none where it has no network. */
	struct strlist addresses;
	char *network_mode; /* "bridge", "host", "none", "container:ID", a network's name, or "" */
	bool host_network;
};
/* `name` is for sentences. On failure *container is all empty. */
int host_container_parse(const char *json, size_t len, const char *name,
	struct host_container *container, struct err *err);
/* 0 when it runs and has an address; else -1 with a sentence that says what to do. */
int host_container_check_address(
	const struct host_container *container, const char *name, struct err *err);
void host_container_fini(struct host_container *container);

#endif
