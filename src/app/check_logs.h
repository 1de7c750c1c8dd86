/*
 * What `pgoncall check` makes of the recent logs: the error texts that the console knows, too, as
 * findings with their runbook. The lines are the target's; how long is waited for them is the check's.
 */
#ifndef PGONCALL_APP_CHECK_LOGS_H
#define PGONCALL_APP_CHECK_LOGS_H

#include <pgoncall/app/output.h>
#include <pgoncall/app/target.h>

#define CHECK_LOGS_AGO_NS (15 * 60 * CLOCK_NS_PER_S)
/* Clocks differ by so much. */
#define CHECK_LOGS_AHEAD_NS (60 * CLOCK_NS_PER_S)
#define CHECK_LOGS_TAIL     2000 /* lines of each log */

struct check_log {
	int64_t last_ns;             /* when the last line was written, or the latest it can be */
	int64_t said_ns, changed_ns; /* see struct target_log */
	struct log_line *early;      /* those that wait for a time: none had one before */
	size_t n_early, cap_early;
	uint64_t recent; /* lines of the last minutes */
	bool ended;
};

struct check_logs {
	struct strlist names; /* the configured ones; the deploy's is another machine's story */
	struct log_trouble trouble;
	struct check_log logs[LOG_SOURCES_MAX];
	size_t n_ended;
	uint64_t lines;    /* of the last minutes */
	uint64_t timeless; /* those of them that may be older: nothing tells */
	struct err failed; /* of the first that could not be read */
};

/* Start with a zeroed struct. Says in the options that logs are wanted, where there are any. */
void check_logs_init(struct check_logs *logs, struct target_options *options);
void check_logs_fini(struct check_logs *logs);
/* As of struct target_events; `of` is what the target knows of that log by now. */
void check_logs_on_line(struct check_logs *logs, size_t source, const struct target_log *of,
	struct log_line *line_take);
void check_logs_on_end(struct check_logs *logs, size_t source, const struct err *err);
bool check_logs_are_read(const struct check_logs *logs);
/* The line and the findings of what came so far; graph may be NULL. */
void check_logs_judge(struct check_logs *logs, const struct migration_graph *graph,
	struct check_report *report, struct findings *findings);

#endif
