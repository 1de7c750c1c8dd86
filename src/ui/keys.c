/*
 * The bindings. hjkl, g, G, Ctrl-D, Ctrl-U and the arrows only ever move; no single key destroys
 * anything: what writes asks first. What a command does is not here (console_key.c and the panes).
 */
#include <pgoncall/ui/keys.h>

#include <string.h>

#include <pgoncall/base/utf8.h>

static const struct key_binding key_bindings[] = {
	/* of panes; their hints come first */
	{ .context = KEYS_REVISIONS,
		.key = KEY_CODE_ENTER,
		.command = CMD_DETAILS,
		.hint = "details",
		.help = "show the revision: where it is, what it comes from, its docstring and file",
		.ours = true },
	{ .context = KEYS_REVISIONS,
		.key = 'u',
		.command = CMD_SQL_UPGRADE,
		.hint = "SQL",
		.help = "show the SQL its upgrade() would run, printed by Alembic without a database" },
	{ .context = KEYS_REVISIONS,
		.key = 'd',
		.command = CMD_SQL_DOWNGRADE,
		.help = "show the SQL its downgrade() would run" },
	{ .context = KEYS_REVISIONS,
		.key = 'C',
		.command = CMD_GO_CURRENT,
		.help = "go to the current revision, or to the next that is",
		.ours = true },
	{ .context = KEYS_REVISIONS,
		.key = 'H',
		.command = CMD_GO_HEAD,
		.help = "go to the head, or to the next one",
		.ours = true },
	{ .context = KEYS_REVISIONS,
		.key = 'b',
		.command = CMD_LANES,
		.hint = "lanes",
		.help = "draw branches as lanes, or not",
		.ours = true },

	{ .context = KEYS_ACTIVITY,
		.key = KEY_CODE_ENTER,
		.command = CMD_DETAILS,
		.hint = "details",
		.help = "show the session: whole query, locks held and awaited, client, ages",
		.ours = true },
	{ .context = KEYS_ACTIVITY,
		.key = 'c',
		.command = CMD_CANCEL_QUERY,
		.hint = "cancel",
		.help = "cancel the query of the selected session, or of those tagged; asks first",
		.writes = true },
	{ .context = KEYS_ACTIVITY,
		.key = 'K',
		.command = CMD_TERMINATE,
		.hint = "terminate",
		.help = "terminate the selected session, or those tagged; asks first",
		.writes = true },
	{ .context = KEYS_ACTIVITY,
		.key = KEY_CODE_SPACE,
		.command = CMD_TAG,
		.hint = "tag",
		.help = "tag the session, or take the tag away",
		.ours = true },
	{ .context = KEYS_ACTIVITY,
		.key = 't',
		.command = CMD_TREE,
		.help = "show who waits behind whom as a tree, or a flat list",
		.ours = true },
	{ .context = KEYS_ACTIVITY,
		.key = 's',
		.command = CMD_SORT,
		.help = "sort by age, wait, transaction, sessions blocked, pid, state, user or application",
		.ours = true },

	{ .context = KEYS_LOGS,
		.key = 'f',
		.command = CMD_FOLLOW,
		.hint = "follow",
		.help = "follow the end of the log, or stay where you are",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = 'e',
		.command = CMD_NEXT_ERROR,
		.hint = "next error",
		.help = "go to the next error",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = 'E',
		.command = CMD_PREVIOUS_ERROR,
		.hint = "previous",
		.help = "go to the previous error",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = 't',
		.command = CMD_TIMESTAMPS,
		.hint = "time",
		.help = "show the time of each line, or the line as it was written",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = 'L',
		.command = CMD_LEVEL,
		.hint = "level",
		.help = "show all, leave out debug, or only warnings and errors, or only errors",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = 'x',
		.command = CMD_CONTEXT,
		.help = "show 3, 10, or no lines around each that the filter or level takes in",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = 'F',
		.command = CMD_FOLD,
		.help = "fold long lines, or cut them (h and l scroll)",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = 'J',
		.command = CMD_RAW,
		.help = "show JSON lines readably, or raw",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = 'm',
		.command = CMD_MARK,
		.help = "mark the line, or take the mark away",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = '\'',
		.command = CMD_NEXT_MARK,
		.help = "go to the next marked line",
		.ours = true },
	{ .context = KEYS_LOGS,
		.key = '[',
		.command = CMD_PREVIOUS_SOURCE,
		.help = "show the previous log, or all together" },
	{ .context = KEYS_LOGS,
		.key = ']',
		.command = CMD_NEXT_SOURCE,
		.hint = "next log",
		.help = "show the next log, or all together" },
	{ .context = KEYS_LOGS,
		.key = KEY_CODE_ENTER,
		.command = CMD_DETAILS,
		.hint = "whole line",
		.help = "show the line whole, and its JSON field by field",
		.ours = true },

	{ .context = KEYS_RUNBOOK,
		.key = KEY_CODE_ENTER,
		.command = CMD_STEP_GO,
		.hint = "go on",
		.help = "begin, run the step, or take the next one; what writes asks first" },
	{ .context = KEYS_RUNBOOK,
		.key = 'd',
		.command = CMD_STEP_DONE,
		.hint = "done",
		.help = "answer: it is done" },
	{ .context = KEYS_RUNBOOK,
		.key = 'x',
		.command = CMD_STEP_NOT_DONE,
		.hint = "not done",
		.help = "answer: it is not done" },
	{ .context = KEYS_RUNBOOK,
		.key = 's',
		.command = CMD_STEP_SKIP,
		.hint = "skip",
		.help = "skip the check or the step; asks for the reason" },
	{ .context = KEYS_RUNBOOK,
		.key = 'a',
		.command = CMD_STEP_AGAIN,
		.hint = "again",
		.help = "repeat the step, or choose its values anew" },
	{ .context = KEYS_RUNBOOK,
		.key = 'o',
		.command = CMD_RUNBOOK_LINK,
		.hint = "linked",
		.help = "open the runbook that the step names" },
	{ .context = KEYS_RUNBOOK,
		.key = 'S',
		.command = CMD_STEP_STOP,
		.hint = "stop",
		.help = "stop here: somebody else is needed; asks for the reason" },
	{ .context = KEYS_RUNBOOK,
		.key = 'c',
		.command = CMD_RUNBOOK_CLOSE,
		.hint = "close",
		.help = "close the runbook; one that is not finished can be resumed" },

	{ .context = KEYS_FINDING,
		.key = KEY_CODE_ENTER,
		.command = CMD_OPEN_RUNBOOK,
		.hint = "open runbook",
		.help = "open the runbook that answers the finding" },
	{ .context = KEYS_FINDING,
		.key = KEY_CODE_SPACE,
		.command = CMD_DETAILS,
		.hint = "all findings",
		.help = "show all findings in full",
		.ours = true },

	/* everywhere */
	{ .key = '1', .command = CMD_PANE_1, .help = "go to pane 1, Revisions", .ours = true },
	{ .key = '2', .command = CMD_PANE_2, .help = "go to pane 2, Activity", .ours = true },
	{ .key = '3', .command = CMD_PANE_3, .help = "go to pane 3, Logs", .ours = true },
	{ .key = '4', .command = CMD_PANE_4, .help = "go to pane 4, Runbook", .ours = true },
	{ .key = '5', .command = CMD_PANE_5, .help = "go to pane 5" },
	{ .key = KEY_CODE_TAB,
		.command = CMD_NEXT_PANE,
		.help = "go to the next pane; the line of findings counts as one",
		.ours = true },
	{ .key = KEY_CODE_BACKTAB,
		.command = CMD_PREVIOUS_PANE,
		.help = "go to the previous pane",
		.ours = true },
	{ .key = 'z',
		.command = CMD_ZOOM,
		.help = "give the pane the whole screen, or share it again",
		.ours = true },
	{ .key = '/',
		.command = CMD_SEARCH,
		.hint = "search",
		.help = "search in the pane; in logs for a pattern (PCRE)",
		.ours = true },
	{ .key = 'n', .command = CMD_SEARCH_NEXT, .help = "go to the next match", .ours = true },
	{ .key = 'N',
		.command = CMD_SEARCH_PREVIOUS,
		.help = "go to the previous match",
		.ours = true },
	{ .key = '&',
		.command = CMD_FILTER,
		.hint = "filter",
		.help = "show only rows that hold a text, empty shows all; Activity takes several words, "
			"!WORD, and state: user: app: db: client: type: before one; Logs a pattern, or "
			"!PATTERN",
		.ours = true },
	{ .key = 'r',
		.command = CMD_RUNBOOKS,
		.hint = "runbooks",
		.help = "open the runbook of the finding; without one, choose" },
	{ .key = ':',
		.command = CMD_PROMPT,
		.hint = "command",
		.help = "type a command; Tab completes it",
		.ours = true },
	{ .key = 'v',
		.command = CMD_REVIEW,
		.hint = "review",
		.help = "review what the pending revisions would lock, rewrite or break" },
	{ .key = 'R', .command = CMD_REFRESH, .help = "take a new picture now" },
	{ .key = 'p', .command = CMD_PAUSE, .help = "pause the refresh, or go on" },
	{ .key = '<',
		.command = CMD_PAST_OLDER,
		.help = "look back: the picture before this one, of the last 15 minutes" },
	{ .key = '>',
		.command = CMD_PAST_NEWER,
		.help = "look back: the next picture; after the newest, and with Esc, it is now" },
	{ .key = '@', .command = CMD_TARGET, .help = "switch to another target" },
	{ .key = 'y',
		.command = CMD_COPY,
		.help = "copy the row to the terminal's clipboard (OSC 52): query, revision, or "
			"line" },
	{ .key = 'w', .command = CMD_WRITE, .help = "write the pane to a file" },
	{ .key = 'T', .command = CMD_THEME, .help = "use the next theme" },
	{ .key = '?',
		.also = KEY_CODE_F1,
		.command = CMD_HELP,
		.hint = "help",
		.help = "show this help",
		.ours = true },
	{ .key = KEY_CTRL('L'),
		.command = CMD_REDRAW,
		.help = "draw the screen anew",
		.ours = true },
	{ .key = KEY_CTRL('C'),
		.command = CMD_INTERRUPT,
		.help = "interrupt what is running; ends the search and the filter",
		.ours = true },
	{ .key = KEY_CTRL('Z'), .command = CMD_SUSPEND, .help = "suspend pgoncall" },
	{ .key = KEY_CODE_ESC,
		.command = CMD_BACK,
		.help = "go back: close what is open",
		.ours = true },
	{ .key = 'q',
		.command = CMD_QUIT,
		.hint = "quit",
		.help = "go back; at the top, quit (asks while a step runs)",
		.ours = true },

	/* movement */
	{ .key = 'j',
		.also = KEY_CODE_DOWN,
		.command = CMD_DOWN,
		.help = "one row down",
		.ours = true },
	{ .key = 'k', .also = KEY_CODE_UP, .command = CMD_UP, .help = "one row up", .ours = true },
	{ .key = 'h',
		.also = KEY_CODE_LEFT,
		.command = CMD_LEFT,
		.help = "to the left in long rows",
		.ours = true },
	{ .key = 'l',
		.also = KEY_CODE_RIGHT,
		.command = CMD_RIGHT,
		.help = "to the right in long rows",
		.ours = true },
	{ .key = 'g',
		.also = KEY_CODE_HOME,
		.command = CMD_TOP,
		.help = "to the first row",
		.ours = true },
	{ .key = 'G',
		.also = KEY_CODE_END,
		.command = CMD_BOTTOM,
		.help = "to the last row",
		.ours = true },
	{ .key = KEY_CTRL('D'),
		.command = CMD_HALF_DOWN,
		.help = "half a page down",
		.ours = true },
	{ .key = KEY_CTRL('U'), .command = CMD_HALF_UP, .help = "half a page up", .ours = true },
	{ .key = KEY_CODE_PAGE_DOWN,
		.also = KEY_CTRL('F'),
		.command = CMD_PAGE_DOWN,
		.help = "a page down",
		.ours = true },
	{ .key = KEY_CODE_PAGE_UP,
		.also = KEY_CTRL('B'),
		.command = CMD_PAGE_UP,
		.help = "a page up",
		.ours = true },
};

