/*
 * transport = auto: for every server, key and setting that libssh2 cannot speak, that the system's ssh
 * is taken and why, in the words of the checklist; and that libssh2 stays where it can do it. Against
 * real sshds that are configured so; Kerberos is a realm of our own on loopback. (Security keys and
 * keys with a passphrase are test_askpass.c's.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pwd.h>

#include "ask_fixture.h"

static struct sshd target, certified, host_certified, kerberos;
static char login[64];
static pid_t kdc_pid;

static pid_t start_program(const char *const argv[])
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

/* A realm with us and one host; the ticket is fetched by the test that wants it. */
static void start_kerberos(void)
{
	static const char *const argv[] = { "/usr/sbin/krb5kdc", "-n", "-r", "PGONCALL.TEST",
		NULL };
	int port = free_port(), fd, i;
	char path[128];

	write_file("krb5.conf",
		"[libdefaults]\n default_realm = PGONCALL.TEST\n dns_lookup_realm = false\n"
		" dns_lookup_kdc = false\n rdns = false\n dns_canonicalize_hostname = false\n"
		"[realms]\n PGONCALL.TEST = {\n  kdc = 127.0.0.1:%d\n }\n",
		port);
	write_file("kdc.conf",
		"[kdcdefaults]\n kdc_listen = 127.0.0.1:%d\n kdc_tcp_listen = 127.0.0.1:%d\n"
		"[realms]\n PGONCALL.TEST = {\n  database_name = %s/principal\n"
		"  key_stash_file = %s/stash\n  acl_file = %s/acl\n }\n"
		"[logging]\n kdc = FILE:%s/kdc.log\n",
		port, port, dir, dir, dir, dir);
	snprintf(path, sizeof(path), "%s/krb5.conf", dir);
	setenv("KRB5_CONFIG", path, 1);
	snprintf(path, sizeof(path), "%s/kdc.conf", dir);
	setenv("KRB5_KDC_PROFILE", path, 1);
	snprintf(path, sizeof(path), "%s/keytab", dir);
	setenv("KRB5_KTNAME", path, 1);
	snprintf(path, sizeof(path), "FILE:%s/tickets", dir);
	setenv("KRB5CCNAME", path, 1);
	run("(/usr/sbin/kdb5_util create -s -r PGONCALL.TEST -P master && "
	    "/usr/sbin/kadmin.local -r PGONCALL.TEST addprinc -pw secret %s && "
	    "/usr/sbin/kadmin.local -r PGONCALL.TEST addprinc -randkey host/localhost && "
	    "/usr/sbin/kadmin.local -r PGONCALL.TEST ktadd -k %s/keytab host/localhost) "
	    ">%s/kadmin.log 2>&1",
		login, dir, dir);
	kdc_pid = start_program(argv);
	for (i = 0; i < 3000 && (fd = connect_loopback(port)) < 0; i++)
		usleep(10000);
	assert_true(i < 3000);
	close(fd);
	kerberos = sshd_start(
		"kerberos", "ed25519", "GSSAPIAuthentication yes\nGSSAPIStrictAcceptorCheck no\n");
}

/* Certificates: of ours, which is all that one sshd takes, and of another's host key. */
static void start_certified(void)
{
	char more[256];

	run("cd %s && ssh-keygen -q -t ed25519 -N '' -f ca && for k in ed25519 ecdsa rsa; do "
	    "ssh-keygen -q -t $k -N '' -f with_$k && "
	    "ssh-keygen -q -s ca -I $k -n %s with_$k.pub; done && "
	    "ssh-keygen -q -t ed25519 -N '' -f apart && ssh-keygen -q -s ca -I apart -n %s "
	    "apart.pub "
	    "&& mv apart-cert.pub elsewhere.pub",
		dir, login, login);
	snprintf(more, sizeof(more), "TrustedUserCAKeys %s/ca.pub\nAuthorizedKeysFile none\n", dir);
	certified = sshd_start("certified", "ed25519", more);
	run("cd %s && ssh-keygen -q -t ed25519 -N '' -f host_certified_ed25519 && "
	    "ssh-keygen -q -s ca -h -I host -n 127.0.0.1 host_certified_ed25519.pub",
		dir);
	snprintf(more, sizeof(more), "HostCertificate %s/host_certified_ed25519-cert.pub\n", dir);
	host_certified = sshd_start("host_certified", "ed25519", more);
	run("printf '@cert-authority * %%s\\n' \"$(cut -d' ' -f1,2 %s/ca.pub)\" >%s/authority", dir,
		dir);
}

