/*
 * A run in the journal: where it begins and ends, what came of each step, the intent before and the
 * result after each write; and reading that back, so that a run goes on where it stood.
 *
 * Besides intents and results, a run leaves notes with its runbook's name: "begun", "left",
 * "finished", "stopped: WHY" without a step, and "OUTCOME: SENTENCE" with one, with the values it had
 * then. Beside the values stands the name under which the run's commands are found.
 */
#include "console_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <pgoncall/app/runbooks.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/journal/list.h>

/* --- writing --------------------------------------------------------------------------------- */

/* The run's name among the values; no runbook's variable has capitals. */
static const char record_application[] = "PGAPPNAME";
/* And what its process is known by. */
static const char record_mark[] = "MARK";

/* The values of the runbook's own variables; what pgoncall provides is found anew. */
static struct journal_var *record_vars(const struct app_run *r, size_t *n)
{
	struct journal_var *vars = mem_calloc(r->run->vars.n + 2, sizeof(*vars));
	size_t i;

	vars[0].name = record_application;
	vars[0].value = r->application;
	*n = 1;
	if (r->marked.used) {
		vars[1].name = record_mark;
		vars[(*n)++].value = r->marked.mark;
	}
	for (i = 0; i < r->run->vars.n; i++) {
		if (runbook_provided_find(r->run->vars.items[i].name))
			continue;
		vars[*n].name = r->run->vars.items[i].name;
		vars[(*n)++].value = r->run->vars.items[i].value;
	}
	return vars;
}

static void record_note_with(
	struct app_run *r, struct journal_entry entry, const char *step, const char *text)
{
	struct journal_var *vars = record_vars(r, &entry.n_vars);

	entry.event = JOURNAL_NOTE;
	entry.runbook = r->run->runbook->name;
	entry.step = step;
	entry.vars = vars;
	entry.text = text;
	app_record(r->app, &entry, NULL, NULL);
	free(vars);
}

static void record_note(struct app_run *r, const char *step, const char *text)
{
	const struct journal_entry entry = JOURNAL_ENTRY_INIT;

	record_note_with(r, entry, step, text);
}

void run_record_mark(struct app_run *r, const char *text)
{
	char *full = *r->run->reason && strcmp(text, "stopped") == 0
			     ? mem_printf("%s: %s", text, r->run->reason)
			     : mem_strdup(text);

	record_note(r, NULL, full);
	free(full);
}

/* What ran, and what came of it. */
static void record_ran(const struct app_run *r, const struct runbook_step *step,
	const struct runbook_result *result, char hash[JOURNAL_HASH_HEX + 1],
	struct journal_entry *entry)
{
	run_exec_hash(r->exec, hash);
	if (result->ran == RUNBOOK_RAN)
		entry->exit = step->language == RUNBOOK_SQL ? 0 : result->exit;
	else if (result->ran == RUNBOOK_RAN_ERROR)
		entry->exit = 1;
	if (step->language == RUNBOOK_SQL && result->rows >= 0)
		entry->rows = result->rows;
	entry->duration_ms = (clock_monotonic() - r->began_ns) / CLOCK_NS_PER_MS;
	entry->output_sha256 = hash;
}

void run_record_outcome(
	struct app_run *r, const struct runbook_record *record, const struct runbook_result *result)
{
	const struct runbook_step *step = runbook_step_find(r->run->runbook, record->step);
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	char hash[JOURNAL_HASH_HEX + 1];
	char *text = mem_printf("%s: %s", runbook_outcome_name(record->outcome),
		record->reason ? record->reason : "");

	if (result && r->exec && step->mode == RUNBOOK_READ) {
		record_ran(r, step, result, hash, &entry);
		entry.command = run_exec_statement(r->exec);
	}
	record_note_with(r, entry, record->step, text);
	free(text);
}

