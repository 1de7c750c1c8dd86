/*
 * What real runtimes, sudo and shells have printed, and what is made of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/host/complaint.h>

static int check(enum host_runtime_kind kind, int status, const char *text, struct err *err)
{
	const struct host_runtime runtime = { kind, "sudo docker" };
	struct host_output output = { .status = status };
	const struct err none = { ERR_OK, "" };
	int rc;

	buf_add_str(&output.err, text);
	rc = host_complaint_check(&runtime, "db-1", "prod", &output, &none, err);
	buf_fini(&output.err);
	return rc;
}

static void complaint_names_the_remedy(void **state)
{
	static const struct {
		int status;
		const char *text, *words;
	} cases[] = {
		{ 1,
			"sudo: a terminal is required to read the password; either use the -S "
			"option to "
			"read from standard input or configure an askpass helper\nsudo: a password "
			"is "
			"required\n",
			"sudo on prod wants a password for 'sudo docker'" },
		{ 1, "sudo: no tty present and no askpass program specified\n", "NOPASSWD" },
		{ 1, "deploy is not in the sudoers file.\n", "does not let the SSH user run" },
		{ 1,
			"permission denied while trying to connect to the Docker daemon socket at "
			"unix:///var/run/docker.sock: Get "
			"\"http://%2Fvar%2Frun%2Fdocker.sock/v1.24/"
			"containers/db-1/json\": dial unix /var/run/docker.sock: connect: "
			"permission "
			"denied\n",
			"add it to group docker" },
		{ 1,
			"Got permission denied while trying to connect to the Docker daemon socket "
			"at "
			"unix:///var/run/docker.sock\n",
			"add it to group docker" },
		{ 1,
			"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is "
			"the docker "
			"daemon running?\n",
			"Docker does not run on prod" },
		{ 1, "Error: No such container: db-1\n", "there is no container db-1 on prod" },
		{ 125, "Error: inspecting object: no such container db-1\n",
			"there is no container db-1 on prod" },
		{ 1,
			"Error response from daemon: configured logging driver does not support "
			"reading\n",
			"the log of db-1 is not kept on prod where 'sudo docker logs' could" },
		{ 125,
			"Error: this container is using the 'none' log driver, cannot read logs: "
			"this container is not logging output\n",
			"the log of db-1 is not kept on prod" },
		{ 125,
			"Error: using --follow with the journald --log-driver but without the "
			"journald --events-backend (file) is not supported\n",
			"set events_logger = \"journald\" in containers.conf" },
		{ 125,
			"Error: initial journal cursor: failed to get cursor: cannot assign "
			"requested address\n",
			"start systemd-journald there" },
		{ 127, "sh: 1: docker: not found\n", "'sudo docker' cannot be run on prod" },
		{ 1, "template: :1: bad\n", "asking for container db-1 on prod: exit 1: template" },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			check(HOST_RUNTIME_DOCKER, cases[i].status, cases[i].text, &err), -1);
		if (!strstr(err.text, cases[i].words))
			fail_msg("no \"%s\" in: %s", cases[i].words, err.text);
	}
}

/* Without containers a status of 127 is the command's own matter. */
static void complaint_knows_success_and_no_runtime(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(check(HOST_RUNTIME_DOCKER, 0, "WARNING: something", &err), 0);
	assert_int_equal(check(HOST_RUNTIME_DOCKER, 1, "sudo: a password is required", &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_int_equal(check(HOST_RUNTIME_DOCKER, 1, "Error: No such container: x", &err), -1);
	assert_int_equal(err.code, ERR_COMMAND);
	assert_int_equal(check(HOST_RUNTIME_NONE, 127, "sh: tar: not found", &err), -1);
	assert_non_null(strstr(err.text, "exit 127: sh: tar: not found"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complaint_names_the_remedy),
		cmocka_unit_test(complaint_knows_success_and_no_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
