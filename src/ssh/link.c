/*
 * The way from "connect to this host" to streams, on the SSH thread. Owns the route, the running
 * worker, the sessions of all hops, and the streams asked for before the link is up. Talks to the
 * main thread by messages only.
 */
#include <pgoncall/ssh/link.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/route.h>
#include <pgoncall/ssh/session.h>
#include <pgoncall/ssh/setup.h>
#include <pgoncall/ssh/thread.h>

#include "thread_internal.h"

#define LINK_RTT_MS 1000

/* A stream that was asked for. */
struct link_request {
	struct ssh_link *link;
	struct link_request *next; /* while the link is not up */
	void *stream;
	bool dial;
	char *text; /* host or command */
	int port;
	int fds[3];
};

enum link_state { LINK_CONNECTING, LINK_IS_UP, LINK_IS_DOWN, LINK_CLOSING };

struct ssh_link {
	/* Set before the thread knows the link. */
	struct ssh_thread *thread;
	struct loop *main_loop;
	void *owner;
	void (*receive)(const struct link_message *message);
	char *destination;
	char *config_file;
	int timeout_s;
	bool may_ask;
	bool may_hand_over;

	/* The SSH thread's. */
	struct ssh_link *next;
	enum link_state state;
	struct ssh_route route;
	struct ssh_session **sessions; /* one per hop, NULL where not (yet) there */
	size_t hop;                    /* the one that is being set up */
	struct ssh_setup *setup;       /* while its worker runs */
	pthread_t worker;
	struct err jump_err;          /* why the way through the hop before failed */
	struct link_request *waiting; /* oldest first */
	struct loop_timer *timer;
	double rtt_ms;
};

static void link_connect_hop(struct ssh_link *link, int fd_take);

/* --- messages to the main thread -------------------------------------------------------------- */

struct link_parcel {
	struct link_message message;
	void (*receive)(const struct link_message *message);
};

static void link_deliver(void *arg)
{
	struct link_parcel *parcel = arg;

	parcel->message.question.prompt = parcel->message.text;
	parcel->message.question.detail = parcel->message.detail;
	parcel->receive(&parcel->message);
	free(parcel->message.text);
	free(parcel->message.detail);
	free(parcel);
}

/* From the SSH thread or a worker. Takes the strings of the message. */
static void link_send(struct ssh_link *link, const struct link_message *message)
{
	struct link_parcel *parcel = mem_alloc(sizeof(*parcel));

	parcel->message = *message;
	parcel->message.owner = link->owner;
	parcel->receive = link->receive;
	loop_post(link->main_loop, link_deliver, parcel);
}

static void link_send_kind(struct ssh_link *link, enum link_message_kind kind)
{
	struct link_message message = { .kind = kind };

	link_send(link, &message);
}

static void link_send_end(struct ssh_link *link, void *stream, int status, const struct err *err)
{
	struct link_message message = { .kind = LINK_STREAM_END, .stream = stream };

	message.status = status;
	message.err = *err;
	link_send(link, &message);
}

static void link_on_step(void *arg, enum transport_step step, const char *detail)
{
	struct link_message message = { .kind = LINK_STEP, .step = step };

	message.text = mem_strdup(detail);
	link_send(arg, &message);
}

