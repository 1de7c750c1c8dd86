/*
 * Connecting by TCP. Owns the look-up, which runs on a thread of its own because getaddrinfo(3)
 * cannot be stopped: a worker that gives up leaves it to end by itself.
 */
#include <pgoncall/ssh/connect.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/ssh/wait.h>

#define CONNECT_USER_TIMEOUT_MS 10000
/* A dead address among several gets at least this long. */
#define CONNECT_SHARE_MS 2000

struct lookup {
	pthread_mutex_t lock; /* guards refs and what is below */
	int refs;             /* the thread's and the waiting worker's */
	char *host;
	char port[8];
	int family;
	int done_fd; /* an eventfd */
	int rc;
	int rc_errno;
	struct addrinfo *result;
};

static void lookup_unref(struct lookup *lookup)
{
	int left;

	pthread_mutex_lock(&lookup->lock);
	left = --lookup->refs;
	pthread_mutex_unlock(&lookup->lock);
	if (left)
		return;
	if (lookup->result)
		freeaddrinfo(lookup->result);
	close(lookup->done_fd);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup->host);
	free(lookup);
}

static void *lookup_run(void *arg)
{
	struct lookup *lookup = arg;
	struct addrinfo hints, *result = NULL;
	int rc, rc_errno;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = lookup->family;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICSERV;
	rc = getaddrinfo(lookup->host, lookup->port, &hints, &result);
	rc_errno = errno;
	pthread_mutex_lock(&lookup->lock);
	lookup->rc = rc;
	lookup->rc_errno = rc_errno;
	lookup->result = rc ? NULL : result;
	pthread_mutex_unlock(&lookup->lock);
	eventfd_write(lookup->done_fd, 1);
	lookup_unref(lookup);
	return NULL;
}

static int lookup_explain(const struct lookup *lookup, struct err *err)
{
	const char *why =
		lookup->rc == EAI_SYSTEM ? strerror(lookup->rc_errno) : gai_strerror(lookup->rc);

	return err_set(err, ERR_RESOLVE,
		"cannot find the address of %s: %s; check the name in the target's ssh setting and "
		"in ssh's configuration, and this machine's DNS",
		lookup->host, why);
}

/* 0 with lookup->result, which is the lookup's. */
static int lookup_wait(struct lookup *lookup, const struct ssh_wait *wait, struct err *err)
{
	struct err why = { ERR_OK, "" };
	int rc;

	if (wait_fd(wait, lookup->done_fd, POLLIN, &why) < 0) {
		if (why.code != ERR_TIMEOUT)
			return err_set(err, why.code, "%s", why.text);
		return err_set(err, ERR_RESOLVE,
			"the look-up of %s did not end in time; check this machine's DNS",
			lookup->host);
	}
	pthread_mutex_lock(&lookup->lock);
	rc = lookup->rc;
	pthread_mutex_unlock(&lookup->lock);
	return rc ? lookup_explain(lookup, err) : 0;
}

static int lookup_start(
	struct lookup **started, const char *host, int port, int family, struct err *err)
{
	struct lookup *lookup = mem_calloc(1, sizeof(*lookup));
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	lookup->host = mem_strdup(host);
	snprintf(lookup->port, sizeof(lookup->port), "%d", port);
	lookup->family = family;
	lookup->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	lookup->refs = 2;
	pthread_mutex_init(&lookup->lock, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = lookup->done_fd < 0 ? errno : pthread_create(&thread, &attr, lookup_run, lookup);
	pthread_attr_destroy(&attr);
	if (rc) {
		lookup->refs = 1;
		lookup_unref(lookup);
		return err_system(err, rc, "cannot look up %s", host);
	}
	*started = lookup;
	return 0;
}

static void connect_set_options(int fd)
{
	int on = 1, timeout = CONNECT_USER_TIMEOUT_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

static int connect_one(
	const struct addrinfo *ai, const struct ssh_wait *wait, int *errnum, struct err *err)
{
	socklen_t len = sizeof(*errnum);
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*errnum = 0;
	if (fd < 0) {
		*errnum = errno;
		return -1;
	}
	connect_set_options(fd);
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0 && errno != EINPROGRESS) {
		*errnum = errno;
	} else if (wait_fd(wait, fd, POLLOUT, err) < 0) {
		*errnum = ETIMEDOUT;
	} else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, errnum, &len) < 0) {
		*errnum = errno;
	}
	if (*errnum == 0)
		return fd;
	close(fd);
	return -1;
}

static int connect_explain(
	const char *host, int port, const struct addrinfo *ai, int errnum, struct err *err)
{
	char address[INET6_ADDRSTRLEN] = "?";

	getnameinfo(ai->ai_addr, ai->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
	if (errnum == ETIMEDOUT)
		return err_set(err, ERR_TIMEOUT,
			"%s:%d (%s) did not answer in time; check the network, the VPN and "
			"firewalls",
			host, port, address);
	if (errnum == ECONNREFUSED)
		return err_set(err, ERR_CONNECT,
			"nothing listens at %s:%d (%s): connection refused; check host and port, "
			"and "
			"whether sshd runs there",
			host, port, address);
	return err_set(err, ERR_CONNECT, "cannot connect to %s:%d (%s): %s; check the network",
		host, port, address, strerror(errnum));
}

static int connect_any(const struct addrinfo *list, const char *host, int port,
	const struct ssh_wait *wait, struct err *err)
{
	const struct addrinfo *ai, *last = list;
	struct err why = { ERR_OK, "" };
	int fd = -1, errnum = ETIMEDOUT, left = 0;

	for (ai = list; ai; ai = ai->ai_next)
		left++;
	for (ai = list; ai && fd < 0; ai = ai->ai_next, left--) {
		struct ssh_wait share = *wait;
		int ms = wait_left_ms(wait) / left;

		if (wait_left_ms(wait) == 0)
			break;
		if (ms < CONNECT_SHARE_MS && ms < wait_left_ms(wait))
			ms = wait_left_ms(wait) < CONNECT_SHARE_MS ? wait_left_ms(wait)
								   : CONNECT_SHARE_MS;
		wait_set(&share, ms);
		last = ai;
		fd = connect_one(ai, &share, &errnum, &why);
		if (fd < 0 && why.code == ERR_CANCELLED)
			return err_set(err, why.code, "%s", why.text);
	}
	return fd >= 0 ? fd : connect_explain(host, port, last, errnum, err);
}

int connect_tcp(
	const char *host, int port, int family, const struct ssh_wait *wait, struct err *err)
{
	struct lookup *lookup = NULL;
	int fd;

	if (lookup_start(&lookup, host, port, family, err) < 0)
		return -1;
	fd = lookup_wait(lookup, wait, err);
	if (fd == 0)
		fd = connect_any(lookup->result, host, port, wait, err);
	lookup_unref(lookup);
	return fd;
}
