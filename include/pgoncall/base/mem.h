/*
 * Allocation that never returns NULL: out of memory is fatal (nothing remote ever is).
 * What it returns is freed with free(3).
 */
#ifndef PGONCALL_BASE_MEM_H
#define PGONCALL_BASE_MEM_H

#include <stddef.h>

/* Called once before the program ends for want of memory, to restore the terminal. It must not
 * allocate. This is the one process-wide hook of the program. */
void mem_set_fatal_hook(void (*hook)(void));

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/* Zeroed array of n elements; overflow of n * size is fatal as well. */
void *mem_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *ptr, size_t n, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
/* NULL stays NULL. */
char *mem_strdup_opt(const char *s);
char *mem_printf(const char *fmt, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));
/* Overwrites with zeros in a way the compiler keeps. */
void mem_wipe(void *ptr, size_t size);

/* Grows *items so that one more of `size` bytes fits after n; *cap is in elements. */
void *mem_grow(void *items, size_t n, size_t *cap, size_t size) __attribute__((returns_nonnull));

#endif
