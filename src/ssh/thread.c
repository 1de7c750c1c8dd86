/*
 * The SSH thread. Owns the loop, the thread, and libssh2's global state; the links are its guests.
 */
#include <pgoncall/ssh/thread.h>

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include <libssh2.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/cipher.h>
#include <pgoncall/ssh/link.h>

#include "thread_internal.h"

/* libssh2 takes and gives back memory for every packet of 32 KiB. By default glibc hands it to the
 * system each time and has it zeroed again, a tenth of a tunnel's time; this much stays. */
#define THREAD_KEEP_MEMORY (4 * 1024 * 1024)

struct ssh_thread {
	pthread_t thread;
	struct loop *loop;
	struct cipher_context *crypto; /* NULL: the process's own */
	struct ssh_link *links; /* the thread's own, as is: */
	bool ending;
};

struct loop *ssh_thread_loop(struct ssh_thread *thread)
{
	return thread->loop;
}

void thread_enter_crypto(struct ssh_thread *thread)
{
	cipher_context_enter(thread->crypto);
}

struct ssh_link **thread_links(struct ssh_thread *thread)
{
	return &thread->links;
}

void thread_link_gone(struct ssh_thread *thread)
{
	if (thread->ending && !thread->links)
		loop_stop(thread->loop);
}

static void *thread_run(void *arg)
{
	struct ssh_thread *thread = arg;

	thread_enter_crypto(thread);
	loop_run(thread->loop);
	return NULL;
}

int ssh_thread_new(struct ssh_thread **started, struct err *err)
{
	struct ssh_thread *thread;
	sigset_t all, before;
	int rc;

	*started = NULL;
	if (libssh2_init(0) != 0)
		return err_set(err, ERR_SYSTEM, "libssh2 cannot be initialised");
	thread = mem_calloc(1, sizeof(*thread));
	thread->loop = loop_new();
	thread->crypto = cipher_context_new();
	mallopt(M_TRIM_THRESHOLD, THREAD_KEEP_MEMORY);
	mallopt(M_MMAP_THRESHOLD, THREAD_KEEP_MEMORY);
	/* Signals are the main thread's, and a write to a closed pipe is an error, not a signal. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread->thread, NULL, thread_run, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		loop_free(thread->loop);
		cipher_context_free(thread->crypto);
		free(thread);
		libssh2_exit();
		return err_system(err, rc, "cannot start a thread for SSH");
	}
	*started = thread;
	return 0;
}

static void thread_on_end(void *arg)
{
	struct ssh_thread *thread = arg;
	struct ssh_link *link, *next;

	thread->ending = true;
	for (link = thread->links; link; link = next) {
		next = link_next(link);
		link_drop(link);
	}
	thread_link_gone(thread);
}

void ssh_thread_free(struct ssh_thread *thread)
{
	if (!thread)
		return;
	loop_post(thread->loop, thread_on_end, thread);
	pthread_join(thread->thread, NULL);
	loop_free(thread->loop);
	cipher_context_free(thread->crypto);
	free(thread);
	libssh2_exit();
}
