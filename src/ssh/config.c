/*
 * Reading what `ssh -G` prints. Owns the keys' meaning and the expansion of paths; runs nothing and
 * opens nothing.
 */
#include <pgoncall/ssh/config.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/evp.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#define CONFIG_ALIVE_S     3
#define CONFIG_ALIVE_COUNT 2

struct parse {
	struct ssh_config *config;
	const struct ssh_local *local;
	char *agent;        /* unexpanded values, because tokens need host and user */
	struct strlist ids; /* unexpanded */
	struct strlist user_files;
	struct strlist global_files;
};

void ssh_config_init(struct ssh_config *config)
{
	memset(config, 0, sizeof(*config));
	config->family = AF_UNSPEC;
	config->alive_count_max = 3;
	config->password_prompts = 3;
}

void ssh_config_fini(struct ssh_config *config)
{
	free(config->file);
	free(config->alias);
	free(config->hostname);
	free(config->user);
	strlist_fini(&config->identities);
	free(config->agent);
	strlist_fini(&config->known_hosts);
	free(config->known_hosts_add);
	free(config->host_key_alias);
	free(config->preferred_auth);
	free(config->host_key_algorithms);
	free(config->ciphers);
	free(config->macs);
	free(config->kex);
	free(config->proxy_jump);
	free(config->unsupported);
	ssh_config_init(config);
}

static void config_set(char **field, const char *value)
{
	free(*field);
	*field = mem_strdup(value);
}

static bool config_is_none(const char *value)
{
	return str_empty(value) || str_equal(value, "none");
}

static bool config_is_yes(const char *value)
{
	return str_equal(value, "yes") || str_equal(value, "true");
}

/* ssh's name for a connection: SHA-1 over %l%h%p%r, in hexadecimal. */
static void config_add_hash(
	struct buf *out, const struct ssh_config *config, const struct ssh_local *local)
{
	char *text =
		mem_printf("%s%s%d%s", local->host, config->hostname, config->port, config->user);
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0, i;

	if (EVP_Digest(text, strlen(text), hash, &n, EVP_sha1(), NULL) != 1)
		n = 0;
	for (i = 0; i < n; i++)
		buf_printf(out, "%02x", hash[i]);
	free(text);
}

/* "~" and "~user" in front of a path; returns the bytes it takes, 0 where nothing is to expand. */
static size_t config_expand_home(struct buf *out, const char *s, const struct ssh_local *local)
{
	size_t n = strcspn(s, "/");
	char *user, *home;

	if (s[0] != '~')
		return 0;
	if (n == 1) {
		buf_add_str(out, local->home);
		return 1;
	}
	user = mem_strndup(s + 1, n - 1);
	home = local->home_of ? local->home_of(user) : NULL;
	free(user);
	if (!home)
		return 0;
	buf_add_str(out, home);
	free(home);
	return n;
}

/* Appends the value of %c, or fails where it is not known. */
static int config_expand_token(
	struct buf *out, char c, const struct ssh_config *config, const struct ssh_local *local)
{
	switch (c) {
	case '%':
		buf_add_char(out, '%');
		return 0;
	case 'C':
		config_add_hash(out, config, local);
		return 0;
	case 'd':
		buf_add_str(out, local->home);
		return 0;
	case 'h':
		buf_add_str(out, config->hostname);
		return 0;
	case 'i':
		buf_printf(out, "%u", local->uid);
		return 0;
	case 'k':
		buf_add_str(out, config->host_key_alias ? config->host_key_alias : config->alias);
		return 0;
	case 'l':
		buf_add_str(out, local->host);
		return 0;
	case 'L':
		buf_add(out, local->host, strcspn(local->host, "."));
		return 0;
	case 'n':
		buf_add_str(out, config->alias);
		return 0;
	case 'p':
		buf_printf(out, "%d", config->port);
		return 0;
	case 'r':
		buf_add_str(out, config->user);
		return 0;
	case 'u':
		buf_add_str(out, local->user);
		return 0;
	default:
		return -1;
	}
}

/* ${NAME}; returns the bytes it takes, 0 when it is none or not set. */
static size_t config_expand_variable(struct buf *out, const char *s, const struct ssh_local *local)
{
	const char *end = strchr(s, '}');
	const char *value;
	char *name;

	if (s[0] != '$' || s[1] != '{' || !end)
		return 0;
	name = mem_strndup(s + 2, (size_t)(end - s - 2));
	value = local->env(name);
	free(name);
	if (!value)
		return 0;
	buf_add_str(out, value);
	return (size_t)(end - s) + 1;
}

