/*
 * A name's addresses, looked up on a worker thread: libpq alone would wait for them. Private to db.
 */
#ifndef DB_RESOLVE_H
#define DB_RESOLVE_H

#include <stdbool.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>
#include <pgoncall/loop/loop.h>

struct resolve;

/* Whether the host is a name, and not an address, a socket directory or empty. */
bool resolve_is_name(const char *host);

/* addresses is valid until the callback returns; it is empty on failure. */
typedef void (*resolve_cb)(void *arg, const struct strlist *addresses, const struct err *err);

struct resolve *resolve_start(struct loop *loop, const char *host, resolve_cb cb, void *arg);
/* The callback does not come any more. Not after it came. */
void resolve_stop(struct resolve *resolve);

#endif
