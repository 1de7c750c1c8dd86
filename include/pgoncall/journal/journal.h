/*
 * Writing the journal, ahead of every act: one file of hash-chained JSON lines per incident,
 * INCIDENT.jsonl in a directory of mode 0700. The chain makes tampering evident, not impossible:
 * who can write the file can make a new chain, and lines cut off its end leave no trace in it;
 * compare the last hash with a copy kept elsewhere.
 */
#ifndef PGONCALL_JOURNAL_JOURNAL_H
#define PGONCALL_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/journal/record.h>

/* $XDG_STATE_HOME/pgoncall/journal when that is absolute, else ~/.local/state/pgoncall/journal. */
int journal_directory(struct buf *out, struct err *err);

/* "20250127T100000Z-prod-3fa9": moment, target (bytes outside A-Za-z0-9_.- become _), 4 random
 * hex. */
void journal_make_incident(const char *target, int64_t wall_ns, struct buf *out);

struct journal;

/* Makes directory and file as needed; with meta->incident set goes on in that file. The file is
 * locked while open: a second console gets an error. A last line that was cut off is left in place
 * and the chain goes on after it. A file whose chain is broken is refused. *meta is copied. */
int journal_open(const char *directory, const struct journal_meta *meta, struct journal **journal,
	struct err *err);
/* NULL is allowed. */
void journal_close(struct journal *journal);
/* The host key, database or role became known: from the next line on. NULL keeps what is there. */
void journal_update_meta(struct journal *journal, const struct journal_meta *meta);

const char *journal_incident(const struct journal *journal);
const char *journal_path(const struct journal *journal);
/* Hash of the last line: what to copy elsewhere. */
const char *journal_head(const struct journal *journal);
/* False once a write failed: from then on every write of the database is to be refused. */
bool journal_ok(const struct journal *journal);

/* Appends a record and returns its seq (> 0) only after it is on disk (fsync). On failure the file
 * is cut back to its last whole line, the journal is failed for good, and every later call says
 * so. */
int64_t journal_write(struct journal *journal, const struct journal_entry *entry, struct err *err);

#endif
