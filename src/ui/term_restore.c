/*
 * Giving the terminal back from places where curses must not be called: a fatal signal, or no
 * memory left. Owns the process-wide record of what must be undone; everything it needs later is
 * prepared while there is time, and term_restore then only calls what POSIX allows in a handler.
 */
#include <pgoncall/ui/term.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

#include "term_restore.h"

/* One per process, as is the terminal. `taken` says that the rest is valid. */
static struct {
	volatile sig_atomic_t taken;
	struct termios modes;
	char sequence[256];
	size_t len;
} restore_record;

/* Appends a capability without its padding ("$<5>"), or nothing if it is absent or does not fit. */
static void restore_add_capability(const char *name)
{
	const char *s = tigetstr(name);
	size_t len = restore_record.len;

	if (!s || s == (char *)-1)
		return;
	for (; *s; s++) {
		if (s[0] == '$' && s[1] == '<') {
			s = strchr(s, '>');
			if (!s)
				return;
			continue;
		}
		if (len == sizeof(restore_record.sequence))
			return;
		restore_record.sequence[len++] = *s;
	}
	restore_record.len = len;
}

bool term_restore_is_known(void)
{
	int status;

	if (setupterm(NULL, STDOUT_FILENO, &status) == ERR)
		return false;
	del_curterm(cur_term);
	return true;
}

void term_restore_prepare(const struct termios *modes)
{
	static const char paste_off[] = "\033[?2004l";

	restore_record.modes = *modes;
	memcpy(restore_record.sequence, paste_off, sizeof(paste_off) - 1);
	restore_record.len = sizeof(paste_off) - 1;
	restore_add_capability("sgr0");
	restore_add_capability("rmkx");
	restore_add_capability("cnorm");
	restore_add_capability("rmcup");
}

void term_restore_arm(bool taken)
{
	restore_record.taken = taken;
}

void term_restore(void)
{
	int saved = errno;
	size_t at = 0;
	ssize_t put;

	if (!restore_record.taken)
		return;
	restore_record.taken = 0;
	/* The modes first: the terminal may take no more output. */
	tcsetattr(STDIN_FILENO, TCSANOW, &restore_record.modes);
	while (at < restore_record.len) {
		put = write(STDOUT_FILENO, restore_record.sequence + at, restore_record.len - at);
		if (put <= 0)
			break;
		at += (size_t)put;
	}
	errno = saved;
}
