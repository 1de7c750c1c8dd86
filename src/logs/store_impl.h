/*
 * Between store.c and view.c: the view hears at once of what changes behind what it has looked at.
 */
#ifndef PGONCALL_LOGS_STORE_IMPL_H
#define PGONCALL_LOGS_STORE_IMPL_H

#include <pgoncall/logs/store.h>

/* NULL: none. A store has one view at most. */
void log_store_set_view(struct log_store *store, struct log_view *view);
/* Lines were put in before others that are in the order already; from: the first of them. */
void log_view_on_inserted(struct log_view *view, struct log_ref from);
/* Lines of a source are gone from the order; note: the line that says so, in place of the last one. */
void log_view_on_dropped(struct log_view *view, struct log_ref note);

#endif
