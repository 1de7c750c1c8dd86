/*
 * The page about one session: who it is, what it runs, what it waits for and whom it blocks.
 */
#include "activity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/diagnosis/remedy.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/theme.h>

#define DETAILS_NAME_COLS 12

static void details_fact(struct lines *out, const char *name, const char *value)
{
	if (*value)
		lines_add_fact(out, THEME_TEXT, DETAILS_NAME_COLS, name, value);
}

/* "bo1 on boardofone, alembic, from 172.18.0.5" */
static void details_who(const struct db_session *session, struct lines *out)
{
	struct buf text = BUF_INIT;

	if (session->pid)
		buf_printf(&text, "%d%s", session->pid,
			session->migration ? "  (a migration: Alembic's backend)" : "");
	else
		buf_printf(&text, "prepared transaction \"%s\"", session->gid);
	details_fact(out, session->pid ? "pid" : "gid", buf_str(&text));
	buf_clear(&text);
	buf_printf(&text, "%s on %s", *session->user ? session->user : "nobody",
		*session->database ? session->database : "no database");
	if (*session->application)
		buf_printf(&text, ", %s", session->application);
	if (session->pid && strcmp(session->backend_type, "client backend") != 0)
		buf_printf(&text, ", %s", session->backend_type);
	else if (session->pid)
		buf_printf(
			&text, ", from %s", *session->client ? session->client : "a local socket");
	details_fact(out, "who", buf_str(&text));
	buf_fini(&text);
}

/* "[########------------] CREATE INDEX: building index 42 %, about 3 min left in this phase" */
static void details_progress(const struct db_session *session, struct lines *out)
{
	struct buf text = BUF_INIT;
	char span[64];
	int i;

	if (!*session->progress)
		return;
	for (i = 0; i < 20 && !isnan(session->progress_ratio); i++)
		buf_printf(&text, "%s%s%s", i ? "" : "[",
			i < (int)(20 * session->progress_ratio + 0.5) ? "#" : "-", i == 19 ? "] " : "");
	buf_add_str(&text, session->progress);
	if (!isnan(session->progress_left_s))
		buf_printf(&text, ", about %s left in this phase",
			clock_format_span(session->progress_left_s, span, sizeof(span)));
	details_fact(out, "progress", buf_str(&text));
	buf_fini(&text);
}

static void details_state(const struct db_session *session, struct lines *out)
{
	struct buf text = BUF_INIT;
	char age[24];

	if (session->hidden) {
		details_fact(out, "state",
			"hidden: our role may not see it, nor query and times "
			"(pg_read_all_stats would let it)");
		return;
	}
	buf_add_str(&text, session->pid ? session->state : "prepared");
	if (!isnan(session->state_age_s))
		buf_printf(
			&text, " for %s", clock_format_age(session->state_age_s, age, sizeof(age)));
	if (*session->wait_event)
		buf_printf(&text, "; %s: %s", session->wait_event_type, session->wait_event);
	details_fact(out, "state", buf_str(&text));
	details_progress(session, out);
	buf_fini(&text);
}

/* One session in a list of them: "8140 alembic, active". */
static void details_other(
	struct lines *out, const char *name, const struct db_session *other, int pid)
{
	char *text;

	if (!other)
		text = mem_printf("%d, not in this picture", pid);
	else if (!other->pid)
		text = mem_printf("prepared transaction \"%s\"", other->gid);
	else
		text = mem_printf("%d %s, %s", other->pid,
			*other->application ? other->application : other->user, other->state);
	lines_add_fact(out, THEME_TEXT, DETAILS_NAME_COLS, name, text);
	free(text);
}

/* Whether `other` waits for `session` itself. */
static bool details_is_behind(const struct db_session *other, const struct db_session *session)
{
	size_t k;

	if (!session->pid)
		return strlist_has(&other->blocked_by_gids, session->gid);
	for (k = 0; k < other->n_blocked_by; k++)
		if (other->blocked_by[k] == session->pid)
			return true;
	return false;
}

