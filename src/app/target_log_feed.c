/*
 * From the bytes of a log stream to lines of the store: splitting, what each kind of source says in
 * its own way, which lines came already before the stream was cut, and lines about the log itself.
 * When streams run is target_logs.c's.
 */
#include "target_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/logs/journal.h>
#include <pgoncall/logs/stamp.h>

/* How long after a file's stream began again its first lines are taken for old ones that may come
 * once more, and how many of them are kept meanwhile. */
#define CATCH_UP_MS 700
#define CAUGHT_MAX  4000
/* How long after a stream began its lines may be older ones; later ones are written as they come. */
#define OLDER_NS (3 * CLOCK_NS_PER_S)
/* How far a time may lie ahead: clocks differ. */
#define AHEAD_NS (60 * CLOCK_NS_PER_S)
/* How soon a line without a time comes after the one that it belongs to. */
#define CONTINUED_NS CLOCK_NS_PER_S
/* Bytes of a line that a command itself says, and of all it says in one run. */
#define WORDS_MAX      300
#define WORDS_KEPT_MAX 4096

/* --- into the store -------------------------------------------------------------------------- */

static void feed_store(struct target_source *source, struct log_line *line_take)
{
	struct target *target = source->target;

	if (target->events.on_log_line)
		target->events.on_log_line(target->events.arg, source->index, line_take);
	else
		log_store_add_take(target->store, source->index, line_take, clock_monotonic());
}

void log_feed_note(struct target_source *source, int64_t time_ns, const char *fmt, ...)
{
	struct log_line line;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line_note(&line, LOG_LINE_NOTE, time_ns ? time_ns : clock_wall(), "%s", text);
	feed_store(source, &line);
}

/* What is due once the stream is known to run again: where it was cut, and that nothing else came in
 * between. It stands right behind the line that was the last. */
static void feed_tell_gap(struct target_source *source)
{
	int64_t last = log_resume_last(&source->resume);
	char from[16], to[16];

	if (!source->gap)
		return;
	source->gap = false;
	clock_format_time(source->lost_at, from, sizeof(from));
	clock_format_time(clock_wall(), to, sizeof(to));
	if (source->kind == SOURCE_FILE)
		log_feed_note(source, 0, "the link was lost at %s; read on at %s", from, to);
	else
		log_feed_note(source, last ? last + 1 : 0,
			"the link was lost at %s; read on at %s from where it was cut", from, to);
	source->lost_at = 0;
}

int64_t target_log_line_time(
	const struct target_log *log, const struct log_line *line, bool *known)
{
	*known = true;
	if (line->own_time || (log->live_ns && line->time_ns > log->live_ns))
		return line->time_ns;
	if (log->said_ns && log->said_ns <= line->time_ns + AHEAD_NS)
		return log->said_ns;
	*known = false;
	return log->changed_ns ? log->changed_ns : line->time_ns;
}

static void feed_line(struct target_source *source, const struct log_raw *raw)
{
	struct target *target = source->target;
	struct log_match match;
	struct log_line line;

	source->attempts = 0;
	source->told_end = false;
	source->last_words = 0;
	target->logs[source->index].lines++;
	if (raw->has_time)
		target->logs[source->index].said_ns = raw->time_ns;
	log_line_init(&line, raw, (uint16_t)source->index, clock_wall());
	if (line.match && log_match_line(line.text, line.len, &match)) {
		target_migrations_note(target, &match);
		if (target->events.on_log_match)
			target->events.on_log_match(
				target->events.arg, source->index, &line, &match);
	}
	feed_store(source, &line);
}

/* A traceback's lines, say, are of the line that they come with; what comes by itself later is not. */
static void feed_continue(struct target_source *source, struct log_raw *line)
{
	int64_t now = clock_monotonic();

	if (line->has_time) {
		source->stamp_ns = line->time_ns;
		source->stamp_at = now;
	} else if (source->stamp_ns && now - source->stamp_at < CONTINUED_NS) {
		line->has_time = true;
		line->time_ns = source->stamp_ns;
		source->stamp_at = now;
	}
}

/* A line of a log that has no times beside it: perhaps it has one of its own. One without a zone that
 * lies ahead is of another zone than the host's, and tells nothing. */
