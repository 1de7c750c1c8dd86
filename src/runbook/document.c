/*
 * The model of a runbook: reading a file into it, freeing it, finding in it. How the file is read is
 * in front.c, markdown.c, attributes.c, expect_parse.c, text*.c; what is checked, in check.c.
 */
#include <pgoncall/runbook/document.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

#include "parse.h"
#include "problem.h"
#include "text.h"

/* --- names ----------------------------------------------------------------------------------- */

int name_check(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t len = strspn(name, allowed);

	return len && len <= 63 && !name[len] && isalnum((unsigned char)*name) ? 0 : -1;
}

char *name_from_title(const char *title)
{
	struct buf name = BUF_INIT;

	for (; *title && name.len < 63; title++) {
		if (isalnum((unsigned char)*title))
			buf_add_char(&name, (char)tolower((unsigned char)*title));
		else if (name.len && name.data[name.len - 1] != '-' && *title != '\'')
			buf_add_char(&name, '-');
	}
	while (name.len && name.data[name.len - 1] == '-')
		name.len--;
	return buf_steal(&name);
}

static const char *const place_names[] = {
	[RUNBOOK_ON_DB] = "db",
	[RUNBOOK_ON_HOST] = "host",
	[RUNBOOK_ON_APP] = "app",
	[RUNBOOK_ON_LOCAL] = "local",
	[RUNBOOK_ON_HEALTH] = "health",
};

const char *runbook_place_name(enum runbook_place place)
{
	return place_names[place];
}

static const char *const outcome_names[] = {
	[RUNBOOK_NO_OUTCOME] = "none",
	[RUNBOOK_OK] = "ok",
	[RUNBOOK_FAIL] = "fail",
	[RUNBOOK_UNKNOWN] = "unknown",
	[RUNBOOK_SKIPPED] = "skipped",
};

const char *runbook_outcome_name(enum runbook_outcome outcome)
{
	return outcome_names[outcome];
}

