/*
 * A standby of the range's database, on this machine: a copy that follows, started as a plain
 * process. Needs who may copy the server's data directory's owner, which root may.
 */
#ifndef PGONCALL_TESTS_PTY_STANDBY_H
#define PGONCALL_TESTS_PTY_STANDBY_H

#include <pgoncall/base/err.h>

#include "range.h"

struct standby;

/* Returns once it answers. NULL where there is none to be had. */
struct standby *standby_new(struct range *r, struct err *err);
/* Ends it, removes its files. NULL is allowed. */
void standby_free(struct standby *s);

/* From now on the server's clock lags by so many seconds; 0: not any more. */
void standby_set_clock(const struct standby *s, int behind_s);

/* It listens on 127.0.0.1, at this port. */
int standby_port(const struct standby *s);

#endif
