/*
 * The table of complaints: words that docker, podman, sudo or a shell print, and what to say. The
 * first row that is found on stderr counts; what no row knows is quoted.
 */
#include <pgoncall/host/complaint.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <pgoncall/base/mem.h>

#define SUDO_PASSWORD                                                                              \
	"sudo on %h wants a password for '%r': allow it without one there (NOPASSWD in sudoers); " \
	"for docker, being in group docker serves without sudo"

#define LOGS_NOT_KEPT                                                                              \
	"the log of %c is not kept on %h where '%r logs' could read it: start the container with " \
	"another --log-driver, or name the file it writes (logs = file:/path)"

/* In a sentence %h is the host, %c the container, %r the command of the runtime. */
static const struct complaint_row {
	const char *words;
	const char *sentence;
	bool denied; /* a person has to mend it: asking again only fills the host's security log */
} complaint_rows[] = {
	/* sudo 1.8 and 1.9; it does not ask without a terminal, it fails */
	{ "a password is required", SUDO_PASSWORD, true },
	{ "a terminal is required", SUDO_PASSWORD, true },
	{ "no tty present", SUDO_PASSWORD, true },
	{ "you must have a tty",
		"sudo on %h wants a terminal (requiretty): exempt the SSH user from it in sudoers",
		true },
	{ "is not in the sudoers file",
		"sudo on %h does not let the SSH user run '%r': allow it in sudoers there", true },
	{ "may not run sudo",
		"sudo on %h does not let the SSH user run '%r': allow it in sudoers there", true },
	{ "is not allowed to execute",
		"sudo on %h does not let the SSH user run '%r': allow it in sudoers there", true },
	/* docker 1.13 to 29 */
	{ "ermission denied while trying to connect to the",
		"the SSH user may not use Docker on %h: add it to group docker there, or set "
		"runtime_command = sudo docker",
		true },
	{ "Cannot connect to the Docker daemon",
		"Docker does not run on %h, or not where '%r' looks for it: start it, or name its "
		"socket (runtime_command = docker -H unix:///path)",
		false },
	{ "ailed to connect to the docker API",
		"Docker does not run on %h, or not where '%r' looks for it: start it, or name its "
		"socket (runtime_command = docker -H unix:///path)",
		false },
	{ "Cannot connect to Podman", "podman on %h does not answer '%r': start its service there",
		false },
	/* docker: none, syslog and others that it cannot read back; podman: none, passthrough */
	{ "logging driver does not support reading", LOGS_NOT_KEPT, false },
	{ "log driver, cannot read logs", LOGS_NOT_KEPT, false },
	/* podman 4 and 5 */
	{ "journald --log-driver but without the journald --events-backend",
		"podman on %h keeps the log of %c in the journal and its events elsewhere, so it "
		"follows no log: set events_logger = \"journald\" in containers.conf there",
		false },
	{ "initial journal cursor",
		"podman on %h keeps the log of %c in the journal, and there is none: start "
		"systemd-journald there",
		false },
	/* docker "No such container: X", podman "no such container X" */
	{ "o such container",
		"there is no container %c on %h: '%r ps -a' there lists those that there are",
		false },
	{ "o such object",
		"there is no container %c on %h: '%r ps -a' there lists those that there are",
		false },
};

static void complaint_write(struct buf *out, const char *sentence,
	const struct host_runtime *runtime, const char *container, const char *host)
{
	for (; *sentence; sentence++) {
		if (*sentence != '%') {
			buf_add_char(out, *sentence);
			continue;
		}
		sentence++;
		buf_add_str(out, *sentence == 'h'   ? host
				 : *sentence == 'c' ? container
						    : host_runtime_words(runtime));
	}
}

static const struct complaint_row complaint_no_program = {
	.sentence =
		"'%r' cannot be run on %h: install it, or set runtime_command to its full path, or "
		"runtime to what is there (docker, podman, none)",
};

static const struct complaint_row *complaint_find(const struct host_output *output)
{
	const char *text = buf_str(&output->err);
	size_t i;

	for (i = 0; i < sizeof(complaint_rows) / sizeof(complaint_rows[0]); i++)
		if (strstr(text, complaint_rows[i].words))
			return &complaint_rows[i];
	/* A shell's own, where it finds no program or may not run it. */
	if (output->status == 127 || output->status == 126)
		return &complaint_no_program;
	return NULL;
}

int host_complaint_check(const struct host_runtime *runtime, const char *container,
	const char *host, const struct host_output *output, const struct err *run_err,
	struct err *err)
{
	const struct complaint_row *row;
	struct buf text = BUF_INIT;
	char what[256];

	snprintf(what, sizeof(what), "asking for container %s on %s", container, host);
	if (run_err->code != ERR_OK || output->status == 0 || runtime->kind == HOST_RUNTIME_NONE)
		return host_output_check(output, run_err, what, err);
	row = complaint_find(output);
	if (!row)
		return host_output_check(output, run_err, what, err);
	complaint_write(&text, row->sentence, runtime, container, host);
	err_set(err, row->denied ? ERR_REFUSED : ERR_COMMAND, "%s", buf_str(&text));
	buf_fini(&text);
	return -1;
}
