/*
 * What a string token of Python stands for: prefixes, escapes, and f-strings whose fields are plain
 * names. What it gives is valid UTF-8 without NUL.
 */
#include <pgoncall/migrations/python.h>

#include <stdint.h>
#include <string.h>

#include <pgoncall/base/utf8.h>

enum {
	FORMATTED_MAX =
		4096 /* bytes of an f-string with fields: names could make it grow without end */
};

struct reader {
	const char *s;
	const char *end;
	const struct py_names *names;
	struct buf *out;
	bool raw;
	bool formatted;
	bool bytes;
};

static void add_code_point(struct buf *out, uint32_t cp)
{
	char bytes[4];

	buf_add(out, bytes, utf8_encode(cp ? cp : 0xFFFD, bytes));
}

static int digit_value(char c, int base)
{
	int value = -1;

	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	return value < base ? value : -1;
}

/* At most max digits of the base. */
static uint32_t read_digits(struct reader *r, int base, int max)
{
	uint32_t value = 0;
	int digit;

	while (max-- > 0 && r->s < r->end && (digit = digit_value(*r->s, base)) >= 0) {
		value = value * (uint32_t)base + (uint32_t)digit;
		r->s++;
	}
	return value;
}

/* \N{NAME}: the name is not looked up. */
static void read_named(struct reader *r)
{
	const char *close = memchr(r->s, '}', (size_t)(r->end - r->s));

	if (r->s < r->end && *r->s == '{' && close)
		r->s = close + 1;
	add_code_point(r->out, 0xFFFD);
}

/* r->s is after the backslash, which is not the last byte. */
static void read_escape(struct reader *r)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	char c = *r->s++;
	const char *simple = c ? strchr(from, c) : NULL;

	if (simple) {
		buf_add_char(r->out, to[simple - from]);
	} else if (c == '\n') {
		return;
	} else if (c == '\r') {
		r->s += r->s < r->end && *r->s == '\n';
	} else if (digit_value(c, 8) >= 0) {
		r->s--;
		add_code_point(r->out, read_digits(r, 8, 3));
	} else if (c == 'x') {
		add_code_point(r->out, read_digits(r, 16, 2));
	} else if (c == 'u' && !r->bytes) {
		add_code_point(r->out, read_digits(r, 16, 4));
	} else if (c == 'U' && !r->bytes) {
		add_code_point(r->out, read_digits(r, 16, 8));
	} else if (c == 'N' && !r->bytes) {
		read_named(r);
	} else {
		r->s--;
		buf_add_char(r->out, '\\');
	}
}

/* "{name}", r->s after the "{". Any other field cannot be known. */
static bool read_field(struct reader *r)
{
	const struct py_value *value;
	const char *start, *close = memchr(r->s, '}', (size_t)(r->end - r->s));
	size_t len;

	if (!close || !r->names)
		return false;
	start = r->s + strspn(r->s, " ");
	len = (size_t)(close - start);
	while (len && start[len - 1] == ' ')
		len--;
	value = r->names->find(r->names, start, len);
	if (!value || value->type != PY_STR || r->out->len + value->weight > FORMATTED_MAX)
		return false;
	buf_add_str(r->out, value->str);
	r->s = close + 1;
	return true;
}

/* Stands for itself, wherever it stands. */
static bool is_ordinary(char c)
{
	return c > 0 && c < 0x7F && c != '\\' && c != '{' && c != '}' && c != '\r';
}

static void read_plain(struct reader *r)
{
	uint32_t cp;
	size_t used;

	if (*r->s == '\r') {
		r->s += r->s + 1 < r->end && r->s[1] == '\n' ? 2 : 1;
		buf_add_char(r->out, '\n');
		return;
	}
	for (used = 0; r->s + used < r->end && is_ordinary(r->s[used]); used++)
		;
	if (used) {
		buf_add(r->out, r->s, used);
		r->s += used;
		return;
	}
	used = utf8_decode(r->s, (size_t)(r->end - r->s), &cp);
	if (used && cp)
		buf_add(r->out, r->s, used);
	else
		add_code_point(r->out, 0xFFFD);
	r->s += used ? used : 1;
}

/* Sets r to what stands between the quotes. */
static void reader_init(struct reader *r, const struct py_token *token)
{
	const char *s = token->s;
	size_t quotes;

	for (; *s != '"' && *s != '\''; s++) {
		r->raw |= *s == 'r' || *s == 'R';
		r->bytes |= *s == 'b' || *s == 'B';
		r->formatted |= strchr("fFtT", *s) != NULL;
	}
	quotes = token->len - (size_t)(s - token->s) >= 6 && s[1] == *s && s[2] == *s ? 3 : 1;
	r->s = s + quotes;
	r->end = token->s + token->len - quotes;
}

enum py_type py_string_value(
	const struct py_token *token, const struct py_names *names, struct buf *out)
{
	struct reader r = { .names = names, .out = out };

	reader_init(&r, token);
	if (r.formatted && (*token->s == 't' || *token->s == 'T'))
		return PY_DYNAMIC;
	while (r.s < r.end) {
		if (*r.s == '\\' && !r.raw && r.s + 1 < r.end) {
			r.s++;
			read_escape(&r);
		} else if (r.formatted && (*r.s == '{' || *r.s == '}')) {
			if (r.s + 1 < r.end && r.s[1] == *r.s) {
				buf_add_char(out, *r.s);
				r.s += 2;
			} else {
				r.s++;
				if (r.s[-1] == '}' || !read_field(&r))
					return PY_DYNAMIC;
			}
		} else {
			read_plain(&r);
		}
	}
	return r.bytes ? PY_OTHER : PY_STR;
}
