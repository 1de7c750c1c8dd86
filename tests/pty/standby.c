/*
 * Owns the copy of the range's database and the server on it. The copying account is let in by lines
 * that are added to the range's access rules and taken away again. What a test program that was killed
 * has left is swept by the next.
 */
#include "standby.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#include "daemon.h"
#include "run.h"
#include "sandbox.h"

#define RULES                                                                                      \
	"VALUES ('host replication postgres all trust # standby of a test'),"                      \
	" ('local replication postgres trust # standby of a test')"

struct standby {
	struct range *range;
	char *dir; /* the standby's data is in dir/data, its socket and log beside it */
	char *library;
	pid_t server;
	int port;
	bool admitted; /* the rules stand */
};

/* The server runs the command in its data directory, with the rules as its input. */
static int rules_edit(struct range *r, const char *command, struct err *err)
{
	char *sql = mem_printf("COPY (" RULES ") TO PROGRAM '%s'", command);
	char *copied = range_psql(r, sql, err);
	char *loaded = copied == NULL ? NULL : range_psql(r, "SELECT pg_reload_conf()", err);
	int ret = loaded == NULL ? -1 : 0;

	free(loaded);
	free(copied);
	free(sql);
	return ret;
}

/* A port that nobody listens at now. */
static int port_find(struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int port = -1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		err_system(err, errno, "no free port for the standby");
	else
		port = ntohs(address.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

/* The server refuses root: the postgres account serves then, and ends with the test program. $1 is
 * the directory, $2 that of the server's programs, $3 whom to copy, $4 the port, $5 what gives the
 * server its clock (preload/machine.c). */
#define AS_SERVER                                                                                  \
	"as=; if [ \"$(id -u)\" = 0 ]; then chown postgres \"$1\";"                                \
	" as='setpriv --reuid=postgres --regid=postgres --init-groups --pdeathsig=KILL --'; fi\n"
static const char sweep_script[] =
	"for dir in $(find /tmp -maxdepth 1 -type d -name 'pgoncall-standby.*.*'"
	" \\( -user postgres -o -user \"$(id -un)\" \\)); do"
	" pid=${dir#*.}; [ -d \"/proc/${pid%.*}\" ] || rm -rf \"$dir\"; done";
static const char copy_script[] = AS_SERVER
	"cd \"$1\"\n"
	"for i in $(seq 20); do"
	" $as \"$2/pg_basebackup\" -D \"$1/data\" -R -X stream -c fast -d \"$3\" 2>\"$1/copy.log\""
	" && exit; rm -rf \"$1/data\"; sleep 0.1; done; cat \"$1/copy.log\" >&2; exit 1";
static const char serve_script[] = AS_SERVER
	"export LD_PRELOAD=\"$5\" PGONCALL_TEST_MACHINE=\"$1\"\n"
	"cd \"$1\"; exec $as \"$2/postgres\" -D \"$1/data\" -p \"$4\" -c listen_addresses=127.0.0.1"
	" -c \"unix_socket_directories=$1\"";
static const char ready_script[] =
	"for i in $(seq 200); do"
	" \"$2/psql\" -XqAt -h \"$1\" -p \"$4\" -U postgres -d postgres"
	" -c 'SELECT pg_is_in_recovery()' 2>/dev/null | grep -qx t && exit 0;"
	" sleep 0.05; done; cat \"$1/server.log\" >&2; exit 1";

/* Words for a shell that runs the script. */
struct words {
	const char *argv[10];
	char port[16];
};

static void words_fill(struct words *words, const struct standby *s, const char *script)
{
	const char *const argv[10] = { "sh", "-ec", script, "sh", s->dir,
		range_value(s->range, "PG_BIN"), range_value(s->range, "ADMIN_CONNINFO"),
		words->port, s->library, NULL };

	snprintf(words->port, sizeof(words->port), "%d", s->port);
	memcpy(words->argv, argv, sizeof(argv));
}

static int script_run(const struct standby *s, const char *script, struct err *err)
{
	struct words words;
	struct run_options options = { .argv = words.argv };
	struct run_result result;
	int ret;

	words_fill(&words, s, script);
	ret = run_program(&options, &result, err);
	if (ret == 0 && result.status != 0)
		ret = err_set(err, ERR_COMMAND, "no standby: %s", buf_str(&result.err));
	run_result_fini(&result);
	return ret;
}

static int standby_start(struct standby *s, struct err *err)
{
	struct words words;
	char *log;

	s->port = port_find(err);
	if (s->port < 0 || rules_edit(s->range, "cat >>pg_hba.conf", err) < 0)
		return -1;
	s->admitted = true;
	if (script_run(s, sweep_script, err) < 0 || script_run(s, copy_script, err) < 0)
		return -1;
	words_fill(&words, s, serve_script);
	log = mem_printf("%s/server.log", s->dir);
	s->server = daemon_start(words.argv, -1, log, err);
	free(log);
	return s->server < 0 ? -1 : script_run(s, ready_script, err);
}

struct standby *standby_new(struct range *r, struct err *err)
{
	struct standby *s = mem_calloc(1, sizeof(*s));

	s->range = r;
	s->library = sandbox_built("pty/machine-plain.so");
	s->dir = mem_printf("/tmp/pgoncall-standby.%d.XXXXXX", (int)getpid());
	if (mkdtemp(s->dir) == NULL) {
		err_system(err, errno, "cannot make %s", s->dir);
		s->dir[0] = '\0';
	} else if (standby_start(s, err) == 0) {
		return s;
	}
	standby_free(s);
	return NULL;
}

void standby_free(struct standby *s)
{
	struct err err = { 0 };

	if (s == NULL)
		return;
	daemon_stop(s->server);
	if (s->admitted &&
		rules_edit(s->range, "sed -i \"/standby of a test/d\" pg_hba.conf", &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	if (s->dir[0] != '\0' && script_run(s, "rm -rf \"$1\"", &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	free(s->library);
	free(s->dir);
	free(s);
}

void standby_set_clock(const struct standby *s, int behind_s)
{
	char *path = mem_printf("%s/behind", s->dir);
	FILE *file = fopen(path, "w");

	if (file == NULL)
		abort();
	fprintf(file, "%d", behind_s);
	fclose(file);
	if (chmod(path, 0644) < 0)
		abort();
	free(path);
}

int standby_port(const struct standby *s)
{
	return s->port;
}
