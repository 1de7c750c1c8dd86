/*
 * The questions of the system's ssh, of its jump hosts' and of what they start: they arrive from
 * askpass (see askpass.h) on a socket in the transport's directory, one is put to the owner at a
 * time, and the answer goes back. Answers are wiped as soon as they are sent.
 *
 * Who may ask: this user's processes in the master's own session. ssh's words tell the questions
 * apart (readconf.c, sshconnect.c, sshconnect2.c, ssh-sk.c; not translated); one that is not known is
 * asked as it is, and its answer is not shown.
 */
#include "openssh_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/askpass.h>

/* Askers at a time; a configuration that needs more is a loop. */
#define ASKERS_MAX 16

/* One process that asks. */
struct openssh_asker {
	struct openssh *ssh;
	struct openssh_asker *next;
	int fd;
	struct loop_poll *poll;
	char request[ASKPASS_MAX + 1]; /* kind byte, question, NUL */
	size_t len;
	bool complete;
	bool shown;    /* put to the owner */
	bool declined; /* kept waiting until all of it is ended: ssh would send an empty answer */
	enum ssh_ask kind;
	char *prompt, *detail; /* sanitised */
};

static void asker_on_ready(struct loop_poll *poll, int events, void *arg);

static void asker_free(struct openssh_asker *asker)
{
	struct openssh_asker **at = &asker->ssh->askers;

	while (*at != asker)
		at = &(*at)->next;
	*at = asker->next;
	loop_poll_stop(asker->poll);
	close(asker->fd);
	free(asker->prompt);
	free(asker->detail);
	free(asker);
}

/* --- what is asked ---------------------------------------------------------------------------- */

/* Words of ssh's questions, the first that fits. */
static const struct ask_words {
	const char *words;
	enum ssh_ask kind;
} ask_words[] = {
	{ "(yes/no/[fingerprint])?", SSH_ASK_HOSTKEY },
	{ "Please type 'yes', 'no' or the fingerprint:", SSH_ASK_HOSTKEY },
	{ "(yes/no)?", SSH_ASK_HOSTKEY },
	{ "Enter passphrase for ", SSH_ASK_PASSPHRASE },
	{ "'s password: ", SSH_ASK_PASSWORD },
	{ "Enter PIN for ", SSH_ASK_PIN },
};

static enum ssh_ask asker_find_kind(const struct openssh_asker *asker)
{
	const char *question = asker->request + 1;
	size_t i;

	if (asker->request[0] == ASKPASS_NOTICE)
		return SSH_ASK_NOTICE;
	if (asker->request[0] == ASKPASS_CONFIRM)
		return SSH_ASK_CONFIRM;
	for (i = 0; i < sizeof(ask_words) / sizeof(ask_words[0]); i++)
		if (strstr(question, ask_words[i].words))
			return ask_words[i].kind;
	return SSH_ASK_PROMPT;
}

/* "Enter passphrase for key '/home/me/.ssh/id': " as libssh2's way asks it, so that an answer to the
 * one serves the other. */
static char *asker_passphrase_prompt(const char *question)
{
	const char *from = strchr(question, '\''), *to = strrchr(question, '\'');

	if (!from || to == from)
		return NULL;
	return mem_printf("Passphrase for %.*s:", (int)(to - from - 1), from + 1);
}

/* "me@host's password: " */
static char *asker_password_prompt(const char *question)
{
	const char *end = strstr(question, "'s password: "), *at;

	for (at = end; at > question && *at != '@';)
		at--;
	if (at == question || end[strlen("'s password: ")])
		return NULL;
	return mem_printf("Password of %.*s at %.*s:", (int)(at - question), question,
		(int)(end - at - 1), at + 1);
}

/* What ssh has printed since the last question: the server's instructions, or what went wrong. */
static char *asker_log_detail(struct openssh *ssh)
{
	const struct openssh_log *log = &ssh->log;
	unsigned long first = log->total - log->n, i;
	struct buf text = BUF_INIT;

	if (ssh->asked_prompt && log->refusals > ssh->asked_refusals && !log->partial)
		buf_add_str(&text, "That was not it.");
	for (i = 0; i < log->n; i++)
		if (first + i >= ssh->asked_total)
			buf_printf(&text, "%s%s", text.len ? "\n" : "", log->lines[i]);
	return text.len ? buf_steal(&text) : mem_strdup("");
}

