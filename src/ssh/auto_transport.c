/*
 * The choice between the two ways to a host. Wraps the transport in use; streams are its own, only
 * the events and questions pass through here.
 */
#include <pgoncall/ssh/auto_transport.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/ssh/openssh_transport.h>

struct auto_transport {
	struct transport base;
	struct transport *inner;
	bool is_libssh2; /* what inner is */
	bool may_change; /* libssh2 is connecting, and the system's ssh is allowed */
	bool was_up;
	bool closing;
	struct err first; /* why it was changed; ERR_OK: it was not */
	struct loop *main_loop;
	char *destination, *config_file;
	struct ssh_options options;
	struct transport_events events;
};

static void auto_dial(struct transport *base, const char *host, int port, int fd_take,
	transport_done_cb done, void *arg)
{
	struct transport *inner = ((struct auto_transport *)base)->inner;

	inner->ops->dial(inner, host, port, fd_take, done, arg);
}

static void auto_exec(struct transport *base, const char *command, const int fds_take[3],
	transport_done_cb done, void *arg)
{
	struct transport *inner = ((struct auto_transport *)base)->inner;

	inner->ops->exec(inner, command, fds_take, done, arg);
}

static double auto_rtt_ms(const struct transport *base)
{
	const struct transport *inner = ((const struct auto_transport *)base)->inner;

	return inner->ops->rtt_ms(inner);
}

static const char *auto_host_key(const struct transport *base)
{
	const struct transport *inner = ((const struct auto_transport *)base)->inner;

	return inner->ops->host_key(inner);
}

/* While inner closes, a `done` may still ask for another stream (inner refuses) or close again. */
static void auto_close(struct transport *base)
{
	struct auto_transport *transport = (struct auto_transport *)base;

	if (transport->closing)
		return;
	transport->closing = true;
	transport->inner->ops->close(transport->inner);
	free(transport->destination);
	free(transport->config_file);
	free(transport);
}

#define AUTO_OPS(text)                                                                             \
	{                                                                                          \
		.name = text, .dial = auto_dial, .exec = auto_exec, .rtt_ms = auto_rtt_ms,         \
		.host_key = auto_host_key, .close = auto_close                                     \
	}

static const struct transport_ops auto_libssh2_ops = AUTO_OPS("libssh2");
static const struct transport_ops auto_openssh_ops = AUTO_OPS("openssh");

static void auto_open_openssh(struct auto_transport *transport);

static void auto_on_step(void *arg, enum transport_step step, const char *detail)
{
	struct auto_transport *transport = arg;

	/* The reason for the change stands there already. */
	if (transport->first.code && step == TRANSPORT_STEP_CONFIG)
		return;
	if (transport->events.on_step)
		transport->events.on_step(transport->events.arg, step, detail);
}

static void auto_on_up(void *arg)
{
	struct auto_transport *transport = arg;

	transport->may_change = false;
	transport->was_up = true;
	if (transport->events.on_up)
		transport->events.on_up(transport->events.arg);
}

/* The reason without the advice to do by hand what is done here. */
static void auto_cut_advice(char *text)
{
	static const char *const advice[] = { "; set transport = ", "; add the right key to " };
	char *at;
	size_t i;

	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		at = strstr(text, advice[i]);
		if (at)
			*at = '\0';
	}
}

/* From inside libssh2's on_down, where it may be closed. on_step comes last: it may close this. */
static void auto_change(struct auto_transport *transport, const struct err *why)
{
	struct err reason = *why;
	char detail[sizeof(reason.text) + 32];

	auto_cut_advice(reason.text);
	transport->first = reason;
	transport->may_change = false;
	transport->inner->ops->close(transport->inner);
	auto_open_openssh(transport);
	snprintf(detail, sizeof(detail), "system's ssh: %s", reason.text);
	if (transport->events.on_step)
		transport->events.on_step(transport->events.arg, TRANSPORT_STEP_CONFIG, detail);
}

static void auto_on_down(void *arg, const struct err *why)
{
	struct auto_transport *transport = arg;
	struct err err = *why;

	if (transport->may_change && ssh_transport_wants_openssh(transport->inner)) {
		auto_change(transport, why);
		return;
	}
	if (transport->first.code && !transport->was_up)
		err_set(&err, why->code, "%s (tried after libssh2: %s)", why->text,
			transport->first.text);
	if (transport->events.on_down)
		transport->events.on_down(transport->events.arg, &err);
}

static void auto_on_ask(void *arg, struct transport *inner, const struct ssh_question *question)
{
	struct auto_transport *transport = arg;

	(void)inner;
	transport->options.ask(transport->events.arg, &transport->base, question);
}

static const struct transport_events *auto_events(
	struct auto_transport *transport, struct transport_events *events)
{
	*events = (struct transport_events){ auto_on_step, auto_on_up, auto_on_down, transport };
	return events;
}

static void auto_open_openssh(struct auto_transport *transport)
{
	struct ssh_options options = transport->options;
	struct transport_events events;

	if (options.ask)
		options.ask = auto_on_ask;
	transport->base.ops = &auto_openssh_ops;
	transport->is_libssh2 = false;
	transport->inner = openssh_transport_open(
		transport->main_loop, &options, auto_events(transport, &events));
}

static void auto_open_libssh2(struct auto_transport *transport, struct ssh_thread *thread)
{
	struct ssh_options options = transport->options;
	struct transport_events events;

	if (options.ask)
		options.ask = auto_on_ask;
	options.may_hand_over = transport->may_change;
	transport->base.ops = &auto_libssh2_ops;
	transport->is_libssh2 = true;
	transport->inner = ssh_transport_open(
		thread, transport->main_loop, &options, auto_events(transport, &events));
}

struct transport *ssh_auto_open(enum ssh_transport_kind kind, struct ssh_thread *thread,
	struct loop *main_loop, const struct ssh_options *options,
	const struct transport_events *events)
{
	struct auto_transport *transport = mem_calloc(1, sizeof(*transport));

	transport->main_loop = main_loop;
	transport->events = *events;
	transport->options = *options;
	transport->destination = mem_strdup(options->destination);
	transport->config_file = mem_strdup_opt(options->config_file);
	transport->options.destination = transport->destination;
	transport->options.config_file = transport->config_file;
	transport->may_change = kind == SSH_TRANSPORT_AUTO;
	if (kind == SSH_TRANSPORT_OPENSSH)
		auto_open_openssh(transport);
	else
		auto_open_libssh2(transport, thread);
	return &transport->base;
}

void ssh_auto_answer(struct transport *base, const char *answer)
{
	struct auto_transport *transport = (struct auto_transport *)base;

	if (transport->is_libssh2)
		ssh_transport_answer(transport->inner, answer);
	else
		openssh_transport_answer(transport->inner, answer);
}
