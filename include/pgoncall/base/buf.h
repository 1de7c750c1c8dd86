/*
 * A growable run of bytes. `data` is always followed by a NUL that `len` does not count, so it can
 * be read as a string when it holds no NUL itself.
 */
#ifndef PGONCALL_BASE_BUF_H
#define PGONCALL_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data;  /* owned; NULL until the first byte is added */
	size_t len;  /* bytes in use */
	size_t cap;  /* bytes allocated */
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void buf_init(struct buf *buf);
void buf_fini(struct buf *buf);
/* As buf_fini, after overwriting the bytes: for passwords. */
void buf_fini_wipe(struct buf *buf);
void buf_clear(struct buf *buf);
void buf_reserve(struct buf *buf, size_t extra);
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_str(struct buf *buf, const char *s);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *fmt, va_list ap);
/* Drops the first n bytes. */
void buf_consume(struct buf *buf, size_t n);
/* "" where nothing was added; never NULL. Valid until the next change. */
const char *buf_str(const struct buf *buf);
/* The bytes as a NUL-ended string for the caller to free; the buffer is empty afterwards. */
char *buf_steal(struct buf *buf);

#endif
