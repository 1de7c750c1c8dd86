/*
 * JSON lines; see the header. Field names are those that the common loggers write: structlog,
 * python-json-logger, pino, bunyan, zap, logstash.
 */
#include <pgoncall/logs/json.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include <pgoncall/base/utf8.h>

static const char *const level_names[] = { "level", "severity", "levelname", "lvl", NULL };
static const char *const message_names[] = { "message", "msg", "event", NULL };
/* The time stands in front of every line already. */
static const char *const time_names[] = { "time", "timestamp", "ts", "@timestamp", "asctime",
	NULL };

static json_t *load(const char *text, size_t len)
{
	json_t *root;

	while (len && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	if (len < 2 || *text != '{')
		return NULL;
	root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	if (json_is_object(root) && json_object_size(root))
		return root;
	json_decref(root);
	return NULL;
}

static void add_safe(struct buf *out, const char *text, size_t len)
{
	utf8_sanitise(out, text, len, UTF8_ONE_LINE);
}

static void add_value(struct buf *out, const json_t *value)
{
	char *dump;

	if (json_is_string(value)) {
		add_safe(out, json_string_value(value), json_string_length(value));
		return;
	}
	dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (dump)
		add_safe(out, dump, strlen(dump));
	free(dump);
}

static const char *find_name(const json_t *root, const char *const *names)
{
	for (; *names; names++)
		if (json_object_get(root, *names))
			return *names;
	return NULL;
}

static bool is_among(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcasecmp(name, *names) == 0)
			return true;
	return false;
}

/* A value with blanks in it is quoted, so that it is seen where it ends. */
static void add_pair(struct buf *out, const char *name, const json_t *value)
{
	bool quote = json_is_string(value) &&
		     (!*json_string_value(value) || strpbrk(json_string_value(value), " \t\n"));

	buf_add_char(out, ' ');
	add_safe(out, name, strlen(name));
	buf_add_char(out, '=');
	if (quote)
		buf_add_char(out, '"');
	add_value(out, value);
	if (quote)
		buf_add_char(out, '"');
}

bool log_json_readable(const char *text, size_t len, struct buf *out)
{
	json_t *root = load(text, len), *value;
	const char *level, *message, *name;
	size_t before = out->len;

	if (!root)
		return false;
	level = find_name(root, level_names);
	message = find_name(root, message_names);
	if (level && json_is_string(json_object_get(root, level))) {
		add_value(out, json_object_get(root, level));
		for (; before < out->len; before++)
			if (out->data[before] >= 'a' && out->data[before] <= 'z')
				out->data[before] = (char)(out->data[before] - 'a' + 'A');
	} else {
		level = NULL;
	}
	if (message) {
		if (level)
			buf_add_char(out, ' ');
		add_value(out, json_object_get(root, message));
	}
	json_object_foreach(root, name, value)
	{
		if ((level && strcmp(name, level) == 0) ||
			(message && strcmp(name, message) == 0) || is_among(name, time_names))
			continue;
		add_pair(out, name, value);
	}
	json_decref(root);
	return true;
}

bool log_json_fields(const char *text, size_t len,
	void (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	json_t *root = load(text, len), *value;
	struct buf safe_name = BUF_INIT, safe_value = BUF_INIT;
	const char *name;

	if (!root)
		return false;
	json_object_foreach(root, name, value)
	{
		buf_clear(&safe_name);
		buf_clear(&safe_value);
		add_safe(&safe_name, name, strlen(name));
		if (json_is_string(value))
			utf8_sanitise(&safe_value, json_string_value(value),
				json_string_length(value), UTF8_MANY_LINES);
		else
			add_value(&safe_value, value);
		fn(arg, buf_str(&safe_name), buf_str(&safe_value));
	}
	buf_fini(&safe_name);
	buf_fini(&safe_value);
	json_decref(root);
	return true;
}
