/*
 * The verdict over a host key, from what `ssh-keygen -F` prints; and known_hosts files as people
 * really have them, read through the real ssh-keygen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/ssh/config.h>
#include <pgoncall/ssh/hostkey.h>
#include <pgoncall/ssh/wait.h>

#define ED    "ssh-ed25519"
#define EC    "ecdsa-sha2-nistp256"
#define KEY_A "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "AAAAC3NzaC1lZDI1NTE5AAAAIBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define KEY_C                                                                                      \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHZSLj4dnn0S7CrwJ3mKBOF2mN0uCHiFvKt"  \
	"gYpGOmzoRQxF/h5qO7bKJYvJ4XhrY9aaZ0mK4dsLqAn0oWEM0hjE="

static void expect(const char *printed, const char *type, const char *key,
	enum hostkey_verdict verdict, int line)
{
	struct hostkey_list list = { NULL, 0, 0 };
	const struct hostkey_line *which;

	hostkey_parse(&list, "/kh", false, printed);
	assert_int_equal(hostkey_judge(&list, type, key, &which), verdict);
	if (line)
		assert_int_equal(which->line, line);
	else
		assert_null(which);
	hostkey_list_fini(&list);
}

static void hostkey_judges(void **state)
{
	(void)state;
	expect("", ED, KEY_A, HOSTKEY_UNKNOWN, 0);
	expect("# Host h found: line 3 \nh " ED " " KEY_A " root@h\n", ED, KEY_A, HOSTKEY_KNOWN, 3);
	expect("# Host h found: line 3 \nh " ED " " KEY_B "\n", ED, KEY_A, HOSTKEY_CHANGED, 3);
	/* two keys of one type, one of them right */
	expect("# Host h found: line 3 \nh " ED " " KEY_B "\n"
	       "# Host h found: line 9 \nh " ED " " KEY_A "\n",
		ED, KEY_A, HOSTKEY_KNOWN, 9);
	expect("# Host h found: line 4 \nh " EC " " KEY_C "\n", ED, KEY_A, HOSTKEY_UNKNOWN, 4);
	expect("# Host h found: line 5 CA\n@cert-authority *.h " ED " " KEY_B "\n", ED, KEY_A,
		HOSTKEY_CERTIFIED, 5);
	/* the authority's own key is not a host key */
	expect("# Host h found: line 5 CA\n@cert-authority *.h " ED " " KEY_A "\n", ED, KEY_A,
		HOSTKEY_CERTIFIED, 5);
}

static void hostkey_revoked_wins(void **state)
{
	(void)state;
	expect("# Host h found: line 1 \nh " ED " " KEY_A "\n"
	       "# Host h found: line 2 REVOKED\n@revoked * " ED " " KEY_A "\n",
		ED, KEY_A, HOSTKEY_REVOKED, 2);
	expect("# Host h found: line 1 \nh " ED " " KEY_A "\n"
	       "# Host h found: line 2 REVOKED\n@revoked * " ED " " KEY_B "\n",
		ED, KEY_A, HOSTKEY_KNOWN, 1);
}

static void hostkey_portless_confirms_only(void **state)
{
	struct hostkey_list list = { NULL, 0, 0 };
	const struct hostkey_line *which;

	(void)state;
	hostkey_parse(&list, "/kh", true, "# Host h found: line 1 \nh " ED " " KEY_A "\n");
	assert_int_equal(hostkey_judge(&list, ED, KEY_A, &which), HOSTKEY_KNOWN);
	assert_int_equal(hostkey_judge(&list, ED, KEY_B, &which), HOSTKEY_UNKNOWN);
	hostkey_list_fini(&list);
}

static void hostkey_skips_broken_lines(void **state)
{
	struct hostkey_list list = { NULL, 0, 0 };

	(void)state;
	hostkey_parse(
		&list, "/kh", false, "# Host\nh\nh " ED "\n@odd h " ED " " KEY_A "\n\n \n#\n");
	assert_int_equal(list.n, 0);
	hostkey_list_fini(&list);
}

static void hostkey_prefers_known_types(void **state)
{
	struct hostkey_list list = { NULL, 0, 0 };
	const char *methods = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384";
	char *text = hostkey_preference(&list, methods);

	(void)state;
	assert_string_equal(text, methods);
	free(text);
	hostkey_parse(&list, "/kh", false, "# Host h found: line 4 \nh " EC " " KEY_C "\n");
	text = hostkey_preference(&list, methods);
	assert_string_equal(text, "ecdsa-sha2-nistp256,ssh-ed25519,ecdsa-sha2-nistp384");
	free(text);
	text = hostkey_preference(&list, "");
	assert_string_equal(text, "");
	free(text);
	hostkey_list_fini(&list);
}

