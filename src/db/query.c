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

/* The SQL keeps its own shape. */
/* clang-format off */

/* The version table as a row of its oid, or no row ($1 schema, "": by search path; $2 name); and the
 * oid of our database. */
#define SQL_VERSION_TABLE                                                                          \
	"version_table AS MATERIALIZED (\n"                                                        \
	"	SELECT c.oid, pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE')\n"          \
	"		AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable\n"         \
	"	FROM pg_catalog.pg_class c\n"                                                      \
	"	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"                        \
	"	WHERE c.relname = $2::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')\n"           \
	"	AND CASE WHEN $1::text = '' THEN pg_catalog.pg_table_is_visible(c.oid)\n"          \
	"		ELSE n.nspname = $1::text END\n"                                           \
	"), my AS MATERIALIZED (\n"                                                                \
	"	SELECT d.oid FROM pg_catalog.pg_database d\n"                                      \
	"	WHERE d.datname = pg_catalog.current_database()\n"                                 \
	")"

/*
 * Facts. One row. Cost: pg_locks is read only where the version table exists; the rest is settings,
 * a few catalogue rows and one pass over the backends' status. Servers 13 to 17:
 * reserved_connections (16) is asked for in the way that a missing setting is NULL.
 *
 * Slots in use: client backends; rows that the server masks from us have no backend_type, so those
 * with a database and a role are counted (it may take a parallel worker for a client).
 */
const char db_query_facts[] =
	"WITH " SQL_VERSION_TABLE "\n"
	"SELECT pg_catalog.clock_timestamp(),\n"
	"	pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),\n"
	"	pg_catalog.current_setting('server_version_num'),\n"
	"	pg_catalog.pg_is_in_recovery(),\n"
	"	current_user,\n"
	"	(SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user),\n"
	"	pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),\n"
	"	pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'),\n"
	"	pg_catalog.current_setting('max_connections'),\n"
	"	pg_catalog.current_setting('superuser_reserved_connections')::int\n"
	"		+ coalesce(\n"
	"			pg_catalog.current_setting('reserved_connections', true)::int, 0),\n"
	"	(SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a\n"
	"		WHERE a.backend_type = 'client backend' OR a.backend_type IS NULL\n"
	"		AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL),\n"
	"	t.oid IS NOT NULL,\n"
	"	t.readable IS TRUE,\n"
	"	t.oid IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_locks l\n"
	"		WHERE l.locktype = 'relation' AND l.database = my.oid\n"
	"		AND l.relation = t.oid AND l.mode = 'AccessExclusiveLock'),\n"
	"	pg_catalog.current_database()\n"
	"FROM my LEFT JOIN version_table t ON true LIMIT 1";

/*
 * Sessions, one row each, then one row for each prepared transaction. Servers 13 to 17:
 * pg_locks.waitstart (14) is read in the way that a missing column is NULL.
 *
 * Cost: one copy of pg_locks, which takes every lock partition once in shared mode; then
 * pg_blocking_pids, which does that again on each call, only for processes that wait, at most
 * DB_WAITERS_MAX of them, those first that wait longest. Waiters are found by pg_locks and not by
 * wait_event_type: that is as cheap here and works for a role from which the server hides the wait
 * events. Names are looked up only for the locks that are shown: those awaited and, of sessions in a
 * tree and of prepared transactions, the strongest on each of DB_HOLDS_MAX objects, without indexes
 * and TOAST tables, which follow from their table. An oid of another database is not looked up: it
 * would name the wrong table. With nobody waiting the whole takes about 3 ms, most of it planning.
 *
 * A prepared transaction's locks have no pid; its virtualtransaction is that of the session which
 * prepared it (or -1/xid after a restart), so it is recognised by the lock on its own transaction.
 */
