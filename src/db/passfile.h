/*
 * Where libpq looks for passwords, and whether it would read it; private to db.
 */
#ifndef DB_PASSFILE_H
#define DB_PASSFILE_H

/* The file that libpq would take but refuses because others may read or write it (it says so on
 * stderr, which is the screen); to be freed. NULL: there is none such. */
char *passfile_refused(void);

#endif
