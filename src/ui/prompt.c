/*
 * The prompt on libedit. libedit insists on reading its keys itself, so el_wgets is a coroutine:
 * when its reader finds no key it switches back to us, and we go on when a key was fed. libedit
 * believes it owns a terminal (a pty made for it) and writes to /dev/null; what is seen is drawn
 * from its line buffer. The only file that knows libedit.
 */
#include <pgoncall/ui/prompt.h>

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <wchar.h>

#include <histedit.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/keys.h>
#include <pgoncall/ui/theme.h>

#include "prompt_history.h"

#if defined(__SANITIZE_ADDRESS__)
#define PROMPT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PROMPT_ASAN 1
#endif
#endif
#ifdef PROMPT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#define PROMPT_STACK (256u << 10)

struct prompt {
	EditLine *el;
	HistoryW *histories[PROMPT_KINDS];
	enum prompt_kind kind; /* of the line being edited */
	int master;            /* of the pty libedit believes to be its terminal */
	FILE *slave, *null;
	char *history_path; /* NULL: not kept */
	void (*complete)(void *arg, const char *line, struct strlist *words);
	void *arg;

	ucontext_t outside, inside;
	void *stack;               /* mapped, PROMPT_STACK bytes, its lowest page is a guard */
	const void *outside_stack; /* for the address sanitiser */
	size_t outside_size;
	void *outside_fake, *inside_fake;

	wchar_t *keys; /* fed and not yet read */
	size_t n_keys, cap_keys, next_key;
	bool open;      /* the coroutine is in el_wgets, or about to be */
	bool closing;   /* el_wgets shall end without a line */
	bool quitting;  /* the coroutine shall end */
	bool done;      /* el_wgets returned a line */
	bool after_esc; /* the last key was Esc (vi: twice cancels) */
	char *label;
	struct buf line;      /* finished, or as last drawn */
	struct strlist words; /* what Tab found, until the next key */
};

/* The private codes (C1, which no keyboard sends) for keys that are no characters. */
static const struct {
	uint32_t key;
	wchar_t code;
	const wchar_t *command;
} prompt_keys[] = {
	{ KEY_CODE_UP, 0x90, L"ed-prev-history" },
	{ KEY_CODE_DOWN, 0x91, L"ed-next-history" },
	{ KEY_CODE_LEFT, 0x92, L"ed-prev-char" },
	{ KEY_CODE_RIGHT, 0x93, L"ed-next-char" },
	{ KEY_CODE_HOME, 0x94, L"ed-move-to-beg" },
	{ KEY_CODE_END, 0x95, L"ed-move-to-end" },
	{ KEY_CODE_DELETE, 0x96, L"ed-delete-next-char" },
};
#define PROMPT_KEYS_N (sizeof(prompt_keys) / sizeof(prompt_keys[0]))

/* --- the coroutine --------------------------------------------------------------------------- */

/* From outside: runs the coroutine until it wants a key or has a line. */
static void prompt_resume(struct prompt *prompt)
{
#ifdef PROMPT_ASAN
	__sanitizer_start_switch_fiber(&prompt->outside_fake, prompt->stack, PROMPT_STACK);
#endif
	swapcontext(&prompt->outside, &prompt->inside);
#ifdef PROMPT_ASAN
	__sanitizer_finish_switch_fiber(prompt->outside_fake, NULL, NULL);
#endif
}

/* From inside: back to whoever resumed. */
static void prompt_pause(struct prompt *prompt)
{
#ifdef PROMPT_ASAN
	__sanitizer_start_switch_fiber(prompt->quitting ? NULL : &prompt->inside_fake,
		prompt->outside_stack, prompt->outside_size);
#endif
	swapcontext(&prompt->inside, &prompt->outside);
#ifdef PROMPT_ASAN
	__sanitizer_finish_switch_fiber(
		prompt->inside_fake, &prompt->outside_stack, &prompt->outside_size);
#endif
}

/* libedit's reader. 1: a key, 0: end of input. */
static int prompt_read(EditLine *el, wchar_t *key)
{
	struct prompt *prompt = NULL;

	el_wget(el, EL_CLIENTDATA, &prompt);
	while (prompt->next_key == prompt->n_keys && !prompt->closing)
		prompt_pause(prompt);
	if (prompt->closing)
		return 0;
	*key = prompt->keys[prompt->next_key++];
	if (prompt->next_key == prompt->n_keys)
		prompt->next_key = prompt->n_keys = 0;
	return 1;
}

