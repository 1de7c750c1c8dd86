/*
 * The sshds that the tests of the transport share: a target, jump hosts, one that changes keys all the
 * time, and one that lets in one command at a time. Included once by a test program.
 */
#ifndef TESTS_UNIT_SSH_TRANSPORT_FIXTURE_H
#define TESTS_UNIT_SSH_TRANSPORT_FIXTURE_H

#include <sys/resource.h>
#include <sys/time.h>

#include "sshd_fixture.h"

static struct sshd target, bastion, inner;
static struct sshd rekey;  /* changes keys all the time, and asks whether we are there */
static struct sshd narrow; /* lets in one command at a time */

static int group_setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/pgoncall-ssh.XXXXXX");
	assert_non_null(mkdtemp(dir));
	mkdir("/run/sshd", 0755);
	run("ssh-keygen -q -t ed25519 -N '' -C test -f %s/user", dir);
	run("cp %s/user.pub %s/authorized_keys", dir, dir);
	target = sshd_start("target", "ed25519 ecdsa", "");
	bastion = sshd_start("bastion", "ecdsa", "");
	inner = sshd_start("inner", "ed25519", "");
	/* With the elliptic exchanges libssh2 1.10 leaks 51 bytes at each rekeying. */
	rekey = sshd_start("rekey", "ed25519",
		"RekeyLimit 1M\nClientAliveInterval 1\nClientAliveCountMax 2\n"
		"KexAlgorithms diffie-hellman-group14-sha256\n");
	narrow = sshd_start("narrow", "ed25519", "MaxSessions 1\n");
	know("known_hosts", &target, "ed25519");
	know("known_hosts", &rekey, "ed25519");
	know("known_hosts", &narrow, "ed25519");
	know("known_hosts", &bastion, "ecdsa");
	know("known_hosts", &inner, "ed25519");
	write_file("ssh_config",
		"Host target\n Port %d\n"
		"Host rekey\n Port %d\n"
		"Host narrow\n Port %d\n"
		"Host bastion\n Port %d\n"
		"Host inner\n Port %d\n ProxyJump bastion\n"
		"Host innermost\n Port %d\n ProxyJump bastion,inner\n"
		"Host *\n HostName 127.0.0.1\n User root\n IdentityFile %s/user\n"
		" IdentityAgent none\n UserKnownHostsFile %s/known_hosts\n"
		" GlobalKnownHostsFile none\n",
		target.port, rekey.port, narrow.port, bastion.port, inner.port, target.port, dir,
		dir);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sshd_stop(&target);
	sshd_stop(&bastion);
	sshd_stop(&inner);
	sshd_stop(&rekey);
	sshd_stop(&narrow);
	run("rm -rf %s", dir);
	return 0;
}

__attribute__((unused)) static double cpu_seconds_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Of the SSH thread: everything but this one. */
__attribute__((unused)) static double cpu_seconds(void)
{
	return cpu_seconds_of(RUSAGE_SELF) - cpu_seconds_of(RUSAGE_THREAD);
}

#endif
