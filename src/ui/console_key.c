/*
 * Keys to intents. A key goes to the topmost thing that is open: a question, a page, the line being
 * typed, then the focused pane. The console does what concerns only itself; for the rest it returns
 * an intent, with identities fixed at the moment of the key.
 */
#include "console_impl.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/pane_activity.h>
#include <pgoncall/ui/pane_revisions.h>
#include <pgoncall/ui/pane_runbook.h>
#include <pgoncall/ui/theme.h>

static const struct console_intent intent_none = { .kind = INTENT_NONE };

/* Commands that only hand their intent to the program. */
static const enum console_intent_kind console_plain_intents[CMD_N] = {
	[CMD_REFRESH] = INTENT_REFRESH,
	[CMD_PAUSE] = INTENT_PAUSE,
	[CMD_PAST_OLDER] = INTENT_PAST_OLDER,
	[CMD_PAST_NEWER] = INTENT_PAST_NEWER,
	[CMD_REDRAW] = INTENT_REDRAW,
	[CMD_SUSPEND] = INTENT_SUSPEND,
	[CMD_THEME] = INTENT_THEME,
	[CMD_TARGET] = INTENT_TARGET,
	[CMD_REVIEW] = INTENT_REVIEW,
	[CMD_NEXT_SOURCE] = INTENT_LOG_NEXT,
	[CMD_PREVIOUS_SOURCE] = INTENT_LOG_PREVIOUS,
};

/* --- what intents lend ----------------------------------------------------------------------- */

void console_lend_nothing(struct console *console)
{
	size_t i;

	for (i = 0; i < console->n_sessions; i++) {
		free(console->sessions[i].backend_start);
		free(console->sessions[i].xact_start);
		free(console->sessions[i].query_start);
		free(console->sessions[i].gid);
	}
	free(console->sessions);
	console->sessions = NULL;
	console->n_sessions = 0;
	if (console->text_secret && console->text.data)
		mem_wipe(console->text.data, console->text.cap);
	console->text_secret = false;
	buf_clear(&console->text);
}

static struct console_intent console_intent_text(
	struct console *console, enum console_intent_kind kind, const char *text)
{
	buf_add_str(&console->text, text);
	return (struct console_intent){ .kind = kind, .text = buf_str(&console->text) };
}

static void console_lend_session(struct console *console, const struct db_session *session)
{
	struct console_session *lent;

	console->sessions =
		mem_realloc(console->sessions, console->n_sessions + 1, sizeof(*console->sessions));
	lent = &console->sessions[console->n_sessions++];
	lent->pid = session->pid;
	lent->backend_start = mem_strdup(session->backend_start);
	lent->xact_start = mem_strdup(session->xact_start);
	lent->query_start = mem_strdup(session->query_start);
	lent->gid = mem_strdup(session->gid);
}

/* The tagged sessions, or else the selected one. */
static struct console_intent console_on_sessions(
	struct console *console, enum console_intent_kind kind)
{
	struct pane *pane = console->panes[PANE_ACTIVITY];
	const struct db_session *session;
	size_t i;
	int gone;

	for (i = 0; (session = pane_activity_tagged(pane, i)); i++)
		console_lend_session(console, session);
	if (!i && (session = pane_activity_selected(pane)))
		console_lend_session(console, session);
	if (!console->n_sessions) {
		gone = pane_activity_adopt(pane);
		session = pane_activity_selected(pane);
		if (session && gone)
			console_say(console, CONSOLE_WARNING,
				"Session %d is not there any more. %d is "
				"selected now; press the key again to mean it.",
				gone, session->pid);
		else
			console_say(console, CONSOLE_INFO, "There is no session to act on.");
		return intent_none;
	}
	return (struct console_intent){
		.kind = kind, .sessions = console->sessions, .n_sessions = console->n_sessions
	};
}

/* --- questions ------------------------------------------------------------------------------- */

static struct console_intent console_decline(int id)
{
	return (struct console_intent){ .kind = INTENT_DECLINED, .id = id };
}

static struct console_intent console_key_confirm(struct console *console, uint32_t key)
{
	enum confirm_verdict verdict = confirm_key(console->confirm, key);
	struct console_intent intent = console_decline(confirm_id(console->confirm));

