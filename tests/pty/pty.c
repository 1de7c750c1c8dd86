/*
 * Owns the pseudo-terminal, the program on it and the bytes between them, and waits. What is on the
 * screen is read in screen.c, keys are encoded in keys.c.
 */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

#include "escapes.h"
#include "match.h"
#include "pty_priv.h"
#include "sandbox.h"

enum {
	STOP_MS = 2000,  /* what a program gets to end after SIGTERM */
	DRAIN_MS = 5000, /* and the kernel to hand over its last output */
};

/* Written by the harness into its own end of the terminal once the program has ended: when it
 * arrives, all that the program wrote has arrived. An APC string, which no program here sends. */
static const char end_mark[] = "\x1b_pgoncall-pty-end\x1b\\";

/* --- start ------------------------------------------------------------------------------------ */

/* vterm's answers to queries, and keys. */
static void on_vterm_output(const char *bytes, size_t len, void *arg)
{
	struct pty *p = arg;

	buf_add(&p->out, bytes, len);
}

static int on_termprop(VTermProp prop, VTermValue *value, void *arg)
{
	struct pty *p = arg;

	if (prop == VTERM_PROP_CURSORVISIBLE)
		p->cursor_visible = value->boolean != 0;
	return 1;
}

static const VTermScreenCallbacks screen_callbacks = {
	.settermprop = on_termprop,
};

static void screen_open(struct pty *p, int rows, int cols)
{
	p->vt = vterm_new(rows, cols);
	vterm_set_utf8(p->vt, 1);
	vterm_output_set_callback(p->vt, on_vterm_output, p);
	p->screen = vterm_obtain_screen(p->vt);
	vterm_screen_set_callbacks(p->screen, &screen_callbacks, p);
	vterm_screen_enable_altscreen(p->screen, 1);
	vterm_screen_reset(p->screen, 1);
}

static int terminal_open(struct pty *p, int rows, int cols, struct err *err)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };

	if (openpty(&p->master, &p->slave, NULL, NULL, &size) != 0)
		return err_system(err, errno, "cannot open a pseudo-terminal");
	fcntl(p->master, F_SETFD, FD_CLOEXEC);
	fcntl(p->slave, F_SETFD, FD_CLOEXEC);
	fcntl(p->master, F_SETFL, O_NONBLOCK);
	if (tcgetattr(p->slave, &p->before) != 0)
		return err_system(err, errno, "cannot read the terminal's attributes");
	p->before.c_iflag |= IUTF8;
	if (tcsetattr(p->slave, TCSANOW, &p->before) != 0 || tcgetattr(p->slave, &p->before) != 0)
		return err_system(err, errno, "cannot set the terminal's attributes");
	screen_open(p, rows, cols);
	return 0;
}

/* In the child. */
static _Noreturn void child_exec(const struct pty_options *o, int slave, char **env, pid_t parent)
{
	child_begin(parent);
	if (login_tty(slave) != 0)
		_exit(127);
	if (o->cwd != NULL && chdir(o->cwd) != 0)
		dprintf(2, "cannot change to %s: %s\n", o->cwd, strerror(errno));
	else
		execvpe(o->argv[0], (char *const *)o->argv, env);
	dprintf(2, "cannot run %s: %s\n", o->argv[0], strerror(errno));
	_exit(127);
}

static int child_start(struct pty *p, const struct pty_options *o, struct err *err)
{
	char **env = sandbox_env(p->home, o->env);
	pid_t parent = getpid();
	pid_t pid;

	pid = fork();
	if (pid == 0)
		child_exec(o, p->slave, env, parent);
	sandbox_env_free(env);
	if (pid < 0 || child_watch(&p->child, pid) != 0)
		return err_system(err, errno, "cannot start %s", o->argv[0]);
	return 0;
}

struct pty *pty_start(const struct pty_options *o, struct err *err)
{
	struct pty *p = mem_calloc(1, sizeof(*p));