static void hostkey_explains(void **state)
{
	struct hostkey_list list = { NULL, 0, 0 };
	struct ssh_config config;
	struct err err = { ERR_OK, "" };

	(void)state;
	ssh_config_init(&config);
	config.alias = mem_strdup("prod");
	config.hostname = mem_strdup("server");
	config.user = mem_strdup("deploy");
	config.port = 2222;
	hostkey_parse(&list, "/kh", false, "# Host h found: line 4 \nh " ED " " KEY_A "\n");
	assert_int_equal(
		hostkey_explain(HOSTKEY_CHANGED, &config, &list.items[0], ED, "SHA256:x", &err),
		-1);
	assert_int_equal(err.code, ERR_HOSTKEY);
	assert_non_null(strstr(err.text, "[server]:2222 has CHANGED"));
	assert_non_null(strstr(err.text, "/kh:4"));
	hostkey_explain(HOSTKEY_REVOKED, &config, &list.items[0], ED, "SHA256:x", &err);
	assert_non_null(strstr(err.text, "REVOKED by /kh:4"));
	hostkey_explain(HOSTKEY_UNKNOWN, &config, NULL, ED, "SHA256:x", &err);
	assert_non_null(strstr(err.text, "ED25519 SHA256:x"));
	assert_non_null(strstr(err.text, "ssh -p 2222 deploy@prod"));
	hostkey_list_fini(&list);
	ssh_config_fini(&config);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Through ssh-keygen: a malformed line, a hashed name that was added here, and @revoked. */
static void hostkey_looks_up_real_files(void **state)
{
	char path[] = "/tmp/pgoncall-hostkey.XXXXXX";
	struct ssh_wait wait = { -1, 0 };
	struct ssh_config config;
	struct hostkey_list list;
	const struct hostkey_line *which;
	struct err err = { ERR_OK, "" };
	struct stat st;

	(void)state;
	assert_true(close(mkstemp(path)) == 0);
	write_file(path, "malformed\n[other]:2222 " ED " " KEY_B); /* no final newline */
	ssh_config_init(&config);
	config.alias = mem_strdup("server");
	config.hostname = mem_strdup("server");
	config.port = 2222;
	config.hash_known_hosts = true;
	config.known_hosts_add = mem_strdup(path);
	strlist_add(&config.known_hosts, "/nonexistent/known_hosts");
	strlist_add(&config.known_hosts, path);
	wait_set(&wait, 10000);

	assert_int_equal(hostkey_look_up(&list, &config, &wait, &err), 0);
	assert_int_equal(hostkey_judge(&list, ED, KEY_A, &which), HOSTKEY_UNKNOWN);
	hostkey_list_fini(&list);

	assert_int_equal(hostkey_add(&config, ED, KEY_A, &err), 0);
	assert_int_equal(hostkey_look_up(&list, &config, &wait, &err), 0);
	assert_int_equal(hostkey_judge(&list, ED, KEY_A, &which), HOSTKEY_KNOWN);
	assert_int_equal(which->line, 3);
	assert_string_equal(which->file, path);
	assert_int_equal(hostkey_judge(&list, ED, KEY_B, &which), HOSTKEY_CHANGED);
	hostkey_list_fini(&list);

	write_file(path, "[server]:2222 " ED " " KEY_A "\n@revoked * " ED " " KEY_A "\n");
	assert_int_equal(hostkey_look_up(&list, &config, &wait, &err), 0);
	assert_int_equal(hostkey_judge(&list, ED, KEY_A, &which), HOSTKEY_REVOKED);
	assert_int_equal(which->line, 2);
	hostkey_list_fini(&list);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(hostkey_add(&config, ED, KEY_A, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(path);
	ssh_config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostkey_judges),
		cmocka_unit_test(hostkey_revoked_wins),
		cmocka_unit_test(hostkey_portless_confirms_only),
		cmocka_unit_test(hostkey_skips_broken_lines),
		cmocka_unit_test(hostkey_prefers_known_types),
		cmocka_unit_test(hostkey_explains),
		cmocka_unit_test(hostkey_looks_up_real_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