static void link_on_ask(void *arg, const struct ssh_question *question)
{
	struct link_message message = { .kind = LINK_ASK, .question = *question };

	message.text = mem_strdup(question->prompt);
	message.detail = mem_strdup(question->detail);
	link_send(arg, &message);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void request_free(struct link_request *request)
{
	int i;

	for (i = 0; i < 3; i++)
		if (request->fds[i] >= 0)
			close(request->fds[i]);
	free(request->text);
	free(request);
}

static void link_on_stream_done(void *arg, int status, const struct err *err)
{
	struct link_request *request = arg;

	link_send_end(request->link, request->stream, status, err);
	request_free(request);
}

static void request_start(struct link_request *request)
{
	struct ssh_link *link = request->link;
	struct ssh_session *session = link->sessions[link->route.n - 1];
	int fds[3];

	memcpy(fds, request->fds, sizeof(fds));
	request->fds[0] = request->fds[1] = request->fds[2] = -1;
	if (request->dial)
		session_dial(session, request->text, request->port, fds[0], false,
			link_on_stream_done, request);
	else
		session_exec(session, request->text, fds, link_on_stream_done, request);
}

static void request_refuse(struct link_request *request, const struct err *err)
{
	link_on_stream_done(request, -1, err);
}

static void link_on_request(void *arg)
{
	struct link_request *request = arg;
	struct link_request **last = &request->link->waiting;
	struct err err = { ERR_OK, "" };

	switch (request->link->state) {
	case LINK_IS_UP:
		request_start(request);
		break;
	case LINK_CONNECTING:
		while (*last)
			last = &(*last)->next;
		*last = request;
		break;
	case LINK_IS_DOWN:
	case LINK_CLOSING:
		err_set(&err, ERR_TRANSPORT, "the link to %s is down", request->link->destination);
		request_refuse(request, &err);
		break;
	}
}

static void link_refuse_waiting(struct ssh_link *link, const struct err *err)
{
	struct link_request *request;

	while ((request = link->waiting)) {
		link->waiting = request->next;
		request_refuse(request, err);
	}
}

/* --- ends ------------------------------------------------------------------------------------- */

static void link_free_sessions(struct ssh_link *link)
{
	size_t i;

	loop_timer_stop(link->timer);
	link->timer = NULL;
	/* The innermost first: its goodbye travels through the others. */
	for (i = link->route.n; i-- > 0 && link->sessions;) {
		session_free(link->sessions[i]);
		link->sessions[i] = NULL;
	}
}

static void link_go_down(struct ssh_link *link, const struct err *why, bool wants_openssh)
{
	struct link_message message = { .kind = LINK_DOWN, .wants_openssh = wants_openssh };

	if (link->state == LINK_IS_DOWN || link->state == LINK_CLOSING)
		return;
	link->state = LINK_IS_DOWN;
	link_refuse_waiting(link, why);
	link_free_sessions(link);
	message.err = *why;
	link_send(link, &message);
}

/* When closing and no worker runs any more. */
static void link_destroy(struct ssh_link *link)
{
	struct ssh_thread *thread = link->thread;
	struct ssh_link **at = thread_links(thread);
	struct err err = { ERR_OK, "" };

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	err_set(&err, ERR_CANCELLED, "the link to %s was closed", link->destination);
	link_refuse_waiting(link, &err);
	link_free_sessions(link);
	link_send_kind(link, LINK_CLOSED);
	free(link->sessions);
	route_fini(&link->route);
	free(link->destination);
	free(link->config_file);
	free(link);
	thread_link_gone(thread);
}

void link_drop(struct ssh_link *link)
{
	if (link->state == LINK_CLOSING)
		return;
	link->state = LINK_CLOSING;
	if (link->setup)
		setup_cancel(link->setup); /* link_on_worker_done goes on */
	else
		link_destroy(link);
}

static void link_on_close(void *arg)
{
	link_drop(arg);
}

struct ssh_link *link_next(const struct ssh_link *link)
{
	return link->next;
}

/* --- connecting ------------------------------------------------------------------------------- */

static void link_on_session_dead(void *arg, struct ssh_session *session, const struct err *why)
{
	struct ssh_link *link = arg;
	struct err err = *why;
	size_t i;

	for (i = 0; i < link->route.n; i++)
		if (link->sessions[i] == session && i + 1 < link->route.n)
			err_prefix(&err, "jump host %s", link->route.hops[i].alias);
	/* A worker that is busy behind it will see the end of its stream. */
	if (link->setup)
		setup_cancel(link->setup);
	link_go_down(link, &err, false);
}

static void link_on_tick(struct loop_timer *timer, void *arg)
{
	struct ssh_link *link = arg;
	struct link_message message = { .kind = LINK_RTT };

	(void)timer;
	message.rtt_ms = session_rtt_ms(link->sessions[link->route.n - 1]);
	if (message.rtt_ms == link->rtt_ms)
		return;
	link->rtt_ms = message.rtt_ms;
	link_send(link, &message);
}

static void link_go_up(struct ssh_link *link)
{
	struct link_request *request;

	link->state = LINK_IS_UP;
	link->rtt_ms = -1;
	link->timer =
		loop_timer_start(ssh_thread_loop(link->thread), 0, LINK_RTT_MS, link_on_tick, link);
	link_on_tick(link->timer, link);
	link_send_kind(link, LINK_UP);
	while ((request = link->waiting)) {
		link->waiting = request->next;
		request_start(request);
	}
}

static void link_on_jump_done(void *arg, int status, const struct err *err)
{
	struct ssh_link *link = arg;

	(void)status;
	if (err->code && err->code != ERR_CANCELLED)
		link->jump_err = *err;
}

/* The next hop's stream is a channel of the hop that has just come up. */
static void link_jump(struct ssh_link *link)
{
	const struct ssh_config *next = &link->route.hops[link->hop + 1];
	struct err err = { ERR_OK, "" };
	int fds[2];

	if (loop_socketpair(fds, &err) < 0) {
		link_go_down(link, &err, false);
		return;
	}
	session_dial(link->sessions[link->hop], next->hostname, next->port, fds[1], true,
		link_on_jump_done, link);
	link->hop++;
	link_connect_hop(link, fds[0]);
}

static void link_take_session(struct ssh_link *link, struct ssh_setup *setup)
{
	struct ssh_session_events events = { link_on_session_dead, link };
	struct link_message message = { .kind = LINK_HOST_KEY };
	const struct ssh_config *config = &link->route.hops[link->hop];
	char *name = mem_printf("%s:%d", config->hostname, config->port);
	int interval_s, count;

	if (!link->sessions)
		link->sessions = mem_calloc(link->route.n, sizeof(*link->sessions));
	link->sessions[link->hop] = session_new(
		ssh_thread_loop(link->thread), setup->session, setup->io, name, &events);
	if (ssh_config_alive(config, &interval_s, &count))
		session_set_alive(link->sessions[link->hop], interval_s, count);
	setup->session = NULL;
	setup->io = NULL;
	free(name);
	if (link->hop + 1 < link->route.n) {
		link_jump(link);
		return;
	}
	message.text = setup->host_key;
	setup->host_key = NULL;
	link_send(link, &message);
	link_go_up(link);
}

static void link_on_worker_done(void *arg)
{
	struct ssh_link *link = arg;
	struct ssh_setup *setup = link->setup;

	pthread_join(link->worker, NULL);
	link->setup = NULL;
	if (link->state == LINK_CLOSING)
		link_destroy(link);
	else if (link->state == LINK_CONNECTING && setup->rc == 0)
		link_take_session(link, setup);
	else if (link->state == LINK_CONNECTING)
		link_go_down(link, link->jump_err.code ? &link->jump_err : &setup->err,
			setup->wants_openssh);
	setup_free(setup);
}

static void *link_work(void *arg)
{
	struct ssh_link *link = arg;

	thread_enter_crypto(link->thread);
	setup_run(link->setup);
	loop_post(ssh_thread_loop(link->thread), link_on_worker_done, link);
	return NULL;
}

/* A thread of its own and not libuv's pool: four hosts that do not answer would fill that. */
static void link_connect_hop(struct ssh_link *link, int fd_take)
{
	struct ssh_setup *setup = setup_new();
	struct err err = { ERR_OK, "" };
	int rc;

	setup->destination = link->destination;
	setup->config_file = link->config_file;
	setup->route = &link->route;
	setup->hop = link->hop;
	setup->fd = fd_take;
	setup->timeout_s = link->timeout_s;
	setup->may_hand_over = link->may_hand_over;
	setup->step = link_on_step;
	setup->ask = link->may_ask ? link_on_ask : NULL;
	setup->arg = link;
	link->setup = setup;
	rc = pthread_create(&link->worker, NULL, link_work, link);
	if (rc) {
		link->setup = NULL;
		setup_free(setup);
		err_system(&err, rc, "cannot start a thread to connect");
		link_go_down(link, &err, false);
	}
}

static void link_on_open(void *arg)
{
	struct ssh_link *link = arg;
	struct ssh_link **head = thread_links(link->thread);

	link->next = *head;
	*head = link;
	link_connect_hop(link, -1);
}

/* --- from the main thread --------------------------------------------------------------------- */

static void link_post(struct ssh_link *link, void (*fn)(void *arg), void *arg)
{
	loop_post(ssh_thread_loop(link->thread), fn, arg);
}

struct ssh_link *link_open(struct ssh_thread *thread, struct loop *main_loop,
	const struct ssh_options *options, void *owner,
	void (*receive)(const struct link_message *message))
{
	struct ssh_link *link = mem_calloc(1, sizeof(*link));

	link->thread = thread;
	link->main_loop = main_loop;
	link->owner = owner;
	link->receive = receive;
	link->destination = mem_strdup(options->destination);
	link->config_file = mem_strdup_opt(options->config_file);
	link->timeout_s = options->timeout_s;
	link->may_ask = options->ask != NULL;
	link->may_hand_over = options->may_hand_over;
	link_post(link, link_on_open, link);
	return link;
}

static void link_post_request(struct ssh_link *link, bool dial, const char *text, int port,
	const int fds[3], void *stream)
{
	struct link_request *request = mem_calloc(1, sizeof(*request));

	request->link = link;
	request->stream = stream;
	request->dial = dial;
	request->text = mem_strdup(text);
	request->port = port;
	memcpy(request->fds, fds, sizeof(request->fds));
	link_post(link, link_on_request, request);
}

void link_dial(struct ssh_link *link, const char *host, int port, int fd_take, void *stream)
{
	int fds[3] = { fd_take, -1, -1 };

	link_post_request(link, true, host, port, fds, stream);
}

void link_exec(struct ssh_link *link, const char *command, const int fds_take[3], void *stream)
{
	link_post_request(link, false, command, 0, fds_take, stream);
}

struct link_answer {
	struct ssh_link *link;
	char *text;
};

static void link_on_answer(void *arg)
{
	struct link_answer *answer = arg;

	if (answer->link->setup) {
		setup_answer(answer->link->setup, answer->text);
	} else if (answer->text) {
		mem_wipe(answer->text, strlen(answer->text));
		free(answer->text);
	}
	free(answer);
}

void link_answer(struct ssh_link *link, const char *answer)
{
	struct link_answer *post = mem_calloc(1, sizeof(*post));

	post->link = link;
	post->text = mem_strdup_opt(answer);
	link_post(link, link_on_answer, post);
}

void link_close(struct ssh_link *link)
{
	link_post(link, link_on_close, link);
}
