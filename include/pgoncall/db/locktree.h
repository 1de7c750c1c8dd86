/*
 * The blocking tree: pure functions on a snapshot's `blocked_by` edges. Edges are read row by row on
 * the server and are not atomic, so cycles that never existed must not harm (visited sets).
 */
#ifndef PGONCALL_DB_LOCKTREE_H
#define PGONCALL_DB_LOCKTREE_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/db/snapshot.h>

/*
 * Fills in depth, root, is_root, parent, root_index and n_behind of every session. Called once while
 * the snapshot is built, and by whoever builds one by hand. Blockers that are not in the snapshot and
 * a session's edge to itself do not count. Where everybody in a group waits for another (a cycle), the
 * one that waits longest is drawn on top, with is_root false.
 */
void db_locktree_mark(struct db_snapshot *snapshot);

/* One line of the tree as drawn. */
struct db_tree_row {
	const struct db_session *session; /* borrowed from the snapshot */
	int depth;                        /* 0: root */
	bool last;                        /* last child of its parent: └ instead of ├ */
	bool has_children;
	unsigned long long bars; /* bit d set: a │ runs at depth d beside this row (d < 64) */
};

/* The forest flattened: roots first, the one with most sessions behind it first; below each its
 * victims, longest waiting first; a session with several blockers stands under the first. After the
 * trees come the sessions in no tree, in the order of the snapshot, when `all` is set. The caller
 * frees the array. */
struct db_tree_row *db_locktree_rows(const struct db_snapshot *snapshot, bool all, size_t *n);

#endif
