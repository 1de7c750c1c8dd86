/*
 * Which dangerous act a text may hold: a scanner of words, not a parser, that errs on the side of
 * more danger. It never answers READ: whether a statement only reads is for its author and for the
 * server's read-only transaction to say.
 */
#ifndef PGONCALL_RUNBOOK_SCAN_H
#define PGONCALL_RUNBOOK_SCAN_H

#include <pgoncall/runbook/policy.h>

/* Words inside string literals count where they would be dangerous if executed (EXECUTE '…'),
 * words in comments do not. UPDATE and DELETE want a WHERE at their own level of parentheses. */
enum policy_act scan_sql(const char *sql);
/* alembic, kill, containers, services, and the SQL of a psql command line. */
enum policy_act scan_shell(const char *command);

#endif
