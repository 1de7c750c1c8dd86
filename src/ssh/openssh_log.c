/*
 * Reading what the system's ssh prints: how far it has come, whose key it saw, and which of its
 * lines says why it gave up. The wording is OpenSSH's own (sshconnect.c, sshconnect2.c,
 * clientloop.c; not translated). Nothing depends on it but the words shown: whether the link is
 * there is decided by the control socket. Pure; nothing here runs ssh.
 */
#include "openssh_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ssh/wire.h>

#define LOG_LINE_MAX 1024 /* what a line has beyond is dropped */

/* A line that begins so says that a step is passed; what follows is the step's detail. */
static const struct log_mark {
	const char *prefix;
	enum transport_step step;
	const char *before; /* put before the detail */
} log_marks[] = {
	{ "debug1: Connecting to ", TRANSPORT_STEP_CONFIG, "system's ssh to " },
	{ "debug1: Executing proxy command: exec ", TRANSPORT_STEP_CONFIG,
		"system's ssh through " },
	{ "debug1: Remote protocol version 2.0, remote software version ", TRANSPORT_STEP_CONNECT,
		"" },
	{ "debug1: Server host key: ", TRANSPORT_STEP_CONNECT, NULL },
	{ "debug1: Server host certificate: ", TRANSPORT_STEP_CONNECT, NULL },
	{ "debug1: SSH2_MSG_NEWKEYS sent", TRANSPORT_STEP_HOSTKEY, NULL },
	{ "Authenticated to ", TRANSPORT_STEP_AUTH, NULL },
};

/* Why ssh did not get there, the most telling first. */
static const struct log_reason {
	const char *words;
	enum err_code code;
	const char *advice;
} log_reasons[] = {
	{ "exec: ssh: not found", ERR_SYSTEM, "install openssh-client" },
	{ "revoked", ERR_HOSTKEY, "do not connect before its owner has explained it" },
	{ "has changed and you have requested", ERR_HOSTKEY,
		"do not connect before its owner has explained the new key" },
	{ "host key is known for", ERR_HOSTKEY,
		"compare its fingerprint with the server's own (ssh-keygen -lf there) and connect "
		"again" },
	{ "Host key verification failed", ERR_HOSTKEY,
		"compare its fingerprint with the server's own (ssh-keygen -lf there) and connect "
		"again" },
	{ "Permission denied (", ERR_AUTH,
		"add the right key to the agent (ssh-add), or name it with IdentityFile" },
	{ "Too many authentication failures", ERR_AUTH,
		"set IdentitiesOnly and IdentityFile for this host" },
	{ "Could not resolve hostname", ERR_RESOLVE, "check the name and ssh's configuration" },
	{ "ad configuration option", ERR_RESOLVE, "mend ssh's configuration" },
	{ "Can't open user config file", ERR_RESOLVE, "check ssh_config of this target" },
	{ "hostname contains invalid characters", ERR_RESOLVE, "check ssh of this target" },
	{ "Connection refused", ERR_CONNECT, "check that sshd runs there, and its port" },
	{ "connect to host ", ERR_CONNECT, "check the address, the network and the VPN" },
	{ "timed out", ERR_CONNECT, "check the address, the network and the VPN" },
	{ "Unable to negotiate", ERR_TRANSPORT, "allow what it offers in ssh's configuration" },
};

void openssh_log_fini(struct openssh_log *log)
{
	size_t i;

	buf_fini(&log->line);
	for (i = 0; i < log->n; i++)
		free(log->lines[i]);
	for (i = 0; i < TRANSPORT_STEP_COUNT; i++)
		free(log->detail[i]);
	free(log->open_failure);
	free(log->host_key);
	memset(log, 0, sizeof(*log));
}

static void log_set_detail(struct openssh_log *log, enum transport_step step, char *detail_take)
{
	char *safe = utf8_sanitised_dup(detail_take, UTF8_ONE_LINE);

	free(detail_take);
	free(log->detail[step]);
	log->detail[step] = safe;
}

/* "ssh-ed25519 SHA256:…". The first one shown counts: it comes before anything that the server
 * may print by itself, and a new exchange of keys shows it again. */
static void log_see_host_key(struct openssh_log *log, const char *text)
{
	char type[64];
	const char *space = strchr(text, ' ');
	char *safe, *part;
	size_t end;

	if (log->host_key || !space || !str_starts(space + 1, "SHA256:") ||
		(size_t)(space - text) >= sizeof(type))
		return;
	memcpy(type, text, (size_t)(space - text));
	type[space - text] = '\0';
	/* A certificate's is followed by ", serial …". */
	end = strcspn(space + 1, ", ");
	part = mem_strndup(space + 1, end);
	safe = utf8_sanitised_dup(part, UTF8_ONE_LINE);
	free(part);
	log->host_key = safe;
	log_set_detail(log, TRANSPORT_STEP_HOSTKEY,
		mem_printf("%s %s%s", wire_key_name(type), safe,
			space[1 + end] ? " (a certificate)" : ""));
}