/* ~, %-tokens and ${VARIABLES} of one path. *path is the caller's. */
static int config_expand(char **path, const char *raw, const struct ssh_config *config,
	const struct ssh_local *local, struct err *err)
{
	struct buf out = BUF_INIT;
	const char *s = raw;
	size_t n;

	*path = NULL;
	s += config_expand_home(&out, s, local);
	while (*s) {
		n = config_expand_variable(&out, s, local);
		if (n) {
			s += n;
		} else if (*s != '%') {
			buf_add_char(&out, *s++);
		} else if (config_expand_token(&out, s[1], config, local) == 0) {
			s += 2;
		} else {
			buf_fini(&out);
			return err_set(err, ERR_RESOLVE,
				"ssh's configuration for %s has the path %s, whose %%%c is not "
				"understood here; write the path out, or set transport = openssh",
				config->alias, raw, s[1] ? s[1] : ' ');
		}
	}
	*path = out.data ? buf_steal(&out) : mem_strdup("");
	return 0;
}

static void config_refuse(struct parse *p, const char *setting)
{
	if (!p->config->unsupported)
		p->config->unsupported = mem_strdup(setting);
}

static void key_host(struct parse *p, const char *value)
{
	config_set(&p->config->alias, value);
}

static void key_hostname(struct parse *p, const char *value)
{
	config_set(&p->config->hostname, value);
}

static void key_user(struct parse *p, const char *value)
{
	config_set(&p->config->user, value);
}

static void key_port(struct parse *p, const char *value)
{
	long port;

	if (str_to_long(value, 1, 65535, &port) == 0)
		p->config->port = (int)port;
}

static void key_family(struct parse *p, const char *value)
{
	if (str_equal(value, "inet"))
		p->config->family = AF_INET;
	else if (str_equal(value, "inet6"))
		p->config->family = AF_INET6;
}

static void key_identity(struct parse *p, const char *value)
{
	if (!config_is_none(value))
		strlist_add(&p->ids, value);
}

static void key_agent(struct parse *p, const char *value)
{
	config_set(&p->agent, value);
}

static void key_identities_only(struct parse *p, const char *value)
{
	p->config->identities_only = config_is_yes(value);
}

static void key_user_files(struct parse *p, const char *value)
{
	strlist_add_words(&p->user_files, value);
}

static void key_global_files(struct parse *p, const char *value)
{
	strlist_add_words(&p->global_files, value);
}

static void key_hash(struct parse *p, const char *value)
{
	p->config->hash_known_hosts = config_is_yes(value);
}

static void key_host_key_alias(struct parse *p, const char *value)
{
	if (!config_is_none(value))
		config_set(&p->config->host_key_alias, value);
}

static void key_strict(struct parse *p, const char *value)
{
	if (config_is_yes(value))
		p->config->strict = SSH_STRICT_YES;
	else if (str_equal(value, "ask"))
		p->config->strict = SSH_STRICT_ASK;
	else
		p->config->strict = SSH_STRICT_NEW;
}

static void key_batch(struct parse *p, const char *value)
{
	p->config->batch_mode = config_is_yes(value);
}

static void key_preferred(struct parse *p, const char *value)
{
	config_set(&p->config->preferred_auth, value);
}

/* "unbound" and "host-bound" are ways of "yes". */
static void key_publickey(struct parse *p, const char *value)
{
	p->config->no_publickey = str_equal(value, "no") || str_equal(value, "false");
}

static void key_password(struct parse *p, const char *value)
{
	p->config->no_password = !config_is_yes(value);
}

static void key_prompts(struct parse *p, const char *value)
{
	p->config->no_prompts = !config_is_yes(value);
}

static void key_gssapi(struct parse *p, const char *value)
{
	p->config->gssapi = config_is_yes(value);
}

static void key_hostbased(struct parse *p, const char *value)
{
	p->config->hostbased = config_is_yes(value);
}

static void key_password_prompts(struct parse *p, const char *value)
{
	long n;

	if (str_to_long(value, 0, 100, &n) == 0)
		p->config->password_prompts = (int)n;
}

static void key_host_key_algorithms(struct parse *p, const char *value)
{
	config_set(&p->config->host_key_algorithms, value);
}

static void key_ciphers(struct parse *p, const char *value)
{
	config_set(&p->config->ciphers, value);
}

static void key_macs(struct parse *p, const char *value)
{
	config_set(&p->config->macs, value);
}

