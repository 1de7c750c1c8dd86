/*
 * Answers of runtimes, kind and hostile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/host/container.h>

static int parse(const char *json, struct host_container *container, struct err *err)
{
	return host_container_parse(json, strlen(json), "db-1", container, err);
}

/* Parses an answer with this network part and expects the addresses. */
static void expect_address(const char *network, const char *want)
{
	struct host_container container;
	struct buf all = BUF_INIT;
	char json[512];
	size_t i;

	snprintf(json, sizeof(json), "{\"state\":{},\"network\":%s}", network);
	assert_int_equal(parse(json, &container, NULL), 0);
	buf_clear(&all);
	for (i = 0; i < container.addresses.n; i++)
		buf_printf(&all, "%s%s", i ? " " : "", container.addresses.items[i]);
	assert_string_equal(buf_str(&all), want);
	buf_fini(&all);
	host_container_fini(&container);
}

static void container_reads_what_docker_says(void **state)
{
	struct host_container container;

	(void)state;
	assert_int_equal(parse("{\"state\":{\"Status\":\"running\",\"Running\":true,"
			       "\"StartedAt\":\"2025-01-27T10:00:00.5Z\",\"Health\":{\"Status\":"
			       "\"healthy\"}},"
			       "\"image\":\"sha256:abc\",\"image_name\":\"postgres:15\",\"working_"
			       "dir\":\"\","
			       "\"network\":{\"IPAddress\":\"172.17.0.2\",\"Networks\":{}}}\n",
				 &container, NULL),
		0);
	assert_true(container.running);
	assert_string_equal(container.status, "running");
	assert_string_equal(container.health, "healthy");
	assert_string_equal(container.started_at, "2025-01-27T10:00:00.5Z");
	assert_string_equal(container.image_id, "sha256:abc");
	assert_string_equal(container.image_name, "postgres:15");
	assert_string_equal(container.working_dir, "/");
	assert_int_equal(container.addresses.n, 1);
	assert_string_equal(container.addresses.items[0], "172.17.0.2");
	assert_int_equal(host_container_check_address(&container, "db-1", NULL), 0);
	host_container_fini(&container);
}

static void container_finds_the_address_wherever_it_is(void **state)
{
	(void)state;
	expect_address("{\"IPAddress\":\"\",\"Networks\":{\"a\":{\"IPAddress\":\"\"},"
		       "\"b\":{\"IPAddress\":\"10.88.0.4\"}}}",
		"10.88.0.4");
	expect_address(
		"{\"Networks\":{\"n\":{\"IPAddress\":\"\",\"GlobalIPv6Address\":\"fd00::2\"}}}",
		"fd00::2");
	expect_address("{\"IPAddress\":\"172.17.0.2\",\"Networks\":{"
		       "\"a\":{\"IPAddress\":\"172.17.0.2\",\"GlobalIPv6Address\":\"fd00::2\"},"
		       "\"b\":{\"IPAddress\":\"10.5.0.3\"}}}",
		"172.17.0.2 10.5.0.3 fd00::2");
	expect_address("{\"Networks\":{\"host\":{\"IPAddress\":\"\"}}}", "127.0.0.1");
	expect_address("null", "");
}

static void container_refuses_an_address_that_is_none(void **state)
{
	static const char *const bad[] = { "127.0.0.1; id", "example.org", "-oProxyCommand=x",
		"1.2.3", "/var/run", "fe80::1%eth0", " 10.0.0.1", "10.0.0.1\\n" };
	struct host_container container;
	struct err err;
	char json[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(json, sizeof(json), "{\"state\":{},\"network\":{\"IPAddress\":\"%s\"}}",
			bad[i]);
		assert_int_equal(parse(json, &container, &err), -1);
		assert_int_equal(err.code, ERR_PARSE);
		assert_non_null(strstr(err.text, "db-1"));
		assert_int_equal(container.addresses.n, 0);
	}
}

static void container_refuses_what_is_no_answer(void **state)
{
	static const char *const bad[] = { "", "[]", "null", "{", "\"x\"", "{\"state\":1}", "{}",
		"Error: no such object", "{\"state\":{}} trailing" };
	struct host_container container;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i], &container, &err), -1);
		assert_non_null(strstr(err.text, "container db-1"));
	}
}

static void container_takes_wrong_types_as_not_known(void **state)
{
	struct host_container container;

	(void)state;
	assert_int_equal(parse("{\"state\":{\"Status\":7,\"Running\":\"yes\",\"Health\":[]},"
			       "\"image\":{},\"working_dir\":null,\"network\":[1]}",
				 &container, NULL),
		0);
	assert_false(container.running);
	assert_string_equal(container.status, "");
	assert_string_equal(container.image_id, "");
	assert_int_equal(container.addresses.n, 0);
	host_container_fini(&container);
}

/* Each case where there is no address is a sentence with its remedy. */
static void container_says_why_it_has_no_address(void **state)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
		{ "{\"state\":{\"Running\":false,\"Status\":\"exited\"}}",
			"is not running (exited)" },
		{ "{\"state\":{\"Running\":true},\"network_mode\":\"container:0123456789abcdef\"}",
			"shares the network of container 0123456789ab:" },
		{ "{\"state\":{\"Running\":true},\"network_mode\":\"none\"}",
			"no address of its own (network none): set db_host" },
	};
	struct host_container container;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].json, &container, &err), 0);
		assert_int_equal(host_container_check_address(&container, "db-1", &err), -1);
		assert_non_null(strstr(err.text, cases[i].words));
		host_container_fini(&container);
	}
	assert_int_equal(
		parse("{\"state\":{\"Running\":true},\"network_mode\":\"host\"}", &container, &err),
		0);
	assert_int_equal(host_container_check_address(&container, "db-1", &err), 0);
	assert_true(container.host_network);
	host_container_fini(&container);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(container_reads_what_docker_says),
		cmocka_unit_test(container_finds_the_address_wherever_it_is),
		cmocka_unit_test(container_refuses_an_address_that_is_none),
		cmocka_unit_test(container_refuses_what_is_no_answer),
		cmocka_unit_test(container_takes_wrong_types_as_not_known),
		cmocka_unit_test(container_says_why_it_has_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
