/*
 * The command line: one file per command, each opening with its const descriptor; the table of
 * descriptors is in cmdline.c. `--help`, usage errors and the synopsis come from the descriptors.
 */
#ifndef PGONCALL_APP_COMMAND_H
#define PGONCALL_APP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>

/* Exit statuses, as documented in pgoncall(1). 64 and 78 are those of sysexits.h. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_WARNING = 1,
	EXIT_CRITICAL = 2,
	EXIT_UNKNOWN = 3,
	EXIT_USAGE = 64,
	EXIT_CONFIG = 78,
};

enum command_option {
	OPTION_JSON = 1 << 0,
	OPTION_ALL = 1 << 1,
	OPTION_DIR = 1 << 2,
	OPTION_FOLLOW = 1 << 3,
	OPTION_SINCE = 1 << 4,
	OPTION_GREP = 1 << 5,
};

/* What the command line said. Everything is borrowed from argv. */
struct invocation {
	const char *config_path; /* -c, or NULL */
	bool no_color;           /* --no-color, or NO_COLOR set, or no terminal on stdout */
	bool help;
	unsigned given;          /* bits of enum command_option */
	const char *dir;
	const char *since;
	const char *grep;
	char **args;             /* what is left, without the command's name */
	int n_args;
};

struct command {
	const char *name;
	const char *args;    /* for the synopsis: "TARGET [--json]" */
	const char *summary; /* one line for --help */
	const char *details; /* more for COMMAND --help, or "" */
	unsigned options;    /* options it takes besides -c, --no-color, --help */
	int min_args, max_args; /* max -1: any number */
	/* Returns an exit status; diagnostics went to stderr already. */
	int (*run)(const struct invocation *invocation);
};

extern const struct command command_check;
extern const struct command command_config;
extern const struct command command_console;
extern const struct command command_history;
extern const struct command command_journal;
extern const struct command command_locks;
extern const struct command command_logs;
extern const struct command command_pending;
extern const struct command command_runbook;

/* The whole program: parses, dispatches, returns the exit status. */
int command_main(int argc, char **argv);

/* Prints "pgoncall: SENTENCE" on stderr, sanitised, and returns the exit status for its code. */
int command_fail(const struct err *err);
int command_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
