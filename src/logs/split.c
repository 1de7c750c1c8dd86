/*
 * Bytes into lines; see the header. Memory is bounded by the line kept: what is longer is counted.
 */
#include <pgoncall/logs/split.h>

#include <string.h>
#include <time.h>

#include <pgoncall/base/clock.h>

/* --- timestamps --- */

/* Exactly `digits` digits at s; -1 where there are none. */
static int read_number(const char *s, size_t len, size_t at, size_t digits)
{
	int value = 0;
	size_t i;

	if (at + digits > len)
		return -1;
	for (i = at; i < at + digits; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		value = value * 10 + (s[i] - '0');
	}
	return value;
}

static bool has_at(const char *s, size_t len, size_t at, char c)
{
	return at < len && s[at] == c;
}

/* "2025-01-27T10:00:00" as seconds since 1970; 0 or -1. Years beyond 2200 would not fit in ns. */
static int read_date_time(const char *s, size_t len, int64_t *seconds)
{
	struct tm tm = { 0 };

	tm.tm_year = read_number(s, len, 0, 4) - 1900;
	tm.tm_mon = read_number(s, len, 5, 2) - 1;
	tm.tm_mday = read_number(s, len, 8, 2);
	tm.tm_hour = read_number(s, len, 11, 2);
	tm.tm_min = read_number(s, len, 14, 2);
	tm.tm_sec = read_number(s, len, 17, 2);
	if (tm.tm_year < 70 || tm.tm_year > 300 || tm.tm_mon < 0 || tm.tm_mon > 11 ||
		tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
		tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return -1;
	if (!has_at(s, len, 4, '-') || !has_at(s, len, 7, '-') || !has_at(s, len, 10, 'T') ||
		!has_at(s, len, 13, ':') || !has_at(s, len, 16, ':'))
		return -1;
	*seconds = timegm(&tm);
	return 0;
}

/* "Z", "+01:00" or "-05:30" at `at`; the bytes used, 0 where there is none. */
static size_t read_offset(const char *s, size_t len, size_t at, int64_t *seconds)
{
	int hours, minutes;

	*seconds = 0;
	if (has_at(s, len, at, 'Z'))
		return 1;
	if (!has_at(s, len, at, '+') && !has_at(s, len, at, '-'))
		return 0;
	hours = read_number(s, len, at + 1, 2);
	minutes = read_number(s, len, at + 4, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !has_at(s, len, at + 3, ':'))
		return 0;
	*seconds = (s[at] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return 6;
}

size_t log_parse_time(const char *s, size_t len, int64_t *wall_ns)
{
	int64_t seconds, offset, ns = 0, unit = CLOCK_NS_PER_S / 10;
	size_t at = 19, used;

	if (len < 20 || read_date_time(s, len, &seconds) < 0)
		return 0;
	if (s[at] == '.') {
		for (at++; at < len && s[at] >= '0' && s[at] <= '9'; at++) {
			ns += (s[at] - '0') * unit;
			unit /= 10;
		}
	}
	used = read_offset(s, len, at, &offset);
	if (!used)
		return 0;
	*wall_ns = (seconds - offset) * CLOCK_NS_PER_S + ns;
	return at + used;
}

/* --- lines --- */

void log_splitter_init(
	struct log_splitter *splitter, enum log_stream stream, bool timestamps, size_t max)
{
	memset(splitter, 0, sizeof(*splitter));
	splitter->stream = stream;
	splitter->timestamps = timestamps;
	splitter->max = max ? max : LOG_LINE_MAX;
}

void log_splitter_fini(struct log_splitter *splitter)
{
	buf_fini(&splitter->line);
}

static void keep(struct log_splitter *splitter, const char *bytes, size_t len)
{
	size_t room = splitter->max - splitter->line.len;

	if (len > room) {
		splitter->cut += len - room;
		len = room;
	}
	buf_add(&splitter->line, bytes, len);
}

/* How much later than the one before it a piece of a line may come. */
#define PIECE_NS CLOCK_NS_PER_S
/* "2025-01-27T" */
#define DAY_LEN 11

/* Digits after the seconds of a timestamp that has such. */
static size_t fraction_digits(const char *stamp, size_t len)
{
	size_t n = 20;

	while (n < len && stamp[n] >= '0' && stamp[n] <= '9')
		n++;
	return n - 20;
}

/* Runtimes keep a line in pieces and print a timestamp before each: docker of 16 KiB, podman's
 * monitor wherever what it read at once ended. Those inside the line, which begins at `at`, go. They
 * are no earlier than the line's own and are of nanoseconds; a time that belongs to the text was
 * taken before the line was written. */
static void drop_stamps_of_day(struct buf *line, size_t at, const char *day, int64_t *line_ns)
{
	char *found = line->data + at, *end;
	size_t used, left;
	int64_t ns;

	for (; (end = line->data + line->len) > found; found++) {
		found = memmem(found, (size_t)(end - found), day, DAY_LEN);
		if (!found)
			return;
		left = (size_t)(end - found);
		used = log_parse_time(found, left, &ns);
		if (!used || used == left || found[used] != ' ' || ns < *line_ns ||
			ns - *line_ns > PIECE_NS || fraction_digits(found, left) < 7)
			continue;
		used++;
		memmove(found, found + used, left - used);
		line->len -= used;
		line->data[line->len] = '\0';
		*line_ns = ns;
		found--;
	}
}

static void drop_piece_stamps(struct buf *line, size_t at, int64_t line_ns)
{
	char day[DAY_LEN + 1], next[64];
	struct tm tm = { 0 };

	memcpy(day, line->data, DAY_LEN);
	day[DAY_LEN] = '\0';
	drop_stamps_of_day(line, at, day, &line_ns);
	/* The last pieces may be of the next day. */
	if (memcmp(line->data + DAY_LEN, "23:59:", 6) != 0)
		return;
	tm.tm_year = read_number(day, DAY_LEN, 0, 4) - 1900;
	tm.tm_mon = read_number(day, DAY_LEN, 5, 2) - 1;
	tm.tm_mday = read_number(day, DAY_LEN, 8, 2) + 1;
	timegm(&tm);
	if (strftime(next, sizeof(next), "%Y-%m-%dT", &tm) == DAY_LEN)
		drop_stamps_of_day(line, at, next, &line_ns);
}

/* The line is complete; `end` is the byte that ended it, or NUL at the end of the stream. */
static void emit(struct log_splitter *splitter, char end, log_raw_fn *fn, void *arg)
{
	struct log_raw raw = { .stream = splitter->stream, .cut = splitter->cut };
	size_t used = 0;

	raw.text = buf_str(&splitter->line);
	raw.len = splitter->line.len;
	if (splitter->timestamps && !splitter->continued) {
		used = log_parse_time(raw.text, raw.len, &splitter->time_ns);
		splitter->has_time = used != 0;
		used += used && used < raw.len && raw.text[used] == ' ';
		if (used)
			drop_piece_stamps(&splitter->line, used, splitter->time_ns);
		raw.len = splitter->line.len;
	}
	raw.text += used;
	raw.len -= used;
	raw.has_time = splitter->has_time;
	raw.time_ns = splitter->has_time ? splitter->time_ns : 0;
	if (raw.len || raw.cut || (end == '\n' && !splitter->continued))
		fn(&raw, arg);
	buf_clear(&splitter->line);
	splitter->cut = 0;
	splitter->continued = end == '\r';
	if (!splitter->continued)
		splitter->has_time = false;
}

/* A CR stands before a LF, before more CRs and a LF, or it ends a piece. Which it is, the next byte
 * tells, so an unfinished line may end in a CR that is not kept. */
void log_splitter_feed(
	struct log_splitter *splitter, const char *bytes, size_t len, log_raw_fn *fn, void *arg)
{
	const char *s = bytes, *end = bytes + len, *stop;

	while (s < end) {
		if (*s == '\n') {
			splitter->after_cr = false;
			emit(splitter, '\n', fn, arg);
			s++;
			continue;
		}
		if (*s == '\r') {
			splitter->after_cr = true;
			s++;
			continue;
		}
		if (splitter->after_cr) {
			splitter->after_cr = false;
			emit(splitter, '\r', fn, arg);
		}
		for (stop = s; stop < end && *stop != '\n' && *stop != '\r'; stop++)
			;
		keep(splitter, s, (size_t)(stop - s));
		s = stop;
	}
}

void log_splitter_flush(struct log_splitter *splitter, log_raw_fn *fn, void *arg)
{
	splitter->after_cr = false;
	if (splitter->line.len || splitter->cut)
		emit(splitter, '\0', fn, arg);
	splitter->continued = splitter->has_time = false;
}
