/*
 * Ending what a command line started, there where it runs. A command that is to be ended so carries a
 * mark in its environment, drawn anew each time; whoever closes its channel only stops listening, and
 * `docker exec` outlives its client anyway.
 *
 * What is ended: the processes of the session whose oldest process carries the mark and leads it; or,
 * where the leader is not ours (a login shell that stayed), those of it that carry the mark. A process
 * is known by its number and the moment of its start, which are compared again right before the
 * signal. What has made itself a session of its own, as a service does that a step starts, is left
 * alone and named. Pure: builds text for a POSIX shell (with grep, tr and sort) and reads what comes
 * back.
 */
#ifndef PGONCALL_HOST_STOP_H
#define PGONCALL_HOST_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>

#define HOST_STOP_PATIENCE_S 5 /* how long they are given to end */

/* Appends the script that sends SIGTERM. mark: "NAME=value", of letters, digits and "_" only. */
void host_stop_script(const char *mark, struct buf *out);

struct host_stop_report {
	size_t ended;
	size_t left;   /* had the signal and go on */
	size_t denied; /* not ours to signal */
	size_t apart;  /* in a session of their own */
	bool whole;    /* it was looked to the end; else nothing is certain */
};

/* Reads what the script printed and appends sentences for the operator, one line each, with the
 * processes by number and name (sanitised). */
void host_stop_read(const char *printed, struct host_stop_report *report, struct buf *sentences);

#endif
