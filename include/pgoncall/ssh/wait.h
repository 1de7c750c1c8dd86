/*
 * How a worker waits: for a descriptor, until a deadline, unless it is cancelled. Everything a
 * worker of this layer blocks on goes through here, so that closing a transport never waits for a
 * network.
 */
#ifndef PGONCALL_SSH_WAIT_H
#define PGONCALL_SSH_WAIT_H

#include <stdint.h>

#include <pgoncall/base/err.h>

struct ssh_wait {
	int cancel_fd;    /* an eventfd, readable once cancelled; -1: cannot be cancelled */
	int64_t deadline; /* clock_monotonic */
};

/* Moves the deadline to timeout_ms from now. */
void wait_set(struct ssh_wait *wait, int64_t timeout_ms);
/* Milliseconds left, at least 0. */
int wait_left_ms(const struct ssh_wait *wait);
/* Waits for poll(2) events on fd (-1: for nothing but the end). 0: ready (or broken: the next call
 * on it says how). -1: ERR_TIMEOUT or ERR_CANCELLED, with a sentence that callers may replace. */
int wait_fd(const struct ssh_wait *wait, int fd, short events, struct err *err);

#endif