#define KEY_BINDINGS_N (sizeof(key_bindings) / sizeof(key_bindings[0]))

static const struct {
	uint32_t key;
	const char *name;
} key_names[] = {
	{ KEY_CODE_TAB, "Tab" },
	{ KEY_CODE_ENTER, "Enter" },
	{ KEY_CODE_ESC, "Esc" },
	{ KEY_CODE_SPACE, "Space" },
	{ KEY_CODE_UP, "Up" },
	{ KEY_CODE_DOWN, "Down" },
	{ KEY_CODE_LEFT, "Left" },
	{ KEY_CODE_RIGHT, "Right" },
	{ KEY_CODE_HOME, "Home" },
	{ KEY_CODE_END, "End" },
	{ KEY_CODE_PAGE_UP, "PgUp" },
	{ KEY_CODE_PAGE_DOWN, "PgDn" },
	{ KEY_CODE_DELETE, "Delete" },
	{ KEY_CODE_BACKSPACE, "Backspace" },
	{ KEY_CODE_BACKTAB, "Shift-Tab" },
	{ KEY_CODE_F1, "F1" },
};

static const char *const key_context_names[KEYS_N] = {
	[KEYS_GLOBAL] = "Everywhere",
	[KEYS_REVISIONS] = "Revisions",
	[KEYS_ACTIVITY] = "Activity",
	[KEYS_LOGS] = "Logs",
	[KEYS_RUNBOOK] = "Runbook",
	[KEYS_FINDING] = "Findings",
};