const char db_query_sessions[] =
	"WITH " SQL_VERSION_TABLE
	", modes (mode, rank) AS (VALUES\n"
	"	('AccessExclusiveLock', 1), ('ExclusiveLock', 2), ('ShareRowExclusiveLock', 3),\n"
	"	('ShareLock', 4), ('ShareUpdateExclusiveLock', 5), ('RowExclusiveLock', 6),\n"
	"	('RowShareLock', 7), ('AccessShareLock', 8)\n"
	"), locks AS MATERIALIZED (\n"
	"	SELECT l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid,\n"
	"		l.transactionid, l.classid, l.objid, l.objsubid, l.virtualtransaction,\n"
	"		l.pid, l.mode, l.granted, m.rank, CASE WHEN NOT l.granted THEN\n"
	"			(pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz END AS since\n"
	"	FROM pg_catalog.pg_locks l LEFT JOIN modes m ON m.mode = l.mode\n"
	"), waits AS MATERIALIZED (\n"
	"	SELECT l.*, NULL::text AS gid,\n"
	"		pg_catalog.row_number() OVER (ORDER BY l.since, l.pid) AS place\n"
	"	FROM locks l WHERE NOT l.granted AND l.pid IS NOT NULL\n"
	"), edges AS MATERIALIZED (\n"
	"	SELECT w.pid, CASE WHEN w.place <= 200\n"
	"		THEN pg_catalog.pg_blocking_pids(w.pid) END AS blocked_by\n"
	"	FROM waits w\n"
	"), tree AS MATERIALIZED (\n"
	"	SELECT e.pid FROM edges e\n"
	"	UNION SELECT pg_catalog.unnest(e.blocked_by) FROM edges e\n"
	"), prepared AS MATERIALIZED (\n"
	"	SELECT l.virtualtransaction, p.gid, p.prepared, p.owner, p.database\n"
	"	FROM pg_catalog.pg_prepared_xacts p\n"
	"	LEFT JOIN locks l ON l.pid IS NULL AND l.granted\n"
	"		AND l.locktype = 'transactionid' AND l.transactionid = p.transaction\n"
	"), strongest AS MATERIALIZED (\n"
	"	SELECT DISTINCT ON (l.pid, p.gid, l.locktype, l.database, l.relation, l.classid,\n"
	"		l.objid, l.objsubid) l.*, p.gid\n"
	"	FROM locks l\n"
	"	LEFT JOIN prepared p\n"
	"		ON l.pid IS NULL AND p.virtualtransaction = l.virtualtransaction\n"
	"	WHERE l.granted AND l.locktype IN ('relation', 'advisory')\n"
	"	AND (p.gid IS NOT NULL OR l.pid IN (SELECT t.pid FROM tree t))\n"
	"	AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c, my WHERE c.oid = l.relation\n"
	"		AND l.database IN (0, my.oid) AND c.relkind IN ('i', 'I', 't'))\n"
	"	ORDER BY l.pid, p.gid, l.locktype, l.database, l.relation, l.classid,\n"
	"		l.objid, l.objsubid, l.rank\n"
	"), held AS MATERIALIZED (\n"
	"	SELECT s.*, pg_catalog.row_number()\n"
	"		OVER (PARTITION BY s.pid, s.gid ORDER BY s.rank, s.relation) AS place\n"
	"	FROM strongest s\n"
	"), shown AS MATERIALIZED (\n"
	"	SELECT 'wait' AS kind, w.* FROM waits w\n"
	"	UNION ALL SELECT 'hold', h.* FROM held h WHERE h.place <= 30\n"
	"	UNION ALL SELECT 'row', l.*, NULL, 1 FROM locks l WHERE l.granted\n"
	"		AND l.locktype = 'tuple' AND l.pid IN (SELECT w.pid FROM waits w)\n"
	"), related AS MATERIALIZED (\n"
	"	SELECT s.*, CASE WHEN s.relation IS NULL THEN NULL\n"
	"		WHEN s.database IN (0, my.oid) THEN coalesce((\n"
	"			SELECT CASE n.nspname WHEN 'public' THEN ''\n"
	"				ELSE n.nspname || '.' END || c.relname\n"
	"			FROM pg_catalog.pg_class c\n"
	"			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
	"			WHERE c.oid = s.relation), 'relation ' || s.relation)\n"
	"		ELSE 'database ' || coalesce((\n"
	"			SELECT d.datname FROM pg_catalog.pg_database d\n"
	"			WHERE d.oid = s.database), s.database::text)\n"
	"			|| ' relation ' || s.relation END AS relation_name\n"
	"	FROM shown s CROSS JOIN my\n"
	"), named AS MATERIALIZED (\n"
	"	SELECT r.*, CASE r.locktype\n"
	"		WHEN 'relation' THEN r.relation_name\n"
	"		WHEN 'extend' THEN 'growth of ' || r.relation_name\n"
	"		WHEN 'page' THEN 'page ' || r.page || ' of ' || r.relation_name\n"
	"		WHEN 'tuple' THEN 'row (' || r.page || ',' || r.tuple || ') of '\n"
	"			|| r.relation_name\n"
	"		WHEN 'transactionid' THEN 'transaction ' || r.transactionid\n"
	"		WHEN 'virtualxid' THEN 'virtual transaction ' || r.virtualxid\n"
	"		WHEN 'advisory' THEN 'advisory ' || r.classid || ':' || r.objid\n"
	"		ELSE r.locktype || coalesce(' ' || r.classid || ':' || r.objid, '')\n"
	"		END AS object\n"
	"	FROM related r\n"
	"), holds AS MATERIALIZED (\n"
	"	SELECT n.pid, n.gid,\n"
	"		pg_catalog.array_agg(n.mode || ' ' || n.object ORDER BY n.place) AS list\n"
	"	FROM named n WHERE n.kind = 'hold' GROUP BY n.pid, n.gid\n"
	"), version_locks AS MATERIALIZED (\n"
	"	SELECT DISTINCT ON (l.pid) l.pid, l.mode FROM locks l, version_table t, my\n"
	"	WHERE l.granted AND l.pid IS NOT NULL AND l.locktype = 'relation'\n"
	"	AND l.relation = t.oid AND l.database = my.oid\n"
	"	ORDER BY l.pid, l.rank\n"
	")\n"
	"SELECT a.pid, a.leader_pid, NULL::text,\n"
	"	a.backend_start, a.xact_start, a.query_start,\n"
	"	a.usename, a.datname, a.application_name, pg_catalog.host(a.client_addr),\n"
	"	a.backend_type, a.state, a.wait_event_type, a.wait_event,\n"
	"	CASE WHEN pg_catalog.octet_length(a.query) > 8192\n"
	"		THEN pg_catalog.left(a.query, 8192) ELSE a.query END,\n"
	"	extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start),\n"
	"	extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start),\n"
	"	extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start),\n"
	"	extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change),\n"
	"	CASE WHEN w.pid IS NOT NULL THEN extract(epoch FROM\n"
	"		pg_catalog.clock_timestamp() - coalesce(w.since, a.query_start)) END,\n"
	"	(SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = a.usesysid),\n"
	"	pg_catalog.pg_has_role(a.usesysid, 'USAGE'),\n"
	"	v.mode,\n"
	"	i.command || ': ' || i.phase || CASE\n"
	"		WHEN i.blocks_total > 0\n"
	"			THEN ' ' || 100 * i.blocks_done / i.blocks_total || ' %'\n"
	"		WHEN i.tuples_total > 0\n"
	"			THEN ' ' || 100 * i.tuples_done / i.tuples_total || ' %'\n"
	"		ELSE '' END,\n"
	"	w.mode,\n"
	"	w.object || CASE WHEN w.locktype = 'transactionid' THEN coalesce((\n"
	"		SELECT ' (row of ' || n.relation_name || ')' FROM named n\n"
	"		WHERE n.kind = 'row' AND n.pid = a.pid LIMIT 1), '') ELSE '' END,\n"
	"	e.blocked_by,\n"
	"	CASE WHEN 0 = ANY (e.blocked_by) THEN ARRAY(\n"
	"		SELECT l.mode || ' ' || p.gid FROM prepared p\n"
	"		JOIN locks l\n"
	"			ON l.pid IS NULL AND l.virtualtransaction = p.virtualtransaction\n"
	"		WHERE l.granted AND l.locktype = w.locktype\n"
	"		AND (l.database, l.relation, l.page, l.tuple, l.virtualxid,\n"
	"			l.transactionid, l.classid, l.objid, l.objsubid) IS NOT DISTINCT FROM\n"
	"			(w.database, w.relation, w.page, w.tuple, w.virtualxid,\n"
	"			w.transactionid, w.classid, w.objid, w.objsubid)) END,\n"
	"	h.list\n"
	"FROM pg_catalog.pg_stat_activity a\n"
	"LEFT JOIN named w ON w.kind = 'wait' AND w.pid = a.pid\n"
	"LEFT JOIN edges e ON e.pid = a.pid\n"
	"LEFT JOIN holds h ON h.pid = a.pid\n"
	"LEFT JOIN version_locks v ON v.pid = a.pid\n"
	"LEFT JOIN pg_catalog.pg_stat_progress_create_index i ON i.pid = a.pid\n"
	"WHERE a.backend_type IN ('client backend', 'parallel worker')\n"
	"OR a.backend_type IS NULL AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL\n"
	"OR a.pid IN (SELECT t.pid FROM tree t)\n"
	"UNION ALL\n"
	"SELECT 0, NULL, p.gid, NULL, p.prepared, NULL, p.owner, p.database, NULL, NULL,\n"
	"	'prepared transaction', 'prepared', NULL, NULL, NULL, NULL,\n"
	"	extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared), NULL,\n"
	"	extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared), NULL,\n"
	"	r.rolsuper, pg_catalog.pg_has_role(r.oid, 'USAGE'),\n"
	"	NULL, NULL, NULL, NULL, NULL, NULL, h.list\n"
	"FROM prepared p\n"
	"LEFT JOIN pg_catalog.pg_roles r ON r.rolname = p.owner\n"
	"LEFT JOIN holds h ON h.pid IS NULL AND h.gid = p.gid";

/* clang-format on */

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