/* 'Authenticated to H ([A]:P) using "publickey".' */
static void log_see_method(struct openssh_log *log, const char *text)
{
	const char *quote = strstr(text, "using \"");
	size_t len;

	if (!quote || log->detail[TRANSPORT_STEP_AUTH])
		return;
	quote += strlen("using \"");
	len = strcspn(quote, "\"");
	log_set_detail(log, TRANSPORT_STEP_AUTH, mem_strndup(quote, len));
}

static bool log_see_progress(struct openssh_log *log, const char *line)
{
	const struct log_mark *mark;
	const char *rest;
	size_t i;

	for (i = 0; i < sizeof(log_marks) / sizeof(log_marks[0]); i++) {
		mark = &log_marks[i];
		if (!str_starts(line, mark->prefix))
			continue;
		rest = line + strlen(mark->prefix);
		if (mark->before && !log->detail[mark->step])
			log_set_detail(log, mark->step, mem_printf("%s%s", mark->before, rest));
		if (str_starts(line, "debug1: Server host "))
			log_see_host_key(log, rest);
		if (mark->step == TRANSPORT_STEP_AUTH)
			log_see_method(log, rest);
		if (log->passed <= (int)mark->step)
			log->passed = (int)mark->step + 1;
		return true;
	}
	return false;
}

/* Many of ssh's sentences end with a full stop; what follows here goes on. */
static void log_cut_stop(char *line)
{
	size_t len = strlen(line);

	if (len && line[len - 1] == '.')
		line[len - 1] = '\0';
}

static void log_keep(struct openssh_log *log, const char *line)
{
	if (log->n == OPENSSH_LINES) {
		free(log->lines[0]);
		memmove(log->lines, log->lines + 1, (OPENSSH_LINES - 1) * sizeof(log->lines[0]));
		log->n--;
	}
	log->total++;
	log->lines[log->n++] = utf8_sanitised_dup(line, UTF8_ONE_LINE);
}

/* Lines for those who debug, and the totals that ssh prints at its end. */
static bool log_is_noise(const char *line)
{
	return str_starts(line, "debug1: ") || str_starts(line, "Transferred: ") ||
	       str_starts(line, "Bytes per second: ");
}

static void log_read_line(struct openssh_log *log, char *line)
{
	static const char failed[] = ": open failed: ";
	const char *why;

	line = str_trim(line);
	log_cut_stop(line);
	if (str_equal(line, "debug1: Next authentication method: keyboard-interactive"))
		log->interactive = true;
	if (strstr(line, "\" with partial success"))
		log->partial = true;
	if (str_starts(line, "debug1: Authentications that can continue: "))
		log->refusals++;
	if (!*line || log_see_progress(log, line) || log_is_noise(line))
		return;
	why = str_starts(line, "channel ") ? strstr(line, failed) : NULL;
	if (why) {
		free(log->open_failure);
		log->open_failure = utf8_sanitised_dup(why + strlen(failed), UTF8_ONE_LINE);
		return;
	}
	log_keep(log, line);
}

void openssh_log_feed(struct openssh_log *log, const char *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (bytes[i] == '\n') {
			if (log->line.len)
				log_read_line(log, log->line.data);
			buf_clear(&log->line);
		} else if (log->line.len < LOG_LINE_MAX) {
			buf_add_char(&log->line, bytes[i] ? bytes[i] : ' ');
		}
	}
}

/* The last line with these words, or NULL. */
static const char *log_find(const struct openssh_log *log, const char *words)
{
	size_t i = log->n;

	while (i-- > 0)
		if (strstr(log->lines[i], words))
			return log->lines[i];
	return NULL;
}

/* The last line that says more than that the connection is closed, or NULL. */
static const char *log_last(const struct openssh_log *log)
{
	size_t i = log->n;

	while (i-- > 0)
		if (!str_starts(log->lines[i], "Connection closed by UNKNOWN"))
			return log->lines[i];
	return log->n ? log->lines[log->n - 1] : NULL;
}

void openssh_log_explain(const struct openssh_log *log, const char *destination, int status,
	bool was_up, struct err *err)
{
	const struct log_reason *reason;
	const char *line, *where, *last = log_last(log);
	char ended[64];
	size_t i;

	snprintf(ended, sizeof(ended), "it ended by itself (status %d)", status);
	if (was_up) {
		err_set(err, ERR_TRANSPORT, "the system's ssh lost the connection to %s: %s",
			destination, last ? last : ended);
		return;
	}
	for (i = 0; i < sizeof(log_reasons) / sizeof(log_reasons[0]); i++) {
		reason = &log_reasons[i];
		line = log_find(log, reason->words);
		if (!line)
			continue;
		where = reason->code == ERR_HOSTKEY ? log_find(log, "Offending ") : NULL;
		err_set(err, reason->code, "the system's ssh cannot reach %s: %s%s%s; %s",
			destination, line, where ? " " : "", where ? where : "", reason->advice);
		return;
	}
	err_set(err, ERR_TRANSPORT, "the system's ssh cannot reach %s: %s", destination,
		last ? last : ended);
}
