/*
 * Where the program finds its runbooks.
 */
#ifndef PGONCALL_APP_RUNBOOKS_H
#define PGONCALL_APP_RUNBOOKS_H

#include <pgoncall/base/err.h>
#include <pgoncall/runbook/library.h>

/* The team's own directory ("": none), then the built-in ones. The library is to be freed with
 * runbook_library_fini, whatever is returned. */
int runbooks_load(struct runbook_library *library, const char *own, struct err *err);
/* The same with several directories; the first one counts. */
int runbooks_load_all(struct runbook_library *library, const struct strlist *own, struct err *err);

#endif
