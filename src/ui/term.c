/*
 * The terminal by curses: taking and giving back, keys in, cells out. Styles become colour pairs
 * and attributes here. Colours are asked for as numbers below 16 unless a theme names more.
 */
#include <pgoncall/ui/term.h>

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/keys.h>

#include "term_restore.h"

/* Bracketed paste: the terminal says what was pasted, so that it cannot act as keys. */
#define TERM_PASTE_ON  "\033[?2004h"
#define TERM_PASTE_OFF "\033[?2004l"
#define TERM_KEY_BEGIN (KEY_MAX + 1)
#define TERM_KEY_END   (KEY_MAX + 2)

#define TERM_PAIRS_MAX 1024
#define TERM_COPY_MAX  74994 /* bytes; what common terminals take in one OSC 52 */
#define TERM_ESC_DELAY 25    /* ms until a lone Esc is believed to be one */

struct term_pair {
	int16_t fg, bg;
};

struct term {
	SCREEN *screen;
	FILE *in; /* a descriptor of our own on the terminal, so that stdin's flags stay */
	bool colour, ascii;
	bool fresh;       /* the next show paints everything */
	uint32_t pending; /* a key read too far, or KEY_CODE_NONE */
	struct cells shown;
	struct theme_style styles[THEME_N];
	struct term_pair pairs[TERM_PAIRS_MAX]; /* pair i + 1 */
	int n_pairs;
};

static const struct {
	int curses;
	uint32_t key;
} term_keys[] = {
	{ KEY_UP, KEY_CODE_UP },
	{ KEY_DOWN, KEY_CODE_DOWN },
	{ KEY_LEFT, KEY_CODE_LEFT },
	{ KEY_RIGHT, KEY_CODE_RIGHT },
	{ KEY_HOME, KEY_CODE_HOME },
	{ KEY_END, KEY_CODE_END },
	{ KEY_PPAGE, KEY_CODE_PAGE_UP },
	{ KEY_NPAGE, KEY_CODE_PAGE_DOWN },
	{ KEY_DC, KEY_CODE_DELETE },
	{ KEY_BACKSPACE, KEY_CODE_BACKSPACE },
	{ KEY_BTAB, KEY_CODE_BACKTAB },
	{ KEY_ENTER, KEY_CODE_ENTER },
	{ KEY_F(1), KEY_CODE_F1 },
	{ TERM_KEY_BEGIN, KEY_CODE_PASTE_BEGIN },
	{ TERM_KEY_END, KEY_CODE_PASTE_END },
};

/* --- taking and giving back ------------------------------------------------------------------ */

/* curses takes over these signals; they belong to the program's loop. */
static const int term_signals[] = { SIGINT, SIGTERM, SIGTSTP, SIGWINCH };
#define TERM_SIGNALS_N (sizeof(term_signals) / sizeof(term_signals[0]))

static SCREEN *term_new_screen(FILE *in)
{
	struct sigaction saved[TERM_SIGNALS_N];
	SCREEN *screen;
	size_t i;

	for (i = 0; i < TERM_SIGNALS_N; i++)
		sigaction(term_signals[i], NULL, &saved[i]);
	screen = newterm(NULL, stdout, in);
	for (i = 0; i < TERM_SIGNALS_N; i++)
		sigaction(term_signals[i], &saved[i], NULL);
	return screen;
}

static FILE *term_open_input(void)
{
	const char *name = ttyname(STDIN_FILENO);
	int fd = name ? open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC) : -1;
	FILE *in;

	if (fd < 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return NULL;
	in = fdopen(fd, "r");
	if (!in)
		close(fd);
	return in;
}

/* Past curses, which knows no such mode. Nothing is lost where it is not understood. */
static void term_send(const char *sequence)
{
	if (write(STDOUT_FILENO, sequence, strlen(sequence)) < 0)
		return;
}

