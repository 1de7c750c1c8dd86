/*
 * Reading `ssh -G`: values, expansion, what libssh2 cannot follow, and the hops of ProxyJump.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <pgoncall/ssh/config.h>

static const char *env(const char *name)
{
	if (strcmp(name, "SSH_AUTH_SOCK") == 0)
		return "/run/agent.sock";
	if (strcmp(name, "OTHER") == 0)
		return "/run/other.sock";
	return NULL;
}

static char *home_of(const char *user)
{
	return strcmp(user, "root") == 0 ? strdup("/root-home") : NULL;
}

static const struct ssh_local local = { .home = "/home/ann",
	.user = "ann",
	.host = "desk.example",
	.uid = 1000,
	.env = env,
	.home_of = home_of };

static const char head[] = "host server\nuser deploy\nhostname server.example\nport 2222\n";

static struct ssh_config parsed(const char *more)
{
	struct ssh_config config;
	struct err err = { ERR_OK, "" };
	char text[2048];

	snprintf(text, sizeof(text), "%s%s", head, more);
	assert_int_equal(ssh_config_parse(&config, text, &local, &err), 0);
	return config;
}

static void config_reads_the_usual(void **state)
{
	struct ssh_config c = parsed("addressfamily inet6\nidentityfile ~/.ssh/id_ed25519\n"
				     "identityfile /keys/%r@%h\nidentitiesonly yes\n"
				     "userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\n"
				     "globalknownhostsfile /etc/ssh/ssh_known_hosts\n"
				     "hashknownhosts yes\nstricthostkeychecking true\n"
				     "connecttimeout 7\nserveraliveinterval 5\n"
				     "proxyjump gate,u@b:22\nciphers aes128-ctr\n");

	(void)state;
	assert_string_equal(c.alias, "server");
	assert_string_equal(c.hostname, "server.example");
	assert_string_equal(c.user, "deploy");
	assert_int_equal(c.port, 2222);
	assert_int_equal(c.family, AF_INET6);
	assert_int_equal(c.identities.n, 2);
	assert_string_equal(c.identities.items[0], "/home/ann/.ssh/id_ed25519");
	assert_string_equal(c.identities.items[1], "/keys/deploy@server.example");
	assert_true(c.identities_only);
	assert_int_equal(c.known_hosts.n, 3);
	assert_string_equal(c.known_hosts.items[1], "/home/ann/.ssh/known_hosts2");
	assert_string_equal(c.known_hosts.items[2], "/etc/ssh/ssh_known_hosts");
	assert_string_equal(c.known_hosts_add, "/home/ann/.ssh/known_hosts");
	assert_true(c.hash_known_hosts);
	assert_int_equal(c.strict, SSH_STRICT_YES);
	assert_int_equal(c.connect_timeout_s, 7);
	assert_int_equal(c.alive_interval_s, 5);
	assert_string_equal(c.proxy_jump, "gate,u@b:22");
	assert_string_equal(c.agent, "/run/agent.sock");
	assert_null(c.unsupported);
	ssh_config_fini(&c);
}

static void config_takes_none_for_nothing(void **state)
{
	struct ssh_config c = parsed("identityfile none\nidentityagent none\nproxyjump none\n"
				     "proxycommand none\nuserknownhostsfile none\n"
				     "connecttimeout none\nstricthostkeychecking ask\n"
				     "certificatefile none\nrevokedhostkeys none\n");

	(void)state;
	assert_int_equal(c.identities.n, 0);
	assert_null(c.agent);
	assert_null(c.proxy_jump);
	assert_null(c.unsupported);
	assert_null(c.known_hosts_add);
	assert_int_equal(c.known_hosts.n, 0);
	assert_int_equal(c.connect_timeout_s, 0);
	assert_int_equal(c.strict, SSH_STRICT_ASK);
	ssh_config_fini(&c);
}

static void config_expands_paths(void **state)
{
	static const struct {
		const char *raw;
		const char *path;
	} cases[] = {
		{ "%d/k", "/home/ann/k" },
		{ "/a b/%%/%n-%p-%u-%L-%l-%i", "/a b/%/server-2222-ann-desk-desk.example-1000" },
		{ "${OTHER}/x", "/run/other.sock/x" },
		{ "${UNSET}/x", "${UNSET}/x" },
		{ "/x/~y", "/x/~y" },
		{ "~root/k", "/root-home/k" },
		{ "~nobody-such/k", "~nobody-such/k" },
		{ "/run/%C", "/run/bb5b536e67897c44fb2c6f675ca394b26e3e8e90" },
	};
	char line[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ssh_config c;

		snprintf(line, sizeof(line), "identityfile %s\n", cases[i].raw);
		c = parsed(line);
		assert_string_equal(c.identities.items[0], cases[i].path);
		ssh_config_fini(&c);
	}
}

static void config_reads_how_to_authenticate(void **state)
{
	struct ssh_config c =
		parsed("pubkeyauthentication false\npasswordauthentication no\n"
		       "kbdinteractiveauthentication no\ngssapiauthentication yes\nbatchmode yes\n"
		       "numberofpasswordprompts 1\npreferredauthentications password,publickey\n"
		       "hostkeyalgorithms ssh-ed25519\nciphers a,b\nmacs m\nkexalgorithms k\n"
		       "stricthostkeychecking accept-new\n");

	(void)state;
	assert_true(c.no_publickey && c.no_password && c.no_prompts && c.gssapi && c.batch_mode);
	assert_false(c.hostbased);
	assert_int_equal(c.password_prompts, 1);
	assert_string_equal(c.preferred_auth, "password,publickey");
	assert_string_equal(c.host_key_algorithms, "ssh-ed25519");
	assert_string_equal(c.ciphers, "a,b");
	assert_string_equal(c.macs, "m");
	assert_string_equal(c.kex, "k");
	assert_int_equal(c.strict, SSH_STRICT_NEW);
	ssh_config_fini(&c);
	c = parsed("pubkeyauthentication unbound\nstricthostkeychecking false\n");
	assert_false(c.no_publickey || c.no_password || c.no_prompts || c.gssapi || c.batch_mode);
	assert_int_equal(c.password_prompts, 3);
	assert_null(c.preferred_auth);
	assert_int_equal(c.strict, SSH_STRICT_NEW);
	ssh_config_fini(&c);
}

/* The configured one where it is sooner, else ours. */
static void config_chooses_how_to_stay_alive(void **state)
{
	static const struct {
		const char *text;
		bool sooner;
		int interval, count;
	} cases[] = {
		{ "", false, 3, 2 },
		{ "serveraliveinterval 0\n", false, 3, 2 },
		{ "serveraliveinterval 60\nserveralivecountmax 3\n", false, 3, 2 },
		{ "serveraliveinterval 2\nserveralivecountmax 3\n", false, 3, 2 },
		{ "serveraliveinterval 1\n", true, 1, 3 },
		{ "serveraliveinterval 5\nserveralivecountmax 1\n", true, 5, 1 },
	};
	int interval, count;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ssh_config c = parsed(cases[i].text);

		assert_int_equal(ssh_config_alive(&c, &interval, &count), cases[i].sooner);
		assert_int_equal(interval, cases[i].interval);
		assert_int_equal(count, cases[i].count);
		ssh_config_fini(&c);
	}
}

