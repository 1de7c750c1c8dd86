/*
 * Pane 2: the sessions, as a tree of who waits behind whom, then the others.
 */
#ifndef PGONCALL_UI_PANE_ACTIVITY_H
#define PGONCALL_UI_PANE_ACTIVITY_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/db/snapshot.h>
#include <pgoncall/ui/pane.h>

/* What a session is known by from picture to picture. */
struct pane_session_id {
	int pid;
	char *backend_start; /* owned */
	char *gid;           /* owned */
};

struct pane *pane_activity_new(void);
/* Borrows the snapshot until the next call; NULL: none. Tags of sessions that are gone go too. */
void pane_activity_set(struct pane *pane, const struct db_snapshot *snapshot);
/* The session the operator selected; NULL when there is none, or when it is gone (or filtered away)
 * and another stands in its row: no key may act on one that nobody chose. */
const struct db_session *pane_activity_selected(const struct pane *pane);
/* Selects the session that stands in the row. Returns the pid of the one selected before. */
int pane_activity_adopt(struct pane *pane);
/* "user,app,query": the columns to show, the pid before them. -1: unknown, with those there are. */
int pane_activity_set_columns(struct pane *pane, const char *list, struct err *err);
/* The i-th column there is, or NULL past the last; *on: whether it is shown. */
const char *pane_activity_column(const struct pane *pane, size_t i, bool *on);
/* Shows the i-th column or does not. */
void pane_activity_toggle_column(struct pane *pane, size_t i);
/* The i-th tagged session in the order of the snapshot, or NULL. */
const struct db_session *pane_activity_tagged(const struct pane *pane, size_t i);

#endif
