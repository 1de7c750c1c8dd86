/*
 * How bad a log line is, by how it begins: a level word in capitals, a level field of JSON or logfmt,
 * or what is known to head an error. The first one counts, so that an INFO line may speak of an ERROR.
 */
#include <pgoncall/logs/sanitise.h>

#include <string.h>

enum {
	LOOK_AT_MAX = 256, /* bytes of a line that are looked at */
	JSON_LOOK_AT_MAX = 2048
};

static const char *const names[] = {
	[LOG_LEVEL_UNKNOWN] = "unknown",
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

/* Whole words, in capitals as logging libraries and PostgreSQL write them. */
static const struct {
	const char *word;
	enum log_level level;
} words[] = {
	{ "ERROR", LOG_LEVEL_ERROR },
	{ "CRITICAL", LOG_LEVEL_ERROR },
	{ "FATAL", LOG_LEVEL_ERROR },
	{ "PANIC", LOG_LEVEL_ERROR },
	{ "FAILED", LOG_LEVEL_ERROR }, /* Alembic: "FAILED: Multiple head revisions …" */
	{ "EMERG", LOG_LEVEL_ERROR },
	{ "ALERT", LOG_LEVEL_ERROR },
	{ "CRIT", LOG_LEVEL_ERROR },
	{ "WARNING", LOG_LEVEL_WARNING },
	{ "WARNI", LOG_LEVEL_WARNING }, /* "%(levelname)-5.5s", Alembic's default format */
	{ "CRITI", LOG_LEVEL_ERROR },
	{ "WARN", LOG_LEVEL_WARNING },
	{ "INFO", LOG_LEVEL_INFO },
	{ "NOTICE", LOG_LEVEL_INFO },
	{ "LOG", LOG_LEVEL_INFO }, /* PostgreSQL */
	{ "STATEMENT", LOG_LEVEL_INFO },
	{ "DETAIL", LOG_LEVEL_INFO },
	{ "HINT", LOG_LEVEL_INFO },
	{ "CONTEXT", LOG_LEVEL_INFO },
	{ "DEBUG", LOG_LEVEL_DEBUG },
	{ "DEBUG1", LOG_LEVEL_DEBUG },
	{ "DEBUG2", LOG_LEVEL_DEBUG },
	{ "DEBUG3", LOG_LEVEL_DEBUG },
	{ "DEBUG4", LOG_LEVEL_DEBUG },
	{ "DEBUG5", LOG_LEVEL_DEBUG },
	{ "TRACE", LOG_LEVEL_DEBUG },
};

/* Values of a field "level", "severity" or "lvl"; compared without case by their beginning. */
static const struct {
	const char *value;
	enum log_level level;
} values[] = {
	{ "err", LOG_LEVEL_ERROR },
	{ "crit", LOG_LEVEL_ERROR },
	{ "fatal", LOG_LEVEL_ERROR },
	{ "panic", LOG_LEVEL_ERROR },
	{ "alert", LOG_LEVEL_ERROR },
	{ "emerg", LOG_LEVEL_ERROR },
	{ "warn", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO },
	{ "notice", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ "trace", LOG_LEVEL_DEBUG },
};

static const char *const fields[] = { "level", "severity", "levelname", "lvl" };

/* How lines begin that head an error, or are part of one. */
static const struct {
	const char *start;
	enum log_level level;
} starts[] = {
	{ "Traceback (most recent call last)", LOG_LEVEL_ERROR },
	{ "❌", LOG_LEVEL_ERROR },
	{ "psycopg2.", LOG_LEVEL_ERROR },
	{ "psycopg.", LOG_LEVEL_ERROR },
	{ "asyncpg.", LOG_LEVEL_ERROR },
	{ "sqlalchemy.exc.", LOG_LEVEL_ERROR },
	{ "alembic.", LOG_LEVEL_ERROR },
	{ "SyntaxError:", LOG_LEVEL_ERROR },
	{ "IndentationError:", LOG_LEVEL_ERROR },
	{ "KeyError:", LOG_LEVEL_ERROR },
	{ "AttributeError:", LOG_LEVEL_ERROR },
	{ "ModuleNotFoundError:", LOG_LEVEL_ERROR },
	{ "ImportError:", LOG_LEVEL_ERROR },
	{ "⚠", LOG_LEVEL_WARNING },
	{ "✅", LOG_LEVEL_INFO },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *log_level_name(enum log_level level)
{
	return names[level];
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static enum log_level level_of_word(const char *s, size_t len)
{
	size_t i;

	/* Most words are told apart by their first two letters. */
	if (len < 3 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z')
		return LOG_LEVEL_UNKNOWN;
	for (i = 0; i < COUNT(words); i++)
		if (strlen(words[i].word) == len && memcmp(words[i].word, s, len) == 0)
			return words[i].level;
	return LOG_LEVEL_UNKNOWN;
}

static enum log_level level_of_value(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < COUNT(values); i++)
		if (strlen(values[i].value) <= len &&
			strncasecmp(values[i].value, s, strlen(values[i].value)) == 0)
			return values[i].level;
	return LOG_LEVEL_UNKNOWN;
}

static bool is_field(const char *s, size_t len)
{
	size_t i;

	if (!strchr("lLsS", s[0]))
		return false;
	for (i = 0; i < COUNT(fields); i++)
		if (strlen(fields[i]) == len && strncasecmp(fields[i], s, len) == 0)
			return true;
	return false;
}

/* pino and bunyan count in tens: 50 is an error, 40 a warning, 30 information. */
static enum log_level level_of_number(const char *s, size_t len)
{
	if (len < 2 || s[0] < '1' || s[0] > '9' || s[1] != '0' || (len > 2 && is_word_char(s[2])))
		return LOG_LEVEL_UNKNOWN;
	return s[0] >= '5'   ? LOG_LEVEL_ERROR
	       : s[0] == '4' ? LOG_LEVEL_WARNING
	       : s[0] == '3' ? LOG_LEVEL_INFO
			     : LOG_LEVEL_DEBUG;
}

/* level=…, "level": "…": what follows the name, past quotes, one ":" or "=", and blanks. */
static enum log_level level_of_field(const char *s, size_t len, size_t after)
{
	bool equals = false;

	for (; after < len && strchr("\"' :=", s[after]); after++)
		equals |= s[after] == ':' || s[after] == '=';
	if (!equals)
		return LOG_LEVEL_UNKNOWN;
	if (after < len && s[after] >= '0' && s[after] <= '9')
		return level_of_number(s + after, len - after);
	return level_of_value(s + after, len - after);
}

/* The first word that says a level, of fields, or of fields and bare words. */
static enum log_level level_of_words(const char *text, size_t len, bool only_fields)
{
	enum log_level level;
	size_t i, from;

	for (from = 0; from < len; from = i + (i == from)) {
		for (i = from; i < len && is_word_char(text[i]); i++)
			;
		if (i == from)
			continue;
		level = only_fields ? LOG_LEVEL_UNKNOWN : level_of_word(text + from, i - from);
		if (level == LOG_LEVEL_UNKNOWN && is_field(text + from, i - from))
			level = level_of_field(text, len, i);
		if (level != LOG_LEVEL_UNKNOWN)
			return level;
	}
	return LOG_LEVEL_UNKNOWN;
}

enum log_level log_level_detect(const char *text, size_t len)
{
	enum log_level level = LOG_LEVEL_UNKNOWN;
	size_t i;

	for (i = 0; i < COUNT(starts); i++)
		if (strlen(starts[i].start) <= len &&
			memcmp(text, starts[i].start, strlen(starts[i].start)) == 0)
			return starts[i].level;
	/* A message inside JSON may speak of an ERROR before the level's own field comes. */
	if (len && *text == '{')
		level = level_of_words(text, len < JSON_LOOK_AT_MAX ? len : JSON_LOOK_AT_MAX, true);
	if (level == LOG_LEVEL_UNKNOWN)
		level = level_of_words(text, len < LOOK_AT_MAX ? len : LOOK_AT_MAX, false);
	return level;
}
