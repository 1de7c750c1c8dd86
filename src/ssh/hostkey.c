/*
 * Host keys: what known_hosts holds, the verdict over a presented key, the sentences, and adding
 * one that was accepted. Owns no session; the key itself comes from the caller.
 */
#include <pgoncall/ssh/hostkey.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/ssh/config.h>
#include <pgoncall/ssh/run.h>
#include <pgoncall/ssh/wire.h>

void hostkey_list_fini(struct hostkey_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		free(list->items[i].file);
		free(list->items[i].type);
		free(list->items[i].base64);
	}
	free(list->items);
	memset(list, 0, sizeof(*list));
}

static char *hostkey_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");
	char *end = word + strcspn(word, " \t");

	if (!*word)
		return NULL;
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

/* "[@marker] names type base64 [comment]" */
static void hostkey_parse_key(
	struct hostkey_list *list, const char *file, int line, bool portless, char *text)
{
	struct hostkey_line *new;
	enum hostkey_marker marker = HOSTKEY_PLAIN;
	char *word = hostkey_word(&text), *type, *base64;

	if (word && word[0] == '@') {
		if (str_equal(word, "@revoked"))
			marker = HOSTKEY_MARKED_REVOKED;
		else if (str_equal(word, "@cert-authority"))
			marker = HOSTKEY_MARKED_CA;
		else
			return;
		word = hostkey_word(&text);
	}
	type = hostkey_word(&text);
	base64 = hostkey_word(&text);
	if (!word || !type || !base64)
		return;
	list->items = mem_grow(list->items, list->n, &list->cap, sizeof(*list->items));
	new = &list->items[list->n++];
	new->file = mem_strdup(file);
	new->line = line;
	new->marker = marker;
	new->portless = portless;
	new->type = mem_strdup(type);
	new->base64 = mem_strdup(base64);
}

void hostkey_parse(struct hostkey_list *list, const char *file, bool portless, const char *text)
{
	static const char found[] = "found: line ";
	char *copy = mem_strdup(text), *save = NULL, *line, *at;
	int number = 0;

	/* "# Host NAME found: line N [REVOKED|CA]", and on the next line the key. */
	for (line = strtok_r(copy, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
		if (line[0] == '#') {
			at = strstr(line, found);
			number = at ? atoi(at + strlen(found)) : 0;
		} else {
			hostkey_parse_key(list, file, number, portless, line);
		}
	}
	free(copy);
}

/* Spares a tool's run: /dev/null in the place of a file is common. */
static bool hostkey_file_is_empty(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 &&
	       (S_ISCHR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0));
}

static int hostkey_look_up_name(struct hostkey_list *list, const struct ssh_config *config,
	const char *name, bool portless, const struct ssh_wait *wait, struct err *err)
{
	struct ssh_run run;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < config->known_hosts.n; i++) {
		const char *file = config->known_hosts.items[i];
		const char *argv[] = { "ssh-keygen", "-F", name, "-f", file, NULL };

		if (access(file, R_OK) < 0) {
			if (errno == ENOENT || errno == ENOTDIR)
				continue;
			return err_system(err, errno,
				"cannot read %s to check the host key of %s; mend its permissions",
				file, name);
		}
		if (hostkey_file_is_empty(file))
			continue;
		rc = run_tool((char *const *)argv, wait, &run, err);
		if (rc == 0)
			hostkey_parse(list, file, portless, buf_str(&run.out));
		run_fini(&run);
	}
	return rc;
}

int hostkey_look_up(struct hostkey_list *list, const struct ssh_config *config,
	const struct ssh_wait *wait, struct err *err)
{
	char *name = ssh_config_lookup_name(config);
	int rc;

	memset(list, 0, sizeof(*list));
	rc = hostkey_look_up_name(list, config, name, false, wait, err);
	if (rc == 0 && !config->host_key_alias && config->port != 22)
		rc = hostkey_look_up_name(list, config, config->hostname, true, wait, err);
	free(name);
	return rc;
}

static bool hostkey_knows_type(const struct hostkey_list *list, const char *type, size_t len)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->items[i].marker == HOSTKEY_PLAIN && strlen(list->items[i].type) == len &&
			memcmp(list->items[i].type, type, len) == 0)
			return true;
	return false;
}

char *hostkey_preference(const struct hostkey_list *list, const char *methods)
{
	struct buf text = BUF_INIT;
	const char *at;
	size_t len;
	int known;

	for (known = 1; known >= 0; known--)
		for (at = methods; *at; at += len + (at[len] == ',')) {
			len = strcspn(at, ",");
			if (hostkey_knows_type(list, at, len) == (known == 1))
				buf_printf(&text, "%s%.*s", text.len ? "," : "", (int)len, at);
		}
	return text.len ? buf_steal(&text) : mem_strdup("");
}

