/*
 * Command lines for docker, podman and bare hosts, one row of functions each. Docker and podman
 * share all but their names today; where they part, a row gets a function of its own.
 *
 * Names of containers and units stand where an option could stand, so they are checked, not only
 * quoted. What a container says of itself (its working directory) is used inside double quotes.
 */
#include <pgoncall/host/runtime.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/host/quote.h>

struct runtime_row {
	const char *name;
	int (*exec)(const struct host_runtime *runtime, const struct host_exec *exec,
		struct buf *out, struct err *err);
	int (*files)(const struct host_runtime *runtime, const char *container,
		const char *directory, struct buf *out, struct err *err);
	int (*logs)(const struct host_runtime *runtime, const struct host_logs *logs,
		struct buf *out, struct err *err);
	int (*inspect)(const struct host_runtime *runtime, const char *container, struct buf *out,
		struct err *err);
};

#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS     "0123456789"
#define NAME_CHARS LETTERS DIGITS "_.-"

/* The rule of docker and podman: [a-zA-Z0-9][a-zA-Z0-9_.-]* */
static int runtime_check_container(const char *name, struct err *err)
{
	if (!*name || strchr("_.-", name[0]) || name[strspn(name, NAME_CHARS)])
		return err_set(err, ERR_REFUSED,
			"\"%s\" is not a container's name: letters, digits, _ . - are allowed, and "
			"a "
			"letter or digit first",
			name);
	return 0;
}

static int runtime_check_env(const struct strlist *env, struct err *err)
{
	const char *entry;
	size_t i, len;

	for (i = 0; env && i < env->n; i++) {
		entry = env->items[i];
		len = strspn(entry, LETTERS DIGITS "_");
		if (len == 0 || entry[len] != '=' || strchr(DIGITS, entry[0]))
			return err_set(err, ERR_REFUSED,
				"\"%s\" is not an environment variable: NAME=value is wanted",
				entry);
	}
	return 0;
}

static int runtime_check_argv(const struct strlist *argv, struct err *err)
{
	if (!argv->n || !argv->items[0][0])
		return err_set(err, ERR_REFUSED, "there is no command to run");
	return 0;
}

/* --- containers ------------------------------------------------------------------------------ */

const char *host_runtime_words(const struct host_runtime *runtime)
{
	const char *command = runtime->command;

	if (!command || !command[strspn(command, " \t\r\n")])
		return host_runtime_name(runtime->kind);
	return command;
}

/* Begins a command line of its own in out: command substitutions and pipelines are put together
 * from several. */
static void runtime_begin(const struct host_runtime *runtime, struct buf *out)
{
	struct buf line = BUF_INIT;

	host_command_add_setting(&line, host_runtime_words(runtime));
	buf_add(out, line.data, line.len);
	buf_fini(&line);
}

static int container_exec(const struct host_runtime *runtime, const struct host_exec *exec,
	struct buf *out, struct err *err)
{
	size_t i;

	if (runtime_check_container(exec->container, err) < 0)
		return -1;
	runtime_begin(runtime, out);
	host_command_add(out, "exec");
	if (exec->with_stdin)
		host_command_add(out, "-i");
	for (i = 0; exec->env && i < exec->env->n; i++) {
		host_command_add(out, "-e");
		host_command_add(out, exec->env->items[i]);
	}
	host_command_add(out, exec->container);
	host_command_add_list(out, exec->argv);
	return 0;
}

/* The trailing "/." makes both runtimes follow a symbolic link and insist on a directory. */
static int container_files(const struct host_runtime *runtime, const char *container,
	const char *directory, struct buf *out, struct err *err)
{
	bool relative = directory[0] != '/';

	if (runtime_check_container(container, err) < 0)
		return -1;
	if (relative) {
		buf_add_str(out, "d=$(");
		runtime_begin(runtime, out);
		host_command_add_argv(
			out, (const char *const[]){ "inspect", "--type", "container", "--format",
				     "{{.Config.WorkingDir}}", container, NULL });
		buf_add_str(out, ") && ");
	}
	runtime_begin(runtime, out);
	host_command_add(out, "cp");
	host_command_add(out, container);
	buf_add_str(out, relative ? ":\"${d:-}\"/" : ":");
	host_quote_word(out, directory);
	buf_add_str(out, "/. -");
	return 0;
}

