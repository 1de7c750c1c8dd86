/*
 * Questions on the way to a target: host keys, passphrases, passwords. Keeps secrets that were given
 * in memory for the target's life, so that the second session and a reconnect do not ask again, and
 * wipes them at its end. Who is asked, and how, is the owner's business.
 */
#include "target_internal.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/ssh/auto_transport.h>

static const char *const ask_titles[] = {
	[SSH_ASK_HOSTKEY] = "Unknown host key",
	[SSH_ASK_PASSPHRASE] = "Passphrase",
	[SSH_ASK_PASSWORD] = "Password",
	[SSH_ASK_PROMPT] = "The server asks",
	[SSH_ASK_PIN] = "PIN",
	[SSH_ASK_CONFIRM] = "Confirm",
	[SSH_ASK_NOTICE] = "Waiting for you",
};

/* Answers that serve again: for the second session and for reconnecting. A one-time code does not,
 * and a PIN may lock what it opens. */
static bool ask_is_lasting(const struct ssh_question *question)
{
	static const char *const once[] = { "one-time", "one time", "otp", "token", "code",
		"new password", "retype", "again" };
	size_t i;

	if (question->kind == SSH_ASK_PASSPHRASE || question->kind == SSH_ASK_PASSWORD)
		return true;
	if (question->kind != SSH_ASK_PROMPT || question->echo ||
		!str_contains_nocase(question->prompt, "password"))
		return false;
	for (i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		if (str_contains_nocase(question->prompt, once[i]))
			return false;
	return true;
}

static void ask_wipe(char **secret)
{
	if (*secret)
		mem_wipe(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static void ask_close(struct target_asking *asking)
{
	asking->asker = TARGET_ASKER_NONE;
	asking->transport = NULL;
	free(asking->prompt);
	asking->prompt = NULL;
}

static struct target_secret *ask_find_secret(struct target_asking *asking, const char *prompt)
{
	size_t i;

	for (i = 0; i < asking->n; i++)
		if (str_equal(asking->secrets[i].prompt, prompt))
			return &asking->secrets[i];
	return NULL;
}

static void ask_remember(struct target_asking *asking, const char *answer)
{
	struct target_secret *secret = ask_find_secret(asking, asking->prompt);

	if (!secret) {
		asking->secrets =
			mem_grow(asking->secrets, asking->n, &asking->cap, sizeof(*asking->secrets));
		secret = &asking->secrets[asking->n++];
		memset(secret, 0, sizeof(*secret));
		secret->prompt = mem_strdup(asking->prompt);
	}
	ask_wipe(&secret->answer);
	secret->answer = mem_strdup(answer);
	secret->tried = asking->transport;
}

/* The owner's dialog of the question of this transport, if it is open. */
static void ask_take_back(struct target *target, struct transport *transport)
{
	if (target->asking.asker != TARGET_ASKER_SSH || target->asking.transport != transport)
		return;
	ask_close(&target->asking);
	if (target->events.on_ask)
		target->events.on_ask(target->events.arg, NULL);
}

void target_on_ssh_question(
	void *arg, struct transport *transport, const struct ssh_question *question)
{
	struct target_link *link = arg;
	struct target *target = link->target;
	struct target_secret *known;
	struct target_question ask;
	bool secret;

	if (!question) {
		ask_take_back(target, transport);
		return;
	}
	secret = ask_is_lasting(question);
	link->interactive |= question->kind == SSH_ASK_PROMPT || question->kind == SSH_ASK_PIN ||
		question->kind == SSH_ASK_CONFIRM || question->kind == SSH_ASK_NOTICE;
	known = secret ? ask_find_secret(&target->asking, question->prompt) : NULL;
	ask = (struct target_question){ ask_titles[question->kind], question->prompt,
		question->detail, question->echo, question->kind == SSH_ASK_NOTICE };
	if (known && known->tried != transport) {
		known->tried = transport;
		ssh_auto_answer(transport, known->answer);
		return;
	}
	if (!target->events.on_ask || target->asking.asker != TARGET_ASKER_NONE) {
		ssh_auto_answer(transport, NULL);
		return;
	}
	target->asking.asker = TARGET_ASKER_SSH;
	target->asking.transport = transport;
	target->asking.prompt = secret ? mem_strdup(question->prompt) : NULL;
	target->events.on_ask(target->events.arg, &ask);
}

bool target_ask_password(struct target *target, bool wrong, const struct err *why)
{
	const char *role = config_get(target->section, CONFIG_DB_USER);
	char *prompt;
	struct target_question ask = { "Database password", NULL, why->text, false, false };

	if (!target->events.on_ask || target->asking.asker != TARGET_ASKER_NONE)
		return false;
	ask_wipe(&target->asking.db_password);
	prompt = mem_printf("%sPassword%s%s for database %s:", wrong ? "Wrong. " : "",
		*role ? " of role " : "", role, config_get(target->section, CONFIG_DB_NAME));
	ask.prompt = prompt;
	target->asking.asker = TARGET_ASKER_DATABASE;
	target->events.on_ask(target->events.arg, &ask);
	free(prompt);
	return true;
}

static struct target_link *ask_find_link(struct target *target)
{
	return target->asking.transport == target->logs_link.transport ? &target->logs_link
								       : &target->main;
}

void target_answer(struct target *target, const char *answer)
{
	struct target_asking *asking = &target->asking;
	enum target_asker asker = asking->asker;

	if (asker == TARGET_ASKER_SSH) {
		ask_find_link(target)->declined = !answer;
		if (answer && asking->prompt)
			ask_remember(asking, answer);
		ssh_auto_answer(asking->transport, answer);
	} else if (asker == TARGET_ASKER_DATABASE && answer) {
		asking->db_password = mem_strdup(answer);
	}
	ask_close(asking);
	if (asker == TARGET_ASKER_DATABASE && answer && target->main.up)
		target_db_start(target);
}

void target_ask_lapse(struct target *target, struct transport *transport)
{
	size_t i;

	if (transport)
		ask_take_back(target, transport);
	/* The address may be used again for the next one. */
	for (i = 0; i < target->asking.n; i++)
		if (target->asking.secrets[i].tried == transport)
			target->asking.secrets[i].tried = NULL;
}

void target_ask_fini(struct target *target)
{
	struct target_asking *asking = &target->asking;
	size_t i;

	ask_close(asking);
	for (i = 0; i < asking->n; i++) {
		ask_wipe(&asking->secrets[i].answer);
		free(asking->secrets[i].prompt);
	}
	free(asking->secrets);
	ask_wipe(&asking->db_password);
}
