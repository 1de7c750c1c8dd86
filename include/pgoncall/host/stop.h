/*
 * Ending what a command line started, there where it runs. A command that is to be ended so carries a
 * mark in its environment, drawn anew each time; whoever closes its channel only stops listening, and
 * `docker exec` outlives its client anyway.
 *
 * What is ended: the processes of the step's session. Which one that is, is told by the shell that the
 * step was begun with, and by what that shell left in the environment of everything it started. They
 * are ended all, where the shell leads its session; else (under a login shell that stayed) those that
 * carry the mark. A process is known by its number and the moment of its start, which are compared
 * again right before the signal. What has made itself a session of its own, as a service does that a
 * step starts, is left alone and named; and where only such are left and which session was the step's
 * cannot be told any more, nothing is sent at all. Pure: builds text for a POSIX shell (with grep, tr,
 * sort, xargs and date, and Linux' /proc) and reads what comes back.
 */
#ifndef PGONCALL_HOST_STOP_H
#define PGONCALL_HOST_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>

#define HOST_STOP_PATIENCE_S 5 /* how long they are given to end */

/* The number of the step's shell, in the environment of what it starts. */
#define HOST_STOP_SHELL "PGONCALL_SHELL"
/* Goes before the command of a shell that is to be ended so. "$$" would be a dollar quote to whoever
 * reads it as SQL. */
#define HOST_STOP_PRELUDE "export " HOST_STOP_SHELL "=${$}; "

/* Appends the script that sends SIGTERM. mark: "NAME=value", of letters, digits, "_" and "-" only. */
void host_stop_script(const char *mark, struct buf *out);
/* Appends one that only looks; mark as above. */
void host_stop_look_script(const char *mark, struct buf *out);
/* Appends what it found, as one line. */
void host_stop_look_read(const char *printed, struct buf *sentence);

struct host_stop_report {
	size_t ended; /* or, where it was not looked to the end, were sent the signal */
	size_t left;   /* had the signal and go on */
	size_t denied; /* not ours to signal */
	size_t apart;  /* in a session of their own */
	size_t stray;  /* which session was the step's is not known: nothing was sent */
	size_t unseen; /* none of it was found, and so many at least could not be looked into */
	bool whole;    /* it was looked to the end; else nothing is certain */
};

/* Reads what the script printed and appends sentences for the operator, one line each, with the
 * processes by number and name (sanitised). */
void host_stop_read(const char *printed, struct host_stop_report *report, struct buf *sentences);

#endif
