/*
 * The lines of an expect block: one row of the table for each keyword. Whether a result is what they
 * say is expect.c's.
 */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "problem.h"

#define EXPECT_LINES_MAX 32

static const char *parse_exit(struct runbook_expect *expect, const char *rest)
{
	return str_to_long(rest, 0, 255, &expect->min) == 0 ? NULL : "exit N, from 0 to 255";
}

/* "N", "A..B", "A..", "..B". */
static const char *parse_rows(struct runbook_expect *expect, const char *rest)
{
	static const char wanted[] = "rows N or rows A..B";
	const char *dots = strstr(rest, "..");
	char *from = mem_strndup(rest, dots ? (size_t)(dots - rest) : strlen(rest));
	bool ok = true;

	expect->min = 0;
	expect->max = -1;
	if (!dots || *from)
		ok = str_to_long(from, 0, 1000000000, &expect->min) == 0;
	if (!dots)
		expect->max = expect->min;
	else if (dots[2])
		ok &= str_to_long(dots + 2, expect->min, 1000000000, &expect->max) == 0;
	else
		ok &= *from != '\0';
	free(from);
	return ok ? NULL : wanted;
}

static const char *parse_text(struct runbook_expect *expect, const char *rest)
{
	expect->text = mem_strdup(rest);
	return NULL;
}

static const char *parse_pattern(struct runbook_expect *expect, const char *rest)
{
	expect->text = mem_strdup(rest);
	return *rest ? NULL : "followed by a pattern";
}

static const struct {
	const char *word;
	enum runbook_expect_kind kind;
	const char *(*parse)(struct runbook_expect *expect, const char *rest);
} keywords[] = {
	{ "exit", RUNBOOK_EXPECT_EXIT, parse_exit },
	{ "rows", RUNBOOK_EXPECT_ROWS, parse_rows },
	{ "value", RUNBOOK_EXPECT_VALUE, parse_text },
	{ "match", RUNBOOK_EXPECT_MATCH, parse_pattern },
	{ "absent", RUNBOOK_EXPECT_ABSENT, parse_pattern },
};

static void expect_line(
	char *text, int line, struct runbook_step *step, struct runbook_problems *problems)
{
	size_t len = strcspn(text, " \t"), i;
	char *rest = text + len + strspn(text + len, " \t");
	struct runbook_expect *expect = &step->expect[step->n_expect];
	const char *wanted = NULL;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strlen(keywords[i].word) == len && strncmp(keywords[i].word, text, len) == 0)
			break;
	if (i == sizeof(keywords) / sizeof(keywords[0])) {
		problem_add(problems, line,
			"\"%.*s\" is nothing to expect (exit, rows, value, match, absent)",
			(int)len, text);
		return;
	}
	memset(expect, 0, sizeof(*expect));
	expect->kind = keywords[i].kind;
	expect->line = line;
	wanted = keywords[i].parse(expect, rest);
	if (wanted)
		problem_add(problems, line, "\"%s\" must be %s", text, wanted);
	step->n_expect++;
}

void expect_parse(
	const char *text, int line, struct runbook_step *step, struct runbook_problems *problems)
{
	char *copy = mem_strdup(text), *at = copy, *trimmed;
	int first = line;
	size_t len;
	bool last;

	step->expect = mem_calloc(EXPECT_LINES_MAX, sizeof(*step->expect));
	for (last = false; !last; line++) {
		len = strcspn(at, "\n");
		last = !at[len];
		at[len] = '\0';
		trimmed = str_trim(at);
		if (*trimmed && step->n_expect == EXPECT_LINES_MAX)
			problem_add(problems, line, "there are too many lines to expect");
		else if (*trimmed)
			expect_line(trimmed, line, step, problems);
		at += len + 1;
	}
	if (!step->n_expect)
		problem_add(problems, first, "this expect block is empty");
	free(copy);
}
