/*
 * A pane: a list of rows with a selection, drawn from a const model. What all panes share (moving,
 * scrolling, searching, drawing the rows that show) is in pane.c; what makes one is a const table
 * of functions in pane_NAME.c, which needs only to know its rows.
 *
 * The selection is an identity (a session, a revision, a line number), so that it stays on its row
 * when the model or the size changes.
 */
#ifndef PGONCALL_UI_PANE_H
#define PGONCALL_UI_PANE_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/ui/cells.h>
#include <pgoncall/ui/keys.h>
#include <pgoncall/ui/lines.h>

struct pane;

struct pane_ops {
	const char *name; /* "Activity" */
	enum key_context context;
	const char *page_hint; /* keys of its page besides Esc: " u d: SQL "; NULL: none */
	/* Appends what stands in the border after the name: "41 sessions · 3 blocked". */
	void (*title)(struct pane *pane, struct buf *out);
	/* The rows are about to be drawn this wide. NULL: they do not depend on it. */
	void (*prepare)(struct pane *pane, int rows, int cols);
	/* Rows, the filter applied. */
	size_t (*count)(const struct pane *pane);
	/* Draws the heading of the columns into one row. NULL: there is none. */
	void (*header)(struct pane *pane, struct cells *cells, struct cells_rect line);
	void (*row)(struct pane *pane, size_t i, struct cells *cells, struct cells_rect line);
	/* How many rows at the bottom stay where they are, at this width, and how they look. NULL: none. */
	int (*footer_rows)(const struct pane *pane, int cols);
	void (*footer)(struct pane *pane, struct cells *cells, struct cells_rect rect);
	/* A text to read: it scrolls, and no row is marked as selected. */
	bool text_only;
	/* Appends the row as plain text, for search, filter and files. */
	void (*text)(const struct pane *pane, size_t i, struct buf *out);
	/* Appends what y copies. */
	void (*copy)(const struct pane *pane, size_t i, struct buf *out);
	/* The operator moved to row i (i < count): keep its identity. */
	void (*select)(struct pane *pane, size_t i);
	/* The filter changed: make the rows anew. */
	void (*refilter)(struct pane *pane);
	/* Rows of the screen that row i takes where `cols` are to be had. NULL: one each. */
	int (*height)(const struct pane *pane, size_t i, int cols);
	/* In place of the plain search and filter. NULL: a text, without regard to case. set_search
	 * and set_filter: NULL or "" is none; -1 leaves the one there is. find moves as pane_find does;
	 * *message, to be freed, says what there is to say. Its rows mark what is found. */
	int (*set_search)(struct pane *pane, const char *text, struct err *err);
	int (*set_filter)(struct pane *pane, const char *text, struct err *err);
	bool (*find)(struct pane *pane, int direction, bool from_here, char **message);
	/* A command of its context. false: not known. *message, to be freed: said to the operator. */
	bool (*command)(struct pane *pane, enum key_command command, char **message);
	/* A page about the selected row, or (again) about the row of the last time, anew. false: there
	 * is no such row any more. */
	bool (*details)(struct pane *pane, bool again, struct buf *title, struct lines *out);
	/* The sentence in place of rows where there are none. */
	const char *(*empty)(const struct pane *pane);
	void (*free)(struct pane *pane);
};

struct pane {
	const struct pane_ops *ops;
	size_t selected, top; /* rows; selected < count unless there are none */
	int shown;            /* rows on screen when last drawn; 0: not drawn yet */
	int cols;             /* and columns */
	int shift;            /* columns long rows are moved to the left by */
	char *filter;         /* NULL: none */
	char *search;         /* NULL: none */
};

void pane_init(struct pane *pane, const struct pane_ops *ops);
void pane_fini(struct pane *pane);

/* The rows were made anew and the selection's identity is now in row `selected` (or gone: the
 * nearest). keep_place: it stays on its row of the screen. */
void pane_reselect(struct pane *pane, size_t selected, bool keep_place);
/* CMD_UP … CMD_PAGE_DOWN. false: not a movement. */
bool pane_move(struct pane *pane, enum key_command command);
void pane_go(struct pane *pane, size_t i);
/* NULL or "": none. -1: the text is no pattern; what there was stays. */
int pane_set_filter(struct pane *pane, const char *text, struct err *err);
int pane_set_search(struct pane *pane, const char *text, struct err *err);
/* Whether the row's text holds the filter. */
bool pane_passes(const struct pane *pane, const char *text);
/* Goes to the next (1) or previous (-1) row that holds the search text, around the ends; from 0:
 * the selected row itself counts. false: no row does. */
bool pane_find(struct pane *pane, int direction, bool from_here, bool *wrapped);
/* Draws header and rows into rect. */
void pane_draw(struct pane *pane, struct cells *cells, struct cells_rect rect, bool focused);
/* Every row as text, one a line. */
void pane_text(const struct pane *pane, struct buf *out);

#endif
