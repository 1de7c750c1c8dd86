/*
 * What helps against a session that holds others up: the act that works, said before anybody tries
 * the one that does not. Pure.
 */
#ifndef PGONCALL_DIAGNOSIS_REMEDY_H
#define PGONCALL_DIAGNOSIS_REMEDY_H

#include <stdbool.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/db/action.h>
#include <pgoncall/db/snapshot.h>

enum remedy_kind {
	REMEDY_CANCEL,            /* its query */
	REMEDY_TERMINATE,         /* its session: cancel does nothing to it */
	REMEDY_ROLLBACK_PREPARED, /* it has no session */
	REMEDY_LEAVE,             /* it ends by itself, or must not be ended */
	REMEDY_UNKNOWN            /* the server hides what it does */
};

struct remedy {
	enum remedy_kind kind;
	const char *why;    /* a sentence, static: why this and nothing else */
	bool allowed;       /* as far as the picture tells; a REMEDY_LEAVE needs no permission */
	struct err refusal; /* where it is not: which role is missing */
};

void remedy_of(const struct db_snapshot *snapshot, const struct db_session *session,
	struct remedy *remedy);
/* Appends what is to be done, as a subject: "ending pid 8123", "cancelling the query of pid 8123",
 * "rolling back prepared transaction x"; nothing for the others. */
void remedy_add_phrase(
	struct buf *out, const struct remedy *remedy, const struct db_session *session);
/* Whether an autovacuum worker prevents wraparound: that one does not yield to who waits for it. */
bool remedy_is_wraparound(const struct db_session *session);

#endif
