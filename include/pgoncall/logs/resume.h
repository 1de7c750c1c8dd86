/*
 * Going on with a log after its stream was cut: which lines were taken already. Where lines have
 * timestamps, by them; where not, by comparing what comes with the last lines that had come.
 */
#ifndef PGONCALL_LOGS_RESUME_H
#define PGONCALL_LOGS_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/logs/split.h>

/* --- lines with timestamps --- */

struct log_resume {
	struct {
		int64_t last_ns;  /* the newest; 0: none came */
		unsigned at_last; /* lines of just that time that came */
		int64_t until_ns; /* since the stream began again: lines before it are old */
		unsigned skip;    /* and so many of just that time */
	} of[2];                  /* stdout and stderr come apart */
};

/* The stream begins, or begins again. */
void log_resume_begin(struct log_resume *resume);
/* Whether the line is new; it is remembered. Lines without a time always are. */
bool log_resume_is_new(struct log_resume *resume, const struct log_raw *raw);
/* From when on to ask the log: a little before the newest line. 0: none came. */
int64_t log_resume_since(const struct log_resume *resume);
int64_t log_resume_last(const struct log_resume *resume);

/* --- lines without --- */

#define LOG_TAIL_LINES 32 /* last lines that are remembered */

struct log_tail {
	uint64_t hashes[LOG_TAIL_LINES];
	size_t n; /* lines ever remembered */
};

uint64_t log_tail_hash(const char *text, size_t len);
void log_tail_add(struct log_tail *tail, uint64_t hash);
/* How many of the fresh lines had come already: the most of them that end as the tail does. 0: the
 * tail is not among them, something may be missing. */
size_t log_tail_overlap(const struct log_tail *tail, const uint64_t *fresh, size_t n);

#endif
