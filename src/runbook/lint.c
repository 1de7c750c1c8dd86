/*
 * Printing: problems, plans, and a runbook as text. All text from files and values is made safe to
 * show on the way out.
 */
#include <pgoncall/runbook/lint.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>

/* Each line of text behind the indentation. */
static void print_lines(FILE *out, const char *indent, const char *text)
{
	char *safe = utf8_sanitised_dup(text, UTF8_MANY_LINES);
	const char *s = safe;
	size_t len;

	while (*s) {
		len = strcspn(s, "\n");
		fprintf(out, "%s%.*s\n", len ? indent : "", (int)len, s);
		s += len + (s[len] == '\n');
	}
	free(safe);
}

size_t runbook_lint(const char *path, FILE *out)
{
	struct runbook_problems problems = { 0 };
	struct runbook *runbook = runbook_read(path, &problems);
	size_t n = problems.n, i;
	char *line;

	for (i = 0; i < n; i++) {
		line = problems.items[i].line
			       ? mem_printf("%s:%d: %s", path, problems.items[i].line,
					 problems.items[i].text)
			       : mem_strdup(problems.items[i].text);
		print_lines(out, "", line);
		free(line);
	}
	runbook_problems_fini(&problems);
	runbook_free(runbook);
	return n;
}

/* --- plan ------------------------------------------------------------------------------------ */

static void print_place(FILE *out, const struct runbook_step *step)
{
	char span[48];

	if (step->language == RUNBOOK_MANUAL) {
		fprintf(out, "   by hand");
	} else {
		fprintf(out, "   %s on %s", step->mode == RUNBOOK_READ ? "read" : "write",
			runbook_place_name(step->place));
		clock_format_span(
			(double)step->timeout_ns / (double)CLOCK_NS_PER_S, span, sizeof(span));
		fprintf(out, ", at most %s", span);
	}
	if (step->has_when)
		fprintf(out, ", when %s is %s", step->when_name,
			runbook_outcome_name(step->when_outcome));
}

static void print_branch(FILE *out, const char *word, const struct runbook_branch *branch)
{
	if (branch->follow == RUNBOOK_GOTO)
		fprintf(out, "   if %s: go to %s\n", word, branch->name);
	else if (branch->follow == RUNBOOK_END)
		fprintf(out, "   if %s: finished\n", word);
	else if (branch->follow == RUNBOOK_STOP)
		fprintf(out, "   if %s: stop, and call for help\n", word);
}

static void print_expect(FILE *out, const struct runbook_step *step)
{
	struct buf line = BUF_INIT;
	size_t i;

	for (i = 0; i < step->n_expect; i++) {
		buf_clear(&line);
		runbook_expect_print(&step->expect[i], &line);
		print_lines(out, "   expect ", buf_str(&line));
	}
	buf_fini(&line);
}

/* "$blocker: picked from locks" for each variable without a value. */
static void print_unset(FILE *out, const struct runbook *runbook, const struct strlist *names)
{
	const struct runbook_provided *provided;
	const struct runbook_var *var;
	size_t i;

	for (i = 0; i < names->n; i++) {
		var = runbook_var_find(runbook, names->items[i]);
		provided = runbook_provided_find(names->items[i]);
		if (var && var->picker)
			fprintf(out, "   $%s: picked (%s, from %s)\n", var->name, var->picker->name,
				var->from);
		else if (var && var->captured)
			fprintf(out, "   $%s: captured by a step before\n", var->name);
		else if (var)
			fprintf(out, "   $%s: typed in (%s)\n", var->name,
				runbook_type_name(var->type));
		else if (provided)
			fprintf(out, "   $%s: not known here: %s\n", provided->name,
				provided->from);
	}
}

/* What would have to be typed, and what undoes it. */
static void print_write(FILE *out, const struct runbook_run *run, const struct runbook_step *step)
{
	struct gate_request request;
	const char *want;

	runbook_run_request(run, &request);
	gate_level(run->options.environment, &request, &want);
	fprintf(out, "   asks for: %s\n", want ? want : "");
	if (*step->undo)
		fprintf(out, "   undone by: %s\n",
			strcmp(step->undo, "none") == 0 ? "nothing" : step->undo);
}

/* What would be sent; where something is missing, the text as written. */
static void print_command(FILE *out, struct runbook_run *run, const struct runbook_step *step)
{
	struct strlist names;
	struct err err;

	strlist_init(&names);
	runbook_unset(step, &run->vars, &names);
	if (runbook_run_resolve(run, (size_t)(step - run->runbook->steps), &err) < 0) {
		runbook_command_fini(&run->command);
		run->command.shown = mem_strdup(step->text);
		if (!names.n)
			print_lines(out, "   cannot be run: ", err.text);
	}
	print_lines(out, "     ", run->command.shown);
	print_unset(out, run->runbook, &names);
	if (step->mode == RUNBOOK_WRITE)
		print_write(out, run, step);
	strlist_fini(&names);
}

void runbook_plan(const struct runbook *runbook, const struct runbook_options *options,
	const struct runbook_vars *vars, FILE *out)
{
	struct runbook_run *run = runbook_run_new(runbook, options, vars);
	const struct runbook_step *step;
	size_t i, j;

	print_lines(out, "", runbook->title);
	for (i = 0; i < runbook->n_steps; i++) {
		step = &runbook->steps[i];
		fprintf(out, "\n%2zu. %s  [%s]\n", i + 1, step->title, step->name);
		print_place(out, step);
		fputc('\n', out);
		for (j = 0; j < step->checks.n; j++)
			fprintf(out, "   [ ] %s\n", step->checks.items[j]);
		if (step->language != RUNBOOK_MANUAL)
			print_command(out, run, step);
		print_expect(out, step);
		print_branch(out, "ok", &step->ok);
		print_branch(out, "it fails", &step->fail);
	}
	runbook_run_free(run);
}

/* --- show ------------------------------------------------------------------------------------ */

void runbook_show(const struct runbook *runbook, FILE *out)
{
	const struct runbook_step *step;
	size_t i, j;

	print_lines(out, "", runbook->title);
	if (*runbook->intro)
		fputc('\n', out);
	print_lines(out, "", runbook->intro);
	for (i = 0; i < runbook->n_steps; i++) {
		step = &runbook->steps[i];
		fprintf(out, "\n%2zu. %s\n", i + 1, step->title);
		print_place(out, step);
		fputc('\n', out);
		print_lines(out, "   ", step->prose);
		for (j = 0; j < step->checks.n; j++)
			fprintf(out, "   [ ] %s\n", step->checks.items[j]);
		if (*step->text)
			fputc('\n', out);
		print_lines(out, "     ", step->text);
		print_expect(out, step);
	}
}
