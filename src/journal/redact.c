/*
 * Secrets out of text before it is hashed and written. It works on shapes, so it can miss a secret
 * that looks like nothing; it never keeps part of one that it found. Over-eager is the right side
 * to err on: the journal says what was done, not with which password.
 */
#include <pgoncall/journal/record.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <pgoncall/base/mem.h>

#define MASK "***"

#define WORD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* A name that ends so names a secret. */
static const char *const secret_endings[] = {
	"password",
	"passwd",
	"passphrase",
	"pwd",
	"_pass",
	"-pass",
	"secret",
	"token",
	"apikey",
	"api_key",
	"api-key",
	"access_key",
	"access-key",
	"secret_key",
	"secret-key",
	"private_key",
	"private-key",
	"credential",
	"credentials",
	"-signature",
	"_signature",
};

/* Words that are a secret by their own beginning, and the least length of what follows. */
static const struct {
	const char *start;
	size_t least;
} token_shapes[] = {
	{ "ghp_", 16 },
	{ "gho_", 16 },
	{ "ghu_", 16 },
	{ "ghs_", 16 },
	{ "ghr_", 16 },
	{ "github_pat_", 16 },
	{ "glpat-", 16 },
	{ "xoxb-", 10 },
	{ "xoxp-", 10 },
	{ "AKIA", 12 },
	{ "ASIA", 12 },
	{ "sk-", 20 },
	{ "sk_live_", 16 },
	{ "rk_live_", 16 },
	{ "eyJ", 30 }, /* JSON web token */
	{ "SCRAM-SHA-256$", 16 },
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

bool journal_name_is_secret(const char *name, size_t len)
{
	size_t i, end;

	for (i = 0; i < N_OF(secret_endings); i++) {
		end = strlen(secret_endings[i]);
		if (len >= end && strncasecmp(name + len - end, secret_endings[i], end) == 0)
			return true;
	}
	return false;
}

/* Length of the quoted string at s (its quote first). Doubled quotes, backslashes and the shell's
 * way to write a single quote go on. An end that is missing is the text's end. */
static size_t redact_quoted_len(const char *s)
{
	size_t i = 1;

	while (s[i]) {
		if (s[i] == '\\' && s[i + 1])
			i += 2;
		else if (s[i] != s[0])
			i++;
		else if (s[i + 1] == s[0])
			i += 2;
		else if (strncmp(s + i, "'\\''", 4) == 0)
			i += 4;
		else
			return i + 1;
	}
	return i;
}

/* A backslash-quoted string, as JSON holds one inside a string: \"…\". */
static size_t redact_escaped_len(const char *s)
{
	const char close[] = { '\\', s[1], '\0' };
	const char *end = strstr(s + 2, close);

	return end ? (size_t)(end - s) + 2 : strlen(s);
}

/* A dollar-quoted string without a tag, $$…$$. */
static size_t redact_dollar_len(const char *s)
{
	const char *end = strstr(s + 2, "$$");

	return end ? (size_t)(end - s) + 2 : strlen(s);
}

/* Length of what stands inside quotes that were opened before s, without their end. The shell's
 * way to write a quote inside single quotes (end, escaped quote, begin) goes on. */
static size_t redact_inner_len(const char *s, char quote)
{
	size_t i = 0;

	for (;;) {
		while (s[i] && s[i] != quote)
			i += s[i] == '\\' && quote == '"' && s[i + 1] ? 2 : 1;
		if (strncmp(s + i, "'\\''", 4) != 0)
			return i;
		i += 4;
	}
}

/* Length of the value at s, `quote` being the one its name follows, if any; 0: there is none, or it
 * is a bind parameter or variable, which stays. */
static size_t redact_value_len(const char *s, char quote)
{
	size_t len = 0;

	if (*s == '\'' || *s == '"')
		return redact_quoted_len(s);
	if (*s == '\\' && (s[1] == '"' || s[1] == '\''))
		return redact_escaped_len(s);
	if (s[0] == '$' && s[1] == '$')
		return redact_dollar_len(s);
	if (*s == '$' && (isalnum((unsigned char)s[1]) || s[1] == '{'))
		return 0;
	if (quote)
		return redact_inner_len(s, quote);
	while (s[len] && !strchr(" \t\r\n&;,)}]\"'", s[len]))
		len += s[len] == '\\' && s[len + 1] ? 2 : 1;
	return len;
}

static const char *redact_skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

/* Where the value of a secret's name that ends at s begins: after = or : (quotes closed before it),
 * after white space for an option or SQL's PASSWORD '…'. NULL: no value. */
static const char *redact_find_value(const char *name, const char *s)
{
	const char *at = s;

	if (*at == '\\' && (at[1] == '"' || at[1] == '\''))
		at++;
	if (*at == '"' || *at == '\'')
		at++;
	at = redact_skip_space(at);
	if (*at == '=' || (*at == ':' && at[1] != ':' && at[1] != '/'))
		return redact_skip_space(at + 1 + strspn(at + 1, "=>"));
	at = redact_skip_space(s);
	if (at == s)
		return NULL;
	if ((*at == 'E' || *at == 'e') && at[1] == '\'')
		at++;
	if (*at == '\'' || (at[0] == '$' && at[1] == '$'))
		return at;
	return name[0] == '-' && name[1] == '-' && *at && *at != '-' ? at : NULL;
}

/* NAME=value at s: copies the name, masks the value. Returns the bytes used, 0: it is none. */
static size_t redact_named(struct buf *out, const char *s, char before)
{
	char quote = before == '\'' || before == '"' ? before : '\0';
	size_t len = strspn(s, WORD_CHARS), skip;
	const char *value;

	if (!journal_name_is_secret(s, len))
		return 0;
	value = redact_find_value(s, s + len);
	if (value && s[len] != '=')
		quote = '\0';
	skip = value ? redact_value_len(value, quote) : 0;
	if (!skip)
		return 0;
	buf_add(out, s, (size_t)(value - s));
	buf_add_str(out, MASK);
	return (size_t)(value - s) + skip;
}

/* "://user:password@" at s. A password may hold any of / ? # @ though it should not, so the last @
 * of the word counts. *no_at is the end of a word known to hold none from here on, so that a word of
 * many URLs is not searched for each. */
static size_t redact_url(struct buf *out, const char *s, const char **no_at)
{
	size_t len, colon, i;

	if (strncmp(s, "://", 3) != 0 || s < *no_at)
		return 0;
	colon = 3 + strcspn(s + 3, ":@/ \t\r\n\"'<>");
	if (s[colon] != ':')
		return 0;
	len = colon + strcspn(s + colon, " \t\r\n\"'<>");
	for (i = len - 1; i > colon && s[i] != '@'; i--)
		continue;
	if (i == colon) {
		*no_at = s + len;
		return 0;
	}
	buf_add(out, s, colon + 1);
	buf_add_str(out, MASK);
	return i;
}

/* curl's "-u name:password" at s. */
static size_t redact_user_option(struct buf *out, const char *s)
{
	size_t start, len, colon;

	if (strncmp(s, "-u", 2) == 0)
		start = 2;
	else if (strncmp(s, "--user", 6) == 0)
		start = 6;
	else
		return 0;
	start += strspn(s + start, " \t='\"");
	len = strcspn(s + start, " \t\r\n'\"");
	colon = strcspn(s + start, ": \t\r\n'\"");
	if (colon + 1 >= len)
		return 0;
	buf_add(out, s, start + colon + 1);
	buf_add_str(out, MASK);
	return start + len;
}

static size_t redact_token(struct buf *out, const char *s)
{
	size_t i, start, len;

	for (i = 0; i < N_OF(token_shapes); i++) {
		start = strlen(token_shapes[i].start);
		if (strncmp(s, token_shapes[i].start, start) != 0)
			continue;
		len = strcspn(s, " \t\r\n\"'&;,)]}>");
		if (len < start + token_shapes[i].least)
			continue;
		buf_add_str(out, MASK);
		return len;
	}
	return 0;
}

/* "Bearer xyz", "Basic xyz" at s. */
static size_t redact_scheme(struct buf *out, const char *s)
{
	static const char *const schemes[] = { "bearer", "basic" };
	size_t i, len, value;

	for (i = 0; i < N_OF(schemes); i++) {
		len = strlen(schemes[i]);
		if (strncasecmp(s, schemes[i], len) != 0 || !strchr(" \t", s[len]) || !s[len])
			continue;
		len += strspn(s + len, " \t");
		value = strcspn(s + len, " \t\r\n\"',;");
		if (value < 8)
			continue;
		buf_add(out, s, len);
		buf_add_str(out, MASK);
		return len + value;
	}
	return 0;
}

/* "Cookie: a=b; c=d", "Authorization: token xyz" at s, to the end of the header: of its line, or of the
 * quotes that it stands in. Where a scheme is named, that stays. */
static size_t redact_header(struct buf *out, const char *s)
{
	static const char *const headers[] = {
		"cookie:", "set-cookie:", "authorization:", "proxy-authorization:"
	};
	size_t i, len, word, value;

	for (i = 0; i < N_OF(headers); i++) {
		len = strlen(headers[i]);
		if (strncasecmp(s, headers[i], len) == 0)
			break;
	}
	if (i == N_OF(headers))
		return 0;
	len += strspn(s + len, " \t");
	value = strcspn(s + len, "\r\n\"'");
	word = strcspn(s + len, " \t\r\n\"'");
	if (!value)
		return 0;
	if (i >= 2 && word < value)
		len += word + strspn(s + len + word, " \t");
	buf_add(out, s, len);
	buf_add_str(out, MASK);
	return len + strcspn(s + len, "\r\n\"'");
}

/* Programs that take a password behind -p: in the next word, or in the same one. */
static size_t redact_client(struct buf *out, const char *s)
{
	static const struct {
		const char *start;
		bool apart;
	} clients[] = {
		{ "sshpass ", true },
		{ "docker login ", true },
		{ "podman login ", true },
		{ "mysql ", false },
		{ "mysqldump ", false },
		{ "mysqladmin ", false },
		{ "mariadb ", false },
	};
	size_t i, end = strcspn(s, "|;&\n"), len;
	const char *option;
	char *prefix;

	for (i = 0; i < N_OF(clients); i++)
		if (strncmp(s, clients[i].start, strlen(clients[i].start)) == 0)
			break;
	option = i < N_OF(clients) ? memmem(s, end, " -p", 3) : NULL;
	if (!option)
		return 0;
	option += 3;
	if (clients[i].apart)
		option += strspn(option, " \t");
	len = strchr("'\"", *option) && *option ? redact_quoted_len(option)
						: strcspn(option, " \t\r\n|;&");
	if (!len)
		return 0;
	prefix = mem_strndup(s, (size_t)(option - s));
	journal_redact(out, prefix);
	free(prefix);
	buf_add_str(out, MASK);
	return (size_t)(option - s) + len;
}

/* What a private key holds between its BEGIN and END, or to the text's end. */
static size_t redact_key_block(struct buf *out, const char *s)
{
	static const char begin[] = "-----BEGIN ", tail[] = "PRIVATE KEY-----";
	const char *head, *end;

	if (strncmp(s, begin, sizeof(begin) - 1) != 0)
		return 0;
	/* The kind of key stands between: "ENCRYPTED ", "OPENSSH ". */
	head = memmem(s, strnlen(s, 64), tail, sizeof(tail) - 1);
	if (!head)
		return 0;
	head += sizeof(tail) - 1;
	end = strstr(head, "-----END ");
	buf_add(out, s, (size_t)(head - s));
	buf_add_str(out, MASK);
	return end ? (size_t)(end - s) : strlen(s);
}

/* What begins at s and is or holds a secret: masked into out. Returns the bytes used, 0:
 * nothing. */
static size_t redact_at(struct buf *out, const char *s, char before, const char **no_at)
{
	bool word_start = !before || !strchr(WORD_CHARS, before);
	size_t used = redact_url(out, s, no_at);

	if (!used)
		used = redact_key_block(out, s);
	if (!used && word_start)
		used = redact_header(out, s);
	if (!used && word_start)
		used = redact_client(out, s);
	if (!used && word_start)
		used = redact_token(out, s);
	if (!used && word_start)
		used = redact_scheme(out, s);
	if (!used && word_start)
		used = redact_named(out, s, before);
	if (!used && word_start)
		used = redact_user_option(out, s);
	return used;
}

void journal_redact(struct buf *out, const char *text)
{
	char before = '\0'; /* the byte before text */
	const char *no_at = text;
	size_t used;

	while (*text) {
		used = redact_at(out, text, before, &no_at);
		if (!used) {
			buf_add_char(out, *text);
			used = 1;
		}
		text += used;
		before = text[-1];
	}
}
