/*
 * The event loop: the only place that knows libuv. Each kind of handle is a small struct around
 * libuv's; it is freed in the close callback and nowhere else.
 */
#include <pgoncall/loop/loop.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include <pgoncall/base/mem.h>

struct post {
	void (*fn)(void *arg);
	void *arg;
	struct post *next;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;         /* tells the loop that posts wait */
	uv_timer_t limit;        /* ends a loop_run_once; permanent, since a closing one wakes uv_run */
	pthread_mutex_t lock;    /* guards the post queue */
	struct post *first;      /* oldest post */
	struct post **last;      /* where the next post is hung */
};

struct loop_timer {
	uv_timer_t uv;
	void (*cb)(struct loop_timer *timer, void *arg);
	void *arg;
};

struct loop_poll {
	uv_poll_t uv;
	int events; /* what is asked for, in our bits */
	int armed;  /* what libuv watches, in its own */
	void (*cb)(struct loop_poll *poll, int events, void *arg);
	void *arg;
};

struct loop_signal {
	uv_signal_t uv;
	void (*cb)(struct loop_signal *signal, void *arg);
	void *arg;
};

struct loop_child {
	uv_process_t uv;
	void (*cb)(struct loop_child *child, int status, void *arg);
	void *arg;
};

struct loop_work {
	uv_work_t uv;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static struct post *loop_take_posts(struct loop *loop)
{
	struct post *post;

	pthread_mutex_lock(&loop->lock);
	post = loop->first;
	loop->first = NULL;
	loop->last = &loop->first;
	pthread_mutex_unlock(&loop->lock);
	return post;
}

static void loop_run_posts(struct loop *loop)
{
	struct post *post = loop_take_posts(loop), *next;

	for (; post; post = next) {
		next = post->next;
		post->fn(post->arg);
		free(post);
	}
}

static void loop_on_wake(uv_async_t *wake)
{
	loop_run_posts(wake->data);
}

struct loop *loop_new(void)
{
	struct loop *loop = mem_calloc(1, sizeof(*loop));

