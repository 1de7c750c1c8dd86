/*
 * Unix sockets on the far side, over both transports against a real sshd.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/un.h>

#include "openssh_fixture.h"

static const enum ssh_transport_kind kinds[] = { SSH_TRANSPORT_LIBSSH2, SSH_TRANSPORT_OPENSSH };

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Our end of a stream to the path; *outcome collects its end. */
static int dial(struct chosen *chosen, const char *path, struct command *outcome)
{
	int pair[2];

	memset(outcome, 0, sizeof(*outcome));
	assert_int_equal(loop_socketpair(pair, NULL), 0);
	chosen->client.transport->ops->dial(
		chosen->client.transport, path, 0, pair[1], command_on_done, outcome);
	return pair[0];
}

/* Sends from one end and reads at the other. */
static void pass(struct client *client, int from, int to, const char *word)
{
	char text[32] = "";
	ssize_t n = -1;

	assert_int_equal(send(from, word, strlen(word), 0), (ssize_t)strlen(word));
	loop_set_nonblocking(to, NULL);
	WAIT_FOR(client, (n = read(to, text, sizeof(text) - 1)) > 0);
	assert_string_equal(text, word);
}

static void expect_talk(struct chosen *chosen, int listener, const char *path)
{
	struct client *client = &chosen->client;
	struct command outcome;
	int fd = dial(chosen, path, &outcome), peer;
	char byte;

	assert_int_equal(send(fd, "first ", 6, 0), 6);
	WAIT_FOR(client, (peer = accept(listener, NULL, NULL)) >= 0);
	loop_set_nonblocking(peer, NULL);
	WAIT_FOR(client, recv(peer, &byte, 1, MSG_PEEK) == 1);
	assert_int_equal(read(peer, (char[16]){ 0 }, 6), 6);
	pass(client, fd, peer, "ping");
	pass(client, peer, fd, "pong");
	close(peer);
	WAIT_FOR(client, read(fd, &byte, 1) == 0);
	close(fd);
	WAIT_FOR(client, outcome.done);
	assert_int_equal(outcome.why.code, ERR_OK);
	assert_int_equal(outcome.status, 0);
}

/* Several at once, and one after another: the system's ssh is asked to forward only once. */
static void sockets_are_dialled(void **state)
{
	char path[128];
	size_t i;
	int listener;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct chosen chosen;

		snprintf(path, sizeof(path), "%s/.s.PGSQL.%zu", dir, 5432 + i);
		listener = listen_at(path);
		chosen_connect(&chosen, kinds[i], "target");
		expect_talk(&chosen, listener, path);
		expect_talk(&chosen, listener, path);
		chosen_close(&chosen);
		close(listener);
		assert_int_equal(count_dirs(), 0);
	}
}

static void expect_refusal(struct chosen *chosen, const char *path, const char *words)
{
	struct command outcome;
	int fd = dial(chosen, path, &outcome);
	char byte;

	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	loop_set_nonblocking(fd, NULL);
	WAIT_FOR(&chosen->client, read(fd, &byte, 1) == 0 || errno != EAGAIN);
	close(fd);
	WAIT_FOR(&chosen->client, outcome.done);
	assert_int_equal(outcome.done, 1);
	assert_int_equal(outcome.why.code, ERR_CONNECT);
	assert_int_equal(outcome.status, -1);
	if (!strstr(outcome.why.text, words) || !strstr(outcome.why.text, path))
		fail_msg("no \"%s\" in: %s", words, outcome.why.text);
	assert_int_equal(chosen->client.down, 0);
}

static void sockets_that_are_not_there_are_told(void **state)
{
	char path[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct chosen chosen;

		chosen_connect(&chosen, kinds[i], "target");
		snprintf(path, sizeof(path), "%s/none", dir);
		expect_refusal(&chosen, path, "does not take connections");
		expect_refusal(&chosen, path, "does not take connections");
		chosen_close(&chosen);
	}
}

/* ssh would take parts of such a path for something else: it is never given one. */
static void sockets_with_odd_names_are_not_asked_of_ssh(void **state)
{
	static const char *const odd[] = { "/tmp/a:b", "/tmp/%h", "/tmp/${HOME}", "/tmp/a b" };
	struct chosen chosen;
	size_t i;

	(void)state;
	chosen_connect(&chosen, SSH_TRANSPORT_OPENSSH, "target");
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		expect_refusal(&chosen, odd[i], "characters that ssh takes");
	chosen_close(&chosen);
}

static void socket_closes_with_the_transport(void **state)
{
	struct chosen chosen;
	struct command outcome;
	char path[128];
	size_t i;
	int fd, listener;

	(void)state;
	snprintf(path, sizeof(path), "%s/closing", dir);
	listener = listen_at(path);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		chosen_connect(&chosen, kinds[i], "target");
		fd = dial(&chosen, path, &outcome); /* before its forward is there */
		chosen.client.transport->ops->close(chosen.client.transport);
		assert_int_equal(outcome.done, 1);
		assert_int_equal(outcome.why.code, ERR_CANCELLED);
		chosen.closed = true;
		chosen_close(&chosen);
		close(fd);
	}
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_are_dialled),
		cmocka_unit_test(sockets_that_are_not_there_are_told),
		cmocka_unit_test(sockets_with_odd_names_are_not_asked_of_ssh),
		cmocka_unit_test(socket_closes_with_the_transport),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
