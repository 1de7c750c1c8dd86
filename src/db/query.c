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

/* What each reading of facts begins with, and what it says of the version table. */
#define SQL_SERVER_COLUMNS                                                                         \
	"SELECT pg_catalog.clock_timestamp(),\n"                                                   \
	"	pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),\n"    \
	"	pg_catalog.current_setting('server_version_num'),\n"                               \
	"	pg_catalog.pg_is_in_recovery(),\n"                                                 \
	"	current_user,\n"
#define SQL_VERSION_COLUMNS                                                                        \
	"	t.oid IS NOT NULL,\n"                                                              \
	"	t.readable IS TRUE,\n"                                                             \
	"	t.oid IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_locks l\n"                 \
	"		WHERE l.locktype = 'relation' AND l.database = my.oid\n"                   \
	"		AND l.relation = t.oid AND l.mode = 'AccessExclusiveLock'),\n"             \
	"	pg_catalog.current_database(),\n"

/*
 * Facts. One row. Cost: pg_locks is read only where the version table exists; the rest is settings,
 * a few catalogue rows and one pass over the backends' status (two where a walsender runs). About
 * 1 ms with 500 sessions. Servers 13 to 17: reserved_connections (16) is asked for in the way that a
 * missing setting is NULL.
 *
 * Slots in use: client backends; rows that the server masks from us have no backend_type, so those
 * with a database and a role are counted (it may take a parallel worker for a client).
 *
 * The holder of the oldest xmin is what keeps VACUUM from removing rows: a backend's snapshot, a
 * prepared transaction, a replication slot, or a standby's feedback. A walsender's xmin is its
 * standby's.
 */
const char db_query_facts[] =
	"WITH " SQL_VERSION_TABLE ", acts AS MATERIALIZED (\n"
	"	SELECT a.pid, a.backend_type, a.backend_xmin, a.application_name,\n"
	"		a.backend_type = 'client backend' OR a.backend_type IS NULL\n"
	"		AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL AS client\n"
	"	FROM pg_catalog.pg_stat_activity a\n"
	"), holders AS MATERIALIZED (\n"
	"	SELECT CASE a.backend_type WHEN 'walsender' THEN 'standby' ELSE 'backend' END AS kind,\n"
	"		CASE a.backend_type WHEN 'walsender' THEN a.application_name\n"
	"			ELSE a.pid::text END AS name, pg_catalog.age(a.backend_xmin) AS age\n"
	"	FROM acts a\n"
	"	WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()\n"
	"	UNION ALL SELECT 'prepared', p.gid, pg_catalog.age(p.transaction)\n"
	"	FROM pg_catalog.pg_prepared_xacts p\n"
	"	UNION ALL SELECT 'slot', s.slot_name,\n"
	"		greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))\n"
	"	FROM pg_catalog.pg_replication_slots s\n"
	"	WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL\n"
	"), oldest AS MATERIALIZED (\n"
	"	SELECT h.kind, h.name, h.age FROM holders h ORDER BY h.age DESC, h.name LIMIT 1\n"
	"), replication AS MATERIALIZED (\n"
	"	SELECT pg_catalog.count(*) AS n,\n"
	"		extract(epoch FROM pg_catalog.max(r.replay_lag)) AS lag,\n"
	"		pg_catalog.max(CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN\n"
	"			pg_catalog.pg_wal_lsn_diff(\n"
	"				pg_catalog.pg_current_wal_lsn(), r.replay_lsn) END) AS bytes\n"
	"	FROM pg_catalog.pg_stat_replication r\n"
	"	WHERE EXISTS (SELECT FROM acts a WHERE a.backend_type = 'walsender')\n"
	")\n"
	SQL_SERVER_COLUMNS
	"	(SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user),\n"
	"	pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),\n"
	"	pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'),\n"
	"	pg_catalog.current_setting('max_connections'),\n"
	"	pg_catalog.current_setting('superuser_reserved_connections')::int\n"
	"		+ coalesce(\n"
	"			pg_catalog.current_setting('reserved_connections', true)::int, 0),\n"
	"	(SELECT pg_catalog.count(*) FROM acts a WHERE a.client),\n"
	SQL_VERSION_COLUMNS
	"	o.kind, o.name, o.age,\n"
	"	r.n,\n"
	"	CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN r.lag\n"
	"		WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()\n"
	"		THEN 0 ELSE extract(epoch FROM pg_catalog.clock_timestamp()\n"
	"			- pg_catalog.pg_last_xact_replay_timestamp()) END,\n"
	"	r.bytes\n"
	"FROM my LEFT JOIN version_table t ON true LEFT JOIN oldest o ON true\n"
	"CROSS JOIN replication r LIMIT 1";