	if (uv_loop_init(&loop->uv) < 0 || uv_async_init(&loop->uv, &loop->wake, loop_on_wake) < 0)
		abort();
	uv_timer_init(&loop->uv, &loop->limit);
	loop->wake.data = loop;
	loop->last = &loop->first;
	pthread_mutex_init(&loop->lock, NULL);
	return loop;
}

static void loop_on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Closes a handle that its owner left open; all but the loop's own two are heap structs of ours
 * whose `data` points at themselves. */
static void loop_close_leftover(uv_handle_t *handle, void *arg)
{
	struct loop *loop = arg;
	bool own = handle == (uv_handle_t *)&loop->wake || handle == (uv_handle_t *)&loop->limit;

	if (!uv_is_closing(handle))
		uv_close(handle, own ? NULL : loop_on_closed);
}

void loop_free(struct loop *loop)
{
	loop_run_posts(loop);
	uv_walk(&loop->uv, loop_close_leftover, loop);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	loop_run_posts(loop);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void loop_on_limit(uv_timer_t *limit)
{
	(void)limit;
}

void loop_run_once(struct loop *loop, int timeout_ms)
{
	if (timeout_ms == 0) {
		uv_run(&loop->uv, UV_RUN_NOWAIT);
		return;
	}
	uv_update_time(&loop->uv);
	if (timeout_ms > 0)
		uv_timer_start(&loop->limit, loop_on_limit, (uint64_t)timeout_ms, 0);
	uv_run(&loop->uv, UV_RUN_ONCE);
	uv_timer_stop(&loop->limit);
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct post *post = mem_calloc(1, sizeof(*post));

	post->fn = fn;
	post->arg = arg;
	pthread_mutex_lock(&loop->lock);
	*loop->last = post;
	loop->last = &post->next;
	pthread_mutex_unlock(&loop->lock);
	uv_async_send(&loop->wake);
}

static void loop_on_work(uv_work_t *uv)
{
	struct loop_work *work = uv->data;

	work->work(work->arg);
}

static void loop_on_work_done(uv_work_t *uv, int status)
{
	struct loop_work *work = uv->data;

	(void)status;
	work->done(work->arg);
	free(work);
}

void loop_work(struct loop *loop, void (*fn)(void *arg), void (*done)(void *arg), void *arg)
{
	struct loop_work *work = mem_calloc(1, sizeof(*work));

	work->uv.data = work;
	work->work = fn;
	work->done = done;
	work->arg = arg;
	if (uv_queue_work(&loop->uv, &work->uv, loop_on_work, loop_on_work_done) < 0)
		abort();
}

static void loop_on_timer(uv_timer_t *uv)
{
	struct loop_timer *timer = uv->data;

	timer->cb(timer, timer->arg);
}

struct loop_timer *loop_timer_start(struct loop *loop, int64_t delay_ms, int64_t repeat_ms,
	void (*cb)(struct loop_timer *timer, void *arg), void *arg)
{
	struct loop_timer *timer = mem_calloc(1, sizeof(*timer));

	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	timer->cb = cb;
	timer->arg = arg;
	loop_timer_again(timer, delay_ms, repeat_ms);
	return timer;
}

void loop_timer_again(struct loop_timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
	uv_update_time(timer->uv.loop);
	uv_timer_start(&timer->uv, loop_on_timer, (uint64_t)delay_ms, (uint64_t)repeat_ms);
}

void loop_timer_stop(struct loop_timer *timer)
{
	if (!timer)
		return;
	uv_timer_stop(&timer->uv);
	uv_close((uv_handle_t *)&timer->uv, loop_on_closed);
}

static void loop_on_poll(uv_poll_t *uv, int status, int events)
{
	struct loop_poll *poll = uv->data;
	int ours = 0;

	if (status < 0) {
		poll->armed = 0; /* libuv watches no further after an error */
		poll->cb(poll, poll->events, poll->arg);
		return;
	}
	if (events & (UV_READABLE | UV_DISCONNECT))
		ours |= LOOP_READ;
	if (events & UV_WRITABLE)
		ours |= LOOP_WRITE;
	poll->cb(poll, ours, poll->arg);
}

struct loop_poll *loop_poll_start(struct loop *loop, int fd, int events,
	void (*cb)(struct loop_poll *poll, int events, void *arg), void *arg)
{
	struct loop_poll *poll = mem_calloc(1, sizeof(*poll));

	if (uv_poll_init(&loop->uv, &poll->uv, fd) < 0)
		abort();
	poll->uv.data = poll;
	poll->cb = cb;
	poll->arg = arg;
	loop_poll_change(poll, events);
	return poll;
}

void loop_poll_change(struct loop_poll *poll, int events)
{
	int uv = 0;

	poll->events = events;
	if (events & LOOP_READ)
		uv |= UV_READABLE;
	if (events & LOOP_WRITE)
		uv |= UV_WRITABLE;
	if (uv == poll->armed)
		return;
	poll->armed = uv;
	if (uv)
		uv_poll_start(&poll->uv, uv, loop_on_poll);
	else
		uv_poll_stop(&poll->uv);
}

void loop_poll_stop(struct loop_poll *poll)
{
	if (!poll)
		return;
	uv_poll_stop(&poll->uv);
	uv_close((uv_handle_t *)&poll->uv, loop_on_closed);
}

static void loop_on_signal(uv_signal_t *uv, int signum)
{
	struct loop_signal *handle = uv->data;

	(void)signum;
	handle->cb(handle, handle->arg);
}

struct loop_signal *loop_signal_start(struct loop *loop, int signum,
	void (*cb)(struct loop_signal *signal, void *arg), void *arg)
{
	struct loop_signal *handle = mem_calloc(1, sizeof(*handle));

	uv_signal_init(&loop->uv, &handle->uv);
	handle->uv.data = handle;
	handle->cb = cb;
	handle->arg = arg;
	uv_signal_start(&handle->uv, loop_on_signal, signum);
	return handle;
}

void loop_signal_stop(struct loop_signal *handle)
{
	if (!handle)
		return;
	uv_signal_stop(&handle->uv);
	uv_close((uv_handle_t *)&handle->uv, loop_on_closed);
}

static void loop_on_exit(uv_process_t *uv, int64_t status, int signum)
{
	struct loop_child *child = uv->data;

	if (child->cb)
		child->cb(child, signum ? 128 + signum : (int)status, child->arg);
	uv_close((uv_handle_t *)uv, loop_on_closed);
}

int loop_child_start(struct loop *loop, char *const argv[], const int fds_take[3],
	void (*cb)(struct loop_child *child, int status, void *arg), void *arg,
	struct loop_child **child, struct err *err)
{
	struct loop_child *new = mem_calloc(1, sizeof(*new));
	uv_process_options_t options;
	uv_stdio_container_t stdio[3];
	int i, rc;

	*child = NULL;
	memset(&options, 0, sizeof(options));
	for (i = 0; i < 3; i++) {
		stdio[i].flags = fds_take[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
		stdio[i].data.fd = fds_take[i];
	}
	options.file = argv[0];
	options.args = (char **)argv;
	options.stdio = stdio;
	options.stdio_count = 3;
	options.exit_cb = loop_on_exit;
	options.flags = UV_PROCESS_DETACHED;
	new->uv.data = new;
	new->cb = cb;
	new->arg = arg;
	rc = uv_spawn(&loop->uv, &new->uv, &options);
	for (i = 0; i < 3; i++)
		if (fds_take[i] >= 0)
			close(fds_take[i]);
	if (rc < 0) {
		uv_close((uv_handle_t *)&new->uv, loop_on_closed);
		return err_system(err, -rc, "cannot run %s", argv[0]);
	}
	*child = new;
	return 0;
}

int loop_child_pid(const struct loop_child *child)
{
	return child->uv.pid;
}

void loop_child_kill(struct loop_child *child, int signum)
{
	if (child->uv.pid > 0 && uv_is_active((uv_handle_t *)&child->uv))
		kill(-child->uv.pid, signum);
}

void loop_child_forget(struct loop_child *child)
{
	child->cb = NULL;
	uv_unref((uv_handle_t *)&child->uv);
}

int loop_socketpair(int fds[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		fds[0] = fds[1] = -1;
		return err_system(err, errno, "cannot make a socket pair");
	}
	return loop_set_nonblocking(fds[0], err);
}

int loop_set_nonblocking(int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_system(err, errno, "cannot make a descriptor non-blocking");
	return 0;
}
