/*
 * The file behind the prompt's history: plain text, a line an entry, appended as lines are entered,
 * so that two consoles and a crash lose nothing.
 */
#ifndef PGONCALL_UI_PROMPT_HISTORY_H
#define PGONCALL_UI_PROMPT_HISTORY_H

#include <pgoncall/base/str.h>

#define PROMPT_HISTORY_MAX                                                                         \
	1000 /* entries that are loaded; the file is cut when it has twice that */

/* Appends the newest entries to lines, oldest first; nothing where the file cannot be read. */
void prompt_history_load(const char *path, struct strlist *lines);
/* Adds a line; makes file (0600) and directories (0700). Failure only loses the history. */
void prompt_history_append(const char *path, const char *line);

#endif
