/*
 * The layout: side by side from 110 columns on, stacked from 80 by 24 on, below that one pane.
 * Neighbours share the border between them, so rectangles overlap by one row or column.
 */
#include "layout.h"

#include <string.h>

#define LAYOUT_WIDE_COLS  110
#define LAYOUT_STACK_COLS 80
#define LAYOUT_STACK_ROWS 24

enum { REVISIONS, ACTIVITY, LOGS, RUNBOOK };

#define RUNBOOK_MIN_ROWS 8

static int layout_clamp(int value, int least, int most)
{
	return value < least ? least : value > most ? most : value;
}

/* Revisions and activity beside each other, logs below. */
static void layout_wide(struct layout *layout, const struct layout_input *input)
{
	struct cells_rect body = layout->body;
	int top = layout_clamp(body.rows * 3 / 5, 6, body.rows - 6);
	int left = layout_clamp(input->cols * 3 / 8, 40, 64);

	layout->panes[REVISIONS] = (struct cells_rect){ body.row, 0, top + 1, left };
	layout->panes[ACTIVITY] =
		(struct cells_rect){ body.row, left - 1, top + 1, body.cols - left + 1 };
	layout->panes[LOGS] = (struct cells_rect){ body.row + top, 0, body.rows - top, body.cols };
}

/* The runbook takes the lower part of the body, more of it while it has the focus. */
static struct cells_rect layout_split(struct layout *layout, const struct layout_input *input)
{
	struct cells_rect rest = layout->body;
	int most = rest.rows - 7;
	int rows = rest.rows * (input->focus == RUNBOOK ? 3 : 2) / 5;

	rows = layout_clamp(rows, RUNBOOK_MIN_ROWS < most ? RUNBOOK_MIN_ROWS : most, most);
	layout->panes[RUNBOOK] =
		(struct cells_rect){ rest.row + rest.rows - rows, 0, rows, rest.cols };
	rest.rows -= rows - 1;
	return rest;
}

/* Live locks and logs beside what is done to them. */
static void layout_wide_runbook(struct layout *layout, const struct layout_input *input)
{
	struct cells_rect rest = layout_split(layout, input), body = layout->body;

	layout->body = rest;
	if (rest.rows >= 14) {
		layout_wide(layout, input);
	} else {
		int left = layout_clamp(input->cols * 3 / 5, 40, input->cols - 40);

		layout->panes[ACTIVITY] = (struct cells_rect){ rest.row, 0, rest.rows, left };
		layout->panes[LOGS] = (struct cells_rect){ rest.row, left - 1, rest.rows,
			rest.cols - left + 1 };
		if (input->beside == REVISIONS) {
			layout->panes[REVISIONS] = layout->panes[ACTIVITY];
			memset(&layout->panes[ACTIVITY], 0, sizeof(layout->panes[ACTIVITY]));
		}
	}
	layout->body = body;
}

/* One above the other; activity gets what the others do not need. */
static void layout_stack(struct layout *layout, const struct layout_input *input)
{
	struct cells_rect body = layout->body;
	int inner = body.rows - 4;
	int revisions = layout_clamp((int)(input->revisions > 1000 ? 1000 : input->revisions), 3,
		inner / 4 < 3 ? 3 : inner / 4);
	int logs = inner / 4 < 3 ? 3 : inner / 4;
	int activity = inner - revisions - logs;

	layout->panes[REVISIONS] = (struct cells_rect){ body.row, 0, revisions + 2, body.cols };
	layout->panes[ACTIVITY] =
		(struct cells_rect){ body.row + revisions + 1, 0, activity + 2, body.cols };
	layout->panes[LOGS] =
		(struct cells_rect){ body.row + revisions + activity + 2, 0, logs + 2, body.cols };
}

void layout_compute(struct layout *layout, const struct layout_input *input)
{
	int finding = input->finding_rows;

	memset(layout, 0, sizeof(*layout));
	layout->too_small = input->rows < LAYOUT_MIN_ROWS || input->cols < LAYOUT_MIN_COLS;
	if (layout->too_small)
		return;
	finding = layout_clamp(
		finding, 1, input->cols < 60 || input->rows < LAYOUT_STACK_ROWS ? 3 : 4);
	layout->title = (struct cells_rect){ 0, 0, 1, input->cols };
	layout->finding = (struct cells_rect){ 1, 0, finding, input->cols };
	layout->bottom = (struct cells_rect){ input->rows - 1, 0, 1, input->cols };
	layout->body =
		(struct cells_rect){ 1 + finding, 0, input->rows - 2 - finding, input->cols };
	layout->single =
		input->zoomed || input->cols < LAYOUT_STACK_COLS || input->rows < LAYOUT_STACK_ROWS;
	if (layout->single)
		layout->panes[input->focus] = layout->body;
	else if (input->runbook && input->cols >= LAYOUT_WIDE_COLS)
		layout_wide_runbook(layout, input);
	else if (input->runbook)
		layout->panes[input->beside] = layout_split(layout, input);
	else if (input->cols >= LAYOUT_WIDE_COLS)
		layout_wide(layout, input);
	else
		layout_stack(layout, input);
}
