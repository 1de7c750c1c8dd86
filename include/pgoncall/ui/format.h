/*
 * How the screens write things: counts, states, locks.
 */
#ifndef PGONCALL_UI_FORMAT_H
#define PGONCALL_UI_FORMAT_H

#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/db/snapshot.h>

/* "1,234". Returns out. */
char *format_count(unsigned long long count, char *out, size_t size);
/* "1 head", "2 heads" */
void format_plural(struct buf *out, unsigned long long count, const char *one, const char *many);
/* "idle in tx" for "idle in transaction"; as it is where there is no short word. Borrowed. */
const char *format_state(const struct db_session *session);
/* "AccessExcl" for "AccessExclusive". Borrowed. */
const char *format_lock_mode(const char *mode);
/* The age a session is judged by: how long it waits for a lock, else its transaction, else how long
 * it has been in its state. */
double format_session_age(const struct db_session *session);
/* "Stuck migration" for "stuck-migration". */
void format_runbook_title(struct buf *out, const char *name);
/* Text from outside on one line, to be freed. */
char *format_one_line(const char *text);
/* The same for a query: runs of blanks become one. */
char *format_query(const char *query);

#endif