static void feed_bare_line(struct target_source *source, const struct log_raw *raw)
{
	struct log_raw line = *raw;
	struct buf text = BUF_INIT;
	bool stamped = source->kind == SOURCE_DEPLOY && log_stamp_github(&line, &text);

	if (!stamped)
		stamped = log_stamp_read_in(line.text, line.len, &source->zone, &line.has_time,
				  &line.time_ns) > 0;
	if (line.has_time)
		source->target->logs[source->index].said_ns = line.time_ns;
	if (line.has_time && line.time_ns > clock_wall() + AHEAD_NS) {
		line.has_time = false;
		source->stamp_ns = 0;
	}
	if (line.has_time || !stamped)
		feed_continue(source, &line);
	feed_line(source, &line);
	buf_fini(&text);
}

/* What the command itself says, not the log. The same words every second tell nothing. */
static void feed_tell_words(struct target_source *source, const char *text, size_t len)
{
	uint64_t hash = log_tail_hash(text, len);

	if (hash == source->last_words || !len)
		return;
	source->last_words = hash;
	log_feed_note(source, 0, "%.*s", (int)(len < WORDS_MAX ? len : WORDS_MAX), text);
}

/* tail and journalctl go on after most of what they say (a file went, or came; not all may be seen);
 * from the others it is mostly why they end, which is told in one sentence then. */
static bool feed_tells_at_once(const struct target_source *source)
{
	return (source->kind == SOURCE_FILE || source->kind == SOURCE_JOURNAL) &&
	       !source->target->log_options.once;
}

static void feed_foreign_words(struct target_source *source, const char *text, size_t len)
{
	if (feed_tells_at_once(source))
		feed_tell_words(source, text, len);
	if (source->words.len < WORDS_KEPT_MAX) {
		buf_add(&source->words, text, len < WORDS_MAX ? len : WORDS_MAX);
		buf_add_char(&source->words, '\n');
	}
}

void log_feed_tell_failure(struct target_source *source, const struct err *why)
{
	const char *line = buf_str(&source->words);
	size_t len;

	if (feed_tells_at_once(source) && source->words.len)
		return;
	if (why->code != ERR_OK) {
		feed_tell_words(source, why->text, strlen(why->text));
		return;
	}
	for (; *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		feed_tell_words(source, line, len);
	}
}

/* --- containers ------------------------------------------------------------------------------ */

/* "@ID STARTED_AT": another ID is another container; another start, the same one begun again. */
static void feed_identity(struct target_source *source, const struct log_raw *raw)
{
	char *now = mem_strndup(raw->text + 1, raw->len - 1), *before = source->identity;
	size_t id = strcspn(now, " ");
	int64_t last = log_resume_last(&source->resume);

	source->identity = now;
	if (before && strcmp(before, now) != 0) {
		if (strncmp(before, now, id) != 0)
			log_feed_note(source, last ? last + 2 : 0,
				"another container has the name now: %.12s", now);
		else
			log_feed_note(
				source, last ? last + 2 : 0, "the container was started again");
	}
	free(before);
}

static void feed_container(struct target_source *source, const struct log_raw *raw)
{
	if (source->expect_identity && raw->stream == LOG_STDOUT) {
		source->expect_identity = false;
		feed_tell_gap(source);
		if (raw->len && raw->text[0] == '@' && !raw->has_time) {
			feed_identity(source, raw);
			return;
		}
		/* There is no such container: inspect prints an empty line. */
		if (!raw->len && !raw->has_time)
			return;
	}
	/* The runtime's own words have no timestamp. */
	if (!raw->has_time) {
		feed_foreign_words(source, raw->text, raw->len);
		return;
	}
	if (log_resume_is_new(&source->resume, raw))
		feed_line(source, raw);
}

/* --- the journal ----------------------------------------------------------------------------- */

static void feed_entry_line(const struct log_raw *raw, void *arg)
{
	feed_line(arg, raw);
}

static void feed_new_entry_line(const struct log_raw *raw, void *arg)
{
	struct target_source *source = arg;

	if (log_resume_is_new(&source->resume, raw))
		feed_entry_line(raw, source);
}

static bool begins_with(const struct log_raw *raw, const char *words)
{
	return raw->len >= strlen(words) && memcmp(raw->text, words, strlen(words)) == 0;
}

