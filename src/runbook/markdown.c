/*
 * Markdown as steps: libcmark finds headings, lists and blocks; this gives them their places. What
 * stands in a block's attributes and text is read elsewhere.
 */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include <cmark.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "problem.h"

#define MARKDOWN_STEPS_MAX 200

struct markdown {
	struct runbook *runbook;
	struct runbook_problems *problems;
	const char *bytes; /* NUL-ended */
	int first_line;
	char *section;    /* of the ## heading above, owned */
	struct buf prose; /* of the present step, or of the intro */
	struct buf html;  /* attributes of the present step by hand, from a comment */
	int html_line;    /* 0: there are none */
	bool has_block;   /* the present step has its block */
	bool has_expect;
};

static int node_line(const struct markdown *m, cmark_node *node)
{
	return m->first_line + cmark_node_get_start_line(node) - 1;
}

static struct runbook_step *markdown_step(const struct markdown *m)
{
	return m->runbook->n_steps ? &m->runbook->steps[m->runbook->n_steps - 1] : NULL;
}

/* --- text ------------------------------------------------------------------------------------ */

/* NAME of a link to "NAME.md", beside this file; NULL for any other. The caller frees. */
static char *link_runbook(const char *url)
{
	size_t len = url ? strlen(url) : 0;
	char *name;

	if (len <= 3 || strcmp(url + len - 3, ".md") != 0)
		return NULL;
	name = mem_strndup(url, len - 3);
	if (name_check(name) == 0)
		return name;
	free(name);
	return NULL;
}

static void inline_enter(struct markdown *m, cmark_node *node, struct buf *out)
{
	char *link;

	switch (cmark_node_get_type(node)) {
	case CMARK_NODE_TEXT:
		buf_add_str(out, cmark_node_get_literal(node));
		break;
	case CMARK_NODE_CODE:
		buf_printf(out, "`%s`", cmark_node_get_literal(node));
		break;
	case CMARK_NODE_SOFTBREAK:
		buf_add_char(out, ' ');
		break;
	case CMARK_NODE_LINEBREAK:
		buf_add_char(out, '\n');
		break;
	case CMARK_NODE_LINK:
		link = link_runbook(cmark_node_get_url(node));
		if (link && markdown_step(m) && !strlist_has(&markdown_step(m)->links, link))
			strlist_add(&markdown_step(m)->links, link);
		free(link);
		break;
	default:
		break;
	}
}

/* The text of a heading or paragraph, without its emphasis. */
static void inline_text(struct markdown *m, cmark_node *node, struct buf *out)
{
	cmark_iter *iter = cmark_iter_new(node);
	cmark_event_type event;

	while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE)
		if (event == CMARK_EVENT_ENTER)
			inline_enter(m, cmark_iter_get_node(iter), out);
	cmark_iter_free(iter);
}

/* Begins a new line, or with a gap a new paragraph. */
static void prose_break(struct markdown *m, bool gap)
{
	if (!m->prose.len)
		return;
	if (m->prose.data[m->prose.len - 1] != '\n')
		buf_add_char(&m->prose, '\n');
	if (gap)
		buf_add_char(&m->prose, '\n');
}

static void prose_code(struct markdown *m, const char *text)
{
	size_t len;

	prose_break(m, true);
	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		buf_add_str(&m->prose, "    ");
		buf_add(&m->prose, text, len);
		buf_add_char(&m->prose, '\n');
	}
}

/* --- steps ----------------------------------------------------------------------------------- */

static void markdown_end_step(struct markdown *m)
{
	struct runbook_step *step = markdown_step(m);
	size_t len = m->prose.len;

	while (len && m->prose.data[len - 1] == '\n')
		len--;
	free(step ? step->prose : m->runbook->intro);
	*(step ? &step->prose : &m->runbook->intro) = mem_strndup(buf_str(&m->prose), len);
	buf_clear(&m->prose);
	if (step && m->html_line && m->has_block)
		problem_add(m->problems, m->html_line,
			"this step has a block, which holds its attributes: not a comment");
	else if (step && m->html_line)
		attributes_parse(buf_str(&m->html), m->html_line, step, m->problems);
	else if (m->html_line)
		problem_add(
			m->problems, m->html_line, "these attributes stand before the first step");
	if (step && !step->name)
		step->name = name_from_title(step->title);
	m->html_line = 0;
}

static void markdown_new_step(struct markdown *m, char *title, int line)
{
	struct runbook *runbook = m->runbook;
	struct runbook_step *step;

	markdown_end_step(m);
	if (runbook->n_steps == MARKDOWN_STEPS_MAX) {
		problem_add(m->problems, line, "there are more than %d steps", MARKDOWN_STEPS_MAX);
		free(title);
		return;
	}
	runbook->steps =
		mem_grow(runbook->steps, runbook->n_steps, &runbook->cap_steps, sizeof(*step));
	step = &runbook->steps[runbook->n_steps++];
	memset(step, 0, sizeof(*step));
	step->title = title;
	step->section = mem_strdup(m->section ? m->section : "");
	step->prose = mem_strdup("");
	step->verb = mem_strdup("");
	step->undo = mem_strdup("");
	step->capture = mem_strdup("");
	step->text = mem_strdup("");
	step->fail.follow = RUNBOOK_ASK;
	step->line = line;
	m->has_block = false;
	m->has_expect = false;
}

