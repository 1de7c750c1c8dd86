/*
 * Quoting for a POSIX shell; see the header. What a command line says is the business of whoever
 * builds it.
 */
#include <pgoncall/host/quote.h>

#include <stdbool.h>
#include <string.h>

#define QUOTE_SAFE                                                                                 \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"                           \
	"_@%+:,./-"

/* `=` makes an assignment of a command line's first word, and a path of zsh's "=word"; an option's
 * is harmless. */
static bool quote_is_plain(const char *word)
{
	size_t plain = strspn(word, QUOTE_SAFE "=");

	if (!*word || word[plain])
		return false;
	return word[0] == '-' || !strchr(word, '=');
}

void host_quote_word(struct buf *out, const char *word)
{
	size_t len;

	if (quote_is_plain(word)) {
		buf_add_str(out, word);
		return;
	}
	buf_add_char(out, '\'');
	for (;;) {
		len = strcspn(word, "'");
		buf_add(out, word, len);
		word += len;
		if (!*word)
			break;
		buf_add_str(out, "'\\''");
		word++;
	}
	buf_add_char(out, '\'');
}

void host_command_add(struct buf *out, const char *word)
{
	if (out->len)
		buf_add_char(out, ' ');
	host_quote_word(out, word);
}

void host_command_add_list(struct buf *out, const struct strlist *words)
{
	size_t i;

	for (i = 0; i < words->n; i++)
		host_command_add(out, words->items[i]);
}

void host_command_add_setting(struct buf *out, const char *setting)
{
	struct strlist words;

	strlist_init(&words);
	strlist_add_words(&words, setting);
	host_command_add_list(out, &words);
	strlist_fini(&words);
}

void host_command_add_argv(struct buf *out, const char *const argv[])
{
	for (; *argv; argv++)
		host_command_add(out, *argv);
}