/* Since a time, podman leaves out the lines of just that time, of which there may be many: its monitor
 * gives all it reads at once the same time. */
static void logs_since(
	const struct host_runtime *runtime, const struct host_logs *logs, char value[96])
{
	int64_t at_ns = logs->since_ns - (runtime->kind == HOST_RUNTIME_PODMAN);
	char stamp[64];
	size_t len;

	if (logs->since == HOST_SINCE_AGO) {
		snprintf(value, 96, "%llds", (long long)(logs->since_ns / CLOCK_NS_PER_S));
		return;
	}
	/* The clock's own format ends in milliseconds and Z: nanoseconds take their place. */
	clock_format_rfc3339(at_ns, stamp, sizeof(stamp));
	len = strcspn(stamp, ".");
	snprintf(value, 96, "%.*s.%09lldZ", (int)len, stamp, (long long)(at_ns % CLOCK_NS_PER_S));
}

static void logs_add_since(
	const struct host_runtime *runtime, const struct host_logs *logs, struct buf *out)
{
	char value[96];

	if (logs->since == HOST_SINCE_ALL)
		return;
	logs_since(runtime, logs, value);
	host_command_add(out, "--since");
	host_command_add(out, value);
}

static void logs_add_tail(
	const struct host_logs *logs, const char *option, const char *all, struct buf *out)
{
	char number[32];

	if (logs->tail < 0 && !all)
		return;
	snprintf(number, sizeof(number), "%ld", logs->tail);
	host_command_add(out, option);
	host_command_add(out, logs->tail < 0 ? all : number);
}

static void logs_add_identity(const struct host_runtime *runtime, const struct host_logs *logs,
	const char *format, struct buf *out)
{
	runtime_begin(runtime, out);
	host_command_add_argv(out, (const char *const[]){ "inspect", "--type", "container",
					   "--format", format, logs->container, NULL });
	buf_add_str(out, " 2>/dev/null");
}

static void logs_begin(
	const struct host_runtime *runtime, const struct host_logs *logs, struct buf *out)
{
	runtime_begin(runtime, out);
	host_command_add(out, "logs");
	if (logs->follow)
		host_command_add(out, "-f");
	if (logs->timestamps)
		host_command_add(out, "--timestamps");
}

static int container_logs(const struct host_runtime *runtime, const struct host_logs *logs,
	struct buf *out, struct err *err)
{
	if (runtime_check_container(logs->container, err) < 0)
		return -1;
	if (logs->identify) {
		logs_add_identity(runtime, logs, "@{{.Id}} {{.State.StartedAt}}", out);
		buf_add_str(out, "; exec ");
	}
	logs_begin(runtime, logs, out);
	logs_add_since(runtime, logs, out);
	logs_add_tail(logs, "--tail", NULL, out);
	host_command_add(out, logs->container);
	return 0;
}

/* --- podman's logs --------------------------------------------------------------------------- */

/* Entries that may be written between counting and following. */
#define PODMAN_SLACK 1000

/* Its --tail puts the pieces that a line is kept in behind the wrong lines (4.3), so it is asked only
 * since when, to the second, the last lines are. Its own words may come first. Where there are none all
 * that comes is new; following with --tail it would miss what is written while it starts. */
static void podman_find_tail(
	const struct host_runtime *runtime, const struct host_logs *logs, struct buf *out)
{
	buf_add_str(out, "s=$(");
	runtime_begin(runtime, out);
	host_command_add_argv(out, (const char *const[]){ "logs", "--timestamps", NULL });
	logs_add_tail(logs, "--tail", NULL, out);
	host_command_add(out, logs->container);
	buf_add_str(out,
		" 2>&1 | sed -n 's/^\\([0-9]\\{4\\}-[0-9-]*T[0-9:]*\\)[.0-9]*\\([-+0-9:Z]*\\) "
		".*/\\1\\2/p' | "
		"head -n 1); ");
	buf_add_str(out, "s=--since=${s:-60s}; ");
}

/* How many entries of the journal there are since then: of a moment rather more (each has a stamp of 30
 * bytes and a blank), as who asks for that knows which lines are old. */