static void prompt_take_line(struct prompt *prompt, const wchar_t *text, size_t len)
{
	char bytes[4];
	size_t i;

	buf_clear(&prompt->line);
	for (i = 0; i < len && text[i] != L'\n'; i++)
		buf_add(&prompt->line, bytes, utf8_encode((uint32_t)text[i], bytes));
}

static void prompt_main(unsigned high, unsigned low)
{
	struct prompt *prompt = (struct prompt *)(((uintptr_t)high << 16 << 16) | low);
	const wchar_t *text;
	int len;

#ifdef PROMPT_ASAN
	__sanitizer_finish_switch_fiber(NULL, &prompt->outside_stack, &prompt->outside_size);
#endif
	for (;;) {
		while (!prompt->open)
			prompt_pause(prompt);
		len = 0;
		text = el_wgets(prompt->el, &len);
		prompt->open = false;
		if (!prompt->closing) {
			prompt->done = text != NULL && len > 0;
			prompt_take_line(prompt, text, prompt->done ? (size_t)len : 0);
		}
	}
}

static int prompt_start_coroutine(struct prompt *prompt, struct err *err)
{
	uintptr_t self = (uintptr_t)prompt;
	void *stack = mmap(NULL, PROMPT_STACK, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return err_system(err, errno, "no memory for the command line");
	prompt->stack = stack;
	if (mprotect(stack, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE) < 0 ||
		getcontext(&prompt->inside) < 0)
		return err_system(err, errno, "the command line cannot be started");
	prompt->inside.uc_stack.ss_sp = stack;
	prompt->inside.uc_stack.ss_size = PROMPT_STACK;
	prompt->inside.uc_link = NULL;
	makecontext(&prompt->inside, (void (*)(void))prompt_main, 2, (unsigned)(self >> 16 >> 16),
		(unsigned)self);
	return 0;
}

/* --- completion ------------------------------------------------------------------------------ */

static size_t prompt_common(const struct strlist *words)
{
	size_t len = strlen(words->items[0]), i, j;

	for (i = 1; i < words->n; i++) {
		for (j = 0; j < len && words->items[i][j] == words->items[0][j]; j++)
			;
		len = j;
	}
	/* Not in the middle of a character. */
	while (len && ((unsigned char)words->items[0][len] & 0xC0) == 0x80)
		len--;
	return len;
}

static void prompt_insert_utf8(EditLine *el, const char *text, size_t len, bool space)
{
	wchar_t *wide = mem_calloc(len + 2, sizeof(*wide));
	size_t n = 0, used;
	uint32_t cp;

	while (len) {
		used = utf8_decode(text, len, &cp);
		if (used && utf8_width(cp) >= 0)
			wide[n++] = (wchar_t)cp;
		text += used ? used : 1;
		len -= used ? used : 1;
	}
	if (space)
		wide[n++] = L' ';
	if (n)
		el_winsertstr(el, wide);
	free(wide);
}

static unsigned char prompt_tab(EditLine *el, int key)
{
	struct strlist offered = { 0 };
	struct prompt *prompt = NULL;
	const LineInfoW *info;
	const char *word;
	size_t i, common;

	(void)key;
	el_wget(el, EL_CLIENTDATA, &prompt);
	info = el_wline(el);
	prompt_take_line(prompt, info->buffer, (size_t)(info->cursor - info->buffer));
	if (!prompt->complete || prompt->kind != PROMPT_COMMAND)
		return CC_ERROR;
	prompt->complete(prompt->arg, buf_str(&prompt->line), &offered);
	word = strrchr(buf_str(&prompt->line), ' ');
	word = word ? word + 1 : buf_str(&prompt->line);
	for (i = 0; i < offered.n; i++)
		if (str_starts(offered.items[i], word) &&
			!strlist_has(&prompt->words, offered.items[i]))
			strlist_add(&prompt->words, offered.items[i]);
	strlist_fini(&offered);
	if (!prompt->words.n)
		return CC_ERROR;
	common = prompt_common(&prompt->words);
	prompt_insert_utf8(el, prompt->words.items[0] + strlen(word), common - strlen(word),
		prompt->words.n == 1);
	if (prompt->words.n == 1)
		strlist_fini(&prompt->words);
	return CC_REFRESH;
}

/* --- making and ending ----------------------------------------------------------------------- */

static wchar_t *prompt_no_prompt(EditLine *el)
{
	static wchar_t none[] = L"";

	(void)el;
	return none;
}

static int prompt_open_pty(struct prompt *prompt, struct err *err)
{
	struct winsize size = { .ws_row = 24, .ws_col = 250 };
	int slave;

	if (openpty(&prompt->master, &slave, NULL, NULL, &size) < 0) {
		prompt->master = -1;
		return err_system(err, errno, "no pseudo-terminal for the command line");
	}
	fcntl(prompt->master, F_SETFD, FD_CLOEXEC);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	prompt->slave = fdopen(slave, "r+");
	if (!prompt->slave) {
		close(slave);
		return err_system(err, errno, "no pseudo-terminal for the command line");
	}
	prompt->null = fopen("/dev/null", "r+e");
	if (!prompt->null)
		return err_system(err, errno, "/dev/null cannot be opened");
	return 0;
}

/* After the operator's .editrc, so that our keys work whatever it binds. */
static void prompt_bind(struct prompt *prompt)
{
	wchar_t code[2] = { 0, 0 };
	size_t i;

	el_wset(prompt->el, EL_EDITMODE, 1);
	for (i = 0; i < PROMPT_KEYS_N; i++) {
		code[0] = prompt_keys[i].code;
		el_wset(prompt->el, EL_BIND, code, prompt_keys[i].command, NULL);
		el_wset(prompt->el, EL_BIND, L"-a", code, prompt_keys[i].command, NULL);
	}
	el_wset(prompt->el, EL_BIND, L"\t", L"pgoncall-complete", NULL);
}

static void prompt_enter_history(HistoryW *history, const char *line)
{
	size_t len = strlen(line), n = 0, used;
	wchar_t *wide = mem_calloc(len + 1, sizeof(*wide));
	HistEventW event;
	uint32_t cp;

	while (len) {
		used = utf8_decode(line, len, &cp);
		wide[n++] = (wchar_t)(used ? cp : 0xFFFD);
		line += used ? used : 1;
		len -= used ? used : 1;
	}
	history_w(history, &event, H_ENTER, wide);
	free(wide);
}

static int prompt_start_histories(struct prompt *prompt)
{
	struct strlist lines = { 0 };
	HistEventW event;
	size_t i;
	int kind;

	for (kind = 0; kind < PROMPT_KINDS; kind++) {
		prompt->histories[kind] = history_winit();
		if (!prompt->histories[kind])
			return -1;
		history_w(prompt->histories[kind], &event, H_SETSIZE, PROMPT_HISTORY_MAX);
		history_w(prompt->histories[kind], &event, H_SETUNIQUE, 1);
	}
	if (prompt->history_path)
		prompt_history_load(prompt->history_path, &lines);
	for (i = 0; i < lines.n; i++)
		prompt_enter_history(prompt->histories[PROMPT_COMMAND], lines.items[i]);
	strlist_fini(&lines);
	return 0;
}

static int prompt_start_libedit(struct prompt *prompt, const char *editrc, struct err *err)
{
	prompt->el = el_init("pgoncall", prompt->slave, prompt->slave, prompt->null);
	if (!prompt->el || prompt_start_histories(prompt) < 0)
		return err_set(err, ERR_SYSTEM, "the line editor (libedit) cannot be started");
	el_wset(prompt->el, EL_SETFP, 1, prompt->null);
	el_wset(prompt->el, EL_CLIENTDATA, prompt);
	el_wset(prompt->el, EL_PROMPT, prompt_no_prompt);
	el_wset(prompt->el, EL_EDITOR, L"emacs");
	el_wset(prompt->el, EL_HIST, history_w, prompt->histories[PROMPT_COMMAND]);
	el_wset(prompt->el, EL_GETCFN, prompt_read);
	el_wset(prompt->el, EL_ADDFN, L"pgoncall-complete", L"complete the word", prompt_tab);
	el_source(prompt->el, editrc);
	prompt_bind(prompt);
	return 0;
}

int prompt_new(struct prompt **out, const struct prompt_options *options, struct err *err)
{
	struct prompt *prompt = mem_calloc(1, sizeof(*prompt));

	*out = NULL;
	prompt->master = -1;
	prompt->complete = options->complete;
	prompt->arg = options->arg;
	prompt->history_path = mem_strdup_opt(options->history_path);
	prompt->label = mem_strdup("");
	if (prompt_open_pty(prompt, err) < 0 ||
		prompt_start_libedit(prompt, options->editrc, err) < 0 ||
		prompt_start_coroutine(prompt, err) < 0) {
		prompt_free(prompt);
		return -1;
	}
	*out = prompt;
	return 0;
}

void prompt_free(struct prompt *prompt)
{
	int kind;

	if (!prompt)
		return;
	if (prompt->stack) {
		if (prompt->inside.uc_stack.ss_sp) {
			prompt_close(prompt);
			prompt->quitting = true;
			prompt_resume(prompt);
		}
		munmap(prompt->stack, PROMPT_STACK);
	}
	if (prompt->el)
		el_end(prompt->el);
	for (kind = 0; kind < PROMPT_KINDS; kind++)
		if (prompt->histories[kind])
			history_wend(prompt->histories[kind]);
	if (prompt->slave)
		fclose(prompt->slave);
	if (prompt->null)
		fclose(prompt->null);
	if (prompt->master >= 0)
		close(prompt->master);
	buf_fini(&prompt->line);
	strlist_fini(&prompt->words);
	free(prompt->keys);
	free(prompt->label);
	free(prompt->history_path);
	free(prompt);
}

/* --- editing --------------------------------------------------------------------------------- */

void prompt_close(struct prompt *prompt)
{
	if (!prompt->open)
		return;
	prompt->closing = true;
	prompt->next_key = prompt->n_keys = 0;
	prompt_resume(prompt);
	prompt->closing = false;
	prompt->open = false;
	strlist_fini(&prompt->words);
}

void prompt_open(struct prompt *prompt, enum prompt_kind kind, const char *label)
{
	prompt_close(prompt);
	free(prompt->label);
	prompt->label = mem_strdup(label);
	buf_clear(&prompt->line);
	el_wset(prompt->el, EL_HIST, history_w, prompt->histories[kind]);
	prompt->kind = kind;
	prompt->done = prompt->after_esc = false;
	prompt->open = true;
	prompt_resume(prompt);
}

static void prompt_queue(struct prompt *prompt, wchar_t key)
{
	prompt->keys =
		mem_grow(prompt->keys, prompt->n_keys, &prompt->cap_keys, sizeof(*prompt->keys));
	prompt->keys[prompt->n_keys++] = key;
}

static bool prompt_is_vi(const struct prompt *prompt)
{
	const wchar_t *editor = NULL;

	return el_wget(prompt->el, EL_EDITOR, &editor) == 0 && editor && wcscmp(editor, L"vi") == 0;
}

static bool prompt_is_empty(const struct prompt *prompt)
{
	const LineInfoW *info = el_wline(prompt->el);

	return info->buffer == info->lastchar;
}

/* Keys that end the line without a result, whatever libedit would do with them. */
static bool prompt_is_cancel(struct prompt *prompt, uint32_t key)
{
	bool after_esc = prompt->after_esc;

	prompt->after_esc = key == KEY_CODE_ESC;
	if (key == KEY_CTRL('C'))
		return true;
	if (key == KEY_CTRL('D') || key == KEY_CODE_BACKSPACE)
		return prompt_is_empty(prompt);
	if (key != KEY_CODE_ESC)
		return false;
	return after_esc || !prompt_is_vi(prompt);
}

static void prompt_queue_key(struct prompt *prompt, uint32_t key)
{
	size_t i;

	if (key & KEY_CODE_META) {
		prompt_queue(prompt, KEY_CODE_ESC);
		key &= ~(uint32_t)KEY_CODE_META;
	}
	for (i = 0; i < PROMPT_KEYS_N; i++)
		if (prompt_keys[i].key == key)
			key = (uint32_t)prompt_keys[i].code;
	if (key == KEY_CODE_BACKSPACE)
		key = 0x7F;
	if (key == KEY_CODE_ENTER)
		key = '\n';
	if (key && key < KEY_CODE_UP)
		prompt_queue(prompt, (wchar_t)key);
}

enum prompt_status prompt_feed(struct prompt *prompt, uint32_t key)
{
	const char *line;

	if (!prompt->open)
		return PROMPT_CANCELLED;
	strlist_fini(&prompt->words);
	if (prompt_is_cancel(prompt, key)) {
		prompt_close(prompt);
		buf_clear(&prompt->line);
		return PROMPT_CANCELLED;
	}
	prompt_queue_key(prompt, key);
	prompt_resume(prompt);
	if (prompt->open)
		return PROMPT_EDITING;
	strlist_fini(&prompt->words);
	if (!prompt->done) {
		buf_clear(&prompt->line);
		return PROMPT_CANCELLED;
	}
	line = buf_str(&prompt->line);
	if (*line && *line != ' ') {
		prompt_enter_history(prompt->histories[prompt->kind], line);
		if (prompt->history_path && prompt->kind == PROMPT_COMMAND)
			prompt_history_append(prompt->history_path, line);
	}
	return PROMPT_DONE;
}

void prompt_insert(struct prompt *prompt, const char *text)
{
	size_t len = strlen(text), used;
	uint32_t cp;

	if (!prompt->open)
		return;
	while (len) {
		used = utf8_decode(text, len, &cp);
		if (used && utf8_width(cp) >= 0)
			prompt_queue(prompt, (wchar_t)cp);
		text += used ? used : 1;
		len -= used ? used : 1;
	}
	prompt_resume(prompt);
}

const char *prompt_line(struct prompt *prompt)
{
	const LineInfoW *info;

	if (prompt->open) {
		info = el_wline(prompt->el);
		prompt_take_line(prompt, info->buffer, (size_t)(info->lastchar - info->buffer));
	}
	return buf_str(&prompt->line);
}

/* --- drawing --------------------------------------------------------------------------------- */

int prompt_rows(const struct prompt *prompt)
{
	return prompt->words.n > 1 ? 2 : 1;
}

/* One character of the line as it is shown: controls as ^X, line feeds (libedit puts its own search
 * prompt behind one) as two spaces. Returns its columns. */
static int prompt_add_shown(struct buf *out, wchar_t key)
{
	size_t before = out->len;
	char bytes[4];
	size_t len = utf8_encode((uint32_t)key, bytes);

	if (key == L'\n')
		buf_add_str(out, "  ");
	else
		utf8_sanitise(out, bytes, len, UTF8_ONE_LINE);
	return out->len > before ? (int)utf8_columns(out->data + before) : 0;
}

static void prompt_draw_words(
	const struct prompt *prompt, struct cells *cells, struct cells_rect rect)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < prompt->words.n; i++)
		buf_printf(&text, "%s%s", i ? "  " : " ", prompt->words.items[i]);
	cells_put_fit(cells, rect, rect.rows - 2, 0, rect.cols, THEME_HINT_TEXT, buf_str(&text));
	buf_fini(&text);
}

