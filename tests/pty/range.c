/*
 * Owns a test program's range: its scripts are run, its env file read, its sshd signalled. How a
 * range is built is for tests/range to know.
 */
#include "range.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "run.h"

enum { SCRIPT_MS = 120 * 1000 };

struct range {
	char *dir;  /* NULL once it was brought down */
	bool built; /* by us, so it is ours to bring down */
	bool suspended;
	pid_t owner;        /* the process that started it; a fork must not bring it down */
	struct strlist env; /* "KEY=value", unquoted */
};

/* --- the scripts ------------------------------------------------------------------------------ */

/* 0 when it ended with status 0; its output, when wanted, without the final line feed. */
static int script_run(const char *const *argv, char **output, struct err *err)
{
	struct run_options options = { .argv = argv, .timeout_ms = SCRIPT_MS };
	struct run_result result;
	int ret = run_program(&options, &result, err);

	if (ret == 0 && result.status != 0)
		ret = err_set(err, ERR_COMMAND, "%s ended with status %d: %.*s", argv[0],
			result.status, (int)strcspn(buf_str(&result.err), "\n"),
			buf_str(&result.err));
	if (ret == 0 && output != NULL) {
		*output = buf_steal(&result.out);
		if (str_ends(*output, "\n"))
			(*output)[strlen(*output) - 1] = '\0';
	}
	run_result_fini(&result);
	return ret;
}

/* --- its env file ----------------------------------------------------------------------------- */

/* A value as a shell reads it: bare, or in single quotes with '\'' for a quote. */
static void value_unquote(struct buf *out, const char *text)
{
	bool quoted = false;

	for (; *text != '\0' && *text != '\n'; text++) {
		if (*text == '\'')
			quoted = !quoted;
		else if (*text == '\\' && !quoted && text[1] != '\0')
			buf_add_char(out, *++text);
		else
			buf_add_char(out, *text);
	}
}

static int env_read(struct range *r, struct err *err)
{
	char *path = mem_printf("%s/env", r->dir);
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	if (file == NULL)
		ret = err_system(err, errno, "cannot read %s", path);
	while (file != NULL && getline(&line, &size, file) > 0) {
		struct buf entry = BUF_INIT;
		const char *value = strchr(line, '=');

		if (value == NULL)
			continue;
		buf_add(&entry, line, (size_t)(value + 1 - line));
		value_unquote(&entry, value + 1);
		strlist_add_take(&r->env, buf_steal(&entry));
	}
	free(line);
	if (file != NULL)
		fclose(file);
	free(path);
	return ret;
}

/* The last word counts, as in a shell. */
const char *range_value(const struct range *r, const char *key)
{
	size_t len = strlen(key);
	const char *found = "";

	for (size_t i = 0; i < r->env.n; i++)
		if (strncmp(r->env.items[i], key, len) == 0 && r->env.items[i][len] == '=')
			found = r->env.items[i] + len + 1;
	return found;
}

const char *range_dir(const struct range *r)
{
	return r->dir;
}

const char *range_config(const struct range *r)
{
	return range_value(r, "RANGE_CONFIG");
}

/* --- start and stop --------------------------------------------------------------------------- */

/* r->dir is set only to an absolute path: without one, the scripts would take any range they find,
 * and that may be somebody else's. */
static int range_build(struct range *r, struct err *err)
{
	char owner[16];
	const char *argv[] = { "tests/range/up", "--owner", owner, NULL };

	snprintf(owner, sizeof(owner), "%d", (int)getpid());
	if (script_run(argv, &r->dir, err) != 0)
		return -1;
	if (r->dir[0] != '/') {
		free(r->dir);
		r->dir = NULL;
		return err_set(err, ERR_COMMAND, "%s named no directory", argv[0]);
	}
	r->built = true;
	return 0;
}

void range_stop(struct range *r)
{
	struct err err = { 0 };
	const char *argv[] = { "tests/range/down", NULL, NULL };

	if (r == NULL || r->dir == NULL || r->owner != getpid())
		return;
	if (r->suspended)
		range_ssh_resume(r, NULL);
	argv[1] = r->dir;
	if (r->built && script_run(argv, NULL, &err) != 0)
		fprintf(stderr, "%s\n", err.text);
	free(r->dir);
	r->dir = NULL;
}

static void range_at_exit(int status, void *arg)
{
	struct range *r = arg;

	(void)status;
	range_stop(r);
	free(r->dir);
	strlist_fini(&r->env);
	free(r);
}

struct range *range_start(struct err *err)
{
	const char *given = getenv("PGONCALL_RANGE");
	struct range *r = mem_calloc(1, sizeof(*r));
	int ret = 0;

	r->owner = getpid();
	strlist_init(&r->env);
	on_exit(range_at_exit, r);
	if (str_empty(given))
		ret = range_build(r, err);
	else if (given[0] == '/')
		r->dir = mem_strdup(given);
	else
		ret = err_set(err, ERR_USAGE, "PGONCALL_RANGE is no absolute path: %s", given);
	if (ret == 0)
		ret = env_read(r, err);
	return ret == 0 ? r : NULL;
}

/* --- incidents and the database --------------------------------------------------------------- */

