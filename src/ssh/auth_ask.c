/*
 * The methods that need the operator: keyboard-interactive and password. Answers live until they
 * are sent, and are wiped.
 */
#include "auth_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libssh2.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

/* A server that has a telephone asked, or a slow directory, takes its time to judge. */
#define AUTH_PROMPT_MS 120000

void auth_wipe(char *answer)
{
	if (answer)
		mem_wipe(answer, strlen(answer));
	free(answer);
}

static bool auth_hung_up(const struct auth *auth)
{
	struct pollfd p = { auth->io->fd, POLLRDHUP, 0 };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

char *auth_ask(
	struct auth *auth, enum ssh_ask kind, const char *prompt, const char *detail, bool echo)
{
	char *answer = setup_ask(auth->setup, kind, prompt, detail, echo);

	if (!answer && auth_hung_up(auth))
		auth_stop(auth,
			"%s:%d hung up while it waited for the answer (its LoginGraceTime); try "
			"again",
			auth->config->hostname, auth->config->port);
	return answer;
}

/* --- keyboard-interactive --------------------------------------------------------------------- */

/* One conversation: what the server asks in it, question after question. */
struct auth_talk {
	struct auth *auth;
	bool again;    /* it was refused before */
	bool asked;    /* at least one question came */
	bool declined; /* the operator did not answer: nothing is sent any more */
};

static void auth_on_prompts(const char *name, int name_len, const char *instruction,
	int instruction_len, int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
	LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
	struct ssh_io *io = *abstract;
	struct auth_talk *talk = io->auth;
	struct auth *auth = talk->auth;
	char *detail, *prompt, *answer;
	int i;

	detail = mem_printf("%s%.*s%s%.*s%s",
		talk->again && !talk->asked ? "That was not it.\n" : "", name_len, name,
		name_len ? "\n" : "", instruction_len, instruction, instruction_len ? "\n" : "");
	detail[strlen(detail) - (*detail ? 1 : 0)] = '\0';
	for (i = 0; i < n && !talk->declined; i++) {
		prompt = mem_strndup((const char *)prompts[i].text, prompts[i].length);
		answer = auth_ask(auth, SSH_ASK_PROMPT, prompt, detail, prompts[i].echo != 0);
		free(prompt);
		talk->declined = !answer;
		talk->asked = true;
		responses[i].text = answer; /* libssh2 frees it, which wipes it */
		responses[i].length = answer ? (unsigned)strlen(answer) : 0;
	}
	free(detail);
	/* libssh2 would send empty answers, and the server count a failure. */
	if (talk->declined)
		shutdown(io->fd, SHUT_RDWR);
	wait_set(&auth->setup->wait, AUTH_PROMPT_MS);
}

static enum auth_result auth_converse(struct auth *auth, struct auth_talk *talk)
{
	const char *user = auth->config->user;
	int rc;

	auth_begin_attempt(auth);
	wait_set(&auth->setup->wait, AUTH_PROMPT_MS);
	auth->io->auth = talk;
	do {
		rc = libssh2_userauth_keyboard_interactive_ex(
			auth->session, user, (unsigned)strlen(user), auth_on_prompts);
	} while (rc == LIBSSH2_ERROR_EAGAIN && auth_wait(auth) == 0);
	auth->io->auth = NULL;
	if (talk->declined)
		return auth_stop(auth,
			"%s:%d asked something and got no answer; connect again to answer it",
			auth->config->hostname, auth->config->port);
	return auth_judge(auth, rc);
}

enum auth_result auth_try_prompts(struct auth *auth)
{
	enum auth_result result = AUTH_REFUSED;
	bool asked = false;
	int i;

	for (i = 0; i < auth->config->password_prompts && result == AUTH_REFUSED; i++) {
		struct auth_talk talk = { .auth = auth, .again = i > 0 };

		result = auth_converse(auth, &talk);
		asked |= talk.asked;
		if (!talk.asked)
			break;
	}
	if (!auth_settled(result))
		auth_note(auth, "keyboard-interactive",
			asked ? "refused" : "refused (it asked nothing)");
	if (result == AUTH_OK || result == AUTH_PARTIAL)
		auth_accept_take(auth, mem_strdup("keyboard-interactive"));
	return result;
}

/* --- password --------------------------------------------------------------------------------- */

static enum auth_result auth_send_password(struct auth *auth, const char *answer)
{
	const char *user = auth->config->user;
	int rc;

	auth_begin_attempt(auth);
	wait_set(&auth->setup->wait, AUTH_PROMPT_MS);
	do {
		rc = libssh2_userauth_password_ex(auth->session, user, (unsigned)strlen(user),
			answer, (unsigned)strlen(answer), NULL);
	} while (rc == LIBSSH2_ERROR_EAGAIN && auth_wait(auth) == 0);
	if (rc == LIBSSH2_ERROR_PASSWORD_EXPIRED)
		return auth_stop(auth,
			"the password of %s at %s:%d has expired; change it by logging in with: "
			"ssh -p %d %s@%s",
			user, auth->config->hostname, auth->config->port, auth->config->port, user,
			auth->config->hostname);
	return auth_judge(auth, rc);
}

enum auth_result auth_try_password(struct auth *auth)
{
	enum auth_result result = AUTH_REFUSED;
	char *prompt, *answer;
	int i, sent = 0;

	prompt = mem_printf("Password of %s at %s:", auth->config->user, auth->config->hostname);
	for (i = 0; i < auth->config->password_prompts && result == AUTH_REFUSED; i++) {
		answer = auth_ask(
			auth, SSH_ASK_PASSWORD, prompt, i ? "That was not it." : "", false);
		if (!answer)
			break;
		sent++;
		result = auth_send_password(auth, answer);
		auth_wipe(answer);
	}
	free(prompt);
	if (auth->err->code)
		return AUTH_OVER;
	if (!auth_settled(result))
		auth_note(auth, "password", sent ? "refused" : "skipped (no answer)");
	if (result == AUTH_OK || result == AUTH_PARTIAL)
		auth_accept_take(auth, mem_strdup("password"));
	return result;
}
