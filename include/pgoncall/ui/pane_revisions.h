/*
 * Pane 1: the revisions, newest first, and where the database stands among them.
 */
#ifndef PGONCALL_UI_PANE_REVISIONS_H
#define PGONCALL_UI_PANE_REVISIONS_H

#include <stdbool.h>

#include <pgoncall/migrations/graph.h>
#include <pgoncall/ui/pane.h>

struct pane *pane_revisions_new(void);
/* Borrows the graph until the next call; NULL: none. It may be marked anew in between, followed by
 * another call. error: why there is none, or NULL; copied. */
void pane_revisions_set(struct pane *pane, const struct migration_graph *graph, const char *error);

#endif
