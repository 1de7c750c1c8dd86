/*
 * Writing the journal beside the console: a record is made durable by a worker, in the order in
 * which records were given, so that a disk that hangs does not freeze the screen. Who must not go on
 * before its record is on disk waits for `done`.
 */
#ifndef PGONCALL_APP_CONSOLE_JOURNAL_H
#define PGONCALL_APP_CONSOLE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/journal/journal.h>
#include <pgoncall/loop/loop.h>

struct recorder;

/* Of one incident; its file is made with the first record or recorder_open, or is that of the
 * incident that a meta names. Once one was named there is no other: what that file does not take, as
 * when another console holds it, fails. */
struct recorder *recorder_new(struct loop *loop);
/* No `done` is called any more. What was given is still written, then it frees itself: in loop_free
 * at the latest. NULL is allowed. */
void recorder_close(struct recorder *recorder);

/* Always once, from the loop, not from recorder_write itself: seq > 0 when the record is on disk; -1
 * with a sentence when it could not be written, or not within a second. err is NULL with a seq. */
typedef void (*recorder_done)(void *arg, int64_t seq, const struct err *err);

/* Copies meta and entry. An intent or an arming that was given up after the second, and came to the
 * disk all the same, is followed by a record that nothing was sent. `done` may be NULL. */
void recorder_write(struct recorder *recorder, const struct journal_meta *meta,
	const struct journal_entry *entry, recorder_done done, void *arg);
/* Only makes the file, when it is not there; seq is 1 then. */
void recorder_open(
	struct recorder *recorder, const struct journal_meta *meta, recorder_done done, void *arg);

/* Nothing has failed, and no record is overdue. */
bool recorder_ok(const struct recorder *recorder);
/* Name and path of the file; NULL before it is made. */
const char *recorder_incident(const struct recorder *recorder);
const char *recorder_path(const struct recorder *recorder);

#endif