static int group_setup(void **state)
{
	const struct passwd *user = getpwuid(getuid());
	char path[128];

	(void)state;
	snprintf(login, sizeof(login), "%s", user ? user->pw_name : "root");
	snprintf(dir, sizeof(dir), "/tmp/pgoncall-ssh.XXXXXX");
	assert_non_null(mkdtemp(dir));
	mkdir("/run/sshd", 0755);
	snprintf(path, sizeof(path), "%s/run", dir);
	mkdir(path, 0700);
	setenv("XDG_RUNTIME_DIR", path, 1);
	run("cd %s && ssh-keygen -q -t ed25519 -N '' -f user && ssh-keygen -q -t rsa -N '' -f rsa "
	    "&& "
	    "ssh-keygen -q -t rsa -N '' -f rsa_stranger && cat user.pub rsa.pub >authorized_keys",
		dir);
	target = sshd_start("target", "ed25519 rsa", "");
	start_certified();
	start_kerberos();
	know("known", &target, "ed25519");
	know("known", &certified, "ed25519");
	run("printf '[localhost]:%d %%s\\n' \"$(cut -d' ' -f1,2 %s/kerberos_ed25519.pub)\" "
	    ">>%s/known",
		kerberos.port, dir, dir);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sshd_stop(&target);
	sshd_stop(&certified);
	sshd_stop(&host_certified);
	sshd_stop(&kerberos);
	kill(kdc_pid, SIGKILL);
	waitpid(kdc_pid, NULL, 0);
	run("rm -rf %s", dir);
	return 0;
}

/* The host `h` at a port, with more settings; $ is the directory. */
static void configure(int port, const char *text)
{
	struct buf out = BUF_INIT;

	for (; *text; text++) {
		if (*text == '$')
			buf_add_str(&out, dir);
		else
			buf_add_char(&out, *text);
	}
	write_file("ssh_config",
		"Host h\n%s Port %d\nHost *\n HostName 127.0.0.1\n User %s\n IdentityAgent none\n"
		" IdentitiesOnly yes\n UserKnownHostsFile %s/known\n GlobalKnownHostsFile none\n",
		buf_str(&out), port, login, dir);
	buf_fini(&out);
}

/* The way is changed, for this reason, and nothing is asked. */
static void expect_change(const char *reason)
{
	struct asked asked = { .replies = { { NULL, NULL, false } } };

	asked_expect_up(&asked, SSH_TRANSPORT_AUTO, "h");
	assert_string_equal(asked.client.transport->ops->name, "openssh");
	if (!strstr(asked.reason, reason) || strstr(asked.reason, "set transport"))
		fail_msg("no \"%s\" in: %s", reason, asked.reason);
	assert_int_equal(asked.client.questions, 0);
	asked_close(&asked);
}

static void expect_libssh2(void)
{
	struct asked asked = { .replies = { { NULL, NULL, false } } };

	asked_expect_up(&asked, SSH_TRANSPORT_AUTO, "h");
	assert_string_equal(asked.client.transport->ops->name, "libssh2");
	assert_string_equal(asked.reason, "");
	asked_close(&asked);
}

/* With the way fixed, the sentence says what to do about it. */
static void expect_refusal(const char *words)
{
	struct asked asked = { .replies = { { NULL, NULL, false } } };

	asked_open(&asked, SSH_TRANSPORT_LIBSSH2, "h", true);
	WAIT_FOR(&asked.client, asked.client.up || asked.client.down);
	assert_int_equal(asked.client.up, 0);
	if (!strstr(asked.client.why.text, words) ||
		!strstr(asked.client.why.text, "set transport = openssh"))
		fail_msg("no \"%s\" in: %s", words, asked.client.why.text);
	asked_close(&asked);
}

/* --- servers ---------------------------------------------------------------------------------- */

static void choice_reads_what_the_server_offers(void **state)
{
	static const struct {
		const char *keys, *more, *reason;
	} cases[] = {
		{ "rsa", "", "for host keys: the server takes only rsa-sha2-512,rsa-sha2-256" },
		{ "ed25519", "MACs hmac-sha2-512-etm@openssh.com,umac-128-etm@openssh.com\n",
			"for MACs: the server takes only hmac-sha2-512-etm@openssh.com," },
		{ "ed25519", "KexAlgorithms sntrup761x25519-sha512@openssh.com\n",
			"for key exchanges: the server takes only "
			"sntrup761x25519-sha512@openssh.com" },
		{ "ed25519", "Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com\n",
			"for ciphers: the server takes only chacha20-poly1305@openssh.com," },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[32];
		struct sshd sshd;

		snprintf(name, sizeof(name), "narrow%zu", i);
		sshd = sshd_start(name, cases[i].keys, cases[i].more);
		know("known", &sshd, cases[i].keys);
		configure(sshd.port, " IdentityFile $/user\n");
		expect_change(cases[i].reason);
		expect_refusal(cases[i].reason);
		sshd_stop(&sshd);
	}
}

/* The server has an ED25519 key, too; what is known is the other. */
static void choice_follows_the_known_rsa_key(void **state)
{
	(void)state;
	know("known_rsa", &target, "rsa");
	configure(target.port, " IdentityFile $/user\n UserKnownHostsFile $/known_rsa\n");
	expect_change("knows this host by its RSA key only");
}