/* Its hint has three lines, and speaks to who sits before that machine. */
static void feed_journal_words(struct target_source *source, const struct log_raw *raw)
{
	static const char hidden[] =
		"the user there may not see the system's journal, so lines are missing: add it to "
		"group systemd-journal";

	if (begins_with(raw, "Hint: You are currently not seeing"))
		feed_foreign_words(source, hidden, strlen(hidden));
	else if (!begins_with(raw, " "))
		feed_foreign_words(source, raw->text, raw->len);
}

static void feed_journal(struct target_source *source, const struct log_raw *raw)
{
	feed_tell_gap(source);
	if (raw->stream == LOG_STDERR)
		feed_journal_words(source, raw);
	/* "-- No entries --", "-- Journal begins at … --" are no entries. */
	else if (!log_journal_entry(raw, feed_new_entry_line, source) && !begins_with(raw, "-- "))
		feed_bare_line(source, raw);
}

/* --- files ----------------------------------------------------------------------------------- */

static void feed_file_line(struct target_source *source, const struct log_raw *raw)
{
	log_tail_add(&source->tail, log_tail_hash(raw->text, raw->len));
	feed_bare_line(source, raw);
}

static void feed_drop_caught(struct target_source *source)
{
	size_t i;

	for (i = 0; i < source->n_caught; i++)
		free(source->caught[i].text);
	free(source->caught);
	source->caught = NULL;
	source->n_caught = source->cap_caught = 0;
	loop_timer_stop(source->catch_up);
	source->catch_up = NULL;
}

/* Enough came to see where the lines go on that were taken before. */
static void feed_caught_up(struct target_source *source)
{
	uint64_t *hashes = mem_calloc(source->n_caught, sizeof(*hashes));
	struct log_raw raw = { .stream = LOG_STDOUT };
	size_t i, skip;

	for (i = 0; i < source->n_caught; i++)
		hashes[i] = log_tail_hash(source->caught[i].text, source->caught[i].len);
	skip = log_tail_overlap(&source->tail, hashes, source->n_caught);
	feed_tell_gap(source);
	if (!skip && source->tail.n)
		log_feed_note(source, 0,
			"the last line read before is not in the file any more; lines may be "
			"missing");
	for (i = skip; i < source->n_caught; i++) {
		raw.text = source->caught[i].text;
		raw.len = source->caught[i].len;
		raw.cut = source->caught[i].cut;
		feed_file_line(source, &raw);
	}
	free(hashes);
	feed_drop_caught(source);
}

static void feed_on_catch_up(struct loop_timer *timer, void *arg)
{
	(void)timer;
	feed_caught_up(arg);
}

/* What was found out about the file, before its lines. */
static void feed_file_is(struct target_source *source)
{
	struct target_log *log = &source->target->logs[source->index];

	log->changed_ns = source->zone.changed_ns;
	if (source->zone.other && !source->told_zone && !source->target->log_options.once)
		log_feed_note(source, 0,
			"its times are read as UTC, not as the host's: so they agree with when "
			"the file was written");
	source->told_zone = source->zone.other;
}

static void feed_file(struct target_source *source, const struct log_raw *raw)
{
	struct target_caught *caught;

	/* tail tells on stderr that a file went, came, or was replaced. */
	if (raw->stream == LOG_STDERR) {
		feed_foreign_words(source, raw->text, raw->len);
		return;
	}
	if (source->expect_identity) {
		source->expect_identity = false;
		if (raw->len && raw->text[0] == '@' &&
			log_zone_read_file(raw->text + 1, raw->len - 1, &source->zone)) {
			feed_file_is(source);
			return;
		}
	}
	if (!source->catch_up) {
		feed_file_line(source, raw);
		return;
	}
	source->caught = mem_grow(
		source->caught, source->n_caught, &source->cap_caught, sizeof(*source->caught));
	caught = &source->caught[source->n_caught++];
	caught->text = mem_alloc(raw->len);
	memcpy(caught->text, raw->text, raw->len);
	caught->len = raw->len;
	caught->cut = raw->cut;
	if (source->n_caught == CAUGHT_MAX)
		feed_caught_up(source);
}

/* --- the deploy's log ------------------------------------------------------------------------ */

static void feed_deploy_anew(struct target_source *source)
{
	log_feed_note(source, 0, "the deploy's log is another one now");
	source->deploy_lines = source->deploy_hash = 0;
	source->anew = true;
}