const struct key_binding *keys_table(size_t *n)
{
	*n = KEY_BINDINGS_N;
	return key_bindings;
}

void keys_set_init(struct key_set *set)
{
	size_t i;

	memset(set, 0, sizeof(*set));
	for (i = 0; i < KEY_BINDINGS_N; i++)
		if (key_bindings[i].ours)
			set->on[key_bindings[i].command] = true;
}

enum key_command keys_find(const struct key_set *set, enum key_context context, uint32_t key)
{
	const struct key_binding *b;
	enum key_command global = CMD_NONE;

	for (b = key_bindings; b < key_bindings + KEY_BINDINGS_N; b++) {
		if ((b->key != key && (!b->also || b->also != key)) || !set->on[b->command])
			continue;
		if (b->context == context)
			return b->command;
		if (b->context == KEYS_GLOBAL)
			global = b->command;
	}
	return global;
}

char *keys_name(uint32_t key, char *out, size_t size)
{
	char bytes[4];
	size_t i;

	for (i = 0; i < sizeof(key_names) / sizeof(key_names[0]); i++) {
		if (key_names[i].key == key) {
			snprintf(out, size, "%s", key_names[i].name);
			return out;
		}
	}
	if (key < 0x20)
		snprintf(out, size, "Ctrl-%c", (char)(key | 0x40));
	else
		snprintf(out, size, "%.*s", (int)utf8_encode(key, bytes), bytes);
	return out;
}

