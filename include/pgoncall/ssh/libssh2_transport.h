/*
 * A transport (see transport.h) over libssh2: the link to one host, through as many jump hosts as
 * ssh's configuration names, on the SSH thread.
 */
#ifndef PGONCALL_SSH_LIBSSH2_TRANSPORT_H
#define PGONCALL_SSH_LIBSSH2_TRANSPORT_H

#include <stdbool.h>

#include <pgoncall/ssh/transport.h>

struct loop;
struct ssh_thread;

enum ssh_ask {
	SSH_ASK_HOSTKEY,    /* an unknown host key; "yes" accepts it and adds it to known_hosts */
	SSH_ASK_PASSPHRASE, /* of a key file */
	SSH_ASK_PASSWORD,   /* of the account */
	SSH_ASK_PROMPT,     /* keyboard-interactive: the server's own question */
	SSH_ASK_PIN,        /* of a security key or token */
	SSH_ASK_CONFIRM,    /* "yes" lets ssh do what it asks about */
	SSH_ASK_NOTICE      /* something to do elsewhere, e.g. to touch a key; any answer gives it up */
};

/* Valid during the call of `ask` only. */
struct ssh_question {
	enum ssh_ask kind;
	const char *prompt; /* one line, sanitised: what to show before the answer */
	const char *detail; /* sanitised, may be "": fingerprint, or the server's instruction */
	bool echo;          /* the answer may be seen while it is typed */
};

/* All strings are copied. */
struct ssh_options {
	const char *destination; /* as for ssh(1): alias, user@host, ssh://user@host:port */
	const char *config_file; /* as ssh -F; NULL or "": ssh's own files */
	/* For each of connecting, agreeing, authenticating; 0: ssh's ConnectTimeout, else 10. */
	int timeout_s;
	/* Called on the main loop's thread with events->arg; the owner answers once, when it likes,
	 * with ssh_transport_answer. One question is open at a time; it lapses when the transport
	 * goes down or is closed, and when `ask` is called with NULL. A NULL `ask`, and BatchMode,
	 * mean that nothing is asked: unknown host keys are refused, encrypted keys skipped. */
	void (*ask)(void *arg, struct transport *transport, const struct ssh_question *question);
	/* libssh2 only: gives up, for ssh_transport_wants_openssh, where the system's ssh can do
	 * better: before anything is asked, and not after everything else was tried. */
	bool may_hand_over;
};

/* Begins to connect; never fails at once: what goes wrong comes as on_down. Callbacks come on
 * main_loop. */
struct transport *ssh_transport_open(struct ssh_thread *thread, struct loop *main_loop,
	const struct ssh_options *options, const struct transport_events *events);

/* Answers the open question; NULL declines. Ignored when none is open. */
void ssh_transport_answer(struct transport *transport, const char *answer);

/* From on_down on: the reason is something the installed libssh2 cannot speak (algorithms, kinds of
 * keys, certificates, ProxyCommand), so that the system's ssh may succeed where this could not. */
bool ssh_transport_wants_openssh(const struct transport *transport);

#endif
