/*
 * Between term.c and term_restore.c.
 */
#ifndef PGONCALL_UI_TERM_RESTORE_H
#define PGONCALL_UI_TERM_RESTORE_H

#include <stdbool.h>
#include <termios.h>

/* Whether anything is known about a terminal of the type TERM names. Asked before curses is, which
 * would not give back what it allocated for one that is unknown. */
bool term_restore_is_known(void);
/* After curses has read the terminal's description: notes what undoes it. */
void term_restore_prepare(const struct termios *modes);
/* Whether the terminal is ours at the moment. */
void term_restore_arm(bool taken);

#endif
