/*
 * Patterns over log lines: PCRE2, without regard to case unless the pattern holds a capital letter.
 * Every match has a limit, so that a pattern that would take for ever is found out at the first line
 * that shows it and can be refused with a sentence.
 */
#ifndef PGONCALL_LOGS_REGEX_H
#define PGONCALL_LOGS_REGEX_H

#include <stddef.h>

#include <pgoncall/base/err.h>

enum log_regex_result { LOG_REGEX_NO, LOG_REGEX_YES, LOG_REGEX_TOO_COSTLY };

struct log_regex;

/* 0, or -1 with what is wrong with the pattern and where. */
int log_regex_new(struct log_regex **regex, const char *pattern, struct err *err);
/* NULL is allowed. */
void log_regex_free(struct log_regex *regex);
const char *log_regex_pattern(const struct log_regex *regex);
/* Looks from byte `from` on. text must be valid UTF-8. *start and *end (bytes; may be NULL) are set on
 * LOG_REGEX_YES. */
enum log_regex_result log_regex_match(struct log_regex *regex, const char *text, size_t len,
	size_t from, size_t *start, size_t *end);
/* The sentence for LOG_REGEX_TOO_COSTLY. Returns -1. */
int log_regex_too_costly(const struct log_regex *regex, struct err *err);

#endif
