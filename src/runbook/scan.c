/*
 * Looking for danger in SQL and in command lines, word by word. Where this cannot tell, it takes
 * the worse: the price is a longer confirmation, never a shorter one.
 */
#include <pgoncall/runbook/scan.h>

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SCAN_MAX_DEPTH 64

/* Words that are dangerous wherever they stand. */
static const struct {
	const char *word;
	enum policy_act act;
} sql_words[] = {
	{ "DROP", POLICY_ACT_DROP },
	{ "TRUNCATE", POLICY_ACT_TRUNCATE },
	{ "PG_TERMINATE_BACKEND", POLICY_ACT_TERMINATE },
	{ "PG_CANCEL_BACKEND", POLICY_ACT_CANCEL },
};

/* After these, UPDATE and DELETE are not statements: FOR UPDATE, ON DELETE, DO UPDATE, THEN DELETE
 * … */
static const char *const not_before[] = {
	"FOR",
	"KEY",
	"ON",
	"DO",
	"THEN",
	"OR",
	"BEFORE",
	"AFTER",
	"OF",
};

struct sql_scan {
	enum policy_act worst;
	size_t depth;               /* of parentheses */
	bool wants[SCAN_MAX_DEPTH]; /* an UPDATE or DELETE of this depth has no WHERE yet */
	/* What may be a comment, or an option or a path of the shell's: which one we are in, and in
	 * which one the UPDATE stood; 0: in none. */
	size_t comments, comment, wanted_in[SCAN_MAX_DEPTH];
	char comment_kind;  /* '-' or '/' */
	bool writes;        /* INSERT, UPDATE or DELETE was seen … */
	bool version_table; /* … and alembic_version */
	bool changes;       /* UPDATE or DELETE was seen … */
	bool ambiguous;     /* … and a literal that two settings of the server read two ways */
	const char *tag;    /* of the dollar quote we are in, "$tag$"; NULL: in none */
	size_t tag_len;
	size_t tag_depth; /* its level of parentheses, for it counts as one */
	char before[16];  /* the word before, "" at a statement's start */
};

static bool word_is(const char *word, size_t len, const char *what)
{
	return strlen(what) == len && strncasecmp(word, what, len) == 0;
}

static void scan_note(enum policy_act *worst, enum policy_act act)
{
	*worst = policy_act_worse(*worst, act);
}

/* --- SQL ------------------------------------------------------------------------------------- */

static bool sql_is_clause(const struct sql_scan *scan)
{
	size_t i;

	for (i = 0; i < sizeof(not_before) / sizeof(not_before[0]); i++)
		if (strcasecmp(scan->before, not_before[i]) == 0)
			return true;
	return false;
}

/* Leaves a level of parentheses, or a statement at level 0: its UPDATE or DELETE is over. */
static void sql_leave(struct sql_scan *scan)
{
	if (scan->wants[scan->depth])
		scan_note(&scan->worst, POLICY_ACT_UNBOUNDED);
	scan->wants[scan->depth] = false;
}

/* Words that mean something in a literal too. */
static void sql_word_anywhere(struct sql_scan *scan, const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(sql_words) / sizeof(sql_words[0]); i++)
		if (word_is(word, len, sql_words[i].word))
			scan_note(&scan->worst, sql_words[i].act);
	scan->version_table |= word_is(word, len, "ALEMBIC_VERSION");
}

static void sql_word(struct sql_scan *scan, const char *word, size_t len)
{
	bool changes = word_is(word, len, "UPDATE") || word_is(word, len, "DELETE");
	size_t keep = len < sizeof(scan->before) - 1 ? len : sizeof(scan->before) - 1;

	sql_word_anywhere(scan, word, len);
	if (changes && !sql_is_clause(scan)) {
		sql_leave(scan);
		scan->wants[scan->depth] = true;
		scan->wanted_in[scan->depth] = scan->comment;
	} else if (word_is(word, len, "WHERE") &&
		   (!scan->comment || scan->wanted_in[scan->depth] == scan->comment)) {
		scan->wants[scan->depth] = false;
	}
	scan->changes |= changes;
	scan->writes |= changes || word_is(word, len, "INSERT");
	memcpy(scan->before, word, keep);
	scan->before[keep] = '\0';
}

