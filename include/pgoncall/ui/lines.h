/*
 * Lines of styled text for dialogs and pages: made once from outside text (sanitised here), wrapped
 * to whatever width there is, drawn from any row on.
 */
#ifndef PGONCALL_UI_LINES_H
#define PGONCALL_UI_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/ui/cells.h>

struct text_line {
	char *text;     /* owned, sanitised, no line feed */
	unsigned style; /* enum theme_element */
	int hang;       /* columns later rows of a wrapped line are indented by */
	bool label;     /* the first `hang` columns are a label, drawn as a header */
	unsigned char *styles; /* of each byte of text, owned; NULL: all `style` */
};

struct lines {
	struct text_line *items;
	size_t n, cap;
};

void lines_init(struct lines *lines);
void lines_fini(struct lines *lines);
void lines_add_blank(struct lines *lines);
/* Outside text, many lines; each is indented by `indent` columns, also where it wraps. */
void lines_add(struct lines *lines, unsigned style, int indent, const char *text);
void lines_printf(struct lines *lines, unsigned style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "name      value", the value wrapped under itself from column `width` on. */
void lines_add_fact(
	struct lines *lines, unsigned style, int width, const char *name, const char *value);
/* Begins a line that is put together from runs of different styles; its own is that of what wraps. */
void lines_begin(struct lines *lines, unsigned style, int hang);
/* Appends outside text to the last line, in one line. */
void lines_add_run(struct lines *lines, unsigned style, const char *text, size_t len);
/* Appends src to dst, wrapped at spaces to `width` columns; a longer word is broken. */
void lines_wrap(const struct lines *src, int width, struct lines *dst);
/* Draws the lines from `top` on into rect, at its left edge. */
void lines_draw(const struct lines *lines, struct cells *cells, struct cells_rect rect, size_t top);
/* Appends the text, a line feed after each line. */
void lines_text(const struct lines *lines, struct buf *out);

#endif
