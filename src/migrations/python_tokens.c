/*
 * Python source into tokens. Owns: where a token, a string and a logical line end. Does not own what
 * they mean, nor Python's grammar beyond brackets.
 */
#include <pgoncall/migrations/python.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

enum {
	BRACKETS_MAX = 200, /* Python's own bound */
	NESTING_MAX = 32    /* of strings in fields of f-strings */
};

struct lexer {
	struct py_tokens *out;
	const char *s; /* next byte */
	const char *end;
	int line;
	int column;      /* indentation of the physical line */
	bool line_start; /* no token of this logical line yet */
	int depth;
	struct {
		char open;
		int line;
	} brackets[BRACKETS_MAX];
};

/* What a byte can be in a name; all beyond ASCII can be in one. */
enum { NAME_CHAR = 1, NAME_START = 2 };

static const unsigned char name_bytes[256] = {
	['0' ... '9'] = NAME_CHAR,
	['A' ... 'Z'] = NAME_CHAR | NAME_START,
	['_'] = NAME_CHAR | NAME_START,
	['a' ... 'z'] = NAME_CHAR | NAME_START,
	[0x80 ... 0xFF] = NAME_CHAR | NAME_START,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
	return name_bytes[(unsigned char)c] & NAME_START;
}

static bool is_name_char(char c)
{
	return name_bytes[(unsigned char)c];
}

/* The byte `ahead` of the next, NUL beyond the end. */
static char peek(const struct lexer *lx, size_t ahead)
{
	return (size_t)(lx->end - lx->s) > ahead ? lx->s[ahead] : '\0';
}

static __attribute__((format(printf, 3, 4))) void fail(
	struct lexer *lx, int line, const char *fmt, ...)
{
	va_list ap;

	if (!lx->out->error_line) {
		va_start(ap, fmt);
		vsnprintf(lx->out->error, sizeof(lx->out->error), fmt, ap);
		va_end(ap);
		lx->out->error_line = line;
	}
	lx->s = lx->end;
}

static __attribute__((noinline)) void grow_tokens(struct py_tokens *out)
{
	struct py_token *items = out->items == out->room ? NULL : out->items;

	items = mem_grow(items, out->n, &out->cap, sizeof(*items));
	if (out->items == out->room && out->n)
		memcpy(items, out->room, out->n * sizeof(*items));
	out->items = items;
}

static inline void add_token(struct lexer *lx, enum py_kind kind, const char *s, int line, int depth)
{
	struct py_tokens *out = lx->out;
	struct py_token *token;

	if (out->n == out->cap)
		grow_tokens(out);
	token = &out->items[out->n++];
	token->s = s;
	token->len = (size_t)(lx->s - s);
	token->kind = kind;
	token->line = line;
	token->column = lx->column;
	token->depth = depth;
	lx->line_start = kind == PY_NEWLINE;
}

/* Steps over one line end (LF, CR or CRLF) if there is one here. */
static bool skip_line_end(struct lexer *lx)
{
	char c = peek(lx, 0);

	if (lx->s == lx->end || (c != '\n' && c != '\r'))
		return false;
	lx->s += c == '\r' && peek(lx, 1) == '\n' ? 2 : 1;
	lx->line++;
	return true;
}

/* --- strings --- */

static bool is_prefix_letter(char c)
{
	switch (c) {
	case 'r':
	case 'R':
	case 'b':
	case 'B':
	case 'u':
	case 'U':
	case 'f':
	case 'F':
	case 't':
	case 'T':
		return true;
	default:
		return false;
	}
}

/* Letters of a string prefix before a quote; 0 with *is_string false where no string begins. */
static size_t string_prefix(const struct lexer *lx, bool *is_string)
{
	size_t n = 0;
	char c;

	while (n < 3 && is_prefix_letter(peek(lx, n)))
		n++;
	c = peek(lx, n);
	*is_string = c == '"' || c == '\'';
	return *is_string ? n : 0;
}

static void skip_string(struct lexer *lx, size_t prefix, int nesting);

static bool at_quotes(const struct lexer *lx, char quote, int quotes)
{
	int i;

	for (i = 0; i < quotes; i++)
		if (peek(lx, (size_t)i) != quote)
			return false;
	return true;
}

/* After the colon of a field, up to its "}", which stays. */
static void skip_format_spec(struct lexer *lx, char quote, int quotes, int nesting);

