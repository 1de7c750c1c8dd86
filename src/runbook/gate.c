/*
 * Where a write is allowed or refused. gate_check is a table of conditions, each with its sentence;
 * a permit is proof that all of them held for one text. Permits live in the gate's own list until
 * the gate is freed, so that a pointer that is old, used or made up is only looked up, never
 * followed.
 */
#include <pgoncall/runbook/gate.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/runbook/scan.h>

/* --- arming ---------------------------------------------------------------------------------- */

int gate_arm_parse(const char *text, int64_t *duration_ns, const char **reason, struct err *err)
{
	char word[32];
	int64_t ns;
	size_t len;

	text += strspn(text, " \t");
	len = strcspn(text, " \t");
	snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : 0), text);
	if (clock_parse_duration(word, &ns) < 0 || strcspn(word, "0123456789") == len ||
		strchr("0123456789.", word[len - 1]))
		return err_set(
			err, ERR_USAGE, "for how long, and why? e.g. :arm 10m deploy is stuck");
	if (ns < GATE_ARM_MIN_NS || ns > GATE_ARM_MAX_NS)
		return err_set(
			err, ERR_USAGE, "writes can be allowed for 1m to 60m, not for %s", word);
	text += len;
	text += strspn(text, " \t");
	if (!*text)
		return err_set(err, ERR_USAGE,
			"a reason is missing; it goes into the journal: :arm %s REASON", word);
	*duration_ns = ns;
	*reason = text;
	return 0;
}

