/*
 * Authentication: which credential is tried when, and the sentence when none is accepted. Owns the
 * agent's connection and the loaded key files while it runs; secrets are wiped on the way out.
 */
#include <pgoncall/ssh/auth.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libssh2.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ssh/agent.h>
#include <pgoncall/ssh/io.h>
#include <pgoncall/ssh/keyfile.h>
#include <pgoncall/ssh/setup.h>
#include <pgoncall/ssh/wire.h>

#define AUTH_TRIES 3 /* of a passphrase or password, as ssh */
/* An agent may ask the operator to confirm or to touch something. */
#define AUTH_AGENT_MS 60000

enum auth_result {
	AUTH_OK,
	AUTH_REFUSED,
	AUTH_PARTIAL, /* accepted, and more is wanted; auth->methods is new */
	AUTH_SKIPPED, /* nothing was sent to be judged */
	AUTH_LOST     /* the connection is over; auth->err is set */
};

struct auth_file {
	const char *path; /* the configuration's */
	struct keyfile key;
	bool loaded;
};

struct auth {
	struct ssh_setup *setup;
	LIBSSH2_SESSION *session;
	struct ssh_io *io;
	const struct ssh_config *config;
	struct err *err;
	char *list;        /* libssh2's last answer; session's memory, see auth_list */
	char methods[256]; /* what the server offers now, comma separated */
	struct buf tried;  /* for the sentence */
	struct agent agent;
	bool *agent_used; /* per key of the agent */
	struct auth_file *files;
	size_t nfiles;
	char *how;          /* what was accepted last */
	bool asked_in_vain; /* the operator declined */
};