/* A replacement field of an f-string; lx->s is after its "{", and afterwards after its "}". */
static void skip_field(struct lexer *lx, char quote, int quotes, int nesting)
{
	int open = 0, line = lx->line;
	bool is_string;
	size_t prefix;
	char c;

	if (nesting > NESTING_MAX) {
		fail(lx, line, "f-string: expressions nested too deeply");
		return;
	}
	while (lx->s < lx->end) {
		prefix = string_prefix(lx, &is_string);
		if (is_string) {
			skip_string(lx, prefix, nesting + 1);
			continue;
		}
		c = *lx->s;
		if (skip_line_end(lx))
			continue;
		if (is_name_start(c)) {
			while (lx->s < lx->end && is_name_char(*lx->s))
				lx->s++;
			continue;
		}
		if (c == '#') {
			while (lx->s < lx->end && *lx->s != '\n' && *lx->s != '\r')
				lx->s++;
			continue;
		}
		if (c == ':' && open == 0) {
			lx->s++;
			skip_format_spec(lx, quote, quotes, nesting);
			continue;
		}
		lx->s++;
		if (c == '}' && open == 0)
			return;
		open += c == '(' || c == '[' || c == '{';
		open -= open > 0 && (c == ')' || c == ']' || c == '}');
	}
	fail(lx, line, "f-string: expecting '}'");
}

static void skip_format_spec(struct lexer *lx, char quote, int quotes, int nesting)
{
	while (lx->s < lx->end && *lx->s != '}') {
		if (at_quotes(lx, quote, quotes)) {
			fail(lx, lx->line, "f-string: expecting '}'");
			return;
		}
		if (skip_line_end(lx))
			continue;
		if (*lx->s++ == '{')
			skip_field(lx, quote, quotes, nesting + 1);
	}
}

static void skip_backslash(struct lexer *lx, bool formatted, bool raw)
{
	lx->s++;
	if (skip_line_end(lx) || lx->s == lx->end)
		return;
	if (formatted && (*lx->s == '{' || *lx->s == '}'))
		return;
	if (formatted && !raw && *lx->s == 'N' && peek(lx, 1) == '{') {
		while (lx->s < lx->end && *lx->s != '}' && *lx->s != '\n')
			lx->s++;
		return;
	}
	lx->s++;
}

/* Nothing that a string's end depends on. */
static bool is_plain(char c, char quote)
{
	return c != quote && c != '\\' && c != '\n' && c != '\r' && c != '{';
}

/* lx->s is at the prefix; afterwards after the closing quotes. */
static void skip_string(struct lexer *lx, size_t prefix, int nesting)
{
	bool formatted = false, raw = false;
	int quotes, line = lx->line;
	char quote;

	for (; prefix; prefix--, lx->s++) {
		formatted |= strchr("fFtT", *lx->s) != NULL;
		raw |= *lx->s == 'r' || *lx->s == 'R';
	}
	quote = *lx->s;
	quotes = at_quotes(lx, quote, 3) ? 3 : 1;
	lx->s += quotes;
	while (lx->s < lx->end) {
		while (lx->s < lx->end && is_plain(*lx->s, quote))
			lx->s++;
		if (lx->s == lx->end)
			break;
		if (at_quotes(lx, quote, quotes)) {
			lx->s += quotes;
			return;
		}
		if (*lx->s == '\\') {
			skip_backslash(lx, formatted, raw);
		} else if (*lx->s == '\n' || *lx->s == '\r') {
			if (quotes == 1)
				break;
			skip_line_end(lx);
		} else if (formatted && *lx->s == '{') {
			lx->s++;
			if (peek(lx, 0) == '{')
				lx->s++;
			else
				skip_field(lx, quote, quotes, nesting);
		} else {
			lx->s++;
		}
	}
	fail(lx, line, "unterminated %sstring literal", quotes == 3 ? "triple-quoted " : "");
}

/* --- the rest --- */

static void skip_number(struct lexer *lx)
{
	bool hex = lx->s[0] == '0' && (peek(lx, 1) == 'x' || peek(lx, 1) == 'X');
	char c = '\0';

	for (; lx->s < lx->end; lx->s++) {
		if (is_name_char(*lx->s) || *lx->s == '.')
			c = *lx->s;
		else if ((*lx->s == '+' || *lx->s == '-') && !hex && (c == 'e' || c == 'E'))
			c = '\0';
		else
			break;
	}
}

/* Three bytes: "..." "**=" "//=" ">>=" "<<="; two: what ends in "=", doubles, "->". */
static size_t operator_len(const struct lexer *lx)
{
	char a = peek(lx, 0), b = peek(lx, 1), c = peek(lx, 2);

	if (a == ',' || (b != '=' && b != '>' && a != b))
		return 1;
	if (a == '.' && b == '.' && c == '.')
		return 3;
	if (a == b && a && strchr("*/<>", a))
		return c == '=' ? 3 : 2;
	if (b == '=' && strchr("+-*/%@&|^<>=!:", a))
		return 2;
	return a == '-' && b == '>' ? 2 : 1;
}

static void open_bracket(struct lexer *lx)
{
	if (lx->depth == BRACKETS_MAX) {
		fail(lx, lx->line, "too many nested parentheses");
		return;
	}
	lx->brackets[lx->depth].open = *lx->s;
	lx->brackets[lx->depth].line = lx->line;
	lx->s++;
	add_token(lx, PY_OP, lx->s - 1, lx->line, lx->depth);
	lx->depth++;
}

