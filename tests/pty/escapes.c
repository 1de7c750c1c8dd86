/*
 * Owns the reading of escape sequences in recorded output. It keeps no screen; libvterm does that.
 */
#include "escapes.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

enum seq_kind { SEQ_TEXT, SEQ_CONTROL, SEQ_C1, SEQ_ESC, SEQ_CSI, SEQ_OSC, SEQ_STRING };

static const char *const seq_names[] = {
	[SEQ_TEXT] = "text",
	[SEQ_CONTROL] = "control character",
	[SEQ_C1] = "C1 control",
	[SEQ_ESC] = "escape sequence",
	[SEQ_CSI] = "control sequence",
	[SEQ_OSC] = "OSC",
	[SEQ_STRING] = "control string",
};

struct seq {
	enum seq_kind kind;
	const char *at;   /* borrowed */
	size_t len;       /* bytes, with introducer and end; at least 1 */
	const char *body; /* what follows the introducer */
	size_t body_len;  /* without the end of a string; with the final byte of a CSI */
};

/* What ncurses sends for xterm-256color: CSI without private marker, and the modes it switches. */
static const char csi_finals[] = "ABCDEFGHJKLMPSTXZ@bdfgmr";
static const int private_modes[] = { 1, 3, 4, 7, 12, 25, 1000, 1002, 1003, 1006, 1015, 1034, 1049,
	2004 };

static const struct {
	const char *command; /* what the OSC begins with */
	unsigned allowed;
} osc_known[] = {
	{ "0;", ESCAPES_TITLE },
	{ "1;", ESCAPES_TITLE },
	{ "2;", ESCAPES_TITLE },
	{ "4;", ESCAPES_PALETTE },
	{ "104", ESCAPES_PALETTE },
	{ "52;", ESCAPES_CLIPBOARD },
};

#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))

/* A string runs to BEL or ST; one that is cut off runs to the end of the bytes. */
static void seq_read_string(struct seq *seq, const char *end)
{
	const char *p = seq->body;

	while (p < end && *p != '\a' && !(*p == '\x1b' && p + 1 < end && p[1] == '\\'))
		p++;
	seq->body_len = (size_t)(p - seq->body);
	if (p < end)
		p += *p == '\a' ? 1 : 2;
	seq->len = (size_t)(p - seq->at);
}

static void seq_read_until(
	struct seq *seq, const char *end, unsigned char first, unsigned char last)
{
	const char *p = seq->body;

	while (p < end && !((unsigned char)*p >= first && (unsigned char)*p <= last))
		p++;
	if (p < end)
		p++;
	seq->body_len = (size_t)(p - seq->body);
	seq->len = (size_t)(p - seq->at);
}

static void seq_read_escape(struct seq *seq, const char *end)
{
	char intro = seq->at + 1 < end ? seq->at[1] : '\0';

	seq->body = seq->at + 2;
	if (intro == '[') {
		seq->kind = SEQ_CSI;
		seq_read_until(seq, end, 0x40, 0x7e);
	} else if (intro == ']') {
		seq->kind = SEQ_OSC;
		seq_read_string(seq, end);
	} else if (intro != '\0' && strchr("PX^_", intro) != NULL) {
		seq->kind = SEQ_STRING;
		seq_read_string(seq, end);
	} else {
		seq->kind = SEQ_ESC;
		seq->body = seq->at + 1;
		seq_read_until(seq, end, 0x30, 0x7e);
	}
}

/* Reads what begins at p; p < end. */
static struct seq seq_read(const char *p, const char *end)
{
	struct seq seq = { SEQ_TEXT, p, 1, p, 1 };
	unsigned char c = (unsigned char)*p;

	if (c == 0x1b) {
		seq_read_escape(&seq, end);
	} else if (c < 0x20 || c == 0x7f) {
		seq.kind = SEQ_CONTROL;
	} else if (c == 0xc2 && p + 1 < end && (unsigned char)p[1] < 0xa0) {
		seq.kind = SEQ_C1;
		seq.len = 2;
	} else {
		while (p + seq.len < end && (unsigned char)p[seq.len] >= 0x20 &&
			p[seq.len] != 0x7f && (unsigned char)p[seq.len] != 0xc2)
			seq.len++;
	}
	return seq;
}

static bool body_is(const struct seq *seq, const char *text)
{
	return seq->body_len == strlen(text) && memcmp(seq->body, text, seq->body_len) == 0;
}

/* CSI ? 1 ; 25 h and the like. The last byte is looked at first: it ends all that follows. */
static bool csi_is_private_mode(const struct seq *seq)
{
	const char *p = seq->body;

	return seq->body_len >= 3 && p[0] == '?' &&
	       (p[seq->body_len - 1] == 'h' || p[seq->body_len - 1] == 'l') &&
	       strspn(p + 1, "0123456789;") == seq->body_len - 2;
}

