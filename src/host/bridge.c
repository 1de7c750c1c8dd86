/*
 * The text of the bridge to a socket, and the meaning of its exit statuses. Runs nothing.
 */
#include <pgoncall/host/bridge.h>

#include <stddef.h>

#include <pgoncall/host/quote.h>

/* Statuses of the script's own, where no program that it runs has any. */
enum {
	BRIDGE_ABSENT = 90,  /* no such socket */
	BRIDGE_DENIED = 91,  /* we may not connect */
	BRIDGE_NO_TOOL = 92, /* none of the programs is there */
	BRIDGE_REFUSED = 93, /* a socket without a server */
	BRIDGE_FAILED = 1,   /* of socat and nc: most likely the same */
};

/* $1 is the path. What socat and nc say of a failure is no use, so the socket is looked at first. Of
 * the path they take only what is no separator to them. */
static const char bridge_script[] =
	"[ ! -d \"${1%/*}\" ] || [ -x \"${1%/*}\" ] || exit 91\n"
	"[ -S \"$1\" ] || exit 90\n"
	"[ -w \"$1\" ] || exit 91\n"
	"has() { command -v \"$1\" >/dev/null 2>&1; }\n"
	"has perl && perl -MSocket -e 1 2>/dev/null && exec perl -MSocket -e '\n"
	"socket(S, PF_UNIX, SOCK_STREAM, 0) && connect(S, sockaddr_un($ARGV[0])) or exit 93;\n"
	"sub pass {\n"
	"    my ($from, $to) = @_;\n"
	"    my ($bytes, $n, $at);\n"
	"    while (sysread($from, $bytes, 65536)) {\n"
	"        for ($at = 0; $at < length $bytes; $at += $n) {\n"
	"            defined($n = syswrite($to, $bytes, length($bytes) - $at, $at)) or return;\n"
	"        }\n"
	"    }\n"
	"}\n"
	"defined(my $up = fork) or exit 94;\n"
	"if (!$up) { pass(*STDIN, *S); shutdown(S, 1); exit 0 }\n"
	"pass(*S, *STDOUT);\n"
	"kill 9, $up;\n"
	"' \"$1\"\n"
	"has python3 && python3 -c '' 2>/dev/null && exec python3 -c '\n"
	"import os, socket, sys, threading\n"
	"s = socket.socket(socket.AF_UNIX)\n"
	"try:\n"
	"    s.connect(sys.argv[1])\n"
	"except OSError:\n"
	"    sys.exit(93)\n"
	"def up():\n"
	"    b = os.read(0, 65536)\n"
	"    while b:\n"
	"        s.sendall(b)\n"
	"        b = os.read(0, 65536)\n"
	"    s.shutdown(socket.SHUT_WR)\n"
	"threading.Thread(target=up, daemon=True).start()\n"
	"b = s.recv(65536)\n"
	"while b:\n"
	"    while b:\n"
	"        b = b[os.write(1, b):]\n"
	"    b = s.recv(65536)\n"
	"os._exit(0)\n"
	"' \"$1\"\n"
	"case $1 in *[!A-Za-z0-9._/-]*) exit 92 ;; esac\n"
	"has socat && exec socat -t 5 - \"UNIX-CONNECT:$1\" 2>/dev/null\n"
	"nc_has() { nc -h 2>&1 | grep -q -- \"-[A-Za-z]*$1\"; }\n"
	"n=; has nc && nc_has U && { ! nc_has N || n=-N; exec nc $n -U \"$1\" 2>/dev/null; }\n"
	"exit 92\n";

void host_bridge_command(const char *path, struct buf *out)
{
	host_command_add_argv(
		out, (const char *const[]){ "sh", "-c", bridge_script, "sh", path, NULL });
}

void host_bridge_explain(int status, const char *path, struct err *err)
{
	switch (status) {
	case BRIDGE_ABSENT:
		err_set(err, ERR_CONNECT,
			"there is no socket %s on the host: check that PostgreSQL runs there, and "
			"db_host and db_port",
			path);
		break;
	case BRIDGE_DENIED:
		err_set(err, ERR_CONNECT,
			"the SSH user may not connect to the socket %s: check unix_socket_group "
			"and "
			"unix_socket_permissions there, or set db_host to an address",
			path);
		break;
	case BRIDGE_NO_TOOL:
		err_set(err, ERR_CONNECT,
			"the socket %s cannot be reached: sshd there forwards to no socket, and "
			"the "
			"host has none of socat, nc -U, python3 and perl; allow "
			"AllowStreamLocalForwarding there, or set db_host to an address",
			path);
		break;
	case BRIDGE_REFUSED:
	case BRIDGE_FAILED:
		err_set(err, ERR_CONNECT,
			"no PostgreSQL listens at the socket %s: check that it runs, and db_host "
			"and "
			"db_port",
			path);
		break;
	default:
		err_set(err, ERR_CONNECT,
			"the command that joins us with the socket %s ended with status %d", path,
			status);
		break;
	}
}
