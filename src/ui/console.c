/*
 * The console's object: what is known, which questions are open. Keys are in console_key.c, drawing
 * in console_draw.c.
 */
#include "console_impl.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/pane_activity.h>
#include <pgoncall/ui/pane_logs.h>
#include <pgoncall/ui/pane_revisions.h>
#include <pgoncall/ui/pane_runbook.h>
#include <pgoncall/ui/theme.h>

struct console *console_new(const struct console_options *options)
{
	struct console *console = mem_calloc(1, sizeof(*console));

	console->keys = options->keys;
	console->history_path = mem_strdup_opt(options->history_path);
	console->editrc = mem_strdup_opt(options->editrc);
	console->prompt_options.history_path = console->history_path;
	console->prompt_options.editrc = console->editrc;
	console->prompt_options.complete = options->complete;
	console->prompt_options.arg = options->arg;
	console->facts.target = mem_strdup("");
	console->facts.database = mem_strdup("");
	console->facts.ssh_ms = NAN;
	console->panes[PANE_REVISIONS] = pane_revisions_new();
	console->panes[PANE_ACTIVITY] = pane_activity_new();
	console->panes[PANE_LOGS] = pane_logs_new();
	console->panes[PANE_RUNBOOK] = pane_runbook_new();
	console->focus = console->last_pane = console->beside = PANE_ACTIVITY;
	page_init(&console->page);
	return console;
}

static void console_free_steps(struct console_steps *steps)
{
	size_t i;

	for (i = 0; i < steps->n; i++) {
		free((char *)(uintptr_t)steps->items[i].text);
		free((char *)(uintptr_t)steps->items[i].detail);
		free((char *)(uintptr_t)steps->items[i].remedy);
	}
	free(steps->items);
	memset(steps, 0, sizeof(*steps));
}

static void console_close_questions(struct console *console)
{
	confirm_free(console->confirm);
	ask_free(console->ask);
	pick_free(console->pick);
	console->confirm = NULL;
	console->ask = NULL;
	console->pick = NULL;
}

void console_free(struct console *console)
{
	int i;

	if (!console)
		return;
	console_close_questions(console);
	console_close_page(console);
	console_lend_nothing(console);
	prompt_free(console->prompt);
	for (i = 0; i < LAYOUT_PANES; i++) {
		pane_fini(console->panes[i]);
		console->panes[i]->ops->free(console->panes[i]);
	}
	console_free_steps(&console->steps);
	free((char *)(uintptr_t)console->facts.target);
	free((char *)(uintptr_t)console->facts.database);
	free(console->message);
	free(console->history_path);
	free(console->editrc);
	buf_fini(&console->text);
	free(console);
}

struct pane *console_pane(const struct console *console)
{
	return console
		->panes[console->focus == FOCUS_FINDING ? console->last_pane : console->focus];
}

bool console_is_connecting(const struct console *console)
{
	return !console->snapshot && console->steps.n;
}

enum key_context console_context(const struct console *console)
{
	if (console_is_connecting(console))
		return KEYS_GLOBAL;
	return console->focus == FOCUS_FINDING ? KEYS_FINDING : console_pane(console)->ops->context;
}

/* --- what is known --------------------------------------------------------------------------- */

void console_set_facts(struct console *console, const struct console_facts *facts)
{
	char *target = format_one_line(facts->target ? facts->target : "");
	char *database = format_one_line(facts->database ? facts->database : "");

	free((char *)(uintptr_t)console->facts.target);
	free((char *)(uintptr_t)console->facts.database);
	console->facts = *facts;
	console->facts.target = target;
	console->facts.database = database;
	if (!facts->busy)
		console->quit_asked = false;
}

void console_set_keys(struct console *console, const struct key_set *keys)
{
	console->keys = *keys;
}

void console_set_link(
	struct console *console, enum console_link link, int64_t since, int64_t retry_at)
{
	console->link = link;
	console->link_since = since;
	console->retry_at = retry_at;
}

static char *console_clean_opt(const char *text)
{
	return text ? format_one_line(text) : NULL;
}

void console_set_checklist(
	struct console *console, const struct console_check_step *steps, size_t n)
{
	struct console_steps fresh = { mem_calloc(n, sizeof(*steps)), n };
	size_t i;

	for (i = 0; i < n; i++) {
		fresh.items[i].text = console_clean_opt(steps[i].text);
		fresh.items[i].detail = console_clean_opt(steps[i].detail);
		fresh.items[i].remedy = console_clean_opt(steps[i].remedy);
		fresh.items[i].state = steps[i].state;
	}
	console_free_steps(&console->steps);
	console->steps = fresh;
}

/* Makes an open page about a row anew, or says that its row is gone. */
static void console_refresh_page(struct console *console, const struct pane *of)
{
	struct buf title = BUF_INIT;
	struct lines lines;

	if (!console->page_open || console->page_of != of)
		return;
	lines_init(&lines);
	console->page.gone = !of->ops->details(console->page_of, true, &title, &lines);
	if (lines.n) {
		lines_fini(&console->page.lines);
		console->page.lines = lines;
	}
	buf_fini(&title);
}

void console_set_snapshot(struct console *console, const struct db_snapshot *snapshot)
{
	console->snapshot = snapshot;
	pane_activity_set(console->panes[PANE_ACTIVITY], snapshot);
	console_refresh_page(console, console->panes[PANE_ACTIVITY]);
}

