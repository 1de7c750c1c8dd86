/*
 * Asks libpq itself what a service holds, so that there is no second reader of its file.
 */
#include <pgoncall/db/service.h>

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

/* Makes libpq give up after it has put the options together and before it connects. */
#define SERVICE_STOP "none-of-them"

static const char *service_value(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0 && options->val)
			return options->val;
	return "";
}

int db_service_read(const char *name, struct db_service *service, struct err *err)
{
	/* No passfile is read for this; PGHOST and PGHOSTADDR of the environment come last with
	 * libpq, and are no part of a service. */
	const char *const keywords[] = { "service", "passfile", "target_session_attrs", NULL };
	const char *const values[] = { name, "/dev/null/none", SERVICE_STOP, NULL };
	PGconn *pg = PQconnectStartParams(keywords, values, 0);
	PQconninfoOption *options = pg ? PQconninfo(pg) : NULL;
	const char *message = pg ? PQerrorMessage(pg) : "out of memory";
	int rc = 0;

	memset(service, 0, sizeof(*service));
	if (!options || !strstr(message, SERVICE_STOP)) {
		rc = err_set(err, ERR_CONFIG, "db_service = %s: %.*s", name,
			(int)strcspn(message, "\n"), message);
		service->host = mem_strdup("");
		service->hostaddr = mem_strdup("");
	} else {
		service->host = mem_strdup(service_value(options, "host"));
		service->hostaddr = mem_strdup(service_value(options, "hostaddr"));
		service->port = atoi(service_value(options, "port"));
	}
	if (service->port <= 0)
		service->port = 5432;
	PQconninfoFree(options);
	PQfinish(pg);
	return rc;
}

void db_service_fini(struct db_service *service)
{
	free(service->host);
	free(service->hostaddr);
	memset(service, 0, sizeof(*service));
}
