/*
 * Findings from facts about the schema: tables that should be there, indexes that are of no use.
 */
#include <pgoncall/base/str.h>
#include <pgoncall/db/schema.h>

#include "rules.h"

/* While a revision is pending, which may create them, that is no alarm. */
static void rule_missing_tables(struct findings *out, const struct strlist *missing, bool pending)
{
	const char *hope = !pending         ? ""
			   : missing->n > 1 ? "; a pending revision may create them"
					    : "; a pending revision may create it";
	struct buf text = BUF_INIT;
	struct finding *finding;
	size_t i;

	if (!missing->n)
		return;
	buf_add_str(&text, missing->n > 1 ? "Tables " : "Table ");
	for (i = 0; i < missing->n; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", missing->items[i]);
	buf_printf(&text, " %s missing%s.", missing->n > 1 ? "are" : "is", hope);
	finding = rule_add(out, "critical-table-missing", NULL, &text);
	if (pending)
		finding->severity = FINDING_INFO;
	buf_fini(&text);
}

void rules_of_schema(struct findings *out, const struct finding_input *in)
{
	const struct strlist *invalid = &in->schema->invalid_indexes;
	size_t i;

	rule_missing_tables(out, &in->schema->missing_tables, in->graph && in->graph->pending.n);
	for (i = 0; i < invalid->n; i++)
		findings_add(out, "invalid-index",
			"Index %s is invalid: every write pays for it and no query uses it.",
			invalid->items[i]);
}
