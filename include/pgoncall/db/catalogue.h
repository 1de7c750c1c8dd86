/*
 * Tables that keep book of migrations, found in the catalogue instead of being assumed: Alembic's
 * version tables, and the table of legacy SQL files with all columns that may name a file.
 */
#ifndef PGONCALL_DB_CATALOGUE_H
#define PGONCALL_DB_CATALOGUE_H

#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>
#include <pgoncall/db/conn.h>

/* Exactly one of names (valid until the callback returns) and err is given. */
typedef void (*db_version_tables_cb)(void *arg, const struct strlist *names, const struct err *err);

/* Tables that look like Alembic's, the likeliest first: NAME where the search path finds it, else
 * SCHEMA.NAME. */
void db_version_tables_ask(struct db_conn *conn, db_version_tables_cb cb, void *arg);

#define DB_BOOK_COLUMNS_MAX 16

/* A table that keeps book of files. n is 0 where there is no such table, or none with a fit column. */
struct db_book {
	char *table; /* "public.sql_migrations"; "" where there is none */
	struct {
		char *name;
		struct strlist values;  /* of all rows, in one order for all columns */
	} columns[DB_BOOK_COLUMNS_MAX]; /* the likeliest to name a file first */
	size_t n;
};

/* Exactly one of book (valid until the callback returns) and err is given. */
typedef void (*db_book_cb)(void *arg, const struct db_book *book, const struct err *err);

/* table: NAME, in the schema the search path finds, else in the only one that has it. Two round trips;
 * the second reads the table. conn must stay until the callback came. */
void db_book_ask(struct db_conn *conn, const char *table, db_book_cb cb, void *arg);

#endif