/*
 * Of the same columns those that a list of revisions wants, the others NULL: planning the whole takes
 * longer than a command that asks once needs for all the rest.
 */
const char db_query_brief[] =
	"WITH " SQL_VERSION_TABLE "\n"
	SQL_SERVER_COLUMNS
	"	NULL, NULL, NULL, NULL, NULL, NULL,\n"
	SQL_VERSION_COLUMNS
	"	NULL, NULL, NULL, NULL, NULL, NULL\n"
	"FROM my LEFT JOIN version_table t ON true LIMIT 1";

/*
 * How far a command is, one row each: what it does now, what is done and what there is to do, in
 * whatever unit the phase counts in (0: it counts nothing). pg_stat_progress_copy came with 14. A few
 * microseconds each: they read the backends' status. Masked sessions have no phase.
 */
#define SQL_PROGRESS                                                                               \
	"progress AS MATERIALIZED (\n"                                                             \
	"	SELECT i.pid, i.command || ': ' || i.phase AS phase,\n"                            \
	"		CASE WHEN i.blocks_total > 0 THEN i.blocks_done\n"                         \
	"			ELSE i.tuples_done END AS done,\n"                                 \
	"		CASE WHEN i.blocks_total > 0 THEN i.blocks_total\n"                        \
	"			ELSE i.tuples_total END AS total\n"                                \
	"	FROM pg_catalog.pg_stat_progress_create_index i\n"                                 \
	"	UNION ALL SELECT v.pid, 'VACUUM: ' || v.phase,\n"                                  \
	"		CASE v.phase WHEN 'vacuuming heap' THEN v.heap_blks_vacuumed\n"            \
	"			ELSE v.heap_blks_scanned END, v.heap_blks_total\n"                 \
	"	FROM pg_catalog.pg_stat_progress_vacuum v\n"                                       \
	"	UNION ALL SELECT c.pid, c.command || ': ' || c.phase,\n"                           \
	"		c.heap_blks_scanned, c.heap_blks_total\n"                                  \
	"	FROM pg_catalog.pg_stat_progress_cluster c\n"                                      \
	"	UNION ALL SELECT z.pid, 'ANALYZE: ' || z.phase,\n"                                 \
	"		z.sample_blks_scanned, z.sample_blks_total\n"                              \
	"	FROM pg_catalog.pg_stat_progress_analyze z\n"                                      \
	"	UNION ALL SELECT b.pid, 'BASE BACKUP: ' || b.phase,\n"                             \
	"		b.backup_streamed, b.backup_total\n"                                       \
	"	FROM pg_catalog.pg_stat_progress_basebackup b\n"                                   \
	"@14 UNION ALL SELECT y.pid, y.command, y.bytes_processed, y.bytes_total\n"                \
	"@14 FROM pg_catalog.pg_stat_progress_copy y\n"                                            \
	")"