void run_record_check(struct app_run *r, const char *check, enum runbook_answer answer)
{
	static const char *const words[] = {
		[RUNBOOK_CHECK_DONE] = "checked",
		[RUNBOOK_CHECK_NOT_DONE] = "not so",
		[RUNBOOK_CHECK_SKIP] = "check skipped",
	};
	char *text = answer == RUNBOOK_CHECK_SKIP
			     ? mem_printf("%s: %s (%s)", words[answer], check, r->run->reason)
			     : mem_printf("%s: %s", words[answer], check);

	record_note(r, runbook_run_step(r->run)->name, text);
	free(text);
}

/* Without this a failed step looks as if nobody had decided yet. */
static const char record_arrived[] = "begun, after a step that failed";

void run_record_arrival(struct app_run *r)
{
	const struct runbook_step *step = runbook_run_step(r->run);

	if (step)
		record_note(r, step->name, record_arrived);
}

void run_record_intent(struct app_run *r, const char *typed, recorder_done done, void *arg)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	struct journal_var *vars = record_vars(r, &entry.n_vars);
	char *confirm = mem_printf("%s: %s", policy_level_name(r->run->level), typed);

	entry.event = JOURNAL_INTENT;
	entry.runbook = r->run->runbook->name;
	entry.step = runbook_run_step(r->run)->name;
	entry.command = run_exec_statement(r->exec);
	entry.vars = vars;
	entry.confirm = confirm;
	app_record(r->app, &entry, done, arg);
	free(confirm);
	free(vars);
}

void run_record_result(struct app_run *r, const struct runbook_result *result)
{
	const struct runbook_step *step = runbook_run_step(r->run);
	struct journal_entry entry = JOURNAL_ENTRY_INIT;
	bool unknown =
		result->ran == RUNBOOK_RAN_UNKNOWN || r->run->state == RUNBOOK_STATE_UNSETTLED;
	enum runbook_outcome outcome = unknown ? RUNBOOK_UNKNOWN
				       : r->run->state == RUNBOOK_STATE_JUDGED
					       ? r->run->outcomes[r->run->step]
					       : RUNBOOK_FAIL;
	char hash[JOURNAL_HASH_HEX + 1];
	char *text = mem_printf("%s: %s", runbook_outcome_name(outcome),
		r->run->state == RUNBOOK_STATE_JUDGED || !result->error ? r->run->verdict
									: result->error);

	record_ran(r, step, result, hash, &entry);
	entry.event = unknown ? JOURNAL_UNKNOWN : JOURNAL_RESULT;
	entry.intent = r->intent_seq;
	entry.runbook = r->run->runbook->name;
	entry.step = step->name;
	entry.text = text;
	app_record(r->app, &entry, NULL, NULL);
	free(text);
}

void run_record_settled(struct app_run *r, const char *text)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	if (r->intent_seq <= 0)
		return;
	entry.event = JOURNAL_NOTE;
	entry.intent = r->intent_seq;
	entry.runbook = r->run->runbook->name;
	entry.step = runbook_run_step(r->run)->name;
	entry.text = text;
	app_record(r->app, &entry, NULL, NULL);
}

/* --- reading back ---------------------------------------------------------------------------- */

static void trace_clear(struct run_trace *trace)
{
	free(trace->incident);
	free(trace->runbook);
	free(trace->step);
	free(trace->arrived);
	free(trace->application);
	free(trace->mark);
	free(trace->ts);
	runbook_vars_fini(&trace->vars);
	strlist_fini(&trace->steps);
	strlist_fini(&trace->reasons);
	free(trace->outcomes);
	memset(trace, 0, sizeof(*trace));
}

void run_trace_fini(struct run_trace *trace)
{
	trace_clear(trace);
}

static void trace_set_arrived(struct run_trace *trace, const char *step)
{
	free(trace->arrived);
	trace->arrived = mem_strdup(step);
}

static void trace_add(struct run_trace *trace, const char *step, enum runbook_outcome outcome,
	const char *reason, int64_t intent_seq)
{
	trace->outcomes =
		mem_grow(trace->outcomes, trace->steps.n, &trace->cap, sizeof(*trace->outcomes));
	trace->outcomes[trace->steps.n] = outcome;
	strlist_add(&trace->steps, step);
	strlist_add(&trace->reasons, reason);
	trace->intent_seq = intent_seq;
	free(trace->step);
	trace->step = mem_strdup(step);
	trace_set_arrived(trace, "");
}

