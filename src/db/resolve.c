/*
 * Looks a host name up on a worker thread. Frees itself when the look-up has ended, wanted or not.
 */
#include "resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <pgoncall/base/mem.h>

struct resolve {
	char *host;
	struct addrinfo *found; /* set by the worker */
	int status;             /* of getaddrinfo */
	resolve_cb cb;          /* NULL: stopped */
	void *arg;
};

bool resolve_is_name(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (str_empty(host) || host[0] == '/' || host[0] == '@' || strchr(host, ','))
		return false;
	return inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

static void resolve_work(void *arg)
{
	struct resolve *resolve = arg;
	struct addrinfo hints;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	resolve->status = getaddrinfo(resolve->host, NULL, &hints, &resolve->found);
}

static void resolve_done(void *arg)
{
	struct resolve *resolve = arg;
	struct strlist addresses;
	struct addrinfo *one;
	char text[INET6_ADDRSTRLEN + 16];
	struct err err;

	strlist_init(&addresses);
	for (one = resolve->found; one && resolve->status == 0; one = one->ai_next)
		if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), NULL, 0,
			    NI_NUMERICHOST) == 0)
			strlist_add(&addresses, text);
	if (resolve->cb && addresses.n)
		resolve->cb(resolve->arg, &addresses, NULL);
	else if (resolve->cb) {
		err_set(&err, ERR_RESOLVE, "no address is known for %s: %s; check db_host",
			resolve->host, gai_strerror(resolve->status));
		resolve->cb(resolve->arg, &addresses, &err);
	}
	strlist_fini(&addresses);
	if (resolve->found)
		freeaddrinfo(resolve->found);
	free(resolve->host);
	free(resolve);
}

struct resolve *resolve_start(struct loop *loop, const char *host, resolve_cb cb, void *arg)
{
	struct resolve *resolve = mem_calloc(1, sizeof(*resolve));

	resolve->host = mem_strdup(host);
	resolve->cb = cb;
	resolve->arg = arg;
	loop_work(loop, resolve_work, resolve_done, resolve);
	return resolve;
}

void resolve_stop(struct resolve *resolve)
{
	if (resolve)
		resolve->cb = NULL;
}
