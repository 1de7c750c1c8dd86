/*
 * Owns the psql processes of held sessions and the pipe they wait at.
 */
#include "sessions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>

#include "daemon.h"

struct sessions {
	int pipe[2]; /* they read from [0]; nothing is ever written */
	pid_t *pids;
	size_t n;
};

struct sessions *sessions_open(struct range *r, const char *conninfo, const char *name, size_t n,
	const char *log, struct err *err)
{
	/* What the server turns away comes again. */
	static const char script[] = "until env \"$1\" \"$2\" -XqAt -d \"$3\"; do sleep 0.2; done";
	struct sessions *s = mem_calloc(1, sizeof(*s));
	char *psql = mem_printf("%s/psql", range_value(r, "PG_BIN"));
	char *where = mem_printf("%s application_name=%s", conninfo, name);
	char *passfile = mem_printf("PGPASSFILE=%s", range_value(r, "PGPASSFILE"));
	const char *argv[] = { "sh", "-c", script, "sh", passfile, psql, where, NULL };

	s->pids = mem_calloc(n, sizeof(*s->pids));
	s->pipe[0] = s->pipe[1] = -1;
	if (pipe2(s->pipe, O_CLOEXEC) != 0)
		err_system(err, errno, "cannot make a pipe");
	for (; s->pipe[0] >= 0 && s->n < n; s->n++) {
		s->pids[s->n] = daemon_start(argv, s->pipe[0], log, err);
		if (s->pids[s->n] < 0)
			break;
	}
	if (s->n < n) {
		sessions_close(s);
		s = NULL;
	}
	free(passfile);
	free(where);
	free(psql);
	return s;
}

void sessions_close(struct sessions *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		daemon_stop(s->pids[i]);
	for (int i = 0; i < 2; i++)
		if (s->pipe[i] >= 0)
			close(s->pipe[i]);
	free(s->pids);
	free(s);
}
