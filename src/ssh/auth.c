/*
 * Authentication: which method is tried when, what an answer means, and the sentence when none is
 * accepted. Keys are auth_keys.c's, questions auth_ask.c's.
 */
#include <pgoncall/ssh/auth.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libssh2.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ssh/run.h>

#include "auth_internal.h"

/* Partial successes until it is taken for a server that never has enough. */
#define AUTH_ROUNDS_MAX 8
/* ssh's own order. */
#define AUTH_ORDER "gssapi-with-mic,hostbased,publickey,keyboard-interactive,password"

/* --- what happened ---------------------------------------------------------------------------- */

void auth_note(struct auth *auth, const char *what, const char *verdict)
{
	if (auth->tried.len)
		buf_add_str(&auth->tried, "; ");
	utf8_sanitise(&auth->tried, what, strlen(what), UTF8_ONE_LINE);
	if (verdict)
		buf_printf(&auth->tried, " %s", verdict);
}

void auth_accept_take(struct auth *auth, char *how)
{
	char *before = auth->how;

	auth->how = before ? mem_printf("%s, then %s", before, how) : mem_strdup(how);
	free(before);
	free(how);
}

int auth_wait(struct auth *auth)
{
	struct err why = { ERR_OK, "" };

	if (io_wait(auth->io, &auth->setup->wait, &why) == 0)
		return 0;
	if (why.code == ERR_TIMEOUT)
		return err_set(auth->err, ERR_TIMEOUT,
			"%s:%d did not answer while authenticating; try again, and check the load "
			"there",
			auth->config->hostname, auth->config->port);
	return err_set(auth->err, why.code, "%s", why.text);
}

enum auth_result auth_stop(struct auth *auth, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	if (auth->err->code)
		return AUTH_OVER;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	err_set(auth->err, ERR_AUTH, "%s", buf_str(&text));
	buf_fini(&text);
	return AUTH_OVER;
}

static enum auth_result auth_lose(struct auth *auth)
{
	bool many = str_contains_nocase(auth->io->said, "too many authentication failures");
	struct buf why = BUF_INIT;

	if (auth->err->code)
		return AUTH_OVER;
	io_explain(auth->io, &why);
	auth_stop(auth, "%s:%d hung up while authenticating %s: %s; tried: %s; %s",
		auth->config->hostname, auth->config->port, auth->config->user, buf_str(&why),
		auth->tried.len ? buf_str(&auth->tried) : "nothing yet",
		many ? "set IdentityFile and IdentitiesOnly yes for this host"
		     : "try again, and look into sshd's log there");
	buf_fini(&why);
	/* It may be better next time, but for this. */
	if (!many)
		auth->err->code = ERR_TRANSPORT;
	return AUTH_OVER;
}

enum auth_result auth_hand_over(struct auth *auth, const char *what, const char *why)
{
	char *verdict;

	auth->setup->wants_openssh = true;
	if (auth->setup->may_hand_over)
		return auth_stop(auth,
			"%s:%d takes %s, %s; set transport = openssh for this target",
			auth->config->hostname, auth->config->port, what, why);
	verdict = mem_printf("skipped (%s)", why);
	auth_note(auth, what, verdict);
	free(verdict);
	return AUTH_SKIPPED;
}

bool auth_settled(enum auth_result result)
{
	return result == AUTH_OK || result == AUTH_PARTIAL || result == AUTH_OVER;
}

/* --- attempts --------------------------------------------------------------------------------- */

/* Asks what may be tried (a "none" request): AUTH_OK when that alone was enough, AUTH_REFUSED with
 * auth->methods, or AUTH_OVER. */
static enum auth_result auth_list(struct auth *auth)
{
	const char *user = auth->config->user;
	const char *list; /* libssh2 frees it with the session */

	do {
		list = libssh2_userauth_list(auth->session, user, (unsigned)strlen(user));
		if (list) {
			snprintf(auth->methods, sizeof(auth->methods), "%s", list);
			return AUTH_REFUSED;
		}
		if (libssh2_userauth_authenticated(auth->session))
			return AUTH_OK;
		if (libssh2_session_last_errno(auth->session) != LIBSSH2_ERROR_EAGAIN)
			return auth_lose(auth);
	} while (auth_wait(auth) == 0);
	return AUTH_OVER;
}

