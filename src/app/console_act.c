/*
 * Acts on sessions, and how anything is confirmed. Every act goes one way, in this order: checked
 * against the newest snapshot, shown and confirmed, permitted by the gate, written to the journal (on
 * disk), permitted again, sent, its result looked at and written.
 */
#include "console_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

static void act_next(struct app *app);
static void act_do(struct app *app, const char *typed);

/* --- the gate -------------------------------------------------------------------------------- */

static enum policy_act act_policy(enum db_action_kind kind)
{
	return kind == DB_ACTION_CANCEL ? POLICY_ACT_CANCEL : POLICY_ACT_TERMINATE;
}

/* `name` is app_target_name's and must outlive the request. */
static void act_gate_request(
	const struct app *app, const char *name, const char *typed, struct gate_request *request)
{
	memset(request, 0, sizeof(*request));
	request->act = act_policy(app->act.kind);
	request->asked = POLICY_NONE;
	request->statement = app->act.action.shown;
	request->target = name;
	request->typed = typed;
}

/* --- asking ---------------------------------------------------------------------------------- */

static void act_free_session(struct console_session *s)
{
	free(s->backend_start);
	free(s->xact_start);
	free(s->query_start);
	free(s->gid);
}

static void act_clear_current(struct app *app)
{
	if (app->act.active)
		db_action_fini(&app->act.action);
	free(app->act.subject);
	app->act.subject = NULL;
	app->act.active = app->act.running = false;
}

static void act_clear_queue(struct app *app)
{
	size_t i;

	for (i = 0; i < app->act.n; i++)
		act_free_session(&app->act.queue[i]);
	free(app->act.queue);
	app->act.queue = NULL;
	app->act.n = app->act.next = 0;
	free(app->act.typed);
	app->act.typed = NULL;
}

/* The session as it is now, if it is still the one the operator looked at. */
static const struct db_session *act_find(const struct app *app, const struct console_session *want)
{
	const struct db_snapshot *snapshot = target_snapshot(app->target);
	const struct db_session *s;
	size_t i;

	for (i = 0; snapshot && i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		if (s->pid == want->pid && str_equal(s->backend_start, want->backend_start) &&
			str_equal(s->gid, want->gid))
			return s;
	}
	return NULL;
}

static char *act_subject(const struct db_session *s)
{
	if (!s->pid)
		return mem_printf("prepared transaction %s", s->gid);
	return mem_printf(
		"pid %d (%s%s%s)", s->pid, s->user, *s->application ? ", " : "", s->application);
}

static const struct {
	const char *question; /* before the subject */
	const char *effect;
	const char *undo;
} act_texts[] = {
	[DB_ACTION_CANCEL] = { "Cancel the query of",
		"Its statement ends with an error and its transaction fails; the session stays.",
		"It cannot be undone; the application may send the statement again." },
	[DB_ACTION_TERMINATE] = { "End the session of",
		"Closes its connection and rolls back its transaction.",
		"It cannot be undone; the application may connect again." },
	[DB_ACTION_ROLLBACK_PREPARED] = { "Roll back",
		"Rolls the prepared transaction back and releases its locks.",
		"It cannot be undone: its work is lost, and its coordinator must know." },
};

static const enum confirm_level act_confirm_levels[] = {
	[POLICY_NONE] = CONFIRM_Y,
	[POLICY_Y] = CONFIRM_Y,
	[POLICY_VERB] = CONFIRM_VERB,
	[POLICY_TARGET] = CONFIRM_TARGET,
};

/* What is known of the session, for the dialog; values point into the buffers. */
struct act_facts {
	struct confirm_fact list[8];
	size_t n;
	char state[160], age[32], behind[64], waits[256];
};

static void act_add_fact(struct act_facts *facts, const char *name, const char *value)
{
	if (!*value)
		return;
	facts->list[facts->n].name = name;
	facts->list[facts->n++].value = value;
}

