/*
 * The program as the askpass of the system's ssh: ssh starts it with a question, it has the question
 * asked by the pgoncall that started ssh, and prints the answer for ssh. The answer comes through a
 * socket in that program's own directory and leaves through ssh's pipe; it is in no argument, no
 * environment and no file.
 */
#ifndef PGONCALL_SSH_ASKPASS_H
#define PGONCALL_SSH_ASKPASS_H

#include <stdbool.h>

/* Names the socket; set in the environment of ssh alone. */
#define ASKPASS_SOCKET_ENV "PGONCALL_ASKPASS"

/* On the socket: one of these bytes, the question, a NUL; then ASKPASS_ANSWER and the answer to the
 * end, or the end at once where nobody answered. */
enum {
	ASKPASS_PROMPT = 'p',  /* a secret or a line */
	ASKPASS_CONFIRM = 'c', /* yes or no */
	ASKPASS_NOTICE = 'n',  /* nothing to answer; it is over when the asker goes away */
	ASKPASS_ANSWER = '+'
};

/* What a question and an answer may take. */
#define ASKPASS_MAX 16384

/* This process was started by ssh to ask. */
bool askpass_is_meant(void);
/* The whole of such a process: its exit status. */
int askpass_main(int argc, char **argv);

#endif
