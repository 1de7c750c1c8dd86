/*
 * Talking to ssh-agent over its socket: one request, one answer. Owns the socket and the list.
 */
#include <pgoncall/ssh/agent.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/ssh/wait.h>
#include <pgoncall/ssh/wire.h>

/* Message numbers of the agent protocol. */
enum {
	AGENT_REQUEST_IDENTITIES = 11,
	AGENT_IDENTITIES_ANSWER = 12,
	AGENT_SIGN_REQUEST = 13,
	AGENT_SIGN_RESPONSE = 14
};

#define AGENT_MESSAGE_MAX (256 * 1024) /* as OpenSSH's client */
#define AGENT_KEYS_MAX    2048

static int agent_connect(const char *path, const struct ssh_wait *wait, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ERR_SYSTEM, "the path of its socket is too long");
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_system(err, errno, "cannot make a socket");
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		/* EAGAIN: its backlog is full; there is nothing to poll for. */
		if (errno == EAGAIN || errno == EINTR) {
			struct ssh_wait pause = *wait;

			if (wait_left_ms(wait) > 0) {
				wait_set(&pause, 20);
				if (wait_fd(&pause, -1, 0, err) == 0 || !err ||
					err->code != ERR_CANCELLED)
					continue;
			}
		} else {
			err_system(err, errno, "no agent answers at %s", path);
		}
		close(fd);
		return -1;
	}
	return fd;
}

static int agent_transfer(
	int fd, void *bytes, size_t len, short events, const struct ssh_wait *wait, struct err *err)
{
	unsigned char *at = bytes;
	ssize_t n;

	while (len) {
		n = events == POLLOUT ? send(fd, at, len, MSG_NOSIGNAL) : recv(fd, at, len, 0);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n == 0) {
			return err_set(err, ERR_SYSTEM, "the agent hung up");
		} else if (errno == EAGAIN) {
			if (wait_fd(wait, fd, events, err) < 0)
				return -1;
		} else if (errno != EINTR) {
			return err_system(err, errno, "the agent's socket broke");
		}
	}
	return 0;
}

/* Sends what request holds and replaces *answer by the message that comes back. */
static int agent_ask(struct agent *agent, const struct buf *request, struct buf *answer,
	const struct ssh_wait *wait, struct err *err)
{
	struct buf framed = BUF_INIT;
	struct wire wire;
	unsigned char head[4];
	uint32_t len;
	int rc = -1;

	wire_add_string(&framed, request->data, request->len);
	if (agent_transfer(agent->fd, framed.data, framed.len, POLLOUT, wait, err) < 0 ||
		agent_transfer(agent->fd, head, sizeof(head), POLLIN, wait, err) < 0)
		goto out;
	wire = wire_from(head, sizeof(head));
	len = wire_u32(&wire);
	if (len == 0 || len > AGENT_MESSAGE_MAX) {
		err_set(err, ERR_SYSTEM, "the agent's answer makes no sense");
		goto out;
	}
	buf_clear(answer);
	buf_reserve(answer, len);
	rc = agent_transfer(agent->fd, answer->data, len, POLLIN, wait, err);
	if (rc == 0)
		answer->len = len;
out:
	buf_fini(&framed);
	return rc;
}

static int agent_list(struct agent *agent, const struct ssh_wait *wait, struct err *err)
{
	struct buf request = BUF_INIT, answer = BUF_INIT;
	struct wire wire;
	const unsigned char *blob, *comment;
	size_t len, comment_len;
	uint32_t n = 0;
	int rc;

	buf_add_char(&request, AGENT_REQUEST_IDENTITIES);
	rc = agent_ask(agent, &request, &answer, wait, err);
	wire = wire_from(answer.data, rc == 0 ? answer.len : 0);
	if (rc == 0 && wire_u8(&wire) != AGENT_IDENTITIES_ANSWER)
		rc = err_set(err, ERR_SYSTEM, "the agent refuses to list its keys");
	if (rc == 0)
		n = wire_u32(&wire);
	if (n > AGENT_KEYS_MAX)
		n = 0;
	agent->keys = n ? mem_calloc(n, sizeof(*agent->keys)) : NULL;
	while (agent->n < n) {
		struct agent_key *key = &agent->keys[agent->n];

		blob = wire_string(&wire, &len);
		comment = wire_string(&wire, &comment_len);
		if (wire.bad)
			break;
		buf_add(&key->blob, blob, len);
		key->comment = mem_strndup((const char *)comment, comment_len);
		wire_key_type(blob, len, key->type, sizeof(key->type));
		agent->n++;
	}
	buf_fini(&request);
	buf_fini(&answer);
	return rc;
}

int agent_open(struct agent *agent, const char *path, const struct ssh_wait *wait, struct err *err)
{
	memset(agent, 0, sizeof(*agent));
	agent->fd = agent_connect(path, wait, err);
	return agent->fd < 0 ? -1 : agent_list(agent, wait, err);
}

void agent_close(struct agent *agent)
{
	size_t i;

	for (i = 0; i < agent->n; i++) {
		buf_fini(&agent->keys[i].blob);
		free(agent->keys[i].comment);
	}
	free(agent->keys);
	if (agent->fd >= 0)
		close(agent->fd);
	memset(agent, 0, sizeof(*agent));
	agent->fd = -1;
}

int agent_sign(struct agent *agent, const struct agent_key *key, const void *data, size_t len,
	uint32_t flags, const struct ssh_wait *wait, struct buf *signature, struct err *err)
{
	struct buf request = BUF_INIT, answer = BUF_INIT;
	struct wire wire, inner;
	const unsigned char *bytes;
	size_t n;
	int rc;

	buf_add_char(&request, AGENT_SIGN_REQUEST);
	wire_add_string(&request, key->blob.data, key->blob.len);
	wire_add_string(&request, data, len);
	wire_add_u32(&request, flags);
	rc = agent_ask(agent, &request, &answer, wait, err);
	if (rc == 0) {
		wire = wire_from(answer.data, answer.len);
		if (wire_u8(&wire) != AGENT_SIGN_RESPONSE) {
			rc = err_set(err, ERR_AUTH, "the agent refused to sign");
		} else {
			bytes = wire_string(&wire, &n);
			inner = wire_from(bytes, n);
			wire_string(&inner, &n); /* the method's name */
			bytes = wire_string(&inner, &n);
			if (bytes)
				buf_add(signature, bytes, n);
			else
				rc = err_set(err, ERR_AUTH, "the agent's signature makes no sense");
		}
	}
	buf_fini(&request);
	buf_fini(&answer);
	return rc;
}