static void markdown_heading(struct markdown *m, cmark_node *node)
{
	int level = cmark_node_get_heading_level(node);
	struct buf text = BUF_INIT;

	inline_text(m, node, &text);
	if (level == 3) {
		if (!text.len)
			problem_add(m->problems, node_line(m, node), "this step has no title");
		markdown_new_step(m, buf_steal(&text), node_line(m, node));
	} else if (level == 2) {
		free(m->section);
		m->section = buf_steal(&text);
	} else if (level > 3) {
		prose_break(m, true);
		buf_add_str(&m->prose, buf_str(&text));
	}
	buf_fini(&text);
}

/* --- blocks ---------------------------------------------------------------------------------- */

/* The source's line of this number, from 1 within the text; its bytes end at a line feed. */
static const char *source_line(const struct markdown *m, int number)
{
	const char *s = m->bytes;

	while (s && --number > 0) {
		s = strchr(s, '\n');
		s = s ? s + 1 : NULL;
	}
	return s ? s : "";
}

/* An unclosed fence swallows the rest of the file: it must not pass as a block. */
static bool block_is_closed(const struct markdown *m, cmark_node *node)
{
	const char *s = source_line(m, cmark_node_get_end_line(node));

	if (cmark_node_get_end_line(node) == cmark_node_get_start_line(node))
		return false;
	s += strspn(s, " >\t");
	return strncmp(s, "```", 3) == 0 || strncmp(s, "~~~", 3) == 0;
}

static void block_run(struct markdown *m, cmark_node *node, enum runbook_language language,
	const char *attributes)
{
	struct runbook_step *step = markdown_step(m);
	int line = node_line(m, node);
	const char *text = cmark_node_get_literal(node);
	size_t len = strlen(text);

	if (!step || m->has_block) {
		problem_add(m->problems, line,
			step ? "a step has one block: give this one a heading ### of its own"
			     : "a block that runs stands below a heading ###");
		return;
	}
	if (m->has_expect)
		problem_add(m->problems, line, "the expect block stands after what it is about");
	m->has_block = true;
	while (len && text[len - 1] == '\n')
		len--;
	free(step->text);
	step->text = mem_strndup(text, len);
	step->text_line = line + 1;
	step->language = language;
	step->place = language == RUNBOOK_SQL ? RUNBOOK_ON_DB : RUNBOOK_ON_HOST;
	if (*attributes != '{')
		problem_add(m->problems, line,
			"a block that runs needs { name=… }; one that only shows is ```text");
	else
		attributes_parse(attributes, line, step, m->problems);
	if (!step->name)
		problem_add(m->problems, line, "this block has no name=");
	if (language == RUNBOOK_SH && *attributes == '{' && !strstr(attributes, "on="))
		problem_add(m->problems, line, "a sh block needs on=host, on=app or on=local");
	if (!text[strspn(text, " \t\r\n")])
		problem_add(m->problems, line, "this block is empty");
}

static void block_expect(struct markdown *m, cmark_node *node)
{
	struct runbook_step *step = markdown_step(m);
	int line = node_line(m, node);

	if (!step || m->has_expect) {
		problem_add(m->problems, line,
			step ? "a step has one expect block" : "there is nothing to expect from");
		return;
	}
	m->has_expect = true;
	if (!m->has_block)
		problem_add(m->problems, line, "there is no block before this expect block");
	expect_parse(cmark_node_get_literal(node), line + 1, step, m->problems);
}

static bool info_is(const char *info, size_t len, const char *word)
{
	return strlen(word) == len && strncmp(info, word, len) == 0;
}

static void markdown_code(struct markdown *m, cmark_node *node)
{
	const char *info = cmark_node_get_fence_info(node);
	size_t len = strcspn(info, " \t{");
	const char *rest = info + len + strspn(info + len, " \t");

	if (*info && !block_is_closed(m, node))
		problem_add(m->problems, node_line(m, node), "this block has no end (```)");
	else if (info_is(info, len, "sql"))
		block_run(m, node, RUNBOOK_SQL, rest);
	else if (info_is(info, len, "sh"))
		block_run(m, node, RUNBOOK_SH, rest);
	else if (info_is(info, len, "expect"))
		block_expect(m, node);
	else if (*rest == '{')
		problem_add(m->problems, node_line(m, node),
			"\"%.*s\" is no language that runs: write sql or sh", (int)len, info);
	else
		prose_code(m, cmark_node_get_literal(node));
}