/* "ok: 3 rows" into its two parts; -1 where it is no outcome. */
static int trace_parse(const char *text, enum runbook_outcome *outcome, const char **reason)
{
	size_t len = strcspn(text, ":");
	char *word = mem_strndup(text, len);
	int rc = text[len] ? runbook_outcome_parse(word, outcome) : -1;

	*reason = text + len + (text[len] == ':');
	*reason += strspn(*reason, " ");
	free(word);
	return rc;
}

static void trace_set_application(struct run_trace *trace, const char *application)
{
	free(trace->application);
	trace->application = run_is_name(application) ? mem_strdup(application) : NULL;
}

/* Of the last write: what is recorded after it may be about another attempt. */
static void trace_set_mark(
	struct run_trace *trace, const struct journal_record *record, const char *mark)
{
	if (record->event != JOURNAL_INTENT)
		return;
	free(trace->mark);
	trace->mark = run_is_mark(mark) ? mem_strdup(mark) : NULL;
}

static void trace_take_vars(struct run_trace *trace, const struct journal_record *record)
{
	json_t *vars = record->vars ? json_loads(record->vars, 0, NULL) : NULL, *value;
	const char *name;

	trace_set_mark(trace, record, "");
	json_object_foreach(vars, name, value)
	{
		if (!json_is_string(value))
			continue;
		if (strcmp(name, record_application) == 0)
			trace_set_application(trace, json_string_value(value));
		else if (strcmp(name, record_mark) == 0)
			trace_set_mark(trace, record, json_string_value(value));
		else
			runbook_vars_set(&trace->vars, name, json_string_value(value));
	}
	json_decref(vars);
}

static void trace_begin(struct run_trace *trace, const struct journal_record *record)
{
	trace_clear(trace);
	strlist_init(&trace->steps);
	strlist_init(&trace->reasons);
	trace->incident = mem_strdup(record->incident ? record->incident : "");
	trace->runbook = mem_strdup(record->runbook);
	trace->step = mem_strdup("");
	trace_set_arrived(trace, "");
}

/* A note without a step: a run begins, or is over. */
static void trace_take_mark(struct run_trace *trace, const struct journal_record *record)
{
	const char *text = record->text ? record->text : "";

	if (strcmp(text, "begun") == 0)
		trace_begin(trace, record);
	else if (strcmp(text, "finished") == 0 || str_starts(text, "stopped"))
		trace_clear(trace);
}

/* An intent counts as unknown until what comes after it says more. */
static void trace_take(struct run_trace *trace, const struct journal_record *record)
{
	enum runbook_outcome outcome = RUNBOOK_UNKNOWN;
	const char *reason = "";

	if (!record->runbook)
		return;
	if (!record->step) {
		trace_take_mark(trace, record);
		return;
	}
	if (!trace->runbook || !str_equal(record->runbook, trace->runbook))
		return;
	trace_take_vars(trace, record);
	free(trace->ts);
	trace->ts = mem_strdup(record->ts ? record->ts : "");
	if (record->text && strcmp(record->text, record_arrived) == 0)
		trace_set_arrived(trace, record->step);
	else if (record->event == JOURNAL_INTENT)
		trace_add(trace, record->step, RUNBOOK_UNKNOWN,
			"Nothing was recorded after it was sent.", record->seq);
	else if (record->text && !(record->event == JOURNAL_NOTE && record->intent) &&
		 trace_parse(record->text, &outcome, &reason) == 0)
		trace_add(trace, record->step, outcome, reason,
			outcome == RUNBOOK_UNKNOWN
				? (record->intent ? record->intent : trace->intent_seq)
				: 0);
}

/* The last run of one journal that is not over; *trace stays empty where there is none. */
static void trace_read(const char *path, const char *target, struct run_trace *trace)
{
	struct journal_log log;
	struct err err;
	size_t i;

	if (journal_load(path, &log, &err) < 0)
		return;
	for (i = 0; i < log.n; i++)
		if (str_equal(log.records[i].target, target))
			trace_take(trace, &log.records[i]);
	journal_log_fini(&log);
}

