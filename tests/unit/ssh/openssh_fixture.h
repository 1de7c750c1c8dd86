/*
 * What the tests of the transport over the system's ssh share: a client whose way is chosen, and
 * sshds that want what libssh2 cannot, and others. Included once by a test program.
 */
#ifndef TESTS_UNIT_SSH_OPENSSH_FIXTURE_H
#define TESTS_UNIT_SSH_OPENSSH_FIXTURE_H

#include <dirent.h>

#include <pgoncall/base/str.h>
#include <pgoncall/ssh/auto_transport.h>
#include <pgoncall/ssh/openssh_transport.h>

#include "sshd_fixture.h"

static struct sshd target, narrow, rsa_only, etm;
static int dead_port, silent_fd, silent_port;

/* --- a client whose way is chosen ------------------------------------------------------------- */

struct chosen {
	struct client client; /* thread is NULL for the system's ssh */
	int changes;          /* CONFIG steps that name a reason */
	char reason[1024];
	bool close_on_down;
	bool closed;
};

static void chosen_on_step(void *arg, enum transport_step step, const char *detail)
{
	struct chosen *chosen = arg;
	struct client *client = &chosen->client;

	if (step == TRANSPORT_STEP_CONFIG && str_starts(detail, "system's ssh: ")) {
		chosen->changes++;
		snprintf(chosen->reason, sizeof(chosen->reason), "%s", detail);
		client->steps = 1;
		return;
	}
	client_on_step(client, step, detail);
}

static void chosen_on_up(void *arg)
{
	client_on_up(&((struct chosen *)arg)->client);
}

static void chosen_on_down(void *arg, const struct err *why)
{
	struct chosen *chosen = arg;

	client_on_down(&chosen->client, why);
	if (getenv("SHOW"))
		fprintf(stderr, "  %d %s\n", why->code, why->text);
	if (chosen->close_on_down) {
		chosen->client.transport->ops->close(chosen->client.transport);
		chosen->closed = true;
	}
}

static void chosen_on_ask(
	void *arg, struct transport *transport, const struct ssh_question *question)
{
	struct chosen *chosen = arg;

	(void)question;
	assert_ptr_equal(transport, chosen->client.transport);
	chosen->client.questions++;
	ssh_auto_answer(transport, chosen->client.answer);
}

static void chosen_open(struct chosen *chosen, enum ssh_transport_kind kind, const char *host)
{
	const struct transport_events events = { chosen_on_step, chosen_on_up, chosen_on_down,
		chosen };
	struct client *client = &chosen->client;
	struct ssh_options options = { .destination = host,
		.ask = client->answer ? chosen_on_ask : NULL };
	char config[128];

	snprintf(config, sizeof(config), "%s/ssh_config", dir);
	options.config_file = config;
	client->loop = loop_new();
	if (kind != SSH_TRANSPORT_OPENSSH)
		assert_int_equal(ssh_thread_new(&client->thread, NULL), 0);
	client->transport = ssh_auto_open(kind, client->thread, client->loop, &options, &events);
}

__attribute__((unused)) static void chosen_close(struct chosen *chosen)
{
	if (!chosen->closed) {
		client_close(&chosen->client);
		return;
	}
	ssh_thread_free(chosen->client.thread);
	loop_free(chosen->client.loop);
}

__attribute__((unused)) static void chosen_connect(
	struct chosen *chosen, enum ssh_transport_kind kind, const char *host)
{
	struct client *client = &chosen->client;

	memset(chosen, 0, sizeof(*chosen));
	chosen_open(chosen, kind, host);
	WAIT_FOR(client, client->up || client->down);
	if (client->down)
		fail_msg("%s", client->why.text);
	assert_int_equal(client->steps, TRANSPORT_STEP_COUNT);
	if (getenv("SHOW"))
		fprintf(stderr, "  %s | %s | %s | %s\n",
			chosen->changes ? chosen->reason : client->detail[0], client->detail[1],
			client->detail[2], client->detail[3]);
}

__attribute__((unused)) static void expect_down(
	enum ssh_transport_kind kind, const char *host, enum err_code code, const char *words)
{
	struct chosen chosen;
	struct client *client = &chosen.client;

	memset(&chosen, 0, sizeof(chosen));
	chosen.close_on_down = true;
	chosen_open(&chosen, kind, host);
	WAIT_FOR(client, client->up || client->down);
	assert_int_equal(client->up, 0);
	if (client->why.code != code || !strstr(client->why.text, words))
		fail_msg("code %d, not %d; or no \"%s\" in: %s", client->why.code, code, words,
			client->why.text);
	chosen_close(&chosen);
}

/* Directories of control sockets that are left. */
__attribute__((unused)) static int count_dirs(void)
{
	const struct dirent *entry;
	DIR *runtime;
	char path[128];
	int n = 0;

	snprintf(path, sizeof(path), "%s/run", dir);
	runtime = opendir(path);
	assert_non_null(runtime);
	while ((entry = readdir(runtime)))
		n += str_starts(entry->d_name, "pgoncall-");
	closedir(runtime);
	return n;
}

/* The arguments of a process with spaces between them; false: it is gone. */
static bool read_arguments(const char *pid, char *out, size_t size)
{
	char path[300];
	size_t n, i;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	n = fread(out, 1, size - 1, file);
	fclose(file);
	for (i = 0; i < n; i++)
		if (!out[i])
			out[i] = ' ';
	out[n] = '\0';
	return true;
}

