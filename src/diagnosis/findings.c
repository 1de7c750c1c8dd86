/*
 * The list of findings: the table of codes, adding, ordering. The rules stand in sessions.c and
 * revisions.c.
 */
#include <pgoncall/diagnosis/findings.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

#include "rules.h"

/* Every code there is; among findings of one severity the earlier comes first. A rule may raise the
 * severity where its thresholds say so. */
static const struct finding_kind {
	const char *code;
	enum finding_severity severity;
	const char *runbook;
} finding_kinds[] = {
	{ "migration-orphaned", FINDING_CRITICAL, "stuck-migration" },
	{ "migration-blocked", FINDING_CRITICAL, "stuck-migration" },
	{ "lock-queue", FINDING_WARNING, "stuck-migration" },
	{ "migration-working", FINDING_INFO, "" },
	{ "health-failed", FINDING_CRITICAL, "production-health-check" },
	{ "unknown-revision", FINDING_CRITICAL, "unknown-revision" },
	{ "version-table-missing", FINDING_CRITICAL, "version-table-missing" },
	{ "revision-chain-broken", FINDING_CRITICAL, "debugging" },
	{ "critical-table-missing", FINDING_CRITICAL, "production-health-check" },
	{ "slots-low", FINDING_WARNING, "production-health-check" },
	{ "multiple-heads", FINDING_WARNING, "multiple-heads" },
	{ "alembic-error-in-log", FINDING_WARNING, "migration-failed-in-deploy" },
	{ "invalid-index", FINDING_WARNING, "invalid-index" },
	{ "colour-skew", FINDING_WARNING, "standard-deployment" },
	{ "idle-in-transaction", FINDING_WARNING, "production-health-check" },
	{ "long-transaction", FINDING_WARNING, "production-health-check" },
	{ "pending-migrations", FINDING_WARNING, "manual-migration" },
	{ "legacy-sql-pending", FINDING_WARNING, "legacy-sql-hotfix" },
	{ "privileges-hide-rows", FINDING_WARNING, "" },
	{ "standby", FINDING_WARNING, "" },
};

#define FINDING_KINDS (sizeof(finding_kinds) / sizeof(finding_kinds[0]))

/* FINDING_KINDS for an unknown code. */
static size_t finding_rank(const char *code)
{
	size_t i;

	for (i = 0; i < FINDING_KINDS; i++)
		if (strcmp(finding_kinds[i].code, code) == 0)
			break;
	return i;
}

const char *finding_code(size_t i)
{
	return i < FINDING_KINDS ? finding_kinds[i].code : NULL;
}

struct finding *rule_add(struct findings *out, const char *code, const struct db_session *session,
	const struct buf *text)
{
	size_t rank = finding_rank(code);
	struct finding *finding;

	if (rank == FINDING_KINDS)
		abort(); /* a code that the table lacks is a mistake in the program */
	out->items = mem_grow(out->items, out->n, &out->cap, sizeof(*out->items));
	finding = &out->items[out->n++];
	finding->code = finding_kinds[rank].code;
	finding->severity = finding_kinds[rank].severity;
	finding->runbook = finding_kinds[rank].runbook;
	finding->text = utf8_sanitised_dup(buf_str(text), UTF8_ONE_LINE);
	finding->pid = session ? session->pid : 0;
	finding->backend_start = mem_strdup(session ? session->backend_start : "");
	return finding;
}

void findings_add(struct findings *findings, const char *code, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	rule_add(findings, code, NULL, &text);
	buf_fini(&text);
}

/* That a migration is at work is no worry, and yet the first thing to know before anybody acts on a
 * warning. */
static int finding_weight(const struct finding *finding)
{
	if (strcmp(finding->code, "migration-working") == 0 && finding->severity == FINDING_INFO)
		return FINDING_WARNING;
	return (int)finding->severity;
}

static bool finding_before(const struct finding *a, const struct finding *b)
{
	if (finding_weight(a) != finding_weight(b))
		return finding_weight(a) > finding_weight(b);
	return finding_rank(a->code) < finding_rank(b->code);
}

void findings_sort(struct findings *findings)
{
	struct finding one;
	size_t i, k;

	/* By insertion: stable, and there are few. */
	for (i = 1; i < findings->n; i++) {
		one = findings->items[i];
		for (k = i; k > 0 && finding_before(&one, &findings->items[k - 1]); k--)
			findings->items[k] = findings->items[k - 1];
		findings->items[k] = one;
	}
}

void findings_compute(struct findings *out, const struct finding_input *in)
{
	findings_fini(out);
	if (in->snapshot)
		rules_of_snapshot(out, in);
	rules_of_revisions(out, in);
	if (in->schema)
		rules_of_schema(out, in);
	if (in->trouble)
		rules_of_logs(out, in);
	findings_sort(out);
}

void findings_fini(struct findings *findings)
{
	size_t i;

	for (i = 0; i < findings->n; i++) {
		free(findings->items[i].text);
		free(findings->items[i].backend_start);
	}
	free(findings->items);
	memset(findings, 0, sizeof(*findings));
}

void findings_take(struct findings *to, struct findings *from)
{
	size_t i;

	for (i = 0; i < from->n; i++) {
		to->items = mem_grow(to->items, to->n, &to->cap, sizeof(*to->items));
		to->items[to->n++] = from->items[i];
	}
	free(from->items);
	memset(from, 0, sizeof(*from));
}

const struct finding *findings_find(const struct findings *findings, const char *code)
{
	size_t i;

	for (i = 0; i < findings->n; i++)
		if (strcmp(findings->items[i].code, code) == 0)
			return &findings->items[i];
	return NULL;
}

const char *finding_severity_name(enum finding_severity severity)
{
	static const char *const names[] = {
		[FINDING_INFO] = "info",
		[FINDING_WARNING] = "warning",
		[FINDING_CRITICAL] = "critical",
	};

	return names[severity];
}

int findings_exit_status(const struct findings *findings)
{
	enum finding_severity worst = FINDING_INFO;
	size_t i;

	for (i = 0; i < findings->n; i++)
		if (findings->items[i].severity > worst)
			worst = findings->items[i].severity;
	return (int)worst;
}