static void act_fill_facts(struct act_facts *facts, const struct db_session *s)
{
	char span[64];

	memset(facts, 0, sizeof(*facts));
	snprintf(facts->state, sizeof(facts->state), "%s for %s", s->state,
		clock_format_span(s->state_age_s, span, sizeof(span)));
	if (*s->waits_for.mode)
		snprintf(facts->waits, sizeof(facts->waits), "%s on %s", s->waits_for.mode,
			s->waits_for.relation);
	if (s->n_behind)
		snprintf(facts->behind, sizeof(facts->behind), "%zu session%s", s->n_behind,
			s->n_behind > 1 ? "s" : "");
	act_add_fact(facts, "client", s->client);
	act_add_fact(facts, "database", s->database);
	act_add_fact(facts, "state", *s->state ? facts->state : "");
	act_add_fact(facts, "transaction",
		clock_format_age(s->xact_age_s, facts->age, sizeof(facts->age)));
	act_add_fact(facts, "waits for", facts->waits);
	act_add_fact(facts, "blocks", facts->behind);
	act_add_fact(facts, "began", s->backend_start);
	act_add_fact(facts, "last query", s->query);
}

static void act_on_silence(struct loop_timer *timer, void *arg)
{
	struct app *app = arg;
	struct console_intent intent;

	loop_timer_stop(timer);
	app->silence = NULL;
	intent = console_expire(app->console);
	if (intent.kind == INTENT_DECLINED) {
		if (!app_run_intent(app, &intent))
			app_act_stop(app);
		app_message(app, CONSOLE_INFO, "no answer for %d s: nothing was done",
			CONFIRM_TIMEOUT_S);
	}
	app_dirty(app);
}

void app_confirm(struct app *app, const struct confirm_request *request)
{
	term_flush_input(app->term);
	console_confirm(app->console, request);
	loop_timer_stop(app->silence);
	app->silence =
		loop_timer_start(app->loop, CONFIRM_TIMEOUT_S * 1000, 0, act_on_silence, app);
	app_dirty(app);
}

void app_confirm_over(struct app *app)
{
	loop_timer_stop(app->silence);
	app->silence = NULL;
}

enum confirm_level app_confirm_level(enum policy_level level)
{
	return act_confirm_levels[level];
}

/* --- several at once ------------------------------------------------------------------------- */

/* What a question about several sessions lists; texts are owned. */
struct act_many {
	struct confirm_fact *facts;
	struct strlist texts;
	struct buf statements, pids;
	size_t n;
};

static void act_many_add(struct act_many *many, const char *name, char *value_take)
{
	strlist_add(&many->texts, name);
	strlist_add_take(&many->texts, value_take);
	many->n++;
}

/* Takes those out of the queue that are gone or may not be hit, and says so; the others are listed
 * with their identity and the statement that will be sent for each. */
static void act_many_init(struct app *app, struct act_many *many)
{
	const struct db_server *server = &target_snapshot(app->target)->server;
	const struct db_session *s;
	struct db_action action;
	size_t i, kept = 0;
	struct err err;
	char pid[24];

	memset(many, 0, sizeof(*many));
	strlist_init(&many->texts);
	for (i = 0; i < app->act.n; i++) {
		s = act_find(app, &app->act.queue[i]);
		snprintf(pid, sizeof(pid), "pid %d", app->act.queue[i].pid);
		if (!s || db_action_check(server, s, app->act.kind, &err) < 0) {
			act_many_add(
				many, pid, mem_printf("LEFT OUT: %s", s ? err.text : "it is gone"));
			act_free_session(&app->act.queue[i]);
			continue;
		}
		act_many_add(many, pid,
			mem_printf("%s, %s, %s, began %s", s->user,
				*s->application ? s->application : "no application", s->state,
				s->backend_start));
		db_action_prepare(&action, app->act.kind, s, server->version_num);
		buf_printf(
			&many->statements, "%s%s", many->statements.len ? "\n" : "", action.shown);
		db_action_fini(&action);
		buf_printf(&many->pids, "%s%d", kept ? ", " : "", s->pid);
		app->act.queue[kept++] = app->act.queue[i];
	}
	app->act.n = kept;
	many->facts = mem_calloc(many->n + 1, sizeof(*many->facts));
	for (i = 0; i < many->n; i++) {
		many->facts[i].name = many->texts.items[2 * i];
		many->facts[i].value = many->texts.items[2 * i + 1];
	}
}

static void act_many_fini(struct act_many *many)
{
	free(many->facts);
	strlist_fini(&many->texts);
	buf_fini(&many->statements);
	buf_fini(&many->pids);
}

static void act_report(struct app *app, const char *line)
{
	buf_printf(&app->act.report, "%s\n", line);
}

