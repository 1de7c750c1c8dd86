/*
 * What `journalctl --output=json` prints (systemd's Journal JSON Format): one object a line, which
 * tells time and priority beside the message. A message of several lines becomes as many lines.
 */
#ifndef PGONCALL_LOGS_JOURNAL_H
#define PGONCALL_LOGS_JOURNAL_H

#include <stdbool.h>

#include <pgoncall/logs/split.h>

#define LOG_JOURNAL_LINE_MAX (1u << 20) /* bytes of one entry as JSON that are kept */

/* Calls fn for each line of the entry in *raw. False: it is none; show it as it is. */
bool log_journal_entry(const struct log_raw *raw, log_raw_fn *fn, void *arg);

#endif