/* The question's last line is the prompt; the lines before say what it is about. */
static void asker_split(struct openssh_asker *asker)
{
	char *question = asker->request + 1, *end = question + strlen(question), *last;

	while (end > question && (end[-1] == '\n' || end[-1] == ' '))
		*--end = '\0';
	last = strrchr(question, '\n');
	if (last) {
		*last = '\0';
		asker->detail = utf8_sanitised_dup(question, UTF8_MANY_LINES);
		asker->prompt = utf8_sanitised_dup(last + 1, UTF8_ONE_LINE);
	} else {
		asker->prompt = utf8_sanitised_dup(question, UTF8_ONE_LINE);
	}
}

static void asker_read_question(struct openssh_asker *asker)
{
	struct openssh *ssh = asker->ssh;
	char *prompt = NULL, *safe;
	bool again;

	openssh_read_log(ssh);
	asker->kind = asker_find_kind(asker);
	if (asker->kind == SSH_ASK_PASSPHRASE)
		prompt = asker_passphrase_prompt(asker->request + 1);
	else if (asker->kind == SSH_ASK_PASSWORD)
		prompt = asker_password_prompt(asker->request + 1);
	if (prompt) {
		safe = utf8_sanitised_dup(prompt, UTF8_ONE_LINE);
		free(prompt);
		asker->prompt = safe;
	} else {
		asker_split(asker);
	}
	again = str_equal(ssh->asked, asker->prompt) &&
		(asker->kind == SSH_ASK_PASSPHRASE || asker->kind == SSH_ASK_PASSWORD ||
			asker->kind == SSH_ASK_PIN);
	if (!asker->detail)
		asker->detail = again                           ? mem_strdup("That was not it.")
				: asker->kind == SSH_ASK_PROMPT ? asker_log_detail(ssh)
								: mem_strdup("");
	ssh->asked_total = ssh->log.total;
	ssh->asked_refusals = ssh->log.refusals;
	ssh->asked_prompt = asker->kind == SSH_ASK_PROMPT;
	ssh->log.partial = false;
	free(ssh->asked);
	ssh->asked = mem_strdup(asker->prompt);
}

/* --- asking the owner ------------------------------------------------------------------------- */

void openssh_show_next(struct openssh *ssh)
{
	struct openssh_asker *asker;
	struct ssh_question question = { .echo = false };

	for (asker = ssh->askers; asker; asker = asker->next)
		if (asker->shown)
			return;
	for (asker = ssh->askers; asker && !asker->complete;)
		asker = asker->next;
	if (!asker)
		return;
	asker_read_question(asker);
	asker->shown = true;
	question.kind = asker->kind;
	question.prompt = asker->prompt;
	question.detail = asker->detail;
	question.echo = asker->kind == SSH_ASK_HOSTKEY || asker->kind == SSH_ASK_CONFIRM ||
			asker->kind == SSH_ASK_NOTICE;
	ssh->ask(ssh->events.arg, &ssh->base, &question);
}

/* It went away: ssh was ended, or what it wanted was done elsewhere. */
static void asker_withdraw(struct openssh_asker *asker)
{
	struct openssh *ssh = asker->ssh;
	bool shown = asker->shown;

	asker_free(asker);
	ssh->progress_at = clock_monotonic();
	if (shown)
		ssh->ask(ssh->events.arg, &ssh->base, NULL);
	if (ssh->state == OPENSSH_CONNECTING)
		openssh_show_next(ssh);
}

static void asker_on_ready(struct loop_poll *poll, int events, void *arg)
{
	struct openssh_asker *asker = arg;
	struct openssh *ssh = asker->ssh;
	ssize_t n;

	(void)poll;
	(void)events;
	openssh_enter(ssh);
	n = read(asker->fd, asker->request + asker->len,
		asker->complete ? 1 : sizeof(asker->request) - asker->len);
	if (n > 0 && !asker->complete) {
		asker->len += (size_t)n;
		asker->complete = asker->len > 1 && !asker->request[asker->len - 1];
		if (asker->complete)
			openssh_show_next(ssh);
		else if (asker->len == sizeof(asker->request))
			asker_withdraw(asker);
	} else if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
		asker_withdraw(asker);
	}
	openssh_leave(ssh);
}

