/*
 * Errors: fills `struct err`. Owns no state and prints nothing; how a sentence is shown is the
 * business of the command line and of the screen.
 */
#include <pgoncall/base/err.h>

#include <stdio.h>
#include <string.h>

static void err_format(struct err *err, enum err_code code, const char *fmt, va_list ap)
{
	if (!err)
		return;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(err, code, fmt, ap);
	va_end(ap);
	return -1;
}

int err_system(struct err *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	err_format(err, ERR_SYSTEM, fmt, ap);
	va_end(ap);
	if (err) {
		len = strlen(err->text);
		snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(errnum));
	}
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char prefix[sizeof(err->text)], old[sizeof(err->text)];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	memcpy(old, err->text, sizeof(old));
	if (snprintf(err->text, sizeof(err->text), "%s: %s", prefix, old) >= (int)sizeof(err->text))
		err->text[sizeof(err->text) - 1] = '\0';
	return -1;
}

void err_clear(struct err *err)
{
	if (!err)
		return;
	err->code = ERR_OK;
	err->text[0] = '\0';
}