/* Whether the session is still in the transaction, and for a cancel at the query, that was shown when
 * the answer was given. */
static bool act_is_as_confirmed(
	const struct app *app, const struct db_session *s, const struct console_session *want)
{
	return str_equal(s->xact_start, want->xact_start) &&
	       (app->act.kind != DB_ACTION_CANCEL || str_equal(s->query_start, want->query_start));
}

static void act_ask(struct app *app, const struct db_session *s, const struct act_many *many)
{
	char *name = app_target_name(app);
	struct confirm_request request = { .id = APP_ASK_ACT };
	struct gate_request gate;
	struct act_facts facts;
	char *question = mem_printf("%s %s?", act_texts[app->act.kind].question, app->act.subject);

	act_fill_facts(&facts, s);
	act_gate_request(app, name, NULL, &gate);
	request.level =
		act_confirm_levels[gate_level(app_policy_environment(app), &gate, &request.verb)];
	request.question = question;
	request.statement = app->act.action.shown;
	request.host = config_get(app->section, CONFIG_SSH);
	request.database = config_get(app->section, CONFIG_DB_NAME);
	request.role = target_snapshot(app->target)->server.role;
	request.environment = app_confirm_environment(app);
	request.facts = facts.list;
	request.n_facts = facts.n;
	request.effect = act_texts[app->act.kind].effect;
	request.undo = act_texts[app->act.kind].undo;
	request.target = name;
	if (many) {
		free(question);
		question = mem_printf("%s %zu sessions, one after another: pid %s?",
			app->act.kind == DB_ACTION_CANCEL ? "Cancel the queries of" : "End",
			app->act.n, buf_str(&many->pids));
		request.question = question;
		request.statement = buf_str(&many->statements);
		request.facts = many->facts;
		request.n_facts = many->n;
	}
	app_confirm(app, &request);
	free(question);
	free(name);
}

/* Whether the act makes sense and would be allowed once confirmed: refused before anything is asked. */
static int act_check(struct app *app, const struct db_session *s, struct err *err)
{
	char *name = app_target_name(app);
	struct gate_request request;
	struct gate_state state;
	int rc = -1;

	if (db_action_check(&target_snapshot(app->target)->server, s, app->act.kind, err) == 0) {
		app_gate_state(app, &state);
		/* It may have to be made first: act_on_journal. */
		state.journal_ok = recorder_ok(app->recorder);
		act_gate_request(app, name, NULL, &request);
		gate_level(state.environment, &request, &request.typed);
		rc = gate_check(&state, &request, err);
	}
	free(name);
	return rc;
}

/* The journal is the gate's last condition: it is made when the others hold, before it is asked. */
static void act_on_journal(void *arg, int64_t seq, const struct err *err)
{
	struct app *app = arg;
	const struct db_session *s;
	struct act_many many;

	if (!app->act.active || app->act.running || app->silence)
		return; /* given up meanwhile */
	s = act_find(app, &app->act.queue[app->act.next - 1]);
	if (seq > 0 && s && app->act.many) {
		act_many_init(app, &many);
		if (app->act.n) {
			act_ask(app, s, &many);
		} else {
			app_message(app, CONSOLE_WARNING,
				"nothing was done: none of them can be hit now");
			app_act_stop(app);
		}
		act_many_fini(&many);
		return;
	}
	if (seq > 0 && s) {
		act_ask(app, s, NULL);
		return;
	}
	app_message(app, CONSOLE_ERROR, "nothing was done: %s",
		seq > 0 ? "the session is not the one it was" : err->text);
	app_act_stop(app);
}

/* Takes up the next session of the queue: refuses it, or asks about it. */
static void act_next(struct app *app)
{
	const struct console_session *want;
	const struct db_session *s;
	struct err err;
	char *line;

	act_clear_current(app);
	if (app->act.next == app->act.n) {
		act_clear_queue(app);
		return;
	}
	want = &app->act.queue[app->act.next++];
	s = act_find(app, want);
	if (!s || (app->act.typed && !act_is_as_confirmed(app, s, want))) {
		line = mem_printf("pid %d: changed meanwhile, nothing done", want->pid);
		app_message(app, CONSOLE_WARNING, "%s", line);
		act_report(app, line);
		free(line);
		act_next(app);
		return;
	}
	db_action_prepare(&app->act.action, app->act.kind, s,
		target_snapshot(app->target)->server.version_num);
	app->act.active = true;
	app->act.subject = act_subject(s);
	if (act_check(app, s, &err) < 0) {
		app_message(app, CONSOLE_ERROR, "%s", err.text);
		app_act_stop(app);
		return;
	}
	if (app->act.typed)
		act_do(app, app->act.typed);
	else
		app_journal_open(app, NULL, act_on_journal, app);
}

