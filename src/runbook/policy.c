/*
 * The tables of what an act asks for, and comparing what was typed. Whether an act may happen at
 * all is the gate's business.
 */
#include <pgoncall/runbook/policy.h>

#include <stddef.h>
#include <string.h>

static const char *const environment_names[POLICY_ENVIRONMENT_COUNT] = {
	[POLICY_PRODUCTION] = "production",
	[POLICY_STAGING] = "staging",
	[POLICY_DEVELOPMENT] = "development",
};

static const char *const level_names[POLICY_LEVEL_COUNT] = {
	[POLICY_NONE] = "none",
	[POLICY_Y] = "y",
	[POLICY_VERB] = "verb",
	[POLICY_TARGET] = "target",
};

/* An act: its verb, and the least it asks for in each environment. */
struct policy_row {
	const char *verb;
	enum policy_level floor[POLICY_ENVIRONMENT_COUNT]; /* production, staging, development */
};

#define FLOOR(production, staging, development)                                                    \
	{                                                                                          \
		[POLICY_PRODUCTION] = POLICY_##production, [POLICY_STAGING] = POLICY_##staging,    \
		[POLICY_DEVELOPMENT] = POLICY_##development                                        \
	}

static const struct policy_row policy_rows[POLICY_ACT_COUNT] = {
	[POLICY_ACT_WRITE] = { "write", FLOOR(Y, Y, Y) },
	[POLICY_ACT_READ] = { "read", FLOOR(NONE, NONE, NONE) },
	[POLICY_ACT_CANCEL] = { "cancel", FLOOR(VERB, Y, Y) },
	[POLICY_ACT_TERMINATE] = { "terminate", FLOOR(TARGET, VERB, Y) },
	[POLICY_ACT_SIGNAL] = { "signal", FLOOR(VERB, Y, Y) },
	[POLICY_ACT_KILL] = { "kill", FLOOR(TARGET, VERB, Y) },
	[POLICY_ACT_RESTART] = { "restart", FLOOR(VERB, Y, Y) },
	[POLICY_ACT_UPGRADE] = { "upgrade", FLOOR(VERB, Y, Y) },
	[POLICY_ACT_DOWNGRADE] = { "downgrade", FLOOR(TARGET, VERB, Y) },
	[POLICY_ACT_STAMP] = { "stamp", FLOOR(TARGET, VERB, Y) },
	[POLICY_ACT_DROP] = { "drop", FLOOR(TARGET, VERB, VERB) },
	[POLICY_ACT_TRUNCATE] = { "truncate", FLOOR(TARGET, VERB, VERB) },
	[POLICY_ACT_UNBOUNDED] = { "all rows", FLOOR(TARGET, VERB, VERB) },
};

/* The index of name, or -1. */
static int policy_index(const char *const names[], int n, const char *name)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

const char *policy_environment_name(enum policy_environment environment)
{
	return environment_names[environment];
}

int policy_environment_parse(const char *name, enum policy_environment *environment)
{
	int i = policy_index(environment_names, POLICY_ENVIRONMENT_COUNT, name);

	if (i < 0)
		return -1;
	*environment = (enum policy_environment)i;
	return 0;
}

const char *policy_level_name(enum policy_level level)
{
	return level_names[level];
}

int policy_level_parse(const char *name, enum policy_level *level)
{
	int i = policy_index(level_names, POLICY_LEVEL_COUNT, name);

	if (i < 0)
		return -1;
	*level = (enum policy_level)i;
	return 0;
}

const char *policy_act_verb(enum policy_act act)
{
	return policy_rows[act].verb;
}

enum policy_level policy_floor(enum policy_environment environment, enum policy_act act)
{
	return policy_rows[act].floor[environment];
}

enum policy_level policy_level(
	enum policy_environment environment, enum policy_act act, enum policy_level asked)
{
	enum policy_level floor = policy_floor(environment, act);

	return asked > floor ? asked : floor;
}

const char *policy_answer(enum policy_level level, const char *verb, const char *target)
{
	switch (level) {
	case POLICY_Y:
		return "y";
	case POLICY_VERB:
		return verb;
	case POLICY_TARGET:
		return target;
	case POLICY_NONE:
	case POLICY_LEVEL_COUNT:
		break;
	}
	return NULL;
}

bool policy_match(enum policy_level level, const char *verb, const char *target, const char *typed)
{
	const char *want = policy_answer(level, verb, target);

	if (level == POLICY_NONE)
		return true;
	return want && *want && typed && strcmp(want, typed) == 0;
}

enum policy_act policy_act_worse(enum policy_act a, enum policy_act b)
{
	return policy_floor(POLICY_PRODUCTION, b) > policy_floor(POLICY_PRODUCTION, a) ? b : a;
}
