/*
 * The lanes drawn left of the timeline: which line of descent goes through each row, where lines
 * part and meet. Pure text; one revision is one row, and each lane is two columns wide.
 *
 *   ○    622dbc22743e      a linear history has one lane
 *   ●─╮  d0000000000d      a merge opens a lane for each further parent
 *   │ ●  c2000000000c
 *   ● │  c1000000000c
 *   ●─╯  b0000000000b      a branch point closes the lanes of its other children
 *   ●┄╮  y0000000000b      a dependency has a dashed lane
 *
 * `●` is applied, `○` is not (or not known). In ASCII: `*` and `o`, `|`, `-`, `.` and `'`; dashed `:`
 * and `.`.
 */
#ifndef PGONCALL_MIGRATIONS_HISTORY_H
#define PGONCALL_MIGRATIONS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/migrations/graph.h>

struct migration_lanes;

/* Borrows the graph, which must live longer. Linear in the number of cells; what is kept is small, the
 * cells of a row are computed when it is asked for, in blocks. */
struct migration_lanes *migration_lanes_new(const struct migration_graph *graph);
void migration_lanes_free(struct migration_lanes *lanes);

/* No more lanes are drawn; a revision that finds none free stands right of them, without one. */
#define MIGRATION_LANES_MAX 40

/* Columns of the widest row; at most 2 * MIGRATION_LANES_MAX + 1. */
size_t migration_lanes_columns(const struct migration_lanes *lanes);

/* Appends the cells of row i (i < graph->n) without trailing spaces. The dot tells the state the
 * graph has now, so marking needs no new lanes. */
void migration_lanes_row(struct migration_lanes *lanes, size_t i, bool ascii, struct buf *out);

/* Column of the row's dot. */
size_t migration_lanes_dot(struct migration_lanes *lanes, size_t i);
/* The dot alone; static. */
const char *migration_dot(enum migration_state state, bool ascii);

#endif
