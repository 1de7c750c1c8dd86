/*
 * UTF-8: decoding that never trusts its input, display widths, and making foreign text safe to
 * show. Widths and categories come from utf8proc, so they do not depend on the locale.
 */
#ifndef PGONCALL_BASE_UTF8_H
#define PGONCALL_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>

/* Decodes the code point at s (len > 0 bytes there). Returns the bytes it takes, 1 to 4, or 0 when
 * the bytes are not UTF-8 (overlong, surrogate, beyond U+10FFFF, cut off); *cp is then the byte. */
size_t utf8_decode(const char *s, size_t len, uint32_t *cp);

/* Writes cp to out and returns the bytes written; U+FFFD for what is no code point. */
size_t utf8_encode(uint32_t cp, char out[4]);

/* Columns a printable code point takes: 0 (combining), 1 or 2. -1: not to be shown as it is
 * (controls, bidi overrides and isolates, other format characters, unassigned, private, surrogates). */
int utf8_width(uint32_t cp);

/* Columns of sanitised text. */
size_t utf8_columns(const char *s);

enum utf8_lines {
	UTF8_ONE_LINE,  /* runs of line breaks and tabs become one space */
	UTF8_MANY_LINES /* line feeds stay, tabs become spaces to the next multiple of 8 */
};

/* Appends s with everything dangerous made visible: C0 and DEL as ^X, C1 and format characters as
 * <U+0085>, bad bytes as <FF>. What it appends is valid UTF-8 that moves no cursor. */
void utf8_sanitise(struct buf *out, const char *s, size_t len, enum utf8_lines lines);

/* The same as a new string for the caller to free. */
char *utf8_sanitised_dup(const char *s, enum utf8_lines lines);

#endif
