/*
 * Between the files of the Activity pane.
 */
#ifndef PGONCALL_UI_ACTIVITY_H
#define PGONCALL_UI_ACTIVITY_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/db/locktree.h>
#include <pgoncall/db/snapshot.h>
#include <pgoncall/ui/cells.h>
#include <pgoncall/ui/lines.h>

enum activity_column {
	COLUMN_PID,
	COLUMN_USER,
	COLUMN_APP,
	COLUMN_STATE,
	COLUMN_WAITS,
	COLUMN_AGE,
	COLUMN_DATABASE,
	COLUMN_CLIENT,
	COLUMN_TYPE,
	COLUMN_EVENT,
	COLUMN_XACT,
	COLUMN_BLOCKS,
	COLUMN_QUERY,
	COLUMN_N
};

struct activity_layout {
	enum activity_column order[COLUMN_N]; /* those wanted, as shown; the pid first */
	size_t n;
	int content[COLUMN_N]; /* columns the widest cell would like */
	int width[COLUMN_N];   /* columns it gets; 0: not shown */
};

/* The columns shown unless the operator chose others. */
#define ACTIVITY_COLUMNS "pid,user,app,state,waits,age,query"

/* "user,app,query": the columns wanted, the pid before them in any case. -1: one is unknown, and the
 * sentence lists those there are; nothing changes then. */
int activity_choose(struct activity_layout *layout, const char *list, struct err *err);
/* "database"; NULL past the last. */
const char *activity_column_name(size_t i);
bool activity_has_column(const struct activity_layout *layout, size_t i);

/* What the rows would like. */
void activity_measure(struct activity_layout *layout, const struct db_tree_row *rows, size_t n);
/* What they get in `cols` columns. */
void activity_fit(struct activity_layout *layout, int cols);
void activity_draw_header(
	const struct activity_layout *layout, struct cells *cells, struct cells_rect line);
void activity_draw_row(const struct activity_layout *layout, struct cells *cells,
	struct cells_rect line, const struct db_tree_row *row, bool tagged);
/* The page about one session. */
void activity_describe(const struct db_snapshot *snapshot, const struct db_session *session,
	struct buf *title, struct lines *out);

#endif
