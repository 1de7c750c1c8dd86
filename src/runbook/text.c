/*
 * Variables in text: what both languages have in common, and the lines of expect blocks. The
 * quoting rules stand in text_sql.c and text_shell.c.
 */
#include "text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "problem.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

static size_t word_len(const char *s)
{
	return isalpha((unsigned char)*s) || *s == '_' ? strspn(s, NAME_CHARS) : 0;
}

size_t text_name_len(const char *s)
{
	return *s == '$' ? word_len(s + 1) : 0;
}

int text_line(const struct text_parser *parser, const char *s)
{
	const char *p;
	int line = parser->in->line;

	for (p = parser->in->text; p < s; p++)
		line += *p == '\n';
	return line;
}

void text_parts_fini(struct runbook_parts *parts)
{
	size_t i;

	for (i = 0; i < parts->n; i++)
		free(parts->items[i].var);
	free(parts->items);
	memset(parts, 0, sizeof(*parts));
}

static struct runbook_part *text_add(
	struct text_parser *parser, enum runbook_part_kind kind, const char *at, size_t len)
{
	struct runbook_parts *parts = parser->parts;
	struct runbook_part *part;

	parts->items = mem_grow(parts->items, parts->n, &parts->cap, sizeof(*parts->items));
	part = &parts->items[parts->n++];
	memset(part, 0, sizeof(*part));
	part->kind = kind;
	part->at = (size_t)(at - parser->in->text);
	part->len = len;
	return part;
}

void text_flush(struct text_parser *parser)
{
	if (parser->s > parser->from)
		text_add(parser, RUNBOOK_PART_TEXT, parser->from,
			(size_t)(parser->s - parser->from));
	parser->from = parser->s;
}

void text_take(struct text_parser *parser, enum runbook_part_kind kind, size_t len)
{
	text_flush(parser);
	text_add(parser, kind, parser->s, len);
	parser->s += len;
	parser->from = parser->s;
}

/* --- references ------------------------------------------------------------------------------ */

/* What $name means; type and fields. Returns false where it means nothing. */
static bool text_look_up(const struct text_parser *parser, const char *name,
	enum runbook_type *type, const struct runbook_picker **picker)
{
	const struct runbook_var *var = runbook_var_find(parser->in->runbook, name);
	const struct runbook_provided *provided = runbook_provided_find(name);

	*picker = var ? var->picker : NULL;
	*type = var ? var->type : provided ? provided->type : RUNBOOK_TEXT;
	return var || provided;
}

bool text_is_variable(const struct text_parser *parser, const char *s)
{
	size_t len = text_name_len(s);
	char *name = mem_strndup(s + 1, len);
	const struct runbook_picker *picker;
	enum runbook_type type;
	bool is = len && text_look_up(parser, name, &type, &picker);

	free(name);
	return is;
}

void text_pass_quoted(struct text_parser *parser, const char *end, const char *what)
{
	for (; parser->s < end; parser->s++)
		if (*parser->s == '$' && text_is_variable(parser, parser->s))
			problem_add(parser->in->problems, text_line(parser, parser->s),
				"$%.*s stands in %s: take it out of there, it is quoted by itself",
				(int)text_name_len(parser->s), parser->s + 1, what);
}

/* The next ".word" at *s, moved past; "" for none. The caller frees. */
static char *take_field(const char **s)
{
	size_t len = **s == '.' ? word_len(*s + 1) : 0;
	char *word = mem_strndup(*s + 1 - (len == 0), len);

	if (len)
		*s += 1 + len;
	return word;
}

/* .ident and .literal: only SQL has them, and only for what can be one. */
static void part_set_form(struct text_parser *parser, struct runbook_part *part, const char *form)
{
	bool name = part->type == RUNBOOK_IDENTIFIER || part->type == RUNBOOK_TABLE ||
		    part->type == RUNBOOK_INDEX;

	part->ident = name && strcmp(form, "ident") == 0;
	part->literal = strcmp(form, "literal") == 0;
	if (!*form || (parser->language == TEXT_SQL && (part->ident || part->literal)))
		return;
	problem_add(parser->in->problems, text_line(parser, parser->s),
		"$%s has no part .%s (its type is %s)", part->var, form,
		runbook_type_name(part->type));
}

/* Fills in type and full name; form is what may follow. */
static void part_set_var(struct text_parser *parser, struct runbook_part *part, const char *name,
	const char **end, char **form)
{
	const struct runbook_picker *picker;
	const struct runbook_field *field;
	char *word;

	if (!text_look_up(parser, name, &part->type, &picker)) {
		problem_add(parser->in->problems, text_line(parser, parser->s),
			"$%s is not set by anything: declare it as var.%s%s", name, name,
			parser->language == TEXT_SHELL ? "; a variable of the shell is ${…}" : "");
		part->var = mem_strdup(name);
		return;
	}
	if (!picker || !picker->fields) {
		part->var = mem_strdup(name);
		*form = take_field(end);
		return;
	}
	word = take_field(end);
	field = runbook_field_find(picker, word);
	if (!field)
		problem_add(parser->in->problems, text_line(parser, parser->s),
			"$%s is a %s and has no part \"%s\"", name, picker->name, word);
	part->type = field ? field->type : RUNBOOK_TEXT;
	part->var = *word ? mem_printf("%s.%s", name, word) : mem_strdup(name);
	free(word);
	*form = take_field(end);
}

void text_take_variable(struct text_parser *parser)
{
	size_t len = text_name_len(parser->s);
	char *name = mem_strndup(parser->s + 1, len);
	const char *end = parser->s + 1 + len;
	struct runbook_part *part;
	char *form = NULL;

	text_flush(parser);
	part = text_add(parser, RUNBOOK_PART_VAR, parser->s, 0);
	part_set_var(parser, part, name, &end, &form);
	part_set_form(parser, part, form ? form : "");
	part->len = (size_t)(end - parser->s);
	parser->s = end;
	parser->from = end;
	free(form);
	free(name);
}

void text_parse_expect(const struct text_input *in, struct runbook_parts *parts)
{
	struct text_parser parser = { in, parts, TEXT_EXPECT, in->text, in->text };

	while (*parser.s) {
		if (parser.s[0] == '\\' && parser.s[1])
			parser.s += 2;
		else if (text_name_len(parser.s))
			text_take_variable(&parser);
		else
			parser.s++;
	}
	text_flush(&parser);
}
