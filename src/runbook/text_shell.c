/*
 * Variables in a command line, by the rules of the POSIX shell (2.2, 2.3). `$name` is ours and stands
 * outside quotes, where one quoted word can be put in its place; `${name}`, `$(…)`, `$1` are the
 * shell's. Constructs in which the place of a word cannot be told for certain are refused:
 * backquotes, $((…)), $'…', here-documents, and `case` inside $(…), whose patterns end with ")".
 */
#include "text.h"

#include <ctype.h>
#include <string.h>

#include "problem.h"

#define SHELL_DEPTH_MAX 32
#define SHELL_BLANK     " \t"
#define SHELL_OPERATOR  ";&|()<>\n"
#define SHELL_SPECIAL   SHELL_BLANK SHELL_OPERATOR "'\"`$\\"

enum shell_context { SHELL_TOP, SHELL_QUOTE, SHELL_SUBSTITUTION, SHELL_GROUP };

struct shell_parser {
	struct text_parser text;
	bool alembic;
	enum shell_context context[SHELL_DEPTH_MAX];
	bool outer_assigning[SHELL_DEPTH_MAX]; /* what `assigning` was outside of it */
	size_t depth;
	bool word_start; /* nothing of the present word was read yet */
	bool command;    /* the present word is a command's name */
	bool assigning;  /* the present word is NAME=… before a command */
	bool gave_up;    /* a problem after which the rest would be misread */
};

static void refuse(struct shell_parser *p, const char *sentence)
{
	problem_add(p->text.in->problems, text_line(&p->text, p->text.s), "%s", sentence);
	p->gave_up = true;
}

static void push(struct shell_parser *p, enum shell_context context, size_t len)
{
	if (p->depth + 1 == SHELL_DEPTH_MAX) {
		refuse(p, "quotes and parentheses are nested too deeply");
		return;
	}
	p->context[++p->depth] = context;
	p->outer_assigning[p->depth] = p->assigning;
	p->text.s += len;
	p->word_start = context != SHELL_QUOTE;
	p->command = context != SHELL_QUOTE;
	p->assigning = false;
}

static void pop(struct shell_parser *p)
{
	p->assigning = p->outer_assigning[p->depth--];
	p->text.s++;
	p->word_start = false;
	p->command = p->assigning;
}

/* Something of the present word was read that is no plain character. */
static void within_word(struct shell_parser *p)
{
	p->word_start = false;
	if (!p->assigning)
		p->command = false;
}

/* --- $ --------------------------------------------------------------------------------------- */

/* ${name} with what the shell may do to it, as long as that nests nothing. */
static void shell_braces(struct shell_parser *p)
{
	size_t len = strcspn(p->text.s + 2, "}$`'\"\\{\n");

	if (p->text.s[2 + len] != '}') {
		refuse(p, "${…} may hold no quotes, $ or braces here");
		return;
	}
	p->text.s += len + 3;
	within_word(p);
}

static void shell_variable(struct shell_parser *p)
{
	struct runbook_part *part;
	bool command = p->command && !p->assigning;
	int line = text_line(&p->text, p->text.s);

	if (p->context[p->depth] == SHELL_QUOTE) {
		problem_add(p->text.in->problems, line,
			"$%.*s stands in quotes: take it out of there, it is quoted by itself (a "
			"variable "
			"of the shell is ${…})",
			(int)text_name_len(p->text.s), p->text.s + 1);
		p->text.s++;
		return;
	}
	text_take_variable(&p->text);
	part = &p->text.parts->items[p->text.parts->n - 1];
	if (command && part->type != RUNBOOK_WORDS && part->type != RUNBOOK_COMMAND)
		problem_add(p->text.in->problems, line,
			"$%s would be the command itself: a value may only be an argument",
			part->var);
	if (*p->text.s == '<' || *p->text.s == '>')
		problem_add(p->text.in->problems, line,
			"$%s stands right before a redirection: put a space between", part->var);
	within_word(p);
}

static void shell_dollar(struct shell_parser *p)
{
	const char *s = p->text.s;
	bool quoted = p->context[p->depth] == SHELL_QUOTE;

	if (s[1] == '(' && s[2] == '(') {
		refuse(p, "$((…)) is not supported");
	} else if (s[1] == '(') {
		push(p, SHELL_SUBSTITUTION, 2);
	} else if (s[1] == '{') {
		shell_braces(p);
	} else if ((s[1] == '\'' || s[1] == '"') && !quoted) {
		refuse(p, "$'…' and $\"…\" mean different things to different shells");
	} else if (text_name_len(s)) {
		shell_variable(p);
	} else {
		p->text.s += s[1] && strchr("@*#?$!-0123456789", s[1]) ? 2 : 1;
		within_word(p);
	}
}

/* --- quotes ---------------------------------------------------------------------------------- */

static void shell_single_quote(struct shell_parser *p)
{
	const char *end = strchr(p->text.s + 1, '\'');

	if (!end) {
		refuse(p, "the quote that begins here has no end");
		return;
	}
	text_pass_quoted(&p->text, end, "quotes");
	p->text.s = end + 1;
	within_word(p);
}

