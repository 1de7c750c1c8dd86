/*
 * Comparing a result with what a step expects: one row of the table for each kind of line.
 */
#include <pgoncall/runbook/expect.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#define MATCH_LIMIT    1000000 /* calls of PCRE2's match(): well below a second */
#define DEPTH_LIMIT    100000
#define HEAP_LIMIT_KIB 32768

/* --- patterns -------------------------------------------------------------------------------- */

static pcre2_code *pattern_compile(const char *pattern, struct err *err)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR why[256];
	pcre2_code *code;
	PCRE2_SIZE at;
	int number;

	pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
	pcre2_set_max_pattern_length(context, RUNBOOK_PATTERN_MAX);
	code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern),
		PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
		&number, &at, context);
	pcre2_compile_context_free(context);
	if (!code) {
		pcre2_get_error_message(number, why, sizeof(why));
		err_set(err, ERR_PARSE, "the pattern is wrong at character %zu: %s", at + 1,
			(const char *)why);
	}
	return code;
}

int runbook_pattern_check(const char *pattern, struct err *err)
{
	pcre2_code *code = pattern_compile(pattern, err);

	pcre2_code_free(code);
	return code ? 0 : -1;
}

static int pattern_run(const pcre2_code *code, const char *text)
{
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
	int rc;

	pcre2_set_match_limit(context, MATCH_LIMIT);
	pcre2_set_depth_limit(context, DEPTH_LIMIT);
	pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
	rc = pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, 0, data, context);
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	return rc;
}

int runbook_pattern_match(const char *pattern, const char *text, struct err *err)
{
	pcre2_code *code = pattern_compile(pattern, err);
	int rc;

	if (!code)
		return -1;
	rc = pattern_run(code, text);
	pcre2_code_free(code);
	if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH)
		return rc >= 0;
	return err_set(
		err, ERR_REFUSED, "the pattern took too long on this output: %.100s", pattern);
}

/* --- results --------------------------------------------------------------------------------- */

char *runbook_result_value(const struct runbook_step *step, const struct runbook_result *result)
{
	const char *text = step->language == RUNBOOK_SQL ? result->value : result->out;
	char *copy, *trimmed;

	if (!text)
		return NULL;
	copy = mem_strndup(
		text, step->language == RUNBOOK_SQL ? strlen(text) : strcspn(text, "\n"));
	trimmed = mem_strdup(str_trim(copy));
	free(copy);
	return trimmed;
}

/* Lines that say something. */
static long count_lines(const char *text)
{
	long lines = 0;
	size_t len;

	while (text && *text) {
		len = strcspn(text, "\n");
		lines += strspn(text, " \t\r") < len;
		text += len + (text[len] == '\n');
	}
	return lines;
}

static long result_rows(const struct runbook_step *step, const struct runbook_result *result)
{
	if (step->language == RUNBOOK_SH)
		return count_lines(result->out);
	return result->rows < 0 ? 0 : result->rows;
}

/* In a pattern a value means itself: every character that could mean more is escaped. */
static void add_escaped(struct buf *out, const char *value)
{
	for (; *value; value++) {
		if ((unsigned char)*value < 0x80 && !isalnum((unsigned char)*value) &&
			*value != '_')
			buf_add_char(out, '\\');
		buf_add_char(out, *value);
	}
}

/* The line's text with the variables' values in it; -1 when one is not set. */
static int expect_text(const struct runbook_expect *expect, const struct runbook_vars *vars,
	struct buf *out, struct err *err)
{
	const struct runbook_part *part;
	const char *value;
	size_t i;

	for (i = 0; i < expect->parts.n; i++) {
		part = &expect->parts.items[i];
		if (part->kind == RUNBOOK_PART_TEXT) {
			buf_add(out, expect->text + part->at, part->len);
			continue;
		}
		value = runbook_vars_get(vars, part->var);
		if (runbook_type_check(part->type, part->var, value, err) < 0)
			return -1;
		if (expect->kind == RUNBOOK_EXPECT_VALUE)
			buf_add_str(out, value);
		else
			add_escaped(out, value);
	}
	return 0;
}

/* --- one line: whether it holds, and words for both cases --------------------------------------- */

struct expectation {
	const struct runbook_step *step;
	const struct runbook_expect *expect;
	const struct runbook_result *result;
	const char *text; /* with values; "" where there is none */
	struct buf *says; /* what was found, or what was expected and found */
};

static bool expect_exit(const struct expectation *e)
{
	bool ok = e->result->exit == (int)e->expect->min;

	if (ok)
		buf_printf(e->says, "exit %d", e->result->exit);
	else
		buf_printf(e->says, "expected exit %ld, got %d", e->expect->min, e->result->exit);
	return ok;
}

static void add_rows(struct buf *out, const struct runbook_step *step, long n)
{
	const char *what = step->language == RUNBOOK_SH ? "line" : "row";

	buf_printf(out, "%ld %s%s", n, what, n == 1 ? "" : "s");
}

static bool expect_rows(const struct expectation *e)
{
	long rows = result_rows(e->step, e->result), min = e->expect->min, max = e->expect->max;
	bool ok = rows >= min && (max < 0 || rows <= max);

	if (!ok && max < 0)
		buf_printf(e->says, "expected at least %ld, got ", min);
	else if (!ok && min == max)
		buf_printf(e->says, "expected %ld, got ", min);
	else if (!ok)
		buf_printf(e->says, "expected %ld to %ld, got ", min, max);
	add_rows(e->says, e->step, rows);
	return ok;
}

