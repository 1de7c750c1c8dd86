/*
 * Recognising key files. Owns the formats' outsides (the header of OpenSSH's own format, PEM's
 * first line, public key lines); decrypts nothing.
 */
#include <pgoncall/ssh/keyfile.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/ssh/wire.h>

/* Far above any key; a bound for what is read. */
#define KEYFILE_MAX (64 * 1024)

void keyfile_fini(struct keyfile *key)
{
	buf_fini_wipe(&key->text);
	buf_fini(&key->blob);
	buf_fini(&key->public);
	memset(key, 0, sizeof(*key));
}

static void keyfile_set_blob(struct keyfile *key, const void *blob, size_t len)
{
	buf_clear(&key->blob);
	buf_clear(&key->public);
	if (!*wire_key_type(blob, len, key->type, sizeof(key->type)))
		return;
	buf_add(&key->blob, blob, len);
	buf_printf(&key->public, "%s ", key->type);
	wire_base64_encode(&key->public, blob, len);
}

/* "type base64 [comment]" */
static int keyfile_parse_public(struct keyfile *key, const char *line)
{
	const char *base64 = line + strcspn(line, " \t\r\n");
	struct buf blob = BUF_INIT;
	int rc = -1;

	base64 += strspn(base64, " \t");
	if (wire_base64_decode(&blob, base64, strcspn(base64, " \t\r\n")) == 0 && blob.len) {
		keyfile_set_blob(key, blob.data, blob.len);
		rc = key->blob.len ? 0 : -1;
	}
	buf_fini(&blob);
	return rc;
}

/* OpenSSH's format (PROTOCOL.key): magic, cipher, kdf, kdf options, count, public blob … */
static void keyfile_parse_openssh(struct keyfile *key, const char *body)
{
	static const char magic[] = "openssh-key-v1"; /* its NUL belongs to it */
	const char *end = strstr(body, "-----END");
	struct buf bytes = BUF_INIT;
	struct wire wire;
	const unsigned char *cipher, *blob;
	size_t n, len;

	if (end && wire_base64_decode(&bytes, body, (size_t)(end - body)) == 0 &&
		bytes.len > sizeof(magic) && memcmp(bytes.data, magic, sizeof(magic)) == 0) {
		wire = wire_from(bytes.data + sizeof(magic), bytes.len - sizeof(magic));
		cipher = wire_string(&wire, &n);
		key->encrypted = cipher && !(n == 4 && memcmp(cipher, "none", 4) == 0);
		wire_string(&wire, &len);
		wire_string(&wire, &len);
		wire_u32(&wire);
		blob = wire_string(&wire, &len);
		if (blob)
			keyfile_set_blob(key, blob, len);
	}
	buf_fini_wipe(&bytes);
}

int keyfile_parse(
	struct keyfile *key, const char *text, size_t len, const char *public, struct err *err)
{
	static const char openssh[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
	char *copy = mem_strndup(text, len);
	const char *begin = strstr(copy, "-----BEGIN ");
	int rc = 0;

	memset(key, 0, sizeof(*key));
	if (!begin) {
		if (keyfile_parse_public(key, copy) < 0)
			rc = err_set(err, ERR_PARSE, "it is not a key");
	} else {
		buf_add(&key->text, text, len);
		if (str_starts(begin, openssh)) {
			keyfile_parse_openssh(key, begin + strlen(openssh));
		} else {
			key->encrypted = strstr(begin, "ENCRYPTED") != NULL;
			if (str_starts(begin, "-----BEGIN RSA"))
				strcpy(key->type, "ssh-rsa");
		}
		if (!key->blob.len && public)
			keyfile_parse_public(key, public);
	}
	mem_wipe(copy, strlen(copy));
	free(copy);
	return rc;
}

/* 0, or -1 with errno. */
static int keyfile_read(struct buf *buf, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), saved;
	ssize_t n = 1;

	if (fd < 0)
		return -1;
	buf_reserve(buf, KEYFILE_MAX);
	while (n > 0 && buf->len < KEYFILE_MAX) {
		n = read(fd, buf->data + buf->len, KEYFILE_MAX - buf->len);
		if (n > 0)
			buf->len += (size_t)n;
	}
	buf->data[buf->len] = '\0';
	saved = errno;
	close(fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

int keyfile_load(struct keyfile *key, const char *path, struct err *err)
{
	struct buf text = BUF_INIT, public = BUF_INIT;
	char *public_path = mem_printf("%s.pub", path);
	int rc = -1, have_public;

	memset(key, 0, sizeof(*key));
	have_public = keyfile_read(&public, public_path);
	if (keyfile_read(&text, path) == 0)
		rc = keyfile_parse(key, buf_str(&text), text.len,
			have_public == 0 ? buf_str(&public) : NULL, err);
	else if (errno != ENOENT && errno != ENOTDIR)
		err_system(err, errno, "it cannot be read");
	else if (have_public == 0) /* the private half may be in the agent */
		rc = keyfile_parse(key, buf_str(&public), public.len, NULL, err);
	buf_fini_wipe(&text);
	buf_fini(&public);
	free(public_path);
	return rc;
}