void auth_begin_attempt(struct auth *auth)
{
	setup_renew(auth->setup);
	auth->io->memory.refused = false;
}

enum auth_result auth_judge(struct auth *auth, int rc)
{
	const struct ssh_memory *memory = &auth->io->memory;

	if (rc == 0 && libssh2_userauth_authenticated(auth->session))
		return AUTH_OK;
	if (auth->err->code)
		return AUTH_OVER;
	if (auth->io->broken || rc == LIBSSH2_ERROR_TIMEOUT)
		return auth_lose(auth);
	if (!memory->refused)
		return AUTH_SKIPPED;
	snprintf(auth->methods, sizeof(auth->methods), "%s", memory->methods);
	return memory->partial ? AUTH_PARTIAL : AUTH_REFUSED;
}

/* --- methods ---------------------------------------------------------------------------------- */

static bool allows_keys(const struct ssh_config *config)
{
	return !config->no_publickey;
}

static bool allows_prompts(const struct ssh_config *config)
{
	return !config->no_prompts;
}

static bool allows_password(const struct ssh_config *config)
{
	return !config->no_password;
}

static bool allows_gssapi(const struct ssh_config *config)
{
	return config->gssapi;
}

static bool allows_hostbased(const struct ssh_config *config)
{
	return config->hostbased;
}

/* Without a ticket ssh would pass over it as well. */
static enum auth_result auth_try_gssapi(struct auth *auth)
{
	static const char *const argv[] = { "klist", "-s", NULL };
	struct ssh_run run;
	bool have;

	setup_renew(auth->setup);
	have = run_tool((char *const *)argv, &auth->setup->wait, &run, NULL) == 0 &&
	       run.status == 0;
	run_fini(&run);
	if (!have)
		return AUTH_SKIPPED;
	return auth_hand_over(
		auth, "a Kerberos ticket (GSSAPI)", "which libssh2 cannot authenticate with");
}

static enum auth_result auth_try_hostbased(struct auth *auth)
{
	return auth_hand_over(
		auth, "this machine's host key (hostbased)", "which libssh2 cannot use");
}

static const struct auth_method {
	const char *name;
	const char *setting; /* of ssh's configuration, that allows it */
	bool (*allowed)(const struct ssh_config *config);
	enum auth_result (*run)(struct auth *auth);
	bool asks; /* it needs the operator */
} auth_methods[] = {
	{ "gssapi-with-mic", "GSSAPIAuthentication", allows_gssapi, auth_try_gssapi, false },
	{ "hostbased", "HostbasedAuthentication", allows_hostbased, auth_try_hostbased, false },
	{ "publickey", "PubkeyAuthentication", allows_keys, auth_try_keys, false },
	{ "keyboard-interactive", "KbdInteractiveAuthentication", allows_prompts, auth_try_prompts,
		true },
	{ "password", "PasswordAuthentication", allows_password, auth_try_password, true },
};

#define AUTH_METHODS (sizeof(auth_methods) / sizeof(auth_methods[0]))

