/*
 * pgoncall locks: one snapshot of the blocking tree, with the findings the server alone can tell. The
 * revision files, which name what a migration runs, are read beside the way to the database: waited
 * for when a migration takes part, dropped when none does.
 */
#include <stdio.h>

#include <pgoncall/app/output.h>

#include "batch.h"

static int locks_run(const struct invocation *in);

const struct command command_locks = {
	.name = "locks",
	.args = "TARGET [--json]",
	.summary = "one snapshot of the blocking tree, with findings",
	.details = "Sessions that wait stand below the one they wait for. The exit status is 2 when\n"
		   "something is blocked badly, 1 when something is worth a look.",
	.options = OPTION_JSON,
	.min_args = 1,
	.max_args = 1,
	.run = locks_run,
};

static bool locks_need_revisions(const struct db_snapshot *snapshot)
{
	size_t i;

	for (i = 0; i < snapshot->n_sessions; i++)
		if (snapshot->sessions[i].migration && snapshot->sessions[i].root >= 0)
			return true;
	return false;
}

static void locks_advance(struct batch *batch)
{
	const struct db_snapshot *snapshot = target_snapshot(batch->target);
	struct finding_input input = { .snapshot = snapshot };
	struct findings findings = { NULL, 0, 0 };

	if (!snapshot)
		return;
	/* What is pending is not asked here: it must not depend on which answer came first. */
	if (locks_need_revisions(snapshot)) {
		if (*config_app(target_section(batch->target)) &&
			!target_migrations_settled(batch->target))
			return;
		input.graph = target_graph(batch->target);
		input.sources = target_sources(batch->target);
	}
	findings_compute(&findings, &input);
	if (batch->in->given & OPTION_JSON)
		output_locks_json(stdout, snapshot, &findings);
	else
		output_locks_text(stdout, snapshot, &findings, output_is_ascii());
	batch_end(batch, findings_exit_status(&findings));
	findings_fini(&findings);
}

static int locks_run(const struct invocation *in)
{
	return batch_run(in, in->args[0], TARGET_DATABASE | TARGET_MIGRATIONS, locks_advance, NULL);
}
