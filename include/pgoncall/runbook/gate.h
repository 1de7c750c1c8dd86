/*
 * The one gate that every write passes. gate_check is pure: what must be true now, one sentence for
 * each thing that is not. A permit is its only product: it is made here and nowhere else, for one
 * act with exactly one text, once, and soon. Whoever acts asks for a permit and hands it to
 * gate_permit_use with the text it is about to send; without that nothing may be sent.
 *
 *   permit = gate_permit_take(gate, &state, &request, err);   checks, NULL is a refusal
 *   seq = journal_write(journal, &intent, err);                before the act
 *   gate_permit_use(gate, permit, &state_now, text, seq, err)  checks again, spends the permit
 *   … send text …
 */
#ifndef PGONCALL_RUNBOOK_GATE_H
#define PGONCALL_RUNBOOK_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/runbook/policy.h>

#define GATE_SNAPSHOT_MAX_NS (INT64_C(10) * 1000000000) /* older data is stale */
#define GATE_PERMIT_NS       (INT64_C(15) * 1000000000) /* from take to use */

/* --- arming ---------------------------------------------------------------------------------- */

#define GATE_ARM_MIN_NS (INT64_C(60) * 1000000000)
#define GATE_ARM_MAX_NS (INT64_C(3600) * 1000000000)

/* Whether writes are allowed for now. All zero is disarmed. */
struct gate_arm {
	int64_t until_ns; /* monotonic; 0: not armed */
	char reason[256]; /* as typed, cut at a character's end */
};

/* Reads "10m deploy is stuck": 1 to 60 minutes and a reason, both required. */
int gate_arm_parse(const char *text, int64_t *duration_ns, const char **reason, struct err *err);
void gate_arm_start(struct gate_arm *arm, int64_t now_ns, int64_t duration_ns, const char *reason);
void gate_arm_stop(struct gate_arm *arm);
/* Nanoseconds left, 0 when not armed or over. */
int64_t gate_arm_left(const struct gate_arm *arm, int64_t now_ns);

/* --- what is true, and what is asked ---------------------------------------------------------- */

enum gate_role {
	GATE_ROLE_UNKNOWN, /* zero: not asked yet */
	GATE_ROLE_PRIMARY,
	GATE_ROLE_STANDBY
};

/* All zero refuses everything. Moments are nanoseconds of one monotonic clock, best clock_boottime,
 * on which time goes by while the machine sleeps. */
struct gate_state {
	int64_t now_ns;
	enum policy_environment environment;
	struct gate_arm arm;
	bool journal_ok; /* an incident's journal is open and has not failed */
	bool link_up;    /* host and database connections stand */
	enum gate_role role;
	int64_t snapshot_ns; /* when the newest picture was taken; 0: none */
	bool past;           /* the operator looks at an older one */
	uint64_t connection; /* changes with every reconnect: a permit does not outlive a link */
};

enum gate_text { GATE_TEXT_SQL, GATE_TEXT_SHELL };

struct gate_request {
	enum policy_act act;     /* as declared; what the text looks like may make it worse */
	enum policy_level asked; /* by the runbook; policy may raise it */
	enum gate_text kind;
	/* The exact text that will be sent, as shown to the operator. A statement's parameters
	 * belong to it, or the permit would not bind them: e.g. a last line "-- $1 = 8123". */
	const char *statement;
	const char *verb;   /* NULL: policy_act_verb(act) */
	const char *target; /* "database@target" */
	const char *typed;  /* what the operator typed at the question */
	bool standby_ok;    /* a host command that does not write to the database */
};

/* The declared act, or a worse one that the text looks like. */
enum policy_act gate_act(const struct gate_request *request);
/* What is to be typed, POLICY_Y at the least: the question to ask. *want (may be NULL) is set to
 * the text itself, borrowed from the request. */
enum policy_level gate_level(
	enum policy_environment environment, const struct gate_request *request, const char **want);

/* 0: allowed now. -1: ERR_REFUSED and one sentence on what to do. A POLICY_ACT_READ is refused too:
 * reads pass no gate, so who asks for one here is wrong. */
int gate_check(const struct gate_state *state, const struct gate_request *request, struct err *err);

/* --- permits --------------------------------------------------------------------------------- */

struct gate;
struct gate_permit; /* only gate.c knows what is in it; owned by the gate until gate_free */

/* For one target; a request or state that names another is refused. target ("database@target") is
 * copied. */
struct gate *gate_new(enum policy_environment environment, const char *target);
void gate_free(struct gate *gate);

/* NULL with a sentence, or a permit; a permit that was open before is void. */
struct gate_permit *gate_permit_take(struct gate *gate, const struct gate_state *state,
	const struct gate_request *request, struct err *err);
/* 0 exactly once for a permit of this gate, with the same text, in time, with the intent's seq in
 * the journal, and only while gate_check still passes. Whatever it returns, the permit is spent. */
int gate_permit_use(struct gate *gate, const struct gate_permit *permit,
	const struct gate_state *state, const char *statement, int64_t intent_seq, struct err *err);
/* Gives it back unused: the operator said no. NULL is allowed. */
void gate_permit_drop(struct gate *gate, const struct gate_permit *permit);
/* Voids what is open, e.g. at :disarm. */
void gate_void(struct gate *gate);

#endif
