/*
 * SSH's wire encoding: pure functions over bytes that are never trusted.
 */
#include <pgoncall/ssh/wire.h>

#include <string.h>

#include <openssl/evp.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

struct wire wire_from(const void *bytes, size_t len)
{
	struct wire wire = { bytes, len, false };

	return wire;
}

static const unsigned char *wire_take(struct wire *wire, size_t n)
{
	const unsigned char *at = wire->at;

	if (wire->bad || n > wire->left) {
		wire->bad = true;
		return NULL;
	}
	wire->at += n;
	wire->left -= n;
	return at;
}

uint8_t wire_u8(struct wire *wire)
{
	const unsigned char *at = wire_take(wire, 1);

	return at ? *at : 0;
}

uint32_t wire_u32(struct wire *wire)
{
	const unsigned char *at = wire_take(wire, 4);

	if (!at)
		return 0;
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

const unsigned char *wire_string(struct wire *wire, size_t *len)
{
	size_t n = wire_u32(wire);
	const unsigned char *at = wire_take(wire, n);

	*len = at ? n : 0;
	return at;
}

void wire_add_u32(struct buf *buf, uint32_t value)
{
	unsigned char bytes[4] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
		(unsigned char)(value >> 8), (unsigned char)value };

	buf_add(buf, bytes, sizeof(bytes));
}

void wire_add_string(struct buf *buf, const void *bytes, size_t len)
{
	wire_add_u32(buf, (uint32_t)len);
	buf_add(buf, bytes, len);
}

const char *wire_key_type(const void *blob, size_t len, char *out, size_t size)
{
	struct wire wire = wire_from(blob, len);
	size_t n, i;
	const unsigned char *type = wire_string(&wire, &n);

	out[0] = '\0';
	if (!type || n == 0 || n >= size)
		return out;
	for (i = 0; i < n; i++)
		if (type[i] <= ' ' || type[i] >= 0x7f)
			return out;
	memcpy(out, type, n);
	out[n] = '\0';
	return out;
}

const char *wire_key_name(const char *type)
{
	static const struct {
		const char *type;
		const char *name;
	} names[] = {
		{ "ssh-ed25519", "ED25519" },
		{ "ecdsa-sha2-nistp256", "ECDSA" },
		{ "ecdsa-sha2-nistp384", "ECDSA" },
		{ "ecdsa-sha2-nistp521", "ECDSA" },
		{ "ssh-rsa", "RSA" },
		{ "ssh-dss", "DSA" },
		{ "sk-ssh-ed25519@openssh.com", "ED25519-SK" },
		{ "sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_equal(type, names[i].type))
			return names[i].name;
	return type;
}

char *wire_fingerprint(const void *blob, size_t len)
{
	struct buf text = BUF_INIT;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_Digest(blob, len, hash, &n, EVP_sha256(), NULL);
	buf_add_str(&text, "SHA256:");
	wire_base64_encode(&text, hash, n);
	while (text.len && text.data[text.len - 1] == '=')
		text.data[--text.len] = '\0';
	return buf_steal(&text);
}

void wire_base64_encode(struct buf *out, const void *bytes, size_t len)
{
	size_t n;

	buf_reserve(out, (len + 2) / 3 * 4 + 1);
	n = (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->len, bytes, (int)len);
	out->len += n;
}

int wire_base64_decode(struct buf *out, const char *text, size_t len)
{
	struct buf packed = BUF_INIT;
	size_t i, pad = 0;
	int n;

	for (i = 0; i < len; i++)
		if (!strchr(" \t\r\n", text[i]))
			buf_add_char(&packed, text[i]);
	while (pad < 2 && pad < packed.len && packed.data[packed.len - 1 - pad] == '=')
		pad++;
	buf_reserve(out, packed.len / 4 * 3 + 1);
	n = packed.len ? EVP_DecodeBlock((unsigned char *)out->data + out->len,
				 (const unsigned char *)packed.data, (int)packed.len)
		       : 0;
	buf_fini(&packed);
	if (n < 0 || (size_t)n < pad)
		return -1;
	out->len += (size_t)n - pad;
	out->data[out->len] = '\0';
	return 0;
}
