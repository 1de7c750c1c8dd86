/*
 * The way to a host: the configuration of every jump host and of the target, in the order in which
 * they are connected to. Runs `ssh -G`, so it belongs in a worker.
 */
#ifndef PGONCALL_SSH_ROUTE_H
#define PGONCALL_SSH_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/ssh/config.h>

struct ssh_wait;

struct ssh_route {
	struct ssh_config *hops; /* the target is the last */
	size_t n;
	bool wants_openssh; /* resolving failed for something only the system's ssh can do */
};

/* config_file as for ssh -F; NULL or "": ssh's own. */
int route_resolve(struct ssh_route *route, const char *destination, const char *config_file,
	const struct ssh_wait *wait, struct err *err);
/* Of the target alone. When a path of it cannot be expanded here, hostname, user and the settings are
 * there although it fails. ssh_config_fini in any case. */
int route_resolve_target(struct ssh_config *config, const char *destination,
	const char *config_file, const struct ssh_wait *wait, struct err *err);
void route_fini(struct ssh_route *route);
/* "deploy@server:22 via bastion, gate"; for the caller to free. */
char *route_describe(const struct ssh_route *route);

#endif