static void choice_checks_host_certificates(void **state)
{
	(void)state;
	configure(host_certified.port, " IdentityFile $/user\n UserKnownHostsFile $/authority\n");
	expect_change("/authority:1 trusts a certificate authority for the host key of ");
	expect_refusal("which libssh2 cannot check");
}

/* --- keys ------------------------------------------------------------------------------------- */

static void choice_uses_rsa_keys_that_are_wanted(void **state)
{
	(void)state;
	configure(target.port, " IdentityFile $/rsa\n");
	expect_change("/rsa, an RSA key, which libssh2 uses from the agent only");
	/* one that is not wanted is no reason */
	configure(target.port, " IdentityFile $/rsa_stranger\n IdentityFile $/user\n");
	expect_libssh2();
}

static void choice_uses_certificates(void **state)
{
	(void)state;
	configure(certified.port, " IdentityFile $/with_ed25519\n");
	expect_change("takes the certificate ");
	expect_change("/with_ed25519-cert.pub, which libssh2 cannot sign with");
	configure(certified.port, " IdentityFile $/with_ecdsa\n");
	expect_change("/with_ecdsa-cert.pub, which libssh2 cannot sign with");
	configure(certified.port, " IdentityFile $/with_rsa\n");
	expect_change("/with_rsa-cert.pub skipped (libssh2 cannot use RSA certificates)");
	configure(certified.port, " IdentityFile $/apart\n CertificateFile $/elsewhere.pub\n");
	expect_change("sets CertificateFile, which libssh2 cannot follow");
	/* where the key alone is enough, its certificate is no reason */
	run("cat %s/with_ed25519.pub >>%s/authorized_keys", dir, dir);
	configure(target.port, " IdentityFile $/with_ed25519\n");
	expect_libssh2();
}

/* --- settings --------------------------------------------------------------------------------- */

static void choice_follows_settings(void **state)
{
	(void)state;
	/* a program of one's own, as they do for clouds */
	run("printf '#!/bin/sh\\nexec ssh -F %s/way_config -W \"$1:$2\" way\\n' >%s/through && "
	    "chmod 700 %s/through && printf 'Host way\\n HostName 127.0.0.1\\n Port %d\\n User "
	    "%s\\n"
	    " IdentityFile %s/user\\n IdentityAgent none\\n UserKnownHostsFile %s/known\\n' "
	    ">%s/way_config",
		dir, dir, dir, target.port, login, dir, dir, dir);
	configure(target.port, " IdentityFile $/user\n ProxyCommand $/through %h %p\n");
	expect_change("sets ProxyCommand, which libssh2 cannot follow");
	configure(target.port, " IdentityFile $/user\n BindAddress 127.0.0.1\n");
	expect_change("sets BindAddress, which libssh2 cannot follow");
	configure(target.port, " IdentityFile $/user\n HostKeyAlgorithms rsa-sha2-512\n"
			       " UserKnownHostsFile $/known_rsa\n");
	know("known_rsa", &target, "rsa");
	expect_change("HostKeyAlgorithms of ssh's configuration allows rsa-sha2-512");
	configure(target.port, " IdentityFile $/user\n Ciphers aes256-gcm@openssh.com\n");
	expect_change("Ciphers of ssh's configuration allows aes256-gcm@openssh.com");
}

/* --- Kerberos --------------------------------------------------------------------------------- */

static void choice_uses_kerberos_tickets(void **state)
{
	struct asked asked = { .replies = { { NULL, NULL, false } } };

	(void)state;
	configure(kerberos.port, " HostName localhost\n AddressFamily inet\n IdentityFile none\n"
				 " GSSAPIAuthentication yes\n");
	asked_expect_down(&asked, SSH_TRANSPORT_AUTO, "h", ERR_AUTH, "gssapi-with-mic");
	assert_string_equal(asked.reason, "");
	asked_close(&asked);
	run("echo secret | kinit %s >/dev/null", login);
	expect_change("takes a Kerberos ticket (GSSAPI), which libssh2 cannot authenticate with");
	expect_refusal("a Kerberos ticket (GSSAPI) skipped");
	configure(kerberos.port, " HostName localhost\n AddressFamily inet\n IdentityFile $/user\n"
				 " GSSAPIAuthentication no\n");
	expect_libssh2();
	run("kdestroy -q");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choice_reads_what_the_server_offers),
		cmocka_unit_test(choice_follows_the_known_rsa_key),
		cmocka_unit_test(choice_checks_host_certificates),
		cmocka_unit_test(choice_uses_rsa_keys_that_are_wanted),
		cmocka_unit_test(choice_uses_certificates),
		cmocka_unit_test(choice_follows_settings),
		cmocka_unit_test(choice_uses_kerberos_tickets),
	};

	if (askpass_is_meant())
		return askpass_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
