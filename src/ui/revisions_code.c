/*
 * A revision file in colours: words, strings, numbers and comments as the tokeniser of migrations tells
 * them apart, line by line with numbers.
 */
#include "revisions_impl.h"

#include <string.h>

#include <pgoncall/migrations/python.h>
#include <pgoncall/ui/theme.h>

static const char *const keywords[] = { "False", "None", "True", "and", "as", "assert", "async",
	"await", "break", "class", "continue", "def", "del", "elif", "else", "except", "finally",
	"for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or",
	"pass", "raise", "return", "try", "while", "with", "yield" };

struct coding {
	struct lines *out;
	int line; /* that is being added */
};

static void begin_line(struct coding *c)
{
	char number[16];

	snprintf(number, sizeof(number), "%4d  ", ++c->line);
	lines_begin(c->out, THEME_TEXT, 6);
	lines_add_run(c->out, THEME_DIM, number, strlen(number));
}

/* Text of one style, maybe over several lines. */
static void add_run(struct coding *c, unsigned style, const char *s, size_t len)
{
	const char *end = s + len, *stop;

	while (s < end) {
		stop = memchr(s, '\n', (size_t)(end - s));
		lines_add_run(c->out, style, s, (size_t)((stop ? stop : end) - s));
		if (!stop)
			return;
		begin_line(c);
		s = stop + 1;
	}
}

/* What stands between tokens: space and comments. */
static void add_gap(struct coding *c, const char *s, size_t len)
{
	const char *end = s + len, *hash, *stop;

	while (s < end) {
		hash = memchr(s, '#', (size_t)(end - s));
		add_run(c, THEME_TEXT, s, (size_t)((hash ? hash : end) - s));
		if (!hash)
			return;
		stop = memchr(hash, '\n', (size_t)(end - hash));
		stop = stop ? stop : end;
		add_run(c, THEME_CODE_COMMENT, hash, (size_t)(stop - hash));
		s = stop;
	}
}

static unsigned token_style(const struct py_token *token)
{
	size_t i;

	switch (token->kind) {
	case PY_STRING:
		return THEME_CODE_STRING;
	case PY_NUMBER:
		return THEME_CODE_NUMBER;
	case PY_NAME:
		for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
			if (py_is(token, keywords[i]))
				return THEME_CODE_KEYWORD;
		return THEME_TEXT;
	default:
		return THEME_TEXT;
	}
}

void revisions_add_code(struct lines *out, const char *text)
{
	struct coding c = { .out = out };
	const char *at = text, *end = text + strlen(text);
	struct py_tokens tokens;
	size_t i;

	while (end > text && end[-1] == '\n')
		end--;
	py_tokens_init(&tokens, text, (size_t)(end - text), NULL, 0);
	begin_line(&c);
	for (i = 0; i < tokens.n; i++) {
		if (tokens.items[i].kind == PY_NEWLINE || tokens.items[i].s < at)
			continue;
		add_gap(&c, at, (size_t)(tokens.items[i].s - at));
		add_run(&c, token_style(&tokens.items[i]), tokens.items[i].s, tokens.items[i].len);
		at = tokens.items[i].s + tokens.items[i].len;
	}
	add_gap(&c, at, (size_t)(end - at));
	py_tokens_fini(&tokens);
}
