/*
 * libpq's rules for its password file (libpq, "The Password File"): PGPASSFILE, else ~/.pgpass; a
 * regular file that only its owner may read or write.
 */
#include "passfile.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

char *passfile_refused(void)
{
	const char *path = getenv("PGPASSFILE"), *home = getenv("HOME");
	char *file;
	struct stat st;

	if (str_empty(path) && str_empty(home))
		return NULL;
	file = str_empty(path) ? mem_printf("%s/.pgpass", home) : mem_strdup(path);
	if (stat(file, &st) == 0 && (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO))))
		return file;
	free(file);
	return NULL;
}
