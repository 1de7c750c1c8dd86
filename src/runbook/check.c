/*
 * What can only be judged once all steps are there: names, where gotos lead, what is set before it
 * is used, and attributes that do not go together. Gives each step its defaults and parts.
 */
#include "parse.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/runbook/expect.h>
#include <pgoncall/runbook/scan.h>

#include "problem.h"
#include "text.h"

#define DEFAULT_READ_TIMEOUT  (30 * CLOCK_NS_PER_S)
#define DEFAULT_WATCH_TIMEOUT (60 * CLOCK_NS_PER_S)
#define DEFAULT_WRITE_TIMEOUT (300 * CLOCK_NS_PER_S)

struct check {
	struct runbook *runbook;
	struct runbook_problems *problems;
	struct runbook_step *step; /* the one that is looked at */
};

static int step_line(const struct runbook_step *step)
{
	return step->text_line ? step->text_line - 1 : step->line;
}

/* The index of a step, or n_steps. */
static size_t step_index(const struct check *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->runbook->n_steps; i++)
		if (str_equal(c->runbook->steps[i].name, name))
			break;
	return i;
}

/* --- steps among each other ------------------------------------------------------------------ */

static void check_name(struct check *c)
{
	size_t i;

	for (i = 0; &c->runbook->steps[i] < c->step; i++) {
		if (!str_equal(c->runbook->steps[i].name, c->step->name))
			continue;
		problem_add(c->problems, step_line(c->step), "the name \"%s\" is taken (line %d)",
			c->step->name, step_line(&c->runbook->steps[i]));
		break;
	}
	if (c->step->name && !*c->step->name)
		problem_add(c->problems, step_line(c->step),
			"this title makes no name: give one with <!-- { name=… } -->");
}

static void check_branch(struct check *c, struct runbook_branch *branch, const char *attribute)
{
	if (branch->follow != RUNBOOK_GOTO)
		return;
	branch->goto_step = step_index(c, branch->name);
	if (branch->goto_step < c->runbook->n_steps)
		return;
	if (strcmp(branch->name, "escalate") == 0)
		branch->follow = RUNBOOK_STOP;
	else
		problem_add(c->problems, step_line(c->step), "%s=goto:%s: there is no such step",
			attribute, branch->name);
}

static void check_when(struct check *c)
{
	if (!c->step->has_when)
		return;
	c->step->when_step = step_index(c, c->step->when_name);
	if (c->step->when_step == c->runbook->n_steps)
		problem_add(c->problems, step_line(c->step), "when=%s: there is no such step",
			c->step->when_name);
	else if (&c->runbook->steps[c->step->when_step] == c->step)
		problem_add(c->problems, step_line(c->step), "when=%s is this step itself",
			c->step->when_name);
}

static void check_undo(struct check *c)
{
	const char *undo = c->step->undo;

	if (*undo && strcmp(undo, "none") != 0 && step_index(c, undo) == c->runbook->n_steps)
		problem_add(
			c->problems, step_line(c->step), "undo=%s: there is no such step", undo);
}

/* --- attributes that do not go together ------------------------------------------------------ */

static void check_say(struct check *c, bool wrong, const char *sentence)
{
	if (wrong)
		problem_add(c->problems, step_line(c->step), "%s", sentence);
}

static void check_attributes(struct check *c)
{
	const struct runbook_step *s = c->step;
	bool sql = s->language == RUNBOOK_SQL, read = s->mode == RUNBOOK_READ;

	check_say(c, sql && s->place != RUNBOOK_ON_DB, "sql runs on=db only");
	check_say(c, !sql && s->place == RUNBOOK_ON_DB, "on=db takes sql, not sh");
	check_say(c, s->watch_ns && !read, "watch= repeats, so it must be mode=read");
	check_say(c, s->place == RUNBOOK_ON_HEALTH && !read, "on=health only reads: mode=read");
	check_say(c, s->watch_ns && !s->n_expect, "until=expect wants an expect block");
	check_say(c, s->stream && (sql || !read), "stream=yes is for sh blocks with mode=read");
	check_say(c, s->stream && (s->watch_ns || *s->capture),
		"stream=yes goes with neither watch= nor capture=");
	check_say(c, *s->verb && s->confirm != POLICY_VERB && s->confirm != POLICY_TARGET,
		"verb= wants confirm=verb or confirm=target");
	check_say(c, read && *s->undo, "a read has nothing to undo");
}

