/*
 * The main thread's half of a transport over libssh2. Owns the callbacks and the list of streams;
 * everything else is the link's, on the SSH thread. A stream's record stays until the link has said
 * that the stream ended, also after its `done` was called by close.
 */
#include <pgoncall/ssh/libssh2_transport.h>

#include <stdlib.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/link.h>
#include <pgoncall/ssh/thread.h>

struct ssh_transport;

struct ssh_stream {
	struct ssh_transport *transport;
	struct ssh_stream *next, *prev;
	transport_done_cb done; /* NULL once called */
	void *arg;
};

struct ssh_transport {
	struct transport base;
	struct loop *main_loop;
	struct transport_events events;
	void (*ask)(void *arg, struct transport *transport, const struct ssh_question *question);
	struct ssh_link *link; /* NULL once closed */
	struct ssh_stream *streams;
	bool asking; /* a question is open */
	bool wants_openssh;
	double rtt_ms;
	char *host_key;
};

static const struct transport_ops ssh_transport_ops;

static struct ssh_stream *stream_new(
	struct ssh_transport *transport, transport_done_cb done, void *arg)
{
	struct ssh_stream *stream = mem_calloc(1, sizeof(*stream));

	stream->transport = transport;
	stream->done = done;
	stream->arg = arg;
	stream->next = transport->streams;
	if (stream->next)
		stream->next->prev = stream;
	transport->streams = stream;
	return stream;
}

static void stream_call_done(struct ssh_stream *stream, int status, const struct err *err)
{
	transport_done_cb done = stream->done;

	stream->done = NULL;
	if (done)
		done(stream->arg, status, err);
}

/* Out of the list before the callback, which may close the transport. */
static void stream_end(struct ssh_stream *stream, int status, const struct err *err)
{
	if (stream->prev)
		stream->prev->next = stream->next;
	else
		stream->transport->streams = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	stream_call_done(stream, status, err);
	free(stream);
}

static void ssh_transport_receive(const struct link_message *message)
{
	struct ssh_transport *transport = message->owner;
	const struct transport_events *events = &transport->events;

	if (message->kind == LINK_STREAM_END) {
		stream_end(message->stream, message->status, &message->err);
		return;
	}
	if (message->kind == LINK_CLOSED) {
		free(transport->host_key);
		free(transport);
		return;
	}
	if (!transport->link)
		return;
	switch (message->kind) {
	case LINK_STEP:
		if (events->on_step)
			events->on_step(events->arg, message->step, message->text);
		break;
	case LINK_ASK:
		transport->asking = true;
		transport->ask(events->arg, &transport->base, &message->question);
		break;
	case LINK_HOST_KEY:
		free(transport->host_key);
		transport->host_key = mem_strdup(message->text);
		break;
	case LINK_UP:
		if (events->on_up)
			events->on_up(events->arg);
		break;
	case LINK_RTT:
		transport->rtt_ms = message->rtt_ms;
		break;
	case LINK_DOWN:
		transport->wants_openssh = message->wants_openssh;
		transport->asking = false;
		transport->rtt_ms = -1;
		if (events->on_down)
			events->on_down(events->arg, &message->err);
		break;
	case LINK_STREAM_END:
	case LINK_CLOSED:
		break;
	}
}

struct transport *ssh_transport_open(struct ssh_thread *thread, struct loop *main_loop,
	const struct ssh_options *options, const struct transport_events *events)
{
	struct ssh_transport *transport = mem_calloc(1, sizeof(*transport));

	transport->base.ops = &ssh_transport_ops;
	transport->main_loop = main_loop;
	transport->events = *events;
	transport->ask = options->ask;
	transport->rtt_ms = -1;
	transport->host_key = mem_strdup("");
	transport->link = link_open(thread, main_loop, options, transport, ssh_transport_receive);
	return &transport->base;
}

void ssh_transport_answer(struct transport *base, const char *answer)
{
	struct ssh_transport *transport = (struct ssh_transport *)base;

	if (!transport->asking)
		return;
	transport->asking = false;
	link_answer(transport->link, answer);
}

bool ssh_transport_wants_openssh(const struct transport *base)
{
	const struct ssh_transport *transport = (const struct ssh_transport *)base;

	return transport->wants_openssh;
}

/* A stream that is asked for while the transport closes (by another stream's `done`). */
struct late_stream {
	transport_done_cb done;
	void *arg;
};

static void late_stream_end(void *arg)
{
	struct late_stream *late = arg;
	struct err err = { ERR_OK, "" };

	err_set(&err, ERR_CANCELLED, "the connection was closed");
	late->done(late->arg, -1, &err);
	free(late);
}

static void late_stream_refuse(struct ssh_transport *transport, const int *fds_take, size_t n,
	transport_done_cb done, void *arg)
{
	struct late_stream *late = mem_alloc(sizeof(*late));
	size_t i;

	for (i = 0; i < n; i++)
		if (fds_take[i] >= 0)
			close(fds_take[i]);
	late->done = done;
	late->arg = arg;
	loop_post(transport->main_loop, late_stream_end, late);
}

static void ssh_transport_dial(struct transport *base, const char *host, int port, int fd_take,
	transport_done_cb done, void *arg)
{
	struct ssh_transport *transport = (struct ssh_transport *)base;

	if (transport->link)
		link_dial(transport->link, host, port, fd_take, stream_new(transport, done, arg));
	else
		late_stream_refuse(transport, &fd_take, 1, done, arg);
}

static void ssh_transport_exec(struct transport *base, const char *command, const int fds_take[3],
	transport_done_cb done, void *arg)
{
	struct ssh_transport *transport = (struct ssh_transport *)base;

	if (transport->link)
		link_exec(transport->link, command, fds_take, stream_new(transport, done, arg));
	else
		late_stream_refuse(transport, fds_take, 3, done, arg);
}

static double ssh_transport_rtt_ms(const struct transport *base)
{
	const struct ssh_transport *transport = (const struct ssh_transport *)base;

	return transport->rtt_ms;
}

static const char *ssh_transport_host_key(const struct transport *base)
{
	const struct ssh_transport *transport = (const struct ssh_transport *)base;

	return transport->host_key;
}

static void ssh_transport_close(struct transport *base)
{
	struct ssh_transport *transport = (struct ssh_transport *)base;
	struct ssh_link *link = transport->link;
	struct ssh_stream *stream;
	struct err err = { ERR_OK, "" };

	if (!link)
		return;
	transport->link = NULL;
	transport->asking = false;
	err_set(&err, ERR_CANCELLED, "the connection was closed");
	/* The callbacks cannot change the list: what is asked for now is refused, and records are
	 * taken out by messages only, which are not delivered meanwhile. */
	for (stream = transport->streams; stream; stream = stream->next)
		stream_call_done(stream, -1, &err);
	link_close(link);
}

static const struct transport_ops ssh_transport_ops = {
	.name = "libssh2",
	.dial = ssh_transport_dial,
	.exec = ssh_transport_exec,
	.rtt_ms = ssh_transport_rtt_ms,
	.host_key = ssh_transport_host_key,
	.close = ssh_transport_close,
};
