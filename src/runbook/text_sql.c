/*
 * Variables in SQL, by the rules of PostgreSQL's scanner (manual, 4.1): a variable is bound where a
 * parameter could stand, and refused inside strings, quoted names and dollar quotes.
 */
#include "text.h"

#include <ctype.h>
#include <string.h>

#include "problem.h"

static bool is_ident_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Whether the byte before s can end a name or number, so that a $ here belongs to it. */
static bool follows_ident(const struct text_parser *p, const char *s)
{
	return s > p->in->text && is_ident_char(s[-1]);
}

/* Whether a string whose quote is at s has escapes: E'…'. */
static bool is_escape_string(const struct text_parser *p, const char *s)
{
	return s > p->in->text && (s[-1] == 'e' || s[-1] == 'E') && !follows_ident(p, s - 1);
}

/* The end of a string or quoted name that begins at s, past its last quote; NULL: it has none. */
static const char *quoted_end(const char *s, bool escapes)
{
	char quote = *s++;

	for (;; s++) {
		if (!*s)
			return NULL;
		if (escapes && *s == '\\' && s[1])
			s++;
		else if (*s == quote && s[1] == quote)
			s++;
		else if (*s == quote)
			return s + 1;
	}
}

/* Length of "$tag$" at s, 0: none begins here. */
static size_t dollar_tag_len(const char *s)
{
	size_t len = 1;

	if (isdigit((unsigned char)s[1]))
		return 0;
	while (s[len] != '$' && is_ident_char(s[len]))
		len++;
	return s[len] == '$' ? len + 1 : 0;
}

static const char *dollar_end(const char *s, size_t tag)
{
	const char *p;

	for (p = s + tag; *p; p++)
		if (*p == '$' && strncmp(p, s, tag) == 0)
			return p + tag;
	return NULL;
}

static const char *comment_end(const char *s)
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
	return depth ? NULL : s;
}

static bool is_comment(const char *s)
{
	return (s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*');
}

static void pass_to(struct text_parser *p, const char *end, const char *what)
{
	if (!end) {
		problem_add(p->in->problems, text_line(p, p->s), "%s that begins here has no end",
			what);
		end = p->s + strlen(p->s);
	}
	text_pass_quoted(p, end, what);
}

static void sql_dollar(struct text_parser *p)
{
	size_t tag = follows_ident(p, p->s) ? 0 : dollar_tag_len(p->s);

	if (tag) {
		pass_to(p, dollar_end(p->s, tag), "a dollar-quoted string");
	} else if (follows_ident(p, p->s)) {
		text_pass_quoted(p, p->s + 1, "a name");
	} else if (isdigit((unsigned char)p->s[1])) {
		problem_add(p->in->problems, text_line(p, p->s),
			"numbered parameters are made by pgoncall: write a variable's name");
		p->s++;
	} else if (text_name_len(p->s)) {
		text_take_variable(p);
	} else {
		p->s++;
	}
}

/* Past comments and white space. */
static const char *sql_skip_blank(const char *s)
{
	const char *end;

	for (;;) {
		s += strspn(s, " \t\r\n\f\v;");
		if (!is_comment(s))
			return s;
		end = comment_end(s);
		if (!end)
			return s;
		s = end;
	}
}

static void sql_semicolon(struct text_parser *p)
{
	const char *next = sql_skip_blank(p->s);

	if (*next)
		problem_add(p->in->problems, text_line(p, next),
			"a block holds one statement: give this one a step of its own");
	p->s++;
}

void text_parse_sql(const struct text_input *in, struct runbook_parts *parts)
{
	struct text_parser p = { in, parts, TEXT_SQL, in->text, in->text };

	while (*p.s) {
		if (*p.s == '\'')
			pass_to(&p, quoted_end(p.s, is_escape_string(&p, p.s)), "a string");
		else if (*p.s == '"')
			pass_to(&p, quoted_end(p.s, false), "a quoted name");
		else if (is_comment(p.s))
			p.s = comment_end(p.s) ? comment_end(p.s) : p.s + strlen(p.s);
		else if (*p.s == '$')
			sql_dollar(&p);
		else if (*p.s == ';')
			sql_semicolon(&p);
		else
			p.s++;
	}
	text_flush(&p);
}