static void check_defaults(struct runbook_step *step)
{
	if (step->mode == RUNBOOK_WRITE && step->confirm == POLICY_NONE)
		step->confirm = POLICY_Y;
	if (step->timeout_ns)
		return;
	step->timeout_ns = step->mode == RUNBOOK_WRITE ? DEFAULT_WRITE_TIMEOUT
			   : step->watch_ns            ? DEFAULT_WATCH_TIMEOUT
						       : DEFAULT_READ_TIMEOUT;
}

/* alembic A:B --sql and nothing else: it prints, and asks the database nothing. */
static bool is_offline_alembic(const struct runbook_step *step)
{
	const char *flag = strstr(step->text, " --sql");

	return step->language == RUNBOOK_SH && str_starts(step->text, "alembic ") &&
	       !strpbrk(step->text, "\n;&|<>()`'\"\\{}") && flag && (!flag[6] || flag[6] == ' ');
}

/* What a read of the database may begin with; anything else, e.g. BEGIN READ WRITE or SET, would change
 * what the server allows to the statements after it. */
static bool is_query(const char *sql)
{
	static const char *const words[] = { "SELECT", "WITH", "VALUES", "TABLE", "SHOW",
		"EXPLAIN" };
	size_t i, len;

	for (;;) {
		sql += strspn(sql, " \t\r\n(");
		if (strncmp(sql, "--", 2) != 0)
			break;
		sql += strcspn(sql, "\n");
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		len = strlen(words[i]);
		if (strncasecmp(sql, words[i], len) == 0 && strchr(" \t\r\n(*", sql[len]))
			return true;
	}
	return false;
}

/* Functions that a read-only transaction lets through although they change something. */
static const char *const side_effects[] = {
	"pg_reload_conf",
	"pg_rotate_logfile",
	"pg_promote",
	"pg_switch_wal",
	"pg_create_restore_point",
	"pg_drop_replication_slot",
	"pg_stat_reset",
	"pg_wal_replay_",
	"pg_logical_emit_message",
	"pg_advisory_",
	"pg_try_advisory_",
	"pg_read_server_file",
	"set_config",
	"dblink",
	"lo_",
	"pg_notify",
	"pg_log_backend_memory_contexts",
	"setval",
	"nextval",
	/* and those that run what they are given */
	"query_to_xml",
	"cursor_to_xml",
	"table_to_xml",
	"schema_to_xml",
	"database_to_xml",
};

/* What psql is not given by a command line that only reads. */
static const char *const sql_writes[] = {
	"INSERT",
	"UPDATE",
	"DELETE",
	"MERGE",
	"ALTER",
	"CREATE",
	"GRANT",
	"REVOKE",
	"REINDEX",
	"VACUUM",
	"CLUSTER",
	"REFRESH",
	"CALL",
	"COMMENT",
	"REASSIGN",
	"LOCK",
};

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The first of the words that stands there as a whole, in whatever letters; NULL: none does. */
static const char *text_word_of(const char *text, const char *const *words, size_t n)
{
	const char *at;
	size_t i;

	for (i = 0; i < n; i++)
		for (at = text; (at = strcasestr(at, words[i])); at++)
			if ((at == text || !is_name_char(at[-1])) &&
				!is_name_char(at[strlen(words[i])]))
				return words[i];
	return NULL;
}

static const char *sql_side_effect(const char *sql)
{
	const char *at;
	size_t i;

	for (i = 0; i < sizeof(side_effects) / sizeof(side_effects[0]); i++) {
		for (at = sql; (at = strcasestr(at, side_effects[i])); at++)
			if (at == sql || !is_name_char(at[-1]))
				return side_effects[i];
	}
	return NULL;
}

