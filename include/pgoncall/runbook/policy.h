/*
 * What an operator must type before an act: pure tables. Policy raises what a runbook asks for and
 * never lowers it.
 */
#ifndef PGONCALL_RUNBOOK_POLICY_H
#define PGONCALL_RUNBOOK_POLICY_H

#include <stdbool.h>

enum policy_environment {
	POLICY_PRODUCTION, /* zero: what nobody set counts as production */
	POLICY_STAGING,
	POLICY_DEVELOPMENT,
	POLICY_ENVIRONMENT_COUNT
};

/* Levels rise in this order. */
enum policy_level {
	POLICY_NONE,   /* reads */
	POLICY_Y,      /* "y" */
	POLICY_VERB,   /* the verb, e.g. "cancel" */
	POLICY_TARGET, /* database@target, e.g. "boardofone@prod" */
	POLICY_LEVEL_COUNT
};

enum policy_act {
	POLICY_ACT_WRITE, /* zero: any write not listed below */
	POLICY_ACT_READ,
	POLICY_ACT_CANCEL,    /* pg_cancel_backend */
	POLICY_ACT_TERMINATE, /* pg_terminate_backend */
	POLICY_ACT_SIGNAL,    /* SIGTERM and milder to a process */
	POLICY_ACT_KILL,      /* SIGKILL */
	POLICY_ACT_RESTART,   /* of a container or service */
	POLICY_ACT_UPGRADE,   /* alembic upgrade */
	POLICY_ACT_DOWNGRADE, /* alembic downgrade */
	POLICY_ACT_STAMP,     /* alembic stamp, or a repair of the version table */
	POLICY_ACT_DROP,
	POLICY_ACT_TRUNCATE,
	POLICY_ACT_UNBOUNDED, /* UPDATE or DELETE without WHERE */
	POLICY_ACT_COUNT
};

const char *policy_environment_name(enum policy_environment environment);
int policy_environment_parse(const char *name, enum policy_environment *environment);
const char *policy_level_name(enum policy_level level);
int policy_level_parse(const char *name, enum policy_level *level);
/* "cancel", "terminate", …: the verb an act is confirmed with where a runbook names none. */
const char *policy_act_verb(enum policy_act act);

/* The least that this act asks for there. */
enum policy_level policy_floor(enum policy_environment environment, enum policy_act act);
/* The floor, or what the runbook asks for where that is more. */
enum policy_level policy_level(
	enum policy_environment environment, enum policy_act act, enum policy_level asked);

/* What is to be typed at this level: "y", the verb, or the target ("database@target"); NULL at
 * POLICY_NONE. */
const char *policy_answer(enum policy_level level, const char *verb, const char *target);
/* Whether `typed` is exactly that. NULL and "" never match above POLICY_NONE. */
bool policy_match(enum policy_level level, const char *verb, const char *target, const char *typed);

/* The act that asks for more in production; on a tie the first. */
enum policy_act policy_act_worse(enum policy_act a, enum policy_act b);

#endif