void prompt_draw(struct prompt *prompt, struct cells *cells, struct cells_rect rect)
{
	const LineInfoW *info = el_wline(prompt->el);
	struct buf text = BUF_INIT;
	int row = rect.rows - 1, label, columns = 0, cursor = 0, shift = 0;
	struct cells_rect line;
	const wchar_t *at;

	if (rect.rows < 1 || !prompt->open)
		return;
	if (rect.rows >= 2 && prompt->words.n > 1)
		prompt_draw_words(prompt, cells, rect);
	line = (struct cells_rect){ rect.row + row, rect.col, 1, rect.cols };
	cells_fill(cells, line, THEME_PROMPT);
	label = cells_put(cells, line, 0, 0, THEME_PROMPT, prompt->label);
	for (at = info->buffer; at < info->lastchar; at++) {
		if (at == info->cursor)
			cursor = columns;
		columns += prompt_add_shown(&text, *at);
	}
	if (info->cursor >= info->lastchar)
		cursor = columns;
	line.col += label;
	line.cols -= label;
	if (cursor >= line.cols)
		shift = cursor - line.cols + 1;
	cells_put(cells, line, 0, -shift, THEME_PROMPT, buf_str(&text));
	if (shift)
		cells_put(cells, line, 0, 0, THEME_PROMPT, "…");
	cells->cursor_row = line.row;
	cells->cursor_col = line.col + cursor - shift;
	buf_fini(&text);
}
