/*
 * JSON output, by jansson. The keys are a contract with scripts; they are spelled here and nowhere
 * else.
 */
#include <pgoncall/app/output.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/utf8.h>

/* A string of any bytes: what is not UTF-8 becomes U+FFFD, since JSON cannot carry it. */
static json_t *json_text(const char *s)
{
	struct buf clean = BUF_INIT;
	json_t *value = json_string(s);
	size_t len = strlen(s), used;
	char mark[4];
	uint32_t cp;

	if (value)
		return value;
	while (len) {
		used = utf8_decode(s, len, &cp);
		if (used)
			buf_add(&clean, s, used);
		else
			buf_add(&clean, mark, utf8_encode(0xFFFD, mark));
		s += used ? used : 1;
		len -= used ? used : 1;
	}
	value = json_string(buf_str(&clean));
	buf_fini(&clean);
	return value;
}

static json_t *json_text_or_null(const char *s)
{
	return *s ? json_text(s) : json_null();
}

static json_t *json_words(const struct strlist *list)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < list->n; i++)
		json_array_append_new(array, json_text(list->items[i]));
	return array;
}

static json_t *json_ids(const struct migration_graph *graph, const struct migration_list *list)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < list->n; i++)
		json_array_append_new(array, json_text(graph->revisions[list->items[i]].id));
	return array;
}

/* Milliseconds are as fine as an age is known. */
static json_t *json_age(double seconds)
{
	return isnan(seconds) ? json_null() : json_real(round(seconds * 1000) / 1000);
}

/* Takes the value. */
static void json_print(FILE *out, json_t *value)
{
	json_dumpf(value, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	fputc('\n', out);
	json_decref(value);
}

/* What one source has and another has not, as problems: the keys of the answer are a contract. */
static void json_add_skew(json_t *problems, const struct output_revisions *shown)
{
	const struct migration_revision *r;
	struct buf text = BUF_INIT;
	json_t *o;
	size_t i;

	for (i = 0; shown->sources && i < shown->graph->n; i++) {
		r = &shown->graph->revisions[i];
		buf_clear(&text);
		migration_sources_skew(shown->sources, r, &text);
		if (!text.len)
			continue;
		o = json_object();
		json_object_set_new(o, "code", json_string("source-skew"));
		json_object_set_new(o, "text", json_sprintf("%s: %s", r->id, buf_str(&text)));
		json_object_set_new(o, "path", json_text_or_null(r->path));
		json_object_set_new(o, "line", json_null());
		json_array_append_new(problems, o);
	}
	buf_fini(&text);
}

static json_t *json_revision(const struct migration_revision *revision)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_text(revision->id));
	json_object_set_new(o, "down", json_words(&revision->down));
	json_object_set_new(o, "depends_on", json_words(&revision->depends_on));
	json_object_set_new(o, "labels", json_words(&revision->labels));
	json_object_set_new(o, "message", json_text(revision->message));
	json_object_set_new(o, "created", json_text_or_null(revision->created));
	json_object_set_new(o, "path", json_text(revision->path));
	json_object_set_new(o, "head", json_boolean(revision->is_head));
	json_object_set_new(o, "base", json_boolean(revision->is_base));
	json_object_set_new(o, "branchpoint", json_boolean(revision->is_branchpoint));
	json_object_set_new(o, "merge", json_boolean(revision->is_merge));
	json_object_set_new(o, "state", json_string(migration_state_name(revision->state)));
	return o;
}

static json_t *json_problems(const struct output_revisions *shown)
{
	const struct migration_problems *problems = &shown->graph->problems;
	json_t *array = json_array(), *o;
	size_t i;

	for (i = 0; i < problems->n; i++) {
		o = json_object();
		json_object_set_new(o, "code", json_text(problems->items[i].code));
		json_object_set_new(o, "text", json_text(problems->items[i].text));
		json_object_set_new(o, "path", json_text_or_null(problems->items[i].path));
		json_object_set_new(o, "line",
			problems->items[i].line ? json_integer(problems->items[i].line)
						: json_null());
		json_array_append_new(array, o);
	}
	json_add_skew(array, shown);
	return array;
}

void output_history_json(FILE *out, const struct output_revisions *revisions)
{
	const struct migration_graph *graph = revisions->graph;
	json_t *root = json_object(), *array = json_array();
	size_t i;

	for (i = 0; i < graph->n; i++)
		json_array_append_new(array, json_revision(&graph->revisions[i]));
	json_object_set_new(root, "revisions", array);
	json_object_set_new(root, "heads", json_ids(graph, &graph->heads));
	json_object_set_new(root, "current", json_ids(graph, &graph->current));
	json_object_set_new(root, "problems", json_problems(revisions));
	json_print(out, root);
}

void output_pending_json(FILE *out, const struct output_revisions *revisions)
{
	const struct migration_graph *graph = revisions->graph;
	json_t *root = json_object(), *array = json_array();
	size_t i;

	for (i = 0; i < graph->pending.n; i++)
		json_array_append_new(
			array, json_revision(&graph->revisions[graph->pending.items[i]]));
	json_object_set_new(root, "pending", array);
	json_object_set_new(root, "heads", json_ids(graph, &graph->heads));
	json_object_set_new(root, "current", json_ids(graph, &graph->current));
	json_object_set_new(root, "problems", json_problems(revisions));
	json_print(out, root);
}