static void key_kex(struct parse *p, const char *value)
{
	config_set(&p->config->kex, value);
}

static void key_connect_timeout(struct parse *p, const char *value)
{
	long seconds;

	if (str_to_long(value, 1, 3600, &seconds) == 0)
		p->config->connect_timeout_s = (int)seconds;
}

static void key_alive(struct parse *p, const char *value)
{
	long seconds;

	if (str_to_long(value, 0, 86400, &seconds) == 0)
		p->config->alive_interval_s = (int)seconds;
}

static void key_alive_count(struct parse *p, const char *value)
{
	long n;

	if (str_to_long(value, 1, 1000, &n) == 0)
		p->config->alive_count_max = (int)n;
}

static void key_jump(struct parse *p, const char *value)
{
	if (!config_is_none(value))
		config_set(&p->config->proxy_jump, value);
}

static const struct {
	const char *name;
	void (*read)(struct parse *p, const char *value);
} config_keys[] = {
	{ "host", key_host },
	{ "hostname", key_hostname },
	{ "user", key_user },
	{ "port", key_port },
	{ "addressfamily", key_family },
	{ "identityfile", key_identity },
	{ "identityagent", key_agent },
	{ "identitiesonly", key_identities_only },
	{ "userknownhostsfile", key_user_files },
	{ "globalknownhostsfile", key_global_files },
	{ "hashknownhosts", key_hash },
	{ "hostkeyalias", key_host_key_alias },
	{ "stricthostkeychecking", key_strict },
	{ "connecttimeout", key_connect_timeout },
	{ "serveraliveinterval", key_alive },
	{ "serveralivecountmax", key_alive_count },
	{ "batchmode", key_batch },
	{ "preferredauthentications", key_preferred },
	{ "pubkeyauthentication", key_publickey },
	{ "passwordauthentication", key_password },
	{ "kbdinteractiveauthentication", key_prompts },
	{ "gssapiauthentication", key_gssapi },
	{ "hostbasedauthentication", key_hostbased },
	{ "numberofpasswordprompts", key_password_prompts },
	{ "hostkeyalgorithms", key_host_key_algorithms },
	{ "ciphers", key_ciphers },
	{ "macs", key_macs },
	{ "kexalgorithms", key_kex },
	{ "proxyjump", key_jump },
};

/* Settings that decide how to get there and that libssh2 cannot follow, unless they say no. */
static const struct {
	const char *key, *name;
} config_unsupported[] = {
	{ "proxycommand", "ProxyCommand" },
	{ "certificatefile", "CertificateFile" },
	{ "revokedhostkeys", "RevokedHostKeys" },
	{ "knownhostscommand", "KnownHostsCommand" },
	{ "verifyhostkeydns", "VerifyHostKeyDNS" },
	{ "pkcs11provider", "PKCS11Provider" },
	{ "bindaddress", "BindAddress" },
	{ "bindinterface", "BindInterface" },
};

static bool config_is_no(const char *value)
{
	return config_is_none(value) || str_equal(value, "no") || str_equal(value, "false");
}

static void config_parse_line(struct parse *p, char *line)
{
	char *value = line + strcspn(line, " \t");
	size_t i;

	if (*value)
		*value++ = '\0';
	value = str_trim(value);
	for (i = 0; i < sizeof(config_keys) / sizeof(config_keys[0]); i++)
		if (str_equal(line, config_keys[i].name)) {
			config_keys[i].read(p, value);
			return;
		}
	for (i = 0; i < sizeof(config_unsupported) / sizeof(config_unsupported[0]); i++)
		if (str_equal(line, config_unsupported[i].key) && !config_is_no(value))
			config_refuse(p, config_unsupported[i].name);
}

static int config_expand_files(
	struct parse *p, const struct strlist *raw, bool user, struct err *err)
{
	char *path;
	size_t i;

	for (i = 0; i < raw->n; i++) {
		if (config_is_none(raw->items[i]))
			continue;
		if (config_expand(&path, raw->items[i], p->config, p->local, err) < 0)
			return -1;
		if (user && !p->config->known_hosts_add)
			p->config->known_hosts_add = mem_strdup(path);
		strlist_add_take(&p->config->known_hosts, path);
	}
	return 0;
}