	if (verdict == CONFIRM_PENDING)
		return intent_none;
	if (verdict == CONFIRM_YES) {
		intent = console_intent_text(
			console, INTENT_CONFIRMED, confirm_typed(console->confirm));
		intent.id = confirm_id(console->confirm);
	}
	confirm_free(console->confirm);
	console->confirm = NULL;
	return intent;
}

static struct console_intent console_key_ask(struct console *console, uint32_t key)
{
	enum dialog_verdict verdict = ask_key(console->ask, key);
	struct console_intent intent = console_decline(ask_id(console->ask));

	if (verdict == DIALOG_OPEN)
		return intent_none;
	if (verdict == DIALOG_YES) {
		/* Reserved whole, so that a secret leaves no copy behind when the text grows. */
		buf_reserve(&console->text, strlen(ask_text(console->ask)) + 1);
		intent = console_intent_text(console, INTENT_ANSWERED, ask_text(console->ask));
		intent.id = ask_id(console->ask);
		console->text_secret = true;
	}
	ask_free(console->ask);
	console->ask = NULL;
	return intent;
}

static struct console_intent console_key_pick(struct console *console, uint32_t key)
{
	enum key_command command = keys_find(&console->keys, KEYS_GLOBAL, key);
	enum dialog_verdict verdict = pick_key(console->pick, key, command);
	struct console_intent intent = console_decline(pick_id(console->pick));

	if (verdict == DIALOG_OPEN)
		return intent_none;
	if (verdict == DIALOG_YES) {
		intent.kind = INTENT_PICKED;
		intent.index = pick_index(console->pick);
	}
	pick_free(console->pick);
	console->pick = NULL;
	return intent;
}

struct console_intent console_expire(struct console *console)
{
	int id;

	console_lend_nothing(console);
	if (!console->confirm)
		return intent_none;
	id = confirm_id(console->confirm);
	confirm_free(console->confirm);
	console->confirm = NULL;
	return console_decline(id);
}

/* --- the line at the bottom ------------------------------------------------------------------ */

static void console_open_line(struct console *console, enum console_line line)
{
	static const char *const labels[] = { "", ":", "/", "&" };
	struct err err = { 0 };

	if (!console->prompt && prompt_new(&console->prompt, &console->prompt_options, &err) < 0) {
		console_set_message(console, CONSOLE_ERROR, err.text);
		return;
	}
	console->line = line;
	prompt_open(console->prompt, line == LINE_COMMAND ? PROMPT_COMMAND : PROMPT_SEARCH,
		labels[line]);
}

static void console_search(struct console *console, int direction, bool from_here)
{
	struct pane *pane = console_pane(console);
	char *message = NULL;
	bool wrapped;

	if (!pane->search)
		console_say(console, CONSOLE_INFO, "Nothing to search for yet: / asks.");
	else if (pane->ops->find)
		pane->ops->find(pane, direction, from_here, &message);
	else if (!pane_find(pane, direction, from_here, &wrapped))
		console_say(console, CONSOLE_WARNING, "No row holds \"%s\".", pane->search);
	else if (wrapped)
		console_say(console, CONSOLE_INFO, "The search went on from the other end.");
	if (message)
		console_set_message(console, CONSOLE_WARNING, message);
	free(message);
}

static struct console_intent console_key_line(struct console *console, uint32_t key)
{
	enum console_line line = console->line;
	enum prompt_status status = prompt_feed(console->prompt, key);
	const char *text = prompt_line(console->prompt);
	struct err err;

	if (status == PROMPT_EDITING)
		return intent_none;
	console->line = LINE_NONE;
	if (status == PROMPT_CANCELLED)
		return intent_none;
	if (line == LINE_COMMAND)
		return *text ? console_intent_text(console, INTENT_COMMAND, text) : intent_none;
	err_clear(&err);
	if (line == LINE_FILTER)
		pane_set_filter(console_pane(console), text, &err);
	else if (!*text || pane_set_search(console_pane(console), text, &err) == 0)
		console_search(console, 1, true);
	if (err.code)
		console_say(console, CONSOLE_ERROR, "%s", err.text);
	return intent_none;
}

/* --- focus ----------------------------------------------------------------------------------- */

