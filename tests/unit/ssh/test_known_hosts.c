/*
 * known_hosts as ssh reads it, against real sshds and both ways: hashed names, ports, wildcards and
 * negation, revoked keys, bad lines, several keys of one host; and what is written on a typed yes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ask_fixture.h"

static struct sshd target;

static int group_setup(void **state)
{
	char path[128];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/pgoncall-ssh.XXXXXX");
	assert_non_null(mkdtemp(dir));
	mkdir("/run/sshd", 0755);
	snprintf(path, sizeof(path), "%s/run", dir);
	mkdir(path, 0700);
	setenv("XDG_RUNTIME_DIR", path, 1);
	run("cd %s && ssh-keygen -q -t ed25519 -N '' -f user && ssh-keygen -q -t ed25519 -N '' -f "
	    "other "
	    "&& ssh-keygen -q -t ecdsa -N '' -f other_ecdsa && cp user.pub authorized_keys",
		dir);
	target = sshd_start("target", "ed25519 ecdsa", "");
	write_file("ssh_config",
		"Host *\n HostName 127.0.0.1\n Port %d\n User root\n IdentityFile %s/user\n"
		" IdentityAgent none\n IdentitiesOnly yes\n UserKnownHostsFile %s/known\n"
		" GlobalKnownHostsFile none\n HashKnownHosts no\n",
		target.port, dir, dir);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sshd_stop(&target);
	run("rm -rf %s", dir);
	return 0;
}

/* Writes known_hosts: @ is the port, 1 and 2 the target's keys (ED25519, ECDSA), 3 and 4 others. */
static void knows(const char *text)
{
	static const char *const keys[] = { "target_ed25519", "target_ecdsa", "other",
		"other_ecdsa" };
	struct buf line = BUF_INIT;
	char path[128], key[512];
	FILE *file;

	for (; *text; text++) {
		if (*text == '@' && text[1] != 'r') {
			buf_printf(&line, "%d", target.port);
		} else if (*text == '#' && text[1] >= '1' && text[1] <= '4') {
			snprintf(path, sizeof(path), "%s/%s.pub", dir, keys[*++text - '1']);
			file = fopen(path, "r");
			assert_non_null(file);
			assert_non_null(fgets(key, sizeof(key), file));
			fclose(file);
			*strrchr(key, ' ') = '\0';
			buf_add_str(&line, key);
		} else {
			buf_add_char(&line, *text);
		}
	}
	write_file("known", "%s", buf_str(&line));
	buf_fini(&line);
}

static void expect_known(const char *key)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { NULL, NULL, false } } };

		asked_expect_up(&asked, both_ways[i], "h");
		assert_int_equal(asked.client.questions, 0);
		if (!strstr(asked.client.detail[TRANSPORT_STEP_HOSTKEY], key))
			fail_msg("not %s: %s", key, asked.client.detail[TRANSPORT_STEP_HOSTKEY]);
		asked_close(&asked);
	}
}

/* Asked about, and left unknown. */
static void expect_unknown(void)
{
	size_t i;

	run("cp %s/known %s/before", dir, dir);
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "yes/no", "no", true } } };

		asked_expect_down(&asked, both_ways[i], "h", ERR_HOSTKEY, "");
		assert_int_equal(asked.client.questions, 1);
		expect_asked(&asked, "SHA256:");
		asked_close(&asked);
	}
	run("cmp %s/known %s/before", dir, dir);
}

static void expect_refused(const char *words, const char *where)
{
	char place[160];
	size_t i;

	snprintf(place, sizeof(place), "%s/known:%s", dir, where);
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "yes/no", "yes", true } } };

		asked_expect_down(&asked, both_ways[i], "h", ERR_HOSTKEY, words);
		assert_int_equal(asked.client.questions, 0);
		if (!strstr(asked.client.why.text, place) && *where)
			fail_msg("no %s in: %s", place, asked.client.why.text);
		asked_close(&asked);
	}
}

static void known_hosts_reads_names_and_ports(void **state)
{
	(void)state;
	knows("[127.0.0.1]:@ #1\n");
	expect_known("ED25519");
	/* without the port it may confirm a key, but says nothing against one */
	knows("127.0.0.1 #1\n");
	expect_known("ED25519");
	knows("127.0.0.1 #3\n");
	expect_unknown();
	knows("[127.0.0.1]:1 #1\nelsewhere #1\n");
	expect_unknown();
	knows("elsewhere,[127.0.0.1]:@,third #1 with a comment\n");
	expect_known("ED25519");
}

