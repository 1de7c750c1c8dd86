/*
 * Turning what libpq and the server say into a class and a sentence. Pure; private to db.
 */
#ifndef DB_FAULT_H
#define DB_FAULT_H

#include <stdbool.h>

#include <pgoncall/base/err.h>
#include <pgoncall/db/conn.h>

/* Room for a SQLSTATE. */
#define DB_SQLSTATE_SIZE 6

/* Who was asked for what; for the sentences. Strings are never NULL but where it is said. */
struct fault_where {
	const char *host;
	int port;
	const char *dbname;
	const char *user;
	const char *password_source;  /* "PGPASSWORD", …; NULL: a file, or the operator */
	const char *passfile_refused; /* a password file that libpq does not read; or NULL */
	bool needs_password; /* libpq: asked for one, none found */
	bool was_up;
};

/*
 * From libpq's message of a failed or broken connection, written with PQERRORS_VERBOSE so that it
 * holds the SQLSTATE. Sets sqlstate ("" where there is none) and err; returns the class.
 */
enum db_fault fault_of_connection(const struct fault_where *where, const char *message,
	char sqlstate[DB_SQLSTATE_SIZE], struct err *err);

/* From the fields of an error a query got; detail may be NULL. Sets err. */
void fault_of_query(const char *sqlstate, const char *message, const char *detail, struct err *err);

#endif
