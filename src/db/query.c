/*
 * The SQL that db itself sends: facts about the server, the sessions with their locks, the version
 * rows. Owns the texts and the quoting; sends nothing and reads no answer.
 *
 * What keeps them from ever waiting in an incident: they read shared memory and the system
 * catalogues only; names of relations come from scalar look-ups in pg_class, which lock pg_class for
 * reading but never the relation; no size function, no pg_get_expr, no regclass.
 */
#include <pgoncall/db/query.h>

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include <pgoncall/base/mem.h>

/* The version table as a row of its oid, or no row. $1 schema ("": by search path), $2 name. */
#define SQL_VERSION_TABLE                                                                          \
	"version_table AS MATERIALIZED ("                                                          \
	" SELECT c.oid, pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE')"                  \
	" AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable"                         \
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"     \
	" WHERE c.relname = $2::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"                   \
	" AND CASE WHEN $1::text = '' THEN pg_catalog.pg_table_is_visible(c.oid)"                  \
	" ELSE n.nspname = $1::text END)"

/*
 * Facts. One row. Cost: pg_locks is read only where the version table exists; the rest is settings,
 * a few catalogue rows and one pass over the backends' status. Servers 13 to 17:
 * reserved_connections (16) is asked for in the way that a missing setting is NULL.
 *
 * Slots in use: client backends; rows that the server masks from us have no backend_type, so those
 * with a database and a role are counted (it may take a parallel worker for a client).
 */
static const char sql_facts[] =
	"WITH " SQL_VERSION_TABLE " "
	"SELECT pg_catalog.clock_timestamp(),"
	" pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),"
	" pg_catalog.current_setting('server_version_num'),"
	" pg_catalog.pg_is_in_recovery(),"
	" current_user,"
	" (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user),"
	" pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),"
	" pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'),"
	" pg_catalog.current_setting('max_connections'),"
	" pg_catalog.current_setting('superuser_reserved_connections')::int"
	" + coalesce(pg_catalog.current_setting('reserved_connections', true)::int, 0),"
	" (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a"
	" WHERE a.backend_type = 'client backend'"
	" OR a.backend_type IS NULL AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL),"
	" t.oid IS NOT NULL,"
	" t.readable IS TRUE,"
	" t.oid IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_locks l"
	" WHERE l.locktype = 'relation' AND l.relation = t.oid AND l.mode = 'AccessExclusiveLock'"
	" AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d"
	" WHERE d.datname = pg_catalog.current_database())),"
	" pg_catalog.current_database() "
	"FROM (SELECT) one LEFT JOIN version_table t ON true LIMIT 1";

/* Modes from the strongest to the weakest, for ordering. */
#define SQL_MODES                                                                                  \
	"ARRAY['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock',"      \
	" 'ShareUpdateExclusiveLock', 'RowExclusiveLock', 'RowShareLock', 'AccessShareLock']"

/* Name of the relation of lock row `alias`: looked up only where the lock is of our database or of a
 * shared catalogue; an oid of another database would name the wrong table. */
#define SQL_RELATION(alias)                                                                        \
	"CASE WHEN " alias ".database IN (0, my.oid) THEN"                                         \
	" coalesce((SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END"         \
	" || c.relname FROM pg_catalog.pg_class c"                                                 \
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                \
	" WHERE c.oid = " alias ".relation), 'relation ' || " alias ".relation)"                   \
	" ELSE 'database ' || coalesce((SELECT d.datname FROM pg_catalog.pg_database d"            \
	" WHERE d.oid = " alias ".database), " alias ".database::text)"                            \
	" || ' relation ' || " alias ".relation END"

/* What lock row `alias` is a lock on, in words. */
#define SQL_LOCKED(alias)                                                                                                                                    \
	"CASE " alias ".locktype"                                                                                                                            \
	" WHEN 'relation' THEN " SQL_RELATION(alias) " WHEN 'extend' THEN 'growth of ' "                                                                     \
						     "|| " SQL_RELATION(                                                                                     \
							     alias) " WHEN 'page' THEN 'page ' "                                                             \
								    "|| " alias                                                                              \
								    ".page || ' of ' "                                                                       \
								    "|| " SQL_RELATION(                                                                      \
									    alias) " WHEN "                                                                  \
										   "'tuple' THEN "                                                           \
										   "'row (' "                                                                \
										   "|| " alias                                                               \
										   ".page || ',' "                                                           \
										   "|| " alias                                                               \
										   ".tuple || ') "                                                           \
										   "of '"                                                                    \
										   " ||"                                                                     \
										   " " SQL_RELATION(                                                         \
											   alias) " WHEN 'transactionid' THEN 'transaction ' || " alias      \
												  ".transactionid"                                           \
												  " WHEN 'virtualxid' THEN 'virtual transaction ' || " alias \
												  ".virtualxid"                                              \
												  " WHEN 'advisory' THEN 'advisory ' || " alias              \
												  ".classid || ':' || " alias                                \
												  ".objid"                                                   \
												  " ELSE " alias                                             \
												  ".locktype || coalesce(' ' || " alias                      \
												  ".classid || ':' || " alias                                \
												  ".objid,"                                                  \
												  " '') END"

