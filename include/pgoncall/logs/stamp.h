/*
 * The time that a program wrote at the beginning of its own line, in the ways that are common: it is
 * found so that no line shows two times, and so that lines of files have one.
 */
#ifndef PGONCALL_LOGS_STAMP_H
#define PGONCALL_LOGS_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/logs/split.h>

/* Bytes of the stamp with what parts it from the text, or 0. *has_time: it says its zone, and
 * *wall_ns is the moment; a stamp without a zone, or a date, leaves it false. Both may be NULL. */
size_t log_stamp_read(const char *text, size_t len, bool *has_time, int64_t *wall_ns);

/* Where a log is written that does not say its zone. */
struct log_zone {
	bool known;
	int east_s;         /* seconds east of Greenwich */
	int64_t changed_ns; /* when the file was written to last, by its clock; 0: not known */
	bool other;         /* its program writes UTC, though the place has another zone */
};

/* "+0100", as `date +%z` prints. False: it is nothing such, and *zone stays as it was. */
bool log_zone_read(const char *text, size_t len, struct log_zone *zone);
/* "+0900 SECONDS LINE": the place's zone, when the file was changed (`stat -c %Y`), and its last line
 * that begins with a date; both may be missing. Where the line was written at that time if it is of
 * UTC, and was not if it is of the place, it is of UTC. False: as above. */
bool log_zone_read_file(const char *text, size_t len, struct log_zone *zone);
/* As log_stamp_read; a stamp with a date and without a zone is of `local`, where that is known. */
size_t log_stamp_read_in(const char *text, size_t len, const struct log_zone *local, bool *has_time,
	int64_t *wall_ns);

/* "JOB<tab>STEP<tab>2025-01-27T10:00:00.1234567Z TEXT", as `gh run view --log` prints: takes the
 * time out and leaves "STEP: TEXT", made in `out`, in *raw. False: it is no such line. */
bool log_stamp_github(struct log_raw *raw, struct buf *out);

#endif
