/*
 * The runbook pane: the engine's state as a text that scrolls. The rows are made anew when something
 * changed or the width did; the output's rows are cut and can be moved sideways, the rest is wrapped.
 * What is asked of the operator stands in pane_runbook_ask.c.
 */
#include <pgoncall/ui/pane_runbook.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/theme.h>

#include "runbook_pane.h"

struct pane_runbook *runbook_pane_of(const struct pane *pane)
{
	return (struct pane_runbook *)(uintptr_t)pane;
}

const struct runbook_run *runbook_pane_run(const struct pane *pane)
{
	return runbook_pane_of(pane)->view.run;
}

/* --- the rows -------------------------------------------------------------------------------- */

static void rows_wrapped(struct pane_runbook *self, unsigned style, int indent, const char *text)
{
	struct lines lines;

	if (str_empty(text))
		return;
	lines_init(&lines);
	lines_add(&lines, style, indent, text);
	lines_wrap(&lines, self->cols - 1 > 8 ? self->cols - 1 : 8, &self->rows);
	lines_fini(&lines);
}

static void rows_labelled(
	struct pane_runbook *self, unsigned style, const char *label, const char *text)
{
	int width = (int)utf8_columns(label) + 1;
	struct lines lines;

	lines_init(&lines);
	lines_add_fact(&lines, style, width, label, text);
	lines_wrap(&lines, self->cols - 1 > 8 ? self->cols - 1 : 8, &self->rows);
	lines_fini(&lines);
}

static void rows_blank(struct pane_runbook *self)
{
	if (self->rows.n && *self->rows.items[self->rows.n - 1].text)
		lines_add_blank(&self->rows);
}

static const struct {
	const char *sign;
	unsigned style;
} outcome_looks[] = {
	[RUNBOOK_NO_OUTCOME] = { "·", THEME_DIM },
	[RUNBOOK_OK] = { "✓", THEME_CHECK_OK },
	[RUNBOOK_FAIL] = { "✗", THEME_CHECK_FAILED },
	[RUNBOOK_UNKNOWN] = { "?", THEME_UNKNOWN },
	[RUNBOOK_SKIPPED] = { "-", THEME_DIM },
};

/* A step that is not at hand: its mark and title. */
static void rows_title(struct pane_runbook *self, size_t i)
{
	const struct runbook_run *run = self->view.run;
	enum runbook_outcome outcome = run->outcomes[i];
	char *label = mem_printf("%s %2zu", outcome_looks[outcome].sign, i + 1);

	rows_labelled(self, outcome_looks[outcome].style, label, run->runbook->steps[i].title);
	free(label);
}

static void rows_section(struct pane_runbook *self, size_t i)
{
	const struct runbook *runbook = self->view.run->runbook;

	if (!*runbook->steps[i].section ||
		(i && str_equal(runbook->steps[i].section, runbook->steps[i - 1].section)))
		return;
	rows_blank(self);
	rows_wrapped(self, THEME_DIALOG_TITLE, 0, runbook->steps[i].section);
}

/* --- the step at hand ------------------------------------------------------------------------ */

static void rows_checks(struct pane_runbook *self, const struct runbook_step *step)
{
	static const char *const marks[] = {
		[RUNBOOK_CHECK_DONE] = "[x]",
		[RUNBOOK_CHECK_NOT_DONE] = "[!]",
		[RUNBOOK_CHECK_SKIP] = "[-]",
	};
	const struct runbook_run *run = self->view.run;
	bool asked;
	size_t i;

	for (i = 0; i < step->checks.n; i++) {
		asked = run->state == RUNBOOK_STATE_CHECKING && i == run->check;
		rows_labelled(self, asked ? THEME_NEXT : THEME_TEXT,
			i < run->check ? marks[run->answers[i]]
			: asked        ? "[?]"
				       : "[ ]",
			step->checks.items[i]);
	}
	if (step->checks.n)
		rows_blank(self);
}

static void rows_command(struct pane_runbook *self, const struct runbook_step *step)
{
	const struct runbook_run *run = self->view.run;
	const char *text = run->command.shown ? run->command.shown : step->text;
	struct buf line = BUF_INIT;
	char span[48];

	if (step->language == RUNBOOK_MANUAL)
		return;
	clock_format_span((double)step->timeout_ns / (double)CLOCK_NS_PER_S, span, sizeof(span));
	buf_printf(&line, "%s on %s, at most %s", step->mode == RUNBOOK_READ ? "Reads" : "WRITES",
		runbook_place_name(step->place), span);
	if (step->mode == RUNBOOK_WRITE && run->want)
		buf_printf(&line, "; to confirm, %s is typed", run->want);
	rows_wrapped(self, step->mode == RUNBOOK_READ ? THEME_DIM : THEME_DIALOG_DANGER, 0,
		buf_str(&line));
	rows_wrapped(self, THEME_DIALOG_STATEMENT, 2, text);
	buf_fini(&line);
}