enum hostkey_verdict hostkey_judge(const struct hostkey_list *list, const char *type,
	const char *base64, const struct hostkey_line **line)
{
	const struct hostkey_line *same = NULL, *changed = NULL, *other = NULL, *ca = NULL;
	size_t i;

	*line = NULL;
	for (i = 0; i < list->n; i++) {
		const struct hostkey_line *item = &list->items[i];
		bool equal = str_equal(item->type, type) && str_equal(item->base64, base64);

		if (item->marker == HOSTKEY_MARKED_REVOKED) {
			if (!equal)
				continue;
			*line = item;
			return HOSTKEY_REVOKED;
		}
		if (item->marker == HOSTKEY_MARKED_CA)
			ca = item;
		else if (equal)
			same = item;
		else if (item->portless)
			continue;
		else if (str_equal(item->type, type))
			changed = changed ? changed : item;
		else
			other = other ? other : item;
	}
	*line = same ? same : changed ? changed : ca ? ca : other;
	if (same)
		return HOSTKEY_KNOWN;
	return changed ? HOSTKEY_CHANGED : ca ? HOSTKEY_CERTIFIED : HOSTKEY_UNKNOWN;
}

int hostkey_explain(enum hostkey_verdict verdict, const struct ssh_config *config,
	const struct hostkey_line *line, const char *type, const char *fingerprint, struct err *err)
{
	const char *name = wire_key_name(type);
	char *where = ssh_config_lookup_name(config);

	switch (verdict) {
	case HOSTKEY_KNOWN:
		break;
	case HOSTKEY_UNKNOWN:
		err_set(err, ERR_HOSTKEY,
			"the host key of %s is unknown: %s %s is not in %s; compare it with the "
			"server's own (ssh-keygen -lf there), then accept it by connecting once "
			"with: ssh %s%s%s-p %d %s@%s",
			where, name, fingerprint,
			config->known_hosts.n ? config->known_hosts.items[0] : "known_hosts",
			config->file ? "-F " : "", config->file ? config->file : "",
			config->file ? " " : "", config->port, config->user, config->alias);
		if (line)
			err_prefix(err, "%s:%d knows this host by its %s key only", line->file,
				line->line, wire_key_name(line->type));
		break;
	case HOSTKEY_CERTIFIED:
		err_set(err, ERR_HOSTKEY,
			"%s:%d trusts a certificate authority for the host key of %s, which "
			"libssh2 "
			"cannot check; set transport = openssh for this target",
			line->file, line->line, where);
		break;
	case HOSTKEY_CHANGED:
		err_set(err, ERR_HOSTKEY,
			"the host key of %s has CHANGED: it shows %s %s, but %s:%d has another; "
			"somebody may be in between; ask the server's owner, and only if the key "
			"was "
			"replaced on purpose remove that line (ssh-keygen -R '%s' -f %s)",
			where, name, fingerprint, line->file, line->line, where, line->file);
		break;
	case HOSTKEY_REVOKED:
		err_set(err, ERR_HOSTKEY,
			"the host key of %s (%s %s) is REVOKED by %s:%d; do not connect, and ask "
			"the "
			"server's owner",
			where, name, fingerprint, line->file, line->line);
		break;
	}
	free(where);
	return -1;
}

/* "|1|salt|hmac", the hashed form of a name: base64 of 20 random bytes and of HMAC-SHA1 over the
 * name with them as the key (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
static char *hostkey_hash_name_take(char *name)
{
	unsigned char salt[20], hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	struct buf text = BUF_INIT;

	if (RAND_bytes(salt, sizeof(salt)) != 1 ||
		!HMAC(EVP_sha1(), salt, sizeof(salt), (const unsigned char *)name, strlen(name),
			hash, &n))
		return name;
	buf_add_str(&text, "|1|");
	wire_base64_encode(&text, salt, sizeof(salt));
	buf_add_char(&text, '|');
	wire_base64_encode(&text, hash, n);
	free(name);
	return buf_steal(&text);
}

/* The file may lack a final newline. */
static int hostkey_append(const char *path, const char *line, struct err *err)
{
	struct buf text = BUF_INIT;
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	off_t size;
	char last = '\n';
	int rc = -1;

	if (fd < 0)
		goto out;
	size = lseek(fd, 0, SEEK_END);
	if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
		goto out;
	buf_printf(&text, "%s%s\n", last == '\n' ? "" : "\n", line);
	if (write(fd, text.data, text.len) == (ssize_t)text.len)
		rc = 0;
out:
	if (rc < 0)
		err_system(err, errno, "cannot add the host key to %s", path);
	if (fd >= 0)
		close(fd);
	buf_fini(&text);
	return rc;
}

int hostkey_add(
	const struct ssh_config *config, const char *type, const char *base64, struct err *err)
{
	char *name, *line, *path;
	int rc;

	if (!config->known_hosts_add)
		return err_set(err, ERR_HOSTKEY,
			"the host key of %s cannot be kept: ssh's configuration names no "
			"known_hosts "
			"file of the user",
			config->alias);
	path = mem_strdup(config->known_hosts_add);
	mkdir(dirname(path), 0700);
	free(path);
	name = ssh_config_lookup_name(config);
	if (config->hash_known_hosts)
		name = hostkey_hash_name_take(name);
	line = mem_printf("%s %s %s", name, type, base64);
	rc = hostkey_append(config->known_hosts_add, line, err);
	free(line);
	free(name);
	return rc;
}