static void console_focus(struct console *console, int focus)
{
	if (focus == PANE_RUNBOOK && !pane_runbook_is_open(console->panes[PANE_RUNBOOK])) {
		console_say(console, CONSOLE_INFO, "No runbook is open: r chooses one.");
		return;
	}
	console->focus = focus;
	if (focus != FOCUS_FINDING)
		console->last_pane = focus;
	if (focus != FOCUS_FINDING && focus != PANE_RUNBOOK)
		console->beside = focus;
}

/* The line of findings counts as a pane when there is one. */
static void console_focus_next(struct console *console, int direction)
{
	int first = console_finding(console) ? FOCUS_FINDING : 0;
	bool open = pane_runbook_is_open(console->panes[PANE_RUNBOOK]);
	int n = LAYOUT_PANES - !open - first;

	console_focus(console, (console->focus - first + direction + n) % n + first);
}

/* j and k on the line of findings go through them. */
static void console_move_finding(struct console *console, enum key_command command)
{
	size_t n = console->findings ? console->findings->n : 0;

	if (command == CMD_TOP)
		console->finding = 0;
	else if (command == CMD_BOTTOM && n)
		console->finding = n - 1;
	else if (command == CMD_DOWN && console->finding + 1 < n)
		console->finding++;
	else if (command == CMD_UP && console->finding)
		console->finding--;
}

/* --- pages ----------------------------------------------------------------------------------- */

static void console_add_runbook(struct lines *lines, const char *name)
{
	struct buf text = BUF_INIT;

	buf_add_str(&text, "runbook: ");
	format_runbook_title(&text, name);
	lines_add_fact(lines, THEME_HINT_KEY, 10, "", buf_str(&text));
	buf_fini(&text);
}

static void console_show_findings(struct console *console)
{
	const struct findings *findings = console->findings;
	struct lines lines;
	size_t i;

	lines_init(&lines);
	for (i = 0; findings && i < findings->n; i++) {
		lines_add_fact(&lines, THEME_TEXT, 10,
			finding_severity_name(findings->items[i].severity),
			findings->items[i].text);
		if (*findings->items[i].runbook)
			console_add_runbook(&lines, findings->items[i].runbook);
		lines_add_blank(&lines);
	}
	console_open_page_take(console, "Findings", &lines, NULL);
}

static void console_details(struct console *console)
{
	struct pane *pane = console_pane(console);
	struct buf title = BUF_INIT;
	struct lines lines;

	if (console->focus == FOCUS_FINDING) {
		console_show_findings(console);
		return;
	}
	lines_init(&lines);
	if (pane->ops->details(pane, false, &title, &lines))
		console_open_page_take(console, buf_str(&title), &lines, pane);
	else
		console_say(console, CONSOLE_INFO, "There is nothing more to show here.");
	lines_fini(&lines);
	buf_fini(&title);
}

static void console_show_help(struct console *console)
{
	struct lines lines;

	lines_init(&lines);
	console_help(console, &lines);
	console_open_page_take(console, "Help", &lines, NULL);
}

/* --- commands -------------------------------------------------------------------------------- */

static bool console_has_narrowed(const struct pane *pane)
{
	return pane->search || pane->filter;
}

/* Esc: one thing at a time, from the inside out. Returns whether there was one. */
static bool console_back(struct console *console)
{
	struct pane *pane = console_pane(console);

	if (console_has_narrowed(pane)) {
		pane_set_search(pane, NULL, NULL);
		if (pane->filter)
			pane_set_filter(pane, NULL, NULL);
		return true;
	}
	if (console->zoomed) {
		console->zoomed = false;
		return true;
	}
	return false;
}

static struct console_intent console_quit(struct console *console)
{
	if (console_back(console))
		return intent_none;
	if (console->facts.busy && !console->quit_asked) {
		console->quit_asked = true;
		console_say(console, CONSOLE_WARNING,
			"Something is still running. q once more leaves "
			"it to end by itself; Ctrl-C interrupts it.");
		return intent_none;
	}
	return (struct console_intent){ .kind = INTENT_QUIT };
}

static struct console_intent console_copy(struct console *console)
{
	struct pane *pane = console_pane(console);
	const struct finding *finding = console_finding(console);

