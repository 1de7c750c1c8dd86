/*
 * The journal's queue. Owns the journal, which only the worker touches while a record is on its way,
 * copies of what is to be written, and the second that a record may take.
 */
#include "console_journal.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#define RECORD_MS 1000

struct record {
	struct recorder *recorder;
	struct record *next;
	struct journal_meta meta; /* strings owned, as those of entry */
	struct journal_entry entry;
	struct journal_var *vars;
	bool only_open;
	bool given_up; /* `done` was told that it took too long */
	recorder_done done;
	void *arg;
	struct loop_timer *limit;
	int64_t seq; /* the worker's answer; -1: err */
	struct err err;
};

struct recorder {
	struct loop *loop;
	struct journal *journal; /* the worker's while it writes */
	char *incident, *path;
	char *wanted;         /* that was asked for by name: there is no other for it; or NULL */
	struct record *queue; /* oldest first */
	bool writing;         /* the first one is the worker's */
	int overdue;          /* of queue, given up */
	bool failed;
	bool closed;
};

static void recorder_next(struct recorder *recorder);

/* --- copies ----------------------------------------------------------------------------------- */

static void record_copy_meta(struct journal_meta *to, const struct journal_meta *from)
{
	to->incident = mem_strdup_opt(from->incident);
	to->user = mem_strdup_opt(from->user);
	to->target = mem_strdup_opt(from->target);
	to->host = mem_strdup_opt(from->host);
	to->host_key = mem_strdup_opt(from->host_key);
	to->database = mem_strdup_opt(from->database);
	to->role = mem_strdup_opt(from->role);
}

static void record_copy_entry(struct record *record, const struct journal_entry *from)
{
	struct journal_entry *to = &record->entry;
	size_t i;

	*to = *from;
	to->runbook = mem_strdup_opt(from->runbook);
	to->step = mem_strdup_opt(from->step);
	to->command = mem_strdup_opt(from->command);
	to->confirm = mem_strdup_opt(from->confirm);
	to->output_sha256 = mem_strdup_opt(from->output_sha256);
	to->text = mem_strdup_opt(from->text);
	record->vars = mem_calloc(from->n_vars, sizeof(*record->vars));
	for (i = 0; i < from->n_vars; i++) {
		record->vars[i].name = mem_strdup_opt(from->vars[i].name);
		record->vars[i].value = mem_strdup_opt(from->vars[i].value);
	}
	to->vars = record->vars;
}

static void record_free(struct record *record)
{
	const char *const owned[] = { record->meta.incident, record->meta.user, record->meta.target, record->meta.host,
		record->meta.host_key, record->meta.database, record->meta.role,
		record->entry.runbook, record->entry.step, record->entry.command,
		record->entry.confirm, record->entry.output_sha256, record->entry.text };
	size_t i;

	for (i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
		free((void *)owned[i]);
	for (i = 0; i < record->entry.n_vars; i++) {
		free((void *)record->vars[i].name);
		free((void *)record->vars[i].value);
	}
	free(record->vars);
	loop_timer_stop(record->limit);
	free(record);
}

/* Something is done once it is on disk; the others tell what happened. */
static bool record_permits(const struct record *record)
{
	return record->only_open || record->entry.event == JOURNAL_INTENT ||
	       record->entry.event == JOURNAL_ARM;
}

/* --- in the worker ---------------------------------------------------------------------------- */

static int record_open_journal(struct record *record)
{
	struct recorder *recorder = record->recorder;
	struct buf directory = BUF_INIT;
	int rc;

	/* What happened is told where there is a file; nothing is begun in the wrong one. */
	if (recorder->journal && record_permits(record) && record->meta.incident &&
		strcmp(record->meta.incident, journal_incident(recorder->journal)) != 0)
		return err_set(&record->err, ERR_REFUSED,
			"this console writes to the incident %s, not to %s: start it again to go "
			"on there",
			journal_incident(recorder->journal), record->meta.incident);
	if (recorder->journal) {
		journal_update_meta(recorder->journal, &record->meta);
		return 0;
	}
	rc = journal_directory(&directory, &record->err);
	if (rc == 0)
		rc = journal_open(
			buf_str(&directory), &record->meta, &recorder->journal, &record->err);
	buf_fini(&directory);
	return rc;
}

static void record_work(void *arg)
{
	struct record *record = arg;

	record->seq = -1;
	if (record_open_journal(record) < 0)
		return;
	record->seq = record->only_open ? 1
					: journal_write(record->recorder->journal, &record->entry,
						  &record->err);
}

/* --- on the loop ------------------------------------------------------------------------------ */

/* It is on disk, but whoever gave it was told that it is not. */
static void record_take_back(struct record *record)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	if (record->entry.event == JOURNAL_INTENT) {
		entry.event = JOURNAL_RESULT;
		entry.intent = record->seq;
		entry.exit = 1;
		entry.text = "not sent: the journal's disk answered too late";
	} else if (record->entry.event == JOURNAL_ARM) {
		entry.event = JOURNAL_DISARM;
		entry.text = "not armed: the journal's disk answered too late";
	} else {
		return;
	}
	recorder_write(record->recorder, &record->meta, &entry, NULL, NULL);
}