static void term_set_modes(struct term *term, bool want_colour)
{
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	intrflush(stdscr, FALSE);
	leaveok(stdscr, FALSE);
	scrollok(stdscr, FALSE);
	set_escdelay(TERM_ESC_DELAY);
	define_key("\033[200~", TERM_KEY_BEGIN);
	define_key("\033[201~", TERM_KEY_END);
	term_send(TERM_PASTE_ON);
	curs_set(0);
	term->colour = false;
	if (want_colour && has_colors() && start_color() == OK && COLORS >= 8) {
		term->colour = true;
		use_default_colors();
	}
}

int term_start(struct term **out, const struct term_options *options, struct err *err)
{
	const char *name = getenv("TERM");
	struct termios modes;
	struct term *term;

	*out = NULL;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &modes) < 0)
		return err_set(err, ERR_SYSTEM,
			"the console needs a terminal on its input and output; "
			"without one use a command such as \"pgoncall check TARGET\"");
	term = mem_calloc(1, sizeof(*term));
	term->in = term_open_input();
	if (!term->in) {
		err_system(err, errno, "the terminal cannot be opened");
		free(term);
		return -1;
	}
	if (term_restore_is_known())
		term->screen = term_new_screen(term->in);
	if (!term->screen) {
		err_set(err, ERR_SYSTEM,
			"nothing is known about a terminal of type \"%s\"; set TERM to "
			"one that is installed here, for example TERM=xterm",
			name ? name : "");
		fclose(term->in);
		free(term);
		return -1;
	}
	term_restore_prepare(&modes);
	term_restore_arm(true);
	mem_set_fatal_hook(term_restore);
	term_set_modes(term, options->colour);
	term->ascii = options->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	term->fresh = true;
	cells_init(&term->shown, LINES, COLS, term->ascii);
	*out = term;
	return 0;
}

void term_stop(struct term *term)
{
	if (!term)
		return;
	curs_set(1);
	term_send(TERM_PASTE_OFF);
	endwin();
	term_restore_arm(false);
	mem_set_fatal_hook(NULL);
	delscreen(term->screen);
	fclose(term->in);
	cells_fini(&term->shown);
	free(term);
}

int term_fd(const struct term *term)
{
	return fileno(term->in);
}

void term_size(const struct term *term, int *rows, int *cols)
{
	(void)term;
	*rows = LINES;
	*cols = COLS;
}

bool term_is_ascii(const struct term *term)
{
	return term->ascii;
}

void term_resize(struct term *term)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		return;
	resizeterm(size.ws_row, size.ws_col);
	term->fresh = true;
}

