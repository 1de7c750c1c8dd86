/*
 * Public keys: the agent's and those in files, in ssh's order; what libssh2 cannot sign with is
 * shown to the server first, so that it matters only where the server wants it. Owns the agent's
 * connection and the loaded files while authenticating.
 */
#include "auth_internal.h"

#include <stdlib.h>
#include <string.h>

#include <libssh2.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/ssh/wire.h>

/* An agent may ask the operator to confirm or to touch something. */
#define AUTH_AGENT_MS 60000

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

/* Offers the key and, where the server wants it, signs with signer->key. */
static enum auth_result auth_offer(
	struct auth *auth, const struct buf *blob, struct auth_signer *signer)
{
	void *abstract = signer;
	int rc;

	auth_begin_attempt(auth);
	do {
		rc = libssh2_userauth_publickey(auth->session, auth->config->user,
			(const unsigned char *)blob->data, blob->len, auth_on_sign, &abstract);
	} while (rc == LIBSSH2_ERROR_EAGAIN && auth_wait(auth) == 0);
	return auth_judge(auth, rc);
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

/* Whether the server would take the key, before anybody is asked for anything: AUTH_OK, AUTH_REFUSED
 * or AUTH_OVER. */
static enum auth_result auth_probe(struct auth *auth, const struct buf *blob, const char *type)
{
	struct auth_signer signer = { .auth = auth };
	struct buf rsa = BUF_INIT;
	enum auth_result result;

	if (!blob->len)
		return AUTH_OK;
	if (str_equal(type, "ssh-rsa"))
		auth_rsa_blob(&rsa, blob);
	result = auth_offer(auth, rsa.len ? &rsa : blob, &signer);
	buf_fini(&rsa);
	if (result == AUTH_OVER)
		return AUTH_OVER;
	return signer.wanted ? AUTH_OK : AUTH_REFUSED;
}

/* What libssh2 can sign with, given the private half or an agent. */
static bool auth_can_sign(const char *type)
{
	return str_equal(type, "ssh-ed25519") || str_equal(type, "ssh-rsa") ||
	       (str_starts(type, "ecdsa-sha2-nistp") && !strchr(type, '@'));
}

/* A key that only the system's ssh can use. An RSA certificate cannot be shown to the server, since
 * its type is under its signature: it may be wanted. */
static enum auth_result auth_try_foreign(
	struct auth *auth, const char *what, const struct buf *blob, const char *type)
{
	enum auth_result result = AUTH_OK;

	if (str_starts(type, "ssh-rsa-cert-")) {
		auth->setup->wants_openssh = true;
		auth_note(auth, what, "skipped (libssh2 cannot use RSA certificates)");
		return AUTH_SKIPPED;
	}
	result = auth_probe(auth, blob, type);
	if (result == AUTH_OK)
		return auth_hand_over(auth, what, "which libssh2 cannot sign with");
	if (result == AUTH_REFUSED)
		auth_note(auth, what, "refused");
	return result;
}

/* --- the agent -------------------------------------------------------------------------------- */

static enum auth_result auth_try_agent_key(struct auth *auth, size_t i)
{
	const struct agent_key *key = &auth->agent.keys[i];
	struct auth_signer signer = { .auth = auth, .key = key };
	struct buf blob = BUF_INIT;
	enum auth_result result;
	char *what = mem_printf("agent key %s %s", wire_key_name(key->type), key->comment);

	auth->agent_used[i] = true;
	if (!auth_can_sign(key->type)) {
		result = auth_try_foreign(auth, what, &key->blob, key->type);
		free(what);
		return result;
	}
	if (str_equal(key->type, "ssh-rsa")) {
		auth_rsa_blob(&blob, &key->blob);
		signer.flags = AGENT_RSA_SHA2_256;
	} else {
		buf_add(&blob, key->blob.data, key->blob.len);
	}
	result = auth_offer(auth, &blob, &signer);
	if (!auth_settled(result))
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
	if (auth->config->agent && agent_open(&auth->agent, auth->config->agent, &wait, &err) < 0) {
		auth_note(auth, err.text, NULL);
		agent_close(&auth->agent);
	} else if (auth->config->agent && !auth->agent.n) {
		auth_note(auth, "the agent shows no keys (locked? ssh-add -X)", NULL);
	}
	auth->agent_used = mem_calloc(auth->agent.n + 1, sizeof(*auth->agent_used));
}

/* The agent's key with this public half, or the agent's number of keys. */
static size_t auth_find_in_agent(const struct auth *auth, const struct buf *public)
{
	size_t i;

	for (i = 0; i < auth->agent.n; i++) {
		const struct buf *blob = &auth->agent.keys[i].blob;

		if (blob->len && blob->len == public->len &&
			memcmp(blob->data, public->data, blob->len) == 0)
			break;
	}
	return i;
}

/* --- key files -------------------------------------------------------------------------------- */

static void auth_load_files(struct auth *auth)
{
	const struct strlist *paths = &auth->config->identities;
	struct err err;
	char *path;
	size_t i;

	auth->files = mem_calloc(paths->n + 1, sizeof(*auth->files));
	for (i = 0; i < paths->n; i++) {
		struct auth_file *file = &auth->files[auth->nfiles++];

		file->path = paths->items[i];
		err_clear(&err);
		file->loaded = keyfile_load(&file->key, file->path, &err) == 0;
		if (!file->loaded && err.code)
			auth_note(auth, file->path, err.text);
		path = mem_printf("%s-cert.pub", file->path);
		if (file->loaded)
			keyfile_load(&file->certificate, path, NULL);
		free(path);
	}
}

/* One full attempt. *unlocked is false when the passphrase did not open the file. */
static enum auth_result auth_try_private(
	struct auth *auth, const struct auth_file *file, const char *passphrase, bool *unlocked)
{
	const struct keyfile *key = &file->key;
	const char *user = auth->config->user;
	enum auth_result result;
	char *message = NULL;
	int rc;

