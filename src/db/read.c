/*
 * Which statements only read, told by their first word and by the functions they call, and the
 * catalogue queries of `:tables` and `:d`. Sends nothing.
 */
#include <pgoncall/db/read.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <pgoncall/base/mem.h>

#include "array.h"

/* Volatile functions that are called for what they tell. Everything else that is volatile may act:
 * signal, reload, lock, write files, run SQL it is given. */
const char db_read_volatile[] =
	"SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p\n"
	"WHERE p.proname = ANY ($1::text[]) AND p.provolatile = 'v' AND NOT (p.proname = ANY (\n"
	"	'{random,clock_timestamp,timeofday,gen_random_uuid,txid_current_if_assigned,\n"
	"	pg_relation_size,pg_table_size,pg_indexes_size,pg_total_relation_size,\n"
	"	pg_database_size,pg_tablespace_size,pg_current_wal_lsn,pg_last_wal_receive_lsn,\n"
	"	pg_last_wal_replay_lsn,pg_last_xact_replay_timestamp,pg_is_in_recovery,\n"
	"	pg_is_wal_replay_paused,pg_blocking_pids,pg_safe_snapshot_blocking_pids,\n"
	"	pg_lock_status,pg_ls_waldir,pg_ls_logdir}'::text[])\n"
	"	AND p.pronamespace = 'pg_catalog'::regnamespace)";

/* No size function: it would wait behind AccessExclusive. Servers 13 to 17. */
const char db_read_tables[] =
	"SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS "
	"\"table\",\n"
	"	CASE c.relkind WHEN 'p' THEN 'partitioned' WHEN 'm' THEN 'matview' ELSE 'table' "
	"END AS kind,\n"
	"	CASE WHEN c.reltuples < 0 THEN 'not analyzed' ELSE c.reltuples::bigint::text END\n"
	"		AS \"rows, about\",\n"
	"	pg_catalog.pg_size_pretty(c.relpages::bigint\n"
	"		* pg_catalog.current_setting('block_size')::int) AS \"size, about\",\n"
	"	s.n_dead_tup AS dead,\n"
	"	to_char(greatest(s.last_vacuum, s.last_autovacuum), 'YYYY-MM-DD HH24:MI') AS "
	"vacuumed\n"
	"FROM pg_catalog.pg_class c\n"
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
	"LEFT JOIN pg_catalog.pg_stat_user_tables s ON s.relid = c.oid\n"
	"WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT LIKE 'pg\\_%'\n"
	"AND n.nspname <> 'information_schema'\n"
	"ORDER BY c.relpages DESC, 1 LIMIT 200";

/* Neither pg_get_expr nor pg_get_indexdef: both lock the table. Servers 13 to 17. */
const char db_read_table[] =
	"WITH t AS (SELECT c.oid FROM pg_catalog.pg_class c\n"
	"	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
	"	WHERE c.relname = $1::text AND c.relkind IN ('r', 'p', 'm', 'v', 'f')\n"
	"	AND CASE WHEN $2::text = '' THEN pg_catalog.pg_table_is_visible(c.oid)\n"
	"		ELSE n.nspname = $2::text END)\n"
	"SELECT what, name, detail FROM (\n"
	"SELECT 1 AS part, a.attnum::int AS at, 'column' AS what, a.attname::text AS name,\n"
	"	pg_catalog.format_type(a.atttypid, a.atttypmod)\n"
	"	|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END\n"
	"	|| CASE WHEN a.attidentity <> '' THEN ', identity' WHEN a.attgenerated <> '' THEN\n"
	"		', generated' WHEN a.atthasdef THEN ', has a default' ELSE '' END AS "
	"detail\n"
	"FROM pg_catalog.pg_attribute a JOIN t ON a.attrelid = t.oid\n"
	"WHERE a.attnum > 0 AND NOT a.attisdropped\n"
	"UNION ALL\n"
	"SELECT 2, 0, 'index', i.relname,\n"
	"	CASE WHEN x.indisprimary THEN 'primary key ' WHEN x.indisunique THEN 'unique ' "
	"ELSE '' END\n"
	"	|| '(' || coalesce((SELECT pg_catalog.string_agg(\n"
	"		coalesce(a.attname, 'expression'), ', ' ORDER BY k.place)\n"
	"		FROM pg_catalog.unnest(x.indkey::int[]) WITH ORDINALITY k (attnum, place)\n"
	"		LEFT JOIN pg_catalog.pg_attribute a\n"
	"			ON a.attrelid = x.indrelid AND a.attnum = k.attnum), '') || ')'\n"
	"	|| CASE WHEN x.indpred IS NOT NULL THEN ' partial' ELSE '' END\n"
	"	|| CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END\n"
	"FROM pg_catalog.pg_index x JOIN t ON x.indrelid = t.oid\n"
	"JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid\n"
	"UNION ALL\n"
	"SELECT 3, 0, CASE o.contype WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check'\n"
	"	WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' ELSE 'constraint' END, "
	"o.conname,\n"
	"	coalesce('to ' || r.relname, '') || CASE WHEN o.convalidated THEN '' ELSE ' NOT "
	"VALID' END\n"
	"FROM pg_catalog.pg_constraint o JOIN t ON o.conrelid = t.oid\n"
	"LEFT JOIN pg_catalog.pg_class r ON r.oid = o.confrelid\n"
	"UNION ALL\n"
	"SELECT 4, 0, 'referenced by', f.relname, o.conname\n"
	"FROM pg_catalog.pg_constraint o JOIN t ON o.confrelid = t.oid\n"
	"JOIN pg_catalog.pg_class f ON f.oid = o.conrelid WHERE o.contype = 'f'\n"
	"UNION ALL\n"
	"SELECT 5, 0, 'trigger', g.tgname,\n"
	"	CASE g.tgenabled WHEN 'D' THEN 'disabled' ELSE '' END\n"
	"FROM pg_catalog.pg_trigger g JOIN t ON g.tgrelid = t.oid WHERE NOT g.tgisinternal\n"
	") d ORDER BY part, at, name LIMIT 500";

