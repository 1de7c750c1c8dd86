/*
 * Between the files of the runbook pane: its rows (pane_runbook.c) and what it asks
 * (pane_runbook_ask.c).
 */
#ifndef PGONCALL_UI_RUNBOOK_PANE_H
#define PGONCALL_UI_RUNBOOK_PANE_H

#include <pgoncall/ui/pane_runbook.h>

struct pane_runbook {
	struct pane pane;
	struct runbook_view view;
	int64_t now_ns;
	bool stale;  /* the rows are to be made anew */
	bool follow; /* the view moves with the step; off once the operator scrolls */
	int cols;    /* what the rows were made for */
	struct lines rows;
	struct lines line; /* of the header, while it is drawn */
	size_t at, end;    /* rows of the step at hand */
	size_t output_at, output_end;
};

struct pane_runbook *runbook_pane_of(const struct pane *pane);
const struct runbook_run *runbook_pane_run(const struct pane *pane);

#endif