void term_suspend(struct term *term)
{
	struct sigaction saved, deflt;

	memset(&deflt, 0, sizeof(deflt));
	deflt.sa_handler = SIG_DFL;
	curs_set(1);
	term_send(TERM_PASTE_OFF);
	endwin();
	term_restore_arm(false);
	sigaction(SIGTSTP, &deflt, &saved);
	kill(0, SIGTSTP);
	sigaction(SIGTSTP, &saved, NULL);
	term_restore_arm(true);
	term_resize(term);
	clearok(stdscr, TRUE);
	refresh();
	term_send(TERM_PASTE_ON);
	curs_set(0);
	term->fresh = true;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* One key as curses gives it, in our codes; KEY_CODE_NONE when there is none. */
static uint32_t term_read_key(void)
{
	wint_t wch;
	size_t i;
	int result;

	do {
		result = get_wch(&wch);
	} while (result == KEY_CODE_YES && wch == KEY_RESIZE);
	if (result == ERR)
		return KEY_CODE_NONE;
	if (result == KEY_CODE_YES) {
		for (i = 0; i < sizeof(term_keys) / sizeof(term_keys[0]); i++)
			if (term_keys[i].curses == (int)wch)
				return term_keys[i].key;
		return KEY_CODE_OTHER;
	}
	switch (wch) {
	case '\n':
		return KEY_CODE_ENTER;
	case '\b':
	case 0x7F:
		return KEY_CODE_BACKSPACE;
	case 0:
		return KEY_CODE_OTHER;
	default:
		return wch > 0x10FFFF ? KEY_CODE_OTHER : (uint32_t)wch;
	}
}

bool term_key(struct term *term, uint32_t *key)
{
	*key = term->pending;
	term->pending = KEY_CODE_NONE;
	if (*key == KEY_CODE_NONE)
		*key = term_read_key();
	if (*key != KEY_CODE_ESC)
		return *key != KEY_CODE_NONE;
	/* What follows Esc at once was typed with Alt; a second Esc and function keys were not. */
	term->pending = term_read_key();
	if (term->pending != KEY_CODE_NONE && term->pending != KEY_CODE_ESC &&
		(term->pending < KEY_CODE_UP || term->pending == KEY_CODE_BACKSPACE)) {
		*key = term->pending | KEY_CODE_META;
		term->pending = KEY_CODE_NONE;
	}
	return true;
}

void term_flush_input(struct term *term)
{
	term->pending = KEY_CODE_NONE;
	flushinp();
}

/* --- cells ----------------------------------------------------------------------------------- */

void term_set_theme(struct term *term, const struct theme *theme)
{
	memcpy(term->styles, theme->styles, sizeof(term->styles));
	term->fresh = true;
}

void term_redraw(struct term *term)
{
	term->fresh = true;
}

/* The number of a pair of colours, made when it is first needed; 0 where no more can be made. */
static int term_find_pair(struct term *term, int16_t fg, int16_t bg)
{
	int i;

	if (fg < 0 && bg < 0)
		return 0;
	for (i = 0; i < term->n_pairs; i++)
		if (term->pairs[i].fg == fg && term->pairs[i].bg == bg)
			return i + 1;
	if (term->n_pairs == TERM_PAIRS_MAX || term->n_pairs + 1 >= COLOR_PAIRS ||
		init_extended_pair(term->n_pairs + 1, fg, bg) == ERR)
		return 0;
	term->pairs[term->n_pairs].fg = fg;
	term->pairs[term->n_pairs].bg = bg;
	return ++term->n_pairs;
}

/* A colour this terminal has: bright ones become the plain ones where there are only eight. */
static int16_t term_colour(int16_t colour, attr_t *attrs, bool foreground)
{
	if (colour < COLORS)
		return colour;
	if (colour >= 16)
		return -1;
	if (foreground)
		*attrs |= A_BOLD;
	return (int16_t)(colour - 8);
}

/* The look of a cell: its element, the text's own colours over it, and then what lies over both. */
static attr_t term_cell_style(struct term *term, const struct cell *cell, int *pair)
{
	struct theme_style style = term->styles[cell->style];
	struct theme_style own = { cell->fg, cell->bg, cell->attrs };
	attr_t attrs = A_NORMAL;

	style = theme_style_over(style, own);
	if (cell->over)
		style = theme_style_over(style, term->styles[cell->over]);
	attrs |= style.attrs & THEME_BOLD ? A_BOLD : 0;
	attrs |= style.attrs & THEME_ATTR_DIM ? A_DIM : 0;
	attrs |= style.attrs & THEME_ITALIC ? A_ITALIC : 0;
	attrs |= style.attrs & THEME_UNDERLINE ? A_UNDERLINE : 0;
	attrs |= style.attrs & THEME_REVERSE ? A_REVERSE : 0;
	*pair = 0;
	if (term->colour) {
		style.fg = term_colour(style.fg, &attrs, true);
		style.bg = term_colour(style.bg, &attrs, false);
		*pair = term_find_pair(term, style.fg, style.bg);
	}
	return attrs;
}

/* curses counts columns by wcwidth. Where it disagrees with ours the rest of the row would shift,
 * so such a character is not sent. */
static void term_put_cell(struct term *term, int row, int col, const struct cell *cell, bool wide)
{
	wchar_t text[2 + CELL_MARKS] = { (wchar_t)cell->cp };
	int i, n = 1, pair;
	attr_t attrs = term_cell_style(term, cell, &pair);
	cchar_t out;

	if (wcwidth(text[0]) != (wide ? 2 : 1)) {
		text[0] = term->ascii ? L'?' : 0xFFFD;
		if (wcwidth(text[0]) != 1)
			text[0] = L'?';
	} else {
		for (i = 0; i < CELL_MARKS && cell->marks[i]; i++)
			if (wcwidth((wchar_t)cell->marks[i]) == 0)
				text[n++] = (wchar_t)cell->marks[i];
	}
	if (setcchar(&out, text, attrs, 0, &pair) == ERR)
		return;
	mvadd_wch(row, col, &out);
	if (wide && wcwidth(text[0]) == 1 && setcchar(&out, L" ", attrs, 0, &pair) == OK)
		mvadd_wch(row, col + 1, &out);
}

static void term_show_row(struct term *term, const struct cells *cells, int row, int from, int to)
{
	const struct cell *line = &cells->at[(size_t)row * (size_t)cells->cols];
	int col;

	for (col = from; col < to; col++)
		if (line[col].cp)
			term_put_cell(term, row, col, &line[col],
				col + 1 < cells->cols && !line[col + 1].cp);
}

void term_show(struct term *term, const struct cells *cells)
{
	int row, from, to;
	bool all =
		term->fresh || term->shown.rows != cells->rows || term->shown.cols != cells->cols;

	if (all) {
		cells_resize(&term->shown, cells->rows, cells->cols);
		erase();
		clearok(stdscr, TRUE);
		term->fresh = false;
	}
	for (row = 0; row < cells->rows; row++) {
		if (all)
			term_show_row(term, cells, row, 0, cells->cols);
		else if (cells_row_diff(&term->shown, cells, row, &from, &to))
			term_show_row(term, cells, row, from, to);
	}
	memcpy(term->shown.at, cells->at,
		(size_t)cells->rows * (size_t)cells->cols * sizeof(*cells->at));
	curs_set(cells->cursor_row >= 0 ? 1 : 0);
	move(cells->cursor_row >= 0 ? cells->cursor_row : cells->rows - 1,
		cells->cursor_row >= 0 ? cells->cursor_col : 0);
	refresh();
}

/* --- the clipboard --------------------------------------------------------------------------- */

static void term_add_base64(struct buf *out, const char *text, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t group;
	size_t i, j;

	for (i = 0; i < len; i += 3) {
		group = 0;
		for (j = 0; j < 3; j++)
			group = group << 8 | (i + j < len ? (unsigned char)text[i + j] : 0);
		for (j = 0; j < 4; j++)
			buf_add_char(out, i + j <= len ? digits[group >> (18 - 6 * j) & 63] : '=');
	}
}

int term_copy(struct term *term, const char *text, struct err *err)
{
	struct buf out = BUF_INIT;
	size_t len = strlen(text), at = 0;
	ssize_t put;

	(void)term;
	if (len > TERM_COPY_MAX)
		return err_set(err, ERR_REFUSED,
			"%zu bytes are more than a terminal takes for its "
			"clipboard (%d); write it to a file with w",
			len, TERM_COPY_MAX);
	buf_add_str(&out, "\033]52;c;");
	term_add_base64(&out, text, len);
	buf_add_str(&out, "\033\\");
	while (at < out.len) {
		put = write(STDOUT_FILENO, out.data + at, out.len - at);
		if (put < 0 && errno != EINTR && errno != EAGAIN)
			break;
		at += put > 0 ? (size_t)put : 0;
	}
	if (at < out.len)
		err_system(err, errno, "the terminal cannot be written to");
	put = at < out.len ? -1 : 0;
	buf_fini(&out);
	return (int)put;
}