void app_act_begin(
	struct app *app, enum db_action_kind kind, const struct console_session *sessions, size_t n)
{
	size_t i;

	if (app->act.running) {
		app_message(app, CONSOLE_WARNING, "wait: the result for %s is not there yet",
			app->act.subject);
		return;
	}
	if (app->past) {
		app_message(app, CONSOLE_ERROR,
			"nothing was done: this is a picture of the past; Esc shows what is now");
		return;
	}
	app_act_stop(app);
	app->act.kind = kind;
	app->act.queue = mem_calloc(n, sizeof(*app->act.queue));
	for (i = 0; i < n; i++) {
		app->act.queue[i].pid = sessions[i].pid;
		app->act.queue[i].backend_start = mem_strdup(sessions[i].backend_start);
		app->act.queue[i].xact_start = mem_strdup(sessions[i].xact_start);
		app->act.queue[i].query_start = mem_strdup(sessions[i].query_start);
		app->act.queue[i].gid = mem_strdup(sessions[i].gid);
	}
	app->act.n = n;
	app->act.many = n > 1;
	buf_clear(&app->act.report);
	app->act.after = 0;
	act_next(app);
}

void app_act_fini(struct app *app)
{
	app->act.running = false;
	app_act_stop(app);
	buf_fini(&app->act.report);
	free(app->act.sentence);
	app->act.sentence = NULL;
	app->act.after = 0;
	act_free_session(&app->act.unknown);
	memset(&app->act.unknown, 0, sizeof(app->act.unknown));
	app->act.unknown_seq = 0;
}

void app_act_stop(struct app *app)
{
	loop_timer_stop(app->silence);
	app->silence = NULL;
	act_clear_queue(app);
	if (!app->act.running)
		act_clear_current(app);
}

void app_act_declined(struct app *app)
{
	app_message(app, CONSOLE_INFO, "No: nothing was done");
	app_act_stop(app);
}

/* --- doing ----------------------------------------------------------------------------------- */

/* Keeps the identity of what was hit, so that a new connection can look for it. */
static void act_remember_unknown(struct app *app)
{
	struct console_session *s = &app->act.unknown;

	act_free_session(s);
	s->pid = app->act.action.pid;
	s->backend_start = mem_strdup(app->act.action.backend_start);
	s->xact_start = mem_strdup(app->act.action.xact_start);
	s->query_start = mem_strdup(app->act.action.query_start);
	s->gid = mem_strdup(app->act.action.gid);
	app->act.unknown_seq = app->act.intent_seq;
}

void app_act_look(struct app *app)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	const struct db_session *found;
	char *text;

	if (!app->act.unknown_seq || target_get_state(app->target) != TARGET_UP)
		return;
	found = act_find(app, &app->act.unknown);
	text = mem_printf("connected again and looked: pid %d of %s %s", app->act.unknown.pid,
		app->act.unknown.backend_start, found ? "is still there" : "is gone");
	entry.event = JOURNAL_NOTE;
	entry.intent = app->act.unknown_seq;
	entry.text = text;
	app_record(app, &entry, NULL, NULL);
	app_message(app, found ? CONSOLE_WARNING : CONSOLE_INFO, "%s", text);
	app->act.unknown_seq = 0;
	free(text);
}

static void act_write_result(struct app *app, enum db_action_result result, const char *sentence)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = result == DB_ACTION_UNKNOWN ? JOURNAL_UNKNOWN : JOURNAL_RESULT;
	entry.intent = app->act.intent_seq;
	entry.step = db_action_verb(app->act.kind);
	entry.exit = result == DB_ACTION_ENDED ? 0 : 1;
	entry.rows = result == DB_ACTION_ENDED || result == DB_ACTION_STILL_THERE ? 1
		     : result == DB_ACTION_CHANGED                                ? 0
										  : JOURNAL_NONE;
	entry.duration_ms = (clock_monotonic() - app->act.started) / CLOCK_NS_PER_MS;
	entry.text = sentence;
	app_record(app, &entry, NULL, NULL);
}

