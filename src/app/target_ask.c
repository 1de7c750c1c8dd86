/*
 * Questions on the way to a target: host keys, passphrases, passwords. Keeps secrets that were given
 * in memory for the target's life, so that the second session and a reconnect do not ask again, and
 * wipes them at its end. Who is asked, and how, is the owner's business.
 */
#include "target_internal.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/ssh/auto_transport.h>

static const char *const ask_titles[] = {
	[SSH_ASK_HOSTKEY] = "Unknown host key",
	[SSH_ASK_PASSPHRASE] = "Passphrase",
	[SSH_ASK_PASSWORD] = "Password",
	[SSH_ASK_PROMPT] = "The server asks",
};

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

void target_on_ssh_question(
	void *arg, struct transport *transport, const struct ssh_question *question)
{
	struct target *target = ((struct target_link *)arg)->target;
	bool secret = question->kind == SSH_ASK_PASSPHRASE || question->kind == SSH_ASK_PASSWORD;
	struct target_secret *known =
		secret ? ask_find_secret(&target->asking, question->prompt) : NULL;
	struct target_question ask = { ask_titles[question->kind], question->prompt,
		question->detail, question->echo };

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

bool target_ask_password(struct target *target, bool wrong)
{
	char *prompt;
	struct target_question ask = { "Database password", NULL, "", false };

	if (!target->events.on_ask || target->asking.asker != TARGET_ASKER_NONE)
		return false;
	ask_wipe(&target->asking.db_password);
	prompt = mem_printf("%sPassword of role %s for database %s:", wrong ? "Wrong. " : "",
		config_get(target->section, CONFIG_DB_USER),
		config_get(target->section, CONFIG_DB_NAME));
	ask.prompt = prompt;
	target->asking.asker = TARGET_ASKER_DATABASE;
	target->events.on_ask(target->events.arg, &ask);
	free(prompt);
	return true;
}

void target_answer(struct target *target, const char *answer)
{
	struct target_asking *asking = &target->asking;
	enum target_asker asker = asking->asker;

	if (asker == TARGET_ASKER_SSH) {
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

	if (target->asking.transport == transport && transport)
		ask_close(&target->asking);
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