static bool sql_is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static const char *sql_skip_comment(const char *s)
{
	size_t depth = 0;

	if (s[0] == '-')
		return s + strcspn(s, "\n");
	do {
		if (s[0] == '/' && s[1] == '*') {
			depth++;
			s += 2;
		} else if (s[0] == '*' && s[1] == '/') {
			depth--;
			s += 2;
		} else {
			s++;
		}
	} while (depth && *s);
	return s;
}

/* A literal or quoted name at s, its words noted; returns its end. A quote that is doubled makes
 * two literals of one, which changes nothing here. */
static const char *sql_literal(struct sql_scan *scan, const char *s)
{
	char quote = *s++;
	const char *word;

	while (*s && *s != quote) {
		word = s;
		while (sql_is_word(*s))
			s++;
		if (s > word) {
			sql_word_anywhere(scan, word, (size_t)(s - word));
		} else if (s[0] == '\\' && s[1] == quote && quote == '\'') {
			scan->ambiguous = true;
			s += 2;
		} else {
			s++;
		}
	}
	return *s ? s + 1 : s;
}

static void sql_enter(struct sql_scan *scan)
{
	if (scan->depth + 1 == SCAN_MAX_DEPTH)
		scan_note(&scan->worst, POLICY_ACT_UNBOUNDED);
	else
		scan->depth++;
}

/* Leaves every level from the present one down to `to`, and stands at `to`. */
static void sql_leave_to(struct sql_scan *scan, size_t to)
{
	sql_leave(scan);
	while (scan->depth > to) {
		scan->depth--;
		sql_leave(scan);
	}
}

static void sql_punctuation(struct sql_scan *scan, char c)
{
	size_t lowest = scan->tag ? scan->tag_depth : 0;

	if (c == '(') {
		sql_enter(scan);
	} else if (c == ')' && scan->depth > lowest) {
		sql_leave(scan);
		scan->depth--;
	} else if (c == ';') {
		sql_leave_to(scan, lowest);
	}
	if (!isspace((unsigned char)c))
		scan->before[0] = '\0';
}

/* Length of a dollar quote's "$tag$" at s, 0: it is none. */
static size_t sql_tag_len(const char *s)
{
	size_t len = 1;

	if (s[0] != '$' || isdigit((unsigned char)s[1]))
		return 0;
	while (sql_is_word(s[len]))
		len++;
	return s[len] == '$' ? len + 1 : 0;
}

/* What a dollar quote holds is read as code, as it is in DO and in functions, one level in. A quote
 * within it is not looked at. Returns len. */
static size_t sql_tag(struct sql_scan *scan, const char *s, size_t len)
{
	if (!scan->tag) {
		sql_enter(scan);
		scan->tag = s;
		scan->tag_len = len;
		scan->tag_depth = scan->depth;
	} else if (len == scan->tag_len && memcmp(s, scan->tag, len) == 0) {
		while (scan->depth >= scan->tag_depth && scan->depth) {
			sql_leave(scan);
			scan->depth--;
		}
		scan->tag = NULL;
	}
	scan->before[0] = '\0';
	return len;
}

