/*
 * Styled lines: adding, wrapping, drawing; see the header.
 */
#include <pgoncall/ui/lines.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ui/theme.h>

void lines_init(struct lines *lines)
{
	memset(lines, 0, sizeof(*lines));
}

void lines_fini(struct lines *lines)
{
	size_t i;

	for (i = 0; i < lines->n; i++) {
		free(lines->items[i].text);
		free(lines->items[i].styles);
	}
	free(lines->items);
	lines_init(lines);
}

static void lines_add_take(struct lines *lines, unsigned style, int hang, bool label, char *text)
{
	lines->items = mem_grow(lines->items, lines->n, &lines->cap, sizeof(*lines->items));
	lines->items[lines->n++] = (struct text_line){ text, style, hang, label, NULL };
}

void lines_add_blank(struct lines *lines)
{
	lines_add_take(lines, THEME_TEXT, 0, false, mem_strdup(""));
}

/* Adds clean text line by line: the first begins with `first`, the others with `indent` spaces. */
static void lines_add_many(struct lines *lines, unsigned style, int indent, bool label,
	const char *first, const char *text)
{
	char *clean = utf8_sanitised_dup(text, UTF8_MANY_LINES), *line = clean, *next;
	bool is_first = true;

	for (; line; line = next, is_first = false) {
		if ((next = strchr(line, '\n')))
			*next++ = '\0';
		if (next && !*next)
			next = NULL;
		lines_add_take(lines, style, indent, label && is_first,
			is_first ? mem_printf("%s%s", first, line)
				 : mem_printf("%*s%s", indent, "", line));
	}
	free(clean);
}

void lines_add(struct lines *lines, unsigned style, int indent, const char *text)
{
	char *first = mem_printf("%*s", indent, "");

	lines_add_many(lines, style, indent, false, first, text);
	free(first);
}

void lines_printf(struct lines *lines, unsigned style, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	lines_add(lines, style, 0, buf_str(&text));
	buf_fini(&text);
}

void lines_add_fact(
	struct lines *lines, unsigned style, int width, const char *name, const char *value)
{
	char *clean = utf8_sanitised_dup(name, UTF8_ONE_LINE);
	int pad = width - (int)utf8_columns(clean);
	char *first = mem_printf("%s%*s", clean, pad < 1 ? 1 : pad, "");

	lines_add_many(lines, style, width, true, first, value);
	free(first);
	free(clean);
}

void lines_begin(struct lines *lines, unsigned style, int hang)
{
	lines_add_take(lines, style, hang, false, mem_strdup(""));
	lines->items[lines->n - 1].styles = mem_calloc(1, 1);
}

void lines_add_run(struct lines *lines, unsigned style, const char *text, size_t len)
{
	struct text_line *line = &lines->items[lines->n - 1];
	size_t old = strlen(line->text), added;
	struct buf clean = BUF_INIT;

	utf8_sanitise(&clean, text, len, UTF8_ONE_LINE);
	added = clean.len;
	line->text = mem_realloc(line->text, old + added + 1, 1);
	memcpy(line->text + old, buf_str(&clean), added + 1);
	line->styles = mem_realloc(line->styles, old + added + 1, 1);
	memset(line->styles + old, (int)style, added);
	buf_fini(&clean);
}

/* The styles of a row: `hang` bytes of the line's own, then those of `len` bytes from `from` on. */
static void lines_copy_styles(
	struct lines *dst, const struct text_line *line, int hang, size_t from, size_t len)
{
	unsigned char *styles;

	if (!line->styles)
		return;
	styles = mem_calloc((size_t)hang + len + 1, 1);
	memset(styles, (int)line->style, (size_t)hang);
	memcpy(styles + hang, line->styles + from, len);
	dst->items[dst->n - 1].styles = styles;
}

/* Bytes of the next row of at most width columns: up to and with the last space that fits, else as
 * much of the word as fits. At least one character, so that it ends. */
static size_t lines_row(const char *text, int width)
{
	size_t len = strlen(text), at = 0, space = 0, used;
	int columns = 0, w;
	uint32_t cp;

	while (at < len) {
		used = utf8_decode(text + at, len - at, &cp);
		w = used ? utf8_width(cp) : 1;
		w = w < 0 ? 1 : w;
		used = used ? used : 1;
		if (columns + w > width && at > 0) {
			if (cp == ' ')
				return at + 1;
			return space ? space : at;
		}
		columns += w;
		at += used;
		if (cp == ' ' && columns > 0)
			space = at;
	}
	return len;
}

static bool lines_is_blank(const char *text, size_t len)
{
	return strspn(text, " ") >= len;
}

void lines_wrap(const struct lines *src, int width, struct lines *dst)
{
	const struct text_line *line;
	const char *rest;
	size_t i, len;
	int hang;

	for (i = 0; i < src->n; i++) {
		line = &src->items[i];
		rest = line->text;
		hang = line->hang < width / 2 ? line->hang : 2;
		len = lines_row(rest, width);
		/* A word too long to stand beside its label is broken there, not put below it. */
		if (rest[len] && lines_is_blank(rest, len))
			len = lines_row(rest + len, width - (int)len) + len;
		lines_add_take(dst, line->style, line->hang, line->label, mem_strndup(rest, len));
		lines_copy_styles(dst, line, 0, 0, len);
		while (*(rest += len)) {
			len = lines_row(rest, width - hang);
			lines_add_take(dst, line->style, hang, false,
				mem_printf("%*s%.*s", hang, "", (int)len, rest));
			lines_copy_styles(dst, line, hang, (size_t)(rest - line->text), len);
		}
	}
}

/* Run by run. */
static void lines_put_styled(
	const struct text_line *line, struct cells *cells, struct cells_rect rect, int row)
{
	size_t at = 0, end, len = strlen(line->text);
	int col = 0;

	while (at < len) {
		for (end = at + 1; end < len && line->styles[end] == line->styles[at]; end++)
			;
		col = cells_put_n(
			cells, rect, row, col, line->styles[at], line->text + at, end - at);
		at = end;
	}
}

void lines_draw(const struct lines *lines, struct cells *cells, struct cells_rect rect, size_t top)
{
	const struct text_line *line;
	struct cells_rect label;
	size_t i;
	int row;

	for (row = 0, i = top; row < rect.rows && i < lines->n; row++, i++) {
		line = &lines->items[i];
		if (line->styles)
			lines_put_styled(line, cells, rect, row);
		else
			cells_put(cells, rect, row, 0, line->style, line->text);
		if (!line->label)
			continue;
		label = rect;
		if (label.cols > line->hang)
			label.cols = line->hang;
		cells_put(cells, label, row, 0, THEME_HEADER, line->text);
	}
}

void lines_text(const struct lines *lines, struct buf *out)
{
	size_t i;

	for (i = 0; i < lines->n; i++) {
		buf_add_str(out, lines->items[i].text);
		buf_add_char(out, '\n');
	}
}
