/*
 * The harness's inside, shared by pty.c (process, bytes, waiting), screen.c (looking) and keys.c
 * (typing). Tests include pty.h only.
 */
#ifndef PGONCALL_TESTS_PTY_PTY_PRIV_H
#define PGONCALL_TESTS_PTY_PTY_PRIV_H

#include <termios.h>

#include <vterm.h>

#include <pgoncall/base/buf.h>

#include "child.h"
#include "pty.h"

struct pty {
	int master; /* non-blocking */
	int slave;  /* kept open: to compare termios, and so that no output is lost at exit */
	struct child child;
	struct termios before; /* as the program found it */
	char *home;
	bool home_is_ours;
	VTerm *vt;           /* owned */
	VTermScreen *screen; /* vt's */
	bool cursor_visible;
	struct buf out; /* to be written to the master: keys and vterm's answers */
	struct buf raw; /* all that came from the program */
};

/* Reads and writes what can be at once. */
void pty_pump(struct pty *p);

#endif