/* The command prints all of it each time. As long as a run says what the last one said, its lines
 * are old; whether it did is known when as many have come. */
static void feed_deploy(struct target_source *source, const struct log_raw *raw)
{
	source->deploy_lines++;
	source->deploy_hash =
		source->deploy_hash * 31 + log_tail_hash(raw->text, raw->len) + raw->stream;
	if (source->deploy_lines > source->deploy_before)
		feed_bare_line(source, raw);
	else if (source->deploy_lines == source->deploy_before &&
		 source->deploy_hash != source->deploy_hash_before)
		feed_deploy_anew(source);
}

static void feed_take(struct target_source *source, const struct log_raw *raw)
{
	switch (source->kind) {
	case SOURCE_CONTAINER:
		feed_container(source, raw);
		break;
	case SOURCE_JOURNAL:
		feed_journal(source, raw);
		break;
	case SOURCE_FILE:
		feed_file(source, raw);
		break;
	case SOURCE_DEPLOY:
		feed_deploy(source, raw);
		break;
	}
}

/* --- the stream ------------------------------------------------------------------------------ */

static void feed_on_raw(const struct log_raw *raw, void *arg)
{
	feed_take(arg, raw);
}

static void feed_zone_here(struct log_zone *zone)
{
	time_t now = (time_t)(clock_wall() / CLOCK_NS_PER_S);
	struct tm tm;

	localtime_r(&now, &tm);
	zone->east_s = (int)tm.tm_gmtoff;
	zone->known = true;
}

void log_feed_begin(struct target_source *source)
{
	bool timestamps = source->kind == SOURCE_CONTAINER;
	size_t max = source->kind == SOURCE_JOURNAL ? LOG_JOURNAL_LINE_MAX : 0;
	int i;

	for (i = 0; i < 2; i++) {
		log_splitter_fini(&source->splitters[i]);
		log_splitter_init(
			&source->splitters[i], i ? LOG_STDERR : LOG_STDOUT, timestamps, max);
	}
	log_resume_begin(&source->resume);
	source->target->logs[source->index].live_ns =
		source->target->log_options.once ? 0 : clock_wall() + OLDER_NS;
	buf_clear(&source->words);
	source->expect_identity = timestamps || source->kind == SOURCE_FILE;
	source->stamp_ns = 0;
	if (source->kind == SOURCE_DEPLOY)
		feed_zone_here(&source->zone);
	source->deploy_before = source->deploy_lines;
	source->deploy_hash_before = source->deploy_hash;
	source->deploy_lines = source->deploy_hash = 0;
	if (source->kind == SOURCE_FILE && source->begun && !source->catch_up)
		source->catch_up = loop_timer_start(
			source->target->loop, CATCH_UP_MS, 0, feed_on_catch_up, source);
	source->begun = true;
}

void log_feed_data(
	struct target_source *source, enum host_source from, const char *bytes, size_t len)
{
	log_splitter_feed(&source->splitters[from == HOST_STDERR], bytes, len, feed_on_raw, source);
}

void log_feed_end(struct target_source *source)
{
	int i;

	for (i = 0; i < 2; i++)
		log_splitter_flush(&source->splitters[i], feed_on_raw, source);
	if (source->catch_up)
		feed_caught_up(source);
	if (source->kind == SOURCE_DEPLOY && source->deploy_lines < source->deploy_before &&
		source->deploy_lines)
		feed_deploy_anew(source);
	else if (source->kind == SOURCE_DEPLOY && !source->deploy_lines)
		/* It said nothing this time (no network, say): the next run goes on from the last. */
		log_feed_stop(source);
}

/* A deploy's run that did not come to where the last one ended told nothing new. */
void log_feed_stop(struct target_source *source)
{
	feed_drop_caught(source);
	if (source->kind == SOURCE_DEPLOY && source->deploy_lines < source->deploy_before) {
		source->deploy_lines = source->deploy_before;
		source->deploy_hash = source->deploy_hash_before;
	}
}

void log_feed_fini(struct target_source *source)
{
	int i;

	feed_drop_caught(source);
	for (i = 0; i < 2; i++)
		log_splitter_fini(&source->splitters[i]);
	buf_fini(&source->words);
	free(source->identity);
}