	p->child = (struct child)CHILD_INIT;
	p->master = p->slave = -1;
	p->cursor_visible = true;
	p->home_is_ours = o->home == NULL;
	p->home = o->home == NULL ? sandbox_new(err) : mem_strdup(o->home);
	if (p->home != NULL &&
		terminal_open(p, o->rows > 0 ? o->rows : 24, o->cols > 0 ? o->cols : 80, err) ==
			0 &&
		child_start(p, o, err) == 0)
		return p;
	pty_stop(p);
	return NULL;
}

pid_t pty_pid(const struct pty *p)
{
	return p->child.pid;
}

const char *pty_home(const struct pty *p)
{
	return p->home;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void flush_out(struct pty *p)
{
	while (p->out.len > 0) {
		ssize_t n = write(p->master, p->out.data, p->out.len);

		if (n > 0)
			buf_consume(&p->out, (size_t)n);
		else if (n == 0 || errno != EINTR)
			return;
	}
}

/* The bytes of raw from `from` on reach the screen. */
static void feed(struct pty *p, size_t from)
{
	if (p->raw.len > from)
		vterm_input_write(p->vt, p->raw.data + from, p->raw.len - from);
}

/* Appends what has arrived to raw; false when there was nothing. */
static bool read_raw(struct pty *p)
{
	char bytes[16384];
	ssize_t n = read(p->master, bytes, sizeof(bytes));

	if (n > 0)
		buf_add(&p->raw, bytes, (size_t)n);
	return n > 0;
}

/* The program has ended: takes its last output, up to the mark, which stays out of raw. */
static void drain(struct pty *p)
{
	int64_t deadline = clock_monotonic() + DRAIN_MS * CLOCK_NS_PER_MS;
	size_t mark_len = sizeof(end_mark) - 1;
	size_t written = 0;
	size_t from = p->raw.len;
	char *found = NULL;

	fcntl(p->slave, F_SETFL, O_NONBLOCK);
	tcflow(p->slave, TCOON);
	while (found == NULL && clock_monotonic() < deadline) {
		struct pollfd fd = { p->master, POLLIN, 0 };

		if (written < mark_len) {
			ssize_t n = write(p->slave, end_mark + written, mark_len - written);

			written += n > 0 ? (size_t)n : 0;
		}
		poll(&fd, 1, written < mark_len ? 10 : 100);
		if (read_raw(p))
			found = memmem(p->raw.data + from, p->raw.len - from, end_mark, mark_len);
	}
	if (found != NULL) {
		p->raw.len = (size_t)(found - p->raw.data);
		p->raw.data[p->raw.len] = '\0';
	}
	feed(p, from);
}

void pty_pump(struct pty *p)
{
	size_t from = p->raw.len;

	flush_out(p);
	while (read_raw(p)) {
		feed(p, from);
		from = p->raw.len;
		flush_out(p);
	}
	if (!p->child.ended && child_poll(&p->child))
		drain(p);
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Until something can be read, written or reaped, or the moment has come. */
static void wait_event(struct pty *p, int64_t deadline)
{
	int64_t left = deadline - clock_monotonic();
	struct pollfd fds[] = {
		{ p->master, (short)(POLLIN | (p->out.len > 0 ? POLLOUT : 0)), 0 },
		{ p->child.fd, POLLIN, 0 },
	};

	if (left > 0)
		poll(fds, 2, (int)(left / CLOCK_NS_PER_MS) + 1);
}

bool pty_await(struct pty *p, pty_condition *condition, void *arg, int timeout_ms)
{
	int64_t limit = (int64_t)timeout_ms * sandbox_slowness() * CLOCK_NS_PER_MS;
	int64_t deadline = clock_monotonic() + limit;

	for (;;) {
		pty_pump(p);
		if (condition(p, arg))
			return true;
		if (p->child.ended || clock_monotonic() >= deadline)
			return false;
		wait_event(p, deadline);
	}
}

struct pattern_at {
	const char *pattern;
	int row;
};

static bool cond_text(struct pty *p, void *arg)
{
	return pty_has(p, arg);
}

static bool cond_gone(struct pty *p, void *arg)
{
	return !pty_has(p, arg);
}

static bool cond_row(struct pty *p, void *arg)
{
	const struct pattern_at *at = arg;
	char *row = pty_row_text(p, at->row);
	bool found = match_text(row, at->pattern);

	free(row);
	return found;
}

static bool cond_ended(struct pty *p, void *arg)
{
	(void)arg;
	return p->child.ended;
}

static const char *vain(const struct pty *p)
{
	return p->child.ended ? "the program ended within" : "waited in vain";
}

void pty_wait_text_at(
	struct pty *p, const char *pattern, int timeout_ms, const char *file, int line)
{
	if (!pty_await(p, cond_text, (void *)pattern, timeout_ms))
		pty_fail_at(p, file, line, "%s %d ms for /%s/", vain(p), timeout_ms, pattern);
}

void pty_wait_gone_at(
	struct pty *p, const char *pattern, int timeout_ms, const char *file, int line)
{
	if (!pty_await(p, cond_gone, (void *)pattern, timeout_ms))
		pty_fail_at(p, file, line, "after %d ms there still is /%s/", timeout_ms, pattern);
}

void pty_wait_row_at(
	struct pty *p, int row, const char *pattern, int timeout_ms, const char *file, int line)
{
	struct pattern_at at = { pattern, row };

	if (!pty_await(p, cond_row, &at, timeout_ms))
		pty_fail_at(p, file, line, "%s %d ms for /%s/ in row %d", vain(p), timeout_ms,
			pattern, row);
}

int pty_wait_exit_at(struct pty *p, int timeout_ms, const char *file, int line)
{
	if (!pty_await(p, cond_ended, NULL, timeout_ms))
		pty_fail_at(p, file, line, "the program still runs after %d ms", timeout_ms);
	return p->child.status;
}

void pty_assert_alive_at(struct pty *p, const char *file, int line)
{
	pty_pump(p);
	if (p->child.ended)
		pty_fail_at(p, file, line, "the program has ended");
}

/* cmocka cuts what it prints at 1024 bytes, so the screen goes line by line. */
void pty_fail_at(struct pty *p, const char *file, int line, const char *fmt, ...)
{
	char *dump = pty_screen_dump(p);
	struct buf text = BUF_INIT;
	va_list ap;
	char *rest = dump;
	char *row;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	print_error("%s; the screen:\n", buf_str(&text));
	buf_fini(&text);
	while ((row = strsep(&rest, "\n")) != NULL)
		if (*row != '\0')
			print_error("%s\n", row);
	free(dump);
	_fail(file, line);
	abort(); /* _fail jumps out; its prototype does not say so */
}

/* --- end -------------------------------------------------------------------------------------- */

static void end_program(struct pty *p)
{
	int64_t deadline;

	kill(p->child.pid, SIGTERM);
	kill(p->child.pid, SIGCONT);
	deadline = clock_monotonic() + STOP_MS * sandbox_slowness() * CLOCK_NS_PER_MS;
	for (pty_pump(p); !p->child.ended && clock_monotonic() < deadline; pty_pump(p))
		wait_event(p, deadline);
	if (!p->child.ended)
		kill(p->child.pid, SIGKILL);
}

void pty_stop(struct pty *p)
{
	if (p == NULL)
		return;
	if (p->child.pid > 0 && !p->child.ended)
		end_program(p);
	child_fini(&p->child);
	if (p->master >= 0)
		close(p->master);
	if (p->slave >= 0)
		close(p->slave);
	if (p->vt != NULL)
		vterm_free(p->vt);
	if (p->home_is_ours)
		sandbox_remove_take(p->home);
	else
		free(p->home);
	buf_fini(&p->out);
	buf_fini(&p->raw);
	free(p);
}

/* --- what was sent, and what it leaves behind ------------------------------------------------- */

const char *pty_raw(struct pty *p, size_t *len)
{
	pty_pump(p);
	*len = p->raw.len;
	return buf_str(&p->raw);
}

void pty_assert_no_foreign_at(struct pty *p, unsigned allowed, const char *file, int line)
{
	char *foreign;
	char text[256];

	pty_pump(p);
	foreign = escapes_foreign(buf_str(&p->raw), p->raw.len, allowed);
	if (foreign == NULL)
		return;
	snprintf(text, sizeof(text), "%s", foreign);
	free(foreign);
	pty_fail_at(p, file, line, "the program sent a foreign %s", text);
}

static const struct {
	int mode;
	bool normal;
	const char *when_not;
} restored_modes[] = {
	{ 1, false, "the cursor keys are in application mode" },
	{ 7, true, "lines do not wrap" },
	{ 25, true, "the cursor is hidden" },
	{ 1000, false, "the mouse is reported" },
	{ 1002, false, "the mouse is reported" },
	{ 1003, false, "the mouse is reported" },
	{ 1049, false, "the alternate screen is shown" },
	{ 2004, false, "paste is bracketed" },
};

static bool pen_is_plain(struct pty *p)
{
	static const VTermAttr attrs[] = { VTERM_ATTR_BOLD, VTERM_ATTR_UNDERLINE,
		VTERM_ATTR_REVERSE, VTERM_ATTR_BLINK, VTERM_ATTR_ITALIC };
	VTermState *state = vterm_obtain_state(p->vt);
	VTermValue value;

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
		if (vterm_state_get_penattr(state, attrs[i], &value) && value.number != 0)
			return false;
	vterm_state_get_penattr(state, VTERM_ATTR_FOREGROUND, &value);
	if (!VTERM_COLOR_IS_DEFAULT_FG(&value.color))
		return false;
	vterm_state_get_penattr(state, VTERM_ATTR_BACKGROUND, &value);
	return VTERM_COLOR_IS_DEFAULT_BG(&value.color);
}

static void compare_termios(
	const struct termios *before, const struct termios *after, struct buf *wrong)
{
	if (before->c_lflag != after->c_lflag)
		buf_printf(wrong, "; termios local flags %#o, before %#o%s", after->c_lflag,
			before->c_lflag, (after->c_lflag & ICANON) == 0 ? " (raw mode)" : "");
	if (before->c_iflag != after->c_iflag)
		buf_printf(wrong, "; termios input flags %#o, before %#o", after->c_iflag,
			before->c_iflag);
	if (before->c_oflag != after->c_oflag)
		buf_printf(wrong, "; termios output flags %#o, before %#o", after->c_oflag,
			before->c_oflag);
	if (before->c_cflag != after->c_cflag)
		buf_printf(wrong, "; termios control flags %#o, before %#o", after->c_cflag,
			before->c_cflag);
	if (memcmp(before->c_cc, after->c_cc, sizeof(before->c_cc)) != 0)
		buf_add_str(wrong, "; termios control characters differ");
}

int pty_check_restored(struct pty *p, struct err *err)
{
	struct buf wrong = BUF_INIT;
	struct termios after;
	int ret = 0;

	pty_pump(p);
	for (size_t i = 0; i < sizeof(restored_modes) / sizeof(restored_modes[0]); i++)
		if (escapes_private_mode(buf_str(&p->raw), p->raw.len, restored_modes[i].mode,
			    restored_modes[i].normal) != restored_modes[i].normal)
			buf_printf(&wrong, "; %s", restored_modes[i].when_not);
	if (!pen_is_plain(p))
		buf_add_str(&wrong, "; a colour or attribute is still on");
	if (tcgetattr(p->slave, &after) != 0)
		buf_printf(&wrong, "; termios cannot be read: %s", strerror(errno));
	else
		compare_termios(&p->before, &after, &wrong);
	if (wrong.len > 0)
		ret = err_set(err, ERR_SYSTEM, "the terminal is not as it was: %s", wrong.data + 2);
	buf_fini(&wrong);
	return ret;
}

void pty_assert_restored_at(struct pty *p, const char *file, int line)
{
	struct err err = { 0 };

	if (pty_check_restored(p, &err) != 0)
		pty_fail_at(p, file, line, "%s", err.text);
}