	if (console->focus == FOCUS_FINDING && finding)
		return console_intent_text(console, INTENT_COPY, finding->text);
	if (!pane->ops->count(pane))
		return intent_none;
	pane->ops->copy(pane, pane->selected, &console->text);
	return (struct console_intent){ .kind = INTENT_COPY, .text = buf_str(&console->text) };
}

static struct console_intent console_write(struct console *console)
{
	pane_text(console_pane(console), &console->text);
	return (struct console_intent){ .kind = INTENT_WRITE, .text = buf_str(&console->text) };
}

/* The SQL goes onto the page about the revision, which is opened where it is not yet. */
static struct console_intent console_sql(struct console *console, enum key_command command)
{
	const struct migration_revision *revision =
		pane_revisions_selected(console->panes[PANE_REVISIONS]);

	if (!revision) {
		console_say(console, CONSOLE_INFO, "No file is known for this row.");
		return intent_none;
	}
	if (!console->page_open)
		console_details(console);
	return console_intent_text(console,
		command == CMD_SQL_UPGRADE ? INTENT_SQL_UPGRADE : INTENT_SQL_DOWNGRADE,
		revision->id);
}

static struct console_intent console_runbooks(struct console *console, enum key_command command)
{
	const struct finding *finding = console_finding(console);
	const char *name = finding ? finding->runbook : "";
	struct console_intent intent;

	if (command == CMD_RUNBOOKS || *name) {
		intent = console_intent_text(console,
			command == CMD_RUNBOOKS ? INTENT_RUNBOOKS : INTENT_OPEN_RUNBOOK, name);
		intent.index = finding ? console->finding : SIZE_MAX;
		return intent;
	}
	console_say(console, CONSOLE_INFO, "No runbook answers this finding.");
	return intent_none;
}

/* Commands of the console itself. false: not one of them. */
static bool console_command_ours(struct console *console, enum key_command command)
{
	switch (command) {
	case CMD_PANE_1:
	case CMD_PANE_2:
	case CMD_PANE_3:
	case CMD_PANE_4:
		console_focus(console, (int)(command - CMD_PANE_1));
		return true;
	case CMD_NEXT_PANE:
	case CMD_PREVIOUS_PANE:
		console_focus_next(console, command == CMD_NEXT_PANE ? 1 : -1);
		return true;
	case CMD_ZOOM:
		console->zoomed = !console->zoomed;
		return true;
	case CMD_HELP:
		console_show_help(console);
		return true;
	case CMD_PROMPT:
		console_open_line(console, LINE_COMMAND);
		return true;
	case CMD_SEARCH:
		console_open_line(console, LINE_SEARCH);
		return true;
	case CMD_FILTER:
		console_open_line(console, LINE_FILTER);
		return true;
	case CMD_SEARCH_NEXT:
	case CMD_SEARCH_PREVIOUS:
		console_search(console, command == CMD_SEARCH_NEXT ? 1 : -1, false);
		return true;
	case CMD_DETAILS:
		console_details(console);
		return true;
	case CMD_BACK:
		console_back(console);
		return true;
	default:
		return false;
	}
}

static struct console_intent console_interrupt(struct console *console)
{
	if (console->facts.busy || console->facts.interruptible)
		return (struct console_intent){ .kind = INTENT_INTERRUPT };
	if (!console_back(console))
		console_say(console, CONSOLE_INFO, "Nothing is running. q quits.");
	return intent_none;
}

static struct console_intent console_command(struct console *console, enum key_command command)
{
	char *message = NULL;

