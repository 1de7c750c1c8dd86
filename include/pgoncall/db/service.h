/*
 * libpq's connection services (pg_service.conf): where one leads. What else it holds, libpq takes from
 * it when a connection is opened with its name.
 */
#ifndef PGONCALL_DB_SERVICE_H
#define PGONCALL_DB_SERVICE_H

#include <pgoncall/base/err.h>

/* Strings are owned; "" is what the service does not say. */
struct db_service {
	char *host;     /* name, address, or socket directory */
	char *hostaddr; /* the address to use instead of looking the name up */
	int port;       /* 5432 where the service does not say */
};

/* Reads it as libpq does: PGSERVICEFILE, else ~/.pg_service.conf, then the system's. Reads files at
 * once. On failure all is empty and the sentence names the service. */
int db_service_read(const char *name, struct db_service *service, struct err *err);
void db_service_fini(struct db_service *service);

#endif