static bool openssh_may_ask(struct openssh *ssh, int fd)
{
	struct ucred peer = { 0, (uid_t)-1, (gid_t)-1 };
	socklen_t len = sizeof(peer);
	struct openssh_asker *asker;
	size_t n = 0;

	for (asker = ssh->askers; asker; asker = asker->next)
		n++;
	return n < ASKERS_MAX && ssh->master && ssh->state == OPENSSH_CONNECTING &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid() &&
	       getsid(peer.pid) == loop_child_pid(ssh->master);
}

static void openssh_on_asker(struct loop_poll *poll, int events, void *arg)
{
	struct openssh *ssh = arg;
	struct openssh_asker *asker, **at = &ssh->askers;
	int fd = accept4(ssh->ask_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)poll;
	(void)events;
	if (fd < 0)
		return;
	if (!openssh_may_ask(ssh, fd)) {
		close(fd);
		return;
	}
	asker = mem_calloc(1, sizeof(*asker));
	asker->ssh = ssh;
	asker->fd = fd;
	while (*at)
		at = &(*at)->next;
	*at = asker;
	asker->poll = loop_poll_start(ssh->loop, fd, LOOP_READ, asker_on_ready, asker);
}

/* --- the owner's answer ----------------------------------------------------------------------- */

/* What ssh is told: no for anything that is not a yes; a key's fingerprint is as good as one. */
static const char *asker_translate(const struct openssh_asker *asker, const char *answer)
{
	if (asker->kind == SSH_ASK_HOSTKEY)
		return str_equal(answer, "yes") || (answer && str_starts(answer, "SHA256:"))
			       ? answer
			       : "no";
	if (asker->kind == SSH_ASK_CONFIRM)
		return str_equal(answer, "yes") ? answer : NULL;
	return asker->kind == SSH_ASK_NOTICE ? NULL : answer;
}

static bool asker_ends_it(const struct openssh_asker *asker, const char *answer)
{
	return !answer && (asker->kind == SSH_ASK_PASSWORD || asker->kind == SSH_ASK_PROMPT ||
				  asker->kind == SSH_ASK_NOTICE || asker->kind == SSH_ASK_PIN);
}

void openssh_transport_answer(struct transport *base, const char *answer)
{
	struct openssh *ssh = (struct openssh *)base;
	struct openssh_asker *asker = ssh->askers;
	const char *text;
	struct buf reply = BUF_INIT;

	while (asker && !asker->shown)
		asker = asker->next;
	if (!asker || asker->declined || ssh->state != OPENSSH_CONNECTING)
		return;
	ssh->progress_at = clock_monotonic();
	ssh->patient = true;
	text = asker_translate(asker, answer);
	if (text && strlen(text) < ASKPASS_MAX) {
		buf_reserve(&reply, strlen(text) + 2);
		buf_add_char(&reply, ASKPASS_ANSWER);
		buf_add_str(&reply, text);
		/* It fits into the socket's buffer: nothing was written before. */
		while (send(asker->fd, reply.data, reply.len, MSG_NOSIGNAL) < 0 && errno == EINTR)
			continue;
		buf_fini_wipe(&reply);
	}
	if (asker_ends_it(asker, answer)) {
		asker->declined = true;
		err_set(&ssh->failure, ERR_AUTH,
			"%s asked something and got no answer; connect again to answer it",
			ssh->destination);
		return;
	}
	asker_free(asker); /* the next one is shown by the watch, not from inside this call */
}

/* --- life ------------------------------------------------------------------------------------- */

int openssh_ask_start(struct openssh *ssh, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/a", ssh->dir);
	snprintf(ssh->ask_path, sizeof(ssh->ask_path), "%s", address.sun_path);
	ssh->ask_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ssh->ask_fd < 0 ||
		bind(ssh->ask_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(ssh->ask_fd, ASKERS_MAX) < 0)
		return err_system(
			err, errno, "cannot make the socket %s for ssh's questions", ssh->ask_path);
	ssh->ask_poll = loop_poll_start(ssh->loop, ssh->ask_fd, LOOP_READ, openssh_on_asker, ssh);
	return 0;
}

bool openssh_is_asking(const struct openssh *ssh)
{
	return ssh->askers != NULL;
}

void openssh_ask_stop(struct openssh *ssh)
{
	loop_poll_stop(ssh->ask_poll);
	ssh->ask_poll = NULL;
	if (ssh->ask_fd >= 0)
		close(ssh->ask_fd);
	ssh->ask_fd = -1;
	while (ssh->askers)
		asker_free(ssh->askers);
}
