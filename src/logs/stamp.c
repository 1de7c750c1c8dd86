/*
 * Own timestamps of lines; see the header. The forms: ISO 8601 with T or a blank (Python's logging,
 * PostgreSQL, most others), also in brackets; syslog's "Jan 27 10:00:00"; a bare "10:00:00".
 */
#include <pgoncall/logs/stamp.h>

#include <string.h>

#include <pgoncall/base/clock.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Whether s has the shape: 'd' is a digit, '_' a blank or digit, anything else itself. */
static bool has_shape(const char *s, size_t len, const char *shape)
{
	size_t i;

	for (i = 0; shape[i]; i++) {
		if (i >= len)
			return false;
		if (shape[i] == 'd'       ? !is_digit(s[i])
			: shape[i] == '_' ? !is_digit(s[i]) && s[i] != ' '
					  : s[i] != shape[i])
			return false;
	}
	return true;
}

static size_t fraction_len(const char *s, size_t len, size_t at)
{
	size_t n = 1;

	if (at >= len || (s[at] != '.' && s[at] != ',') || at + 1 >= len || !is_digit(s[at + 1]))
		return 0;
	while (at + n < len && is_digit(s[at + n]))
		n++;
	return n;
}

/* "Z", "+01:00", "+0100", " UTC", " GMT", " +0100"; *offset in the form "+01:00" or "Z". */
static size_t zone_len(const char *s, size_t len, size_t at, char offset[8])
{
	size_t blank = at < len && s[at] == ' ';
	const char *z = s + at + blank;
	size_t left = len - at - blank;

	if (!blank && left && *z == 'Z') {
		memcpy(offset, "Z", 2);
		return 1;
	}
	if (left >= 3 && (memcmp(z, "UTC", 3) == 0 || memcmp(z, "GMT", 3) == 0)) {
		memcpy(offset, "Z", 2);
		return blank + 3;
	}
	if (left && (*z == '+' || *z == '-')) {
		offset[0] = *z;
		offset[3] = ':';
		offset[6] = '\0';
		if (has_shape(z + 1, left - 1, "dd:dd")) {
			memcpy(offset + 1, z + 1, 5);
			return blank + 6;
		}
		if (has_shape(z + 1, left - 1, "dddd") && (left == 5 || !is_digit(z[5]))) {
			memcpy(offset + 1, z + 1, 2);
			memcpy(offset + 4, z + 3, 2);
			return blank + 5;
		}
	}
	return 0;
}

/* "2025-01-27T10:00:00.123Z" and its kin. local: of times without a zone; NULL: not known. */
static size_t read_iso(
	const char *s, size_t len, const struct log_zone *local, bool *has_time, int64_t *wall_ns)
{
	char text[48], offset[8] = "";
	size_t at = 19, fraction, zone, n;

	if (!has_shape(s, len, "dddd-dd-ddTdd:dd:dd") && !has_shape(s, len, "dddd-dd-dd dd:dd:dd"))
		return 0;
	fraction = fraction_len(s, len, at);
	n = fraction < 12 ? fraction : 12;
	zone = zone_len(s, len, at + fraction, offset);
	if (!zone && local && local->known)
		memcpy(offset, "Z", 2);
	if (zone || (local && local->known)) {
		memcpy(text, s, 19 + n);
		text[10] = 'T';
		if (n)
			text[19] = '.';
		memcpy(text + 19 + n, offset, strlen(offset) + 1);
		*has_time = log_parse_time(text, strlen(text), wall_ns) != 0;
		if (!zone)
			*wall_ns -= local->east_s * CLOCK_NS_PER_S;
	}
	return at + fraction + zone;
}

static size_t read_syslog(const char *s, size_t len)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	size_t i;

	if (len < 15 || !has_shape(s + 3, len - 3, " _d dd:dd:dd"))
		return 0;
	for (i = 0; i < 36; i += 3)
		if (memcmp(s, months + i, 3) == 0)
			return 15;
	return 0;
}

static size_t read_clock(const char *s, size_t len)
{
	return has_shape(s, len, "dd:dd:dd") ? 8 + fraction_len(s, len, 8) : 0;
}

