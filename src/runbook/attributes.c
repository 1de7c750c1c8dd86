/*
 * A block's attributes, { name=x on=db … }: one row of the table each. What attributes mean together
 * is check.c's.
 */
#include "parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "problem.h"

/* Each returns NULL, or what the value must be. */
typedef const char *(*attribute_fn)(struct runbook_step *step, const char *value);

static void set_string(char **field, const char *value)
{
	free(*field);
	*field = mem_strdup(value);
}

static const char *set_name(struct runbook_step *step, const char *value)
{
	set_string(&step->name, value);
	return name_check(value) == 0 && strcmp(value, "end") != 0
		       ? NULL
		       : "lower-case letters, digits, - and _ (and not \"end\")";
}

static const char *set_on(struct runbook_step *step, const char *value)
{
	size_t i;

	for (i = RUNBOOK_ON_DB; i <= RUNBOOK_ON_HEALTH; i++) {
		step->place = (enum runbook_place)i;
		if (strcmp(runbook_place_name(step->place), value) == 0)
			return NULL;
	}
	step->place = RUNBOOK_ON_HOST;
	return "db, host, app, local or health";
}

static const char *set_mode(struct runbook_step *step, const char *value)
{
	step->mode = strcmp(value, "read") == 0 ? RUNBOOK_READ : RUNBOOK_WRITE;
	return step->mode == RUNBOOK_READ || strcmp(value, "write") == 0 ? NULL : "read or write";
}

static const char *set_confirm(struct runbook_step *step, const char *value)
{
	return policy_level_parse(value, &step->confirm) == 0 ? NULL : "none, y, verb or target";
}

static const char *set_verb(struct runbook_step *step, const char *value)
{
	size_t i;

	set_string(&step->verb, value);
	for (i = 0; value[i]; i++)
		if (!isalpha((unsigned char)value[i]) && value[i] != ' ' && value[i] != '-')
			return "a word of letters";
	return i && i <= 32 ? NULL : "a word of at most 32 letters";
}

static const char *set_duration(int64_t *ns, const char *value, int64_t max)
{
	if (isdigit((unsigned char)*value) && clock_parse_duration(value, ns) == 0 &&
		*ns >= CLOCK_NS_PER_MS * 100 && *ns <= max)
		return NULL;
	*ns = CLOCK_NS_PER_S;
	return "a duration from 100ms on, e.g. 10s or 5m";
}

static const char *set_timeout(struct runbook_step *step, const char *value)
{
	return set_duration(&step->timeout_ns, value, 24 * 3600 * CLOCK_NS_PER_S);
}

static const char *set_lock_timeout(struct runbook_step *step, const char *value)
{
	return set_duration(&step->lock_timeout_ns, value, 3600 * CLOCK_NS_PER_S);
}

static const char *set_goto(struct runbook_branch *branch, const char *value)
{
	if (!str_starts(value, "goto:") || !value[5])
		return "goto:NAME";
	branch->follow = strcmp(value, "goto:end") == 0 ? RUNBOOK_END : RUNBOOK_GOTO;
	set_string(&branch->name, value + 5);
	return NULL;
}

static const char *set_fail(struct runbook_step *step, const char *value)
{
	step->fail.follow = strcmp(value, "stop") == 0 ? RUNBOOK_STOP : RUNBOOK_ASK;
	if (step->fail.follow == RUNBOOK_STOP || strcmp(value, "ask") == 0)
		return NULL;
	return set_goto(&step->fail, value) ? "stop, ask or goto:NAME" : NULL;
}

static const char *set_ok(struct runbook_step *step, const char *value)
{
	return set_goto(&step->ok, value);
}

static const char *set_when(struct runbook_step *step, const char *value)
{
	const char *colon = strrchr(value, ':');

	if (!colon || colon == value)
		return "NAME:ok or NAME:fail";
	free(step->when_name);
	step->when_name = mem_strndup(value, (size_t)(colon - value));
	step->has_when = true;
	step->when_outcome = strcmp(colon, ":ok") == 0 ? RUNBOOK_OK : RUNBOOK_FAIL;
	return step->when_outcome == RUNBOOK_OK || strcmp(colon, ":fail") == 0
		       ? NULL
		       : "NAME:ok or NAME:fail";
}

