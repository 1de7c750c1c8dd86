/*
 * The rules behind the findings, by what they look at. Private to diagnosis.
 */
#ifndef DIAGNOSIS_RULES_H
#define DIAGNOSIS_RULES_H

#include <pgoncall/base/buf.h>
#include <pgoncall/diagnosis/findings.h>

/* From this on … */
#define RULE_QUEUE_S          1   /* a wait for a lock is a queue */
#define RULE_QUEUE_CRITICAL_S 30  /* it is an outage */
#define RULE_QUEUE_CRITICAL_N 3   /* as it is with so many waiting */
#define RULE_IDLE_S           60  /* idle in transaction is worth a look */
#define RULE_LONG_S           300 /* a transaction is long */
#define RULE_SLOTS_PERCENT    90  /* connection slots are low */

/* Adds a finding about a session; severity and runbook as in the table. Returns it; valid until the
 * next is added. */
struct finding *rule_add(struct findings *out, const char *code, const struct db_session *session,
	const struct buf *text);

/* Sessions, locks and slots. */
void rules_of_snapshot(struct findings *out, const struct finding_input *in);
/* Revisions and version rows. */
void rules_of_revisions(struct findings *out, const struct finding_input *in);
/* Facts about the schema. */
void rules_of_schema(struct findings *out, const struct finding_input *in);
/* What the logs said. */
void rules_of_logs(struct findings *out, const struct finding_input *in);

#endif