static bool expect_value(const struct expectation *e)
{
	char *value = runbook_result_value(e->step, e->result);
	bool ok = strcmp(value ? value : "", e->text) == 0;

	if (ok)
		buf_printf(e->says, "value %s", e->text);
	else
		buf_printf(e->says, "expected value %s, got %s", e->text, value ? value : "none");
	free(value);
	return ok;
}

/* -1 where it could not be told. */
static int expect_found(const struct expectation *e)
{
	struct buf all = BUF_INIT;
	struct err err;
	int found;

	buf_add_str(&all, e->result->out ? e->result->out : "");
	if (all.len && all.data[all.len - 1] != '\n')
		buf_add_char(&all, '\n');
	buf_add_str(&all, e->result->err ? e->result->err : "");
	found = runbook_pattern_match(e->text, buf_str(&all), &err);
	if (found < 0)
		buf_add_str(e->says, err.text);
	buf_fini(&all);
	return found;
}

static bool expect_match(const struct expectation *e)
{
	int found = expect_found(e);

	if (found > 0)
		buf_printf(e->says, "found %s", e->text);
	else if (found == 0)
		buf_printf(e->says, "expected to find %s, and did not", e->text);
	return found > 0;
}

static bool expect_absent(const struct expectation *e)
{
	int found = expect_found(e);

	if (found == 0)
		buf_printf(e->says, "no %s", e->text);
	else if (found > 0)
		buf_printf(e->says, "found %s, which should not be there", e->text);
	return found == 0;
}

static bool (*const expectations[])(const struct expectation *e) = {
	[RUNBOOK_EXPECT_EXIT] = expect_exit,
	[RUNBOOK_EXPECT_ROWS] = expect_rows,
	[RUNBOOK_EXPECT_VALUE] = expect_value,
	[RUNBOOK_EXPECT_MATCH] = expect_match,
	[RUNBOOK_EXPECT_ABSENT] = expect_absent,
};

static bool expect_line_holds(const struct runbook_step *step, const struct runbook_expect *expect,
	const struct runbook_vars *vars, const struct runbook_result *result, struct buf *says)
{
	struct buf text = BUF_INIT;
	struct err err;
	bool ok = false;

	if (expect->text && expect_text(expect, vars, &text, &err) < 0)
		buf_add_str(says, err.text);
	else
		ok = expectations[expect->kind](
			&(struct expectation){ step, expect, result, buf_str(&text), says });
	buf_fini(&text);
	return ok;
}

/* --- all of them ----------------------------------------------------------------------------- */

/* Without an `exit` line a command must exit with 0. */
static bool exit_holds(
	const struct runbook_step *step, const struct runbook_result *result, struct buf *sentence)
{
	size_t i;

	if (step->language != RUNBOOK_SH)
		return true;
	for (i = 0; i < step->n_expect; i++)
		if (step->expect[i].kind == RUNBOOK_EXPECT_EXIT)
			return true;
	if (result->exit == 0)
		return true;
	buf_printf(sentence, "Expected exit 0, got %d.", result->exit);
	return false;
}

static bool ran_holds(const struct runbook_result *result, struct buf *sentence)
{
	if (result->ran == RUNBOOK_RAN)
		return true;
	if (result->ran == RUNBOOK_RAN_UNKNOWN)
		buf_add_str(sentence, "It is not known what came of it");
	else
		buf_add_str(sentence, "It failed");
	if (!str_empty(result->error))
		buf_printf(sentence, ": %s", result->error);
	buf_add_char(sentence, '.');
	return false;
}

static void sentence_end(struct buf *sentence, size_t start)
{
	if (sentence->len > start)
		sentence->data[start] = (char)toupper((unsigned char)sentence->data[start]);
	buf_add_char(sentence, '.');
}

bool runbook_expect_check(const struct runbook_step *step, const struct runbook_vars *vars,
	const struct runbook_result *result, struct buf *sentence)
{
	struct buf says = BUF_INIT;
	size_t start = sentence->len, i;
	bool ok = ran_holds(result, sentence) && exit_holds(step, result, sentence);

	if (!ok)
		return false;
	for (i = 0; ok && i < step->n_expect; i++) {
		buf_clear(&says);
		ok = expect_line_holds(step, &step->expect[i], vars, result, &says);
		if (!ok)
			sentence->len = start; /* only what is wrong */
		buf_printf(sentence, "%s%s", !ok ? "" : i ? ", " : "as expected: ", buf_str(&says));
	}
	if (!step->n_expect && step->language == RUNBOOK_SH)
		buf_add_str(sentence, "exit 0");
	else if (!step->n_expect)
		add_rows(sentence, step, result_rows(step, result));
	buf_fini(&says);
	sentence_end(sentence, start);
	return ok;
}

/* --- in print -------------------------------------------------------------------------------- */

void runbook_expect_print(const struct runbook_expect *expect, struct buf *out)
{
	static const char *const words[] = {
		[RUNBOOK_EXPECT_EXIT] = "exit",
		[RUNBOOK_EXPECT_ROWS] = "rows",
		[RUNBOOK_EXPECT_VALUE] = "value",
		[RUNBOOK_EXPECT_MATCH] = "match",
		[RUNBOOK_EXPECT_ABSENT] = "absent",
	};

	if (expect->text)
		buf_printf(out, "%s %s", words[expect->kind], expect->text);
	else if (expect->kind == RUNBOOK_EXPECT_EXIT || expect->max == expect->min)
		buf_printf(out, "%s %ld", words[expect->kind], expect->min);
	else if (expect->max < 0)
		buf_printf(out, "%s %ld..", words[expect->kind], expect->min);
	else
		buf_printf(out, "%s %ld..%ld", words[expect->kind], expect->min, expect->max);
}