/* A process whose arguments begin so, followed by our directory; 0: there is none. */
__attribute__((unused)) static pid_t find_process(const char *arguments)
{
	char wanted[160], text[512];
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	pid_t pid = 0;

	assert_non_null(proc);
	snprintf(wanted, sizeof(wanted), "%s %s/", arguments, dir);
	while (!pid && (entry = readdir(proc)))
		if (atoi(entry->d_name) > 0 && read_arguments(entry->d_name, text, sizeof(text)) &&
			str_starts(text, wanted))
			pid = (pid_t)atoi(entry->d_name);
	closedir(proc);
	return pid;
}

__attribute__((unused)) static pid_t find_master(void)
{
	return find_process("ssh -M -N -T -S");
}

/* --- the sshds -------------------------------------------------------------------------------- */

static void listen_silently(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);

	silent_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(silent_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(silent_fd, 64), 0);
	assert_int_equal(getsockname(silent_fd, (struct sockaddr *)&a, &len), 0);
	silent_port = ntohs(a.sin_port);
}

static void write_known_hosts(void)
{
	know("known_hosts", &target, "ed25519");
	know("known_hosts", &narrow, "ed25519");
	know("known_hosts", &etm, "ed25519");
	know("known_hosts", &rsa_only, "rsa");
	run("printf '[127.0.0.1]:%d %%s\\n' \"$(cut -d' ' -f1,2 %s/etm_ed25519.pub)\" >%s/changed",
		target.port, dir, dir);
	run("printf '@revoked [127.0.0.1]:%d %%s\\n' \"$(cut -d' ' -f1,2 %s/target_ed25519.pub)\" "
	    ">%s/revoked",
		target.port, dir, dir);
}

static void write_ssh_config(void)
{
	write_file("ssh_config",
		"Host target two_keys stranger unknown changed revoked rsa_user rsa_stranger "
		"proxied "
		"decorated jumped asking\n Port %d\n"
		"Host narrow\n Port %d\nHost rsa_only\n Port %d\nHost etm etm_stranger\n Port %d\n"
		"Host dead gate\n Port %d\nHost silent\n Port %d\n ConnectTimeout 1\n"
		"Host nowhere\n HostName no-such-host.invalid\n"
		"Host stranger etm_stranger\n IdentityFile %s/stranger\n"
		"Host unknown asking\n UserKnownHostsFile %s/known_none\n"
		"Host changed\n UserKnownHostsFile %s/changed\n"
		"Host revoked\n UserKnownHostsFile %s/revoked\n"
		"Host rsa_user\n IdentityFile %s/rsa\n"
		"Host rsa_stranger\n IdentityFile %s/rsa_stranger\n",
		target.port, narrow.port, rsa_only.port, etm.port, dead_port, silent_port, dir, dir,
		dir, dir, dir, dir);
	run("cat >>%s/ssh_config <<'.'\n"
	    "Host proxied\n ProxyCommand ssh -F %s/ssh_config -W %%h:%%p etm\n"
	    "Host behind\n ProxyJump gate\n"
	    "Host jumped\n ProxyJump etm\n"
	    "Host decorated\n RemoteCommand false\n RequestTTY force\n LocalForward %d "
	    "127.0.0.1:1\n"
	    " PermitLocalCommand yes\n LocalCommand touch %s/local_command\n"
	    " ControlPersist 60\n"
	    "Host two_keys\n UpdateHostKeys yes\n"
	    "Host * !stranger !etm_stranger !rsa_user !rsa_stranger\n IdentityFile %s/user\n"
	    "Host *\n HostName 127.0.0.1\n User root\n IdentitiesOnly yes\n"
	    " IdentityAgent none\n UserKnownHostsFile %s/known_hosts\n GlobalKnownHostsFile none\n"
	    ".",
		dir, dir, dead_port, dir, dir, dir);
}

static int group_setup(void **state)
{
	char path[128];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/pgoncall-ssh.XXXXXX");
	assert_non_null(mkdtemp(dir));
	mkdir("/run/sshd", 0755);
	snprintf(path, sizeof(path), "%s/run", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	setenv("XDG_RUNTIME_DIR", path, 1);
	run("ssh-keygen -q -t ed25519 -N '' -C test -f %s/user", dir);
	run("ssh-keygen -q -t ed25519 -N '' -C stranger -f %s/stranger", dir);
	run("ssh-keygen -q -t rsa -N '' -C rsa -f %s/rsa", dir);
	run("ssh-keygen -q -t rsa -N '' -C rsa -f %s/rsa_stranger", dir);
	run("cat %s/user.pub %s/rsa.pub >%s/authorized_keys", dir, dir, dir);
	target = sshd_start("target", "ed25519 ecdsa", "");
	write_file("banner", "debug1: Server host key: ssh-ed25519 SHA256:FAKE\n"
			     "debug1: Remote protocol version 2.0, remote software version FAKE\n"
			     "Authenticated to FAKE using \"FAKE\".\n\033[31mred\n");
	snprintf(path, sizeof(path), "MaxSessions 1\nBanner %s/banner\n", dir);
	narrow = sshd_start("narrow", "ed25519", path);
	rsa_only = sshd_start("rsa_only", "rsa", "");
	etm = sshd_start("etm", "ed25519",
		"MACs hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com\n"
		"Ciphers aes256-gcm@openssh.com,aes256-ctr\n");
	dead_port = free_port();
	listen_silently();
	write_known_hosts();
	write_ssh_config();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sshd_stop(&target);
	sshd_stop(&narrow);
	sshd_stop(&rsa_only);
	sshd_stop(&etm);
	close(silent_fd);
	run("rm -rf %s", dir);
	return 0;
}

#endif