static void close_bracket(struct lexer *lx)
{
	char c = *lx->s, open = c == ')' ? '(' : c == ']' ? '[' : '{';

	if (!lx->depth) {
		fail(lx, lx->line, "unmatched '%c'", c);
	} else if (lx->brackets[lx->depth - 1].open != open) {
		fail(lx, lx->line,
			"closing parenthesis '%c' does not match opening parenthesis '%c'", c,
			lx->brackets[lx->depth - 1].open);
	} else {
		lx->depth--;
		lx->s++;
		add_token(lx, PY_OP, lx->s - 1, lx->line, lx->depth);
	}
}

static void scan_operator(struct lexer *lx)
{
	const char *start = lx->s;
	char c = *lx->s;

	switch (c) {
	case '(':
	case '[':
	case '{':
		open_bracket(lx);
		return;
	case ')':
	case ']':
	case '}':
		close_bracket(lx);
		return;
	case '=':
	case '.':
	case ',':
	case ':':
		break;
	default:
		if (strchr("+-*/%@&|^~<>!;", c) && (c != '!' || peek(lx, 1) == '='))
			break;
		if ((unsigned char)c < 0x20 || c == 0x7F)
			fail(lx, lx->line, "invalid non-printable character U+%04X", (unsigned)c);
		else
			fail(lx, lx->line, "invalid syntax: '%c'", c);
		return;
	}
	lx->s += operator_len(lx);
	add_token(lx, PY_OP, start, lx->line, lx->depth);
}

/* Blanks, comments, joined lines, and the ends of logical lines. Returns false at a token. */
static bool skip_space(struct lexer *lx)
{
	int line = lx->line;
	const char *start = lx->s;

	switch (*lx->s) {
	case ' ':
		for (; lx->s < lx->end && *lx->s == ' '; lx->s++)
			lx->column++;
		return true;
	case '\t':
		lx->column = (lx->column / 8 + 1) * 8;
		lx->s++;
		return true;
	case '\f':
		lx->column = 0;
		lx->s++;
		return true;
	case '#':
		while (lx->s < lx->end && *lx->s != '\n' && *lx->s != '\r')
			lx->s++;
		return true;
	case '\\':
		lx->s++;
		if (!skip_line_end(lx))
			fail(lx, line, "unexpected character after line continuation character");
		return true;
	case '\n':
	case '\r':
		skip_line_end(lx);
		if (!lx->depth && !lx->line_start)
			add_token(lx, PY_NEWLINE, start, line, 0);
		if (!lx->depth)
			lx->column = 0;
		return true;
	case '\0':
		fail(lx, line, "source code cannot contain null bytes");
		return true;
	default:
		return false;
	}
}

static void scan_token(struct lexer *lx)
{
	const char *start = lx->s;
	int line = lx->line;
	bool is_string;
	size_t prefix = string_prefix(lx, &is_string);

	if (is_string) {
		skip_string(lx, prefix, 0);
		if (!lx->out->error_line)
			add_token(lx, PY_STRING, start, line, lx->depth);
	} else if (is_digit(*start) || (*start == '.' && is_digit(peek(lx, 1)))) {
		skip_number(lx);
		add_token(lx, PY_NUMBER, start, line, lx->depth);
	} else if (is_name_start(*start)) {
		while (lx->s < lx->end && is_name_char(*lx->s))
			lx->s++;
		add_token(lx, PY_NAME, start, line, lx->depth);
	} else {
		scan_operator(lx);
	}
}

void py_tokens_init(struct py_tokens *tokens, const char *text, size_t len, struct py_token *room,
	size_t n_room)
{
	struct lexer lx = { .out = tokens, .s = text, .end = text + len, .line = 1 };
	int open;

	memset(tokens, 0, sizeof(*tokens));
	tokens->items = tokens->room = room;
	tokens->cap = room ? n_room : 0;
	lx.line_start = true;
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		lx.s += 3;
	if (len > PY_SOURCE_MAX)
		fail(&lx, 1, "the file is larger than %u MiB", PY_SOURCE_MAX >> 20);
	while (lx.s < lx.end)
		if (!skip_space(&lx))
			scan_token(&lx);
	if (lx.depth) {
		open = lx.depth - 1;
		fail(&lx, lx.brackets[open].line, "'%c' was never closed", lx.brackets[open].open);
	}
	if (!lx.line_start)
		add_token(&lx, PY_NEWLINE, lx.s, lx.line, 0);
}

void py_tokens_fini(struct py_tokens *tokens)
{
	if (tokens->items != tokens->room)
		free(tokens->items);
	memset(tokens, 0, sizeof(*tokens));
}

bool py_is_whole(const struct py_token *token, const char *what)
{
	size_t i;

	for (i = 0; i < token->len && what[i] && what[i] == token->s[i]; i++)
		;
	return i == token->len && !what[i];
}