int runbook_outcome_parse(const char *name, enum runbook_outcome *outcome)
{
	size_t i;

	for (i = 0; i < sizeof(outcome_names) / sizeof(outcome_names[0]); i++) {
		if (strcmp(outcome_names[i], name) == 0) {
			*outcome = (enum runbook_outcome)i;
			return 0;
		}
	}
	return -1;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Text that is not UTF-8, or holds bytes that no Markdown needs, would be shown otherwise than it is
 * sent. */
static void check_bytes(const char *bytes, size_t len, struct runbook_problems *problems)
{
	size_t at, used;
	int line = 1;
	uint32_t cp;

	for (at = 0; at < len; at += used ? used : 1) {
		used = utf8_decode(bytes + at, len - at, &cp);
		line += bytes[at] == '\n';
		if (used && (utf8_width(cp) >= 0 || (cp < 0x80 && strchr("\n\t\r", (int)cp) && cp)))
			continue;
		problem_add(problems, line, "a byte or character here cannot be shown: U+%04X",
			(unsigned)cp);
		break;
	}
}

struct runbook *runbook_parse(
	const char *path, const char *bytes, size_t len, struct runbook_problems *problems)
{
	struct runbook *runbook = mem_calloc(1, sizeof(*runbook));
	char *copy = mem_strndup(bytes, len); /* NUL-ended; ends at a NUL within */
	size_t at, before = problems->n;
	int lines;

	runbook->path = mem_strdup(path);
	runbook->intro = mem_strdup("");
	check_bytes(bytes, len, problems);
	len = strlen(copy);
	at = front_parse(copy, len, runbook, &lines, problems);
	markdown_parse(copy + at, len - at, lines + 1, runbook, problems);
	check_runbook(runbook, problems);
	free(copy);
	problems_sort(problems);
	if (problems->n == before)
		return runbook;
	runbook_free(runbook);
	return NULL;
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
	FILE *file = fopen(path, "re");
	char chunk[8192];
	size_t n;
	int rc = 0;

	if (!file)
		return err_system(err, errno, "%s cannot be read", path);
	while (rc == 0 && (n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		buf_add(out, chunk, n);
		if (out->len > RUNBOOK_FILE_MAX)
			rc = err_set(err, ERR_PARSE, "%s is larger than 1 MiB", path);
	}
	if (rc == 0 && ferror(file))
		rc = err_system(err, errno, "%s cannot be read", path);
	fclose(file);
	return rc;
}

struct runbook *runbook_read(const char *path, struct runbook_problems *problems)
{
	struct runbook *runbook = NULL;
	struct buf bytes = BUF_INIT;
	struct err err;

	if (read_file(path, &bytes, &err) < 0)
		problem_add(problems, 0, "%s", err.text);
	else
		runbook = runbook_parse(path, buf_str(&bytes), bytes.len, problems);
	buf_fini(&bytes);
	return runbook;
}

struct runbook *runbook_load(const char *path, struct err *err)
{
	struct runbook_problems problems = { 0 };
	struct runbook *runbook = runbook_read(path, &problems);

	if (!runbook && problems.items[0].line)
		err_set(err, ERR_PARSE, "%s:%d: %s", path, problems.items[0].line,
			problems.items[0].text);
	else if (!runbook)
		err_set(err, ERR_SYSTEM, "%s", problems.items[0].text);
	runbook_problems_fini(&problems);
	return runbook;
}

/* --- freeing --------------------------------------------------------------------------------- */

static void step_fini(struct runbook_step *step)
{
	size_t i;

	free(step->name);
	free(step->title);
	free(step->section);
	free(step->prose);
	strlist_fini(&step->checks);
	strlist_fini(&step->links);
	free(step->verb);
	free(step->ok.name);
	free(step->fail.name);
	free(step->when_name);
	free(step->undo);
	free(step->capture);
	free(step->text);
	text_parts_fini(&step->parts);
	for (i = 0; i < step->n_expect; i++) {
		free(step->expect[i].text);
		text_parts_fini(&step->expect[i].parts);
	}
	free(step->expect);
}

void runbook_free(struct runbook *runbook)
{
	size_t i;

	if (!runbook)
		return;
	for (i = 0; i < runbook->n_steps; i++)
		step_fini(&runbook->steps[i]);
	for (i = 0; i < runbook->n_vars; i++) {
		free(runbook->vars[i].name);
		free(runbook->vars[i].from);
	}
	free(runbook->steps);
	free(runbook->vars);
	free(runbook->path);
	free(runbook->name);
	free(runbook->title);
	free(runbook->intro);
	strlist_fini(&runbook->when);
	free(runbook);
}

/* --- finding --------------------------------------------------------------------------------- */

const struct runbook_step *runbook_step_find(const struct runbook *runbook, const char *name)
{
	size_t i;

	for (i = 0; i < runbook->n_steps; i++)
		if (str_equal(runbook->steps[i].name, name))
			return &runbook->steps[i];
	return NULL;
}

const struct runbook_var *runbook_var_find(const struct runbook *runbook, const char *name)
{
	size_t i;

	for (i = 0; i < runbook->n_vars; i++)
		if (strcmp(runbook->vars[i].name, name) == 0)
			return &runbook->vars[i];
	return NULL;
}

int runbook_require_check(const struct runbook *runbook, unsigned have, struct err *err)
{
	static const struct {
		enum runbook_require bit;
		const char *sentence;
	} wants[] = {
		{ RUNBOOK_REQUIRE_PRIMARY,
			"the server is a standby, or not known to be the primary" },
		{ RUNBOOK_REQUIRE_ARMED, "writes are not allowed: :arm 10m REASON" },
		{ RUNBOOK_REQUIRE_APP, "set app in the configuration" },
		{ RUNBOOK_REQUIRE_COMPOSE, "set compose in the configuration" },
	};
	size_t i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		if (runbook->require & ~have & wants[i].bit)
			return err_set(err, ERR_REFUSED, "%s cannot be run now: %s", runbook->title,
				wants[i].sentence);
	return 0;
}
