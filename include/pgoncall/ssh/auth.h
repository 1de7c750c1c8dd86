/*
 * Authenticating to a server, in ssh's order: agent keys that an IdentityFile names, the agent's
 * other keys, key files, keyboard-interactive, password. Part of a setup job, in its worker.
 */
#ifndef PGONCALL_SSH_AUTH_H
#define PGONCALL_SSH_AUTH_H

#include <pgoncall/base/err.h>

struct ssh_setup;

/* Authenticates setup->session as the hop's user. *how (the caller's) says what was accepted, e.g.
 * "agent key ED25519 deploy@laptop". On refusal the sentence lists what was tried and what the
 * server offers; setup->wants_openssh is set where something was skipped for libssh2's sake. */
int auth_run(struct ssh_setup *setup, char **how, struct err *err);

#endif
