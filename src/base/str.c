/*
 * Small things with strings; see the header.
 */
#include <pgoncall/base/str.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

void strlist_init(struct strlist *list)
{
	memset(list, 0, sizeof(*list));
}

void strlist_fini(struct strlist *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	strlist_init(list);
}

void strlist_add_take(struct strlist *list, char *s)
{
	/* Most lists have one string: that and the NULL. */
	if (!list->cap)
		list->items = mem_realloc(NULL, list->cap = 2, sizeof(*list->items));
	list->items = mem_grow(list->items, list->n + 1, &list->cap, sizeof(*list->items));
	list->items[list->n++] = s;
	list->items[list->n] = NULL;
}

void strlist_add_n(struct strlist *list, const char *s, size_t len)
{
	strlist_add_take(list, mem_strndup(s, len));
}

void strlist_add(struct strlist *list, const char *s)
{
	strlist_add_take(list, mem_strdup(s));
}

bool strlist_has(const struct strlist *list, const char *s)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strcmp(list->items[i], s) == 0)
			return true;
	return false;
}

void strlist_copy(struct strlist *to, const struct strlist *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		strlist_add(to, from->items[i]);
}

void strlist_add_words(struct strlist *list, const char *text)
{
	size_t len;

	while (*(text += strspn(text, " \t\r\n"))) {
		len = strcspn(text, " \t\r\n");
		strlist_add_n(list, text, len);
		text += len;
	}
}

bool str_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), tail = strlen(suffix);

	return len >= tail && strcmp(s + len - tail, suffix) == 0;
}

bool str_empty(const char *s)
{
	return !s || !*s;
}

bool str_contains_nocase(const char *s, const char *needle)
{
	return strcasestr(s, needle) != NULL;
}

char *str_trim(char *s)
{
	size_t len;

	while (isspace((unsigned char)*s))
		s++;
	len = strlen(s);
	while (len && isspace((unsigned char)s[len - 1]))
		s[--len] = '\0';
	return s;
}

int str_to_long(const char *s, long min, long max, long *out)
{
	char *end;
	long value;

	if (!*s || isspace((unsigned char)*s))
		return -1;
	errno = 0;
	value = strtol(s, &end, 10);
	if (errno || *end || value < min || value > max)
		return -1;
	*out = value;
	return 0;
}

int str_to_size(const char *s, size_t max, size_t *out)
{
	static const char units[] = "KMG";
	size_t digits = strspn(s, "0123456789"), factor = 1;
	const char *rest = s + digits, *unit;
	unsigned long value;

	if (!digits || digits > 12)
		return -1;
	value = strtoul(s, NULL, 10);
	rest += strspn(rest, " ");
	if (*rest && (unit = strchr(units, *rest & ~0x20)) && *unit) {
		factor = (size_t)1 << 10 * (unit - units + 1);
		rest++;
		if (strcmp(rest, "iB") == 0 || strcmp(rest, "B") == 0)
			rest = "";
	}
	if (*rest || value > max / factor)
		return -1;
	*out = value * factor;
	return 0;
}
