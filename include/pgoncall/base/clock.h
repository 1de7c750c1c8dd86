/*
 * Time. Durations and moments are int64_t nanoseconds unless a name says _ms or _s. Monotonic
 * moments are for ages and timers; wall moments (since 1970, UTC) are for showing and for records.
 */
#ifndef PGONCALL_BASE_CLOCK_H
#define PGONCALL_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_NS_PER_S  INT64_C(1000000000)
#define CLOCK_NS_PER_MS INT64_C(1000000)

/* CLOCK_MONOTONIC. */
int64_t clock_monotonic(void);
/* CLOCK_REALTIME. */
int64_t clock_wall(void);
/* CLOCK_BOOTTIME: goes on while the machine sleeps; its lead over the monotonic clock is sleep. */
int64_t clock_boottime(void);

/* "0.4s" below ten seconds, then "48s", "12m04", "3h07", "5d02h"; "-" when negative. Returns out. */
char *clock_format_age(double seconds, char *out, size_t size);
/* The same in words for sentences: "4 s", "48 s", "12 min 4 s", "3 h 7 min", "5 d 2 h". */
char *clock_format_span(double seconds, char *out, size_t size);
/* "14:02:11", local time. */
char *clock_format_time(int64_t wall_ns, char *out, size_t size);
/* RFC 3339 in UTC with milliseconds: "2025-01-27T10:00:00.123Z". */
char *clock_format_rfc3339(int64_t wall_ns, char *out, size_t size);
/* Reads "500ms", "2s", "10m", "1h"; a bare number is seconds. 0 or -1; *ns is set only on success. */
int clock_parse_duration(const char *text, int64_t *ns);

#endif
