/*
 * The thread on which all SSH sessions live, with an event loop of its own. Nothing is shared with
 * it but by posts.
 */
#ifndef PGONCALL_SSH_THREAD_H
#define PGONCALL_SSH_THREAD_H

#include <pgoncall/base/err.h>

struct loop;
struct ssh_thread;

/* Starts the thread. *thread is NULL on failure. One per program is enough. */
int ssh_thread_new(struct ssh_thread **thread, struct err *err);

/* Ends what still runs (links that were left open are dropped), waits for the thread and frees.
 * Transports must be closed before, and the main loop freed after: the last posts of the thread
 * free the transports there. Waits for workers only as long as a key's decryption (0.2 s). NULL is
 * allowed. */
void ssh_thread_free(struct ssh_thread *thread);

/* The thread's loop, for posts to it. */
struct loop *ssh_thread_loop(struct ssh_thread *thread);

#endif
