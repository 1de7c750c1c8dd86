/*
 * An incident for people to read.
 */
#ifndef PGONCALL_JOURNAL_REPORT_H
#define PGONCALL_JOURNAL_REPORT_H

#include <pgoncall/base/buf.h>
#include <pgoncall/journal/log.h>

/* The incident's timeline in Markdown for the post-mortem: sorted by time, results beside their
 * intents, unknowns and breaks of the chain said. All foreign text is made safe. */
void journal_report(const struct journal_log *log, struct buf *out);

#endif
