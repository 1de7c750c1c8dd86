/*
 * Small things with strings: slices, lists, trimming, comparing.
 */
#ifndef PGONCALL_BASE_STR_H
#define PGONCALL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

/* A list of owned strings. `items` is NULL-ended once something was added. */
struct strlist {
	char **items;
	size_t n;
	size_t cap;
};

void strlist_init(struct strlist *list);
void strlist_fini(struct strlist *list);
void strlist_add(struct strlist *list, const char *s);
void strlist_add_n(struct strlist *list, const char *s, size_t len);
/* Takes s, which must be from the heap. */
void strlist_add_take(struct strlist *list, char *s);
bool strlist_has(const struct strlist *list, const char *s);
void strlist_copy(struct strlist *to, const struct strlist *from);
/* Splits at runs of spaces and tabs and appends. */
void strlist_add_words(struct strlist *list, const char *text);

/* Both may be NULL; two NULLs are equal. */
bool str_equal(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_empty(const char *s); /* NULL counts as empty */
/* Case-insensitive search in ASCII. */
bool str_contains_nocase(const char *s, const char *needle);
/* Cuts white space at both ends in place; returns the first byte kept. */
char *str_trim(char *s);
/* Reads a whole decimal number in [min, max]; 0 or -1. */
int str_to_long(const char *s, long min, long max, long *out);

/* Reads an amount of bytes: "4096", "512K", "16M", "16MiB", "1G" (powers of 1024); 0 or -1. */
int str_to_size(const char *s, size_t max, size_t *out);

#endif
