/*
 * Questions an operator types: what may be asked at all, and the statements behind `:tables` and
 * `:d TABLE`. A read-only transaction does not keep pg_terminate_backend from being called, so what
 * is called is looked at as well. Pure.
 */
#ifndef PGONCALL_DB_READ_H
#define PGONCALL_DB_READ_H

#include <stdbool.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>

/* Rows shown of an answer. */
#define DB_READ_ROWS_MAX 200

/*
 * 0 where the statement is of a kind that only reads (SELECT, WITH, VALUES, TABLE, SHOW, EXPLAIN);
 * *cursor: it can be read through a cursor. Appends the names that are called like functions. -1 with
 * ERR_REFUSED and the reason. Whether these functions only read is the server's to say:
 * db_read_volatile.
 */
int db_read_check(const char *sql, bool *cursor, struct strlist *functions, struct err *err);

/* $1 an array of names: those of them that are functions which may do more than read. */
extern const char db_read_volatile[];
/* Tables of the database with the estimates of the last ANALYZE. */
extern const char db_read_tables[];
/* $1 NAME, $2 schema or "" (by search_path): rows of (what, name, detail) of one table. */
extern const char db_read_table[];

/* Appends an array literal of the names. */
void db_read_array(const struct strlist *names, struct buf *out);

#endif
