/*
 * Reads and writes arrays in PostgreSQL's text form (manual, "Array Input and Output Syntax").
 */
#include "array.h"

#include <string.h>

#include <pgoncall/base/buf.h>

static const char *array_element(const char *s, struct buf *out)
{
	bool quoted = *s == '"';

	if (quoted)
		s++;
	while (*s && (quoted ? *s != '"' : *s != ',' && *s != '}')) {
		if (*s == '\\' && s[1])
			s++;
		buf_add_char(out, *s++);
	}
	if (quoted && *s == '"')
		s++;
	if (!quoted && strcmp(buf_str(out), "NULL") == 0)
		buf_clear(out);
	return s;
}

void array_parse(const char *text, struct strlist *out)
{
	struct buf element = BUF_INIT;

	if (*text++ != '{')
		return;
	while (*text && *text != '}') {
		buf_clear(&element);
		text = array_element(text, &element);
		strlist_add(out, buf_str(&element));
		if (*text == ',')
			text++;
		else if (*text != '}')
			break;
	}
	buf_fini(&element);
}

void array_format(const struct strlist *elements, struct buf *out)
{
	const char *s;
	size_t i;

	buf_add_char(out, '{');
	for (i = 0; i < elements->n; i++) {
		buf_add_str(out, i ? ",\"" : "\"");
		for (s = elements->items[i]; *s; s++) {
			if (*s == '"' || *s == '\\')
				buf_add_char(out, '\\');
			buf_add_char(out, *s);
		}
		buf_add_char(out, '"');
	}
	buf_add_char(out, '}');
}