static json_t *json_findings(const struct findings *findings)
{
	json_t *array = json_array(), *o;
	const struct finding *f;
	size_t i;

	for (i = 0; i < findings->n; i++) {
		f = &findings->items[i];
		o = json_object();
		json_object_set_new(o, "code", json_text(f->code));
		json_object_set_new(o, "severity", json_string(finding_severity_name(f->severity)));
		json_object_set_new(o, "text", json_text(f->text));
		json_object_set_new(o, "runbook", json_text_or_null(f->runbook));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *json_lock(const struct db_lock *lock)
{
	json_t *o = json_object();

	json_object_set_new(o, "mode", json_text(lock->mode));
	json_object_set_new(o, "relation", json_text(lock->relation));
	return o;
}

static json_t *json_blocked_by(const struct db_session *session)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < session->n_blocked_by; i++)
		json_array_append_new(array, json_integer(session->blocked_by[i]));
	return array;
}

static json_t *json_holds(const struct db_session *session)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < session->n_holds; i++)
		json_array_append_new(array, json_lock(&session->holds[i]));
	return array;
}

static const struct {
	const char *key;
	size_t offset; /* of a char * in struct db_session */
} session_texts[] = {
	{ "backend_start", offsetof(struct db_session, backend_start) },
	{ "user", offsetof(struct db_session, user) },
	{ "database", offsetof(struct db_session, database) },
	{ "application", offsetof(struct db_session, application) },
	{ "client", offsetof(struct db_session, client) },
	{ "state", offsetof(struct db_session, state) },
	{ "wait_event_type", offsetof(struct db_session, wait_event_type) },
	{ "wait_event", offsetof(struct db_session, wait_event) },
};

static json_t *json_session(const struct db_session *s)
{
	json_t *o = json_object();
	const char *text;
	size_t i;

	json_object_set_new(o, "pid", json_integer(s->pid));
	for (i = 0; i < sizeof(session_texts) / sizeof(session_texts[0]); i++) {
		memcpy(&text, (const char *)s + session_texts[i].offset, sizeof(text));
		json_object_set_new(o, session_texts[i].key, json_text_or_null(text));
	}
	json_object_set_new(o, "xact_age_s", json_age(s->xact_age_s));
	json_object_set_new(o, "query_age_s", json_age(s->query_age_s));
	json_object_set_new(o, "wait_age_s", json_age(s->wait_age_s));
	json_object_set_new(o, "query", json_text(s->query));
	json_object_set_new(o, "blocked_by", json_blocked_by(s));
	json_object_set_new(
		o, "waits_for", *s->waits_for.mode ? json_lock(&s->waits_for) : json_null());
	json_object_set_new(o, "holds", json_holds(s));
	json_object_set_new(o, "depth", json_integer(s->depth));
	json_object_set_new(o, "root", s->root < 0 ? json_null() : json_integer(s->root));
	return o;
}

void output_locks_json(
	FILE *out, const struct db_snapshot *snapshot, const struct findings *findings)
{
	json_t *root = json_object(), *server = json_object();
	json_t *sessions = json_array(), *roots = json_array();
	size_t i;

	json_object_set_new(root, "at", json_text(snapshot->at));
	json_object_set_new(server, "version", json_text(snapshot->server.version));
	json_object_set_new(server, "standby", json_boolean(snapshot->server.standby));
	json_object_set_new(root, "server", server);
	for (i = 0; i < snapshot->n_sessions; i++) {
		json_array_append_new(sessions, json_session(&snapshot->sessions[i]));
		if (snapshot->sessions[i].is_root)
			json_array_append_new(roots, json_integer(snapshot->sessions[i].pid));
	}
	json_object_set_new(root, "sessions", sessions);
	json_object_set_new(root, "roots", roots);
	json_object_set_new(root, "findings", json_findings(findings));
	json_print(out, root);
}

static const char *const check_names[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARNING] = "warning",
	[CHECK_CRITICAL] = "critical",
	[CHECK_UNKNOWN] = "unknown",
};

void output_check_json(FILE *out, const char *target, const struct check_report *report,
	const struct findings *findings)
{
	json_t *root = json_object(), *array = json_array(), *o;
	size_t i;

	json_object_set_new(root, "target", json_text(target));
	json_object_set_new(
		root, "status", json_string(check_names[check_report_status(report, findings)]));
	for (i = 0; i < report->n; i++) {
		o = json_object();
		json_object_set_new(o, "name", json_text(report->lines[i].name));
		json_object_set_new(o, "status", json_string(check_names[report->lines[i].status]));
		json_object_set_new(o, "detail", json_text(report->lines[i].detail));
		json_array_append_new(array, o);
	}
	json_object_set_new(root, "checks", array);
	json_object_set_new(root, "findings", json_findings(findings));
	json_print(out, root);
}
