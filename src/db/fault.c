/*
 * Errors of connections and queries as a class for the program and a sentence for the operator.
 * Owns the table of SQLSTATEs; does not talk to a server.
 */
#include "fault.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pgoncall/base/str.h>

/* What a SQLSTATE means for a connection: "PostgreSQL at HOST: BEFORE WHAT: AFTER", or the server's
 * own message in the place of AFTER. */
static const struct fault_row {
	const char *sqlstate;
	enum db_fault fault;
	enum err_code code;
	const char *before;
	enum { SAY_ROLE, SAY_DATABASE, SAY_NOTHING } what;
	const char *after;
	bool quote_server;
} fault_rows[] = {
	{ "3D000", DB_FAULT_OTHER, ERR_DATABASE, "there is no database", SAY_DATABASE,
		"check db_name", false },
	{ "28P01", DB_FAULT_PASSWORD_WRONG, ERR_AUTH, "the server refuses the password of role",
		SAY_ROLE, "", false },
	{ "28000", DB_FAULT_OTHER, ERR_AUTH, "the server does not let in role", SAY_ROLE, "",
		true },
	{ "42501", DB_FAULT_OTHER, ERR_AUTH, "the server does not let in role", SAY_ROLE, "",
		true },
	{ "53300", DB_FAULT_SLOTS, ERR_DATABASE, "the server has no connection slot left for role",
		SAY_ROLE, "", true },
	{ "57P03", DB_FAULT_STARTING, ERR_DATABASE, "the server takes no connections now",
		SAY_NOTHING, "", true },
	{ "57P01", DB_FAULT_LOST, ERR_DATABASE, "the server ended our session", SAY_NOTHING, "",
		true },
	{ "57P02", DB_FAULT_LOST, ERR_DATABASE, "the server crashed and is restarting", SAY_NOTHING,
		"", false },
	{ "57P05", DB_FAULT_LOST, ERR_DATABASE, "the server ended our idle session", SAY_NOTHING,
		"", true },
};

/* Finds ":  XXXXX: " and copies the code; returns what follows it, or NULL. */
static const char *fault_find_sqlstate(const char *message, char sqlstate[DB_SQLSTATE_SIZE])
{
	const char *p = message;
	int i;

	sqlstate[0] = '\0';
	while ((p = strstr(p, ":  "))) {
		p += 3;
		for (i = 0; i < 5 && (isdigit((unsigned char)p[i]) || isupper((unsigned char)p[i]));
			i++)
			;
		if (i == 5 && p[5] == ':' && p[6] == ' ') {
			memcpy(sqlstate, p, 5);
			sqlstate[5] = '\0';
			return p + 7;
		}
	}
	return NULL;
}

/* The first line, without libpq's 'connection to server at "…", port N failed: '. */
static void fault_first_line(const char *message, char *out, size_t size)
{
	static const char failed[] = " failed: ";
	size_t len = strcspn(message, "\n");
	const char *p;

	if (strncmp(message, "connection to server ", 21) == 0) {
		p = strstr(message, failed);
		if (p && p < message + len) {
			p += sizeof(failed) - 1;
			len -= (size_t)(p - message);
			message = p;
		}
	}
	snprintf(out, size, "%.*s", (int)len, message);
}

static const struct fault_row *fault_row_of(const char *sqlstate)
{
	size_t i;

	for (i = 0; i < sizeof(fault_rows) / sizeof(fault_rows[0]); i++)
		if (strcmp(fault_rows[i].sqlstate, sqlstate) == 0)
			return &fault_rows[i];
	return NULL;
}

static void fault_say(const struct fault_row *row, const struct fault_where *where,
	const char *address, const char *server, struct err *err)
{
	const char *what = row->what == SAY_ROLE ? where->user : where->dbname;

	err_set(err, row->code, "PostgreSQL at %s: %s%s%s%s%s%s", address, row->before,
		row->what == SAY_NOTHING ? "" : " ", row->what == SAY_NOTHING ? "" : what,
		*row->after || row->quote_server ? ": " : "", row->after,
		row->quote_server ? server : "");
}

/* What libpq says of TLS, by words of its message, and what to say instead; the first line of the
 * message is appended where `quote` says so. */
