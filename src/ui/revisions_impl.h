/*
 * Between the files of the revisions' pane: pane_revisions.c (rows), revisions_page.c (the page about
 * one), revisions_code.c (a file in colours).
 */
#ifndef PGONCALL_UI_REVISIONS_IMPL_H
#define PGONCALL_UI_REVISIONS_IMPL_H

#include <pgoncall/ui/lines.h>
#include <pgoncall/ui/pane_revisions.h>

struct migration_lanes;

enum revision_row_kind {
	ROW_REVISION,
	ROW_UNKNOWN, /* a version row that no file knows */
	ROW_LEGACY_HEADING,
	ROW_LEGACY
};

struct revision_row {
	enum revision_row_kind kind;
	size_t index; /* in the graph, the unknown rows, or the legacy list */
};

struct pane_revisions {
	struct pane pane;
	struct revisions_view view; /* texts owned */
	struct migration_lanes *lanes;
	struct revision_row *rows; /* those that pass the filter */
	size_t n;
	size_t id_cols;
	bool no_lanes;
	char *selected, *detailed;        /* keys of rows */
	struct revisions_preview preview; /* texts owned */
};

/* What names a row for as long as it is there. To be freed. */
char *revisions_key(const struct pane_revisions *self, const struct revision_row *row);
/* "green only": appended. */
void revisions_skew(const struct pane_revisions *self, size_t i, struct buf *out);
/* "merge head CURRENT": appended. */
void revisions_mark(const struct pane_revisions *self, size_t i, struct buf *out);
unsigned revisions_style(const struct pane_revisions *self, size_t i);

/* The page about the row with this key; false: there is no such row. */
bool revisions_page(
	const struct pane_revisions *self, const char *key, struct buf *title, struct lines *out);
/* A Python file, its lines numbered. */
void revisions_add_code(struct lines *out, const char *text);

#endif