void gate_arm_start(struct gate_arm *arm, int64_t now_ns, int64_t duration_ns, const char *reason)
{
	size_t len = strlen(reason);

	arm->until_ns = now_ns + duration_ns;
	if (len >= sizeof(arm->reason)) {
		len = sizeof(arm->reason) - 1;
		while (len && ((unsigned char)reason[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(arm->reason, reason, len);
	arm->reason[len] = '\0';
}

void gate_arm_stop(struct gate_arm *arm)
{
	memset(arm, 0, sizeof(*arm));
}

int64_t gate_arm_left(const struct gate_arm *arm, int64_t now_ns)
{
	return arm->until_ns > now_ns ? arm->until_ns - now_ns : 0;
}

/* --- the conditions -------------------------------------------------------------------------- */

static int refuse_read(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	(void)state;
	if (request->act != POLICY_ACT_READ)
		return 0;
	return err_set(
		err, ERR_REFUSED, "this is declared as a read, and reads are not written through");
}

static int refuse_empty(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	(void)state;
	if (!str_empty(request->statement) && !str_empty(request->target))
		return 0;
	return err_set(err, ERR_REFUSED, "there is no statement, or no target, to act on");
}

static int refuse_link_down(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	if (state->link_up)
		return 0;
	return err_set(err, ERR_REFUSED,
		"the connection to %s is down: wait until it is back and the picture is fresh",
		request->target);
}

static int refuse_no_journal(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	(void)request;
	if (state->journal_ok)
		return 0;
	return err_set(err, ERR_REFUSED,
		"the journal cannot be written, and nothing is changed without it: make room or "
		"mend "
		"it, then start again");
}

static int refuse_unarmed(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	if (state->environment != POLICY_PRODUCTION || gate_arm_left(&state->arm, state->now_ns))
		return 0;
	if (state->arm.until_ns)
		return err_set(err, ERR_REFUSED,
			"the time for writes to %s is over: allow them again with :arm 10m REASON",
			request->target);
	return err_set(err, ERR_REFUSED,
		"%s is production and read-only: allow writes with :arm 10m REASON",
		request->target);
}

static int refuse_standby(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	if (state->role == GATE_ROLE_PRIMARY || (request->standby_ok && state->role))
		return 0;
	if (state->role == GATE_ROLE_STANDBY)
		return err_set(err, ERR_REFUSED,
			"%s is a standby, which takes no writes: switch to the primary with @",
			request->target);
	return err_set(err, ERR_REFUSED,
		"it is not known yet whether %s is the primary: wait for the first snapshot",
		request->target);
}

static int refuse_past(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	(void)request;
	if (!state->past)
		return 0;
	return err_set(err, ERR_REFUSED,
		"the screen shows a picture of the past: Esc shows what is now; then look again");
}

static int refuse_stale(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	int64_t age = state->now_ns - state->snapshot_ns;
	char span[48];

	(void)request;
	if (state->snapshot_ns > 0 && age >= 0 && age <= GATE_SNAPSHOT_MAX_NS)
		return 0;
	if (state->snapshot_ns <= 0 || age < 0)
		return err_set(err, ERR_REFUSED,
			"there is no picture of the database yet: wait for it, or refresh with R");
	return err_set(err, ERR_REFUSED,
		"what is on the screen is %s old, and things may have changed: refresh with R and "
		"look "
		"again",
		clock_format_span((double)age / (double)CLOCK_NS_PER_S, span, sizeof(span)));
}

enum policy_act gate_act(const struct gate_request *request)
{
	enum policy_act looks = request->kind == GATE_TEXT_SHELL ? scan_shell(request->statement)
								 : scan_sql(request->statement);

	return policy_act_worse(request->act, looks);
}

enum policy_level gate_level(
	enum policy_environment environment, const struct gate_request *request, const char **want)
{
	enum policy_act act = gate_act(request);
	enum policy_level level = policy_level(environment, act, request->asked);
	const char *verb = str_empty(request->verb) || act != request->act ? policy_act_verb(act)
									   : request->verb;

	/* No write is without a question, whatever a runbook asks for. */
	if (level == POLICY_NONE)
		level = POLICY_Y;
	if (want)
		*want = policy_answer(level, verb, request->target);
	return level;
}

static int refuse_unconfirmed(
	const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	const char *want;

	(void)gate_level(state->environment, request, &want);
	if (!str_empty(want) && str_equal(want, request->typed))
		return 0;
	return err_set(err, ERR_REFUSED, "not confirmed: in %s this wants \"%s\" typed exactly",
		policy_environment_name(state->environment), want ? want : "");
}

/* In the order in which an operator would mend them. */
static int (*const gate_conditions[])(
	const struct gate_state *state, const struct gate_request *request, struct err *err) = {
	refuse_read,
	refuse_empty,
	refuse_link_down,
	refuse_no_journal,
	refuse_standby,
	refuse_past,
	refuse_stale,
	refuse_unarmed,
	refuse_unconfirmed,
};

int gate_check(const struct gate_state *state, const struct gate_request *request, struct err *err)
{
	size_t i;

	for (i = 0; i < sizeof(gate_conditions) / sizeof(gate_conditions[0]); i++)
		if (gate_conditions[i](state, request, err) < 0)
			return -1;
	return 0;
}

/* --- permits --------------------------------------------------------------------------------- */

struct gate_permit {
	struct gate_permit *next;
	bool open; /* neither used nor void */
	int64_t until_ns;
	uint64_t connection;
	struct gate_request request; /* its strings are owned; freed when the permit closes */
};

struct gate {
	enum policy_environment environment;
	char *target;
	struct gate_permit *permits; /* newest first; at most that one is open */
};

struct gate *gate_new(enum policy_environment environment, const char *target)
{
	struct gate *gate = mem_calloc(1, sizeof(*gate));

	gate->environment = environment;
	gate->target = mem_strdup(target);
	return gate;
}

static void permit_close(struct gate_permit *permit)
{
	permit->open = false;
	free((char *)permit->request.statement);
	free((char *)permit->request.verb);
	free((char *)permit->request.target);
	free((char *)permit->request.typed);
	memset(&permit->request, 0, sizeof(permit->request));
}

void gate_free(struct gate *gate)
{
	struct gate_permit *permit, *next;

	if (!gate)
		return;
	for (permit = gate->permits; permit; permit = next) {
		next = permit->next;
		permit_close(permit);
		free(permit);
	}
	free(gate->target);
	free(gate);
}

/* Nobody makes production into staging on the way. */
static int gate_check_own(const struct gate *gate, const struct gate_state *state,
	const struct gate_request *request, struct err *err)
{
	if (state->environment != gate->environment || !str_equal(request->target, gate->target))
		return err_set(err, ERR_REFUSED,
			"this write is for another target than %s, which is open: nothing was sent",
			gate->target);
	return gate_check(state, request, err);
}

void gate_void(struct gate *gate)
{
	if (gate->permits && gate->permits->open)
		permit_close(gate->permits);
}

struct gate_permit *gate_permit_take(struct gate *gate, const struct gate_state *state,
	const struct gate_request *request, struct err *err)
{
	struct gate_permit *permit;

	gate_void(gate);
	if (gate_check_own(gate, state, request, err) < 0)
		return NULL;
	permit = mem_calloc(1, sizeof(*permit));
	permit->open = true;
	permit->until_ns = state->now_ns + GATE_PERMIT_NS;
	permit->connection = state->connection;
	permit->request = *request;
	permit->request.statement = mem_strdup(request->statement);
	permit->request.verb = mem_strdup_opt(request->verb);
	permit->request.target = mem_strdup(request->target);
	permit->request.typed = mem_strdup_opt(request->typed);
	permit->next = gate->permits;
	gate->permits = permit;
	return permit;
}

/* Compares addresses only. */
static struct gate_permit *gate_find(const struct gate *gate, const struct gate_permit *permit)
{
	struct gate_permit *own;

	for (own = gate->permits; own; own = own->next)
		if (own == permit)
			return own;
	return NULL;
}

static int permit_check(const struct gate *gate, const struct gate_permit *permit,
	const struct gate_state *state, const char *statement, int64_t intent_seq, struct err *err)
{
	if (!statement || strcmp(statement, permit->request.statement) != 0)
		return err_set(err, ERR_REFUSED,
			"what is about to be sent is not what was confirmed: nothing was sent");
	if (intent_seq <= 0)
		return err_set(
			err, ERR_REFUSED, "the intent is not in the journal: nothing was sent");
	if (state->connection != permit->connection)
		return err_set(err, ERR_REFUSED,
			"the connection was renewed since this was confirmed: look again, then "
			"confirm "
			"again");
	if (state->now_ns > permit->until_ns)
		return err_set(err, ERR_REFUSED,
			"the confirmation is too old: look again, then confirm again");
	return gate_check_own(gate, state, &permit->request, err);
}

int gate_permit_use(struct gate *gate, const struct gate_permit *permit,
	const struct gate_state *state, const char *statement, int64_t intent_seq, struct err *err)
{
	struct gate_permit *own = permit ? gate_find(gate, permit) : NULL;
	int rc;

	if (!own)
		return err_set(err, ERR_REFUSED,
			"this write did not pass the gate: nothing was sent (this is a defect of "
			"pgoncall)");
	if (!own->open)
		return err_set(err, ERR_REFUSED,
			"this confirmation was used already or taken back: confirm again");
	rc = permit_check(gate, own, state, statement, intent_seq, err);
	permit_close(own);
	return rc;
}

void gate_permit_drop(struct gate *gate, const struct gate_permit *permit)
{
	struct gate_permit *own = permit ? gate_find(gate, permit) : NULL;

	if (own && own->open)
		permit_close(own);
}