static void podman_count_since(
	const struct host_runtime *runtime, const struct host_logs *logs, struct buf *out)
{
	buf_add_str(out, "s=$(");
	runtime_begin(runtime, out);
	host_command_add_argv(out, (const char *const[]){ "logs", "--timestamps", NULL });
	logs_add_since(runtime, logs, out);
	host_command_add(out, logs->container);
	if (logs->since == HOST_SINCE_AT)
		buf_printf(out, " 2>&1 | wc -c); s=--tail=$((s / 31 + %d)); ", PODMAN_SLACK);
	else
		buf_add_str(out, " 2>&1 | wc -l); s=--tail=$((s)); ");
}

/* $s is what to ask podman for, where it is not all. A log that it keeps in the journal it follows only
 * if it is not asked since when: else it ends at once, unless the container started after that (4.3). */
static void podman_choose(
	const struct host_runtime *runtime, const struct host_logs *logs, struct buf *out)
{
	char since[96];

	if (logs->follow)
		buf_add_str(out, "case $i in *' journald') ");
	if (logs->follow && logs->tail >= 0)
		buf_printf(out, "s=--tail=%ld; ", logs->tail);
	else if (logs->follow)
		podman_count_since(runtime, logs, out);
	if (logs->follow)
		buf_add_str(out, ";; *) ");
	if (logs->tail > 0) {
		podman_find_tail(runtime, logs, out);
	} else if (logs->tail == 0) {
		buf_add_str(out, "s=--tail=0; ");
	} else {
		logs_since(runtime, logs, since);
		buf_printf(out, "s=--since=%s; ", since);
	}
	if (logs->follow)
		buf_add_str(out, ";; esac; ");
}

static int podman_logs(const struct host_runtime *runtime, const struct host_logs *logs,
	struct buf *out, struct err *err)
{
	bool all = logs->tail < 0 && logs->since == HOST_SINCE_ALL;

	if (runtime_check_container(logs->container, err) < 0)
		return -1;
	if (logs->identify || (logs->follow && !all)) {
		buf_add_str(out, "i=$(");
		logs_add_identity(runtime, logs,
			"@{{.Id}} {{.State.StartedAt}} {{.HostConfig.LogConfig.Type}}", out);
		buf_add_str(out, "); ");
	}
	if (logs->identify)
		buf_add_str(out, "printf '%s\\n' \"${i% *}\"; ");
	if (!all)
		podman_choose(runtime, logs, out);
	if (logs->identify || !all)
		buf_add_str(out, "exec ");
	logs_begin(runtime, logs, out);
	if (!all)
		buf_add_str(out, " \"$s\"");
	host_command_add(out, logs->container);
	return 0;
}

/* Whole sub-objects, because which keys they have differs between versions: the reader picks. */
#define INSPECT_FORMAT                                                                             \
	"{\"state\":{{json .State}},\"image\":{{json .Image}},"                                    \
	"\"image_name\":{{json .Config.Image}},\"working_dir\":{{json .Config.WorkingDir}},"       \
	"\"network\":{{json .NetworkSettings}},\"network_mode\":{{json .HostConfig.NetworkMode}}}"

static int container_inspect(
	const struct host_runtime *runtime, const char *container, struct buf *out, struct err *err)
{
	if (runtime_check_container(container, err) < 0)
		return -1;
	runtime_begin(runtime, out);
	host_command_add_argv(out, (const char *const[]){ "inspect", "--type", "container",
					   "--format", INSPECT_FORMAT, container, NULL });
	return 0;
}

/* --- no containers --------------------------------------------------------------------------- */

/* A directory as one word: "~/" is the home directory, and no name is taken for an option or for
 * cd's "-". */
static void bare_add_directory(const char *directory, struct buf *out)
{
	if (strcmp(directory, "~") == 0 || strncmp(directory, "~/", 2) == 0) {
		buf_add_str(out, "\"$HOME\"/");
		directory += directory[1] ? 2 : 1;
		if (*directory)
			host_quote_word(out, directory);
		return;
	}
	if (directory[0] != '/')
		buf_add_str(out, "./");
	host_quote_word(out, directory);
}

