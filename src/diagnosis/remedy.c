/*
 * The remedy for one session: a table of cases, the first that fits counts. Whether we are allowed to
 * is asked of db/action, whose refusals name the missing role.
 */
#include <pgoncall/diagnosis/remedy.h>

#include <string.h>

#include <pgoncall/base/str.h>

static bool is_prepared(const struct db_session *s)
{
	return s->pid == 0;
}

static bool is_ours(const struct db_session *s)
{
	return s->ours;
}

static bool is_hidden(const struct db_session *s)
{
	return s->hidden;
}

static bool is_autovacuum(const struct db_session *s)
{
	return strcmp(s->backend_type, "autovacuum worker") == 0;
}

bool remedy_is_wraparound(const struct db_session *s)
{
	return is_autovacuum(s) && strstr(s->query, "(to prevent wraparound)");
}

static bool is_server_s(const struct db_session *s)
{
	return s->backend_type[0] && strcmp(s->backend_type, "client backend") != 0;
}

static bool is_waiting(const struct db_session *s)
{
	return s->n_blocked_by > 0;
}

static bool is_working_migration(const struct db_session *s)
{
	return s->migration && strcmp(s->state, "active") == 0;
}

static bool is_in_transaction(const struct db_session *s)
{
	return strncmp(s->state, "idle in transaction", 19) == 0;
}

static bool is_idle(const struct db_session *s)
{
	return strcmp(s->state, "idle") == 0;
}

/* It cannot send its rows: a client that reads no more, or is gone. */
static bool is_stuck_in_sending(const struct db_session *s)
{
	return strcmp(s->wait_event, "ClientWrite") == 0;
}

static bool is_anything(const struct db_session *s)
{
	(void)s;
	return true;
}

static const struct remedy_case {
	bool (*fits)(const struct db_session *s);
	enum remedy_kind kind;
	const char *why;
} remedy_cases[] = {
	{ is_prepared, REMEDY_ROLLBACK_PREPARED,
		"It has no session that could be ended: only ROLLBACK PREPARED (or COMMIT PREPARED "
		"by its coordinator) releases its locks." },
	{ is_ours, REMEDY_LEAVE, "It is pgoncall's own session." },
	{ is_hidden, REMEDY_UNKNOWN,
		"The server hides what it does from our role; with pg_monitor it could be told." },
	{ remedy_is_wraparound, REMEDY_LEAVE,
		"It is the anti-wraparound autovacuum, which does not yield: let it finish. "
		"Cancelled, it starts again." },
	{ is_autovacuum, REMEDY_LEAVE,
		"Autovacuum yields by itself, about a second after somebody waits for it." },
	{ is_server_s, REMEDY_LEAVE, "It is a process of the server itself: leave it alone." },
	{ is_stuck_in_sending, REMEDY_TERMINATE,
		"It cannot send its rows to its client; a cancel waits for that as well, only "
		"ending "
		"the session helps." },
	{ is_waiting, REMEDY_CANCEL,
		"It waits itself: cancelling its statement takes it out of the queue." },
	{ is_working_migration, REMEDY_LEAVE,
		"It is a migration at work: leave it alone. Cancelling it rolls its work back." },
	{ is_in_transaction, REMEDY_TERMINATE,
		"Cancel does nothing to an idle session: only ending it ends its transaction." },
	{ is_idle, REMEDY_TERMINATE,
		"Cancel does nothing to an idle session: what it holds (an advisory lock) lasts as "
		"long as the session." },
	{ is_anything, REMEDY_CANCEL,
		"Cancelling its query ends the statement; its transaction then holds its locks "
		"until "
		"the client rolls back. If it does not, end the session." },
};

void remedy_of(
	const struct db_snapshot *snapshot, const struct db_session *session, struct remedy *remedy)
{
	static const enum db_action_kind acts[] = {
		[REMEDY_CANCEL] = DB_ACTION_CANCEL,
		[REMEDY_TERMINATE] = DB_ACTION_TERMINATE,
		[REMEDY_ROLLBACK_PREPARED] = DB_ACTION_ROLLBACK_PREPARED,
	};
	const struct remedy_case *c = remedy_cases;

	while (!c->fits(session))
		c++;
	memset(remedy, 0, sizeof(*remedy));
	remedy->kind = c->kind;
	remedy->why = c->why;
	remedy->allowed = c->kind >= REMEDY_LEAVE || db_action_check(&snapshot->server, session,
							     acts[c->kind], &remedy->refusal) == 0;
}

void remedy_add_phrase(
	struct buf *out, const struct remedy *remedy, const struct db_session *session)
{
	switch (remedy->kind) {
	case REMEDY_CANCEL:
		buf_printf(out, "cancelling the query of pid %d", session->pid);
		break;
	case REMEDY_TERMINATE:
		buf_printf(out, "ending pid %d", session->pid);
		break;
	case REMEDY_ROLLBACK_PREPARED:
		buf_printf(out, "rolling back prepared transaction %s", session->gid);
		break;
	default:
		break;
	}
}
