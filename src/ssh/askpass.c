/*
 * The asking end of askpass: one question to the socket, one answer to stdout. Nothing else of the
 * program runs in this process.
 */
#include <pgoncall/ssh/askpass.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

bool askpass_is_meant(void)
{
	return !str_empty(getenv(ASKPASS_SOCKET_ENV));
}

/* What kind of question it is, as ssh says in the environment (ssh-askpass's convention). */
static char askpass_kind(void)
{
	const char *hint = getenv("SSH_ASKPASS_PROMPT");

	if (str_equal(hint, "confirm"))
		return ASKPASS_CONFIRM;
	return str_equal(hint, "none") ? ASKPASS_NOTICE : ASKPASS_PROMPT;
}

static int askpass_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { 0, (uid_t)-1, (gid_t)-1 };
	socklen_t len = sizeof(peer);
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid())
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int askpass_write(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Reads to the end; the number of bytes, or -1. */
static ssize_t askpass_read(int fd, char *bytes, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n != 0 && len < size) {
		n = read(fd, bytes + len, size - len);
		if (n < 0 && errno != EINTR)
			return -1;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

int askpass_main(int argc, char **argv)
{
	const struct rlimit none = { 0, 0 };
	const char *question = argc > 1 ? argv[1] : "";
	char answer[ASKPASS_MAX + 2], kind = askpass_kind();
	size_t len = strlen(question);
	int fd, status = 1;
	ssize_t n = -1;

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	fd = askpass_connect(getenv(ASKPASS_SOCKET_ENV));
	if (fd < 0)
		return 1;
	if (len >= ASKPASS_MAX)
		len = ASKPASS_MAX - 1;
	if (askpass_write(fd, &kind, 1) == 0 && askpass_write(fd, question, len) == 0 &&
		askpass_write(fd, "", 1) == 0)
		n = askpass_read(fd, answer, sizeof(answer) - 1);
	if (n > 0 && answer[0] == ASKPASS_ANSWER) {
		answer[n] = '\n';
		if (askpass_write(STDOUT_FILENO, answer + 1, (size_t)n) == 0)
			status = 0;
	}
	mem_wipe(answer, sizeof(answer));
	close(fd);
	return status;
}
