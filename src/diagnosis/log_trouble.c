/*
 * Remembering what logs said; see the header.
 */
#include <pgoncall/diagnosis/log_trouble.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

#include "rules.h"

_Static_assert((int)LOG_MATCH_OTHER_ERROR < LOG_TROUBLE_MAX, "an item for each kind of match");

/* Bytes of a line told in a sentence. */
#define TOLD_MAX 160

static void item_clear(struct log_trouble_item *item)
{
	free(item->source);
	free(item->text);
	memset(item, 0, sizeof(*item));
}

void log_trouble_fini(struct log_trouble *trouble)
{
	size_t i;

	for (i = 0; i < LOG_TROUBLE_MAX; i++)
		item_clear(&trouble->items[i]);
	free(trouble->running);
	memset(trouble, 0, sizeof(*trouble));
}

/* A server that turns clients away, or a lost connection, has nothing to do with how a migration
 * went on. */
static bool is_about_migrations(enum log_match_kind kind)
{
	return kind != LOG_MATCH_TOO_MANY_CLIENTS && kind != LOG_MATCH_CONNECTION_LOST;
}

static void note_completed(struct log_trouble *trouble, int64_t at_ns)
{
	size_t i;

	if (at_ns > trouble->completed_at)
		trouble->completed_at = at_ns;
	for (i = 0; i < LOG_TROUBLE_MAX; i++)
		if (is_about_migrations((enum log_match_kind)i) &&
			trouble->items[i].last_ns <= at_ns)
			item_clear(&trouble->items[i]);
	if (trouble->running && trouble->running_since <= at_ns) {
		free(trouble->running);
		trouble->running = NULL;
	}
}

/* "Running upgrade" says that one began, and nothing of its end. */
static void note_running(struct log_trouble *trouble, int64_t at_ns, const struct log_match *match)
{
	if (at_ns < trouble->running_since || at_ns <= trouble->completed_at)
		return;
	free(trouble->running);
	trouble->running = log_capture_dup(match, 1);
	trouble->running_since = at_ns;
}

static void note_error(struct log_trouble *trouble, const char *source, int64_t at_ns,
	bool timeless, const struct log_match *match, const char *line)
{
	struct log_trouble_item *item = &trouble->items[match->kind];
	unsigned times = item->times;

	if (is_about_migrations(match->kind) && at_ns <= trouble->completed_at)
		return;
	if (at_ns >= item->last_ns) {
		item_clear(item);
		item->kind = match->kind;
		item->runbook = match->runbook;
		item->source = mem_strdup(source);
		item->text = mem_strndup(line, TOLD_MAX);
		item->last_ns = at_ns;
		item->timeless = timeless;
	}
	item->times = times + 1;
	if (is_about_migrations(match->kind) && trouble->running &&
		trouble->running_since <= at_ns) {
		free(trouble->running);
		trouble->running = NULL;
	}
}

void log_trouble_look(struct log_trouble *trouble, const struct migration_graph *graph)
{
	const struct migration_revision *revision;

	if (!trouble->running || !graph || !graph->marked)
		return;
	revision = migration_graph_find(graph, trouble->running);
	if (revision &&
		(revision->state == MIGRATION_APPLIED || revision->state == MIGRATION_CURRENT))
		note_completed(trouble, trouble->running_since);
}

void log_trouble_note(struct log_trouble *trouble, const char *source, int64_t at_ns, bool timeless,
	const struct log_match *match, const char *line)
{
	if (match->kind == LOG_MATCH_SUCCESS)
		note_completed(trouble, at_ns);
	else if (match->kind == LOG_MATCH_UPGRADE)
		note_running(trouble, at_ns, match);
	else if (match->error)
		note_error(trouble, source, at_ns, timeless, match, line);
}

const struct log_trouble_item *log_trouble_at(
	const struct log_trouble *trouble, int64_t now_ns, size_t i)
{
	const struct log_trouble_item *item;
	size_t k, m, later;

	for (k = 0; k < LOG_TROUBLE_MAX; k++) {
		item = &trouble->items[k];
		if (!item->kind || now_ns - item->last_ns > LOG_TROUBLE_AGES_NS)
			continue;
		for (m = later = 0; m < LOG_TROUBLE_MAX; m++)
			later += trouble->items[m].kind &&
				 now_ns - trouble->items[m].last_ns <= LOG_TROUBLE_AGES_NS &&
				 (trouble->items[m].last_ns > item->last_ns ||
					 (trouble->items[m].last_ns == item->last_ns && m < k));
		if (later == i)
			return item;
	}
	return NULL;
}

void rules_of_logs(struct findings *out, const struct finding_input *in)
{
	const struct log_trouble_item *item;
	struct finding *finding;
	struct buf text = BUF_INIT;
	char time[16];
	size_t i;

	for (i = 0; (item = log_trouble_at(in->trouble, in->now_ns, i)); i++) {
		buf_clear(&text);
		if (item->timeless)
			buf_printf(
				&text, "%s logged, without a time: %s", item->source, item->text);
		else
			buf_printf(&text, "%s logged at %s: %s", item->source,
				clock_format_time(item->last_ns, time, sizeof(time)), item->text);
		if (item->times > 1)
			buf_printf(&text, " (%u times)", item->times);
		finding = rule_add(out, "alembic-error-in-log", NULL, &text);
		finding->runbook = item->runbook;
	}
	buf_fini(&text);
}
