/*
 * What the tests of questions share: a client that goes either way to the host, answers by a table
 * and keeps a record of what it was asked. The program that includes this is its own askpass.
 */
#ifndef TESTS_UNIT_SSH_ASK_FIXTURE_H
#define TESTS_UNIT_SSH_ASK_FIXTURE_H

#include <pgoncall/base/str.h>
#include <pgoncall/ssh/askpass.h>
#include <pgoncall/ssh/auto_transport.h>

#include "sshd_fixture.h"

static const enum ssh_transport_kind both_ways[] = { SSH_TRANSPORT_LIBSSH2, SSH_TRANSPORT_OPENSSH };

/* The answer to the first question that has the words in its prompt; NULL declines. A reply that was
 * given is used up unless it is for ever. */
struct reply {
	const char *words;
	const char *answer;
	bool for_ever;
};

struct asked {
	struct client client;
	struct reply replies[8];
	bool used[8];
	struct buf record; /* "kind echo|prompt|detail" of each question, one a line */
	int withdrawn;
	bool leave_open; /* answer nothing at all */
	bool wait_for_steps;
	char reason[1024]; /* why `auto` changed the way, or "" */
};

static void asked_on_step(void *arg, enum transport_step step, const char *detail)
{
	struct asked *asked = arg;

	if (step == TRANSPORT_STEP_CONFIG && str_starts(detail, "system's ssh: ")) {
		snprintf(asked->reason, sizeof(asked->reason), "%s", detail);
		asked->client.steps = 1;
		return;
	}
	client_on_step(&asked->client, step, detail);
}

static void asked_on_up(void *arg)
{
	client_on_up(&((struct asked *)arg)->client);
}

static void asked_on_down(void *arg, const struct err *why)
{
	client_on_down(&((struct asked *)arg)->client, why);
}

static const char *asked_find_reply(struct asked *asked, const char *prompt)
{
	size_t i;

	for (i = 0; i < 8 && asked->replies[i].words; i++)
		if (strstr(prompt, asked->replies[i].words) && !asked->used[i]) {
			asked->used[i] = !asked->replies[i].for_ever;
			return asked->replies[i].answer;
		}
	return NULL;
}

static void asked_on_ask(
	void *arg, struct transport *transport, const struct ssh_question *question)
{
	struct asked *asked = arg;
	char *detail, *c;

	assert_ptr_equal(transport, asked->client.transport);
	if (!question) {
		asked->withdrawn++;
		return;
	}
	asked->client.questions++;
	detail = mem_strdup(question->detail);
	for (c = detail; *c; c++)
		*c = *c == '\n' ? '/' : *c;
	buf_printf(&asked->record, "%d %s|%s|%s\n", question->kind,
		question->echo ? "echo" : "dark", question->prompt, detail);
	free(detail);
	if (!asked->leave_open && question->kind != SSH_ASK_NOTICE)
		ssh_auto_answer(transport, asked_find_reply(asked, question->prompt));
}

static void asked_open(
	struct asked *asked, enum ssh_transport_kind kind, const char *host, bool ask)
{
	struct transport_events events = { asked_on_step, asked_on_up, asked_on_down, asked };
	struct ssh_options options = { .destination = host };
	static char config[128];

	snprintf(config, sizeof(config), "%s/ssh_config", dir);
	options.config_file = config;
	options.ask = ask ? asked_on_ask : NULL;
	asked->client.loop = loop_new();
	assert_int_equal(ssh_thread_new(&asked->client.thread, NULL), 0);
	asked->client.transport =
		ssh_auto_open(kind, asked->client.thread, asked->client.loop, &options, &events);
}

static void asked_close(struct asked *asked)
{
	client_close(&asked->client);
	buf_fini(&asked->record);
}

/* Connects and runs a command; `how` is in the checklist's line on authentication. */
__attribute__((unused)) static void asked_expect_up(
	struct asked *asked, enum ssh_transport_kind kind, const char *host)
{
	struct client *client = &asked->client;
	struct command command;

	asked_open(asked, kind, host, true);
	WAIT_FOR(client, client->up || client->down);
	if (getenv("SHOW"))
		fprintf(stderr, "%s  %s | %s | %s | %s\n", buf_str(&asked->record), asked->reason,
			client->detail[0], client->detail[2], client->detail[3]);
	if (client->down)
		fail_msg("%s\nafter:\n%s", client->why.text, buf_str(&asked->record));
	command_start(&command, client, "echo in", false);
	command_wait(&command, client);
	assert_string_equal(buf_str(&command.out.buf), "in\n");
	command_fini(&command);
}

__attribute__((unused)) static void asked_expect_down(struct asked *asked,
	enum ssh_transport_kind kind, const char *host, enum err_code code, const char *words)
{
	struct client *client = &asked->client;

	asked_open(asked, kind, host, true);
	WAIT_FOR(client, client->up || client->down);
	if (getenv("SHOW"))
		fprintf(stderr, "%s  %s\n", buf_str(&asked->record), client->why.text);
	assert_int_equal(client->up, 0);
	if (client->why.code != code || !strstr(client->why.text, words))
		fail_msg("code %d, not %d; or no \"%s\" in: %s\nafter:\n%s", client->why.code, code,
			words, client->why.text, buf_str(&asked->record));
}

__attribute__((unused)) static void expect_asked(const struct asked *asked, const char *line)
{
	if (!strstr(buf_str(&asked->record), line))
		fail_msg("no \"%s\" in:\n%s", line, buf_str(&asked->record));
}

#endif