static void check_read_sql(struct check *c)
{
	const char *name = sql_side_effect(c->step->text);

	if (!is_query(c->step->text))
		problem_add(c->problems, c->step->text_line,
			"a statement with mode=read begins with SELECT, WITH, VALUES, TABLE, SHOW "
			"or "
			"EXPLAIN");
	if (strcasestr(c->step->text, "U&"))
		problem_add(c->problems, c->step->text_line,
			"a statement with mode=read has no names or strings written as U&\"…\"");
	if (name)
		problem_add(c->problems, c->step->text_line,
			"this says mode=read but calls %s…, which changes something: a read passes "
			"no "
			"gate",
			name);
}

static void check_read_shell(struct check *c)
{
	static const char *const clients[] = { "psql" };
	const char *text = c->step->text,
		   *word = text_word_of(text, clients, 1)
				   ? text_word_of(text, sql_writes,
					     sizeof(sql_writes) / sizeof(sql_writes[0]))
				   : NULL;

	if (word)
		problem_add(c->problems, c->step->text_line,
			"this says mode=read but has psql do %s: a read passes no gate", word);
}

/* What calls itself a read passes no gate, so it must not look like anything else. */
static void check_read(struct check *c)
{
	enum policy_act act;

	if (c->step->mode != RUNBOOK_READ || is_offline_alembic(c->step))
		return;
	if (c->step->language == RUNBOOK_SQL)
		check_read_sql(c);
	else
		check_read_shell(c);
	act = c->step->language == RUNBOOK_SQL ? scan_sql(c->step->text)
					       : scan_shell(c->step->text);
	if (act != POLICY_ACT_WRITE)
		problem_add(c->problems, c->step->text_line,
			"this says mode=read but looks like \"%s\": a read passes no gate",
			policy_act_verb(act));
}

/* --- variables ------------------------------------------------------------------------------- */

static struct runbook_var *var_find(const struct check *c, const char *name)
{
	return (struct runbook_var *)runbook_var_find(c->runbook, name);
}

/* capture= declares a text where the front matter says nothing about it. */
static void check_capture(struct check *c)
{
	struct runbook *runbook = c->runbook;
	const char *name = c->step->capture;
	struct runbook_var *var;

	if (!*name)
		return;
	if (runbook_provided_find(name))
		problem_add(c->problems, step_line(c->step), "capture=%s: pgoncall sets $%s itself",
			name, name);
	var = var_find(c, name);
	if (!var) {
		runbook->vars = mem_grow(
			runbook->vars, runbook->n_vars, &runbook->cap_vars, sizeof(*runbook->vars));
		var = &runbook->vars[runbook->n_vars++];
		memset(var, 0, sizeof(*var));
		var->name = mem_strdup(name);
		var->from = mem_strdup("");
		var->line = step_line(c->step);
	}
	if (var->picker)
		problem_add(c->problems, step_line(c->step),
			"capture=%s: line %d says that it is picked", name, var->line);
	var->captured = true;
}

/* Whether a step before this one captures it. */
static bool is_captured_before(const struct check *c, const char *name)
{
	size_t i;

	for (i = 0; &c->runbook->steps[i] < c->step; i++)
		if (strcmp(c->runbook->steps[i].capture, name) == 0)
			return true;
	return false;
}

static void check_captured_first(struct check *c, const struct runbook_parts *parts, int line)
{
	const struct runbook_var *var;
	size_t i;

	for (i = 0; i < parts->n; i++) {
		if (parts->items[i].kind != RUNBOOK_PART_VAR)
			continue;
		var = runbook_var_find(c->runbook, parts->items[i].var);
		if (var && var->captured && !is_captured_before(c, var->name))
			problem_add(c->problems, line, "$%s is used before a step captures it",
				var->name);
	}
}