static void details_blockers(
	const struct db_snapshot *snapshot, const struct db_session *session, struct lines *out)
{
	const char *name = "blocked by";
	size_t i;
	char *text;

	for (i = 0; i < session->n_blocked_by; i++) {
		if (!session->blocked_by[i])
			continue;
		details_other(out, name, db_snapshot_find(snapshot, session->blocked_by[i]),
			session->blocked_by[i]);
		name = "";
	}
	for (i = 0; i < session->blocked_by_gids.n; i++) {
		text = mem_printf("prepared transaction \"%s\"", session->blocked_by_gids.items[i]);
		lines_add_fact(out, THEME_TEXT, DETAILS_NAME_COLS, name, text);
		free(text);
		name = "";
	}
}

static void details_tree(
	const struct db_snapshot *snapshot, const struct db_session *session, struct lines *out)
{
	const char *name = "behind it";
	char age[24], *text;
	size_t i;

	if (*session->waits_for.mode) {
		text = mem_printf("%s on %s, for %s now", session->waits_for.mode,
			session->waits_for.relation,
			clock_format_age(session->wait_age_s, age, sizeof(age)));
		lines_add_fact(out, THEME_WAITING, DETAILS_NAME_COLS, "waits for", text);
		free(text);
	}
	details_blockers(snapshot, session, out);
	for (i = 0; session->n_behind && i < snapshot->n_sessions; i++) {
		if (!details_is_behind(&snapshot->sessions[i], session))
			continue;
		details_other(out, name, &snapshot->sessions[i], 0);
		name = "";
	}
	if (session->n_behind) {
		text = mem_printf("%zu in all", session->n_behind);
		lines_add_fact(out, THEME_TEXT, DETAILS_NAME_COLS, "", text);
		free(text);
	}
}

/* What works against it, where it is in somebody's way: before anybody tries what does not. */
static void details_remedy(
	const struct db_snapshot *snapshot, const struct db_session *session, struct lines *out)
{
	struct buf text = BUF_INIT;
	struct remedy remedy;

	if (!session->n_behind && strncmp(session->state, "idle in transaction", 19) != 0)
		return;
	remedy_of(snapshot, session, &remedy);
	remedy_add_phrase(&text, &remedy, session);
	if (text.len)
		buf_add_str(&text, remedy.kind == REMEDY_CANCEL ? " (c). " : " (K). ");
	buf_add_str(&text, remedy.why);
	details_fact(out, "remedy", buf_str(&text));
	if (!remedy.allowed)
		lines_add_fact(out, THEME_MESSAGE_WARNING, DETAILS_NAME_COLS, "not allowed",
			remedy.refusal.text);
	buf_fini(&text);
}

static void details_age(struct lines *out, const char *name, double age_s, const char *since)
{
	char age[24], *text;

	if (isnan(age_s))
		return;
	clock_format_age(age_s, age, sizeof(age));
	text = *since ? mem_printf("%s, since %s", age, since) : mem_strdup(age);
	lines_add_fact(out, THEME_TEXT, DETAILS_NAME_COLS, name, text);
	free(text);
}

static void details_holds(const struct db_session *session, struct lines *out)
{
	char *text;
	size_t i;

	if (*session->version_lock) {
		text = mem_printf("%s on the version table", session->version_lock);
		details_fact(out, "holds", text);
		free(text);
	}
	for (i = 0; i < session->n_holds; i++) {
		text = mem_printf("%s on %s", session->holds[i].mode, session->holds[i].relation);
		lines_add_fact(out, THEME_TEXT, DETAILS_NAME_COLS,
			i || *session->version_lock ? "" : "holds", text);
		free(text);
	}
}

/* What decides first: what it does and who is in whose way; the rest below. */
void activity_describe(const struct db_snapshot *snapshot, const struct db_session *session,
	struct buf *title, struct lines *out)
{
	if (session->pid)
		buf_printf(title, "Session %d", session->pid);
	else
		buf_add_str(title, "Prepared transaction");
	details_who(session, out);
	details_state(session, out);
	details_tree(snapshot, session, out);
	details_remedy(snapshot, session, out);
	if (*session->query) {
		lines_add_blank(out);
		lines_add(out, THEME_HEADER, 0,
			strcmp(session->state, "active") == 0 ? "Query"
							      : "Last query, not running now");
		lines_add(out, THEME_DIALOG_STATEMENT, 2, session->query);
	}
	lines_add_blank(out);
	details_age(out, "transaction", session->xact_age_s, session->xact_start);
	details_age(out, "query", session->query_age_s, session->query_start);
	details_age(out, "connected", session->backend_age_s, session->backend_start);
	details_holds(session, out);
}