/* Whether rows x and y lock the same thing. */
#define SQL_SAME_OBJECT(x, y)                                                                      \
	x ".locktype = " y ".locktype"                                                             \
	  " AND (" x ".database, " x ".relation, " x ".page, " x ".tuple, " x ".virtualxid, " x    \
	  ".transactionid, " x ".classid, " x ".objid, " x ".objsubid) IS NOT DISTINCT FROM (" y   \
	  ".database, " y ".relation, " y ".page, " y ".tuple, " y ".virtualxid, " y               \
	  ".transactionid, " y ".classid, " y ".objid, " y ".objsubid)"

/*
 * Sessions, one row each, then one row for each prepared transaction.
 *
 * Cost: one copy of pg_locks, which takes every lock partition once in shared mode; then
 * pg_blocking_pids, which does that again on each call, only for processes that wait, at most
 * DB_WAITERS_MAX of them. Waiters are found by pg_locks and not by wait_event_type: that is as cheap
 * here and works for a role from which the server hides the wait events. Names are looked up for the
 * locks of sessions in a tree only.
 *
 * A prepared transaction's locks have no pid; its virtualtransaction is that of the session which
 * prepared it (or -1/xid after a restart), so it is recognised by the lock on its own transaction.
 *
 * Server 13 has no pg_locks.waitstart; `waitstart` is the expression to use for it.
 */
