/*
 * One-dimensional arrays as PostgreSQL writes them in text form. Pure; private to db.
 */
#ifndef DB_ARRAY_H
#define DB_ARRAY_H

#include <pgoncall/base/buf.h>
#include <pgoncall/base/str.h>

/* Appends the elements of "{a,"b \"c\"",NULL}" to out (a NULL as ""); stops at what is malformed.
 * "" has no elements. */
void array_parse(const char *text, struct strlist *out);
/* Appends the array of these elements, each quoted. */
void array_format(const struct strlist *elements, struct buf *out);

#endif