static const char *set_undo(struct runbook_step *step, const char *value)
{
	set_string(&step->undo, value);
	return NULL;
}

static const char *set_capture(struct runbook_step *step, const char *value)
{
	set_string(&step->capture, value);
	return name_check(value) == 0 && !strchr(value, '-') ? NULL
							     : "a variable's name, without $";
}

static const char *set_stream(struct runbook_step *step, const char *value)
{
	step->stream = strcmp(value, "yes") == 0;
	return step->stream || strcmp(value, "no") == 0 ? NULL : "yes or no";
}

static const char *set_watch(struct runbook_step *step, const char *value)
{
	return set_duration(&step->watch_ns, value, 600 * CLOCK_NS_PER_S);
}

static const char *set_until(struct runbook_step *step, const char *value)
{
	(void)step;
	return strcmp(value, "expect") == 0 ? NULL : "expect";
}

static const struct attribute {
	const char *name;
	attribute_fn set;
	bool manual; /* a step without a block may have it too */
} attributes[] = {
	{ "name", set_name, true },
	{ "on", set_on, false },
	{ "mode", set_mode, false },
	{ "confirm", set_confirm, false },
	{ "verb", set_verb, false },
	{ "timeout", set_timeout, false },
	{ "lock_timeout", set_lock_timeout, false },
	{ "fail", set_fail, true },
	{ "ok", set_ok, true },
	{ "when", set_when, true },
	{ "undo", set_undo, false },
	{ "capture", set_capture, false },
	{ "stream", set_stream, false },
	{ "watch", set_watch, false },
	{ "until", set_until, false },
};

static const struct attribute *attribute_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (strcmp(attributes[i].name, name) == 0)
			return &attributes[i];
	return NULL;
}

static void attribute_set(struct runbook_step *step, const char *name, const char *value, int line,
	struct strlist *seen, struct runbook_problems *problems)
{
	const struct attribute *attribute = attribute_find(name);
	const char *wanted;

	if (!attribute) {
		problem_add(problems, line, "\"%s\" is no attribute", name);
		return;
	}
	if (!attribute->manual && step->language == RUNBOOK_MANUAL)
		problem_add(problems, line, "%s= needs a block that runs", name);
	if (strlist_has(seen, name))
		problem_add(problems, line, "%s= is set twice", name);
	strlist_add(seen, name);
	wanted = attribute->set(step, value);
	if (wanted)
		problem_add(problems, line, "%s=%s must be %s", name, value, wanted);
}

/* Reads key=value or key="value" at s; returns past it, or NULL. */
static const char *attribute_read(const char *s, char **name, char **value)
{
	size_t len = strcspn(s, "= \t{}\"");
	const char *end;

	if (!len || s[len] != '=')
		return NULL;
	*name = mem_strndup(s, len);
	s += len + 1;
	if (*s == '"') {
		end = strchr(++s, '"');
		*value = end ? mem_strndup(s, (size_t)(end - s)) : mem_strdup("");
		return end ? end + 1 : s + strlen(s);
	}
	len = strcspn(s, " \t{}\"\r\n");
	*value = mem_strndup(s, len);
	return s + len;
}

void attributes_parse(
	const char *text, int line, struct runbook_step *step, struct runbook_problems *problems)
{
	char *name = NULL, *value = NULL;
	struct strlist seen;
	const char *next;

	strlist_init(&seen);
	text += strspn(text, " \t\r\n{");
	while (*text && *text != '}') {
		next = attribute_read(text, &name, &value);
		if (!next) {
			problem_add(problems, line,
				"attributes are { name=value … }, not \"%.40s\"", text);
			break;
		}
		attribute_set(step, name, value, line, &seen, problems);
		free(name);
		free(value);
		text = next + strspn(next, " \t\r\n");
	}
	if (*text == '}' && text[1 + strspn(text + 1, " \t\r\n")])
		problem_add(problems, line, "after the attributes' } stands \"%.40s\"", text + 1);
	else if (!*text)
		problem_add(problems, line, "the attributes have no } at their end");
	if (strlist_has(&seen, "until") != strlist_has(&seen, "watch"))
		problem_add(problems, line, "watch= and until= go together");
	strlist_fini(&seen);
}
