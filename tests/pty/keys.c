/*
 * Owns what the keyboard sends: names of keys to the bytes xterm sends for them in the mode the
 * program has chosen (libvterm keeps that), and the size of the terminal.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>

#include "pty_priv.h"

static const struct {
	const char *name;
	VTermKey key;
} key_names[] = {
	{ "Enter", VTERM_KEY_ENTER },
	{ "Tab", VTERM_KEY_TAB },
	{ "Backspace", VTERM_KEY_BACKSPACE },
	{ "Esc", VTERM_KEY_ESCAPE },
	{ "Up", VTERM_KEY_UP },
	{ "Down", VTERM_KEY_DOWN },
	{ "Left", VTERM_KEY_LEFT },
	{ "Right", VTERM_KEY_RIGHT },
	{ "Insert", VTERM_KEY_INS },
	{ "Delete", VTERM_KEY_DEL },
	{ "Home", VTERM_KEY_HOME },
	{ "End", VTERM_KEY_END },
	{ "PageUp", VTERM_KEY_PAGEUP },
	{ "PageDown", VTERM_KEY_PAGEDOWN },
};

static VTermModifier take_modifiers(const char **name)
{
	static const struct {
		const char *prefix;
		VTermModifier mod;
	} prefixes[] = {
		{ "C-", VTERM_MOD_CTRL },
		{ "M-", VTERM_MOD_ALT },
		{ "S-", VTERM_MOD_SHIFT },
	};
	VTermModifier mods = VTERM_MOD_NONE;

	for (size_t i = 0; i < 3; i++) {
		if (str_starts(*name, prefixes[i].prefix) && (*name)[2] != '\0') {
			mods |= prefixes[i].mod;
			*name += 2;
			i = (size_t)-1;
		}
	}
	return mods;
}

static bool send_named(struct pty *p, const char *name, VTermModifier mods)
{
	long number;

	for (size_t i = 0; i < sizeof(key_names) / sizeof(key_names[0]); i++) {
		if (strcmp(key_names[i].name, name) == 0) {
			vterm_keyboard_key(p->vt, key_names[i].key, mods);
			return true;
		}
	}
	if (name[0] == 'F' && str_to_long(name + 1, 1, 12, &number) == 0) {
		vterm_keyboard_key(p->vt, VTERM_KEY_FUNCTION((int)number), mods);
		return true;
	}
	return false;
}

/* libvterm would send Ctrl with i, j, m, [ and others in the CSI u form, which xterm does not. */
static bool send_control(struct pty *p, uint32_t cp, VTermModifier mods)
{
	char byte;

	if ((mods & VTERM_MOD_CTRL) == 0 || (cp != ' ' && (cp < '@' || cp > 'z')))
		return false;
	byte = cp == ' ' ? '\0' : (char)(cp & 0x1f);
	if ((mods & VTERM_MOD_ALT) != 0)
		buf_add_char(&p->out, '\x1b');
	buf_add(&p->out, &byte, 1);
	return true;
}

static bool send_char(struct pty *p, const char *name, VTermModifier mods)
{
	size_t len = strlen(name);
	uint32_t cp;

	if (strcmp(name, "Space") == 0)
		cp = ' ';
	else if (len == 0 || utf8_decode(name, len, &cp) != len)
		return false;
	if (!send_control(p, cp, mods))
		vterm_keyboard_unichar(p->vt, cp, mods & VTERM_MOD_ALT);
	return true;
}

void pty_key_at(struct pty *p, const char *name, const char *file, int line)
{
	const char *rest = name;
	VTermModifier mods = take_modifiers(&rest);

	pty_pump(p);
	if (!send_named(p, rest, mods) && !send_char(p, rest, mods))
		pty_fail_at(p, file, line, "there is no key \"%s\"", name);
	pty_pump(p);
}

void pty_type(struct pty *p, const char *text)
{
	buf_add_str(&p->out, text);
	pty_pump(p);
}

void pty_resize(struct pty *p, int rows, int cols)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };

	pty_pump(p);
	vterm_set_size(p->vt, rows, cols);
	if (ioctl(p->master, TIOCSWINSZ, &size) != 0)
		pty_fail(p, "the terminal does not take the size %dx%d", cols, rows);
	pty_pump(p);
}
