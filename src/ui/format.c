/*
 * How the screens write things; see the header.
 */
#include <pgoncall/ui/format.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <pgoncall/base/utf8.h>

static const struct {
	const char *state, *shown;
} format_states[] = {
	{ "idle in transaction", "idle in tx" },
	{ "idle in transaction (aborted)", "aborted tx" },
	{ "fastpath function call", "fastpath" },
};

static const struct {
	const char *mode, *shown;
} format_modes[] = {
	{ "AccessExclusive", "AccessExcl" },
	{ "ShareUpdateExclusive", "ShareUpdExcl" },
	{ "ShareRowExclusive", "ShareRowExcl" },
	{ "RowExclusive", "RowExcl" },
};

char *format_count(unsigned long long count, char *out, size_t size)
{
	char digits[32];
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%llu", count), i, at = 0;

	for (i = 0; i < n && at + 2 < size; i++) {
		if (i && (n - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

void format_plural(struct buf *out, unsigned long long count, const char *one, const char *many)
{
	char number[40];

	buf_printf(
		out, "%s %s", format_count(count, number, sizeof(number)), count == 1 ? one : many);
}

const char *format_state(const struct db_session *session)
{
	size_t i;

	if (session->pid == 0)
		return "prepared";
	if (session->hidden)
		return "hidden";
	for (i = 0; i < sizeof(format_states) / sizeof(format_states[0]); i++)
		if (strcmp(session->state, format_states[i].state) == 0)
			return format_states[i].shown;
	return *session->state ? session->state : "-";
}

const char *format_lock_mode(const char *mode)
{
	size_t i;

	for (i = 0; i < sizeof(format_modes) / sizeof(format_modes[0]); i++)
		if (strcmp(mode, format_modes[i].mode) == 0)
			return format_modes[i].shown;
	return mode;
}

double format_session_age(const struct db_session *session)
{
	if (!isnan(session->wait_age_s))
		return session->wait_age_s;
	if (!isnan(session->xact_age_s))
		return session->xact_age_s;
	return session->state_age_s;
}

void format_runbook_title(struct buf *out, const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		if (i == 0)
			buf_add_char(out, (char)toupper((unsigned char)name[i]));
		else
			buf_add_char(out, name[i] == '-' ? ' ' : name[i]);
	}
}

char *format_one_line(const char *text)
{
	return utf8_sanitised_dup(text, UTF8_ONE_LINE);
}

char *format_query(const char *query)
{
	char *text = format_one_line(query), *to = text;
	const char *from;

	for (from = text; *from; from++)
		if (*from != ' ' || (to > text && to[-1] != ' '))
			*to++ = *from;
	*to = '\0';
	return text;
}