bool log_zone_read(const char *text, size_t len, struct log_zone *zone)
{
	int hours, minutes;

	if (len != 5 || (text[0] != '+' && text[0] != '-') || !has_shape(text + 1, 4, "dddd"))
		return false;
	hours = (text[1] - '0') * 10 + text[2] - '0';
	minutes = (text[3] - '0') * 10 + text[4] - '0';
	zone->east_s = (text[0] == '-' ? -60 : 60) * (hours * 60 + minutes);
	zone->known = true;
	return true;
}

/* How far a line's time and that of the file may be apart: it is written after it was made. */
#define WRITTEN_WITHIN_NS (60 * CLOCK_NS_PER_S)

static bool is_written_then(int64_t line_ns, int64_t changed_ns)
{
	return line_ns - changed_ns <= WRITTEN_WITHIN_NS &&
	       changed_ns - line_ns <= WRITTEN_WITHIN_NS;
}

static bool zone_is_utc(const struct log_zone *zone, const char *line, size_t len)
{
	const struct log_zone utc = { .known = true };
	bool has_time = false, says_zone = false;
	int64_t ns = 0;

	if (!zone->changed_ns || !zone->east_s)
		return false;
	log_stamp_read(line, len, &says_zone, NULL);
	log_stamp_read_in(line, len, &utc, &has_time, &ns);
	return has_time && !says_zone && is_written_then(ns, zone->changed_ns) &&
	       !is_written_then(ns - zone->east_s * CLOCK_NS_PER_S, zone->changed_ns);
}

bool log_zone_read_file(const char *text, size_t len, struct log_zone *zone)
{
	size_t at = 6;
	int64_t seconds = 0;

	if (len < 5 || !log_zone_read(text, 5, zone))
		return false;
	zone->changed_ns = 0;
	zone->other = false;
	for (; at < len && is_digit(text[at]) && at < 6 + 11; at++)
		seconds = seconds * 10 + text[at] - '0';
	if (len < 6 || text[5] != ' ' || at == 6 || at >= len || text[at] != ' ')
		return true;
	zone->changed_ns = seconds * CLOCK_NS_PER_S;
	at++;
	zone->other = zone_is_utc(zone, text + at, len - at);
	if (zone->other)
		zone->east_s = 0;
	return true;
}

size_t log_stamp_read(const char *text, size_t len, bool *has_time, int64_t *wall_ns)
{
	return log_stamp_read_in(text, len, NULL, has_time, wall_ns);
}

size_t log_stamp_read_in(const char *text, size_t len, const struct log_zone *local, bool *has_time,
	int64_t *wall_ns)
{
	size_t at = len && text[0] == '[', used;
	int64_t ns = 0;
	bool has = false;

	if (has_time)
		*has_time = false;
	used = read_iso(text + at, len - at, local, &has, &ns);
	if (!used)
		used = read_syslog(text + at, len - at);
	if (!used)
		used = read_clock(text + at, len - at);
	if (!used)
		return 0;
	used += at;
	if (at) {
		if (used >= len || text[used] != ']')
			return 0;
		used++;
	}
	/* What goes on is no stamp ("10:00:00x"). */
	if (used < len && text[used] != ' ' && text[used] != '\t' && text[used] != ':')
		return 0;
	used += used < len && text[used] == ':';
	while (used < len && (text[used] == ' ' || text[used] == '\t'))
		used++;
	if (has && has_time)
		*has_time = true;
	if (has && wall_ns)
		*wall_ns = ns;
	return used;
}

bool log_stamp_github(struct log_raw *raw, struct buf *out)
{
	const char *end = raw->text + raw->len, *step, *stamp, *step_end;
	size_t used;
	int64_t ns;

	step = memchr(raw->text, '\t', raw->len);
	stamp = step ? memchr(step + 1, '\t', (size_t)(end - step - 1)) : NULL;
	if (!stamp)
		return false;
	step_end = stamp++;
	/* The first line of each step has a byte order mark. */
	if (end - stamp > 3 && memcmp(stamp, "\xEF\xBB\xBF", 3) == 0)
		stamp += 3;
	used = log_parse_time(stamp, (size_t)(end - stamp), &ns);
	if (!used)
		return false;
	used += stamp + used < end && stamp[used] == ' ';
	buf_clear(out);
	buf_add(out, step + 1, (size_t)(step_end - step - 1));
	buf_add_str(out, ": ");
	buf_add(out, stamp + used, (size_t)(end - stamp) - used);
	raw->text = buf_str(out);
	raw->len = out->len;
	raw->has_time = true;
	raw->time_ns = ns;
	return true;
}