/* What libssh2 cannot follow is named, unless it says no. */
static void config_names_what_cannot_be_followed(void **state)
{
	static const char *const no[] = { "verifyhostkeydns false\n", "proxycommand none\n",
		"knownhostscommand none\n", "pkcs11provider none\n" };
	static const char *const yes[][2] = { { "verifyhostkeydns ask\n", "VerifyHostKeyDNS" },
		{ "proxycommand nc %h %p\n", "ProxyCommand" },
		{ "knownhostscommand /bin/x\n", "KnownHostsCommand" },
		{ "pkcs11provider /x.so\n", "PKCS11Provider" },
		{ "bindaddress 10.0.0.1\n", "BindAddress" },
		{ "certificatefile ~/c.pub\n", "CertificateFile" } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		struct ssh_config c = parsed(no[i]);

		assert_null(c.unsupported);
		ssh_config_fini(&c);
	}
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		struct ssh_config c = parsed(yes[i][0]);

		assert_string_equal(c.unsupported, yes[i][1]);
		ssh_config_fini(&c);
	}
}

static void config_finds_the_agent(void **state)
{
	struct ssh_config c = parsed("identityagent $OTHER\n");

	(void)state;
	assert_string_equal(c.agent, "/run/other.sock");
	ssh_config_fini(&c);
	c = parsed("identityagent ~/agent\n");
	assert_string_equal(c.agent, "/home/ann/agent");
	ssh_config_fini(&c);
	c = parsed("identityagent $UNSET\n");
	assert_null(c.agent);
	ssh_config_fini(&c);
}