static bool auth_list_has(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *at = list;

	while ((at = strstr(at, name))) {
		if ((at == list || at[-1] == ',') && (!at[len] || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}

/* One that the server takes and that is not tried, and why: told once, with the first refusal. */
static void auth_note_unused(struct auth *auth, const char *order)
{
	const struct auth_method *method;
	char *why;

	for (method = auth_methods; method < auth_methods + AUTH_METHODS; method++) {
		if (!auth_list_has(auth->methods, method->name) || method->run == auth_try_gssapi)
			continue;
		if (!method->allowed(auth->config))
			why = mem_printf("not tried (%s no)", method->setting);
		else if (!auth_list_has(order, method->name))
			why = mem_strdup("not tried (PreferredAuthentications)");
		else if (method->asks && !setup_may_ask(auth->setup))
			why = mem_strdup("not tried (nobody can be asked)");
		else
			continue;
		auth_note(auth, method->name, why);
		free(why);
	}
}

static const struct auth_method *auth_find_method(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < AUTH_METHODS; i++)
		if (strlen(auth_methods[i].name) == len &&
			memcmp(auth_methods[i].name, name, len) == 0)
			return &auth_methods[i];
	return NULL;
}

/* Tries, in order, what the server takes. It ends with success, with the end, with more being
 * wanted, or with nothing left to try. */
static enum auth_result auth_round(struct auth *auth, const char *order, bool exhausted[])
{
	const struct auth_method *method;
	enum auth_result result;
	size_t len;

	for (; *order; order += len + (order[len] == ',')) {
		len = strcspn(order, ",");
		method = auth_find_method(order, len);
		if (!method || exhausted[method - auth_methods] ||
			!auth_list_has(auth->methods, method->name) ||
			!method->allowed(auth->config) ||
			(method->asks && !setup_may_ask(auth->setup)))
			continue;
		result = method->run(auth);
		if (auth_settled(result))
			return result;
		exhausted[method - auth_methods] = true;
	}
	return AUTH_REFUSED;
}

/* The one thing to do, by what the server takes now. */
static const char *auth_remedy(const struct auth *auth)
{
	bool keys = auth_list_has(auth->methods, "publickey") && !auth->config->no_publickey;
	bool asks = auth_list_has(auth->methods, "password") ||
		    auth_list_has(auth->methods, "keyboard-interactive");

	if (auth->setup->wants_openssh)
		return "set transport = openssh for this target";
	if (keys && str_contains_nocase(buf_str(&auth->tried), "wrong passphrase"))
		return "try again with the right passphrase, or add the key to the agent: ssh-add";
	if (keys && str_contains_nocase(buf_str(&auth->tried), "nobody gave the passphrase"))
		return "add the key to the agent: ssh-add";
	if (keys && str_contains_nocase(buf_str(&auth->tried), "no agent answers"))
		return "start the agent and add the key (ssh-add), or name a key with IdentityFile";
	if (keys)
		return "add the right key to the agent (ssh-add) or name it with IdentityFile";
	if (asks && setup_may_ask(auth->setup))
		return "check the user and the password";
	return asks ? "connect from the console, where it can be asked for"
		    : "allow what it takes in ssh's configuration";
}

static enum auth_result auth_explain(struct auth *auth, const char *order)
{
	const struct ssh_config *config = auth->config;

	auth_note_unused(auth, order);
	return auth_stop(auth, "%s:%d does not let %s in%s%s: %s; it takes %s; %s",
		config->hostname, config->port, config->user, auth->how ? " yet, after " : "",
		auth->how ? auth->how : "",
		auth->tried.len ? buf_str(&auth->tried)
				: "there is no agent and no key file to try",
		auth->methods[0] ? auth->methods : "nothing", auth_remedy(auth));
}

static enum auth_result auth_run_methods(struct auth *auth)
{
	const char *order =
		auth->config->preferred_auth ? auth->config->preferred_auth : AUTH_ORDER;
	bool exhausted[AUTH_METHODS] = { false };
	enum auth_result result;
	int rounds = 0;

	result = auth_list(auth);
	if (result == AUTH_OK)
		auth_accept_take(auth, mem_strdup("no credential was asked for"));
	if (result != AUTH_REFUSED)
		return result;
	do {
		result = auth_round(auth, order, exhausted);
	} while (result == AUTH_PARTIAL && ++rounds < AUTH_ROUNDS_MAX);
	return result == AUTH_OK || result == AUTH_OVER ? result : auth_explain(auth, order);
}

int auth_run(struct ssh_setup *setup, char **how, struct err *err)
{
	struct err own = { ERR_OK, "" };
	struct auth auth = { .setup = setup, .session = setup->session, .io = setup->io };
	enum auth_result result;

	*how = NULL;
	auth.err = &own;
	auth.config = setup_config(setup);
	auth.io->memory.guarded = true;
	result = auth_run_methods(&auth);
	auth.io->memory.guarded = false;
	auth_keys_fini(&auth);
	buf_fini(&auth.tried);
	if (result == AUTH_OK) {
		*how = auth.how;
		return 0;
	}
	free(auth.how);
	return err_set(err, own.code, "%s", own.text);
}
