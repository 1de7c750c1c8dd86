/*
 * What the runbook tests share: parsing a text, and a quoting of their own (the product's is in a
 * layer that this one may not use).
 */
#ifndef PGONCALL_TESTS_RUNBOOK_SUPPORT_H
#define PGONCALL_TESTS_RUNBOOK_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/runbook/document.h>

#define FRONT "---\nrunbook: test\ntitle: Test\n---\n"

__attribute__((unused)) static void quote_word(struct buf *out, const char *word)
{
	buf_add_char(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_add_str(out, "'\\''");
		else
			buf_add_char(out, *word);
	}
	buf_add_char(out, '\'');
}

/* As the product quotes: bare where every character is plain. */
__attribute__((unused)) static void quote_plain(struct buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_@%+:,./-";

	if (*word && !word[strspn(word, plain)])
		buf_add_str(out, word);
	else
		quote_word(out, word);
}

/* A runbook that must be right. */
__attribute__((unused)) static struct runbook *parse(const char *text)
{
	struct runbook_problems problems = { 0 };
	struct runbook *runbook = runbook_parse("test.md", text, strlen(text), &problems);
	size_t i;

	for (i = 0; i < problems.n; i++)
		fprintf(stderr, "test.md:%d: %s\n", problems.items[i].line, problems.items[i].text);
	runbook_problems_fini(&problems);
	if (!runbook)
		fail_msg("the runbook was refused");
	return runbook;
}

#endif
