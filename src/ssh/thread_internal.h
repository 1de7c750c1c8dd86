/*
 * What thread.c and link.c share; on the SSH thread only, where not said otherwise.
 */
#ifndef PGONCALL_SSH_THREAD_INTERNAL_H
#define PGONCALL_SSH_THREAD_INTERNAL_H

struct ssh_link;
struct ssh_thread;

/* First of all in a worker that makes a session for the thread. */
void thread_enter_crypto(struct ssh_thread *thread);
/* The head of the list of links that live; link.c hangs them in and out. */
struct ssh_link **thread_links(struct ssh_thread *thread);
/* A link is gone; the last one lets the thread end, if it is to. */
void thread_link_gone(struct ssh_thread *thread);

#endif
