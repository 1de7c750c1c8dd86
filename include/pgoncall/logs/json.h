/*
 * A log line that is a JSON object, told readably: level and message first, then the other fields as
 * name=value. What stood escaped in the JSON (a \u001b) is foreign text again, and made safe here.
 */
#ifndef PGONCALL_LOGS_JSON_H
#define PGONCALL_LOGS_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>

/* Appends the readable form. False, and nothing, for a line that is no JSON object. */
bool log_json_readable(const char *text, size_t len, struct buf *out);
/* Calls fn for each field, in the line's order; name and value are safe. False as above. */
bool log_json_fields(const char *text, size_t len,
	void (*fn)(void *arg, const char *name, const char *value), void *arg);

#endif