static int bare_exec(const struct host_runtime *runtime, const struct host_exec *exec,
	struct buf *out, struct err *err)
{
	(void)runtime;
	if (!*exec->container)
		return err_set(err, ERR_REFUSED,
			"the directory of the application is not known: set app in the "
			"configuration");
	buf_add_str(out, "cd ");
	bare_add_directory(exec->container, out);
	buf_add_str(out, " && exec");
	if (exec->env && exec->env->n) {
		host_command_add(out, "env");
		host_command_add_list(out, exec->env);
	}
	host_command_add_list(out, exec->argv);
	return 0;
}

static int bare_files(const struct host_runtime *runtime, const char *container,
	const char *directory, struct buf *out, struct err *err)
{
	(void)runtime;
	if (directory[0] != '/' && !*container)
		return err_set(err, ERR_REFUSED,
			"the directory of the application is not known: set app in the "
			"configuration");
	buf_add_str(out, "tar -C ");
	if (directory[0] != '/') {
		bare_add_directory(container, out);
		buf_add_char(out, '/');
	}
	host_quote_word(out, directory);
	buf_add_str(out, " -cf - .");
	return 0;
}

/* "@+0900 CHANGED LINE", for log_zone_read_file. What is no plain file is read only once. */
static void bare_add_identity(const char *path, struct buf *out)
{
	buf_add_str(out, "f=");
	bare_add_directory(path, out);
	buf_add_str(out, "; l=; { [ -f \"$f\" ] && l=$(tail -c 16384 -- \"$f\" | LC_ALL=C grep -aE "
			 "'^\\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]' | tail -n 1 | cut -c 1-40); "
			 "printf '@%s %s %s\\n' \"$(date +%z)\" \"$(stat -L -c %Y -- \"$f\")\" "
			 "\"$l\"; } 2>/dev/null; ");
}

static void bare_logs_file(const char *path, const struct host_logs *logs, struct buf *out)
{
	if (logs->identify)
		bare_add_identity(path, out);
	buf_add_str(out, "exec tail");
	logs_add_tail(logs, "-n", "+1", out);
	if (logs->follow)
		host_command_add(out, "-F");
	buf_add_str(out, " -- ");
	bare_add_directory(path, out);
}

static void bare_logs_unit(const char *unit, const struct host_logs *logs, struct buf *out)
{
	char since[64];

	/* All: long messages and those with control characters too. */
	buf_add_str(out, "exec journalctl --no-pager --all");
	/* Quiet, it does not say that the user may not see it. */
	if (!logs->timestamps)
		host_command_add(out, "--quiet");
	host_command_add(out, logs->timestamps ? "--output=json" : "--output=cat");
	if (logs->timestamps)
		host_command_add(
			out, "--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID");
	if (logs->follow)
		host_command_add(out, "-f");
	if (logs->since == HOST_SINCE_AGO)
		snprintf(since, sizeof(since), "--since=-%llds",
			(long long)(logs->since_ns / CLOCK_NS_PER_S));
	else
		snprintf(since, sizeof(since), "--since=@%lld.%06lld",
			(long long)(logs->since_ns / CLOCK_NS_PER_S),
			(long long)(logs->since_ns % CLOCK_NS_PER_S / 1000));
	if (logs->since != HOST_SINCE_ALL)
		host_command_add(out, since);
	logs_add_tail(logs, "-n", "all", out);
	host_command_add(out, "-u");
	host_command_add(out, unit);
}

/* What systemd allows in a unit's name, and no option. */
static bool bare_is_unit(const char *unit)
{
	return *unit && *unit != '-' && !unit[strspn(unit, NAME_CHARS ":@\\")];
}

static int bare_logs(const struct host_runtime *runtime, const struct host_logs *logs,
	struct buf *out, struct err *err)
{
	const char *name = logs->container;

	(void)runtime;
	if (strncmp(name, "file:", 5) == 0 && name[5])
		bare_logs_file(name + 5, logs, out);
	else if (strncmp(name, "journal:", 8) == 0 && bare_is_unit(name + 8))
		bare_logs_unit(name + 8, logs, out);
	else
		return err_set(err, ERR_REFUSED,
			"\"%s\" is no log here: with runtime = none, logs are file:/path or "
			"journal:unit",
			name);
	return 0;
}

