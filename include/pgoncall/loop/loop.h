/*
 * An event loop on libuv: descriptors, timers, signals, children, worker threads, and posts from
 * other threads. Every callback runs on the thread that runs the loop.
 *
 * Handles come in pairs start/stop. A stop takes effect at once (the callback is not called again)
 * and frees the handle when libuv has closed it; the pointer must not be used after a stop.
 */
#ifndef PGONCALL_LOOP_LOOP_H
#define PGONCALL_LOOP_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/err.h>

struct loop;
struct loop_timer;
struct loop_poll;
struct loop_signal;
struct loop_child;

struct loop *loop_new(void);
/* Closes what is still open, waits for workers, and frees. Not from inside a callback. */
void loop_free(struct loop *loop);
/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* Runs what is ready, waiting at most timeout_ms (-1: until something happens). */
void loop_run_once(struct loop *loop, int timeout_ms);
/* From a callback or a post of this loop. */
void loop_stop(struct loop *loop);

/* From any thread: runs fn(arg) on the loop's thread, in the order posted. Posts that were not run
 * when the loop is freed are run by loop_free. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* Runs work(arg) on a worker thread, then done(arg) on the loop. */
void loop_work(struct loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* First after delay_ms, then every repeat_ms (0: once; the handle still wants its stop). */
struct loop_timer *loop_timer_start(struct loop *loop, int64_t delay_ms, int64_t repeat_ms,
	void (*cb)(struct loop_timer *timer, void *arg), void *arg);
void loop_timer_again(struct loop_timer *timer, int64_t delay_ms, int64_t repeat_ms);
/* NULL is allowed. */
void loop_timer_stop(struct loop_timer *timer);

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };

/* Watches fd, which stays the caller's: it must be stopped before fd is closed. On a broken
 * descriptor the callback gets every event asked for, so that the read or write says why. */
struct loop_poll *loop_poll_start(struct loop *loop, int fd, int events,
	void (*cb)(struct loop_poll *poll, int events, void *arg), void *arg);
/* events 0 pauses. */
void loop_poll_change(struct loop_poll *poll, int events);
/* NULL is allowed. */
void loop_poll_stop(struct loop_poll *poll);

struct loop_signal *loop_signal_start(struct loop *loop, int signum,
	void (*cb)(struct loop_signal *signal, void *arg), void *arg);
void loop_signal_stop(struct loop_signal *signal);

/* Runs argv (searched on PATH) with the three descriptors, which are taken and closed here (-1:
 * /dev/null). `status` is the exit status, or 128 + signal. The child is a process group of its own,
 * so that the terminal's Ctrl-C is ours alone. The handle frees itself after the callback. */
int loop_child_start(struct loop *loop, char *const argv[], const int fds_take[3],
	void (*cb)(struct loop_child *child, int status, void *arg), void *arg,
	struct loop_child **child, struct err *err);
/* Its process id, which is that of its process group and session as well. */
int loop_child_pid(const struct loop_child *child);
/* Signals the child's process group. */
void loop_child_kill(struct loop_child *child, int signum);
/* The callback is not called any more; the child is left to end by itself. */
void loop_child_forget(struct loop_child *child);

/* Descriptors that are close-on-exec, and non-blocking on the side named. */
int loop_socketpair(int fds[2], struct err *err);
int loop_set_nonblocking(int fd, struct err *err);

#endif