/* IdentityAgent is a path, "none", "SSH_AUTH_SOCK" or "$VARIABLE"; unset means SSH_AUTH_SOCK. */
static int config_expand_agent(struct parse *p, struct err *err)
{
	const char *raw = p->agent ? p->agent : "SSH_AUTH_SOCK";
	const char *value = NULL;

	if (config_is_none(raw))
		return 0;
	if (str_equal(raw, "SSH_AUTH_SOCK"))
		value = p->local->env(raw);
	else if (raw[0] == '$' && raw[1] != '{')
		value = p->local->env(raw + 1);
	else
		return config_expand(&p->config->agent, raw, p->config, p->local, err);
	if (!str_empty(value))
		p->config->agent = mem_strdup(value);
	return 0;
}

static int config_finish(struct parse *p, struct err *err)
{
	struct ssh_config *config = p->config;
	char *path;
	size_t i;

	if (!config->alias && config->hostname)
		config->alias = mem_strdup(config->hostname);
	if (str_empty(config->hostname) || str_empty(config->user) || !config->port)
		return err_set(err, ERR_RESOLVE,
			"ssh -G gave no host name, user or port; try it by hand to see why");
	for (i = 0; i < p->ids.n; i++) {
		if (config_expand(&path, p->ids.items[i], config, p->local, err) < 0)
			return -1;
		strlist_add_take(&config->identities, path);
	}
	if (config_expand_files(p, &p->user_files, true, err) < 0 ||
		config_expand_files(p, &p->global_files, false, err) < 0)
		return -1;
	return config_expand_agent(p, err);
}

int ssh_config_parse(
	struct ssh_config *config, const char *text, const struct ssh_local *local, struct err *err)
{
	struct parse p = { .config = config, .local = local };
	char *copy = mem_strdup(text), *save = NULL, *line;
	int rc;

	ssh_config_init(config);
	for (line = strtok_r(copy, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
		config_parse_line(&p, line);
	rc = config_finish(&p, err);
	free(copy);
	free(p.agent);
	strlist_fini(&p.ids);
	strlist_fini(&p.user_files);
	strlist_fini(&p.global_files);
	return rc;
}

/* host, host:port, [host]:port, or a bare IPv6 address. */
static int hop_split_port(char *rest, char **host, int *port)
{
	char *colon = NULL;
	long number;

	if (rest[0] == '[') {
		char *end = strchr(rest, ']');

		if (!end || (end[1] && end[1] != ':'))
			return -1;
		*end = '\0';
		rest++;
		if (end[1])
			colon = end + 1;
	} else if (strchr(rest, ':') && strchr(rest, ':') == strrchr(rest, ':')) {
		colon = strchr(rest, ':');
		*colon = '\0';
	}
	if (colon) {
		if (str_to_long(colon + 1, 1, 65535, &number) < 0)
			return -1;
		*port = (int)number;
	}
	if (!*rest || *rest == '-')
		return -1;
	*host = mem_strdup(rest);
	return 0;
}

int ssh_config_parse_hop(const char *spec, char **user, char **host, int *port, struct err *err)
{
	char *copy, *rest, *at;
	int rc = 0;

	*user = NULL;
	*host = NULL;
	*port = 0;
	copy = mem_strdup(str_starts(spec, "ssh://") ? spec + strlen("ssh://") : spec);
	rest = str_trim(copy);
	if (rest[0] && rest[strlen(rest) - 1] == '/')
		rest[strlen(rest) - 1] = '\0';
	at = strrchr(rest, '@');
	if (at) {
		*at = '\0';
		*user = mem_strdup(rest);
		rest = at + 1;
	}
	if (hop_split_port(rest, host, port) < 0) {
		free(*user);
		*user = NULL;
		rc = err_set(err, ERR_RESOLVE,
			"ProxyJump names \"%s\", which is not [user@]host[:port]; mend it in ssh's "
			"configuration",
			spec);
	}
	free(copy);
	return rc;
}

bool ssh_config_alive(const struct ssh_config *config, int *interval_s, int *count)
{
	bool sooner = config->alive_interval_s > 0 &&
		      config->alive_interval_s * config->alive_count_max <
			      CONFIG_ALIVE_S * CONFIG_ALIVE_COUNT;

	*interval_s = sooner ? config->alive_interval_s : CONFIG_ALIVE_S;
	*count = sooner ? config->alive_count_max : CONFIG_ALIVE_COUNT;
	return sooner;
}

char *ssh_config_lookup_name(const struct ssh_config *config)
{
	char *name, *c;

	if (config->host_key_alias)
		name = mem_strdup(config->host_key_alias);
	else if (config->port == 22)
		name = mem_strdup(config->hostname);
	else
		name = mem_printf("[%s]:%d", config->hostname, config->port);
	for (c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return name;
}
