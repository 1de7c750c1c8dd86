/*
 * The variables in a step's text, found with the quoting rules of the language it is in; private to
 * the layer. What cannot be judged safely is a problem with its line, never a guess.
 */
#ifndef PGONCALL_RUNBOOK_TEXT_H
#define PGONCALL_RUNBOOK_TEXT_H

#include <pgoncall/runbook/document.h>

struct text_input {
	const struct runbook *runbook; /* whose variables are declared */
	const char *text;
	int line; /* of the first byte */
	struct runbook_problems *problems;
};

/* Each appends the parts, which together are the whole text. */
void text_parse_sql(const struct text_input *in, struct runbook_parts *parts);
/* alembic: the word alembic, where a command begins, is a part of its own. */
void text_parse_shell(const struct text_input *in, bool alembic, struct runbook_parts *parts);
/* A line of an expect block: every $name is a variable. */
void text_parse_expect(const struct text_input *in, struct runbook_parts *parts);
void text_parts_fini(struct runbook_parts *parts);

/* --- for the parsers --- */

enum text_language { TEXT_SQL, TEXT_SHELL, TEXT_EXPECT };

/* A parser at work. */
struct text_parser {
	const struct text_input *in;
	struct runbook_parts *parts;
	enum text_language language;
	const char *s;    /* where it stands */
	const char *from; /* what stands from here to s is not yet a part */
};

/* Length of the name that follows a $ at s, 0 when none does. */
size_t text_name_len(const char *s);
/* The line that s is in. */
int text_line(const struct text_parser *parser, const char *s);
/* Whether $name at s is a variable of the runbook, whatever follows the name. */
bool text_is_variable(const struct text_parser *parser, const char *s);
/* Reads $name[.field][.ident|.literal] at s as a part and goes past it. */
void text_take_variable(struct text_parser *parser);
/* Ends the text before s as a part. */
void text_flush(struct text_parser *parser);
/* Makes the next len bytes a part of that kind. */
void text_take(struct text_parser *parser, enum runbook_part_kind kind, size_t len);
/* Goes to `end`; each variable of the runbook on the way is a problem: it stands in `what`. */
void text_pass_quoted(struct text_parser *parser, const char *end, const char *what);

#endif
