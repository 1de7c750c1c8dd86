/*
 * A runbook: a Markdown file read as steps. Nothing here runs anything; what is wrong with a file is
 * said with its line.
 *
 * The format: flat `key: value` front matter; `##` begins a section, `###` a step. A step holds
 * prose, checks (`- [ ]`), and at most one block ```sql or ```sh with attributes in braces, then at
 * most one ```expect. A step without a block is done by hand; its attributes (name, when, ok, fail)
 * may stand in a comment that a forge does not show: <!-- { name=escalate when=cancel:fail } -->.
 * Blocks of other languages (```text, ```python) are prose.
 */
#ifndef PGONCALL_RUNBOOK_DOCUMENT_H
#define PGONCALL_RUNBOOK_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>
#include <pgoncall/runbook/policy.h>
#include <pgoncall/runbook/vars.h>

#define RUNBOOK_FILE_MAX (1u << 20) /* bytes of a file; more is refused */

enum runbook_language { RUNBOOK_MANUAL, RUNBOOK_SQL, RUNBOOK_SH };

enum runbook_place {
	RUNBOOK_ON_DB,   /* the database: SQL only */
	RUNBOOK_ON_HOST, /* a shell over SSH */
	RUNBOOK_ON_APP,  /* a shell in the container $app */
	RUNBOOK_ON_LOCAL, /* a shell on this machine, in $repository */
	RUNBOOK_ON_HEALTH /* a shell where the health URL is asked: on this machine, or as host */
};

enum runbook_mode { RUNBOOK_WRITE, RUNBOOK_READ }; /* zero: what says nothing writes */

/* What follows an outcome. */
enum runbook_follow {
	RUNBOOK_NEXT, /* ok only: the next step */
	RUNBOOK_ASK,  /* fail only, and its default: the operator decides */
	RUNBOOK_STOP, /* the run ends, somebody else is needed; also goto:escalate, where no step
			 has that name */
	RUNBOOK_GOTO, /* the step in goto_step */
	RUNBOOK_END   /* goto:end: the run is finished */
};

struct runbook_branch {
	enum runbook_follow follow;
	char *name;       /* after goto:, owned, or NULL */
	size_t goto_step; /* its index, for RUNBOOK_GOTO */
};

enum runbook_outcome {
	RUNBOOK_NO_OUTCOME, /* not done, or passed over */
	RUNBOOK_OK,
	RUNBOOK_FAIL,
	RUNBOOK_UNKNOWN, /* a write whose result is not known */
	RUNBOOK_SKIPPED
};

/* A piece of a step's text. */
enum runbook_part_kind {
	RUNBOOK_PART_TEXT,
	RUNBOOK_PART_VAR,
	RUNBOOK_PART_ALEMBIC /* the word `alembic` where a command begins */
};

struct runbook_part {
	enum runbook_part_kind kind;
	size_t at, len; /* in the text */
	char *var;      /* "rev" or "blocker.pid", owned; NULL for what is no variable */
	enum runbook_type type;
	bool ident, literal; /* .ident, .literal: SQL that takes no parameter */
};

struct runbook_parts {
	struct runbook_part *items;
	size_t n, cap;
};

enum runbook_expect_kind {
	RUNBOOK_EXPECT_EXIT,
	RUNBOOK_EXPECT_ROWS,
	RUNBOOK_EXPECT_VALUE,
	RUNBOOK_EXPECT_MATCH,
	RUNBOOK_EXPECT_ABSENT
};

/* One line of an expect block. */
struct runbook_expect {
	enum runbook_expect_kind kind;
	long min, max; /* exit (min), rows; max < 0: no upper bound */
	char *text;    /* value, match, absent; may hold variables; else NULL */
	struct runbook_parts parts;
	int line;
};

struct runbook_var {
	char *name;
	const struct runbook_picker *picker; /* NULL: typed in, or captured */
	char *from;                          /* a source of the picker; "" where it is typed in */
	enum runbook_type type;
	bool captured; /* set by a step's capture= */
	int line;
};

struct runbook_step {
	char *name; /* of the block, else made from the title: "End the session" is end-the-session */
	char *title;   /* the heading's text */
	char *section; /* of the ## heading above, or "" */
	char *prose;   /* plain text, paragraphs separated by empty lines; "" for none */
	struct strlist checks;
	struct strlist links; /* names of runbooks the prose links to (NAME.md) */

	enum runbook_language language;
	enum runbook_place place;
	enum runbook_mode mode;
	enum policy_level confirm; /* as asked; policy raises it */
	char *verb;                /* "" : policy's */
	int64_t timeout_ns;        /* never 0: there is a default */
	int64_t lock_timeout_ns;   /* 0: none asked for */
	struct runbook_branch ok, fail;
	bool has_when;
	size_t when_step; /* passed over unless that step's outcome is when_outcome */
	enum runbook_outcome when_outcome;
	char *when_name; /* NULL without one */
	char *undo;      /* a step's name, "none", or "" where nothing is said */
	char *capture;   /* variable, or "" */
	bool stream;
	int64_t watch_ns; /* 0: asked once; else repeated until what is expected holds */

	char *text; /* of the block, without the last line feed; "" for a manual step */
	struct runbook_parts parts;
	struct runbook_expect *expect;
	size_t n_expect;

	int line;      /* of the heading, from 1 */
	int text_line; /* of the block's first line; 0 for a manual step */
};

/* Bits of require:. */
enum runbook_require {
	RUNBOOK_REQUIRE_PRIMARY = 1 << 0,
	RUNBOOK_REQUIRE_ARMED = 1 << 1,
	RUNBOOK_REQUIRE_APP = 1 << 2,
	RUNBOOK_REQUIRE_COMPOSE = 1 << 3
};

struct runbook {
	char *path; /* as given */
	char *name;
	char *title;
	char *intro;         /* prose before the first step, "" for none */
	struct strlist when; /* codes of findings it answers */
	unsigned require;    /* bits of enum runbook_require */
	struct runbook_var *vars;
	size_t n_vars, cap_vars;
	struct runbook_step *steps;
	size_t n_steps, cap_steps;
};

/* What is wrong with a file, in the order of its lines. */
struct runbook_problem {
	int line;   /* from 1 */
	char *text; /* one sentence, without the file's name */
};

struct runbook_problems {
	struct runbook_problem *items;
	size_t n, cap;
};

void runbook_problems_fini(struct runbook_problems *problems);

/* NULL when there is a problem; all of them are added. path is only for sentences. */
struct runbook *runbook_parse(
	const char *path, const char *bytes, size_t len, struct runbook_problems *problems);
/* NULL and ERR_PARSE with the first problem as "path:line: …", or ERR_SYSTEM. */
struct runbook *runbook_load(const char *path, struct err *err);
/* As runbook_parse, from a file; one that cannot be read is a problem of line 0. */
struct runbook *runbook_read(const char *path, struct runbook_problems *problems);
void runbook_free(struct runbook *runbook);

/* NULL where there is none. */
const struct runbook_step *runbook_step_find(const struct runbook *runbook, const char *name);
const struct runbook_var *runbook_var_find(const struct runbook *runbook, const char *name);
/* 0 when all of require: is in `have`; else -1 with ERR_REFUSED and what is missing. */
int runbook_require_check(const struct runbook *runbook, unsigned have, struct err *err);

const char *runbook_place_name(enum runbook_place place);
const char *runbook_outcome_name(enum runbook_outcome outcome);
/* 0 or -1. */
int runbook_outcome_parse(const char *name, enum runbook_outcome *outcome);

#endif
