/*
 * Parsing the command line and finding the command: global options, the table of commands, --help
 * and --version, usage errors. What a command does is its own file's.
 */
#include <pgoncall/app/command.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>

static const struct command *const commands[] = {
	&command_check,
	&command_history,
	&command_pending,
	&command_locks,
	&command_logs,
	&command_runbook,
	&command_journal,
	&command_config,
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

enum { OPT_DIR = 256, OPT_GREP, OPT_JSON, OPT_ALL, OPT_NO_COLOR, OPT_SINCE, OPT_VERSION };

static const struct option long_options[] = {
	{ "all", no_argument, NULL, OPT_ALL },
	{ "config", required_argument, NULL, 'c' },
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "follow", no_argument, NULL, 'f' },
	{ "grep", required_argument, NULL, OPT_GREP },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "no-color", no_argument, NULL, OPT_NO_COLOR },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	unsigned bit;
	const char *name;
} option_names[] = {
	{ OPTION_JSON, "--json" },
	{ OPTION_ALL, "--all" },
	{ OPTION_DIR, "--dir" },
	{ OPTION_FOLLOW, "-f" },
	{ OPTION_SINCE, "--since" },
	{ OPTION_GREP, "--grep" },
};

static int command_exit_status(enum err_code code)
{
	switch (code) {
	case ERR_USAGE:
		return EXIT_USAGE;
	case ERR_CONFIG:
		return EXIT_CONFIG;
	default:
		return EXIT_UNKNOWN;
	}
}

int command_fail(const struct err *err)
{
	char *safe = utf8_sanitised_dup(err->text, UTF8_ONE_LINE);

	fprintf(stderr, "pgoncall: %s\n", safe);
	free(safe);
	return command_exit_status(err->code);
}

int command_usage(const char *fmt, ...)
{
	struct err err;
	va_list ap;

	va_start(ap, fmt);
	err.code = ERR_USAGE;
	vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	return command_fail(&err);
}

static void command_print_synopsis(const struct command *command)
{
	printf("pgoncall [-c FILE]%s%s%s%s", *command->name ? " " : "", command->name,
		*command->args ? " " : "", command->args);
}

static int command_print_help(const struct command *command)
{
	printf("usage: ");
	command_print_synopsis(command);
	printf("\n\n%s\n", command->summary);
	if (*command->details)
		printf("\n%s\n", command->details);
	return EXIT_OK;
}

static int command_print_overview(void)
{
	size_t i;

	printf("pgoncall: the on-call console for PostgreSQL databases that Alembic migrates\n\n"
	       "usage: ");
	command_print_synopsis(&command_console);
	printf("\n       %s\n\n", command_console.summary);
	for (i = 0; i < N_COMMANDS; i++)
		printf("  pgoncall %-8s %s\n%19s %s\n", commands[i]->name, commands[i]->args, "",
			commands[i]->summary);
	printf("\noptions:\n"
	       "  -c FILE      the configuration (else $XDG_CONFIG_HOME/pgoncall/config)\n"
	       "  --no-color   no colour (NO_COLOR does the same)\n"
	       "  --json       machine-readable output, where a command has it\n"
	       "  --version    the version\n"
	       "  --help       this text; COMMAND --help says more of a command\n\n"
	       "exit status: 0 ok, 1 warning, 2 critical, 3 unknown (could not connect or ask),\n"
	       "64 usage, 78 configuration. Nothing on the command line writes to a target.\n"
	       "See pgoncall(1).\n");
	return EXIT_OK;
}

/* Options may stand before or after the command; getopt_long sorts the words to the end. Returns 0,
 * or -1 after a usage error; *version is set for --version. */
static int command_parse(int argc, char **argv, struct invocation *in, bool *version)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":c:fh", long_options, NULL)) != -1) {
		switch (opt) {
		case 'c': in->config_path = optarg; break;
		case 'f': in->given |= OPTION_FOLLOW; break;
		case 'h': in->help = true; break;
		case OPT_ALL: in->given |= OPTION_ALL; break;
		case OPT_DIR: in->given |= OPTION_DIR; in->dir = optarg; break;
		case OPT_GREP: in->given |= OPTION_GREP; in->grep = optarg; break;
		case OPT_JSON: in->given |= OPTION_JSON; break;
		case OPT_NO_COLOR: in->no_color = true; break;
		case OPT_SINCE: in->given |= OPTION_SINCE; in->since = optarg; break;
		case OPT_VERSION: *version = true; break;
		case ':':
			command_usage("option %s wants a value; see pgoncall --help", argv[optind - 1]);
			return -1;
		default:
			command_usage("unknown option %s; see pgoncall --help", argv[optind - 1]);
			return -1;
		}
	}
	in->args = argv + optind;
	in->n_args = argc - optind;
	return 0;
}

static const struct command *command_find(struct invocation *in)
{
	size_t i;

	for (i = 0; in->n_args && i < N_COMMANDS; i++) {
		if (str_equal(in->args[0], commands[i]->name)) {
			in->args++;
			in->n_args--;
			return commands[i];
		}
	}
	return &command_console;
}

static int command_check_use(const struct command *command, const struct invocation *in)
{
	size_t i;

	for (i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++)
		if (in->given & option_names[i].bit & ~command->options)
			return command_usage("%s does not go with 'pgoncall %s'; see pgoncall --help",
				option_names[i].name, *command->name ? command->name : "TARGET");
	if (in->n_args < command->min_args && !(in->given & (OPTION_ALL | OPTION_DIR)))
		return command_usage("usage: pgoncall [-c FILE] %s %s", command->name, command->args);
	if (command->max_args >= 0 && in->n_args > command->max_args)
		return command_usage("'%s' is one word too many; usage: pgoncall [-c FILE] %s%s%s",
			in->args[command->max_args], command->name, *command->name ? " " : "",
			command->args);
	return EXIT_OK;
}

int command_main(int argc, char **argv)
{
	const struct command *command;
	struct invocation in;
	bool version = false;
	int status;

	memset(&in, 0, sizeof(in));
	in.no_color = !str_empty(getenv("NO_COLOR")) || !isatty(STDOUT_FILENO);
	if (command_parse(argc, argv, &in, &version) < 0)
		return EXIT_USAGE;
	if (version) {
		printf("pgoncall %s\n", PGONCALL_VERSION);
		return EXIT_OK;
	}
	command = command_find(&in);
	if (in.help)
		return command == &command_console ? command_print_overview()
						   : command_print_help(command);
	status = command_check_use(command, &in);
	return status == EXIT_OK ? command->run(&in) : status;
}
