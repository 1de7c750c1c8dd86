/*
 * Owns the use of PCRE2 in tests.
 */
#include "match.h"

#define PCRE2_CODE_UNIT_WIDTH 8

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcre2.h>

#include <pgoncall/base/mem.h>

static pcre2_code *compile(const char *pattern)
{
	uint32_t options = PCRE2_UTF | PCRE2_MULTILINE | PCRE2_MATCH_INVALID_UTF;
	PCRE2_SIZE offset;
	PCRE2_UCHAR why[128];
	pcre2_code *code;
	int number;

	code = pcre2_compile(
		(PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &number, &offset, NULL);
	if (code != NULL)
		return code;
	pcre2_get_error_message(number, why, sizeof(why));
	fprintf(stderr, "bad pattern /%s/ at %zu: %s\n", pattern, (size_t)offset, (char *)why);
	abort();
}

char *match_group_dup(const char *text, const char *pattern, int group)
{
	pcre2_code *code = compile(pattern);
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
	PCRE2_SIZE *span = pcre2_get_ovector_pointer(data);
	char *out = NULL;
	int n;

	n = pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, 0, data, NULL);
	if (n > group && span[2 * group] != PCRE2_UNSET)
		out = mem_strndup(text + span[2 * group], span[2 * group + 1] - span[2 * group]);
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	return out;
}

bool match_text(const char *text, const char *pattern)
{
	char *all = match_group_dup(text, pattern, 0);

	free(all);
	return all != NULL;
}