/* --- lists, comments ------------------------------------------------------------------------- */

static void list_check(struct markdown *m, cmark_node *item, const char *text)
{
	struct runbook_step *step = markdown_step(m);

	if (!step)
		problem_add(m->problems, node_line(m, item),
			"a check stands below a heading ###, not before the first");
	else if (!text[strspn(text, " ")])
		problem_add(m->problems, node_line(m, item), "this check says nothing");
	else
		strlist_add(&step->checks, text + strspn(text, " "));
}

static void markdown_item(struct markdown *m, cmark_node *item, int number)
{
	struct buf text = BUF_INIT;
	cmark_node *child;
	const char *s;

	for (child = cmark_node_first_child(item); child; child = cmark_node_next(child)) {
		if (text.len)
			buf_add_char(&text, ' ');
		inline_text(m, child, &text);
	}
	s = buf_str(&text);
	if (str_starts(s, "[ ] ") || strcmp(s, "[ ]") == 0) {
		list_check(m, item, s + 3);
	} else if (str_starts(s, "[x] ") || str_starts(s, "[X] ")) {
		problem_add(
			m->problems, node_line(m, item), "a check is written - [ ], not ticked");
	} else {
		prose_break(m, false);
		if (number)
			buf_printf(&m->prose, "%d. ", number);
		else
			buf_add_str(&m->prose, "- ");
		buf_add_str(&m->prose, s);
	}
	buf_fini(&text);
}

static void markdown_list(struct markdown *m, cmark_node *list)
{
	bool ordered = cmark_node_get_list_type(list) == CMARK_ORDERED_LIST;
	int number = ordered ? cmark_node_get_list_start(list) : 0;
	cmark_node *item;

	prose_break(m, true);
	for (item = cmark_node_first_child(list); item; item = cmark_node_next(item)) {
		markdown_item(m, item, number);
		number += ordered;
	}
}

static void markdown_html(struct markdown *m, cmark_node *node)
{
	const char *html = cmark_node_get_literal(node), *end = strstr(html, "-->");

	if (!str_starts(html, "<!--") || html[4 + strspn(html + 4, " \t\r\n")] != '{')
		return;
	if (m->html_line)
		problem_add(m->problems, node_line(m, node), "this step has attributes already");
	m->html_line = node_line(m, node);
	buf_clear(&m->html);
	buf_add(&m->html, html + 4, end ? (size_t)(end - html) - 4 : strlen(html + 4));
}

/* Blocks inside a list or a quotation would be taken for prose: said, not passed over. */
static void refuse_nested_blocks(struct markdown *m, cmark_node *top)
{
	cmark_iter *iter = cmark_iter_new(top);
	cmark_event_type event;
	cmark_node *node;
	const char *info;
	size_t len;

	while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
		node = cmark_iter_get_node(iter);
		if (event != CMARK_EVENT_ENTER ||
			cmark_node_get_type(node) != CMARK_NODE_CODE_BLOCK)
			continue;
		info = cmark_node_get_fence_info(node);
		len = strcspn(info, " \t{");
		if (info_is(info, len, "sql") || info_is(info, len, "sh") ||
			info_is(info, len, "expect"))
			problem_add(m->problems, node_line(m, node),
				"a block must not stand inside a list or a quotation: unindent it");
	}
	cmark_iter_free(iter);
}

static void markdown_node(struct markdown *m, cmark_node *node)
{
	switch (cmark_node_get_type(node)) {
	case CMARK_NODE_HEADING:
		markdown_heading(m, node);
		break;
	case CMARK_NODE_CODE_BLOCK:
		markdown_code(m, node);
		break;
	case CMARK_NODE_HTML_BLOCK:
		markdown_html(m, node);
		break;
	case CMARK_NODE_LIST:
		refuse_nested_blocks(m, node);
		markdown_list(m, node);
		break;
	case CMARK_NODE_BLOCK_QUOTE:
		refuse_nested_blocks(m, node);
		prose_break(m, true);
		inline_text(m, node, &m->prose);
		break;
	case CMARK_NODE_PARAGRAPH:
		prose_break(m, true);
		inline_text(m, node, &m->prose);
		break;
	default:
		break;
	}
}

void markdown_parse(const char *bytes, size_t len, int first_line, struct runbook *runbook,
	struct runbook_problems *problems)
{
	struct markdown m = {
		.runbook = runbook, .problems = problems, .bytes = bytes, .first_line = first_line
	};
	cmark_node *document = cmark_parse_document(bytes, len, CMARK_OPT_DEFAULT);
	cmark_node *node;

	for (node = cmark_node_first_child(document); node; node = cmark_node_next(node))
		markdown_node(&m, node);
	markdown_end_step(&m);
	cmark_node_free(document);
	free(m.section);
	buf_fini(&m.prose);
	buf_fini(&m.html);
}
