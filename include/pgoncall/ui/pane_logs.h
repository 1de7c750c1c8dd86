/*
 * Pane 3: the lines of a view of the logs, following the end or standing still while they grow.
 */
#ifndef PGONCALL_UI_PANE_LOGS_H
#define PGONCALL_UI_PANE_LOGS_H

#include <stdbool.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/logs/view.h>
#include <pgoncall/ui/pane.h>

struct pane *pane_logs_new(void);
/* Borrows the view until the next call; NULL: none. state is copied. */
void pane_logs_set(struct pane *pane, struct log_view *view, const char *state);
/* A bounded step after lines came, or what is shown changed; true: there is more to do. *fault is set
 * when the filter had to be given up. */
bool pane_logs_work(struct pane *pane, struct err *fault);
/* Goes to the first row of that time or later; false: there is none. */
bool pane_logs_go(struct pane *pane, int64_t wall_ns);
/* Selects the last line that is not younger than that moment (wall, ns); 0: follows the end again. */
void pane_logs_moment(struct pane *pane, int64_t wall);

#endif