static const struct {
	const char *words;
	const char *sentence;
	bool quote;
} fault_tls_rows[] = {
	{ "certificate verify failed",
		"the server's certificate is not signed by an authority of sslrootcert "
		"(PGSSLROOTCERT, "
		"~/.postgresql/root.crt)",
		true },
	{ "server does not support SSL",
		"the server speaks no TLS, and db_sslmode (or PGSSLMODE, or the service) requires "
		"it",
		false },
	{ "root certificate file",
		"the server is to be verified, and there is no file of authorities: name it by "
		"PGSSLROOTCERT or in a service (sslrootcert)",
		true },
	{ "channel binding", "the password exchange cannot be bound to TLS", true },
	{ "", "TLS cannot be set up", true },
};

/* 'server certificate for "NAME" (and 2 other names) does not match host name "HOST"' */
static bool fault_say_wrong_name(const char *address, const char *line, struct err *err)
{
	static const char begins[] = "server certificate for ",
			  middle[] = " does not match host name ";
	const char *at = strstr(line, middle), *host;

	if (!at || !str_starts(line, begins))
		return false;
	host = at + sizeof(middle) - 1;
	line += sizeof(begins) - 1;
	err_set(err, ERR_CONNECT,
		"PostgreSQL at %s: the server's certificate is not for %.*s: it is for %.*s; set "
		"db_host to a name that is in it (or a service with hostaddr), or db_sslmode to "
		"verify-ca",
		address, (int)strcspn(host + 1, "\""), host + 1, (int)(at - line), line);
	return true;
}

static bool fault_say_tls(const char *address, const char *line, struct err *err)
{
	size_t i;

	if (fault_say_wrong_name(address, line, err))
		return true;
	if (!strstr(line, "SSL") && !strstr(line, "certificate") &&
		!strstr(line, "channel binding"))
		return false;
	for (i = 0; i < sizeof(fault_tls_rows) / sizeof(fault_tls_rows[0]); i++) {
		if (!strstr(line, fault_tls_rows[i].words))
			continue;
		err_set(err, ERR_CONNECT, "PostgreSQL at %s: %s%s%s", address,
			fault_tls_rows[i].sentence, fault_tls_rows[i].quote ? ": " : "",
			fault_tls_rows[i].quote ? line : "");
		return true;
	}
	return false;
}

/* The server itself said nothing: the way to it, or TLS. */
static enum db_fault fault_without_sqlstate(
	const struct fault_where *where, const char *address, const char *line, struct err *err)
{
	if (where->was_up) {
		err_set(err, ERR_DATABASE, "the connection to PostgreSQL at %s broke: %s", address,
			line);
		return DB_FAULT_LOST;
	}
	if (strstr(line, strerror(ECONNREFUSED)) || strstr(line, strerror(ENOENT))) {
		err_set(err, ERR_CONNECT,
			"no PostgreSQL listens at %s: %s; check db_host and db_port", address,
			line);
		return DB_FAULT_UNREACHABLE;
	}
	/* TLS and authentication set-up do not mend themselves. */
	if (fault_say_tls(address, line, err))
		return DB_FAULT_OTHER;
	err_set(err, ERR_CONNECT, "cannot connect to PostgreSQL at %s: %s", address, line);
	if (strstr(line, "authentication"))
		return DB_FAULT_OTHER;
	return DB_FAULT_UNREACHABLE;
}

/* Between 'password retrieved from file "' and the next quote. */
static bool fault_password_file(const char *message, char *out, size_t size)
{
	static const char words[] = "password retrieved from file \"";
	const char *at = strstr(message, words);

	if (!at)
		return false;
	at += sizeof(words) - 1;
	snprintf(out, size, "%.*s", (int)strcspn(at, "\"\n"), at);
	return true;
}

static void fault_say_wrong_password(
	const struct fault_where *where, const char *address, const char *message, struct err *err)
{
	char file[512];

	if (fault_password_file(message, file, sizeof(file)))
		err_set(err, ERR_AUTH,
			"PostgreSQL at %s: the server refuses the password of role %s that stands "
			"in "
			"%s: mend its line for %s:%d:%s:%s",
			address, where->user, file, where->host, where->port, where->dbname,
			where->user);
	else if (where->password_source)
		err_set(err, ERR_AUTH,
			"PostgreSQL at %s: the server refuses the password of role %s that comes "
			"from %s",
			address, where->user, where->password_source);
	else
		err_set(err, ERR_AUTH,
			"PostgreSQL at %s: the server refuses the password of role %s", address,
			where->user);
}