void console_set_graph(
	struct console *console, const struct migration_graph *graph, const char *error)
{
	pane_revisions_set(console->panes[PANE_REVISIONS], graph, error);
	console_refresh_page(console, console->panes[PANE_REVISIONS]);
}

void console_set_revisions(struct console *console, const struct revisions_view *view)
{
	pane_revisions_show(console->panes[PANE_REVISIONS], view);
	console_refresh_page(console, console->panes[PANE_REVISIONS]);
}

void console_set_preview(struct console *console, const struct revisions_preview *preview)
{
	pane_revisions_set_preview(console->panes[PANE_REVISIONS], preview);
	console_refresh_page(console, console->panes[PANE_REVISIONS]);
}

void console_set_findings(struct console *console, const struct findings *findings)
{
	console->findings = findings;
	if (!findings || console->finding >= findings->n)
		console->finding = 0;
}

const struct finding *console_finding(const struct console *console)
{
	if (!console->findings || !console->findings->n)
		return NULL;
	return &console->findings->items[console->finding];
}

void console_set_logs(struct console *console, struct log_view *view, const char *state)
{
	pane_logs_set(console->panes[PANE_LOGS], view, state);
}

bool console_logs_work(struct console *console)
{
	struct err fault;
	bool more;

	err_clear(&fault);
	more = pane_logs_work(console->panes[PANE_LOGS], &fault);
	if (fault.code)
		console_say(console, CONSOLE_ERROR, "%s", fault.text);
	return more;
}

bool console_logs_go(struct console *console, int64_t wall_ns)
{
	console->focus = console->last_pane = PANE_LOGS;
	return pane_logs_go(console->panes[PANE_LOGS], wall_ns);
}

void console_logs_moment(struct console *console, int64_t wall)
{
	pane_logs_moment(console->panes[PANE_LOGS], wall);
}

void console_set_runbook(struct console *console, const struct runbook_view *view, bool fresh)
{
	pane_runbook_set(console->panes[PANE_RUNBOOK], view, fresh);
	if (view->run)
		return;
	if (console->focus == PANE_RUNBOOK)
		console->focus = console->beside;
	console->last_pane = console->beside;
}

void console_focus_runbook(struct console *console)
{
	console->focus = console->last_pane = PANE_RUNBOOK;
}

void console_set_message(struct console *console, enum console_severity severity, const char *text)
{
	free(console->message);
	console->message = text && *text ? format_one_line(text) : NULL;
	console->severity = severity;
}

void console_say(struct console *console, enum console_severity severity, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	console_set_message(console, severity, buf_str(&text));
	buf_fini(&text);
}

int console_set_columns(struct console *console, const char *list, struct err *err)
{
	return pane_activity_set_columns(console->panes[PANE_ACTIVITY], list, err);
}

const char *console_column(const struct console *console, size_t i, bool *on)
{
	return pane_activity_column(console->panes[PANE_ACTIVITY], i, on);
}

void console_toggle_column(struct console *console, size_t i)
{
	pane_activity_toggle_column(console->panes[PANE_ACTIVITY], i);
}

/* --- questions and pages --------------------------------------------------------------------- */

/* A question comes before a line that is being typed. */
static void console_begin_question(struct console *console)
{
	console_close_questions(console);
	if (console->line != LINE_NONE)
		prompt_close(console->prompt);
	console->line = LINE_NONE;
	console_set_message(console, CONSOLE_INFO, NULL);
}

void console_confirm(struct console *console, const struct confirm_request *request)
{
	console_begin_question(console);
	console->confirm = confirm_new(request);
}

void console_ask(
	struct console *console, int id, const char *title, const char *question, bool secret)
{
	console_begin_question(console);
	console->ask = ask_new(id, title, question, secret);
}

void console_withdraw(struct console *console, int id)
{
	if (console->ask && ask_id(console->ask) == id)
		console_close_questions(console);
}

void console_pick(struct console *console, int id, const char *title, const struct strlist *items,
	size_t selected)
{
	console_begin_question(console);
	console->pick = pick_new(id, title, items, selected);
}

bool console_is_asking(const struct console *console)
{
	return console->confirm || console->ask || console->pick;
}

bool console_is_typing(const struct console *console)
{
	return console->line != LINE_NONE;
}

void console_close_page(struct console *console)
{
	page_fini(&console->page);
	console->page_open = false;
	console->page_of = NULL;
}

void console_open_page_take(
	struct console *console, const char *title, struct lines *lines, struct pane *of)
{
	console_close_page(console);
	console->page.title = format_one_line(title);
	console->page.lines = *lines;
	lines_init(lines);
	console->page.hint = of ? of->ops->page_hint : NULL;
	console->page_of = of;
	console->page_open = true;
}

void console_page(struct console *console, const char *title, const char *text)
{
	char *copy = mem_strdup(text), *line = copy, *next;
	struct lines lines;

	lines_init(&lines);
	for (; line; line = next) {
		if ((next = strchr(line, '\n')))
			*next++ = '\0';
		if (strncmp(line, "# ", 2) == 0)
			lines_add(&lines, THEME_DIALOG_TITLE, 0, line + 2);
		else if (*line || next)
			lines_add(&lines, THEME_TEXT, 0, line);
	}
	console_open_page_take(console, title, &lines, NULL);
	free(copy);
}

void console_pane_text(struct console *console, struct buf *out)
{
	pane_text(console_pane(console), out);
}