int range_incident(struct range *r, const char *name, struct err *err)
{
	const char *argv[] = { "tests/range/incident", r->dir, name, NULL };

	return script_run(argv, NULL, err);
}

int range_clear(struct range *r, struct err *err)
{
	return range_incident(r, "clear", err);
}

char *range_psql(struct range *r, const char *sql, struct err *err)
{
	char *passfile = mem_printf("PGPASSFILE=%s", range_value(r, "PGPASSFILE"));
	char *psql = mem_printf("%s/psql", range_value(r, "PG_BIN"));
	const char *argv[] = { "env", passfile, psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql,
		range_value(r, "ADMIN_CONNINFO"), NULL };
	char *rows = NULL;

	script_run(argv, &rows, err);
	free(passfile);
	free(psql);
	return rows;
}

/* --- its SSH server --------------------------------------------------------------------------- */

struct process {
	pid_t pid, parent;
	bool is_sshd;
	bool below; /* a descendant of the range's sshd */
};

struct processes {
	struct process *items;
	size_t n, cap;
};

/* "123 (a name) S 1 …": the name may hold anything, so its end is the last parenthesis. */
static bool process_read(struct process *process, const char *pid)
{
	char *path = mem_printf("/proc/%s/stat", pid);
	FILE *file = fopen(path, "re");
	char text[512] = "";
	char *name_end;
	int parent = 0;

	free(path);
	if (file == NULL)
		return false;
	if (fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	fclose(file);
	name_end = strrchr(text, ')');
	if (name_end == NULL || sscanf(name_end, ") %*c %d", &parent) != 1)
		return false;
	process->pid = (pid_t)atoi(pid);
	process->parent = (pid_t)parent;
	process->is_sshd = strstr(text, "(sshd") != NULL;
	process->below = false;
	return true;
}

static int processes_read(struct processes *list, struct err *err)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	memset(list, 0, sizeof(*list));
	if (dir == NULL)
		return err_system(err, errno, "cannot read /proc");
	while ((entry = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		list->items = mem_grow(list->items, list->n, &list->cap, sizeof(*list->items));
		if (process_read(&list->items[list->n], entry->d_name))
			list->n++;
	}
	closedir(dir);
	return 0;
}

static bool is_below(const struct processes *list, pid_t pid, pid_t ancestor)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].pid == pid)
			return pid == ancestor || list->items[i].below;
	return false;
}

/* Parents are not always before their children, hence the rounds. */
static void mark_below(struct processes *list, pid_t ancestor)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < list->n; i++) {
			struct process *p = &list->items[i];

			if (!p->below && is_below(list, p->parent, ancestor))
				p->below = again = true;
		}
	}
}

static pid_t sshd_pid(struct range *r, struct err *err)
{
	const char *path = range_value(r, "SSHD_PID_FILE");
	FILE *file = fopen(path, "re");
	int pid = -1;

	if (file == NULL || fscanf(file, "%d", &pid) != 1 || pid <= 1) {
		err_set(err, ERR_SYSTEM, "no process id of the range's sshd in %s", path);
		pid = -1;
	}
	if (file != NULL)
		fclose(file);
	return (pid_t)pid;
}

/* Signals the sshd processes below the range's listener, and on wish the listener itself; how many,
 * or -1. Whatever they run notices in its own way. */
static int sshd_signal(struct range *r, int number, bool listener, struct err *err)
{
	pid_t pid = sshd_pid(r, err);
	struct processes list;
	int n = 0;

	if (pid < 0 || processes_read(&list, err) != 0)
		return -1;
	mark_below(&list, pid);
	if (listener && kill(pid, number) == 0)
		n++;
	for (size_t i = 0; i < list.n; i++)
		if (list.items[i].below && list.items[i].is_sshd &&
			kill(list.items[i].pid, number) == 0)
			n++;
	free(list.items);
	return n;
}

int range_sshd_kill_connections(struct range *r, struct err *err)
{
	return sshd_signal(r, SIGKILL, false, err);
}

int range_ssh_suspend(struct range *r, struct err *err)
{
	if (sshd_signal(r, SIGSTOP, true, err) < 0)
		return -1;
	r->suspended = true;
	return 0;
}

int range_ssh_resume(struct range *r, struct err *err)
{
	if (sshd_signal(r, SIGCONT, true, err) < 0)
		return -1;
	r->suspended = false;
	return 0;
}

int range_sshd_stop(struct range *r, struct err *err)
{
	return sshd_signal(r, SIGKILL, true, err) < 0 ? -1 : 0;
}

/* As tests/range/ssh.sh starts it, with the record that the range is taken down by. */
int range_sshd_start(struct range *r, struct err *err)
{
	char *script = mem_printf("setsid tests/range/tracked spawn '%s/run/sshd' '%s' '%s'"
				  " \"$(command -v sshd)\" -D -e -f '%s' </dev/null >/dev/null 2>&1 &",
		r->dir, range_value(r, "SSHD_LOG"), range_value(r, "SSHD_LOG"),
		range_value(r, "SSHD_CONFIG"));
	const char *const argv[] = { "sh", "-c", script, NULL };
	int rc = script_run(argv, NULL, err);

	free(script);
	return rc;
}
