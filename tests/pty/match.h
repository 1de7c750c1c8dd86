/*
 * PCRE2 patterns over text, as tests use them: UTF-8, ^ and $ at line ends, ".*" within one line.
 */
#ifndef PGONCALL_TESTS_PTY_MATCH_H
#define PGONCALL_TESTS_PTY_MATCH_H

#include <stdbool.h>

/* A pattern that does not compile ends the test program: it is a mistake in the test. */
bool match_text(const char *text, const char *pattern);

/* The text of a group (0: all) of the first match; to be freed; NULL without a match. */
char *match_group_dup(const char *text, const char *pattern, int group);

#endif
