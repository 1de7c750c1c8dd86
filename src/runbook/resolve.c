/*
 * From a step and values to what is sent. Quoting for a shell is handed in; SQL's, for the few places
 * where its grammar takes no parameter, is here.
 */
#include <pgoncall/runbook/resolve.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

void runbook_command_fini(struct runbook_command *command)
{
	size_t i;

	for (i = 0; i < command->n_params; i++) {
		free(command->params[i].name);
		free(command->params[i].value);
	}
	free(command->params);
	free(command->text);
	free(command->shown);
	memset(command, 0, sizeof(*command));
}

/* --- SQL ------------------------------------------------------------------------------------- */

/* "schema.name" as "schema"."name"; the type's check has been passed. */
static void add_ident(struct buf *out, const char *value)
{
	buf_add_char(out, '"');
	for (; *value; value++) {
		if (*value == '"')
			buf_add_char(out, '"');
		if (*value == '.')
			buf_add_str(out, "\".\"");
		else
			buf_add_char(out, *value);
	}
	buf_add_char(out, '"');
}

/* A string that reads the same whatever standard_conforming_strings says. */
static void add_literal(struct buf *out, const char *value)
{
	buf_add_str(out, strchr(value, '\\') ? " E'" : "'");
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			buf_add_char(out, *value);
		buf_add_char(out, *value);
	}
	buf_add_char(out, '\'');
}

/* An array's text form, every element quoted. */
static char *words_array(const char *value)
{
	struct buf out = BUF_INIT;
	struct strlist words;
	const char *s;
	size_t i;

	strlist_init(&words);
	strlist_add_words(&words, value);
	buf_add_char(&out, '{');
	for (i = 0; i < words.n; i++) {
		buf_add_str(&out, i ? ",\"" : "\"");
		for (s = words.items[i]; *s; s++) {
			if (*s == '"' || *s == '\\')
				buf_add_char(&out, '\\');
			buf_add_char(&out, *s);
		}
		buf_add_char(&out, '"');
	}
	buf_add_char(&out, '}');
	strlist_fini(&words);
	return buf_steal(&out);
}

/* As to_regclass reads it: what it would fold to lower case is quoted. */
static char *table_name(const char *value)
{
	struct buf out = BUF_INIT;
	const char *s = value;

	while (*s && !isupper((unsigned char)*s) && (unsigned char)*s < 0x80)
		s++;
	if (!*s)
		return mem_strdup(value);
	add_ident(&out, value);
	return buf_steal(&out);
}

/* The number of the parameter for this variable, from 1; one for each variable. */
static size_t add_param(struct runbook_command *command, size_t *cap,
	const struct runbook_part *part, const char *value)
{
	struct runbook_param *param;
	size_t i;

	for (i = 0; i < command->n_params; i++)
		if (strcmp(command->params[i].name, part->var) == 0)
			return i + 1;
	command->params = mem_grow(command->params, command->n_params, cap, sizeof(*param));
	param = &command->params[command->n_params++];
	param->name = mem_strdup(part->var);
	if (part->type == RUNBOOK_WORDS)
		param->value = words_array(value);
	else if (part->type == RUNBOOK_TABLE || part->type == RUNBOOK_INDEX)
		param->value = table_name(value);
	else if (part->type == RUNBOOK_TIMESTAMP && !*value)
		param->value = NULL;
	else
		param->value = mem_strdup(value);
	return command->n_params;
}

/* One line for each parameter, in which no byte can look like another line. */
static void add_shown_params(struct buf *out, const struct runbook_command *command)
{
	const char *s;
	size_t i;

	for (i = 0; i < command->n_params; i++) {
		buf_printf(out, "\n-- $%zu = ", i + 1);
		if (!command->params[i].value) {
			buf_add_str(out, "NULL");
			continue;
		}
		buf_add_char(out, '\'');
		for (s = command->params[i].value; *s; s++) {
			if ((unsigned char)*s < 0x20 || *s == '\\')
				buf_printf(out, "\\x%02x", (unsigned char)*s);
			else
				buf_add_char(out, *s);
		}
		buf_add_char(out, '\'');
	}
}

static int add_sql_var(struct buf *text, struct runbook_command *command, size_t *cap,
	const struct runbook_part *part, const struct runbook_vars *vars, struct err *err)
{
	const char *value = runbook_vars_get(vars, part->var);

	if (runbook_type_check(part->type, part->var, value, err) < 0)
		return -1;
	if (part->ident)
		add_ident(text, value);
	else if (part->literal)
		add_literal(text, value);
	else
		buf_printf(text, "$%zu%s", add_param(command, cap, part, value),
			runbook_type_cast(part->type));
	return 0;
}

int runbook_resolve_sql(const struct runbook_step *step, const struct runbook_vars *vars,
	struct runbook_command *command, struct err *err)
{
	struct buf text = BUF_INIT, shown = BUF_INIT;
	size_t i, cap = 0;
	int rc = 0;

