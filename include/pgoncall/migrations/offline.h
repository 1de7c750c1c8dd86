/*
 * Alembic's offline mode (`--sql`) for one revision: how to ask, and which part of the answer is that
 * revision's. Pure.
 */
#ifndef PGONCALL_MIGRATIONS_OFFLINE_H
#define PGONCALL_MIGRATIONS_OFFLINE_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/str.h>
#include <pgoncall/migrations/revision.h>

/* Appends the words after "alembic": "upgrade", "--sql", "--", "PARENT:ID". Of a merge the first parent
 * counts; what else it makes Alembic print is cut by migration_offline_part. */
void migration_offline_args(
	const struct migration_revision *revision, bool down, struct strlist *out);
/* Appends the lines from "-- Running upgrade … -> ID" to the next such, or as far as they are there
 * yet. Returns false, and appends all, where there is no such line. */
bool migration_offline_part(
	const char *text, size_t len, const char *id, bool down, struct buf *out);

#endif