static void act_on_result(void *arg, enum db_action_result result, const char *sentence)
{
	struct app *app = arg;

	app_message(app,
		result == DB_ACTION_ENDED                                    ? CONSOLE_INFO
		: result == DB_ACTION_CHANGED || result == DB_ACTION_UNKNOWN ? CONSOLE_WARNING
									     : CONSOLE_ERROR,
		"%s", sentence);
	act_write_result(app, result, sentence);
	act_report(app, sentence);
	free(app->act.sentence);
	app->act.sentence = mem_strdup(sentence);
	if (result == DB_ACTION_UNKNOWN)
		act_remember_unknown(app);
	app->act.running = false;
	if (!app->target)
		return;
	app_show_facts(app);
	if (result != DB_ACTION_UNKNOWN) {
		app->act.after = clock_monotonic();
		probe_expire(app->probe);
	}
	target_refresh(app->target);
	if (app->act.next < app->act.n)
		act_next(app);
	else
		app_act_stop(app);
}

static void act_refused(struct app *app, const struct err *err)
{
	app_message(app, CONSOLE_ERROR, "nothing was done: %s", err->text);
	app_act_stop(app);
}

/* The intent is on disk: the one place where an act is sent. */
static void act_on_intent(void *arg, int64_t seq, const struct err *err)
{
	struct app *app = arg;
	struct gate_permit *permit = app->act.permit;
	struct gate_state state;
	struct err why;

	app->act.permit = NULL;
	app->act.running = false;
	if (seq < 0) {
		gate_permit_drop(app->gate, permit);
		act_refused(app, err);
		return;
	}
	app->act.intent_seq = seq;
	app_gate_state(app, &state);
	if (gate_permit_use(app->gate, permit, &state, app->act.action.shown, seq, &why) < 0) {
		act_write_result(app, DB_ACTION_FAILED, "not sent: the gate refused it");
		act_refused(app, &why);
		return;
	}
	app->act.running = true;
	db_action_run(target_acting_conn(app->target), &app->act.action, act_on_result, app);
	app_message(app, CONSOLE_INFO, "%s: sent, looking whether it ends", app->act.subject);
	app_show_facts(app);
}

static void act_record_intent(struct app *app, const struct gate_request *request)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct journal_var vars[] = {
		{ "pid", NULL },
		{ "backend_start", app->act.action.backend_start },
		{ "gid", app->act.action.gid },
		{ "subject", app->act.subject },
	};
	char pid[16], *confirm;

	confirm = mem_printf("%s: %s",
		policy_level_name(gate_level(app_policy_environment(app), request, NULL)),
		request->typed);
	snprintf(pid, sizeof(pid), "%d", app->act.action.pid);
	vars[0].value = pid;
	entry.event = JOURNAL_INTENT;
	entry.step = db_action_verb(app->act.kind);
	entry.command = app->act.action.shown;
	entry.vars = vars;
	entry.n_vars = sizeof(vars) / sizeof(vars[0]);
	entry.confirm = confirm;
	app_record(app, &entry, act_on_intent, app);
	free(confirm);
}

static void act_do(struct app *app, const char *typed)
{
	struct gate_request request;
	struct gate_state state;
	struct err err;
	char *name;

	name = app_target_name(app);
	app->act.started = clock_monotonic();
	app_gate_state(app, &state);
	act_gate_request(app, name, typed, &request);
	app->act.permit = gate_permit_take(app->gate, &state, &request, &err);
	if (app->act.permit) {
		app->act.running = true;
		act_record_intent(app, &request);
	} else {
		act_refused(app, &err);
	}
	free(name);
}

void app_act_confirmed(struct app *app, const char *typed)
{
	char *answer;

	loop_timer_stop(app->silence);
	app->silence = NULL;
	if (!app->act.active)
		return;
	answer = mem_strdup(typed);
	if (app->act.many) {
		/* Each session is taken up anew, and compared with what was confirmed. */
		app->act.typed = mem_strdup(typed);
		app->act.next = 0;
		act_next(app);
	} else {
		act_do(app, answer);
	}
	free(answer);
}
