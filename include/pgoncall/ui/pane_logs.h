/*
 * Pane 3: the lines of one log, following its end or standing still while it grows.
 */
#ifndef PGONCALL_UI_PANE_LOGS_H
#define PGONCALL_UI_PANE_LOGS_H

#include <pgoncall/logs/ring.h>
#include <pgoncall/ui/pane.h>

struct pane *pane_logs_new(void);
/* Borrows the ring until the next call; NULL: none. name and state are copied. */
void pane_logs_set(
	struct pane *pane, const struct log_ring *ring, const char *name, const char *state);
/* After lines were added, dropped, or cleared. */
void pane_logs_changed(struct pane *pane);
/* Selects the last line that is not younger than that moment (wall, ns); 0: follows the end again. */
void pane_logs_moment(struct pane *pane, int64_t wall);

#endif