static void known_hosts_reads_hashed_names(void **state)
{
	(void)state;
	knows("elsewhere #3\n[127.0.0.1]:@ #1\n");
	run("ssh-keygen -q -H -f %s/known 2>/dev/null && ! grep -q 127 %s/known", dir, dir);
	expect_known("ED25519");
}

static void known_hosts_reads_wildcards_and_negation(void **state)
{
	(void)state;
	knows("[127.0.*]:* #1\n");
	expect_known("ED25519");
	knows("[127.0.0.?]:@,![10.*]:@ #1\n");
	expect_known("ED25519");
	knows("[127.0.0.*]:@,![127.0.0.1]:@ #1\n");
	expect_unknown();
}

static void known_hosts_survives_bad_lines(void **state)
{
	(void)state;
	knows("[127.0.0.1]:@ ssh-ed25519 not-base64!\n\nnonsense\n# a comment\n"
	      "[127.0.0.1]:@ ssh-nothing AAAA\n   [127.0.0.1]:@ #1\n");
	expect_known("ED25519");
}

/* The key that is asked for is the one that is known. */
static void known_hosts_follows_the_known_key(void **state)
{
	(void)state;
	knows("[127.0.0.1]:@ #2\n");
	expect_known("ECDSA");
	knows("[127.0.0.1]:@ #1\n");
	expect_known("ED25519");
	knows("[127.0.0.1]:@ #2\n[127.0.0.1]:@ #1\n");
	expect_known("");
	/* an old key and the new one: either will do */
	knows("[127.0.0.1]:@ #3\n[127.0.0.1]:@ #1\n");
	expect_known("ED25519");
}

static void known_hosts_refuses_changed_keys(void **state)
{
	(void)state;
	knows("# a comment\n[127.0.0.1]:@ #3\n");
	expect_refused("", "2");
	knows("[127.0.0.1]:@ #3\n[127.0.0.1]:@ #4\n");
	expect_refused("", "");
}

static void known_hosts_refuses_revoked_keys(void **state)
{
	(void)state;
	knows("[127.0.0.1]:@ #1\n@revoked * #1\n[127.0.0.1]:@ #2\n@revoked [127.0.0.1]:@ #2\n");
	expect_refused("", "");
	knows("[127.0.0.1]:@ #1\n@revoked * #3\n");
	expect_known("ED25519");
}

/* Nothing but the word, or the fingerprint itself, accepts. */
static void known_hosts_writes_on_a_typed_yes(void **state)
{
	static const char *const no[] = { "y", "Yes", "YES", "", "yes please", "SHA256:wrong",
		"no" };
	char fingerprint[128] = "", command[256];
	FILE *out;
	size_t i, k;

	(void)state;
	snprintf(command, sizeof(command), "ssh-keygen -lf %s/target_ed25519.pub | cut -d' ' -f2",
		dir);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(fingerprint, sizeof(fingerprint), out));
	pclose(out);
	fingerprint[strcspn(fingerprint, "\n")] = '\0';
	for (i = 0; i < 2; i++) {
		const char *const yes[] = { "yes", fingerprint };

		for (k = 0; k < sizeof(no) / sizeof(no[0]); k++) {
			struct asked asked = { .replies = { { "yes/no", no[k], false } } };

			knows("");
			asked_expect_down(&asked, both_ways[i], "h", ERR_HOSTKEY, "");
			asked_close(&asked);
			run("test ! -s %s/known", dir);
		}
		for (k = 0; k < 2; k++) {
			struct asked asked = { .replies = { { "yes/no", yes[k], false } } };

			knows(i ? "elsewhere #3\n" : "elsewhere #3"); /* ours ends the last line */
			asked_expect_up(&asked, both_ways[i], "h");
			asked_close(&asked);
			run("test $(wc -l <%s/known) = 2 && grep -q '^elsewhere' %s/known && "
			    "ssh-keygen -F '[127.0.0.1]:%d' -f %s/known >/dev/null",
				dir, dir, target.port, dir);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_hosts_reads_names_and_ports),
		cmocka_unit_test(known_hosts_reads_hashed_names),
		cmocka_unit_test(known_hosts_reads_wildcards_and_negation),
		cmocka_unit_test(known_hosts_survives_bad_lines),
		cmocka_unit_test(known_hosts_follows_the_known_key),
		cmocka_unit_test(known_hosts_refuses_changed_keys),
		cmocka_unit_test(known_hosts_refuses_revoked_keys),
		cmocka_unit_test(known_hosts_writes_on_a_typed_yes),
	};

	if (askpass_is_meant())
		return askpass_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
