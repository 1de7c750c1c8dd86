/*
 * What the binding table becomes on screen: the hint bar and the help page.
 */
#include "console_impl.h"

#include <stdio.h>
#include <string.h>

#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/theme.h>

#define HINTS_GAP      2
#define HELP_NAME_COLS 14

static bool hints_shows(
	const struct console *console, const struct key_binding *binding, enum key_context context)
{
	if (!binding->hint || binding->context != context || !console->keys.on[binding->command])
		return false;
	return binding->command != CMD_OPEN_RUNBOOK ||
	       (console_finding(console) && *console_finding(console)->runbook);
}

static int hints_width(const struct key_binding *binding)
{
	char name[24];

	return (int)utf8_columns(keys_name(binding->key, name, sizeof(name))) + 1 +
	       (int)utf8_columns(binding->hint) + HINTS_GAP;
}

static int hints_put(const struct console *console, struct cells *cells, struct cells_rect rect,
	int col, const struct key_binding *binding)
{
	bool off = binding->writes && !console->facts.writable;
	char name[24];

	keys_name(binding->key, name, sizeof(name));
	col = cells_put(cells, rect, 0, col, off ? THEME_HINT_OFF : THEME_HINT_KEY, name);
	col = cells_put(
		cells, rect, 0, col + 1, off ? THEME_HINT_OFF : THEME_HINT_TEXT, binding->hint);
	return col + HINTS_GAP;
}

static bool hints_is_last(const struct key_binding *binding)
{
	return binding->command == CMD_HELP || binding->command == CMD_QUIT;
}

/* The pane's own first, then the general ones, as many as fit; help and quit always. */
void hints_draw(const struct console *console, struct cells *cells, struct cells_rect rect)
{
	const enum key_context order[] = { console_context(console), KEYS_GLOBAL };
	const struct key_binding *table, *b;
	int col = 1, kept = 0, pass;
	size_t n;

	table = keys_table(&n);
	cells_fill(cells, rect, THEME_HINT_TEXT);
	for (b = table; b < table + n; b++)
		if (hints_is_last(b) && hints_shows(console, b, KEYS_GLOBAL))
			kept += hints_width(b);
	for (pass = order[0] == KEYS_GLOBAL; pass < 2; pass++) {
		for (b = table; b < table + n; b++)
			if (!hints_is_last(b) && hints_shows(console, b, order[pass]) &&
				col + hints_width(b) + kept - HINTS_GAP <= rect.cols)
				col = hints_put(console, cells, rect, col, b);
	}
	for (b = table; b < table + n; b++)
		if (hints_is_last(b) && hints_shows(console, b, KEYS_GLOBAL))
			col = hints_put(console, cells, rect, col, b);
}

/* --- the help page --------------------------------------------------------------------------- */

static void help_section(const struct console *console, enum key_context context, struct lines *out)
{
	const struct key_binding *table, *b;
	char first[24], second[24], names[64];
	size_t n;

	table = keys_table(&n);
	if (out->n)
		lines_add_blank(out);
	lines_add(out, THEME_DIALOG_TITLE, 0, keys_context_name(context));
	for (b = table; b < table + n; b++) {
		if (b->context != context || !console->keys.on[b->command])
			continue;
		keys_name(b->key, first, sizeof(first));
		if (b->also)
			snprintf(names, sizeof(names), "%s, %s", first,
				keys_name(b->also, second, sizeof(second)));
		else
			snprintf(names, sizeof(names), "%s", first);
		lines_add_fact(out, THEME_TEXT, HELP_NAME_COLS, names, b->help);
	}
}

/* The section of the focused pane first, then what works everywhere, then the other panes. */
void console_help(const struct console *console, struct lines *out)
{
	enum key_context focused = console_context(console);
	int c;

	if (focused != KEYS_GLOBAL)
		help_section(console, focused, out);
	help_section(console, KEYS_GLOBAL, out);
	for (c = 0; c < KEYS_N; c++)
		if (c != KEYS_GLOBAL && c != (int)focused)
			help_section(console, (enum key_context)c, out);
}
