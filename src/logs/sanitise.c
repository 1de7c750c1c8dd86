/*
 * A raw line into safe text with attributes. Owns: what is dropped, what is made visible, what is
 * kept. Where a line begins and ends is split.c's, its level level.c's.
 *
 * Escape sequences by ECMA-48: CSI ends at its final byte; OSC, DCS, SOS, PM and APC end at ST or
 * BEL. One that the line cuts off is not one: its introducer is made visible and the rest is text, so
 * that nothing can hide what follows.
 */
#include <pgoncall/logs/sanitise.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/logs/match.h>
#include <pgoncall/logs/sgr.h>

enum {
	TAB_WIDTH = 8,
	SEQUENCE_MAX = 4096, /* bytes of an escape sequence; a longer one is text */
	BOOKKEEPING = 32,    /* bytes of a line's allocation and of its place in the order, about */
	MARKS_MAX = 4        /* combining marks kept in a row */
};

/* What an introducer begins, by the byte after ESC; the C1 control is that byte + 0x40. */
enum sequence { SEQUENCE_NONE, SEQUENCE_CSI, SEQUENCE_STRING };

struct sanitiser {
	const char *s;
	size_t len; /* bytes left */
	struct buf text;
	struct log_span *spans;
	size_t n_spans;
	size_t cap_spans;
	struct log_attr attr;
	size_t attr_start; /* of the text that has attr */
	size_t column;
	int marks; /* combining marks in a row, up to here */
	const char
		*terminator; /* the next of a string sequence, the end, or NULL: not looked for */
};

static enum sequence sequence_kind(char after_escape)
{
	switch (after_escape) {
	case '[':
		return SEQUENCE_CSI;
	case 'P': /* DCS */
	case 'X': /* SOS */
	case ']': /* OSC */
	case '^': /* PM */
	case '_': /* APC */
		return SEQUENCE_STRING;
	default:
		return SEQUENCE_NONE;
	}
}

static bool attr_is_default(const struct log_attr *attr)
{
	return !attr->fg && !attr->bg && !attr->flags;
}

static bool attr_equal(const struct log_attr *a, const struct log_attr *b)
{
	return a->fg == b->fg && a->bg == b->bg && a->flags == b->flags;
}

/* Ends the run of text under the attribute that holds. */
static void end_span(struct sanitiser *z)
{
	struct log_span *last = z->n_spans ? &z->spans[z->n_spans - 1] : NULL;

	if (z->text.len > z->attr_start && !attr_is_default(&z->attr)) {
		if (last && last->end == z->attr_start && attr_equal(&last->attr, &z->attr)) {
			last->end = (uint32_t)z->text.len;
		} else if (z->n_spans < LOG_SPANS_MAX) {
			z->spans = mem_grow(z->spans, z->n_spans, &z->cap_spans, sizeof(*z->spans));
			z->spans[z->n_spans++] = (struct log_span){ (uint32_t)z->attr_start,
				(uint32_t)z->text.len, z->attr };
		}
	}
	z->attr_start = z->text.len;
}

static void set_attr(struct sanitiser *z, const char *params, size_t len)
{
	struct log_attr attr = z->attr;

	log_sgr_apply(&attr, params, len);
	if (attr_equal(&attr, &z->attr))
		return;
	end_span(z);
	z->attr = attr;
}

static void add_text(struct sanitiser *z, const char *s, size_t len, int columns)
{
	buf_add(&z->text, s, len);
	z->column += (size_t)columns;
}

static void skip(struct sanitiser *z, size_t n)
{
	z->s += n;
	z->len -= n;
}

/* --- escape sequences --- */

/* CSI: parameter bytes 0x30-0x3F, intermediate bytes 0x20-0x2F, a final byte 0x40-0x7E. `at` is
 * after the introducer. Returns the bytes of the whole, 0 when it does not end so. */
static size_t csi_len(const struct sanitiser *z, size_t at, size_t *params_end)
{
	size_t max = z->len < SEQUENCE_MAX ? z->len : SEQUENCE_MAX;

	while (at < max && z->s[at] >= 0x30 && z->s[at] <= 0x3F)
		at++;
	*params_end = at;
	while (at < max && z->s[at] >= 0x20 && z->s[at] <= 0x2F)
		at++;
	return at < max && z->s[at] >= 0x40 && z->s[at] <= 0x7E ? at + 1 : 0;
}

/* The bytes of a string terminator at s: BEL, ESC \ or the C1 control ST (U+009C); 0 for none. */
static size_t terminator_len(const char *s, const char *end)
{
	if (*s == '\a')
		return 1;
	if (end - s > 1 && ((*s == '\x1b' && s[1] == '\\') || (*s == '\xC2' && s[1] == '\x9C')))
		return 2;
	return 0;
}

/* A string sequence up to its terminator. Where the next terminator stands is remembered, so that a
 * line full of introducers is still read in linear time. */
static size_t string_len(struct sanitiser *z, size_t at)
{
	const char *end = z->s + z->len;
	size_t len;

	if (!z->terminator || z->terminator < z->s + at)
		for (z->terminator = z->s + at; z->terminator < end; z->terminator++)
			if (terminator_len(z->terminator, end))
				break;
	if (z->terminator >= end)
		return 0;
	len = (size_t)(z->terminator - z->s) + terminator_len(z->terminator, end);
	return len <= SEQUENCE_MAX ? len : 0;
}