static void rows_expect(struct pane_runbook *self, const struct runbook_step *step)
{
	struct buf line = BUF_INIT;
	size_t i;

	for (i = 0; i < step->n_expect; i++) {
		buf_add_str(&line, i ? " · " : "");
		runbook_expect_print(&step->expect[i], &line);
	}
	if (step->n_expect)
		rows_labelled(self, THEME_DIM, "expects", buf_str(&line));
	buf_fini(&line);
}

/* The output's rows are not wrapped: a table stays a table. */
static void rows_output(struct pane_runbook *self)
{
	const struct runbook_view *view = &self->view;
	char *note;

	if (view->dropped) {
		note = mem_printf("%zu bytes before this are not shown", view->dropped);
		rows_wrapped(self, THEME_LOG_MARKER, 0, note);
		free(note);
	}
	self->output_at = self->rows.n;
	if (!str_empty(view->output))
		lines_add(&self->rows, THEME_TEXT, 1, view->output);
	self->output_end = self->rows.n;
}

static const char *verdict_ms(double seconds, char *out, size_t size)
{
	snprintf(out, size, "%.0f ms", seconds * 1000);
	return out;
}

static void rows_verdict(struct pane_runbook *self)
{
	const struct runbook_run *run = self->view.run;
	enum runbook_outcome outcome = run->outcomes[run->step];
	double seconds = (double)(self->view.ended_ns - self->view.began_ns) / 1e9;
	struct buf line = BUF_INIT;
	char span[48];

	if (run->state != RUNBOOK_STATE_JUDGED && run->state != RUNBOOK_STATE_UNSETTLED &&
		run->state != RUNBOOK_STATE_WATCHING && run->state != RUNBOOK_STATE_ESCALATED)
		return;
	if (run->state == RUNBOOK_STATE_WATCHING)
		outcome = RUNBOOK_NO_OUTCOME;
	buf_add_str(&line, run->verdict);
	if (self->view.began_ns && seconds >= 0 && run->state != RUNBOOK_STATE_WATCHING)
		buf_printf(&line, " (%s)",
			seconds < 1 ? verdict_ms(seconds, span, sizeof(span))
				    : clock_format_span(seconds, span, sizeof(span)));
	rows_labelled(
		self, outcome_looks[outcome].style, outcome_looks[outcome].sign, buf_str(&line));
	buf_fini(&line);
}

static void rows_next(struct pane_runbook *self, enum runbook_outcome outcome, const char *label)
{
	const struct runbook_run *run = self->view.run;
	size_t next = runbook_run_next(run, outcome);

	if (next == SIZE_MAX)
		return;
	rows_labelled(self, THEME_DIM, label,
		next < run->runbook->n_steps ? run->runbook->steps[next].title
					     : "the runbook is finished");
}

/* What comes after, as far as it is known. */
static void rows_ahead(struct pane_runbook *self)
{
	const struct runbook_run *run = self->view.run;
	const struct runbook_step *step = &run->runbook->steps[run->step];

	if (run->state == RUNBOOK_STATE_ESCALATED)
		return;
	if (run->state == RUNBOOK_STATE_JUDGED) {
		rows_next(self, run->outcomes[run->step], "next:");
		return;
	}
	rows_next(self, RUNBOOK_OK, "next:");
	if (step->fail.follow == RUNBOOK_GOTO)
		rows_next(self, RUNBOOK_FAIL, "if it fails:");
}

static void rows_step(struct pane_runbook *self)
{
	const struct runbook_run *run = self->view.run;
	const struct runbook_step *step = &run->runbook->steps[run->step];

	rows_wrapped(self, THEME_TEXT, 0, step->prose);
	rows_blank(self);
	rows_checks(self, step);
	rows_command(self, step);
	rows_expect(self, step);
	rows_output(self);
	rows_verdict(self);
	if (!str_empty(run->why))
		rows_labelled(self, THEME_FINDING_WARNING, "!", run->why);
	if (!str_empty(self->view.stopped))
		rows_wrapped(self, THEME_TEXT, 2, self->view.stopped);
	if (run->state == RUNBOOK_STATE_UNSETTLED)
		rows_wrapped(self, THEME_TEXT, 2, self->view.evidence);
	rows_ahead(self);
}