	auth_begin_attempt(auth);
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
	result = auth_judge(auth, rc);
	return result == AUTH_SKIPPED ? AUTH_REFUSED : result;
}

static enum auth_result auth_try_encrypted(struct auth *auth, const struct auth_file *file)
{
	enum auth_result result = AUTH_SKIPPED;
	char *prompt = mem_printf("Passphrase for %s:", file->path), *answer;
	bool unlocked = false, wrong = false;
	int i;

	for (i = 0; i < auth->config->password_prompts && !unlocked; i++) {
		answer = auth_ask(
			auth, SSH_ASK_PASSPHRASE, prompt, wrong ? "That was not it." : "", false);
		/* As in ssh an empty one passes over the key. */
		if (!answer || !*answer) {
			free(answer);
			break;
		}
		result = auth_try_private(auth, file, answer, &unlocked);
		auth_wipe(answer);
		wrong = !unlocked;
		if (result == AUTH_OVER)
			break;
	}
	free(prompt);
	if (auth->err->code)
		return AUTH_OVER;
	if (!unlocked) {
		auth_note(auth, file->path,
			wrong ? "skipped (wrong passphrase)"
			      : "skipped (it is encrypted and nobody gave the passphrase; try "
				"ssh-add)");
		result = AUTH_SKIPPED;
	}
	return result;
}

/* The plain key is not wanted; its certificate may be. */
static enum auth_result auth_try_certificate(struct auth *auth, const struct auth_file *file)
{
	enum auth_result result;
	char *what;

	if (!file->certificate.blob.len)
		return AUTH_REFUSED;
	what = mem_printf("the certificate %s-cert.pub", file->path);
	result = auth_try_foreign(auth, what, &file->certificate.blob, file->certificate.type);
	free(what);
	return result;
}

static enum auth_result auth_try_file_key(struct auth *auth, const struct auth_file *file)
{
	enum auth_result result;
	bool unlocked = true;

	if (!file->key.text.len) {
		auth_note(auth, file->path, "skipped (a public key, and not in the agent)");
		return AUTH_SKIPPED;
	}
	result = auth_probe(auth, &file->key.blob, file->key.type);
	if (result == AUTH_OK && str_equal(file->key.type, "ssh-rsa"))
		return auth_hand_over(auth, file->path,
			"an RSA key, which libssh2 uses from the agent only: ssh-add it");
	if (result == AUTH_OK && file->key.type[0] && !auth_can_sign(file->key.type))
		return auth_hand_over(auth, file->path,
			str_starts(file->key.type, "sk-")
				? "a security key, which libssh2 cannot use"
				: "which libssh2 cannot use");
	if (result == AUTH_OK && file->key.encrypted)
		result = auth_try_encrypted(auth, file);
	else if (result == AUTH_OK)
		result = auth_try_private(auth, file, NULL, &unlocked);
	if (result == AUTH_REFUSED)
		auth_note(auth, file->path, unlocked ? "refused" : "cannot be read by libssh2");
	return result;
}

static enum auth_result auth_try_file(struct auth *auth, const struct auth_file *file)
{
	enum auth_result result = auth_try_file_key(auth, file);

	if (result == AUTH_REFUSED)
		result = auth_try_certificate(auth, file);
	if (result == AUTH_OK || result == AUTH_PARTIAL)
		auth_accept_take(auth, mem_strdup(file->path));
	return result;
}

/* --- in order --------------------------------------------------------------------------------- */

/* Keys of the agent that an IdentityFile names, also by its certificate. */
static enum auth_result auth_try_named_in_agent(struct auth *auth)
{
	enum auth_result result;
	size_t i, k, at;

	for (i = 0; i < auth->nfiles; i++) {
		const struct buf *publics[] = { &auth->files[i].key.blob,
			&auth->files[i].certificate.blob };

		for (k = 0; k < 2 && auth->files[i].loaded; k++) {
			at = auth_find_in_agent(auth, publics[k]);
			if (at == auth->agent.n || auth->agent_used[at])
				continue;
			result = auth_try_agent_key(auth, at);
			/* The file would be the same again; not so its certificate. */
			if (k == 0 && !auth->files[i].certificate.blob.len)
				auth->files[i].loaded = false;
			if (auth_settled(result))
				return result;
		}
	}
	return AUTH_REFUSED;
}

enum auth_result auth_try_keys(struct auth *auth)
{
	enum auth_result result;
	size_t i;

	if (!auth->keys_loaded) {
		auth_open_agent(auth);
		auth_load_files(auth);
		auth->keys_loaded = true;
	}
	result = auth_try_named_in_agent(auth);
	if (auth_settled(result))
		return result;
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

void auth_keys_fini(struct auth *auth)
{
	size_t i;

	if (!auth->keys_loaded)
		return;
	for (i = 0; i < auth->nfiles; i++) {
		keyfile_fini(&auth->files[i].key);
		keyfile_fini(&auth->files[i].certificate);
	}
	free(auth->files);
	agent_close(&auth->agent);
	free(auth->agent_used);
}