/* At an introducer of `intro` bytes that begins a sequence of this kind. False: it does not end. */
static bool take_sequence(struct sanitiser *z, enum sequence kind, size_t intro)
{
	size_t len, params_end = 0;

	len = kind == SEQUENCE_CSI ? csi_len(z, intro, &params_end) : string_len(z, intro);
	if (!len)
		return false;
	if (kind == SEQUENCE_CSI && z->s[len - 1] == 'm' && params_end == len - 1)
		set_attr(z, z->s + intro, params_end - intro);
	skip(z, len);
	return true;
}

/* ESC with intermediate bytes and a final byte: character sets, cursor saving, reset. */
static bool take_short_escape(struct sanitiser *z)
{
	size_t at = 1;

	while (at < z->len && at < 8 && z->s[at] >= 0x20 && z->s[at] <= 0x2F)
		at++;
	if (at >= z->len || z->s[at] < 0x30 || z->s[at] > 0x7E)
		return false;
	skip(z, at + 1);
	return true;
}

static bool take_escape(struct sanitiser *z)
{
	enum sequence kind = z->len > 1 ? sequence_kind(z->s[1]) : SEQUENCE_NONE;

	return kind ? take_sequence(z, kind, 2) : take_short_escape(z);
}

/* --- characters --- */

static void add_tab(struct sanitiser *z)
{
	do {
		add_text(z, " ", 1, 1);
	} while (z->column % TAB_WIDTH);
}

/* Joiners and marks that show nothing and change no order: emoji are made with them. */
static bool is_harmless(uint32_t cp)
{
	return cp == 0xAD || (cp >= 0x200B && cp <= 0x200D) || cp == 0x2060 || cp == 0xFEFF;
}

/* A character of its own, or a mark on the one before; a pile of marks would spill into other rows. */
static void add_printable(struct sanitiser *z, size_t len, int width)
{
	z->marks = width ? 0 : z->marks + 1;
	if (z->marks <= MARKS_MAX)
		add_text(z, z->s, len, width);
}

static void take_character(struct sanitiser *z)
{
	size_t before = z->text.len, used;
	enum sequence kind;
	uint32_t cp;
	int width;

	used = utf8_decode(z->s, z->len, &cp);
	if (used && cp >= 0x80 && cp <= 0x9F) {
		kind = sequence_kind((char)(cp - 0x40));
		if (kind && take_sequence(z, kind, used))
			return;
	}
	width = utf8_width(cp);
	if (used && width >= 0) {
		add_printable(z, used, width);
	} else if (cp == '\t') {
		add_tab(z);
	} else {
		if (!used)
			buf_printf(&z->text, "<%02X>", (unsigned)cp);
		else if (cp < 0x20 || cp == 0x7F)
			buf_printf(&z->text, "^%c", (char)(cp ^ 0x40));
		else if (!is_harmless(cp))
			buf_printf(&z->text, "<U+%04X>", (unsigned)cp);
		z->column += z->text.len - before;
	}
	skip(z, used ? used : 1);
}

/* Most text by far: a run of printable ASCII goes over in one piece. */
static size_t take_ascii(struct sanitiser *z)
{
	size_t n = 0;

	while (n < z->len && (unsigned char)z->s[n] - 0x20u < 0x5Fu)
		n++;
	if (n) {
		z->marks = 0;
		add_text(z, z->s, n, (int)n);
		skip(z, n);
	}
	return n;
}

/* --- the line --- */

/* Spans and text go into one block. */
static void pack(struct log_line *line, struct sanitiser *z)
{
	size_t spans_size = z->n_spans * sizeof(*line->spans);
	char *block = mem_alloc(spans_size + z->text.len + 1);

	if (z->n_spans)
		memcpy(block, z->spans, spans_size);
	memcpy(block + spans_size, buf_str(&z->text), z->text.len + 1);
	line->spans = (struct log_span *)(void *)block;
	line->n_spans = (uint32_t)z->n_spans;
	line->text = block + spans_size;
	line->len = (uint32_t)z->text.len;
}

void log_line_init(
	struct log_line *line, const struct log_raw *raw, uint16_t source, int64_t arrived_ns)
{
	struct sanitiser z = { .s = raw->text, .len = raw->len };
	struct log_match match;

	memset(line, 0, sizeof(*line));
	while (z.len && z.text.len < LOG_TEXT_MAX)
		if (!take_ascii(&z) && (*z.s != '\x1b' || !take_escape(&z)))
			take_character(&z);
	end_span(&z);
	pack(line, &z);
	line->cut = raw->cut + z.len;
	line->own_time = raw->has_time;
	line->time_ns = raw->has_time ? raw->time_ns : arrived_ns;
	line->stream = raw->stream;
	line->source = source;
	line->level = raw->level ? raw->level : log_level_detect(line->text, line->len);
	if (log_match_line(line->text, line->len, &match)) {
		line->match = match.kind;
		if (match.error)
			line->level = LOG_LEVEL_ERROR;
	}
	free(z.spans);
	buf_fini(&z.text);
}

void log_line_fini(struct log_line *line)
{
	free(line->spans);
	memset(line, 0, sizeof(*line));
}

size_t log_line_size(const struct log_line *line)
{
	return sizeof(*line) + BOOKKEEPING + line->n_spans * sizeof(*line->spans) + line->len + 1;
}

void log_line_note(
	struct log_line *line, enum log_line_kind kind, int64_t time_ns, const char *fmt, ...)
{
	struct log_raw raw = { .has_time = true, .time_ns = time_ns };
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	raw.text = buf_str(&text);
	raw.len = text.len;
	log_line_init(line, &raw, 0, time_ns);
	line->kind = (uint8_t)kind;
	line->match = LOG_MATCH_NONE;
	line->level = LOG_LEVEL_UNKNOWN;
	buf_fini(&text);
}
