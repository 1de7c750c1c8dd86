/*
 * Reading one file back. Each line must carry its own hash, the hash of the record before it, and
 * the next number; the first that does not ends what can be trusted. A line that is no JSON at all
 * is what a crash in mid-write leaves: the chain goes on from the last whole record, and only
 * there.
 */
#include <pgoncall/journal/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#define LOG_MAX_BYTES (INT64_C(256) << 20)

static int log_slurp(const char *path, int fd, struct buf *out, struct err *err)
{
	char block[65536];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return err_system(err, errno, "cannot read the journal %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_SYSTEM, "%s is not a file", path);
	while ((n = read(fd, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_system(err, errno, "cannot read the journal %s", path);
		if ((int64_t)out->len + n > LOG_MAX_BYTES)
			return err_set(
				err, ERR_SYSTEM, "the journal %s is larger than 256 MiB", path);
		buf_add(out, block, (size_t)n);
	}
	return 0;
}

static int log_read_file(const char *path, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd < 0)
		return err_system(err, errno, "cannot open the journal %s", path);
	rc = log_slurp(path, fd, out, err);
	close(fd);
	return rc;
}

static void log_break(struct journal_log *log, long line, const struct err *why)
{
	log->broken_line = line;
	err_set(&log->broken, ERR_PARSE, "%s:%ld: %s", log->path, line, why->text);
}

/* Whether the record is the one that follows what was read so far. */
static int log_check_link(
	const struct journal_log *log, const struct journal_record *record, struct err *err)
{
	if (record->seq != (int64_t)log->n + 1)
		return err_set(err, ERR_PARSE,
			"record %lld stands where record %zu should: records were removed, added "
			"or "
			"moved",
			(long long)record->seq, log->n + 1);
	if (strcmp(record->prev, log->head) != 0)
		return err_set(err, ERR_PARSE,
			"the record does not follow the one before it: that one was changed");
	if (log->n && !str_equal(record->incident, log->records[0].incident))
		return err_set(err, ERR_PARSE, "the record belongs to another incident");
	return 0;
}

static void log_add_line(struct journal_log *log, const char *bytes, size_t len, long line)
{
	struct journal_record record;
	struct err why = { .code = ERR_OK };
	int rc = journal_record_read(bytes, len, &record, &why);

	if (rc == -2) {
		log->torn_lines++;
		if (!log->torn_line)
			log->torn_line = line;
		return;
	}
	if (rc < 0 || log_check_link(log, &record, &why) < 0) {
		journal_record_fini(&record);
		log_break(log, line, &why);
		return;
	}
	record.line = line;
	memcpy(log->head, record.hash, sizeof(log->head));
	log->records = mem_grow(log->records, log->n, &log->cap, sizeof(*log->records));
	log->records[log->n++] = record;
}

int journal_load(const char *path, struct journal_log *log, struct err *err)
{
	struct buf text = BUF_INIT;
	const char *at, *end, *feed;
	long line = 0;

	memset(log, 0, sizeof(*log));
	if (log_read_file(path, &text, err) < 0) {
		buf_fini(&text);
		return -1;
	}
	log->path = mem_strdup(path);
	memset(log->head, '0', JOURNAL_HASH_HEX);
	at = buf_str(&text);
	for (end = at + text.len; at < end && !log->broken_line; at = feed + 1) {
		feed = memchr(at, '\n', (size_t)(end - at));
		if (!feed) {
			log->torn_at_end = true;
			feed = end;
		}
		log_add_line(log, at, (size_t)(feed - at), ++line);
	}
	buf_fini(&text);
	return 0;
}

void journal_log_fini(struct journal_log *log)
{
	size_t i;

	for (i = 0; i < log->n; i++)
		journal_record_fini(&log->records[i]);
	free(log->records);
	free(log->path);
	memset(log, 0, sizeof(*log));
}

/* Records are numbered from 1 without a gap. */
const struct journal_record *journal_log_find(const struct journal_log *log, int64_t seq)
{
	return seq >= 1 && (uint64_t)seq <= log->n ? &log->records[seq - 1] : NULL;
}

bool journal_log_is_pending(
	const struct journal_log *log, const struct journal_record *intent, bool *lost)
{
	const struct journal_record *record;
	bool was_lost = false;
	size_t i;

	if (lost)
		*lost = false;
	for (i = (size_t)intent->seq; i < log->n; i++) {
		record = &log->records[i];
		if (record->intent != intent->seq)
			continue;
		if (record->event == JOURNAL_RESULT || record->event == JOURNAL_NOTE)
			return false;
		was_lost |= record->event == JOURNAL_UNKNOWN;
	}
	if (lost)
		*lost = was_lost;
	return true;
}

static void log_note(const struct journal_log *log, struct buf *notes)
{
	if (log->torn_lines)
		buf_printf(notes, "%s:%ld: cut off in mid-write (a crash or a full disk); %s\n",
			log->path, log->torn_line,
			log->torn_at_end ? "it is the last line" : "the chain goes on after it");
	if (log->torn_lines > 1)
		buf_printf(notes, "%s: %ld lines in all are cut off\n", log->path, log->torn_lines);
	buf_printf(notes, "%s: %zu records, last hash %s\n", log->path, log->n, log->head);
}

int journal_verify(const char *path, struct buf *notes, struct err *err)
{
	struct journal_log log;
	int rc = 0;

	if (journal_load(path, &log, err) < 0)
		return -1;
	if (notes)
		log_note(&log, notes);
	if (log.broken_line)
		rc = err_set(err, ERR_PARSE, "%s", log.broken.text);
	journal_log_fini(&log);
	return rc;
}
