/*
 * Whether an act makes sense and would be permitted, told from the picture alone, before anything is
 * asked of the operator or the server. Pure. The rules are those of the server's signalfuncs.c and
 * twophase.c.
 */
#include <pgoncall/db/action.h>

#include <string.h>

static bool check_is_autovacuum(const struct db_session *target)
{
	return strcmp(target->backend_type, "autovacuum worker") == 0;
}

static int check_permission(
	const struct db_server *server, const struct db_session *target, struct err *err)
{
	if (server->superuser)
		return 0;
	if (check_is_autovacuum(target))
		return err_set(err, ERR_REFUSED,
			"pid %d is an autovacuum worker: only a superuser%s may cancel it, role %s "
			"is "
			"none",
			target->pid,
			server->version_num >= 180000
				? " or a member of pg_signal_autovacuum_worker"
				: "",
			server->role);
	if (target->superuser)
		return err_set(err, ERR_REFUSED,
			"pid %d is a superuser's session (%s): only a superuser may end it, role "
			"%s "
			"is none",
			target->pid, target->user, server->role);
	if (!target->member && !server->may_signal)
		return err_set(err, ERR_REFUSED,
			"role %s may not signal sessions of %s: GRANT pg_signal_backend TO %s, or "
			"use a role that is a member of %s",
			server->role, target->user, server->role, target->user);
	return 0;
}

static int check_prepared(
	const struct db_server *server, const struct db_session *target, struct err *err)
{
	if (strcmp(target->database, server->database) != 0)
		return err_set(err, ERR_REFUSED,
			"prepared transaction %s is in database %s: it can be rolled back from "
			"there "
			"only",
			target->gid, target->database);
	if (!server->superuser && strcmp(target->user, server->role) != 0)
		return err_set(err, ERR_REFUSED,
			"prepared transaction %s is %s's: only %s or a superuser may roll it back",
			target->gid, target->user, target->user);
	return 0;
}

static int check_state(const struct db_session *target, enum db_action_kind kind, struct err *err)
{
	if (target->ours)
		return err_set(err, ERR_REFUSED, "pid %d is pgoncall's own session", target->pid);
	if (!target->backend_start[0])
		return err_set(err, ERR_REFUSED,
			"the server hides when pid %d began, so it cannot be told from another "
			"session with that pid: GRANT pg_read_all_stats (or pg_monitor) to our "
			"role",
			target->pid);
	if (strcmp(target->backend_type, "client backend") != 0 && !check_is_autovacuum(target))
		return err_set(err, ERR_REFUSED,
			"pid %d is the server's own (%s): pgoncall ends sessions of clients only",
			target->pid, target->backend_type);
	if (check_is_autovacuum(target) && kind != DB_ACTION_CANCEL)
		return err_set(err, ERR_REFUSED,
			"pid %d is an autovacuum worker: cancel stops it; there is no session to "
			"end",
			target->pid);
	if (kind == DB_ACTION_CANCEL && strncmp(target->state, "idle", 4) == 0)
		return err_set(err, ERR_REFUSED,
			"pid %d runs no query (%s): cancel does nothing to an idle session; "
			"terminate ends it",
			target->pid, target->state);
	return 0;
}

int db_action_check(const struct db_server *server, const struct db_session *target,
	enum db_action_kind kind, struct err *err)
{
	if (server->standby)
		return err_set(err, ERR_REFUSED,
			"this server is a standby: sessions are ended on the primary");
	if (kind == DB_ACTION_ROLLBACK_PREPARED) {
		if (target->pid != 0)
			return err_set(err, ERR_REFUSED,
				"pid %d is a session and no prepared transaction", target->pid);
		return check_prepared(server, target, err);
	}
	if (target->pid == 0)
		return err_set(err, ERR_REFUSED,
			"prepared transaction %s has no session: it is ended by ROLLBACK PREPARED",
			target->gid);
	if (check_state(target, kind, err) < 0)
		return -1;
	return check_permission(server, target, err);
}
