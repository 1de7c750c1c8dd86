/*
 * What the console says, as patterns: every text that the end-to-end tests wait for stands here, so
 * that a changed wording is changed in one place. %d is a process id.
 */
#ifndef PGONCALL_TESTS_PTY_TEXTS_H
#define PGONCALL_TESTS_PTY_TEXTS_H

#include <stddef.h>

struct texts {
	const char *read_only; /* the title of a production target at the start */
	const char *armed;     /* and armed */
	const char *pending;   /* the revisions, before */
	const char *current;
	const char *migrated; /* and after */
	const char *finding;  /* the line under the title, with the blocker's pid */
	const char *any_finding;
	const char *root;           /* the first row of the blocking tree */
	const char *refused;        /* K while read-only */
	const char *dialog;         /* on the screen only while the act is to be confirmed */
	const char *dialog_says[8]; /* all that it must show; NULL-ended */
	const char *declined;       /* after Enter alone */
	const char *mismatch;       /* after a wrong text */
	const char *ended;          /* after the act */
	const char *lost;           /* the link is gone, with the age of the picture */
	const char *link_up;
	const char *too_small; /* below 40x10 */
	const char *details;   /* the details of the revision selected in the resize test */
};

static const struct texts texts = {
	.read_only = "PRODUCTION +read-only",
	.armed = "PRODUCTION +ARMED",
	.pending = "○ 622dbc22743e .*next",
	.current = "● 001_research_metrics .*CURRENT",
	.migrated = "● 622dbc22743e .*CURRENT",
	.finding = "Migration .*blocked by pid %d\\b",
	.any_finding = "blocked by pid",
	.root = "PID +USER.*\\n.*▾ ?%d ",
	.refused = "read-only.*:arm",
	.dialog = "pg_terminate_backend",
	.dialog_says = {
		"pg_terminate_backend",
		"backend_start",
		"PRODUCTION",
		"boardofone on server, as role bo1",
		"Type boardofone@prod",
		NULL,
	},
	.declined = "nothing was done",
	.mismatch = "not what was asked for; nothing was done",
	.ended = "pid %d was terminated and is gone",
	.lost = "lost [0-9]+ (s|min)",
	.link_up = "ssh [0-9.]+ ms",
	.too_small = "needs\\s+40\\s+by\\s+10",
	.details = "embedding was stored as",
};

#endif