/* --- the whole of it ------------------------------------------------------------------------- */

/* A run that is over shows the way it took. */
static bool runbook_is_over(const struct runbook_run *run)
{
	return run->state == RUNBOOK_STATE_FINISHED;
}

static void runbook_build(struct pane_runbook *self)
{
	const struct runbook_run *run = self->view.run;
	size_t i;

	lines_fini(&self->rows);
	lines_init(&self->rows);
	self->at = self->end = self->output_at = self->output_end = 0;
	if (!run)
		return;
	if (run->state == RUNBOOK_STATE_NEW)
		rows_wrapped(self, THEME_TEXT, 0, run->runbook->intro);
	if (run->state == RUNBOOK_STATE_NEW)
		rows_blank(self);
	for (i = 0; i < run->runbook->n_steps; i++) {
		rows_section(self, i);
		if (i != run->step || run->state == RUNBOOK_STATE_NEW || runbook_is_over(run)) {
			rows_title(self, i);
			continue;
		}
		rows_blank(self);
		self->at = self->rows.n;
		rows_step(self);
		self->end = self->rows.n;
		lines_add_blank(&self->rows);
	}
	if (runbook_is_over(run))
		self->at = self->end = self->rows.n;
}

/* While a step is read its beginning shows; once there is output, the end of it. */
static void runbook_follow(struct pane_runbook *self, size_t shown)
{
	const struct runbook_run *run = self->view.run;
	size_t top = self->at;

	if (run && (run->state == RUNBOOK_STATE_RUNNING || run->state >= RUNBOOK_STATE_WATCHING) &&
		self->end > self->at + shown)
		top = self->end - shown;
	self->pane.top = self->pane.selected = top;
}

static void runbook_prepare(struct pane *pane, int rows, int cols)
{
	struct pane_runbook *self = runbook_pane_of(pane);

	if (self->stale || self->cols != cols) {
		self->cols = cols;
		runbook_build(self);
		self->stale = false;
	}
	if (self->follow)
		runbook_follow(self, rows > 0 ? (size_t)rows : 0);
}

void pane_runbook_set(struct pane *pane, const struct runbook_view *view, bool fresh)
{
	struct pane_runbook *self = runbook_pane_of(pane);

	self->view = *view;
	self->stale = true;
	if (fresh) {
		self->follow = true;
		pane->shift = 0;
	}
	/* The rows lend nothing from the run, but the step's number does. */
	if (!view->run)
		runbook_build(self);
}

bool pane_runbook_is_open(const struct pane *pane)
{
	return runbook_pane_run(pane) != NULL;
}

void pane_runbook_tick(struct pane *pane, int64_t now_ns)
{
	runbook_pane_of(pane)->now_ns = now_ns;
}

/* --- the pane -------------------------------------------------------------------------------- */

static void runbook_title(struct pane *pane, struct buf *out)
{
	const struct runbook_run *run = runbook_pane_run(pane);

	if (!run)
		return;
	utf8_sanitise(out, run->runbook->title, strlen(run->runbook->title), UTF8_ONE_LINE);
	if (run->state == RUNBOOK_STATE_NEW)
		buf_printf(out, " · %zu steps", run->runbook->n_steps);
	else if (run->step < run->runbook->n_steps)
		buf_printf(out, " · step %zu of %zu · %s", run->step + 1, run->runbook->n_steps,
			runbook_state_name(run->state));
	else
		buf_printf(out, " · %s", runbook_state_name(run->state));
}

/* The step at hand stays in sight, however far its text is scrolled. */
static void runbook_header(struct pane *pane, struct cells *cells, struct cells_rect line)
{
	const struct runbook_run *run = runbook_pane_run(pane);
	const struct runbook_step *step = run ? runbook_run_step(run) : NULL;
	size_t at = runbook_pane_of(pane)->at, above = pane->top > at ? pane->top - at : 0;
	char *text;

	if (!run)
		return;
	if (step && run->state != RUNBOOK_STATE_NEW && above)
		text = mem_printf("▸ %2zu %s  ↑ %zu more row%s above: k", run->step + 1, step->title,
			above, above == 1 ? "" : "s");
	else if (step && run->state != RUNBOOK_STATE_NEW)
		text = mem_printf("▸ %2zu %s", run->step + 1, step->title);
	else
		text = mem_printf("%s", run->runbook->title);
	lines_fini(&runbook_pane_of(pane)->line);
	lines_add(&runbook_pane_of(pane)->line, THEME_DIALOG_TITLE, 0, text);
	lines_draw(&runbook_pane_of(pane)->line, cells, line, 0);
	free(text);
}

