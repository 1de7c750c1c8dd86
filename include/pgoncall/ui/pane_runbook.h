/*
 * Pane 4: the runbook that is open. The document with its steps marked, the step at hand with the
 * exact command, its output as it comes and the verdict, and, in the last row, what is asked of the
 * operator and which key answers. Draws the engine's state; decides nothing.
 */
#ifndef PGONCALL_UI_PANE_RUNBOOK_H
#define PGONCALL_UI_PANE_RUNBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/runbook/engine.h>
#include <pgoncall/ui/pane.h>

/* Everything is borrowed until the next call, and need not be sanitised. */
struct runbook_view {
	const struct runbook_run *run; /* NULL: no runbook is open */
	const char *output;            /* of the step at hand; NULL: none */
	size_t dropped;                /* bytes of output that were not kept */
	const char *evidence;       /* what was seen of a write whose result is not known; NULL */
	const char *stopped;        /* what became of it where it was ended; NULL or "" */
	const char *refusal;        /* why a write would be refused now; NULL: it would not */
	bool interruptible;         /* its result is unknown, and it may be ended there */
	int64_t began_ns, ended_ns; /* monotonic, of the step's command; 0: not yet */
	int64_t again_ns;           /* while it watches: when it asks again */
};

struct pane *pane_runbook_new(void);
/* Something changed. `fresh`: another step or state, so the view moves there; else it stays where
 * the operator moved it. */
void pane_runbook_set(struct pane *pane, const struct runbook_view *view, bool fresh);
bool pane_runbook_is_open(const struct pane *pane);
/* The moment of the drawing that comes next. */
void pane_runbook_tick(struct pane *pane, int64_t now_ns);
/* What is asked, in one line: "Enter: run it; it only reads". */
void pane_runbook_ask(const struct pane *pane, struct buf *out);

#endif
