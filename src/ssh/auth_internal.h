/*
 * What the parts of authentication share: auth.c has the order and the verdicts, auth_keys.c the
 * agent and the key files, auth_ask.c what the operator is asked for.
 */
#ifndef PGONCALL_SSH_AUTH_INTERNAL_H
#define PGONCALL_SSH_AUTH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/ssh/agent.h>
#include <pgoncall/ssh/io.h>
#include <pgoncall/ssh/keyfile.h>
#include <pgoncall/ssh/setup.h>

enum auth_result {
	AUTH_OK,
	AUTH_REFUSED,
	AUTH_PARTIAL, /* accepted, and more is wanted; auth->methods is new */
	AUTH_SKIPPED, /* nothing was sent to be judged */
	AUTH_OVER     /* nothing more can be tried; auth->err is set */
};

struct auth_file {
	const char *path; /* the configuration's */
	struct keyfile key;
	struct keyfile certificate; /* of path-cert.pub: its blob is empty where there is none */
	bool loaded;
};

struct auth {
	struct ssh_setup *setup;
	struct _LIBSSH2_SESSION *session;
	struct ssh_io *io;
	const struct ssh_config *config;
	struct err *err;
	char methods[256]; /* what the server takes now, comma separated */
	struct buf tried;  /* for the sentence */
	bool keys_loaded;
	struct agent agent;
	bool *agent_used; /* per key of the agent */
	struct auth_file *files;
	size_t nfiles;
	char *how; /* what was accepted last */
};

/* verdict NULL: what says it all. */
void auth_note(struct auth *auth, const char *what, const char *verdict);
void auth_accept_take(struct auth *auth, char *how);
/* After EAGAIN: 0 to call again, -1 when it is over. */
int auth_wait(struct auth *auth);
/* Before an attempt that the server will judge. */
void auth_begin_attempt(struct auth *auth);
/* What libssh2's return code of the attempt means. */
enum auth_result auth_judge(struct auth *auth, int rc);
/* Nothing more can be tried, for this reason. */
enum auth_result auth_stop(struct auth *auth, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The system's ssh could use this, and libssh2 cannot: AUTH_OVER where the way may be changed, else
 * it is noted as skipped. `what` ends like a name, `why` like "which libssh2 cannot sign with". */
enum auth_result auth_hand_over(struct auth *auth, const char *what, const char *why);
bool auth_settled(enum auth_result result);

enum auth_result auth_try_keys(struct auth *auth);
void auth_keys_fini(struct auth *auth);
enum auth_result auth_try_prompts(struct auth *auth);
enum auth_result auth_try_password(struct auth *auth);
/* Asks; what it returns is wiped by auth_wipe. */
char *auth_ask(
	struct auth *auth, enum ssh_ask kind, const char *prompt, const char *detail, bool echo);
void auth_wipe(char *answer);

#endif