static bool sql_is_comment(const char *s)
{
	return (s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*');
}

/* In a command line "--quiet" is no comment, and a comment looks like it: its words count, and a WHERE
 * in it is none of a statement before it. */
static const char *sql_doubt_comment(struct sql_scan *scan, const char *s)
{
	scan->comment = ++scan->comments;
	scan->comment_kind = s[0];
	return s + 2;
}

static void sql_leave_comment(struct sql_scan *scan, const char *s)
{
	if (scan->comment_kind == '-' ? s[0] == '\n' : s[0] == '*' && s[1] == '/')
		scan->comment = 0;
}

static void sql_run(struct sql_scan *scan, const char *s, bool literals)
{
	const char *word;
	size_t len;

	while (*s) {
		word = s;
		while (sql_is_word(*s))
			s++;
		if (s == word)
			sql_leave_comment(scan, s);
		len = s > word ? 0 : sql_tag_len(s);
		if (s > word)
			sql_word(scan, word, (size_t)(s - word));
		else if (sql_is_comment(s))
			s = literals ? sql_skip_comment(s) : sql_doubt_comment(scan, s);
		else if (literals && (*s == '\'' || *s == '"'))
			s = sql_literal(scan, s);
		else if (len)
			s += sql_tag(scan, s, len);
		else
			sql_punctuation(scan, *s++);
	}
	sql_leave_to(scan, 0);
	if (scan->changes && scan->ambiguous)
		scan_note(&scan->worst, POLICY_ACT_UNBOUNDED);
	if (scan->writes && scan->version_table)
		scan_note(&scan->worst, POLICY_ACT_STAMP);
}

enum policy_act scan_sql(const char *sql)
{
	struct sql_scan scan = { .worst = POLICY_ACT_WRITE };

	sql_run(&scan, sql, true);
	return scan.worst;
}

/* --- command lines --------------------------------------------------------------------------- */

/* A word that is dangerous once another has been seen before it (NULL: by itself). */
static const struct {
	const char *after;
	const char *word;
	enum policy_act act;
} shell_words[] = {
	{ "alembic", "upgrade", POLICY_ACT_UPGRADE },
	{ "alembic", "downgrade", POLICY_ACT_DOWNGRADE },
	{ "alembic", "stamp", POLICY_ACT_STAMP },
	{ NULL, "kill", POLICY_ACT_SIGNAL },
	{ NULL, "pkill", POLICY_ACT_SIGNAL },
	{ NULL, "killall", POLICY_ACT_SIGNAL },
	{ "kill", "-9", POLICY_ACT_KILL },
	{ "kill", "-KILL", POLICY_ACT_KILL },
	{ "kill", "-SIGKILL", POLICY_ACT_KILL },
	{ "kill", "KILL", POLICY_ACT_KILL },
	{ "kill", "SIGKILL", POLICY_ACT_KILL },
	{ "kill", "9", POLICY_ACT_KILL },
	{ "container", "kill", POLICY_ACT_KILL },
	{ "container", "restart", POLICY_ACT_RESTART },
	{ "container", "stop", POLICY_ACT_RESTART },
	{ "container", "start", POLICY_ACT_RESTART },
	{ "container", "up", POLICY_ACT_RESTART },
	{ "container", "down", POLICY_ACT_DROP },
	{ "container", "rm", POLICY_ACT_DROP },
	{ "container", "prune", POLICY_ACT_DROP },
	{ NULL, "rm", POLICY_ACT_DROP },
	{ NULL, "dropdb", POLICY_ACT_DROP },
	{ NULL, "dropuser", POLICY_ACT_DROP },
	{ NULL, "reboot", POLICY_ACT_KILL },
	{ NULL, "shutdown", POLICY_ACT_KILL },
	{ NULL, "poweroff", POLICY_ACT_KILL },
};

/* Programs, and the kind they are known by in `after`. */
static const struct {
	const char *word;
	const char *kind;
} shell_kinds[] = {
	{ "alembic", "alembic" },
	{ "kill", "kill" },
	{ "pkill", "kill" },
	{ "killall", "kill" },
	{ "docker", "container" },
	{ "podman", "container" },
	{ "docker-compose", "container" },
	{ "systemctl", "container" },
	{ "service", "container" },
	{ "psql", "psql" },
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

struct shell_scan {
	enum policy_act worst;
	bool seen[N_OF(shell_kinds)];
};

static bool shell_has(const struct shell_scan *scan, const char *kind)
{
	size_t i;

	for (i = 0; i < N_OF(shell_kinds); i++)
		if (scan->seen[i] && strcmp(shell_kinds[i].kind, kind) == 0)
			return true;
	return false;
}

/* The word is matched as it is and by its last path component. */
static void shell_word(struct shell_scan *scan, const char *word, size_t len)
{
	const char *slash = memrchr(word, '/', len);
	size_t i;

	if (slash) {
		len -= (size_t)(slash + 1 - word);
		word = slash + 1;
	}
	for (i = 0; i < N_OF(shell_words); i++)
		if (word_is(word, len, shell_words[i].word) &&
			(!shell_words[i].after || shell_has(scan, shell_words[i].after)))
			scan_note(&scan->worst, shell_words[i].act);
	for (i = 0; i < N_OF(shell_kinds); i++)
		scan->seen[i] |= word_is(word, len, shell_kinds[i].word);
}

enum policy_act scan_shell(const char *command)
{
	static const char between[] = " \t\r\n'\"`;&|()<>{}$=,\\";
	struct shell_scan scan = { .worst = POLICY_ACT_WRITE };
	struct sql_scan sql = { .worst = POLICY_ACT_WRITE };
	const char *s = command;
	size_t len;

	while (*(s += strspn(s, between))) {
		len = strcspn(s, between);
		shell_word(&scan, s, len);
		s += len;
	}
	if (shell_has(&scan, "psql")) {
		sql_run(&sql, command, false);
		scan_note(&scan.worst, sql.worst);
	}
	return scan.worst;
}