/*
 * Sessions, one row each, then one row for each prepared transaction. Servers 13 to 17; lines that
 * begin with @14 are for 14 and later, with @13 for 13: see db_query_sessions_for.
 *
 * Cost: one copy of pg_locks, which takes every lock partition once in shared mode; then
 * pg_blocking_pids, which does that again on each call, only for processes that wait, at most
 * DB_WAITERS_MAX of them: of every queue (lock and mode) those first that wait longest. What the
 * others wait for follows from these and from the order of the queue (fold.c). Waiters are found by
 * pg_locks and not by wait_event_type: that is as cheap here and works for a role from which the
 * server hides the wait events. Names are looked up once for each relation that is shown: those
 * awaited and, of sessions in a tree and of prepared transactions, the strongest lock on each of
 * DB_HOLDS_MAX objects, without indexes and TOAST tables, which follow from their table. An oid of
 * another database is not looked up: it would name the wrong table. Prepared (db/watch), it takes
 * about 1 ms with nobody waiting and 4 ms with 500 sessions of which 300 wait.
 *
 * A prepared transaction's locks have no pid; its virtualtransaction is that of the session which
 * prepared it (or -1/xid after a restart), so it is recognised by the lock on its own transaction.
 *
 * Who waits for a safe snapshot (SERIALIZABLE READ ONLY DEFERRABLE) waits for no lock; its blockers
 * have a function of their own.
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
	"		l.pid, l.mode, l.granted, m.rank,\n"
	"@14	l.waitstart AS since\n"
	"@13	NULL::timestamptz AS since\n"
	"	FROM pg_catalog.pg_locks l LEFT JOIN modes m ON m.mode = l.mode\n"
	"), waits AS MATERIALIZED (\n"
	"	SELECT l.*, NULL::text AS gid,\n"
	"		pg_catalog.row_number() OVER (ORDER BY l.since, l.pid) AS place\n"
	"	FROM locks l WHERE NOT l.granted AND l.pid IS NOT NULL\n"
	"), asked AS MATERIALIZED (\n"
	"	SELECT r.pid FROM (SELECT w.pid, w.place, pg_catalog.row_number() OVER (\n"
	"		PARTITION BY w.mode, w.locktype, w.database, w.relation, w.page, w.tuple,\n"
	"			w.virtualxid, w.transactionid::text, w.classid, w.objid, w.objsubid\n"
	"		ORDER BY w.place) AS turn FROM waits w) r\n"
	"	ORDER BY r.turn, r.place LIMIT 40\n"
	"), edges AS MATERIALIZED (\n"
	"	SELECT w.pid, CASE WHEN w.pid IN (SELECT k.pid FROM asked k)\n"
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
	"	CROSS JOIN my\n"
	"	WHERE l.granted AND l.locktype IN ('relation', 'advisory')\n"
	"	AND (p.gid IS NOT NULL OR l.pid IN (SELECT t.pid FROM tree t))\n"
	"	AND coalesce((SELECT c.relkind FROM pg_catalog.pg_class c\n"
	"		WHERE c.oid = l.relation AND l.database IN (0, my.oid)), 'r')\n"
	"		NOT IN ('i', 'I', 't')\n"
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
	"), names AS MATERIALIZED (\n"
	"	SELECT o.database, o.relation, CASE WHEN o.database IN (0, my.oid) THEN coalesce((\n"
	"			SELECT CASE n.nspname WHEN 'public' THEN ''\n"
	"				ELSE n.nspname || '.' END || c.relname\n"
	"			FROM pg_catalog.pg_class c\n"
	"			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
	"			WHERE c.oid = o.relation), 'relation ' || o.relation)\n"
	"		ELSE 'database ' || coalesce((\n"
	"			SELECT d.datname FROM pg_catalog.pg_database d\n"
	"			WHERE d.oid = o.database), o.database::text)\n"
	"			|| ' relation ' || o.relation END AS name\n"
	"	FROM (SELECT DISTINCT s.database, s.relation FROM shown s\n"
	"		WHERE s.relation IS NOT NULL) o CROSS JOIN my\n"
	"), named AS MATERIALIZED (\n"
	"	SELECT r.*, t.name AS relation_name, CASE r.locktype\n"
	"		WHEN 'relation' THEN t.name\n"
	"		WHEN 'extend' THEN 'growth of ' || t.name\n"
	"		WHEN 'page' THEN 'page ' || r.page || ' of ' || t.name\n"
	"		WHEN 'tuple' THEN 'row (' || r.page || ',' || r.tuple || ') of ' || t.name\n"
	"		WHEN 'transactionid' THEN 'transaction ' || r.transactionid\n"
	"		WHEN 'virtualxid' THEN 'virtual transaction ' || r.virtualxid\n"
	"		WHEN 'advisory' THEN 'advisory ' || r.classid || ':' || r.objid\n"
	"		ELSE r.locktype || coalesce(' ' || r.classid || ':' || r.objid, '')\n"
	"		END AS object\n"
	"	FROM shown r\n"
	"	LEFT JOIN names t ON t.database = r.database AND t.relation = r.relation\n"
	"), holds AS MATERIALIZED (\n"
	"	SELECT n.pid, n.gid,\n"
	"		pg_catalog.array_agg(n.mode || ' ' || n.object ORDER BY n.place) AS list\n"
	"	FROM named n WHERE n.kind = 'hold' GROUP BY n.pid, n.gid\n"
	"), version_locks AS MATERIALIZED (\n"
	"	SELECT DISTINCT ON (l.pid) l.pid, l.mode FROM locks l, version_table t, my\n"
	"	WHERE l.granted AND l.pid IS NOT NULL AND l.locktype = 'relation'\n"
	"	AND l.relation = t.oid AND l.database = my.oid\n"
	"	ORDER BY l.pid, l.rank\n"
	"), roles AS MATERIALIZED (\n"
	"	SELECT r.oid, r.rolname, r.rolsuper,\n"
	"		pg_catalog.pg_has_role(r.oid, 'USAGE') AS member\n"
	"	FROM pg_catalog.pg_roles r\n"
	"), " SQL_PROGRESS "\n"
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
	"	CASE WHEN w.pid IS NOT NULL OR a.wait_event = 'SafeSnapshot' THEN\n"
	"		extract(epoch FROM\n"
	"		pg_catalog.clock_timestamp() - coalesce(w.since, a.query_start)) END,\n"
	"	u.rolsuper,\n"
	"	u.member,\n"
	"	v.mode,\n"
	"	i.phase, i.done, i.total,\n"
	"	CASE WHEN a.wait_event = 'SafeSnapshot' THEN a.wait_event ELSE w.mode END,\n"
	"	CASE WHEN a.wait_event = 'SafeSnapshot' THEN 'serializable transactions'\n"
	"		ELSE w.object || CASE WHEN w.locktype = 'transactionid' THEN coalesce((\n"
	"			SELECT ' (row of ' || n.relation_name || ')' FROM named n\n"
	"			WHERE n.kind = 'row' AND n.pid = a.pid LIMIT 1), '')\n"
	"			ELSE '' END END,\n"
	"	CASE WHEN a.wait_event = 'SafeSnapshot'\n"
	"		THEN pg_catalog.pg_safe_snapshot_blocking_pids(a.pid) ELSE e.blocked_by END,\n"
	"	CASE WHEN 0 = ANY (e.blocked_by) THEN ARRAY(\n"
	"		SELECT l.mode || ' ' || p.gid FROM prepared p\n"
	"		JOIN locks l\n"
	"			ON l.pid IS NULL AND l.virtualtransaction = p.virtualtransaction\n"
	"		WHERE l.granted AND l.locktype = w.locktype\n"
	"		AND (l.database, l.relation, l.page, l.tuple, l.virtualxid,\n"
	"			l.transactionid, l.classid, l.objid, l.objsubid) IS NOT DISTINCT FROM\n"
	"			(w.database, w.relation, w.page, w.tuple, w.virtualxid,\n"
	"			w.transactionid, w.classid, w.objid, w.objsubid)) END,\n"
	"	h.list,\n"
	"	1000 * extract(epoch FROM pg_catalog.clock_timestamp()\n"
	"		- pg_catalog.statement_timestamp())\n"
	"FROM pg_catalog.pg_stat_activity a\n"
	"LEFT JOIN named w ON w.kind = 'wait' AND w.pid = a.pid\n"
	"LEFT JOIN edges e ON e.pid = a.pid\n"
	"LEFT JOIN holds h ON h.pid = a.pid\n"
	"LEFT JOIN version_locks v ON v.pid = a.pid\n"
	"LEFT JOIN progress i ON i.pid = a.pid\n"
	"LEFT JOIN roles u ON u.oid = a.usesysid\n"
	"WHERE a.backend_type IN ('client backend', 'parallel worker')\n"
	"OR a.backend_type IS NULL AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL\n"
	"OR a.pid IN (SELECT t.pid FROM tree t)\n"
	"UNION ALL\n"
	"SELECT 0, NULL, p.gid, NULL, p.prepared, NULL, p.owner, p.database, NULL, NULL,\n"
	"	'prepared transaction', 'prepared', NULL, NULL, NULL, NULL,\n"
	"	extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared), NULL,\n"
	"	extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared), NULL,\n"
	"	r.rolsuper, r.member,\n"
	"	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, h.list, NULL\n"
	"FROM prepared p\n"
	"LEFT JOIN roles r ON r.rolname = p.owner\n"
	"LEFT JOIN holds h ON h.pid IS NULL AND h.gid = p.gid";

/* clang-format on */

void db_query_sessions_for(struct buf *out, int version_num)
{
	bool old = version_num < 140000;
	const char *line = db_query_sessions, *end;
	size_t len;

	for (; *line; line += len) {
		end = strchr(line, '\n');
		len = end ? (size_t)(end - line) + 1 : strlen(line);
		if (*line != '@')
			buf_add(out, line, len);
		else if (old == (line[2] == '3'))
			buf_add(out, line + 3, len - 3);
	}
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