static int bare_inspect(
	const struct host_runtime *runtime, const char *container, struct buf *out, struct err *err)
{
	(void)runtime;
	(void)out;
	return err_set(err, ERR_REFUSED,
		"%s cannot be inspected: with runtime = none there are no containers; set db_host "
		"instead of db_container",
		container);
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct runtime_row runtime_rows[HOST_RUNTIME_COUNT] = {
	[HOST_RUNTIME_DOCKER] = { "docker", container_exec, container_files, container_logs,
		container_inspect },
	[HOST_RUNTIME_PODMAN] = { "podman", container_exec, container_files, podman_logs,
		container_inspect },
	[HOST_RUNTIME_NONE] = { "none", bare_exec, bare_files, bare_logs, bare_inspect },
};

enum host_log_kind host_runtime_log_kind(const char *name)
{
	if (strncmp(name, "file:", 5) == 0 && name[5])
		return HOST_LOG_FILE;
	if (strncmp(name, "journal:", 8) == 0 && name[8])
		return HOST_LOG_JOURNAL;
	return HOST_LOG_CONTAINER;
}

int host_runtime_parse(const char *name, enum host_runtime_kind *kind)
{
	int i;

	for (i = 0; i < HOST_RUNTIME_COUNT; i++) {
		if (strcmp(name, runtime_rows[i].name) == 0) {
			*kind = (enum host_runtime_kind)i;
			return 0;
		}
	}
	return -1;
}

const char *host_runtime_name(enum host_runtime_kind kind)
{
	return runtime_rows[kind].name;
}

int host_runtime_exec(const struct host_runtime *runtime, const struct host_exec *exec,
	struct buf *out, struct err *err)
{
	if (runtime_check_argv(exec->argv, err) < 0 || runtime_check_env(exec->env, err) < 0)
		return -1;
	return runtime_rows[runtime->kind].exec(runtime, exec, out, err);
}

int host_runtime_files(const struct host_runtime *runtime, const char *container,
	const char *directory, struct buf *out, struct err *err)
{
	if (!*directory)
		return err_set(err, ERR_REFUSED, "the directory of the files is empty");
	return runtime_rows[runtime->kind].files(runtime, container, directory, out, err);
}

/* As bare_files has it, read by the host's shell. */
char *host_runtime_folder(
	const struct host_runtime *runtime, const char *container, const char *directory)
{
	const char *home = getenv("HOME");

	if (runtime->kind != HOST_RUNTIME_NONE || !*directory)
		return NULL;
	if (directory[0] == '/')
		return mem_strdup(directory);
	if (strcmp(container, "~") == 0 || str_starts(container, "~/"))
		return home ? mem_printf("%s%s/%s", home, container + 1, directory) : NULL;
	return *container ? mem_printf("%s%s/%s", container[0] == '/' ? "" : "./", container,
				    directory)
			  : NULL;
}

int host_runtime_logs(const struct host_runtime *runtime, const struct host_logs *logs,
	struct buf *out, struct err *err)
{
	if (host_runtime_log_kind(logs->container) != HOST_LOG_CONTAINER)
		return bare_logs(runtime, logs, out, err);
	return runtime_rows[runtime->kind].logs(runtime, logs, out, err);
}

int host_runtime_names(const struct host_runtime *runtime, const struct strlist *containers,
	struct buf *out, struct err *err)
{
	size_t i;

	if (runtime->kind == HOST_RUNTIME_NONE)
		return err_set(err, ERR_REFUSED, "there are no containers with runtime = none");
	for (i = 0; i < containers->n; i++)
		if (runtime_check_container(containers->items[i], err) < 0)
			return -1;
	runtime_begin(runtime, out);
	host_command_add_argv(out, (const char *const[]){ "inspect", "--type", "container",
					   "--format", "{{.Id}} {{.Name}}", NULL });
	host_command_add_list(out, containers);
	/* Those that are not there are no failure. */
	buf_add_str(out, " 2>/dev/null || true");
	return 0;
}

int host_runtime_inspect(
	const struct host_runtime *runtime, const char *container, struct buf *out, struct err *err)
{
	return runtime_rows[runtime->kind].inspect(runtime, container, out, err);
}