static void fault_say_no_password(
	const struct fault_where *where, const char *address, struct err *err)
{
	if (where->passfile_refused)
		err_set(err, ERR_AUTH,
			"PostgreSQL at %s asks for a password of role %s, and %s is not read "
			"because "
			"it is open to others: chmod 600 it",
			address, where->user, where->passfile_refused);
	else
		err_set(err, ERR_AUTH,
			"PostgreSQL at %s asks for a password of role %s: put it in ~/.pgpass (or "
			"PGPASSFILE, PGPASSWORD)",
			address, where->user);
}

/* Refusals by pg_hba.conf whose own words ("Peer authentication failed") name no remedy. */
static bool fault_say_hba(
	const struct fault_where *where, const char *address, const char *server, struct err *err)
{
	if (str_starts(server, "connection requires a valid client certificate")) {
		err_set(err, ERR_AUTH,
			"PostgreSQL at %s wants a client certificate of role %s: name it by "
			"PGSSLCERT "
			"and PGSSLKEY or in a service, or put it in ~/.postgresql/postgresql.crt "
			"and "
			"postgresql.key",
			address, where->user);
		return true;
	}
	if (!str_starts(server, "Peer authentication failed"))
		return false;
	err_set(err, ERR_AUTH,
		"PostgreSQL at %s: peer authentication failed: over its socket role %s is for the "
		"system's user of that name, and SSH logs in as another one; set db_user or ssh, "
		"or "
		"let pg_ident.conf or pg_hba.conf there allow it",
		address, where->user);
	return true;
}

enum db_fault fault_of_connection(const struct fault_where *where, const char *message,
	char sqlstate[DB_SQLSTATE_SIZE], struct err *err)
{
	const char *server = fault_find_sqlstate(message, sqlstate);
	const struct fault_row *row = fault_row_of(sqlstate);
	char line[512], address[300];

	if (where->port && where->host[0] != '/')
		snprintf(address, sizeof(address), "%s port %d", where->host, where->port);
	else
		snprintf(address, sizeof(address), "%s", where->host);
	fault_first_line(server ? server : message, line, sizeof(line));
	if (!line[0])
		snprintf(line, sizeof(line), "no reason was given");
	if (where->needs_password) {
		fault_say_no_password(where, address, err);
		return DB_FAULT_PASSWORD_NEEDED;
	}
	if (!server)
		return fault_without_sqlstate(where, address, line, err);
	if (!row) {
		err_set(err, ERR_DATABASE, "PostgreSQL at %s refused: %s (SQLSTATE %s)", address,
			line, sqlstate);
		return where->was_up ? DB_FAULT_LOST : DB_FAULT_OTHER;
	}
	if (row->fault == DB_FAULT_PASSWORD_WRONG)
		fault_say_wrong_password(where, address, message, err);
	else if (strcmp(sqlstate, "28000") != 0 || !fault_say_hba(where, address, line, err))
		fault_say(row, where, address, line, err);
	return where->was_up ? DB_FAULT_LOST : row->fault;
}

void fault_of_query(const char *sqlstate, const char *message, const char *detail, struct err *err)
{
	enum err_code code = ERR_DATABASE;
	const char *advice = "";

	if (strcmp(sqlstate, "57014") == 0) {
		code = strstr(message, "timeout") ? ERR_TIMEOUT : ERR_CANCELLED;
	} else if (strcmp(sqlstate, "55P03") == 0) {
		code = ERR_TIMEOUT;
		advice = "; somebody holds a lock that this needs, see the blocking tree";
	} else if (strcmp(sqlstate, "25006") == 0) {
		code = ERR_REFUSED;
	}
	err_set(err, code, "PostgreSQL: %s%s%s%s%s%s%s", message, detail ? ": " : "",
		detail ? detail : "", *sqlstate ? " (SQLSTATE " : "", sqlstate,
		*sqlstate ? ")" : "", advice);
}
