/*
 * Allocation or death. Owns the fatal hook, which the terminal sets so that the screen is restored
 * before the message is printed.
 */
#include <pgoncall/base/mem.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*fatal_hook)(void);

void mem_set_fatal_hook(void (*hook)(void))
{
	fatal_hook = hook;
}

static void mem_fatal(void) __attribute__((noreturn));
static void mem_fatal(void)
{
	static const char text[] = "pgoncall: out of memory\n";
	void (*hook)(void) = fatal_hook;

	fatal_hook = NULL;
	if (hook)
		hook();
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(3);
	_exit(3);
}

void *mem_alloc(size_t size)
{
	void *ptr = malloc(size ? size : 1);

	if (!ptr)
		mem_fatal();
	return ptr;
}

void *mem_calloc(size_t n, size_t size)
{
	void *ptr = calloc(n ? n : 1, size ? size : 1);

	if (!ptr)
		mem_fatal();
	return ptr;
}

void *mem_realloc(void *ptr, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		mem_fatal();
	n *= size;
	ptr = realloc(ptr, n ? n : 1);
	if (!ptr)
		mem_fatal();
	return ptr;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = mem_alloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *mem_strdup_opt(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		mem_fatal();
	return text;
}

void mem_wipe(void *ptr, size_t size)
{
	if (ptr)
		explicit_bzero(ptr, size);
}

void *mem_grow(void *items, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return items;
	*cap = *cap ? *cap * 2 : 8;
	return mem_realloc(items, *cap, size);
}