static bool auth_offers(const struct auth *auth, const char *method)
{
	size_t len = strlen(method);
	const char *at = auth->methods;

	while ((at = strstr(at, method))) {
		if ((at == auth->methods || at[-1] == ',') && (!at[len] || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}

/* verdict NULL: what says it all. */
static void auth_note(struct auth *auth, const char *what, const char *verdict)
{
	if (auth->tried.len)
		buf_add_str(&auth->tried, "; ");
	utf8_sanitise(&auth->tried, what, strlen(what), UTF8_ONE_LINE);
	if (verdict)
		buf_printf(&auth->tried, " %s", verdict);
}

static void auth_accept_take(struct auth *auth, char *how)
{
	char *before = auth->how;

	if (before)
		auth->how = mem_printf("%s, %s", before, how);
	else
		auth->how = mem_strdup(how);
	free(before);
	free(how);
}

/* After EAGAIN: 0 to call again, -1 when it is over. */
static int auth_wait(struct auth *auth)
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

static enum auth_result auth_lose(struct auth *auth)
{
	struct buf why = BUF_INIT;

	if (auth->err->code)
		return AUTH_LOST;
	io_explain(auth->io, &why);
	err_set(auth->err, ERR_AUTH,
		"%s:%d hung up while authenticating %s: %s; tried: %s; with many keys in the agent "
		"set IdentityFile and IdentitiesOnly yes",
		auth->config->hostname, auth->config->port, auth->config->user, buf_str(&why),
		auth->tried.len ? buf_str(&auth->tried) : "nothing yet");
	buf_fini(&why);
	return AUTH_LOST;
}

/* Asks what may be tried now (a "none" request): AUTH_OK when that alone was enough, AUTH_REFUSED
 * with auth->methods, or AUTH_LOST. */
static enum auth_result auth_list(struct auth *auth)
{
	const char *user = auth->config->user;
	char *list;

	do {
		list = libssh2_userauth_list(auth->session, user, (unsigned)strlen(user));
		/* libssh2 1.10 forgets its previous answer here; its last it frees itself. */
		if (auth->list)
			libssh2_free(auth->session, auth->list);
		auth->list = NULL;
		if (list) {
			auth->list = list;
			snprintf(auth->methods, sizeof(auth->methods), "%s", list);
			return AUTH_REFUSED;
		}
		if (libssh2_userauth_authenticated(auth->session))
			return AUTH_OK;
		if (libssh2_session_last_errno(auth->session) != LIBSSH2_ERROR_EAGAIN)
			return auth_lose(auth);
	} while (auth_wait(auth) == 0);
	return AUTH_LOST;
}

/* What libssh2's return code of an attempt means. Only after a full attempt (a signature or an
 * answer was sent) can the refusal be a partial success: the list of methods changes then. */
static enum auth_result auth_judge(struct auth *auth, int rc, bool full)
{
	char before[sizeof(auth->methods)];
	enum auth_result result;

	if (rc == 0)
		return AUTH_OK;
	if (auth->err->code || auth->io->broken || rc == LIBSSH2_ERROR_TIMEOUT)
		return auth_lose(auth);
	if (!full)
		return AUTH_REFUSED;
	memcpy(before, auth->methods, sizeof(before));
	result = auth_list(auth);
	if (result == AUTH_REFUSED && strcmp(before, auth->methods) != 0)
		return AUTH_PARTIAL;
	return result;
}

/* --- the agent -------------------------------------------------------------------------------- */

struct auth_signer {
	struct auth *auth;
	const struct agent_key *key; /* NULL: only find out whether the server wants the key */
	uint32_t flags;
	bool wanted; /* the server would accept the key */
	bool done;   /* it was signed */
	struct err err;
};

static int auth_on_sign(LIBSSH2_SESSION *session, unsigned char **sig, size_t *sig_len,
	const unsigned char *data, size_t data_len, void **abstract)
{
	struct auth_signer *signer = *abstract;
	struct buf signature = BUF_INIT;
	struct ssh_wait wait = signer->auth->setup->wait;

	(void)session;
	signer->wanted = true;
	if (!signer->key)
		return -1;
	wait_set(&wait, AUTH_AGENT_MS);
	if (agent_sign(&signer->auth->agent, signer->key, data, data_len, signer->flags, &wait,
		    &signature, &signer->err) < 0) {
		buf_fini(&signature);
		return -1;
	}
	setup_renew(signer->auth->setup);
	signer->done = true;
	*sig_len = signature.len;
	*sig = (unsigned char *)buf_steal(&signature);
	return 0;
}

static int auth_publickey(struct auth *auth, const struct buf *blob, struct auth_signer *signer)
{
	void *abstract = signer;
	int rc;

	setup_renew(auth->setup);
	do {
		rc = libssh2_userauth_publickey(auth->session, auth->config->user,
			(const unsigned char *)blob->data, blob->len, auth_on_sign, &abstract);
	} while (rc == LIBSSH2_ERROR_EAGAIN && auth_wait(auth) == 0);
	return rc;
}

/* libssh2 1.10 takes the signature's method from the blob's own type. Servers since OpenSSH 7.2
 * accept a blob that says rsa-sha2-256 as the RSA key it is; none since 8.8 accepts ssh-rsa. */
static void auth_rsa_blob(struct buf *out, const struct buf *blob)
{
	static const char method[] = "rsa-sha2-256";
	struct wire wire = wire_from(blob->data, blob->len);
	size_t n;

	wire_string(&wire, &n);
	wire_add_string(out, method, strlen(method));
	buf_add(out, wire.at, wire.left);
}

static bool auth_can_type(struct auth *auth, const char *type)
{
	if (str_equal(type, "ssh-ed25519") || str_starts(type, "ecdsa-sha2-nistp")) {
		if (!strchr(type, '@'))
			return true;
	} else if (str_equal(type, "ssh-rsa")) {
		return true;
	}
	auth->setup->wants_openssh = true;
	return false;
}

static enum auth_result auth_try_agent_key(struct auth *auth, size_t i)
{
	const struct agent_key *key = &auth->agent.keys[i];
	struct auth_signer signer = { .auth = auth, .key = key };
	struct buf blob = BUF_INIT;
	enum auth_result result;
	char *what = mem_printf("agent key %s %s", wire_key_name(key->type), key->comment);

	auth->agent_used[i] = true;
	if (!auth_can_type(auth, key->type)) {
		auth_note(auth, what, "skipped (libssh2 cannot use it)");
		free(what);
		return AUTH_SKIPPED;
	}
	if (str_equal(key->type, "ssh-rsa")) {
		auth_rsa_blob(&blob, &key->blob);
		signer.flags = AGENT_RSA_SHA2_256;
	} else {
		buf_add(&blob, key->blob.data, key->blob.len);
	}
	result = auth_judge(auth, auth_publickey(auth, &blob, &signer), signer.done);
	if (result == AUTH_REFUSED)
		auth_note(auth, what, signer.wanted && !signer.done ? signer.err.text : "refused");
	if (result == AUTH_OK || result == AUTH_PARTIAL)
		auth_accept_take(auth, what);
	else
		free(what);
	buf_fini(&blob);
	return result;
}

static void auth_open_agent(struct auth *auth)
{
	struct ssh_wait wait = auth->setup->wait;
	struct err err = { ERR_OK, "" };

	auth->agent.fd = -1;
	if (!auth->config->agent)
		return;
	if (agent_open(&auth->agent, auth->config->agent, &wait, &err) < 0) {
		auth_note(auth, err.text, NULL);
		agent_close(&auth->agent);
	}
	auth->agent_used = mem_calloc(auth->agent.n + 1, sizeof(*auth->agent_used));
}

/* The agent's key with the file's public half, or the agent's number of keys. */
static size_t auth_find_in_agent(const struct auth *auth, const struct auth_file *file)
{
	size_t i;

	for (i = 0; i < auth->agent.n; i++) {
		const struct buf *blob = &auth->agent.keys[i].blob;

		if (file->loaded && blob->len && blob->len == file->key.blob.len &&
			memcmp(blob->data, file->key.blob.data, blob->len) == 0)
			break;
	}
	return i;
}

/* --- key files -------------------------------------------------------------------------------- */

static void auth_load_files(struct auth *auth)
{
	const struct strlist *paths = &auth->config->identities;
	struct err err;
	size_t i;

	auth->files = mem_calloc(paths->n + 1, sizeof(*auth->files));
	for (i = 0; i < paths->n; i++) {
		struct auth_file *file = &auth->files[auth->nfiles++];

		file->path = paths->items[i];
		err_clear(&err);
		file->loaded = keyfile_load(&file->key, file->path, &err) == 0;
		if (!file->loaded && err.code)
			auth_note(auth, file->path, err.text);
	}
}

/* One full attempt. *unlocked is false when the passphrase did not open the file. */
static enum auth_result auth_try_private(
	struct auth *auth, const struct auth_file *file, const char *passphrase, bool *unlocked)
{
	const struct keyfile *key = &file->key;
	const char *user = auth->config->user;
	char *message = NULL;
	int rc;

	setup_renew(auth->setup);
	do {
		rc = libssh2_userauth_publickey_frommemory(auth->session, user, strlen(user),
			key->public.len ? key->public.data : NULL, key->public.len, key->text.data,
			key->text.len, passphrase);
	} while (rc == LIBSSH2_ERROR_EAGAIN && auth_wait(auth) == 0);
	libssh2_session_last_error(auth->session, &message, NULL, 0);
	/* With a public half the file is opened only when signing. */
	*unlocked = rc == 0 ||
		    (rc != LIBSSH2_ERROR_FILE &&
			    !(message && str_contains_nocase(message, "callback returned error")));
	return auth_judge(auth, rc, *unlocked && rc != LIBSSH2_ERROR_AUTHENTICATION_FAILED);
}

static enum auth_result auth_try_encrypted(struct auth *auth, const struct auth_file *file)
{
	enum auth_result result = AUTH_SKIPPED;
	char *prompt = mem_printf("Passphrase for %s:", file->path), *answer;
	bool unlocked = false;
	int i;

	for (i = 0; i < AUTH_TRIES && !unlocked; i++) {
		answer = setup_ask(auth->setup, SSH_ASK_PASSPHRASE, prompt,
			i ? "That was not it." : "", false);
		if (!answer)
			break;
		result = auth_try_private(auth, file, answer, &unlocked);
		mem_wipe(answer, strlen(answer));
		free(answer);
		if (result == AUTH_LOST)
			break;
	}
	free(prompt);
	if (!unlocked && result != AUTH_LOST) {
		auth_note(auth, file->path,
			i ? "skipped (wrong passphrase)"
			  : "skipped (it is encrypted and nobody gave the passphrase; try "
			    "ssh-add)");
		result = AUTH_SKIPPED;
	}
	return result;
}

/* Whether the server would take the key, before anybody is asked for its passphrase. */
static enum auth_result auth_probe_file(struct auth *auth, const struct auth_file *file)
{
	struct auth_signer signer = { .auth = auth };
	int rc;

	if (!file->key.blob.len)
		return AUTH_OK;
	rc = auth_publickey(auth, &file->key.blob, &signer);
	return signer.wanted ? AUTH_OK : auth_judge(auth, rc, false);
}

static enum auth_result auth_try_file(struct auth *auth, const struct auth_file *file)
{
	enum auth_result result;
	bool unlocked = true;

	if (!file->key.text.len) {
		auth_note(auth, file->path, "skipped (a public key, and not in the agent)");
		return AUTH_SKIPPED;
	}
	if (str_equal(file->key.type, "ssh-rsa") ||
		(file->key.type[0] && !auth_can_type(auth, file->key.type))) {
		auth->setup->wants_openssh = true;
		auth_note(auth, file->path,
			str_equal(file->key.type, "ssh-rsa")
				? "skipped (libssh2 uses RSA keys from the agent only: ssh-add it)"
				: "skipped (libssh2 cannot use it)");
		return AUTH_SKIPPED;
	}
	result = auth_probe_file(auth, file);
	if (result == AUTH_OK && file->key.encrypted)
		result = auth_try_encrypted(auth, file);
	else if (result == AUTH_OK)
		result = auth_try_private(auth, file, NULL, &unlocked);
	if (result == AUTH_REFUSED)
		auth_note(auth, file->path, unlocked ? "refused" : "cannot be read by libssh2");
	if (result == AUTH_OK || result == AUTH_PARTIAL)
		auth_accept_take(auth, mem_strdup(file->path));
	return result;
}

static bool auth_settled(enum auth_result result)
{
	return result == AUTH_OK || result == AUTH_PARTIAL || result == AUTH_LOST;
}

static enum auth_result auth_try_keys(struct auth *auth)
{
	enum auth_result result = AUTH_REFUSED;
	size_t i, in_agent;

	for (i = 0; i < auth->nfiles; i++) {
		in_agent = auth_find_in_agent(auth, &auth->files[i]);
		if (in_agent == auth->agent.n || auth->agent_used[in_agent])
			continue;
		result = auth_try_agent_key(auth, in_agent);
		auth->files[i].loaded = false; /* the file would be the same again */
		if (auth_settled(result))
			return result;
	}
	for (i = 0; i < auth->agent.n && !auth->config->identities_only; i++) {
		if (auth->agent_used[i])
			continue;
		result = auth_try_agent_key(auth, i);
		if (auth_settled(result))
			return result;
	}
	for (i = 0; i < auth->nfiles; i++) {
		if (!auth->files[i].loaded)
			continue;
		auth->files[i].loaded = false;
		result = auth_try_file(auth, &auth->files[i]);
		if (auth_settled(result))
			return result;
	}
	return AUTH_REFUSED;
}

/* --- the operator ----------------------------------------------------------------------------- */

static void auth_on_prompts(const char *name, int name_len, const char *instruction,
	int instruction_len, int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
	LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
	struct ssh_io *io = *abstract;
	struct auth *auth = io->auth;
	char *detail = mem_printf(
		"%.*s%s%.*s", name_len, name, name_len ? "\n" : "", instruction_len, instruction);
	char *prompt, *answer;
	int i;

	for (i = 0; i < n; i++) {
		prompt = mem_strndup((const char *)prompts[i].text, prompts[i].length);
		answer = auth->asked_in_vain ? NULL
					     : setup_ask(auth->setup, SSH_ASK_PROMPT, prompt,
						       detail, prompts[i].echo != 0);
		free(prompt);
		if (!answer)
			auth->asked_in_vain = true;
		responses[i].text = answer; /* libssh2 frees it */
		responses[i].length = answer ? (unsigned)strlen(answer) : 0;
	}
	free(detail);
}

static enum auth_result auth_try_prompts(struct auth *auth)
{
	const char *user = auth->config->user;
	enum auth_result result = AUTH_REFUSED;
	int i, rc;

	for (i = 0; i < AUTH_TRIES && result == AUTH_REFUSED && !auth->asked_in_vain; i++) {
		setup_renew(auth->setup);
		auth->io->auth = auth;
		do {
			rc = libssh2_userauth_keyboard_interactive_ex(
				auth->session, user, (unsigned)strlen(user), auth_on_prompts);
		} while (rc == LIBSSH2_ERROR_EAGAIN && auth_wait(auth) == 0);
		auth->io->auth = NULL;
		result = auth_judge(auth, rc, true);
	}
	if (result == AUTH_REFUSED)
		auth_note(auth, "keyboard-interactive",
			auth->asked_in_vain ? "skipped (no answer)" : "refused");
	if (result == AUTH_OK || result == AUTH_PARTIAL)
		auth_accept_take(auth, mem_strdup("keyboard-interactive"));
	return result;
}

static enum auth_result auth_try_password(struct auth *auth)
{
	const char *user = auth->config->user;
	enum auth_result result = AUTH_REFUSED;
	char *prompt, *answer;
	int i, rc;

	prompt = mem_printf("Password of %s at %s:", user, auth->config->hostname);
	for (i = 0; i < AUTH_TRIES && result == AUTH_REFUSED; i++) {
		answer = setup_ask(
			auth->setup, SSH_ASK_PASSWORD, prompt, i ? "That was not it." : "", false);
		if (!answer)
			break;
		do {
			rc = libssh2_userauth_password_ex(auth->session, user,
				(unsigned)strlen(user), answer, (unsigned)strlen(answer), NULL);
		} while (rc == LIBSSH2_ERROR_EAGAIN && auth_wait(auth) == 0);
		mem_wipe(answer, strlen(answer));
		free(answer);
		result = auth_judge(auth, rc, true);
	}
	free(prompt);
	if (result == AUTH_REFUSED)
		auth_note(auth, "password", i ? "refused" : "skipped (no answer)");
	if (result == AUTH_OK || result == AUTH_PARTIAL)
		auth_accept_take(auth, mem_strdup("password"));
	return result;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int auth_explain(struct auth *auth)
{
	const struct ssh_config *config = auth->config;

	err_set(auth->err, ERR_AUTH,
		"%s:%d does not let %s in: %s; it offers %s; add the right key to the agent "
		"(ssh-add) or name it with IdentityFile%s",
		config->hostname, config->port, config->user,
		auth->tried.len ? buf_str(&auth->tried)
				: "there is no agent and no key file to try",
		auth->methods[0] ? auth->methods : "nothing",
		auth->setup->wants_openssh ? ", or set transport = openssh for this target" : "");
	return -1;
}

/* Each round ends with success, with loss, with more being wanted, or with nothing left to try. */
static enum auth_result auth_round(struct auth *auth)
{
	enum auth_result result = AUTH_REFUSED;

	if (auth_offers(auth, "publickey"))
		result = auth_try_keys(auth);
	if (!auth_settled(result) && auth->setup->ask && auth_offers(auth, "keyboard-interactive"))
		result = auth_try_prompts(auth);
	if (!auth_settled(result) && auth->setup->ask && auth_offers(auth, "password"))
		result = auth_try_password(auth);
	return result;
}

static void auth_fini(struct auth *auth)
{
	size_t i;

	for (i = 0; i < auth->nfiles; i++)
		keyfile_fini(&auth->files[i].key);
	free(auth->files);
	agent_close(&auth->agent);
	free(auth->agent_used);
	buf_fini(&auth->tried);
	free(auth->how);
}

int auth_run(struct ssh_setup *setup, char **how, struct err *err)
{
	struct err own = { ERR_OK, "" };
	struct auth auth = { .setup = setup, .session = setup->session, .io = setup->io };
	enum auth_result result;
	int rounds = 0;

	*how = NULL;
	auth.err = &own;
	auth.config = setup_config(setup);
	result = auth_list(&auth);
	if (result == AUTH_OK)
		auth_accept_take(&auth, mem_strdup("no credential was asked for"));
	if (result == AUTH_REFUSED) {
		auth_open_agent(&auth);
		auth_load_files(&auth);
		do {
			result = auth_round(&auth);
		} while (result == AUTH_PARTIAL && ++rounds < 8);
	}
	if (result == AUTH_OK) {
		*how = auth.how;
		auth.how = NULL;
	} else if (result != AUTH_LOST) {
		auth_explain(&auth);
	}
	auth_fini(&auth);
	if (result == AUTH_OK)
		return 0;
	return err_set(err, own.code, "%s", own.text);
}