#define SQL_SESSIONS(waitstart)                                                                                                                                                     \
	"WITH " SQL_VERSION_TABLE ", "                                                                                                                                              \
	"my AS MATERIALIZED (SELECT d.oid FROM pg_catalog.pg_database d"                                                                                                            \
	" WHERE d.datname = pg_catalog.current_database()), "                                                                                                                       \
	"locks AS MATERIALIZED (SELECT l.*, " waitstart                                                                                                                             \
	" AS since FROM pg_catalog.pg_locks l), " /* A process waits for one lock at a time. */                                                                                     \
	"waits AS MATERIALIZED ("                                                                                                                                                   \
	" SELECT l.*, pg_catalog.row_number() OVER (ORDER BY l.since, l.pid) AS turn"                                                                                               \
	" FROM locks l WHERE NOT l.granted AND l.pid IS NOT NULL), "                                                                                                                \
	"edges AS MATERIALIZED ("                                                                                                                                                   \
	" SELECT w.pid, CASE WHEN w.turn <= 200 THEN pg_catalog.pg_blocking_pids(w.pid) END AS by"                                                                                  \
	" FROM waits w), "                                                                                                                                                          \
	"prepared AS MATERIALIZED ("                                                                                                                                                \
	" SELECT l.virtualtransaction, p.gid, p.prepared, p.owner, p.database"                                                                                                      \
	" FROM pg_catalog.pg_prepared_xacts p LEFT JOIN locks l ON l.pid IS NULL"                                                                                                   \
	" AND l.locktype = 'transactionid' AND l.transactionid = p.transaction AND l.granted), "                                                                                    \
	"tree AS MATERIALIZED ("                                                                                                                                                    \
	" SELECT e.pid FROM edges e UNION SELECT pg_catalog.unnest(e.by) FROM edges e), " /* The strongest lock on each object, for members of a tree and prepared transactions. */ \
	"strongest AS MATERIALIZED ("                                                                                                                                               \
	" SELECT DISTINCT ON (h.pid, p.gid, h.locktype, h.database, h.relation, h.classid,"                                                                                         \
	" h.objid, h.objsubid) h.*, p.gid,"                                                                                                                                         \
	" pg_catalog.array_position(" SQL_MODES ", h.mode) AS rank"                                                                                                                 \
	" FROM locks h LEFT JOIN prepared p"                                                                                                                                        \
	" ON h.pid IS NULL AND p.virtualtransaction = h.virtualtransaction"                                                                                                         \
	" WHERE h.granted AND h.locktype IN ('relation', 'advisory')"                                                                                                               \
	" AND (p.gid IS NOT NULL OR h.pid IN (SELECT t.pid FROM tree t))" /* Indexes and TOAST tables follow from their table. */                                                   \
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c, my WHERE c.oid = h.relation"                                                                                           \
	" AND h.database IN (0, my.oid) AND c.relkind IN ('i', 'I', 't'))"                                                                                                          \
	" ORDER BY h.pid, p.gid, h.locktype, h.database, h.relation, h.classid, h.objid,"                                                                                           \
	" h.objsubid, rank), "                                                                                                                                                      \
	"ranked AS MATERIALIZED ("                                                                                                                                                  \
	" SELECT s.*, pg_catalog.row_number() OVER (PARTITION BY s.pid, s.gid"                                                                                                      \
	" ORDER BY s.rank, s.relation) AS place FROM strongest s), "                                                                                                                \
	"holds AS MATERIALIZED ("                                                                                                                                                   \
	" SELECT r.pid, r.gid, pg_catalog.array_agg(r.mode || ' ' || (" SQL_LOCKED(                                                                                                 \
		"r") ")"                                                                                                                                                            \
		     " ORDER BY r.place) AS list"                                                                                                                                   \
		     " FROM ranked r, my WHERE r.place <= 30 GROUP BY r.pid, r.gid), "                                                                                              \
		     "version_locks AS MATERIALIZED ("                                                                                                                              \
		     " SELECT DISTINCT ON (l.pid) l.pid, l.mode FROM locks l, version_table t, my"                                                                                  \
		     " WHERE l.granted AND l.pid IS NOT NULL AND l.locktype = 'relation'"                                                                                           \
		     " AND l.relation = t.oid AND l.database = my.oid"                                                                                                              \
		     " ORDER BY l.pid, pg_catalog.array_position(" SQL_MODES ", l.mode)) "                                                                                          \
		     "SELECT a.pid, a.leader_pid, NULL::text AS gid,"                                                                                                               \
		     " a.backend_start, a.xact_start, a.query_start,"                                                                                                               \
		     " a.usename, a.datname, a.application_name, pg_catalog.host(a.client_addr),"                                                                                   \
		     " a.backend_type, a.state, a.wait_event_type, a.wait_event,"                                                                                                   \
		     " CASE WHEN pg_catalog.octet_length(a.query) > 8192"                                                                                                           \
		     " THEN pg_catalog.left(a.query, 8192) ELSE a.query END,"                                                                                                       \
		     " extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start),"                                                                                         \
		     " extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start),"                                                                                            \
		     " extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start),"                                                                                           \
		     " extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change),"                                                                                          \
		     " CASE WHEN w.pid IS NOT NULL THEN"                                                                                                                            \
		     " extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(w.since, "                                                                                        \
		     "a.query_start)) END,"                                                                                                                                         \
		     " (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = a.usesysid),"                                                                                    \
		     " pg_catalog.pg_has_role(a.usesysid, 'USAGE'),"                                                                                                                \
		     " v.mode,"                                                                                                                                                     \
		     " i.command || ': ' || i.phase || CASE WHEN i.blocks_total > 0"                                                                                                \
		     " THEN ' ' || 100 * i.blocks_done / i.blocks_total || ' %'"                                                                                                    \
		     " WHEN i.tuples_total > 0 THEN ' ' || 100 * i.tuples_done / i.tuples_total "                                                                                   \
		     "|| ' %'"                                                                                                                                                      \
		     " ELSE '' END,"                                                                                                                                                \
		     " w.mode,"                                                                                                                                                     \
		     " CASE WHEN w.pid IS NOT NULL THEN (" SQL_LOCKED(                                                                                                              \
			     "w") ") || coalesce(("                                                                                                                                 \
				  "SELECT ' (row of ' || " SQL_RELATION(                                                                                                            \
					  "t") " || ')' FROM locks t"                                                                                                               \
					       " WHERE w.locktype = 'transactionid' AND t.pid = "                                                                                   \
					       "w.pid AND t.locktype = 'tuple'"                                                                                                     \
					       " AND t.granted LIMIT 1), '') END,"                                                                                                  \
					       " e.by,"                                                                                                                             \
					       " CASE WHEN 0 = ANY (e.by) THEN ARRAY(SELECT "                                                                                       \
					       "o.mode || ' ' || p.gid FROM prepared p"                                                                                             \
					       " JOIN locks o ON o.pid IS NULL AND "                                                                                                \
					       "o.virtualtransaction = p.virtualtransaction"                                                                                        \
					       " WHERE o.granted AND " SQL_SAME_OBJECT("o",                                                                                         \
						       "w") ") END,"                                                                                                                \
							    " h.list "                                                                                                              \
							    "FROM pg_catalog.pg_stat_activity a "                                                                                   \
							    "CROSS JOIN my"                                                                                                         \
							    " LEFT JOIN waits w ON w.pid = a.pid"                                                                                   \
							    " LEFT JOIN edges e ON e.pid = a.pid"                                                                                   \
							    " LEFT JOIN holds h ON h.pid = a.pid"                                                                                   \
							    " LEFT JOIN version_locks v ON v.pid "                                                                                  \
							    "= a.pid"                                                                                                               \
							    " LEFT JOIN "                                                                                                           \
							    "pg_catalog.pg_stat_progress_create_"                                                                                   \
							    "index i ON i.pid = a.pid "                                                                                             \
							    "WHERE a.backend_type IN ('client "                                                                                     \
							    "backend', 'parallel worker')"                                                                                          \
							    " OR a.backend_type IS NULL AND "                                                                                       \
							    "a.datid IS NOT NULL AND a.usesysid "                                                                                   \
							    "IS NOT NULL"                                                                                                           \
							    " OR a.pid IN (SELECT t.pid FROM "                                                                                      \
							    "tree t) "                                                                                                              \
							    "UNION ALL "                                                                                                            \
							    "SELECT 0, NULL, p.gid, NULL, "                                                                                         \
							    "p.prepared, NULL, p.owner, "                                                                                           \
							    "p.database, NULL, NULL,"                                                                                               \
							    " 'prepared transaction', "                                                                                             \
							    "'prepared', NULL, NULL, NULL, NULL,"                                                                                   \
							    " extract(epoch FROM "                                                                                                  \
							    "pg_catalog.clock_timestamp() - "                                                                                       \
							    "p.prepared), NULL,"                                                                                                    \
							    " extract(epoch FROM "                                                                                                  \
							    "pg_catalog.clock_timestamp() - "                                                                                       \
							    "p.prepared), NULL,"                                                                                                    \
							    " r.rolsuper, "                                                                                                         \
							    "pg_catalog.pg_has_role(r.oid, "                                                                                        \
							    "'USAGE'),"                                                                                                             \
							    " NULL, NULL, NULL, NULL, NULL, "                                                                                       \
							    "NULL, h.list "                                                                                                         \
							    "FROM prepared p LEFT JOIN "                                                                                            \
							    "pg_catalog.pg_roles r ON r.rolname "                                                                                   \
							    "= p.owner"                                                                                                             \
							    " LEFT JOIN holds h ON h.pid IS NULL "                                                                                  \
							    "AND h.gid = p.gid"

