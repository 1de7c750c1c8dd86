/*
 * Algorithms: the offer to libssh2 and the reading of the server's. Owns no session.
 */
#include <pgoncall/ssh/negotiate.h>

#include <stdlib.h>
#include <string.h>

#include <libssh2.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/ssh/config.h>
#include <pgoncall/ssh/hostkey.h>
#include <pgoncall/ssh/wire.h>

#define NEGOTIATE_KEXINIT 20
#define NEGOTIATE_COOKIE  16

static const struct {
	int method; /* libssh2's number */
	const char *name;
	const char *setting; /* of ssh's configuration */
} negotiate_kinds[NEGOTIATE_COUNT] = {
	[NEGOTIATE_KEX] = { LIBSSH2_METHOD_KEX, "key exchanges", "KexAlgorithms" },
	[NEGOTIATE_HOSTKEY] = { LIBSSH2_METHOD_HOSTKEY, "host keys", "HostKeyAlgorithms" },
	[NEGOTIATE_CIPHER] = { LIBSSH2_METHOD_CRYPT_CS, "ciphers", "Ciphers" },
	[NEGOTIATE_CIPHER_BACK] = { LIBSSH2_METHOD_CRYPT_SC, "ciphers", "Ciphers" },
	[NEGOTIATE_MAC] = { LIBSSH2_METHOD_MAC_CS, "MACs", "MACs" },
	[NEGOTIATE_MAC_BACK] = { LIBSSH2_METHOD_MAC_SC, "MACs", "MACs" },
};

static const char *negotiate_configured(const struct ssh_config *config, int kind)
{
	switch (kind) {
	case NEGOTIATE_KEX:
		return config->kex;
	case NEGOTIATE_HOSTKEY:
		return config->host_key_algorithms;
	case NEGOTIATE_CIPHER:
	case NEGOTIATE_CIPHER_BACK:
		return config->ciphers;
	default:
		return config->macs;
	}
}

static bool negotiate_has(const char *const names[], size_t n, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return true;
	return false;
}

char *negotiate_common(const char *wanted, const char *const names[], size_t n)
{
	struct buf common = BUF_INIT;
	const char *at;
	size_t len, i;

	for (i = 0; !wanted && i < n; i++)
		buf_printf(&common, "%s%s", i ? "," : "", names[i]);
	for (at = wanted; at && *at; at += len + (at[len] == ',')) {
		len = strcspn(at, ",");
		if (negotiate_has(names, n, at, len))
			buf_printf(&common, "%s%.*s", common.len ? "," : "", (int)len, at);
	}
	return common.len ? buf_steal(&common) : mem_strdup("");
}

/* What libssh2 speaks of a kind and the configuration allows. */
static char *negotiate_possible(LIBSSH2_SESSION *session, const struct ssh_config *config, int kind)
{
	const char **names = NULL;
	int n = libssh2_session_supported_algs(session, negotiate_kinds[kind].method, &names);
	char *common =
		negotiate_common(negotiate_configured(config, kind), names, n > 0 ? (size_t)n : 0);

	if (n > 0)
		libssh2_free(session, names);
	return common;
}

int negotiate_offer(LIBSSH2_SESSION *session, const struct ssh_config *config,
	const struct hostkey_list *known, struct err *err)
{
	char *list, *ordered;
	int kind, rc = 0;

	for (kind = 0; kind < NEGOTIATE_COUNT && rc == 0; kind++) {
		list = negotiate_possible(session, config, kind);
		if (kind == NEGOTIATE_HOSTKEY) {
			ordered = hostkey_preference(known, list);
			free(list);
			list = ordered;
		}
		if (!*list)
			rc = err_set(err, ERR_TRANSPORT,
				"%s of ssh's configuration allows %s for %s, none of which libssh2 "
				"%s speaks; set transport = openssh for this target",
				negotiate_kinds[kind].setting, negotiate_configured(config, kind),
				config->alias, libssh2_version(0));
		else
			libssh2_session_method_pref(session, negotiate_kinds[kind].method, list);
		free(list);
	}
	return rc;
}

/* The packet behind the version line; lines before that one are the server's to write. */
static const char *negotiate_find_packet(const char *at, const char *end)
{
	const char *line;

	do {
		line = at;
		at = memchr(line, '\n', (size_t)(end - line));
		if (!at)
			return NULL;
		at++;
	} while (end - line < 4 || memcmp(line, "SSH-", 4) != 0);
	return at;
}

int negotiate_parse_hello(const void *bytes, size_t len, char *lists[NEGOTIATE_COUNT])
{
	const char *end = (const char *)bytes + len;
	const char *packet = negotiate_find_packet(bytes, end);
	const unsigned char *list;
	struct wire wire;
	size_t n, i;

	memset(lists, 0, NEGOTIATE_COUNT * sizeof(*lists));
	if (!packet)
		return -1;
	wire = wire_from(packet, (size_t)(end - packet));
	wire_u32(&wire); /* its length */
	wire_u8(&wire);  /* its padding's */
	if (wire_u8(&wire) != NEGOTIATE_KEXINIT)
		return -1;
	for (i = 0; i < NEGOTIATE_COOKIE; i++)
		wire_u8(&wire);
	for (i = 0; i < NEGOTIATE_COUNT; i++) {
		list = wire_string(&wire, &n);
		if (list)
			lists[i] = mem_strndup((const char *)list, n);
	}
	if (!wire.bad)
		return 0;
	for (i = 0; i < NEGOTIATE_COUNT; i++) {
		free(lists[i]);
		lists[i] = NULL;
	}
	return -1;
}

static bool negotiate_lists_meet(const char *a, const char *b)
{
	const char *names[1];
	char *copy = mem_strdup(a), *save = NULL, *word, *common;
	bool meet = false;

	for (word = strtok_r(copy, ",", &save); word && !meet; word = strtok_r(NULL, ",", &save)) {
		names[0] = word;
		common = negotiate_common(b, names, 1);
		meet = *common;
		free(common);
	}
	free(copy);
	return meet;
}

void negotiate_explain(LIBSSH2_SESSION *session, const struct ssh_config *config,
	const struct buf *hello, struct err *err)
{
	char *lists[NEGOTIATE_COUNT], *ours, *theirs;
	int kind;
	bool found = false;

	if (negotiate_parse_hello(hello->data, hello->len, lists) == 0) {
		for (kind = 0; kind < NEGOTIATE_COUNT && !found; kind++) {
			ours = negotiate_possible(session, config, kind);
			found = !negotiate_lists_meet(lists[kind], ours);
			theirs = utf8_sanitised_dup(lists[kind], UTF8_ONE_LINE);
			if (found)
				err_set(err, ERR_TRANSPORT,
					"%s:%d and libssh2 %s have no algorithm in common for %s: "
					"the server takes only %s; set transport = openssh for "
					"this target",
					config->hostname, config->port, libssh2_version(0),
					negotiate_kinds[kind].name, theirs);
			free(theirs);
			free(ours);
		}
		for (kind = 0; kind < NEGOTIATE_COUNT; kind++)
			free(lists[kind]);
	}
	if (!found)
		err_set(err, ERR_TRANSPORT,
			"%s:%d and libssh2 %s did not agree on keys; set transport = openssh for "
			"this target",
			config->hostname, config->port, libssh2_version(0));
}
