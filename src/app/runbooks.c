/*
 * Where the runbooks are: a team's directory, and the built-in ones beside the running program (a
 * source tree) or installed.
 */
#include <pgoncall/app/runbooks.h>

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>

static char *runbooks_built_in(void)
{
	char program[PATH_MAX], *path;
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	struct stat st;

	if (len > 0) {
		program[len] = '\0';
		path = mem_printf("%s/../runbooks", dirname(program));
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return path;
		free(path);
	}
	return mem_strdup(PGONCALL_DATADIR "/runbooks");
}

int runbooks_load(struct runbook_library *library, const char *own, struct err *err)
{
	struct strlist directories;
	int rc;

	strlist_init(&directories);
	if (*own)
		strlist_add(&directories, own);
	rc = runbooks_load_all(library, &directories, err);
	strlist_fini(&directories);
	return rc;
}

int runbooks_load_all(struct runbook_library *library, const struct strlist *own, struct err *err)
{
	char *built_in;
	size_t i;
	int rc = 0;

	memset(library, 0, sizeof(*library));
	for (i = 0; i < own->n && rc == 0; i++)
		rc = runbook_library_add(library, own->items[i], err);
	built_in = runbooks_built_in();
	if (rc == 0)
		rc = runbook_library_add(library, built_in, err);
	free(built_in);
	return rc;
}