static void config_names_what_libssh2_cannot(void **state)
{
	struct ssh_config c = parsed("proxycommand nc %h %p\n");

	(void)state;
	assert_string_equal(c.unsupported, "ProxyCommand");
	ssh_config_fini(&c);
	c = parsed("certificatefile ~/.ssh/id-cert.pub\n");
	assert_string_equal(c.unsupported, "CertificateFile");
	ssh_config_fini(&c);
}

static void config_refuses_nonsense(void **state)
{
	static const char *const texts[] = {
		"",
		"hostname h\nuser u\n",
		"hostname h\nuser u\nport 70000\n",
		"hostname h\nport 22\n",
		"hostname h\nuser u\nport 22\nidentityfile /x/%Z\n",
	};
	struct ssh_config config;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		err_clear(&err);
		assert_int_equal(ssh_config_parse(&config, texts[i], &local, &err), -1);
		assert_int_equal(err.code, ERR_RESOLVE);
		ssh_config_fini(&config);
	}
}

static void config_names_the_host_for_known_hosts(void **state)
{
	struct ssh_config c = parsed("");
	char *name = ssh_config_lookup_name(&c);

	(void)state;
	assert_string_equal(name, "[server.example]:2222");
	free(name);
	ssh_config_fini(&c);
	c = parsed("port 22\nhostname Server.Example\n");
	name = ssh_config_lookup_name(&c);
	assert_string_equal(name, "server.example");
	free(name);
	ssh_config_fini(&c);
	c = parsed("hostkeyalias prod\n");
	name = ssh_config_lookup_name(&c);
	assert_string_equal(name, "prod");
	free(name);
	ssh_config_fini(&c);
}

static void config_splits_hops(void **state)
{
	static const struct {
		const char *spec;
		const char *user;
		const char *host;
		int port;
	} cases[] = {
		{ "gate", NULL, "gate", 0 },
		{ "u@gate:2200", "u", "gate", 2200 },
		{ "ssh://u@gate:2200/", "u", "gate", 2200 },
		{ "u@corp@gate", "u@corp", "gate", 0 },
		{ "[fe80::1]:22", NULL, "fe80::1", 22 },
		{ "fe80::1", NULL, "fe80::1", 0 },
	};
	static const char *const bad[] = { "", "u@", "gate:0", "gate:x", "[fe80::1", "-oX=y" };
	char *user, *host;
	int port;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ssh_config_parse_hop(cases[i].spec, &user, &host, &port, NULL), 0);
		if (cases[i].user)
			assert_string_equal(user, cases[i].user);
		else
			assert_null(user);
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
		free(user);
		free(host);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ssh_config_parse_hop(bad[i], &user, &host, &port, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_reads_the_usual),
		cmocka_unit_test(config_takes_none_for_nothing),
		cmocka_unit_test(config_expands_paths),
		cmocka_unit_test(config_reads_how_to_authenticate),
		cmocka_unit_test(config_chooses_how_to_stay_alive),
		cmocka_unit_test(config_names_what_cannot_be_followed),
		cmocka_unit_test(config_finds_the_agent),
		cmocka_unit_test(config_names_what_libssh2_cannot),
		cmocka_unit_test(config_refuses_nonsense),
		cmocka_unit_test(config_names_the_host_for_known_hosts),
		cmocka_unit_test(config_splits_hops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
