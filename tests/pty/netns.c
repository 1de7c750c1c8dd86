/*
 * Owns the namespace, the pair of interfaces that is the cable, and the SSH server at its end. The
 * server runs outside the namespace, so that all behind it is the range's.
 */
#include "netns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "daemon.h"
#include "run.h"

struct netns {
	char *name;    /* of the namespace */
	char *outer;   /* our end of the cable */
	char host[16]; /* its address: where the server listens */
	char *config;
	char *sshd_config;
	char *log;
	pid_t sshd;
	bool made; /* the namespace and the cable are there */
};

static int shell(const char *script, const char *const words[4], struct err *err)
{
	const char *argv[] = { "sh", "-ec", script, "sh", words[0], words[1], words[2], words[3],
		NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	int ret = run_program(&options, &result, err);

	if (ret == 0 && result.status != 0)
		ret = err_set(
			err, ERR_COMMAND, "no network for the test: %s", buf_str(&result.err));
	run_result_fini(&result);
	return ret;
}

/* What a test program that was killed has left. */
static const char sweep_script[] =
	"for name in $(ip netns list | sed -n 's/^\\(pgoncall-test-[0-9]*\\).*/\\1/p'); do"
	" [ -d \"/proc/${name##*-}\" ] || ip netns delete \"$name\"; done";

/* The addresses are from the block for benchmarks, four to a process id. */
static int netns_wire(struct netns *ns, struct err *err)
{
	static const char script[] = "ip netns add \"$1\"\n"
				     "ip link add \"$2\" type veth peer name eth0 netns \"$1\"\n"
				     "ip address add \"$3/30\" dev \"$2\"\n"
				     "ip link set \"$2\" up\n"
				     "ip -n \"$1\" address add \"$4/30\" dev eth0\n"
				     "ip -n \"$1\" link set eth0 up\n"
				     "ip -n \"$1\" link set lo up\n";
	unsigned n = (unsigned)getpid();
	char inner[16];
	const char *words[] = { ns->name, ns->outer, ns->host, inner };

	snprintf(ns->host, sizeof(ns->host), "198.18.%u.%u", n >> 6 & 255, (n & 63) * 4 + 1);
	snprintf(inner, sizeof(inner), "198.18.%u.%u", n >> 6 & 255, (n & 63) * 4 + 2);
	if (shell(sweep_script, words, err) < 0)
		return -1;
	ns->made = true;
	return shell(script, words, err);
}

/* $1 home, $2 address, $3 the range's directory, $4 the port: sshd_config, known_hosts, ssh_config
 * and pgoncall's configuration, each the range's with another address. The server gives up on a
 * client it cannot hear, so that no connection outlives the test. */
static const char files_script[] =
	"cd \"$1\"\n"
	". \"$3/env\"\n"
	"sed -e \"s|^ListenAddress .*|ListenAddress $2|\" -e \"s|^PidFile .*|PidFile $1/sshd.pid|\""
	" \"$SSHD_CONFIG\" >sshd_config\n"
	"sed \"s|^\\[127\\.0\\.0\\.1\\]|[$2]|\" \"$KNOWN_HOSTS\" >known_hosts\n"
	"sed -e \"s|HostName .*|HostName $2|\""
	" -e \"s|UserKnownHostsFile .*|UserKnownHostsFile $1/known_hosts|\""
	" \"$SSH_CONFIG\" >ssh_config\n"
	"sed \"s|^ssh_config .*|ssh_config = $1/ssh_config|\" \"$RANGE_CONFIG\" >netns.conf\n";

/* $1 address, $2 port. */
static const char ready_script[] =
	"for i in $(seq 200); do"
	" ssh-keyscan -T 1 -p \"$2\" \"$1\" 2>/dev/null | grep -q . && exit 0;"
	" sleep 0.05; done; echo the SSH server does not answer >&2; exit 1";

static int netns_serve(struct netns *ns, struct range *r, const char *home, struct err *err)
{
	const char *argv[] = { "/usr/sbin/sshd", "-D", "-e", "-f", ns->sshd_config, NULL };
	const char *files[4] = { home, ns->host, range_dir(r), "" };
	const char *ready[4] = { ns->host, range_value(r, "SSH_PORT"), "", "" };

	if (shell(files_script, files, err) < 0)
		return -1;
	ns->sshd = daemon_start(argv, -1, ns->log, err);
	if (ns->sshd < 0)
		return -1;
	return shell(ready_script, ready, err);
}

struct netns *netns_new(struct range *r, const char *home, struct err *err)
{
	struct netns *ns = mem_calloc(1, sizeof(*ns));

	ns->name = mem_printf("pgoncall-test-%d", (int)getpid());
	ns->outer = mem_printf("pgc%d", (int)getpid());
	ns->config = mem_printf("%s/netns.conf", home);
	ns->sshd_config = mem_printf("%s/sshd_config", home);
	ns->log = mem_printf("%s/sshd.log", home);
	if (netns_wire(ns, err) == 0 && netns_serve(ns, r, home, err) == 0)
		return ns;
	netns_free(ns);
	return NULL;
}

void netns_free(struct netns *ns)
{
	static const char script[] = "ip link delete \"$2\" || :; ip netns delete \"$1\"";
	struct err err = { 0 };

	if (ns == NULL)
		return;
	daemon_stop(ns->sshd);
	if (ns->made) {
		const char *words[4] = { ns->name, ns->outer, "", "" };

		if (shell(script, words, &err) < 0)
			fprintf(stderr, "%s\n", err.text);
	}
	free(ns->log);
	free(ns->sshd_config);
	free(ns->config);
	free(ns->outer);
	free(ns->name);
	free(ns);
}

const char *netns_name(const struct netns *ns)
{
	return ns->name;
}

const char *netns_config(const struct netns *ns)
{
	return ns->config;
}

int netns_plug(struct netns *ns, bool in, struct err *err)
{
	const char *words[4] = { ns->outer, in ? "up" : "down", "", "" };

	return shell("ip link set \"$1\" \"$2\"", words, err);
}