static void recorder_note_file(struct recorder *recorder)
{
	if (!recorder->journal || recorder->path)
		return;
	recorder->incident = mem_strdup(journal_incident(recorder->journal));
	recorder->path = mem_strdup(journal_path(recorder->journal));
}

static void recorder_free(struct recorder *recorder)
{
	journal_close(recorder->journal);
	free(recorder->incident);
	free(recorder->path);
	free(recorder->wanted);
	free(recorder);
}

static void record_on_written(void *arg)
{
	struct record *record = arg;
	struct recorder *recorder = record->recorder;

	recorder_note_file(recorder);
	recorder->queue = record->next;
	recorder->writing = false;
	if (record->given_up)
		recorder->overdue--;
	/* A file that cannot be made may be tried again; one that failed stays failed. */
	if (recorder->journal)
		recorder->failed = !journal_ok(recorder->journal);
	if (record->given_up && record->seq > 0 && !record->only_open)
		record_take_back(record);
	/* May free the recorder, as may the callback. */
	recorder_next(recorder);
	if (record->done)
		record->done(record->arg, record->seq, record->seq > 0 ? NULL : &record->err);
	record_free(record);
}

static void recorder_next(struct recorder *recorder)
{
	if (recorder->writing)
		return;
	if (recorder->queue) {
		recorder->writing = true;
		loop_work(recorder->loop, record_work, record_on_written, recorder->queue);
	} else if (recorder->closed) {
		recorder_free(recorder);
	}
}

/* One that waits behind another is not begun any more, unless it tells what happened. */
static void recorder_drop_waiting(struct recorder *recorder, struct record *record)
{
	struct record **at = &recorder->queue;

	/* The first one is the worker's. */
	if (record == recorder->queue || !record_permits(record))
		return;
	while (*at != record)
		at = &(*at)->next;
	*at = record->next;
	recorder->overdue--;
	record_free(record);
}

static void record_on_limit(struct loop_timer *timer, void *arg)
{
	struct record *record = arg;
	struct recorder *recorder = record->recorder;
	recorder_done done = record->done;
	void *done_arg = record->arg;
	struct err err;

	loop_timer_stop(timer);
	record->limit = NULL;
	record->given_up = true;
	record->done = NULL;
	recorder->overdue++;
	err_set(&err, ERR_TIMEOUT,
		"the disk with the journal does not answer: writes are refused until it does, "
		"reading goes on");
	recorder_drop_waiting(recorder, record);
	if (done)
		done(done_arg, -1, &err);
}

static void recorder_give(struct recorder *recorder, struct record *record)
{
	struct record **last = &recorder->queue;

	while (*last)
		last = &(*last)->next;
	*last = record;
	record->limit = loop_timer_start(recorder->loop, RECORD_MS, 0, record_on_limit, record);
	recorder_next(recorder);
}

static struct record *record_new(
	struct recorder *recorder, const struct journal_meta *meta, recorder_done done, void *arg)
{
	struct record *record = mem_calloc(1, sizeof(*record));

	record->recorder = recorder;
	record->done = done;
	record->arg = arg;
	record_copy_meta(&record->meta, meta);
	if (meta->incident) {
		free(recorder->wanted);
		recorder->wanted = mem_strdup(meta->incident);
	} else {
		record->meta.incident = mem_strdup_opt(recorder->wanted);
	}
	return record;
}

struct recorder *recorder_new(struct loop *loop)
{
	struct recorder *recorder = mem_calloc(1, sizeof(*recorder));

	recorder->loop = loop;
	return recorder;
}

void recorder_close(struct recorder *recorder)
{
	struct record *record;

	if (!recorder)
		return;
	recorder->closed = true;
	for (record = recorder->queue; record; record = record->next) {
		record->done = NULL;
		loop_timer_stop(record->limit);
		record->limit = NULL;
	}
	if (!recorder->queue)
		recorder_free(recorder);
}

void recorder_write(struct recorder *recorder, const struct journal_meta *meta,
	const struct journal_entry *entry, recorder_done done, void *arg)
{
	struct record *record = record_new(recorder, meta, done, arg);

	record_copy_entry(record, entry);
	recorder_give(recorder, record);
}

void recorder_open(
	struct recorder *recorder, const struct journal_meta *meta, recorder_done done, void *arg)
{
	struct record *record = record_new(recorder, meta, done, arg);

	record->only_open = true;
	recorder_give(recorder, record);
}

/* --- what is known ---------------------------------------------------------------------------- */

bool recorder_ok(const struct recorder *recorder)
{
	return !recorder->failed && !recorder->overdue;
}

const char *recorder_incident(const struct recorder *recorder)
{
	return recorder->incident;
}

const char *recorder_path(const struct recorder *recorder)
{
	return recorder->path;
}
