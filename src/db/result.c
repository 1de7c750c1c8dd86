/*
 * Reading a query's result without libpq's types. Owns nothing: the connection frees the result
 * after the callback.
 */
#include <pgoncall/db/conn.h>

#include "result.h"

#include <libpq-fe.h>

#include <pgoncall/base/str.h>

size_t db_result_rows(const struct db_result *result)
{
	return (size_t)PQntuples(result->pg);
}

size_t db_result_cols(const struct db_result *result)
{
	return (size_t)PQnfields(result->pg);
}

const char *db_result_column(const struct db_result *result, size_t col)
{
	const char *name = col < db_result_cols(result) ? PQfname(result->pg, (int)col) : NULL;

	return name ? name : "";
}

static bool result_has(const struct db_result *result, size_t row, size_t col)
{
	return row < db_result_rows(result) && col < db_result_cols(result);
}

const char *db_result_value(const struct db_result *result, size_t row, size_t col)
{
	return result_has(result, row, col) ? PQgetvalue(result->pg, (int)row, (int)col) : "";
}

bool db_result_is_null(const struct db_result *result, size_t row, size_t col)
{
	return !result_has(result, row, col) || PQgetisnull(result->pg, (int)row, (int)col);
}

const char *db_result_tag(const struct db_result *result)
{
	return PQcmdStatus(result->pg);
}

long db_result_affected(const struct db_result *result)
{
	long n;

	return str_to_long(PQcmdTuples(result->pg), 0, 1000000000000L, &n) == 0 ? n : -1;
}