const char *keys_context_name(enum key_context context)
{
	return key_context_names[context];
}

/* mdoc(7) reads a lone punctuation mark as punctuation, so each is escaped. */
static void keys_print_mdoc_key(FILE *out, uint32_t key)
{
	char name[24];

	keys_name(key, name, sizeof(name));
	fprintf(out, strlen(name) == 1 ? "\\&%s" : "%s", name);
}

void keys_print_mdoc(FILE *out, const struct key_set *set)
{
	static const enum key_context order[] = { KEYS_GLOBAL, KEYS_FINDING, KEYS_REVISIONS,
		KEYS_ACTIVITY, KEYS_LOGS, KEYS_RUNBOOK };
	const struct key_binding *b;
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		fprintf(out, ".Ss %s\n.Bl -tag -width \"PgDn, Ctrl-F\" -compact\n",
			key_context_names[order[i]]);
		for (b = key_bindings; b < key_bindings + KEY_BINDINGS_N; b++) {
			if (b->context != order[i] || (set && !set->on[b->command]))
				continue;
			fputs(".It ", out);
			keys_print_mdoc_key(out, b->key);
			if (b->also) {
				fputs(", ", out);
				keys_print_mdoc_key(out, b->also);
			}
			fprintf(out, "\n%s.\n", b->help);
		}
		fputs(".El\n", out);
	}
}
