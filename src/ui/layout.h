/*
 * Where everything stands on a screen of a given size. Pure.
 */
#ifndef PGONCALL_UI_LAYOUT_H
#define PGONCALL_UI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/ui/cells.h>

#define LAYOUT_PANES    4
#define LAYOUT_MIN_ROWS 10 /* below this, or below this many columns, only a sentence is shown */
#define LAYOUT_MIN_COLS 40

struct layout_input {
	int rows, cols;
	int finding_rows; /* the line of findings would like this many */
	size_t revisions; /* rows the first pane has to show */
	int focus;        /* pane 0 to LAYOUT_PANES - 1: the one shown where only one can be */
	bool zoomed;
	bool runbook; /* pane 3 (the fourth) is open */
	int beside;   /* the pane to show above it where there is room for one only */
};

struct layout {
	bool too_small;
	bool single; /* one pane at a time for want of room, or by z */
	struct cells_rect title, finding, bottom;
	struct cells_rect
		panes[LAYOUT_PANES]; /* with borders, which they share; empty: not shown */
	struct cells_rect body;      /* all panes together; dialogs stand in its middle */
};

void layout_compute(struct layout *layout, const struct layout_input *input);

#endif
