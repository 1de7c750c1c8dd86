/*
 * What a query's callback is handed; private to db. The libpq type stays behind it.
 */
#ifndef DB_RESULT_H
#define DB_RESULT_H

struct pg_result;

struct db_result {
	struct pg_result *pg; /* borrowed for the time of the callback */
};

#endif
