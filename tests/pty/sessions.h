/*
 * Sessions of the range's database that a test holds open: each a psql that reads from a pipe and
 * does nothing until that is closed.
 */
#ifndef PGONCALL_TESTS_PTY_SESSIONS_H
#define PGONCALL_TESTS_PTY_SESSIONS_H

#include <stddef.h>

#include <pgoncall/base/err.h>

#include "range.h"

struct sessions;

/* n sessions on the server that conninfo names, called `name` there (their application_name, of
 * letters and dashes). It returns when they are started: whether the server let them in is to be
 * asked there, and those that it turns away try again. What psql has to say goes to the file `log`.
 * NULL on failure. */
struct sessions *sessions_open(struct range *r, const char *conninfo, const char *name, size_t n,
	const char *log, struct err *err);
/* Ends them all. NULL is allowed. */
void sessions_close(struct sessions *s);

#endif
