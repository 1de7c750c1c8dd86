/*
 * Resolving the way to a host: one `ssh -G` for the target and one for each jump host, in the order
 * in which ssh itself would follow them. Owns no connection.
 */
#include <pgoncall/ssh/route.h>

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ssh/run.h>

/* More is a loop in the configuration. */
#define ROUTE_MAX 8

/* One question to ssh: a destination and what a ProxyJump overrides for it. */
struct route_query {
	const char *config_file;
	const char *destination;
	const char *user; /* NULL: as configured */
	int port;         /* 0: as configured */
	const char *jump; /* NULL: as configured */
};

static const char *route_env(const char *name)
{
	return getenv(name);
}

static char *route_home_of(const char *user)
{
	struct passwd entry, *found = NULL;
	char space[4096];

	if (getpwnam_r(user, &entry, space, sizeof(space), &found) != 0 || !found)
		return NULL;
	return mem_strdup(entry.pw_dir);
}

static int route_parse(struct ssh_config *config, const char *text, struct err *err)
{
	char host[HOST_NAME_MAX + 1] = "localhost", space[4096];
	struct passwd entry, *found = NULL;
	struct ssh_local local = { .home = "/", .user = "", .host = host, .uid = getuid() };

	local.env = route_env;
	local.home_of = route_home_of;
	if (gethostname(host, sizeof(host) - 1) < 0)
		snprintf(host, sizeof(host), "localhost");
	/* As ssh itself: the password database, not HOME. */
	if (getpwuid_r(getuid(), &entry, space, sizeof(space), &found) == 0 && found) {
		local.home = entry.pw_dir;
		local.user = entry.pw_name;
	}
	return ssh_config_parse(config, text, &local, err);
}

/* ssh's own last words, on one line and safe to show. */
static char *route_complaint(const struct ssh_run *run)
{
	struct buf text = BUF_INIT;

	utf8_sanitise(&text, buf_str(&run->err), run->err.len, UTF8_ONE_LINE);
	while (text.len && text.data[text.len - 1] == ' ')
		text.data[--text.len] = '\0';
	if (!text.len)
		buf_printf(&text, "it ended with status %d", run->status);
	return buf_steal(&text);
}

static int route_ask_ssh(struct ssh_config *config, const struct route_query *query,
	const struct ssh_wait *wait, struct err *err)
{
	struct ssh_run run;
	const char *argv[16];
	char port[16], *complaint;
	size_t n = 0;
	int rc;

	argv[n++] = "ssh";
	argv[n++] = "-G";
	argv[n++] = "-T"; /* else it remarks that there is no terminal */
	if (!str_empty(query->config_file)) {
		argv[n++] = "-F";
		argv[n++] = query->config_file;
	}
	if (query->user) {
		argv[n++] = "-l";
		argv[n++] = query->user;
	}
	if (query->port) {
		snprintf(port, sizeof(port), "%d", query->port);
		argv[n++] = "-p";
		argv[n++] = port;
	}
	if (query->jump) {
		argv[n++] = "-J";
		argv[n++] = query->jump;
	}
	argv[n++] = "--";
	argv[n++] = query->destination;
	argv[n] = NULL;
	rc = run_tool((char *const *)argv, wait, &run, err);
	if (rc == 0 && run.status != 0) {
		complaint = route_complaint(&run);
		rc = err_set(err, ERR_RESOLVE, "ssh cannot resolve its configuration for %s: %s",
			query->destination, complaint);
		free(complaint);
	}
	if (rc == 0)
		rc = route_parse(config, buf_str(&run.out), err);
	if (rc == 0 && !str_empty(query->config_file))
		config->file = mem_strdup(query->config_file);
	run_fini(&run);
	return rc;
}

int route_resolve_target(struct ssh_config *config, const char *destination,
	const char *config_file, const struct ssh_wait *wait, struct err *err)
{
	const struct route_query query = { .config_file = config_file, .destination = destination };

	ssh_config_init(config);
	return route_ask_ssh(config, &query, wait, err);
}

/* Puts config, which it takes, before the hops that are there. */
static void route_prepend_take(struct ssh_route *route, struct ssh_config *config)
{
	route->hops = mem_realloc(route->hops, route->n + 1, sizeof(*route->hops));
	memmove(route->hops + 1, route->hops, route->n * sizeof(*route->hops));
	route->hops[0] = *config;
	route->n++;
}

static int route_refuse(struct ssh_route *route, const struct ssh_config *config, struct err *err)
{
	route->wants_openssh = true;
	return err_set(err, ERR_RESOLVE,
		"ssh's configuration for %s sets %s, which libssh2 cannot follow; set transport = "
		"openssh for this target",
		config->alias, config->unsupported);
}

int route_resolve(struct ssh_route *route, const char *destination, const char *config_file,
	const struct ssh_wait *wait, struct err *err)
{
	struct route_query query = { .config_file = config_file, .destination = destination };
	char *jumps = NULL, *user = NULL, *host = NULL, *comma;
	struct ssh_config config;
	int port, rc;

	memset(route, 0, sizeof(*route));
	for (;;) {
		ssh_config_init(&config);
		rc = route_ask_ssh(&config, &query, wait, err);
		if (rc == 0 && config.unsupported)
			rc = route_refuse(route, &config, err);
		if (rc == 0 && route->n == ROUTE_MAX)
			rc = err_set(err, ERR_RESOLVE,
				"ProxyJump leads through more than %d hosts on the way to %s: is "
				"it "
				"a loop in ssh's configuration?",
				ROUTE_MAX - 1, destination);
		free(jumps);
		jumps = NULL;
		if (rc < 0) {
			ssh_config_fini(&config);
			break;
		}
		jumps = mem_strdup_opt(config.proxy_jump);
		route_prepend_take(route, &config);
		if (!jumps)
			break;
		/* The last of the list is reached through those before it, or as configured. */
		comma = strrchr(jumps, ',');
		free(user);
		free(host);
		rc = ssh_config_parse_hop(comma ? comma + 1 : jumps, &user, &host, &port, err);
		if (rc < 0)
			break;
		if (comma)
			*comma = '\0';
		query = (struct route_query){ config_file, host, user, port, comma ? jumps : NULL };
	}
	free(jumps);
	free(user);
	free(host);
	if (rc < 0)
		route_fini(route);
	return rc;
}

void route_fini(struct ssh_route *route)
{
	size_t i;

	for (i = 0; i < route->n; i++)
		ssh_config_fini(&route->hops[i]);
	free(route->hops);
	route->hops = NULL;
	route->n = 0;
}

char *route_describe(const struct ssh_route *route)
{
	struct buf text = BUF_INIT;
	const struct ssh_config *target = &route->hops[route->n - 1];
	size_t i;

	buf_printf(&text, "%s@%s:%d", target->user, target->hostname, target->port);
	for (i = 0; i + 1 < route->n; i++)
		buf_printf(&text, "%s%s", i ? ", " : " via ", route->hops[i].alias);
	return buf_steal(&text);
}
