/*
 * One revision file of Alembic, read without running it: the identifiers, the docstring, and whether
 * it can upgrade and downgrade. Alembic executes these files; we tokenise them, evaluate literals,
 * and say "dynamic" where the value cannot be known without running Python.
 */
#ifndef PGONCALL_MIGRATIONS_REVISION_H
#define PGONCALL_MIGRATIONS_REVISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/str.h>
#include <pgoncall/migrations/problem.h>

enum migration_state {
	MIGRATION_UNKNOWN,   /* the version rows were not read, or one of them no file knows */
	MIGRATION_APPLIED,   /* an ancestor of a version row */
	MIGRATION_CURRENT,   /* applied, and the tip of its branch: what `alembic current` prints */
	MIGRATION_PENDING,   /* `alembic upgrade heads` would run it */
	MIGRATION_UNDEPLOYED /* not applied, and no image has its file, only a checkout */
};

/* A function of the file: upgrade() or downgrade(). */
struct migration_function {
	bool present;
	bool empty;    /* its body is only pass, …, a docstring, or return */
	int line;      /* of "def", 1-based; 0 where absent */
	int last_line; /* of its body */
};

/* Indexes into the graph's revisions. */
struct migration_list {
	size_t *items;
	size_t n;
};

/* Texts are valid UTF-8 (bad bytes became U+FFFD), not sanitised, and never NULL. */
struct migration_revision {
	/* From the file. */
	char *path; /* as given to the parser */
	char *id;
	struct strlist down;       /* down_revision as written; empty: a base */
	struct strlist depends_on; /* revision ids or labels, as written */
	struct strlist labels;     /* branch_labels of this file (descendants inherit them) */
	char *message;             /* first paragraph of the docstring; may span lines, may be "" */
	char *docstring;           /* the whole, trimmed */
	char *created;             /* what follows "Create Date:" in the docstring, or "" */
	int line;                  /* where `revision` is assigned */
	int down_line;             /* where `down_revision` is assigned */
	int depends_line;          /* `depends_on`, and */
	int labels_line;           /* `branch_labels`; 0: it is not */
	bool dynamic;              /* an identifier is computed at run time: ask Alembic */
	bool told;                 /* and Alembic was asked: what it said stands here */
	uint64_t digest;           /* of the file's bytes: equal where they are */
	char *text; /* the file itself, where migration_revision_keep was called; or NULL */
	struct migration_function upgrade;
	struct migration_function downgrade;

	/* Filled in by the graph. The lists belong to the graph. */
	struct migration_list parents;    /* of `down`, those that exist */
	struct migration_list depends;    /* of `depends_on`, those that exist */
	struct migration_list children;   /* whose `down` names this */
	struct migration_list dependents; /* whose `depends_on` names this */
	size_t place;                     /* of its file among the files given */
	bool is_head;                     /* in nobody's down_revision */
	bool is_real_head;                /* and nobody depends on it either */
	bool is_base;                     /* no down_revision */
	bool is_branchpoint;              /* more than one child */
	bool is_merge;                    /* more than one down_revision */
	bool in_cycle;
	enum migration_state state;
	struct strlist
		branches; /* labels that hold for it: its own, and those of its line of descent */

	/* Filled in by the sources (sources.h); 0 and NULL in a graph that stands alone. */
	unsigned sources; /* bit i: source i has a file of it */
	bool differs;     /* and not the same file as another source */
	bool undeployed;  /* no image has it */
	char *commit;     /* which commit added the file, in words; NULL: not known */
};

/* Whether Alembic would load a file of this name: "*.py", but not "__init__*.py" nor ".#*.py". */
bool migration_is_revision_file(const char *name);

/*
 * Reads one file. `path` is for messages and is copied. Returns 0 and fills *out (the caller calls
 * migration_revision_fini), or -1 when no revision identifier can be had, with *out empty. What is
 * wrong is appended to *problems in both cases. Linear in len.
 */
int migration_revision_parse(const char *path, const char *text, size_t len,
	struct migration_revision *out, struct migration_problems *problems);
void migration_revision_fini(struct migration_revision *revision);
/* Keeps a copy of the file with the revision, for those who show it. */
void migration_revision_keep(struct migration_revision *revision, const char *text, size_t len);
/* What the file says, copied; what graph and sources filled in is not. */
void migration_revision_copy(struct migration_revision *to, const struct migration_revision *from);

/* "unknown" (undeployed, too), "applied", "current", "pending". */
const char *migration_state_name(enum migration_state state);

#endif
