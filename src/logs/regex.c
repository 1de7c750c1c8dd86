/*
 * PCRE2 with limits; see the header. It is interpreted: machine code made at run time is forbidden on
 * hardened systems, and log lines do not come that fast.
 */
#include <pgoncall/logs/regex.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

enum {
	PATTERN_MAX = 1000,
	MATCH_LIMIT = 30000, /* steps for one line: under a millisecond */
	DEPTH_LIMIT = 5000,
	HEAP_LIMIT_KIB = 1024,
	SHOWN_MAX = 40 /* bytes of a pattern in a sentence */
};

struct log_regex {
	char *pattern;
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

/* A capital asks for exact case; one behind a backslash (\S, \W) is no letter. */
static bool has_capital(const char *pattern)
{
	const char *s;

	for (s = pattern; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (*s >= 'A' && *s <= 'Z')
			return true;
	}
	return false;
}

static void limit(struct log_regex *regex)
{
	regex->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
	regex->context = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(regex->context, MATCH_LIMIT);
	pcre2_set_depth_limit(regex->context, DEPTH_LIMIT);
	pcre2_set_heap_limit(regex->context, HEAP_LIMIT_KIB);
}

static int refuse(const char *pattern, int code, size_t at, struct err *err)
{
	PCRE2_UCHAR why[128] = "";
	char *safe = utf8_sanitised_dup(pattern, UTF8_ONE_LINE);

	pcre2_get_error_message(code, why, sizeof(why));
	err_set(err, ERR_USAGE, "the pattern %.*s is not valid at character %zu: %s", SHOWN_MAX,
		safe, at + 1, (const char *)why);
	free(safe);
	return -1;
}

int log_regex_new(struct log_regex **out, const char *pattern, struct err *err)
{
	uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
	struct log_regex *regex;
	pcre2_code *code;
	PCRE2_SIZE at;
	int why;

	*out = NULL;
	if (strlen(pattern) > PATTERN_MAX)
		return err_set(err, ERR_USAGE,
			"the pattern is longer than %d bytes; give a shorter one", PATTERN_MAX);
	if (!has_capital(pattern))
		options |= PCRE2_CASELESS;
	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &why, &at, NULL);
	if (!code)
		return refuse(pattern, why, at, err);
	regex = mem_calloc(1, sizeof(*regex));
	regex->pattern = mem_strdup(pattern);
	regex->code = code;
	limit(regex);
	*out = regex;
	return 0;
}

void log_regex_free(struct log_regex *regex)
{
	if (!regex)
		return;
	pcre2_match_data_free(regex->data);
	pcre2_match_context_free(regex->context);
	pcre2_code_free(regex->code);
	free(regex->pattern);
	free(regex);
}

const char *log_regex_pattern(const struct log_regex *regex)
{
	return regex->pattern;
}

enum log_regex_result log_regex_match(struct log_regex *regex, const char *text, size_t len,
	size_t from, size_t *start, size_t *end)
{
	PCRE2_SIZE *where;
	int rc;

	rc = pcre2_match(regex->code, (PCRE2_SPTR)text, len, from, PCRE2_NO_UTF_CHECK, regex->data,
		regex->context);
	if (rc == PCRE2_ERROR_NOMATCH)
		return LOG_REGEX_NO;
	if (rc < 0)
		return LOG_REGEX_TOO_COSTLY;
	where = pcre2_get_ovector_pointer(regex->data);
	/* \K can put the start behind the end. */
	if (start)
		*start = where[0] < where[1] ? where[0] : where[1];
	if (end)
		*end = where[1];
	return LOG_REGEX_YES;
}

int log_regex_too_costly(const struct log_regex *regex, struct err *err)
{
	char *safe = utf8_sanitised_dup(regex->pattern, UTF8_ONE_LINE);

	err_set(err, ERR_USAGE,
		"the pattern %.*s takes too long on these lines and was given up; write it without "
		"repeats inside repeats",
		SHOWN_MAX, safe);
	free(safe);
	return -1;
}
