/*
 * The range as tests use it: a small production of real parts (tests/range), one per test program,
 * with incidents staged in it and its link cut or frozen. The program under test reaches it through
 * its configuration file only.
 */
#ifndef PGONCALL_TESTS_PTY_RANGE_H
#define PGONCALL_TESTS_PTY_RANGE_H

#include <pgoncall/base/err.h>

struct range;

/* Builds a range (some seconds), or takes the one that $PGONCALL_RANGE names. One that was built is
 * brought down by range_stop, or when this process exits; when it is killed, the next to build one
 * sweeps it. Runs in the root of the tree. NULL when there is none to be had. */
struct range *range_start(struct err *err);

/* Resumes what is suspended and brings down what was built. The pointer stays valid, for nothing
 * but this function, until the process exits. NULL is allowed. */
void range_stop(struct range *r);

/* A value of DIR/env; "" where it has no such key. Borrowed. */
const char *range_value(const struct range *r, const char *key);
const char *range_dir(const struct range *r);
/* The configuration file for pgoncall -c. */
const char *range_config(const struct range *r);

/* Stages an incident and returns when it stands; ends what was staged before. */
int range_incident(struct range *r, const char *name, struct err *err);
/* Back to the baseline. */
int range_clear(struct range *r, struct err *err);

/* Runs SQL as the database's superuser, past the program and past SSH. The rows as text, columns
 * parted by "|", without a final line feed; to be freed. NULL on failure. */
char *range_psql(struct range *r, const char *sql, struct err *err);

/* Kills the server's end of every SSH connection; new ones are let in. How many processes it
 * killed, or -1. */
int range_sshd_kill_connections(struct range *r, struct err *err);

/* Kills the SSH server with every connection, as a machine does that starts anew; new connections
 * are refused until it is started. */
int range_sshd_stop(struct range *r, struct err *err);
int range_sshd_start(struct range *r, struct err *err);

/* Stops the SSH server and every connection in their tracks, so that the link is there and silent;
 * and lets them go on. */
int range_ssh_suspend(struct range *r, struct err *err);
int range_ssh_resume(struct range *r, struct err *err);

#endif