static bool csi_has_mode(const struct seq *seq, int mode)
{
	const char *p = seq->body + 1;

	while (p < seq->body + seq->body_len - 1) {
		char *next;

		if (strtol(p, &next, 10) == mode)
			return true;
		p = next + 1;
	}
	return false;
}

static bool csi_knows_modes(const struct seq *seq)
{
	const char *p = seq->body + 1;

	while (p < seq->body + seq->body_len - 1) {
		char *next;
		long mode = strtol(p, &next, 10);
		bool known = false;

		for (size_t i = 0; i < N_ITEMS(private_modes); i++)
			known = known || private_modes[i] == mode;
		if (!known)
			return false;
		p = next + 1;
	}
	return true;
}

static bool csi_is_ours(const struct seq *seq)
{
	char final = seq->body_len > 0 ? seq->body[seq->body_len - 1] : '\0';

	if (final == 't')
		return body_is(seq, "22;0;0t") || body_is(seq, "23;0;0t");
	if (csi_is_private_mode(seq))
		return csi_knows_modes(seq);
	if (final == 'h' || final == 'l')
		return body_is(seq, "4h") || body_is(seq, "4l");
	if (body_is(seq, "!p")) /* is2: ncurses sends it where no rs2 was needed before */
		return true;
	return final != '\0' && strchr(csi_finals, final) != NULL &&
	       strspn(seq->body, "0123456789;:") == seq->body_len - 1;
}

static bool osc_is_allowed(const struct seq *seq, unsigned allowed)
{
	for (size_t i = 0; i < N_ITEMS(osc_known); i++) {
		size_t n = strlen(osc_known[i].command);

		if (seq->body_len >= n && memcmp(seq->body, osc_known[i].command, n) == 0)
			return (osc_known[i].allowed & allowed) != 0;
	}
	return false;
}

static bool esc_is_ours(const struct seq *seq)
{
	static const char *const known[] = { "(B", "(0", "=", ">", "7", "8", "M", "E" };

	for (size_t i = 0; i < N_ITEMS(known); i++)
		if (body_is(seq, known[i]))
			return true;
	return false;
}

static bool seq_is_foreign(const struct seq *seq, unsigned allowed)
{
	switch (seq->kind) {
	case SEQ_TEXT:
		return false;
	case SEQ_CONTROL:
		if (*seq->at == '\a')
			return (allowed & ESCAPES_BELL) == 0;
		return *seq->at == '\0' || strchr("\b\t\n\r", *seq->at) == NULL;
	case SEQ_ESC:
		return !esc_is_ours(seq);
	case SEQ_CSI:
		return !csi_is_ours(seq);
	case SEQ_OSC:
		return !osc_is_allowed(seq, allowed);
	case SEQ_C1:
	case SEQ_STRING:
		break;
	}
	return true;
}

static char *seq_describe(const struct seq *seq, size_t offset)
{
	enum { SHOWN = 60 };
	struct buf out = BUF_INIT;

	buf_printf(&out, "%s at byte %zu: ", seq_names[seq->kind], offset);
	for (size_t i = 0; i < seq->len && i < SHOWN; i++) {
		unsigned char c = (unsigned char)seq->at[i];

		if (c == 0x1b)
			buf_add_str(&out, "\\e");
		else if (c == '\a')
			buf_add_str(&out, "\\a");
		else if (c < 0x20 || c >= 0x7f)
			buf_printf(&out, "\\x%02x", c);
		else
			buf_add_char(&out, (char)c);
	}
	if (seq->len > SHOWN)
		buf_add_str(&out, "…");
	return buf_steal(&out);
}

char *escapes_foreign(const char *bytes, size_t len, unsigned allowed)
{
	size_t at = 0;

	while (at < len) {
		struct seq seq = seq_read(bytes + at, bytes + len);

		if (seq_is_foreign(&seq, allowed))
			return seq_describe(&seq, at);
		at += seq.len;
	}
	return NULL;
}

char *escapes_any(const char *bytes, size_t len)
{
	size_t at = 0;

	while (at < len) {
		struct seq seq = seq_read(bytes + at, bytes + len);
		char c = *seq.at;

		if (seq.kind != SEQ_TEXT && c != '\t' && c != '\n' && c != '\r')
			return seq_describe(&seq, at);
		at += seq.len;
	}
	return NULL;
}

bool escapes_private_mode(const char *bytes, size_t len, int mode, bool initially)
{
	bool on = initially;
	size_t at = 0;

	while (at < len) {
		struct seq seq = seq_read(bytes + at, bytes + len);

		if (seq.kind == SEQ_CSI && csi_is_private_mode(&seq) && csi_has_mode(&seq, mode))
			on = seq.body[seq.body_len - 1] == 'h';
		at += seq.len;
	}
	return on;
}
