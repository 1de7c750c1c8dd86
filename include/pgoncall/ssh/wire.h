/*
 * SSH's wire encoding (RFC 4251 section 5) as key blobs and the agent use it, and base64.
 */
#ifndef PGONCALL_SSH_WIRE_H
#define PGONCALL_SSH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>

/* What is left to read. After a read past the end `bad` is set and every read gives nothing. */
struct wire {
	const unsigned char *at;
	size_t left;
	bool bad;
};

struct wire wire_from(const void *bytes, size_t len);
uint8_t wire_u8(struct wire *wire);
uint32_t wire_u32(struct wire *wire);
/* The bytes stay where they are; NULL and *len 0 when bad. */
const unsigned char *wire_string(struct wire *wire, size_t *len);

void wire_add_u32(struct buf *buf, uint32_t value);
void wire_add_string(struct buf *buf, const void *bytes, size_t len);

/* The type a key blob begins with, "ssh-ed25519" …; "" when it is no blob. Returns out. */
const char *wire_key_type(const void *blob, size_t len, char *out, size_t size);
/* What people call it: "ED25519", "ECDSA", "RSA" …; else the type itself. */
const char *wire_key_name(const char *type);
/* "SHA256:…" of a key blob, as ssh-keygen -l prints it; for the caller to free. */
char *wire_fingerprint(const void *blob, size_t len);

/* Appends; decoding returns -1 on what is not base64 and ignores white space. */
void wire_base64_encode(struct buf *out, const void *bytes, size_t len);
int wire_base64_decode(struct buf *out, const char *text, size_t len);

#endif
