/*
 * The bridge to a socket, run by a real shell with each of the programs it can use, and what it says
 * when it cannot.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/host/bridge.h>
#include <pgoncall/host/quote.h>

#include "support.h"

#define REPLY 300000

struct place {
	char dir[64];
	char socket[108];
	pid_t server;
};

/* Answers "ping" with REPLY bytes at once, and the end of what it is sent with "bye". */
static void serve(int listener)
{
	static char reply[REPLY];
	char text[64];
	int peer;

	memset(reply, 'x', sizeof(reply));
	for (;;) {
		peer = accept(listener, NULL, NULL);
		if (peer < 0)
			_exit(1);
		if (recv(peer, text, 4, MSG_WAITALL) == 4 && memcmp(text, "ping", 4) == 0)
			send(peer, reply, sizeof(reply), MSG_NOSIGNAL);
		while (recv(peer, text, sizeof(text), 0) > 0)
			continue;
		send(peer, "bye", 3, MSG_NOSIGNAL);
		close(peer);
	}
}

static int place_setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct place *place = calloc(1, sizeof(*place));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	*state = place;
	snprintf(place->dir, sizeof(place->dir), "/tmp/test_bridge.XXXXXX");
	if (!mkdtemp(place->dir))
		return -1;
	snprintf(place->socket, sizeof(place->socket), "%s/.s.PGSQL.5432", place->dir);
	strcpy(address.sun_path, place->socket);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
		return -1;
	place->server = fork();
	if (place->server == 0)
		serve(fd);
	close(fd);
	return 0;
}

static int place_teardown(void **state)
{
	struct place *place = *state;
	char command[128];

	kill(place->server, SIGKILL);
	waitpid(place->server, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", place->dir);
	free(place);
	return system(command);
}

/* A PATH with a shell, grep and one more program; false where that is not installed. */
static bool make_path(const struct place *place, const char *tool)
{
	char command[512];

	snprintf(command, sizeof(command),
		"rm -rf %s/bin && mkdir %s/bin && ln -s /bin/sh /bin/grep %s/bin/ && "
		"{ [ -z '%s' ] || { [ -x /usr/bin/%s ] && ln -s /usr/bin/%s %s/bin/; } || "
		"{ [ -x /bin/%s ] && ln -s /bin/%s %s/bin/; }; }",
		place->dir, place->dir, place->dir, tool, tool, tool, place->dir, tool, tool,
		place->dir);
	return system(command) == 0;
}

/* The bridge's exit status; its output is counted. Its input is "ping", then the end. */
static int bridge(const struct place *place, const char *path, size_t *received)
{
	struct buf line = BUF_INIT, command = BUF_INIT;
	char bytes[4096];
	size_t n;
	FILE *pipe;

	host_bridge_command(path, &line);
	buf_printf(&command, "printf ping | { PATH=%s/bin; export PATH; ", place->dir);
	buf_add(&command, line.data, line.len);
	buf_add_str(&command, "; }");
	pipe = popen(buf_str(&command), "r");
	assert_non_null(pipe);
	*received = 0;
	while ((n = fread(bytes, 1, sizeof(bytes), pipe)) > 0)
		*received += n;
	buf_fini(&line);
	buf_fini(&command);
	return WEXITSTATUS(pclose(pipe));
}

static void bridge_joins_with_each_program(void **state)
{
	static const char *const tools[] = { "perl", "python3", "socat", "nc" };
	const struct place *place = *state;
	size_t i, received, tried = 0;
	int status;

	for (i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		if (!make_path(place, tools[i])) {
			print_message("%s is not installed\n", tools[i]);
			continue;
		}
		status = bridge(place, place->socket, &received);
		if (status == 92 && strcmp(tools[i], "nc") == 0)
			continue; /* one that knows no sockets */
		tried++;
		if (status != 0 || received != REPLY + 3)
			fail_msg("%s: status %d, %zu bytes", tools[i], status, received);
	}
	assert_true(tried > 0);
}

static void expect_refusal(const struct place *place, const char *path, const char *words)
{
	struct err err = { ERR_OK, "" };
	size_t received;
	int status = bridge(place, path, &received);

	assert_int_not_equal(status, 0);
	host_bridge_explain(status, path, &err);
	assert_int_equal(err.code, ERR_CONNECT);
	if (!strstr(err.text, words) || !strstr(err.text, path))
		fail_msg("status %d, no \"%s\" in: %s", status, words, err.text);
}

static void bridge_says_why_not(void **state)
{
	struct place *place = *state;
	char path[128];

	make_path(place, "");
	expect_refusal(place, place->socket, "has none of socat");
	snprintf(path, sizeof(path), "%s/it's; exit 0", place->dir);
	expect_refusal(place, path, "there is no socket");
	assert_true(make_path(place, "perl"));
	kill(place->server, SIGKILL);
	waitpid(place->server, NULL, 0);
	expect_refusal(place, place->socket, "no PostgreSQL listens");
}

/* As a user who may not: root may all. */
static void bridge_says_who_may_not(void **state)
{
	const struct place *place = *state;
	struct buf line = BUF_INIT, command = BUF_INIT;
	struct err err = { ERR_OK, "" };
	int status;

	if (geteuid() != 0)
		skip();
	host_bridge_command(place->socket, &line);
	buf_add_str(&command, "setpriv --reuid=65534 --regid=65534 --clear-groups ");
	buf_add(&command, line.data, line.len);
	buf_add_str(&command, " </dev/null");
	/* neither the directory nor, where that is open, the socket */
	status = WEXITSTATUS(system(buf_str(&command)));
	host_bridge_explain(status, place->socket, &err);
	assert_non_null(strstr(err.text, "may not connect"));
	chmod(place->dir, 0711);
	chmod(place->socket, 0600);
	err.text[0] = '\0';
	status = WEXITSTATUS(system(buf_str(&command)));
	host_bridge_explain(status, place->socket, &err);
	assert_non_null(strstr(err.text, "may not connect"));
	buf_fini(&line);
	buf_fini(&command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bridge_joins_with_each_program),
		TEST(bridge_says_why_not),
		TEST(bridge_says_who_may_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