	if (console_plain_intents[command] != INTENT_NONE)
		return (struct console_intent){ .kind = console_plain_intents[command] };
	if (console->facts.past_wall && (command == CMD_BACK || command == CMD_QUIT))
		return (struct console_intent){ .kind = INTENT_PAST_END };
	if (command >= CMD_STEP_GO && command <= CMD_RUNBOOK_CLOSE)
		return (struct console_intent){ .kind = INTENT_RUNBOOK_KEY, .id = (int)command };
	switch (command) {
	case CMD_QUIT:
		return console_quit(console);
	case CMD_INTERRUPT:
		return console_interrupt(console);
	case CMD_CANCEL_QUERY:
		return console_on_sessions(console, INTENT_CANCEL_QUERY);
	case CMD_TERMINATE:
		return console_on_sessions(console, INTENT_TERMINATE);
	case CMD_COPY:
		return console_copy(console);
	case CMD_WRITE:
		return console_write(console);
	case CMD_RUNBOOKS:
	case CMD_OPEN_RUNBOOK:
		return console_runbooks(console, command);
	case CMD_SQL_UPGRADE:
	case CMD_SQL_DOWNGRADE:
		return console_sql(console, command);
	default:
		break;
	}
	if (console->focus == FOCUS_FINDING && command >= CMD_UP && command <= CMD_PAGE_DOWN)
		console_move_finding(console, command);
	else if (!console_command_ours(console, command) &&
		 !pane_move(console_pane(console), command))
		console_pane(console)->ops->command(console_pane(console), command, &message);
	if (message)
		console_set_message(console, CONSOLE_INFO, message);
	free(message);
	return intent_none;
}

/* SQL that is being printed for the page ends with it. */
static struct console_intent console_leave_page(struct console *console, enum key_command command)
{
	bool running = console->page_of == console->panes[PANE_REVISIONS] &&
		pane_revisions_is_previewing(console->page_of);

	if (!running || command != CMD_INTERRUPT)
		console_close_page(console);
	return running ? (struct console_intent){ .kind = INTENT_INTERRUPT } : intent_none;
}

static struct console_intent console_key_page(struct console *console, uint32_t key)
{
	enum key_command command = keys_find(&console->keys, KEYS_GLOBAL, key);
	struct pane *of = console->page_of;
	enum key_command own =
		of ? keys_find(&console->keys, of->ops->context, key) : CMD_NONE;

	if (own == CMD_SQL_UPGRADE || own == CMD_SQL_DOWNGRADE)
		return console_sql(console, own);

	if (console_plain_intents[command] == INTENT_REDRAW ||
		console_plain_intents[command] == INTENT_SUSPEND)
		return console_command(console, command);
	if (of && keys_find(&console->keys, of->ops->context, key) == CMD_COPY)
		return console_copy(console);
	if (key == KEY_CODE_SPACE)
		command = CMD_PAGE_DOWN;
	if (!page_move(&console->page, command) &&
		(command == CMD_BACK || command == CMD_QUIT || command == CMD_HELP ||
			command == CMD_INTERRUPT || key == KEY_CODE_ENTER))
		return console_leave_page(console, command);
	return intent_none;
}

static struct console_intent console_key_one(struct console *console, uint32_t key)
{
	if (console->confirm)
		return console_key_confirm(console, key);
	if (console->ask)
		return console_key_ask(console, key);
	if (console->pick)
		return console_key_pick(console, key);
	if (console->page_open)
		return console_key_page(console, key);
	return console_command(console, keys_find(&console->keys, console_context(console), key));
}

/* What is pasted is text for a line that is being typed, never a key: no Enter, no command, and no
 * answer to a confirmation, which is to be typed. */
static void console_paste(struct console *console, uint32_t key)
{
	if (key >= KEY_CODE_UP || utf8_width(key) < 0)
		return;
	if (console->ask)
		ask_key(console->ask, key);
	else if (console->line != LINE_NONE && !console_is_asking(console))
		prompt_feed(console->prompt, key);
}

struct console_intent console_key(struct console *console, uint32_t key)
{
	struct console_intent intent;

	console_lend_nothing(console);
	if (key == KEY_CODE_PASTE_BEGIN || key == KEY_CODE_PASTE_END)
		console->pasting = key == KEY_CODE_PASTE_BEGIN;
	else if (console->pasting)
		console_paste(console, key);
	if (console->pasting || key == KEY_CODE_PASTE_END)
		return intent_none;
	console_set_message(console, CONSOLE_INFO, NULL);
	if (console->line != LINE_NONE && !console_is_asking(console))
		return console_key_line(console, key);
	if (!(key & KEY_CODE_META))
		return console_key_one(console, key);
	/* Only the line editor knows Alt; for the rest it was Esc and then a key. */
	intent = console_key_one(console, KEY_CODE_ESC);
	if (intent.kind != INTENT_NONE)
		return intent;
	return console_key_one(console, key & ~(uint32_t)KEY_CODE_META);
}