static void check_types(struct check *c)
{
	size_t i;

	for (i = 0; c->step->language == RUNBOOK_SQL && i < c->step->parts.n; i++)
		if (c->step->parts.items[i].type == RUNBOOK_COMMAND)
			problem_add(c->problems, step_line(c->step),
				"$%s is a command line, not for sql", c->step->parts.items[i].var);
}

static void check_text(struct check *c)
{
	struct runbook_step *step = c->step;
	struct text_input in = { c->runbook, step->text, step->text_line, c->problems };
	bool alembic = step->place == RUNBOOK_ON_APP || step->place == RUNBOOK_ON_LOCAL;

	if (step->language == RUNBOOK_SQL)
		text_parse_sql(&in, &step->parts);
	else if (step->language == RUNBOOK_SH)
		text_parse_shell(&in, alembic, &step->parts);
	check_types(c);
	check_captured_first(c, &step->parts, step_line(step));
}

/* The pattern as it will be, with a letter for each variable. */
static void check_pattern(struct check *c, const struct runbook_expect *expect)
{
	struct buf pattern = BUF_INIT;
	struct err err;
	size_t i;

	for (i = 0; i < expect->parts.n; i++) {
		if (expect->parts.items[i].kind == RUNBOOK_PART_VAR)
			buf_add_char(&pattern, 'x');
		else
			buf_add(&pattern, expect->text + expect->parts.items[i].at,
				expect->parts.items[i].len);
	}
	if (runbook_pattern_check(buf_str(&pattern), &err) < 0)
		problem_add(c->problems, expect->line, "%s", err.text);
	buf_fini(&pattern);
}

static void check_expect(struct check *c)
{
	struct runbook_expect *expect;
	size_t i;

	for (i = 0; i < c->step->n_expect; i++) {
		expect = &c->step->expect[i];
		if (expect->kind == RUNBOOK_EXPECT_EXIT && c->step->language == RUNBOOK_SQL)
			problem_add(c->problems, expect->line, "a statement has no exit status");
		if (!expect->text)
			continue;
		text_parse_expect(
			&(struct text_input){ c->runbook, expect->text, expect->line, c->problems },
			&expect->parts);
		check_captured_first(c, &expect->parts, expect->line);
		if (expect->kind != RUNBOOK_EXPECT_VALUE)
			check_pattern(c, expect);
	}
}

/* --- all of it ------------------------------------------------------------------------------- */

static const struct {
	void (*check)(struct check *c);
	bool manual; /* also for steps without a block */
} checks[] = {
	/* The first sets what the others look up. */
	{ check_capture, false },
	{ check_name, true },
	{ check_when, true },
	{ check_undo, false },
	{ check_attributes, false },
	{ check_read, false },
	{ check_text, false },
	{ check_expect, false },
};

static void check_vars(struct check *c)
{
	size_t i, j;

	for (i = 0; i < c->runbook->n_vars; i++)
		for (j = 0; j < i; j++)
			if (strcmp(c->runbook->vars[i].name, c->runbook->vars[j].name) == 0)
				problem_add(c->problems, c->runbook->vars[i].line,
					"var.%s is declared twice", c->runbook->vars[i].name);
}

void check_runbook(struct runbook *runbook, struct runbook_problems *problems)
{
	struct check c = { .runbook = runbook, .problems = problems };
	size_t i, j;

	if (!runbook->n_steps)
		problem_add(problems, 1, "there is no step: a step begins with a heading ###");
	check_vars(&c);
	for (j = 0; j < sizeof(checks) / sizeof(checks[0]); j++) {
		for (i = 0; i < runbook->n_steps; i++) {
			c.step = &runbook->steps[i];
			if (checks[j].manual || c.step->language != RUNBOOK_MANUAL)
				checks[j].check(&c);
		}
	}
	for (i = 0; i < runbook->n_steps; i++) {
		c.step = &runbook->steps[i];
		check_branch(&c, &c.step->ok, "ok");
		check_branch(&c, &c.step->fail, "fail");
		check_defaults(c.step);
	}
}