	memset(command, 0, sizeof(*command));
	command->language = RUNBOOK_SQL;
	command->place = step->place;
	for (i = 0; rc == 0 && i < step->parts.n; i++) {
		if (step->parts.items[i].kind == RUNBOOK_PART_VAR)
			rc = add_sql_var(&text, command, &cap, &step->parts.items[i], vars, err);
		else
			buf_add(&text, step->text + step->parts.items[i].at,
				step->parts.items[i].len);
	}
	buf_add_str(&shown, buf_str(&text));
	add_shown_params(&shown, command);
	command->text = buf_steal(&text);
	command->shown = buf_steal(&shown);
	if (rc < 0)
		runbook_command_fini(command);
	return rc;
}

/* --- shell ----------------------------------------------------------------------------------- */

static void add_words(struct buf *out, const char *value, runbook_quote_fn quote)
{
	struct strlist words;
	size_t i;

	strlist_init(&words);
	strlist_add_words(&words, value);
	for (i = 0; i < words.n; i++) {
		if (i)
			buf_add_char(out, ' ');
		quote(out, words.items[i]);
	}
	strlist_fini(&words);
}

static int add_shell_var(struct buf *text, const struct runbook_part *part,
	const struct runbook_vars *vars, runbook_quote_fn quote, struct err *err)
{
	bool alembic = part->kind == RUNBOOK_PART_ALEMBIC;
	const char *name = alembic ? "alembic" : part->var;
	enum runbook_type type = alembic ? RUNBOOK_WORDS : part->type;
	const char *value = runbook_vars_get(vars, name);

	if (runbook_type_check(type, name, value, err) < 0)
		return -1;
	if (type == RUNBOOK_COMMAND) {
		buf_add_str(text, value);
		return 0;
	}
	if (type == RUNBOOK_WORDS) {
		add_words(text, value, quote);
		return 0;
	}
	if (*value == '-')
		return err_set(err, ERR_REFUSED,
			"$%s begins with \"-\" (\"%.100s\"): a command would take it for an option",
			name, value);
	if (!*value)
		return err_set(err, ERR_REFUSED, "$%s is empty", name);
	quote(text, value);
	return 0;
}

/* libpq reads PGOPTIONS, and so does Alembic through its driver; what stood there stays. */
static int add_options(
	struct buf *text, const struct runbook_step *step, const char *application, struct err *err)
{
	if (!step->lock_timeout_ns)
		return 0;
	buf_printf(text, "export PGOPTIONS=\"${PGOPTIONS-} -c lock_timeout=%" PRId64,
		step->lock_timeout_ns / CLOCK_NS_PER_MS);
	if (!str_empty(application)) {
		if (runbook_type_check(RUNBOOK_CONTAINER, "application_name", application, err) < 0)
			return -1;
		buf_printf(text, " -c application_name=%s", application);
	}
	buf_add_str(text, "\"\n");
	return 0;
}

int runbook_resolve_shell(const struct runbook_step *step, const struct runbook_vars *vars,
	runbook_quote_fn quote, const char *application, struct runbook_command *command,
	struct err *err)
{
	struct buf text = BUF_INIT;
	size_t i;
	int rc;

	memset(command, 0, sizeof(*command));
	command->language = RUNBOOK_SH;
	command->place = step->place;
	rc = add_options(&text, step, application, err);
	for (i = 0; rc == 0 && i < step->parts.n; i++) {
		if (step->parts.items[i].kind == RUNBOOK_PART_TEXT)
			buf_add(&text, step->text + step->parts.items[i].at,
				step->parts.items[i].len);
		else
			rc = add_shell_var(&text, &step->parts.items[i], vars, quote, err);
	}
	command->text = buf_steal(&text);
	command->shown = mem_strdup(command->text);
	if (rc < 0)
		runbook_command_fini(command);
	return rc;
}

/* --- what is missing ------------------------------------------------------------------------- */

static void unset_in(
	const struct runbook_parts *parts, const struct runbook_vars *vars, struct strlist *names)
{
	const struct runbook_part *part;
	const char *full;
	char *name;
	size_t i;

	for (i = 0; i < parts->n; i++) {
		part = &parts->items[i];
		if (part->kind == RUNBOOK_PART_TEXT)
			continue;
		full = part->kind == RUNBOOK_PART_ALEMBIC ? "alembic" : part->var;
		name = mem_strndup(full, strcspn(full, "."));
		if (!runbook_vars_get(vars, full) && !strlist_has(names, name))
			strlist_add(names, name);
		free(name);
	}
}

void runbook_unset(
	const struct runbook_step *step, const struct runbook_vars *vars, struct strlist *names)
{
	size_t i;

	unset_in(&step->parts, vars, names);
	for (i = 0; i < step->n_expect; i++)
		unset_in(&step->expect[i].parts, vars, names);
}