int run_trace_find(const char *target, struct run_trace *trace)
{
	struct buf directory = BUF_INIT;
	struct journal_list list;
	struct err err;
	size_t i;
	int rc = -1;

	memset(trace, 0, sizeof(*trace));
	memset(&list, 0, sizeof(list));
	if (journal_directory(&directory, &err) == 0 &&
		journal_list_load(buf_str(&directory), &list, &err) == 0) {
		for (i = 0; i < list.n && rc < 0; i++) {
			if (!str_equal(list.items[i].target, target) || list.items[i].broken ||
				journal_is_live(list.items[i].path))
				continue;
			trace_read(list.items[i].path, target, trace);
			rc = trace->runbook ? 0 : -1;
		}
		journal_list_fini(&list);
	}
	buf_fini(&directory);
	return rc;
}

/* --- going on -------------------------------------------------------------------------------- */

static int trace_restore(struct app_run *r, const struct run_trace *trace, struct err *err)
{
	struct runbook_record *records = mem_calloc(trace->steps.n + 1, sizeof(*records));
	struct runbook_effect effect;
	size_t i;
	int rc;

	for (i = 0; i < trace->steps.n; i++) {
		records[i].step = trace->steps.items[i];
		records[i].outcome = trace->outcomes[i];
		records[i].reason = trace->reasons.items[i];
	}
	for (i = 0; i < trace->vars.n; i++)
		runbook_run_set(r->run, trace->vars.items[i].name, trace->vars.items[i].value, err);
	r->intent_seq = trace->intent_seq;
	rc = runbook_run_restore(r->run, records, trace->steps.n, &effect, err);
	if (rc == 0 && r->run->state == RUNBOOK_STATE_UNSETTLED && trace->mark) {
		snprintf(r->marked.mark, sizeof(r->marked.mark), "%s", trace->mark);
		r->marked.used = true;
	}
	free(records);
	return rc;
}

/* Goes on in the journal of that incident. */
static int trace_open_journal(struct app *app, const struct run_trace *trace, struct err *err)
{
	const char *incident = recorder_incident(app->recorder);

	if (incident && !str_equal(incident, trace->incident))
		return err_set(err, ERR_REFUSED,
			"this console writes to another incident already: start it again to "
			"resume");
	if (!incident)
		app_journal_open(app, trace->incident, NULL, NULL);
	return 0;
}

/* What was decided about a failed step is not asked again. */
static void trace_go_on(struct app_run *r, const struct run_trace *trace)
{
	size_t next = runbook_run_next(r->run, RUNBOOK_FAIL);

	if (*trace->arrived && r->run->state == RUNBOOK_STATE_JUDGED &&
		next < r->run->runbook->n_steps &&
		strcmp(r->run->runbook->steps[next].name, trace->arrived) == 0 &&
		runbook_run_can(r->run, RUNBOOK_EVENT_GO))
		run_event(r, RUNBOOK_EVENT_GO, NULL);
}

int run_trace_resume(struct app *app, const struct run_trace *trace, struct err *err)
{
	struct runbook_library library;
	const struct runbook *runbook;
	struct app_run *r = NULL;
	int rc = runbooks_load(&library, config_get(app->section, CONFIG_RUNBOOKS), err);

	runbook = rc == 0 ? runbook_library_find(&library, trace->runbook, err) : NULL;
	if (runbook && trace_open_journal(app, trace, err) == 0) {
		run_open(app, &library, runbook, trace->application, &r);
		r->nameless = !trace->application;
		if (trace_restore(r, trace, err) < 0) {
			run_free(r);
			r = NULL;
		}
	}
	runbook_library_fini(&library);
	if (!r)
		return -1;
	run_show(r);
	trace_go_on(r, trace);
	if (r->run->state == RUNBOOK_STATE_UNSETTLED)
		run_look_begin(r);
	else if (r->run->state == RUNBOOK_STATE_PICKING && !console_is_asking(app->console))
		run_pick(r);
	record_note(r, NULL, "resumed");
	app_run_show(app);
	return 0;
}