static const char sql_sessions_13[] = SQL_SESSIONS("NULL::timestamptz");
static const char sql_sessions_14[] = SQL_SESSIONS("l.waitstart");

const char *db_query_facts(int version_num)
{
	(void)version_num;
	return sql_facts;
}

const char *db_query_sessions(int version_num)
{
	return version_num >= 140000 ? sql_sessions_14 : sql_sessions_13;
}

void db_version_table_split(const char *table, char **schema, char **name)
{
	const char *dot = strchr(table, '.');

	*schema = dot ? mem_strndup(table, (size_t)(dot - table)) : mem_strdup("");
	*name = mem_strdup(dot ? dot + 1 : table);
}

/* The version rows. Reads a user's table: it can queue behind AccessExclusive, for lock_timeout at
 * most; it is not sent while the facts say that somebody holds that lock. Any server. */
void db_query_versions(struct buf *out, const char *schema, const char *name)
{
	buf_add_str(out, "SELECT version_num FROM ");
	if (*schema) {
		db_quote_ident(out, schema);
		buf_add_char(out, '.');
	}
	db_quote_ident(out, name);
	buf_add_str(out, " ORDER BY version_num LIMIT 1000");
}

void db_quote_literal(struct buf *out, const char *s)
{
	bool glued = out->len && (isalnum((unsigned char)out->data[out->len - 1]) ||
					 out->data[out->len - 1] == '_');
	const char *p;

	if (strchr(s, '\\'))
		buf_add_str(out, glued ? " E" : "E");
	buf_add_char(out, '\'');
	for (p = s; *p; p++) {
		if (*p == '\'' || *p == '\\')
			buf_add_char(out, *p);
		buf_add_char(out, *p);
	}
	buf_add_char(out, '\'');
}

void db_quote_ident(struct buf *out, const char *s)
{
	buf_add_char(out, '"');
	for (; *s; s++) {
		if (*s == '"')
			buf_add_char(out, '"');
		buf_add_char(out, *s);
	}
	buf_add_char(out, '"');
}
