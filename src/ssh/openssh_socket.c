/*
 * Unix sockets on the far side, over the system's ssh: a client process asks the master to forward a
 * socket in our directory (0700) to that path; every stream to it is then a connection to our own
 * socket. (`ssh -W` takes no path before OpenSSH 9.4.) Whether the far side has such a socket shows
 * only at a stream's first byte: openssh_stream.c's matter.
 */
#include "openssh_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/loop/loop.h>

/* All others would have to pass ssh's escapes, tokens and variables. */
#define FORWARD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=,@"

static void forward_free(struct openssh_forward *forward)
{
	struct openssh_forward **at = &forward->ssh->forwards;

	while (*at != forward)
		at = &(*at)->next;
	*at = forward->next;
	if (forward->child) {
		loop_child_kill(forward->child, SIGKILL);
		loop_child_forget(forward->child);
	}
	unlink(forward->log);
	free(forward->path);
	free(forward);
}

void openssh_forwards_free(struct openssh *ssh)
{
	while (ssh->forwards)
		forward_free(ssh->forwards);
}

static void forward_on_exit(struct loop_child *child, int status, void *arg)
{
	struct openssh_forward *forward = arg;
	struct openssh *ssh = forward->ssh;
	struct err err = { ERR_OK, "" };

	(void)child;
	openssh_enter(ssh);
	forward->child = NULL;
	forward->ready = status == 0;
	if (!forward->ready)
		err_set(&err, ERR_TRANSPORT,
			"the system's ssh could not be asked to forward to the socket %s on %s",
			forward->path, ssh->destination);
	openssh_streams_forwarded(ssh, forward, &err);
	/* The transport may have been closed meanwhile, and the forward with it. */
	if (err.code && ssh->state == OPENSSH_UP)
		forward_free(forward);
	openssh_leave(ssh);
}

static int forward_ask(struct openssh_forward *forward, struct err *err)
{
	struct openssh *ssh = forward->ssh;
	char *both = mem_printf("%s:%s", forward->local, forward->path);
	const char *const argv[] = { "ssh", "-F", "none", "-S", ssh->socket, "-E", forward->log,
		"-o", "BatchMode=yes", "-o", "ProxyCommand=false", "-o", "ControlMaster=no", "-O",
		"forward", "-L", both, "--", ssh->destination, NULL };
	int rc = loop_child_start(ssh->loop, (char *const *)argv, (const int[3]){ -1, -1, -1 },
		forward_on_exit, forward, &forward->child, err);

	free(both);
	return rc;
}

struct openssh_forward *openssh_forward_to(struct openssh *ssh, const char *path, struct err *err)
{
	struct openssh_forward *forward;

	for (forward = ssh->forwards; forward; forward = forward->next)
		if (strcmp(forward->path, path) == 0)
			return forward;
	if (path[strspn(path, FORWARD_CHARS)]) {
		err_set(err, ERR_CONNECT,
			"the system's ssh is not asked to forward to the socket %s: its path has "
			"characters that ssh takes for something else",
			path);
		return NULL;
	}
	forward = mem_calloc(1, sizeof(*forward));
	forward->ssh = ssh;
	forward->path = mem_strdup(path);
	forward->next = ssh->forwards;
	ssh->forwards = forward;
	snprintf(forward->local, sizeof(forward->local), "%s/f%lu", ssh->dir, ssh->log_number);
	snprintf(forward->log, sizeof(forward->log), "%s/%lu", ssh->dir, ssh->log_number++);
	if (forward_ask(forward, err) == 0)
		return forward;
	forward_free(forward);
	return NULL;
}

int openssh_forward_connect(const struct openssh_forward *forward, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(forward->local) >= sizeof(address.sun_path))
		return err_set(
			err, ERR_SYSTEM, "the path %s is too long for a socket", forward->local);
	memcpy(address.sun_path, forward->local, strlen(forward->local));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	err_system(err, errno, "cannot connect to ssh's socket %s", forward->local);
	if (fd >= 0)
		close(fd);
	return -1;
}
