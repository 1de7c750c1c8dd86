/*
 * UTF-8 decoding, widths and the sanitiser for text that is not a log stream (queries, names,
 * messages). Log lines, whose SGR colours are kept as attributes, have their own in the logs layer,
 * built on the same decoder.
 */
#include <pgoncall/base/utf8.h>

#include <string.h>

#include <utf8proc.h>

#include <pgoncall/base/mem.h>

size_t utf8_decode(const char *s, size_t len, uint32_t *cp)
{
	utf8proc_int32_t value;
	utf8proc_ssize_t used;

	if (len && (unsigned char)*s < 0x80) {
		*cp = (unsigned char)*s;
		return 1;
	}
	used = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)(len > 4 ? 4 : len),
		&value);
	if (used <= 0 || value < 0) {
		*cp = (unsigned char)*s;
		return 0;
	}
	*cp = (uint32_t)value;
	return (size_t)used;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
	utf8proc_uint8_t bytes[4];
	utf8proc_ssize_t len;

	if (!utf8proc_codepoint_valid((utf8proc_int32_t)cp))
		cp = 0xFFFD;
	len = utf8proc_encode_char((utf8proc_int32_t)cp, bytes);
	memcpy(out, bytes, (size_t)len);
	return (size_t)len;
}

int utf8_width(uint32_t cp)
{
	if (cp < 0x20 || cp == 0x7F)
		return -1;
	if (cp < 0x7F)
		return 1;
	if (cp == 0xFFFD)
		return 1;
	switch (utf8proc_category((utf8proc_int32_t)cp)) {
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_CS:
	case UTF8PROC_CATEGORY_CO:
	case UTF8PROC_CATEGORY_CN:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return -1;
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_ME:
		return 0;
	default:
		return utf8proc_charwidth((utf8proc_int32_t)cp);
	}
}

size_t utf8_columns(const char *s)
{
	size_t len = strlen(s), columns = 0, used;
	uint32_t cp;
	int width;

	while (len) {
		used = utf8_decode(s, len, &cp);
		width = used ? utf8_width(cp) : 1;
		columns += width > 0 ? (size_t)width : 0;
		s += used ? used : 1;
		len -= used ? used : 1;
	}
	return columns;
}

static void utf8_add_break(struct buf *out, char c, enum utf8_lines lines, size_t *column)
{
	if (lines == UTF8_ONE_LINE) {
		if (out->len && out->data[out->len - 1] != ' ') {
			buf_add_char(out, ' ');
			++*column;
		}
	} else if (c == '\t') {
		do {
			buf_add_char(out, ' ');
		} while (++*column % 8);
	} else if (c == '\n') {
		buf_add_char(out, '\n');
		*column = 0;
	}
}

/* Bytes of printable ASCII here, which need no look at each. */
static size_t plain_run(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] >= 0x20 && s[n] < 0x7F)
		n++;
	return n;
}

void utf8_sanitise(struct buf *out, const char *s, size_t len, enum utf8_lines lines)
{
	size_t used, column = 0;
	uint32_t cp;

	while (len) {
		used = plain_run(s, len);
		if (used) {
			buf_add(out, s, used);
			column += used;
			s += used;
			len -= used;
			continue;
		}
		used = utf8_decode(s, len, &cp);
		if (!used) {
			buf_printf(out, "<%02X>", (unsigned)cp);
			column += 4;
			used = 1;
		} else if (cp == '\n' || cp == '\t' || (cp == '\r' && (lines == UTF8_ONE_LINE ||
								(len > 1 && s[1] == '\n')))) {
			utf8_add_break(out, (char)cp, lines, &column);
		} else if (cp < 0x20 || cp == 0x7F) {
			buf_printf(out, "^%c", (char)(cp ^ 0x40));
			column += 2;
		} else if (utf8_width(cp) < 0) {
			buf_printf(out, "<U+%04X>", (unsigned)cp);
			column += 8;
		} else {
			buf_add(out, s, used);
			column += (size_t)utf8_width(cp);
		}
		s += used;
		len -= used;
	}
}

char *utf8_sanitised_dup(const char *s, enum utf8_lines lines)
{
	struct buf out = BUF_INIT;

	utf8_sanitise(&out, s, strlen(s), lines);
	return buf_steal(&out);
}