static void shell_in_quote(struct shell_parser *p)
{
	switch (*p->text.s) {
	case '"':
		pop(p);
		break;
	case '\\':
		p->text.s += p->text.s[1] ? 2 : 1;
		break;
	case '$':
		shell_dollar(p);
		break;
	case '`':
		refuse(p, "write $(…) in place of backquotes");
		break;
	default:
		p->text.s++;
		break;
	}
}

/* --- words and operators --------------------------------------------------------------------- */

static bool word_is_one_of(const char *s, size_t len, const char *const words[])
{
	for (; *words; words++)
		if (strlen(*words) == len && strncmp(*words, s, len) == 0)
			return true;
	return false;
}

static bool word_is_assignment(const char *s, size_t len)
{
	size_t i = 0;

	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (i < len && (isalnum((unsigned char)s[i]) || s[i] == '_'))
		i++;
	return i < len && s[i] == '=';
}

static bool in_substitution(const struct shell_parser *p)
{
	size_t i;

	for (i = 0; i <= p->depth; i++)
		if (p->context[i] == SHELL_SUBSTITUTION)
			return true;
	return false;
}

/* A run of plain characters. */
static void shell_word(struct shell_parser *p)
{
	static const char *const before_commands[] = { "if", "then", "else", "elif", "do", "while",
		"until", "!", "{", NULL };
	static const char *const cases[] = { "case", NULL };
	const char *s = p->text.s;
	size_t len = strcspn(s, SHELL_SPECIAL);
	bool whole = p->word_start && !strchr("'\"`$\\", s[len]);
	bool command = p->command && p->word_start;

	/* strchr finds the NUL too: a word at the text's end is whole. */
	whole |= p->word_start && !s[len];
	if (whole && in_substitution(p) && word_is_one_of(s, len, cases)) {
		refuse(p, "`case` inside $(…) is not supported: its patterns end with \")\"");
		return;
	}
	if (command && whole && p->alembic && len == 7 && strncmp(s, "alembic", 7) == 0) {
		text_take(&p->text, RUNBOOK_PART_ALEMBIC, len);
		within_word(p);
		return;
	}
	p->text.s += len;
	if (command && whole && word_is_one_of(s, len, before_commands)) {
		p->word_start = false; /* the next word is a command too */
	} else if (command && word_is_assignment(s, len)) {
		p->assigning = true;
		p->word_start = false;
	} else {
		within_word(p);
	}
}

static void shell_blank(struct shell_parser *p)
{
	p->text.s += strspn(p->text.s, SHELL_BLANK);
	p->word_start = true;
	p->assigning = false;
}

static void shell_operator(struct shell_parser *p)
{
	const char *s = p->text.s;

	p->assigning = false;
	if (s[0] == '<' && s[1] == '<') {
		refuse(p, "here-documents are not supported");
	} else if (*s == '(') {
		push(p, SHELL_GROUP, 1);
	} else if (*s == ')' && p->context[p->depth] != SHELL_TOP) {
		pop(p);
	} else if (*s == '<' || *s == '>') {
		p->text.s += s[1] == '&' || s[1] == '|' || s[1] == '>' ? 2 : 1;
		p->word_start = true;
		p->command = false;
	} else {
		p->text.s++;
		p->word_start = true;
		p->command = true;
	}
}

static void shell_in_text(struct shell_parser *p)
{
	char c = *p->text.s;

	if (c == '\'') {
		shell_single_quote(p);
	} else if (c == '"') {
		within_word(p);
		push(p, SHELL_QUOTE, 1);
	} else if (c == '`') {
		refuse(p, "write $(…) in place of backquotes");
	} else if (c == '\\' && p->text.s[1] == '\n') {
		p->text.s += 2;
	} else if (c == '\\') {
		p->text.s += p->text.s[1] ? 2 : 1;
		within_word(p);
	} else if (c == '$') {
		shell_dollar(p);
	} else if (c == '#' && p->word_start) {
		p->text.s += strcspn(p->text.s, "\n");
	} else if (strchr(SHELL_BLANK, c)) {
		shell_blank(p);
	} else if (strchr(SHELL_OPERATOR, c)) {
		shell_operator(p);
	} else {
		shell_word(p);
	}
}

void text_parse_shell(const struct text_input *in, bool alembic, struct runbook_parts *parts)
{
	struct shell_parser p = {
		.text = { in, parts, TEXT_SHELL, in->text, in->text },
		.alembic = alembic,
		.word_start = true,
		.command = true,
	};

	while (*p.text.s && !p.gave_up) {
		if (p.context[p.depth] == SHELL_QUOTE)
			shell_in_quote(&p);
		else
			shell_in_text(&p);
	}
	if (!p.gave_up && p.depth)
		refuse(&p, p.context[p.depth] == SHELL_QUOTE ? "a double quote has no end"
							     : "a parenthesis has no end");
	p.text.s += strlen(p.text.s);
	text_flush(&p.text);
}