static size_t runbook_count(const struct pane *pane)
{
	return runbook_pane_of(pane)->rows.n;
}

static void runbook_row(struct pane *pane, size_t i, struct cells *cells, struct cells_rect line)
{
	struct pane_runbook *self = runbook_pane_of(pane);
	const struct text_line *row = &self->rows.items[i];
	bool output = i >= self->output_at && i < self->output_end;

	if (!output) {
		line.rows = 1;
		lines_draw(&self->rows, cells, line, i);
		return;
	}
	cells_put(cells, line, 0, -pane->shift, row->style, row->text);
	if ((int)utf8_columns(row->text) - pane->shift > line.cols)
		cells_put(cells, line, 0, line.cols - 1, THEME_DIM, "…");
	if (pane->shift && *row->text)
		cells_put(cells, line, 0, 0, THEME_DIM, "…");
}

static void runbook_text(const struct pane *pane, size_t i, struct buf *out)
{
	buf_add_str(out, runbook_pane_of(pane)->rows.items[i].text);
}

/* y copies what would be sent. */
static void runbook_copy(const struct pane *pane, size_t i, struct buf *out)
{
	const struct runbook_run *run = runbook_pane_run(pane);

	if (run && run->command.shown)
		buf_add_str(out, run->command.shown);
	else
		runbook_text(pane, i, out);
}

static void runbook_select(struct pane *pane, size_t i)
{
	(void)i;
	runbook_pane_of(pane)->follow = false;
}

static void runbook_refilter(struct pane *pane)
{
	(void)pane;
}

static bool runbook_command(struct pane *pane, enum key_command command, char **message)
{
	(void)pane;
	(void)command;
	(void)message;
	return false;
}

static bool runbook_details(struct pane *pane, bool again, struct buf *title, struct lines *out)
{
	(void)pane;
	(void)again;
	(void)title;
	(void)out;
	return false;
}

static const char *runbook_empty(const struct pane *pane)
{
	(void)pane;
	return "No runbook is open: r chooses one.";
}

static int runbook_footer_rows(const struct pane *pane, int cols)
{
	struct buf text = BUF_INIT;
	int rows;

	pane_runbook_ask(pane, &text);
	rows = (int)utf8_columns(buf_str(&text)) > cols - 2 ? 2 : 1;
	buf_fini(&text);
	return runbook_pane_run(pane) ? rows : 0;
}

static void runbook_footer(struct pane *pane, struct cells *cells, struct cells_rect rect)
{
	struct lines lines, rows;
	struct buf text = BUF_INIT;

	lines_init(&lines);
	lines_init(&rows);
	pane_runbook_ask(pane, &text);
	lines_add(&lines, THEME_HINT_KEY, 0, buf_str(&text));
	cells_fill(cells, rect, THEME_HINT_KEY);
	rect.col++;
	rect.cols -= 2;
	if (rect.cols > 0)
		lines_wrap(&lines, rect.cols, &rows);
	lines_draw(&rows, cells, rect, 0);
	lines_fini(&rows);
	lines_fini(&lines);
	buf_fini(&text);
}

static void runbook_free_pane(struct pane *pane)
{
	struct pane_runbook *self = runbook_pane_of(pane);

	lines_fini(&self->rows);
	lines_fini(&self->line);
	free(self);
}

static const struct pane_ops runbook_ops = {
	.name = "Runbook",
	.context = KEYS_RUNBOOK,
	.text_only = true,
	.title = runbook_title,
	.prepare = runbook_prepare,
	.count = runbook_count,
	.header = runbook_header,
	.row = runbook_row,
	.footer_rows = runbook_footer_rows,
	.footer = runbook_footer,
	.text = runbook_text,
	.copy = runbook_copy,
	.select = runbook_select,
	.refilter = runbook_refilter,
	.command = runbook_command,
	.details = runbook_details,
	.empty = runbook_empty,
	.free = runbook_free_pane,
};

struct pane *pane_runbook_new(void)
{
	struct pane_runbook *self = mem_calloc(1, sizeof(*self));

	pane_init(&self->pane, &runbook_ops);
	lines_init(&self->rows);
	lines_init(&self->line);
	return &self->pane;
}
