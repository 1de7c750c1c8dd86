/*
 * Entries of systemd's journal; see the header.
 */
#include <pgoncall/logs/journal.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>

/* syslog(3)'s priorities. What a service prints on stdout is all "info": its text tells more. */
static enum log_level level_of(const char *priority)
{
	if (!priority || !*priority || priority[1])
		return LOG_LEVEL_UNKNOWN;
	if (*priority >= '0' && *priority <= '3')
		return LOG_LEVEL_ERROR;
	return *priority == '4'   ? LOG_LEVEL_WARNING
	       : *priority == '7' ? LOG_LEVEL_DEBUG
				  : LOG_LEVEL_UNKNOWN;
}

#define NS_PER_US (CLOCK_NS_PER_S / 1000000)

/* Microseconds since 1970, as a string of digits. */
static bool read_time(const json_t *root, int64_t *wall_ns)
{
	const char *text = json_string_value(json_object_get(root, "__REALTIME_TIMESTAMP"));
	size_t digits = text ? strspn(text, "0123456789") : 0;
	int64_t us;

	if (!digits || digits > 16 || text[digits])
		return false;
	us = strtoll(text, NULL, 10);
	if (us > INT64_MAX / NS_PER_US)
		return false;
	*wall_ns = us * NS_PER_US;
	return true;
}

/* A message that is not UTF-8 comes as an array of bytes; a field that is there several times, as an
 * array of such. */
static void add_message(const json_t *value, int depth, struct buf *out)
{
	json_t *item;
	size_t i;

	if (json_is_string(value)) {
		buf_add(out, json_string_value(value), json_string_length(value));
		return;
	}
	json_array_foreach(value, i, item)
	{
		if (json_is_integer(item))
			buf_add_char(out, (char)json_integer_value(item));
		else if (depth == 0)
			add_message(item, 1, out);
	}
}

/* "unit[12]: " as journalctl's own formats begin. */
static void add_origin(const json_t *root, struct buf *out)
{
	const char *who = json_string_value(json_object_get(root, "SYSLOG_IDENTIFIER"));
	const char *pid = json_string_value(json_object_get(root, "_PID"));

	if (!pid)
		pid = json_string_value(json_object_get(root, "SYSLOG_PID"));
	if (!who)
		return;
	buf_add_str(out, who);
	if (pid)
		buf_printf(out, "[%s]", pid);
	buf_add_str(out, ": ");
}

static void tell_lines(struct log_raw *line, const struct buf *origin, const struct buf *message,
	log_raw_fn *fn, void *arg)
{
	const char *s = buf_str(message), *end = s + message->len, *stop;
	struct buf text = BUF_INIT;

	do {
		stop = memchr(s, '\n', (size_t)(end - s));
		if (!stop)
			stop = end;
		buf_clear(&text);
		buf_add(&text, buf_str(origin), origin->len);
		buf_add(&text, s, (size_t)(stop - s));
		line->text = buf_str(&text);
		line->len = text.len < LOG_LINE_MAX ? text.len : LOG_LINE_MAX;
		line->cut = text.len - line->len;
		fn(line, arg);
		s = stop + 1;
	} while (s < end);
	buf_fini(&text);
}

bool log_journal_entry(const struct log_raw *raw, log_raw_fn *fn, void *arg)
{
	json_t *root = raw->cut || raw->len < 2 || raw->text[0] != '{'
			       ? NULL
			       : json_loadb(raw->text, raw->len, JSON_ALLOW_NUL, NULL);
	struct buf origin = BUF_INIT, message = BUF_INIT;
	struct log_raw line = *raw;

	if (!json_is_object(root) || !json_object_get(root, "__REALTIME_TIMESTAMP")) {
		json_decref(root);
		return false;
	}
	line.has_time = read_time(root, &line.time_ns);
	line.level = level_of(json_string_value(json_object_get(root, "PRIORITY")));
	add_origin(root, &origin);
	add_message(json_object_get(root, "MESSAGE"), 0, &message);
	tell_lines(&line, &origin, &message, fn, arg);
	buf_fini(&origin);
	buf_fini(&message);
	json_decref(root);
	return true;
}