static const struct {
	const char *word;
	bool cursor;
} read_words[] = {
	{ "SELECT", true },
	{ "WITH", true },
	{ "VALUES", true },
	{ "TABLE", true },
	{ "SHOW", false },
	{ "EXPLAIN", false },
};

/* Behind a string or quoted name that begins at s; doubled quotes belong to it, and so does what a
 * backslash escapes in an E'' string. */
static const char *read_skip_quoted(const char *s, bool backslash)
{
	char quote = *s++;

	for (; *s; s++) {
		if (backslash && *s == '\\' && s[1])
			s++;
		else if (*s == quote && s[1] == quote)
			s++;
		else if (*s == quote)
			return s + 1;
	}
	return s;
}

/* Behind "$tag$ … $tag$"; s itself where it is none. */
static const char *read_skip_dollar(const char *s)
{
	size_t len = 1 + strspn(s + 1,
				 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	const char *end;
	char *tag;

	if (s[len] != '$' || isdigit((unsigned char)s[1]))
		return s;
	tag = mem_strndup(s, len + 1);
	end = strstr(s + len + 1, tag);
	free(tag);
	return end ? end + len + 1 : s + strlen(s);
}

/* Behind white space and comments, which may be nested. */
static const char *read_skip_space(const char *s)
{
	int depth = 0;

	for (;; s++) {
		if (s[0] == '/' && s[1] == '*') {
			depth++;
			s++;
		} else if (depth && s[0] == '*' && s[1] == '/') {
			depth--;
			s++;
		} else if (!depth && s[0] == '-' && s[1] == '-') {
			s += strcspn(s, "\n");
			if (!*s)
				return s;
		} else if (!*s || (!depth && !isspace((unsigned char)*s))) {
			return s;
		}
	}
}

static bool read_is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* A name at s as the server understands it (folded, or without its quotes); *end behind it. */
static char *read_name(const char *s, const char **end)
{
	size_t len = 0, from, to;
	char *name;

	if (*s == '"') {
		*end = read_skip_quoted(s, false);
		name = mem_strndup(s + 1, *end > s + 1 ? (size_t)(*end - s) - 2 : 0);
		for (from = to = 0; name[from]; from++, to++) {
			name[to] = name[from];
			from += name[from] == '"' && name[from + 1] == '"';
		}
		name[to] = '\0';
		return name;
	}
	while (read_is_name(s[len]))
		len++;
	*end = s + len;
	name = mem_strndup(s, len);
	for (from = 0; name[from]; from++)
		name[from] = (char)tolower((unsigned char)name[from]);
	return name;
}

static void read_functions(const char *s, struct strlist *functions)
{
	const char *end;
	char *name;

	while (*(s = read_skip_space(s))) {
		if (*s == '\'') {
			s = read_skip_quoted(s, false);
		} else if ((*s == 'e' || *s == 'E') && s[1] == '\'') {
			s = read_skip_quoted(s + 1, true);
		} else if (*s == '$') {
			end = read_skip_dollar(s);
			s = end > s ? end : s + 1;
		} else if (*s == '"' || (read_is_name(*s) && !isdigit((unsigned char)*s))) {
			name = read_name(s, &end);
			s = end;
			if (*read_skip_space(s) == '(' && !strlist_has(functions, name))
				strlist_add(functions, name);
			free(name);
		} else {
			s++;
		}
	}
}

int db_read_check(const char *sql, bool *cursor, struct strlist *functions, struct err *err)
{
	const char *s = read_skip_space(sql), *end;
	size_t i, n = sizeof(read_words) / sizeof(read_words[0]);
	char *word;

	while (*s == '(')
		s = read_skip_space(s + 1);
	word = read_name(s, &end);
	for (i = 0; i < n && strcasecmp(word, read_words[i].word) != 0; i++)
		continue;
	free(word);
	if (i == n)
		return err_set(err, ERR_REFUSED,
			":sql only reads: SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN");
	/* Names spelled by code points would hide a function's. */
	if (strstr(sql, "U&\"") || strstr(sql, "u&\""))
		return err_set(err, ERR_REFUSED, ":sql takes no names written as U&\"…\"");
	*cursor = read_words[i].cursor;
	read_functions(sql, functions);
	return 0;
}

void db_read_array(const struct strlist *names, struct buf *out)
{
	array_format(names, out);
}
