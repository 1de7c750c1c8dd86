/*
 * What ssh(1) would do for a host, as `ssh -G` prints it (ssh_config(5) names the keys): who,
 * where, with which keys, checked against which known_hosts, through which hosts. Parsing is pure;
 * running ssh is route.h's.
 */
#ifndef PGONCALL_SSH_CONFIG_H
#define PGONCALL_SSH_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>

/* This machine and user, for `~` and %-tokens. */
struct ssh_local {
	const char *home;
	const char *user;
	const char *host; /* this machine's name, as gethostname */
	unsigned uid;
	const char *(*env)(const char *name); /* NULL where unset */
	/* The home of another user, for the caller to free; NULL where there is none. Optional. */
	char *(*home_of)(const char *user);
};

/* StrictHostKeyChecking. A key that has changed is refused here whatever it says. */
enum ssh_strict {
	SSH_STRICT_ASK, /* an unknown key is asked about */
	SSH_STRICT_YES, /* … is refused */
	SSH_STRICT_NEW  /* … is accepted and kept: accept-new, no, off */
};

struct ssh_config {
	char *file;     /* what ssh -F named; NULL: ssh's own files */
	char *alias;    /* the host as it was asked for */
	char *hostname; /* the name or address to connect to */
	char *user;
	int port;
	int family;                 /* AF_UNSPEC, AF_INET or AF_INET6 */
	struct strlist identities;  /* key files, expanded, in order; they need not exist */
	char *agent;                /* the agent's socket; NULL: none */
	bool identities_only;       /* of the agent's keys only those that `identities` names */
	struct strlist known_hosts; /* expanded; the user's own files first */
	char *known_hosts_add;      /* where an accepted key is written; NULL: nowhere */
	bool hash_known_hosts;      /* names are hashed there */
	char *host_key_alias;       /* the name to look up instead; NULL: host and port */
	enum ssh_strict strict;
	bool batch_mode;       /* nothing may be asked */
	int connect_timeout_s; /* 0: not configured */
	int alive_interval_s;  /* ServerAliveInterval; 0: none */
	int alive_count_max;
	char *preferred_auth; /* methods in the order wanted, comma separated; NULL: ssh's own */
	bool no_publickey, no_prompts, no_password; /* methods that are switched off */
	bool gssapi, hostbased;                     /* methods that are switched on */
	int password_prompts;                       /* how often each secret is asked for */
	/* What may be negotiated, comma separated, preferred first; NULL: anything. */
	char *host_key_algorithms, *ciphers, *macs, *kex;
	char *proxy_jump;  /* "hop,hop"; NULL: none */
	char *unsupported; /* a setting that libssh2 cannot follow; NULL: none */
};

void ssh_config_init(struct ssh_config *config);
void ssh_config_fini(struct ssh_config *config);

/* Reads the output of `ssh -G`, "key value" lines with lower-case keys; keys it does not know are
 * skipped. Fails (ERR_RESOLVE) when hostname, user or port are missing or wrong, or when a path
 * holds a token that it cannot expand. Call ssh_config_fini in any case. */
int ssh_config_parse(struct ssh_config *config, const char *text, const struct ssh_local *local,
	struct err *err);

/* One hop of a ProxyJump: [ssh://][user@]host[:port], host perhaps in brackets. user is NULL and
 * port 0 where not given. Strings are the caller's. */
int ssh_config_parse_hop(const char *spec, char **user, char **host, int *port, struct err *err);

/* How a dead link is found: asked for a sign of life every *interval_s, given up after *count without
 * one. As configured where that is sooner than ours, which takes less than ten seconds: true. */
bool ssh_config_alive(const struct ssh_config *config, int *interval_s, int *count);

/* The name under which known_hosts has the host's keys: "host", "[host]:port", or the alias. */
char *ssh_config_lookup_name(const struct ssh_config *config);

#endif
